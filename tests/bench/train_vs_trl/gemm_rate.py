"""The rate of this machine's matrix products, GFLOP/s: 512 rows through the four products of one block of the model,
through oneDNN at the accuracy that training has. Prints one number.

usage: gemm_rate.py MODEL_DIR float32|bfloat16 THREADS"""
import json
import pathlib
import sys
import time

import torch

config = json.loads((pathlib.Path(sys.argv[1]) / "config.json").read_text())
dtype, threads = getattr(torch, sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
torch.set_float32_matmul_precision("medium")
C, F = config["hidden_size"], config["intermediate_size"]
kv = C // config["num_attention_heads"] * config["num_key_value_heads"]
products = [(torch.randn(512, i, dtype=dtype), torch.randn(o, i, dtype=dtype)) for i, o in ((C, C + 2 * kv), (C, C), (C, 2 * F), (F, C))]
flops = sum(2 * 512 * w.numel() for _, w in products)
best = float("inf")
for _ in range(60):
    begun = time.perf_counter()
    for x, w in products:
        torch.nn.functional.linear(x, w)
    best = min(best, time.perf_counter() - begun)
print(flops / best / 1e9)
