"""Writes tests/fuzz/corpus/<target>: small good files, and near misses, that libFuzzer starts from.

Run: .deps/golden/bin/python tests/fuzz/make_corpus.py
"""
import hashlib
import json
import pathlib
import shutil
import struct
import sys
import tempfile

import gguf
import numpy
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/fuzz/corpus"
sys.path.insert(0, str(ROOT / "tests/golden"))
from texts import CODE, SENTENCES  # noqa: E402

MODELS = ROOT / "tests/golden/rl/formats"
SPACE = "\u2581"


def put(target, name, data):
    path = OUT / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def dump(value):
    return json.dumps(value, ensure_ascii=False)


# --- safetensors ---------------------------------------------------------------------------------


def safetensors(header, data=b""):
    text = header if isinstance(header, str) else dump(header)
    return struct.pack("<Q", len(text.encode())) + text.encode() + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def write_safetensors():
    put("safetensors", "empty", safetensors("{}"))
    put("safetensors", "metadata", safetensors({"__metadata__": {"format": "pt", "x": "\u00e9"}}))
    sizes = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1,
             "U64": 8, "U32": 4, "U16": 2, "F8_E4M3": 1, "F8_E5M2": 1}
    header, at = {}, 0
    for dtype, size in sizes.items():
        header[dtype.lower()] = entry(dtype, [2], at, at + 2 * size)
        at += 2 * size
    put("safetensors", "every_type", safetensors(header, bytes(at)))
    header = {"a": entry("F32", [2, 3], 0, 24), "scalar": entry("F16", [], 24, 26), "none": entry("F32", [0, 7], 26, 26)}
    put("safetensors", "shapes", safetensors(header, bytes(range(26))))
    put("safetensors", "none_of_many", safetensors({"none": entry("F32", [0, 1 << 40, 1 << 40], 0, 0)}))
    put("safetensors", "overlap", safetensors({"a": entry("U8", [4], 0, 4), "b": entry("U8", [4], 2, 6)}, bytes(6)))
    put("safetensors", "gap", safetensors({"a": entry("U8", [1], 0, 1), "b": entry("U8", [1], 2, 3)}, bytes(3)))
    put("safetensors", "adapter", (MODELS / "adapter/adapter_model.safetensors").read_bytes())

    index = {"metadata": {"total_size": 2}, "weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}
    put("safetensors_index", "good", dump(index))
    put("safetensors_index", "real", (MODELS / "tiny_sharded/model.safetensors.index.json").read_bytes()[:3000])
    for name, shards in {"one": {"a": "1.safetensors"}, "none": {}, "up": {"a": "../1.safetensors"},
                         "itself": {"a": "model.safetensors.index.json"}, "dot": {"a": "."}}.items():
        put("safetensors_index", name, dump({"weight_map": shards}))


# --- GGUF ----------------------------------------------------------------------------------------


def made_gguf(architecture, fill):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "f.gguf"
        writer = gguf.GGUFWriter(path, architecture)
        fill(writer)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path.read_bytes()


def shape_keys(writer, heads=1):
    writer.add_context_length(16)
    writer.add_embedding_length(4)
    writer.add_feed_forward_length(2)
    writer.add_block_count(1)
    writer.add_head_count(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(500000.0)


def weights(writer, biases=False, head_norms=False):
    ones = lambda *shape: numpy.ones(shape, numpy.float32)
    writer.add_tensor("token_embd.weight", ones(3, 4))
    writer.add_tensor("output_norm.weight", ones(4))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        writer.add_tensor(f"blk.0.{name}.weight", ones(4, 4))
        if biases and name != "attn_output":
            writer.add_tensor(f"blk.0.{name}.bias", ones(4))
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", ones(4))
    if head_norms:
        for name in ("attn_q_norm", "attn_k_norm"):
            writer.add_tensor(f"blk.0.{name}.weight", ones(4))
    writer.add_tensor("blk.0.ffn_gate.weight", ones(2, 4))
    writer.add_tensor("blk.0.ffn_up.weight", ones(2, 4))
    writer.add_tensor("blk.0.ffn_down.weight", ones(4, 2))


def byte_tokens(writer, pre):
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(["a", "b", "ab", "<s>"])
    writer.add_token_types([1, 1, 1, 3])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(3)
    writer.add_eos_token_id(3)
    writer.add_add_bos_token(True)


def piece_tokens(writer):
    tokens = ["<unk>", "<s>", "<0x20>", SPACE, "a", "b", "ab", SPACE + "a"]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([2, 3, 6, 1, 1, 1, 1, 1])
    writer.add_token_scores([-float(i) for i in range(len(tokens))])
    writer.add_bos_token_id(1)
    writer.add_unk_token_id(0)
    writer.add_add_space_prefix(True)


def write_gguf():
    def llama(writer):
        shape_keys(writer)
        byte_tokens(writer, "gpt-2")
        weights(writer)

    def qwen2(writer):
        shape_keys(writer)
        byte_tokens(writer, "qwen2")
        weights(writer, biases=True)

    def qwen3(writer):
        shape_keys(writer)
        byte_tokens(writer, "qwen2")
        weights(writer, head_norms=True)

    def sentencepiece(writer):
        shape_keys(writer)
        writer.add_sliding_window(7)
        piece_tokens(writer)
        weights(writer)

    def yarn(writer):
        shape_keys(writer)
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(4.0)
        writer.add_rope_scaling_orig_ctx_len(8)
        writer.add_rope_scaling_attn_factors(1.5)
        weights(writer)

    def factors(writer):
        shape_keys(writer)
        for name, value in {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}.items():
            writer.add_float32(f"hone.rope.{name}", value)
        writer.add_uint32("hone.rope.original_context_length", 8192)
        writer.add_tensor("rope_freqs.weight", numpy.array([1.0, 8.0], numpy.float32))
        weights(writer)

    def keys(writer):
        writer.add_custom_alignment(64)
        writer.add_array("hone.eos_token_ids", [1, 2])
        for name, kind in (("u8", "uint8"), ("i8", "int8"), ("u16", "uint16"), ("i16", "int16"), ("i32", "int32"),
                           ("u64", "uint64"), ("i64", "int64")):
            getattr(writer, f"add_{kind}")(f"x.{name}", 7)
        writer.add_float64("x.f64", 0.25)
        writer.add_string("x.text", "na\u00efve")
        writer.add_array("x.floats", [1.5, -2.5])
        writer.add_array("x.bools", [True, False])
        writer.add_tensor("t", numpy.zeros((2, 32), numpy.float32))

    put("gguf", "llama", made_gguf("llama", llama))
    put("gguf", "qwen2", made_gguf("qwen2", qwen2))
    put("gguf", "qwen3", made_gguf("qwen3", qwen3))
    put("gguf", "sentencepiece", made_gguf("llama", sentencepiece))
    put("gguf", "yarn", made_gguf("llama", yarn))
    put("gguf", "factors", made_gguf("llama", factors))
    put("gguf", "keys", made_gguf("other", keys))

    types = gguf.GGMLQuantizationType
    blocks = {types.F32: (1, 4), types.F16: (1, 2), types.BF16: (1, 2), types.Q4_0: (32, 18), types.Q4_1: (32, 20),
              types.Q5_0: (32, 22), types.Q5_1: (32, 24), types.Q8_0: (32, 34), types.Q4_K: (256, 144),
              types.Q5_K: (256, 176), types.Q6_K: (256, 210)}

    def every_type(writer):
        for kind, (numbers, size) in blocks.items():
            row = numpy.frombuffer(hashlib.shake_128(kind.name.encode()).digest(size), numpy.uint8)
            writer.add_tensor(kind.name, row[None, :], raw_shape=(1, size), raw_dtype=kind)

    put("gguf", "every_type", made_gguf("other", every_type))


# --- configurations ------------------------------------------------------------------------------

SHAPE = {"vocab_size": 100, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4,
         "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
         "hidden_act": "silu", "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": False}
CLASSES = {"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "qwen2": "Qwen2ForCausalLM",
           "qwen3": "Qwen3ForCausalLM", "smollm3": "SmolLM3ForCausalLM"}


def write_configs():
    for kind, name in CLASSES.items():
        put("config", kind, dump({"model_type": kind, "architectures": [name], **SHAPE}))
        reward = {"architectures": [name.replace("CausalLM", "SequenceClassification")], "num_labels": 1}
        put("config", kind + "_score", dump({"model_type": kind, **reward, **SHAPE}))
        least = {key: SHAPE[key] for key in list(SHAPE)[:5]}
        put("config", kind + "_least", dump({"model_type": kind, **least, "head_dim": 4}))
    llama = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], **SHAPE}
    scalings = {
        "linear": {"type": "linear", "factor": 2.0},
        "dynamic": {"rope_type": "dynamic", "factor": 2.0},
        "llama3": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                   "original_max_position_embeddings": 32},
        "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "mscale": 1.0,
                 "mscale_all_dim": 0.5, "beta_fast": 16, "beta_slow": 2, "truncate": False},
    }
    for name, scaling in scalings.items():
        put("config", "rope_" + name, dump({**llama, "rope_scaling": scaling}))
    newer = {key: value for key, value in llama.items() if key != "rope_theta"}
    put("config", "rope_parameters", dump({**newer, "rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}))
    put("config", "lists", dump({**llama, "eos_token_id": [2, 3, 2], "pad_token_id": -1, "attention_bias": True, "mlp_bias": True}))
    windows = {"sliding_window": 8, "use_sliding_window": True, "max_window_layers": 2}
    put("config", "qwen2_windows", dump({"model_type": "qwen2", **SHAPE, **windows}))
    types = ["full_attention", "sliding_attention"] * 2
    put("config", "qwen3_layers", dump({"model_type": "qwen3", **SHAPE, **windows, "layer_types": types, "head_dim": 8}))
    put("config", "smollm3_layers", dump({"model_type": "smollm3", **SHAPE, **windows, "no_rope_layers": [1, 0, 1, 1]}))
    put("config", "smollm3_interval", dump({"model_type": "smollm3", **SHAPE, "no_rope_layer_interval": 2}))
    put("config", "tiny", (MODELS / "tiny/config.json").read_bytes())

    put("generation_config", "tiny", (MODELS / "tiny/generation_config.json").read_bytes())
    put("generation_config", "lists", dump({"bos_token_id": 1, "eos_token_id": [2, 3], "pad_token_id": 0, "temperature": 0.6}))
    put("generation_config", "one", dump({"eos_token_id": 99.0}))
    put("generation_config", "past", dump({"eos_token_id": 100}))

    put("adapter_config", "peft", (MODELS / "adapter/adapter_config.json").read_bytes())
    least = {"peft_type": "LORA", "r": 4, "lora_alpha": 8.5, "target_modules": ["q_proj", "v_proj"]}
    put("adapter_config", "least", dump(least))
    put("adapter_config", "rslora", dump({**least, "use_rslora": True, "init_lora_weights": "gaussian", "bias": "none",
                                          "task_type": "CAUSAL_LM", "base_model_name_or_path": "a/b"}))
    put("adapter_config", "reward", dump({**least, "task_type": "SEQ_CLS", "modules_to_save": ["classifier", "score"]}))
    put("adapter_config", "dora", dump({**least, "use_dora": True}))


# --- tokenizers ----------------------------------------------------------------------------------


def trained(model=None, pre=None, normalizer=None, decoder=None, post=None, added=(), specials=("<s>", "</s>"), vocab=90):
    tokenizer = Tokenizer(model or models.BPE())
    if pre:
        tokenizer.pre_tokenizer = pre
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoder or decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab, show_progress=False, special_tokens=list(specials))
    tokenizer.train_from_iterator(SENTENCES[:6] + CODE[:2], trainer)
    if added:
        tokenizer.add_tokens(list(added))
    if post:
        tokenizer.post_processor = post
    return json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":"))


