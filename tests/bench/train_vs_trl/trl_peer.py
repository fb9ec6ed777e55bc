"""TRL's half of the comparison at the best setting we know on a CPU: micro-batch 1, accumulated (GRPO: a group);
reference log-probabilities precomputed; no gradient checkpointing; f32 products through oneDNN ("medium" keeps
f32's accuracy here and is up to twice as fast); bf16 by autocast over f32 masters. Prints one JSON line.

usage: trl_peer.py KIND MODEL_DIR ROWS.jsonl BATCH STEPS THREADS GROUP NEW_TOKENS OUT"""
import time

BEGUN = time.time()
import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import datasets
import torch
import transformers
import trl

kind, model_dir, rows, batch, steps, threads, group, new_tokens, out = sys.argv[1:10]
name, *rest = kind.split("-")
batch, steps, group, new_tokens = int(batch), int(steps), int(group), int(new_tokens)
torch.set_num_threads(int(threads))
torch.set_float32_matmul_precision("medium")
torch.manual_seed(0)
marks = []


class Clock(transformers.TrainerCallback):
    def on_train_begin(self, *_, **__):
        marks.append(time.time())

    def on_step_end(self, *_, **__):
        marks.append(time.time())


adapter = None
if "lora" in rest:
    import peft
    adapter = peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
pairs = [{k: row[k] for k in ("prompt", "chosen", "rejected")} for row in map(json.loads, open(rows))][: batch * steps]
common = dict(output_dir=out, max_steps=steps, learning_rate=1e-6, logging_steps=1, save_strategy="no", report_to=[], use_cpu=True,
              bf16="bf16" in rest, gradient_checkpointing=False)
accumulated = dict(common, per_device_train_batch_size=1, gradient_accumulation_steps=batch, max_length=512)
tokenizer = transformers.AutoTokenizer.from_pretrained(model_dir)
policy = transformers.AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32) if name != "rm" else None
if name == "dpo":
    trainer = trl.DPOTrainer(model=policy, args=trl.DPOConfig(**accumulated, precompute_ref_log_probs=True), train_dataset=datasets.Dataset.from_list(pairs),
                             processing_class=tokenizer, peft_config=adapter, callbacks=[Clock()])
elif name == "rm":
    model = transformers.AutoModelForSequenceClassification.from_pretrained(model_dir, dtype=torch.float32, num_labels=1)
    trainer = trl.RewardTrainer(model=model, args=trl.RewardConfig(**accumulated), processing_class=tokenizer, callbacks=[Clock()],
                                train_dataset=datasets.Dataset.from_list([{k: p["prompt"] + p[k] for k in ("chosen", "rejected")} for p in pairs]))
else:
    def reward(completions, **_):
        return [float(len(c[0]["content"])) for c in completions]

    config = trl.GRPOConfig(**common, per_device_train_batch_size=max(batch, group), num_generations=group, max_completion_length=new_tokens, temperature=1.0, beta=0.0)
    trainer = trl.GRPOTrainer(model=policy, args=config, reward_funcs=reward, train_dataset=datasets.Dataset.from_list([{"prompt": p["prompt"]} for p in pairs]),
                              processing_class=tokenizer, callbacks=[Clock()])
trainer.train()
logged = trainer.state.log_history
drawn = [entry["completions/mean_length"] * max(batch, group) for entry in logged if "completions/mean_length" in entry] or None
print(json.dumps(dict(step_s=[b - a for a, b in zip(marks, marks[1:])], first_step_done=marks[1] - BEGUN, drawn=drawn,
                      losses=[entry["loss"] for entry in logged if "loss" in entry])), flush=True)
