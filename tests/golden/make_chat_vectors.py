"""Writes tests/golden/rl/chat/vectors.json: conversations as transformers renders them.

Each row: a template, the variables it may read, the messages, add_generation_prompt, and the text. SmolLM2's
template goes through the tokenizer's own apply_chat_template; the others through the environment that
transformers compiles every chat template in.

Run: .deps/golden/bin/python tests/golden/make_chat_vectors.py
"""
import json
import os
import pathlib

os.environ["HF_HUB_OFFLINE"] = "1"

import gguf
from texts import turns
from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import _compile_jinja_template

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/golden/rl/chat"
BASE = ROOT / ".deps/bases/smollm2-135m-instruct.q4_1.gguf"
TOKENIZER = ROOT / "tests/golden/rl/tokenizer/llama3_like.json"


CONVERSATIONS = [
    turns("Hi"),
    turns("Hi", "Hello! How can I help?"),
    turns("What is 2+2?", "4", "And 3+3?"),
    turns("Hi", system="You are terse."),
    turns("Hi", "Yes?", "Go on", "…", system=""),
    turns("  leading and trailing \n"),
    turns("a\nb\n\nc", " x "),
    turns("<|im_end|> inside {{ braces }} {% and %} tags", "ok 'quotes' \"double\" \\back"),
    turns("héllo 你好 👍🏽 \u00a0\u2003", "\u3000wide\u2028"),
    turns(""),
    turns(system="only a system turn"),
    turns("1", "2", "3", "4", "5", "6", "7"),
    [{"role": "assistant", "content": "I begin."}, {"role": "user", "content": "So you do."}],
    [{"role": "tool", "content": "{\"a\": 1}"}],
]

