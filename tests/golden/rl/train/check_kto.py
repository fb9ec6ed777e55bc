"""Five steps of `kto` and `kto.apo_zero` against TRL's KTOTrainer.

Definitions that differ:
- z0. Hone takes the mean over the whole step, whatever the passes, of each prompt with the answer of the next row that
  has another prompt. TRL shifts the answers of a micro-batch by one, each prompt getting the row's before, repeated
  prompts or not, so z0 depends on the micro-batch. The two are the same where the micro-batch is the step, no prompt
  is repeated in it, and TRL gets its rows backwards: so they are handed over here.
  Where prompts are repeated, Hone's rule is written out in plain torch below.
- A micro-batch's loss is TRL's mean over its rows; Hone's is over the step's, each row by its weight (1 here).

usage: check_kto.py HONE_RUN"""
import pathlib
import tempfile

from steps import (EPS, SEED, STEPS, Run, adapt, arguments, causal_model, check, compare, datasets, drawn_adapters, finish, log_of, make_base,
                   rows_of_steps, tokenizer_of, torch, trainables, trl)

BATCH, RATE, END = 4, 3e-3, "<|eot_id|>"
ANSWERS = ["yes", "no, number one hundred", "that may or may not be so", "it is"]
ROWS = [dict(prompt=f"Question {i}:", completion=f" {ANSWERS[i % 4]} {i * 37}{END}", label=i % 3 != 1) for i in range(12)]
KINDS = [("kto", "kto", dict(beta=0.3)), ("kto", "kto", dict(beta=0.3, lambda_desirable=1.3, lambda_undesirable=0.7)),
         ("kto", "kto", dict(beta=0.3), True), ("kto.apo_zero", "apo_zero_unpaired", dict(beta=0.3))]
REPEATED = [row | dict(prompt=f"Question {i // 2 % 3}:") for i, row in enumerate(ROWS)]


def check_repeated(folder, base, beta=0.3, desirable=1.3, undesirable=0.7):
    run = Run(folder / "run", "kto", base, REPEATED,
              dict(learning_rate=RATE, batch_size=6, schedule="constant", beta=beta, lambda_desirable=desirable, lambda_undesirable=undesirable))
    tokenizer, model, reference = tokenizer_of(base), causal_model(base), causal_model(base)
    start = trainables(model)
    prompts = [tokenizer(row["prompt"])["input_ids"] for row in REPEATED]
    answers = [tokenizer(row["completion"], add_special_tokens=False)["input_ids"] for row in REPEATED]

    def h(prompt, answer):
        ids = torch.tensor([prompts[prompt] + answers[answer]])
        rows = [m(ids).logits[0, len(prompts[prompt]) - 1:-1].log_softmax(-1) for m in (model, reference)]
        own, ref = (r.gather(1, torch.tensor(answers[answer])[:, None]).sum() for r in rows)
        return own - ref.detach()

    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, eps=EPS, weight_decay=0)
    losses, norms, z0s, paired = [], [], [], 0
    for step in rows_of_steps(SEED, len(REPEATED), 6, STEPS):
        partners = []
        for place, row in enumerate(step):
            others = (step[place:] + step[:place])[1:]
            partner = next((other for other in others if prompts[other] != prompts[row]), None)
            if partner is not None:
                partners.append((row, partner))
                paired += partner != others[0]
        with torch.no_grad():
            z0s.append(max(0.0, torch.stack([h(*pair) for pair in partners]).mean().item()))
        loss = torch.stack([desirable * (1 - torch.sigmoid(beta * (h(row, row) - z0s[-1]))) if REPEATED[row]["label"] else
                            undesirable * (1 - torch.sigmoid(beta * (z0s[-1] - h(row, row)))) for row in step]).mean()
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item())
        optimizer.step()
        losses.append(loss.item())
    assert paired > 0 and max(z0s) > 0.01, (paired, z0s)
    compare("kto, repeated prompts", run, losses, norms, model, start)
    check(f"kto, repeated prompts: z0, at most {max(z0s):.2g}", max(abs(a - b) for a, b in zip(run.column("kto/z0"), z0s)), 1e-4)


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    base = make_base(folder / "base")
    backwards = datasets.Dataset.from_list([ROWS[i] for step in rows_of_steps(SEED, len(ROWS), BATCH, STEPS) for i in reversed(step)])
    check_repeated(folder, base)
    for method, loss_type, settings, *lora in KINDS:
        hyper = dict(learning_rate=RATE, batch_size=BATCH) | settings
        run = Run(folder / "run", method, base, ROWS, hyper, lora=bool(lora))
        model = causal_model(base)
        if lora:
            model = adapt(model, drawn_adapters(folder / "drawn", method, base, ROWS, hyper))
        start = trainables(model)
        weights = {f"{ours}_weight": settings[f"lambda_{ours}"] for ours in ("desirable", "undesirable") if f"lambda_{ours}" in settings}
        log = log_of(trl.KTOTrainer(
            model=model, train_dataset=backwards, processing_class=tokenizer_of(base),
            args=arguments(trl.KTOConfig, folder, BATCH, RATE, max_length=128, disable_dropout=True, loss_type=loss_type, beta=settings["beta"],
                           precompute_ref_log_probs=True, **weights)))
        what = method + "".join(f", {k} {v}" for k, v in settings.items() if k != "beta") + (", LoRA" if lora else "")
        compare(what, run, [line["loss"] for line in log], [line["grad_norm"] for line in log], model, start)
        if method == "kto":
            z0 = run.column("kto/z0")
            assert max(z0) > 0.01, z0
            check(f"{what}: z0, at most {max(z0):.2g}", max(abs(a - line["kl"]) for a, line in zip(z0, log)), 1e-4)
        for side in ("chosen", "rejected"):
            pairs = [(line[f"pref/reward/{side}"], theirs[f"rewards/{side}"]) for line, theirs in zip(run.metrics, log) if f"pref/reward/{side}" in line]
            check(f"{what}: rewards of {side} answers", max(abs(a - b) for a, b in pairs), 1e-4)
finish()
