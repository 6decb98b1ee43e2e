#!/usr/bin/env python3
"""Write an invented Whisper model: random weights, tiny dimensions, a small vocabulary, as a GGUF file.

Tests use it where any model will do: it loads in milliseconds, runs everywhere, and the same seed gives the same file
on every machine. What it "hears" is nonsense, but well-formed nonsense: printable letters, timestamps, an end.

    python3 test/python/invent.py OUT.gguf [--multilingual] [--seed N] [--state 64] [--heads 2] [--layers 2] ...

Only Python's standard library is needed. As a module: invent.write(path, **settings), or invent.model(**settings) for
the metadata and tensors, to be changed before invent.write_gguf() writes them.
"""
import argparse
import math
import random
import struct
import sys

# The 99 language codes in the order of their tokens; large-v3 has "yue" as the hundredth.
LANGUAGES = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml "
    "cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am "
    "yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue"
).split()

MERGES = [" t", " a", "he", "in", "re", " the", "on", "er", " s", " w", " o", "nd", " and", "ou", "is", " to", "it",
          "en"]

# GGUF's numbers for the types of metadata values.
U32, I32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
# ... and of tensors.
TENSOR_TYPES = {"f32": 0, "f16": 1, "bf16": 30}
ALIGNMENT = 64


def byte_letters():
    """Each byte as GPT-2's vocab.json writes it, in the order of its first 256 tokens."""
    printable = list(range(0x21, 0x7F)) + list(range(0xA1, 0xAD)) + list(range(0xAE, 0x100))
    rest = [b for b in range(256) if b not in printable]
    letters = {b: chr(b) for b in printable}
    letters.update({b: chr(256 + i) for i, b in enumerate(rest)})
    return printable + rest, letters


def vocabulary(n_languages=99):
    """All tokens as GGUF stores them, and how many of them are ordinary ones."""
    order, letters = byte_letters()
    pieces = [letters[b] for b in order]
    pieces += ["".join(letters[b] for b in merge.encode()) for merge in MERGES]
    specials = ["<|endoftext|>", "<|startoftranscript|>"]
    specials += ["<|%s|>" % code for code in LANGUAGES[:n_languages]]
    specials += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]
    specials += ["<|notimestamps|>"] + ["<|%.2f|>" % (i * 0.02) for i in range(1501)]
    return pieces + specials, len(pieces)


def likings(n_languages):
    """How much the model favours each token, whatever it hears: keeps its nonsense printable, and makes it end."""
    order, _ = byte_letters()
    liking = [0.0 if chr(b).isalpha() and b < 128 else -2.0 if 0x21 <= b < 0x7F else -9.0 for b in order]
    liking += [3.0 if merge.startswith(" ") else 1.0 for merge in MERGES]
    liking += [2.5, -9.0] + [-9.0] * (n_languages + 4)          # end, start, languages, up to startofprev
    liking += [-5.0, -9.0] + [-4.5] * 1501                      # no speech, no timestamps, times
    return liking


def sinusoids(length, channels):
    """The encoder's fixed positions, as in Vaswani et al. 2017 with sines first, then cosines."""
    half = channels // 2
    rates = [math.exp(-math.log(10000.0) / max(half - 1, 1) * i) for i in range(half)]
    rows = []
    for t in range(length):
        rows += [math.sin(t * r) for r in rates] + [math.cos(t * r) for r in rates]
    return rows


