"""Folders and files as published models and people's own come: each converts, runs, and times its words.

The weights are small and invented (shapes.py); docs/formats.md has the table of what is tried here.
"""
import collections
import json
import os
import subprocess

import pytest

np = pytest.importorskip("numpy", reason="numpy is missing: `make check` installs it")
gguf = pytest.importorskip("gguf", reason="the gguf package is missing: `make check` installs it")

import make_formats as formats  # noqa: E402
import shapes  # noqa: E402

SMALL = shapes.vocabulary(n_ordinary=280)  # where the number of tokens does not matter
PARENTS_HEADS = [[7, 0], [10, 17], [12, 18], [13, 12]]


@pytest.fixture(scope="module")
def programs(build, root):
    folder = (root / build).resolve()
    environment = {k: v for k, v in os.environ.items() if k not in ("WHISP_MODEL_DIR", "HOME")}

    def run(name, *arguments, status=0):
        done = subprocess.run([folder / name, *map(str, arguments)], capture_output=True, text=True, timeout=120,
                              env=environment)
        assert done.returncode == status, done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def heard(programs, root, tmp_path_factory):
    """A function: what a model writes of the demo, checked: words with times, and nothing that is not text."""
    out = tmp_path_factory.mktemp("heard")

    def run(path, *options):
        done = programs("whisp", "--model", path, "--language", "en", "--word_timestamps", "True", "--temperature", "0",
                        "--temperature_increment_on_fallback", "None", "--hallucination_guard", "False",
                        "--clip_timestamps", "0,5", "--sample_len", 25, "--compute_type", "f32", "--threads", 2,
                        "-f", "json", "-o", out, *options, root / "test/data/demo.flac")
        assert "warning" not in done.stderr, done.stderr
        result = json.loads((out / "demo.json").read_text())
        names = shapes.read_metadata(path)["tokenizer.ggml.tokens"]
        words = [word for segment in result["segments"] for word in segment["words"]]
        assert words and all(0 <= word["start"] <= word["end"] <= 31 for word in words)
        assert all(a["start"] <= b["start"] for a, b in zip(words, words[1:]))
        end = names.index("<|endoftext|>")
        for segment in result["segments"]:
            assert all(token < end or names[token] in shapes.TIMES for token in segment["tokens"])
            assert "<|" not in segment["text"]
        return result

    return run


def vocabulary_of(path):
    metadata = shapes.read_metadata(path)
    return {key: metadata.get("whisper." + key)
            for key in ("vocab.ordinary", "multilingual", "alignment_heads", "format_version")}


def assert_same(programs, *paths):
    """The same metadata and tensors, but for where they came from."""
    a, b = (shapes.read_metadata(path) for path in paths)
    assert {k for k in a if a[k] != b.get(k)} <= {"whisper.source.sha256", "whisper.source.format"} and len(a) == len(b)
    infos = [programs("whisp-convert", "--info", path).stdout.splitlines() for path in paths]
    assert infos[0][len(a):] == infos[1][len(a):]
    size = int(infos[0][-1].split()[2])  # of the tensors, without what pads them
    a, b = (path.read_bytes()[-size:] for path in paths)
    assert (a == b) is True


def said(result):
    return [(s["text"], s["start"], s["end"], s["words"]) for s in result["segments"]]


# ---- folders of published models ----

V3 = dict(languages=100)
EN = dict(n_ordinary=50256)
PUBLISHED = {
    "whisper-base": (shapes.vocabulary(), {}),
    "whisper-tiny.en": (shapes.vocabulary(**EN), {}),
    "whisper-large-v3": (shapes.vocabulary(**V3), dict(mels=128)),
    "whisper-large-v3-turbo": (shapes.vocabulary(**V3), dict(mels=128, layers=3, text_layers=4)),
    "distil-large-v2": (shapes.vocabulary(), dict(layers=3, alignment=PARENTS_HEADS)),
    "distil-large-v3": (shapes.vocabulary(**V3), dict(mels=128, layers=3, alignment=PARENTS_HEADS)),
    "distil-medium.en": (shapes.vocabulary(**EN), dict(layers=3, alignment=[[1, 1], [11, 4]])),
    "distil-small.en": (shapes.vocabulary(**EN), dict(layers=3, text_layers=3, alignment=None)),
    "kotoba-whisper": (shapes.vocabulary(**V3), dict(mels=128, layers=3, alignment=PARENTS_HEADS)),
}


