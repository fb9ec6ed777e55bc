"""Runs under llama.cpp's own Python: reads a GGUF and JSON lines.

{"text"} -> {"ids"}
{"ids", "follow"} -> {"same", "shortfall"}: how many of the tokens to follow are the likeliest where they stand,
and by how many logits the worst of them falls short of it

usage: follow.py FILE.gguf"""
import json
import sys

import llama_cpp
import numpy

model = llama_cpp.Llama(sys.argv[1], n_ctx=512, logits_all=True, verbose=False, n_threads=2)
for line in sys.stdin:
    row = json.loads(line)
    if "text" in row:
        print(json.dumps({"ids": model.tokenize(row["text"].encode(), add_bos=True, special=True)}), flush=True)
        continue
    model.reset()
    model.eval(row["ids"])
    same, shortfall = 0, 0.0
    for token in row["follow"]:
        logits = model.scores[model.n_tokens - 1]
        same += int(numpy.argmax(logits) == token)
        shortfall = max(shortfall, float(logits.max() - logits[token]))
        model.eval([token])
    print(json.dumps({"same": same, "shortfall": shortfall}), flush=True)
