"""whisp-server as programs without OpenAI's package see it: forms in any order, curl, headers, errors, background jobs,
health and metrics; and as who runs it sees it: options, signals, reload, logs, a socket from systemd."""
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

import recordings
import served

PIPE, NULL = subprocess.PIPE, subprocess.DEVNULL
PATH = "/v1/audio/transcriptions"


@pytest.fixture(scope="module")
def server(build, invented_dir):
    with served.Server(build, invented_dir, "--model", "english", "--threads", "2", *served.ONCE) as s:
        yield s


@pytest.fixture(scope="module")
def text(server, noise_wav):
    """What is said in the recording."""
    found = server.transcribe(noise_wav)
    assert found.status == 200, found
    return found.json["text"]


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """Ten minutes."""
    return recordings.write_wav(tmp_path_factory.mktemp("talk") / "talk.wav", 60 * recordings.babble(10.0))


def run(build, *arguments, **settings):
    """The server, which is expected to end by itself."""
    return subprocess.run([build / "whisp-server", *map(str, arguments)], stdin=NULL, stdout=PIPE, stderr=PIPE, text=True,
                          timeout=served.PATIENCE, **settings)


# ---- forms ----


def test_fields_in_any_order(server, noise_wav, text):
    draw = random.Random(5)
    fields = [("model", "english"), ("response_format", "json"), ("file", "a.wav", noise_wav.read_bytes()),
              ("temperature", "0"), ("unknown", "x" * 100), ("language", "en")]
    for _ in range(6):
        draw.shuffle(fields)
        found = server.post(PATH, fields)
        assert found.status == 200 and found.json["text"] == text, found


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_the_body_in_pieces(server, noise_wav, text, size):
    """However the bytes come, chunked or not; boundaries and names may be split anywhere."""
    data = noise_wav.read_bytes() if size > 1 else noise_wav.read_bytes()[:44 + 6400]
    body, kind = served.multipart([("model", "english"), ("file", "a.wav", data)])
    head = ("POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: %s\r\n" % (PATH, kind)).encode()
    with server.connect() as c:
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        c.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(body), size):
            piece = body[at:at + size]
            c.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        c.sendall(b"0\r\n\r\n")
        answer = served.read_all(c)
    assert b" 200 " in answer.split(b"\r\n")[0], answer[:300]
    assert size == 1 or json.loads(answer.partition(b"\r\n\r\n")[2].strip().decode())["text"] == text


@pytest.mark.parametrize("boundary", ["xx", "-" * 40 + "7d1", "a'()+_,-./:=?b", "quoted boundary"])
def test_boundaries(server, noise_wav, text, boundary):
    body, _ = served.multipart([("model", "english"), ("file", "a.wav", noise_wav.read_bytes())], boundary)
    found = server.ask("POST", PATH, body, {"Content-Type": 'multipart/form-data; boundary="%s"' % boundary})
    assert found.status == 200 and found.json["text"] == text


@pytest.mark.parametrize("before, behind", [(b"\r\n", b"\r\n"), (b"", b""), (b"", b"\r\n"), (b"before\r\n", b"\r\nbehind")])
def test_the_forms_ends(server, noise_wav, text, before, behind):
    """A line end, or more, before the first boundary and behind the last one is there or not."""
    body, kind = served.multipart([("model", "english"), ("file", "a.wav", noise_wav.read_bytes())])
    found = server.ask("POST", PATH, before + body[:-2] + behind, {"Content-Type": kind})
    assert found.status == 200 and found.json["text"] == text


def test_names_without_quotes(server, noise_wav, text):
    """As .NET's MultipartFormDataContent writes them; and a parameter behind the boundary."""
    head = "Content-Disposition: form-data; name=%s\r\n\r\n"
    file = "Content-Type: audio/wav\r\n" + head % "file; filename=a.wav; filename*=utf-8''a.wav"
    body = ("--x\r\n" + head % "model" + "english\r\n--x\r\n" + file).encode() + noise_wav.read_bytes() + b"\r\n--x--\r\n"
    for kind in ('multipart/form-data; boundary="x"', "Multipart/Form-Data; Boundary=x; charset=utf-8"):
        found = server.ask("POST", PATH, body, {"Content-Type": kind})
        assert found.status == 200 and found.json["text"] == text, found


