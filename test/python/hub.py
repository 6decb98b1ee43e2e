"""A host of models for tests, on this machine: what whisp-get asks Hugging Face and OpenAI, answered as they do, with a
second port for where they redirect large files to. Faults are functions that answer instead.

A fault gets (exchange, body, first): the request, all bytes of what is asked for, and the first that is wanted; it sends
what it likes and returns True, or returns False for the plain answer.
"""
import gzip
import hashlib
import http.server
import json
import shutil
import socket
import ssl
import subprocess
import threading
import urllib.parse

import make_formats as formats

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Exchange(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *_):
        pass

    def do_GET(self):
        hub = self.server.hub
        path = urllib.parse.unquote(self.path.split("?")[0])
        self.name = self.server.port_name
        if self.path.startswith("http://"):  # a proxy is asked for the whole address
            self.name = "cdn" if path.startswith("http://localhost:") else "hub"
            path = "/" + path.split("/", 3)[3]
        hub.requests.append((self.name, path, {k.lower(): v for k, v in self.headers.items()}, self.path))
        self.close_connection = True
        try:
            hub.answer(self, path)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass

    def first(self):
        """The first byte that is wanted."""
        wanted = self.headers.get("Range", "")
        return int(wanted[len("bytes="):].split("-")[0]) if wanted.startswith("bytes=") else 0

    def head(self, status, length, **headers):
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Connection", "close")
        self.end_headers()

    def send(self, body, first=0, kind="application/octet-stream", upto=None, **headers):
        """All, or the rest from `first` on; the connection breaks after `upto` bytes of the whole."""
        if first >= len(body) > 0:
            return self.head(416, 0, Content_Range="bytes */%d" % len(body))
        if first:
            headers["Content-Range"] = "bytes %d-%d/%d" % (first, len(body) - 1, len(body))
        self.head(206 if first else 200, len(body) - first, Content_Type=kind, **headers)
        self.wfile.write(body[first:upto])


class Hub:
    """url: of the hub; cdn: of the other host (localhost instead of 127.0.0.1), where large files are."""

    def __init__(self, certificate=None):
        self.repositories, self.paths, self.faults, self.requests = {}, {}, {}, []
        self.large = lambda name: name.endswith((".safetensors", ".bin"))
        self.token = None  # what it wants of who asks
        self.servers, self.lock = [], threading.Lock()
        scheme = "https" if certificate else "http"
        for name, host in (("hub", "127.0.0.1"), ("cdn", "localhost")):
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exchange)
            server.daemon_threads, server.hub, server.port_name = True, self, name
            if certificate:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*certificate)
                server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            setattr(self, name, "%s://%s:%d" % (scheme, host, server.server_address[1]))
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            self.servers.append(server)
        self.url = self.hub

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def add(self, repository, folder=None, **files):
        """A repository of a folder's files, or of files by name."""
        found = {path.name: path.read_bytes() for path in sorted(folder.iterdir())} if folder else {}
        self.repositories[repository] = {**found, **files}
        return self.repositories[repository]

    def fault(self, ending, action, times=10**9):
        """Answers to paths that end so are the fault's, so many times."""
        self.faults[ending] = [action, times]

    def asked(self, ending, port=None):
        return [r for r in self.requests if r[1].endswith(ending) and port in (None, r[0])]

    def entry(self, name, data):
        if not self.large(name):
            return {"type": "file", "path": name, "oid": git_sha1(data), "size": len(data)}
        pointer = b"version https://git-lfs.github.com/spec/v1\n"
        return {"type": "file", "path": name, "oid": git_sha1(pointer), "size": len(data),
                "lfs": {"oid": sha256(data), "size": len(data), "pointerSize": len(pointer)}}

    def tree(self, repository):
        return [{"type": "directory", "path": "runs", "oid": "0" * 40, "size": 0}] + [
            self.entry(name, data) for name, data in self.repositories[repository].items()]

    # ---- answers ----

    def answer(self, exchange, path):
        body, headers = self.find(exchange, path)
        for ending, fault in list(self.faults.items()):
            with self.lock:
                is_due = path.endswith(ending) and fault[1] > 0
                fault[1] -= is_due
            if is_due and fault[0](exchange, body, exchange.first()):
                return
        if body is None:
            exchange.head(headers.pop("status", 404), 0, **headers)
        else:
            exchange.send(body, exchange.first(), **headers)

    def find(self, exchange, path):
        """(bytes or None, headers) of a path."""
        if path in self.paths:
            return self.paths[path], {}
        parts = path.strip("/").split("/")
        if exchange.name == "cdn" and parts[0] == "lfs":
            return self.repositories["/".join(parts[1:3])][parts[3]], {}
        if parts[:2] == ["api", "models"]:
            repository, kind = "/".join(parts[2:4]), parts[4]
        else:
            repository, kind = "/".join(parts[:2]), parts[2] if len(parts) > 2 else ""
        if self.token and exchange.headers.get("Authorization") != "Bearer " + self.token:
            return None, {"status": 401, "X_Error_Code": "RepoNotFound", "X_Error_Message": "Invalid username or password."}
        if repository not in self.repositories:
            return None, {"status": 401, "X_Error_Code": "RepoNotFound", "X_Error_Message": "Invalid username or password."}
        if kind == "revision":
            return (json.dumps({"id": repository, "sha": COMMIT}).encode(), {"kind": "application/json"}) if \
                parts[5] in ("main", "v1", COMMIT) else (None, {"status": 404})
        if kind == "tree":
            return json.dumps(self.tree(repository)).encode(), {"kind": "application/json"}
        files = self.repositories[repository]
        if kind != "resolve" or parts[3] != COMMIT or parts[4] not in files:
            return None, {"status": 404}
        if self.large(parts[4]):
            return None, {"status": 302, "Location": "%s/lfs/%s/%s?Signature=secret" % (self.cdn, repository, parts[4]),
                          "X_Linked_Etag": '"%s"' % sha256(files[parts[4]])}
        return files[parts[4]], {"kind": "text/plain"}


