"""Random models of a few layers of every family, saved by transformers, under hone-run and under
transformers: grouped and ungrouped heads, tied and untied embeddings, biases, head norms, windows,
layers without positions, every kind of rotary scaling.

usage: check_tiny_models.py HONE_RUN"""
import tempfile

from common import check_greedy, check_scores, finish, hone_run
from shapes import SHAPES, make

TEXTS = [("The wolf", " ran over the hill and did not look back."), ("x", " y"), ("def f(n):\n", "    return n * f(n - 1)\n" * 6),
         ("One two three four five six seven eight nine ten " * 8, " eleven twelve")]

for name, options in SHAPES.items():
    with tempfile.TemporaryDirectory() as folder:
        model = make(folder, options)
        model.double()
        scored = hone_run("score", folder, lines=[dict(prompt=p, response=r) for p, r in TEXTS])
        check_scores(name, model, scored, 1e-4)
        prompts = [row["prompt_ids"] for row in scored]
        for prompt, sample in zip(prompts, hone_run("sample", folder, "--greedy", "--max-tokens", 64, lines=[dict(prompt=p) for p, _ in TEXTS])):
            check_greedy(name, model, prompt, sample["ids"], 1e-4)
finish()
