"""WAV files as they go wrong, through the command (file and pipe) and the module: what is said, and the exit status.

What is heard of them, sample by sample, is in test/audio/test_wave.c.
"""
import json
import os
import pathlib
import struct
import subprocess
import warnings

import pytest

import recordings

ROOT = pathlib.Path(__file__).resolve().parents[2]
WHISP = (ROOT / os.environ.get("WHISP_BUILD", "build") / "whisp").resolve()
ONCE = ["--temperature", "0", "--temperature_increment_on_fallback", "None", "--no_speech_threshold", "None",
        "--hallucination_guard", "False"]
FINE, INPUT, PART = 0, 3, 7


def chunk(name, data, size=None):
    return name + struct.pack("<I", len(data) if size is None else size) + data


def header(tag=1, channels=1, rate=16000, bits=16):
    width = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * width, width, bits))


@pytest.fixture(scope="module")
def babble():
    return recordings.babble(3.0)


def make(kind, babble):
    """The bytes of a recording that went wrong."""
    sound, half = babble.tobytes(), len(babble)
    whole = chunk(b"RIFF", b"WAVE" + header() + chunk(b"data", sound))
    pairs = [level for x in babble for level in (x, max(-x, -32768))]
    floats = struct.pack("<%df" % half, *babble)
    return {
        "whole": whole,
        "unfinished": b"RIFF\0\0\0\0WAVE" + header() + chunk(b"JUNK", bytes(70000)) + b"data\0\0\0\0" + sound,
        "two data": chunk(b"RIFF", b"WAVE" + header() + chunk(b"data", sound[:half]) + chunk(b"data", sound[half:])),
        "joined": whole + whole,
        "6 kHz": chunk(b"RIFF", b"WAVE" + header(rate=6000) + chunk(b"data", sound)),
        "inverted": chunk(b"RIFF", b"WAVE" + header(channels=2) +
                          chunk(b"data", struct.pack("<%dh" % (2 * half), *pairs))),
        "float": chunk(b"RIFF", b"WAVE" + header(tag=3, bits=32) + chunk(b"data", floats)),
        "cut off": whole[: len(whole) // 2],
        "and more": whole + bytes(range(1, 200)) * 5,
        "info": b"RIFF\x48\0\0\0WAVE" + chunk(b"LIST", b"INFOxxxx" + struct.pack("<I", 2**32 - 8) + bytes(16)),
        "g726": chunk(b"RIFF", b"WAVE" + header(tag=0x45, bits=8) + chunk(b"data", sound)),
    }[kind]


CASES = [
    ("whole", FINE, None), ("unfinished", FINE, None), ("two data", FINE, None), ("joined", FINE, None),
    ("6 kHz", FINE, None), ("inverted", FINE, "two channels cancel each other"),
    ("float", FINE, "in the range of 16-bit integers"), ("cut off", PART, "stopped at 0:01.5 of 0:03.0"),
    ("and more", PART, "995 bytes behind its sound (at 0:03.0) were not understood"),
    ("info", INPUT, "there is no sound in this WAV file"), ("g726", INPUT, "-ac 1 -ar 16000 -f wav - | whisp -"),
]


@pytest.fixture(autouse=True)
def without_ffmpeg(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")


@pytest.mark.parametrize("kind,status,words", CASES)
def test_command(invented_dir, babble, tmp_path, kind, status, words):
    data = make(kind, babble)
    path = tmp_path / "talk.wav"
    path.write_bytes(data)
    outputs = []
    for name, settings in ((path, {"stdin": subprocess.DEVNULL}), ("-", {"input": data})):
        done = subprocess.run([WHISP, "--model", invented_dir / "english.gguf", "--output_format", "json",
                               "--output_dir", tmp_path, *ONCE, name], capture_output=True, timeout=120, **settings)
        said = done.stderr.decode()
        assert done.returncode == status, said
        assert ("warning" in said) == (status != INPUT and words is not None), said
        assert words is None or words in said
        result = tmp_path / ("stdin.json" if name == "-" else "talk.json")
        outputs.append(status == INPUT or json.loads(result.read_text()))
    if status != INPUT:
        assert outputs[0]["text"] == outputs[1]["text"]


@pytest.mark.parametrize("kind,status,words", CASES)
def test_module(whisp, invented_dir, babble, tmp_path, kind, status, words):
    path = tmp_path / "talk.wav"
    path.write_bytes(make(kind, babble))
    said = []
    with whisp.load_model("english", invented_dir) as model, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if status == INPUT:
            with pytest.raises(whisp.AudioError, match=words.split("|")[0]):
                model.transcribe(path, temperature=0)
            return
        result = model.transcribe(path, temperature=0, no_speech_threshold=None, hallucination_guard=False,
                                  log=lambda level, text: said.append(text))
    assert bool(result.get("incomplete")) == (status == PART)
    assert words is None or any(words in line for line in said)
    assert [one.category for one in caught] == [whisp.IncompleteWarning] * (status == PART)


def test_stream(invented_dir):
    """What is no raw sound is not heard as such."""
    done = subprocess.run([WHISP, "--model", invented_dir / "english.gguf", "--stream", "-"],
                          input=b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(5000), capture_output=True, timeout=120)
    assert done.returncode == INPUT
    assert b"ffmpeg -i - -ac 1 -ar 16000 -f wav - | whisp --stream -" in done.stderr


def test_clips_of_long_recordings(invented_dir, tmp_path):
    """From half an hour on only the clips are read; what they say, and when, is what reading all gives."""
    sound = recordings.babble(10.0, seed=4)
    answers = []
    for minutes in (29, 31):
        path = tmp_path / "long.wav"
        with open(path, "wb") as file:
            length = 2 * 16000 * 60 * minutes
            file.write(chunk(b"RIFF", b"WAVE" + header() + chunk(b"data", b"", length), 36 + length))
            for at in (600.0, 1500.0):
                file.seek(44 + int(at * 16000) * 2)
                file.write(sound.tobytes())
            file.truncate(44 + length)
        done = subprocess.run([WHISP, "--model", invented_dir / "english.gguf", "--output_format", "json",
                               "--output_dir", tmp_path, "--clip_timestamps", "599,608,1500,1509.5", *ONCE, path],
                              capture_output=True, timeout=120, stdin=subprocess.DEVNULL)
        assert done.returncode == FINE, done.stderr
        answers.append(json.loads((tmp_path / "long.json").read_text()))
    assert answers[0]["segments"] and answers[0] == answers[1]
