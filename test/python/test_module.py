"""The Python module: its declarations against the header, its behaviour with invented models, a real one's words."""
import array
import ctypes
import io
import gc
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import warnings
import wave
import weakref

import pytest

# Greedy and short: what an invented model says at higher temperatures is longer and no more interesting.
GREEDY = {"hallucination_guard": False, "language": "en", "temperature": 0.0, "threads": 1}
SEGMENT_KEYS = ["id", "seek", "start", "end", "text", "tokens", "temperature", "avg_logprob", "compression_ratio",
                "no_speech_prob"]


@pytest.fixture(scope="module")
def model(whisp, invented_dir):
    with whisp.load_model("english", invented_dir) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def multilingual(whisp, invented_dir):
    with whisp.load_model("multilingual", invented_dir) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def answer(model, noise):
    """What the model says about the noise."""
    result = model.transcribe(noise, **GREEDY)
    assert result["segments"], "the invented model should say something"
    return result


def python(code, *arguments, **environment):
    """Run code in a Python of its own that finds the module."""
    tools = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "python")
    environment = {**os.environ, "PYTHONPATH": os.path.abspath(tools), **environment}
    environment = {name: str(value) for name, value in environment.items() if value is not None}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, timeout=120)


# -- declarations


def test_structures_are_the_headers(whisp, root, tmp_path):
    """Every member's place and size, asked of the C compiler."""
    from whisp import _library

    structures = {"whisp_model_info": _library.ModelInfo, "whisp_option_info": _library.OptionInfo,
                  "whisp_token": _library.Token, "whisp_segment": _library.Segment,
                  "whisp_audio_info": _library.AudioInfo, "whisp_timings": _library.Timings,
                  "whisp_word": _library.Word, "whisp_alternative": _library.Alternative, "whisp_turn": _library.Turn,
                  "whisp_language": _library.Language, "whisp_format": _library.Format,
                  "whisp_model_file": _library.ModelFile, "whisp_result_info": _library.ResultInfo,
                  "whisp_session_info": _library.SessionInfo, "whisp_stream_info": _library.StreamInfo,
                  "whisp_writer_options": _library.WriterOptions, "whisp_callbacks": _library.CallbackTable,
                  "whisp_reader": _library.Reader, "whisp_event": _library.Event, "whisp_span": _library.Span,
                  "whisp_speech_info": _library.SpeechInfo}
    lines, expected = [], []
    for name, structure in structures.items():
        for member, *_ in structure._fields_:
            place, size = "offsetof(%s, %s)" % (name, member), "sizeof(((%s *)0)->%s)" % (name, member)
            lines.append('printf("%%zu %%zu\\n", %s, %s);' % (place, size))
            field = getattr(structure, member)
            expected.append("%d %d" % (field.offset, field.size))
        lines.append('printf("%%zu\\n", sizeof(%s));' % name)
        expected.append("%d" % ctypes.sizeof(structure))
    source = tmp_path / "sizes.c"
    source.write_text("#include <stdio.h>\n#include <whisp_live.h>\n#include <whisp_vad.h>\nint main(void)\n{\n%s\n}\n" % "\n".join(lines))
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run(compiler + ["-I", root / "include", source, "-o", tmp_path / "sizes"], check=True)
    assert subprocess.run([tmp_path / "sizes"], capture_output=True, text=True).stdout.split("\n")[:-1] == expected


def test_functions_are_the_headers(whisp, root):
    """Each function that the module declares is in the headers, with as many parameters."""
    from whisp._library import _PROTOTYPES

    headers = "".join((root / "include" / name).read_text() for name in ("whisp.h", "whisp_vad.h", "whisp_live.h", "whisp_speakers.h"))
    header = re.sub(r"/\*.*?\*/", "", headers, flags=re.DOTALL)
    found = {}
    for name, parameters in re.findall(r"WHISP_API\b[^;]*?\b(whisp_\w+)\(([^;]*)\);", header):
        found[name] = 0 if parameters.strip() == "void" else parameters.count(",") + 1
    for name, (_, *arguments) in _PROTOTYPES.items():
        assert found.get(name) == len(arguments), name


def test_version(whisp, root):
    header = (root / "include" / "whisp.h").read_text()
    version = ".".join(re.findall(r"^#define WHISP_VERSION_\w+ (\d+)", header, re.MULTILINE))
    assert whisp.__version__ == version == whisp.library_version()


def test_library_that_is_not_there(library_file, tmp_path):
    code = "import whisp\ntry:\n whisp.languages()\nexcept whisp.LibraryError as error: print(error)"
    out = python(code, WHISP_LIBRARY=tmp_path / "none.so")
    assert "$WHISP_LIBRARY" in out.stdout and "none.so" in out.stdout, out
    # A copy of the package far from any checkout lists all that it tried.
    tools = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "python", "whisp")
    shutil.copytree(tools, tmp_path / "whisp", ignore=shutil.ignore_patterns("*.so*", "__pycache__"))
    out = python(code, WHISP_LIBRARY=None, PYTHONPATH=tmp_path)
    assert "libwhisp not found" in out.stdout and str(tmp_path / "whisp" / "libwhisp.so") in out.stdout, out


