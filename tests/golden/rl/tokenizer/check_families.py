"""The real tokenizers and chat templates of the families against the packages they were made for: ids and
decoded text of 10,000 strings each against `tokenizers`, 50 conversations each against transformers.

usage: check_families.py TEXT_LINES [FAMILY ...]"""
import base64
import json
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
ROOT = pathlib.Path(__file__).resolve().parents[4]
TOKENIZERS = ROOT / ".deps/tokenizers"
STRINGS = 10_000
sys.path.insert(0, str(ROOT / "tests/golden"))

try:
    import tokenizers
    import transformers
    from transformers.utils.chat_template_utils import _compile_jinja_template
except ImportError as missing:
    print(f"skipped: {missing}; scripts/setup --tests brings the packages")
    sys.exit(77)
if not (TOKENIZERS / ".complete").exists():
    print("skipped: scripts/setup --tests brings the tokenizers")
    sys.exit(77)

from texts import conversations, strings


def mistral(folder):
    """mistral-tokenizer-js holds the vocabulary and merges of Mistral's first tokenizer; the rest of its
    tokenizer.json is Llama 2's."""
    source = (TOKENIZERS / "mistral/mistral-tokenizer.js").read_text()
    blob = lambda name: base64.b64decode(re.search(rf'const {name} = "([^"]+)"', source).group(1))
    vocabulary = blob("vocab_base64").decode().split("\n")
    ids = struct.unpack(f"<{len(blob('merges_binary')) // 2}H", blob("merges_binary"))
    data = json.loads((TOKENIZERS / "llama2/tokenizer.json").read_text())
    data["model"]["vocab"] = {token: i for i, token in enumerate(vocabulary)}
    data["model"]["merges"] = [f"{vocabulary[a]} {vocabulary[b]}" for a, b in zip(ids[::2], ids[1::2])]
    (folder / "tokenizer.json").write_text(json.dumps(data))


def answers(program, folder, lines):
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([program, str(folder)], input=text, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"text_lines {folder}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.split("\n") if line]


failed = False


def report(what, wrong, total):
    global failed
    print(f"{'ok  ' if not wrong else 'FAIL'} {what}: {total - len(wrong)} of {total}", flush=True)
    for text, ours, theirs in wrong[:3]:
        print(f"     {text!r}\n       ours   {ours!r}\n       theirs {theirs!r}")
    failed = failed or bool(wrong)


def check_tokenizer(name, program, folder):
    oracle = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    specials = [token.content for token in oracle.get_added_tokens_decoder().values() if token.special]
    texts = strings(specials[:40], random.Random(11), STRINGS)
    ours = answers(program, folder, [{"text": text} for text in texts])
    ids = [e.ids for e in oracle.encode_batch(texts, add_special_tokens=False)]
    whole = [e.ids for e in oracle.encode_batch(texts)]
    decoded = oracle.decode_batch(ids, skip_special_tokens=False)
    bare = oracle.decode_batch(whole, skip_special_tokens=True)
    for key, theirs in [("ids", ids), ("whole", whole), ("decoded", decoded), ("bare", bare), ("streamed", decoded)]:
        report(f"{name}: {key}", [(t, o[key], w) for t, o, w in zip(texts, ours, theirs) if o[key] != w], len(texts))


def check_template(name, program, folder):
    settings = json.loads((folder / "tokenizer_config.json").read_text()) if (folder / "tokenizer_config.json").exists() else {}
    if "chat_template" not in settings:
        print(f"     {name}: its package has no chat template")
        return
    template = _compile_jinja_template(settings["chat_template"])
    plain = lambda token: token["content"] if isinstance(token, dict) else token
    variables = {key: plain(settings[key]) for key in ["bos_token", "eos_token", "unk_token", "pad_token"] if settings.get(key)}
    lines = conversations(50)
    ours = answers(program, folder, lines)
    wrong, rendered = [], 0
    for line, answer in zip(lines, ours):
        try:
            theirs = template.render(messages=line["messages"], add_generation_prompt=line["add_generation_prompt"], tools=None, documents=None, **variables)
            rendered += 1
        except Exception as refused:
            theirs = None
        if answer.get("rendered") != theirs:
            wrong.append((line, answer, theirs))
    report(f"{name}: conversations ({rendered} rendered, {len(lines) - rendered} refused by the template)", wrong, len(lines))


program, wanted = sys.argv[1], sys.argv[2:]
for name in wanted or ["llama2", "llama3_1", "mistral", "mistral_nemo", "qwen2_5", "qwen3"]:
    with tempfile.TemporaryDirectory() as made:
        folder = TOKENIZERS / name
        if name == "mistral":
            folder = pathlib.Path(made)
            mistral(folder)
        check_tokenizer(name, program, folder)
        check_template(name, program, folder)
sys.exit(1 if failed else 0)
