"""whisp-server and OpenAI's own client: transcriptions and translations in every format, streaming and not, sync and
async; words, times and numbers are those of the command; errors are the exceptions that the client knows.

Invented models answer wherever numbers need not be right; tiny.en and base where they are.
"""
import asyncio
import base64
import json
import re
import subprocess

import pytest

import recordings
import served

openai = pytest.importorskip("openai")

FORMATS = ["json", "text", "srt", "vtt", "verbose_json"]
SEGMENT = {"id", "seek", "start", "end", "text", "tokens", "temperature", "avg_logprob", "compression_ratio",
           "no_speech_prob"}


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the package says so of whisper-1's translations


@pytest.fixture(scope="module")
def server(build, invented_dir):
    with served.Server(build, invented_dir, "--model", "english", "--model", "multilingual", "--model_alias",
                       "whisper-1=multilingual", "--threads", "2", *served.ONCE) as s:
        yield s


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=served.PATIENCE) as c:
        yield c


@pytest.fixture
def eventual(server):
    """A function that runs a coroutine with an asynchronous client."""

    def run(body):
        async def inside():
            async with openai.AsyncOpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0,
                                          timeout=served.PATIENCE) as c:
                return await body(c)
        return asyncio.run(inside())
    return run


def command(build, folder, model, recording, out, *options):
    """What the command writes of the same recording, in every format: extension -> text."""
    out.mkdir(exist_ok=True)
    program = build / "whisp" if (build / "whisp").exists() else build.parent / "whisp"  # there is no whisp in build/tsan
    subprocess.run([program, "--quiet", "--model_dir", folder, "--model", model, "-f", "all", "-o", out, *options,
                    recording], check=True, stdin=subprocess.DEVNULL)
    return {path.suffix[1:]: path.read_text() for path in out.glob(recording.stem + ".*")}


@pytest.fixture(scope="module")
def told(build, invented_dir, noise_wav, tmp_path_factory):
    """What the command says of seven seconds, by options."""
    known, out = {}, tmp_path_factory.mktemp("told")

    def tell(model="english", *options, recording=noise_wav):
        key = (model, recording, *options)
        if key not in known:
            known[key] = command(build, invented_dir, model, recording, out, *served.ONCE, *options)
        return known[key]
    return tell


def document(written, response_format):
    """The command's document as OpenAI's client gives it back."""
    if response_format == "text":
        return " ".join(written["txt"].split())
    return written[response_format]


# ---- every format ----


def check(answer, response_format, written, task="transcribe"):
    """It says what the command said."""
    expected = json.loads(written["json"])
    text = expected["text"].strip()
    assert text
    if response_format in ("srt", "vtt"):
        assert answer == written[response_format]
    elif response_format == "text":
        assert answer == text + "\n"
    else:
        assert answer.text == text
    if response_format == "json" and task == "transcribe":
        assert answer.usage.type == "duration" and answer.usage.seconds == pytest.approx(7.0, abs=1.0)
    if response_format == "verbose_json":
        check_verbose(answer, expected, task)


def same_segment(ours, theirs):
    """The server writes fifteen digits."""
    for name in SEGMENT:
        assert ours[name] == (pytest.approx(theirs[name], rel=1e-13) if isinstance(theirs[name], float) else theirs[name])


def check_verbose(answer, expected, task):
    assert answer.task == task and isinstance(answer.duration, float) and answer.duration == pytest.approx(7.0, abs=0.02)
    if task == "transcribe":
        assert answer.usage.type == "duration"
    assert len(answer.segments) == len(expected["segments"]) > 0
    for ours, theirs in zip(answer.segments, expected["segments"]):
        found = ours.to_dict()
        assert SEGMENT <= set(found)
        same_segment(found, theirs)


@pytest.mark.parametrize("response_format", FORMATS)
def test_formats(client, told, noise_wav, response_format):
    answer = client.audio.transcriptions.create(model="english", file=noise_wav, response_format=response_format)
    check(answer, response_format, told())
    if response_format == "verbose_json":
        assert answer.language == "english"


