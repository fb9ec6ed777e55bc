"""Speed, peak memory and cold start of hone-run's training beside TRL's best setting, on the same base, rows,
batch and threads, in one run; the two take turns, so that a busy machine slows both. Kinds: dpo, dpo-lora, rm,
grpo, and dpo-bf16, rm-bf16 (f32 masters on both sides). DPO and reward models count pairs a second, GRPO (8
answers to a prompt, at most 64 tokens) drawn tokens a second, since the two draw different answers.

The floor is the time that matrix products alone would take, at the rate measured in this run: 6 FLOP a weight and
trunk token (4 where an adapter trains), the prompt of a pair computed once, the head on response tokens; attention
is not in it.

usage: bench.py HONE_RUN [--rounds 2] [--steps 4] [--batch 8] [--kinds dpo,dpo-lora,rm,grpo] [--only-hone] [--profile]

Rows: HONE_BENCH_DATA (JSON lines of TRL's conversational pairs, or of HH transcripts), else two answers
of the base to each of the demo's prompts, the shorter one chosen. Installs nothing."""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

import loop_profile

ROOT = pathlib.Path(__file__).resolve().parents[3]
BASE = ROOT / ".deps/bases/smollm2-135m-instruct.q4_1.gguf"
PYTHON = ROOT / ".deps/golden/bin/python"
PROMPTS = ROOT / "services/local/demo/prompts.jsonl"
LONGEST = 1500  # characters of prompt and answer: below 512 tokens, so that neither side cuts or drops

parser = argparse.ArgumentParser()
parser.add_argument("hone_run")
parser.add_argument("--rounds", type=int, default=2)
parser.add_argument("--steps", type=int, default=4)
parser.add_argument("--batch", type=int, default=8)
parser.add_argument("--kinds", default="dpo,dpo-lora,rm,grpo")
parser.add_argument("--only-hone", action="store_true")
parser.add_argument("--profile", action="store_true", help="one more run of each kind under perf: where the loop's time goes")
options = parser.parse_args()
threads = os.environ.get("HONE_THREADS") or str(len(os.sched_getaffinity(0)))


def transcript(text):
    parts = re.split(r"\n\n(Human|Assistant): ", text)[1:]
    return [dict(role="user" if parts[i] == "Human" else "assistant", content=parts[i + 1].strip()) for i in range(0, len(parts), 2)]


def given_rows(path):
    for row in map(json.loads, open(path)):
        if isinstance(row["chosen"], str) and row["chosen"].startswith("\n\nHuman:"):
            chosen, rejected = transcript(row["chosen"]), transcript(row["rejected"])
            row = dict(prompt=chosen[:-1], chosen=chosen[-1:], rejected=rejected[-1:])
            if chosen[:-1] != rejected[:-1] or chosen[-1]["role"] != "assistant":
                continue
        yield row


def demo_rows(count):
    prompts = [[dict(role="user", content=json.loads(line)["prompt"])] for line in open(PROMPTS)][:count]
    lines = "".join(json.dumps(dict(prompt=p, n=2, seed=i, max_tokens=96)) + "\n" for i, p in enumerate(prompts))
    answers = subprocess.run([options.hone_run, "sample", BASE], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    for prompt, a, b in zip(prompts, answers[::2], answers[1::2]):
        short, long = sorted((json.loads(a)["text"], json.loads(b)["text"]), key=len)
        yield dict(prompt=prompt, chosen=[dict(role="assistant", content=short)], rejected=[dict(role="assistant", content=long)])


def write_rows(path):
    source = os.environ.get("HONE_BENCH_DATA")
    wanted = options.batch * options.steps
    rows = given_rows(source) if source else demo_rows(2 * wanted)
    kept = []
    for row in rows:
        sides = [row["chosen"][-1]["content"], row["rejected"][-1]["content"]]
        length = sum(len(m["content"]) for m in row["prompt"]) + max(map(len, sides))
        if all(sides) and sides[0] != sides[1] and length <= LONGEST:
            kept.append({k: row[k] for k in ("prompt", "chosen", "rejected")})
        if len(kept) == wanted:
            break
    if len(kept) < wanted:
        sys.exit(f"only {len(kept)} usable rows; {wanted} are needed")
    path.write_text("".join(json.dumps(row) + "\n" for row in kept))
    return source or "the demo's prompts, two answers each"


def measured(command, on_line=None):
    """Runs a command; its lines, its peak memory in GB, its exit."""
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if on_line:
            on_line(line)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(map(str, command))} failed with {os.waitstatus_to_exitcode(status)}")
    return lines, usage.ru_maxrss * 1024 / 1e9


METHODS = {"dpo": "dpo.sigmoid.sum", "rm": "rm.sigmoid", "grpo": "grpo_token"}
GROUP, NEW_TOKENS = 8, 64


def values(lines):
    return [json.loads(line)["values"] for line in lines if '"metrics"' in line]


