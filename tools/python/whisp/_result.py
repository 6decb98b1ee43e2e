"""Segments and results of the library as the dictionaries of openai-whisper."""

from __future__ import annotations

import ctypes
from typing import Any, Dict

from ._library import Segment, check, library


def segment_dict(segment: Segment) -> Dict[str, Any]:
    """A segment, copied out of C's memory."""
    n = segment.n_tokens
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
    if n == 0:
        copied["words"] = []  # as openai-whisper does to the segments that it empties
    return copied


def segment_line(segment: Dict[str, Any]) -> str:
    """The line that openai-whisper prints: "[00:00.000 --> 00:07.600]  And so ..."."""
    text = segment["text"].encode()
    view = Segment(start=segment["start"], end=segment["end"], text=text)
    line = ctypes.create_string_buffer(len(text) + 64)
    check(library().whisp_segment_line(ctypes.byref(view), line, len(line)))
    return line.value.decode()


class Result:
    """Owns a whisp_result while it is read."""

    def __init__(self, handle: ctypes.c_void_p) -> None:
        self._handle = handle

    def __enter__(self) -> "Result":
        return self

    def __exit__(self, *exception: Any) -> None:
        library().whisp_result_free(self._handle)

    def to_dict(self) -> Dict[str, Any]:
        lib = library()
        n = lib.whisp_result_segment_count(self._handle)
        language = lib.whisp_result_language(self._handle)
        return {
            "text": lib.whisp_result_text(self._handle).decode("utf-8", "replace"),
            "segments": [segment_dict(lib.whisp_result_segment(self._handle, i).contents) for i in range(n)],
            "language": language.decode() if language else None,
        }

    def format(self, format: str) -> str:
        lib = library()
        text, length = ctypes.c_void_p(), ctypes.c_size_t()
        check(lib.whisp_result_format(self._handle, format.encode(), ctypes.byref(text), ctypes.byref(length)))
        try:
            return ctypes.string_at(text, length.value).decode("utf-8", "replace")
        finally:
            lib.whisp_string_free(text)
