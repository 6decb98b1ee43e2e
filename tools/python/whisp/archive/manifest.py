"""What is done: OUT/manifest/, JSON lines in pieces, each of which is there whole or not at all.

A recording's last line counts. The lines are written after the outputs, so that what a line calls done is there; what
was done and has no line yet when the run ends badly is done again, with the same bytes.
"""

from __future__ import annotations

import json
import time
from typing import Any, Callable, Dict, List, Optional, Set

from .._errors import ArgumentError, FileError
from .places import join, place

DONE = ("done", "part")  # heard as a whole, or in part: there is no more to be had from it


def _below(output: str, out: str, there: Set[str]) -> bool:
    """Of a folder that was moved only the end of the path is still so."""
    start = join(out, "")
    if output.startswith(start):
        return output[len(start) :] in there
    parts = output.split("/")
    return any("/".join(parts[i:]) in there for i in range(len(parts)))


class Manifest:
    def __init__(
        self, out: str, every: int = 200, seconds: float = 10.0, check: Optional[Callable[[], None]] = None
    ) -> None:
        """check raises where this run may not write any more."""
        self._out, self._every, self._seconds, self._check = out, every, seconds, check
        self._system, self._folder = place(join(out, "manifest"))
        self._waiting: List[str] = []
        self._last = time.monotonic()
        self.lines: Dict[str, Dict[str, Any]] = {}  # by recording
        self._read()

    def _pieces(self) -> List[str]:
        try:
            found = [entry.path for entry in self._system.list(self._folder)]
        except FileNotFoundError:
            found = []
        return sorted(path for path in found if path.endswith(".jsonl"))

    def _read(self) -> None:
        pieces = self._pieces()
        for path in pieces:
            for number, line in enumerate(self._system.read(path).decode("utf-8", "replace").splitlines(), 1):
                try:
                    entry = json.loads(line)
                    entry["status"], entry["bytes"], entry["changed"]
                    self.lines[entry["recording"]] = entry
                except (ValueError, KeyError, TypeError):
                    raise FileError(
                        "%s, line %d: is not a manifest's; move it away to go on without it" % (path, number)
                    ) from None
        last = pieces[-1].rsplit("/", 1)[-1].split(".")[0] if pieces else "0"
        self._next = int(last) + 1 if last.isdigit() else len(pieces) + 1

    def check_settings(self, settings: Dict[str, Any]) -> None:
        """The same model and options as before, or there would be two kinds of transcripts in one folder."""
        path = join(self._folder, "settings.json")
        try:
            before = json.loads(self._system.read(path))
        except FileNotFoundError:
            self._system.write(path, json.dumps(settings, indent=1, sort_keys=True).encode() + b"\n")
            return
        except ValueError:
            before = None
        if not isinstance(before, dict):
            raise FileError(
                "%s: is damaged, and it says what %s was begun with; take another folder" % (path, self._out)
            )
        for name in sorted(set(before) | set(settings)):
            if before.get(name) != settings.get(name):
                raise ArgumentError(
                    "%s was begun with another %s (%s, now %s): take another folder, or the settings of %s"
                    % (self._out, name, before.get(name), settings.get(name), path)
                )

    def outputs_there(self) -> Set[str]:
        """The names below OUT of what is there, by one listing."""
        system, folder = place(self._out)
        try:
            return {entry.path[len(folder) :].lstrip("/") for entry in system.list(folder)}
        except FileNotFoundError:
            return set()

    def has_outputs(self, path: str, there: Set[str]) -> bool:
        """Whether the documents that the recording's line names are there, wherever OUT was when it was written."""
        outputs = self.lines[path].get("outputs") or []
        return all(_below(str(output), self._out, there) for output in outputs)

    def is_done(self, path: str, n_bytes: int, changed: str) -> bool:
        line = self.lines.get(path)
        return bool(line and line["status"] in DONE and line["bytes"] == n_bytes and line["changed"] == changed)

    def add(self, line: Dict[str, Any]) -> None:
        self.lines[line["recording"]] = line
        self._waiting.append(json.dumps(line, sort_keys=True))
        if len(self._waiting) >= self._every or time.monotonic() - self._last >= self._seconds:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            if self._check:
                self._check()
            data = "".join(line + "\n" for line in self._waiting).encode()
            self._system.write(join(self._folder, "%06d.jsonl" % self._next), data)
            self._next += 1
            self._waiting = []
        self._last = time.monotonic()