class Weights:
    """Tensors as openai/whisper's state dict names them: name -> (shape, list of floats)."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.tensors = {}

    def uniform(self, name, *shape, spread):
        """Random values with the given standard deviation."""
        limit = spread * math.sqrt(3.0)
        draw = self.random.random
        self.tensors[name] = (shape, [(2.0 * draw() - 1.0) * limit for _ in range(math.prod(shape))])

    def linear(self, name, n_out, n_in, bias=True):
        self.uniform(name + ".weight", n_out, n_in, spread=1.0 / math.sqrt(n_in))
        if bias:
            self.uniform(name + ".bias", n_out, spread=0.1)

    def norm(self, name, d):
        self.uniform(name + ".bias", d, spread=0.05)
        self.tensors[name + ".weight"] = ((d,), [1.0 + 0.1 * (self.random.random() - 0.5) for _ in range(d)])

    def attention(self, name, d):
        for part in ("query", "key", "value", "out"):
            self.linear(name + "." + part, d, d, bias=part != "key")

    def block(self, name, d, cross):
        self.attention(name + ".attn", d)
        self.norm(name + ".attn_ln", d)
        if cross:
            self.attention(name + ".cross_attn", d)
            self.norm(name + ".cross_attn_ln", d)
        self.linear(name + ".mlp.0", 4 * d, d)
        self.linear(name + ".mlp.2", d, 4 * d)
        self.norm(name + ".mlp_ln", d)


def model(multilingual=False, seed=0, state=64, heads=2, layers=2, text_layers=None, mels=80, audio_ctx=1500,
          text_ctx=448, languages=99, name="invented"):
    """Invent a model. Returns (metadata, tensors): {key: (type, value)} and {name: (shape, floats)}."""
    tokens, n_ordinary = vocabulary(languages)
    text_layers = layers if text_layers is None else text_layers
    alignment_heads = [number for head in range(min(heads, 2)) for number in (text_layers - 1, head)]
    metadata = {
        "general.architecture": (STRING, "whisper"),
        "general.name": (STRING, name),
        "general.alignment": (U32, ALIGNMENT),
        "whisper.format_version": (U32, 1),
        "whisper.vocab_size": (U32, len(tokens)),
        "whisper.mel_bands": (U32, mels),
        "whisper.encoder.context_length": (U32, audio_ctx),
        "whisper.encoder.embedding_length": (U32, state),
        "whisper.encoder.attention.head_count": (U32, heads),
        "whisper.encoder.block_count": (U32, layers),
        "whisper.decoder.context_length": (U32, text_ctx),
        "whisper.decoder.embedding_length": (U32, state),
        "whisper.decoder.attention.head_count": (U32, heads),
        "whisper.decoder.block_count": (U32, text_layers),
        "whisper.multilingual": (BOOL, multilingual),
        "whisper.alignment_heads": (ARRAY, (I32, alignment_heads)),
        "whisper.vocab.ordinary": (U32, n_ordinary),
        "tokenizer.ggml.model": (STRING, "gpt2"),
        "tokenizer.ggml.tokens": (ARRAY, (STRING, tokens)),
        "tokenizer.ggml.eos_token_id": (U32, n_ordinary),
    }

    weights = Weights(seed)
    tensors = weights.tensors
    weights.uniform("encoder.conv1.weight", state, mels, 3, spread=1.0 / math.sqrt(3 * mels))
    weights.uniform("encoder.conv1.bias", state, spread=0.1)
    weights.uniform("encoder.conv2.weight", state, state, 3, spread=1.0 / math.sqrt(3 * state))
    weights.uniform("encoder.conv2.bias", state, spread=0.1)
    tensors["encoder.positional_embedding"] = ((audio_ctx, state), sinusoids(audio_ctx, state))
    for i in range(layers):
        weights.block("encoder.blocks.%d" % i, state, cross=False)
    weights.norm("encoder.ln_post", state)
    weights.uniform("decoder.token_embedding.weight", len(tokens), state, spread=2.0 / math.sqrt(state))
    weights.uniform("decoder.positional_embedding", text_ctx, state, spread=2.0 / math.sqrt(state))
    for i in range(text_layers):
        weights.block("decoder.blocks.%d" % i, state, cross=True)
    weights.norm("decoder.ln", state)

    # The last norm leaves nothing but a constant in dimension 0, so a token's embedding there is what the model thinks
    # of it beforehand: its logit is 8 times that plus what the other dimensions say.
    gain, bias = tensors["decoder.ln.weight"][1], tensors["decoder.ln.bias"][1]
    gain[0], bias[0] = 0.0, 8.0
    embedding = tensors["decoder.token_embedding.weight"][1]
    for token, liking in enumerate(likings(languages)):
        embedding[token * state] = liking / 8.0
    return metadata, tensors


def pack_string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(data)) + data


def pack_value(kind, value):
    if kind == STRING:
        return pack_string(value)
    if kind == ARRAY:
        element, values = value
        return struct.pack("<IQ", element, len(values)) + b"".join(pack_value(element, v) for v in values)
    return struct.pack({U32: "<I", I32: "<i", FLOAT32: "<f", BOOL: "<?"}[kind], value)


def pack_floats(kind, values):
    if kind == "f16":
        return struct.pack("<%de" % len(values), *values)
    data = struct.pack("<%df" % len(values), *values)
    if kind == "f32":
        return data
    words = struct.unpack("<%dI" % len(values), data)      # bf16: the upper half, rounded to nearest even
    return struct.pack("<%dH" % len(values), *((w + 0x7FFF + (w >> 16 & 1)) >> 16 for w in words))


def write_gguf(path, metadata, tensors, kind="f32"):
    """Write metadata and tensors. Matrices are stored as `kind`, vectors and positions as f32, bytes as they are: f32."""
    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(metadata))]
    for key, (value_type, value) in metadata.items():
        head += [pack_string(key), struct.pack("<I", value_type), pack_value(value_type, value)]
    data, offset = [], 0
    for name, (shape, values) in tensors.items():
        stored = kind if len(shape) > 1 and "positional" not in name else "f32"
        packed = values if isinstance(values, bytes) else pack_floats(stored, values)
        head += [pack_string(name), struct.pack("<I", len(shape)), struct.pack("<%dQ" % len(shape), *reversed(shape)),
                 struct.pack("<IQ", TENSOR_TYPES[stored], offset)]
        packed += bytes(-len(packed) % ALIGNMENT)
        data.append(packed)
        offset += len(packed)
    head = b"".join(head)
    with open(path, "wb") as out:
        out.write(head + bytes(-len(head) % ALIGNMENT))
        out.writelines(data)


def write(path, kind="f32", **settings):
    """Invent a model and write it; the settings are those of model()."""
    write_gguf(path, *model(**settings), kind=kind)


def main():
    parser = argparse.ArgumentParser(description="Write a Whisper model of random weights as a GGUF file.")
    parser.add_argument("path", metavar="OUT.gguf")
    parser.add_argument("--multilingual", action="store_true", help="not an English-only model")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another model (default 0)")
    parser.add_argument("--type", dest="kind", choices=sorted(TENSOR_TYPES), default="f32", help="of matrices")
    parser.add_argument("--name", default="invented")
    for option, default, text in (("state", 64, "width"), ("heads", 2, "attention heads; they divide the width"),
                                  ("layers", 2, "blocks of the encoder, and of the decoder"),
                                  ("text-layers", None, "blocks of the decoder, if others than the encoder's"),
                                  ("mels", 80, "Mel bands"), ("audio-ctx", 1500, "encoder positions"),
                                  ("text-ctx", 448, "decoder positions"), ("languages", 99, "language tokens")):
        parser.add_argument("--" + option, type=int, default=default, help="%s (default %s)" % (text, default))
    settings = vars(parser.parse_args())
    if settings["state"] % settings["heads"] or settings["state"] % 2:
        sys.exit("invent.py: --state must be even and divisible by --heads")
    if not 1 <= settings["languages"] <= len(LANGUAGES):
        sys.exit("invent.py: --languages must be 1 to %d" % len(LANGUAGES))
    write(settings.pop("path"), **settings)


if __name__ == "__main__":
    main()