def test_one_recording_a_request(server, noise_wav):
    """The second one was passed over without a word."""
    found = server.post(PATH, [("model", "english"), *[("file", "a.wav", noise_wav.read_bytes())] * 2])
    assert found.status == 400 and found.json["error"]["param"] == "file"


def test_a_model_beside_that_is_missing(build, invented_dir, noise_wav, tmp_path):
    """Is no failure that another try would mend; and where it was looked for is nothing for strangers."""
    with served.Server(build.resolve(), invented_dir.resolve(), "--model", "english", *served.ONCE, cwd=tmp_path,
                       environment={"HOME": str(tmp_path)}) as server:
        for fields, name in (([("chunking_strategy", '{"type": "server_vad"}')], "silero-vad"),
                             ([("response_format", "diarized_json")], "speakers")):
            found = server.post(PATH, [("model", "english"), *fields, ("file", "a.wav", noise_wav.read_bytes())])
            assert found.status == 400 and found.json["error"]["message"].endswith(
                "%s: this server has no such model; on the server, `whisp-get %s` fetches it" % (name, name)), found


@pytest.mark.parametrize("extension", ["flac", "ogg", "opus", "mp3", "aiff", "au"])
def test_recordings_of_all_kinds(server, tmp_path, extension):
    """Whatever they are called: the bytes say what they are."""
    path = tmp_path / ("noise." + extension)
    if not recordings.write_sndfile(path, recordings.babble(3), extension):
        pytest.skip("libsndfile here cannot write " + extension)
    found = server.post(PATH, [("model", "english"), ("file", "blob", path.read_bytes())])
    assert found.status == 200 and found.json["text"], found


@pytest.mark.parametrize("extension, codec", [("m4a", "aac"), ("webm", "libopus"), ("mp4", "aac"), ("aac", "aac")])
def test_recordings_through_ffmpeg(build, server, invented_dir, noise_wav, tmp_path, extension, codec):
    """Where there is one; where not, the answer says what is missing."""
    if not shutil.which("ffmpeg"):
        pytest.skip("skipped: no ffmpeg here")
    path = tmp_path / ("noise." + extension)
    subprocess.run(["ffmpeg", "-v", "error", "-i", noise_wav, "-c:a", codec, path], check=True)
    found = server.post(PATH, [("model", "english"), ("file", path.name, path.read_bytes())])
    assert found.status == 200 and found.json["usage"]["seconds"] == pytest.approx(7, abs=1.01), found
    if extension == "m4a":
        empty = tmp_path / "empty"
        empty.mkdir()
        with served.Server(build, invented_dir, "--model", "english", *served.ONCE, environment={"PATH": str(empty)}) as s:
            found = s.post(PATH, [("model", "english"), ("file", path.name, path.read_bytes())])
            assert found.status == 415 and "ffmpeg" in found.error["message"], found


def test_a_recording_that_names_others(server, tmp_path):
    """A playlist is no recording: nothing of the machine's is read, nothing is fetched."""
    secret = tmp_path / "secret.wav"
    recordings.write_wav(secret, recordings.babble(1))
    for playlist in ("#EXTM3U\n#EXTINF:1,\nfile://%s\n" % secret, "ffconcat version 1.0\nfile %s\n" % secret):
        for name in ("a.m3u8", "a.m4a", "a.ffconcat"):
            found = server.post(PATH, [("model", "english"), ("file", name, playlist.encode())])
            assert found.status in (400, 415, 422) and found.error["param"] == "file", found


def test_what_the_command_would_warn_of(server, noise_wav):
    """In every answer: a list in JSON and in the last event, headers besides."""
    language = "the model english knows English only; language de is ignored"
    found = server.transcribe(noise_wav, ("language", "de"), ("prompt", "word " * 500))
    warnings = found.json["warnings"]
    assert found.status == 200 and len(warnings) == 2 and language in warnings, found
    assert any("initial_prompt has" in w for w in warnings) and not any("/" in w for w in warnings)
    assert sorted(v for k, v in found.all_headers if k == "whisp-warning") == sorted(warnings)
    text = server.transcribe(noise_wav, ("language", "de"), ("response_format", "text"))
    assert text.headers["whisp-warning"] == language
    events = server.transcribe(noise_wav, ("language", "de"), ("stream", "true")).body.decode()
    assert json.loads(events.strip().split("data: ")[-1])["warnings"] == [language]
    assert "warnings" not in server.transcribe(noise_wav).json


