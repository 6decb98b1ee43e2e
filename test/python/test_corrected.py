"""What goes with a transcript from one tool to the next: alternatives in the command's json and in Python's, what the review
page corrected in every format and as a vocabulary, the page that Python writes with its recording."""
import json
import re
import subprocess

import pytest

import recordings
import reviewed

DEMO = "test/data/demo.flac"


@pytest.fixture(scope="module")
def heard(build, root, real_model, tmp_path_factory):
    """The command's document of real speech, with confidence."""
    folder = tmp_path_factory.mktemp("heard")
    subprocess.run([str(build / "whisp"), "-q", "--model", str(real_model("tiny.en")), "--confidence", "True", "--threads", "2", "-f", "json",
                    "-o", str(folder), str(root / DEMO)], check=True)
    return json.loads((folder / "demo.json").read_text())


def alternatives_of(words):
    return [(word["word"], word.get("alternatives", [])) for word in words]


def test_alternatives_of_the_command(heard):
    words = [word for segment in heard["segments"] for word in segment["words"]]
    offered = [(word, others) for word, others in alternatives_of(words) if others]
    assert len(offered) > 3 and any(len(others) > 1 for _, others in offered)
    for word, others in offered:
        assert len(others) <= 5 and len({one["text"] for one in others}) == len(others)
        for one in others:
            assert set(one) == {"text", "logprob"} and one["logprob"] <= 0
            assert re.fullmatch(r"\s?\S+( \S+){0,3}", one["text"]), one  # whole words, as many as it may have been
            assert (one["text"][0] == " ") == (word[0] == " "), (word, one)
            assert re.sub(r"\W", "", one["text"]).lower() != re.sub(r"\W", "", word).lower(), (word, one)
        logprobs = [one["logprob"] for one in others]
        assert logprobs == sorted(logprobs, reverse=True)
    assert all("alternatives" not in word or word["alternatives"] for word in words)  # none is no member


def test_alternatives_in_python(whisp, heard, root, real_model):
    model = whisp.Model(str(real_model("tiny.en")))
    made = model.transcribe(str(root / DEMO), confidence=True)
    words = [word for segment in made["segments"] for word in segment["words"]]
    expected = [word for segment in heard["segments"] for word in segment["words"]]
    assert [word for word, _ in alternatives_of(words)] == [word for word, _ in alternatives_of(expected)]
    for (word, others), (_, theirs) in zip(alternatives_of(words), alternatives_of(expected)):
        assert [one["text"] for one in others] == [one["text"] for one in theirs], word
        assert [one["logprob"] for one in others] == pytest.approx([one["logprob"] for one in theirs], abs=1e-3), word
    written = [word for segment in json.loads(made.format("json"))["segments"] for word in segment["words"]]
    assert alternatives_of(written) == [(word, [{"text": one["text"], "logprob": pytest.approx(one["logprob"], abs=1e-5)} for one in others]) for word, others in alternatives_of(words)]


@pytest.fixture
def corrected(tmp_path):
    """As the page saves it: words typed, accepted, a segment without tokens, notes, what was learned."""
    made = reviewed.transcript()
    first = made["segments"][0]
    typed = {"word": " ShareChat", "start": first["words"][5]["start"], "end": first["words"][6]["end"], "probability": 1, "confidence": 1, "speaker": "Ann", "corrected": True}
    first["words"][5:7] = [typed]
    first.update(text="".join(word["word"] for word in first["words"]), tokens=[], corrected=True)
    made["segments"][1]["words"][0].update(heard=True, confidence=1)
    made["segments"][2]["note"] = "who?"
    made.update(text="".join(segment["text"] for segment in made["segments"]), note="of May", corrections=[{"from": "Share Jet", "to": "ShareChat", "count": 2}])
    reviewed.write(tmp_path, "talk.corrected", made=made, sound=False)
    recordings.write_wav(tmp_path / "talk.wav", recordings.babble(reviewed.SECONDS))
    return tmp_path / "talk.corrected.json"


