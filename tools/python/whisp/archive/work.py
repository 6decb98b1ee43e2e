"""An actor with a model: batches of short recordings side by side, ranges of long ones. It writes the documents itself,
and says what became of each recording; what it cannot say, because it died, tries.py counts."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .._errors import OutputError
from .._model import Model
from .._session import Session
from . import ranges
from .batch import Heard, transcribe_files, transcribe_one
from .places import join, place
from .plan import Recording, outputs_of
from .settings import Settings, again, kind_of, one_line
from .tries import Counted

_FFMPEG = "| whisp -"  # ends the library's message where ffmpeg may know more
Line = Dict[str, Any]


def line_of(recording: Recording, status: str, **more: Any) -> Line:
    """A recording's line in the manifest."""
    return {
        "recording": recording.path,
        "status": status,
        "bytes": recording.bytes,
        "changed": recording.changed,
        **more,
    }


def failed(recording: Recording, error: BaseException, kind: Optional[str] = None) -> Line:
    return line_of(recording, "failed", kind=kind or kind_of(error), why=one_line(error))


class WorkerDied(Exception):
    """Whoever was at this recording died of it, so often that nobody is sent any more."""


class Transcriber:
    """Called by Ray Data with one row of work at a time."""

    def __init__(self, settings: Settings, tries: Any = None) -> None:
        if settings.library:
            os.environ["WHISP_LIBRARY"] = settings.library
        self._settings = settings
        self._tries = Counted(tries)
        self._model = Model(settings.model)
        self._session: Optional[Session] = None

    def __call__(self, rows: Dict[str, Any]) -> Dict[str, Any]:
        results = [self.do(json.loads(str(work)), bytes(blob)) for work, blob in zip(rows["work"], rows["blob"])]
        return {"result": [json.dumps(result) for result in results]}

    def do(self, work: Dict[str, Any], blob: bytes) -> Dict[str, Any]:
        begin, cpu = time.time(), time.process_time()
        result: Dict[str, Any] = {"lines": work.get("lines", []), "ranges": []}
        if work["kind"] == "files":
            result["lines"] += self._files([Recording(*one) for one in work["recordings"]], work["sizes"], blob)
        elif work["kind"] == "range":
            result["ranges"].append(self._range(work, blob))
        result.update(worker="%s:%d" % (os.uname().nodename, os.getpid()), begin=begin, end=time.time(),
                      cpu=work.get("cpu", 0.0) + time.process_time() - cpu)  # fmt: skip
        return result

    # -- short recordings

    def _files(self, recordings: List[Recording], sizes: List[int], blob: bytes) -> List[Line]:
        """Together; or, where that failed or a worker died of them before, one by one, so that it is known of which."""
        key = "batch " + recordings[0].path
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        parts = [(recording, blob[start : start + size]) for recording, start, size in zip(recordings, starts, sizes)]
        lines: Optional[List[Line]] = None
        if self._tries.begin(key) == 1:
            with contextlib.suppress(Exception):  # no memory, no room for what came as bytes: each alone says it
                lines = list(self._together(parts))
        if lines is None:
            lines = [self._alone(part) for part in parts]
        self._tries.end(key)
        return lines

    def _alone(self, part: Tuple[Recording, bytes]) -> Line:
        key = part[0].path
        if self._tries.begin(key) > self._settings.tries:
            why = WorkerDied("the worker died %d times while it was at this recording" % self._settings.tries)
            line = failed(part[0], why)
        else:
            try:
                (line,) = self._together([part])
            except Exception as error:
                line = failed(part[0], error)
        self._tries.end(key)
        return line

    def _together(self, parts: List[Tuple[Recording, bytes]]) -> Iterator[Line]:
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(_folder()) if any(len(data) for _, data in parts) else ""
            paths = [_path_of(recording, data, folder, i) for i, (recording, data) in enumerate(parts)]

            def named(text: str) -> str:
                for (recording, _), path in zip(parts, paths):
                    if path != recording.path:
                        text = text.replace(path, recording.path)
                return text

            names = [os.path.basename(recording.output) for recording, _ in parts]
            session = self._with(self._settings.options)
            heard = transcribe_files(session, paths, names, self._settings.formats, named)
            for (recording, _), path, name, one in zip(parts, paths, names, heard):
                if one.error is not None and str(one.error).endswith(_FFMPEG):
                    one = transcribe_one(session, path, self._settings.formats, name)
                yield self._written(recording, one, named)

    def _with(self, options: Dict[str, Any]) -> Session:
        if self._session is None:
            self._session = Session(self._model, log=lambda level, line: None, **dict(options))
        return self._session

    def _written(self, recording: Recording, one: Heard, named: Any) -> Line:
        if one.error is not None:
            return {**failed(recording, one.error), "why": named(one_line(one.error))}
        try:
            outputs = write_documents(self._settings, recording, one.documents)
        except Exception as error:
            return failed(recording, OutputError(one_line(error)))
        status = {"status": "part", "why": one.incomplete} if one.incomplete else {"status": "done"}
        return line_of(recording, outputs=outputs, seconds=one.seconds, language=one.language, **status)

    # -- ranges

    def _range(self, work: Dict[str, Any], blob: bytes) -> Dict[str, Any]:
        """Its result goes to OUT, where a run that is started again finds it."""
        recording = Recording(*work["recording"])
        key = "%s at %d" % (recording.path, work["at"])
        told = {name: work[name] for name in ("recording", "name", "at")}
        try:
            if self._tries.begin(key) > self._settings.tries:
                raise WorkerDied(
                    "the worker died %d times in the range at %d s" % (self._settings.tries, work["at"] // ranges.RATE)
                )
            one = ranges.Range(blob, work["kind_of_samples"], work["at"], float(work["loudest"]), work["is_last"])
            options = ranges.options_of(self._settings.options, work["language"], work["at"] == 0)
            result = ranges.transcribe(self._model, one, options)
            system, path = place(join(self._settings.out, work["result"]))
            again(self._settings, lambda: system.write(path, json.dumps(result).encode()))
        except Exception as error:
            told.update(kind=kind_of(error), why=one_line(error))
        self._tries.end(key)
        return told


def write_documents(settings: Settings, recording: Recording, documents: Dict[str, bytes]) -> List[str]:
    paths = outputs_of(settings.out, recording.output, documents)
    for path, document in zip(paths, documents.values()):
        system, name = place(path)
        again(settings, lambda: system.write(name, document))
    return paths


@contextlib.contextmanager
def _folder() -> Iterator[str]:
    """For recordings that came as bytes; in memory where there is room for that."""
    shm = "/dev/shm"
    free = shutil.disk_usage(shm).free if os.path.isdir(shm) else 0
    with tempfile.TemporaryDirectory(prefix="whisp-archive-", dir=shm if free > 1 << 30 else None) as folder:
        yield folder


def _path_of(recording: Recording, data: bytes, folder: str, number: int) -> str:
    system, path = place(recording.path)
    local: Optional[str] = system.local(path)
    if local is not None:
        return local
    path = os.path.join(folder, "%d-%s" % (number, os.path.basename(recording.path)))
    with open(path, "wb") as file:
        file.write(data)
    return path
