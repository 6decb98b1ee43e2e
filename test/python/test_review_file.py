"""The review page as a file: what is in it, that its policy allows what stands in it and no more, which recording it plays,
the recording inside it, and what is refused. In a browser: test_review.py."""
import base64
import hashlib
import json
import os
import re
import subprocess

import pytest

import recordings
import reviewed


@pytest.fixture
def whisp_from(build, tmp_path):
    def run(*arguments, code=0):
        done = subprocess.run([str(build / "whisp"), *map(str, arguments)], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        return done

    return run


def elements(page):
    """The data, by their ids."""
    return dict(re.findall(r'<script type="[a-z/]+" id="(\w+)">(.*?)</script>', page, re.S))


def head_of(path):
    return json.loads(elements(path.read_text())["head"])


def test_data_and_policy(whisp_from, tmp_path):
    made = reviewed.transcript([("Ann", "</script><!-- <script> & end."), ("Bob", "ok then Naomi?")], doubtful=("end.", "Naomi?"))
    reviewed.write(tmp_path, made=made)
    whisp_from("--from", "talk.json", "-f", "html,json", "-o", "out")
    page = (tmp_path / "out/talk.html").read_text()
    data = elements(page)
    assert json.loads(data["transcript"]) == json.loads((tmp_path / "out/talk.json").read_text())
    head = json.loads(data["head"])
    assert head["transcript"] == hashlib.sha256((tmp_path / "out/talk.json").read_bytes()).hexdigest()
    assert head["link"] == "../talk.wav" and head["name"] == "talk" and head["size"] == (tmp_path / "talk.wav").stat().st_size
    assert sorted((p["first"], p["last"]) for p in head["places"]) == [(3, 3), (6, 6)]
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page).group(1)
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules["default-src"] == ["'none'"] and "connect-src" not in rules and "unsafe" not in policy
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.S)
        sums = ["'sha256-%s'" % base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in found]
        assert sums == rules[rule] and sums, tag
    assert page.count("<script") == len(rules["script-src"]) + 2
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)


@pytest.mark.parametrize("size", [0, 1, 55, 64, 1 << 20, (1 << 20) + 1, (2 << 20) + 77, 5 << 20])
def test_the_sum_of_a_recording(whisp_from, tmp_path, size):
    reviewed.write(tmp_path, sound=False)
    data = os.urandom(size)
    (tmp_path / "talk.mp3").write_bytes(data)
    whisp_from("--from", "talk.json", "-f", "html")
    first, last = data[: 1 << 20], data[1 << 20 :][-(1 << 20) :]
    head = head_of(tmp_path / "talk.html")
    assert head["hash"] == hashlib.sha256(first + last + str(size).encode()).hexdigest() and head["size"] == size


def test_which_recording(whisp_from, build, tmp_path):
    reviewed.write(tmp_path, sound=False)
    done = whisp_from("--from", "talk.json", "-f", "html", "-o", "a")
    assert "no recording of that name" in done.stderr and "link" not in head_of(tmp_path / "a/talk.html")
    for name, text in (("talk.txt", "x"), ("talk.flac", "f"), ("talk.MP3", "m"), ("talker.wav", "w")):
        (tmp_path / name).write_text(text)
    whisp_from("--from", "talk.json", "-f", "html", "-o", "a/b c")
    assert head_of(tmp_path / "a/b c/talk.html")["link"] == "../../talk.MP3"
    (tmp_path / "talk.corrected.json").write_bytes((tmp_path / "talk.json").read_bytes())
    whisp_from("--from", "talk.corrected.json", "-f", "html")
    assert head_of(tmp_path / "talk.corrected.html")["link"] == "talk.MP3"
    with open(tmp_path / "talk.json", "rb") as f:
        subprocess.run([str(build / "whisp"), "--from", "-", "-f", "html"], stdin=f, cwd=tmp_path, check=True, capture_output=True)
    assert "link" not in head_of(tmp_path / "stdin.html")


def test_the_recording_inside(whisp_from, tmp_path):
    reviewed.write(tmp_path)
    whisp_from("--from", "talk.json", "-f", "html", "--embed_audio", "True")
    inside = elements((tmp_path / "talk.html").read_text())["sound"]
    assert base64.b64decode(inside) == (tmp_path / "talk.wav").read_bytes()
    for size in (1, 2, 3):
        (tmp_path / "talk.wav").write_bytes(b"abc"[:size])
        whisp_from("--from", "talk.json", "-f", "html", "--embed_audio", "True")
        assert base64.b64decode(elements((tmp_path / "talk.html").read_text())["sound"]) == b"abc"[:size]


def test_what_is_refused(whisp_from, tmp_path):
    reviewed.write(tmp_path)
    assert "-f html" in whisp_from("--from", "talk.json", "-f", "srt", "--embed_audio", "True", code=2).stderr
    with open(tmp_path / "talk.wav", "r+b") as f:
        f.truncate((24 << 20) + 1)
    (tmp_path / "talk.html").write_text("what was there")
    said = whisp_from("--from", "talk.json", "-f", "html,srt", "--embed_audio", "True", code=5).stderr
    assert "24 MB" in said and "ffmpeg" in said and (tmp_path / "talk.srt").exists()
    assert (tmp_path / "talk.html").read_text() == "what was there"
    (tmp_path / "talk.wav").unlink()
    assert "no recording" in whisp_from("--from", "talk.json", "-f", "html", "--embed_audio", "True", code=5).stderr


def test_transcribing_gives_words_a_confidence(whisp_from, build, invented_dir, tmp_path):
    recordings.write_wav(tmp_path / "talk.wav", recordings.babble(12))
    common = ("--model", invented_dir / "english.gguf", "--temperature", "0", "-f", "html", "talk.wav")
    whisp_from(*common)
    words = [w for s in json.loads(elements((tmp_path / "talk.html").read_text())["transcript"])["segments"] for w in s.get("words", [])]
    assert words and all(0 < w["confidence"] <= 1 for w in words) and head_of(tmp_path / "talk.html")["link"] == "talk.wav"
    whisp_from("--confidence", "False", *common)
    assert "confidence" not in elements((tmp_path / "talk.html").read_text())["transcript"]
    whisp_from("--model", invented_dir / "english.gguf", "--temperature", "0", "-o", "all", "talk.wav")
    assert sorted(p.suffix for p in (tmp_path / "all").iterdir()) == [".json", ".srt", ".tsv", ".txt", ".vtt"]


def test_embedding_is_told_of_what_would_end_it(root, tmp_path):
    """lib/output/review/embed, which makes C of the page."""
    embed = root / "lib/output/review/embed"
    for name, text, expected in (("a.js", "let a = 1;\n", None), ("a.js", "'</script>'\n", "would end it"), ("a.js", "'<!--'\n", "would end it")):
        (tmp_path / name).write_text(text)
        (tmp_path / "page.html").write_text('<meta content="SCRIPTS">\n<!--data-->\n<script src="a.js"></script>\n')
        done = subprocess.run(["sh", str(embed), str(tmp_path / "page.html")], capture_output=True, text=True)
        assert (done.returncode == 0) == (expected is None) and (expected or "") in done.stderr
    (tmp_path / "a.js").write_text("let a = 1;\n")
    (tmp_path / "page.html").write_text('<script src="a.js"></script>\n')
    assert subprocess.run(["sh", str(embed), str(tmp_path / "page.html")], capture_output=True).returncode != 0
