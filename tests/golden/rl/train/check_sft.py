"""Five steps of `sft` against TRL's SFTTrainer: raw prompts and completions, whole texts, and conversations of several
turns, of which the assistant's words alone are learnt; full weights and LoRA.

Definitions: both take the mean of -log pi over all learnt tokens of the step, whatever the passes. Where TRL tokenises
a joined text, Hone tokenises prompt and answer apart; the rows here give the same ids either way. TRL ends raw texts
with the end token, Hone takes them as they are: they are written with it. TRL finds the assistant's words by a template's {% generation %} blocks, which the base's own template lacks: the oracle's copy has
them, and Hone reads the template as it is. Weight decay: Hugging Face's trainer leaves norms out of it, Hone decays
all that trains; the oracle is told to do the same.

usage: check_sft.py HONE_RUN"""
import pathlib
import tempfile

from steps import (Run, adapt, arguments, causal_model, compare, drawn_adapters, finish, in_order, log_of, make_base, tokenizer_of, trainables, trl)

BATCH, RATE = 3, 1e-2
MARKED = """{{- bos_token }}
{%- for message in messages %}
{{- '<|' + message['role'] + '|>' }}
{%- if message['role'] == 'assistant' %}{% generation %}{{ message['content'] | trim + '<|eot_id|>' }}{% endgeneration %}
{%- else %}{{ message['content'] | trim + '<|eot_id|>' }}{% endif %}
{%- endfor %}"""
ANSWERS = ["yes", "no, number one hundred", "that may or may not be so", "it is"]
RAW = [dict(prompt=f"Question {i}:", completion=f" {ANSWERS[i % 4]} {i * 37}<|eot_id|>") for i in range(9)]
TEXTS = [dict(text=f"Question {i}: {ANSWERS[i % 4]}<|eot_id|>") for i in range(9)]
TALKS = [dict(messages=[dict(role="user", content=f"Question {i}"), dict(role="assistant", content=ANSWERS[i % 4])]
              + ([dict(role="user", content="And then?"), dict(role="assistant", content=f"Then {i}")] if i % 2 else [])) for i in range(9)]
HYPER = dict(learning_rate=RATE, batch_size=BATCH)
KINDS = [("raw", RAW, dict(completion_only_loss=True), {}), ("texts", TEXTS, {}, {}), ("conversations", TALKS, dict(assistant_only_loss=True), {}),
         ("raw, LoRA", RAW, dict(completion_only_loss=True), dict(lora=True)),
         # The schedule's other shape, and all that AdamW has to set.
         ("raw, warmed up", RAW, dict(completion_only_loss=True, lr_scheduler_type="linear", warmup_steps=2, weight_decay=0.1, adam_beta1=0.8, adam_beta2=0.95,
                                      adam_epsilon=1e-4, max_grad_norm=0.5),
          dict(hyper=dict(schedule="linear", warmup_ratio=0.4, weight_decay=0.1, adam_beta1=0.8, adam_beta2=0.95, adam_eps=1e-4, max_grad_norm=0.5)))]


class DecayingAll(trl.SFTTrainer):
    def get_decay_parameter_names(self, model):
        return [name for name, _ in model.named_parameters()]


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    base = make_base(folder / "base")
    for what, rows, settings, more in KINDS:
        hyper, lora = HYPER | more.get("hyper", {}), more.get("lora", False)
        run = Run(folder / "run", "sft", base, rows, hyper, lora=lora)
        model, tokenizer = causal_model(base), tokenizer_of(base)
        if lora:
            model = adapt(model, drawn_adapters(folder / "drawn", "sft", base, rows, hyper))
        tokenizer.chat_template = MARKED
        start = trainables(model)
        trainer = DecayingAll(model=model, args=arguments(trl.SFTConfig, folder, BATCH, RATE, accumulate=3, max_length=None, **settings),
                              train_dataset=in_order(rows, BATCH), processing_class=tokenizer)
        log = log_of(trainer)
        compare(f"sft, {what}", run, [line["loss"] for line in log], [line["grad_norm"] for line in log], model, start)
finish()
