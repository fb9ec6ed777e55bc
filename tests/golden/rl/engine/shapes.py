"""Random models of two layers of every family."""
import pathlib
import shutil

from common import TINY, torch, transformers

transformers.utils.logging.disable_progress_bar()

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
    "SmolLM3, every fourth layer without positions": dict(family="SmolLM3", num_hidden_layers=4, num_key_value_heads=2, pad_token_id=None, bos_token_id=1, eos_token_id=2),
    "SmolLM3, layers without positions": dict(family="SmolLM3", num_key_value_heads=2, no_rope_layer_interval=2, pad_token_id=None, bos_token_id=1, eos_token_id=2),
}


def make(folder, options, tokenizer=TINY, hidden=64):
    """Saves the model into `folder`, beside the tokenizer of that folder, and returns it, f32; with
    `reward` as a model of one score."""
    options = dict(options)
    family = options.pop("family", "Llama")
    reward = options.pop("reward", False)
    shutil.copytree(tokenizer, folder, dirs_exist_ok=True)
    vocabulary = options.pop("vocab_size", None) or transformers.AutoConfig.from_pretrained(tokenizer).vocab_size
    config = getattr(transformers, family + "Config")(**(dict(
        vocab_size=vocabulary, hidden_size=hidden, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=512, initializer_range=0.15) | options))
    torch.manual_seed(1)
    if reward:  # one label, and a padding token that no text has
        config.num_labels, config.pad_token_id = 1, 2
    model = getattr(transformers, family + ("ForSequenceClassification" if reward else "ForCausalLM"))(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("norm.weight"):
                weight.uniform_(0.5, 1.5)
            if name.endswith(".bias"):
                weight.uniform_(-0.3, 0.3)
    (pathlib.Path(folder) / "model.safetensors").unlink(missing_ok=True)
    model.save_pretrained(folder)
    return model
