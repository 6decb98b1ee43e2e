"""whisp --stream and Python's live transcription: words of tiny.en on a recording, and what is refused."""
import array
import asyncio
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import threading

import pytest

import invent
import recordings

ROOT = pathlib.Path(__file__).resolve().parents[2]
WHISP = (ROOT / os.environ.get("WHISP_BUILD", "build") / "whisp").resolve()
DEMO = ROOT / "test" / "data" / "demo.flac"
TINY = ROOT / "models" / "tiny.en.gguf"
SHORT = ["--stream_step", "2", "--sample_len", "12", "--temperature_increment_on_fallback", "None"]


def whisp(*arguments, data=b""):
    return subprocess.run([WHISP, *map(str, arguments)], input=data, capture_output=True, timeout=300)


@pytest.fixture
def model(tmp_path):
    invent.write(tmp_path / "english.gguf", name="english", state=32, layers=1)
    return tmp_path / "english.gguf"


@pytest.fixture
def talk(tmp_path):
    return recordings.write_wav(tmp_path / "talk.wav", recordings.babble(5.0))


def test_raw_is_heard_as_wav(model, talk):
    everything = [*SHORT, "--no_speech_threshold", "None", "--word_timestamps", "True", "-q"]
    with open(talk, "rb") as file:
        wav = subprocess.run([WHISP, "-m", model, "--stream", *everything, "-"], stdin=file, capture_output=True)
    assert wav.returncode == 0, wav.stderr
    raw = whisp("-m", model, "--stream", *everything, "-", data=talk.read_bytes()[44:])
    assert raw.returncode == 0, raw.stderr
    assert b"-->" in wav.stdout or wav.stdout == b""
    bad = whisp("-m", model, "--stream", "--stream_rate", "99", "-", data=b"\0" * 4000)
    assert bad.returncode == 2 and b"100 to 4000000" in bad.stderr


@pytest.mark.parametrize(
    "arguments, word",
    [
        (["a.wav"], b"standard input"),
        (["-", "b.wav"], b"standard input"),
        (["--align", "hello", "-"], b"--align"),
        (["--detect_language", "-"], b"--detect_language"),
        (["--vad_filter", "True", "-"], b"--vad_filter"),
        (["--clip_timestamps", "1,2", "-"], b"--clip_timestamps"),
        (["--split_stereo", "True", "-"], b"--split_stereo"),
        (["-f", "srt", "-"], b"--output_format"),
    ],
)
def test_what_does_not_go_together(arguments, word):
    run = whisp("--stream", *arguments)
    assert run.returncode == 2 and word in run.stderr


def test_final_needs_a_stream():
    run = whisp("--stream_final", "a.txt", "b.wav")
    assert run.returncode == 2 and b"--stream_final requires --stream" in run.stderr


def test_nothing_to_hear(model):
    run = whisp("-m", model, "--stream", "-q", "-")
    assert (run.returncode, run.stdout) == (3, b"")


