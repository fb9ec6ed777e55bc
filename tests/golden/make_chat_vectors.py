"""Writes tests/golden/rl/chat/vectors.json: conversations as transformers renders them.

Each row: a template, the variables it may read, the messages, add_generation_prompt, and the text, or that the
template refuses them; with the date given to strftime_now where it asks for one, and the byte ranges inside
{% generation %} blocks where it has some. SmolLM2's template goes through the tokenizer's own
apply_chat_template; the others through the environment that transformers compiles every chat template in.

Run: .deps/golden/bin/python tests/golden/make_chat_vectors.py
"""
import datetime
import json
import os
import pathlib

os.environ["HF_HUB_OFFLINE"] = "1"

import gguf
from texts import turns
from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import _compile_jinja_template, _render_with_assistant_indices

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
# In the shape of Llama 3.2's.
DATED = """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not tools_in_user_message is defined %}
    {%- set tools_in_user_message = true %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- The system turn is taken apart from the rest. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content'] | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{{- "<|start|>system<|end|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none and not tools_in_user_message %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- eos_token }}
{%- if tools_in_user_message and not tools is none %}
    {%- if messages | length != 0 %}
        {%- set first_user_message = messages[0]['content'] | trim %}
        {%- set messages = messages[1:] %}
    {%- else %}
        {{- raise_exception("Cannot put tools in the first user message when there's no first user message!") }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start|>' + message['role'] + '<|end|>\\n\\n' + message['content'] | trim + eos_token }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls | length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '{"name": "' + tool_call.name + '", "parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start|>ipython<|end|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- eos_token }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start|>assistant<|end|>\\n\\n' }}
{%- endif %}
"""
# In the shape of Mistral's third: a namespace counts, the last user turn carries the system turn.
COUNTED = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}

{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or message.role == "tool_results" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("After the optional system message, conversation roles must alternate") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}