def test_library_of_another_version(whisp, tmp_path):
    (tmp_path / "other.c").write_text('const char *whisp_version() { return "9.1.0"; }\n')
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run(compiler + ["-shared", "-fPIC", tmp_path / "other.c", "-o", tmp_path / "other.so"], check=True)
    out = python("import whisp; whisp.languages()", WHISP_LIBRARY=tmp_path / "other.so")
    assert out.returncode and "is version 9.1.0, this module needs 0.1" in out.stderr


# -- models


def test_model(whisp, model, multilingual, invented_dir):
    assert model.name == "english" and model.type == "f32" and not model.is_multilingual
    assert model.languages == ["en"]
    assert multilingual.is_multilingual and len(multilingual.languages) == 99
    assert multilingual.languages[:2] == ["en", "zh"]
    dims = model.dims
    assert dims[:5] == (80, 1500, 64, 2, 2) and dims[6:] == (448, 64, 2, 2) and dims.n_vocab > 1509
    assert model.n_parameters > 100000
    assert whisp.available_models(invented_dir) == ["english", "multilingual"]
    with whisp.load_model(invented_dir / "english.gguf") as again:
        assert again.dims == dims


def test_model_that_is_none(whisp, invented_dir, tmp_path):
    with pytest.raises(whisp.FileError, match="nosuch") as raised:
        whisp.load_model("nosuch", invented_dir)
    assert isinstance(raised.value, OSError) and isinstance(raised.value, whisp.Error) and raised.value.code == -3
    text = tmp_path / "text.gguf"
    text.write_text("not a model\n" * 100)
    with pytest.raises(whisp.ModelError, match="text.gguf"):
        whisp.load_model(text)


def test_closed(whisp, invented_dir, noise):
    model = whisp.load_model("english", invented_dir)
    session = model.session(**GREEDY)
    model.close()
    model.close()
    for call in (lambda: model.transcribe(noise), lambda: model.tokenize("a"), lambda: model.stream([])):
        with pytest.raises(whisp.StateError, match="closed"):
            call()
    session.push(noise)  # the session keeps the model's memory
    assert session.finish()
    session.close()
    session.close()
    with pytest.raises(whisp.StateError, match="closed"):
        session.push(noise)


def test_memory_is_released_in_order(whisp, invented_dir):
    """The model's memory outlives a session that is dropped without close(), in a cycle too, and not longer."""
    model = whisp.load_model("english", invented_dir)
    handle = weakref.ref(model.handle)
    session = model.session()
    session.itself = session
    del model
    assert handle() is not None
    del session
    gc.collect()
    assert handle() is None


# -- transcribing


def test_result_is_openais(model, answer, noise):
    assert list(answer) == ["text", "segments", "language"] and answer["language"] == "en"
    for i, segment in enumerate(answer["segments"]):
        assert list(segment)[:10] == SEGMENT_KEYS and segment["id"] == i
        assert set(segment) - set(SEGMENT_KEYS) <= {"words"}
        assert 0 <= segment["start"] <= segment["end"] and segment["temperature"] == 0.0
        assert segment["avg_logprob"] < 0 and 0 <= segment["no_speech_prob"] <= 1
        assert all(isinstance(token, int) for token in segment["tokens"])
    assert json.loads(model.transcribe_text(noise, "json", **GREEDY)) == answer


def test_documents(whisp, model, answer, noise):
    srt = model.transcribe_text(noise, "srt", **GREEDY)
    assert srt.startswith("1\n00:00:0") and " --> " in srt
    assert model.transcribe_text(noise, **GREEDY).split() == " ".join(s["text"] for s in answer["segments"]).split()
    with pytest.raises(whisp.ArgumentError, match="docx"):
        model.transcribe_text(noise, "docx", **GREEDY)


def test_all_kinds_of_samples(model, answer, noise):
    integers = array.array("h", [round(x * 32768) for x in noise])
    doubled = array.array("f", [x for sample in noise for x in (sample, 9.0)])
    read_only = memoryview(noise.tobytes()).cast("f")
    kinds = [list(noise), tuple(noise), array.array("d", noise), integers, memoryview(noise), read_only,
             memoryview(doubled)[::2], (ctypes.c_float * len(noise))(*noise)]
    for kind in kinds:
        assert model.transcribe(kind, **GREEDY) == answer, type(kind)


def test_numpy(whisp, model, answer, noise):
    numpy = pytest.importorskip("numpy")
    samples = numpy.array(noise, dtype=numpy.float32)
    strided = numpy.stack([samples, samples], axis=1)[:, 0]
    frozen = samples.copy()
    frozen.flags.writeable = False
    for kind in (samples, samples.astype("f8"), (samples * 32768).astype("i2"), strided, frozen, samples.astype(">f4")):
        assert model.transcribe(kind, **GREEDY) == answer, (kind.dtype, kind.strides)
    with pytest.raises(whisp.ArgumentError, match="2 dimensions .*mix the channels"):
        model.transcribe(numpy.stack([samples, samples]))
    with pytest.raises(whisp.ArgumentError, match="int64"):
        model.transcribe(samples.astype("i8"))
    options = {"temperature": numpy.float32(0), "suppress_blank": numpy.bool_(True), "best_of": numpy.int64(5)}
    assert model.transcribe(samples, **{**GREEDY, **options}) == answer


