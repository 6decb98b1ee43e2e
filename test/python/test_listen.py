"""What is heard, and said: models whose numbers are not finite, the language where somebody speaks, long stereo recordings,
segments over silence that was taken out. Invented models; what needs a real one says so."""
import array
import json
import math
import os
import pathlib
import subprocess
import sys

import pytest

import invent
import recordings

ROOT = pathlib.Path(__file__).resolve().parents[2]
WHISP = (ROOT / os.environ.get("WHISP_BUILD", "build") / "whisp").resolve()
TINY = ROOT / "models" / "tiny.en.gguf"
BASE = ROOT / "models" / "base.gguf"
AUDIO = ROOT.parent / "shared" / "audio"
IN_PART = 7


def whisp(*arguments, data=None):
    return subprocess.run([WHISP, *map(str, arguments)], input=data, capture_output=True, timeout=300)


@pytest.fixture
def babble(tmp_path):
    return recordings.write_wav(tmp_path / "babble.wav", recordings.babble(4.0))


def spoilt(path, name, number, kind="f32"):
    """An invented model with one number that is none in a tensor."""
    metadata, tensors = invent.model(state=32, layers=1)
    tensors[name][1][5] = number
    invent.write_gguf(path, metadata, tensors, kind)
    return path


@pytest.mark.parametrize("compute", ["f32", "bf16", "int8"])
@pytest.mark.parametrize("name", ["encoder.conv1.weight", "encoder.blocks.0.attn.value.bias",
                                  "decoder.token_embedding.weight", "decoder.blocks.0.mlp.2.weight", "decoder.ln.weight"])
def test_numbers_that_are_none_are_told(tmp_path, babble, name, compute):
    model = spoilt(tmp_path / "spoilt.gguf", name, math.nan if compute == "bf16" else math.inf)
    run = whisp("-m", model, "--compute_type", compute, "-f", "json", "-o", tmp_path, babble)
    assert run.returncode == IN_PART, run.stderr
    assert b"not finite" in run.stderr and name.encode() in run.stderr and b"model invented" in run.stderr
    assert "not finite" in json.loads((tmp_path / "babble.json").read_text())["incomplete"]


def test_numbers_that_become_none_are_told(tmp_path, babble):
    """Weights that are finite, and products that are not."""
    metadata, tensors = invent.model(state=32, layers=1)
    tensors["decoder.blocks.0.mlp.2.weight"][1][:] = [3e38] * len(tensors["decoder.blocks.0.mlp.2.weight"][1])
    invent.write_gguf(tmp_path / "large.gguf", metadata, tensors, "f32")
    for compute in ("f32", "bf16", "int8"):
        run = whisp("-m", tmp_path / "large.gguf", "--compute_type", compute, "-f", "txt", "-o", tmp_path, babble)
        assert run.returncode == IN_PART, (compute, run.stderr)
        assert b"not finite in the window at 0.00 s" in run.stderr
        assert (tmp_path / "babble.txt").read_text().strip() == ""


def test_sound_models_say_nothing_of_it(tmp_path, babble):
    invent.write(tmp_path / "sound.gguf", state=32, layers=1)
    run = whisp("-m", tmp_path / "sound.gguf", babble)
    assert run.returncode == 0 and b"finite" not in run.stderr


@pytest.mark.parametrize("compute", ["int8", "f32"])
@pytest.mark.parametrize("level", ["avx2", "avx512", "avx512vnni"])
def test_the_demo_is_heard_without_an_error(tmp_path, level, compute):
    """At each level that the CPU has; one that it has not is the next lower one."""
    if not TINY.exists():
        pytest.skip("skipped: no models/tiny.en.gguf")
    demo = ROOT / "test" / "data" / "demo.flac"
    run = subprocess.run([WHISP, "-m", TINY, "-q", "--compute_type", compute, "-f", "txt", "-o", tmp_path, demo],
                         env=dict(os.environ, WHISP_CPU=level), capture_output=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "demo.txt").read_text().split() == demo.with_suffix(".txt").read_text().split()


# ---- with real models: the language, silence, pauses ----

def heard(tmp_path, path):
    """A recording's samples, by the library's own decoder."""
    code = "import array, sys, whisp; sys.stdout.buffer.write(array.array('f', whisp.load_audio(sys.argv[1])).tobytes())"
    run = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, timeout=120,
                         env=dict(os.environ, PYTHONPATH=str(ROOT / "tools" / "python"),
                                  WHISP_LIBRARY=str(WHISP.parent / "libwhisp.so")))
    assert run.returncode == 0, run.stderr
    return array.array("h", (int(max(-1, min(1, x)) * 32767) for x in array.array("f", run.stdout)))


def zeros(seconds):
    return array.array("h", bytes(2 * int(seconds * recordings.RATE)))


def segments(tmp_path, model, path, *options, data=None):
    run = whisp("-m", model, "-q", "-f", "json", "-o", tmp_path, *options, path, data=data)
    assert run.returncode == 0, run.stderr
    name = "stdin" if str(path) == "-" else pathlib.Path(path).stem
    return json.loads((tmp_path / (name + ".json")).read_text())


