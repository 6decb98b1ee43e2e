"""Where speech is in a recording: include/whisp_vad.h."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Dict, List, Optional, Tuple

from ._audio import path_bytes
from ._files import find_model
from ._library import SpeechInfo, check, library, sized
from ._options import set_options
from ._recording import Opened, heard

NAMES = {
    "threshold": "vad_threshold",
    "neg_threshold": "vad_neg_threshold",
    "min_speech_duration_ms": "vad_min_speech_duration_ms",
    "max_speech_duration_s": "vad_max_speech_duration_s",
    "min_silence_duration_ms": "vad_min_silence_duration_ms",
    "speech_pad_ms": "vad_speech_pad_ms",
}  # Silero's and faster-whisper's names, and the library's


def vad_file(model_path: Optional[str] = None) -> str:
    """The voice activity model: beside a speech model, or where models are; FileError where there is none."""
    if model_path:
        beside = os.path.join(os.path.dirname(os.path.abspath(model_path)), "silero-vad.gguf")
        if os.path.isfile(beside):
            return beside
    return find_model("silero-vad", None)


def speech(audio: Any, options: Dict[str, Any], path: str) -> Tuple[List[Tuple[float, float]], float]:
    """The parts in which somebody speaks, in seconds, and how long the recording is. `options`: the library's vad_*."""
    lib = library()
    vad, settings = ctypes.c_void_p(), ctypes.c_void_p(lib.whisp_options_new())
    if not settings:
        check(-2)

    def hear(recording: Opened) -> Tuple[List[Tuple[float, float]], float]:
        found = ctypes.c_void_p()
        with recording.audio() as handle:
            check(recording.passed(lib.whisp_vad_speech(vad, handle, settings, ctypes.byref(found))))
        try:
            info: SpeechInfo = sized(SpeechInfo)
            check(lib.whisp_speech_describe(found, ctypes.byref(info)))
            return [(info.spans[i].start, info.spans[i].end) for i in range(info.n_spans)], float(info.duration)
        finally:
            lib.whisp_speech_free(found)

    try:
        set_options(settings, dict(options))
        check(lib.whisp_vad_load(path_bytes(path), ctypes.byref(vad)))
        return heard(audio, hear)
    finally:
        lib.whisp_vad_free(vad)
        lib.whisp_options_free(settings)