def write_tokenizers():
    byte_level = lambda **options: pre_tokenizers.ByteLevel(add_prefix_space=False, **options)
    split = lambda pattern, **options: pre_tokenizers.Split(Regex(pattern), "isolated", **options)
    llama3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
              r"|\s+(?!\S)|\s+")
    template = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)])
    text = b"\xff" + "It's 12 o'clock <s>\n\n na\u00efve \U0001F600".encode()
    made = {
        "gpt2": trained(pre=byte_level()),
        "digits": trained(pre=pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level()])),
        "llama3": trained(pre=pre_tokenizers.Sequence([split(llama3), byte_level(use_regex=False)]), post=template,
                          normalizer=normalizers.NFC()),
        "removed": trained(pre=pre_tokenizers.Sequence([pre_tokenizers.Split(" ", "removed"), split("[0-9]+", invert=True),
                                                       byte_level(use_regex=True)])),
        "llama2": trained(
            model=models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True), specials=("<unk>", "<s>", "</s>", "<0x0A>"),
            normalizer=normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)]),
            decoder=decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])),
        "metaspace": trained(pre=pre_tokenizers.Metaspace(prepend_scheme="first"), decoder=decoders.Metaspace(prepend_scheme="first")),
        "added": trained(pre=byte_level(), added=(AddedToken("<word>", single_word=True), AddedToken("<l>", lstrip=True),
                                                  AddedToken("<r>", rstrip=True, normalized=False))),
    }
    for name, data in made.items():
        put("tokenizer", name, data.encode() + text)
    least = {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}}
    put("tokenizer", "least", dump(least).encode() + b"\xffabab")
    put("tokenizer", "least_pairs", dump({"model": {**least["model"], "merges": [["a", "b"]], "ignore_merges": True}}))


