"""bench/speakers, which scores who speaks when: the numbers are those that pyannote.metrics 4.2.0 gives for the same
turns."""
import importlib.machinery
import importlib.util
import json
import subprocess
import sys
import wave

import pytest

# turns of the truth, turns found, seconds (in all, missed, false alarm, confusion) without a collar and with 0.25 s to
# each side (DiarizationErrorRate(collar=0.5) there)
CASES = {
    "three at once, two found": ([(0, 10, "a"), (4, 9, "b"), (5, 6.5, "c")], [(0.2, 9.7, "x"), (4.5, 10.3, "y")],
                                 (16.5, 2.2, 1.0, 0.3), (12.0, 1.25, 0.5, 0.05)),
    "an edge in the wrong place": ([(0, 10, "a"), (10, 16, "b")], [(0, 6, "x"), (6, 16, "y")],
                                   (16.0, 0.0, 0.0, 4.0), (15.0, 0.0, 0.0, 3.75)),
    "the greatest pair is in no best mapping": ([(0, 9, "a"), (9, 14, "b")],
                                                [(0, 4, "y"), (4, 9, "x"), (9, 13, "x"), (13, 14, "z")],
                                                (14.0, 0.0, 0.0, 6.0), (13.0, 0.0, 0.0, 5.5)),
    "names change places": ([(0, 5, "a"), (5, 12, "b"), (12, 20, "a")], [(0, 5.4, "b"), (5.4, 11, "a"), (11, 20, "b")],
                            (20.0, 0.0, 0.0, 1.4), (18.5, 0.0, 0.0, 0.9)),
    "more found than there are": ([(1, 8, "a"), (9, 15, "b")],
                                  [(0, 3, "p"), (3, 8.2, "q"), (9.1, 11, "r"), (11, 17, "s")],
                                  (13.0, 0.1, 3.2, 3.9), (12.0, 0.0, 2.5, 3.5)),
    "fewer found": ([(0, 4, "a"), (4, 8, "b"), (8, 12, "c"), (12, 13, "d")], [(0, 12, "x"), (12, 13.5, "y")],
                    (13.0, 0.0, 0.5, 8.0), (11.0, 0.0, 0.25, 7.0)),
    "turns shorter than the collar": ([(0, 0.4, "a"), (1, 1.3, "b"), (2, 6, "a"), (5.9, 8, "b")],
                                      [(0, 1.3, "x"), (2.1, 5.8, "x"), (5.8, 8.1, "y")],
                                      (6.8, 0.2, 0.7, 0.4), (4.9, 0.0, 0.1, 0.0)),
    "turns that touch": ([(0, 2, "a"), (2, 4, "a"), (4, 6, "b")], [(0, 3, "x"), (3, 6, "y")],
                         (6.0, 0.0, 0.0, 1.0), (4.5, 0.0, 0.0, 0.75)),
    "found before and after": ([(10, 12, "a")], [(2, 4, "x"), (10.5, 14, "x"), (10, 20, "y")],
                               (2.0, 0.0, 13.5, 0.0), (1.5, 0.0, 12.75, 0.0)),
    "nobody found": ([(3, 5, "a"), (4, 7, "b")], [], (5.0, 5.0, 0.0, 0.0), (3.0, 3.0, 0.0, 0.0)),
    "nobody speaks": ([], [(3, 5, "x"), (4, 7, "y")], (0.0, 0.0, 5.0, 0.0), (0.0, 0.0, 5.0, 0.0)),
    "nothing": ([], [], (0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)),
}


@pytest.fixture(scope="module")
def der(root):
    sys.path.insert(0, str(root / "bench/speakers"))
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    import der
    sys.dont_write_bytecode = before
    sys.path.pop(0)
    return der


def rttm(turns, name):
    return "".join("SPEAKER %s 1 %.3f %.3f <NA> <NA> %s <NA> <NA>\n" % (name, start, end - start, speaker)
                   for start, end, speaker in turns)


@pytest.mark.parametrize("name", CASES)
def test_the_numbers_of_pyannote_metrics(der, name):
    truth, found, *expected = CASES[name]
    for collar, seconds in zip((0.0, 0.25), expected):
        scored = der.score(truth, found, collar)
        assert [scored[k] for k in ("total", "missed", "false_alarm", "confusion")] == pytest.approx(seconds, abs=1e-6)


def test_the_mapping_is_the_best_of_all(der):
    """Against every mapping there is, for gains without order."""
    from itertools import permutations
    value = 1
    for n, m in ((1, 4), (3, 3), (4, 2), (5, 5), (2, 6)):
        gain = []
        for _ in range(n):
            gain.append([])
            for _ in range(m):
                value = value * 48271 % 2147483647
                gain[-1].append(value % 17)
        wide = [row + [0] * n for row in gain]
        best = max(sum(wide[i][j] for i, j in enumerate(p)) for p in permutations(range(m + n), n))
        chosen = der.assign(gain)
        taken = [j for j in chosen if j is not None]
        assert len(set(taken)) == len(taken)
        assert sum(gain[i][j] for i, j in enumerate(chosen) if j is not None) == best


def test_a_person_twice_at_once_counts_once(der):
    scored = der.score([(0, 4, "a"), (2, 6, "a")], [(0, 6, "x"), (1, 3, "x")])
    assert (scored["total"], der.rate(scored)) == (6.0, 0.0)


def test_rates_are_pooled(der):
    long, short = der.score([(0, 90, "a")], [(0, 90, "x")]), der.score([(0, 10, "a")], [(0, 5, "x")])
    assert der.rate(der.add([long, short])) == pytest.approx(5.0)
    assert der.rate(der.score([], [(0, 1, "x")])) == 100.0 and der.rate(der.score([], [])) == 0.0


