"""whisp-server answers as whisper-asr-webservice does: /asr and /detect-language, as Bazarr asks."""
import json
import subprocess
import urllib.parse
import wave

import pytest

import recordings
import served


@pytest.fixture(scope="module")
def server(build, invented_dir):
    with served.Server(build, invented_dir, "--model", "english", "--model", "multilingual", *served.ONCE) as s:
        yield s


def ask(server, path, data, name="audio_file", filename="audio_file", **query):
    query.setdefault("model", "english")
    return server.post(path + "?" + urllib.parse.urlencode(query), [(name, filename, data)])


@pytest.fixture(scope="module")
def command_says(build, invented_dir, noise_wav, tmp_path_factory):
    """Format -> document, as the command writes it."""
    folder = tmp_path_factory.mktemp("said")
    subprocess.run([str(build / "whisp"), "--model", "english", "--model_dir", str(invented_dir), "-f", "all", "-o", str(folder),
                    *served.ONCE, str(noise_wav)], check=True, capture_output=True, timeout=served.PATIENCE)
    return lambda form: (folder / ("noise." + form)).read_bytes()


@pytest.mark.parametrize("form", ["txt", "vtt", "srt", "tsv", "json"])
def test_every_format_is_the_commands(server, command_says, noise_wav, form):
    answer = ask(server, "/asr", noise_wav.read_bytes(), output=form, filename="a fílm.wav")
    assert answer.status == 200 and answer.body == command_says(form)
    assert answer.headers["asr-engine"] and answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-disposition"] == 'attachment; filename="a%%20f%%C3%%ADlm.wav.%s"' % form


def test_raw_samples_are_heard_as_a_file_is(server, command_says, noise_wav):
    raw = noise_wav.read_bytes()[44:]
    for no in ("false", "0", "False"):
        answer = ask(server, "/asr", raw, output="srt", encode=no, task="transcribe", language="en")  # as Bazarr
        assert answer.status == 200 and answer.body == command_says("srt")
    assert ask(server, "/asr", noise_wav.read_bytes(), output="srt", encode="true").body == command_says("srt")
    assert ask(server, "/asr", raw[:44], encode="false").status == 200  # as much as a header would be


def test_what_was_not_heard_is_told(server, tmp_path):
    assert recordings.write_sndfile(tmp_path / "noise.flac", recordings.babble(7), "flac")
    flac = (tmp_path / "noise.flac").read_bytes()
    answer = ask(server, "/asr", flac)
    assert answer.status == 200 and "whisp-incomplete" not in answer.headers
    answer = ask(server, "/asr", flac[: len(flac) // 2])
    assert answer.status == 200 and answer.headers["whisp-incomplete"].startswith("stopped at 0:03."), answer


def test_text_is_the_default(server, command_says, noise_wav):
    assert ask(server, "/asr", noise_wav.read_bytes()).body == command_says("txt")
    assert ask(server, "/asr", noise_wav.read_bytes(), output="", language="", task="", initial_prompt="").body == \
        command_says("txt")


def test_options(server, noise_wav):
    sound = noise_wav.read_bytes()
    words = ask(server, "/asr", sound, output="json", word_timestamps="true").json
    assert all("words" in s for s in words["segments"])
    plain = ask(server, "/asr", sound, output="json", word_timestamps="false").json
    assert not any("words" in s for s in plain["segments"])
    german = ask(server, "/asr", sound, output="json", model="multilingual", language="de", task="translate").json
    assert german["language"] == "de"
    other = ask(server, "/asr", sound, output="json", initial_prompt="Ask not what").json
    assert other["text"] != plain["text"]


def test_the_language_is_detected(server, noise_wav):
    for answer in (ask(server, "/detect-language", noise_wav.read_bytes(), model="multilingual"),
                   ask(server, "/detect-language", noise_wav.read_bytes()[44:], model="multilingual", encode="false")):
        assert answer.status == 200, answer
        found = answer.json
        assert set(found) == {"detected_language", "language_code", "confidence"} and 0 < found["confidence"] <= 1
        assert found["detected_language"] == found["detected_language"].lower() and len(found["language_code"]) in (2, 3)
    answer = ask(server, "/detect-language", noise_wav.read_bytes())
    assert answer.status == 400 and "English" in answer.error["message"]


def test_what_is_wrong_is_told(server, noise_wav):
    sound = noise_wav.read_bytes()
    for query, status, param in (({"output": "doc"}, 400, "output"), ({"language": "klingon"}, 400, "language"),
                                 ({"task": "sing"}, 400, "task"), ({"encode": "perhaps"}, 400, "encode"),
                                 ({"vad_filter": "perhaps"}, 400, "vad_filter"), ({"min_speakers": "two"}, 400, "min_speakers"),
                                 ({"initial_prompt": "x" * 5000}, 400, "initial_prompt")):
        answer = ask(server, "/asr", sound, **query)
        assert answer.status == status and answer.error["param"] == param, answer
    assert ask(server, "/asr", sound, model="none-such").status == 404
    assert ask(server, "/asr", sound, name="recording").status == 422
    assert ask(server, "/asr", b"not a recording at all" * 99).status in (400, 415)
    assert ask(server, "/asr", b"").status in (400, 415, 422)
    assert server.ask("POST", "/asr", b"{}", {"Content-Type": "application/json"}).status == 415
    assert server.ask("GET", "/asr").status == 405


def test_transcripts_in_other_formats(server, command_says):
    """POST /v1/format, which the page uses: what was JSON is any format, as the command writes it."""
    document = command_says("json")
    for form in ("txt", "srt", "vtt", "tsv", "json"):
        answer = server.ask("POST", "/v1/format?format=" + form, document, {"Content-Type": "application/json"})
        assert answer.status == 200 and answer.body == command_says(form), answer
    page = server.ask("POST", "/v1/format?format=html&name=a%20talk", document)
    assert page.status == 200 and page.headers["content-type"].startswith("text/html") and b'"name": "a talk"' in page.body
    small = json.dumps({"segments": [{"start": 0, "end": 1.5, "text": " a -> b"}]})
    assert server.ask("POST", "/v1/format?format=srt", small).body == b"1\n00:00:00,000 --> 00:00:01,500\na -> b\n\n"
    for path, body, status in (("/v1/format", document, 400), ("/v1/format?format=doc", document, 400),
                               ("/v1/format?format=srt", b"not json", 400), ("/v1/format?format=srt", b"", 400),
                               ("/v1/format?format=srt", b"[" * 5000000, 413)):
        answer = server.ask("POST", path, body)
        assert answer.status == status and answer.error["message"], answer


def test_real_words(build, real_model, shared):
    model = real_model("base")
    with wave.open(str(shared / "audio/night_8s_do_you_live_here.wav")) as f:
        raw = f.readframes(f.getnframes())
    with served.Server(build, model.parent, "--model", "base") as server:
        srt = server.post("/asr?task=transcribe&language=en&output=srt&encode=false", [("audio_file", "audio_file", raw)])
        assert srt.status == 200 and "do you live here" in srt.text.lower(), srt
        found = server.post("/detect-language?encode=false", [("audio_file", "audio_file", raw)]).json
        assert found["language_code"] == "en" and found["detected_language"] == "english" and found["confidence"] > 0.5
