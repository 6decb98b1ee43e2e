"""Who says what, the whole way: the command and the module with the real nets. What does not need them is in test_output,
test_read_back, test_label, test_voices; how right the answers are, bench/speakers measures."""
import json
import os
import pathlib
import re
import subprocess

import pytest

import recordings

ROOT = pathlib.Path(__file__).resolve().parents[2]
WHISP = (ROOT / os.environ.get("WHISP_BUILD", "build") / "whisp").resolve()
MODELS = ROOT / "models"
SHARED = ROOT.parent / "shared" / "speakers"
TINY, NETS = MODELS / "tiny.en.gguf", MODELS / "speakers.gguf"

pytestmark = pytest.mark.skipif(
    not all(path.exists() for path in (TINY, NETS, SHARED)),
    reason="skipped: no models/tiny.en.gguf, models/speakers.gguf (make models) or ../shared/speakers",
)
CALL, MEETING = SHARED / "telephone.flac", SHARED / "meeting_2clean.flac"
ONCE = ["--temperature", "0", "--temperature_increment_on_fallback", "None"]


def whisp(*arguments, code=0, **more):
    run = subprocess.run([WHISP, *map(str, arguments)], capture_output=True, timeout=600, **more)
    assert run.returncode == code, run.stderr.decode()
    return run


def transcript(folder, *arguments, path=CALL, **more):
    """The JSON of a recording with its speakers."""
    whisp("-m", TINY, "-q", "-f", "json", "-o", folder, "--diarize", "True", *ONCE, *arguments, path, **more)
    return json.loads((folder / ((path if path == "-" else path.stem) if path != "-" else "stdin")).with_suffix(".json").read_text())


def turns_of(path):
    """RTTM as (start, end, who)."""
    rows = [line.split() for line in path.read_text().splitlines()]
    return [(float(r[3]), float(r[3]) + float(r[4]), r[7]) for r in rows]


def turns_of_text(rttm):
    """Who speaks from each start on."""
    rows = [line.split() for line in rttm.decode().splitlines()]
    return {r[3]: r[7] for r in rows}


def cut(path, start, seconds, target):
    """A part of a recording as a file."""
    import whisp as module

    samples = module.load_audio(str(path))[int(start * 16000) : int((start + seconds) * 16000)]
    return recordings.write_wav(target, recordings.array.array("h", (int(x * 32767) for x in samples)))


def alone(n):
    """The longest stretches of the meeting in which each of two speakers is alone: who, start, seconds."""
    truth = turns_of(MEETING.with_suffix(".rttm"))
    for who in sorted({t[2] for t in truth})[:n]:
        free = [t for t in truth if t[2] == who and all(o[1] <= t[0] or o[0] >= t[1] for o in truth if o is not t)]
        start, end, _ = max(free, key=lambda t: t[1] - t[0])
        yield who, start, end - start


def check_consistent(found):
    """Segments, words and turns say the same."""
    names = found["speakers"]
    assert names == sorted(names, key=lambda n: min(t["start"] for t in found["turns"] if t["speaker"] == n))
    assert [t["start"] for t in found["turns"]] == sorted(t["start"] for t in found["turns"])
    for name in names:
        mine = [t for t in found["turns"] if t["speaker"] == name]
        assert all(a["end"] <= b["start"] for a, b in zip(mine, mine[1:]))
    assert "".join(s["text"] for s in found["segments"]) == found["text"]
    for s in found["segments"]:
        assert s["start"] <= s["end"] and s.get("speaker", names[0]) in names
        assert all(w["speaker"] == s["speaker"] for w in s.get("words", []))
        if s.get("words"):
            assert "".join(w["word"] for w in s["words"]) == s["text"]


def test_a_call(tmp_path):
    found = transcript(tmp_path, "--word_timestamps", "True")
    check_consistent(found)
    assert found["speakers"] == ["SPEAKER_00", "SPEAKER_01"]
    plain = whisp("-m", TINY, "-q", "-f", "json", "-o", tmp_path / "plain", *ONCE, "--word_timestamps", "True", CALL)
    del plain
    words = json.loads((tmp_path / "plain" / "telephone.json").read_text())
    assert words["text"] == found["text"]  # the words are those that are heard without it
    listed = [w for s in words["segments"] for w in s["words"]]
    assert [dict(w, speaker=0) for s in found["segments"] for w in s["words"]] == [dict(w, speaker=0) for w in listed]
    truth = turns_of(CALL.with_suffix(".rttm"))
    right = {}
    for w in (w for s in found["segments"] for w in s["words"]):
        at = (w["start"] + w["end"]) / 2
        who = [t[2] for t in truth if t[0] <= at < t[1]]
        if len(who) == 1:
            right.setdefault((w["speaker"], who[0]), []).append(w)
    pairs = sorted(right, key=lambda k: -len(right[k]))
    assert {p[0] for p in pairs[:2]} == {"SPEAKER_00", "SPEAKER_01"} and pairs[0][1] != pairs[1][1]
    assert sum(map(len, right.values())) - sum(len(right[p]) for p in pairs[:2]) <= 3


