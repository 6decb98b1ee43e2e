#!/usr/bin/env python3
"""Rewrite a model in what whisp-convert reads: PyTorch's .pt, Hugging Face, CTranslate2, whisper.cpp's ggml.

Everything is written from the formats' descriptions with NumPy and the standard library; none of the programs that
own the formats is needed, and nothing is shared with whisp-convert.

    python3 test/python/make_formats.py MODEL.gguf FORMAT OUT

FORMAT is pt, hf, ct2 or ggml; OUT a file (pt, ggml) or a folder (hf, ct2). As a module: load() gives a Model, the
write_*() functions take one.
"""
import base64
import collections
import json
import pickle
import struct
import sys
import types
import zipfile
from pathlib import Path

import gguf
import numpy as np

DIMS = {  # openai/whisper's names, and GGUF's
    "n_mels": "whisper.mel_bands",
    "n_vocab": "whisper.vocab_size",
    "n_audio_ctx": "whisper.encoder.context_length",
    "n_audio_state": "whisper.encoder.embedding_length",
    "n_audio_head": "whisper.encoder.attention.head_count",
    "n_audio_layer": "whisper.encoder.block_count",
    "n_text_ctx": "whisper.decoder.context_length",
    "n_text_state": "whisper.decoder.embedding_length",
    "n_text_head": "whisper.decoder.attention.head_count",
    "n_text_layer": "whisper.decoder.block_count",
}


class Model:
    """dims by openai/whisper's names, tensors as float32 arrays, tokens in GPT-2's notation, heads as pairs."""

    def __init__(self, dims, tensors, tokens, n_ordinary, heads):
        self.dims, self.tensors, self.tokens, self.n_ordinary, self.heads = dims, tensors, tokens, n_ordinary, heads


def metadata(reader, key):
    """A value of a GGUF file as Python has it, None if it is not there."""
    field = reader.get_field(key)
    return None if field is None else field.contents()


def floats(tensor):
    """A GGUF tensor's numbers as float32, shaped as PyTorch prints it."""
    shape = [int(n) for n in reversed(tensor.shape)]
    return gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32).reshape(shape)


def load(path):
    reader = gguf.GGUFReader(path)
    heads = metadata(reader, "whisper.alignment_heads")
    return Model({ours: int(metadata(reader, theirs)) for ours, theirs in DIMS.items()},
                 {t.name: floats(t) for t in reader.tensors}, metadata(reader, "tokenizer.ggml.tokens"),
                 int(metadata(reader, "whisper.vocab.ordinary")),
                 None if heads is None else [list(map(int, pair)) for pair in zip(heads[::2], heads[1::2])])


# ---- vocabularies ----

def byte_of_letter():
    printable = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or 174 <= b]
    others = [b for b in range(256) if b not in printable]
    return {**{chr(b): b for b in printable}, **{chr(256 + i): b for i, b in enumerate(others)}}


def raw_tokens(model):
    """The ordinary tokens as the bytes they stand for."""
    letters = byte_of_letter()
    return [bytes(letters[c] for c in token) for token in model.tokens[:model.n_ordinary]]


def write_tiktoken(model, path):
    with open(path, "wb") as file:
        for rank, token in enumerate(raw_tokens(model)):
            file.write((base64.b64encode(token) or b"=") + b" %d\n" % rank)


def vocab_object(model, with_end=True):
    return {token: i for i, token in enumerate(model.tokens[:model.n_ordinary + with_end])}


# ---- number types ----

def to_bf16(x):
    """The upper half of float32, rounded to nearest even, as uint16."""
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def from_bf16(h):
    return (h.astype(np.uint32) << 16).view(np.float32)


def encode(x, kind):
    if kind == "bf16":
        return to_bf16(x)
    return np.ascontiguousarray(x, dtype={"f32": np.float32, "f16": np.float16}[kind])


# ---- OpenAI's .pt ----

class Storage:
    """Stands for a torch storage while pickling: its data, and the names that torch.save writes."""

    def __init__(self, key, data, kind):
        self.key, self.data, self.kind = key, data, kind


