#!/usr/bin/env python3
"""faster-whisper behind the least server that there can be: what bench/server compares with.

usage: server_peer.py MODEL PORT THREADS     POST with a form's `file`: {"text": ...}

A thread a connection, one model for all; faster-whisper's own lock has one recording after the other, as whisper.cpp's
server has. The call is that of bench/peer_run.py.
"""
import email.parser
import http.server
import io
import json
import os
import sys


def file_of(kind, body):
    """The form's `file`."""
    form = email.parser.BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    for part in form.get_payload():
        if part.get_param("name", header="content-disposition") == "file":
            return part.get_payload(decode=True)
    raise ValueError("no file in the form")


def main():
    model, port, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ["HF_HUB_OFFLINE"] = "1"
    from faster_whisper import WhisperModel
    whisper = WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=threads)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.answer({})

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sound = io.BytesIO(file_of(self.headers["Content-Type"], body))
            segments, _ = whisper.transcribe(sound, beam_size=1, language="en")
            self.answer({"text": "".join(s.text for s in segments)})

        def answer(self, what):
            data = json.dumps(what).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments):
            pass

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 128

    Server(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
