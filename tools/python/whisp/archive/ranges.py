"""A long recording as ranges: cut where the library cuts it, so that each is transcribed elsewhere with the words of a
whole run; and their results joined.

The library says of every part where it begins and how loud it was before (whisp_part in whisp_live.h). A range is some
of these parts: its samples, and the two numbers. What decides about a part (its samples, the loudness, the language,
the options, where it is) is then the same, and so are its words.
"""

from __future__ import annotations

import queue
import threading
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from .._errors import Error
from .._model import Model
from .._transcript import format_transcript
from .._session import Session

LEAST_PARTS = 6  # of a range, which is then cut as the whole is (whisp_live.h)
RATE = 16000

# Of these a part's words depend on more than itself and what was before it, or the recording is not cut at all.
_WHOLE = {
    "vad_filter": "False",
    "split_stereo": "False",
    "diarize": "False",
    "multilingual": "False",
    "clip_timestamps": "0",
}


def may_divide(options: Dict[str, Any]) -> bool:
    """Does a recording with such options fall into ranges?"""
    for name, initial in _WHOLE.items():
        if str(options.get(name, initial)) not in (initial, "None"):
            return False
    return str(options.get("cut", "auto")) != "off"


class Range(NamedTuple):
    samples: bytes
    kind: str  # NumPy's: int16, or float32 where 16 bits are not enough
    at: int
    loudest: float
    is_last: bool

    @property
    def n(self) -> int:
        return len(self.samples) // (2 if self.kind == "int16" else 4)


class Undivided(Exception):
    """It was not cut after all: here is its result."""

    def __init__(self, result: Dict[str, Any]) -> None:
        super().__init__("not cut")
        self.result = result


class _Collected:
    """Parts on their way to be a range."""

    def __init__(self) -> None:
        self.blocks: List[bytes] = []
        self.at, self.loudest, self.n, self.is_last, self.samples = 0, 0.0, 0, False, 0

    def add(self, block: bytes, at: int, loudest: float, is_last: bool) -> None:
        if not self.n:
            self.at, self.loudest = at, loudest
        self.blocks.append(block)
        self.n += 1
        self.samples += len(block) // 4
        self.is_last = is_last

    def take(self, more: "_Collected") -> None:
        self.blocks += more.blocks
        self.n += more.n
        self.samples += more.samples
        self.is_last = more.is_last

    def range(self) -> Range:
        import numpy

        floats = numpy.frombuffer(b"".join(self.blocks), dtype=numpy.float32)
        scaled = floats * numpy.float32(32768)
        whole = numpy.clip(scaled, -32768, 32767).astype(numpy.int16)
        exact = bool((whole == scaled).all())
        return Range(
            (whole if exact else floats).tobytes(), "int16" if exact else "float32", self.at, self.loudest, self.is_last
        )


def _parts(
    model: Model, recording: Any, options: Dict[str, Any], end: Dict[str, Any]
) -> Iterator[Tuple[bytes, int, float, bool]]:
    """(samples, at, loudest, is_last) of every part, as they are read; then end["result"]: what is said of the
    whole."""
    import ctypes

    parts: "queue.Queue[Any]" = queue.Queue(1)  # who reads waits for who takes
    stopped = threading.Event()

    def on_part(part: Any) -> int:
        block = ctypes.string_at(part.samples, 4 * part.n)
        put((block, int(part.at), float(part.loudest), bool(part.is_last)))
        return 1

    def put(what: Any) -> None:
        while not stopped.is_set():
            try:
                parts.put(what, timeout=0.2)
                return
            except queue.Full:
                pass

    def read() -> None:
        try:
            with Session(
                model, part=on_part, cancel=stopped.is_set, log=lambda level, line: None, **options
            ) as session:
                end["result"] = session.transcribe(recording)
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        for what in iter(parts.get, None):
            if isinstance(what, BaseException):
                raise what
            yield what
    finally:
        stopped.set()
        thread.join()


def divide(
    model: Model, recording: Any, options: Dict[str, Any], seconds: float, end: Dict[str, Any]
) -> Iterator[Range]:
    """The ranges of about so many seconds, as they are read. Undivided: it was not cut."""
    import warnings

    full, now, any_part = None, _Collected(), False  # type: Optional[_Collected], _Collected, bool
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `incomplete` has what counts
        for part in _parts(model, recording, options, end):
            any_part = True
            now.add(*part)
            if full is not None and now.n >= LEAST_PARTS:
                yield full.range()
                full = None
            if now.n >= LEAST_PARTS and now.samples >= seconds * RATE:
                full, now = now, _Collected()
    if not any_part:
        raise Undivided(end["result"])
    if full is not None and now.n:
        full.take(now)
    yield (full or now).range()


def language_of(model: Model, first: Range, options: Dict[str, Any]) -> Optional[str]:
    """The language that a whole run would find: its first parts are heard until somebody speaks."""
    for n in (1, LEAST_PARTS // 2, 1 << 30):
        seen = [0]

        def on_part(part: Any) -> int:
            seen[0] += 1
            return 0 if seen[0] <= n else 1

        with Session(model, part=on_part, log=lambda level, line: None, **options) as session:
            language: Optional[str] = session.transcribe(samples_of(first))["language"]
        if language:
            return language
    return None


def samples_of(one: Range) -> Any:
    import numpy

    return numpy.frombuffer(one.samples, dtype=one.kind)


def options_of(options: Dict[str, Any], language: Optional[str], is_first: bool) -> Dict[str, Any]:
    """A range's options: what the whole begins with is the first one's alone."""
    chosen = dict(options)
    if language:
        chosen["language"] = language
    if not is_first:
        chosen.pop("prefix", None)
    return chosen


def transcribe(model: Model, one: Range, options: Dict[str, Any]) -> Dict[str, Any]:
    """A range's own segments, with the whole's times."""

    def on_part(part: Any) -> int:
        if part.at == 0:
            part.loudest = one.loudest
        part.at += one.at
        part.is_last = part.is_last and one.is_last
        asked.append(part.at)
        return 0

    asked: List[int] = []
    with Session(model, part=on_part, log=lambda level, line: None, **options) as session:
        result = session.transcribe(samples_of(one))
    if not asked:
        raise Error("a range of %.0f s was not cut" % (one.n / RATE))
    return result


def joined(results: List[Dict[str, Any]], incomplete: Optional[str]) -> Dict[str, Any]:
    """The dictionary of the whole recording."""
    segments = [dict(segment) for result in results for segment in result["segments"]]
    for number, segment in enumerate(segments):
        segment["id"] = number
    whole: Dict[str, Any] = {
        "text": "".join(result["text"] for result in results),
        "segments": segments,
        "language": next((result["language"] for result in results if result["language"]), None),
    }
    why: List[str] = []
    for line in [result.get("incomplete") for result in results] + [incomplete]:
        if line and line not in why:
            why.append(line)
    if why:
        whole["incomplete"] = "; ".join(why)
    return whole


def documents(whole: Dict[str, Any], formats: Any) -> Dict[str, bytes]:
    return {format: format_transcript(whole, format).encode() for format in formats}
