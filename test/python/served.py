"""A real whisp-server for tests: started on a free port, spoken to by sockets, looked at from outside (memory, descriptors,
threads), ended by a signal.

Its defaults are those of a test: an address that nobody else has (--port 0; the server says which it became), models from
one folder and nowhere else.
"""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

PATIENCE = 120  # seconds until something is taken for a hang; a busy machine with a sanitizer takes tens of them
# One decoding of each window: quick, nothing is sampled, and invented models are heard.
ONCE = ["--temperature", "0", "--temperature_increment_on_fallback", "None", "--no_speech_threshold", "None",
        "--hallucination_guard", "False", "--sample_len", "8"]


def is_sanitized(program):
    """What it says of memory and times is not comparable then; its allocator stands in front."""
    data = program.read_bytes()
    return b"__asan_init" in data or b"__tsan_init" in data


class Answer:
    """A status, headers with small letters, and bytes."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, {k.lower(): v for k, v in headers}, body
        self.all_headers = [(k.lower(), v) for k, v in headers]  # those that come twice, too

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """The four fields of an error as OpenAI writes it."""
        found = self.json["error"]
        assert set(found) == {"message", "type", "param", "code"} and found["message"], found
        return found

    def __repr__(self):
        return "%d %r %r" % (self.status, self.headers, self.body[:600])


def multipart(fields, boundary="a-line-between-parts"):
    """A body and its type. A field is (name, text) or (name, file's name, bytes)."""
    parts = []
    for name, *value in fields:
        head = 'Content-Disposition: form-data; name="%s"' % name
        if len(value) == 2:
            head += '; filename="%s"\r\nContent-Type: application/octet-stream' % value[0]
        data = value[-1] if isinstance(value[-1], bytes) else str(value[-1]).encode()
        parts.append(b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary.encode(), head.encode(), data))
    return b"".join(parts) + b"--%s--\r\n" % boundary.encode(), "multipart/form-data; boundary=" + boundary


def request(recording, *fields, path="/v1/audio/transcriptions", model="english", head=b"Connection: close\r\n"):
    """A whole POST as bytes; its model stands first, the recording last."""
    body, kind = multipart([("model", model), *fields, ("file", "clip.wav", recording)])
    return b"POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (
        path.encode(), head, kind.encode(), len(body)) + body


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def events(body):
    """Server-sent events: what each `data:` holds. Comments are left out."""
    found = []
    for block in body.decode().replace("\r\n", "\n").split("\n\n"):
        data = [line[5:].lstrip() for line in block.split("\n") if line.startswith("data:")]
        if data and data != ["[DONE]"]:
            found.append(json.loads("\n".join(data)))
    return found


class Server:
    def __init__(self, build, model_dir, *options, environment=None, ready=True, **settings):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("WHISP_MODEL", "WHISP_API"))}
        self.lines, self.port, self.came = [], None, threading.Condition()
        self.command = [str(c) for c in (build / "whisp-server", "--port", "0", "--model_dir", model_dir, *options)]
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env={**env, **(environment or {})}, **settings)
        self.reader = threading.Thread(target=self.listen, daemon=True)
        self.reader.start()
        self.host = "127.0.0.1"
        try:
            self.port = int(self.says(r"https?://[^/\s]*:(\d+)").group(1))
            if ready:
                self.wait_until(self.is_healthy)
        except BaseException:
            self.kill()
            raise

    def is_healthy(self):
        """Whether it says so. An answer that broke off, for want of memory, is none; a server that ended is told by who waits."""
        try:
            return self.ask("GET", "/health").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def listen(self):
        for line in self.process.stdout:
            with self.came:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self.came.notify_all()
        with self.came:
            self.lines.append("")  # the end
            self.came.notify_all()

    @property
    def log(self):
        return "\n".join(self.lines)

    def says(self, pattern, after=0):
        """Wait for a line with this in it; the match."""
        deadline = time.monotonic() + PATIENCE
        with self.came:
            while True:
                for line in self.lines[after:]:
                    found = re.search(pattern, line)
                    if found:
                        return found
                if self.lines and self.lines[-1] == "" and not self.reader.is_alive() or self.process.poll() is not None \
                        and not self.reader.is_alive():
                    raise AssertionError("the server ended (%s):\n%s" % (self.process.poll(), self.log))
                if time.monotonic() > deadline:
                    raise AssertionError("no line with %r:\n%s" % (pattern, self.log))
                self.came.wait(0.1)

    def wait_until(self, is_so, seconds=PATIENCE, tell=str):
        """Ask again and again until it is so. `tell` says how it is instead."""
        deadline = time.monotonic() + seconds
        while not is_so():
            assert self.process.poll() is None, "the server ended (%s):\n%s" % (self.process.poll(), self.log)
            assert time.monotonic() < deadline, "it does not become so: %s\n%s" % (tell(), self.log[-4000:])
            time.sleep(0.02)

    # ---- speaking to it ----

    @property
    def url(self):
        return "http://%s:%d" % (self.host, self.port)

    def connect(self, timeout=PATIENCE):
        return socket.create_connection((self.host, self.port), timeout)

    def ask(self, method, path, body=None, headers=None, timeout=PATIENCE):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def post(self, path, fields, headers=None, timeout=PATIENCE):
        body, kind = multipart(fields)
        return self.ask("POST", path, body, {"Content-Type": kind, **(headers or {})}, timeout)

    def transcribe(self, recording, *fields, path="/v1/audio/transcriptions", model="english", headers=None):
        """The recording (a path, or bytes) last, as clients send it. `fields` are (name, value)."""
        data = recording if isinstance(recording, bytes) else recording.read_bytes()
        return self.post(path, [("model", model), *fields, ("file", "clip.wav", data)], headers)

    def raw(self, data, timeout=PATIENCE):
        """Send these bytes, and nothing more; what comes until the other side ends."""
        with self.connect(timeout) as s:
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before it was all said
            return read_all(s)

    # ---- looking at it ----

    def memory(self):
        """Resident kB that belong to it: without the pages of files, which the system takes when it needs them."""
        return int(re.search(r"^Anonymous:\s+(\d+)", self.proc("smaps_rollup"), re.M).group(1))

    def files(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def threads(self):
        return len(os.listdir("/proc/%d/task" % self.process.pid))

    def proc(self, name):
        with open("/proc/%d/%s" % (self.process.pid, name)) as f:
            return f.read()

    def metrics(self):
        """Prometheus' text: name with labels -> number."""
        found = {}
        for line in self.ask("GET", "/metrics").text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name] = float(value)
        return found

    def tasks(self):
        """How many recordings wait or are transcribed."""
        return self.metrics()["whisp_tasks"]

    # ---- ending it ----

    def end(self, number=signal.SIGTERM, seconds=PATIENCE):
        """Send the signal; its status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(seconds)
        finally:
            self.kill()
        return status

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(PATIENCE)
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        if kind is None:
            status = self.end()
            assert status == 0, "it ended with %s:\n%s" % (status, self.log[-8000:])
        else:
            self.kill()


def read_all(s):
    """Until the other side ends."""
    data = b""
    try:
        while True:
            piece = s.recv(65536)
            if not piece:
                return data
            data += piece
    except ConnectionResetError:
        return data