class Tensor:
    """Pickles as torch.save pickles a tensor: a call of _rebuild_tensor_v2 with a storage and a view of it."""

    def __init__(self, rebuild, storage, offset, shape, stride):
        self.rebuild, self.arguments = rebuild, (storage, offset, shape, stride, False, collections.OrderedDict())

    def __reduce__(self):
        return self.rebuild, self.arguments


def fake_torch():
    """Modules whose classes and functions pickle under torch's names."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("HalfStorage", "FloatStorage", "BFloat16Storage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2():
        raise NotImplementedError

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    torch._utils = utils
    return {"torch": torch, "torch._utils": utils}


def dense_strides(shape):
    strides = [1]
    for n in reversed(shape[1:]):
        strides.insert(0, strides[0] * n)
    return tuple(strides)


class Archive:
    """What torch.save writes: tensors are stored with add(), then write() pickles what holds them."""

    def __init__(self, kind="f16"):
        self.modules = fake_torch()
        class_name = {"f16": "HalfStorage", "f32": "FloatStorage", "bf16": "BFloat16Storage"}[kind]
        self.storage_class = getattr(self.modules["torch"], class_name)
        self.kind, self.storages = kind, []

    def store(self, data):
        self.storages.append(Storage(str(len(self.storages)), data, self.storage_class))
        return self.storages[-1]

    def tensor(self, storage, offset, shape, stride):
        return Tensor(self.modules["torch._utils"]._rebuild_tensor_v2, storage, offset, shape, stride)

    def add(self, x, strided=False):
        """`strided`: 2-D weights transposed, with strides that turn them back, and vectors two to a storage."""
        data = encode(x, self.kind)
        if strided and data.ndim == 2:
            return self.tensor(self.store(np.ascontiguousarray(data.T)), 0, data.shape, (1, data.shape[0]))
        if strided and data.ndim == 1:
            return self.tensor(self.store(np.concatenate([data[::-1], data])), len(data), data.shape, (1,))
        return self.tensor(self.store(data), 0, data.shape, dense_strides(data.shape))

    def write(self, root, path, name="model"):
        class Pickler(pickle.Pickler):
            def persistent_id(self, item):
                return ("storage", item.kind, item.key, "cpu", item.data.size) if isinstance(item, Storage) else None

        saved = {module: sys.modules.get(module) for module in self.modules}
        sys.modules.update(self.modules)
        try:
            with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
                with archive.open(name + "/data.pkl", "w") as file:
                    Pickler(file, protocol=2).dump(root)
                archive.writestr(name + "/byteorder", "little")
                for storage in self.storages:
                    archive.writestr(f"{name}/data/{storage.key}", storage.data.tobytes())
                archive.writestr(name + "/version", "3\n")
        finally:
            for module, before in saved.items():
                if before is None:
                    del sys.modules[module]
                else:
                    sys.modules[module] = before


def write_pt(model, path, kind="f16", strided=False):
    archive = Archive(kind)
    state = collections.OrderedDict((name, archive.add(x, strided)) for name, x in model.tensors.items())
    archive.write({"dims": model.dims, "model_state_dict": state}, path)


# ---- Hugging Face ----

HF_PARTS = [("attn.query.", "self_attn.q_proj."), ("attn.key.", "self_attn.k_proj."),
            ("attn.value.", "self_attn.v_proj."), ("attn.out.", "self_attn.out_proj."),
            ("attn_ln.", "self_attn_layer_norm."), ("mlp.0.", "fc1."), ("mlp.2.", "fc2."),
            ("mlp_ln.", "final_layer_norm.")]
HF_WHOLES = {"encoder.positional_embedding": "encoder.embed_positions.weight",
             "decoder.positional_embedding": "decoder.embed_positions.weight",
             "decoder.token_embedding.weight": "decoder.embed_tokens.weight",
             "encoder.ln_post.weight": "encoder.layer_norm.weight", "encoder.ln_post.bias": "encoder.layer_norm.bias",
             "decoder.ln.weight": "decoder.layer_norm.weight", "decoder.ln.bias": "decoder.layer_norm.bias"}
OUTPUT = "decoder.output.weight"  # one that is not the token embedding


def hf_name(name):
    if name == OUTPUT:
        return "proj_out.weight"
    if ".blocks." not in name:
        return "model." + HF_WHOLES.get(name, name)
    side, _, layer, rest = name.split(".", 3)
    cross = rest.startswith("cross_attn")
    for ours, theirs in HF_PARTS:
        if rest.startswith("cross_" + ours if cross else ours):
            tail = rest[len(ours) + 6 * cross:]
            return f"model.{side}.layers.{layer}." + (theirs.replace("self_", "encoder_") if cross else theirs) + tail
    raise KeyError(name)


def write_safetensors(tensors, path, kind):
    """tensors: name to array of the kind's numbers. The head is padded to a multiple of 8, as the format asks."""
    head, at = {"__metadata__": {"format": "pt"}}, 0
    for name, data in tensors.items():
        head[name] = {"dtype": kind.upper(), "shape": list(data.shape), "data_offsets": [at, at + data.nbytes]}
        at += data.nbytes
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for data in tensors.values():
            file.write(data.tobytes())


