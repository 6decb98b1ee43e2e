"""What there is to do: the recordings of IN, what their outputs are called, and which of them are one unit of work."""

from __future__ import annotations

import os
import posixpath
from collections import Counter
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Tuple

from .._errors import ArgumentError
from .places import Entry, join, listed, place, scheme_of

# What is taken for a recording in a folder; a glob and a list take what they name. The library's, then ffmpeg's.
ENDINGS = frozenset(
    "wav wave w64 rf64 flac ogg oga opus mp3 mp2 aif aiff aifc caf au snd svx 8svx avr htk nist sph voc ircam paf pvf "
    "xi m4a m4b mp4 mov aac webm mkv mka wma wmv asf avi 3gp amr ac3 eac3 dts ape wv tta mpc spx ts mts mpg mpeg mxf "
    "flv".split()
)
_GLOB = "*?["
_OURS = ("manifest/settings", "manifest/report", "manifest/running")


class Recording(NamedTuple):
    """One to be transcribed. `output` is its documents' path without OUT and without a format's ending."""

    path: str
    output: str
    bytes: int
    changed: str


class Listing(NamedTuple):
    recordings: List[Recording]
    passed_over: Dict[str, int]  # what in a folder does not look like a recording: how many, by their ending


def find(wanted: str) -> Listing:
    """The recordings of IN: a folder, a glob, @ and a list's path, or one recording; in a bucket, too."""
    passed_over: Dict[str, int] = {}
    if wanted.startswith("@"):
        entries = [_entry(line) for line in listed(wanted[1:])]
        root = _common_folder([entry.path for entry in entries])
    else:
        system, path = place(wanted)
        here = system.local(path)  # "talks [2020]" is a folder like any other
        if any(mark in path for mark in _GLOB) and not (here and os.path.exists(here)):
            entries, root = list(system.glob(path)), _fixed_part(path)
        elif system.is_folder(path):
            entries, others = _recordings_of(system.list(path, passed_over))
            passed_over.update(others)
            root = path
        else:
            entries, root = [system.entry(path)], posixpath.dirname(path)
    return Listing(_named(entries, root), passed_over)


def _entry(path: str) -> Entry:
    """What a list names and is not there fails in its turn, with its own line."""
    system, name = place(path)
    try:
        found: Entry = system.entry(name)
        return found
    except OSError:
        return Entry(path, 0, "")


def _ending(path: str) -> str:
    return posixpath.splitext(path)[1][1:].lower()


def _recordings_of(entries: Iterable[Entry]) -> Tuple[List[Entry], Dict[str, int]]:
    found, others = [], Counter()  # type: List[Entry], Counter[str]
    for entry in entries:
        if _ending(entry.path) in ENDINGS and not posixpath.basename(entry.path).startswith("."):
            found.append(entry)
        else:
            others[_ending(entry.path) or "no ending"] += 1
    return found, dict(others)


def _fixed_part(pattern: str) -> str:
    at = min(pattern.index(mark) for mark in _GLOB if mark in pattern)
    return pattern[:at].rsplit("/", 1)[0] if "/" in pattern[:at] else ""


def _common_folder(paths: List[str]) -> str:
    schemes = {scheme_of(path) for path in paths}
    if len(schemes) > 1:
        return ""
    if not paths or schemes != {""}:
        return os.path.commonprefix([path.rsplit("/", 1)[0] + "/" for path in paths]).rsplit("/", 1)[0] if paths else ""
    return os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths])


def _relative(path: str, root: str) -> str:
    if scheme_of(path):
        return path[len(root) :].lstrip("/") if root and path.startswith(root) else path.split("://", 1)[1]
    return os.path.relpath(os.path.abspath(path), os.path.abspath(root or "."))


def _named(entries: List[Entry], root: str) -> List[Recording]:
    """Outputs are called as `whisp` calls them, without the recording's ending; with it where two would be alike."""
    names = [_relative(entry.path, root) for entry in entries]
    stems = Counter(posixpath.splitext(name)[0] for name in names)
    recordings, taken = [], set()  # type: List[Recording], set[str]
    for entry, name in zip(entries, names):
        stem = posixpath.splitext(name)[0]
        output = stem if stems[stem] == 1 else name
        if output in taken:
            raise ArgumentError(
                "%s: is listed twice, or has the name of another one's output (%s)" % (entry.path, output)
            )
        if ".." in output.split("/"):  # which a bucket's names may hold
            raise ArgumentError("%s: is not below %s; give the folder above both" % (entry.path, root))
        if output in _OURS:
            raise ArgumentError("%s: its output would be OUT/%s.*, which is this program's own" % (entry.path, output))
        taken.add(output)
        recordings.append(Recording(entry.path, output, entry.bytes, entry.changed))
    return recordings


def outputs_of(out: str, output: str, formats: Iterable[str]) -> List[str]:
    return [join(out, "%s.%s" % (output, name)) for name in formats]


def units(recordings: List[Recording], most_bytes: int, most_files: int) -> Iterator[Dict[str, Any]]:
    """The largest first, so that what is short fills the gaps at the end; small ones share a unit, by their bytes,
    which a listing knows, where only opening each would tell its duration (load.py does, where it is cheap)."""
    unit: List[Recording] = []
    held = 0
    for recording in sorted(recordings, key=lambda one: (-one.bytes, one.path)):
        if unit and (held + recording.bytes > most_bytes or len(unit) == most_files):
            yield {"recordings": [list(one) for one in unit]}
            unit, held = [], 0
        unit.append(recording)
        held += recording.bytes
    if unit:
        yield {"recordings": [list(one) for one in unit]}
