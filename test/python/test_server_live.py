"""whisp-server's WebSocket, /v1/live: what the real client library `websockets` hears, and what is refused."""
import json
import re
import socket
import struct
import subprocess
import time
import wave

import pytest
import websockets.exceptions
from websockets.sync.client import connect

import recordings
import served

LIVE = ["--stream_step", "1"]


@pytest.fixture(scope="module")
def server(build, invented_dir):
    with served.Server(build, invented_dir, "--model", "english", "--model", "multilingual", "--live", "3", *served.ONCE,
                       *LIVE) as s:
        yield s


@pytest.fixture(scope="module")
def real(build, real_model):
    """With a model that hears words: an invented one has none that two passes agree on."""
    model = real_model("tiny.en")
    with served.Server(build, model.parent, "--model", "tiny.en", "--stream_step", "3") as s:
        yield s


@pytest.fixture(scope="module")
def speech(shared):
    """Twelve seconds of it as samples."""
    with wave.open(str(shared / "audio/night_12s_if_anything_should_try_to_break_in.wav")) as f:
        assert (f.getframerate(), f.getsampwidth(), f.getnchannels()) == (16000, 2, 1)
        return f.readframes(f.getnframes())


def address(server, **query):
    return "ws://127.0.0.1:%d/v1/live?%s" % (server.port, "&".join("%s=%s" % item for item in query.items()))


def dial(server, **query):
    """A connection; one of those before may not be over yet."""
    while True:
        try:
            return connect(address(server, **query), open_timeout=served.PATIENCE)
        except websockets.exceptions.InvalidStatus as refused:
            if refused.response.status_code != 503:
                raise
            time.sleep(0.05)


def talk(server, samples, piece=3200, end=True, **query):
    """Say the samples (bytes) and the end; all messages, and the code and reason of the close."""
    query.setdefault("model", "english")
    with dial(server, **query) as ws:
        for i in range(0, len(samples), piece):
            ws.send(samples[i : i + piece])
        if end:
            ws.send('{"type": "end"}')
        messages = []
        try:
            while True:
                messages.append(json.loads(ws.recv(served.PATIENCE)))
        except websockets.exceptions.ConnectionClosed as closed:
            return messages, closed.rcvd.code if closed.rcvd else None


def of_type(messages, name):
    return [m for m in messages if m["type"] == name]


def settled(messages):
    return "".join(m["text"] for m in of_type(messages, "words"))


def test_the_final_text_is_the_commands(server, build, invented_dir, noise_wav, tmp_path):
    samples = noise_wav.read_bytes()[44:]
    messages, code = talk(server, samples)
    assert code == 1000 and messages[0] == {"type": "ready", "model": "english", "sample_rate": 16000, "channels": 1}
    assert messages[-1]["type"] == "done" and messages[-1]["incomplete"] is None
    assert messages[-1]["duration"] == pytest.approx(len(samples) / 32000, abs=0.001)
    final = tmp_path / "final.txt"
    command = [str(build / "whisp"), "--model", "english", "--model_dir", str(invented_dir), "--stream", "-", "--stream_final",
               str(final), *served.ONCE, *LIVE]
    with open(noise_wav, "rb") as f:
        subprocess.run(command, stdin=f, check=True, stdout=subprocess.DEVNULL, timeout=served.PATIENCE)
    lines = [re.match(r"\[(\d\d):([\d.]+) --> (\d\d):([\d.]+)\] (.*)", line).groups() for line in
             final.read_text().splitlines()]
    segments = of_type(messages, "segment")
    assert lines and [s["text"] for s in segments] == [text for *_, text in lines]
    assert [s["start"] for s in segments] == [pytest.approx(60 * int(m) + float(s), abs=0.001) for m, s, *_ in lines]
    assert [s["id"] for s in segments] == list(range(len(segments)))


def test_words_settle_and_the_rest_is_the_tail(real, speech):
    messages, code = talk(real, speech, model="tiny.en", word_timestamps="True")
    words = [w for m in of_type(messages, "words") for w in m["words"]]
    assert code == 1000 and len(words) > 15
    assert all(set(w) == {"word", "start", "end", "probability"} and not w["word"].startswith(" ") for w in words)
    assert [w["start"] for w in words] == sorted(w["start"] for w in words)
    assert settled(messages).split() == [w["word"] for w in words]
    assert "down to take care of it. everything is" in settled(messages).lower()  # then "all right" or "alright"
    assert any(m["tail"] for m in of_type(messages, "words")) and of_type(messages, "words")[-1]["tail"] == ""
    for segment in of_type(messages, "segment"):
        assert segment["text"].split() == [w["word"] for w in segment["words"]]
    assert "take care of it" in "".join(s["text"] for s in of_type(messages, "segment"))