def hf_config(model):
    d = model.dims
    return {"model_type": "whisper", "_name_or_path": "openai/whisper-test", "num_mel_bins": d["n_mels"],
            "vocab_size": d["n_vocab"], "max_source_positions": d["n_audio_ctx"], "d_model": d["n_audio_state"],
            "encoder_attention_heads": d["n_audio_head"], "encoder_layers": d["n_audio_layer"],
            "max_target_positions": d["n_text_ctx"], "decoder_attention_heads": d["n_text_head"],
            "decoder_layers": d["n_text_layer"]}


def write_hf(model, folder, kind="f16", shards=1, vocab="tokenizer.json", without=()):
    folder = Path(folder)
    folder.mkdir()
    tensors = {hf_name(name): encode(x, kind) for name, x in model.tensors.items() if name not in without}
    if OUTPUT not in model.tensors:
        tensors["proj_out.weight"] = tensors["model.decoder.embed_tokens.weight"][:1]  # tied: must not be needed
    if shards == 1:
        write_safetensors(tensors, folder / "model.safetensors", kind)
    else:
        names = sorted(tensors)
        where = {}
        for i in range(shards):
            file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
            part = names[i::shards]
            write_safetensors({name: tensors[name] for name in part}, folder / file, kind)
            where.update({name: file for name in part})
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    (folder / "config.json").write_text(json.dumps(hf_config(model)))
    if model.heads:
        (folder / "generation_config.json").write_text(json.dumps({"alignment_heads": model.heads}))
    if vocab == "tokenizer.json":
        tokens = vocab_object(model, with_end=model.n_ordinary == 50256)
        text = json.dumps({"version": "1.0", "model": {"type": "BPE", "vocab": tokens}})
    else:
        text = json.dumps(vocab_object(model), ensure_ascii=False)
    (folder / vocab).write_text(text, encoding="utf-8")


# ---- CTranslate2 ----

def ct2_string(text):
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def ct2_variable(name, data, number):
    head = ct2_string(name) + struct.pack("<B", data.ndim) + struct.pack(f"<{data.ndim}I", *data.shape)
    return head + struct.pack("<BI", number, data.nbytes) + data.tobytes()


def ct2_tensors(model):
    """Variable names to float32 arrays, the projections stacked."""
    t, out = model.tensors, {}

    def pair(to, names, has_norm=False):
        weights = [t[n + ".weight"] for n in names]
        biases = [t.get(n + ".bias", np.zeros(len(w), np.float32)) for n, w in zip(names, weights)]
        out[to + ("/gamma" if has_norm else "/weight")] = np.concatenate(weights)
        out[to + ("/beta" if has_norm else "/bias")] = np.concatenate(biases)

    pair("encoder/conv1", ["encoder.conv1"])
    pair("encoder/conv2", ["encoder.conv2"])
    pair("encoder/layer_norm", ["encoder.ln_post"], True)
    pair("decoder/layer_norm", ["decoder.ln"], True)
    out["encoder/position_encodings/encodings"] = t["encoder.positional_embedding"]
    out["decoder/position_encodings/encodings"] = t["decoder.positional_embedding"]
    out["decoder/embeddings/weight"] = t["decoder.token_embedding.weight"]
    if OUTPUT in t:
        out["decoder/projection/weight"] = t[OUTPUT]
    for side, layers in (("encoder", model.dims["n_audio_layer"]), ("decoder", model.dims["n_text_layer"])):
        for i in range(layers):
            to, block = f"{side}/layer_{i}", f"{side}.blocks.{i}"
            a, c = to + "/self_attention", to + "/attention"
            pair(a + "/layer_norm", [block + ".attn_ln"], True)
            pair(a + "/linear_0", [block + ".attn." + n for n in ("query", "key", "value")])
            pair(a + "/linear_1", [block + ".attn.out"])
            if side == "decoder":
                pair(c + "/layer_norm", [block + ".cross_attn_ln"], True)
                pair(c + "/linear_0", [block + ".cross_attn.query"])
                pair(c + "/linear_1", [block + ".cross_attn." + n for n in ("key", "value")])
                pair(c + "/linear_2", [block + ".cross_attn.out"])
            pair(to + "/ffn/layer_norm", [block + ".mlp_ln"], True)
            pair(to + "/ffn/linear_0", [block + ".mlp.0"])
            pair(to + "/ffn/linear_1", [block + ".mlp.2"])
    return out


