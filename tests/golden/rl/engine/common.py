"""What the checks of this folder share: finding the packages, running hone-run, comparing."""
import json
import os
import pathlib
import subprocess
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
ROOT = pathlib.Path(__file__).resolve().parents[4]
BASE = ROOT / ".deps/bases/smollm2-135m-instruct.q4_1.gguf"
TINY = ROOT / "tests/golden/rl/formats/tiny"

try:
    import torch
    import transformers
except ImportError as missing:
    print(f"skipped: {missing}; `make golden` or scripts/setup brings the packages")
    sys.exit(77)
transformers.logging.set_verbosity_error()
torch.manual_seed(0)


def hone_run(*arguments, lines=None):
    """Runs hone-run with JSON lines in; returns those it answers."""
    text = None if lines is None else "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([sys.argv[1], *map(str, arguments)], input=text, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"hone-run {' '.join(map(str, arguments))} ended with {done.returncode}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def refused(*arguments):
    """Runs hone-run, which must refuse; returns what it says."""
    done = subprocess.run([sys.argv[1], *map(str, arguments)], capture_output=True, text=True)
    if done.returncode == 0:
        print(f"FAIL hone-run {' '.join(map(str, arguments))} was not refused")
        check.failed = True
    return done.stderr


def check(what, value, bound):
    print(f"{'ok  ' if value <= bound else 'FAIL'} {what}: {value:.3g} (at most {bound:g})", flush=True)
    if not value <= bound:
        check.failed = True


check.failed = False


def finish():
    sys.exit(1 if check.failed else 0)


def logits_of(model, ids):
    """[len(ids), V] in float64."""
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].double()


def check_scores(what, model, scored, bound):
    """hone-run score's answers against log softmax of the oracle's logits."""
    worst = 0.0
    for row in scored:
        logprobs = logits_of(model, row["prompt_ids"] + row["ids"]).log_softmax(-1)
        for t, (token, got) in enumerate(zip(row["ids"], row["logprobs"])):
            worst = max(worst, abs(logprobs[len(row["prompt_ids"]) + t - 1, token].item() - got))
    check(f"{what}: log-probabilities", worst, bound)


def check_greedy(what, model, prompt_ids, ids, bound):
    """Each token of a greedy continuation must be the oracle's likeliest, or as likely within `bound`,
    given the tokens before it: stricter than comparing texts up to where they part."""
    logits = logits_of(model, prompt_ids + ids)
    worst = 0.0
    for t, token in enumerate(ids):
        row = logits[len(prompt_ids) + t - 1]
        worst = max(worst, (row.max() - row[token]).item())
    check(f"{what}: {len(ids)} greedy tokens, shortfall in logits", worst, bound)