def test_without_numpy(library_file, invented_dir):
    code = """
import sys, whisp
whisp.load_model("english", sys.argv[1]).transcribe([0.0] * 1600, temperature=0)
print("numpy" in sys.modules)
"""
    out = python(code, invented_dir, WHISP_LIBRARY=library_file)
    assert out.stdout == "False\n", out.stderr


def test_file(whisp, model, answer, noise, noise_wav):
    assert model.transcribe(noise_wav, **GREEDY) == answer
    assert model.transcribe(str(noise_wav), **GREEDY) == answer
    assert list(whisp.load_audio(noise_wav)) == list(noise)
    with open(noise_wav, "rb") as file:
        assert list(whisp.load_audio(file.fileno())) == list(noise)


def test_bytes_are_a_file(whisp, model, answer, noise, noise_wav):
    """Never samples: what is in a file, as it would be read from a request or a database."""
    data = noise_wav.read_bytes()
    with open(noise_wav, "rb") as file:
        for kind in (data, bytearray(data), memoryview(data), io.BytesIO(data), file):
            assert model.transcribe(kind, **GREEDY) == answer, type(kind)
    assert list(whisp.load_audio(data)) == list(noise)
    for nonsense in (noise.tobytes(), bytearray(noise.tobytes()), b"123", b"", b"RIFF"):
        for call in (model.transcribe, whisp.load_audio):
            with pytest.raises(whisp.AudioError, match="^the recording in memory: "):
                call(nonsense)
    with pytest.raises(whisp.ArgumentError, match="rb"):
        model.transcribe(io.StringIO("text"))
    with model.session(**GREEDY) as session:
        for block in (data, memoryview(data), io.BytesIO(data), noise_wav):
            with pytest.raises(whisp.ArgumentError, match="must hold samples"):
                session.push(block)
    with pytest.raises(whisp.ArgumentError, match="uint8|format 'B'"):
        model.transcribe(array.array("B", data))


def test_open_files(whisp, model, answer, noise, noise_wav):
    """From where they stand, by their own functions; also those that only read; what they raise comes out."""
    class Slow(io.BytesIO):
        def read(self, n=-1):
            return super().read(min(n, 1000) if n > 0 else n)

    class Pipe:
        def __init__(self, data):
            self.read = io.BytesIO(data).read

    data = noise_wav.read_bytes()
    behind = Slow(b"something before" + data)
    behind.seek(16)
    for kind in (Slow(data), Pipe(data), behind):
        assert model.transcribe(kind, **GREEDY) == answer
    with open(noise_wav, "rb") as file:
        assert list(whisp.load_audio(file)) == list(noise)

    class Broken(io.BytesIO):
        def read(self, n=-1):
            if self.tell() > 20000:
                raise RuntimeError("the network is gone")
            return super().read(n)

    with pytest.raises(RuntimeError, match="the network is gone"):
        model.transcribe(Broken(data), **GREEDY)


def test_model_from_bytes(whisp, invented_dir, noise, answer):
    data = (invented_dir / "english.gguf").read_bytes()
    for kind in (data, bytearray(data), memoryview(data)):
        with whisp.load_model(kind) as model:
            assert model.path is None and model.name == "english"
            assert model.transcribe(noise, **GREEDY) == answer
    with pytest.raises(whisp.ModelError, match="the model in memory"):
        whisp.load_model(data[:1000])


def test_what_was_final(whisp, model, noise):
    """A transcription that was stopped has what was final until then; also where a callback's exception stopped it."""
    long = list(noise) * 12
    seen = []
    with pytest.raises(whisp.Cancelled) as stopped:
        model.transcribe(long, cancel=lambda: len(seen) > 1, segment=seen.append, **GREEDY)
    result = stopped.value.result
    assert result["segments"] == seen and "the work stopped: cancelled" in result["incomplete"]
    seen.clear()

    def segment(final):
        seen.append(final)
        if len(seen) == 2:
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough") as raised:
        model.transcribe(long, segment=segment, **GREEDY)
    assert raised.value.result["segments"][:2] == seen
    with pytest.raises(whisp.Cancelled) as stopped:
        model.transcribe(long, cancel=lambda: True, **GREEDY)
    assert stopped.value.result is None


def test_transcripts_that_are_there(whisp, model, answer, noise_wav):
    for form in ("txt", "srt", "vtt", "tsv", "json"):
        document = model.transcribe_text(noise_wav, form, word_timestamps=True, **GREEDY)
        made = model.transcribe(noise_wav, word_timestamps=True, **GREEDY)
        assert whisp.format_transcript(made, form) == document
        assert whisp.format_transcript(json.dumps(made), form) == document
    assert whisp.format_transcript(answer, "json") == json.dumps(answer)
    with pytest.raises(whisp.ArgumentError, match="not a transcript"):
        whisp.format_transcript({"text": "a"})


