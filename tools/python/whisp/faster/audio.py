"""faster-whisper's faster_whisper.audio."""

from __future__ import annotations

from typing import Any

from .._mel import numpy
from .._recording import decode
from ..audio import SAMPLE_RATE, load_audio
from ..audio import pad_or_trim as _pad_or_trim


def decode_audio(input_file: Any, sampling_rate: int = 16000, split_stereo: bool = False) -> Any:
    """A recording as samples; with split_stereo a pair of them, of the left and of the right channel."""
    if not split_stereo or sampling_rate != SAMPLE_RATE:
        return load_audio(input_file, sampling_rate)  # which refuses other rates
    if callable(getattr(input_file, "read", None)):
        input_file = input_file.read()
    return tuple(numpy().frombuffer(decode(input_file, channel)[0], dtype="float32") for channel in (0, 1))


def pad_or_trim(array: Any, length: int = 3000, *, axis: int = -1) -> Any:
    """As whisp.pad_or_trim(), of frames."""
    return _pad_or_trim(array, length, axis=axis)