def test_words_are_shown_only_where_asked(tmp_path):
    found = transcript(tmp_path)
    assert not any(s.get("words") for s in found["segments"])
    check_consistent(found)


def test_every_document_and_the_terminal(tmp_path):
    run = whisp("-m", TINY, "--diarize", "True", *ONCE, "-f", "all,rttm", "-o", tmp_path, CALL)
    line = re.compile(rb"\[\d\d:\d\d\.\d{3} --> \d\d:\d\d\.\d{3}\] \[SPEAKER_0[01]\]: \S")
    assert run.stdout and all(line.match(one) for one in run.stdout.splitlines())
    for ending, text in (("txt", "[SPEAKER_01]: "), ("srt", "\n[SPEAKER_01]: "), ("vtt", "\n<v SPEAKER_01>"), ("tsv", "\tSPEAKER_01\n")):
        assert text in (tmp_path / ("telephone." + ending)).read_text()
    turns = json.loads((tmp_path / "telephone.json").read_text())["turns"]
    found = turns_of(tmp_path / "telephone.rttm")
    assert [(round(s, 2), round(e, 2), w) for s, e, w in found] == [(t["start"], t["end"], t["speaker"]) for t in turns]
    only = whisp("--speakers_only", CALL)
    assert only.stdout.decode() == (tmp_path / "telephone.rttm").read_text()
    for ending in ("txt", "srt", "vtt", "tsv", "rttm", "json"):
        whisp("--from", "-f", ending, "-o", tmp_path / "again", tmp_path / "telephone.json")
        name = "telephone." + ending
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()


@pytest.mark.parametrize("options", [
    ["--threads", "1"], ["--threads", "5"], ["--batch_size", "1"],
])
def test_the_same_bytes(tmp_path, options):
    assert transcript(tmp_path / "a", "--word_timestamps", "True") == transcript(
        tmp_path / "b", "--word_timestamps", "True", *options)


def test_a_pipe_a_cut_and_company(tmp_path):
    """However a recording comes and is transcribed, the speakers and turns are the same."""
    want = transcript(tmp_path / "a")
    with open(CALL, "rb") as data:
        assert transcript(tmp_path / "b", path="-", stdin=data) == want
    for options in (["--cut", "10"], ["--vad_filter", "True"], ["--clip_timestamps", "5,12"]):
        found = transcript(tmp_path / "c", *options)
        assert found["turns"] == want["turns"] and found["speakers"] == want["speakers"]
    both = [CALL, SHARED / "ami_trn03.flac", SHARED / "ami_dev00.flac"]
    whisp("-m", TINY, "-q", "-f", "json", "-o", tmp_path / "d", "--diarize", "True", *ONCE, *both)
    assert json.loads((tmp_path / "d" / "telephone.json").read_text()) == want


def test_numbers_of_speakers(tmp_path):
    assert len(transcript(tmp_path, "--num_speakers", "1")["speakers"]) == 1
    assert len(transcript(tmp_path, "--max_speakers", "1")["speakers"]) == 1
    run = whisp("-m", TINY, "--num_speakers", "3", "--min_speakers", "4", CALL, code=2)
    assert b"contradict" in run.stderr
    run = whisp("-m", TINY, "--diarize", "True", "--split_stereo", "True", CALL, code=2)
    assert b"exclude each other" in run.stderr


