"""whisp-server and clients that mean it no good, or die: slow ones, gone ones, oversized heads, broken forms, a thousand
connections. They are bounded, the others have their answers, and afterwards memory, descriptors and threads are as before.

And a machine that fails under it: memory, descriptors, disk. Times are only waited for, never asserted.
"""
import concurrent.futures
import http.client
import os
import pathlib
import random
import re
import resource
import select
import socket
import struct
import subprocess
import threading
import time

import pytest

import recordings
import served

PATH = "/v1/audio/transcriptions"
SEED = int(os.environ.get("WHISP_SEED", random.randrange(1 << 30)))
SOAK = float(os.environ.get("WHISP_SOAK_SERVER", 0))  # seconds of the soak's long form


@pytest.fixture(scope="module")
def server(build, invented_dir, brief):
    with served.Server(build, invented_dir, "--model", "english", "--threads", "2", "--timeout", "2", "--max_body", "50000000",
                       *served.ONCE) as s:
        for _ in range(2):  # threads and memory of the queue's places, long and short, are there from then on
            post_at_once(s, brief, 24)
            post_at_once(s, wav(7, 10), 12)
        yield s


def post_at_once(s, recording, n):
    """The answers."""
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        return list(pool.map(lambda _: s.transcribe(recording), range(n)))


@pytest.fixture(scope="module")
def brief():
    """A second of sound as the bytes of a file."""
    return wav(1)


@pytest.fixture(scope="module")
def long_one():
    """Twenty minutes."""
    return wav(10, 120)


def wav(seconds, times=1):
    data = recordings.babble(seconds).tobytes() * times
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, 16000, 32000, 2, 16, b"data",
                       len(data)) + data


def is_well(s, brief):
    """Others have their answers."""
    found = s.transcribe(brief)
    assert found.status == 200 and found.json["text"], found


class Footprint:
    """What the server had before; afterwards it has no more."""

    def __init__(self, s, brief):
        self.s, self.brief, self.is_sanitized = s, brief, served.is_sanitized(pathlib.Path(s.command[0]))
        for _ in range(3):  # what is kept for the next one is there after the first ones
            is_well(s, brief)
        s.wait_until(lambda: s.tasks() == 0)
        self.files, self.threads, self.memory = s.files(), s.threads(), s.memory()

    def is_back(self, memory_kb=64 * 1024):
        """On a busy machine fewer places of the queue were used before than now: they are what grows."""
        s = self.s
        is_well(s, self.brief)
        s.wait_until(lambda: s.tasks() == 0)
        s.wait_until(lambda: s.files() <= self.files and s.threads() <= self.threads, 30, self.compare)
        if not self.is_sanitized:
            s.wait_until(lambda: s.memory() <= self.memory + memory_kb, 30, self.compare)

    def compare(self):
        return "%d descriptors after %d, %d threads after %d, %d kB after %d" % (
            self.s.files(), self.files, self.s.threads(), self.threads, self.s.memory(), self.memory)


@pytest.fixture
def footprint(server, brief):
    f = Footprint(server, brief)
    yield f
    f.is_back()


# ---- slow ones ----


def test_a_byte_a_second(server, footprint, brief):
    """A hundred who do not go on with their heads or bodies: after a time they are sent away, and nobody waits for them."""
    whole = served.request(brief)
    slow = []
    for i in range(100):
        s = server.connect()
        s.sendall(whole[:20] if i % 2 else whole[:400])
        slow.append(s)
    is_well(server, brief)
    deadline = time.monotonic() + served.PATIENCE
    alive = {s: i for i, s in enumerate(slow)}
    while alive and time.monotonic() < deadline:
        for s, i in list(alive.items()):
            try:
                if select.select([s], [], [], 0)[0] and not s.recv(4096):
                    del alive[s]
            except OSError:
                del alive[s]
        time.sleep(0.1)
    assert not alive
    for s in slow:
        s.close()


def test_an_answer_that_nobody_reads(server, footprint, long_one, brief):
    """A stream whose reader does not read: what waits for it is bounded, and it ends."""
    with server.connect() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(served.request(long_one, ("stream", "true"), ("response_format", "json")))
        is_well(server, brief)
        server.wait_until(lambda: server.tasks() == 0)


# ---- gone ones ----


