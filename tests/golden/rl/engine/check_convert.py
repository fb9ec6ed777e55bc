"""hone-run convert: models of every family as GGUF and back, adapters merged, real tokenizers through GGUF's
keys; read by the gguf package, transformers and PEFT, and by hone-run itself.

usage: check_convert.py HONE_RUN"""
import json
import pathlib
import random
import sys
import tempfile

from common import ROOT, check, check_scores, finish, hone_run, logits_of, refused, torch, transformers
from shapes import SHAPES, make

import gguf
import peft

sys.path.insert(0, str(ROOT / "tests/golden"))
from texts import strings

TEXTS = [("The wolf", " ran over the hill and did not look back."), ("def f(n):\n", "    return n * f(n - 1)\n" * 6)]
LINES = [dict(prompt=p, response=r) for p, r in TEXTS]
# What GGUF has no words for, and so must be refused.
UNSAID = {"yarn scaling, factor and betas of its own": "truncate", "Qwen2, a window from layer 1 on": "sliding_window",
          "SmolLM3, layers without positions": "no_rope_layers", "Qwen3, biases": "attention_bias"}
# KL of a file of this type to its model, nats a token: twice what this random model shows (a trained one is
# far less sensitive).
KL = {"f32": 1e-9, "f16": 3e-5, "bf16": 2e-3, "q8_0": 2e-2, "q4_0": 1.6, "q4_k": 1.3}


def worst(ours, theirs):
    return max(abs(a - b) for x, y in zip(ours, theirs) for a, b in zip(x["logprobs"], y["logprobs"]))


def families(folder):
    for name, options in SHAPES.items():
        base = folder / "base"
        model = make(base, options)
        out = folder / f"{name}.gguf".replace(" ", "_")
        if name in UNSAID:
            said = refused("convert", base, out, "--to", "gguf")
            check(f"{name}: refused by name", 0 if UNSAID[name] in said and not out.exists() else 1, 0)
            continue
        difference = hone_run("convert", base, out, "--to", "gguf", "--type", "f32")[0]["difference"]
        check(f"{name}: as GGUF, logits", difference["max_abs_logit"], 1e-5)
        check(f"{name}: as GGUF, ids", 0 if difference["same_ids"] else 1, 0)
        scored = hone_run("score", out, lines=LINES)
        check_scores(f"{name}: as GGUF", model.double(), scored, 1e-4)
        fields = gguf.GGUFReader(out)
        wanted = sum(p.numel() for p in model.parameters())
        found = sum(int(t.n_elements) for t in fields.tensors if t.name != "rope_freqs.weight")
        check(f"{name}: numbers that gguf finds", abs(found - wanted), 0)
        back = folder / "back"
        hone_run("convert", out, back, "--to", "hf", "--type", "f32")
        again = transformers.AutoModelForCausalLM.from_pretrained(back, dtype=torch.float32)
        ids = scored[0]["prompt_ids"] + scored[0]["ids"]
        check(f"{name}: back again, in transformers", (logits_of(again, ids) - logits_of(model, ids)).abs().max().item(), 1e-4)
        for made in [back, base]:
            for file in made.iterdir():
                file.unlink()
            made.rmdir()


def types(folder):
    base = folder / "typed"
    model = make(base, dict(num_key_value_heads=2, intermediate_size=512), hidden=256)
    ids = hone_run("score", base, lines=LINES)[0]["ids"]
    for kind, bound in KL.items():
        out = folder / f"{kind}.gguf"
        difference = hone_run("convert", base, out, "--to", "gguf", "--type", kind)[0]["difference"]
        check(f"{kind}: KL", difference["kl"], bound)
        for tensor in gguf.GGUFReader(out).tensors:
            values = torch.from_numpy(gguf.dequantize(tensor.data, tensor.tensor_type).copy())
            if tensor.name == "blk.1.ffn_down.weight":
                weight = model.model.layers[1].mlp.down_proj.weight
                error = ((values.reshape(weight.shape) - weight).norm() / weight.norm()).item()
                check(f"{kind}: error of a matrix that gguf reads", error, {"f32": 0, "f16": 3e-4, "bf16": 3e-3, "q8_0": 7e-3, "q4_0": 0.12, "q4_k": 0.09}[kind])
    for kind, dtype in [("bf16", torch.bfloat16), ("f16", torch.float16)]:
        hone_run("convert", base, folder / kind, "--to", "hf", "--type", kind)
        ours = transformers.AutoModelForCausalLM.from_pretrained(folder / kind, dtype=torch.float32)
        theirs = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=dtype).float()
        check(f"hf {kind}: logits as transformers casts", (logits_of(ours, ids) - logits_of(theirs, ids)).abs().max().item(), 1e-5)
    check("a place that is taken is refused", 0 if "is there already" in refused("convert", base, folder / "f16.gguf", "--to", "gguf") else 1, 0)


