"""The peers' half of bench.py, one measure a call, its result as one JSON line (see engine_bench.cpp).

usage: peer.py tokenizer FOLDER TEXT | train BASE ROWS BATCH DTYPE | generate BASE REQUESTS DTYPE | llama FILE.gguf REQUESTS"""
import json
import os
import resource
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def tell(**values):
    print(json.dumps(values | {"peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9}))


def tokenizer(folder, text):
    from tokenizers import Tokenizer
    made = Tokenizer.from_file(f"{folder}/tokenizer.json")
    with open(text, encoding="utf-8", newline="\n") as file:
        rows = file.readlines()
    start, tokens = time.perf_counter(), 0
    for row in rows:
        tokens += len(made.encode(row, add_special_tokens=False).ids)
    spent = time.perf_counter() - start
    tell(mb_per_s=sum(len(row.encode()) for row in rows) / 1e6 / spent, tokens=tokens)


def load(base, dtype):
    import torch
    import transformers
    transformers.logging.set_verbosity_error()
    torch.set_float32_matmul_precision("medium")  # oneDNN: still f32 here, and up to twice the speed of the BLAS
    return torch, transformers.AutoModelForCausalLM.from_pretrained(base, dtype=getattr(torch, dtype), attn_implementation="sdpa")


def train(base, rows, batch, dtype):
    """Log-probabilities of the responses' tokens and their gradient; the head on response rows alone."""
    torch, model = load(base, dtype)
    model.train()
    sequences = [(row["prompt"], response) for row in lines(rows) for response in row["responses"]]
    batch = int(batch)

    def step(some):
        longest = max(len(p) + len(r) for p, r in some)
        ids = torch.zeros(len(some), longest, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, (p, r) in enumerate(some):
            ids[i, :len(p) + len(r)] = torch.tensor(p + r)
            mask[i, :len(p) + len(r)] = 1
        hidden = model.model(input_ids=ids, attention_mask=mask if batch > 1 else None).last_hidden_state
        where = [(i, len(p) - 1 + t, token) for i, (p, r) in enumerate(some) for t, token in enumerate(r)]
        picked = hidden[[w[0] for w in where], [w[1] for w in where]]
        logits = model.lm_head(picked)
        torch.nn.functional.cross_entropy(logits.float(), torch.tensor([w[2] for w in where]), reduction="sum").backward()

    step(sequences[:1])
    start = time.perf_counter()
    for i in range(0, len(sequences), batch):
        step(sequences[i:i + batch])
    tokens = sum(len(p) + len(r) for p, r in sequences)
    tell(tokens_per_s=tokens / (time.perf_counter() - start), tokens=tokens)


def generate(base, requests, dtype):
    torch, model = load(base, dtype)
    model.eval()
    rows = lines(requests)
    most = max(row["tokens"] for row in rows)
    width = max(len(row["prompt"]) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, width - len(row["prompt"]):] = torch.tensor(row["prompt"])
        mask[i, width - len(row["prompt"]):] = 1
    with torch.inference_mode():
        start = time.perf_counter()
        model.generate(input_ids=ids, attention_mask=mask, do_sample=True, top_k=0, max_new_tokens=most, min_new_tokens=most, pad_token_id=0)
        spent = time.perf_counter() - start
    # A row that wanted fewer tokens waits for the longest.
    wanted = sum(row["tokens"] for row in rows)
    tell(tokens_per_s=wanted / spent, tokens=wanted)


def llama(path, requests):
    import llama_cpp
    row = lines(requests)[0]
    model = llama_cpp.Llama(path, n_ctx=2048, verbose=False, n_threads=os.cpu_count())
    model.eval(row["prompt"])
    start = time.perf_counter()
    for _ in range(row["tokens"]):
        model.eval([model.sample(temp=1.0, top_k=0)])
    tell(tokens_per_s=row["tokens"] / (time.perf_counter() - start), tokens=row["tokens"])


{"tokenizer": tokenizer, "train": train, "generate": generate, "llama": llama}[sys.argv[1]](*sys.argv[2:])
