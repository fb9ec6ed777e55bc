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
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/golden/rl/tokenizer"
BASE = ROOT / ".deps/bases/smollm2-135m-instruct.q4_1.gguf"

SENTENCES = [
    "The quick brown fox doesn't jump over the lazy dog's 12 bones; we've seen it, they'll see it, I'd bet.",
    "Grüße aus Zürich: Übergrößenträger müssen früh aufstehen, heißt es.",
    "Où est l'hôtel ? À côté de la forêt, là-bas, près du château.",
    "¿Dónde está el niño? ¡Aquí, señor! Pingüino, camión, corazón.",
    "Съешь ещё этих мягких французских булок, да выпей чаю. Київ, ґанок, їжак.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Καλημέρα σας!",
    "יש לי חתול גדול וכלב קטן. שָׁלוֹם עֲלֵיכֶם",
    "هذا نص عربي قصير، مع أرقام ١٢٣٤٥ وعلامات. السَّلَامُ عَلَيْكُمْ",
    "यह हिन्दी का एक वाक्य है, जिसमें १२३ अंक हैं। क्षत्रिय ज्ञान",
    "এটি একটি বাংলা বাক্য, সংখ্যা ৪৫৬ সহ।",
    "இது ஒரு தமிழ் வாக்கியம். எண்கள் ௧௨௩",
    "นี่คือประโยคภาษาไทย เลข ๑๒๓ และไม่มีช่องว่าง",
    "这是一个中文句子，里面有数字123和标点。春眠不覺曉，處處聞啼鳥。",
    "これは日本語の文です。カタカナとｶﾀｶﾅ、漢字も混ざる。１２３",
    "한국어 문장입니다. 숫자 42와 한글. ㄱㄴㄷ",
    "Đây là một câu tiếng Việt có nhiều dấu: ắ ằ ẵ ặ ử ữ.",
    "Zażółć gęślą jaźń. Příliš žluťoučký kůň úpěl ďábelské ódy.",
    "İstanbul'da ılık bir gün; ŞIĞ ÇÖĞÜ.",
    "ይህ የአማርኛ ዓረፍተ ነገር ነው ፩፪፫። ქართული ენა. Հայերեն լեզու։",
    "ᠮᠣᠩᠭᠣᠯ ᠪᠢᠴᠢᠭ ᠎ᠠ and ཨོཾ་མ་ཎི་པདྨེ་ཧཱུྃ ༡༢༣",
]
CODE = [
    "def add(a, b):\n    \"\"\"Adds.\"\"\"\n    return a + b  # no check\n",
    "for (int i = 0; i < n; ++i) {\n\tsum += x[i] * 0.5f;\n}\n",
    "SELECT id, name FROM users WHERE age >= 21 AND name LIKE '%o''b%' ORDER BY 2;",
    "#include <vector>\ntemplate <class T> auto f(T&& t) -> decltype(t()) { return t(); }",
    "<div class=\"a b\" id='x'>\n  <p>1 &amp; 2</p>\n</div>",
    "{\"key\": [1, 2.5e-3, null, true], \"nested\": {\"a\": \"\\u00e9\\n\"}}",
    "curl -sS https://example.org/a?b=c%20d | grep -oE '[0-9]{1,3}' >out.txt 2>&1",
    "let f = |x: &str| -> Option<u32> { x.parse().ok() };",
    "\\begin{align}\n  x_{1,2} &= \\frac{-b \\pm \\sqrt{b^2-4ac}}{2a} \\\\\n\\end{align}",
    "| a | b |\n|---|---|\n| 1 | `x` |\n\n- item\n  - **bold** _it_\n",
    "if __name__ == '__main__':\r\n    main()\r\n",
    "0x1F 0b1010 1_000_000 3.14159 1e10 -42 ½ ² ⅷ Ⅻ ① ㊿ 〇",
]
EMOJI = ["😀", "👍🏽", "👨‍👩‍👧‍👦", "🇩🇪🇯🇵", "❤️", "🏳️‍🌈", "☕", "🧑🏿‍🚀", "⚠️", "🫠", "👁️‍🗨️", "1️⃣"]
SPACES = [" ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", " \n ", "\u00a0", "\u2003", "\u3000", "\u1680", "\u180e", "\u200b", "\ufeff",
          "\x0b", "\x0c", "\x85", "\u2028", "\x1c", "      ", "\t\t\t", "\n   \n", " " * 17, " " * 64, "\n" * 9]
DIGITS = ["0123456789", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "௧௨௩௰", "๐๑๒๓", "１２３４", "𝟎𝟏𝟗", "Ⅷⅸ", "½¾", "²³¹", "①②⑳", "〇一二三", "𐄇𐄈", "፩፪", "⁴₅"]
ODD = ["e\u0301", "a\u0308\u0323", "\u212b", "ﬁ", "ẞ", "ǅ", "\u0000", "\u0001\u007f", "\ufffd", "\ufffe", "\U000f0000", "\U0010ffff", "'", "''s",
       "'S 'LL", "don't", "I'M", "it's'", "ʼs", "…", "—", "“q”", "«»", "‱", "€£¥", "𐍈", "𝒳", "\u202eabc", "a\u200db", "ℵ", "ª", "º"]


def strings(specials, rng):
    out = []
    for s in SENTENCES + CODE + EMOJI + SPACES + DIGITS + ODD + specials:
        out += [s, " " + s, s + " ", "x" + s + "y"]
    out += ["", "a" * 3000, " " * 300, "ab " * 400, "!" * 100, "\n" * 200, "1" * 50, "🙂" * 60, "é" * 90]
    for token in specials:
        out += [f"a{token}b", f" {token} ", f"{token}{token}\n{token}", token[:-1], token[1:], token.upper(), token + "|>"]
    parts = SENTENCES + CODE
    words = [w for s in parts for w in s.split(" ")]
    while len(out) < 2150:
        n = rng.randint(1, 6)
        pieces = []
        for _ in range(n):
            kind = rng.random()
            if kind < 0.45:
                pieces.append(rng.choice(words))
            elif kind < 0.6:
                pieces.append(rng.choice(SPACES[:-3]))
            elif kind < 0.68:
                pieces.append(rng.choice(EMOJI))
            elif kind < 0.76:
                d = rng.choice(DIGITS)
                pieces.append("".join(rng.choice(d) for _ in range(rng.randint(1, 6))))
            elif kind < 0.82:
                pieces.append(rng.choice(ODD))
            elif kind < 0.88 and specials:
                pieces.append(rng.choice(specials))
            elif kind < 0.94:
                start = rng.choice([0x20, 0x80, 0x400, 0x900, 0x1100, 0x2000, 0x3040, 0x4E00, 0xAC00, 0x10000, 0x1F300])
                pieces.append("".join(chr(start + rng.randint(0, 0x7F)) for _ in range(rng.randint(1, 6))))
            else:
                s = rng.choice(parts)
                a = rng.randint(0, len(s) - 1)
                pieces.append(s[a:a + rng.randint(1, 12)])
        out.append(rng.choice(["", " "]).join(pieces))
    return list(dict.fromkeys(out))


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
