"""SmolLM2-135M-Instruct from its GGUF under hone-run against transformers in float64, whose weights the
gguf package reads and whose q/k rows are put back in Hugging Face's order here.

usage: check_smollm2.py HONE_RUN"""
import sys

from common import BASE, check_greedy, check_scores, finish, hone_run, torch, transformers

if not BASE.exists():
    print(f"skipped: {BASE} is not there; scripts/setup fetches it")
    sys.exit(77)
import gguf
import numpy as np

reader = gguf.GGUFReader(BASE)
keys = {k: f.contents() for k, f in reader.fields.items() if k.startswith("llama.")}
config = transformers.LlamaConfig(
    vocab_size=keys["llama.vocab_size"], hidden_size=keys["llama.embedding_length"], intermediate_size=keys["llama.feed_forward_length"],
    num_hidden_layers=keys["llama.block_count"], num_attention_heads=keys["llama.attention.head_count"],
    num_key_value_heads=keys["llama.attention.head_count_kv"], rms_norm_eps=keys["llama.attention.layer_norm_rms_epsilon"],
    rope_theta=keys["llama.rope.freq_base"], max_position_embeddings=keys["llama.context_length"], tie_word_embeddings=True)


def unpermute(w, heads):
    """llama.cpp interleaves the halves of each head's rows; transformers keeps them apart."""
    return w.reshape(heads, w.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(w.shape)


NAMES = {"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
         "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
         "ffn_down": "mlp.down_proj"}
state = {}
for tensor in reader.tensors:
    w = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float64)
    if tensor.name == "token_embd.weight":
        state["model.embed_tokens.weight"] = w
    elif tensor.name == "output_norm.weight":
        state["model.norm.weight"] = w
    elif tensor.name.startswith("blk."):
        _, layer, kind, _ = tensor.name.split(".")
        if kind == "attn_q":
            w = unpermute(w, config.num_attention_heads)
        if kind == "attn_k":
            w = unpermute(w, config.num_key_value_heads)
        state[f"model.layers.{layer}.{NAMES[kind]}.weight"] = w
model = transformers.LlamaForCausalLM(config).double().eval()
missing, unexpected = model.load_state_dict({k: torch.from_numpy(w.copy()) for k, w in state.items()}, strict=False)
assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)

rows = [dict(prompt="The capital of France is", response=" Paris, which lies on the Seine."),
        dict(prompt=[dict(role="user", content="Name three primary colours.")], response="Red, yellow and blue."),
        dict(prompt="def fibonacci(n):\n", response="    if n < 2:\n        return n\n    return fibonacci(n - 1) + fibonacci(n - 2)\n")]
scored = hone_run("score", BASE, lines=rows)
check_scores("SmolLM2", model, scored, 5e-4)
samples = hone_run("sample", BASE, "--greedy", "--max-tokens", 64, lines=[dict(prompt=r["prompt"]) for r in rows])
for row, sample in zip(scored, samples):
    check_greedy("SmolLM2", model, row["prompt_ids"], sample["ids"], 5e-4)
finish()
