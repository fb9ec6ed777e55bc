"""Writes tests/golden/rl/formats: what the `gguf`, transformers, safetensors and peft packages read and write.

dequantise.json        blocks of random bytes of each GGUF type with the values that `gguf` gives them
quantise.json          numbers with the blocks that `gguf` makes of them, for the types that are written
smollm2_tensors.txt    name, shape and SHA-256 of each weight of the GGUF base as transformers loads it
tiny/, tiny_sharded/   a random Llama of two layers, grouped heads and untied embeddings, saved by transformers
tiny_tensors.txt       as smollm2_tensors.txt, of both
adapter/               a PEFT adapter of it, saved by peft

Run: .deps/golden/bin/python tests/golden/make_formats_vectors.py
"""
import hashlib
import json
import os
import pathlib
import shutil

os.environ["HF_HUB_OFFLINE"] = "1"

import gguf
import numpy as np
import peft
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/golden/rl/formats"
BASE = ROOT / ".deps/bases/smollm2-135m-instruct.q4_1.gguf"
TOKENIZER = ROOT / "tests/golden/rl/tokenizer/llama3_like.json"

TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]
# Where in a block its f16 factors lie; random bits there would often be infinite.
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def dequantise_vectors(rng):
    vectors = {}
    for name in TYPES:
        kind = gguf.GGMLQuantizationType[name]
        numbers, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = 3 if numbers > 1 else 64
        if numbers == 1:
            values = (rng.standard_normal(blocks) * 10.0 ** rng.integers(-6, 5, blocks)).astype(np.float32)
            raw = gguf.quantize(values, kind).view(np.uint8).reshape(-1)
        else:
            raw = rng.integers(0, 256, (blocks, size), dtype=np.uint8)
            for at in HALVES[name]:
                raw[:, at:at + 2] = (rng.standard_normal(blocks) * 0.01).astype(np.float16).view(np.uint8).reshape(blocks, 2)
            raw = raw.reshape(-1)
        data = raw.view(np.float32) if name == "F32" else raw.view(np.float16) if name == "F16" else raw
        values = gguf.dequantize(data, kind).astype(np.float32).reshape(-1)
        vectors[name] = {"in": raw.tobytes().hex(), "out": values.tobytes().hex()}
    (OUT / "dequantise.json").write_text(json.dumps(vectors, indent=0) + "\n")


def quantise_vectors(rng):
    """Ordinary weights; all zeros; a block with its extreme twice, of both signs; halves that round; denormals."""
    rows = [rng.standard_normal(32) * scale for scale in (0.02, 0.02, 1.0, 300.0, 1e-7, 1e-20)]
    rows += [np.zeros(32), np.full(32, -0.5), np.tile([1.0, -1.0], 16), np.tile([-1.0, 1.0], 16), np.arange(-16, 16) / 2.0, np.arange(32) * 1.0,
             np.concatenate([[127.0], np.arange(31) + 0.5]), np.concatenate([[-8.0], np.arange(31) / 2 - 7.75])]
    values = np.stack(rows).astype(np.float32)
    vectors = {"in": values.tobytes().hex()}
    for name in ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q5_0"]:
        with np.errstate(over="ignore"):
            vectors[name] = gguf.quantize(values, gguf.GGMLQuantizationType[name]).tobytes().hex()
    (OUT / "quantise.json").write_text(json.dumps(vectors, indent=0) + "\n")


def tensor_lines(model):
    lines = []
    for name, tensor in sorted(model.state_dict().items()):
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        values = tensor.detach().to(torch.float32).contiguous().numpy()
        shape = ",".join(str(side) for side in tensor.shape)
        lines.append(f"{name} {shape} {hashlib.sha256(values.tobytes()).hexdigest()}")
    return "\n".join(lines) + "\n"


def smollm2_tensors():
    model = transformers.AutoModelForCausalLM.from_pretrained(str(BASE.parent), gguf_file=BASE.name, dtype=torch.float32)
    (OUT / "smollm2_tensors.txt").write_text(tensor_lines(model))


def tiny():
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=424, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=6,
        max_position_embeddings=128, rms_norm_eps=1e-5, tie_word_embeddings=False, bos_token_id=0, eos_token_id=[1, 3], pad_token_id=1,
        rope_parameters={"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 64})
    model = transformers.LlamaForCausalLM(config).to(torch.bfloat16)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(TOKENIZER), bos_token="<|begin_of_text|>", eos_token="<|eot_id|>")
    tokenizer.chat_template = ("{{- bos_token }}\n{%- for message in messages %}\n"
                               "{{- '<|' + message['role'] + '|>' + message['content'] | trim + '<|eot_id|>' }}\n{%- endfor %}")
    for name, shard in [("tiny", "1GB"), ("tiny_sharded", "40KB")]:
        folder = OUT / name
        shutil.rmtree(folder, ignore_errors=True)
        model.save_pretrained(folder, max_shard_size=shard)
        tokenizer.save_pretrained(folder)
    (OUT / "tiny_tensors.txt").write_text(tensor_lines(model))

    adapter = peft.get_peft_model(model, peft.LoraConfig(r=4, lora_alpha=6, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM", use_rslora=True,
                                                         init_lora_weights=False))
    shutil.rmtree(OUT / "adapter", ignore_errors=True)
    adapter.save_pretrained(OUT / "adapter")
    (OUT / "adapter/README.md").unlink(missing_ok=True)
    config_file = OUT / "adapter/adapter_config.json"
    config_file.write_text(config_file.read_text().rstrip("\n") + "\n")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    dequantise_vectors(np.random.default_rng(1))
    quantise_vectors(np.random.default_rng(2))
    tiny()
    smollm2_tensors()


main()