@pytest.mark.parametrize("response_format", FORMATS)
def test_formats_asynchronously(eventual, told, noise_wav, response_format):
    async def three(client):
        call = lambda: client.audio.transcriptions.create(model="english", file=noise_wav, response_format=response_format)
        return await asyncio.gather(call(), call(), call())
    for answer in eventual(three):
        check(answer, response_format, told())


@pytest.mark.parametrize("response_format", FORMATS)
def test_translations(client, eventual, told, noise_wav, response_format):
    expected = told("multilingual", "--task", "translate")
    answer = client.audio.translations.create(model="whisper-1", file=noise_wav, response_format=response_format)
    check(answer, response_format, expected, "translate")
    if response_format == "verbose_json":
        assert answer.language == "english"
    again = eventual(lambda c: c.audio.translations.create(model="whisper-1", file=noise_wav, response_format=response_format))
    assert again == answer


def test_content_types(server, noise_wav):
    for response_format, kind in {"json": "application/json", "text": "text/plain; charset=utf-8", "srt": "text/plain",
                                  "vtt": "text/", "verbose_json": "application/json"}.items():
        answer = server.transcribe(noise_wav, ("response_format", response_format))
        assert answer.status == 200 and answer.headers["content-type"].startswith(kind), answer


@pytest.mark.parametrize("granularities", [["word"], ["segment"], ["word", "segment"]])
def test_words(client, told, noise_wav, granularities):
    """At the top level, without the spaces before them, with the command's times."""
    answer = client.audio.transcriptions.create(model="english", file=noise_wav, response_format="verbose_json",
                                                timestamp_granularities=granularities)
    expected = json.loads(told("english", "--word_timestamps", "True")["json"])
    if "word" in granularities:
        words = [w for s in expected["segments"] for w in s["words"]]
        assert [(w.word, w.start, w.end) for w in answer.words] == [(w["word"].strip(), w["start"], w["end"]) for w in words]
        assert words
    else:
        assert not answer.words
    if "segment" in granularities:
        assert len(answer.segments) > 0
    assert answer.text == expected["text"].strip()


def test_granularities_are_spelt_both_ways(server, noise_wav):
    for name in ("timestamp_granularities", "timestamp_granularities[]"):
        found = server.transcribe(noise_wav, ("response_format", "verbose_json"), (name, "word"), (name, "segment")).json
        assert found["words"] and found["segments"]


@pytest.mark.parametrize("options, same", [
    ({"language": "de"}, ["--language", "de"]),
    ({"prompt": "Names to expect"}, ["--initial_prompt", "Names to expect"]),
    ({"temperature": 0.4}, ["--temperature", "0.4"]),
    ({"extra_body": {"nobody_knows_this": "x"}}, []),
    ({"languages": ["fr", "de"]}, ["--languages", "fr,de"]),
], ids=str)
def test_options(client, told, noise_wav, options, same):
    """What is asked for has the effect that it has in the command; what nobody knows has none."""
    answer = client.audio.transcriptions.create(model="multilingual", file=noise_wav, response_format="verbose_json", **options)
    check_verbose(answer, json.loads(told("multilingual", *same)["json"]), "transcribe")


def test_languages_by_name(client, noise_wav):
    for code, name in {"de": "german", "yi": "yiddish", "German": "german"}.items():
        answer = client.audio.transcriptions.create(model="multilingual", file=noise_wav, response_format="verbose_json",
                                                    language=code)
        assert answer.language == name


def test_keywords(client, told, noise_wav, tmp_path):
    (tmp_path / "terms").write_text("Recsperts\nComfyUI\n")
    answer = client.audio.transcriptions.create(model="english", file=noise_wav, keywords=["Recsperts", "ComfyUI"])
    assert answer.text == json.loads(told("english", "--vocabulary", str(tmp_path / "terms"))["json"])["text"].strip()


@pytest.mark.parametrize("strategy", ["auto", {"type": "server_vad", "threshold": 0.4, "silence_duration_ms": 300,
                                               "prefix_padding_ms": 200}], ids=["auto", "server_vad"])
def test_chunking_strategy(client, noise_wav, strategy):
    assert client.audio.transcriptions.create(model="english", file=noise_wav, chunking_strategy=strategy).text is not None


