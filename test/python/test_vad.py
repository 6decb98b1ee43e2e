"""Silero VAD through the programs: whisp-convert reads it from safetensors and ONNX, whisp --vad_filter hears with it.

The files are made here from random weights; what the real weights answer is in test/vad/test_vad.c.
"""
import json
import subprocess

import pytest

np = pytest.importorskip("numpy", reason="numpy is missing: `make check` installs it")
gguf = pytest.importorskip("gguf", reason="the gguf package is missing: `make check` installs it")

import invent  # noqa: E402
import recordings  # noqa: E402

# What the file calls them, what the ONNX file calls them, and their shapes.
TENSORS = {
    "stft_conv.weight": ("model.stft.forward_basis_buffer", (258, 1, 256)),
    "conv1.weight": ("model.encoder.0.reparam_conv.weight", (128, 129, 3)),
    "conv1.bias": ("model.encoder.0.reparam_conv.bias", (128,)),
    "conv2.weight": ("model.encoder.1.reparam_conv.weight", (64, 128, 3)),
    "conv2.bias": ("model.encoder.1.reparam_conv.bias", (64,)),
    "conv3.weight": ("model.encoder.2.reparam_conv.weight", (64, 64, 3)),
    "conv3.bias": ("model.encoder.2.reparam_conv.bias", (64,)),
    "conv4.weight": ("model.encoder.3.reparam_conv.weight", (128, 64, 3)),
    "conv4.bias": ("model.encoder.3.reparam_conv.bias", (128,)),
    "lstm_cell.weight_ih": ("model.decoder.rnn.weight_ih", (512, 128)),
    "lstm_cell.weight_hh": ("model.decoder.rnn.weight_hh", (512, 128)),
    "lstm_cell.bias_ih": ("model.decoder.rnn.bias_ih", (512,)),
    "lstm_cell.bias_hh": ("model.decoder.rnn.bias_hh", (512,)),
    "final_conv.weight": ("model.decoder.decoder.2.weight", (1, 128, 1)),
    "final_conv.bias": ("model.decoder.decoder.2.bias", (1,)),
}


def random_weights():
    draw = np.random.default_rng(4)
    return {name: (draw.random(shape, np.float32) - 0.5) for name, (_, shape) in TENSORS.items()}


def safetensors(weights):
    head, data = {"__metadata__": {"format": "pt"}}, b""
    for name, x in weights.items():
        head[name] = {"dtype": "F32", "shape": list(x.shape), "data_offsets": [len(data), len(data) + x.nbytes]}
        data += x.tobytes()
    text = json.dumps(head).encode()
    return len(text).to_bytes(8, "little") + text + data


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def onnx(weights, packed=False, dtype=1):
    """A model's protocol buffer: version, producer, a graph of a node and initializers."""
    graph = field(1, field(1, b"x") + field(4, b"Identity")) + field(2, b"graph")
    for name, x in weights.items():
        dims = field(1, b"".join(map(varint, x.shape))) if packed else b"".join(field(1, n) for n in x.shape)
        graph += field(5, dims + field(2, dtype) + field(8, TENSORS[name][0].encode()) + field(9, x.tobytes()))
    graph += field(5, field(1, 1) + field(2, 7) + field(8, b"something.else") + field(9, bytes(8)))
    return field(1, 8) + field(2, b"pytorch") + field(7, graph) + field(8, field(2, 15))


@pytest.fixture(scope="module")
def convert(build, root):
    program = (root / build / "whisp-convert").resolve()

    def run(*arguments, status=0):
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=60)
        assert done.returncode == status, done.stderr
        return done

    return run


def refused(convert, path, data, *words, options=()):
    path.write_bytes(data)
    out = path.with_suffix(".gguf")
    message = convert(path, "-o", out, *options, status=2 if options else 4).stderr
    assert message.count("\n") == 1 and all(word in message for word in words), message
    assert not out.exists()