@pytest.mark.parametrize("fields", [[], [("stream", "true")]], ids=["json", "stream"])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_gone_while_it_is_transcribed(server, footprint, long_one, fields, how):
    """Their work ends, long before it would be done."""
    s = server.connect()
    s.sendall(served.request(long_one, *fields))
    server.wait_until(lambda: server.tasks() > 0)
    if how == "reset":
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    before = server.metrics()
    s.close()
    server.wait_until(lambda: server.tasks() == 0, 30)
    after = server.metrics()
    grown = {k: v - before.get(k, 0) for k, v in after.items()}
    assert any("cancel" in k and v == 1 for k, v in grown.items()), grown


def test_gone_in_mid_upload(server, footprint, brief):
    draw = random.Random(SEED)
    print("WHISP_SEED=%d" % SEED)
    whole = served.request(brief)
    for _ in range(200):
        with server.connect() as s:
            s.sendall(whole[:draw.randrange(len(whole))])
    is_well(server, brief)


def test_half_closed(server, brief):
    """Who says that he sends no more may still read."""
    with server.connect() as s:
        s.sendall(served.request(brief))
        s.shutdown(socket.SHUT_WR)
        answer = served.read_all(s)
    assert not answer or b" 200 " in answer.split(b"\r\n")[0]


# ---- broken ones ----


def test_oversized_heads(server, footprint, brief):
    for head in (b"GET /" + b"a" * 1000000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"b" * 1000000 + b"\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(100000)) + b"\r\n",
                 b"G" * 1000000):
        answer = server.raw(head)
        assert not answer or re.match(rb"HTTP/1.1 4\d\d ", answer), answer[:100]
    is_well(server, brief)


def test_oversized_fields(server, footprint, brief):
    """Text fields of a form, and the heads of its parts, do not grow for ever."""
    big = b"x" * 5000000
    for fields in ([("prompt", big)], [("f%d" % i, "y") for i in range(50000)], [("x" * 100000, "y")],
                   [("keywords[]", "k")] * 100000):
        found = server.transcribe(brief, *fields)
        assert found.status in (200, 400, 413, 422), found
    # a part whose own head does not end
    body = b'--xy\r\nContent-Disposition: form-data; name="model' + b"z" * 2000000
    found = server.ask("POST", PATH, body, {"Content-Type": "multipart/form-data; boundary=xy"})
    assert found.status in (400, 413, 422), found


def broken(draw, whole):
    """A form with something wrong with it."""
    data = bytearray(whole)
    for _ in range(draw.choice((1, 1, 2, 5))):
        if not data:
            break
        at = draw.randrange(len(data)) if draw.random() < 0.3 else draw.randrange(min(len(data), 700))
        kind = draw.randrange(5)
        if kind == 0:
            data[at] = draw.randrange(256)
        elif kind == 1:
            del data[at:at + draw.choice((1, 2, 40))]
        elif kind == 2:
            data[at:at] = draw.choice((b"\r\n", b"--", b"\0", b"\r\n--a-line-between-parts\r\n", b'"', b"\r\n\r\n"))
        elif kind == 3:
            del data[at:]
            data += b"\r\n"
        else:
            data[at:at] = data[at:at + 60]
    return bytes(data)


def test_broken_forms(server, footprint, brief):
    """Any answer but 500; and never a hang."""
    draw = random.Random(SEED)
    print("WHISP_SEED=%d" % SEED)
    whole, kind = served.multipart([("model", "english"), ("language", "en"), ("file", "a.wav", brief[:8044])])
    for _ in range(int(os.environ.get("WHISP_BROKEN", 150))):
        found = server.ask("POST", PATH, broken(draw, whole), {"Content-Type": kind})
        assert found.status in (200, 400, 404, 413, 415, 422), found
        assert found.status == 200 or found.error["message"]


def test_a_name_that_is_no_text(server):
    """What an error says of it is text all the same."""
    body = b'--xy\r\nContent-Disposition: form-data; name="na\xffme"\r\n\r\n\0\r\n--xy--\r\n'
    found = server.ask("POST", PATH, body, {"Content-Type": "multipart/form-data; boundary=xy"})
    assert found.status == 400 and found.error["param"] == "na?me", found


def test_broken_requests(server, footprint, brief):
    for data in (b"\0" * 100, b"\x16\x03\x01\x02\0\x01\0", b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                 b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\nx", b"GET / HTTP/9.9\r\n\r\n",
                 b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n" % PATH.encode(),
                 b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"
                 % PATH.encode(),
                 b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                 % PATH.encode()):
        server.raw(data)
    is_well(server, brief)


