"""Training and sampling on a CUDA device, bf16, of a random model of a Llama's shape (its speed is that of a trained
one), beside a transformers loop tuned as far as it goes: flash attention, fused AdamW, log-probabilities of response
tokens alone, the reference computed once, no padding, Liger's kernels where that package is there.

Kinds: dpo (full weights), dpo-lora, grpo (8 answers to a prompt, a regular expression's reward), sample (16 answers of
one length to each of 16 prompts), stream (one answer), mixed (64 prompts, answers of 16 to 256 tokens). The floor of a
training kind is the time of its matrix products at the rate that a large one reached in this run (6 FLOP a weight and
trunk token, 4 where an adapter trains, a pair's prompt computed once, the head on response tokens; attention is not in
it); MFU takes the same FLOP over the card's advertised 989 TFLOP/s
(H100, H200). The floor of sampling is the time to read weights, keys and values at the rate at which a large copy
moves bytes, read and written.

usage: bench.py HONE_RUN ENGINE_BENCH TOKENIZER [--kinds dpo,dpo-lora,grpo,sample,stream,mixed] [--shape 1b]
                [--only-hone] [--out FOLDER]

TOKENIZER: a folder with tokenizer.json and tokenizer_config.json of any Llama-like base. Python needs torch (CUDA),
transformers and safetensors; peft for dpo-lora's peer."""
import argparse
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PEAK = 989e12
SHAPES = {
    "1b": dict(hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32, num_key_value_heads=8, head_dim=64, vocab_size=128256),
    "135m": dict(hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3, head_dim=64, vocab_size=49152),
}
parser = argparse.ArgumentParser()
parser.add_argument("hone_run")
parser.add_argument("engine_bench")
parser.add_argument("tokenizer")
parser.add_argument("--kinds", default="dpo,dpo-lora,grpo,sample,stream,mixed")
parser.add_argument("--shape", default="1b")
parser.add_argument("--pairs", type=int, default=32, help="of a step")
parser.add_argument("--steps", type=int, default=5)
parser.add_argument("--prompt", type=int, default=512, help="tokens")
parser.add_argument("--response", type=int, default=512, help="tokens")
parser.add_argument("--micro", type=int, default=16384, help="tokens of one pass")
parser.add_argument("--new", type=int, default=256, help="tokens drawn")
parser.add_argument("--only-hone", action="store_true")
parser.add_argument("--out")
options = parser.parse_args()
shape = SHAPES[options.shape]
out = pathlib.Path(options.out or tempfile.mkdtemp(prefix="hone-cuda-bench-"))
out.mkdir(parents=True, exist_ok=True)
base = out / "base"


def make_base():
    import safetensors.torch
    import torch

    base.mkdir(exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        if (pathlib.Path(options.tokenizer) / name).exists():
            shutil.copy(pathlib.Path(options.tokenizer) / name, base / name)
    config = dict(shape, architectures=["LlamaForCausalLM"], model_type="llama", rms_norm_eps=1e-5, rope_theta=500000.0, max_position_embeddings=8192,
                  tie_word_embeddings=True, hidden_act="silu", bos_token_id=1, eos_token_id=2, torch_dtype="bfloat16", attention_bias=False, mlp_bias=False)
    (base / "config.json").write_text(json.dumps(config))
    torch.manual_seed(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    C, F, D = shape["hidden_size"], shape["intermediate_size"], shape["head_dim"]
    q, kv = shape["num_attention_heads"] * D, shape["num_key_value_heads"] * D

    def matrix(*size):
        return (torch.randn(*size, device=device) * 0.02).to(torch.bfloat16).cpu()

    tensors = {"model.embed_tokens.weight": matrix(shape["vocab_size"], C), "model.norm.weight": torch.ones(C, dtype=torch.bfloat16)}
    for i in range(shape["num_hidden_layers"]):
        at = f"model.layers.{i}."
        for name, size in (("self_attn.q_proj", (q, C)), ("self_attn.k_proj", (kv, C)), ("self_attn.v_proj", (kv, C)), ("self_attn.o_proj", (C, q)),
                           ("mlp.gate_proj", (F, C)), ("mlp.up_proj", (F, C)), ("mlp.down_proj", (C, F))):
            tensors[at + name + ".weight"] = matrix(*size)
        for name in ("input_layernorm", "post_attention_layernorm"):
            tensors[at + name + ".weight"] = torch.ones(C, dtype=torch.bfloat16)
    safetensors.torch.save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})


def rates():
    """FLOP/s of a large bf16 product, bytes/s of a large copy (read and written)."""
    import torch

    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    wide = torch.randn(1 << 30, device="cuda", dtype=torch.bfloat16)

    def best(f):
        for _ in range(3):
            f()
        times = []
        for _ in range(8):
            torch.cuda.synchronize()
            begun = time.perf_counter()
            f()
            torch.cuda.synchronize()
            times.append(time.perf_counter() - begun)
        return statistics.median(times)

    return 2 * 8192**3 / best(lambda: a @ b), 2 * wide.nbytes / best(wide.clone)


def words(rng, tokens):
    """About so many tokens: common words are one each."""
    common = "the of and to in is that it was for on are as with his they at be this from have or by one had not but what all were when we there can an your which their said if do will each about how up out them then she many some so these would other into has more her two like him see time could no make than first been its who now people my made over did down only way find use may water long little very after words called just where most know".split()
    return " ".join(rng.choice(common) for _ in range(tokens))