# ---- faults ----


def cut(part):
    """The connection breaks when so much of the whole was sent (of what is wanted, where less is wanted)."""

    def answer(exchange, body, first):
        upto = max(int(len(body) * part), first + 1000)
        exchange.send(body, first, upto=upto)
        exchange.wfile.flush()
        exchange.connection.shutdown(socket.SHUT_RDWR)
        return True

    return answer


def status(code, **headers):
    def answer(exchange, _body, _first):
        exchange.head(code, 4, **headers)
        exchange.wfile.write(b"busy")
        return True

    return answer


def page(exchange, _body, _first):
    """What a hotel's network says to everything."""
    exchange.send(b"<!DOCTYPE html><html><body>Please log in</body></html>" * 20, kind="text/html; charset=utf-8")
    return True


def all_of_it(exchange, body, _first):
    """A host that knows no ranges."""
    exchange.send(body)
    return True


def without_length(upto=None, more=b""):
    """In pieces, as who makes an answer on the fly."""

    def answer(exchange, body, first):
        exchange.send_response(206 if first else 200)
        if first:
            exchange.send_header("Content-Range", "bytes %d-%d/%d" % (first, len(body) - 1, len(body)))
        exchange.send_header("Transfer-Encoding", "chunked")
        exchange.end_headers()
        rest = (body + more)[first:upto]
        for i in range(0, len(rest), 50000):
            piece = rest[i:i + 50000]
            exchange.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        exchange.wfile.write(b"0\r\n\r\n")
        return True

    return answer


def compressed(exchange, body, _first):
    exchange.send(gzip.compress(body), Content_Encoding="gzip")
    return True


def other(data):
    """Other bytes than it says."""

    def answer(exchange, _body, first):
        exchange.send(data, first)
        return True

    return answer


def head_of(exchange, body, first):
    """What stands before the rest from `first` on."""
    exchange.head(206 if first else 200, len(body) - first,
                  **({"Content_Range": "bytes %d-%d/%d" % (first, len(body) - 1, len(body))} if first else {}))


def stall(part, seconds):
    """So much, then nothing for so long."""

    def answer(exchange, body, first):
        head_of(exchange, body, first)
        exchange.wfile.write(body[first:int(len(body) * part)])
        exchange.wfile.flush()
        threading.Event().wait(seconds)
        return True

    return answer


def redirect(address):
    def answer(exchange, _body, _first):
        exchange.head(302, 0, Location=address)
        return True

    return answer


# ---- what is in it ----


def write_repository(model, folder, **how):
    """A model as Hugging Face's folder, with the names of its special tokens, whatever their number."""
    formats.write_hf(model, folder, **how)
    tokens = model.tokens
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0",
        "added_tokens": [{"id": i, "content": tokens[i], "special": True} for i in range(model.n_ordinary, len(tokens))],
        "model": {"type": "BPE", "vocab": {token: i for i, token in enumerate(tokens[:model.n_ordinary])}}}))
    (folder / "README.md").write_text("A model.\n")
    return folder


def certificate(folder):
    """(certificate, key) of this machine, signed by itself."""
    if not shutil.which("openssl"):
        return None
    paths = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1]],
                   check=True, capture_output=True)
    return paths
