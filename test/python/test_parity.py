"""The command's own output against openai-whisper's answers: a part of parity.py's table, and words in their order."""
import json

import pytest

import parity
import recordings

CASES = [   # model, clip, set
    ("tiny.en", "night_12s", "greedy_words"), ("tiny.en", "jfk.mp3", "beam5"), ("tiny.en", "jfk.mp3", "prompt"),
    ("tiny.en", "night_119s", "carry_without_condition"), ("tiny.en", "night_119s", "hallucination_silence"),
    ("tiny.en", "stereo", "no_condition"),
    ("base", "night_8s", "greedy_words"), ("base", "multilingual", "translate"),
]


@pytest.mark.parametrize("model, clip, name", CASES, ids="-".join)
def test_command(build, shared, real_model, model, clip, name):
    found = [answer for answer in parity.answers(model) if answer[0].name.startswith(clip) and answer[1] == name]
    assert len(found) == 1
    path, _, options, answer = found[0]
    row = parity.compare(parity.run(build / "whisp", real_model(model), path, options), answer)
    assert row["language"]
    if clip == "multilingual":      # decoded by another library
        assert row["edits"] * 20 <= row["words"]
        return
    assert (row["edits"], row["tokens"], row["times"]) == (0, True, True)
    assert row["compared"] == row["timed"] and row["off"] * 100 <= row["timed"] and row["worst"] <= 0.2 + 1e-6


@pytest.mark.parametrize("clip", ["noise", "babble"])
def test_words_follow_one_another(build, real_model, tmp_path, clip):
    """What a model imagines in noise has words in order, too: none ends before it begins, none overlaps."""
    samples = recordings.babble(12)
    if clip == "noise":
        samples = [(value * 7919 + k * k * 31) % 4001 - 2000 for k, value in enumerate(samples)]
    wav = recordings.write_wav(tmp_path / "clip.wav", samples)
    ours = parity.run(build / "whisp", real_model("tiny.en"), wav,
                      {"word_timestamps": True, "no_speech_threshold": None, "sample_len": 60,
                       "hallucination_guard": False})
    words = [word for segment in ours["segments"] for word in segment["words"]]
    assert words, json.dumps(ours)
    last = 0.0
    for word in words:
        assert last <= word["start"] <= word["end"]
        last = word["end"]
