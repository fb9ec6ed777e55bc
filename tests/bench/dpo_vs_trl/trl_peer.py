"""TRL's half of the comparison at the best setting we know on a CPU: micro-batch 1, accumulated; reference
log-probabilities precomputed; no gradient checkpointing; f32 products through oneDNN ("medium" keeps f32's
accuracy here and is up to twice as fast). Prints one JSON line.

usage: trl_peer.py full|lora MODEL_DIR ROWS.jsonl BATCH STEPS THREADS OUT"""
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

kind, model_dir, rows, batch, steps, threads, out = sys.argv[1:8]
batch, steps = int(batch), int(steps)
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
if kind == "lora":
    import peft
    adapter = peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
pairs = [{k: row[k] for k in ("prompt", "chosen", "rejected")} for row in map(json.loads, open(rows))][: batch * steps]
trainer = trl.DPOTrainer(
    model=transformers.AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32),
    args=trl.DPOConfig(output_dir=out, per_device_train_batch_size=1, gradient_accumulation_steps=batch, max_steps=steps, learning_rate=1e-6,
                       logging_steps=1, save_strategy="no", report_to=[], use_cpu=True, bf16=False, gradient_checkpointing=False,
                       precompute_ref_log_probs=True, max_length=512),
    train_dataset=datasets.Dataset.from_list(pairs), processing_class=transformers.AutoTokenizer.from_pretrained(model_dir),
    peft_config=adapter, callbacks=[Clock()])
trainer.train()
print(json.dumps(dict(step_s=[b - a for a, b in zip(marks, marks[1:])], first_step_done=marks[1] - BEGUN)), flush=True)
