"""The same bytes, whatever does not belong to the sound and the options: threads, batch, repetition, company; with cutting
and without, greedy, with beams, with words, their confidence and speakers. Two runs of the command are compared. (Between
instruction sets the words are the same, and the last digits of probabilities are not.)

The long form takes each knob by itself, with other recordings and another model:
    WHISP_RECORDINGS="../shared/audio/*.* /tmp/podcast.mp3" WHISP_MODEL=base pytest test/python/test_determinism.py
WHISP_KNOBS=few: two of them, which turn all at once.
"""
import glob
import os
import subprocess

import pytest

MODES = {
    "greedy": [],
    "beams": ["--beam_size", "5"],
    "words": ["--word_timestamps", "True", "--confidence", "True"],
    "speakers": ["--diarize", "True", "--word_timestamps", "True"],
    "float32": ["--compute_type", "f32", "--word_timestamps", "True"],
}
CUTS = {"cut": ["--cut", "20"], "auto": ["--cut", "auto"], "whole": ["--cut", "off"]}
KNOBS = {  # options, and whether all recordings are given at once
    "one thread": (["--threads", "1"], False),
    "three threads": (["--threads", "3"], False),
    "seven threads": (["--threads", "7"], False),
    "one at a time": (["--batch_size", "1"], False),
    "two at a time": (["--batch_size", "2"], False),
    "five at a time": (["--batch_size", "5"], False),
    "sixteen at a time": (["--batch_size", "16"], False),
    "again": ([], False),
    "together": ([], True),
    "together, one at a time": (["--batch_size", "1"], True),
}
SEVERAL = {  # the same in fewer runs
    "one thread, one at a time": (["--threads", "1", "--batch_size", "1"], False),
    "seven threads, three at a time, together": (["--threads", "7", "--batch_size", "3"], True),
}
SHORT = ["jfk.flac", "night_45s_dont_be_afraid_of_me.wav"]

LONG = os.environ.get("WHISP_RECORDINGS")
TURNED = KNOBS if LONG and os.environ.get("WHISP_KNOBS") != "few" else SEVERAL


def transcribe(build, model, files, options, folder):
    run = subprocess.run(
        [build / "whisp", "-m", model, "-q", "-f", "json", "-o", folder, *options, *files],
        capture_output=True, text=True,
    )
    assert run.returncode == 0, run.stderr


def heard(build, model, files, options, together, folder):
    """The JSON of each file, by its name."""
    for group in [files] if together else [[f] for f in files]:
        transcribe(build, model, group, options, folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "mode, cut", [(m, c) for m in MODES for c in CUTS] if LONG else [("words", "cut"), ("beams", "whole"), ("speakers", "cut")]
)
def test_the_same_bytes(build, shared, real_model, tmp_path, mode, cut):
    if LONG:
        files = sorted(f for pattern in LONG.split() for f in glob.glob(pattern) if not f.endswith(".txt"))
        names = [os.path.splitext(os.path.basename(f))[0] for f in files]
        files = [f for i, f in enumerate(files) if names[i] not in names[:i]]  # outputs need names of their own
    else:
        files = [shared / "audio" / name for name in SHORT]
    model = real_model(os.environ.get("WHISP_MODEL", "tiny.en"))
    options = MODES[mode] + CUTS[cut]
    first = heard(build, model, files, ["--threads", "2", *options], False, tmp_path / "first")
    assert len(first) == len(files)
    wrong = []
    for name, (knob, together) in TURNED.items():
        other = heard(build, model, files, options + knob, together, tmp_path / name)
        wrong += ["%s: %s" % (name, file) for file in first if other.get(file) != first[file]]
    assert not wrong
