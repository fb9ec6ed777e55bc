"""Five steps of the methods that learn from pairs against TRL's DPOTrainer, CPOTrainer and ORPOTrainer, with full
weights and with LoRA.

Definitions that differ:
- TRL's `ipo` and `sigmoid_norm` are Hone's ipo.mean and dpo.sigmoid.mean; `robust` is dpo.debiased.sum, whose
  gradient Hone stops where |z| > 10, which no row here reaches.
- nll_coefficient is TRL's loss `sft`: the mean over chosen tokens. TRL takes it over a micro-batch and then the mean of
  those, Hone over the step: one micro-batch is the step here.
- simpo: TRL's CPOTrainer adds an NLL unless cpo_alpha is 0, and takes gamma, as Hone does, after beta.
- orpo: TRL's NLL is over prompt and response, a mean over a micro-batch's tokens; Hone's is over the response, a mean
  over pairs of means over tokens. The oracle's NLL is replaced by that one; the rest is TRL's.

usage: check_preference_steps.py HONE_RUN"""
import os
import pathlib
import tempfile

from steps import (Run, adapt, arguments, causal_model, check, compare, drawn_adapters, finish, in_order, log_of, make_base, tokenizer_of, trainables, trl)

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
try:
    from trl.experimental.cpo import CPOConfig, CPOTrainer
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer
except ImportError:
    from trl import CPOConfig, CPOTrainer, ORPOConfig, ORPOTrainer

BATCH, RATE, END = 3, 3e-3, "<|eot_id|>"
ROWS = [dict(prompt=f"Question {i}:", chosen=f" yes{END}" if i % 2 else f" number {i * 37} it is{END}", rejected=f" that may or may not be {i}{END}")
        for i in range(9)]


class ResponseOrpo(ORPOTrainer):
    def concatenated_forward(self, model, batch):
        chosen, *rest = super().concatenated_forward(model, batch)
        return (chosen, *rest[:3], -chosen.mean())


DPO, CPO, ORPO = (trl.DPOTrainer, trl.DPOConfig), (CPOTrainer, CPOConfig), (ResponseOrpo, ORPOConfig)
KINDS = [("dpo.sigmoid.sum", dict(beta=0.3), DPO, dict(loss_type="sigmoid", beta=0.3)),
         ("dpo.sigmoid.mean", dict(beta=2), DPO, dict(loss_type="sigmoid_norm", beta=2.0)),
         ("dpo.hinge.sum", dict(beta=0.02), DPO, dict(loss_type="hinge", beta=0.02)),
         ("dpo.debiased.sum", dict(beta=0.05, flip_rate=0.2), DPO, dict(loss_type="robust", beta=0.05, label_smoothing=0.2)),
         ("ipo.mean", dict(beta=0.2), DPO, dict(loss_type="ipo", beta=0.2)),
         ("apo.zero", dict(beta=0.3), DPO, dict(loss_type="apo_zero", beta=0.3)),
         ("apo.down", dict(beta=0.3), DPO, dict(loss_type="apo_down", beta=0.3)),
         ("sppo.hard", dict(beta=0.3), DPO, dict(loss_type="sppo_hard", beta=0.3)),
         ("nca", dict(beta=0.3), DPO, dict(loss_type="nca_pair", beta=0.3)),
         ("dpo.sigmoid.sum", dict(beta=0.3, nll_coefficient=0.5), DPO, dict(loss_type=["sigmoid", "sft"], loss_weights=[1.0, 0.5], beta=0.3)),
         ("simpo", dict(beta=2.5, gamma=0.7), CPO, dict(loss_type="simpo", beta=2.5, simpo_gamma=0.7, cpo_alpha=0.0)),
         ("simpo", dict(beta=2.5, gamma=0.7, nll_coefficient=0.5), CPO, dict(loss_type="simpo", beta=2.5, simpo_gamma=0.7, cpo_alpha=0.5)),
         ("orpo", {"lambda": 0.4}, ORPO, dict(beta=0.4)),
         ("dpo.sigmoid.sum", dict(beta=0.3), DPO, dict(loss_type="sigmoid", beta=0.3), True)]

with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    base = make_base(folder / "base")
    for method, settings, (trainer, config), theirs, *lora in KINDS:
        hyper = dict(learning_rate=RATE, batch_size=BATCH) | settings
        run = Run(folder / "run", method, base, ROWS, hyper, lora=bool(lora))
        model = causal_model(base)
        if lora:
            model = adapt(model, drawn_adapters(folder / "drawn", method, base, ROWS, hyper))
        start = trainables(model)
        if config is trl.DPOConfig:
            theirs = theirs | dict(precompute_ref_log_probs=True)
        log = log_of(trainer(model=model, args=arguments(config, folder, BATCH, RATE, max_length=128, disable_dropout=True, **theirs),
                             train_dataset=in_order(ROWS, BATCH), processing_class=tokenizer_of(base)))
        what = method + "".join(f", {k} {v}" for k, v in settings.items() if k == "nll_coefficient") + (", LoRA" if lora else "")
        # Squares of differences of sums of some hundred nats, each of which has 1e-5 of rounding.
        compare(what, run, [line["loss"] for line in log], [line["grad_norm"] for line in log], model, start, 5e-5 if method == "sppo.hard" else 1e-5)
        if "rewards/margins" in log[0]:
            ours, margins = run.column("pref/margin"), [line["rewards/margins"] for line in log]
            if method not in ("ipo.mean", "dpo.sigmoid.mean"):  # their rewards are of means here, of sums there
                check(f"{what}: mean margins", max(abs(a - b) for a, b in zip(ours, margins)), 1e-3)
finish()
