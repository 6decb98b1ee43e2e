"""The command line tool: what it prints and writes, and its message and exit code for everything that can go wrong.

Runs $WHISP_BUILD/whisp (default: build/whisp) on invented models (invent.py) and recordings (recordings.py), so nothing
needs to be fetched. What needs a real model says so when there is none.
"""
import array
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import threading
import time

import pytest

import invent
import recordings

ROOT = pathlib.Path(__file__).resolve().parents[2]
WHISP = (ROOT / os.environ.get("WHISP_BUILD", "build") / "whisp").resolve()
FORMATS = ["txt", "vtt", "srt", "tsv", "json"]
LINE = re.compile(r"^\[(\d\d:)?\d\d:\d\d\.\d{3} --> (\d\d:)?\d\d:\d\d\.\d{3}\] .*$")
# One decoding of each window: quick, and nothing is sampled.
ONCE = ["--temperature", "0", "--temperature_increment_on_fallback", "None", "--no_speech_threshold", "None",
        "--hallucination_guard", "False"]

FINE, OTHER, USAGE, INPUT, MODEL, OUTPUT, BACKEND, PART = range(8)


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    invent.write(folder / "english.gguf", name="english", state=32, layers=1)
    invent.write(folder / "many.gguf", name="many", state=32, layers=1, multilingual=True, seed=1)
    return folder


@pytest.fixture(scope="session")
def english(models):
    return models / "english.gguf"


@pytest.fixture(scope="session")
def many(models):
    return models / "many.gguf"


@pytest.fixture(scope="session")
def babble():
    return recordings.babble(8.0)


@pytest.fixture
def talk(tmp_path, babble):
    return recordings.write_wav(tmp_path / "talk.wav", babble)


@pytest.fixture
def run(tmp_path):
    """Run the program in an empty folder; stdout and stderr come as text."""
    home = tmp_path / "home"
    work = tmp_path / "work"
    home.mkdir()
    work.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "WHISP_MODEL_DIR"}
    environment["HOME"] = str(home)

    def run(*arguments, cwd=work, env=None, **settings):
        settings.setdefault("stdin", subprocess.DEVNULL if "input" not in settings else None)
        if "input" in settings:
            del settings["stdin"]
        settings.setdefault("stdout", subprocess.PIPE)
        done = subprocess.run([WHISP, *map(str, arguments)], cwd=cwd, env={**environment, **(env or {})}, timeout=120,
                              stderr=subprocess.PIPE, **settings)
        done.stdout = (done.stdout or b"").decode()
        done.stderr = done.stderr.decode()
        return done

    run.work, run.environment = work, environment
    return run


def fails(done, code, *words):
    """It failed with this code and one line on standard error that contains these words."""
    assert done.returncode == code, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("whisp: ")]
    assert len(lines) == 1 and lines[0] == done.stderr.splitlines()[-1], done.stderr
    for word in words:
        assert str(word) in lines[0], done.stderr
    return lines[0]


# ---- the command line ----


def test_help(run):
    done = run("--help")
    assert done.returncode == FINE and done.stderr == ""
    options = set(re.findall(r"--(\w+)", done.stdout))
    assert {"model", "model_dir", "output_dir", "output_format", "verbose", "quiet", "version", "language", "task",
            "temperature", "best_of", "initial_prompt", "condition_on_previous_text", "suppress_tokens", "threads",
            "temperature_increment_on_fallback", "compression_ratio_threshold", "logprob_threshold", "backend",
            "no_speech_threshold", "seed", "compute_type", "detect_language"} <= options
    assert "Exit codes" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert run("-h").stdout == done.stdout


def test_manual_page_has_all_options(run):
    page = (ROOT / "docs" / "whisp.1").read_text()
    documented = set(re.findall(r"^\.It.*Fl Fl (\w+)", page, re.M))
    listed = set(re.findall(r"^ +(?:-\w, )?--(\w+)", run("--help").stdout, re.M))
    assert documented == listed