def test_a_corrected_transcript_in_every_format(whisp, build, corrected):
    """By the command and by Python, the same bytes; what was corrected is in each, what was there before in none."""
    from whisp._result import format_names

    wanted = [name for name in format_names() if name not in ("html", "doubtful")]
    assert len(wanted) >= 10
    subprocess.run([str(build / "whisp"), "-q", "--from", str(corrected), "-f", ",".join(wanted + ["html"]), "-o", str(corrected.parent / "out")], check=True)
    transcript = whisp.Transcript(json.loads(corrected.read_text()))
    for name in wanted:
        written = (corrected.parent / "out" / ("talk.corrected." + name)).read_bytes().decode()
        assert transcript.format(name, recording=corrected) == written, name  # "talk.corrected" is how some call it
        if name != "rttm":
            assert "ShareChat" in written and "about Share Jet" not in written, name
        assert all(who in written for who in ("Ann", "Bob")) or name in ("lrc", "csv", "tsv"), name
    again = json.loads((corrected.parent / "out/talk.corrected.json").read_text())
    assert again["corrections"] == [{"from": "Share Jet", "to": "ShareChat", "count": 2}] and again["note"] == "of May"
    assert again["segments"][0]["corrected"] and again["segments"][0]["words"][5]["corrected"] and again["segments"][1]["words"][0]["heard"]
    assert again["segments"][2]["note"] == "who?" and again["segments"][0]["tokens"] == []


def head_of(page):
    return json.loads(re.search(r'<script type="application/json" id="head">(.*?)</script>', page, re.S).group(1))


def test_the_page_that_python_writes(whisp, corrected):
    """It finds its recording by the way from where it is, has it inside if it is told to, and refuses what is not there."""
    import base64

    transcript = whisp.Transcript(json.loads(corrected.read_text()))
    sound, folder = corrected.parent / "talk.wav", corrected.parent / "pages"
    folder.mkdir()
    transcript.write(folder / "talk.html", recording=sound)
    head = head_of((folder / "talk.html").read_text())
    assert head["link"] == "../talk.wav" and head["name"] == "talk" and head["size"] == sound.stat().st_size and 'id="sound"' not in (folder / "talk.html").read_text()
    page = transcript.format("html", recording=str(sound), embed_audio=True)
    assert base64.b64decode(re.search(r'<script type="text/plain" id="sound">(.*?)</script>', page, re.S).group(1)) == sound.read_bytes()
    assert head_of(page)["hash"] == head["hash"]
    assert "link" not in head_of(transcript.format("html"))
    for settings in ({"embed_audio": True}, {"recording": corrected.parent / "none.wav"}):
        with pytest.raises(whisp.Error):
            transcript.format("html", **settings)
    with pytest.raises(whisp.Error):
        transcript.write(folder / "other.html", recording=corrected.parent / "none.wav")
    assert not (folder / "other.html").exists()


def test_corrections_teach_by_the_command_and_by_python(whisp, build, corrected, shared, real_model):
    """The names that were typed are written, where they are said, in the next recording: the file is the vocabulary."""
    model, known, sound = whisp.Model(str(real_model("tiny.en"))), json.loads(corrected.read_text()), shared / "audio/hotwords.mp3"
    assert "comfy eye" in model.transcribe(str(sound))["text"]
    known["corrections"] = [{"from": "comfy eye", "to": "ComfyUI", "count": 3}]
    corrected.write_text(json.dumps(known))
    done = subprocess.run([str(build / "whisp"), "--model", str(real_model("tiny.en")), "--vocabulary", str(corrected), "--log_level", "info", "-f", "txt",
                           "-o", str(corrected.parent), str(sound)], capture_output=True, text=True)
    assert done.returncode == 0 and "1 of 1 corrections are names" in done.stderr, done.stderr
    taught = model.transcribe(str(sound), vocabulary=str(corrected))
    assert taught["text"].split() == (corrected.parent / "hotwords.txt").read_text().split()
    assert taught["text"].count("ComfyUI") == 2 and "eye" not in taught["text"]