def test_both_formats_come_out_the_same(convert, tmp_path):
    weights = random_weights()
    files = {"vad.safetensors": safetensors(weights), "vad.onnx": onnx(weights),
             "packed.onnx": onnx(weights, packed=True)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        out = tmp_path / (name + ".gguf")
        convert(tmp_path / name, "-o", out)
        reader = gguf.GGUFReader(out)
        assert bytes(reader.fields["general.architecture"].parts[-1]) == b"silero-vad"
        assert bytes(reader.fields["general.name"].parts[-1]) == b"silero-vad"
        tensors = {t.name: t for t in reader.tensors}
        assert set(tensors) == set(weights)
        for key, x in weights.items():
            assert np.array_equal(np.asarray(tensors[key].data).reshape(x.shape), x), key


def test_damaged_and_wrong_files_are_refused(convert, tmp_path):
    weights = random_weights()
    path = tmp_path / "bad.onnx"
    good = onnx(weights)
    for n in (9, 40, 300, 5000, len(good) // 2, len(good) - 1):
        refused(convert, path, good[:n], str(path))
    refused(convert, path, onnx({k: x for k, x in weights.items() if k != "conv2.bias"}), "conv2.bias", "missing")
    refused(convert, path, onnx(weights, dtype=10), "not float32")
    refused(convert, path, onnx({**weights, "conv3.bias": np.zeros(65, np.float32)}), "conv3.bias", "shape")
    refused(convert, path, onnx({**weights, "conv3.bias": np.full(64, np.nan, np.float32)}), "conv3.bias", "damaged")
    refused(convert, path, good, "f32", options=("--type", "q8_0"))
    text = tmp_path / "bad.safetensors"
    refused(convert, text, safetensors(weights)[:-4], str(text))
    refused(convert, text, safetensors({**weights, "conv1.weight": np.zeros((128, 65, 3), np.float32)}), "conv1.weight")


def whisp_run(build, root, *arguments, failing=False, stdin=None):
    done = subprocess.run([(root / build / "whisp").resolve(), *map(str, arguments)], capture_output=True, timeout=120,
                          stdin=stdin)
    assert (done.returncode != 0) == failing, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


def test_models_of_the_other_kind_are_named(build, root, convert, tmp_path, noise_wav):
    (tmp_path / "vad.onnx").write_bytes(onnx(random_weights()))
    vad, speech = tmp_path / "silero-vad.gguf", tmp_path / "speech.gguf"
    convert(tmp_path / "vad.onnx", "-o", vad)
    invent.write(str(speech), name="speech")
    _, message = whisp_run(build, root, "--model", vad, noise_wav, failing=True)
    assert "a voice activity model (Silero VAD), not a speech model" in message
    arguments = ("--model", speech, "--vad_filter", "True", "--vad_model")
    _, message = whisp_run(build, root, *arguments, speech, noise_wav, failing=True)
    assert "a Whisper speech model" in message
    _, message = whisp_run(build, root, *arguments, tmp_path / "none.gguf", noise_wav, failing=True)
    assert "none.gguf" in message
    # it is found beside the speech model
    whisp_run(build, root, "--model", speech, "--vad_filter", "True", noise_wav)


def test_speech_between_silences(build, root, real_model, shared, tmp_path):
    """As faster-whisper's test of vad_filter, with silence around: the words, at their times in the recording."""
    real_model("silero-vad")
    model = real_model("tiny.en")
    jfk = np.fromfile(shared / "reference" / "jfk.pcm_176000.f32", "<f4")
    quiet = np.array(recordings.noise(12, loudness=0.01)) / 32768
    samples = np.concatenate([quiet, jfk, quiet])
    path = recordings.write_wav(tmp_path / "speech.wav", (samples * 32768).astype(np.int16))
    options = ("--model", model, "--vad_filter", "True", "--vad_min_silence_duration_ms", 500,
               "--vad_speech_pad_ms", 200, "--output_format", "json", "--output_dir", tmp_path)
    whisp_run(build, root, *options, path)
    with open(path, "rb") as pipe:
        whisp_run(build, root, *options, "-", stdin=pipe)
    result = json.loads((tmp_path / "speech.json").read_text())
    assert result == json.loads((tmp_path / "stdin.json").read_text())
    assert "ask what you can do for your country" in result["text"].lower()
    assert abs(result["segments"][0]["start"] - 12.2) < 0.3
    assert abs(result["segments"][-1]["end"] - 22.8) < 0.3
    whole = recordings.write_wav(tmp_path / "quiet.wav", (np.concatenate([quiet] * 3) * 32768).astype(np.int16))
    whisp_run(build, root, *options, whole)
    assert json.loads((tmp_path / "quiet.json").read_text())["segments"] == []
