"""One run at a time in one OUT: two would write each other's manifest.

In a folder a lock is held on OUT/manifest/running, which the system lets go when the run ends, however it ends. A
bucket has no locks: OUT/manifest/running.json there says who writes, and says so again every half minute; a run whose
mark is older than five minutes is taken for dead. If it was only suspended, it finds another's mark when it goes on, and
ends before it writes a line.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
import uuid
from typing import Any, Dict, Optional

from .._errors import FileError
from .places import join, place

BEAT_SECONDS = 30.0
DEAD_SECONDS = 300.0


class Alone:
    """with Alone(out): ... FileError where another run is at work there."""

    def __init__(self, out: str, beat: float = BEAT_SECONDS, dead: float = DEAD_SECONDS) -> None:
        self._out, self._beat, self._dead = out, beat, dead
        self._file: Optional[Any] = None
        self._ended = threading.Event()
        self._id = uuid.uuid4().hex
        self._thread: Optional[threading.Thread] = None

    def __enter__(self) -> "Alone":
        system, path = place(join(self._out, "manifest/running"))
        local = system.local(path)
        if local is not None:
            self._lock(local)
        else:
            self._system, self._path = system, path + ".json"
            self._mark_bucket()
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._file is not None:
            self._file.close()
        if self._thread is not None:
            self._ended.set()
            self._thread.join()
            if self._read().get("id") == self._id:
                self._system.remove(self._path)

    def check(self) -> None:
        """FileError where another run has taken over, since this one had not been heard of for so long."""
        if self._file is None and self._read().get("id") != self._id:
            raise FileError(
                "%s: another run has gone on there, as this one had been silent for more than %g minutes; "
                "what this one has not listed is done there" % (self._out, self._dead / 60)
            )

    def _fail(self, who: str, more: str = "") -> FileError:
        text = "%s: another run is writing there (%s); let it end, or take another OUT%s"
        return FileError(text % (self._out, who, more))

    def _who(self) -> str:
        return "%s, process %d, since %s" % (
            socket.gethostname(), os.getpid(), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))  # fmt: skip

    def _lock(self, path: str) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        file = open(path, "a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            who = file.read(200).strip() or "whoever it is"
            file.close()
            raise self._fail(who) from None
        except OSError as error:  # a file system without locks
            file.close()
            raise FileError("%s: cannot be locked (%s); OUT on another file system can be" % (path, error)) from None
        file.truncate(0)
        file.write(self._who() + "\n")
        file.flush()
        self._file = file

    # -- in a bucket

    def _read(self) -> Dict[str, Any]:
        try:
            mark = json.loads(self._system.read(self._path))
        except (FileNotFoundError, ValueError):
            return {}
        return mark if isinstance(mark, dict) else {}

    def _write(self) -> None:
        mark = {"id": self._id, "who": self._since, "at": time.time()}
        self._system.write(self._path, json.dumps(mark).encode() + b"\n")

    def _refuse_other(self) -> None:
        mark = self._read()
        at = mark.get("at")
        if mark.get("id") in (None, self._id) or not isinstance(at, (int, float)) or time.time() - at > self._dead:
            return
        more = "; if it has died, start again in %d minutes or remove %s" % (self._dead / 60 + 1, self._path)
        raise self._fail(str(mark.get("who")), more)

    def _mark_bucket(self) -> None:
        self._since = self._who()
        self._refuse_other()
        try:
            self._write()
            time.sleep(min(1.0, self._beat))  # who came at the same moment has written, too: the last one stays
            self._refuse_other()
        except BaseException:
            if self._read().get("id") == self._id:
                self._system.remove(self._path)
            raise
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()

    def _go_on(self) -> None:
        while not self._ended.wait(self._beat):
            try:
                self.check()
                self._write()
            except FileError:
                return
            except Exception:  # a bucket that is slow: the next one will do
                pass