@pytest.fixture
def ffmpeg(tmp_path, monkeypatch, noise):
    """Puts a program in ffmpeg's place, which finds the samples of `noise` in "$SOUND"."""
    def write(script):
        (tmp_path / "bin").mkdir(exist_ok=True)
        samples = array.array("h", [round(x * 32768) for x in noise]).tobytes()
        header = struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
        (tmp_path / "sound").write_bytes(b"RIFF\xff\xff\xff\xffWAVEfmt " + header + b"data\xff\xff\xff\xff" + samples)
        program = tmp_path / "bin" / "ffmpeg"
        program.write_text("#!/bin/sh\nSOUND='%s'\n%s\n" % (tmp_path / "sound", script))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", "%s:/usr/bin:/bin" % program.parent)
    return write


def test_ffmpeg(whisp, model, multilingual, answer, noise, tmp_path, ffmpeg, monkeypatch):
    """What the library does not decode comes from ffmpeg: paths and bytes, all of it, in part, not at all."""
    data = b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom\0\0\0\0" + bytes(100)
    path = tmp_path / "-talk:1.m4a"
    path.write_bytes(data)
    ffmpeg('for a; do echo "$a"; done >"%s"; cat "$SOUND"' % (tmp_path / "arguments"))
    monkeypatch.chdir(tmp_path)
    for kind in (path, path.name, data):
        assert model.transcribe(kind, **GREEDY) == answer
        assert [line for line in (tmp_path / "arguments").read_text().splitlines() if line.startswith("file:")]
    assert list(whisp.load_audio(path)) == list(noise)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for contents in data, (tmp_path / "sound").read_bytes():  # a pipe; what the library decodes is left in it
        feeder = threading.Thread(target=fifo.write_bytes, args=(contents,))
        feeder.start()
        assert list(whisp.load_audio(fifo)) == list(noise)
        feeder.join()
    ffmpeg('head -c 64044 "$SOUND"; echo "[mov @ 0x1f] partial file" >&2; exit 3')
    told = "talk:1.m4a: stopped at 0:02; ffmpeg ended with status 3: .mov. partial file"
    with pytest.warns(whisp.IncompleteWarning, match=told):
        assert "stopped at 0:02" in model.transcribe(path, **GREEDY)["incomplete"]
    with pytest.warns(whisp.IncompleteWarning, match="the recording in memory: stopped at 0:02"):
        assert '"incomplete": "the recording in memory: ' in model.transcribe_text(data, "json", **GREEDY)
    with pytest.warns(whisp.IncompleteWarning, match=told):
        assert len(whisp.load_audio(path)) == 32000
    with pytest.warns(whisp.IncompleteWarning, match=told):
        assert multilingual.detect_language(path)[0]
    ffmpeg('cat "$SOUND"; echo "[mov @ 0x1f] [warning] Found duplicated MOOV Atom. Skipped it" >&2')
    with pytest.warns(whisp.IncompleteWarning, match="perhaps not all of it was heard; ffmpeg: .mov. Found duplicated"):
        model.transcribe(path, **GREEDY)
    ffmpeg('cat "$SOUND"; echo "[warning] Guessed Channel Layout for Input Stream #0.0 : stereo" >&2')
    assert model.transcribe(path, **GREEDY) == answer
    for script, word in (("echo '[error] broken' >&2; exit 1", "broken"), ("exit 0", "no sound"), ("kill -9 $$", "signal 9"),
                         ("echo \"Stream map '0:a:0' matches no streams.\" >&2; exit 1", "there is no sound in it")):
        ffmpeg(script)
        with pytest.raises(whisp.AudioError, match="talk:1.m4a: .*" + word):
            model.transcribe(path)
    ffmpeg('for a; do case "$a" in file:*) echo "[error] $a: Invalid data" >&2; esac; done; exit 1')
    for kind in path, data:
        with pytest.raises(whisp.AudioError, match="cannot be heard: ffmpeg ended with status 1: Invalid data$"):
            model.transcribe(kind)
    (tmp_path / "my ffmpeg x.wav").write_bytes(b"")
    ffmpeg('touch called; cat "$SOUND"')
    with pytest.raises(whisp.AudioError, match="is empty"):
        model.transcribe("my ffmpeg x.wav")
    assert not (tmp_path / "called").exists()
    (tmp_path / "bin" / "ffmpeg").write_bytes(b"\x7fELF and no more")
    with pytest.raises(whisp.AudioError, match="talk:1.m4a: .*ffmpeg cannot be started"):
        model.transcribe(path)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(whisp.AudioError, match=r"ffmpeg .* \| whisp -"):
        model.transcribe(path)


def test_prompt_of_tokens(whisp, model, answer, noise):
    ids = model.tokenize(" And so")
    assert ids and model.transcribe(noise, initial_prompt=ids, **GREEDY) == model.transcribe(
        noise, initial_prompt="And so", **GREEDY)
    assert model.transcribe(noise, initial_prompt=tuple(ids), carry_initial_prompt=True, **GREEDY) == model.transcribe(
        noise, initial_prompt="And so", carry_initial_prompt=True, **GREEDY)
    assert model.transcribe(noise, initial_prompt=[], **GREEDY) == answer
    for bad in ([99999], [-1], 5, ["a"], [1.5], [1 << 40]):
        with pytest.raises(whisp.ArgumentError, match="initial_prompt"):
            model.transcribe(noise, initial_prompt=bad, **GREEDY)


