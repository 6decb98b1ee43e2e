"""What a transcription returns: openai-whisper's dictionary, which can also be written, laid out, shown and read
back."""

from __future__ import annotations

import ctypes
import html
import json
import os
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Union

from ._audio import path_bytes
from ._errors import ArgumentError
from ._library import check, library
from ._result import Result, format_names, layout_of

if TYPE_CHECKING:
    from typing import Literal, overload

    from typing_extensions import Unpack

    from ._typed import Layout, SegmentDict, TurnDict, WordDict

MOST_ROWS = 500  # of the table that a notebook shows
MOST_PAGE = 2 << 20  # characters of the review page in a notebook, which keeps it in its file


def _read(transcript: Any) -> Result:
    """The library's result from a dictionary, or from the JSON document of one."""
    document = transcript if isinstance(transcript, (str, bytes)) else json.dumps(transcript)
    data = document.encode("utf-8", "surrogatepass") if isinstance(document, str) else document
    handle = ctypes.c_void_p()
    check(library().whisp_result_read(data, len(data), ctypes.byref(handle)))
    return Result(handle)


def format_transcript(transcript: Any, format: str = "txt", **layout: "Unpack[Layout]") -> str:
    """A transcript that is there already as another document: see Model.transcribe_text() for formats and layout.

    transcript    the dictionary that transcribe() returned, openai-whisper's as well, or the JSON document of one
    """
    options = layout_of(layout)
    with _read(transcript) as result:
        return result.format(format, options)


def write_transcript(transcript: Any, path: Any, format: Optional[str] = None, **layout: "Unpack[Layout]") -> None:
    """The same into a file, whose name's ending says the format where `format` does not. The file appears when it is
    whole. `path` may also be a file that is open for writing text."""
    if callable(getattr(path, "write", None)):
        path.write(format_transcript(transcript, format or "txt", **layout))
        return
    chosen = format or os.path.splitext(os.fsdecode(path))[1][1:].lower()
    if chosen not in format_names():
        said = "format %r" % format if format else "%s: its ending is no format" % os.fsdecode(path)
        raise ArgumentError("%s; there are: %s" % (said, ", ".join(format_names())))
    options = layout_of(layout)
    with _read(transcript) as result:
        result.write(chosen, path_bytes(path), options)


class Transcript(Dict[str, Any]):
    """A dictionary with openai-whisper's keys (text, segments, language, ...), and more:

        result = model.transcribe("talk.mp3", word_timestamps=True)
        result.write("talk.srt", max_line_width=42)
        print(result.format("vtt"), result.words[0]["start"])
        again = whisp.Transcript.from_json("talk.json")
    """

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, key: Literal["text"]) -> str: ...
        @overload
        def __getitem__(self, key: Literal["segments"]) -> List[SegmentDict]: ...
        @overload
        def __getitem__(self, key: Literal["language"]) -> Optional[str]: ...
        @overload
        def __getitem__(self, key: Literal["speakers"]) -> List[str]: ...
        @overload
        def __getitem__(self, key: Literal["turns"]) -> List[TurnDict]: ...
        @overload
        def __getitem__(self, key: str) -> Any: ...
        def __getitem__(self, key: str) -> Any: ...

    @classmethod
    def from_json(cls, source: Any) -> "Transcript":
        """A transcript back from the JSON document that openai-whisper or this library wrote: a path, an open file, or
        the document itself."""
        if callable(getattr(source, "read", None)):
            source = source.read()
        elif isinstance(source, os.PathLike) or (isinstance(source, str) and not source.lstrip().startswith("{")):
            with open(source, "rb") as file:
                source = file.read()
        with _read(source):  # is it one? the library says what is wrong with it, and where
            pass
        return cls(json.loads(source))

    @property
    def text(self) -> str:
        return str(self.get("text", ""))

    @property
    def language(self) -> Optional[str]:
        code: Optional[str] = self.get("language")
        return code

    @property
    def segments(self) -> "List[SegmentDict]":
        found: "List[SegmentDict]" = self.get("segments", [])
        return found

    @property
    def words(self) -> "List[WordDict]":
        """The words of all segments, one after the other; none where they were not asked for."""
        return [word for segment in self.segments for word in segment.get("words", [])]

    @property
    def speakers(self) -> List[str]:
        """Who speaks, by the order of their first words; nobody where that was not asked for."""
        if "speakers" in self:
            return list(self["speakers"])
        return list(dict.fromkeys(segment["speaker"] for segment in self.segments if "speaker" in segment))

    def format(self, format: str = "txt", **layout: "Unpack[Layout]") -> str:
        """As a document: "txt", "srt", "vtt", "tsv", "json", ... Layout: highlight_words, max_line_width,
        max_line_count, max_words_per_line, subtitles, subtitle_style, doubtful_share; for "html", the review page, also
        recording, the path of what it plays, and embed_audio, which puts that inside."""
        return format_transcript(self, format, **layout)

    def write(
        self,
        path: "Union[str, os.PathLike[str], Any]",
        format: Optional[str] = None,
        **layout: "Unpack[Layout]",
    ) -> None:
        """Into a file; its name's ending says the format where `format` does not. It appears when it is whole."""
        write_transcript(self, path, format, **layout)

    def _repr_html_(self) -> str:
        """How a notebook shows it: the review page (docs/review.md), in a frame of its own, and a table, which is left
        where frames are not shown."""
        page = self.format("html") if self.segments else ""
        if not 0 < len(page) <= MOST_PAGE:
            return _table(self)
        style = "width:100%;height:32em;border:1px solid #888"
        frame = '<iframe srcdoc="%s" style="%s"></iframe>' % (html.escape(page), style)
        return "%s<details><summary>as a table</summary>%s</details>" % (frame, _table(self))


def _table(transcript: Transcript) -> str:
    """Times, speakers where they are known, and text."""
    segments = transcript.segments
    who = bool(transcript.speakers)
    rows = []
    for segment in segments[:MOST_ROWS]:
        cells = ["%s&nbsp;&ndash;&nbsp;%s" % (_clock(segment["start"]), _clock(segment["end"]))]
        if who:
            cells.append(html.escape(str(segment.get("speaker", ""))))
        cells.append('<span dir="auto">%s</span>' % html.escape(segment["text"].strip()))
        rows.append("<tr>%s</tr>" % "".join('<td style="text-align:start">%s</td>' % cell for cell in cells))
    head = "".join("<th>%s</th>" % name for name in (["time", "speaker", "text"] if who else ["time", "text"]))
    table = "<table><thead><tr>%s</tr></thead><tbody>%s</tbody></table>" % (head, "".join(rows))
    left = len(segments) - MOST_ROWS
    notes = ["%d more segments" % left] if left > 0 else []
    if "incomplete" in transcript:
        notes.append(html.escape(str(transcript["incomplete"])))
    return table + "".join("<p>%s</p>" % note for note in notes)


def _clock(seconds: float) -> str:
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return "%d:%02d:%02d" % (hours, minutes, whole % 60) if hours else "%d:%02d" % (minutes, whole % 60)