def test_words_come_before_the_end_is_said(real, speech):
    """Somebody speaks on: what was said before has come meanwhile."""
    with dial(real, model="tiny.en") as ws:
        heard = []
        for i in range(0, len(speech), 32000):
            ws.send(speech[i : i + 32000])
        while not any(m["type"] == "words" and m["text"] for m in heard):
            heard.append(json.loads(ws.recv(served.PATIENCE)))
        assert not of_type(heard, "done")


def test_other_rates_channels_and_files(server, noise_wav, shared):
    mono = recordings.babble(3)
    stereo = b"".join(struct.pack("<hh", v, v) for v in mono for _ in range(3))
    for samples, query in ((stereo, {"sample_rate": 48000, "channels": 2}), (mono.tobytes(), {}),
                           (noise_wav.read_bytes(), {"sample_rate": 8000}), ((shared / "audio/jfk.flac").read_bytes(), {})):
        messages, code = talk(server, samples, piece=9999, **query)
        assert code == 1000 and messages[-1]["type"] == "done" and messages[-1]["duration"] >= 2.9, messages[-1:]
    assert messages[-1]["duration"] == pytest.approx(11.0, abs=0.1)


def test_a_language_is_told(server, noise_wav):
    messages, _ = talk(server, noise_wav.read_bytes()[44:], model="multilingual", language="de")
    assert messages[-1]["language"] == "de" and messages[0]["model"] == "multilingual"


def test_nothing_said_is_no_error(server):
    messages, code = talk(server, b"")
    assert [m["type"] for m in messages] == ["ready", "done"] and code == 1000 and messages[-1]["duration"] == 0


def test_what_is_no_sound_is_refused(server):
    messages, code = talk(server, b"\x1aE\xdf\xa3" + bytes(5000))  # WebM: only ffmpeg knows it
    assert code == 1003 and "ffmpeg" in messages[-1]["error"]["message"]
    assert messages[-1]["error"]["type"] == "invalid_request_error"


def test_what_breaks_the_agreement_is_refused(server):
    for text in ("end", '{"type": "start"}', "[]", "x" * 4000):
        with dial(server, model="english") as ws:
            ws.send(text)
            with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
                while True:
                    last = json.loads(ws.recv(served.PATIENCE))
            assert closed.value.rcvd.code == 1008 and last["type"] == "error"
    with dial(server, model="english") as ws:
        ws.send('{"type": "end"}')
        ws.send(b"more")
        with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
            while True:
                ws.recv(served.PATIENCE)
        assert closed.value.rcvd.code in (1000, 1008)  # it may have ended before
    with dial(server, model="english") as ws:
        ws.send("x" * 4097)
        with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
            while True:
                ws.recv(served.PATIENCE)
        assert closed.value.rcvd.code == 1009


def shake_hands(server, path="/v1/live?model=english", **headers):
    lines = {"Host": "127.0.0.1:%d" % server.port, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version":
             "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", **headers}
    s = server.connect()
    s.sendall(b"GET %s HTTP/1.1\r\n" % path.encode() + b"".join(b"%s: %s\r\n" % (k.encode(), v.encode()) for k, v in
                                                               lines.items() if v is not None) + b"\r\n")
    head = b""
    while b"\r\n\r\n" not in head:
        piece = s.recv(1)
        assert piece, head
        head += piece
    return s, head.decode()


def status(server, **headers):
    s, head = shake_hands(server, **headers)
    s.close()
    return int(head.split()[1])


def test_the_handshake_is_the_standards(server):
    s, head = shake_hands(server)
    assert head.startswith("HTTP/1.1 101 ") and "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
    assert re.search(r"\r\nUpgrade: websocket\r\n", head, re.I) and re.search(r"\r\nConnection: Upgrade\r\n", head, re.I)
    s.sendall(b"\x81\x02{}")  # not masked
    data = served.read_all(s)
    assert b"\x88\x02\x03\xea" in data  # 1002
    s.close()