def test_audio_that_is_none(whisp, model, noise, tmp_path):
    two_channels = memoryview(noise).cast("B").cast("f", [2, len(noise) // 2])
    for nonsense in ([noise, noise], two_channels, 5, None, object(), ["a"], array.array("i", [1]), "nul\0"):
        with pytest.raises(whisp.ArgumentError):
            model.transcribe(nonsense)
    with pytest.raises(whisp.FileError, match="nosuch.wav"):
        model.transcribe(tmp_path / "nosuch.wav")
    text = tmp_path / "text.mp3"
    text.write_text("not a recording\n" * 100)
    for call in (model.transcribe, whisp.load_audio):
        with pytest.raises(whisp.AudioError, match="text.mp3"):
            call(text)
    assert model.transcribe([], **GREEDY)["segments"] == []


def test_options(whisp, model):
    with pytest.raises(whisp.ArgumentError, match=r"unknown option beams \(beam_size\?\); there are: .*temperature"):
        model.transcribe([0.0], beams=5)
    for options in ({"temperature": "warm"}, {"language": "klingon"}, {"task": "sing"}, {"best_of": 0},
                    {"seed": object()}, {"initial_prompt": "nul\0"}, {"task": "translate"}, {"patience": 2},
                    {"beam_size": 99}, {"suppress_regex": "("}):
        with pytest.raises(ValueError) as raised:
            model.transcribe([0.0], **options)
        assert isinstance(raised.value, whisp.ArgumentError), options
    model.transcribe([0.0], fp16=False, beam_size=None, word_timestamps=False, language=None, initial_prompt=None)
    model.transcribe([0.0], beam_size=5, patience=1.5, prefix="And", hotwords="so", suppress_regex="[0-9]+")
    model.transcribe([0.0], vocabulary=["recsys", "multi-armed bandits"])
    model.transcribe([0.0], vocabulary=[])
    for bad in (["two\nlines"], ["# comment"], [3], ["---"], 7, "no/such/file"):
        with pytest.raises((ValueError, OSError)):
            model.transcribe([0.0], vocabulary=bad)
    assert whisp.options()["temperature"][1] == "0.0,0.2,0.4,0.6,0.8,1.0"
    assert whisp.languages()["de"] == "German"


def test_words(whisp, model, noise, tmp_path):
    result = model.transcribe(noise, word_timestamps=True, **GREEDY)
    for segment in result["segments"]:
        for word in segment["words"]:
            assert set(word) == {"word", "start", "end", "probability"}
            assert word["start"] <= word["end"] and 0 <= word["probability"] <= 1
    words = [word for segment in result["segments"] for word in segment["words"]]
    assert words and all(a["end"] <= b["start"] for a, b in zip(words, words[1:]))
    plain = model.transcribe(noise, **GREEDY)
    assert all("words" not in segment or not segment["tokens"] for segment in plain["segments"])
    subtitles = model.transcribe_text(noise, "srt", word_timestamps=True, highlight_words=True, **GREEDY)
    assert "<u>" in subtitles
    one = model.transcribe_text(noise, "vtt", word_timestamps=True, max_words_per_line=1, max_line_width=None, **GREEDY)
    assert one.count("-->") == len(words)
    laid_out = model.transcribe_text(noise, "srt", subtitles=True, **GREEDY)
    assert max(len(line) for line in laid_out.splitlines()) <= 42
    assert laid_out == whisp.format_transcript(result, "srt", subtitle_style="netflix")
    assert "Dialogue: " in model.transcribe_text(noise, "ass", subtitle_style="bbc", **GREEDY)
    wrongs: list = [{"subtitles": True, "max_line_width": 9}, {"subtitle_style": "disney"}]
    for wrong in ({"max_line_width": 0}, {"max_line_count": "2"}, {"max_words_per_line": -1}, *wrongs):
        with pytest.raises(whisp.ArgumentError):
            model.transcribe_text(noise, "srt", **wrong)
    judged = model.transcribe(noise, confidence=True, **GREEDY)
    assert judged["text"] == plain["text"]
    assert all(0 < word["confidence"] <= 1 for segment in judged["segments"] for word in segment["words"])
    assert "[" in model.transcribe_text(noise, "doubtful", confidence=True, doubtful_share=0.5, **GREEDY)
    clips = model.transcribe(noise, clip_timestamps=[2.0, 4.0], **GREEDY)
    assert {segment["seek"] for segment in clips["segments"]} <= set(range(200, 400))
    assert model.transcribe(noise, clip_timestamps=[], **GREEDY) == plain
    with pytest.raises(whisp.ArgumentError, match="ascend"):
        model.transcribe(noise, clip_timestamps=[4, 2])


def test_align(whisp, model, noise, noise_wav):
    text = "The first line.\nAnd another."
    result = model.align(noise, text)
    assert [segment["text"] for segment in result["segments"]] == [" The first line.", " And another."]
    assert [word["word"] for word in result["segments"][1]["words"]] == [" And", " another."]
    seen = []
    model.align(noise_wav, text, segment=seen.append)
    assert [segment["text"] for segment in seen] == [" The first line.", " And another."]
    for wrong in ("", " ...", "nul\0", "\udc80"):
        with pytest.raises(whisp.ArgumentError):
            model.align(noise, wrong)


def test_options_as_text(whisp):
    """Python's values as the library gets them."""
    from whisp._library import library
    from whisp._options import set_options

    def get(name, **options):
        handle = ctypes.c_void_p(library().whisp_options_new())
        try:
            set_options(handle, options)
            return library().whisp_options_get(handle, name.encode()).decode()
        finally:
            library().whisp_options_free(handle)

    assert get("temperature", temperature=(0.0, 0.5)) == "0.0,0.5"
    assert get("temperature", temperature=0) == "0"
    assert get("temperature_increment_on_fallback") == "0.2"
    assert get("temperature_increment_on_fallback", temperature=0.0) == "None"
    assert get("temperature_increment_on_fallback", temperature=0.0, temperature_increment_on_fallback=0.5) == "0.5"
    assert get("suppress_tokens", suppress_tokens=[1, 2]) == "1,2"
    assert get("suppress_tokens", suppress_tokens=[]) == "None"
    assert get("suppress_tokens", suppress_tokens="-1,7") == "-1,7"
    assert get("condition_on_previous_text", condition_on_previous_text=False) == "False"
    assert get("condition_on_previous_text", condition_on_previous_text=0) == "False"
    assert get("logprob_threshold", logprob_threshold=None) == "None"
    assert get("initial_prompt", initial_prompt="Größe") == "Größe"


def test_verbose(model, answer, noise, capsys, monkeypatch):
    model.transcribe(noise, verbose=None, **GREEDY)
    assert capsys.readouterr() == ("", "")
    model.transcribe(noise, verbose=True, **GREEDY)
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == "" and len(lines) == len(answer["segments"])
    assert re.fullmatch(r"\[00:\d\d\.\d{3} --> 00:\d\d\.\d{3}\] .*", lines[0])
    for there, said in ((importlib.machinery.ModuleSpec("tqdm", None), "transcribed"), (None, "of 7 s transcribed")):
        if there is None:  # its own bar
            monkeypatch.setattr(importlib.util, "find_spec", lambda name: there)
        elif importlib.util.find_spec("tqdm") is None:
            continue
        model.transcribe(noise, verbose=False, **GREEDY)
        out, err = capsys.readouterr()
        assert out == "" and said in err and "7 s" in err and err.endswith("\n")


def test_free_threads_are_refused(root, library_file):
    """In words, unless somebody wants to try."""
    script = "import sys; sys._is_gil_enabled = lambda: False; import whisp; print(len(whisp.options()) > 9)"
    env = {**os.environ, "PYTHONPATH": str(root / "tools/python"), "WHISP_LIBRARY": str(library_file)}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True)
    assert done.returncode == 1 and "PYTHON_GIL=1" in done.stderr.splitlines()[-1]
    done = subprocess.run([sys.executable, "-c", script], env={**env, "WHISP_FREE_THREADED": "1"}, capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr


# -- callbacks


def test_callbacks(model, answer, noise):
    done, segments, asked = [], [], []
    model.transcribe(noise, progress=lambda *times: done.append(times), segment=segments.append,
                     cancel=lambda: asked.append(1), **GREEDY)
    assert segments == answer["segments"]
    assert done and all(total == pytest.approx(7.0) and seconds <= total for seconds, total in done)
    assert done == sorted(done)
    assert len(asked) >= sum(len(segment["tokens"]) for segment in segments)


def test_log(model):
    lines = []
    model.transcribe([float("nan")] * 1600, log=lambda level, text: lines.append((level, text)), **GREEDY)
    assert any(level == 1 for level, text in lines), lines  # samples that are not finite: a warning
    assert all(isinstance(text, str) for level, text in lines)


def test_cancel(whisp, model, noise):
    with pytest.raises(whisp.Cancelled):
        model.transcribe(noise, cancel=lambda: True, **GREEDY)


@pytest.mark.parametrize("name", ["progress", "segment", "cancel"])
def test_exception_in_a_callback(model, answer, noise, name):
    class Mine(Exception):
        pass

    calls = []

    def fail(*arguments):
        calls.append(arguments)
        raise Mine(name)

    with pytest.raises(Mine):
        model.transcribe(noise, **{name: fail}, **GREEDY)
    assert len(calls) == 1
    assert model.transcribe(noise, **GREEDY) == answer


def test_session_in_its_own_callback(whisp, model, noise):
    session = None

    def inside(segment):
        session.reset()

    session = model.session(segment=inside, **GREEDY)
    with pytest.raises(whisp.StateError, match="in use"):
        session.transcribe(noise)


def test_interrupt(model, noise):
    """Ctrl-C stops a long transcription soon, and comes out of it."""
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    start = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.transcribe(noise * 500, **GREEDY)
        time.sleep(5)  # were it done before the timer
    assert time.monotonic() - start < 4


def test_threads(model, answer, noise):
    """One model, several Python threads at once."""
    results = []
    threads = [threading.Thread(target=lambda: results.append(model.transcribe(noise, **GREEDY))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [answer] * 4


# -- streaming


def blocks_of(samples, size):
    return [samples[i : i + size] for i in range(0, len(samples), size)]


def test_session(whisp, model, answer, noise):
    with model.session(**GREEDY) as session:
        for block in blocks_of(noise, 10007):
            session.measure(block)
        session.measure()
        segments = []
        for block in blocks_of(noise, 4321):
            segments += session.push(block)
        segments += session.finish()
        assert segments == answer["segments"]
        assert session.language == "en" and session.backend
        timings = session.timings
        assert timings["n_windows"] >= 1 and timings["encode"] > 0
        with pytest.raises(whisp.StateError):
            session.push(noise)
        session.reset()
        assert session.transcribe(noise) == answer
        with pytest.raises(whisp.ArgumentError, match="not a path"):
            session.push("noise.wav")


@pytest.mark.parametrize("name", ["tiny.en", "base"])
def test_short_recording_is_encoded_once(whisp, root, name):
    """In int8 few rows of padding do for its language and its words, which are those of all."""
    path = root / "models" / (name + ".gguf")
    if not path.exists():
        pytest.skip("skipped: no models/%s.gguf" % name)
    said = {}
    with whisp.load_model(path) as model:
        for padding, n in {"auto": 1, "full": 1 if name == "tiny.en" else 2}.items():
            with model.session(compute_type="int8", encoder_padding=padding) as session:
                said[padding] = session.transcribe(root / "test" / "data" / "demo.flac")["text"]
                assert session.timings["n_encode"] == n and (session.language or "en") == "en"
    assert said["auto"] == said["full"] != ""


def test_stream(model, noise):
    whole = list(model.stream([noise], **GREEDY))
    assert whole and list(whole[0])[:10] == SEGMENT_KEYS
    assert list(model.stream(blocks_of(noise, 999), **GREEDY)) == whole
    left = blocks_of(noise, 16000)
    assert list(model.stream(lambda: left.pop(0) if left else None, **GREEDY)) == whole


def test_stream_of_a_long_recording(model, noise):
    """More than a session buffers goes through, and a segment comes before the last block is asked for."""
    asked = []

    def blocks():
        for i in range(20):
            asked.append(i)
            yield noise

    early = None
    segments = []
    for segment in model.stream(blocks(), **GREEDY):
        early = len(asked) if early is None else early
        segments.append(segment)
    assert early < 20 == len(asked)
    assert segments[-1]["end"] > 100
    assert len(list(model.stream([noise * 20], **GREEDY))) == len(segments)


# -- languages and tokens


def test_detect_language(whisp, model, multilingual, noise, noise_wav):
    code, probabilities = multilingual.detect_language(noise)
    assert list(probabilities) == multilingual.languages
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-4)
    assert code == max(probabilities, key=probabilities.get)
    assert multilingual.detect_language(noise_wav)[0] == code
    options = {name: value for name, value in GREEDY.items() if name != "language"}
    assert multilingual.transcribe(noise, **options)["language"] == code
    with pytest.raises(whisp.ArgumentError):
        model.detect_language(noise)


def test_tokens(whisp, model):
    for text in ("", " the hat", "Grüße, 日本", "a" * 5000):
        tokens = model.tokenize(text)
        assert model.detokenize(tokens) == text
    assert len(model.tokenize(" the")) == 1
    end = len(model.tokenize("a")) and model.dims.n_vocab - 1
    assert model.detokenize([end]) == "<|30.00|>"
    for tokens in ([model.dims.n_vocab], [-1], [1 << 40], ["a"]):
        with pytest.raises(whisp.ArgumentError):
            model.detokenize(tokens)
    for text in ("nul\0", "\ud800"):
        with pytest.raises(whisp.ArgumentError):
            model.tokenize(text)


# -- real words


def test_jfk(whisp, shared, real_model):
    """The reference's answer: words and tokens, from the file and from its samples."""
    expected = json.loads((shared / "reference" / "tiny.en" / "jfk.mp3.transcribe.json").read_text())["greedy"]
    with whisp.load_model(real_model("tiny.en")) as model:
        path = shared / "audio" / "jfk.mp3"
        result = model.transcribe(path, language="en", temperature=0.0, compute_type="f32")
        assert result["text"] == expected["text"] and result["language"] == "en"
        assert [s["tokens"] for s in result["segments"]] == [s["tokens"] for s in expected["segments"]]
        for ours, theirs in zip(result["segments"], expected["segments"]):
            for name, value in theirs.items():
                assert ours[name] == (pytest.approx(value, abs=1e-3) if isinstance(value, float) else value), name
        assert model.transcribe(whisp.load_audio(path), language="en", temperature=0.0, compute_type="f32") == result
        with model.session(language="en", temperature=0.0, compute_type="f32") as session:
            samples = whisp.load_audio(path)
            session.measure(samples)
            session.measure()
            assert session.push(samples) + session.finish() == result["segments"]
        assert "fellow Americans" in model.transcribe_text(shared / "audio" / "jfk.flac", temperature=0.0)


def test_jfk_in_bf16(whisp, shared, real_model):
    """bfloat16 hears the reference's words, whatever the threads; arithmetic of that name and no other is meant."""
    expected = json.loads((shared / "reference" / "tiny.en" / "jfk.mp3.transcribe.json").read_text())["greedy"]
    with whisp.load_model(real_model("tiny.en")) as model:
        results = [model.transcribe(shared / "audio" / "jfk.flac", language="en", temperature=0.0, compute_type="bf16",
                                    threads=n) for n in (1, 2)]
        assert results[0]["text"] == expected["text"] and results[0] == results[1]
        with model.session(compute_type="bf16") as session:
            assert "bfloat16" in session.backend
        for wrong in ({"compute_type": "bf"}, {"compute_type": "bf16", "backend": "blas"}):
            with pytest.raises(whisp.Error):
                model.session(**wrong)


def test_reference_tokens(whisp, shared, real_model):
    pairs = json.loads((shared / "reference" / "tiny.en" / "tokenizer.json").read_text())
    with whisp.load_model(real_model("tiny.en")) as model:
        for pair in pairs:
            assert model.tokenize(pair["text"]) == pair["tokens"], pair["text"]
            assert model.detokenize(pair["tokens"]) == pair["text"]


# -- installing


def test_pip_install(root, library_file, invented_dir, tmp_path):
    """pip installs the package, with the library inside, without an index and without any other package."""
    ours = ("PYTHON", "WHISP_", "PIP_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment["WHISP_LIBRARY_BUILD"] = str(library_file.resolve())
    made = subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], capture_output=True, text=True)
    if made.returncode:
        pytest.skip("no venv here: " + (made.stdout + made.stderr).strip())
    there = tmp_path / "venv" / "bin" / "python"
    command = [there, "-m", "pip", "install", "--no-index", "--disable-pip-version-check", root / "tools" / "python"]
    installed = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    code = """
import sys, whisp, whisp._library
whisp.load_model("english", sys.argv[1]).transcribe([0.0] * 16000, temperature=0)
print(whisp._library.library()._name)
"""
    command = [there, "-c", code, invented_dir]
    out = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    used = out.stdout.strip()
    assert used.startswith(str(tmp_path / "venv")) and used.endswith("whisp/libwhisp.so")


def test_wheel_and_source_distribution(root, library_file, tmp_path, monkeypatch):
    """What the build backend makes: a wheel of this platform whose hashes hold, sources that can build one."""
    import base64
    import hashlib
    import tarfile
    import zipfile

    monkeypatch.setenv("WHISP_LIBRARY_BUILD", str(library_file.resolve()))
    import whisp_build

    name = whisp_build.build_wheel(str(tmp_path))
    assert re.fullmatch(r"libwhisp-[\d.]+-py3-none-linux_\w+\.whl", name)
    with zipfile.ZipFile(tmp_path / name) as wheel:
        list_name = next(entry for entry in wheel.namelist() if entry.endswith("RECORD"))
        record = [line.split(",") for line in wheel.read(list_name).decode().split()]
        assert sorted(entry[0] for entry in record) == sorted(wheel.namelist())
        for entry, digest, size in record[:-1]:
            data = wheel.read(entry)
            assert digest == "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            assert int(size) == len(data)
        assert wheel.read("whisp/libwhisp.so") == library_file.read_bytes()
    again = tmp_path / "again"
    again.mkdir()
    assert (again / whisp_build.build_wheel(str(again))).read_bytes() == (tmp_path / name).read_bytes()
    made = whisp_build.build_sdist(str(again))
    time.sleep(1.1)  # gzip's head has room for seconds
    with tarfile.open(tmp_path / whisp_build.build_sdist(str(tmp_path))) as sources:
        assert (again / made).read_bytes() == (tmp_path / made).read_bytes(), "the same sources, other bytes"
        names = {n.split("/", 1)[1] for n in sources.getnames() if "/" in n}
    assert {"pyproject.toml", "whisp_build.py", "PKG-INFO", "whisp/__init__.py", "source/Makefile",
            "source/include/whisp.h", "source/lib/util/util.c", "source/tools/embed", "source/tools/package/package.mk",
            "source/kernels/cuda/cuda.mk", "source/test/fuzz/fuzz.mk", "source/test/foreign/foreign.mk"} <= names
    assert not any("__pycache__" in entry for entry in names)


def test_warnings_without_a_log(whisp, invented_dir, tmp_path):
    """Channels that cancel each other are no error and nothing is missing, but somebody must be told."""
    path = tmp_path / "inverted.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(2), out.setsampwidth(2), out.setframerate(16000)
        noise = [(i * 7919 % 4001 - 2000) * 4 for i in range(48000)]
        out.writeframes(b"".join(struct.pack("<hh", x, -x) for x in noise))
    said = []
    with whisp.load_model("english", invented_dir) as model:
        with pytest.warns(whisp.LibraryWarning, match="cancel each other"):
            model.transcribe(path, **GREEDY)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.transcribe(path, **GREEDY, log=lambda level, text: said.append(text))
    assert any("cancel each other" in line for line in said)
