"""Whole rows of logits and the gradient of every parameter against transformers in float64, for random models of
every family, as language models and as reward models; a prompt shared by three responses of uneven length.

usage: check_passes.py PASSES"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[4]
sys.path.insert(0, str(ROOT / "tests/golden/rl/engine"))

from common import check, finish, torch
from shapes import SHAPES, make

import safetensors.torch


def passes(base, out, line):
    done = subprocess.run([sys.argv[1], str(base), str(out)], input=json.dumps(line) + "\n", capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return safetensors.torch.load_file(out)


def oracle(model, line, reward):
    """Values and the gradients of their weighted sum, one sequence after the other."""
    values = []
    for response in line["responses"]:
        ids = torch.tensor([line["prompt"] + response])
        out = model(ids).logits[0]
        if reward:
            values.append(out.reshape(1))
        else:
            logprobs = out.log_softmax(-1)
            start = len(line["prompt"]) - 1
            values.append(torch.stack([logprobs[start + t, token] for t, token in enumerate(response)]))
    values = torch.cat(values)
    (values * torch.tensor(line["weights"], dtype=torch.float64)).sum().backward()
    return values.detach()


def one(name, options, folder, reward):
    model = make(folder, dict(options, reward=reward))
    rng = random.Random(3)
    draw = lambda n: [rng.randrange(3, model.config.vocab_size) for _ in range(n)]
    line = {"prompt": draw(23), "responses": [draw(17), draw(1), draw(40)]}
    line["weights"] = [rng.uniform(-1, 1) for _ in (line["responses"] if reward else sum(line["responses"], []))]
    ours = passes(folder, folder / "passes.safetensors", line)
    model = model.double()
    theirs = oracle(model, line, reward)
    what = f"{name}{', reward' if reward else ''}"
    if not reward:
        with torch.no_grad():
            logits = model(torch.tensor([line["prompt"]])).logits[0]
        check(f"{what}: logits", (ours["logits"].double() - logits).abs().max().item(), 1e-4)
    check(f"{what}: values", (ours["values"].double() - theirs).abs().max().item(), 1e-4)
    worst = 0.0
    names = dict(model.named_parameters())
    for parameter, weight in names.items():
        if parameter == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        grad = weight.grad if weight.grad is not None else torch.zeros_like(weight)
        worst = max(worst, ((ours[parameter].double() - grad).norm() / (grad.norm() + 1e-9)).item())
    check(f"{what}: gradients of {len(names)} parameters, relative", worst, 1e-3)


for name, options in SHAPES.items():
    for reward in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            one(name, options, pathlib.Path(folder), reward)
finish()
