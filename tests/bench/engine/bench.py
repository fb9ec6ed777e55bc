"""The engine beside its peers, in turn on one machine: tokenizers, transformers, llama.cpp.

usage: bench.py ENGINE_BENCH HONE_RUN [--rounds 3] [--data PAIRS.jsonl] [--only tokenizer,train,generate]

The text is that of PAIRS (TRL's conversational pairs), or without any the project's own files. Ids of the other
measures are random: their cost does not depend on which they are. The model is SmolLM2-135M-Instruct."""
import argparse
import json
import pathlib
import random
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".deps/golden/bin/python"
LLAMA = ROOT / ".deps/llamacpp/bin/python"
BASE = ROOT / ".deps/bases/smollm2-135m-instruct.q4_1.gguf"
TOKENIZERS = ROOT / ".deps/tokenizers"
PEER = pathlib.Path(__file__).with_name("peer.py")

parser = argparse.ArgumentParser()
parser.add_argument("engine_bench")
parser.add_argument("hone_run")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--data")
parser.add_argument("--only", default="tokenizer,train,generate")
options = parser.parse_args()


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: {done.stderr}")
    return json.loads(done.stdout.strip().split("\n")[-1])


def beside(what, key, ours, peers, streams=0):
    """Runs ours and each peer in turn; prints medians, the ratio to the best peer, and of so many streams of one length
    the share of what reading memory alone would allow."""
    results = {name: [] for name in ["Hone", *peers]}
    for _ in range(options.rounds):
        for name, command in [("Hone", ours), *peers.items()]:
            results[name].append(run(*command))
    rate = {name: statistics.median(r[key] for r in rows) for name, rows in results.items()}
    memory = {name: max(r["peak_gb"] for r in rows) for name, rows in results.items()}
    best = max(peers, key=lambda name: rate[name])
    floor = ""
    if streams:  # each step of all streams reads so many bytes, and memory gives so many a second
        memory_rate = max(run(options.engine_bench, "memory")["bytes_per_s"] for _ in range(3))
        least = results["Hone"][0]["step_bytes"] / memory_rate
        floor = f"; {rate['Hone'] * least / streams:.0%} of the floor, {results['Hone'][0]['step_bytes'] / 1e6:.0f} MB a step at {memory_rate / 1e9:.1f} GB/s"
    cells = ", ".join(f"{name} {rate[name]:.4g} ({memory[name]:.2f} GB)" for name in results)
    print(f"{what}: {cells}; {rate['Hone'] / rate[best]:.2f} times {best}, {memory['Hone'] / memory[best]:.2f} of its memory{floor}", flush=True)


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def text_file(folder):
    path = folder / "text"
    if options.data:
        turns = lambda side: side if isinstance(side, str) else "\n".join(m["content"] for m in side)
        with open(options.data, encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        text = "\n".join(turns(row[side]) for row in rows for side in ("prompt", "chosen", "rejected") if side in row)
    else:
        files = [f for kind in ("*.cpp", "*.h", "*.md", "*.ts", "*.py") for f in sorted(ROOT.rglob(kind))
                 if not {"node_modules", ".deps", "build", ".hone"} & set(f.relative_to(ROOT).parts)]
        text = "\n".join(f.read_text(encoding="utf-8") for f in files)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def tokenizers(folder, base):
    text = text_file(folder)
    print(f"tokenizers: {text.stat().st_size / 1e6:.1f} MB of {options.data or 'the project itself'}, line by line, one thread, MB/s")
    for name, where in [("SmolLM2", base), ("Llama 2", TOKENIZERS / "llama2"), ("Llama 3.1", TOKENIZERS / "llama3_1"),
                        ("Qwen2.5", TOKENIZERS / "qwen2_5"), ("Mistral Nemo", TOKENIZERS / "mistral_nemo")]:
        beside(name, "mb_per_s", [options.engine_bench, "tokenizer", where, text], {"tokenizers": [PYTHON, PEER, "tokenizer", where, text]})


def train(folder, base):
    rng = random.Random(1)
    ids = lambda n: [rng.randrange(100, 40000) for _ in range(n)]
    mixed = write(folder / "mixed", [{"prompt": ids(rng.randint(8, 64)), "responses": [ids(min(700, int(rng.lognormvariate(5, 0.8)) + 8))]} for _ in range(40)])
    shared = write(folder / "shared", [{"prompt": ids(n), "responses": [ids(n), ids(n)]} for n in [rng.randint(64, 192) for _ in range(12)]])
    for dtype in ("float32", "bfloat16"):
        print(f"forward and backward, full weights, {dtype}, tokens/s of prompt and responses")
        for what, rows in [("mixed lengths", mixed), ("prompts of half the length shared by two", shared)]:
            beside(what, "tokens_per_s", [options.engine_bench, "train", BASE, rows, 512, dtype],
                   {f"transformers, {b} a batch": [PYTHON, PEER, "train", base, rows, b, dtype] for b in (1, 4)})


def generate(folder, base):
    rng = random.Random(2)
    ids = lambda n: [rng.randrange(100, 40000) for _ in range(n)]
    prompt = ids(64)
    one = write(folder / "one", [{"prompt": prompt, "tokens": 128, "sample": 0}])
    sixteen = write(folder / "sixteen", [{"prompt": prompt, "tokens": 96, "sample": i} for i in range(16)])
    mixed = write(folder / "many", [{"prompt": ids(rng.randint(16, 96)), "tokens": min(256, int(rng.lognormvariate(3.6, 0.8)) + 4), "sample": i} for i in range(64)])
    for dtype in ("float32", "bfloat16"):
        print(f"generation, {dtype}, tokens/s")
        for what, requests, streams in [("one stream", one, 1), ("16 samples of one prompt", sixteen, 16), ("64 prompts of mixed answer lengths", mixed, 0)]:
            peers = {"transformers": [PYTHON, PEER, "generate", base, requests, dtype]}
            if what == "one stream" and LLAMA.exists():
                file = folder / f"{dtype}.gguf"
                run(options.hone_run, "convert", BASE, file, "--to", "gguf", "--type", {"float32": "f32", "bfloat16": "bf16"}[dtype], "--no-check")
                peers["llama.cpp"] = [LLAMA, PEER, "llama", file, requests]
            beside(what, "tokens_per_s", [options.engine_bench, "generate", BASE, requests, dtype], peers, streams)


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    base = folder / "base"
    run(options.hone_run, "convert", BASE, base, "--to", "hf", "--no-check")
    for part in options.only.split(","):
        {"tokenizer": tokenizers, "train": train, "generate": generate}[part](folder, base)