def write_data():
    rng = random.Random(5)
    rows = [dict(prompt=words(rng, options.prompt), chosen=" " + words(rng, options.response), rejected=" " + words(rng, options.response)) for _ in range(options.pairs * options.steps)]
    (out / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (out / "prompts.jsonl").write_text("".join(json.dumps(dict(prompt=row["prompt"])) + "\n" for row in rows))


def run(command, **more):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **more)
    if done.returncode:
        print(f"{command[0]} ended with {done.returncode}: {done.stderr[-1500:]} {done.stdout[-1500:]}", flush=True)
        return None
    return done


C, F, V = shape["hidden_size"], shape["intermediate_size"], shape["vocab_size"]
TRUNK = shape["num_hidden_layers"] * (C * shape["head_dim"] * (2 * shape["num_attention_heads"] + 2 * shape["num_key_value_heads"]) + 3 * C * F)


def flops(trunk_tokens, head_tokens, per_weight):
    return per_weight * (trunk_tokens * TRUNK + head_tokens * V * C)


def train(kind):
    grpo, lora = kind == "grpo", kind.endswith("lora")
    settings = dict(learning_rate=1e-6, batch_size=options.pairs, max_steps=options.steps, max_tokens=4096, dtype="bfloat16", micro_batch_tokens=options.micro)
    spec = dict(method="grpo_token" if grpo else "dpo.sigmoid.sum", base=str(base), data=str(out / "pairs.jsonl"), out=str(out / kind), checkpoint_every_steps=0, checkpoint_every_s=0,
                adapter=dict(type="lora", rank=16, alpha=32) if lora else "none", hyperparameters=settings)
    if grpo:
        settings.update(batch_size=options.pairs, group_size=8, max_new_tokens=options.new, kl_budget=0)
        # A random model never ends an answer: its length would teach nothing, and the guards would say so.
        spec.update(reward=dict(type="regex", pattern="qu"), guards="warn")
    (out / f"{kind}.json").write_text(json.dumps(spec))
    begun = time.time()
    done = run([options.hone_run, "train", out / f"{kind}.json"])
    if done is None:
        return None
    lines = [json.loads(line)["values"] for line in done.stdout.splitlines() if '"metrics"' in line]
    later = lines[1:] or lines
    seconds = statistics.median(v["perf/step_s"] for v in later)
    result = dict(kind=kind, side="hone", step_s=seconds, wall_s=time.time() - begun, peak_gb=max(v["perf/peak_bytes"] for v in lines) / 1e9, first_step_s=lines[0]["perf/step_s"],
                  trunk_tokens=statistics.median(v["data/tokens"] for v in later), head_tokens=statistics.median(v["data/loss_tokens"] for v in later), loss=[round(v["loss"], 4) for v in lines])
    result["perf"] = {k: v for k, v in later[-1].items() if k.startswith("perf/")}
    return result


SAMPLES = {"sample": (16, 16), "stream": (1, 1), "mixed": (64, 1)}  # prompts, answers to each


def sample(kind):
    """The program's own clock: prompts and capturing graphs are in it, loading is not."""
    rng = random.Random(6)
    prompts, group = SAMPLES[kind]
    lines = []
    for _ in range(prompts):
        prompt = [rng.randrange(10, 49000) for _ in range(options.prompt)]
        for i in range(group):
            new = options.new if kind != "mixed" else rng.choice((16, 32, 64, 128, options.new))
            lines.append(json.dumps(dict(prompt=prompt, tokens=new, sample=len(lines))))
    (out / "requests.jsonl").write_text("\n".join(lines) + "\n")
    done = run([options.engine_bench, "generate", base, out / "requests.jsonl", "bfloat16"])
    if done is None:
        return None
    told = json.loads(done.stdout)
    return dict(kind=kind, side="hone", tokens_s=told["tokens_per_s"], tokens=told["tokens"], peak_gb=told["peak_gb"])


def peer(kind):
    done = run([sys.executable, HERE / "peer.py", base, kind, json.dumps(vars(options))])
    return json.loads(done.stdout.splitlines()[-1]) if done else None


def show(result, gemm, copy):
    if result is None:
        return
    kind = result["kind"]
    if "step_s" in result and result["side"] == "hone" and kind != "grpo":
        work = flops(result["trunk_tokens"], result["head_tokens"], 4 if kind.endswith("lora") else 6)
        result.update(pairs_s=options.pairs / result["step_s"], floor_share=work / gemm / result["step_s"], mfu=work / PEAK / result["step_s"])
    if kind == "stream":  # every weight is read for a token; what keys and values add is small beside it
        result["floor_share"] = result["tokens_s"] * 2 * (TRUNK + V * C) / copy
    if kind == "sample" and result["side"] == "hone":
        # A step of 256 samples reads the weights once and each sample's keys and values, half of its own on average.
        kv = shape["num_hidden_layers"] * 2 * shape["num_key_value_heads"] * shape["head_dim"] * 2
        step = (2 * (TRUNK + V * C) + 256 * kv * (options.prompt + options.new / 2)) / copy
        result["floor_share"] = result["tokens_s"] / (256 / step)
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in result.items()}), flush=True)


make_base()
write_data()
gemm, copy = rates()
print(json.dumps(dict(gemm_tflops=round(gemm / 1e12), read_tb_s=round(copy / 1e12, 2), weights=TRUNK + V * C)), flush=True)
for kind in options.kinds.split(","):
    ours = sample(kind) if kind in SAMPLES else train(kind)
    show(ours, gemm, copy)
    if not options.only_hone:
        theirs = peer(kind)
        show(theirs, gemm, copy)
        if ours and theirs:
            key = "tokens_s" if kind in SAMPLES else "step_s"
            ratio = ours[key] / theirs[key] if kind in SAMPLES else theirs[key] / ours[key]
            print(f"{kind}: {ratio:.2f} times as fast" + ("" if kind in SAMPLES else f", peak memory {ours['peak_gb'] / theirs['peak_gb']:.2f}"), flush=True)