# --- chat templates, JSON, uploads, critics ------------------------------------------------------


def write_chat():
    for template in sorted({vector["template"] for vector in json.loads((ROOT / "tests/golden/rl/chat/vectors.json").read_text())}):
        if len(template.encode()) <= 4000:
            put("chat_template", hashlib.sha256(template.encode()).hexdigest()[:12], template)
    put("chat_template", "tiny", (MODELS / "tiny/chat_template.jinja").read_bytes())


def write_json():
    samples = {
        "values": '{"a":[1,-2,3.5,1e4,true,false,null,"\\u00e9\\ud83d\\ude00\\n"],"b":{"c":{}},"":[]}',
        "numbers": "[0,-0,0.0,-0.0,1e308,1e-308,9223372036854775807,-9223372036854775808,18446744073709551615,123456789012345678901]",
        "deep": "[" * 31 + "]" * 31, "deeper": "[" * 33, "twice": '{"a":1,"a":2}', "text": '"\u00e9"', "nul": '"\\u0000"',
        "bad": b'{"a":"\xc3"}', "tail": "{} {}", "surrogate": '"\\ud800"', "bom": "\ufeff{}",
        "uuid": '{"id":"01234567-89ab-cdef-0123-456789abcdef","split":"train","p":0.5,"list":["a","b"]}',
    }
    for name, data in samples.items():
        put("model_json", name, data)
        put("service_json", name, data)


