"""Hone's fused tensor names as Hugging Face's, and PEFT's for adapters."""


def split_names(tensors, config, rank=0):
    q, kv, f = config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim, config.intermediate_size
    fused_rows = {
        "qkv": [("self_attn.q_proj", 0, q), ("self_attn.k_proj", q, kv), ("self_attn.v_proj", q + kv, kv)],
        "o": [("self_attn.o_proj", 0, config.hidden_size)],
        "gate_up": [("mlp.gate_proj", 0, f), ("mlp.up_proj", f, f)],
        "down": [("mlp.down_proj", 0, config.hidden_size)]}
    whole = {"embed": "model.embed_tokens", "norm": "model.norm", "head": "lm_head", "score": "score"}
    norms = {"attention_norm": "input_layernorm", "mlp_norm": "post_attention_layernorm"}
    out = {}
    for name, value in tensors.items():
        if name in whole:
            out[whole[name] + ".weight"] = value
            continue
        _, layer, fused, *rest = name.split(".")
        prefix = f"model.layers.{layer}."
        if fused in norms:
            out[f"{prefix}{norms[fused]}.weight"] = value
        elif not rest:
            for target, row, rows in fused_rows[fused]:
                out[f"{prefix}{target}.weight"] = value[row:row + rows]
        elif rest[0] == "lora_a":
            for i, (target, _, _) in enumerate(fused_rows[fused]):
                out[f"{prefix}{target}.lora_A.weight"] = value[i * rank:(i + 1) * rank]
        else:
            target = next(t for t, _, _ in fused_rows[fused] if t.endswith(rest[1]))
            out[f"{prefix}{target}.lora_B.weight"] = value
    return out


def plain(name):
    """A parameter's name without what PEFT wraps around it."""
    for part in ("base_model.model.", ".default", ".base_layer", ".modules_to_save"):
        name = name.replace(part, "")
    return name
