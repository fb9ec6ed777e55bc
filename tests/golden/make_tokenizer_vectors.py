"""Writes tests/golden/rl/tokenizer: strings with the ids that the `tokenizers` package gives them.

smollm2.jsonl         {"text", "ids"} a line, the tokenizer built here from the keys of the GGUF base with
                      Sequence[Digits(individual), ByteLevel]: transformers' own reading of this file leaves the
                      digit split out and is no oracle for it
smollm2_sweep.txt     for each 4,096 code points, the first 16 digits of SHA-256 over the ids of "a<c>b <c>1<c>" for every c
<kind>.json, .jsonl   tiny trained tokenizers, one for each other way that tokenizer.json can be put together

Run: .deps/golden/bin/python tests/golden/make_tokenizer_vectors.py
"""
import hashlib
import json
import pathlib
import random
import struct

import gguf
from texts import CODE, SENTENCES, strings
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/golden/rl/tokenizer"
BASE = ROOT / ".deps/bases/smollm2-135m-instruct.q4_1.gguf"

def write_vectors(name, tokenizer, texts):
    lines = []
    for text in texts:
        row = {"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids}
        whole = tokenizer.encode(text).ids
        if whole != row["ids"]:
            row["whole"] = whole
        decoded = tokenizer.decode(row["ids"], skip_special_tokens=False)
        if decoded != text:
            row["decoded"] = decoded
        bare = tokenizer.decode(whole, skip_special_tokens=True)
        if bare != decoded:
            row["bare"] = bare
        lines.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
    (OUT / f"{name}.jsonl").write_text("\n".join(lines) + "\n", newline="\n")
    print(name, len(lines), "strings")


def smollm2():
    reader = gguf.GGUFReader(BASE)
    field = lambda key: reader.fields[f"tokenizer.ggml.{key}"].contents()
    tokens, types = field("tokens"), field("token_type")
    merges = [tuple(m.split(" ")) for m in field("merges")]
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    specials = [t for t, kind in zip(tokens, types) if kind == 3]
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in specials])
    return tokenizer, specials


def write_sweep(tokenizer):
    lines = []
    for block in range(0, 0x110000, 4096):
        points = [c for c in range(block, block + 4096) if not 0xD800 <= c < 0xE000]
        texts = [f"a{chr(c)}b {chr(c)}1{chr(c)}" for c in points]
        digest = hashlib.sha256()
        for encoding in tokenizer.encode_batch(texts, add_special_tokens=False):
            digest.update(struct.pack(f"<{len(encoding.ids)}q", *encoding.ids))
        lines.append(digest.hexdigest()[:16])
    (OUT / "smollm2_sweep.txt").write_text("\n".join(lines) + "\n")


LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def trained(pre, specials, *, alphabet=None, model=None, normalizer=None, decoder=None, vocab=420):
    tokenizer = Tokenizer(model or models.BPE())
    tokenizer.pre_tokenizer = pre
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoder or decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab, show_progress=False, special_tokens=specials, initial_alphabet=alphabet or [])
    tokenizer.train_from_iterator(SENTENCES + CODE, trainer)
    return tokenizer


def rebuilt(tokenizer, **changes):
    """The same tokenizer with model options changed, by way of its own JSON."""
    data = json.loads(tokenizer.to_str())
    data["model"].update(changes)
    return Tokenizer.from_str(json.dumps(data))


def llama3_like():
    pre = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer = trained(pre, ["<|begin_of_text|>", "<|eot_id|>"], alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer = rebuilt(tokenizer, ignore_merges=True)
    begin = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|> $B:1",
                                      special_tokens=[("<|begin_of_text|>", begin)])])
    return tokenizer, ["<|begin_of_text|>", "<|eot_id|>"]


def qwen2_like():
    pre = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer = trained(pre, ["<|endoftext|>", "<|im_start|>"], alphabet=pre_tokenizers.ByteLevel.alphabet(), normalizer=normalizers.NFC())
    tokenizer.add_tokens([AddedToken("<tool_call>", normalized=False), AddedToken("café", normalized=True)])
    return tokenizer, ["<|endoftext|>", "<|im_start|>", "<tool_call>", "café", "cafe\u0301"]


def gpt2_like():
    tokenizer = trained(pre_tokenizers.ByteLevel(add_prefix_space=True), ["<|endoftext|>"], alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    tokenizer.add_tokens([AddedToken("<mask>", lstrip=True), AddedToken("<end>", rstrip=True), AddedToken("word", single_word=True),
                          AddedToken("<both>", lstrip=True, rstrip=True, special=True), AddedToken("<end><end>")])
    return tokenizer, ["<|endoftext|>", "<mask>", "<end>", "word", "<both>", "  <mask>", "<end> \n ", "sword", "word word.", "<end><end>"]


def llama2_like():
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    tokenizer = trained(pre_tokenizers.Metaspace(), pieces, vocab=620,
                        decoder=decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]))
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = [t for t in data["added_tokens"] if t["id"] < 3]
    data["pre_tokenizer"] = None
    data["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
                                                                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
    data["model"].update(unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B:1", special_tokens=[("<s>", 1)])
    return tokenizer, ["<s>", "</s>", "<unk>"]


def metaspace_like():
    """A word model: unknown characters, fused or alone; Metaspace before the first word only."""
    tokenizer = trained(pre_tokenizers.Metaspace(prepend_scheme="first"), ["<unk>", "<s>"], vocab=200,
                        model=models.BPE(unk_token="<unk>", fuse_unk=True), decoder=decoders.Metaspace(prepend_scheme="first"))
    return tokenizer, ["<s>", "<unk>"]


def digits_like():
    """Runs of digits, a literal split that is removed, unknown characters that are dropped."""
    pre = pre_tokenizers.Sequence([pre_tokenizers.Split("-", "removed"), pre_tokenizers.Split(Regex(r"\w+|[^\w\s]+"), "removed", invert=True),
                                   pre_tokenizers.Digits(individual_digits=False)])
    tokenizer = trained(pre, ["<pad>"], vocab=180, decoder=decoders.Fuse())
    return tokenizer, ["<pad>"]


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    tokenizer, specials = smollm2()
    write_vectors("smollm2", tokenizer, strings(specials, random.Random(1)))
    write_sweep(tokenizer)
    for kind in [llama3_like, qwen2_like, gpt2_like, llama2_like, metaspace_like, digits_like]:
        tokenizer, specials = kind()
        name = kind.__name__
        data = json.loads(tokenizer.to_str())
        (OUT / f"{name}.json").write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n")
        rng = random.Random(3)
        texts = [t for t in strings(specials, random.Random(2)) if len(t) < 90]
        marked = [t for t in texts if any(special in t for special in specials)]
        write_vectors(name, tokenizer, list(dict.fromkeys(rng.sample(texts, 110) + rng.sample(marked, min(60, len(marked))))))


main()