def test_logprobs(client, noise_wav):
    """Of the tokens that the text is made of."""
    answer = client.audio.transcriptions.create(model="english", file=noise_wav, include=["logprobs"])
    assert answer.logprobs and all(p.logprob <= 0 for p in answer.logprobs)
    assert b"".join(bytes(map(int, p.bytes)) for p in answer.logprobs).decode().strip() == answer.text
    assert client.audio.transcriptions.create(model="english", file=noise_wav).logprobs is None


# ---- streams ----


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """Two minutes: several windows."""
    return recordings.write_wav(tmp_path_factory.mktemp("talk") / "talk.wav", 12 * recordings.babble(10.0))


def check_stream(found, expected):
    kinds = [e.type for e in found]
    assert kinds == ["transcript.text.delta"] * (len(kinds) - 1) + ["transcript.text.done"]
    assert found[-1].text == expected
    assert "".join(e.delta for e in found[:-1]).strip() == expected
    return len(kinds)


def test_streams(client, eventual, told, talk):
    expected = json.loads(told(recording=talk)["json"])
    text, n = expected["text"].strip(), len(expected["segments"])
    with client.audio.transcriptions.create(model="english", file=talk, stream=True) as stream:
        assert check_stream(list(stream), text) == n + 1

    async def read(c):
        return [e async for e in await c.audio.transcriptions.create(model="english", file=talk, stream=True)]
    assert check_stream(eventual(read), text) == n + 1


def test_the_first_event_comes_early(build, invented_dir, talk):
    """While later parts are still being transcribed: the slower model has not ended when the first event is there."""
    with served.Server(build, invented_dir, "--model", "english", "--threads", "1", *served.ONCE, "--sample_len",
                       "200") as s:
        with s.connect() as c:
            c.sendall(served.request(talk.read_bytes(), ("stream", "true")))
            seen = b""
            while b"transcript.text.delta" not in seen:
                piece = c.recv(4096)
                assert piece, seen
                seen += piece
            assert b"transcript.text.done" not in seen
            assert b"text/event-stream" in seen


def test_a_stream_as_curl_sees_it(server, talk):
    done = subprocess.run(["curl", "-sS", "-N", "-i", server.url + "/v1/audio/transcriptions", "-F", "file=@%s" % talk,
                           "-F", "model=english", "-F", "stream=true"], check=True, capture_output=True)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    assert b"200" in head.splitlines()[0] and re.search(rb"(?i)content-type: text/event-stream", head)
    assert served.events(body)[-1]["type"] == "transcript.text.done"


def test_a_stream_whose_recording_is_damaged(client, server):
    """An error in the stream, or before it, is an exception of the client's; not a text that ends early."""
    with pytest.raises(openai.APIError):
        list(client.audio.transcriptions.create(model="english", file=("x.wav", b"RIFF" + bytes(200)), stream=True))


# ---- who speaks ----


@pytest.fixture(scope="module")
def people(build, real_model, invented_dir, tmp_path_factory):
    """A server whose model is invented and whose nets for speakers are real ones."""
    folder = tmp_path_factory.mktemp("people")
    (folder / "english.gguf").symlink_to(invented_dir / "english.gguf")
    (folder / "speakers.gguf").symlink_to(real_model("speakers").resolve())
    with served.Server(build, folder, "--model", "english", "--threads", "2", *served.ONCE) as s:
        yield s


@pytest.fixture
def people_client(people):
    with openai.OpenAI(base_url=people.url + "/v1", api_key="none", max_retries=0, timeout=served.PATIENCE) as c:
        yield c


def test_diarized(people_client, shared):
    clip = shared / "audio" / "stereo_diarization.wav"
    answer = people_client.audio.transcriptions.create(model="english", file=clip, response_format="diarized_json")
    assert answer.task == "transcribe" and answer.duration == pytest.approx(5.0, abs=0.1) and answer.text
    assert len({s.id for s in answer.segments}) == len(answer.segments) > 0
    assert all(s.type == "transcript.text.segment" and s.speaker in "ABCDEFGH" and s.end >= s.start for s in answer.segments)
    assert answer.segments[0].speaker == "A"
    with people_client.audio.transcriptions.create(model="english", file=clip, response_format="diarized_json",
                                                   stream=True) as stream:
        found = list(stream)
    assert found[-1].type == "transcript.text.done" and found[-1].text == answer.text
    told = [e for e in found if e.type == "transcript.text.segment"]
    assert [(e.id, e.speaker, e.text) for e in told] == [(s.id, s.speaker, s.text) for s in answer.segments]