def test_curl_waits_for_100(server, talk):
    """A large upload: curl asks first (Expect: 100-continue), and need not wait its second."""
    done = subprocess.run(["curl", "-sS", "-v", server.url + PATH, "-F", "file=@%s" % talk, "-F", "model=english", "-F",
                           "response_format=text"], check=True, capture_output=True)
    assert b"100 Continue" in done.stderr and done.stdout.strip()


def test_one_connection_for_many(server, noise_wav, text):
    import http.client
    body, kind = served.multipart([("model", "english"), ("file", "a.wav", noise_wav.read_bytes())])
    connection = http.client.HTTPConnection(server.host, server.port, timeout=served.PATIENCE)
    for _ in range(3):
        connection.request("POST", PATH, body, {"Content-Type": kind})
        assert json.loads(connection.getresponse().read())["text"] == text
        sock = connection.sock
        connection.request("GET", "/health")
        connection.getresponse().read()
        assert connection.sock is sock is not None
    connection.close()


# ---- errors ----


@pytest.mark.parametrize("method, path, headers, body, statuses", [
    ("GET", "/v2", {}, None, {404}), ("GET", PATH, {}, None, {404, 405}), ("DELETE", "/health", {}, None, {404, 405}),
    ("POST", PATH, {}, b"hello", {400, 415}), ("POST", PATH, {"Content-Type": "application/json"}, b"{}", {400, 415}),
    ("POST", PATH, {"Content-Type": "multipart/form-data"}, b"--x--", {400, 415}),
    ("GET", "/" + "a" * 2000, {}, None, {404, 414}), ("GET", "/v1/%00", {}, None, {400, 404}),
    ("GET", "/..%2f..%2fetc/passwd", {}, None, {404}),
    ("GET", "/v1/jobs/none", {}, None, {404}), ("DELETE", "/v1/jobs/../..", {}, None, {404})])
def test_errors_are_openais(server, method, path, headers, body, statuses):
    found = server.ask(method, path, body, headers)
    assert found.status in statuses, found
    assert found.headers["content-type"].startswith("application/json") and found.error["message"]


def test_what_is_missing_is_named(server, noise_wav):
    found = server.post(PATH, [("model", "english")])
    assert found.status == 400 and found.error["param"] == "file"
    found = server.post(PATH, [("file", "a.wav", noise_wav.read_bytes())])
    assert found.status == 200 or found.error["param"] == "model", found
    assert server.post(PATH, [("model", "english"), ("file", "not a file, but a text")]).status in (400, 415, 422)


def test_a_body_that_is_too_large(build, invented_dir, noise_wav):
    """Told from its length before it is sent, and at the byte where its length is not known."""
    with served.Server(build, invented_dir, "--model", "english", *served.ONCE, "--max_body", "200000") as s:
        assert s.transcribe(noise_wav.read_bytes()[:44 + 64000]).status == 200
        body, kind = served.multipart([("model", "english"), ("file", "a.wav", bytes(300000))])
        head = ("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\n" % (PATH, kind)).encode()
        with s.connect() as c:  # nothing of it is sent
            c.sendall(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
            assert b" 413 " in c.recv(65536).split(b"\r\n")[0]
        with s.connect() as c:  # who sends without asking is not cut off, which would lose the answer
            c.sendall(head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body))
            for at in range(0, len(body), 50000):
                time.sleep(0.05)
                c.sendall(body[at:at + 50000])
            assert b" 413 " in served.read_all(c).split(b"\r\n")[0]
        with s.connect() as c:
            c.sendall(head + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
            try:
                for at in range(0, len(body), 10000):
                    piece = body[at:at + 10000]
                    c.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                c.sendall(b"0\r\n\r\n")
            except OSError:
                pass  # it need not be read to its end
            answer = served.read_all(c)
            assert not answer or b" 413 " in answer.split(b"\r\n")[0]
        assert s.ask("GET", "/health").status == 200


def test_what_comes_behind_a_refusal_is_no_request(build, invented_dir, noise_wav):
    """Bytes of a body that is refused are not taken for the next request."""
    with served.Server(build, invented_dir, "--model", "english", *served.ONCE, "--api_key", "k") as s:
        hidden = b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n\r\n"
        answer = s.raw(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
                       % (PATH.encode(), len(hidden)) + hidden)
        assert answer.count(b"HTTP/1.1 ") == 1 and b" 401 " in answer


# ---- browsers ----


def test_cors(build, server, invented_dir):
    """Only where it is asked for."""
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST",
             "Access-Control-Request-Headers": "authorization"}
    assert "access-control-allow-origin" not in server.ask("OPTIONS", PATH, headers=asked).headers
    with served.Server(build, invented_dir, "--model", "english", "--api_key", "secret", "--cors",
                       "https://app.example") as s:
        found = s.ask("OPTIONS", PATH, headers=asked)  # a browser sends no key with it
        assert found.status in (200, 204) and found.headers["access-control-allow-origin"] == "https://app.example"
        assert "POST" in found.headers["access-control-allow-methods"]
        assert "authorization" in found.headers["access-control-allow-headers"].lower()
        found = s.ask("GET", "/v1/models", headers={"Origin": "https://app.example"})
        assert found.status == 401 and found.headers["access-control-allow-origin"] == "https://app.example"