@pytest.fixture
def listening(request, tmp_path):
    """whisp --stream with a speaker who goes on: its standard input is open and has eight seconds in it."""
    if not TINY.exists():
        pytest.skip("needs models/tiny.en.gguf")
    command = [WHISP, "-m", TINY, "--compute_type", "int8", "-q", "--stream", *getattr(request, "param", []), "-"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": tmp_path}
    with subprocess.Popen(command, **pipes) as process:
        process.stdin.write(spoken(8))
        process.stdin.flush()
        hung = threading.Timer(60, process.kill)
        hung.start()
        yield process
        hung.cancel()
        process.kill()


@pytest.mark.parametrize("listening", [[], ["--stream_final", "final.txt"]], indirect=True)
def test_interrupted(listening, tmp_path):
    first = listening.stdout.read1(100)
    listening.send_signal(signal.SIGINT)
    code = listening.wait(60)
    printed = first + listening.stdout.read()
    assert code == 130 and first.strip() and printed.endswith(b"\n")
    if (tmp_path / "final.txt").exists():  # what had settled is kept there
        final = (tmp_path / "final.txt").read_text()
        assert plain(final.partition("]")[2]) == plain(printed.decode())


def test_nobody_reads(listening):
    assert listening.stdout.read1(100).strip()
    listening.stdout.close()
    with contextlib.suppress(BrokenPipeError):  # it ends at the first word that it cannot print
        listening.stdin.write(spoken(11)[2 * 16000 * 8 :])
        listening.stdin.close()
    assert listening.wait(60) == 5 and listening.stderr.read() == b""


def test_bytes_that_do_not_fit(model, talk):
    """A length in the header that is wrong, as ffmpeg writes it to a pipe, and half a sample at the end."""
    wav = talk.read_bytes()
    arguments = ["-m", model, *SHORT, "--no_speech_threshold", "None", "--word_timestamps", "True"]
    arguments += ["--stream", "-q", "-"]
    outputs = []
    for length in (wav[40:44], b"\xff\xff\xff\xff", b"\0\0\0\0"):
        (talk.parent / "header.wav").write_bytes(wav[:4] + length + wav[8:40] + length + wav[44:])
        with open(talk.parent / "header.wav", "rb") as file:
            run = subprocess.run([WHISP, *arguments], stdin=file, capture_output=True)
        assert run.returncode == 0, run.stderr
        outputs.append(run.stdout)
    assert outputs[0] == outputs[1] == outputs[2]
    assert whisp(*arguments, data=wav[44:] + b"\1").returncode == 0


@pytest.mark.skipif(not TINY.exists(), reason="needs models/tiny.en.gguf")
def test_words(tmp_path):
    sys.path.insert(0, str(ROOT / "tools" / "python"))
    import whisp as module

    model = module.load_model(TINY)
    samples = module.load_audio(DEMO)[: 16000 * 11]
    offline = plain(model.transcribe(samples)["text"])

    async def microphone():
        for start in range(0, len(samples), 8000):
            yield samples[start : start + 8000]

    async def listen():
        return [word async for word in model.live(microphone(), stream_step=2)]

    words = asyncio.run(listen())
    assert plain("".join(word["word"] for word in words)) == offline
    assert all(a["end"] <= b["start"] for a, b in zip(words, words[1:]))
    with module.Live(model, stream_step=2) as live:
        assert live.push(samples[:16000]) == [] and live.tail == ""
    with pytest.raises(module.StateError):
        live.push(samples[:1])


@pytest.mark.skipif(not TINY.exists(), reason="needs models/tiny.en.gguf")
def test_final_text(tmp_path):
    """In Python and on the command line the final text is what a transcription of the recording says."""
    sys.path.insert(0, str(ROOT / "tools" / "python"))
    import whisp as module

    data = spoken(11)
    (tmp_path / "talk.raw").write_bytes(data)
    samples = array.array("f", (x / 32768 for x in array.array("h", data)))
    model = module.load_model(TINY)
    segments = []
    with module.Live(model, stream_step=4, segment=segments.append, compute_type="int8") as live:
        live.push(samples)
        assert segments == []
        live.finish()
    offline = model.transcribe(samples, compute_type="int8")
    assert [(s["start"], s["end"], s["text"]) for s in segments] == [
        (s["start"], s["end"], s["text"]) for s in offline["segments"]
    ]
    arguments = ["-m", TINY, "--compute_type", "int8", "-q", "--stream", "--stream_step", "4", "--stream_final"]
    with open(tmp_path / "talk.raw", "rb") as file:
        run = subprocess.run([WHISP, *arguments, tmp_path / "final.txt", "-"], stdin=file, capture_output=True)
    final = (tmp_path / "final.txt").read_bytes()
    assert run.returncode == 0 and run.stdout.strip() and len(final.splitlines()) == len(segments)
    assert all(line.endswith(s["text"].strip().encode()) for line, s in zip(final.splitlines(), segments))
    with open(tmp_path / "talk.raw", "rb") as file:
        assert subprocess.run([WHISP, *arguments, "-", "-"], stdin=file, capture_output=True).stdout == final
    missing = whisp(*arguments, tmp_path / "none" / "final.txt", "-", data=data[:32000])
    assert missing.returncode == 5 and b"final.txt" in missing.stderr


def spoken(seconds):
    """Raw samples of the demonstration recording."""
    sys.path.insert(0, str(ROOT / "tools" / "python"))
    import whisp as module

    samples = module.load_audio(DEMO)[: 16000 * seconds]
    return b"".join(round(max(-1, min(1, float(x))) * 32767).to_bytes(2, "little", signed=True) for x in samples)


def plain(text):
    return "".join(c for c in text.lower() if c.isalnum() or c.isspace()).split()
