"""Every loss of rl/loss and its gradients against TRL's own code where there is some that can be called, else against
the formula written out in float64 under autograd: 1e-10 in double, 1e-6 of the largest in float.

usage: check_losses.py LOSSES"""
import json
import math
import pathlib
import random
import subprocess
import sys
from collections import defaultdict
from types import SimpleNamespace

ROOT = pathlib.Path(__file__).resolve().parents[4]
sys.path.insert(0, str(ROOT / "tests/golden/rl/engine"))

from common import check, finish, torch

import torch.nn.functional as F
from torch.nn.functional import logsigmoid
from trl import DPOTrainer, GRPOTrainer, KTOTrainer, RLOOTrainer
from trl.experimental.cpo import CPOTrainer
from trl.experimental.orpo.orpo_trainer import log1mexp

torch.set_default_dtype(torch.float64)
rng = random.Random(5)
asked = []  # (what, line, oracle's answers by name), all asked of the program at once


def uniform(n, low, high):
    return [rng.uniform(low, high) for _ in range(n)]


def single(values):
    """As the program will see them in float."""
    return torch.tensor(values, dtype=torch.float32).double().tolist()


def ask(what, line, oracle):
    """oracle(get): `get` turns an input's name into a tensor, a leaf when its gradient is wanted; it returns the
    answers by name, "values" among them. Asked in both types, in float on the inputs as float holds them."""
    for kind in ("f64", "f32"):
        typed = dict(line, type=kind)
        if kind == "f32":
            typed = {k: single(v) if isinstance(v, list) and v and isinstance(v[0], float) else v for k, v in typed.items()}
        leaves = {}

        def get(name, leaf=False):
            if name not in leaves:
                leaves[name] = torch.tensor(typed[name]).double().requires_grad_(leaf)
            return leaves[name]

        answers = oracle(get)
        values = answers["values"]
        if values.requires_grad:
            (values * torch.tensor(typed["weights"])).sum().backward()
            answers |= {"grad/" + n: t.grad for n, t in leaves.items() if t.requires_grad}
        asked.append((f"{what}, {kind}", typed, {k: v.detach().reshape(-1) for k, v in answers.items()}))


def ask_mean(what, line, oracle, leaves):
    """The same of TRL's functions that return one number, the mean over `line`'s rows, and of its gradients."""
    rows = len(line["weights"])
    line = dict(line, type="f64", weights=[1 / rows] * rows)
    inputs = {}

    def get(name, _=False):
        if name not in inputs:
            inputs[name] = torch.tensor(line[name]).double().requires_grad_(name in leaves)
        return inputs[name]

    mean = oracle(get)
    mean.backward()
    gradients = {"grad/" + name: inputs[name].grad for name in leaves}
    asked.append((f"TRL: {what}", line, {"mean": mean.detach().reshape(1)} | gradients))