def hone(kind, folder, rows):
    name, *rest = kind.split("-")
    settings = dict(learning_rate=1e-6, batch_size=options.batch, max_steps=options.steps, max_tokens=512, dtype="bfloat16" if "bf16" in rest else "float32")
    spec = dict(method=METHODS[name], base=str(BASE), data=str(rows), out="out", adapter=dict(type="lora", rank=16, alpha=32) if "lora" in rest else "none",
                checkpoint_every_steps=0, checkpoint_every_s=0, hyperparameters=settings)
    if name == "grpo":
        settings.update(batch_size=options.batch // GROUP or 1, group_size=GROUP, max_new_tokens=NEW_TOKENS, kl_budget=0)
        spec["reward"] = dict(type="length", tokens=NEW_TOKENS)
    (folder / "spec.json").write_text(json.dumps(spec))
    begun, first = time.time(), []
    lines, peak = measured([options.hone_run, "train", folder / "spec.json"],
                           lambda line: first.append(time.time() - begun) if '"metrics"' in line and not first else None)
    steps = values(lines)
    drawn = [v["rl/length/mean"] * v["data/rows"] for v in steps] if name == "grpo" else None
    return dict(step_s=[v["perf/step_s"] for v in steps], drawn=drawn, losses=[v["loss"] for v in steps],
                tokens=[v["data/tokens"] for v in steps], loss_tokens=[v["data/loss_tokens"] for v in steps], first_step_done=first[0], peak_gb=peak)


def gemm_rate(kind, model):
    dtype = "bfloat16" if "bf16" in kind else "float32"
    return float(subprocess.run([PYTHON, pathlib.Path(__file__).with_name("gemm_rate.py"), model, dtype, threads], check=True, capture_output=True, text=True).stdout)


def share_of_floor(kind, run, config, rate):
    """Of the median step after the first: the time its matrix products alone would take, over the time it took."""
    C, F = config["hidden_size"], config["intermediate_size"]
    kv = C // config["num_attention_heads"] * config["num_key_value_heads"]
    trunk = config["num_hidden_layers"] * (C * (C + 2 * kv) + C * C + 3 * C * F)
    head = 0 if kind.startswith("rm") else C * config["vocab_size"]
    each = 4 if "lora" in kind else 6
    return statistics.median(each * (trunk * t + head * n) / (rate * 1e9) / s for t, n, s in zip(run["tokens"][1:], run["loss_tokens"][1:], run["step_s"][1:]))


def peer(kind, folder, model, rows):
    lines, peak = measured([PYTHON, pathlib.Path(__file__).with_name("trl_peer.py"), kind, model, rows, options.batch, options.steps, threads, GROUP, NEW_TOKENS,
                            folder / "trl"])
    return dict(json.loads(lines[-1]), peak_gb=peak)


def speed(run):
    """Of the median step after the first: pairs a second, or drawn tokens."""
    if run.get("drawn"):
        return statistics.median(n / s for n, s in zip(run["drawn"][1:], run["step_s"][1:]))
    return options.batch / statistics.median(run["step_s"][1:])


if not options.only_hone and not PYTHON.exists():
    sys.exit("TRL is not installed here: `make bench` brings it (scripts/setup --tests)")
with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    rows, model = folder / "rows.jsonl", folder / "base"
    said = write_rows(rows)
    if not options.only_hone:
        subprocess.run([options.hone_run, "convert", BASE, model, "--to", "hf", "--no-check"], check=True, stdout=subprocess.DEVNULL)
        config = json.loads((model / "config.json").read_text())
    print(f"{options.batch * options.steps} pairs of {said}; {options.steps} steps of {options.batch}, {options.rounds} rounds in turn, {threads} threads")
    for kind in options.kinds.split(","):
        results = {"hone-run": [], "TRL": []}
        rates = []
        for _ in range(options.rounds):
            if not options.only_hone:
                rates.append(gemm_rate(kind, model))
            results["hone-run"].append(hone(kind, folder, rows))
            if not options.only_hone:
                results["TRL"].append(peer(kind, folder, model, rows))
        told = {}
        unit = "tokens/s" if kind.startswith("grpo") else "pairs/s"
        for who, runs in results.items():
            if runs:
                # The best round: both sides' rows are the same, and noise only slows.
                told[who] = dict(speed=max(map(speed, runs)), peak_gb=max(r["peak_gb"] for r in runs), cold_s=min(r["first_step_done"] for r in runs))
                print(f"  {kind:8} {who:8} {told[who]['speed']:.3f} {unit}   peak {told[who]['peak_gb']:.2f} GB   first step done after {told[who]['cold_s']:.1f} s", flush=True)
        if rates and not kind.startswith("grpo"):  # whose time goes into drawing, which memory bounds
            share = max(share_of_floor(kind, run, config, max(rates)) for run in results["hone-run"])
            print(f"  {kind:8} hone-run {100 * share:.0f} % of the floor of {max(rates):.0f} GFLOP/s", flush=True)
        if options.profile:
            print("\n".join("             " + line for line in loop_profile.profile(options.hone_run, folder / "spec.json", options.steps)), flush=True)
        if len(told) == 2:
            ours, theirs = told["hone-run"], told["TRL"]
            print(f"  {kind:8} ratio    speed {ours['speed'] / theirs['speed']:.2f}   memory {ours['peak_gb'] / theirs['peak_gb']:.2f}   cold start {ours['cold_s'] / theirs['cold_s']:.2f}", flush=True)
            if not kind.startswith("grpo"):
                apart = max(abs(a - b) for a, b in zip(results["hone-run"][0]["losses"], results["TRL"][0]["losses"]))
                if not kind.startswith("rm"):  # whose heads begin at different random numbers
                    print(f"  {kind:8} losses of the same steps differ by at most {apart:.4f}, rows in another order")
