"""check_export.py EXPORT_BASE BASE VECTORS: exports BASE with the program EXPORT_BASE and opens the folders in
transformers and peft, unmodified: no missing or unexpected key, the weights that `gguf` reads, the ids of the
oracle on every string, the same chat template, an adapter that computes. Exits 77 (skipped) without the base
or the packages.
"""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"

exporter, base, vectors = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
if not base.exists():
    print(f"skipped: the base model {base} is not there; scripts/setup fetches it")
    sys.exit(77)
try:
    import peft
    import torch
    import transformers
except ImportError as missing:
    print(f"skipped: {missing}; scripts/setup --golden installs the packages")
    sys.exit(77)


def check_weights(folder, dtype):
    model, info = transformers.AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    for problem in ["missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"]:
        assert not info.get(problem), (problem, info[problem])
    assert model.dtype == dtype, model.dtype
    assert model.lm_head.weight is model.model.embed_tokens.weight
    if dtype != torch.float32:
        return model
    state = model.state_dict()
    for line in (vectors / "formats/smollm2_tensors.txt").read_text().splitlines():
        name, shape, digest = line.split(" ")
        values = state[name]
        assert ",".join(map(str, values.shape)) == shape, name
        assert hashlib.sha256(values.contiguous().numpy().tobytes()).hexdigest() == digest, name
    return model


def check_config(folder):
    config = json.loads((folder / "config.json").read_text())
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 100000
    assert config["dtype"] == config["torch_dtype"]
    generation = transformers.GenerationConfig.from_pretrained(folder)
    assert (generation.bos_token_id, generation.eos_token_id, generation.pad_token_id) == (1, 2, 2)


def check_tokenizer(folder, template):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rows = [json.loads(line) for line in (vectors / "tokenizer/smollm2.jsonl").open()]
    for row in rows:
        assert tokenizer(row["text"])["input_ids"] == row["ids"], row["text"]
        assert tokenizer.decode(row["ids"]) == row.get("decoded", row["text"]), row["text"]
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id) == (1, 2, 2, 0)
    assert len(tokenizer) == 49152
    assert tokenizer.chat_template == template
    assert (folder / "chat_template.jinja").read_text() == template
    print(f"{folder.name}: {len(rows)} strings")


def check_card(folder, library):
    text = (folder / "README.md").read_text()
    import yaml
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["library_name"] == library and front["license"] == "apache-2.0" and "hone" in front["tags"], front


def check_adapter(folder, model):
    adapted = peft.PeftModel.from_pretrained(model, folder)
    config = adapted.peft_config["default"]
    assert config.r == 4 and config.lora_alpha == 8 and config.target_modules == {"q_proj", "down_proj"}
    ids = torch.tensor([[1, 9690, 198, 2683]])
    with torch.no_grad():
        with adapted.disable_adapter():
            bare = adapted(ids).logits
        moved = adapted(ids).logits
    assert (bare - moved).abs().max() > 1e-4, "the adapter changes nothing"
    state = adapted.state_dict()
    name = "base_model.model.model.layers.3.mlp.down_proj.lora_B.default.weight"
    wanted = ((torch.arange(576 * 4) % 101 - 50).float() / 4096).view(576, 4)
    assert torch.equal(state[name], wanted), name


with tempfile.TemporaryDirectory() as folder:
    out = pathlib.Path(folder)
    subprocess.run([exporter, str(base), str(out)], check=True)
    import gguf
    template = gguf.GGUFReader(base).fields["tokenizer.chat_template"].contents()
    for name, dtype in [("bf16", torch.bfloat16), ("f32", torch.float32)]:
        model = check_weights(out / name, dtype)
        check_config(out / name)
        check_tokenizer(out / name, template)
        check_card(out / name, "transformers")
        assert not list((out / name).glob("*.part"))
    check_adapter(out / "adapter", model)
    check_card(out / "adapter", "peft")
print("the exported folders load unmodified")
