"""split_stereo: each channel gives the words that it gives alone, and every output names the speaker."""
import json
import os
import pathlib
import subprocess
import wave

import pytest

import invent
import recordings

ROOT = pathlib.Path(__file__).resolve().parents[2]
WHISP = (ROOT / os.environ.get("WHISP_BUILD", "build") / "whisp").resolve()
SHARED = ROOT.parent / "shared" / "audio" / "stereo_diarization.wav"
TINY = ROOT / "models" / "tiny.en.gguf"
ONCE = ["--temperature", "0", "--temperature_increment_on_fallback", "None", "--no_speech_threshold", "None"]


def whisp(*arguments, data=None):
    return subprocess.run([WHISP, *map(str, arguments)], input=data, capture_output=True, timeout=300)


def channel(path, target, i):
    """One channel of a 16-bit WAV as a file of its own."""
    with wave.open(str(path)) as source:
        frames, n = source.readframes(source.getnframes()), source.getnchannels()
        rate = source.getframerate()
    with wave.open(str(target), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(b"".join(frames[k + 2 * i : k + 2 * i + 2] for k in range(0, len(frames), 2 * n)))
    return target


@pytest.fixture
def model(tmp_path):
    invent.write(tmp_path / "english.gguf", name="english", state=32, layers=1)
    return tmp_path / "english.gguf"


@pytest.fixture
def two(tmp_path):
    """Two channels of noise, the second one the first backwards."""
    mono = recordings.write_wav(tmp_path / "mono.wav", recordings.babble(4.0))
    with wave.open(str(mono)) as source:
        frames, rate = source.readframes(source.getnframes()), source.getframerate()
    samples = [frames[i : i + 2] for i in range(0, len(frames), 2)]
    with wave.open(str(tmp_path / "two.wav"), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(b"".join(a + b for a, b in zip(samples, reversed(samples))))
    return tmp_path / "two.wav"


def segments(model, path, folder, *options, data=None):
    run = whisp("-m", model, "-q", "-o", folder, *ONCE, *options, path, data=data)
    assert run.returncode == 0, run.stderr
    name = "stdin" if path == "-" else pathlib.Path(path).stem
    return json.loads((folder / (name + ".json")).read_text())["segments"]


def test_each_channel_says_what_it_says_alone(model, two, tmp_path):
    both = segments(model, two, tmp_path / "both", "--split_stereo", "True")
    assert [s["start"] for s in both] == sorted(s["start"] for s in both)
    for i in (0, 1):
        alone = segments(model, channel(two, tmp_path / ("%d.wav" % i), i), tmp_path / "alone")
        mine = [dict(s) for s in both if s["speaker"] == "SPEAKER_%02d" % i]
        for s in mine:
            s.pop("speaker")
        for s in alone + mine:
            s.pop("id")
        assert mine == [a for a in alone if a["text"]] != []


def test_words_and_turns_have_the_names(model, two, tmp_path):
    segments(model, two, tmp_path, "--split_stereo", "True", "--word_timestamps", "True")
    found = json.loads((tmp_path / "two.json").read_text())
    assert found["speakers"] == ["SPEAKER_00", "SPEAKER_01"]
    assert all(w["speaker"] == s["speaker"] for s in found["segments"] for w in s["words"])
    assert {t["speaker"] for t in found["turns"]} == {"SPEAKER_00", "SPEAKER_01"}
    assert [t["start"] for t in found["turns"]] == sorted(t["start"] for t in found["turns"])
    for name in found["speakers"]:
        mine = [t for t in found["turns"] if t["speaker"] == name]
        assert all(a["end"] <= b["start"] for a, b in zip(mine, mine[1:]))
    again = whisp("--from", "-f", "rttm", "-o", tmp_path, tmp_path / "two.json")
    assert again.returncode == 0, again.stderr
    lines = (tmp_path / "two.rttm").read_text().splitlines()
    assert len(lines) == len(found["turns"]) and lines[0].split()[:3] == ["SPEAKER", "two", "1"]


def test_a_pipe_and_words(model, two, tmp_path):
    words = ("--split_stereo", "True", "--word_timestamps", "True")
    assert segments(model, two, tmp_path / "file", *words) == segments(
        model, "-", tmp_path / "pipe", *words, data=two.read_bytes()
    )


def test_every_writer_names_the_speaker(model, two, tmp_path):
    segments(model, two, tmp_path, "--split_stereo", "True")
    assert "[SPEAKER_00]: " in (tmp_path / "two.txt").read_text()
    assert "\n[SPEAKER_01]: " in (tmp_path / "two.srt").read_text()
    assert "\n<v SPEAKER_01>" in (tmp_path / "two.vtt").read_text()
    rows = (tmp_path / "two.tsv").read_text().splitlines()
    assert rows[0].endswith("\tspeaker") and {r.split("\t")[3] for r in rows[1:]} == {"SPEAKER_00", "SPEAKER_01"}


def test_without_the_option_nobody_is_named(model, two, tmp_path):
    segments(model, two, tmp_path)
    assert not any("peaker" in (tmp_path / ("two." + f)).read_text() for f in ("txt", "srt", "vtt", "tsv", "json"))


def test_one_channel_is_refused(model, two, tmp_path):
    run = whisp("-m", model, "--split_stereo", "True", channel(two, tmp_path / "one.wav", 0))
    assert run.returncode == 3 and b"split_stereo needs two" in run.stderr
    run = whisp("-m", model, "--split_stereo", "True", "--align", "hello", two)
    assert run.returncode == 2 and b"split_stereo" in run.stderr


@pytest.mark.skipif(not (SHARED.exists() and TINY.exists()), reason="needs ../shared and models/tiny.en.gguf")
def test_two_readers():
    """As faster-whisper's test of a stereo recording: each reader's sentence is heard alone."""
    run = whisp("-m", TINY, "-q", "--split_stereo", "True", SHARED)
    lines = run.stdout.decode().splitlines()
    assert len(lines) == 2
    assert "[SPEAKER_00]: He began a confused complaint against the wizard" in lines[0]
    assert "[SPEAKER_01]: The horizon seems extremely distant." in lines[1]