def test_enrolment_and_the_next_episode(tmp_path):
    named = []
    for who, start, seconds in alone(2):
        path = cut(MEETING, start, min(seconds, 12), tmp_path / (who + ".wav"))
        named += ["--speaker", "%s=%s" % (who, path)]
    show = tmp_path / "show.gguf"
    both = turns_of(MEETING.with_suffix(".rttm"))
    run = whisp("--speakers_only", *named, "--speakers_out", show, MEETING)
    found = [line.split() for line in run.stdout.decode().splitlines()]
    assert {row[7] for row in found} == {t[2] for t in both}
    first = min(both)[2]
    assert found[0][7] == first
    # one of them is named only: the other keeps his number
    run = whisp("--speakers_only", *named[:2], MEETING)
    names = {line.split()[7] for line in run.stdout.decode().splitlines()}
    assert len(names) == 2 and named[1].split("=")[0] in names and any(n.startswith("SPEAKER_0") for n in names)
    # the next episode: no recordings of them any more
    again = whisp("--speakers_only", "--speakers_in", show, MEETING)
    assert [line.split()[7] for line in again.stdout.decode().splitlines()] == [row[7] for row in found]
    # a stranger's voice is not theirs
    run = whisp("--speakers_only", "--speakers_in", show, CALL)
    assert {line.split()[7] for line in run.stdout.decode().splitlines()} == {"SPEAKER_00", "SPEAKER_01"}
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(show.read_bytes()[:700])
    run = whisp("--speakers_only", "--speakers_in", damaged, CALL, code=4)
    assert b"damaged.gguf" in run.stderr