def write_rows():
    say = lambda *turns: [{"role": role, "content": text} for role, text in turns]
    rows = {
        "prompts": ["a", {"prompt": "Hi", "id": 1, "split": "train"}, {"messages": say(("system", "s"), ("user", "u"))}],
        "trl": ["t", {"prompt": "Hi", "chosen": "Hello", "rejected": "No"},
                {"prompt": say(("user", "u")), "chosen": say(("assistant", "a")), "rejected": say(("assistant", "b"))},
                {"chosen": say(("user", "u"), ("assistant", "a")), "rejected": say(("user", "u"), ("assistant", "b")), "extra": 1}],
        "hh": ["h", {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: So?\n\nAssistant: Yes",
                     "rejected": "\n\nHuman: Hi\n\nAssistant: No"},
               {"chosen": "Human: Hi\n\nAssistant: a", "rejected": "Human: Hi\n\nAssistant: b"}],
        "auto": ["a", {"chosen": "\n\nHuman: Hi\n\nAssistant: a", "rejected": "\n\nHuman: Hi\n\nAssistant: b"}],
    }
    for name, (kind, *lines) in rows.items():
        put("import_rows", name, kind + "\n".join(map(dump, lines)) + "\n")
    put("import_rows", "ids", 'p{"prompt":"a","id":"x"}\r\n\n{"prompt":"b","id":"x"}\n{"prompt":" "}\nnot json\n')
    put("import_rows", "marked", b'a\xef\xbb\xbf{"prompt":"a"}\n\xff\n')


def write_critics():
    bounds = [{"type": kind, "value": 5} for kind in ("max_words", "min_words", "max_chars", "min_chars", "max_sentences")]
    texts = [{"type": kind, "text": "Yes", "ignore_case": True} for kind in ("contains", "not_contains", "starts_with", "ends_with")]
    patterns = [{"type": "matches", "pattern": "^(a|b)+\\s?\\d{2,}", "weight": 2.5}, {"type": "not_matches", "pattern": "\\p{Lu}(?=x)"}]
    others = [{"type": "json"}, {"type": "script", "script": "Latin", "min_share": 0.5}]
    for name, rules in {"bounds": bounds, "texts": texts, "patterns": patterns, "others": others}.items():
        put("rule_critic", name, dump({"rules": rules, "delta": 0.01}).encode() + b"\xffYes, ab 12. And more?\n")
    put("rule_critic", "nested", dump({"rules": [{"type": "matches", "pattern": "(a+)+$"}]}).encode() + b"\xff" + b"a" * 30 + b"!")


shutil.rmtree(OUT, ignore_errors=True)
for write in (write_safetensors, write_gguf, write_configs, write_tokenizers, write_chat, write_json, write_rows, write_critics):
    write()
for folder in sorted(OUT.iterdir()):
    files = list(folder.iterdir())
    print(f"{folder.name:18} {len(files):3} files, {sum(f.stat().st_size for f in files):6} bytes")
