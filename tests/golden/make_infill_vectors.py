"""Writes tests/golden/rl/tokenizer/code_llama_like.{json,jsonl}: the tiny Llama 2 tokenizer of make_tokenizer_vectors.py
with Code Llama's marks, and what transformers' CodeLlamaTokenizer makes of it: {"prefix", "suffix", "ids"} a line.

Run: .deps/golden/bin/python tests/golden/make_infill_vectors.py
"""
import json
import pathlib

from tokenizers import Tokenizer
from transformers import CodeLlamaTokenizer

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/rl/tokenizer"
MARKS = ["▁<PRE>", "▁<MID>", "▁<SUF>", "▁<EOT>"]
PAIRS = [("def area(r):\n    return ", "\n\nprint(area(2))\n"), ("x = ", " + 1"), (" two", "  spaces "),
         ("a\n", "\tb\n\n"), ("naïve ☺", "☺ 日本 🙂"), ("for i in", "range(3):")]

data = json.loads((OUT / "llama2_like.json").read_text(encoding="utf-8"))
first = max(data["model"]["vocab"].values()) + 1
for i, mark in enumerate(MARKS):
    data["added_tokens"].append({"id": first + i, "content": mark, "single_word": False, "lstrip": False, "rstrip": False,
                                 "normalized": False, "special": True})
(OUT / "code_llama_like.json").write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
tokenizer = CodeLlamaTokenizer()
# The class of transformers 5 puts a Metaspace of its own in, which gives the suffix the space that Code Llama's reference
# keeps away from it; Code Llama's own tokenizer.json has none.
tokenizer._tokenizer = Tokenizer.from_str(json.dumps(data))
with open(OUT / "code_llama_like.jsonl", "w", encoding="utf-8", newline="\n") as file:
    for prefix, suffix in PAIRS:
        ids = tokenizer(prefix, suffix=suffix)["input_ids"]
        file.write(json.dumps({"prefix": prefix, "suffix": suffix, "ids": ids}, ensure_ascii=False, separators=(",", ":")) + "\n")
        print(repr(prefix), repr(suffix), tokenizer.convert_ids_to_tokens(ids))