# ---- jobs ----


def test_background(server, noise_wav, text):
    found = server.transcribe(noise_wav, ("background", "true"), ("response_format", "verbose_json"))
    assert found.status == 202, found
    where = found.headers.get("location") or found.json["url"]
    seen = []

    def is_done():
        seen.append(server.ask("GET", where))
        assert seen[-1].status in (200, 202), seen[-1]
        assert seen[-1].status == 200 or seen[-1].json["status"] in ("queued", "running")
        return seen[-1].status == 200
    server.wait_until(is_done)
    assert seen[-1].json["text"] == text and seen[-1].json["segments"]
    assert server.ask("DELETE", where).status in (200, 204)
    assert server.ask("GET", where).status == 404


def test_a_job_is_cancelled(build, server, talk):
    found = server.transcribe(talk, ("background", "true"))
    assert found.status == 202
    where = found.headers.get("location") or found.json["url"]
    first = server.ask("GET", where)
    assert first.status == 202 and "progress" in first.json
    assert server.ask("DELETE", where).status in (200, 202, 204)
    server.wait_until(lambda: server.tasks() == 0, 20)


def test_jobs_belong_to_their_key(build, invented_dir, noise_wav, tmp_path):
    (tmp_path / "keys").write_text("one\ntwo\n")
    with served.Server(build, invented_dir, "--model", "english", *served.ONCE, "--api_keys", tmp_path / "keys") as s:
        one, two = ({"Authorization": "Bearer " + k} for k in ("one", "two"))
        found = s.transcribe(noise_wav, ("background", "true"), headers=one)
        where = found.headers.get("location") or found.json["url"]
        assert s.ask("GET", where, headers=two).status == 404 and s.ask("DELETE", where, headers=two).status == 404
        assert s.ask("GET", where).status == 401
        assert s.ask("GET", where, headers=one).status in (200, 202)


# ---- who runs it ----


def test_metrics(server, noise_wav):
    """Prometheus' text; counters grow by what was done."""
    before = server.metrics()
    server.transcribe(noise_wav)
    server.transcribe(noise_wav, model="nobody")
    after = server.metrics()
    grown = {k: after[k] - before.get(k, 0) for k in after if after[k] != before.get(k, 0)}
    assert any("audio" in k and v == pytest.approx(7, abs=0.1) for k, v in grown.items()), grown
    assert any("requests" in k and v >= 1 for k, v in grown.items()), grown
    text = server.ask("GET", "/metrics")
    assert text.headers["content-type"].startswith("text/plain")
    for line in text.text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) \w+ .+|\w+(\{[^{}]*\})? [-+.\deNna]+|", line), line
    typed = set(re.findall(r"^# TYPE (\w+) (?:counter|gauge|histogram|summary)$", text.text, re.M))
    named = {re.sub(r"_(bucket|sum|count)$", "", n) for n in re.findall(r"^(\w+)", text.text, re.M)}
    assert named <= typed and all(n.startswith(("whisp_", "process_")) for n in named), named - typed