def test_poor_enrolments(tmp_path):
    silence = recordings.write_wav(tmp_path / "silence.wav", recordings.array.array("h", [0] * 32000))
    run = whisp("-m", TINY, "--diarize", "True", "--speaker", "Ann=%s" % silence, CALL, code=2)
    assert b"Ann" in run.stderr and b"nobody is heard" in run.stderr
    run = whisp("--speakers_only", "--speaker", "Ann=%s" % MEETING, CALL)
    assert b"more than one person" in run.stderr
    who, start, seconds = next(alone(1))
    one = cut(MEETING, start, min(seconds, 8), tmp_path / "one.wav")
    run = whisp("--speakers_only", "--speaker", "Ann=%s" % one, "--speaker", "Bob=%s" % one, CALL)
    assert b"voices of Ann and Bob are alike" in run.stderr
    run = whisp("--speakers_only", "--speaker", "Ann=nowhere.wav", CALL, code=3)
    assert b"nowhere.wav" in run.stderr
    broken = tmp_path / "broken.wav"
    broken.write_bytes(one.read_bytes()[: -one.stat().st_size // 3])
    run = whisp("--speakers_only", "--speaker", "Ann=%s" % broken, CALL)
    assert b"broken.wav: " in run.stderr and b"alike" not in run.stderr


def test_nobody_and_next_to_nothing(tmp_path):
    for n in (0, 100, 3200, 80000):
        path = recordings.write_wav(tmp_path / "x.wav", recordings.array.array("h", [0] * max(n, 160)))
        assert whisp("--speakers_only", path).stdout == b""
        found = transcript(tmp_path, path=path)
        assert found["speakers"] == found["turns"] == found["segments"] == []


def test_what_does_not_go_together():
    for options, said in (
        (["--speakers_only", "--model", "base"], "--model has no say"),
        (["--speakers_only", "-f", "srt"], "rttm or json"),
        (["--speakers_only", "--from"], "no say"),
        (["--speakers_out", "x.gguf", MEETING], "--speakers_out keeps the voices of one recording"),
        (["--speaker", "Ann"], "NAME=FILE"),
        (["--speaker", "Ann=a.wav", "--speaker", "Ann=b.wav"], "there twice"),
    ):
        assert said in whisp(*options, CALL, code=2).stderr.decode()
    run = whisp("-m", TINY, "--diarize", "True", "--speakers_model", "nowhere", CALL, code=4)
    assert b"speakers_model" in run.stderr
    run = whisp("-m", TINY, "--diarize", "True", "--speakers_model", TINY, CALL, code=4)
    assert b"speakers_model" in run.stderr
    run = whisp("--speakers_only", "--clip_timestamps", "1,2", "--max_speakers", 3, "--threads", 1, CALL)
    assert run.stderr.count(b"no effect") == 1 and b"clip_timestamps has no effect with --speakers_only" in run.stderr
    assert b"has no effect without diarize" in whisp("-m", TINY, "--num_speakers", "2", CALL).stderr


def test_a_number_gets_a_name_later(tmp_path):
    """Who was SPEAKER_01 in the first episode is Ann from the second on, and stays Ann."""
    show = tmp_path / "show.gguf"
    (who, start, seconds), _ = alone(2)
    ann = cut(MEETING, start, seconds, tmp_path / "ann.wav")
    first = turns_of_text(whisp("--speakers_only", "--speakers_out", show, MEETING).stdout)
    assert set(first.values()) == {"SPEAKER_00", "SPEAKER_01"}
    run = whisp("--speakers_only", "--speakers_in", show, "--speaker", "Ann=%s" % ann, "--speakers_out", show, MEETING)
    second = turns_of_text(run.stdout)
    other = ({"SPEAKER_00", "SPEAKER_01"} - {first[start] for start in first if second[start] == "Ann"}).pop()
    assert set(second.values()) == {"Ann", other} and b" is Ann" in run.stderr
    assert turns_of_text(whisp("--speakers_only", "--speakers_in", show, MEETING).stdout) == second


def test_more_speakers_than_there_are():
    run = whisp("--speakers_only", "--num_speakers", 100, CALL)
    assert len(set(turns_of_text(run.stdout).values())) > 2
    assert b"100 speakers were asked for; no more than" in run.stderr


def test_other_files_are_not_written_over(tmp_path):
    """speakers_out: it would cost the recording, or the transcript the voices."""
    talk = cut(CALL, 0, 5, tmp_path / "talk.wav")
    before = talk.read_bytes()
    whisp("--speakers_only", "--speakers_out", talk, talk, code=2)
    whisp("-m", TINY, "--diarize", "True", "--speakers_out", talk, CALL, code=2)
    assert talk.read_bytes() == before
    target = "%s/talk.json" % tmp_path
    run = whisp("-m", TINY, "--diarize", "True", "--speakers_out", target, "-f", "json", "-o", tmp_path, talk, code=2)
    assert b"both a transcript and --speakers_out" in run.stderr
    for path in (tmp_path / "no" / "show.gguf", tmp_path, "/proc/show.gguf"):  # found out before the work
        run = whisp("-m", TINY, "--diarize", "True", "--speakers_out", path, talk, code=5)
        assert b"speakers_out" in run.stderr and run.stdout == b""
    assert [p.name for p in tmp_path.iterdir()] == ["talk.wav"]


def test_voices_that_cannot_be_written_at_the_end(tmp_path):
    """The status says so (5), and the transcript is whole: with its speakers, under its own name."""
    talk = cut(CALL, 0, 12, tmp_path / "talk.wav")
    run = whisp("--speakers_only", "--speakers_out", "/dev/full", talk, code=5)
    assert b"speakers_out" in run.stderr and run.stdout == whisp("--speakers_only", talk).stdout != b""
    said = transcript(tmp_path, "--speakers_out", "/dev/full", path=talk, code=5)
    assert said == transcript(tmp_path, path=talk) and said["turns"] and not said.get("incomplete")
    assert not list(tmp_path.glob("*partial*"))
    live = ["-m", TINY, "-q", "--stream", "--stream_step", "10", "--diarize", "True", "-f", "json", "-o", tmp_path]
    with open(talk, "rb") as sound:
        whisp(*live, "--speakers_out", "/dev/full", "-", code=5, stdin=sound)
    said = json.loads((tmp_path / "stdin.json").read_text())
    assert said["turns"] and not said.get("incomplete") and not list(tmp_path.glob("*partial*"))


def test_what_is_no_file_of_voices(tmp_path):
    talk = cut(CALL, 0, 2, tmp_path / "talk.wav")
    for path in (talk, NETS):
        run = whisp("--speakers_only", "--speakers_in", path, talk, code=4)
        assert b"not a file of voices" in run.stderr and b"speakers_out has written" in run.stderr
        assert b"whisp-convert" not in run.stderr


def test_model_dir(tmp_path):
    """Both further models are looked for there, by name or without one."""
    talk = cut(CALL, 0, 12, tmp_path / "talk.wav")
    away, models = tmp_path / "away", tmp_path / "models"
    for folder, names in ((away, ["tiny.en"]), (models, ["speakers", "silero-vad"])):
        folder.mkdir()
        for name in names:
            (folder / (name + ".gguf")).symlink_to(MODELS / (name + ".gguf"))
    there = {"cwd": away, "env": {"HOME": "/nowhere", "PATH": os.environ["PATH"]}}
    said = whisp("-m", TINY, "--diarize", "True", *ONCE, talk).stdout
    tiny = ["-m", "tiny.en.gguf", "--diarize", "True", *ONCE, "--model_dir"]
    whisp(*tiny, away, talk, code=4, **there)
    assert whisp(*tiny, models, talk, **there).stdout == said
    named = ["--speakers_model", "speakers", "--vad_model", "silero-vad"]
    assert whisp(*tiny, models, *named, talk, **there).stdout == said
    assert whisp("--speakers_only", *named, "--model_dir", models, talk, **there).stdout != b""
    run = whisp("--speakers_only", "--vad_model", "other", "--model_dir", models, talk, code=4, **there)
    assert b"--vad_model: other: no such model" in run.stderr


def test_python():
    import whisp as module

    model = module.load_model(str(TINY))
    shown = []
    found = model.transcribe(str(CALL), diarize=True, word_timestamps=True, temperature=0.0, segment=shown.append)
    check_consistent(found)
    assert shown == found["segments"] and len(found["speakers"]) == 2
    done = []
    with module.Speakers(NETS) as speakers:
        assert speakers.diarize(str(CALL), progress=lambda now, all: done.append((now, all)))["turns"] == found["turns"]
        assert done and done[-1][0] == pytest.approx(done[-1][1], abs=0.01)
        assert [line.split()[7] for line in speakers.rttm(str(CALL)).splitlines()] == [t["speaker"] for t in found["turns"]]
        voices, who = [], []
        samples = module.load_audio(str(MEETING))
        for name, start, seconds in alone(2):
            for k in range(2):
                at = int((start + k * seconds / 2) * 16000)
                voices.append(speakers.embed(samples[at : at + int(seconds * 8000)]))
                who.append(name)
        assert speakers.cluster(voices) == [1, 1, 2, 2]
        assert speakers.compare(voices[0], voices[1]) > 0.45 > speakers.compare(voices[0], voices[2])
        assert speakers.compare(voices[0], voices[0]) == pytest.approx(1, abs=1e-5)
        with pytest.raises(module.ArgumentError):
            speakers.embed(samples[:100])
        with pytest.raises(module.ArgumentError, match="voice 1 holds"):
            speakers.cluster([voices[0], [float("nan")] * 192])
        for speaker, said in (
            ({"Ann=Bob": "ann.wav"}, "has a ="),
            ({"Ann\nBob": "ann.wav"}, "line end"),
            (["Ann=ann.wav\nBob=bob.wav"], "line end"),
            (5, "is expected"),
            ([pathlib.Path("ann.wav")], "is expected"),
        ):
            with pytest.raises(module.ArgumentError, match=said):
                speakers.diarize(str(CALL), speaker=speaker)
        quiet = speakers.diarize([0.0] * 32000)
        assert quiet == {"speakers": [], "turns": []}
    with pytest.raises(module.StateError):
        speakers.embed(samples)
    with pytest.raises(module.Cancelled):
        model.transcribe(str(CALL), diarize=True, cancel=lambda: True)


def test_progress_counts_both_passes():
    import whisp as module

    done = []
    model = module.load_model(str(TINY))
    model.transcribe(str(CALL), diarize=True, temperature=0.0, progress=lambda now, all: done.append((now, all)))
    assert done == sorted(done) and len(done) > 10
    assert done[-1][0] == pytest.approx(30, abs=0.1) and done[-1][1] == done[-1][0]


def test_a_cancel_in_the_second_pass_leaves_the_words():
    import whisp as module

    model, at = module.load_model(str(TINY)), [0.0]
    with pytest.raises(module.Cancelled) as raised:
        model.transcribe(
            str(CALL), diarize=True, temperature=0.0, cancel=lambda: at[0] > 24, progress=lambda now, all: at.__setitem__(0, now)
        )
    partial = raised.value.result
    assert "nobody told the speakers apart" in partial["incomplete"] and len(partial["segments"]) > 5
    assert not any("speaker" in s for s in partial["segments"])


def test_live_speakers_are_those_of_the_recording(tmp_path):
    """Files that are written at the end have the turns of the recording; words and the final text have labels."""
    options = ["-m", TINY, "--stream", "--diarize", "True", "--stream_step", "4", "--stream_final", tmp_path / "final.txt"]
    run = whisp(*options, "-f", "rttm", "-o", tmp_path, "-", input=CALL.read_bytes())
    words = run.stdout.decode()
    assert words.startswith("[SPEAKER_00]: ")
    whisp("--speakers_only", "-f", "rttm", "-o", tmp_path, CALL)
    turns = [line.split()[3:] for line in (tmp_path / "stdin.rttm").read_text().splitlines()]
    assert turns == [line.split()[3:] for line in (tmp_path / "telephone.rttm").read_text().splitlines()]
    final = (tmp_path / "final.txt").read_text()
    assert final.startswith("[00:00.") and "[SPEAKER_00]: " in final and "[SPEAKER_01]: " in final


def test_live_in_python_has_speakers():
    import whisp as module

    with module.Live(module.load_model(str(TINY)), diarize=True, stream_step=4) as live:
        words = live.push(module.load_audio(str(CALL))) + live.finish()
        result = live.result()
        with pytest.raises(module.StateError):
            live.result()
    assert "SPEAKER_00" in {word.get("speaker") for word in words}
    assert result["speakers"] == ["SPEAKER_00", "SPEAKER_01"] and "incomplete" not in result
    check_consistent(result)