@pytest.fixture(scope="session")
def italian(tmp_path_factory):
    """31 s of nothing, then 12 s of Italian."""
    if not BASE.exists() or not (AUDIO / "italian.ogg").exists():
        pytest.skip("skipped: no models/base.gguf or no shared/audio/italian.ogg")
    folder = tmp_path_factory.mktemp("italian")
    speech = heard(folder, AUDIO / "italian.ogg")[:12 * recordings.RATE]
    return recordings.write_wav(folder / "late.wav", zeros(31) + speech)


@pytest.mark.parametrize("options", [[], ["--cut", "20"], ["--hallucination_guard", "False"], ["--languages", "de, Italian"]])
def test_the_language_is_that_of_the_first_who_speaks(tmp_path, italian, options):
    result = segments(tmp_path, BASE, italian, *options)
    assert result["language"] == "it" and "qualcuno" in result["text"]


def test_the_language_from_a_pipe_and_of_many(tmp_path, italian):
    run = whisp("-m", BASE, "-q", "-f", "json", "-o", tmp_path, "-", data=italian.read_bytes())
    assert run.returncode == 0, run.stderr
    [written] = tmp_path.glob("*.json")
    assert json.loads(written.read_text())["language"] == "it"
    written.unlink()
    second = recordings.write_wav(tmp_path / "second.wav", zeros(3))
    assert whisp("-m", BASE, "-q", "-f", "json", "-o", tmp_path, italian, second).returncode == 0
    assert json.loads((tmp_path / "late.json").read_text())["language"] == "it"


def test_the_reference_s_way_and_limits(tmp_path, italian):
    assert segments(tmp_path, BASE, italian, "--language_detection", "start")["language"] == "en"
    limited = segments(tmp_path, BASE, italian, "--languages", "de,fr")
    assert limited["language"] in ("de", "fr")
    assert whisp("-m", BASE, "--languages", "de,xx", italian).returncode == 2


@pytest.fixture(scope="session")
def gap(tmp_path_factory):
    """A sentence, 45 s of zeros, the same sentence."""
    if not TINY.exists() or not (AUDIO / "jfk.flac").exists():
        pytest.skip("skipped: no models/tiny.en.gguf or no shared/audio/jfk.flac")
    folder = tmp_path_factory.mktemp("gap")
    speech = heard(folder, AUDIO / "jfk.flac")
    return recordings.write_wav(folder / "gap.wav", speech + zeros(45) + speech)


@pytest.mark.parametrize("options", [[], ["--vad_filter", "True"], ["--vad_filter", "True", "--word_timestamps", "True"]])
def test_each_sentence_once_and_in_its_place(tmp_path, gap, options):
    if "--vad_filter" in options and not (ROOT / "models" / "silero-vad.gguf").exists():
        pytest.skip("skipped: no models/silero-vad.gguf")
    result = segments(tmp_path, TINY, gap, *options)
    assert result["text"].lower().count("fellow americans") == 2
    for segment in result["segments"]:
        assert segment["end"] <= 12.5 or segment["start"] >= 55, segment
    assert all(a["start"] <= b["start"] for a, b in zip(result["segments"], result["segments"][1:]))


def test_speakers_come_in_order(tmp_path):
    """One speaks, then the other, who was silent for 13 s in zeros, then the first again."""
    if not TINY.exists() or not (AUDIO / "jfk.flac").exists():
        pytest.skip("skipped: no models/tiny.en.gguf or no shared/audio/jfk.flac")
    speech = heard(tmp_path, AUDIO / "jfk.flac")
    left, right = speech + zeros(15) + speech, zeros(13) + speech + zeros(13)
    both = array.array("h", (x for pair in zip(left, right) for x in pair))
    recordings.write_wav(tmp_path / "two.wav", both, channels=2)
    found = segments(tmp_path, TINY, tmp_path / "two.wav", "--split_stereo", "True")["segments"]
    assert [a["start"] for a in found] == sorted(a["start"] for a in found)
    second = [a for a in found if a["speaker"] == "SPEAKER_01"]
    assert second and 12 <= second[0]["start"] <= 14
    assert found[-1] not in second


def test_long_stereo_is_cut(tmp_path):
    """Parts of ten seconds: each channel says what it says in parts alone."""
    invent.write(tmp_path / "english.gguf", name="english", state=32, layers=1)
    left, right = recordings.babble(24.0), recordings.babble(24.0, seed=3)
    recordings.write_wav(tmp_path / "two.wav", array.array("h", (x for pair in zip(left, right) for x in pair)), channels=2)
    recordings.write_wav(tmp_path / "left.wav", left)
    options = ["--cut", "8", "--hallucination_guard", "False", "--no_speech_threshold", "None"]
    both = segments(tmp_path, tmp_path / "english.gguf", tmp_path / "two.wav", "--split_stereo", "True", *options)
    alone = segments(tmp_path, tmp_path / "english.gguf", tmp_path / "left.wav", *options)
    said = "".join(a["text"] for a in both["segments"] if a["speaker"] == "SPEAKER_00")
    assert said and said.split() == "".join(a["text"] for a in alone["segments"]).split()