def test_logs_are_a_line_a_request(build, invented_dir, noise_wav):
    """Nothing of what was said, no names of recordings, no prompt, no key."""
    with served.Server(build, invented_dir, "--model", "english", *served.ONCE, "--api_key", "the-secret") as s:
        form = [("model", "english"), ("prompt", "xenophon"), ("file", "grandmother.wav", noise_wav.read_bytes())]
        said = s.post(PATH, form, {"Authorization": "Bearer the-secret"}).json["text"]
        s.says(r"POST %s.* 200" % PATH)
        s.ask("GET", "/nothing%0a%1bhere")
        s.says(r" 40[14]")
        assert len([line for line in s.lines if PATH in line]) == 1
        for secret in ("grandmother", "xenophon", "the-secret", said[:20]):
            assert secret not in s.log
        assert "\x1b" not in s.log


def test_sigterm_lets_jobs_end(build, invented_dir, talk, noise_wav):
    """What runs is finished; new ones are refused or not heard; the status is 0."""
    with served.Server(build, invented_dir, "--model", "english", *served.ONCE) as s:
        with s.connect() as c:
            c.sendall(served.request(talk.read_bytes()))
            s.wait_until(lambda: s.tasks() > 0)
            s.process.send_signal(signal.SIGTERM)
            answer = served.read_all(c)
            assert b" 200 " in answer.split(b"\r\n")[0], answer[:500]
        assert s.process.wait(served.PATIENCE) == 0


def test_so_many_for_one_client(build, invented_dir, talk, noise_wav):
    """Whichever way it asks. Two recordings take seconds."""
    port = served.free_port()
    with served.Server(build, invented_dir, "--model", "english", *served.ONCE, "--sample_len", "220", "--beam_size", "5",
                       "--threads", "1", "--client_queue", "2", "--wyoming_port", port) as s:
        asked = served.request(talk.read_bytes())
        with s.connect() as a, s.connect() as b:
            a.sendall(asked)
            b.sendall(asked)
            s.wait_until(lambda: s.tasks() == 2)
            sound = noise_wav.read_bytes()
            for found in (s.transcribe(sound), s.post("/asr?model=english", [("audio_file", "a.wav", sound)])):
                assert found.status == 429 and found.error["code"] == "rate_limit_exceeded", found
                assert int(found.headers["retry-after"]) >= 1
            with socket.create_connection(("127.0.0.1", port), served.PATIENCE) as w:
                w.sendall(b'{"type": "audio-chunk", "data": {"rate": 16000, "width": 2, "channels": 1}, "payload_length": 3200}\n'
                          + bytes(3200) + b'{"type": "audio-stop"}\n')
                assert b'"busy"' in served.read_all(w)
        s.wait_until(lambda: s.tasks() == 0)
        assert s.transcribe(sound).status == 200


def test_grace_has_an_end(build, invented_dir, talk):
    """What takes longer is cancelled, and told so: ten times ten minutes."""
    with served.Server(build, invented_dir, "--model", "english", *served.ONCE, "--sample_len", "220", "--grace", "1",
                       "--beam_size", "5", "--threads", "1") as s:
        asked = served.request(talk.read_bytes())
        clients = [s.connect() for _ in range(10)]
        for c in clients:
            c.sendall(asked)
        s.wait_until(lambda: s.tasks() > 0)
        s.process.send_signal(signal.SIGTERM)
        answers = [served.read_all(c) for c in clients]
        for c in clients:
            c.close()
        assert any(b" 503 " in a[:16] and b'"cancelled"' in a for a in answers), [a[:300] for a in answers]
        assert all(a[:13] in (b"HTTP/1.1 200 ", b"HTTP/1.1 503 ") for a in answers), [a[:300] for a in answers]
        assert s.process.wait(served.PATIENCE) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it(build, invented_dir, number):
    s = served.Server(build, invented_dir, "--model", "english")
    assert s.end(number) in (0, 128 + number)


def test_reload_of_a_model(build, invented_dir, noise_wav, tmp_path):
    """SIGHUP: a model whose file is another one now; requests go on meanwhile."""
    (tmp_path / "m.gguf").write_bytes((invented_dir / "english.gguf").read_bytes())
    with served.Server(build, tmp_path, "--model", "m", *served.ONCE) as s:
        before = s.transcribe(noise_wav, model="m").json["text"]
        (tmp_path / "new").write_bytes((invented_dir / "multilingual.gguf").read_bytes())
        os.rename(tmp_path / "new", tmp_path / "m.gguf")
        assert s.transcribe(noise_wav, model="m").json["text"] == before
        s.process.send_signal(signal.SIGHUP)
        s.wait_until(lambda: s.transcribe(noise_wav, model="m").json["text"] != before)