{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}
                        {{- '"' + key + '": "' + val + '"' }}
                    {%- else %}
                        {{- '"' + key + '": ' + val|tojson }}
                    {%- endif %}
                    {%- if not loop.last %}{{- ", " }}{%- endif %}
                {%- endfor %}
            {%- endfor %}
            {{- "[/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {%- if (message == user_messages[-1]) and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported: " ~ message) }}
    {%- endif %}
{%- endfor %}
"""
# In the shape of SmolLM3's: a macro, thinking switched on or off by the system turn, generation blocks.
THINKING = """{%- if enable_thinking is not defined -%}
{%- set enable_thinking = true -%}
{%- endif -%}
{%- macro turn(role, text='', end='<|im_end|>\\n') -%}
    {{- '<|im_start|>' + role + '\\n' + text + end -}}
{%- endmacro -%}
{%- if messages[0].role == "system" -%}
  {%- set system_message = messages[0].content -%}
  {%- if "/no_think" in system_message -%}
    {%- set reasoning_mode = "/no_think" -%}
  {%- elif "/think" in system_message -%}
    {%- set reasoning_mode = "/think" -%}
  {%- endif -%}
  {%- set custom_instructions = system_message.replace("/no_think", "").replace("/think", "").rstrip() -%}
{%- endif -%}
{%- set reasoning_mode = reasoning_mode | default("/think" if enable_thinking else "/no_think", true) -%}
{{- turn('system', 'Knowledge Cutoff Date: June 2025\\nToday Date: ' ~ strftime_now("%d %B %Y") ~ '\\nReasoning Mode: ' + reasoning_mode + '\\n\\n' + custom_instructions | default('You are helpful.', true)) -}}
{% for message in messages if message.role != 'system' %}
    {%- set content = message.content if message.content is string else "" -%}
    {%- if message.role == "user" -%}
        {{ turn(message.role, text=content) }}
    {%- elif message.role == "assistant" -%}
        {% generation %}
        {%- if reasoning_mode == "/think" -%}
            {{- turn("assistant", content.lstrip("\\n")) -}}
        {%- else -%}
            {%- set answer = (content.split('</think>') | last).strip() -%}
            {{- turn("assistant", "<think>\\n\\n</think>\\n" ~ answer) -}}
        {%- endif -%}
        {% endgeneration %}
    {%- elif message.role == "tool" -%}
        {{- turn(end='<|im_end|>\\n', role='user', text=content) }}
    {%- endif -%}
{%- endfor %}
{%- if add_generation_prompt -%}
    {{- turn("assistant", end='') if reasoning_mode == "/think" else turn("assistant", "<think>\\n\\n</think>\\n", '') -}}
{%- endif -%}
"""
# Llama 2's and Code Llama's: the system turn inside the first user turn.
SYS = "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'system' %}{{ '<<SYS>>\\n' + content.strip() + '\\n<</SYS>>\\n\\n' }}{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
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
SMALL_SPOKEN = len(SMALL)  # rules up to here depend on what is said
SMALL += [
    # numbers
    "{{ 2 * 3 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 / 2 }} {{ 6 / 2 }} {{ 2 ** 3 ** 2 }} {{ 2 ** 10 }} {{ -2 ** 2 }} {{ +3 - -3 }} {{ -7 % -3 }} {{ 7 // -2 }}",
    "{{ 1.5 }} {{ 1.0 }} {{ 0.1 + 0.2 }} {{ 1e16 }} {{ 1e15 }} {{ 1e-4 }} {{ 1e-5 }} {{ 123456.789 }} {{ 1e22 }} {{ 1.5e300 * 1e10 }} {{ 0.1 * 3 }} {{ -0.0 }} {{ 1 / 3 }} {{ 100.0 }} {{ 5e-324 }} {{ 1.7976931348623157e308 }} {{ 1E3 }}",
    "{{ 7.5 // 2 }} {{ -7.5 // 2 }} {{ 7.5 % 2 }} {{ -7.5 % 2 }} {{ 7.5 % -2 }} {{ -1.0 // 3 }} {{ 0.0 // -3 }} {{ 6.0 % 3 }} {{ 1 == 1.0 }} {{ 1.5 > 1 }} {{ true + 1 }} {{ true + 0.5 }} {{ -true }}",
    "{{ 'ab' * 3 }}{{ 2 * 'c' }}{{ 'x' * 0 }}{{ 'x' * -1 }}{{ [1] * 2 }}{{ (1, 2) * 2 }}",
    "{{ 1 < 2 < 3 }}{{ 1 < 3 < 2 }}{{ 1 == 1.0 == true }}{{ 1 < 2 != 3 in [3] }}{{ 'a' in 'ab' in ['ab'] }}",
    "{{ 999999999999999999 }} {{ 999999999999999999 * 9 }} {{ 0 }}",
    "{{ 9223372036854775807 }}", "{{ 1 // 0 }}", "{{ 1 / 0 }}", "{{ 1.0 % 0 }}", "{{ 'a' - 1 }}", "{{ 'a' < 1 }}", "{{ [1] + (2,) }}", "{{ none + 1 }}", "{{ -'a' }}",
    "{{ '42' | int }} {{ ' -7 ' | int + 1 }} {{ 'x' | int }} {{ 'x' | int(5) }} {{ 'x' | int(default=6) }} {{ 3.9 | int }} {{ -3.9 | int }} {{ none | int }} {{ true | int }} {{ '' | int }} {{ [] | int }}",
    # printing lists and dictionaries
    "{{ [1, 'a', none, true, 1.5, [], {}, (), (1,), (1, 2)] }} {{ {'b': 1, 'a': 'x', 'c': {'d': [false]}} }}",
    "{{ ['it\\'s', 'say \"x\"', 'both \\' and \"', 'a\\nb\\tc\\rd\\\\e', '\\x00\\x1f\\x7f\\x80\\xa0\\xad', 'héllo 你好 🙂 …'] }}",
    "{{ [missing] }}{{ messages[:1] }}",
    "{{ 1, 2 }} {{ (1, 2)[1] }} {{ () | length }} {{ (1, 2) == [1, 2] }} {{ (1, 2) == (1, 2) }} {{ (1) }} {{ (1, ) }}",
    "{% set x = 1, 'b' %}{{ x }}{% set a, b = x %}{{ b }}{{ a }}{% set (c, d) = [3, 4] %}{{ c + d }}{% set e, f = 'xy' %}{{ f }}",
    "{% set a, b = [1, 2, 3] %}", "{% set a, b = 5 %}", "{% set a, b = missing %}",
    # dictionaries keep their order
    "{{ {'z': 1, 'y': 2, 'x': 3, 'y': 4} | tojson }}{% for k in {'q': 1, 'p': 2} %}{{ k }}{% endfor %}{% for k, v in {'q': 1, 'p': 2}.items() %}{{ k }}={{ v }}{{ ',' if not loop.last }}{% endfor %}",
    "{% set d = {'b': 1, 'a': none} %}{{ d.b }}{{ d['a'] }}{{ d.get('b') }}{{ d.get('q') }}{{ d.get('q', 7) }}{{ d.keys() | list }}{{ d.values() | list }}{{ d.items() | list }}{{ d | items | list }}{{ d | list }}{{ d | length }}{{ d.items() | length }}{{ 'b' in d.keys() }}{{ 1 in d.values() }}",
    "{{ dict(a=1, b='x') }}{{ dict({'q': 1}, r=2) }}{{ dict() }}{{ {'a': 1} == {'a': 1.0} }}{{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }}{{ {} == [] }}",
    "{{ {'a': {'b': 1}}['a']['b'] }}{{ {'a': {'b': {'c': 2}}}}}{{ {'a': 1}.b is defined }}{{ {'items': 5}['items'] }}{{ {'a': 1}[0] is defined }}{{ {'a': 1}[none] is defined }}",
    "{% for m in messages %}{{ m | tojson }}{% for k, v in m.items() if k != 'role' %}{{ loop.index }}{{ k }}{{ loop.last }}{% endfor %}{% endfor %}",
    # tojson
    "{{ messages | tojson }}",
    "{{ messages | tojson(indent=2) }}{{ {} | tojson(indent=4) }}{{ [] | tojson(indent=4) }}{{ [[], {}, [1]] | tojson(indent=1) }}{{ [1] | tojson(indent=0) }}{{ [1, [2]] | tojson(indent='--') }}{{ [1] | tojson(indent=none) }}",
    "{{ messages | tojson(ensure_ascii=true) }}{{ [1, {'a': 2}] | tojson(separators=(',', ':')) }}{{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }}{{ messages | tojson(true) }}{{ [1, {'a': 2}] | tojson(indent=2, separators=(';', '=')) }}",
    "{{ ['\"', '\\\\', '/', '<>&\\'', '\\n\\r\\t\\b\\f', '\\x00\\x1f\\x7f', 'é\\u2028🙂', none, true, false, 1, -2, 1.0, 1e20, 1e-7, 0.1] | tojson }}",
    "{{ missing | tojson }}", "{{ [missing] | tojson }}", "{{ {'a': 1}.items() | tojson }}", "{{ range(3) | tojson }}", "{{ 'a' | tojson }}{{ none | tojson }}{{ 1 | tojson }}{{ (1, 'b') | tojson }}",
    # filters
    "{{ missing | default('d') }}{{ none | default('d') }}{{ none | default('d', true) }}{{ '' | d('e', boolean=true) }}{{ missing | d }}{{ missing.x | default('never') if false }}{{ 0 | default(default_value=9, boolean=true) }}",
    "{{ messages | map(attribute='role') | join(', ') }} {{ messages | map(attribute='x', default='-') | join }} {{ ['a ', ' b'] | map('trim') | join('|') }} {{ [1, 2] | join('-') }} {{ messages | join(';', attribute='role') }} {{ 'abc' | join('.') }} {{ [none, true, 1.0] | join(',') }}",
    "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}{{ messages | rejectattr('role', '==', 'user') | list | length }}{{ messages | selectattr('tool_calls') | list }}{{ messages | selectattr('tool_calls', 'undefined') | list | length }}{{ messages | selectattr('role', 'defined') | list | length }}{{ messages | rejectattr('role', 'in', ['user', 'system']) | map(attribute='role') | list }}{{ messages | selectattr('role', 'ne', 'user') | map(attribute='role') | list }}",
    "{{ [1, 0, 2, none, 3] | select | list }}{{ [1, 2, 3, 4] | select('odd') | list }}{{ [1, 2, 3] | reject('gt', 1) | list }}{{ [1, 2, 3, 6] | select('divisibleby', 3) | list }}{{ missing | select | list }}{{ none | selectattr('a') | list }}{{ missing | map('upper') | list }}",
    "{{ [{'a': {'b': 1}}, {'a': {'b': 2}}] | map(attribute='a.b') | list }}{{ [[1, 2], [3, 4]] | map(attribute=1) | list }}{{ [[1, 2], [3, 4]] | map(attribute='0') | list }}{{ ['b', 'a'] | map('upper') | list }}{{ ['x-y'] | map('replace', '-', '+') | first }}",
    "{{ [3, 1, 2] | first }}{{ [3, 1, 2] | last }}{{ [] | first }}{{ 'xyz' | last }}{{ {'k': 1} | first }}{{ messages | map(attribute='role') | first }}{{ [] | last is defined }}{{ missing | first is defined }}{{ missing | last is defined }}",
    "{{ [3, 1, 2] | sort }}{{ ['b', 'A', 'c', 'B'] | sort }}{{ ['b', 'A', 'c', 'B'] | sort(case_sensitive=true) }}{{ [3, 1, 2] | sort(reverse=true) }}{{ ['b', 'B', 'a'] | sort(true) }}{{ messages | sort(attribute='role') | map(attribute='role') | list }}{{ [1, 2.5, true] | sort }}",
    "{{ [1, 2, 1, 3, 2] | unique | list }}{{ ['a', 'A', 'b'] | unique | list }}{{ ['a', 'A'] | unique(true) | list }}{{ messages | unique(attribute='role') | map(attribute='role') | list }}",
    "{{ 'abc' | reverse }}{{ [1, 2, 3] | reverse | list }}{{ 'hé🙂' | reverse }}{{ [1, 2] | reverse | first }}{{ [1, 2] | map('string') | reverse }}",
    "{{ 'hello WORLD it\\'s 3rd-rate (yes) [no] {so} <a>' | title }}|{{ 'hello WORLD' | capitalize }}|{{ 'aBc' | upper }}{{ 'aBc' | lower }}|{{ 1 | upper }}|{{ '你好 ok' | upper }}|{{ '你好ok' | title }}",
    "{{ 'a-b-c' | replace('-', '+') }}{{ 'a-b-c' | replace('-', '+', 1) }}{{ 'a-b-c' | replace(old='b', new='') }}{{ 123 | replace(2, 'x') }}{{ 'aaa' | replace('aa', 'b') }}{{ 'a' | replace('a', 'b', count=0) }}",
    "{{ 'xxaxx' | trim('x') }}|{{ ' a ' | trim(chars=none) }}|{{ '\u3000é\u2003' | trim }}|{{ 5 | trim }}|{{ 'éaé' | trim('éx') }}|{{ [1] | string }}|{{ 'a' | string | length }}|{{ 'héé' | length }}",
    "{{ 'ab' | list }}{{ missing | list }}{{ (1, 2) | list }}{{ range(3) | list }}", "{{ none | list }}", "{{ 5 | length }}", "{{ messages | map(attribute='role') | length }}", "{{ 5 | first }}", "{{ [1, 'a'] | sort }}", "{{ none | join }}", "{{ [1] | map('nonsense') | list }}", "{{ [1] | select('nonsense') | list }}",
    "{{ messages | map(attribute='role') is string }}{{ messages | map(attribute='role') is iterable }}{{ messages | map(attribute='role') is sequence }}{{ (messages | selectattr('nothing'))[0] is defined }}{{ true if messages | selectattr('nothing') else false }}",
    # methods
    "{{ 'a,b,,c'.split(',') }}{{ ' a  b '.split() }}{{ 'a,b,c'.split(',', 1) }}{{ 'a b  c '.split(none, 1) }}{{ 'a,b,c'.split(sep=',', maxsplit=0) }}{{ ''.split() }}{{ ''.split(',') }}{{ 'x</think>y</think>z'.split('</think>')[-1] }}{{ 'a b'.split(maxsplit=0) }}{{ 'a\u3000b'.split() }}{{ 'aXXbXXXc'.split('XX') }}",
    "{{ 'a'.split('') }}", "{{ 'a'.split(1) }}", "{{ none.split() }}", "{{ 'a'.nonsense }}", "{{ missing.strip() }}", "{{ messages[0].content.nothing() }}",
    "{{ 'xxhixx'.strip('x') }}|{{ 'xxhixx'.lstrip('x') }}|{{ 'xxhixx'.rstrip('x') }}|{{ '\\n a \\n'.strip('\\n') }}|{{ 'abc'.strip('') }}|{{ 'éaé'.strip('é') }}|{{ ' a '.strip(none) }}",
    "{{ 'abc'.startswith(('x', 'a')) }}{{ 'abc'.endswith(('x', 'a')) }}{{ 'abc'.find('c') }}{{ 'abc'.find('x') }}{{ 'héllo'.find('l') }}{{ 'abc'.find('') }}{{ 'aab'.find('ab') }}{{ 'abc'.startswith('') }}",
    "{{ 'hello wORLD they\\'re 3rd'.title() }}|{{ 'hELLO'.capitalize() }}|{{ 'aB'.upper() }}{{ 'aB'.lower() }}|{{ 'a-b'.replace('-', '') }}{{ 'aaaa'.replace('a', 'b', 2) }}|{{ ', '.join(['a', 'b']) }}|{{ '-'.join('abc') }}",
    "{{ 'prefix-x'.removeprefix('prefix-') }}{{ 'x.txt'.removesuffix('.txt') }}{{ 'x'.removesuffix('') }}{{ 'a\\nb\\r\\nc\\u2028d\\n'.splitlines() }}{{ 'a\\n\\nb'.splitlines(true) }}{{ ''.splitlines() }}",
    "{{ ','.join([1]) }}", "{{ 'a'.upper(1) }}", "{{ 'a'.startswith(1) }}", "{{ {'a': 1}.get() }}",
    # subscripts and slices
    "{{ 'héllo'[1] }}{{ 'héllo'[-1] }}{{ 'abc'[9] is defined }}{{ 'héllo'[1:3] }}{{ 'abc'[::-1] }}{{ 'abcdef'[::2] }}{{ 'abcdef'[4:1:-1] }}{{ 'abc'[-2:] }}{{ 'abc'[:-1] }}{{ 'abc'[5:] }}{{ 'abc'[2:1] }}{{ 'abc'[none:2] }}{{ 'abc'[:] }}",
    "{{ [1, 2, 3, 4, 5][::-1] }}{{ [1, 2, 3, 4, 5][1:4:2] }}{{ [1, 2, 3, 4, 5][-1:-4:-1] }}{{ [1, 2, 3][10:0:-1] }}{{ [1, 2, 3][-99:99] }}{{ (1, 2, 3)[1:] }}{{ range(5)[1:3] | list }}{{ [1, 2, 3][true:] }}{{ [1, 2, 3][::99] }}{{ [1, 2, 3][::-99] }}{{ [1, 2, 3][99::-99] }}",
    "{{ [1][::0] }}", "{% set x = none %}{{ x[1:] }}", "{% set x = {'a': 1} %}{{ x[1:] }}", "{% set x = [1] %}{% set y = 'a' %}{{ x[y:] }}", "{{ {}.keys()[1:] }}", "{{ {}.keys()[0] is defined }}{{ namespace()[0] is defined }}", "{{ missing[0] }}", "{{ missing[:1] }}",
    "{{ none[0] is defined }}{{ none.a is defined }}{{ none['a'] is defined }}{{ 5[0] is defined }}{{ [1, 2].x is defined }}{{ [1, 2]['x'] is defined }}{{ 'abc'.x is defined }}{{ [1][true] is defined }}{{ [1, 2][1.0] is defined }}{{ [[1, 2], [3]].0.1 }}",
    "{% for m in messages[::-1] %}{{ loop.index0 }}{{ m.role }}{% endfor %}",
    # tests
    "{{ 1 is number }}{{ 1.5 is number }}{{ true is number }}{{ '1' is number }}{{ 1 is integer }}{{ true is integer }}{{ 1.0 is integer }}{{ 1.0 is float }}{{ true is boolean }}{{ 1 is boolean }}{{ 0 is false }}{{ false is false }}{{ none is none }}",
    "{{ {} is mapping }}{{ [] is mapping }}{{ [] is iterable }}{{ 'a' is iterable }}{{ 5 is iterable }}{{ {} is iterable }}{{ none is iterable }}{{ missing is iterable }}{{ [] is sequence }}{{ 'a' is sequence }}{{ {} is sequence }}{{ 5 is sequence }}{{ missing is sequence }}{{ range(2) is sequence }}{{ {}.keys() is sequence }}{{ missing is mapping }}{{ missing is string }}{{ missing is none }}",
    "{{ 1 is eq 1 }}{{ 1 is equalto(1) }}{{ 'a' is ne 'b' }}{{ 1 is in [1, 2] }}{{ 3 is not in [1, 2] }}{{ 3 is odd }}{{ 4 is even }}{{ 9 is divisibleby 3 }}{{ 9 is divisibleby(2) }}{{ 9 is not divisibleby 2 }}{{ 3 is gt 2 }}{{ 3 is lt 2 }}{{ 3 is ge 3 }}{{ 3 is le 3 }}{{ true is sameas true }}{{ 1 is sameas true }}{{ none is sameas none }}{{ -3 is odd }}{{ 2.0 is even }}",
    "{{ 'a' if messages[0].role is defined else 'b' }}{{ 1 is defined and 2 is defined }}{{ not missing is defined }}{{ (1 is odd) is true }}{{ [1, 2] is eq [1, 2] }}{{ 'x' ~ 3 is odd }}{{ 1 + 2 is odd }}",
    "{{ 'a' is odd }}", "{{ 1 is defined is true }}", "{{ 1 is defined if true }}", "{{ [] in {} }}", "{{ 1 in 5 }}", "{{ 1 in '1' }}",
    # statements
    "{% for a, b in [(1, 2), [3, 4], 'xy'] %}{{ a }}-{{ b }};{% endfor %}{% for (a, b) in {'k': 'v'}.items() %}{{ a ~ b }}{% endfor %}{% for x in 1, 2 %}{{ x }}{% endfor %}",
    "{% for a, b in [1] %}{% endfor %}", "{% for a in 5 %}{% endfor %}", "{% for a in none %}{% endfor %}",
    "{% for m in messages if m.role == 'user' %}{{ loop.index }}/{{ loop.length }}{{ loop.first }}{{ loop.last }}{{ loop.revindex }} {% else %}none{% endfor %}{% for m in messages if m.role == 'nobody' %}x{% else %}nobody{% endfor %}{% for x in [] %}{% else %}e{% endfor %}{% for x in [1] if x > 5 %}{% else %}{{ messages | length }}{% endfor %}",
    "{% for c in 'héy' %}{{ c }}.{{ loop.previtem }}{{ loop.nextitem }} {% endfor %}{% for x in [1, 2] %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{{ loop.depth }}{{ loop.depth0 }}{% for y in [1] %}{{ loop.depth }}{% endfor %}{% endfor %}{% for x in [1, 2, 3] %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% else %}never{% endfor %}{% for x in [1, 2] %}{% for y in [1, 2, 3] %}{% if y == 2 %}{% break %}{% endif %}{{ x }}{{ y }} {% endfor %}{% endfor %}{% for x in [1, 2] %}{% for y in [] %}{% else %}{% continue %}{% endfor %}never{% endfor %}",
    "{% break %}",
    "{{ range(3) | list }}{{ range(1, 3) | list }}{{ range(5, 0, -2) | list }}{{ range(3)[1] }}{{ range(0) | list }}{{ range(3) == range(0, 3) }}{{ 2 in range(3) }}", "{{ range(3, 1, 0) }}", "{{ range('a') }}", "{{ range(100001) | list | length }}", "{{ range(100000) | list | length }}",
    "{% set ns = namespace(n=0, seen=[]) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% set ns.seen = ns.seen + [m.role] %}{% endfor %}{{ ns.n }}{{ ns.seen }}{{ ns.nothing is defined }}{{ ns['n'] }}{% set ns.new = 'x' %}{{ ns.new }}",
    "{% set x.y = 1 %}", "{% set x = {} %}{% set x.y = 1 %}", "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a + ns.b }}",
    "{% set x %}  a {{ 1 + 1 }}\n{% endset %}[{{ x }}]{% set y | trim | upper %} b {% endset %}[{{ y }}]{% set ns = namespace() %}{% set ns.z %}q{% set inner = 1 %}{% endset %}{{ ns.z }}{{ inner is defined }}",
    "{% macro m(a, b='B', c=a ~ '!') %}<{{ a }}{{ b }}{{ c }}>{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(b=3, a=4) }}{{ m() }}{{ m(1, c=none) }}{{ m('x') | length }}{{ m(1) is string }}",
    "{% macro m(a) %}{% set x = a %}{{ x }}{{ y }}{% endmacro %}{% set y = 'out' %}{{ m(1) }}{% set y = 'new' %}{{ m(2) }}{{ x is defined }}{% for y in [5] %}{{ m(3) }}{% endfor %}",
    "{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}{% macro g(items) %}{% for i in items %}{{ loop.index }}{{ f(i) }},{% endfor %}{% endmacro %}{% for q in [1] %}{{ g([1, 2]) }}{{ loop.index }}{% endfor %}",
    "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}", "{{ m() }}{% macro m() %}{% endmacro %}", "{% macro m() %}{{ loop.index }}{% endmacro %}{% for x in [1] %}{{ m() }}{% endfor %}",
    "{% if true %}{% macro m() -%}\n  in if\n{%- endmacro %}{% endif %}[{{ m() }}]",
    "{% for x in [1, 2] %}{% if x == 1 %}{% set y = 'one' %}{% endif %}{{ y }};{% endfor %}{{ y is defined }}",
    "{% if (1, 2) %}t{% endif %}{% if 1.5 %}t{% endif %}{% if 0.0 %}f{% endif %}{% if () %}f{% endif %}{% if {} %}f{% endif %}{% if range(0) %}f{% endif %}",
    "{{ range is defined }}{{ namespace is defined }}{{ raise_exception is defined }}{{ nothing is defined }}{{ strftime_now is defined }}",
    # strings
    "{{ '\\101\\60\\0x\\777' | length }}{{ '\\101\\60' }}{{ 'a\\\nb' }}{{ 'a\nb' }}{{ '\\8' }}{{ \"\\'\" }}{{ '\\U0001F642' }}",
    "{{- {'a': [1, {'b': 2}]} -}}\n  {{ [{'a': 1}] }}",
    "{{ ((1 + 2) * 3) ~ [(1)] }}{{ not 1 == 2 }}{{ 'a' if 0 else 'b' if 1 else 'c' }}{{ ('x' if 0) is defined }}{{ [1, 2,] }}{{ {'a': 1,} }}",
    # generation blocks stand open
    "a{% generation %}\n b {{ messages[0].role }}\n{% endgeneration %}\nc{% for m in messages %}{{ m.role }}{% generation %}{{ loop.index }}é{% set z = 1 %}{% endgeneration %}{{ z is defined }}{% endfor %}{%- generation -%} x {%- endgeneration -%} y",
]


DATES = [datetime.datetime(2024, 7, 6), datetime.datetime(2025, 1, 1, 0, 5, 9), datetime.datetime(2024, 12, 31, 13, 40)]
DATE_FORMATS = "{{ strftime_now('%Y-%m-%d %H:%M:%S %y %b %B %a %A %d %e %-d %-m %j %I %-I %p %F %T 100%% é') }}"


def render(template, variables, messages, prompt, now):
    names = {"tools": None, "documents": None, "add_generation_prompt": prompt, **variables}
    if now:
        names["strftime_now"] = now.strftime
    compiled = _compile_jinja_template(template)
    row = {"text": compiled.render(messages=messages, **names)}
    if "{% generation" in template:
        text, spans = _render_with_assistant_indices(compiled, messages, names.pop("tools"), names.pop("documents"), names.pop("add_generation_prompt"), **names)
        assert text == row["text"]
        row["generated"] = [[len(text[:at].encode()) for at in span] for span in spans]
    return row


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
    whole = [CHATML, INST, DATED, COUNTED, THINKING, SYS]
    thoughts = [turns("Hi", "<think>\nfirst\n</think>\n\nthen", "Go on", "<think></think>x", system="Be brief. /no_think"), turns("Hi", "\n\nYes", "é", system="/think"), turns("Hi", "<think>a</think>b", "c")]
    some = CONVERSATIONS[1:5:3] + CONVERSATIONS[5:9]
    jobs = [(template, messages, None) for template in whole for messages in CONVERSATIONS + thoughts]
    for template in SMALL[:SMALL_SPOKEN]:
        jobs += [(template, messages, None) for messages in some]
    for template in SMALL[SMALL_SPOKEN:]:
        jobs += [(template, messages, None) for messages in (some[:2] if "messages" in template else some[:1])]
    jobs += [(DATE_FORMATS, some[0], now) for now in DATES]
    for template, messages, now in jobs:
        now = now or ("strftime_now(" in template and DATES[0])
        row = {"template": template, "variables": variables, "messages": messages, "prompt": messages[0]["role"] == "user"}
        if now:
            row["now"] = [now.year, now.month, now.day, now.hour, now.minute, now.second]
        try:
            row.update(render(template, variables, messages, row["prompt"], now))
        except Exception as error:
            row["refused"] = str(error)
        rows.append(row)
    text = "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows) + "\n]\n"
    (OUT / "vectors.json").write_text(text, newline="\n")
    print(len(rows), "rows,", sum("refused" in row for row in rows), "refused by the template itself,", len(text), "bytes")


main()