def test_known_speakers(people_client, shared, tmp_path):
    """Who has been heard before is called by name."""
    clip = shared / "audio" / "night_12s_if_anything_should_try_to_break_in.wav"
    reference = "data:audio/wav;base64," + base64.b64encode(clip.read_bytes()[:44 + 9 * 32000]).decode()
    answer = people_client.audio.transcriptions.create(
        model="english", file=clip, response_format="diarized_json", known_speaker_names=["Ben"],
        known_speaker_references=[reference])
    assert "Ben" in {s.speaker for s in answer.segments}


def test_known_speakers_are_forgotten(people, shared):
    """Another client's reference under the same name is another voice, though it lies where the first one lay."""
    clip = (shared / "audio" / "night_12s_if_anything_should_try_to_break_in.wav").read_bytes()[:44 + 9 * 32000]
    for data, status in ((clip, 200), (b"no sound at all" * 9, 400), (clip, 200), (b"no sound at all" * 9, 400)):
        found = people.transcribe(
            clip, ("response_format", "diarized_json"), ("known_speaker_names[]", "Ben"),
            ("known_speaker_references[]", "data:audio/wav;base64," + base64.b64encode(data).decode()))
        assert found.status == status or status == 400 and found.status in (415, 422), found


@pytest.mark.parametrize("names, references", [
    (["Ben"], []), (["Ben"], ["data:audio/wav;base64,!!!!"]), (["Ben"], ["https://example.com/a.wav"]), ([], ["data:,x"]),
    (["Ben"], ["data:audio/wav;base64," + base64.b64encode(b"no sound at all" * 9).decode()])])
def test_known_speakers_that_are_none(people_client, noise_wav, names, references):
    with pytest.raises((openai.BadRequestError, openai.UnprocessableEntityError)) as found:
        people_client.audio.transcriptions.create(model="english", file=noise_wav, response_format="diarized_json",
                                                  known_speaker_names=names, known_speaker_references=references)
    assert "known_speaker" in found.value.param


# ---- errors, as the client knows them ----


@pytest.mark.parametrize("options, kind, param", [
    ({"model": "nobody"}, openai.NotFoundError, "model"),
    ({"model": "../english"}, openai.NotFoundError, "model"),
    ({"response_format": "pdf"}, openai.BadRequestError, "response_format"),
    ({"temperature": -1}, openai.BadRequestError, "temperature"),
    ({"temperature": "warm"}, openai.BadRequestError, "temperature"),
    ({"language": "klingon"}, openai.BadRequestError, "language"),
    ({"timestamp_granularities": ["minute"]}, openai.BadRequestError, "timestamp_granularities"),
    ({"chunking_strategy": "by hand"}, openai.BadRequestError, "chunking_strategy"),
    ({"chunking_strategy": {"type": "server_vad", "threshold": "loud"}}, openai.BadRequestError, "chunking_strategy"),
    ({"file": ("talk.wav", b"")}, openai.BadRequestError, "file"),
    ({"file": ("talk.wav", b"this is no sound" * 100)}, (openai.BadRequestError, openai.APIStatusError), "file"),
], ids=lambda x: str(x)[:40])
def test_errors(client, noise_wav, options, kind, param):
    with pytest.raises(kind) as found:
        client.audio.transcriptions.create(**{"model": "english", "file": noise_wav, **options})
    assert found.value.status_code in (400, 404, 415, 422)
    assert found.value.param.removesuffix("[]") == param and found.value.type and len(found.value.message) > 10


