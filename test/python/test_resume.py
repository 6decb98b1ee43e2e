"""whisp --resume: a run that was killed at any moment goes on and ends with the same bytes, and what it says about journals.

WHISP_SEED: of the moments; it is printed. WHISP_KILLS: how many moments for each set of options (default 2, fifty in all by
`make test-long`). What a journal holds, and what is wrong with it, is test/transcribe/test_resume.c's.
"""
import array
import os
import pathlib
import random
import resource
import signal
import subprocess
import time

import pytest

import recordings

ROOT = pathlib.Path(__file__).resolve().parents[2]
WHISP = (ROOT / os.environ.get("WHISP_BUILD", "build") / "whisp").resolve()
KILLS = int(os.environ.get("WHISP_KILLS", "2"))
SEED = int(os.environ.get("WHISP_SEED", str(time.time_ns())))
QUICK = ["--no_speech_threshold", "None", "--hallucination_guard", "False", "--sample_len", "20"]


@pytest.fixture(scope="module")
def talks(tmp_path_factory):
    """A folder with two recordings of more than a minute, a short one, and one in stereo."""
    folder = tmp_path_factory.mktemp("talks")
    one, two = recordings.babble(10.0, seed=1), recordings.babble(10.0, seed=2, loudness=0.3)
    recordings.write_wav(folder / "one.wav", one * 7)
    recordings.write_wav(folder / "two.wav", two * 8)
    recordings.write_wav(folder / "short.wav", two)
    both = array.array("h", [0]) * (2 * len(one) * 4)
    both[0::2], both[1::2] = one * 4, two * 4
    recordings.write_wav(folder / "both.wav", both, channels=2)
    return folder


@pytest.fixture
def start(tmp_path, invented_dir):
    """Start the program in a folder of its own."""
    work = tmp_path / "work"
    work.mkdir()

    def start(*arguments, model="english", **settings):
        path = model if "/" in str(model) else invented_dir / (model + ".gguf")
        return subprocess.Popen([WHISP, "--model", path, *QUICK, *map(str, arguments)], cwd=work,
                                **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                                   **settings})

    start.work = work
    return start


def finish(process, code=0):
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, err.decode()
    return out.decode(), err.decode()


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


SETS = {
    "uncut": ("english", ["one.wav"], ["--cut", "off", "--temperature", "0,0.4"]),
    "in parts": ("english", ["two.wav"], ["--cut", "15", "--word_timestamps", "True", "--temperature", "0"]),
    "several files": ("multilingual", ["one.wav", "short.wav", "two.wav"], ["--cut", "20", "--temperature", "0"]),
    "stereo": ("english", ["both.wav"], ["--split_stereo", "True", "--cut", "off", "--temperature", "0"]),
    "confidence": ("english", ["one.wav"], ["--confidence", "True", "--temperature", "0.6"]),
}


def kill_and_resume(start, talks, model, files, options, kills):
    """Killed again and again, it ends as it does without that. (A kill may leave a temporary file.)"""
    draw = random.Random(SEED)
    names = [talks / name for name in files]
    began = time.monotonic()
    plain = finish(start(*options, "-o", "plain", "--verbose", "True", *names, model=model))[0]
    took = time.monotonic() - began
    for i in range(kills):
        process = start(*options, "-o", "out", "--resume", *names, model=model)
        time.sleep(draw.uniform(0, took))
        process.kill()
        process.communicate()
    last = finish(start(*options, "-o", "out", "--resume", "--verbose", "True", *names, model=model))[0]
    assert last == plain
    out = {name: data for name, data in content(start.work / "out").items() if not name.startswith(".whisp-")}
    assert out == content(start.work / "plain")


@pytest.mark.parametrize("name", SETS)
def test_killed_at_any_moment(start, talks, name):
    print("WHISP_SEED=%d WHISP_KILLS=%d" % (SEED, KILLS))
    model, files, options = SETS[name]
    kill_and_resume(start, talks, model, files, options, KILLS)


def test_killed_with_a_real_model(start, shared, real_model):
    """Two minutes of speech: fallback, the guard with its voice activity model."""
    talk = shared / "audio" / "night_119s_theres_supposed_to_be_another_broadcast.wav"
    if KILLS < 5:
        pytest.skip("with WHISP_KILLS=10, as in make test-long")
    options = ["--cut", "off", "--vad_filter", "True", "--hallucination_guard", "True"]
    kill_and_resume(start, talk.parent, real_model("tiny.en"), [talk.name], options, 5)


