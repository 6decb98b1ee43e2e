"""A unit of the plan becomes rows of work: batches of short recordings, with their bytes where the library cannot open
them itself; samples of ranges of the long ones. An actor, since cutting a long one takes a session of the library's."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import time
from typing import Any, Dict, Generator, Iterator, List, Optional, Tuple

from .._errors import AudioError, Error, OutputError
from .._library import AudioInfo, check, library, sized
from .._model import Model
from . import ranges
from .places import join, place
from .plan import Recording
from .settings import Settings, again, one_line
from .tries import Counted
from .work import WorkerDied, _folder, failed, line_of, write_documents

_LIKELY_LONG = 20 << 20  # bytes of what only ffmpeg decodes, so that its duration is not known before


def seconds_of(path: str, n_bytes: int) -> float:
    """How long is it, as far as its head says? Negative: it does not. What cannot be opened is said when it is
    heard."""
    handle, info = ctypes.c_void_p(), sized(AudioInfo)
    try:
        check(library().whisp_audio_open(os.fsencode(path), ctypes.byref(handle)))
        check(library().whisp_audio_describe(handle, ctypes.byref(info)))
        return float(info.duration)
    except AudioError:
        return float("inf") if n_bytes >= _LIKELY_LONG else -1.0
    except Error:
        return 0.0
    finally:
        library().whisp_audio_free(handle)


class Loader:
    """Called by Ray Data with one unit at a time; gives its rows one by one, each as soon as somebody takes it."""

    def __init__(self, settings: Settings, done_ranges: Dict[str, List[str]], tries: Any = None) -> None:
        if settings.library:
            os.environ["WHISP_LIBRARY"] = settings.library
        self._settings, self._done, self._tries = settings, done_ranges, Counted(tries)
        self._model: Optional[Model] = None

    def __call__(self, rows: Dict[str, Any]) -> Iterator[Dict[str, Any]]:
        began = time.process_time()
        for unit in rows["unit"]:
            recordings = [Recording(*one) for one in json.loads(str(unit))["recordings"]]
            for work, blob in self.load(recordings):
                work["cpu"] = time.process_time() - began  # what this row took until here
                began += work["cpu"]
                yield {"work": [json.dumps(work)], "blob": [blob]}

    def load(self, recordings: List[Recording]) -> Iterator[Tuple[Dict[str, Any], bytes]]:
        batch = _Batch(self._settings.batch_seconds)
        for recording in recordings:
            with contextlib.ExitStack() as stack:
                try:
                    path, data = self._fetched(recording, stack)
                except Exception as error:
                    batch.lines.append(failed(recording, error))
                    continue
                seconds = seconds_of(path, recording.bytes)
                if seconds >= self._settings.long_seconds and ranges.may_divide(self._settings.options):
                    divided = yield from self._ranges(recording, path, batch)
                    if divided:
                        continue
                if batch.is_full(seconds):
                    yield batch.row()
                    batch = _Batch(self._settings.batch_seconds)
                batch.add(recording, data, seconds)
        if batch.recordings or batch.lines:
            yield batch.row()

    def _fetched(self, recording: Recording, stack: contextlib.ExitStack) -> Tuple[str, bytes]:
        """A path to open, and its bytes, where they must travel."""
        system, name = place(recording.path)
        local: Optional[str] = system.local(name)
        if local is not None:
            return local, b""
        data = again(self._settings, lambda: system.read(name))
        path = os.path.join(stack.enter_context(_folder()), os.path.basename(recording.path))
        with open(path, "wb") as file:
            file.write(data)
        return path, data

    # -- long ones

    def _ranges(
        self, recording: Recording, path: str, batch: "_Batch"
    ) -> Generator[Tuple[Dict[str, Any], bytes], None, bool]:
        """False: it is heard as a whole after all."""
        if self._model is None:
            self._model = Model(self._settings.model)
        settings, end = self._settings, {}  # type: Settings, Dict[str, Any]
        done = self._done.get(recording.output, [])
        key, seconds = "cutting " + recording.path, 0.0
        names: List[str] = []
        language: Optional[str] = None
        if self._tries.begin(key) > settings.tries:
            why = WorkerDied("the worker died %d times while it cut this recording" % settings.tries)
            batch.lines.append(failed(recording, why))
            return True
        try:
            for one in ranges.divide(self._model, path, settings.options, settings.range_seconds, end):
                if not names and self._model.is_multilingual and settings.options.get("language") in (None, "auto"):
                    language = ranges.language_of(self._model, one, settings.options)
                    if language is None:
                        return False
                names.append(range_name(recording, one))
                if names[-1] not in done:
                    yield self._row(recording, one, names[-1], language), one.samples
                seconds = (one.at + one.n) / ranges.RATE
        except ranges.Undivided as whole:
            batch.lines.append(self._whole(recording, whole.result))
            return True
        except Error as error:
            line = failed(recording, error)
            batch.lines.append({**line, "why": line["why"].replace(path, recording.path)})
            return True
        finally:
            self._tries.end(key)
        incomplete = (end["result"].get("incomplete") or "").replace(path, recording.path)
        batch.lines.append(line_of(recording, "cut", ranges=names, incomplete=incomplete, seconds=seconds))
        return True

    def _row(self, recording: Recording, one: ranges.Range, name: str, language: Optional[str]) -> Dict[str, Any]:
        return {
            "kind": "range",
            "recording": list(recording),
            "name": name,
            "at": one.at,
            "loudest": str(one.loudest),
            "is_last": one.is_last,
            "kind_of_samples": one.kind,
            "language": language,
            "result": range_result(recording, name),
        }

    def _whole(self, recording: Recording, result: Dict[str, Any]) -> Dict[str, Any]:
        try:
            documents = ranges.documents(result, self._settings.formats)
            outputs = write_documents(self._settings, recording, documents)
        except Exception as error:
            return failed(recording, OutputError(one_line(error)))
        status = {"status": "part", "why": result["incomplete"]} if result.get("incomplete") else {"status": "done"}
        seconds = result["segments"][-1]["end"] if result["segments"] else 0.0
        return line_of(recording, outputs=outputs, seconds=seconds, language=result["language"], **status)


def range_name(recording: Recording, one: ranges.Range) -> str:
    """What its result is called: another content or another length of ranges has another name."""
    content = hashlib.sha256(("%d %s" % (recording.bytes, recording.changed)).encode()).hexdigest()[:12]
    return "%015d-%d-%s.json" % (one.at, one.n, content)


def range_result(recording: Recording, name: str) -> str:
    """Where in OUT a range's result waits for the others."""
    return join("ranges", "%s/%s" % (recording.output.lstrip("/"), name))


class _Batch:
    """Short recordings that are transcribed side by side."""

    def __init__(self, most: float) -> None:
        self._most, self._seconds = most, 0.0
        self.recordings: List[Recording] = []
        self.lines: List[Dict[str, Any]] = []  # of those that are not to be heard
        self._blobs: List[bytes] = []

    def is_full(self, seconds: float) -> bool:
        return bool(self.recordings) and self._seconds + max(seconds, 0.0) > self._most

    def add(self, recording: Recording, data: bytes, seconds: float) -> None:
        self.recordings.append(recording)
        self._blobs.append(data)
        self._seconds += max(seconds, 0.0) if seconds != float("inf") else self._most

    def row(self) -> Tuple[Dict[str, Any], bytes]:
        work = {
            "kind": "files" if self.recordings else "lines",
            "recordings": [list(one) for one in self.recordings],
            "sizes": [len(blob) for blob in self._blobs],
            "lines": self.lines,
        }
        return work, b"".join(self._blobs)