def test_what_is_no_handshake_has_an_http_error(server):
    port = server.port
    assert status(server, Upgrade=None) == 426
    assert status(server, Connection="close") == 426
    assert status(server, **{"Sec-WebSocket-Version": "8"}) == 426
    assert status(server, **{"Sec-WebSocket-Key": "short"}) == 400
    assert status(server, **{"Sec-WebSocket-Key": None}) == 400
    assert status(server, Origin="http://evil.example") == 403
    assert status(server, Origin="null") == 403
    assert status(server, Origin="http://127.0.0.1:%d" % port) == 101
    for query, expected, param in (("model=none-such", 404, "model"), ("sample_rate=12x", 400, "sample_rate"),
                                   ("channels=0", 400, "channels"), ("language=klingon", 400, "language"),
                                   ("stream_step=-3", 400, "stream_step"), ("temperature=hot", 400, "temperature")):
        answer = server.ask("GET", "/v1/live?" + query, headers={
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key":
            "dGhlIHNhbXBsZSBub25jZQ=="})
        assert answer.status == expected and answer.error["param"] == param, answer
    server.wait_until(lambda: status(server) == 101)


def fill(server):
    """Connections until one is refused, which is the last."""
    talks = [shake_hands(server)]
    while " 101 " in talks[-1][1]:
        talks.append(shake_hands(server))
    return talks


def test_only_so_many_at_a_time(server):
    most = 0
    while most < 3:  # those of other tests may not have left yet
        talks = fill(server)
        most = len(talks) - 1
        for s, _ in talks:
            s.close()
    assert most == 3 and " 503 " in talks[-1][1] and "\r\nRetry-After: " in talks[-1][1]
    server.wait_until(lambda: status(server) == 101)


def test_clients_that_vanish_leave_nothing(server, noise_wav):
    samples = noise_wav.read_bytes()[44:]
    talk(server, samples)
    server.wait_until(lambda: server.threads() <= threads_at_rest(server))
    files, threads = server.files(), server.threads()
    for i in range(12):
        server.wait_until(lambda: begin_and_vanish(server, samples, i))
    server.wait_until(lambda: server.threads() <= threads and server.files() <= files)
    assert talk(server, samples)[1] == 1000


def threads_at_rest(server):
    """What it has when nobody speaks: asked once."""
    if not hasattr(server, "at_rest"):
        time.sleep(1)
        server.at_rest = server.threads()
    return server.at_rest


def begin_and_vanish(server, samples, way):
    s, head = shake_hands(server)
    if " 101 " not in head:
        s.close()
        return False
    if way % 3 > 0:
        part = samples[: 32000 * (way % 5)] + b"xx"
        s.sendall(b"\x82\xff" + struct.pack(">Q", len(samples)) + bytes(4) + part[:65000])  # amid a frame
    if way % 2:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
    s.close()
    return True


def test_a_key_is_asked_for(build, invented_dir):
    with served.Server(build, invented_dir, "--model", "english", "--api_key", "sesame", *served.ONCE) as server:
        assert status(server) == 401
        assert status(server, Authorization="Bearer sesame") == 101
        assert status(server, path="/v1/live?model=english&api_key=sesame") == 101
        assert status(server, path="/v1/live?model=english&api_key=simsalabim") == 401


def test_other_pages_may_where_it_is_allowed(build, invented_dir):
    with served.Server(build, invented_dir, "--model", "english", "--cors", "http://friend.example", *served.ONCE) as server:
        assert status(server, Origin="http://friend.example") == 101
        assert status(server, Origin="http://evil.example") == 403


def test_at_the_servers_end_what_is_left_is_said(build, real_model, speech):
    model = real_model("tiny.en")
    with served.Server(build, model.parent, "--model", "tiny.en", "--stream_step", "2") as server:
        with connect(address(server)) as ws:
            ws.send(speech[: 5 * 32000])
            while json.loads(ws.recv(served.PATIENCE))["type"] != "words":
                pass
            server.process.terminate()
            messages = []
            with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
                while True:
                    messages.append(json.loads(ws.recv(served.PATIENCE)))
            assert closed.value.rcvd.code == 1001
            assert messages[-1]["type"] == "done" and messages[-1]["duration"] == 5.0
            assert "take care" in messages[-2]["text"] and messages[-2]["type"] == "segment"
        assert server.process.wait(served.PATIENCE) == 0
