"""Texts and conversations that the checks of this folder are made of."""
import random

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


def strings(specials, rng, count=2150):
    """`count` different texts: natural ones, odd ones, and random mixtures of their pieces."""
    out = []
    for s in SENTENCES + CODE + EMOJI + SPACES + DIGITS + ODD + specials:
        out += [s, " " + s, s + " ", "x" + s + "y"]
    out += ["", "a" * 3000, " " * 300, "ab " * 400, "!" * 100, "\n" * 200, "1" * 50, "🙂" * 60, "é" * 90]
    for token in specials:
        out += [f"a{token}b", f" {token} ", f"{token}{token}\n{token}", token[:-1], token[1:], token.upper(), token + "|>"]
    parts = SENTENCES + CODE
    words = [w for s in parts for w in s.split(" ")]
    seen = dict.fromkeys(out)
    while len(seen) < count:
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
        seen[rng.choice(["", " "]).join(pieces)] = None
    return list(seen)


def turns(*contents, system=None):
    messages = [{"role": "system", "content": system}] if system is not None else []
    for i, content in enumerate(contents):
        messages.append({"role": ["user", "assistant"][i % 2], "content": content})
    return messages


def conversations(count):
    """`count` lines {"messages", "add_generation_prompt"}: with and without a system turn, of one turn and of
    many, ending with either side, with odd contents; the same every time."""
    rng = random.Random(5)
    contents = [s for s in SENTENCES + CODE + EMOJI + ODD if s.strip()] + [
        "", "  leading and trailing \n", "a\nb\n\nc", "<|im_end|> inside {{ braces }} {% and %} tags", "[INST] not a turn [/INST]", "</s>",
        "<think>\nfirst this\n</think>\n\nthen that", "<<SYS>>\nnone\n<</SYS>>"]
    systems = [None, None, "You are terse.", "", "Answer in verse.\n\nNever explain. "]
    lines = []
    while len(lines) < count:
        said = [rng.choice(contents) for _ in range(rng.randint(1, 7))]
        lines.append({"messages": turns(*said, system=rng.choice(systems)), "add_generation_prompt": len(said) % 2 == 1 and rng.random() < 0.8})
    return lines


