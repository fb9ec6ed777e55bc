"""Random models of a few layers of every family, saved by transformers, under hone-run and under
transformers: grouped and ungrouped heads, tied and untied embeddings, biases, head norms, windows,
layers without positions, every kind of rotary scaling.

usage: check_tiny_models.py HONE_RUN"""
import pathlib
import shutil
import tempfile

from common import TINY, check_greedy, check_scores, finish, hone_run, torch, transformers

SHAPES = {
    "grouped, tied": dict(num_key_value_heads=2, tie_word_embeddings=True),
    "ungrouped, untied": dict(num_key_value_heads=4, tie_word_embeddings=False),
    "one KV head, head_dim of its own": dict(num_key_value_heads=1, head_dim=20, tie_word_embeddings=True),
    "linear scaling": dict(num_key_value_heads=2, rope_scaling=dict(rope_type="linear", factor=4.0)),
    "llama3 scaling": dict(num_key_value_heads=2, rope_scaling=dict(
        rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)),
    "yarn scaling": dict(num_key_value_heads=2, rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=128)),
    "yarn scaling, factor and betas of its own": dict(num_key_value_heads=2, rope_scaling=dict(
        rope_type="yarn", factor=8.0, original_max_position_embeddings=64, attention_factor=1.3, beta_fast=16.0, beta_slow=2.0, truncate=False)),
    "dynamic scaling": dict(num_key_value_heads=2, rope_scaling=dict(rope_type="dynamic", factor=2.0)),
    "biases on every linear layer": dict(num_key_value_heads=2, attention_bias=True, mlp_bias=True),
    "Mistral, a window of 9": dict(family="Mistral", num_key_value_heads=2, sliding_window=9),
    "Mistral, no window": dict(family="Mistral", num_key_value_heads=1, sliding_window=None),
    "Qwen2, biases on q, k, v": dict(family="Qwen2", num_key_value_heads=2, tie_word_embeddings=True),
    "Qwen2, a window from layer 1 on": dict(family="Qwen2", num_key_value_heads=2, use_sliding_window=True, sliding_window=7, max_window_layers=1),
    "Qwen3, head norms, head_dim of its own": dict(family="Qwen3", num_key_value_heads=2, head_dim=24, tie_word_embeddings=True),
    "Qwen3, biases": dict(family="Qwen3", num_key_value_heads=4, head_dim=16, attention_bias=True),
    "SmolLM3, layers without positions": dict(family="SmolLM3", num_key_value_heads=2, no_rope_layer_interval=2, pad_token_id=None, bos_token_id=1, eos_token_id=2),
}
TEXTS = [("The wolf", " ran over the hill and did not look back."), ("x", " y"), ("def f(n):\n", "    return n * f(n - 1)\n" * 6),
         ("One two three four five six seven eight nine ten " * 8, " eleven twelve")]

for name, options in SHAPES.items():
    options = dict(options)
    family = options.pop("family", "Llama")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(TINY, folder, dirs_exist_ok=True)
        vocabulary = transformers.AutoConfig.from_pretrained(TINY).vocab_size
        config = getattr(transformers, family + "Config")(
            vocab_size=vocabulary, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
            max_position_embeddings=512, initializer_range=0.15, **options)
        torch.manual_seed(1)
        model = getattr(transformers, family + "ForCausalLM")(config).eval()
        with torch.no_grad():
            for weight_name, weight in model.named_parameters():
                if weight_name.endswith("norm.weight"):
                    weight.uniform_(0.5, 1.5)
                if weight_name.endswith(".bias"):
                    weight.uniform_(-0.3, 0.3)
        (pathlib.Path(folder) / "model.safetensors").unlink()
        model.save_pretrained(folder)
        model.double()
        scored = hone_run("score", folder, lines=[dict(prompt=p, response=r) for p, r in TEXTS])
        check_scores(name, model, scored, 1e-4)
        prompts = [row["prompt_ids"] for row in scored]
        for prompt, sample in zip(prompts, hone_run("sample", folder, "--greedy", "--max-tokens", 64, lines=[dict(prompt=p) for p, _ in TEXTS])):
            check_greedy(name, model, prompt, sample["ids"], 1e-4)
finish()
