"""Models of published shapes with small invented weights, and the folders and files in which such models come.

A shape is a vocabulary (names of all tokens, as many as the published model has), numbers of bands and layers; the
width is small, so that a model converts and runs in a moment. What it writes is nonsense of a few letters and times.
Tokens that a model has of its own are made what it likes best, so that it would write them if it were let.
"""
import collections
import functools
import json
import random
import string
import struct
from itertools import product

import numpy as np

import invent
import make_formats as formats

LANGUAGES = invent.LANGUAGES
BLOCK = ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
TIMES = ["<|%.2f|>" % (i * 0.02) for i in range(1501)]


def ordinary(n):
    """n tokens: what invent.py has, then some that nobody likes; the last of 50257 is empty, as in the real ones."""
    pieces, n_small = invent.vocabulary(99)
    fill = ("".join(letters) for letters in product(string.ascii_letters, repeat=3))
    tokens = pieces[:n_small] + [next(fill) for _ in range(n - n_small)]
    if n == 50257:
        tokens[-1] = ""
    return tokens


def specials(languages):
    return ["<|endoftext|>", "<|startoftranscript|>"] + ["<|%s|>" % code for code in languages] + BLOCK + TIMES


def vocabulary(n_ordinary=50257, languages=99, extra=()):
    codes = LANGUAGES[:languages] if isinstance(languages, int) else languages
    return ordinary(n_ordinary) + specials(codes) + list(extra)


@functools.lru_cache(maxsize=None)
def small(**settings):
    """invent.py's model as arrays; not to be changed."""
    _, tensors = invent.model(languages=len(LANGUAGES), **settings)
    return {name: np.array(values, np.float32).reshape(shape) for name, (shape, values) in tensors.items()}


def model(tokens, mels=80, layers=2, text_layers=2, state=64, heads=2, alignment=((1, 0), (1, 1)), seed=0):
    """A formats.Model. tokens: all names; None: a row that only fills the vocabulary up."""
    tensors = dict(small(mels=mels, layers=layers, text_layers=text_layers, state=state, heads=heads, seed=seed))
    known = {name: i for i, name in enumerate(invent.vocabulary(len(LANGUAGES))[0])}
    rows = tensors["decoder.token_embedding.weight"]
    eot = tokens.index("<|endoftext|>")
    made = np.random.default_rng(seed).normal(0, 0.05, (len(tokens), state)).astype(np.float32)
    made[:, 0] = -9 / 8
    for i, name in enumerate(tokens):
        if name in known and name:
            made[i] = rows[known[name]]
        elif i >= eot:
            made[i, 0] = 40 / 8  # an extra one
    made[eot, 0] -= 4 / 8  # so that it does write something
    tensors["decoder.token_embedding.weight"] = made
    dims = {"n_mels": mels, "n_vocab": len(tokens), "n_audio_ctx": 1500, "n_audio_state": state, "n_audio_head": heads,
            "n_audio_layer": layers, "n_text_ctx": 448, "n_text_state": state, "n_text_head": heads,
            "n_text_layer": text_layers}
    return formats.Model(dims, tensors, tokens, eot, [list(pair) for pair in alignment] if alignment else None)


def read_metadata(path):
    """All metadata of a GGUF file. (The gguf package takes seconds for as many strings.)"""
    data = open(path, "rb").read(8 << 20)
    at = 8

    def take(form):
        nonlocal at
        at += struct.calcsize(form)
        return struct.unpack_from(form, data, at - struct.calcsize(form))[0]

    def value(kind):
        nonlocal at
        if kind == invent.STRING:
            n = take("<Q")
            at += n
            return data[at - n:at].decode()
        if kind == invent.ARRAY:
            kind = take("<I")
            return [value(kind) for _ in range(take("<Q"))]
        return take({invent.U32: "<I", invent.I32: "<i", invent.FLOAT32: "<f", invent.BOOL: "<?"}[kind])

    take("<Q")
    return {value(invent.STRING): value(take("<I")) for _ in range(take("<Q"))}


def specials_of(m):
    """(id, name) of all tokens from <|endoftext|> on that have a name."""
    return [(i, name) for i, name in enumerate(m.tokens) if i >= m.n_ordinary and name is not None]


