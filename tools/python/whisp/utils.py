"""openai-whisper's whisper.utils: the writers, which make the files that its own make, and small helpers of scripts."""

from __future__ import annotations

import io
import json
import os
import sys
import zlib
from typing import Any, Callable, Dict, List, Mapping, Optional, TextIO

from ._errors import ArgumentError
from ._result import LAYOUT, format_names
from ._transcript import format_transcript

system_encoding = sys.getdefaultencoding()
ALL = ("txt", "vtt", "srt", "tsv", "json")


class ResultWriter:
    """Writes a result into a folder, under the recording's name: writer(result, "talk.mp3", {"max_line_width": 42})."""

    extension = "txt"

    def __init__(self, output_dir: str) -> None:
        self.output_dir = output_dir

    def __call__(
        self, result: Any, audio_path: Any, options: Optional[Mapping[str, Any]] = None, **kwargs: Any
    ) -> None:
        name = os.path.splitext(os.path.basename(os.fspath(audio_path)))[0] + "." + self.extension
        document = io.StringIO()  # a document that cannot be made leaves the file of before alone
        self.write_result(result, file=document, options=options, **kwargs)
        with open(os.path.join(self.output_dir, name), "w", encoding="utf-8") as file:
            file.write(document.getvalue())

    def write_result(
        self, result: Any, file: TextIO, options: Optional[Mapping[str, Any]] = None, **kwargs: Any
    ) -> None:
        """The document into a file that is open."""
        asked = {**(options or {}), **kwargs}
        layout: Dict[str, Any] = {name: asked[name] for name in LAYOUT if name in asked}
        file.write(format_transcript(result, self.extension, **layout))


class WriteTXT(ResultWriter):
    extension = "txt"


class SubtitlesWriter(ResultWriter):
    always_include_hours = False
    decimal_marker = "."

    def format_timestamp(self, seconds: float) -> str:
        return format_timestamp(seconds, self.always_include_hours, self.decimal_marker)


class WriteVTT(SubtitlesWriter):
    extension = "vtt"


class WriteSRT(SubtitlesWriter):
    extension = "srt"
    always_include_hours = True
    decimal_marker = ","


class WriteTSV(ResultWriter):
    extension = "tsv"


class WriteJSON(ResultWriter):
    extension = "json"

    def write_result(
        self, result: Any, file: TextIO, options: Optional[Mapping[str, Any]] = None, **kwargs: Any
    ) -> None:
        json.dump(result, file)  # whatever the script put into it


_WRITERS = {kind.extension: kind for kind in (WriteTXT, WriteVTT, WriteSRT, WriteTSV, WriteJSON)}


def get_writer(output_format: str, output_dir: Any) -> Callable[..., None]:
    """The writer of a format; "all" writes openai-whisper's five. The library's other formats are there, too."""
    folder = os.fspath(output_dir)
    if output_format == "all":
        writers = [_WRITERS[name](folder) for name in ALL]

        def write_all(result: Any, *where: Any, **options: Any) -> None:
            for writer in writers:
                writer(result, *where, **options)

        return write_all
    if output_format in _WRITERS:
        return _WRITERS[output_format](folder)
    if output_format not in format_names():
        raise ArgumentError("format %r; there are: all, %s" % (output_format, ", ".join(format_names())))
    writer = ResultWriter(folder)
    writer.extension = output_format
    return writer


def format_timestamp(seconds: float, always_include_hours: bool = False, decimal_marker: str = ".") -> str:
    """Seconds as 01:02.345, with hours where there are some."""
    if seconds < 0:
        raise ArgumentError("a timestamp cannot be negative: %r" % seconds)
    left, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, whole = divmod(left, 60)
    hours, minutes = divmod(minutes, 60)
    before = "%02d:" % hours if hours or always_include_hours else ""
    return "%s%02d:%02d%s%03d" % (before, minutes, whole, decimal_marker, milliseconds)


def exact_div(x: int, y: int) -> int:
    if x % y:
        raise ArgumentError("%d is no multiple of %d" % (x, y))
    return x // y


def str2bool(string: str) -> bool:
    if string not in ("True", "False"):
        raise ValueError("True or False is expected, not %s" % string)
    return string == "True"


def optional_int(string: str) -> Optional[int]:
    return None if string == "None" else int(string)


def optional_float(string: str) -> Optional[float]:
    return None if string == "None" else float(string)


def compression_ratio(text: str) -> float:
    data = text.encode("utf-8")
    return len(data) / len(zlib.compress(data))


def make_safe(string: str) -> str:
    """What the system's encoding cannot say becomes a question mark."""
    return string.encode(system_encoding, errors="replace").decode(system_encoding)


def _times(segments: List[Dict[str, Any]], key: str) -> List[float]:
    return [word[key] for segment in segments for word in segment.get("words", [])]


def get_start(segments: List[Dict[str, Any]]) -> Optional[float]:
    """Where the first word begins, or without words the first segment."""
    times = _times(segments, "start")
    return times[0] if times else segments[0]["start"] if segments else None


def get_end(segments: List[Dict[str, Any]]) -> Optional[float]:
    """Where the last word ends, or without words the last segment."""
    times = _times(segments, "end")
    return times[-1] if times else segments[-1]["end"] if segments else None
