"""Whether training teaches what it is meant to, in the real program, with several seeds: what a unit test on a
tiny model cannot say. Prints a table and exits with 1 where a bar is missed.

usage: learn.py HONE_RUN [--seeds 3] [--only synthetic,reward,dpo,bf16,grpo,ppo,maths]

synthetic  a rule with a known rate of wrong labels: held-out accuracy on noisy labels comes to 1 - p within
           2 points, on the true ones near 1 (tiny model)
reward     a reward model on people's pairs (HONE_LEARN_PAIRS, HH transcripts or TRL rows) beats "always the
           longer one", and how it is calibrated
dpo        pairs of the base's own answers, judged by a rule: held-out accuracy and win rate, intervals clear of 1/2
bf16       DPO's loss curve in bf16 stays within the spread of f32 curves of other seeds (HONE_LEARN_PAIRS)
grpo, ppo  raise a programmatic reward within their KL budget
maths      GRPO brings GSM8K answers into the form asked for (HONE_LEARN_MATHS), within its KL budget
"""
import argparse
import itertools
import json
import math
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASE = ROOT / ".deps/bases/smollm2-135m-instruct.q4_1.gguf"
TINY = ROOT / "tests/golden/rl/formats/tiny"
PROMPTS = ROOT / "services/local/demo/prompts.jsonl"

parser = argparse.ArgumentParser()
parser.add_argument("hone_run")
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--only", default="synthetic,reward,dpo,bf16,grpo,ppo,maths")
options = parser.parse_args()
missed = []


def train(folder, name, **spec):
    """One run; its result's evaluation and its steps' metrics."""
    where = folder / name
    where.mkdir()
    (where / "spec.json").write_text(json.dumps(dict(spec, out="out")))
    begun = time.time()
    done = subprocess.run([options.hone_run, "train", where / "spec.json"], capture_output=True, text=True)
    if done.returncode:
        return dict(failed=done.stderr.strip()[-300:], steps=[], evaluation={}, s=time.time() - begun)
    steps = [json.loads(line) for line in open(where / "out/metrics.jsonl")]
    evaluation = json.loads((where / "out/hone/evaluation.json").read_text())["values"]
    return dict(failed=None, steps=steps, evaluation=evaluation, out=where / "out", s=time.time() - begun)


