#!/usr/bin/env python3
"""Write a GGUF model of ours as the files that other programs read, so that all of them run the same weights.

usage: peer_models.py MODEL.gguf openai OUT.pt      openai-whisper's checkpoint (needs torch)
       peer_models.py MODEL.gguf ggml OUT.bin       whisper.cpp's file (needs openai-whisper's files for its Mel filters)

Weights are copied bit for bit: matrices as F16, the rest as F32. bench/peers runs this in its virtual environment.
"""
import importlib.util
import os
import struct
import sys

import numpy as np

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
TYPES = {0: np.float32, 1: np.float16}


class Reader:
    """Numbers and strings of a GGUF file, one after the other."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, code):
        value = struct.unpack_from("<" + code, self.data, self.at)[0]
        self.at += struct.calcsize("<" + code)
        return value

    def string(self):
        n = self.number("Q")
        self.at += n
        return bytes(self.data[self.at - n:self.at]).decode()

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            kind, n = self.number("I"), self.number("Q")
            return [self.value(kind) for _ in range(n)]
        return self.number(SCALARS[kind])


def read_gguf(path):
    """Metadata and tensors (name: array) of a file of F32 and F16."""
    data = np.memmap(path, np.uint8, "r")
    r = Reader(data)
    if bytes(data[:4]) != b"GGUF":
        raise SystemExit("peer_models: %s is not GGUF" % path)
    r.at = 8
    n_tensors, n_keys = r.number("Q"), r.number("Q")
    keys = {}
    for _ in range(n_keys):
        key = r.string()
        keys[key] = r.value(r.number("I"))
    places = []
    for _ in range(n_tensors):
        name, n_dims = r.string(), r.number("I")
        shape = [r.number("Q") for _ in range(n_dims)][::-1]
        places.append((name, shape, r.number("I"), r.number("Q")))
    align = keys["general.alignment"]
    start = (r.at + align - 1) // align * align
    tensors = {}
    for name, shape, kind, offset in places:
        if kind not in TYPES:
            raise SystemExit("peer_models: %s: only F32 and F16 weights can be given to the others" % path)
        count = int(np.prod(shape))
        tensors[name] = np.frombuffer(data, TYPES[kind], count, start + offset).reshape(shape)
    return keys, tensors


def dimensions(keys):
    """openai-whisper's names for a model's sizes."""
    k = {key.removeprefix("whisper."): value for key, value in keys.items()}
    return {"n_mels": k["mel_bands"], "n_vocab": k["vocab_size"],
            "n_audio_ctx": k["encoder.context_length"], "n_audio_state": k["encoder.embedding_length"],
            "n_audio_head": k["encoder.attention.head_count"], "n_audio_layer": k["encoder.block_count"],
            "n_text_ctx": k["decoder.context_length"], "n_text_state": k["decoder.embedding_length"],
            "n_text_head": k["decoder.attention.head_count"], "n_text_layer": k["decoder.block_count"]}


def write_openai(keys, tensors, path):
    import torch
    state = {name: torch.from_numpy(np.array(tensor)) for name, tensor in tensors.items()}
    torch.save({"dims": dimensions(keys), "model_state_dict": state}, path)


def token_bytes(tokens):
    """Tokens in GPT-2's printable letters as bytes."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    byte = {chr(b): b for b in printable}
    byte.update({chr(256 + i): b for i, b in enumerate(b for b in range(256) if b not in printable)})
    return [bytes(byte[c] for c in token) for token in tokens]


def write_ggml(keys, tensors, path):
    d = dimensions(keys)
    folder = os.path.join(*importlib.util.find_spec("whisper").submodule_search_locations, "assets")
    filters = np.load(os.path.join(folder, "mel_filters.npz"))["mel_%d" % d["n_mels"]].astype(np.float32)
    tokens = token_bytes(keys["tokenizer.ggml.tokens"][:keys["whisper.vocab.ordinary"]])
    with open(path, "wb") as out:
        order = ("n_vocab", "n_audio_ctx", "n_audio_state", "n_audio_head", "n_audio_layer", "n_text_ctx",
                 "n_text_state", "n_text_head", "n_text_layer", "n_mels")
        out.write(struct.pack("<12i", 0x67676D6C, *(d[name] for name in order), 1))
        out.write(struct.pack("<2i", *filters.shape) + filters.tobytes())
        out.write(struct.pack("<i", len(tokens)))
        for token in tokens:
            out.write(struct.pack("<i", len(token)) + token)
        for name, tensor in tensors.items():
            if name in ("encoder.conv1.bias", "encoder.conv2.bias"):
                tensor = tensor.reshape(-1, 1)
            half = tensor.dtype == np.float16
            out.write(struct.pack("<3i", tensor.ndim, len(name), int(half)))
            out.write(struct.pack("<%di" % tensor.ndim, *tensor.shape[::-1]) + name.encode() + tensor.tobytes())


def main():
    if len(sys.argv) != 4 or sys.argv[2] not in ("openai", "ggml"):
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    keys, tensors = read_gguf(sys.argv[1])
    partial = sys.argv[3] + ".partial"
    (write_openai if sys.argv[2] == "openai" else write_ggml)(keys, tensors, partial)
    os.replace(partial, sys.argv[3])
    return 0


if __name__ == "__main__":
    sys.exit(main())