def quantize_int8(x):
    """CTranslate2's: value * scale rounded, scale = 127 / largest magnitude of a row."""
    rows = x.reshape(len(x), -1)
    largest = np.abs(rows).max(axis=1)
    scale = (127 / np.where(largest > 0, largest, 127)).astype(np.float32)
    return np.rint(rows * scale[:, None]).astype(np.int8).reshape(x.shape), scale


def write_ct2(model, folder, kind="f16", vocab="vocabulary.txt"):
    """kind int8 quantizes the matrices and leaves the rest float32."""
    folder = Path(folder)
    folder.mkdir()
    numbers = {"f32": 0, "f16": 4, "bf16": 5}
    parts = []
    for name, x in sorted(ct2_tensors(model).items()):
        if kind == "int8" and x.ndim == 2 and "position" not in name:
            q, scale = quantize_int8(x)
            parts += [ct2_variable(name, q, 1), ct2_variable(name + "_scale", scale, 0)]
        else:
            stored = "f32" if kind == "int8" else kind
            parts.append(ct2_variable(name, encode(x, stored), numbers[stored]))
    for side, heads in (("encoder", model.dims["n_audio_head"]), ("decoder", model.dims["n_text_head"])):
        parts.append(ct2_variable(side + "/num_heads", np.array(heads, np.int16), 2))
    with open(folder / "model.bin", "wb") as file:
        file.write(struct.pack("<I", 6) + ct2_string("WhisperSpec") + struct.pack("<II", 3, len(parts)))
        for part in parts:
            file.write(part)
        file.write(struct.pack("<I", 0 if OUTPUT in model.tensors else 1))
        if OUTPUT not in model.tensors:
            file.write(ct2_string("decoder/projection/weight") + ct2_string("decoder/embeddings/weight"))
    (folder / "config.json").write_text(json.dumps({"alignment_heads": model.heads} if model.heads else {}))
    if vocab == "vocabulary.txt":
        (folder / vocab).write_text("".join(token + "\n" for token in model.tokens), encoding="utf-8")
    else:
        (folder / vocab).write_text(json.dumps(model.tokens), encoding="utf-8")


# ---- whisper.cpp's ggml ----

GGML_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "q2_k": 10, "q3_k": 11,
              "q4_k": 12, "q5_k": 13, "q6_k": 14, "iq4_nl": 20}
HALVES = {"q2_k": [80, 82], "q3_k": [108], "q4_k": [0, 2], "q5_k": [0, 2], "q6_k": [208], "iq4_nl": [0]}


def pack_halves(q):
    """[blocks][32] numbers of 4 bits to [blocks][16] bytes: element i low, i + 16 high."""
    return (q[:, :16] | q[:, 16:] << 4).astype(np.uint8)