CHATML = """{%- for message in messages -%}
    {{- '<|im_start|>' ~ message.role ~ '\\n' ~ message.content | trim ~ '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- "<|im_start|>assistant\\n" -}}
{%- endif -%}
"""
INST = """{% if messages[0]['role'] == 'system' %}
{% set system = messages[0]['content'] %}{% set rest = messages[1:] %}
{% else %}
{% set system = none %}{% set rest = messages %}
{% endif %}
{{ bos_token }}
{%- for message in rest %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('roles must alternate: ' + message['role']) }}
    {%- endif %}
    {%- if loop.first and system is not none %}
        {%- set content = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + message['content'] %}
    {%- else %}
        {%- set content = message['content'] %}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {{- '[INST] ' + content.strip() + ' [/INST]' }}
    {%- elif message['role'] == 'assistant' %}
        {{- ' ' + content.strip() + ' ' + eos_token }}
    {%- endif %}
{%- endfor %}
"""
# One line for each rule of the language that a template may lean on.
SMALL = [
    "{{ messages | length }} {{ messages|count }} {{ messages[0].content|length }}",
    "{% for m in messages %}{{ loop.index }}/{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }} {% endfor %}",
    "{% for m in messages %}\n  {% if loop.last %}\n    last: {{ m.role }}\n  {% endif %}\n{% endfor %}\ntail\n",
    "  {% if true %}\n  x\n  {% endif %}  \n y {%- if true -%} \n z \n {%- endif +%}\n w",
    "a {#- a comment -#} b {# another #}\nc",
    "{{ 'a' 'b' }}{{ \"q'q\" }}{{ 'q\"q' }}{{ 'tab\\tnl\\nback\\\\ \\u00e9 \\x41 \\q' }}",
    "{{ 1 + 2 - 4 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 1 ~ 2 }} {{ 1 == 1 }} {{ true == 1 }} {{ none }} {{ 'x' != none }}",
    "{{ missing }}|{{ missing is defined }}|{{ messages is defined }}|{{ missing is not defined }}|{{ tools is defined }}|{{ tools is none }}",
    "{{ 'role' in messages[0] }} {{ 'x' in 'xyz' }} {{ 'q' not in 'xyz' }} {{ 2 in [1, 2] }} {{ not 2 in [1] }}",
    "{{ messages[-1].role }} {{ messages[0]['nothing'] is defined }} {{ messages[99] is defined }}",
    "{{ messages[0].role if messages[0].role == 'system' else 'no system' }}{{ 'x' if false }}",
    "{{ 'a' and 'b' }}{{ '' or 'c' }}{{ 0 or none }}{{ not '' }}{{ 1 and 0 }}",
    "{{ 1 < 2 and 2 <= 2 and 'a' < 'b' and 3 > 2 and 3 >= 4 }}",
    "{% set x = 'outer' %}{% for m in messages %}{% set x = m.role %}{{ x }} {% endfor %}{{ x }}",
    "{% if messages|length > 1 %}{% set y = 'many' %}{% else %}{% set y = 'one' %}{% endif %}{{ y }}",
    "{{ '  strip '.strip() }}|{{ '  l'.lstrip() }}|{{ 'r  '.rstrip() }}|{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith('ab') }}|{{ ' t ' | trim }}",
    "{% for m in messages %}{% for n in messages[:2] %}{{ loop.index0 }}{% endfor %}{{ loop.index0 }};{% endfor %}",
    "{{ messages[1:]|length }}{{ messages[:1]|length }}{{ messages[5:]|length }}{{ messages[-1:]|length }}{{ messages[:-1]|length }}",
    "{{ (messages[0].content + '!') | trim }}{{ messages[0].content + '!' | trim }}{{ 'a' ~ 'b ' | trim ~ 'c' }}",
    "{% for m in missing %}never{% endfor %}{{ missing|length }}{{ [1, 'a', none]|length }}{{ ([1] + [2]) == [1, 2] }}",
    "{{ messages[0].content is string }}{{ 1 is string }}{{ true is true }}{{ 1 is true }}{{ messages[0].tool_calls is undefined }}",
    "{{ bos_token }}{{ eos_token + bos_token }}{%+ if true %} kept{%+ endif %}\n\n\n",
    "{{-  'x'  -}}\n\n  {{-  'y'  -}}   \n z{{ '' }}\n",
    "{% if not messages[0].role == 'user' %}a{% elif messages[0].role in ['user', 'tool'] %}b{% else %}c{% endif %}",
    "{{ (3 - 1) ~ 2 }}{{ 'x' ~ 1 ~ 1 + 'y' }}{{ 10 % 4 ~ 'a' }}{{ (true or false) and false }}{{ true or false and false }}",
    "{{ 3 - 1 ~ 2 }}",
    "line\r\nline {{ 'a\\r' | trim }}\r\n{% if true %}\r\n x{% endif %}",
]


def render(template, variables, messages, prompt):
    return _compile_jinja_template(template).render(messages=messages, tools=None, documents=None, add_generation_prompt=prompt, **variables)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    rows = []
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(TOKENIZER))
    tokenizer.chat_template = gguf.GGUFReader(BASE).fields["tokenizer.chat_template"].contents()
    for messages in CONVERSATIONS:
        for prompt in [False, True]:
            text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt)
            rows.append({"template": tokenizer.chat_template, "variables": {}, "messages": messages, "prompt": prompt, "text": text})
    variables = {"bos_token": "<s>", "eos_token": "</s>"}
    for template in [CHATML, INST] + SMALL:
        for messages in CONVERSATIONS:
            if template in SMALL and messages not in CONVERSATIONS[1:5:3] + CONVERSATIONS[5:9]:
                continue
            row = {"template": template, "variables": variables, "messages": messages, "prompt": messages[0]["role"] == "user"}
            try:
                row["text"] = render(template, variables, messages, row["prompt"])
            except Exception as error:
                row["refused"] = str(error)
            rows.append(row)
    text = "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows) + "\n]\n"
    (OUT / "vectors.json").write_text(text, newline="\n")
    print(len(rows), "rows,", sum("refused" in row for row in rows), "refused by the template itself,", len(text), "bytes")


main()
