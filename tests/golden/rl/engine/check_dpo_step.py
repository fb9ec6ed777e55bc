"""One optimizer step of hone-run train against TRL's DPOTrainer, on the same weights, rows and token ids,
with full weights and with LoRA: loss, gradient, weights after the step. Then what the run published,
loaded by transformers and PEFT, against hone-run score.

usage: check_dpo_step.py HONE_RUN"""
import json
import pathlib
import sys
import tempfile

from common import TINY, check, check_scores, finish, hone_run, torch, transformers
from names import plain, split_names

try:
    import datasets
    import peft
    import trl
    from safetensors.torch import load_file
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

RATE, BETA, RANK, ALPHA = 1e-3, 0.3, 4, 8
tokenizer = transformers.AutoTokenizer.from_pretrained(TINY)
END = tokenizer.eos_token
# Raw text with the end token written out: TRL's own conversational rows end in the template's newline,
# which we cut, and the step is to be taken on equal ids.
ROWS = [dict(prompt=f"Question {i}:", chosen=f" yes{END}" if i % 2 else f" number {i * 37} it is{END}", rejected=f" that may or may not be {i}{END}")
        for i in range(6)]
config = transformers.AutoConfig.from_pretrained(TINY)


class Grads(transformers.TrainerCallback):
    """The gradients as the optimizer sees them, clipped."""
    def on_pre_optimizer_step(self, args, state, control, model=None, **_):
        self.grads = {plain(n): p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


for lora in (False, True):
    kind = "LoRA" if lora else "full"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        spec = dict(method="dpo.sigmoid.sum", base=str(TINY), data="rows.jsonl", seed=3, checkpoint_every_steps=1,
                    adapter=dict(type="lora", rank=RANK, alpha=ALPHA) if lora else "none",
                    hyperparameters=dict(learning_rate=RATE, batch_size=len(ROWS), max_steps=1, schedule="constant", warmup_ratio=0, beta=BETA, max_grad_norm=0.05))
        (folder / "spec.json").write_text(json.dumps(spec))
        hone_run("train", folder / "spec.json")
        ours = load_file(folder / "out/checkpoints/step-000001/model.safetensors")
        metrics = json.loads((folder / "out/metrics.jsonl").read_text().splitlines()[0])
        moments = split_names({n[2:]: v for n, v in ours.items() if n.startswith("m.")}, config, RANK)
        weights = split_names({n: v for n, v in ours.items() if not n.startswith(("m.", "v.", "reference."))}, config, RANK)

        model = transformers.LlamaForCausalLM.from_pretrained(TINY, dtype=torch.float32)
        if lora:
            model = peft.get_peft_model(model, peft.LoraConfig(r=RANK, lora_alpha=ALPHA, task_type="CAUSAL_LM", target_modules=[
                "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]))
            with torch.no_grad():  # B is zero, so A has no gradient in the first step: ours is as it was drawn
                for n, p in model.named_parameters():
                    if "lora_A" in n:
                        p.copy_(weights[plain(n)])
        seen = Grads()
        arguments = trl.DPOConfig(
            output_dir=str(folder / "trl"), per_device_train_batch_size=2, gradient_accumulation_steps=3, max_steps=1, learning_rate=RATE,
            lr_scheduler_type="constant", beta=BETA, max_grad_norm=0.05, logging_steps=1, save_strategy="no", report_to=[], use_cpu=True,
            bf16=False, gradient_checkpointing=False, max_length=512, precompute_ref_log_probs=True, disable_dropout=True)
        trainer = trl.DPOTrainer(model=model, args=arguments, train_dataset=datasets.Dataset.from_list(ROWS), processing_class=tokenizer, callbacks=[seen])
        trainer.train()
        log = next(line for line in trainer.state.log_history if "grad_norm" in line)
        check(f"{kind}: loss", abs(log["loss"] - metrics["loss"]), 1e-5)
        check(f"{kind}: gradient norm, relative", abs(log["grad_norm"] / metrics["opt/grad_norm"] - 1), 1e-3)

        worst = 0.0
        for n, theirs in seen.grads.items():
            mine = moments[n] / 0.1  # m after one step is (1 - beta1) times the gradient
            scale = theirs.norm().item()
            if scale > 0:
                worst = max(worst, (mine - theirs).norm().item() / scale)
        check(f"{kind}: gradients of {len(seen.grads)} tensors, relative", worst, 1e-3)
        assert set(seen.grads) == set(moments), set(seen.grads) ^ set(moments)
        worst = 0.0
        for n, p in model.named_parameters():
            if plain(n) in weights and plain(n) in seen.grads:
                # Adam's first step is the gradient's sign: compared where the sign is not rounding's.
                g = seen.grads[plain(n)]
                clear = g.abs() > 1e-3 * g.abs().max()
                if clear.any():
                    worst = max(worst, (weights[plain(n)] - p.detach())[clear].abs().max().item())
        check(f"{kind}: weights after the step, in learning rates", worst / RATE, 1e-2)

        # What was published, loaded by others, scores as hone-run scores base + adapter and the folder itself.
        lines = [dict(prompt=row["prompt"], response=row["chosen"]) for row in ROWS]
        published = transformers.AutoModelForCausalLM.from_pretrained(folder / "out/hf", dtype=torch.float32)
        check_scores(f"{kind}: out/hf in transformers", published.double(), hone_run("score", folder / "out/hf", lines=lines), 1e-4)
        if lora:
            adapted = peft.PeftModel.from_pretrained(transformers.LlamaForCausalLM.from_pretrained(TINY, dtype=torch.float32), folder / "out/adapter")
            scored = hone_run("score", TINY, "--adapter", folder / "out/adapter", lines=lines)
            check_scores("LoRA: out/adapter in PEFT", adapted.double(), scored, 1e-4)
            check_scores("LoRA: base and adapter against the merged model", published, scored, 1e-4)
finish()