def wait_for(path):
    """Until its first line stands there. (An empty journal may not be locked yet, and then another run may take it.)"""
    deadline = time.monotonic() + 60
    while not (path.exists() and path.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert path.exists()


def test_interrupted(start, talks):
    """What was heard is told, and --resume takes it from there; without it one line says what is lost."""
    options = ["--cut", "off", "-f", "srt,json", talks / "two.wav"]
    process = start(*options, "--best_of", "5", "--temperature", "0.8", "--beam_size", "5", "--sample_len", "200")
    journal = start.work / "two.journal"
    wait_for(journal)
    process.send_signal(signal.SIGTERM)
    err = finish(process, 143)[1]
    assert "two.journal: --resume goes on from there" in err, err
    assert journal.exists() and not (start.work / "two.srt").exists()
    kept = journal.read_bytes()

    assert {p.name for p in start.work.iterdir()} <= {"two.journal", "two.partial.srt", "two.partial.json"}
    err = finish(start(*options, "--resume"))[1]
    assert "two.journal: is not used: option " in err, err
    assert not journal.exists() and (start.work / "two.srt").exists()
    assert not (start.work / "two.journal.old").exists()

    journal.write_bytes(kept)
    err = finish(start(*options))[1]
    assert "two.journal: is of a run that did not end; --resume would go on from there; now it is begun anew" in err
    assert not journal.exists()


SLOW = ["--cut", "off", "--best_of", "5", "--temperature", "0.8", "--sample_len", "200"]


def test_a_mistyped_option_costs_nothing(start, talks):
    """The journal is kept beside the new one, used when the options are right again, and both go at the end."""
    options = [*SLOW, "-f", "srt", talks / "two.wav", "--resume"]
    journal, old = start.work / "two.journal", start.work / "two.journal.old"
    plain = start(*SLOW, "-f", "srt", "-o", "plain", talks / "two.wav")
    finish(plain)
    process = start(*options)
    wait_for(journal)
    process.send_signal(signal.SIGINT)
    finish(process, 130)
    kept = journal.read_bytes()
    process = start(*options, "--temperature", "0.7")
    wait_for(old)
    process.kill()
    process.communicate()
    assert old.read_bytes() == kept
    err = finish(start(*options, "--log_level", "debug"))[1]
    assert "two.journal.old: of a run that was ended; it holds " in err and "from the journal" in err, err
    assert "is not used" not in err, err
    assert (start.work / "two.srt").read_bytes() == (start.work / "plain" / "two.srt").read_bytes()
    assert {p.name for p in start.work.iterdir()} == {"plain", "two.srt"} # nor what was final before


@pytest.mark.parametrize("again", [["--resume"], [], ["--resume", "--temperature", "0.7"]])
def test_two_at_once(start, talks, again):
    """The second one keeps no journal, says so, and leaves the first one's as it is, also when it ends earlier."""
    options = ["-f", "srt", talks / "two.wav"]
    journal, old = start.work / "two.journal", start.work / "two.journal.old"
    first = start(*SLOW, *options, "--resume")
    wait_for(journal)
    first.send_signal(signal.SIGSTOP)
    kept = journal.read_bytes()
    old.write_bytes(kept)
    err = finish(start(*SLOW, *again, "-o", "out", *options))[1]
    assert "another run" not in err
    second = start(*SLOW, *again, *options)
    err = finish(second)[1]
    assert "two.journal: no journal is kept: another run is writing it" in err, err
    assert journal.read_bytes() == kept and old.read_bytes() == kept
    first.send_signal(signal.SIGCONT)
    finish(first)
    assert {p.name for p in start.work.iterdir()} == {"out", "two.srt"}


def test_a_recording_that_is_named_like_a_part(start, talks):
    """Its transcript, written before, is not what an ended run has left."""
    (start.work / "two.partial.srt").write_text("of two.partial.wav")
    os.utime(start.work / "two.partial.srt", (1e9, 1e9))
    process = start(*SLOW, "-f", "txt", talks / "two.wav")
    wait_for(start.work / "two.journal")
    process.kill()
    process.communicate()
    finish(start(*SLOW, "-f", "txt", "--resume", talks / "two.wav"))
    assert {p.name for p in start.work.iterdir()} == {"two.partial.srt", "two.txt"}


@pytest.mark.parametrize("together", [True, False])
def test_nor_what_such_a_recording_gave_later(start, talks, together):
    """Its transcript is younger than the journal: written by the same run, or by another one meanwhile."""
    two, part = start.work / "two.wav", start.work / ("sub/two.partial.wav" if together else "two.partial.wav")
    part.parent.mkdir(exist_ok=True)
    two.write_bytes((talks / "two.wav").read_bytes())
    part.write_bytes((talks / "short.wav").read_bytes())
    options = [*SLOW, "-f", "srt,txt"]
    process = start(*options, two)
    wait_for(start.work / "two.journal")
    process.kill()
    process.communicate()
    if not together:
        finish(start(*options, part))
    finish(start(*options, "--resume", *([part] if together else []), two))
    assert {p.name for p in start.work.glob("two.*")} >= {"two.partial.srt", "two.partial.txt", "two.srt", "two.txt"}
    assert not (start.work / "two.journal").exists()


def test_flags_may_be_told_true_or_false(start, talks):
    """--resume True is --resume, --resume=False none; a recording of that name is one."""
    name = talks / "short.wav"
    assert finish(start("--resume", "True", "-q", name))[0]
    assert not finish(start("--quiet", "False", "--resume=True", "-f", "txt", "--quiet=True", name))[1]
    assert finish(start("--detect_language", "False", "-q", name))[0].startswith("[")
    assert "neither True nor False" in finish(start("--resume=yes", name), 2)[1]
    (start.work / "True").write_bytes(name.read_bytes())
    assert finish(start("-q", "--resume", "True"))[0]


def test_output_that_cannot_be_written(start, talks):
    """All was heard, and it takes no more than a place to write to."""
    options = ["--cut", "off", "--temperature", "0", "-o", "out", "-f", "srt,txt", talks / "one.wav"]
    (start.work / "out").mkdir()
    (start.work / "out" / "one.srt").symlink_to("/dev/full")
    err = finish(start(*options), 5)[1]
    assert "one.journal: --resume goes on from there" in err, err
    (start.work / "out" / "one.srt").unlink()
    err = finish(start(*options, "--resume", "--log_level", "debug"))[1]
    assert err.count("from the journal") >= 3 and "mean log-probability" not in err, err
    assert sorted(p.name for p in (start.work / "out").iterdir()) == ["one.srt", "one.txt"]


@pytest.mark.parametrize("size", [100, 2300])
def test_a_full_disk(start, talks, size):
    """A journal that cannot be written, or not all of it, is told once, and the work goes on."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))  # noqa: E731
    process = start("--cut", "off", "--temperature", "0", "-f", "srt", talks / "one.wav",
                    preexec_fn=limit)
    out, err = process.communicate(timeout=120)
    assert err.count(b"one.journal: cannot be written: File too large") == 1, err
    assert process.returncode in (0, 5)
    assert not [p.name for p in start.work.iterdir() if size == 100 and p.name != "one.srt"]


def test_standard_output_that_cannot_be_written(start, talks):
    """Without files the transcript is what is printed: where that failed the journal stays."""
    options = ["--cut", "off", "--temperature", "0", "--verbose", "False", "--resume", talks / "one.wav"]
    with open("/dev/full", "wb") as full:
        process = start(*options, stdout=full)
    err = process.communicate(timeout=120)[1].decode()
    assert process.returncode == 5, err
    assert "one.journal: --resume goes on from there" in err, err
    err = finish(start(*options, "--log_level", "debug"))[1]
    assert err.count("from the journal") >= 3 and "mean log-probability" not in err, err
    assert not list(start.work.iterdir())


def test_without_files(start, talks):
    """--resume keeps one in the current folder; a run that only prints does not."""
    finish(start("--temperature", "0", talks / "one.wav"))
    assert not list(start.work.iterdir())
    process = start("--cut", "off", "--temperature", "0.8", "--best_of", "5", "--sample_len", "200", "--resume",
                    talks / "one.wav")
    wait_for(start.work / "one.journal")
    process.kill()
    process.communicate()
    out = finish(start("--cut", "off", "--temperature", "0.8", "--best_of", "5", "--sample_len", "200", "--resume",
                       talks / "one.wav"))[0]
    assert out and not list(start.work.iterdir())
    copy = start.work / "one.wav"
    copy.write_bytes((talks / "one.wav").read_bytes())
    assert "would both be written to one.journal" in finish(start("--resume", talks / "one.wav", copy), 2)[1]


def test_pipes_are_not_resumed(start, talks):
    sound = (talks / "one.wav").read_bytes()
    process = start("--cut", "off", "--temperature", "0", "--resume", "-f", "srt", "-", stdin=subprocess.PIPE)
    err = process.communicate(sound, timeout=120)[1].decode()
    assert process.returncode == 0
    assert "standard input: comes by a pipe, of which no journal is kept: it cannot be resumed" in err, err
    assert [p.name for p in start.work.iterdir()] == ["stdin.srt"]


@pytest.mark.parametrize("other", [["--align", "a"], ["--detect_language"], ["--stream"], ["--from"]])
def test_what_it_does_not_go_with(start, talks, other):
    name = "-" if other == ["--stream"] else talks / "one.wav"
    process = subprocess.Popen([WHISP, "--resume", *other, name], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    err = process.communicate()[1].decode()
    assert process.returncode == 2 and "--resume" in err and other[0] in err, err