def interval(values):
    """Mean and half the 95 % t-interval; one seed has none."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, math.nan
    t = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}.get(len(values), 2.571)
    return mean, t * statistics.stdev(values) / math.sqrt(len(values))


def tell(what, values, bar=None, unit=1):
    """A line of the table; `bar(value)` must hold for every seed."""
    mean, half = interval(values)
    good = bar is None or all(map(bar, values))
    if not good:
        missed.append(what)
    print(f"  {what:66} {mean * unit:8.3f} +- {half * unit:.3f}   seeds {' '.join(f'{v * unit:.3f}' for v in values)}{'' if good else '   MISSED'}", flush=True)


def failed(what, runs):
    for run in runs:
        if run["failed"]:
            missed.append(what)
            print(f"  {what}: a seed failed and stays in the count: {run['failed']}", flush=True)
    return [run for run in runs if not run["failed"]]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def seeds():
    return range(1, options.seeds + 1)


# ---- a rule with wrong labels

FLIP = 0.2


def synthetic(folder):
    print(f"A rule whose labels are wrong at a rate of {FLIP} (tiny model, 3,000 pairs, 1,000 held out)", flush=True)
    good, bad = ["yes", "sure", "fine", "of course"], ["no", "never", "stop", "not now"]
    for method in ("rm.sigmoid", "rm.flip", "dpo.sigmoid.sum", "dpo.flip.sum"):
        runs, truths = [], []
        for seed in seeds():
            dice = random.Random(seed)
            rows, clean = [], []
            for i in range(4000):
                sides = [dice.choice(good), dice.choice(bad)]
                prompt = [dict(role="user", content=f"Question {dice.randrange(10 ** 6)}")]
                flipped = dice.random() < FLIP
                a, b = (dict(role="assistant", content=f"{word} {dice.randrange(100)}") for word in sides)
                row = dict(prompt=prompt, split="held_out" if i % 4 == 3 else "train")
                rows.append(dict(row, chosen=[b if flipped else a], rejected=[a if flipped else b]))
                clean.append(dict(row, chosen=[a], rejected=[b]))
            data = write(folder / f"{method}-{seed}.jsonl", rows)
            settings = dict(batch_size=32, epochs=2, learning_rate=1e-3, warmup_ratio=0.05, max_tokens=256, micro_batch_tokens=2048)
            if "flip" in method:
                settings["flip_rate"] = FLIP
            run = train(folder, f"{method}-{seed}", method=method, base=str(TINY), data=data, seed=seed, hyperparameters=settings, checkpoint_every_steps=0)
            runs.append(run)
            if method == "rm.sigmoid" and not run["failed"]:
                truths.append(accuracy_of_scores(run["out"] / "reward", [row for row in clean if row["split"] == "held_out"]))
        runs = failed(method, runs)
        key = "eval/held_out/rm/accuracy" if method.startswith("rm") else "eval/held_out/pref/accuracy"
        if runs:
            # 1,000 labels: the best there is lies within 2.5 points of 1 - p by chance alone.
            tell(f"{method}: accuracy on noisy held-out labels (best {1 - FLIP})", [r["evaluation"][key] for r in runs], lambda v: abs(v - (1 - FLIP)) <= 0.035)
            tell(f"{method}: mean of seeds, distance from the best", [abs(statistics.fmean([r["evaluation"][key] for r in runs]) - (1 - FLIP))], lambda v: v <= 0.02)
        if truths:
            tell(f"{method}: accuracy on the true labels", truths, lambda v: v >= 0.98)


def accuracy_of_scores(model, rows):
    lines = "".join(json.dumps(dict(prompt=r["prompt"], response=r[side][0]["content"])) + "\n" for r in rows for side in ("chosen", "rejected"))
    out = subprocess.run([options.hone_run, "score", model], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    scores = [json.loads(line)["score"] for line in out]
    return statistics.fmean(a > b for a, b in zip(scores[::2], scores[1::2]))


# ---- people's pairs

def transcript(text):
    parts = re.split(r"\n\n(Human|Assistant): ", text)[1:]
    return [dict(role="user" if parts[i] == "Human" else "assistant", content=parts[i + 1].strip()) for i in range(0, len(parts), 2)]


def people_pairs(path, limit):
    for row in map(json.loads, open(path)):
        if isinstance(row["chosen"], str) and row["chosen"].startswith("\n\nHuman:"):
            chosen, rejected = transcript(row["chosen"]), transcript(row["rejected"])
            if chosen[:-1] != rejected[:-1] or chosen[-1]["role"] != "assistant":
                continue
            row = dict(prompt=chosen[:-1], chosen=chosen[-1:], rejected=rejected[-1:])
        sides = [row[side][-1]["content"] for side in ("chosen", "rejected")]
        if all(sides) and sides[0] != sides[1] and sum(len(m["content"]) for m in row["prompt"]) + max(map(len, sides)) <= 1200:
            yield {k: row[k] for k in ("prompt", "chosen", "rejected")}
            limit -= 1
            if limit == 0:
                return


def reward(folder):
    source = os.environ.get("HONE_LEARN_PAIRS")
    if not source:
        return print("Reward model on people's pairs: left out, HONE_LEARN_PAIRS names no file", flush=True)
    rows = list(people_pairs(source, 1280))
    for i, row in enumerate(rows):
        row["split"] = "held_out" if i % 4 == 3 else "train"
    print(f"Reward model on {len(rows)} people's pairs, a quarter held out (SmolLM2-135M-Instruct)", flush=True)
    data = write(folder / "people.jsonl", rows)
    runs = failed("reward", [train(folder, f"reward-{seed}", method="rm.sigmoid", base=str(BASE), data=data, seed=seed, checkpoint_every_steps=0,
                                   hyperparameters=dict(batch_size=32, epochs=1, learning_rate=2e-5, max_tokens=512, dtype="auto")) for seed in seeds()])
    if not runs:
        return
    e = [r["evaluation"] for r in runs]
    longer = e[0]["eval/held_out/rm/accuracy/longer"]
    tell(f"accuracy (always the longer one: {longer:.3f})", [v["eval/held_out/rm/accuracy"] for v in e], lambda v: v > max(longer, 0.5))
    tell("expected calibration error, before", [v["eval/held_out/rm/ece"] for v in e])
    tell("expected calibration error, with the fitted temperature", [v["eval/held_out/rm/ece/calibrated"] for v in e])
    tell("fitted temperature", [v["eval/held_out/rm/temperature"] for v in e])
    tell("minutes a seed", [r["s"] / 60 for r in runs])


# ---- DPO by a rule

SHORT = dict(rules=[dict(type="max_words", value=40, weight=1)])


def dpo(folder):
    print("DPO on the base's own answers, the shorter one preferred; won by answers of at most 40 words (SmolLM2-135M-Instruct)", flush=True)
    prompts = [[dict(role="user", content=json.loads(line)["prompt"])] for line in open(PROMPTS)]
    kept = prompts
    lines = "".join(json.dumps(dict(prompt=p, n=4, seed=i, max_tokens=96)) + "\n" for i, p in enumerate(kept))
    answers = [json.loads(line)["text"] for line in subprocess.run([options.hone_run, "sample", BASE], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()]
    rows = []
    for i, prompt in enumerate(kept):
        # Two that are much of a length are told apart by nobody: answers end at 96 tokens.
        four = sorted(answers[4 * i:4 * i + 4], key=len)
        for short, long in itertools.combinations(four, 2):
            if short and len(long) >= 1.5 * len(short):
                rows.append(dict(prompt=prompt, chosen=[dict(role="assistant", content=short)], rejected=[dict(role="assistant", content=long)],
                                 split="held_out" if i % 4 == 3 else "train"))
    data = write(folder / "short.jsonl", rows)
    print(f"  {len(rows)} pairs, of which {sum(row['split'] == 'held_out' for row in rows)} held out by their prompts", flush=True)
    held_out = write(folder / "prompts.jsonl", [dict(id=str(i), messages=prompt) for i, prompt in enumerate(kept) if i % 4 == 3])
    runs = failed("dpo", [train(folder, f"dpo-{seed}", method="dpo.sigmoid.sum", base=str(BASE), data=data, seed=seed, checkpoint_every_steps=0,
                                adapter=dict(type="lora", rank=16, alpha=32), hyperparameters=dict(batch_size=16, epochs=3, learning_rate=2e-4, max_tokens=512, dtype="auto"),
                                evaluation=dict(win_rate=dict(prompts=held_out, rule=SHORT, max_tokens=96, seed=seed))) for seed in seeds()])
    if not runs:
        return
    e = [r["evaluation"] for r in runs]
    tell("held-out accuracy, lower end of its interval", [v["eval/held_out/accuracy/low"] for v in e], lambda v: v > 0.5)
    tell("held-out accuracy", [v["eval/held_out/pref/accuracy"] for v in e])
    tell("win rate against the base, lower end of its interval", [v["eval/prompts/win_rate/low"] for v in e], lambda v: v > 0.5)
    tell("win rate against the base", [v["eval/prompts/win_rate"] for v in e])
    tell("minutes a seed", [r["s"] / 60 for r in runs])


# ---- bf16 beside f32

def bf16(folder):
    source = os.environ.get("HONE_LEARN_PAIRS")
    if not source:
        return print("bf16 beside f32: left out, HONE_LEARN_PAIRS names no file", flush=True)
    rows = list(people_pairs(source, 128))
    print(f"DPO on {len(rows)} people's pairs, full weights, once in f32 and once in bf16 with every seed (SmolLM2-135M-Instruct)", flush=True)
    data = write(folder / "curve.jsonl", rows)
    curves = {}
    for dtype in ("float32", "bfloat16"):
        runs = failed(f"bf16: {dtype}", [train(folder, f"{dtype}-{seed}", method="dpo.sigmoid.sum", base=str(BASE), data=data, seed=seed, checkpoint_every_steps=0,
                                               hyperparameters=dict(batch_size=8, epochs=2, learning_rate=2e-5, max_tokens=512, dtype=dtype)) for seed in seeds()])
        curves[dtype] = [[step["loss"] for step in run["steps"]] for run in runs]
    if len(curves["float32"]) < 2 or len(curves["bfloat16"]) < len(curves["float32"]):
        return
    # Of one seed the rows are the same at each step; of two, the rows differ as well.
    spread = statistics.fmean(statistics.stdev(at) for at in zip(*curves["float32"]))
    apart = [statistics.fmean(abs(a - b) for a, b in zip(f32, rounded)) for f32, rounded in zip(curves["float32"], curves["bfloat16"])]
    tell("spread of the f32 seeds' losses, a step", [spread])
    tell("distance of bf16's loss from f32's of its seed, a step", apart, lambda v: v < spread)
    tell("loss of the last four steps, f32", [statistics.fmean(c[-4:]) for c in curves["float32"]])
    tell("loss of the last four steps, bf16", [statistics.fmean(c[-4:]) for c in curves["bfloat16"]])


# ---- rewards that a program computes

def risen(run, key="rl/score/mean", rollouts=3):
    values = [step[key] for step in run["steps"] if key in step]
    return statistics.fmean(values[-rollouts:]) - statistics.fmean(values[:rollouts])


def policy(folder, what, method, rows, pays, **settings):
    print(what, flush=True)
    data = write(folder / "ask.jsonl", rows)
    runs = failed(what, [train(folder, f"{method}-{seed}", method=method, base=str(BASE), data=data, seed=seed, reward=pays, checkpoint_every_steps=0,
                               hyperparameters=dict(settings, max_tokens=512, gold_every=0, dtype="auto", sampler_correction="token_truncate")) for seed in seeds()])
    if not runs:
        return
    tell("score of the last three rollouts less that of the first three", [risen(r) for r in runs], lambda v: v > 0)
    tell("score at the end", [statistics.fmean([s["rl/score/mean"] for s in r["steps"] if "rl/score/mean" in s][-3:]) for r in runs])
    tell("KL to the start at its highest, nats an answer (budget 100)", [max(s["rl/kl/seq"] for s in r["steps"] if "rl/kl/seq" in s) for r in runs], lambda v: v < 100)
    tell("entropy at the end, share of the start's", [r["steps"][-1]["rl/entropy"] / r["steps"][0]["rl/entropy"] for r in runs])
    tell("minutes a seed", [r["s"] / 60 for r in runs])


SIXTEEN = [dict(type="length", tokens=16)]


def asked():
    return [dict(messages=[dict(role="user", content=json.loads(line)["prompt"])], split="held_out" if i % 8 == 7 else "train") for i, line in enumerate(open(PROMPTS))]


def grpo(folder):
    policy(folder, "grpo_token: answers of 16 tokens", "grpo_token", asked(), SIXTEEN, batch_size=8, group_size=8, max_new_tokens=64, learning_rate=1e-5, max_steps=16)


def ppo(folder):
    policy(folder, "ppo: answers of 16 tokens", "ppo", asked(), SIXTEEN, batch_size=48, max_new_tokens=64, learning_rate=1e-5, value_learning_rate=3e-5, temperature=1.0,
           kl_coefficient=0.02, rollout_epochs=1, minibatches=2, max_steps=32)


def maths(folder):
    source = os.environ.get("HONE_LEARN_MATHS")
    if not source:
        return print("The form of GSM8K answers: left out, HONE_LEARN_MATHS names no file", flush=True)
    rows = [dict(messages=[dict(role="user", content=row["question"] + "\nThink step by step. End with #### and the number.")], answer=row["answer"],
                 split="held_out" if i % 8 == 7 else "train") for i, row in enumerate(map(json.loads, open(source))) if len(row["question"]) < 300]
    policy(folder, "grpo_token: GSM8K answers end as asked", "grpo_token", rows[:200], [dict(type="regex", pattern="#### *-?[0-9]")],
           batch_size=8, group_size=8, max_new_tokens=160, learning_rate=1e-5, max_steps=12)


PARTS = dict(synthetic=synthetic, reward=reward, dpo=dpo, bf16=bf16, grpo=grpo, ppo=ppo, maths=maths)
for part in options.only.split(","):
    with tempfile.TemporaryDirectory() as name:
        PARTS[part](pathlib.Path(name))
print("missed: " + "; ".join(missed) if missed else "every bar was reached")
sys.exit(bool(missed))