# ---- many ----


def test_a_thousand_connections(server, brief):
    """Some of them idle, some in mid-request: bounded, and whoever is in is served; then all of it is given back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    before = Footprint(server, brief)
    many, whole = [], served.request(brief)
    try:
        for i in range(1000):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex((server.host, server.port))
            many.append(s)
        for i, s in enumerate(many):
            try:
                select.select([], [s], [], 0.01)
                s.send(whole[:50 * (i % 3)])
            except OSError:
                pass  # sent away
        assert server.process.poll() is None
        assert server.threads() <= before.threads + 40
        assert before.is_sanitized or server.memory() <= before.memory + 64 * 1024
        assert server.files() <= 1200
    finally:
        for s in many:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    server.wait_until(lambda: server.files() <= before.files, 60)
    before.is_back()


def test_more_at_once_than_the_queue_takes(server, footprint, brief):
    """Each has an answer: the text, or 503 with the time after which to come again."""
    answers = post_at_once(server, brief, 80)
    texts = {a.json["text"] for a in answers if a.status == 200}
    assert len(texts) == 1
    assert all(a.status in (200, 503) and (a.status == 200 or int(a.headers["retry-after"]) >= 1) for a in answers)


def test_memory_does_not_grow_with_waiting_recordings(server, footprint, long_one):
    """Ten long recordings wait; they lie in files without names."""
    waiting = []
    for _ in range(10):
        s = server.connect()
        s.sendall(served.request(long_one[:20000000]))
        waiting.append(s)
    server.wait_until(lambda: server.tasks() >= 8 or server.tasks() == 0)
    assert footprint.is_sanitized or server.memory() <= footprint.memory + 250 * 1024
    for s in waiting:
        s.close()


# ---- a machine that fails ----


@pytest.mark.parametrize("limit, value", [(resource.RLIMIT_NOFILE, 40), (resource.RLIMIT_NPROC, 0)],
                         ids=["descriptors", "threads"])
def test_limits(build, invented_dir, brief, limit, value):
    """Fewer descriptors than clients; no more threads: answers are errors, and go on being given when it is over."""
    if limit == resource.RLIMIT_NPROC and os.getuid() == 0:
        pytest.skip("skipped: root may have any number of threads")
    with served.Server(build, invented_dir, "--model", "english", "--threads", "2", "--timeout", "3", *served.ONCE) as s:
        is_well(s, brief)
        resource.prlimit(s.process.pid, limit, (value, value))
        holding = []
        for _ in range(60):
            try:
                c = s.connect(5)
                c.sendall(served.request(brief)[:2000])
                holding.append(c)
            except OSError:
                pass
        time.sleep(0.5)
        assert s.process.poll() is None
        for c in holding:
            c.close()
        s.wait_until(lambda: s.transcribe(brief).status == 200)


def test_a_full_disk(build, invented_dir, brief, long_one, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        with served.Server(build, invented_dir, "--model", "english", *served.ONCE, environment={"TMPDIR": str(disk)}) as s:
            is_well(s, brief)
            found = s.transcribe(long_one[:2000000])
            assert found.status in (413, 500, 503, 507) and found.error["message"], found
            is_well(s, brief)
            assert not list(disk.iterdir())
    finally:
        subprocess.run(["umount", disk], check=True)


def test_failing_allocations(build, invented_dir, brief, tmp_path):
    """One allocation of a request fails, of whatever library: an error or the right answer; the next request has its answer;
    it ends as it should."""
    if served.is_sanitized(build / "whisp-server"):
        pytest.skip("a sanitizer's allocator stands in front")
    count = tmp_path / "count"
    preload = {"LD_PRELOAD": str(build.resolve() / "test" / "libfault.so"), "WHISP_FAULT_COUNT": str(count)}
    options = ["--model", "english", "--threads", "1", *served.ONCE]
    with served.Server(build, invented_dir, *options, environment=preload):
        pass
    first = int(count.read_text())
    with served.Server(build, invented_dir, *options, environment=preload) as s:
        whole = s.transcribe(brief, ("response_format", "verbose_json")).json
    last = int(count.read_text())
    assert last > first + 50
    draw, failed, early = random.Random(SEED), 0, 0
    print("WHISP_SEED=%d, allocations %d to %d" % (SEED, first, last))
    for at in sorted(draw.sample(range(first + 1, last), int(os.environ.get("WHISP_FAULT_MOST", 12)))):
        try:
            server = served.Server(build, invented_dir, *options, environment=dict(preload, WHISP_FAULT_AT=str(at)))
        except AssertionError as ended:  # it was asked more often whether it is there, and this was still its start's
            assert "the server ended (4)" in str(ended) and "out of memory" in str(ended) and at < first + 100, ended
            early += 1
            continue
        with server as s:
            try:
                found = s.transcribe(brief, ("response_format", "verbose_json"))
            except (OSError, http.client.HTTPException):
                found = None  # there was not even memory for an error
            assert s.process.poll() is None, (at, s.log)
            if found and found.status == 200:
                assert found.json == whole, (at, found)
            else:
                failed += 1
            try:
                s.ask("GET", "/v1/models")  # where it was not the request's, but its end's
            except (OSError, http.client.HTTPException):
                pass
            try:
                again = s.transcribe(brief)
            except (OSError, http.client.HTTPException):
                again = None
            if not again or again.status != 200:  # or this one's, where the start took fewer than the one that was counted
                again = s.transcribe(brief)
            assert again.status == 200 and again.json["text"] == whole["text"], (at, again)
    print("%d errors, %d ended in their start" % (failed, early))


# ---- a soak ----


def deal(s, draw, brief, talk, counts):
    """One client of a mixed load: some post, some read a stream, some break off, some ask for what is not there."""
    kind = draw.choice(("post", "post", "stream", "broken", "gone", "gone in mid-work", "health", "background", "nobody"))
    counts[kind] = counts.get(kind, 0) + 1
    if kind == "post":
        found = s.transcribe(draw.choice((brief, talk)), ("response_format", draw.choice(("json", "srt", "verbose_json"))))
        assert found.status in (200, 503), found
    elif kind == "stream":
        found = s.transcribe(talk, ("stream", "true"))
        assert found.status == 503 or served.events(found.body)[-1]["type"] == "transcript.text.done", found
    elif kind == "broken":
        whole, form = served.multipart([("model", "english"), ("file", "a.wav", brief)])
        assert s.ask("POST", PATH, broken(draw, whole), {"Content-Type": form}).status < 500
    elif kind == "gone":
        with s.connect() as c:
            c.sendall(served.request(brief)[:draw.randrange(10000)])
    elif kind == "gone in mid-work":
        with s.connect() as c:
            c.sendall(served.request(talk, ("stream", draw.choice(("true", "false")))))
            time.sleep(draw.random() * 0.3)
    elif kind == "health":
        assert s.ask("GET", "/health").status == 200
    elif kind == "background":
        found = s.transcribe(brief, ("background", "true"))
        assert found.status in (202, 503), found
        if found.status == 202:
            where = found.headers.get("location") or found.json["url"]
            assert s.ask("DELETE" if draw.random() < 0.5 else "GET", where).status < 300
            s.ask("DELETE", where)
    else:
        assert s.transcribe(brief, model="nobody").status == 404


def load(s, seed, brief, talk, n, seconds, counts, errors):
    draw, end = random.Random(seed), time.monotonic() + seconds
    try:
        while n > 0 or time.monotonic() < end:
            deal(s, draw, brief, talk, counts)
            n -= 1
    except BaseException as e:  # pytest's own do not cross threads
        errors.append(e)


def test_soak(server, brief):
    """A mixed load of six clients, in quarters: memory, descriptors and threads after each are those after the first."""
    talk, seen, counts = wav(4, 10), [], {}
    print("WHISP_SEED=%d" % SEED)
    for quarter in range(4):
        errors = []
        clients = [threading.Thread(target=load, args=(server, SEED + 10 * quarter + i, brief, talk, 0 if SOAK else 8,
                                                       SOAK / 4, counts, errors)) for i in range(6)]
        for c in clients:
            c.start()
        for c in clients:
            c.join()
        assert not errors, errors
        server.wait_until(lambda: server.tasks() == 0)
        server.wait_until(lambda: not seen or server.files() <= seen[0][1] and server.threads() <= seen[0][2], 60)
        seen.append((server.memory(), server.files(), server.threads()))
        print("%d kB, %d descriptors, %d threads after %r" % (*seen[-1], counts))
    if not served.is_sanitized(pathlib.Path(server.command[0])):
        assert seen[-1][0] <= max(seen[0][0], seen[1][0]) + 16 * 1024, seen
