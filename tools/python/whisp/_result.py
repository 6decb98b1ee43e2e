"""Segments and results of the library as the dictionaries of openai-whisper."""

from __future__ import annotations

import ctypes
import functools
import os
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from ._audio import path_bytes
from ._errors import ArgumentError
from ._library import ResultInfo, Segment, WriterOptions, check, library, sized

# How documents are laid out, openai-whisper's names first; and the recording that the review page plays.
LAYOUT = ("highlight_words", "max_line_width", "max_line_count", "max_words_per_line", "doubtful_share",
          "subtitles", "subtitle_style", "recording", "embed_audio")


def segment_dict(segment: Segment, speakers: Sequence[str] = ()) -> Dict[str, Any]:
    """A segment, copied out of C's memory. `speakers`: the result's."""
    n = segment.n_tokens
    name = segment.speaker_name.decode("utf-8", "replace") if segment.speaker_name else None
    copied = {
        "id": segment.id,
        "seek": segment.seek,
        "start": segment.start,
        "end": segment.end,
        "text": segment.text.decode("utf-8", "replace"),
        "tokens": [segment.tokens[i].id for i in range(n)],
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }
    if segment.confidence > 0:
        copied["confidence"] = segment.confidence
    if name is not None:
        copied["speaker"] = name
    if segment.words or n == 0:  # openai-whisper gives the segments that it empties a list, too
        copied["words"] = [word_dict(segment.words[i].contents) for i in range(segment.n_words)]
        for i, word in enumerate(copied["words"]):
            speaker = segment.words[i].contents.speaker
            if speaker == segment.speaker and name is not None:
                word["speaker"] = name
            elif 0 < speaker <= len(speakers):
                word["speaker"] = speakers[speaker - 1]
    return copied


def word_dict(word: Any) -> Dict[str, Any]:
    copied = {
        "word": word.text.decode("utf-8", "replace"),
        "start": word.start,
        "end": word.end,
        "probability": word.probability,
    }
    if word.confidence > 0:  # with the option confidence
        copied["confidence"] = word.confidence
    if word.n_alternatives:
        copied["alternatives"] = [
            {"text": one.text.decode("utf-8", "replace"), "logprob": one.logprob}
            for one in word.alternatives[: word.n_alternatives]
        ]
    return copied


def layout_of(settings: Mapping[str, Any]) -> WriterOptions:
    """The layout that transcribe_text()'s keyword arguments ask for."""
    layout = WriterOptions(size=ctypes.sizeof(WriterOptions))
    for name, value in settings.items():
        if name not in LAYOUT:
            raise ArgumentError("unknown layout %s; there are: %s" % (name, ", ".join(LAYOUT)))
        if name == "doubtful_share":
            if not isinstance(value, (int, float, type(None))):
                raise ArgumentError("doubtful_share must be a number from 0 to 1")
            layout.doubtful_share = float(value or 0)
        elif name == "subtitle_style":
            if not isinstance(value, (str, type(None))) or "\0" in (value or ""):
                raise ArgumentError("subtitle_style must be a name, or None")
            layout.subtitle_style = value.encode("utf-8", "replace") if value is not None else None
        elif name == "recording":
            if value is not None:
                layout.recording = os.path.splitext(os.path.basename(path_bytes(value)))[0]
                layout.recording_path = os.path.abspath(path_bytes(value))
        elif name in ("highlight_words", "subtitles", "embed_audio"):
            setattr(layout, name, int(bool(value)))
        elif value is not None and not (isinstance(value, int) and 0 < value < 1 << 31):
            raise ArgumentError("%s must be a whole number above 0 (and below 2^31), or None" % name)
        else:
            setattr(layout, name, int(value or 0))
    if layout.subtitle_style:
        layout.subtitles = 1
    return layout


def segment_line(segment: Dict[str, Any]) -> str:
    """The line that openai-whisper prints: "[00:00.000 --> 00:07.600]  And so ..."."""
    text = segment["text"].encode()
    name = segment["speaker"].encode() if "speaker" in segment else None
    view = Segment(start=segment["start"], end=segment["end"], text=text, speaker=int(bool(name)), speaker_name=name)
    line = ctypes.create_string_buffer(len(text) + len(name or b"") + 64)
    check(library().whisp_segment_line(ctypes.byref(view), line, len(line)))
    return line.value.decode()


class Result:
    """Owns a whisp_result while it is read."""

    def __init__(self, handle: ctypes.c_void_p, named: Optional[Callable[[str], str]] = None) -> None:
        """`named`: puts the recording's name in place of the path by which the library knows it."""
        self._handle = handle
        self._named = named or str

    def __enter__(self) -> "Result":
        return self

    def __exit__(self, *exception: Any) -> None:
        library().whisp_result_free(self._handle)

    @property
    def incomplete(self) -> Optional[str]:
        """What of the recording is not in the transcript, or None: all was heard."""
        why = self._info().incomplete
        return self._named(why.decode("utf-8", "replace")) if why else None

    def _info(self) -> ResultInfo:
        info: ResultInfo = sized(ResultInfo)
        check(library().whisp_result_describe(self._handle, ctypes.byref(info)))
        return info

    def speakers_dict(self) -> Dict[str, Any]:
        """Who there is, and who speaks when."""
        info = self._info()
        names: List[str] = [info.speakers[i].decode("utf-8", "replace") for i in range(info.n_speakers)]
        turns = [info.turns[i] for i in range(info.n_turns)]
        return {
            "speakers": names,
            "turns": [{"start": t.start, "end": t.end, "speaker": names[t.speaker - 1]} for t in turns],
        }

    def to_dict(self) -> Dict[str, Any]:
        """openai-whisper's keys; "speakers" and "turns" where they are known, and "incomplete" where something was not
        heard."""
        lib = library()
        info = self._info()
        who = self.speakers_dict()
        result = {
            "text": info.text.decode("utf-8", "replace"),
            "segments": [
                segment_dict(lib.whisp_result_segment(self._handle, i).contents, who["speakers"])
                for i in range(info.n_segments)
            ],
            "language": info.language.decode() if info.language else None,
        }
        if self._info().turns:  # an empty list of them is one, too
            result.update(who)
        if self.incomplete:
            result["incomplete"] = self.incomplete
        return result

    def format(self, format: str, layout: Optional[WriterOptions] = None) -> str:
        lib = library()
        text, length = ctypes.c_void_p(), ctypes.c_size_t()
        options = None if layout is None else ctypes.byref(layout)
        check(
            lib.whisp_result_format(self._handle, format.encode(), options, ctypes.byref(text), ctypes.byref(length))
        )
        try:
            document = ctypes.string_at(text, length.value).decode("utf-8", "replace")
            return self._named(document) if self.incomplete else document
        finally:
            lib.whisp_string_free(text)


    def write(self, format: str, path: bytes, layout: WriterOptions) -> None:
        """Into a file, which appears when it is whole. The review page finds its recording by the way from there."""
        if layout.recording_path and path != b"-":
            folder = os.path.dirname(os.path.abspath(path))
            layout.recording_link = os.path.relpath(layout.recording_path, folder)
        check(library().whisp_result_write(self._handle, format.encode(), ctypes.byref(layout), path))


@functools.lru_cache(maxsize=None)
def format_names() -> List[str]:
    """The formats in which a result can be written."""
    n = ctypes.c_size_t()
    listed = library().whisp_format_list(ctypes.byref(n))
    return [listed[i].contents.name.decode() for i in range(n.value)]