def test_keys(build, invented_dir, noise_wav, tmp_path):
    (tmp_path / "keys").write_text("# those of the house\nfirst-key\nsecond-key\n")
    with served.Server(build, invented_dir, "--model", "english", *served.ONCE, "--api_keys", tmp_path / "keys") as s:
        def ask(key):
            with openai.OpenAI(base_url=s.url + "/v1", api_key=key, max_retries=0) as c:
                return c.audio.transcriptions.create(model="english", file=noise_wav).text, c.models.list().data
        assert ask("first-key") == ask("second-key")
        for wrong in ("x", "first", "first-key2", "# those of the house", "second_key"):
            with pytest.raises(openai.AuthenticationError) as found:
                ask(wrong)
            assert found.value.code == "invalid_api_key"
        assert s.ask("GET", "/health").status == 200
        assert "first-key" not in s.log and "second_key" not in s.log
        (tmp_path / "keys").write_text("third-key\n")
        s.process.send_signal(1)  # SIGHUP

        def is_new():
            try:
                return ask("third-key")
            except openai.AuthenticationError:
                return False
        s.wait_until(is_new)
        with pytest.raises(openai.AuthenticationError):
            ask("first-key")


def test_models(client):
    models = {m.id: m for m in client.models.list()}
    assert {"english", "multilingual", "whisper-1"} <= models.keys()
    assert client.models.retrieve("english") == models["english"] and models["english"].created > 0
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")


def test_the_client_tries_again(build, invented_dir, talk, noise_wav):
    """A full queue is 503 with Retry-After, which the client heeds by itself."""
    with served.Server(build, invented_dir, "--model", "english", "--queue", "1", "--threads", "1", *served.ONCE) as s:
        with openai.OpenAI(base_url=s.url + "/v1", api_key="none", max_retries=40, timeout=served.PATIENCE) as c:
            waiting = [s.connect() for _ in range(3)]
            for w in waiting:
                w.sendall(served.request(talk.read_bytes()))
            answers = [served.read_all(w) for w in waiting]
            for w in waiting:
                w.close()
            statuses = [int(a.split()[1]) for a in answers]
            assert set(statuses) <= {200, 503} and 200 in statuses
            for answer in answers:
                if b" 503 " in answer.split(b"\r\n")[0]:
                    assert 1 <= int(re.search(rb"(?i)retry-after: (\d+)", answer).group(1)) <= 60
            assert c.audio.transcriptions.create(model="english", file=noise_wav).text


# ---- real models ----


@pytest.fixture(scope="module")
def real(build, real_model):
    """tiny.en, and base where it is."""
    folder = real_model("tiny.en").parent
    with served.Server(build, folder, "--model", "tiny.en", "--threads", "2") as s:
        yield s


@pytest.mark.parametrize("name", ["jfk.flac", "jfk.mp3", "hotwords.mp3", "night_12s_if_anything_should_try_to_break_in.wav"])
def test_words_of_the_command(build, real, shared, real_model, tmp_path, name):
    clip = shared / "audio" / name
    written = command(build, real_model("tiny.en").parent, "tiny.en", clip, tmp_path)
    with openai.OpenAI(base_url=real.url + "/v1", api_key="none") as c:
        for response_format in ("verbose_json", "srt", "vtt", "text"):
            answer = c.audio.transcriptions.create(model="tiny.en", file=clip, response_format=response_format)
            if response_format == "verbose_json":
                expected = json.loads(written["json"])
                assert answer.text == expected["text"].strip() and len(answer.segments) == len(expected["segments"])
                for ours, theirs in zip(answer.segments, expected["segments"]):
                    same_segment(ours.to_dict(), theirs)
            elif response_format == "text":
                assert answer == json.loads(written["json"])["text"].strip() + "\n"
            else:
                assert answer == written[response_format]


def test_a_translation(build, real, shared, real_model, tmp_path):
    """base is found in the folder and loaded when it is first asked for."""
    folder, clip = real_model("base").parent, shared / "audio" / "multilingual.mp3"
    if served.is_sanitized(build / "whisp-server"):
        pytest.skip("skipped: base under a sanitizer takes long")
    written = command(build, folder, "base", clip, tmp_path, "--task", "translate")
    with openai.OpenAI(base_url=real.url + "/v1", api_key="none") as c:
        answer = c.audio.translations.create(model="base", file=clip)
    assert answer.text == json.loads(written["json"])["text"].strip()


def test_curl(real, shared):
    clip = shared / "audio" / "jfk.flac"
    done = subprocess.run(["curl", "-sS", real.url + "/v1/audio/transcriptions", "-F", "file=@%s" % clip, "-F",
                           "model=tiny.en", "-F", "response_format=text"], check=True, capture_output=True, text=True)
    assert "ask not what your country can do for you" in done.stdout