def generation(m, **more):
    """generation_config.json as transformers writes it."""
    ids = {name: i for i, name in specials_of(m)}
    return {"alignment_heads": m.heads, "eos_token_id": ids["<|endoftext|>"],
            "decoder_start_token_id": ids["<|startoftranscript|>"],
            "no_timestamps_token_id": ids["<|notimestamps|>"], "prev_sot_token_id": ids["<|startofprev|>"],
            "is_multilingual": True,
            "lang_to_id": {name: i for name, i in ids.items() if name[2:-2] in LANGUAGES},
            "task_to_id": {"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]}, **more}


def tokenizer(m, base=None, added=None):
    """tokenizer.json: ordinary tokens in the model's vocabulary, the others added."""
    base = {t: i for i, t in enumerate(m.tokens[:m.n_ordinary])} if base is None else base
    added = specials_of(m) if added is None else added
    return {"version": "1.0", "added_tokens": [{"id": i, "content": name, "special": True} for i, name in added],
            "model": {"type": "BPE", "vocab": base, "merges": []}}


def write_bin(m, path, prefix="", names=None, wrap=lambda state: state, hf=True, kind="f16"):
    """A state dict by torch.save; `wrap` puts it into what else is saved."""
    archive = formats.Archive(kind)
    state = collections.OrderedDict()
    for name, x in m.tensors.items():
        theirs = formats.hf_name(name) if hf else name
        if names is None or theirs in names:
            state[prefix + theirs] = archive.add(x)
    if hf and formats.OUTPUT not in m.tensors and (names is None or "proj_out.weight" in names):
        state[prefix + "proj_out.weight"] = state.get(prefix + "model.decoder.embed_tokens.weight") or archive.add(
            m.tensors["decoder.token_embedding.weight"])  # torch.save writes tied weights under both names
    archive.write(wrap(state), path, name="archive")


def write_folder(m, folder, weights="safetensors", shards=1, files=None, **config):
    """A folder of Hugging Face's. files: name to contents (JSON, None: leave it out), beside config.json."""
    folder.mkdir()
    settings = {**formats.hf_config(m), **config}
    tensors = {formats.hf_name(name): formats.encode(x, "f16") for name, x in m.tensors.items()}
    names = sorted(tensors)
    where = {}
    for k in range(shards):
        part = names[k::shards]
        stem, end = ("model", "safetensors") if weights == "safetensors" else ("pytorch_model", "bin")
        file = "%s.%s" % (stem, end) if shards == 1 else "%s-%05d-of-%05d.%s" % (stem, k + 1, shards, end)
        if weights == "safetensors":
            formats.write_safetensors({name: tensors[name] for name in part}, folder / file, "f16")
        else:
            write_bin(m, folder / file, names=part if shards > 1 else None)
        where.update({name: file for name in part})
    if shards > 1:
        index = "%s.%s.index.json" % (stem, end)
        (folder / index).write_text(json.dumps({"metadata": {}, "weight_map": where}))
    write_files(folder, {"tokenizer.json": tokenizer(m), "generation_config.json": generation(m), **(files or {}),
                         "config.json": settings})
    return folder


def write_files(folder, files):
    """name to contents, None: it is not there."""
    for name, contents in files.items():
        if contents is None:
            (folder / name).unlink(missing_ok=True)
        else:
            (folder / name).write_text(json.dumps(contents, ensure_ascii=False), encoding="utf-8")


def changed_vocabulary(m, seed=3):
    """As CrisperWhisper's: many tokens are gone from the vocabulary, their rows are there; special tokens have names
    that stand at other tokens' numbers, and the configuration alone knows where they are."""
    rng = random.Random(seed)
    gone = set(rng.sample(range(300, m.n_ordinary - 1), 5000))
    base = {t: i for i, t in enumerate(m.tokens[:m.n_ordinary]) if i not in gone}
    shift = len(base) - m.n_ordinary
    added = [(i + shift, name) for i, name in specials_of(m)]
    return gone, tokenizer(m, base=base, added=added)