def invent_ggml(x, kind):
    """Blocks of any bits instead of x, which is only asked for its shape, and the numbers that they stand for by the
    gguf package. For formats that are made by a search for the best scales."""
    number = gguf.GGMLQuantizationType[kind.upper()]
    elements, size = gguf.GGML_QUANT_SIZES[number]
    random = np.random.default_rng(x.size)
    blocks = random.integers(0, 256, (x.size // elements, size), dtype=np.uint8)
    for at in HALVES[kind]:  # float16 numbers, of a size that weights have
        scale = (random.random(len(blocks)) * 0.01 - 0.003).astype(np.float16)
        blocks[:, at:at + 2] = scale.view(np.uint8).reshape(-1, 2)
    rows = blocks.reshape(*x.shape[:-1], -1)
    return blocks.tobytes(), gguf.quants.dequantize(rows, number).astype(np.float32).reshape(x.shape)


def quantize_ggml(x, kind):
    """(bytes, the float32 numbers that they stand for) in ggml's block formats."""
    if kind in HALVES:
        return invent_ggml(x, kind)
    blocks = x.reshape(-1, 32).astype(np.float32)
    levels = {"q8_0": 127, "q4_0": 8, "q5_0": 16, "q4_1": 15, "q5_1": 31}[kind]
    if kind.endswith("_1"):
        low = blocks.min(axis=1).astype(np.float16)
        scale = ((blocks.max(axis=1) - blocks.min(axis=1)) / levels).astype(np.float16)
        start = low.astype(np.float32)[:, None]
    else:
        scale = (np.abs(blocks).max(axis=1) / levels).astype(np.float16)
        start = np.zeros((len(blocks), 1), np.float32)
    wide = scale.astype(np.float32)[:, None]
    q = np.rint((blocks - start) / np.where(wide == 0, 1, wide)).astype(np.int32)
    parts = [scale.view(np.uint8).reshape(-1, 2)]
    if kind == "q8_0":
        q = np.clip(q, -127, 127)
        parts.append(q.astype(np.int8).view(np.uint8))
    else:
        q = np.clip(q, 0, levels) if kind.endswith("_1") else np.clip(q, -levels, levels - 1)
        stored = q if kind.endswith("_1") else q + levels
        if kind.endswith("_1"):
            parts.append(low.view(np.uint8).reshape(-1, 2))
        if kind.startswith("q5"):
            fifth = ((stored >> 4 & 1).astype(np.uint32) << np.arange(32, dtype=np.uint32)).sum(axis=1, dtype=np.uint32)
            parts.append(fifth.view(np.uint8).reshape(-1, 4))
        parts.append(pack_halves(stored & 15))
    return np.concatenate(parts, axis=1).tobytes(), (q.astype(np.float32) * wide + start).reshape(x.shape)


def write_ggml(model, path, kind="f16"):
    """Returns the numbers that the file stands for, by tensor name."""
    d, meaning = model.dims, {}
    order = ("n_vocab", "n_audio_ctx", "n_audio_state", "n_audio_head", "n_audio_layer", "n_text_ctx", "n_text_state",
             "n_text_head", "n_text_layer", "n_mels")
    with open(path, "wb") as file:
        file.write(struct.pack("<I", 0x67676D6C) + struct.pack("<10i", *(d[name] for name in order)))
        file.write(struct.pack("<i", GGML_TYPES[kind]))
        file.write(struct.pack("<ii", d["n_mels"], 201) + bytes(4 * 201 * d["n_mels"]))
        tokens = raw_tokens(model)
        file.write(struct.pack("<i", len(tokens)))
        for token in tokens:
            file.write(struct.pack("<i", len(token)) + token)
        for name, x in model.tensors.items():
            is_matrix = x.ndim > 1 and "positional" not in name
            stored = "f32" if not is_matrix else kind if x.ndim == 2 or kind in ("f32", "f16") else "f16"
            shape = list(x.shape) + [1] if name.startswith("encoder.conv") and x.ndim == 1 else list(x.shape)
            if stored.startswith(("q", "iq")):
                data, meaning[name] = quantize_ggml(x, stored)
            else:
                encoded = encode(x, stored)
                data, meaning[name] = encoded.tobytes(), encoded.astype(np.float32)
            file.write(struct.pack("<iii", len(shape), len(name), GGML_TYPES[stored]))
            file.write(struct.pack(f"<{len(shape)}i", *reversed(shape)) + name.encode() + data)
    return meaning


def main():
    if len(sys.argv) != 4 or sys.argv[2] not in ("pt", "hf", "ct2", "ggml"):
        sys.exit(__doc__)
    {"pt": write_pt, "hf": write_hf, "ct2": write_ct2, "ggml": write_ggml}[sys.argv[2]](load(sys.argv[1]), sys.argv[3])


if __name__ == "__main__":
    main()