def test_version(run):
    header = (ROOT / "include" / "whisp.h").read_text()
    version = ".".join(re.findall(r"#define WHISP_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header))
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (FINE, "whisp %s\n" % version, "")


def test_log_level_debug_shows_what_windows_found(run, english, talk):
    done = run("--model", english, *ONCE, "--log_level", "debug", talk)
    assert done.returncode == FINE
    assert re.search(r"^ +\d+\.\d{3} s  window at 0\.00 s: temperature 0, \d+ tokens", done.stderr, re.M)
    assert "window at" not in run("--model", english, *ONCE, talk).stderr
    fails(run("--log_level", "loud", talk), USAGE, "log_level", "debug")


@pytest.mark.parametrize("typed, meant", [
    ("--langauge", "--language"), ("--lang", "--language"), ("--output-fromat=srt", "--output_format"),
    ("--temprature", "--temperature"), ("--no_speech_treshold", "--no_speech_threshold"), ("--modle", "--model"),
    ("-language", "--language"),
])
def test_unknown_option_with_suggestion(run, typed, meant):
    fails(run(typed, "de", "x.wav"), USAGE, typed.split("=")[0], "did you mean %s?" % meant)


@pytest.mark.parametrize("typed", ["--xyzzy", "-x", "--" + "long" * 50, "--=3", "---"])
def test_unknown_option(run, typed):
    line = fails(run(typed, "x.wav"), USAGE, "unknown option", "--help")
    assert "did you mean" not in line


@pytest.mark.parametrize("arguments, word", [
    (["--language", "klingon"], "klingon"), (["--task", "sing"], "sing"), (["--temperature", "warm"], "warm"),
    (["--temperature", "-1"], "temperature"), (["--best_of", "0"], "best_of"), (["--threads", "many"], "threads"),
    (["--verbose", "yes"], "True"), (["--output_format", "doc"], "doc"), (["--output_format", "srt,"], "output_format"),
    (["--output_dir", ""], "output_dir"), (["--model="], "model"), (["--quiet=yes"], "neither True nor False"),
    (["--condition_on_previous_text", "1"], "condition_on_previous_text"), (["--backend", "abacus"], "abacus"),
    (["--suppress_tokens", "a,b"], "suppress_tokens"), (["--seed", "1.5"], "seed"),
    (["--compute_type", "f3"], "compute_type"), (["--no_speech_threshold", "nan"], "no_speech_threshold"),
])
def test_bad_value(run, talk, arguments, word):
    fails(run(*arguments, talk), USAGE, word)


@pytest.mark.parametrize("option", ["--language", "--model", "-o", "--output_format"])
def test_missing_value(run, option):
    fails(run("x.wav", option), USAGE, "needs a value")


@pytest.mark.parametrize("typed, here", [
    ("-osrt", "-f srt"), ("-oj", "-f json"), ("-ojf", "-f json"), ("-otxt", "-f txt"), ("-ovtt", "-f vtt"),
    ("-ocsv", "-f tsv"), ("-of", "-o FOLDER"), ("-ml", "--max_line_width"), ("-nt", "--without_timestamps"),
    ("-tr", "--task translate"), ("-l", "--language CODE"), ("-lit", "--language CODE"), ("-t4", "--threads N"),
    ("-bs", "--beam_size N"), ("-bo", "--best_of N"), ("-p", "--threads"), ("-mc", "--condition_on_previous_text"),
    ("--output-srt", "--output_format srt"), ("--output_json", "--output_format json"),
    ("--prompt", "--initial_prompt"),
    ("--max-len=3", "--max_line_width"), ("-translate", "--task translate"), ("--tinydiarize", "--diarize True"),
])
def test_other_programs_options(run, talk, typed, here):
    """One line says what to write here; nothing is made, nothing is transcribed."""
    fails(run(talk, typed), USAGE, typed.split("=")[0], here)
    assert list(run.work.iterdir()) == []


@pytest.mark.parametrize("arguments, words", [
    (["-oout"], ["-o out"]), (["-qoout"], ["-o out"]), (["-output_dir", "x"], ["--output_dir"]),
    (["-model", "x"], ["--model"]),
    (["-f", "html", "-o", "-"], ["--output_dir: - is no folder", "./-"]),
    (["-o", "talk.srt"], ["talk.srt", "-f srt"]), (["-o", "-f", "srt"], ["--output_dir needs a value"]),
    (["--model", "--task", "translate"], ["--model needs a value", "--model=--task"]),
    (["--initial_prompt", "--language", "it"], ["needs a value"]), (["-f", __file__], ["without an option before it"]),
])
def test_values_that_are_none(run, talk, arguments, words):
    fails(run(talk, *arguments), USAGE, *words)
    assert list(run.work.iterdir()) == []


def test_attached_folders(run, english, talk):
    """A folder that cannot be anything else may stand behind -o without a space."""
    (run.work / "out").mkdir()
    assert run("--model", english, *ONCE, "-ftxt", "-oout", talk).returncode == FINE
    assert run("--model", english, *ONCE, "-ftxt", "-oa/b", talk).returncode == FINE
    assert (run.work / "out" / "talk.txt").exists() and (run.work / "a" / "b" / "talk.txt").exists()


def test_fp16(run, english, talk):
    done = run("--model", english, *ONCE, "--fp16", "False", talk)
    assert done.returncode == FINE and "--fp16 has no effect" in done.stderr
    quiet = run("--model", english, *ONCE, "--fp16", "True", "--verbose", "False", talk)
    assert quiet.returncode == FINE and "fp16" not in quiet.stderr
    fails(run("--fp16", "yes", talk), USAGE, "fp16")


def test_names_of_other_programs(run, english, talk):
    plain = run("--model", english, *ONCE, "--compute_type", "f32", talk)
    for name in ("float32", "float16"):
        assert run("--model", english, *ONCE, "--compute_type", name, "--device", "cpu", "--language", "auto",
                   talk).stdout == plain.stdout
    for device, backend in (("cuda:1", "cpu"), ("cuda", "blas"), ("cpu", "cuda")):
        fails(run("--model", english, "--device", device, "--backend", backend, talk), USAGE, "contradict")
    fails(run("--model", english, "--device", "cuda:1", talk), BACKEND, "cuda")


def test_no_file(run):
    fails(run(), USAGE, "--help")
    fails(run("--language", "en"), USAGE, "--help")
    fails(run(""), USAGE, "empty")


def test_standard_input_twice(run, english):
    fails(run("--model", english, "-", "-", input=b""), USAGE, "standard input", "once")


def test_names_and_orders(run, english, talk):
    """--name=value, a hyphen for an underscore, options after files, several short ones in one, -- before files."""
    expected = run("--model", english, *ONCE, "--max_initial_timestamp", "None", talk)
    assert expected.returncode == FINE and expected.stdout
    other = run(talk, "-qm", english, "--temperature=0", "--temperature-increment-on-fallback=None",
                "--no-speech-threshold=None", "--max_initial_timestamp=None")
    assert (other.returncode, other.stdout, other.stderr) == (FINE, expected.stdout, "")
    last = run("-m%s" % english, *ONCE, "--max_initial_timestamp", "None", "--", talk)
    assert last.stdout == expected.stdout


# ---- what is printed ----


def test_segments(run, english, talk):
    done = run("--model", english, *ONCE, talk)
    assert done.returncode == FINE
    lines = done.stdout.splitlines()
    assert lines and all(LINE.match(line) for line in lines), done.stdout
    assert "\r" not in done.stderr and "\033" not in done.stderr


def test_quiet(run, english, talk):
    done = run("--model", english, *ONCE, "-q", talk)
    assert done.stderr == "" and LINE.match(done.stdout.splitlines()[0])
    done = run("--model", english, *ONCE, "--quiet", "--output_format", "txt", talk)
    assert (done.stdout, done.stderr) == ("", "") and (run.work / "talk.txt").read_text()


def test_words(run, english, talk, tmp_path):
    result = run("--model", english, *ONCE, "--word_timestamps", "True", "--highlight_words", "True", "-f", "json,srt",
                 "-o", tmp_path, talk)
    assert result.returncode == FINE, result.stderr
    segments = json.loads((tmp_path / "talk.json").read_text())["segments"]
    assert any(segment["words"] for segment in segments)
    assert "<u>" in (tmp_path / "talk.srt").read_text()


def test_word_times(run, english, talk, tmp_path):
    """By characters the words and their probabilities are those by tokens; their times are others."""
    found = {}
    for by in ("tokens", "characters"):
        result = run("--model", english, *ONCE, "--word_timestamps", "True", "--word_times", by, "-f", "json",
                     "-o", tmp_path / by, talk)
        assert result.returncode == FINE, result.stderr
        segments = json.loads((tmp_path / by / "talk.json").read_text())["segments"]
        found[by] = [word for segment in segments if segment["seek"] == 0 for word in segment["words"]]
    said, times = ([[[word[key] for key in keys] for word in found[by]] for by in found]
                   for keys in (("word", "probability"), ("start", "end")))
    assert said[0] and said[0] == said[1] and times[0] != times[1]
    refused = run("--model", english, "--word_times", "letters", talk)
    assert refused.returncode == USAGE and "word_times" in refused.stderr


def test_doubtful(run, english, talk, tmp_path):
    result = run("--model", english, *ONCE, "--doubtful", tmp_path / "doubtful.txt", "-f", "json", "-o", tmp_path, talk)
    assert result.returncode == FINE, result.stderr
    segments = json.loads((tmp_path / "talk.json").read_text())["segments"]
    words = [word for segment in segments for word in segment["words"]]
    assert words and all(0 < word["confidence"] <= 1 for word in words)
    others = [other for word in words for other in word.get("alternatives", [])]
    assert others and all(set(other) == {"text", "logprob"} and other["text"].strip() for other in others)
    assert all(1 <= len(word["alternatives"]) <= 5 for word in words if "alternatives" in word)
    doubtful = (tmp_path / "doubtful.txt").read_text()
    assert doubtful.startswith("# The least certain words: %d of %d" % (max(1, round(len(words) / 10)), len(words)))
    assert "[" in doubtful
    plain = run("--model", english, *ONCE, "-f", "json", "-o", tmp_path, talk)
    assert plain.returncode == FINE and "confidence" not in (tmp_path / "talk.json").read_text()


def test_corrections_are_a_vocabulary(run, english, talk, tmp_path):
    """What the review page saved: names are learned, and a transcript without any is refused."""
    done = run("--model", english, *ONCE, "-f", "json", "-o", tmp_path, talk)
    assert done.returncode == FINE, done.stderr
    made, taught = json.loads((tmp_path / "talk.json").read_text()), tmp_path / "talk.corrected.json"
    fails(run("--model", english, *ONCE, "--vocabulary", tmp_path / "talk.json", talk), USAGE, "talk.json", "without \"corrections\"")
    names = [{"from": "Share Jet", "to": "ShareChat", "count": 2}, {"from": "then", "to": "than", "count": 1}]
    taught.write_text(json.dumps({**made, "corrections": names}))
    done = run("--model", english, *ONCE, "--log_level", "info", "--vocabulary", taught, talk)
    assert done.returncode == FINE and "1 of 2 corrections are names" in done.stderr, done.stderr
    taught.write_text(json.dumps({**made, "corrections": names[1:]}))
    fails(run("--model", english, *ONCE, "--vocabulary", taught, talk), USAGE, "none of its 1 corrections")


@pytest.mark.parametrize("arguments, word", [
    (["--doubtful_share", "0.2"], "--doubtful_share requires --doubtful"),
    (["--doubtful", "x.txt", "--doubtful_share", "2"], "not a number above 0 and up to 1"),
    (["--doubtful", "x.txt", "--align", "a"], "exclude each other"),
    (["--doubtful", "x.txt", "again.wav"], "one recording"),
    (["--highlight_words", "True"], "--highlight_words requires --word_timestamps True"),
    (["--max_line_width", "20"], "--max_line_width requires --word_timestamps True"),
    (["--max_line_count", "2"], "--max_line_count requires --word_timestamps True"),
    (["--max_words_per_line", "3"], "--max_words_per_line requires --word_timestamps True"),
    (["--word_timestamps", "True", "--max_line_width", "none"], "--max_line_width"),
    (["--word_timestamps", "True", "--max_line_count", "0"], "--max_line_count"),
    (["--clip_timestamps", "9,3"], "ascend"),
    (["--align", "a", "--detect_language"], "exclude each other"),
    (["--align", ""], "empty"),
])
def test_words_bad_usage(run, talk, arguments, word):
    result = run(*arguments, talk)
    assert result.returncode == USAGE and word in result.stderr and result.stdout == ""


def test_layout_without_effect(run, english, talk):
    result = run("--model", english, *ONCE, "--word_timestamps", "True", "--max_line_count", "2", talk)
    assert result.returncode == FINE
    assert "--max_line_count has no effect without --max_line_width" in result.stderr


@pytest.mark.parametrize("arguments, message", [
    (["--beam_size", "5", "--temperature", "0.5"], "beam_size has no effect at temperatures above 0"),
    (["--beam_size", "1", "--patience", "2"], "patience has no effect with beam_size 1"),
    (["--without_timestamps", "True", "--max_initial_timestamp", "3"], "max_initial_timestamp has no effect with"),
    (["--multilingual", "True", "--language", "it"], "language it is not used"),
    (["--carry_initial_prompt", "True"], "carry_initial_prompt has no effect without initial_prompt"),
    (["--prefix", "a", "--hotwords", "b"], "hotwords has no effect in the first window"),
    (["--initial_prompt", "so " * 600], "and there is room for 223; the last ones are used"),
    (["--hotwords", "so " * 600], "the first ones are used"),
    (["--word_timestamps", "True", "--task", "translate"], "translations may not be reliable"),
    (["--hallucination_silence_threshold", "2"], "has no effect without word_timestamps"),
    (["--vad_threshold", "0.3"], "vad_threshold has no effect without vad_filter"),
    (["--vad_filter", "True", "--clip_timestamps", "1,2"], "vad_filter is not used together with clip_timestamps"),
    (["--clip_timestamps", "3,3"], "the clip at 3 s is empty"),
    (["--clip_timestamps", "300"], "the clip at 300 s begins after the recording's end"),
    (["--detect_language", "-f", "srt"], "--detect_language writes no files"),
    (["--detect_language", "--language", "en"], "--language has no effect with --detect_language"),
    (["--align", "a", "--task", "translate"], "not for its translation"),
    (["--align", "never said, this is"], "does not seem to be what is said"),
    (["--word_timestamps", "True", "--highlight_words", "True", "-f", "txt"], "asks for neither"),
    (["--word_timestamps", "True", "--max_words_per_line", "3", "--max_line_width", "9", "-f", "srt"], "no effect with"),
], ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None)
def test_options_without_effect_are_told(run, many, talk, arguments, message):
    result = run("--model", many, *ONCE, "--sample_len", "8", *arguments, talk)
    others = [line for line in result.stderr.splitlines() if "warning:" in line and "language is uncertain" not in line]
    assert result.returncode == FINE and len(others) == 1 + (arguments[:2] == ["--align", "a"])
    assert message in result.stderr, result.stderr


def test_quiet_has_no_warnings(run, many, talk):
    assert run("--model", many, *ONCE, "-q", "--sample_len", "8", "--carry_initial_prompt", "True", "--clip_timestamps",
               "300", "--vad_threshold", "0.3", talk).stderr == ""


@pytest.mark.parametrize("arguments, message", [
    (["--patience", "2"], "give beam_size too"), (["--max_new_tokens", "5", "--sample_len", "6"], "contradict"),
    (["--align", "a", "--align_file", __file__], "exclude each other"), (["--align", "..."], "no words"),
    (["--vad_threshold", "0.3", "--vad_neg_threshold", "0.6"], "vad_neg_threshold"),
    (["--max_new_tokens", "447"], "room for"), (["--suppress_regex", "(a"], "regular expression"),
], ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None)
def test_contradictions_are_refused(run, many, talk, arguments, message):
    fails(run("--model", many, *arguments, talk), USAGE, message)


def test_align(run, english, talk, tmp_path):
    result = run("--model", english, "--align", "The words, that I know.", talk)
    assert result.returncode == FINE, result.stderr
    lines = result.stdout.splitlines()
    assert [line.split("] ")[1] for line in lines] == ["The", "words,", "that", "I", "know."]
    assert all(LINE.match(line) for line in lines)
    text = tmp_path / "text.txt"
    text.write_text("The words,\nthat I know.\n")
    result = run("--model", english, "--align_file", text, "-f", "txt", "-o", tmp_path, talk)
    assert result.returncode == FINE and result.stdout.splitlines() == lines
    assert (tmp_path / "talk.txt").read_text() == "The words,\nthat I know.\n"


def test_align_bad_text(run, english, talk, tmp_path):
    assert run("--align_file", tmp_path / "nosuch.txt", talk).returncode == INPUT
    for endless in "/dev/zero", "/dev/full":
        result = run("--model", english, "--align_file", endless, talk)
        assert result.returncode == INPUT and "larger than 16 MiB" in result.stderr
        assert run("--from", endless, "-f", "srt", "-o", tmp_path).returncode == INPUT
        assert run("--model", english, "--vocabulary", endless, talk).returncode != 0
    for name, content in (("nul.txt", "a\0b"), ("empty.txt", "")):
        (tmp_path / name).write_text(content)
    result = run("--align_file", tmp_path / "nul.txt", talk)
    assert result.returncode == INPUT and "NUL" in result.stderr
    fails(run("--align_file", "/dev/zero", talk), INPUT, "larger than 16 MiB")  # it has no end
    result = run("--model", english, "--align_file", tmp_path / "empty.txt", talk)
    assert result.returncode == USAGE and "no words" in result.stderr


def test_verbose_false(run, english, talk):
    done = run("--model", english, *ONCE, "--verbose", "False", "-f", "txt", talk)
    assert done.returncode == FINE and done.stdout == ""
    plain = run("--model", english, *ONCE, "--verbose", "False", talk)
    assert plain.stdout.split() == (run.work / "talk.txt").read_text().split() != []


def test_same_words_each_time(run, english, talk):
    first = run("--model", english, "--best_of", "2", "--seed", "7", talk)
    assert first.returncode == FINE and first.stdout
    assert run("--model", english, "--best_of", "2", "--seed", "7", "--threads", "1", talk).stdout == first.stdout


def test_several_files_one_bad(run, english, talk):
    missing = talk.parent / "missing.wav"
    done = run("--model", english, *ONCE, talk, missing, talk)
    fails_first = [line for line in done.stderr.splitlines() if line.startswith("whisp: ")]
    assert done.returncode == INPUT and len(fails_first) == 1 and str(missing) in fails_first[0]
    assert done.stdout == 2 * run("--model", english, *ONCE, talk).stdout
    assert done.stderr.count("%s:\n" % talk) == 2


def test_failed_recordings_are_listed(run, english, talk):
    missing, text = talk.parent / "missing.wav", talk.parent / "text.wav"
    text.write_text("Nobody says anything in here.")
    done = run("--model", english, *ONCE, missing, talk, text)
    assert done.returncode == INPUT
    assert done.stderr.endswith("failed: 2 of 3 recordings\n    %s\n    %s\n" % (missing, text))
    assert "failed:" not in run("--model", english, *ONCE, talk, talk).stderr
    assert "failed:" not in run("--model", english, *ONCE, missing).stderr


def test_skip_existing(run, english, talk, babble):
    other = recordings.write_wav(talk.parent / "other.wav", babble)
    both = ["--model", english, *ONCE, "--skip_existing", "True", "-f", "txt,srt", talk, other]
    first = run(*both)
    assert first.returncode == FINE and "left out" not in first.stderr
    (run.work / "talk.txt").write_text("mine")
    again = run(*both)
    assert (again.returncode, again.stdout) == (FINE, "") and "2 of 2 recordings left out" in again.stderr
    assert (run.work / "talk.txt").read_text() == "mine"
    (run.work / "other.srt").unlink()
    third = run(*both)
    assert third.returncode == FINE and "1 of 2 recordings left out" in third.stderr and third.stdout
    assert (run.work / "other.srt").exists() and (run.work / "talk.txt").read_text() == "mine"
    fails(run("--skip_existing", "True", talk), USAGE, "--skip_existing")
    # One that would be taken for done because another one's file is there is told, not skipped.
    twin = recordings.write_wav(talk.parent / "talk.wave", babble)
    fails(run(*both, twin), USAGE, "talk.wave")


def test_no_good_file_needs_no_model(run, talk):
    done = run("--model", "nonsense", talk.parent / "missing.wav")
    assert done.returncode == INPUT and "nonsense" not in done.stderr


def test_detect_language(run, many, english, talk):
    done = run("--model", many, "--detect_language", talk)
    assert done.returncode == FINE
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert sorted(row[0] for row in rows) == sorted(invent.LANGUAGES)
    chances = [float(row[2]) for row in rows]
    assert chances == sorted(chances, reverse=True) and abs(sum(chances) - 1) < 1e-3
    two = run("--model", many, "--detect_language", talk, talk)
    assert two.stdout == "".join("%s\t%s\n" % (talk, line) for line in 2 * done.stdout.splitlines())
    fails(run("--model", english, "--detect_language", talk), USAGE, "English")


def test_translate_with_english_model(run, english, talk):
    fails(run("--model", english, "--task", "translate", talk), USAGE, "english")


# ---- models ----


def test_model_by_name(run, models, talk):
    assert run("--model", "english", "--model_dir", models, *ONCE, talk).returncode == FINE
    done = run("--model", "many", *ONCE, talk, env={"WHISP_MODEL_DIR": str(models)})
    assert done.returncode == FINE and "model:" not in done.stderr
    line = fails(run("--model", "large-v9", "--model_dir", models, talk), MODEL, "large-v9")
    assert "english" in line and "many" in line


def test_model_that_is_there(run, models, talk):
    done = run("--model_dir", models, *ONCE, talk)
    assert done.returncode == FINE and "model: %s" % (models / "english.gguf") in done.stderr
    shutil.copy(models / "many.gguf", run.work / "base.gguf")
    (run.work / "models").mkdir()
    shutil.copy(models / "many.gguf", run.work / "models" / "base.gguf")
    done = run(*ONCE, talk)
    assert done.returncode == FINE and "model: models/base.gguf" in done.stderr
    cache = pathlib.Path(run.environment["HOME"]) / ".cache" / "whisp"
    cache.mkdir(parents=True)
    shutil.copy(models / "english.gguf", cache / "zz.gguf")
    assert run("--model", "zz", *ONCE, talk).returncode == FINE


def test_files_of_options_that_are_not_there(run, english, talk, tmp_path):
    """What a model is missing is 4, the vocabulary 2."""
    missing, empty = tmp_path / "missing", tmp_path / "empty"
    empty.write_bytes(b"")
    fails(run("--model", english, "--vad_filter", "True", talk), MODEL, "silero-vad")
    for more in ([], ["--vad_filter", "True"], ["--hallucination_guard", "False"]):
        fails(run("--model", english, "--vad_model", missing, *more, talk), MODEL, "vad_model", missing)
    fails(run("--model", english, "--vad_model", english, talk), MODEL, "vad_model", english)
    fails(run("--model", english, "--vocabulary", missing, talk), USAGE, "vocabulary", missing)
    fails(run("--model", english, "--vocabulary", tmp_path, talk), USAGE, "vocabulary", tmp_path)
    fails(run("--model", english, "--stream", "--vocabulary", missing, "-", input=b"\0" * 64000), USAGE, missing)
    fails(run("--model", english, "--stream", "--vad_model", missing, "-", input=b"\0" * 64000), MODEL, missing)


def make_folder(folder, *names, data=b"{}"):
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(data)
    return folder


def test_models_of_other_programs(run, talk, tmp_path):
    """The command that makes a model of it, with the path as it was given."""
    safe = b"\x10\0\0\0\0\0\0\0{}              "
    hf = make_folder(tmp_path / "whisper-small", "model.safetensors", "config.json", data=safe)
    torch = make_folder(tmp_path / "my model", "pytorch_model.bin", data=b"PK\3\4" + bytes(40))
    ct2 = make_folder(tmp_path / "faster", "model.bin", "config.json", data=bytes(range(40)))
    for path, command in (
        (hf, "whisp-convert %s -o whisper-small.gguf" % hf), (hf / "model.safetensors", "whisp-convert %s -o" % hf),
        (torch, "whisp-convert '%s' -o 'my model.gguf'" % torch),
        (torch / "pytorch_model.bin", "whisp-convert '%s'" % torch),
        (ct2, "whisp-convert %s -o faster.gguf" % ct2), (ct2 / "model.bin", "whisp-convert %s -o faster.gguf" % ct2),
    ):
        fails(run("--model", path, talk), MODEL, path, command)
    for name, data, word in (("tiny.pt", b"PK\3\4" + bytes(40), "-o tiny.gguf"), ("ggml-tiny.bin", b"lmgg" + bytes(40),
                             "-o tiny.gguf"), ("old.pt", b"\x80\2}q" + bytes(40), "-o old.gguf"),
                             ("lfs.bin", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
                             ("page.gguf", b"<!DOCTYPE html>", "web page")):
        (tmp_path / name).write_bytes(data)
        fails(run("--model", tmp_path / name, talk), MODEL, tmp_path / name, word)
    fails(run("--model", make_folder(tmp_path / "lora", "adapter_model.safetensors"), talk), MODEL, "merge")
    fails(run("--model", make_folder(tmp_path / "gg", "b.gguf", "a.gguf"), talk), MODEL, "gg/a.gguf")
    fails(run("--model", make_folder(tmp_path / "none"), talk), MODEL, "without a model")
    make_folder(run.work / "here", "model.bin")
    fails(run("--model", "here", talk), MODEL, "whisp-convert here -o here.gguf")


def test_no_model(run, talk):
    fails(run(talk), MODEL, "model")


@pytest.mark.parametrize("part", [0, 3, 4, 12, 24, 100, 2000, 0.2, 0.5, 0.9, -64, -1])
def test_truncated_model(run, english, talk, tmp_path, part):
    data = english.read_bytes()
    end = int(part * len(data)) if isinstance(part, float) else part if part >= 0 else len(data) + part
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(data[:end])
    fails(run("--model", broken, talk), MODEL, broken)


def change_metadata(key, value):
    def change(metadata, tensors):
        metadata[key] = (metadata[key][0], value)
    return change


def drop_metadata(key):
    return lambda metadata, tensors: metadata.pop(key)


def drop_tensor(name):
    return lambda metadata, tensors: tensors.pop(name)


def reshape(name):
    def change(metadata, tensors):
        shape, values = tensors[name]
        tensors[name] = (tuple(reversed(shape)), values)
    return change


@pytest.mark.parametrize("change, word", [
    (change_metadata("general.architecture", "llama"), "Whisper"),
    (change_metadata("whisper.format_version", 9), "version 9"),
    (change_metadata("whisper.encoder.block_count", 3), "encoder.blocks.1"),
    (change_metadata("whisper.encoder.context_length", 3000), "context_length"),
    (change_metadata("whisper.decoder.attention.head_count", 0), "head_count"),
    (change_metadata("whisper.decoder.attention.head_count", 5), "head_count"),
    (change_metadata("whisper.decoder.embedding_length", 0xFFFFFFFF), "embedding_length"),
    (change_metadata("whisper.vocab_size", 60000), "vocab"),
    (change_metadata("whisper.vocab.ordinary", 0xFFFFFFFF), "ordinary"),
    (change_metadata("whisper.mel_bands", 128), "conv1"),
    (change_metadata("whisper.alignment_heads", (invent.I32, [-1, 0])), "alignment_heads"),
    (change_metadata("tokenizer.ggml.tokens", (invent.STRING, ["a", "b"])), "tokens"),
    (change_metadata("tokenizer.ggml.tokens", (invent.U32, [1] * 1882)), "tokens"),
    (drop_metadata("whisper.mel_bands"), "mel_bands"),
    (drop_metadata("tokenizer.ggml.tokens"), "tokens"),
    (drop_tensor("decoder.ln.bias"), "decoder.ln.bias"),
    (reshape("decoder.blocks.0.mlp.0.weight"), "decoder.blocks.0.mlp.0.weight"),
])
def test_wrong_model(run, talk, tmp_path, change, word):
    metadata, tensors = invent.model(state=16, heads=2, layers=1, text_ctx=64)
    change(metadata, tensors)
    wrong = tmp_path / "wrong.gguf"
    invent.write_gguf(wrong, metadata, tensors)
    fails(run("--model", wrong, talk), MODEL, wrong, word)


def test_not_a_model(run, talk, tmp_path):
    text = tmp_path / "model.gguf"
    text.write_text("This is no model.\n" * 1000)
    fails(run("--model", text, talk), MODEL, text)
    fails(run("--model", tmp_path, talk), MODEL, tmp_path.name)


def test_backend_that_is_not_there(run, english, talk):
    done = run("--model", english, *ONCE, "--backend", "cpu", talk)
    assert done.returncode == FINE
    missing = run("--model", english, "--backend", "cuda", talk)
    assert missing.returncode in (USAGE, BACKEND) and "cuda" in missing.stderr


# ---- recordings ----


def test_unreadable_recordings(run, english, tmp_path):
    missing, folder, empty, text = (tmp_path / name for name in ("missing.wav", "folder", "empty.wav", "text.mp3"))
    folder.mkdir()
    empty.write_bytes(b"")
    text.write_text("Nobody says anything in here.\n" * 50)
    for path in (missing, folder, empty, text):
        fails(run("--model", english, path), INPUT, path)
    for path in (empty, text):
        with open(path, "rb") as data:
            fails(run("--model", english, "-", stdin=data), INPUT, "standard input")


def test_no_samples(run, english, tmp_path):
    fails(run("--model", english, recordings.write_wav(tmp_path / "none.wav", [])), INPUT, "none.wav")


def test_truncated_mp3(run, english, tmp_path, babble):
    path = tmp_path / "cut.mp3"
    if not recordings.write_sndfile(path, babble, "mp3"):
        pytest.skip("this libsndfile writes no MP3")
    data = path.read_bytes()
    path.write_bytes(data[:len(data) // 2 + 7])
    done = run("--model", english, *ONCE, path)
    assert done.returncode == PART and done.stdout and "stopped at" in done.stderr, done.stderr
    path.write_bytes(data[:20])
    fails(run("--model", english, *ONCE, path), INPUT, path)


@pytest.mark.parametrize("samples", [[1000], [0] * 100, [0] * 1600, [0] * 16000, [0] * 1], ids=len)
def test_short_and_silent(run, english, tmp_path, samples):
    path = recordings.write_wav(tmp_path / "short.wav", samples)
    done = run("--model", english, "-f", "json", path)
    assert done.returncode == FINE, done.stderr
    assert "segments" in json.loads((run.work / "short.json").read_text())


def test_noise(run, english, tmp_path):
    path = recordings.write_wav(tmp_path / "noise.wav", recordings.noise(5.0))
    assert run("--model", english, "--best_of", "2", path).returncode == FINE


def test_samples_that_are_no_numbers(run, english, tmp_path, babble):
    samples = [s / 32768.0 for s in babble[:32000]]
    samples[100:110] = [float("nan")] * 10
    samples[5000], samples[6000] = float("inf"), float("-inf")
    path = recordings.write_float_wav(tmp_path / "strange.wav", samples)
    done = run("--model", english, *ONCE, path)
    assert done.returncode == FINE and "nan" not in done.stdout
    assert "whisp: warning: " in done.stderr and "finite" in done.stderr
    nothing = recordings.write_float_wav(tmp_path / "nothing.wav", [float("nan")] * 16000)
    assert run("--model", english, *ONCE, nothing).returncode == PART


@pytest.mark.parametrize("extension", ["wav", *recordings.SNDFILE_FORMATS])
def test_standard_input(run, english, tmp_path, babble, extension):
    path = tmp_path / ("talk." + extension)
    if extension == "wav":
        recordings.write_wav(path, babble)
    elif not recordings.write_sndfile(path, babble, extension):
        pytest.skip("this libsndfile writes no " + extension)
    by_name = run("--model", english, *ONCE, path)
    assert by_name.returncode == FINE and by_name.stdout, by_name.stderr
    by_pipe = run("--model", english, *ONCE, "-", input=path.read_bytes())
    assert by_pipe.returncode == FINE, by_pipe.stderr
    # The loudest moment is in the first window, so nothing may differ.
    assert by_pipe.stdout == by_name.stdout


def test_longer_than_a_window_by_pipe(run, english, tmp_path):
    path = recordings.write_wav(tmp_path / "long.wav", recordings.babble(70.0))
    by_name = run("--model", english, *ONCE, path)
    by_pipe = run("--model", english, *ONCE, "-", input=path.read_bytes())
    assert by_name.returncode == FINE and by_name.stdout == by_pipe.stdout
    assert "[01:0" in by_name.stdout


def test_process_substitution(run, english, talk):
    read, write = os.pipe()
    writer = threading.Thread(target=lambda: (os.write(write, talk.read_bytes()[:60000]), os.close(write)))
    writer.start()
    done = run("--model", english, *ONCE, "/dev/fd/%d" % read, pass_fds=[read])
    writer.join()
    os.close(read)
    assert done.returncode == PART and done.stdout and "stopped at 0:01.9 of 0:08.0" in done.stderr, done.stderr


# ---- recordings that ffmpeg decodes ----


@pytest.fixture
def m4a(tmp_path):
    """What the library sends to ffmpeg."""
    path = tmp_path / "talk.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom\0\0\0\0" + bytes(100))
    return path


def piped_wav(samples, channels=1):
    """A header of 44 bytes that does not know the length."""
    form = struct.pack("<IHHIIHH", 16, 1, channels, 16000, 32000 * channels, 2 * channels, 16)
    return (b"RIFF\xff\xff\xff\xffWAVEfmt " + form + b"data\xff\xff\xff\xff" + samples.tobytes())


@pytest.fixture
def ffmpeg(tmp_path, babble):
    """Puts a program in ffmpeg's place; the environment with which it is found. "$SOUND": eight seconds, as ffmpeg writes
    them to a pipe, or what is given."""
    def write(script, sound=None):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (tmp_path / "sound").write_bytes(piped_wav(babble) if sound is None else sound)
        (folder / "ffmpeg").write_text("#!/bin/sh\nSOUND='%s'\n%s\n" % (tmp_path / "sound", script))
        (folder / "ffmpeg").chmod(0o755)
        return {"PATH": "%s:/usr/bin:/bin" % folder, "TMPDIR": str(tmp_path)}
    return write


def test_ffmpeg_is_not_there(run, english, m4a):
    fails(run("--model", english, m4a, env={"PATH": "/nonexistent"}), INPUT, m4a, "| whisp -")


def test_ffmpeg_is_heard_like_a_file(run, english, talk, m4a, ffmpeg, tmp_path):
    environment = ffmpeg('for a; do echo "$a"; done >"%s"; cat "$SOUND"' % (tmp_path / "arguments"))
    plain = run("--model", english, *ONCE, "-f", "json", talk)
    document = (run.work / "talk.json").read_bytes()
    done = run("--model", english, *ONCE, "-f", "json", m4a, env=environment)
    assert done.returncode == FINE and done.stdout == plain.stdout and "proc" not in done.stderr
    assert (run.work / "talk.json").read_bytes() == document
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert "-nostdin" in arguments and arguments[arguments.index("-i") + 1] == "file:%s" % m4a
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("whisp-")]
    done = run("--model", english, "--align", "The words", m4a, env=environment)
    assert done.returncode == FINE and done.stdout == run("--model", english, "--align", "The words", talk).stdout


def test_ffmpeg_hears_what_comes_through_a_pipe(run, english, many, talk, m4a, ffmpeg, tmp_path):
    """It is given a file, as it seeks; what the library decodes is left in the pipe. A FIFO is a pipe."""
    environment = ffmpeg('for a; do case "$a" in file:/proc/self/fd/*) cat "${a#file:}" >"%s"; esac; done; cat "$SOUND"' % (
        tmp_path / "kept"))
    plain, fifo = run("--model", english, *ONCE, talk), tmp_path / "fifo"
    os.mkfifo(fifo)
    long = m4a.read_bytes() + os.urandom(300000)
    for name in "-", fifo:
        for data in long, talk.read_bytes(), long[:20]:
            (tmp_path / "kept").unlink(missing_ok=True)
            (tmp_path / "data").write_bytes(data)
            feeder = subprocess.Popen("cat '%s' %s" % (tmp_path / "data", "" if name == "-" else "> '%s'" % fifo),
                                      shell=True, stdout=subprocess.PIPE)
            done = run("--model", english, *ONCE, name, stdin=feeder.stdout, env=environment)
            feeder.stdout.close()
            assert feeder.wait() == 0 and done.returncode == FINE and done.stdout == plain.stdout, done.stderr
            if data[:4] == b"RIFF":
                assert not (tmp_path / "kept").exists()
            else:
                assert (tmp_path / "kept").read_bytes() == data
    for script, code, told in (("exit 1", INPUT, "standard input: cannot be heard: ffmpeg ended with status 1"),
                               ("echo 'file:/proc/self/fd/0: bad' >&2; cat \"$SOUND\"", PART,
                                "standard input: perhaps not all of it was heard; ffmpeg: bad")):
        feeder = subprocess.Popen(["cat", m4a], stdout=subprocess.PIPE)
        done = run("--model", many, "--detect_language", "-", stdin=feeder.stdout, env=ffmpeg(script))
        feeder.stdout.close()
        assert feeder.wait() == 0 and done.returncode == code and told in done.stderr, done.stderr
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("whisp-")]


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="skipped: no ffmpeg here")
def test_a_list_of_files_is_no_recording(run, english, talk, tmp_path):
    """What names other files of the machine (HLS, concat) is refused; a file with sound of its own is heard."""
    (tmp_path / "list").mkdir()
    secret, m4a = tmp_path / "list" / "secret.ts", tmp_path / "list" / "own.m4a"
    for target in secret, m4a:
        subprocess.run(["ffmpeg", "-v", "error", "-i", talk, "-c:a", "aac", target], check=True)
    lists = {
        "hls.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:30\n#EXTINF:8,\n%s\n#EXT-X-ENDLIST\n" % secret,
        "concat.m4a": "ffconcat version 1.0\nfile secret.ts\n",
    }
    for name, text in lists.items():
        (tmp_path / "list" / name).write_text(text)
        done = run("--model", english, *ONCE, tmp_path / "list" / name)
        assert done.returncode == INPUT and done.stdout == "" and name in done.stderr
    for heard in secret, m4a:
        assert run("--model", english, *ONCE, heard).returncode == FINE


@pytest.mark.parametrize("name", ["-i.m4a", "pipe:0.m4a", "http:x.m4a", "a'b \"c$(touch made).m4a", "%d.m4a"])
def test_ffmpeg_takes_names_for_names(run, english, m4a, ffmpeg, tmp_path, name):
    environment = ffmpeg('for a; do echo "$a"; done >"%s"; cat "$SOUND"' % (tmp_path / "arguments"))
    shutil.copy(m4a, run.work / name)
    assert run("--model", english, *ONCE, "--", name, env=environment).returncode == FINE
    assert "file:" + name in (tmp_path / "arguments").read_text().splitlines()
    assert [path.name for path in run.work.iterdir()] == [name]


def test_ffmpeg_fails(run, english, talk, m4a, ffmpeg):
    for script, words in (("echo 'moov atom not found' >&2; exit 1", ["moov atom not found", "status 1"]),
                          ("exit 0", ["no sound"]), ("kill -9 $$", ["signal 9"]),
                          ('head -c 44 "$SOUND"', ["no sound"]), ('head -c 30 "$SOUND"', ["no sound"]),
                          ("echo \"Stream map '0:a:0' matches no streams.\" >&2; exit 1", ["no sound in it"])):
        fails(run("--model", english, m4a, env=ffmpeg(script)), INPUT, m4a, *words)
    other = m4a.parent / "other.m4a"
    shutil.copy(m4a, other)
    script = 'case "$*" in *other*) echo broken >&2; exit 1;; esac; cat "$SOUND"'
    done = run("--model", english, *ONCE, other, talk, m4a, env=ffmpeg(script))
    assert done.returncode == INPUT and "failed: 1 of 3" in done.stderr
    assert done.stdout == 2 * run("--model", english, *ONCE, talk).stdout


def test_ffmpeg_stops_midway(run, english, talk, m4a, ffmpeg, babble):
    """Heard in part: the words so far, the reason, the status."""
    half = recordings.write_wav(talk.parent / "half.wav", babble[:64000])
    plain = run("--model", english, *ONCE, half).stdout
    for script, word in (
        ("echo 'Error: broken' >&2; exit 69", "stopped at 0:04; ffmpeg ended with status 69: Error: broken"),
        ("echo '[aac @ 0x12ab] bad frame' >&2", "ffmpeg: [aac] bad frame"), ("kill -11 $$", "signal 11"),
        ("echo '[aac @ 0x12ab] [error] bad frame' >&2", "ffmpeg: [aac] bad frame"),
        ("echo '[mov @ 0x12] [warning] Found duplicated MOOV Atom. Skipped it' >&2", "ffmpeg: [mov] Found duplicated MOOV"),
        ("echo '[avi @ 0x1] [warning] Packet corrupt (stream = 0, dts = 1).' >&2; echo '[warning] Guessed Channel Layout' >&2",
         "ffmpeg: [avi] Packet corrupt"),
    ):
        done = run("--model", english, *ONCE, "-f", "json", m4a, env=ffmpeg('head -c 128044 "$SOUND"; ' + script))
        assert (done.returncode, done.stdout) == (PART, plain), done.stderr
        assert done.stderr.count("whisp: warning: ") == 1 and "%s: " % m4a in done.stderr and word in done.stderr
        assert word in json.loads((run.work / "talk.json").read_text())["incomplete"]
    harmless = "echo '[asf @ 0x1] [warning] Estimating duration from bitrate, this may be inaccurate' >&2"
    done = run("--model", english, *ONCE, m4a, env=ffmpeg('head -c 128044 "$SOUND"; ' + harmless))
    assert (done.returncode, done.stdout) == (FINE, plain) and "Estimating" not in done.stderr, done.stderr


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="skipped: no ffmpeg here")
def test_ffmpeg_chooses_the_stream(run, english, talk, tmp_path):
    """The default one, as openai-whisper hears it, not the first; and a second recording joined to one is told."""
    film, alone = tmp_path / "film.mp4", tmp_path / "alone.mp4"
    make = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "anullsrc=r=16000:d=8", "-i", talk, "-c:a", "aac"]
    subprocess.run([*make, "-map", "0:a", "-map", "1:a", "-disposition:a:0", "0", "-disposition:a:1", "default", film],
                   check=True)
    subprocess.run([*make, "-map", "1:a", alone], check=True)
    plain = run("--model", english, *ONCE, alone).stdout
    done = run("--model", english, *ONCE, film)
    assert (done.returncode, done.stdout) == (FINE, plain) and plain
    film.write_bytes(alone.read_bytes() * 2)
    done = run("--model", english, *ONCE, film)
    assert (done.returncode, done.stdout) == (PART, plain) and "%s: perhaps not all" % film in done.stderr