def test_wrong_command_lines(build, invented_dir, tmp_path):
    twin = tmp_path / "english.gguf"
    twin.symlink_to(invented_dir / "english.gguf")
    with served.Server(build, invented_dir, "--model", "english") as s:
        for arguments, words in [
                (["--port", s.port], "port|address"), (["--model", "nobody"], "nobody"), (["--port", "70000"], "port"),
                (["--nothing"], "nothing"), (["--max_body", "x"], "max_body"), (["--temperature", "hot"], "temperature"),
                (["--model", invented_dir / "english.gguf", "--model", twin], "both"),
                (["--api_keys", tmp_path / "none"], "none"), (["--host", "no.such.host.invalid"], "no.such.host"),
                # what every request would fail of
                (["--vocabulary", tmp_path / "none"], "vocabulary"),
                (["--vad_model", tmp_path / "none", "--vad_filter", "True"], "vad_model")]:
            done = run(build, "--model_dir", invented_dir, *([] if "--model" in arguments else ["--model", "english"]),
                       *([] if "--port" in arguments else ["--port", "0"]), *arguments)
            assert 0 < done.returncode < 126 and re.search(words, done.stderr), (arguments, done)


def test_a_folder_for_uploads_is_wanted(build, invented_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    done = run(build, "--model_dir", invented_dir, "--model", "english", "--port", "0")
    assert done.returncode == 1 and "TMPDIR" in done.stderr


def test_help(build):
    done = run(build, "--help")
    assert done.returncode == 0 and not done.stderr
    names = set(re.findall(r"--(\w+)", done.stdout))
    assert {"model", "host", "port", "api_key", "max_body", "queue", "timeout", "threads", "batch_size", "backend",
            "language", "temperature", "vad_filter"} <= names
    assert max(map(len, done.stdout.splitlines())) <= 100
    for text in "--help", "--version":
        with open("/dev/full", "w") as full:
            assert subprocess.run([build / "whisp-server", text], stdout=full).returncode == 5


def test_a_socket_from_systemd(build, invented_dir, noise_wav, tmp_path):
    """LISTEN_FDS: descriptor 3 listens already; a request that came before the server waits for it."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        port = listening.getsockname()[1]
        script = 'exec env LISTEN_PID=$$ LISTEN_FDS=1 "$@" 3<&%d' % listening.fileno()
        command = ["bash", "-c", script, "-", str(build.resolve() / "whisp-server"), "--model_dir", str(invented_dir),
                   "--model", "english", *served.ONCE]
        process = subprocess.Popen(command, stdin=NULL, stdout=PIPE, stderr=subprocess.STDOUT,
                                   pass_fds=[listening.fileno()])
        try:
            with socket.create_connection(("127.0.0.1", port), served.PATIENCE) as c:
                c.sendall(served.request(noise_wav.read_bytes()))
                assert b" 200 " in served.read_all(c).split(b"\r\n")[0]
            process.terminate()
            assert process.wait(served.PATIENCE) == 0
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def test_nothing_is_written_but_in_tmpdir(build, invented_dir, noise_wav, tmp_path):
    """And nothing is left there: uploads have no names. Where TMPDIR goes away, the answer says so."""
    temporary, work = tmp_path / "tmp", tmp_path / "work"
    temporary.mkdir()
    work.mkdir()
    with served.Server(build, invented_dir, "--model", "english", *served.ONCE, cwd=work,
                       environment={"TMPDIR": str(temporary), "HOME": str(work)}) as s:
        assert s.transcribe(noise_wav, ("keywords[]", "Recsperts")).status == 200
        assert not list(temporary.iterdir()) and not list(work.iterdir())
    assert not list(temporary.iterdir()) and not list(work.iterdir())
    with served.Server(build, invented_dir, "--model", "english", environment={"TMPDIR": str(temporary)}) as s:
        temporary.rmdir()
        found = s.transcribe(noise_wav)
        assert found.status in (500, 503) and found.error["message"], found
        assert s.ask("GET", "/health").status == 200
