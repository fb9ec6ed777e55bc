"""What the checks of this folder share: a base with a pad token of its own, a run of hone-run with its metrics and
weights, the arguments that make a trainer of TRL take the same steps, and the comparison of the two.

Both sides begin at the same weights and see the same ids: the rows of every step are those that Hone's seed gives
(philox.py), handed to TRL in that order. Hone cuts a step into passes by tokens, TRL by rows; neither may matter."""
import json
import pathlib
import shutil
import sys
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "engine"))
from common import TINY, check, finish, hone_run, torch, transformers  # noqa: E402, F401
from names import plain, split_names  # noqa: E402
from philox import rows_of_steps  # noqa: E402

try:
    import accelerate  # noqa: F401
    import datasets
    import peft
    import trl
    from safetensors.torch import load_file
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)
transformers.utils.logging.disable_progress_bar()
datasets.disable_progress_bars()
warnings.simplefilter("ignore", FutureWarning)
torch.set_num_threads(1)

STEPS, SEED, RANK, ALPHA = 5, 11, 4, 8
# Adam divides by the gradient's own size: where that is rounding's, so is the step. This keeps such weights still.
EPS = 1e-6
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PAD = "<|pad|>"


def make_base(folder, liveliness=8.0, ends=0.0):
    """The tiny model with a special token to pad with. Its products are scaled up so that log-probabilities are far
    from uniform and steps move them; `ends` is added to the logit of the end token, roughly."""
    folder.mkdir()
    for file in TINY.iterdir():
        if file.name != "model.safetensors":
            shutil.copy(file, folder / file.name)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    pad_id = 1 + max(t["id"] for t in tokenizer["added_tokens"] + [{"id": i} for i in tokenizer["model"]["vocab"].values()])
    tokenizer["added_tokens"].append({"id": pad_id, "content": PAD, "single_word": False, "lstrip": False, "rstrip": False,
                                      "normalized": False, "special": True})
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    for name, key, value in (("tokenizer_config.json", "pad_token", PAD), ("config.json", "pad_token_id", pad_id),
                             ("generation_config.json", "pad_token_id", pad_id), ("config.json", "dtype", "float32")):
        settings = json.loads((folder / name).read_text())
        settings[key] = value
        (folder / name).write_text(json.dumps(settings))
    model = transformers.LlamaForCausalLM.from_pretrained(TINY, dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(liveliness)
        if ends:
            # Along the mean of the hidden states, so that every state adds about as much.
            ids = torch.randint(4, pad_id, (64, 24), generator=torch.Generator().manual_seed(5))
            mean = model.model(ids).last_hidden_state.flatten(0, 1).mean(0)
            model.lm_head.weight[model.config.eos_token_id[0]] += ends * mean / mean.square().sum()
    model.save_pretrained(folder / "weights")
    shutil.move(folder / "weights/model.safetensors", folder / "model.safetensors")
    shutil.rmtree(folder / "weights")
    return folder


def tokenizer_of(base):
    return transformers.AutoTokenizer.from_pretrained(base)


def causal_model(base):
    return transformers.LlamaForCausalLM.from_pretrained(base, dtype=torch.float32)


class Run:
    """A run of hone-run: its metric lines, its weights by Hugging Face's names, all tensors of its last checkpoint."""

    def __init__(self, folder, method, base, rows, hyperparameters, lora=False, seed=SEED, steps=STEPS, **spec):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        settings = dict(max_steps=steps, schedule="cosine", warmup_ratio=0, micro_batch_tokens=64, adam_eps=EPS) | hyperparameters
        (folder / "spec.json").write_text(json.dumps(dict(
            method=method, base=str(base), data="rows.jsonl", seed=seed, checkpoint_every_steps=1, checkpoint_every_s=0, guards="warn",
            adapter=dict(type="lora", rank=RANK, alpha=ALPHA) if lora else "none", hyperparameters=settings) | spec))
        hone_run("train", folder / "spec.json")
        self.out = folder / "out"
        self.metrics = [json.loads(line) for line in (self.out / "metrics.jsonl").read_text().splitlines()]
        self.config = transformers.AutoConfig.from_pretrained(base)
        self.tensors = self.checkpoint(steps)
        self.weights = self.weights_in(self.tensors)

    def checkpoint(self, step):
        return load_file(self.out / f"checkpoints/step-{step:06d}/model.safetensors")

    def weights_in(self, tensors, prefix=""):
        """Trained weights: those that have a first moment. A value network's stand under "value."."""
        names = [n[2:] for n in tensors if n.startswith("m." + prefix) and n.startswith("m.value.") == bool(prefix)]
        return split_names({n[len(prefix):]: tensors[n] for n in names}, self.config, RANK)

    def column(self, name):
        return [line[name] for line in self.metrics]


def drawn_adapters(folder, *arguments, **named):
    """The factors A of a fresh adapter as Hone draws them: B is 0, so a step leaves them as they are."""
    return {n: v for n, v in Run(folder, *arguments, lora=True, steps=1, **named).weights.items() if "lora_A" in n}


def adapt(model, drawn, task="CAUSAL_LM", **more):
    model = peft.get_peft_model(model, peft.LoraConfig(r=RANK, lora_alpha=ALPHA, task_type=task, target_modules=TARGETS, **more))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_A" in name:
                parameter.copy_(drawn[plain(name)])
    return model


def arguments(config, folder, batch, rate, accumulate=1, **more):
    return config(**dict(
        output_dir=str(folder / "trl"), per_device_train_batch_size=batch // accumulate, gradient_accumulation_steps=accumulate, max_steps=STEPS,
        learning_rate=rate, lr_scheduler_type="cosine", warmup_steps=0, adam_epsilon=EPS, logging_steps=1, save_strategy="no", report_to=[], use_cpu=True, bf16=False,
        gradient_checkpointing=False, train_sampling_strategy="sequential", disable_tqdm=True, dataloader_pin_memory=False) | more)


def in_order(rows, batch, steps=STEPS, seed=SEED):
    """All steps' rows one after another, as a data set."""
    return datasets.Dataset.from_list([rows[i] for step in rows_of_steps(seed, len(rows), batch, steps) for i in step])


def trainables(model):
    return {plain(n): p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}


def log_of(trainer):
    trainer.remove_callback(transformers.trainer_callback.PrinterCallback)
    trainer.train()
    return [line for line in trainer.state.log_history if "grad_norm" in line]


def compare(what, run, losses, norms, model, start, loss_bound=1e-5):
    """Losses absolute, or relative where they are large; the weights against the way they went."""
    ours = run.column("loss")
    assert len(ours) == len(losses) == STEPS, (ours, losses)
    check(f"{what}: losses of {STEPS} steps", max(abs(a - b) / max(1, abs(b)) for a, b in zip(ours, losses)), loss_bound)
    check(f"{what}: gradient norms, relative", max(abs(a - b) / max(b, 1e-3) for a, b in zip(run.column("opt/grad_norm"), norms)), 1e-3)
    compare_weights(what, run.weights, trainables(model), start, 2e-4)


def compare_weights(what, ours, theirs, start, bound):
    assert set(ours) == set(theirs), sorted(set(ours) ^ set(theirs))
    off = sum((ours[n] - theirs[n]).square().sum().item() for n in theirs)**0.5
    way = sum((theirs[n] - start[n]).square().sum().item() for n in theirs)**0.5
    assert way > 0, "nothing was trained"
    check(f"{what}: weights after the last step, of the way they went ({way:.2g})", off / way, bound)

