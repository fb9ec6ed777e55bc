"""Five steps of `rm.sigmoid` against TRL's RewardTrainer, from a fresh head and from a reward model that is there, with
full weights and with LoRA; then out/reward as transformers reads it: the scores of `hone-run score`, of texts alone and
of padded batches; with LoRA out/adapter as PEFT reads it onto the base, and PEFT's own adapter as `hone-run score` does.

Definitions: the score is read at the last token on both sides, the end token where there is one. TRL finds that token
as the last that is not the pad token, so a base that pads with its end token would be read one token early: the base
here has a pad token of its own, and one without any to spare is published without, for texts one at a time. TRL ends
raw texts with the end token, Hone takes them as they are: they are written with it. The fresh head is Hone's, drawn
again in philox.py; TRL's would be another draw. With LoRA the head trains whole on both sides.

usage: check_reward.py HONE_RUN"""
import json
import pathlib
import re
import tempfile

from philox import fresh_score_head
from steps import (SEED, TINY, Run, adapt, arguments, check, compare, drawn_adapters, finish, hone_run, in_order, log_of, make_base, peft, tokenizer_of, torch,
                   trainables, transformers, trl)

BATCH, RATE, END = 3, 3e-3, "<|eot_id|>"
ROWS = [dict(prompt=f"Question {i}:", chosen=f" yes{END}" if i % 2 else f" number {i * 37} it is{END}", rejected=f" that may or may not be {i}{END}")
        for i in range(9)]
LINES = [dict(prompt=row["prompt"], response=row[side]) for row in ROWS for side in ("chosen", "rejected")] + [dict(prompt="Question", response=" a")]
TALK = [dict(prompt=[dict(role="user", content="Question 4")], response="yes, number 12")]


def reward_model(path):
    return transformers.AutoModelForSequenceClassification.from_pretrained(path, num_labels=1, dtype=torch.float32)


def check_published(what, folder):
    """Returns hone-run's scores."""
    model, tokenizer = reward_model(folder).eval(), tokenizer_of(folder)
    scored = hone_run("score", folder, lines=LINES + TALK)
    texts = [row["prompt_ids"] + row["ids"] for row in scored]
    with torch.no_grad():
        alone = [model(torch.tensor([ids])).logits.item() for ids in texts]
    check(f"{what}: scores of {len(texts)} texts, each alone", max(abs(row["score"] - s) for row, s in zip(scored, alone)), 1e-5)
    joined = tokenizer([line["prompt"] + line["response"] for line in LINES])["input_ids"]
    assert joined == texts[:len(LINES)], "the published tokenizer gives other ids"
    if tokenizer.pad_token is None:
        assert model.config.pad_token_id is None
        return scored
    assert model.config.pad_token_id == tokenizer.pad_token_id and tokenizer.pad_token != END
    for side in ("right", "left"):
        tokenizer.padding_side = side
        batch = tokenizer.pad({"input_ids": texts}, return_tensors="pt")
        with torch.no_grad():
            padded = model(**batch).logits[:, 0].tolist()
        check(f"{what}: the same padded on the {side} to one batch", max(abs(row["score"] - s) for row, s in zip(scored, padded)), 1e-5)
    return scored


def largest(scored, others):
    return max(abs(row["score"] - s) for row, s in zip(scored, others, strict=True))


def check_adapter(what, ours, base, scored):
    """Ours upon `base`, here and under PEFT, loaded with the words of its card."""
    words = re.search(r"num_labels=1, pad_token_id=(\w+)\)", (ours / "README.md").read_text())
    pad = None if words[1] == "None" else int(words[1])
    own = transformers.AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, pad_token_id=pad, dtype=torch.float32)
    loaded = peft.PeftModel.from_pretrained(own, ours).eval()
    with torch.no_grad():
        theirs = [loaded(torch.tensor([row["prompt_ids"] + row["ids"]])).logits.item() for row in scored]
    check(f"{what}: out/adapter under PEFT", largest(scored, theirs), 1e-5)
    check(f"{what}: the base with out/adapter", largest(scored, [row["score"] for row in hone_run("score", base, "--adapter", ours, lines=LINES + TALK)]), 1e-5)


def check_pefts_adapter(what, model, folder, base, scored):
    model.save_pretrained(folder)
    check(f"{what}: the base with the adapter that PEFT wrote", largest(scored, [row["score"] for row in hone_run("score", base, "--adapter", folder, lines=LINES + TALK)]), 1e-3)


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    base = make_base(folder / "base")
    hyper = dict(learning_rate=RATE, batch_size=BATCH)
    kinds = [("fresh head", base, False, {}, {}), ("fresh head, LoRA", base, True, {}, {}),
             ("centred", base, False, dict(center_coefficient=0.1), dict(center_rewards_coefficient=0.1)),
             ("on from a reward model", folder / "made", False, {}, {})]
    for what, start_from, lora, settings, theirs in kinds:
        run = Run(folder / "run", "rm.sigmoid", start_from, ROWS, hyper | settings, lora=lora)
        model = reward_model(start_from)
        if start_from == base:
            with torch.no_grad():
                model.score.weight.copy_(torch.tensor([fresh_score_head(SEED, model.config.hidden_size)]))
        if lora:
            model = adapt(model, drawn_adapters(folder / "drawn", "rm.sigmoid", base, ROWS, hyper), task="SEQ_CLS", modules_to_save=["score"])
        start = trainables(model)
        trainer = trl.RewardTrainer(model=model, train_dataset=in_order(ROWS, BATCH), processing_class=tokenizer_of(start_from),
                                    args=arguments(trl.RewardConfig, folder, BATCH, RATE, accumulate=3, disable_dropout=True, **theirs))
        log = log_of(trainer)
        what = f"rm.sigmoid, {what}"
        compare(what, run, [line["loss"] for line in log], [line["grad_norm"] for line in log], model, start)
        check(f"{what}: mean margins", max(abs(a - line["margin"]) for a, line in zip(run.column("rm/z_mean"), log)), 1e-4)
        scored = check_published(f"{what}: out/reward", run.out / "reward")
        if lora:
            check_adapter(what, run.out / "adapter", base, scored)
            check_pefts_adapter(what, model, folder / "theirs", base, scored)
        # TRL's own model after its steps, on the same ids.
        model.eval()
        with torch.no_grad():
            own = [model(torch.tensor([row["prompt_ids"] + row["ids"]])).logits.item() for row in scored]
        check(f"{what}: scores against the model that TRL trained", max(abs(row["score"] - s) for row, s in zip(scored, own)), 1e-3)
        if what.endswith("fresh head"):
            (run.out / "reward").rename(folder / "made")

    run = Run(folder / "run", "rm.sigmoid", TINY, ROWS, hyper)
    check_published("rm.sigmoid, a base without a token to spare: out/reward", run.out / "reward")
    assert "pad_token_id" not in json.loads((run.out / "reward/config.json").read_text()) or reward_model(run.out / "reward").config.pad_token_id is None
    # A base whose own pad token, where it has one, is no token to spare.
    run = Run(folder / "run", "rm.sigmoid", TINY, ROWS, hyper, lora=True)
    what = "rm.sigmoid, LoRA, a base without a token to spare"
    check_adapter(what, run.out / "adapter", TINY, check_published(f"{what}: out/reward", run.out / "reward"))
finish()