def adapters(folder):
    base, adapter = folder / "plain", folder / "adapter"
    model = make(base, dict(family="Qwen2", num_key_value_heads=2))
    made = peft.get_peft_model(model, peft.LoraConfig(r=4, lora_alpha=6, target_modules=["q_proj", "v_proj", "gate_proj", "down_proj"],
                                                      task_type="CAUSAL_LM", use_rslora=True, init_lora_weights=False))
    made.save_pretrained(adapter)
    ids = hone_run("score", base, lines=LINES)[1]["ids"]
    theirs = logits_of(made, ids)
    difference = hone_run("convert", base, folder / "merged", "--to", "hf", "--adapter", adapter)[0]["difference"]
    check("merged: logits beside base and adapter", difference["max_abs_logit"], 1e-4)
    record = json.loads((folder / "merged/convert.json").read_text())
    check("merged: the difference is on record", abs(record["difference"]["kl"] - difference["kl"]), 0)
    merged = transformers.AutoModelForCausalLM.from_pretrained(folder / "merged", dtype=torch.float32)
    check("merged: logits beside PEFT", (logits_of(merged, ids) - theirs).abs().max().item(), 1e-4)
    hone_run("convert", base, folder / "merged.gguf", "--to", "gguf", "--type", "f32", "--adapter", adapter)
    scored = hone_run("score", folder / "merged.gguf", lines=LINES)
    check("merged GGUF: beside base and adapter", worst(scored, hone_run("score", base, "--adapter", adapter, lines=LINES)), 1e-4)


def rewards(folder):
    base, out = folder / "reward", folder / "out"
    model = make(base, dict(family="Mistral", num_key_value_heads=2, reward=True))
    scored = hone_run("score", base, lines=LINES)
    theirs = lambda m, row: m(torch.tensor([row["prompt_ids"] + row["ids"]])).logits.item()
    with torch.no_grad():
        check("reward model: scores beside transformers", max(abs(row["score"] - theirs(model, row)) for row in scored), 1e-4)
        hone_run("convert", base, out, "--to", "hf")
        again = transformers.AutoModelForSequenceClassification.from_pretrained(out, dtype=torch.float32)
        check("reward model: written here, labels in transformers", abs(again.config.num_labels - 1), 0)
        check("reward model: written here, scores in transformers", max(abs(row["score"] - theirs(again, row)) for row in scored), 1e-4)
    for command in [("sample", base), ("convert", base, folder / "x.gguf", "--to", "gguf")]:
        check(f"{command[0]} of a reward model is refused", 0 if "reward model" in refused(*command) else 1, 0)


def tokenizers(folder):
    """Ids of a real tokenizer after its way through GGUF's keys."""
    sources = ROOT / ".deps/tokenizers"
    if not (sources / ".complete").exists():
        print("     real tokenizers are not there: scripts/setup --tests brings them")
        return
    for name, family, vocabulary, model, pre in [
            ("llama2", "Llama", 32000, "llama", "default"), ("llama3_1", "Llama", 128256, "gpt2", "llama-bpe"), ("mistral_nemo", "Mistral", 131072, "gpt2", "tekken"),
            ("qwen2_5", "Qwen2", 151936, "gpt2", "qwen2"), ("qwen3", "Qwen3", 151936, "gpt2", "qwen2")]:
        base, out = folder / name, folder / f"{name}.gguf"
        make(base, dict(family=family, num_key_value_heads=2, num_hidden_layers=1, vocab_size=vocabulary, tie_word_embeddings=True),
             tokenizer=sources / name, hidden=32)
        hone_run("convert", base, out, "--to", "gguf")
        fields = gguf.GGUFReader(out).fields
        said = [fields[f"tokenizer.ggml.{key}"].contents() for key in ("model", "pre")]
        check(f"{name}: tokenizer model and pre-tokenizer", 0 if said == [model, pre] else 1, 0)
        lines = [dict(text=t) for t in strings(["<s>", "</s>", "<|im_end|>", "<|eot_id|>"], random.Random(4), 2500) if "\0" not in t]
        ours, theirs = hone_run("tokenize", out, lines=lines), hone_run("tokenize", base, lines=lines)
        check(f"{name}: texts with other ids through GGUF, of {len(lines)}", sum(a != b for a, b in zip(ours, theirs)), 0)
        ids = [dict(ids=row["ids"]) for row in theirs]
        ours, theirs = hone_run("tokenize", out, "--decode", lines=ids), hone_run("tokenize", base, "--decode", lines=ids)
        check(f"{name}: other texts of the same ids", sum(a != b for a, b in zip(ours, theirs)), 0)


for part in [families, types, adapters, rewards, tokenizers]:
    with tempfile.TemporaryDirectory() as folder:
        part(pathlib.Path(folder))
finish()