@pytest.mark.parametrize("weights", ["safetensors", "bin"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_published(programs, heard, tmp_path, name, weights):
    tokens, settings = PUBLISHED[name]
    english = len(tokens) == 51864
    m = shapes.model(tokens, **settings)
    folder = shapes.write_folder(m, tmp_path / name, weights, files={
        "generation_config.json": shapes.generation(m, is_multilingual=not english)})
    out = tmp_path / "out.gguf"
    done = programs("whisp-convert", folder, "-o", out)
    found = vocabulary_of(out)
    assert found["multilingual"] != english and found["format_version"] == 1
    there = [head for head in m.heads or [] if head[0] < m.dims["n_text_layer"]]
    assert ("not in a decoder" in done.stderr) == (there != (m.heads or []))
    assert [list(pair) for pair in zip(*[iter(found["alignment_heads"] or [])] * 2)] == there
    heard(out)
    for options, heads in ((["--alignment_heads", "None"], None), (["--alignment_heads", "1.0"], [1, 0])):
        assert "not in a decoder" not in programs("whisp-convert", folder, "-o", out, *options).stderr
        assert vocabulary_of(out)["alignment_heads"] == heads
    programs("whisp-convert", folder, "-o", out, "--alignment_heads", "9.0", status=2)


@pytest.mark.parametrize("weights", ["safetensors", "bin"])
def test_shards(programs, tmp_path, weights):
    m = shapes.model(SMALL)
    whole, cut = (shapes.write_folder(m, tmp_path / str(n), weights, shards=n) for n in (1, 3))
    programs("whisp-convert", whole, "-o", tmp_path / "a.gguf")
    programs("whisp-convert", cut, "-o", tmp_path / "b.gguf")
    assert_same(programs, tmp_path / "a.gguf", tmp_path / "b.gguf")
    (cut / ("pytorch_model-00002-of-00003.bin" if weights == "bin" else "model-00002-of-00003.safetensors")).unlink()
    programs("whisp-convert", cut, "-o", tmp_path / "c.gguf", status=4)


# ---- vocabularies of people's own ----

OWN = {
    "51866 without yue": (dict(extra=["<|mine|>"]), {}),
    "51867": (dict(languages=100, extra=["[noise]"]), dict(mels=128)),
    "padded to 51872": (dict(extra=[None] * 7), {}),
    "padded to 51968": (dict(languages=100, extra=["[a]", "[b]"] + [None] * 100), dict(mels=128)),
    "yue behind the times": (dict(extra=["<|yue|>"]), {}),
    "an unknown language": (dict(extra=["<|ug|>"]), {}),
    "English with two of its own": (dict(n_ordinary=50256, extra=["[x]", "[y]"]), {}),
    "three languages": (dict(languages=["en", "de", "ja"]), {}),
    "20480 tokens, one language": (dict(n_ordinary=18970, languages=["en"]), {}),
}


def files_of(m, source, english):
    """What tells the special tokens' places, as different programs leave it."""
    none = {"generation_config.json": {"alignment_heads": m.heads}, "tokenizer.json": shapes.tokenizer(m)}
    for name in ("vocab.json", "added_tokens.json", "tokenizer_config.json", "special_tokens_map.json"):
        none[name] = None
    base = {t: i for i, t in enumerate(m.tokens[:m.n_ordinary])}
    named = shapes.specials_of(m)
    if source == "configuration":
        return {"generation_config.json": shapes.generation(m, is_multilingual=not english),
                "tokenizer.json": shapes.tokenizer(m, added=[(i, n) for i, n in named if n in m.tokens[-200:]])}
    if source == "tokenizer.json":
        return none
    slow = {**none, "tokenizer.json": None, "vocab.json": {**base, "<|endoftext|>": m.n_ordinary}}
    if source == "added_tokens.json":
        return {**slow, "added_tokens.json": {name: i for i, name in named[1:]}}
    if source == "tokenizer_config.json":
        return {**slow, "tokenizer_config.json": {"added_tokens_decoder": {
            str(i): {"content": name, "special": True} for i, name in named}}}
    assert source == "special_tokens_map.json"
    return {**slow, "special_tokens_map.json": {"eos_token": "<|endoftext|>", "additional_special_tokens": [
        {"content": name} if i % 2 else name for i, name in named]}}


SOURCES = ["configuration", "added_tokens.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.json"]


@pytest.mark.parametrize("name", OWN)
def test_own_tokens(programs, heard, tmp_path, name):
    """The same words as without the tokens of its own, which the model likes best of all."""
    words, settings = OWN[name]
    tokens = shapes.vocabulary(**words)
    english = words.get("n_ordinary") == 50256
    m = shapes.model(tokens, **settings)
    folder, out = shapes.write_folder(m, tmp_path / "model"), tmp_path / "out.gguf"
    own = [n for n in words.get("extra", []) if n and n != "<|yue|>"]
    for source in SOURCES:
        shapes.write_files(folder, files_of(m, source, english))
        done = programs("whisp-convert", folder, "-o", out)
        found = vocabulary_of(out)
        assert found["vocab.ordinary"] == m.n_ordinary and found["multilingual"] == (not english), source
        names = shapes.read_metadata(out)["tokenizer.ggml.tokens"]
        assert [(i, names[i]) for i, _ in shapes.specials_of(m)] == shapes.specials_of(m), source
        assert ("tokens of its own" in done.stderr) == bool(own) and all(n in done.stderr for n in own), source
    result = heard(out)
    if words.get("extra"):
        n = len(tokens) - len(words["extra"])
        plain = formats.Model({**m.dims, "n_vocab": n}, {**m.tensors}, tokens[:n], m.n_ordinary, m.heads)
        embedding = "decoder.token_embedding.weight"
        plain.tensors[embedding] = m.tensors[embedding][:n]
        folder = shapes.write_folder(plain, tmp_path / "plain", files=files_of(plain, "configuration", english))
        programs("whisp-convert", folder, "-o", tmp_path / "plain.gguf")
        assert said(heard(tmp_path / "plain.gguf")) == said(result)
        free = ("--suppress_tokens", "")
        assert said(heard(tmp_path / "plain.gguf", *free)) == said(heard(out, *free))


def test_languages_that_a_model_lacks(programs, tmp_path, root):
    m = shapes.model(shapes.vocabulary(languages=["en", "de", "ja"]))
    folder = shapes.write_folder(m, tmp_path / "model")
    out = tmp_path / "out.gguf"
    programs("whisp-convert", folder, "-o", out)
    run = ["whisp", "--model", out, "--sample_len", 3, root / "test/data/demo.flac"]
    programs(*run, "--language", "ja")
    assert "does not know" in programs(*run, "--language", "fr", status=2).stderr
    programs(*run)  # detects
    m = shapes.model(shapes.vocabulary(extra=["<|yue|>"]))
    programs("whisp-convert", shapes.write_folder(m, tmp_path / "cantonese"), "-o", out)
    programs(*run, "--language", "yue")


def test_a_changed_vocabulary(programs, heard, tmp_path):
    """CrisperWhisper: the configuration knows, the names mislead, and rows without a text are never written."""
    m = shapes.model(shapes.vocabulary(languages=100), mels=128)
    gone, changed = shapes.changed_vocabulary(m)
    embedding = "decoder.token_embedding.weight"
    m.tensors[embedding][sorted(gone), 0] = 40 / 8
    folder = shapes.write_folder(m, tmp_path / "model", files={"tokenizer.json": changed})
    out = tmp_path / "out.gguf"
    done = programs("whisp-convert", folder, "-o", out)
    assert "without a text" in done.stderr and str(len(gone)) in done.stderr
    names = shapes.read_metadata(out)["tokenizer.ggml.tokens"]
    assert names[m.n_ordinary:] == m.tokens[m.n_ordinary:] and all(names[i] == "" for i in gone)
    heard(out)
    (folder / "generation_config.json").unlink()  # then only the names are left, and they contradict themselves
    assert "cannot be told" in programs("whisp-convert", folder, "-o", out, status=4).stderr


def test_what_cannot_be_told_is_refused(programs, tmp_path):
    m = shapes.model(shapes.vocabulary(extra=["<|mine|>"]))
    base = {t: i for i, t in enumerate(m.tokens[:m.n_ordinary])}
    cases = {
        "no names": {"tokenizer.json": shapes.tokenizer(m, added=[])},
        "no tokenizer": {"tokenizer.json": None},
        "one only": {"tokenizer.json": shapes.tokenizer(m, added=[(50257, "<|endoftext|>"), (51865, "<|mine|>")])},
        "a hole": {"tokenizer.json": shapes.tokenizer(m, added=[
            (i, n) for i, n in shapes.specials_of(m) if n not in shapes.BLOCK + shapes.TIMES])},
        "another at the times": {"tokenizer.json": shapes.tokenizer(m, added=[
            (i, n if n != "<|0.00|>" else "[mine]") for i, n in shapes.specials_of(m) if n not in shapes.TIMES[1:]])},
        "twice": {"tokenizer.json": shapes.tokenizer(m, base={**base, "<|transcribe|>": 50300})},
        "before the others": {"tokenizer.json": shapes.tokenizer(
            m, base={t: i + 1608 for i, t in enumerate(m.tokens[:m.n_ordinary])},
            added=[(i, n) for i, n in enumerate(shapes.specials(shapes.LANGUAGES[:99]))])},
    }
    folder = shapes.write_folder(m, tmp_path / "model")
    for name, files in cases.items():
        shapes.write_files(folder, {"generation_config.json": {"alignment_heads": m.heads}, **files})
        done = programs("whisp-convert", folder, "-o", tmp_path / "out.gguf", status=4)
        assert done.stderr.count("\n") == 1 and not (tmp_path / "out.gguf").exists(), name
        assert "--vocab" in done.stderr or "told" in done.stderr or "vocabulary" in done.stderr, name
    # somebody else's tokenizer: of an English model, for one of as many tokens as a published one
    m = shapes.model(shapes.vocabulary())
    english = shapes.model(shapes.vocabulary(n_ordinary=50256))
    folder = shapes.write_folder(m, tmp_path / "other", files={"generation_config.json": None,
                                                               "tokenizer.json": shapes.tokenizer(english)})
    assert "another model" in programs("whisp-convert", folder, "-o", tmp_path / "out.gguf", status=4).stderr


# ---- state dicts ----

STATES = {
    "openai's": dict(hf=False, wrap=lambda state: {"dims": None, "model_state_dict": state}),
    "bare, openai's names": dict(hf=False),
    "bare, Hugging Face's names": dict(),
    "Lightning": dict(prefix="model.", wrap=lambda state: {
        "epoch": 3, "pytorch-lightning_version": "2.1", "state_dict": state, "callbacks": {"x": {"best": 1.5}},
        "hyper_parameters": collections.Counter(a=1), "optimizer_states": [{"state": {}, "param_groups": [(0, 1)]}],
        "rng": 2 ** 200, "bytes": b"123", "set": {1, 2}, "frozen": frozenset([3])}),
    "data-parallel": dict(prefix="module."),
    "torch.compile": dict(prefix="_orig_mod.", wrap=lambda state: {"model": state, "step": 5}),
    "both": dict(prefix="module._orig_mod.", hf=False),
    "peft, merged": dict(prefix="base_model.model."),
}


@pytest.mark.parametrize("name", STATES)
def test_state_dicts(programs, heard, tmp_path, name):
    m = shapes.model(SMALL, state=128)
    shapes.write_folder(m, tmp_path / "model")
    programs("whisp-convert", tmp_path / "model", "-o", tmp_path / "hf.gguf", "--alignment_heads", "None")
    settings = dict(STATES[name])
    if name == "openai's":
        settings["wrap"] = lambda state: {"dims": m.dims, "model_state_dict": state}
    shapes.write_bin(m, tmp_path / "some.pt", **settings)
    programs("whisp-convert", tmp_path / "some.pt", "-o", tmp_path / "pt.gguf", "--vocab", tmp_path / "hf.gguf",
             "--name", "whisper-test")
    assert_same(programs, tmp_path / "hf.gguf", tmp_path / "pt.gguf")
    if name == "Lightning":
        heard(tmp_path / "pt.gguf")


def test_state_dicts_that_do_not_do(programs, tmp_path):
    m = shapes.model(SMALL)
    convert = lambda name: programs("whisp-convert", tmp_path / name, "-o", tmp_path / "out.gguf",  # noqa: E731
                                    "--vocab", tmp_path / "no", status=4).stderr
    shapes.write_bin(m, tmp_path / "lora.pt", prefix="base_model.model.", wrap=lambda state: {
        name.replace("q_proj.", "q_proj.lora_A.default."): x for name, x in state.items()})
    assert "merge" in convert("lora.pt")
    shapes.write_bin(m, tmp_path / "other.pt", wrap=lambda state: {"transformer." + n: x for n, x in state.items()})
    assert "not a Whisper checkpoint" in convert("other.pt")
    shapes.write_bin(m, tmp_path / "object.pt", wrap=lambda state: collections.Counter("abc"))
    assert "state_dict" in convert("object.pt")
    odd = shapes.model(SMALL, state=96)
    shapes.write_bin(odd, tmp_path / "odd.pt")
    assert "heads" in convert("odd.pt")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    assert "merge" in convert("adapter")
    (adapter / "adapter_config.json").rename(adapter / "flax_model.msgpack")
    assert "flax_model.msgpack only" in convert("adapter")
    folder = shapes.write_folder(m, tmp_path / "renamed")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "rename it to model.safetensors" in convert("renamed")
    (folder / "pytorch_model.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert "git lfs pull" in convert("renamed")
    shapes.write_bin(m, folder / "model.safetensors")
    (folder / "pytorch_model.bin").unlink()
    assert "rename it to pytorch_model.bin" in convert("renamed")


def test_openai_checkpoint_in_a_folder(programs, tmp_path):
    """As Distil-Whisper publishes its models for openai-whisper: model.bin, which is CTranslate2's name, too."""
    m = shapes.model(shapes.vocabulary(languages=100), mels=128)
    (tmp_path / "model").mkdir()
    shapes.write_bin(m, tmp_path / "model" / "model.bin", hf=False,
                     wrap=lambda state: {"dims": m.dims, "model_state_dict": state})
    (tmp_path / "tokenizer.json").write_text(json.dumps(shapes.tokenizer(m)))
    programs("whisp-convert", tmp_path / "model", "-o", tmp_path / "out.gguf", "--vocab", tmp_path / "tokenizer.json")
    assert vocabulary_of(tmp_path / "out.gguf")["format_version"] == 1


# ---- an output projection of its own ----

def test_untied(programs, heard, tmp_path):
    """Rows of the projection in another order than the embedding's: other words, unless the projection were ignored."""
    m = shapes.model(SMALL)
    embedding = m.tensors["decoder.token_embedding.weight"]
    folder = shapes.write_folder(m, tmp_path / "tied")
    programs("whisp-convert", folder, "-o", tmp_path / "tied.gguf")
    own = embedding.copy()
    liked = [i for i, token in enumerate(m.tokens[:274]) if i >= 256 or (token.isascii() and token.isalpha())]
    own[liked] = embedding[liked[::-1]]
    m.tensors[formats.OUTPUT] = own
    folder = shapes.write_folder(m, tmp_path / "untied", tie_word_embeddings=False)
    out = tmp_path / "untied.gguf"
    programs("whisp-convert", folder, "-o", out)
    assert "decoder.output.weight" in programs("whisp-convert", "--info", out).stdout
    assert vocabulary_of(out)["format_version"] == 2
    mine, tied = heard(out), heard(tmp_path / "tied.gguf")
    assert mine["text"] != tied["text"]
    first = lambda r: next(token for token in r["segments"][0]["tokens"] if token < m.n_ordinary)  # noqa: E731
    assert first(mine) == liked[::-1][liked.index(first(tied))]
    for kind in ("bf16", "int8"):
        heard(out, "--compute_type", kind)
    formats.write_ct2(m, tmp_path / "ct2")
    programs("whisp-convert", tmp_path / "ct2", "-o", tmp_path / "ct2.gguf")
    shapes.write_bin(m, tmp_path / "some.pt", kind="f32")
    programs("whisp-convert", out, "-o", tmp_path / "int8.gguf", "--type", "int8")
    programs("whisp-convert", tmp_path / "int8.gguf", "-o", tmp_path / "again.gguf", "--type", "f16")
    for name in ("ct2.gguf", "again.gguf"):
        got = {t.name: t for t in gguf.GGUFReader(tmp_path / name).tensors}[formats.OUTPUT]
        assert np.abs(formats.floats(got) - own).max() < (1e-2 if name == "ct2.gguf" else 5e-2)
    (folder / "config.json").write_text(json.dumps({**json.loads((folder / "config.json").read_text()),
                                                    "tie_word_embeddings": True}))
    done = programs("whisp-convert", folder, "-o", out)
    assert "tied" in done.stderr and said(heard(out)) == said(tied)
    del m.tensors[formats.OUTPUT]
    folder = shapes.write_folder(m, tmp_path / "missing", tie_word_embeddings=False)
    assert "there is none" in programs("whisp-convert", folder, "-o", out, status=4).stderr
    equal = shapes.model(SMALL)
    equal.tensors[formats.OUTPUT] = embedding
    folder = shapes.write_folder(equal, tmp_path / "equal", tie_word_embeddings=False)
    programs("whisp-convert", folder, "-o", out)
    assert vocabulary_of(out)["format_version"] == 1


# ---- ggml's other blocks ----

@pytest.mark.parametrize("kind", ["q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_nl"])
def test_ggml_blocks(programs, heard, tmp_path, kind):
    """To the last bit what the gguf package makes of the same blocks."""
    m = shapes.model(SMALL, layers=1, text_layers=1, state=256, heads=4, alignment=None)
    meaning = formats.write_ggml(m, tmp_path / "ggml.bin", kind)
    programs("whisp-convert", tmp_path / "ggml.bin", "-o", tmp_path / "out.gguf", "--type", "f32", "--vocab",
             write_tokenizer(m, tmp_path))
    tensors = {t.name: t for t in gguf.GGUFReader(tmp_path / "out.gguf").tensors}
    for name, x in meaning.items():
        assert np.array_equal(formats.floats(tensors[name]), x), name


def write_tokenizer(m, folder):
    (folder / "tokenizer.json").write_text(json.dumps(shapes.tokenizer(m)))
    return folder