def test_ffmpeg_keeps_the_channels(run, english, talk, m4a, ffmpeg, babble):
    """Which channels are heard is decided here: those that cancel each other, and each alone."""
    pairs = array.array("h", [y for x in babble for y in (x, -max(x, -32767))])
    environment = ffmpeg('for a; do case "$a" in -ac|-ar) exit 1;; esac; done; cat "$SOUND"', piped_wav(pairs, 2))
    plain = run("--model", english, *ONCE, talk)
    done = run("--model", english, *ONCE, m4a, env=environment)
    assert (done.returncode, done.stdout) == (FINE, plain.stdout) and "cancel each other" in done.stderr
    done = run("--model", english, *ONCE, "--split_stereo", "True", m4a, env=environment)
    assert done.returncode == FINE and "SPEAKER_01" in done.stdout


def test_ffmpeg_in_a_name(run, english, ffmpeg, tmp_path):
    """Not every message with the word is a call for it."""
    empty = tmp_path / "my ffmpeg x.wav"
    empty.write_bytes(b"")
    environment = ffmpeg('touch "%s"; cat "$SOUND"' % (tmp_path / "called"))
    fails(run("--model", english, empty, env=environment), INPUT, "is empty")
    assert not (tmp_path / "called").exists()


def test_ffmpeg_cannot_be_executed(run, english, m4a, ffmpeg, tmp_path):
    environment = ffmpeg("")
    (tmp_path / "bin" / "ffmpeg").write_bytes(b"\x7fELF and no more")
    done = run("--model", english, m4a, env=environment)
    fails(done, INPUT, m4a, "cannot be executed")
    assert "temporary" not in done.stderr


