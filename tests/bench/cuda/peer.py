"""bench.py's peer: transformers on the same base and lengths, bf16. Prints one JSON line.
usage: peer.py BASE KIND OPTIONS"""
import json
import statistics
import sys
import time

import torch
import transformers

base, kind, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
liger = ""
try:
    from liger_kernel.transformers import apply_liger_kernel_to_llama

    apply_liger_kernel_to_llama(rope=True, rms_norm=True, swiglu=True, cross_entropy=False, fused_linear_cross_entropy=False)
    liger = "yes"
except Exception as error:  # its own dependencies may be missing
    liger = f"no: {error}"
torch.backends.cuda.matmul.allow_tf32 = True
model = transformers.LlamaForCausalLM.from_pretrained(base, dtype=torch.bfloat16, attn_implementation="sdpa").cuda()
P, R, pairs, steps = options["prompt"], options["response"], options["pairs"], options["steps"]
vocabulary = 49000


def timed(f):
    torch.cuda.synchronize()
    begun = time.perf_counter()
    f()
    torch.cuda.synchronize()
    return time.perf_counter() - begun


if kind in ("sample", "stream", "mixed"):
    count, group = dict(sample=(16, 16), stream=(1, 1), mixed=(64, 1))[kind]
    prompts = torch.randint(10, vocabulary, (count, P), device="cuda").repeat_interleave(group, 0)
    model.eval()

    def generate(new):
        with torch.no_grad():
            return timed(lambda: model.generate(prompts, attention_mask=torch.ones_like(prompts), do_sample=True, top_k=0, max_new_tokens=new, min_new_tokens=new, pad_token_id=0))

    new = options["new"]
    generate(8)
    # A batch ends with its longest answer; of "mixed" a fifth each is 16, 32, 64, 128 and `new` tokens long.
    drawn = count * group * new if kind != "mixed" else count * (16 + 32 + 64 + 128 + new) / 5
    print(json.dumps(dict(kind=kind, side="transformers", tokens_s=drawn / generate(new), peak_gb=torch.cuda.max_memory_allocated() / 1e9)))
    sys.exit()

if kind.endswith("lora"):
    import peft

    model = peft.get_peft_model(model, peft.LoraConfig(r=16, lora_alpha=32, target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]))
    inner = model.get_base_model()
else:
    inner = model
trained = [p for p in model.parameters() if p.requires_grad]
# What bf16 training with f32 masters keeps: transformers has no such optimizer, so the weights themselves are bf16 and
# the moments are theirs; that is less memory and less exact than ours.
optimizer = torch.optim.AdamW(trained, lr=1e-6, fused=True)


def logprobs(ids, prompt, response):
    """Sums over the response's tokens; the head sees their rows alone."""
    hidden = inner.model(input_ids=ids).last_hidden_state[:, prompt - 1 : -1]
    logits = inner.lm_head(hidden)
    picked = torch.gather(logits, 2, ids[:, prompt:].unsqueeze(2)).squeeze(2).float()
    return picked - torch.logsumexp(logits.float(), 2)


if kind == "grpo":
    group, new = 8, options["new"]

    def step():
        prompts = torch.randint(10, vocabulary, (pairs, P), device="cuda").repeat_interleave(group, 0)
        rows = []
        model.eval()
        with torch.no_grad():
            for part in prompts.split(256):
                rows.append(model.generate(part, attention_mask=torch.ones_like(part), do_sample=True, top_k=0, max_new_tokens=new, min_new_tokens=new, pad_token_id=0))
        model.train()
        ids = torch.cat(rows)
        advantages = torch.randn(ids.shape[0], device="cuda")
        for part, advantage in zip(ids.split(16), advantages.split(16)):
            lp = logprobs(part, P, new)
            loss = -(torch.exp(lp - lp.detach()) * advantage.unsqueeze(1)).sum() / (ids.shape[0] * new)
            loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    steps = 3
else:
    micro = max(1, options["micro"] // (2 * (P + R)))

    def step():
        for _ in range(pairs // micro):
            prompt = torch.randint(10, vocabulary, (micro, 1, P), device="cuda").expand(-1, 2, -1)
            ids = torch.cat([prompt, torch.randint(10, vocabulary, (micro, 2, R), device="cuda")], 2).reshape(2 * micro, P + R)
            sums = logprobs(ids, P, R).sum(1).view(micro, 2)
            reference = sums.detach()
            loss = -torch.nn.functional.logsigmoid(0.1 * ((sums[:, 0] - sums[:, 1]) - (reference[:, 0] - reference[:, 1]))).sum() / pairs
            loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()


first = timed(step)
times = [timed(step) for _ in range(steps - 1)]
result = dict(kind=kind, side="transformers", liger=liger, step_s=statistics.median(times), first_step_s=first, peak_gb=torch.cuda.max_memory_allocated() / 1e9)
if kind != "grpo":
    result["pairs_s"] = pairs / result["step_s"]
print(json.dumps(result))