def test_words_by_their_middle(der):
    truth = [(0, 2, "a"), (2, 4, "b"), (3.5, 5, "a")]
    words = [(0.0, 0.5, "x"), (0.5, 1.0, "x"), (1.8, 2.1, "y"),      # the third is a's: its middle is at 1.95
             (2.1, 2.6, "y"), (2.6, 3.0, "y"), (3.4, 3.9, "x"),      # the last is in overlap
             (4.2, 4.6, None), (6.0, 6.5, "x")]                      # nobody's; where nobody speaks
    assert der.words_wrong(truth, words) == (2, 6)
    assert der.words_wrong(truth, []) == (0, 0)


def test_the_command(root, tmp_path):
    """Folders of files, a sum that is pooled, words of a transcript, and clear lines for what is no RTTM."""
    program = root / "bench/speakers/score"
    truth, found = tmp_path / "truth", tmp_path / "found"
    truth.mkdir(), found.mkdir()
    for name in ("fewer found", "turns that touch"):
        short = name.replace(" ", "_")
        (truth / (short + ".rttm")).write_text(";; a comment\n" + rttm(CASES[name][0], short))
        (found / (short + ".rttm")).write_text(rttm(CASES[name][1], short))
    out = subprocess.run([program, truth, found, "--collar", "0.25"], check=True, stdout=subprocess.PIPE,
                         text=True).stdout
    assert out.splitlines()[2:] == ["| fewer_found | 65.9 | 0.0 | 2.3 | 63.6 | 4 / 2 |",
                                    "| turns_that_touch | 16.7 | 0.0 | 0.0 | 16.7 | 2 / 2 |",
                                    "| all | 51.6 | 0.0 | 1.6 | 50.0 | 6 / 4 |"]
    text = {"segments": [{"start": 0, "end": 2, "speaker": "S1", "words": [
        {"start": 0.0, "end": 1.0, "speaker": "S1"}, {"start": 1.0, "end": 1.9}]},
        {"start": 4.1, "end": 5.9, "speaker": "S1", "words": [{"start": 4.1, "end": 5.9, "speaker": "S1"}]}]}
    (found / "turns_that_touch.json").write_text(json.dumps(text))
    out = subprocess.run([program, "--words", truth / "turns_that_touch.rttm", found / "turns_that_touch.json"],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    assert out.splitlines()[-1] == "| all | 3 | 1 | 33.3 |"
    for text in ("SPEAKER a 1 x 1 <NA> <NA> s <NA> <NA>\n", "SPEAKER a 1 0.5\n", "SPEAKER a 1 -1 nan <NA> <NA> s\n",
                 rttm([(0, 1, "s")], "one") + rttm([(0, 1, "s")], "two")):
        (tmp_path / "bad.rttm").write_text(text)
        run = subprocess.run([program, truth / "fewer_found.rttm", tmp_path / "bad.rttm"], stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True)
        assert run.returncode == 1 and "bad.rttm" in run.stderr and "Traceback" not in run.stderr


def test_the_runner(root, tmp_path):
    """A folder of recordings through a program that has its answers ready: lines for each and for sets; a program
    that fails is named."""
    folder, answers = tmp_path / "sets", tmp_path / "answers"
    folder.mkdir(), answers.mkdir()
    cases = {"talk_one": "turns that touch", "talk_two": "fewer found", "call_one": "names change places"}
    for name, case in cases.items():
        with wave.open(str(folder / (name + ".wav")), "wb") as file:
            file.setnchannels(1), file.setsampwidth(2), file.setframerate(100)
            file.writeframes(bytes(2 * 100 * 30))
        (folder / (name + ".rttm")).write_text(rttm(CASES[case][0], name))
        (answers / (name + ".rttm")).write_text(rttm(CASES[case][1], name))
        (answers / (name + ".json")).write_text(json.dumps({"segments": [
            {"start": 0.0, "end": 1.0, "words": [{"start": 0.0, "end": 1.0, "speaker": "x"}]},
            {"start": 5.0, "end": 5.8, "speaker": "y"}]}))
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nwhile [ $# -gt 1 ]; do [ \"$1\" = -o ] && out=$2; shift; done\n"
                       "cp %s/$(basename $1 .wav).* $out\n" % answers)
    program.chmod(0o755)
    command = [root / "bench/speakers/run", folder, "--whisp", program]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    assert [line.split(" |")[:4] for line in out[2:]] == [
        ["| call_one", " 1", " 0.5", " 4.9"], ["| talk_one", " 1", " 0.5", " 16.7"],
        ["| talk_two", " 1", " 0.5", " 65.9"], ["| **talk**", " 2", " 1.0", " 51.6"]]
    assert [line.split(" | ")[8] for line in out[2:]] == ["2 of 2", "2 of 2", "2 of 4", "1 of 2"]
    out = subprocess.run([*command, "--words", "none", "--only", "talk"], check=True, stdout=subprocess.PIPE,
                         text=True).stdout.splitlines()
    assert out[0].endswith("words wrong |") and out[-1].endswith("| 0 of 4 |")
    program.write_text("#!/bin/sh\nexit 3\n")
    run = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert run.returncode == 1 and "failed: %s" % program in run.stderr


def test_lengths_are_in_the_headers(root):
    loader = importlib.machinery.SourceFileLoader("speakers_run", str(root / "bench/speakers/run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(module)
    sys.dont_write_bytecode = before
    assert module.seconds_of(root / "test/data/demo.flac") == 352640 / 16000
