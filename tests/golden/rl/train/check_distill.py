"""Five steps of `distill.forward`, `distill.reverse` and `distill.jsd` against TRL's GKDTrainer on given texts (lmbda 0),
from a teacher of another width and depth, with full weights and with LoRA.

Definitions: TRL's beta 0 is the forward KL(teacher || student), 1 the reverse, between them Hone's mix. TRL's trainer
does not hand its temperature on to the divergence; the oracle's does. No factor T^2 stands before it on either side.
Both take the mean over all learnt tokens of the step. TRL's collator takes conversations with one answer; another one
here gives it the tokens and labels of raw rows.

usage: check_distill.py HONE_RUN"""
import os
import pathlib
import random
import shutil
import tempfile

from steps import (Run, adapt, arguments, causal_model, compare, datasets, drawn_adapters, finish, in_order, log_of, make_base, tokenizer_of, torch, trainables,
                   transformers, trl)

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
try:
    from trl.experimental.gkd import GKDConfig, GKDTrainer
except ImportError:
    from trl import GKDConfig, GKDTrainer

BATCH, RATE = 3, 3e-3
ANSWERS = ["yes", "no, number one hundred", "that may or may not be so", "it is"]
ROWS = [dict(prompt=f"Question {i}:", completion=f" {ANSWERS[i % 4]} {i * 37}<|eot_id|>") for i in range(9)]
KINDS = [("distill.forward", {}, 0.0, False), ("distill.reverse", {}, 1.0, False), ("distill.jsd", dict(mix=0.3), 0.3, False),
         ("distill.forward", {}, 0.0, True), ("distill.jsd", dict(mix=0.5, temperature=1.7), 0.5, False)]


def make_teacher(folder, base):
    shutil.copytree(base, folder)
    config = transformers.AutoConfig.from_pretrained(base)
    config.num_hidden_layers, config.hidden_size, config.intermediate_size = 3, 32, 48
    torch.manual_seed(3)
    model = transformers.LlamaForCausalLM(config).float()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(8)
    model.save_pretrained(folder)
    return folder


def collate(rows):
    width = max(len(row["input_ids"]) for row in rows)

    def padded(name, value):
        return torch.tensor([row[name] + [value] * (width - len(row[name])) for row in rows])

    return dict(input_ids=padded("input_ids", 0), labels=padded("labels", -100), attention_mask=padded("attention_mask", 0))


def tokenised(row, tokenizer):
    prompt = tokenizer(row["prompt"])["input_ids"]
    answer = tokenizer(row["completion"], add_special_tokens=False)["input_ids"]
    return dict(input_ids=prompt + answer, labels=[-100] * len(prompt) + answer, attention_mask=[1] * len(prompt + answer))


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    base = make_base(folder / "base")
    teacher = make_teacher(folder / "teacher", base)
    for method, settings, beta, lora in KINDS:
        hyper = dict(learning_rate=RATE, batch_size=BATCH) | settings
        run = Run(folder / "run", method, base, ROWS, hyper, lora=lora, teacher=str(teacher))
        model, tokenizer = causal_model(base), tokenizer_of(base)
        if lora:
            model = adapt(model, drawn_adapters(folder / "drawn", method, base, ROWS, hyper, teacher=str(teacher)))
        start = trainables(model)

        class Warm(GKDTrainer):
            @staticmethod
            def generalized_jsd_loss(*given, **named):
                return GKDTrainer.generalized_jsd_loss(*given, **named, temperature=settings.get("temperature", 1.0))

        random.seed(1)  # lmbda 0 asks for a number of at most 0
        data = datasets.Dataset.from_list([tokenised(row, tokenizer) for row in in_order(ROWS, BATCH)])
        log = log_of(Warm(model=model, teacher_model=causal_model(teacher), data_collator=collate, train_dataset=data, processing_class=tokenizer,
                          args=arguments(GKDConfig, folder, BATCH, RATE, accumulate=3, beta=beta, lmbda=0.0, seq_kd=False, max_length=128)))
        what = method + "".join(f", {k} {v}" for k, v in settings.items()) + (", LoRA" if lora else "")
        compare(what, run, [line["loss"] for line in log], [line["grad_norm"] for line in log], model, start)
finish()
