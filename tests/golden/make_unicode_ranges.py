"""Writes rl/tokenizer/unicode_ranges.inc: which code points the `tokenizers` package counts as letters,
numbers and white space. Asked of the package itself, character by character, so that our splits are its
splits whatever Unicode version this machine's libraries carry.

Run: .deps/golden/bin/python tests/golden/make_unicode_ranges.py
"""
import pathlib

import tokenizers
from tokenizers import Regex, pre_tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[2]
POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def ranges(matches):
    """[first, last] runs of the code points for which matches() holds, surrogates left out."""
    runs = []
    for c in POINTS:
        if not matches(c):
            continue
        if runs and runs[-1][1] == c - 1:
            runs[-1][1] = c
        else:
            runs.append([c, c])
    return runs


def splits(pre_tokenizer):
    """A code point between two letters `a`: cut out when the pre-tokenizer isolates it."""
    def matches(c):
        return len(pre_tokenizer.pre_tokenize_str("a" + chr(c) + "a")) == 3
    return matches


def is_letter(c):
    # `-` keeps the character from joining letters at either side.
    pre = LETTER
    return len(pre.pre_tokenize_str("-" + chr(c) + "-")) == 3


LETTER = pre_tokenizers.Split(Regex(r"\p{L}"), "isolated")
TABLES = [
    ("kLetters", r"\p{L} of the pattern engine (Oniguruma)", is_letter),
    ("kNumbers", r"\p{N} of the pattern engine", splits(pre_tokenizers.Split(Regex(r"\p{N}"), "isolated"))),
    ("kSpaces", r"\s of the pattern engine", splits(pre_tokenizers.Split(Regex(r"\s"), "isolated"))),
    ("kDigits", "what the Digits pre-tokenizer cuts out", splits(pre_tokenizers.Digits(individual_digits=True))),
]


def main():
    lines = [f"// Made by tests/golden/make_unicode_ranges.py with tokenizers {tokenizers.__version__}: do not edit."]
    for name, what, matches in TABLES:
        runs = ranges(matches)
        lines.append(f"// {what}: {sum(b - a + 1 for a, b in runs)} code points in {len(runs)} ranges.")
        lines.append(f"constexpr Range {name}[] = {{")
        row = "   "
        for first, last in runs:
            item = f" {{0x{first:X}, 0x{last:X}}},"
            if len(row) + len(item) > 118:
                lines.append(row)
                row = "   "
            row += item
        lines += [row, "};"]
    (ROOT / "rl/tokenizer/unicode_ranges.inc").write_text("\n".join(lines) + "\n")


main()
