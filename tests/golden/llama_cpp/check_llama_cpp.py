"""GGUF files of ours under llama.cpp: every family's greedy tokens, SmolLM2 in every type, real tokenizers.

usage: check_llama_cpp.py HONE_RUN LLAMA_CPP_PYTHON   (make golden-llamacpp)"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests/golden"), str(ROOT / "tests/golden/rl/engine")]

from common import BASE, check, finish, hone_run
from shapes import SHAPES, make
from texts import strings

PROMPTS = ["The harbour was quiet that morning, and", "def mean(values):\n", "Zwei Dinge sind unendlich: 17 + 25 ="]
# llama.cpp multiplies quantised weights with activations that it rounds to 8 bits: there the likeliest
# token may be another one, nearly as likely.
SHORTFALL = {"f32": 1e-2, "f16": 5e-2, "bf16": 5e-2, "q8_0": 0.5, "q4_0": 1.0, "q4_k": 1.0}
# No GGUF form, or read otherwise by llama.cpp: it knows no
# window for general.architecture llama.
LEFT_OUT = {"yarn scaling, factor and betas of its own", "Qwen2, a window from layer 1 on", "SmolLM3, layers without positions",
            "Qwen3, biases", "Mistral, a window of 9"}


def llama(path, lines):
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([sys.argv[2], str(pathlib.Path(__file__).with_name("follow.py")), str(path)], input=text, capture_output=True, text=True)
    if done.returncode != 0:
        check(f"{path.name}: llama.cpp loads it ({done.stderr[-300:]})", 1, 0)
        return []
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def follow(name, path, bound):
    ids = hone_run("tokenize", path, lines=[dict(text=p) for p in PROMPTS])
    drawn = hone_run("sample", path, "--greedy", "--max-tokens", 48, lines=[dict(prompt=p) for p in PROMPTS])
    answers = llama(path, [dict(ids=i["ids"], follow=d["ids"]) for i, d in zip(ids, drawn)])
    if answers:
        tokens = sum(len(d["ids"]) for d in drawn)
        check(f"{name}: {sum(a['same'] for a in answers)} of {tokens} greedy tokens the same, shortfall in logits",
              max(a["shortfall"] for a in answers), bound)


def families(folder):
    for name, options in SHAPES.items():
        if name in LEFT_OUT:
            continue
        made = folder / name.replace(" ", "_").replace(",", "")
        make(made, options)
        out = made.with_suffix(".gguf")
        hone_run("convert", made, out, "--to", "gguf", "--type", "f32", "--no-check")
        follow(name, out, SHORTFALL["f32"])


def types(folder):
    for kind, bound in SHORTFALL.items():
        out = folder / f"{kind}.gguf"
        hone_run("convert", BASE, out, "--to", "gguf", "--type", kind, "--no-check")
        follow(f"SmolLM2 {kind}", out, bound)


def tokenizers(folder):
    sources = ROOT / ".deps/tokenizers"
    for name, family, vocabulary in [("llama2", "Llama", 32000), ("llama3_1", "Llama", 128256), ("mistral_nemo", "Mistral", 131072),
                                     ("qwen2_5", "Qwen2", 151936), ("qwen3", "Qwen3", 151936)]:
        made, out = folder / name, folder / f"{name}.gguf"
        make(made, dict(family=family, num_key_value_heads=2, num_hidden_layers=1, vocab_size=vocabulary, tie_word_embeddings=True),
             tokenizer=sources / name, hidden=64)
        hone_run("convert", made, out, "--to", "gguf", "--no-check")
        texts = [t for t in strings([], random.Random(6), 1500) if t and "\0" not in t]
        ours, theirs = hone_run("tokenize", made, lines=[dict(text=t) for t in texts]), llama(out, [dict(text=t) for t in texts])
        # llama.cpp reads the patterns its own way on rare characters; a wrong name would show on every other text.
        check(f"{name}: share of {len(texts)} odd texts that llama.cpp cuts otherwise", sum(a != b for a, b in zip(ours, theirs)) / len(texts), 0.1)


for part in [families, types, tokenizers]:
    with tempfile.TemporaryDirectory() as folder:
        part(pathlib.Path(folder))
finish()