def test_ffmpeg_without_room(run, english, m4a, ffmpeg):
    environment = {**ffmpeg('cat "$SOUND"'), "TMPDIR": "/nonexistent"}
    fails(run("--model", english, m4a, env=environment), INPUT, m4a, "temporary file")


def is_running(number):
    try:
        return pathlib.Path("/proc/%d/stat" % number).read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ffmpeg_ends_with_the_program(run, english, m4a, ffmpeg, tmp_path, number):
    environment = ffmpeg('echo $$ >"%s.part"; mv "%s.part" "%s"; exec sleep 600' % (3 * (tmp_path / "pid",)))
    process = subprocess.Popen([WHISP, "--model", english, m4a], cwd=run.work, env={**run.environment, **environment},
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (tmp_path / "pid").exists():
        assert process.poll() is None
        time.sleep(0.05)
    child = int((tmp_path / "pid").read_text())
    process.send_signal(number)
    assert process.wait(30) == (-9 if number == signal.SIGKILL else 128 + number)
    for _ in range(200):
        if not is_running(child):
            break
        time.sleep(0.05)
    assert not is_running(child)


# ---- files ----


def seconds(clock):
    total = 0.0
    for part in clock.replace(",", ".").split(":"):
        total = 60.0 * total + float(part)
    return total


def test_files(run, english, talk):
    done = run("--model", english, *ONCE, "--output_dir", "a/b/", talk)
    assert done.returncode == FINE, done.stderr
    folder = run.work / "a" / "b"
    assert sorted(p.name for p in folder.iterdir()) == sorted("talk." + f for f in FORMATS)
    document = {f: (folder / ("talk." + f)).read_text() for f in FORMATS}
    result = json.loads(document["json"])
    assert {"text", "segments", "language"} == set(result) and result["language"] == "en"
    texts = [segment["text"].strip() for segment in result["segments"]]
    starts = [segment["start"] for segment in result["segments"]]
    assert texts and document["txt"].splitlines() == texts
    assert document["vtt"].startswith("WEBVTT\n\n")
    for f in ("srt", "vtt"):
        times = re.findall(r"^([\d:.,]+) --> ([\d:.,]+)$", document[f], re.M)
        assert [seconds(start) for start, _ in times] == pytest.approx(starts, abs=0.0011)
    rows = [row.split("\t") for row in document["tsv"].splitlines()]
    assert rows[0] == ["start", "end", "text"]
    assert [int(row[0]) for row in rows[1:]] == [round(1000 * start) for start in starts]


def test_formats(run, english, talk):
    assert run("--model", english, *ONCE, "-f", "srt,tsv", talk).returncode == FINE
    assert sorted(p.name for p in run.work.iterdir()) == ["talk.srt", "talk.tsv"]
    assert run("--model", english, *ONCE, "-fall", "-oall/", talk).returncode == FINE
    assert len(list((run.work / "all").iterdir())) == 5
    before = (run.work / "talk.srt").read_bytes()
    (run.work / "talk.srt").write_text("old")
    assert run("--model", english, *ONCE, "--output_format=srt", talk).returncode == FINE
    assert (run.work / "talk.srt").read_bytes() == before
    others = "lrc,ass,csv,md"
    assert run("--model", english, *ONCE, "-f", others, "-o", "others", "--output_name", "a.b", talk).returncode == FINE
    assert sorted(p.name for p in (run.work / "others").iterdir()) == ["a.b.ass", "a.b.csv", "a.b.lrc", "a.b.md"]
    for wrong in (["-f", "srt", talk, talk], [talk], ["-f", "srt", "--output_name", "a/b", talk]):
        assert run("--model", english, "--output_name", "x", *wrong).returncode == USAGE


def test_subtitles(run, english, talk):
    """Each style keeps its limits with a real run, and again from the json; what does not go together is refused."""
    done = run("--model", english, *ONCE, "-f", "srt,json", "--subtitles", "True", "-q", talk)
    assert done.returncode == FINE and not done.stderr
    made = (run.work / "talk.srt").read_text()
    assert json.loads((run.work / "talk.json").read_text())["segments"][0]["words"]
    assert max(len(row) for row in made.splitlines()) <= 42
    assert run("--from", "talk.json", "-f", "srt", "-o", "again", "--subtitle_style", "netflix").returncode == FINE
    assert (run.work / "again" / "talk.srt").read_text() == made
    assert run("--from", "talk.json", "-f", "srt", "-o", "again", "--subtitle_style", "ebu").returncode == FINE
    assert max(len(row) for row in (run.work / "again" / "talk.srt").read_text().splitlines()) <= 37
    assert run("--from", "talk.json", "-f", "srt", "-o", "again", "--subtitle_style", "disney").returncode == USAGE
    for other in (["--max_line_width", "20"], ["--highlight_words", "True"], ["--stream"], ["--detect_language"]):
        assert run("--model", english, "--subtitles", "True", "-f", "srt", *other, talk).returncode == USAGE, other
    assert "lays out" in run("--from", "talk.json", "-f", "txt", "-o", "again", "--subtitles", "True").stderr
    transcript = json.loads((run.work / "talk.json").read_text())
    for segment in transcript["segments"]:
        del segment["words"]
    (run.work / "bare.json").write_text(json.dumps(transcript))
    done = run("--from", "bare.json", "-f", "srt", "-o", "again", "--subtitles", "True")
    assert done.returncode == FINE and "holds no words with times" in done.stderr
    assert "".join((run.work / "again" / "bare.srt").read_text().split()) != ""


@pytest.mark.parametrize("name, stem", [("a.b.wav", "a.b"), ("plain", "plain"), (".wav", ".wav"), ("-x.wav", "-x")])
def test_file_names(run, english, tmp_path, babble, name, stem):
    recordings.write_wav(run.work / name, babble[:16000])
    assert run("--model", english, *ONCE, "-o", "out", "-f", "txt", "--", name).returncode == FINE
    assert [p.name for p in (run.work / "out").iterdir()] == [stem + ".txt"]


def test_standard_input_file_name(run, english, talk):
    assert run("--model", english, *ONCE, "-f", "txt", "-", input=talk.read_bytes()).returncode == FINE
    assert (run.work / "stdin.txt").exists()


def test_two_recordings_one_file(run, english, talk, babble):
    other = recordings.write_wav(talk.parent / "talk.wave", babble)
    fails(run("--model", english, "-f", "txt", talk, other), USAGE, talk, other, "talk.txt")
    assert list(run.work.iterdir()) == []


def test_recording_is_not_overwritten(run, english, talk):
    recording = run.work / "talk.txt"
    shutil.copy(talk, recording)
    fails(run("--model", english, "-f", "txt", recording), USAGE, recording)
    assert recording.read_bytes() == talk.read_bytes()


def test_unwritable_output(run, english, talk):
    (run.work / "file").write_text("")
    fails(run("--model", english, "-o", "file", talk), OUTPUT, "file")
    fails(run("--model", english, "-o", "file/folder", talk), OUTPUT, "file")
    fails(run("--model", english, "-o", "/proc/whisp", talk), OUTPUT, "/proc/whisp")
    (run.work / "talk.txt").mkdir()
    fails(run("--model", english, "-f", "txt", talk), OUTPUT, "talk.txt")


@pytest.mark.skipif(os.geteuid() == 0, reason="skipped: nothing is forbidden to root")
def test_forbidden_output(run, english, talk):
    (run.work / "mine").mkdir(mode=0o555)
    fails(run("--model", english, "-o", "mine", talk), OUTPUT, "mine", "Permission denied")


def test_output_is_checked_before_the_model(run, talk):
    (run.work / "file").write_text("")
    fails(run("--model", "nonsense", "-o", "file", talk), OUTPUT, "file")


def test_full_disk(run, english, talk):
    with open("/dev/full", "wb") as full:
        fails(run("--model", english, *ONCE, talk, stdout=full), OUTPUT, "No space left on device")
        fails(run("--help", stdout=full), OUTPUT, "No space left on device")
        fails(run("--version", stdout=full), OUTPUT, "No space left on device")
    os.symlink("/dev/full", run.work / "talk.txt")
    fails(run("--model", english, *ONCE, "-f", "txt", talk), OUTPUT, "talk.txt", "No space left on device")


def test_closed_streams(run, english, talk):
    """With standard output closed from the start, nothing else may get its number."""
    command = '"$0" "$@" >&-'
    done = subprocess.run(["sh", "-c", command, WHISP, "--model", english, *ONCE, "-o", "out", talk], cwd=run.work,
                          env=run.environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == OUTPUT, done.stderr
    assert b"cannot write the transcript" in done.stderr
    for path in (run.work / "out").iterdir():
        assert "-->" not in path.read_text() or path.suffix in (".srt", ".vtt")


def test_closed_pipe(run, english, tmp_path):
    path = recordings.write_wav(tmp_path / "long.wav", recordings.babble(90.0))
    process = subprocess.Popen([WHISP, "--model", english, *ONCE, path], cwd=run.work, env=run.environment,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) == OUTPUT
    assert not any(line.startswith("whisp: ") for line in errors.splitlines()), errors


# ---- signals ----


def start_waiting(run, english, arguments=()):
    """The program, fed with 65 s by a pipe that stays open, after its first segment."""
    process = subprocess.Popen([WHISP, "--model", english, *ONCE, *arguments, "-"], cwd=run.work, env=run.environment,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    samples = recordings.babble(65.0).tobytes()
    head = bytearray((run.work.parent / "head.wav").read_bytes()[:44])
    head[4:8] = head[40:44] = b"\xff\xff\xff\x7f"
    process.stdin.write(bytes(head) + samples)
    process.stdin.flush()
    assert process.stdout.readline()
    return process


def is_partial(folder, name):
    """What was final before the end is there, under names that are nobody's transcript, and says what it is."""
    files = {p.name for p in folder.iterdir()} - {name + ".journal"} # for --resume; not of what comes by a pipe
    assert sorted(files) == sorted("%s.partial.%s" % (name, f) for f in FORMATS)
    result = json.loads((folder / (name + ".partial.json")).read_text())
    assert result["segments"] and "the work stopped: cancelled" in result["incomplete"]


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signal_while_waiting_for_sound(run, english, number, code):
    recordings.write_wav(run.work.parent / "head.wav", [0])
    process = start_waiting(run, english, ["--verbose", "True", "-o", "out"])
    process.send_signal(number)
    assert process.wait(20) == code
    is_partial(run.work / "out", "stdin")
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()


def test_signal_while_transcribing(run, english, tmp_path):
    path = recordings.write_wav(tmp_path / "long.wav", 60 * recordings.babble(10.0))
    process = subprocess.Popen([WHISP, "--model", english, "--best_of", "5", "-o", "out", path], cwd=run.work,
                               env=run.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    assert process.stdout.readline()
    process.terminate()
    began = time.monotonic()
    assert process.wait(30) == 143
    assert time.monotonic() - began < 10
    is_partial(run.work / "out", "long")
    errors = process.stderr.read().decode()
    assert not any(line.startswith("whisp: ") for line in errors.splitlines()), errors
    process.stdout.close()
    process.stderr.close()


# ---- transcripts that are there ----


def test_from(run, english, talk):
    """The documents that the transcription wrote, without a model; several; from a pipe; printed."""
    options = ["--word_timestamps", "True", "--max_line_width", "20"]
    assert run("--model", english, *ONCE, *options, "-o", "made", talk).returncode == FINE
    made = run.work / "made"
    shutil.copy(made / "talk.json", run.work / "other.json")
    done = run("--from", "made/talk.json", "other.json", "-o", "again", "--max_line_width", "20")
    assert done.returncode == FINE and "other.json:" in done.stderr, done.stderr
    for form in FORMATS:
        for name in ("talk", "other"):
            assert (run.work / "again" / (name + "." + form)).read_bytes() == (made / ("talk." + form)).read_bytes()
    done = run("--from", "-", "-f", "srt", input=(made / "talk.json").read_bytes())
    assert done.returncode == FINE and (run.work / "stdin.srt").exists()
    lines = run("--from", "other.json").stdout.splitlines()
    assert lines and all(LINE.match(line) for line in lines)
    text = run("--from", "other.json", "--verbose", "False").stdout
    assert text.strip() == json.loads((made / "talk.json").read_text())["text"].strip()
    assert run("--from", "other.json", "-f", "srt", "--skip_existing", "True").returncode == FINE
    assert run("--from", "other.json", "-f", "srt", "--skip_existing", "True").returncode == FINE
    done = run("--from", "other.json", "--doubtful", "doubtful.txt")
    assert done.returncode == FINE and "other.json: holds no confidence" in done.stderr
    (run.work / "bare.json").write_text('{"segments": [{"start": 0, "end": 1, "text": " One."}]}')
    done = run("--from", "bare.json", "-f", "srt", "--max_line_width", "20")
    assert done.returncode == FINE and "bare.json: holds no words" in done.stderr


@pytest.mark.parametrize("before", ["", " \n", "\ufeff"])
def test_from_a_long_list(run, before):
    """As faster-whisper's segments are written: read to its end, far behind the first bytes that are looked at."""
    segments = [{"id": i, "start": i, "end": i + 1, "text": " Number %d." % i, "seek": 0} for i in range(3000)]
    (run.work / "list.json").write_text(before + json.dumps(segments), encoding="utf-8")
    assert (run.work / "list.json").stat().st_size > 3 << 16
    done = run("--from", "list.json", "-f", "txt")
    assert done.returncode == FINE, done.stderr
    assert (run.work / "list.txt").read_text().splitlines() == ["Number %d." % i for i in range(3000)]


def test_from_what_makes_no_sense(run, tmp_path):
    (tmp_path / "a.json").write_text('{"segments": [{"start": 0, "end": 1, "text": " One."}]}')
    path = tmp_path / "a.json"
    for option in (["--language", "de"], ["--model", "base"], ["--align", "One."], ["--detect_language"], ["--stream"],
                   ["--word_timestamps", "True"], ["--model_dir", "x"]):
        for arguments in (["--from", *option, path], [*option, path, "--from"]):
            fails(run(*arguments), USAGE, option[0], "--from")
    fails(run("--from", path, "-f", "json", cwd=tmp_path), USAGE, "overwritten")
    fails(run("--from", tmp_path / "none.json"), INPUT, "none.json", "No such file")
    fails(run("--from", tmp_path), INPUT, "directory")
    (tmp_path / "b.json").write_text('{"segments": [{"start": 0, "end": 1}]}')
    fails(run("--from", tmp_path / "b.json"), INPUT, "b.json", "not a transcript", "\"text\"")
    done = run("--from", tmp_path / "b.json", path, "-f", "txt")  # the others are written
    assert done.returncode == INPUT and (run.work / "a.txt").read_text() == "One.\n"
    (tmp_path / "c.json").write_text('{"segments": [], "incomplete": "talk: stopped"}')
    done = run("--from", tmp_path / "c.json", "-f", "txt")
    assert done.returncode == PART and "talk: stopped" in done.stderr


# ---- the terminal ----


def on_terminal(command, environment, cwd, columns=80):
    """Run with standard error (and output) on a pseudo-terminal; everything that was written to it."""
    import fcntl
    import pty
    import struct
    import termios
    try:
        main, terminal = pty.openpty()
    except OSError:
        pytest.skip("skipped: this system has no pseudo-terminals")
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    written = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:
            break
        if not piece:
            break
        written += piece
    os.close(main)
    return process.wait(60), written.decode()


def as_seen(written):
    """The lines that stand on a terminal in the end: \\r goes back, ESC [ K erases the rest of the line."""
    lines = []
    for line in written.split("\n"):
        seen = ""
        for piece in line.rstrip("\r").split("\r"):
            seen = piece[3:] if piece.startswith("\033[K") else piece + seen[len(piece):]
        lines.append(seen)
    return lines


@pytest.mark.parametrize("columns", [80, 30, 8, 1])
def test_progress_bar(run, english, tmp_path, columns):
    path = recordings.write_wav(tmp_path / "long.wav", recordings.babble(70.0))
    environment = {**run.environment, "TERM": "xterm"}
    plain = run("--model", english, *ONCE, path).stdout
    code, written = on_terminal([WHISP, "--model", english, *ONCE, path], environment, run.work, columns)
    assert code == FINE and "%" in written
    bars = re.findall(r"\r\033\[K([^\r\n\033\[]*%[^\r\n\033]*)", written)
    assert bars and all(len(bar) < max(columns, 6) for bar in bars), bars
    # Nothing of it remains, and every segment stands whole in a line of its own.
    seen = as_seen(written)
    assert [line for line in seen if LINE.match(line)] == plain.splitlines()
    assert not any("%" in line for line in seen if not LINE.match(line))
    if columns == 80:
        assert re.search(r"\d of 1:10, \d+\.\dx, \d:\d\d left", written)


def test_no_progress_bar(run, english, talk):
    for environment, arguments in (({"TERM": "dumb"}, []), ({"TERM": "xterm"}, ["-q"])):
        code, written = on_terminal([WHISP, "--model", english, *ONCE, *arguments, talk],
                                    {**run.environment, **environment}, run.work)
        assert code == FINE and "\033" not in written and "left" not in written


def test_standard_input_is_a_terminal(run, english):
    code, written = on_terminal([WHISP, "--model", english, "-"], run.environment, run.work)
    assert code == USAGE and "standard input is a terminal" in written


# ---- a real model ----


def test_real_model(run):
    model = ROOT / "models" / "tiny.en.gguf"
    if not model.exists():
        pytest.skip("skipped: no models/tiny.en.gguf")
    done = run("--model", model, *ONCE, "-f", "txt", ROOT / "test" / "data" / "demo.flac")
    assert done.returncode == FINE
    said = re.findall(r"[a-z]+", (ROOT / "test" / "data" / "demo.txt").read_text().lower())
    heard = re.findall(r"[a-z]+", (run.work / "demo.txt").read_text().lower())
    missed = [word for word in said if word not in heard]
    assert len(missed) <= len(said) // 10, missed