def compare():
    lines = "".join(json.dumps(line) + "\n" for _, line, _ in asked)
    done = subprocess.run([sys.argv[1]], input=lines, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(asked)
    for (what, line, want), got in zip(asked, answers):
        if "weights" in line:
            got["mean"] = [sum(w * v for w, v in zip(line["weights"], got["values"]))]
        unheld = {name for name in got if name.startswith("grad/")} - set(want)
        if unheld:
            sys.exit(f"{what}: the oracle has no {unheld}")
        for name, theirs in want.items():
            ours = torch.tensor(got[name])
            assert ours.shape == theirs.shape, (what, name, ours.shape, theirs.shape)
            worst = (ours - theirs).abs().max().item()
            if line["type"] == "f32":
                check(f"{what}: {name}, relative", worst / max(theirs.abs().max().item(), 1e-30), 1e-6)
            else:
                check(f"{what}: {name}", worst, 1e-10)


# Pair links: every formula of the table as written, without the stable forms.
B = 9
Z = uniform(B, -4, 4)
sigma = torch.sigmoid


def cut_probability(z, step, cuts):
    """sigma(u - z) - sigma(l - z) between the step's cuts."""
    bounds = [torch.tensor(-math.inf), *(-cuts).flip(0), *cuts, torch.tensor(math.inf)]
    k = len(cuts)
    return torch.stack([sigma(bounds[int(s) + k + 1] - x) - sigma(bounds[int(s) + k] - x) for x, s in zip(z, step)])


LINKS = {
    "sigmoid": lambda z, get: -sigma(z).log(),
    "soft": lambda z, get: -get("p") * sigma(z).log() - (1 - get("p")) * sigma(-z).log(),
    "debiased": lambda z, get: (-(1 - get("flip")) * sigma(z).log() + get("flip") * sigma(-z).log()) / (1 - 2 * get("flip")),
    "flip": lambda z, get: -(get("flip") + (1 - 2 * get("flip")) * sigma(z)).log(),
    "margin": lambda z, get: -sigma(z - get("margin")).log(),
    "hinge": lambda z, get: (1 - z).clamp(min=0),
    "rk": lambda z, get: -torch.where(get("tie") > 0, 1 - sigma(z - get("cuts", True)) - sigma(-z - get("cuts", True)), sigma(z - get("cuts", True))).log(),
    "ordinal": lambda z, get: -cut_probability(z, get("step"), get("cuts", True)).log(),
}
LABELS = {
    "p": uniform(B, 0, 1),
    "flip": uniform(B, 0.02, 0.45),
    "margin": uniform(B, 0, 2),
    "tie": [float(i % 3 == 0) for i in range(B)],
    "step": [float(i % 7 - 3) for i in range(B)],
}
CUTS = {"rk": [0.6], "ordinal": [0.4, 1.1, 2.3]}

for name, formula in LINKS.items():
    line = {"loss": "link", "link": name, "z": Z, "weights": uniform(B, -1, 1), **LABELS}
    if name in CUTS:
        line["cuts"] = CUTS[name]
    ask(f"link {name}", line, lambda get, formula=formula: {"values": formula(get("z", True), get)})


# A trainer that computes nothing but the loss.
class Accelerator:
    device = torch.device("cpu")
    num_processes = 1
    gather = gather_for_metrics = staticmethod(lambda x: x)
    reduce = staticmethod(lambda x, reduction=None: x)


def trainer(**fields):
    return SimpleNamespace(
        model=SimpleNamespace(training=True), accelerator=Accelerator(), aux_loss_enabled=False,
        _metrics={"train": defaultdict(list)}, _total_train_tokens=0, _tp_size=1, ld_alpha=None, **fields)


def padded(sums, counts):
    """Per-token log-probabilities [rows, T] whose rows sum to `sums`, and the mask of those that count."""
    width = int(counts.max())
    mask = torch.arange(width) < counts.unsqueeze(1)
    return mask * (sums / counts).unsqueeze(1), mask.long()


def outputs_of(logps):
    zero = torch.zeros_like(logps).detach()
    return lambda **_: SimpleNamespace(log_probs=logps, entropy=zero, mean_logits=zero, is_top1=zero.bool())


def trl_dpo(loss_type, beta, get, smoothing=0.0):
    """DPOTrainer's mean over pairs."""
    sums = torch.cat([get("chosen", True), get("rejected", True)])
    logps, mask = padded(sums, torch.cat([get("n_chosen"), get("n_rejected")]))
    mask = F.pad(mask, (1, 0))  # the prompt's last token
    inputs = {"input_ids": mask, "attention_mask": torch.ones_like(mask), "completion_mask": mask,
              "ref_chosen_logps": get("ref_chosen"), "ref_rejected_logps": get("ref_rejected")}
    me = trainer(precompute_ref_logps=True, f_divergence_type="reverse_kl", loss_types=[loss_type], loss_weights=[1.0],
                 beta=beta, label_smoothing=smoothing, use_weighting=False, args=None)
    return DPOTrainer._compute_loss(me, outputs_of(logps), inputs, False)


# The DPO family. TRL returns the mean over pairs: held against the mean of ours.
TRL_DPO = {"dpo": "sigmoid", "dpo.mean": "sigmoid_norm", "ipo.mean": "ipo", "apo.zero": "apo_zero", "apo.down": "apo_down",
           "sppo.hard": "sppo_hard", "nca": "nca_pair"}


def scores(get, form):
    c, r = get("chosen", True), get("rejected", True)
    if form not in ("simpo", "orpo"):
        c, r = c - get("ref_chosen"), r - get("ref_rejected")
    if form in ("dpo.mean", "ipo.mean", "simpo", "orpo"):
        c, r = c / get("n_chosen"), r / get("n_rejected")
    return c, r


def odds(a):
    return a - (1 - a.exp()).log()


def formula(form, link, o, get):
    c, r = scores(get, form)
    beta = o["beta"]
    scale = o["lambda"] if form == "orpo" else beta
    values = {
        "dpo": lambda: LINKS[link](beta * (c - r), get),
        "dpo.mean": lambda: LINKS[link](beta * (c - r), get),
        "ipo.sum": lambda: (c - r - 1 / (2 * beta)) ** 2,
        "ipo.mean": lambda: (c - r - 1 / (2 * beta)) ** 2,
        "apo.zero": lambda: 1 - sigma(beta * c) + sigma(beta * r),
        "apo.down": lambda: sigma(beta * c) + 1 - sigma(beta * (c - r)),
        "sppo.hard": lambda: (c - 1 / (2 * beta)) ** 2 + (r + 1 / (2 * beta)) ** 2,
        "nca": lambda: -sigma(beta * c).log() - 0.5 * sigma(-beta * c).log() - 0.5 * sigma(-beta * r).log(),
        "simpo": lambda: -sigma(beta * (c - r) - o["gamma"]).log(),
        "orpo": lambda: -c - o["lambda"] * sigma(odds(c) - odds(r)).log(),
    }[form]()
    extra = {"log_odds": odds(c) - odds(r)} if form == "orpo" else {}
    return {"values": values, "reward_chosen": scale * c, "reward_rejected": scale * r} | extra


def pair_line(form, link="sigmoid", **options):
    line = {"loss": "preference", "form": form, "link": link, "weights": uniform(B, -1, 1), **LABELS, **options,
            "chosen": uniform(B, -60, -20), "rejected": uniform(B, -60, -20),
            "n_chosen": [float(rng.randint(5, 40)) for _ in range(B)], "n_rejected": [float(rng.randint(5, 40)) for _ in range(B)]}
    if form not in ("simpo", "orpo"):
        line["ref_chosen"] = [x + rng.uniform(-8, 8) for x in line["chosen"]]
        line["ref_rejected"] = [x + rng.uniform(-8, 8) for x in line["rejected"]]
    return line


OPTIONS = {"beta": 0.3, "gamma": 0.7, "lambda": 0.4}
for form in ["dpo", "dpo.mean", "ipo.sum", "ipo.mean", "apo.zero", "apo.down", "sppo.hard", "nca", "simpo", "orpo"]:
    ask(form, pair_line(form, **OPTIONS), lambda get, form=form: formula(form, "sigmoid", OPTIONS, get))
for link in LINKS:
    line = pair_line("dpo", link, **OPTIONS)
    cuts = {"cuts": CUTS[link]} if link in CUTS else {}

    def held(get, link=link):
        """Cuts of a policy loss are fixed."""
        return formula("dpo", link, OPTIONS, lambda name, leaf=False: get(name, leaf and name != "cuts"))

    ask(f"dpo.{link}", line | cuts, held)


BOTH = ["chosen", "rejected"]
for form, theirs in TRL_DPO.items():
    ask_mean(form, pair_line(form, **OPTIONS), lambda get, t=theirs: trl_dpo(t, 0.3, get), BOTH)
ask_mean("dpo.hinge", pair_line("dpo", "hinge", **OPTIONS), lambda get: trl_dpo("hinge", 0.3, get), BOTH)
robust = pair_line("dpo", "debiased", **OPTIONS) | {"flip": [0.2] * B}
ask_mean("dpo.debiased", robust, lambda get: trl_dpo("robust", 0.3, get, smoothing=0.2), BOTH)


def trl_simpo(get):
    me = SimpleNamespace(alpha=0.0, accelerator=Accelerator(), loss_type="simpo", simpo_gamma=0.7, beta=0.3, label_smoothing=0.0)
    return CPOTrainer.cpo_loss(me, get("chosen", True) / get("n_chosen"), get("rejected", True) / get("n_rejected"))[0].mean()


def trl_orpo(get):
    """odds_ratio_loss converts to float; its log1mexp keeps double. The NLL is ours, of the response alone."""
    c, r = scores(get, "orpo")
    log_odds = (c - r) - (log1mexp(c) - log1mexp(r))
    return (-c - 0.4 * logsigmoid(log_odds)).mean()


ask_mean("simpo", pair_line("simpo", **OPTIONS), trl_simpo, BOTH)
ask_mean("orpo by its log1mexp", pair_line("orpo", **OPTIONS), trl_orpo, BOTH)

# KTO.
ROWS = 10
KTO = {"loss": "kto", "beta": 0.2, "good": 1.0, "bad": 1.3, "h": uniform(ROWS, -15, 15), "weights": uniform(ROWS, -1, 1),
       "desirable": [float(i % 3 != 0) for i in range(ROWS)]}
MISMATCHED = [x + 1.5 for x in uniform(ROWS, -4, 5)]


def kto(get):
    h, good = get("h", True), get("desirable") > 0
    z0 = get("mismatched").mean().clamp(min=0)
    return {"values": torch.where(good, 1.0 * (1 - sigma(0.2 * (h - z0))), 1.3 * (1 - sigma(0.2 * (z0 - h)))), "z0": z0}


def kto_apo(get):
    h, good = get("h", True), get("desirable") > 0
    return {"values": torch.where(good, 1.0 * (1 - sigma(0.2 * h)), 1.3 * sigma(0.2 * h))}


def trl_kto(loss_type, get):
    rows = torch.zeros(ROWS)
    mask = torch.ones(ROWS, 2, dtype=torch.long)
    batch = {"label": get("desirable") > 0, "input_ids": mask, "attention_mask": mask, "completion_mask": mask,
             "ref_logps": rows, "ref_KL_logps": rows}
    me = trainer(_compute_kl_logps=lambda model, batch: get("mismatched") if loss_type == "kto" else rows, calculate_KL=loss_type == "kto", loss_type=loss_type,
                 precompute_ref_logps=True, beta=0.2, desirable_weight=1.0, undesirable_weight=1.3)
    return KTOTrainer._compute_loss(me, outputs_of(get("h", True).unsqueeze(1)), batch, False)


ask("kto", KTO | {"mismatched": MISMATCHED}, kto)
ask("kto below the reference", KTO | {"mismatched": [-x - 9 for x in MISMATCHED]}, kto)
ask("kto.apo_zero", KTO, kto_apo)
ask_mean("kto", KTO | {"mismatched": MISMATCHED}, lambda get: trl_kto("kto", get), ["h"])
ask_mean("kto.apo_zero", KTO, lambda get: trl_kto("apo_zero_unpaired", get), ["h"])

# Policy gradient: four sequences of uneven length, a tool's answer within one.
LENGTHS = [5, 1, 7, 4]
N = sum(LENGTHS)
A = [[1.3], [-0.6], [-1.1], [1.9]]
lp = uniform(N, -4, -0.1)
POLICY = {"loss": "policy", "lengths": LENGTHS, "lp": lp, "old": [x + rng.uniform(-0.6, 0.6) for x in lp],
          "ref": [x + rng.uniform(-1, 1) for x in lp], "mask": [0.0 if i in (7, 8) else 1.0 for i in range(N)],
          "advantages": [a[0] for a, n in zip(A, LENGTHS) for _ in range(n)], "weights": [1.0], "low": 0.2, "high": 0.28,
          "norm_length": 8}


def rectangle(flat):
    return torch.nn.utils.rnn.pad_sequence(list(flat.split(LENGTHS)), batch_first=True)


def policy_formula(o, get):
    lp, old, ref, advantage, mask = (rectangle(get(n, n == "lp")) for n in ("lp", "old", "ref", "advantages", "mask"))
    n = mask.sum(1, keepdim=True)
    delta = lp - old
    summed = (delta * mask).sum(1, keepdim=True)
    rho = {"token": delta, "seq_mean": summed / n, "seq_sum": summed}[o["ratio"]].expand_as(lp).exp()
    if "cispo_max" in o:
        loss = -rho.clamp(o["cispo_min"], o["cispo_max"]).detach() * advantage * lp
    else:
        loss = torch.where(rho * advantage < rho.clamp(1 - o["low"], 1 + o["high"]) * advantage, -rho * advantage,
                           -rho.clamp(1 - o["low"], 1 + o["high"]) * advantage)
        if o.get("dual"):
            loss = torch.where((advantage < 0) & (loss > -o["dual"] * advantage), -o["dual"] * advantage, loss)
    kl = {None: lambda: 0 * lp, "k2": lambda: (lp - ref) ** 2 / 2, "k3": lambda: (ref - lp).exp() - 1 - (ref - lp),
          "k3_grad_k2": lambda: (lp - ref) ** 2 / 2 + ((ref - lp).exp() - 1 - (ref - lp) - (lp - ref) ** 2 / 2).detach()}
    loss = mask * (loss + o.get("kl_coefficient", 0) * kl[o.get("kl")]())
    values = {"token_mean": loss.sum() / mask.sum(), "seq_mean_token_mean": (loss.sum(1, keepdim=True) / n).mean(),
              "seq_mean_token_sum": loss.sum() / len(LENGTHS), "seq_mean_token_sum_norm": loss.sum() / (len(LENGTHS) * o["norm_length"]),
              "seq_mean": loss[:, 0].mean()}[o["aggregation"]]
    flat = torch.cat([row[:n] for row, n in zip(torch.stack([(rho < 1 - o["low"]) & (advantage < 0) & (mask > 0),
                                                             (rho > 1 + o["high"]) & (advantage > 0) & (mask > 0)], -1), LENGTHS)])
    flags = {} if "cispo_max" in o else {"clip_low": flat[:, 0].double(), "clip_high": flat[:, 1].double()}
    return {"values": values.reshape(1)} | flags


def trl_grpo(get, loss_type, level="token", beta=0.0, delta=None, epsilon_low=0.2, epsilon_high=0.28):
    inputs = {"prompt_ids": torch.ones(4, 1, dtype=torch.long), "prompt_mask": torch.ones(4, 1, dtype=torch.long),
              "completion_ids": rectangle(get("mask")).long(), "completion_mask": rectangle(torch.ones(N)).long(),
              "tool_mask": rectangle(get("mask")).long(), "advantages": torch.tensor(A).reshape(-1),
              "old_per_token_logps": rectangle(get("old")), "ref_per_token_logps": rectangle(get("ref")),
              "num_items_in_batch": get("mask").sum()}
    logps = rectangle(get("lp", True))
    me = trainer(_get_per_token_logps_and_entropies=lambda *a, **k: (logps, torch.zeros_like(logps), None), top_entropy_quantile=1.0,
                 off_policy_mask_threshold=None, importance_sampling_level=level, beta=beta, loss_type=loss_type,
                 args=SimpleNamespace(delta=delta, use_bias_correction_kl=False, steps_per_generation=1), epsilon_low=epsilon_low,
                 epsilon_high=epsilon_high, use_vllm=False, _entropy_bonus_enabled=False, current_gradient_accumulation_steps=1,
                 max_completion_length=8)
    return GRPOTrainer._compute_loss(me, None, inputs)


def trl_rloo(get):
    mask = rectangle(get("mask"))
    inputs = {"prompt_ids": torch.ones(4, 1, dtype=torch.long), "prompt_mask": torch.ones(4, 1, dtype=torch.long),
              "completion_ids": mask.long(), "completion_mask": mask.long(), "advantages": torch.tensor(A).reshape(-1),
              "old_logps": (rectangle(get("old")) * mask).sum(1)}
    logps = rectangle(get("lp", True))
    me = trainer(_get_per_token_logps_and_entropies=lambda *a, **k: (logps, torch.zeros_like(logps), None), epsilon_low=0.2,
                 epsilon_high=0.28)
    return RLOOTrainer._compute_loss(me, None, inputs)


def one(what, o, theirs=None):
    line = POLICY | o
    ask(what, line, lambda get: policy_formula(line, get))
    flags = [asked[-1][2].get(side) for side in ("clip_low", "clip_high")]
    assert "cispo_max" in o or any(side.any() and not side.all() for side in flags), f"{what}: nothing is clipped"
    if theirs is not None:
        ask_mean(what, line, theirs, ["lp"])


one("grpo_token", {"ratio": "token", "aggregation": "token_mean"}, lambda get: trl_grpo(get, "dapo"))
one("grpo_seq", {"ratio": "token", "aggregation": "seq_mean_token_mean", "kl": "k3", "kl_coefficient": 0.04},
    lambda get: trl_grpo(get, "grpo", beta=0.04))
one("dr_grpo", {"ratio": "token", "aggregation": "seq_mean_token_sum_norm"}, lambda get: trl_grpo(get, "dr_grpo"))
one("gspo", {"ratio": "seq_mean", "aggregation": "seq_mean_token_mean", "low": 0.02, "high": 0.03},
    lambda get: trl_grpo(get, "grpo", level="sequence", epsilon_low=0.02, epsilon_high=0.03))
one("rloo", {"ratio": "seq_sum", "aggregation": "seq_mean"}, trl_rloo)
one("cispo", {"ratio": "token", "aggregation": "token_mean", "cispo_min": 0.0, "cispo_max": 1.1},
    lambda get: trl_grpo(get, "cispo", epsilon_high=1.1))
one("dual clip", {"ratio": "token", "aggregation": "token_mean", "dual": 1.4}, lambda get: trl_grpo(get, "dapo", delta=1.4))
one("token sums, k2", {"ratio": "token", "aggregation": "seq_mean_token_sum", "kl": "k2", "kl_coefficient": 0.1})
one("k3_grad_k2", {"ratio": "token", "aggregation": "token_mean", "kl": "k3_grad_k2", "kl_coefficient": 0.1})

# Advantages: numbers without gradient.
REWARDS = uniform(8, -2, 3)
for holes in ((), (2, 5)):
    rewards = [None if i in holes else x for i, x in enumerate(REWARDS)]
    seen = torch.tensor([x for x in rewards if x is not None])
    for mode, advantage in {
        "std": lambda i: (REWARDS[i] - seen.mean()) / (seen.std() + 1e-4),
        "mean": lambda i: REWARDS[i] - seen.mean(),
        "loo": lambda i: REWARDS[i] - (seen.sum() - REWARDS[i]) / (len(seen) - 1),
    }.items():
        want = torch.stack([torch.tensor(0.0) if i in holes else advantage(i) for i in range(8)])
        asked.append((f"group {mode}, {len(holes)} unscored", {"loss": "group", "mode": mode, "rewards": rewards, "type": "f64"}, {"values": want}))

R = 11
GAE = {"loss": "gae", "rewards": uniform(R, -1, 1), "values": uniform(R, -1, 1), "mask": [int(i not in (3, 4, 8)) for i in range(R)],
       "gamma": 0.97, "lambda": 0.9, "type": "f64"}
own = [i for i in range(R) if GAE["mask"][i]]
# The definition as a double sum: A_t = sum over k of (gamma lambda)^k delta_{t+k}, over the policy's own tokens.
deltas = [GAE["rewards"][i] + 0.97 * (GAE["values"][own[k + 1]] if k + 1 < len(own) else 0) - GAE["values"][i] for k, i in enumerate(own)]
advantages, returns = torch.zeros(R), torch.tensor(GAE["values"])
for k, i in enumerate(own):
    advantages[i] = sum((0.97 * 0.9) ** (j - k) * deltas[j] for j in range(k, len(own)))
    returns[i] += advantages[i]
whitened = torch.zeros(R)
whitened[own] = (advantages[own] - advantages[own].mean()) / (advantages[own].var() + 1e-8).sqrt()
asked.append(("gae with a tool's answer", GAE, {"values": advantages, "returns": returns, "whitened": whitened}))


def value(get):
    v, old, g = get("v", True), get("old"), get("returns")
    held = old + (v - old).clamp(-0.2, 0.2)
    squares = torch.stack([(v - g) ** 2, (held - g) ** 2])
    return {"values": 0.5 * get("mask") * squares.max(0).values}


ask("value", {"loss": "value", "clip": 0.2, "v": uniform(12, -1, 1), "old": uniform(12, -1, 1), "returns": uniform(12, -2, 2),
              "mask": [float(i != 4) for i in range(12)], "weights": uniform(12, 0, 1)}, value)
for kl in (5.0, 7.0, 90.0, -3.0):
    want = 0.05 * (1 + max(-0.2, min(0.2, kl / 6 - 1)) * 512 / 10000)
    asked.append((f"adaptive kl at {kl:g}", {"loss": "adaptive_kl", "coefficient": 0.05, "kl": kl, "sequences": 512, "target": 6.0,
                                            "horizon": 10000.0, "type": "f64"}, {"values": torch.tensor([want])}))

compare()
finish()
