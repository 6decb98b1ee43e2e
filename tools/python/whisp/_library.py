"""Finds libwhisp and declares its functions for ctypes: include/whisp.h, whisp_vad.h, whisp_live.h and
whisp_speakers.h.

The library is loaded at the first use, not at import, so that importing the package never fails.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import os
import sys
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char_p,
    c_double,
    c_float,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint64,
    c_void_p,
)
from typing import Any, Iterator, List, Tuple

from ._errors import LibraryError, error_of

# The header's version for which the declarations below were written. Its structures only grow at their ends, so a
# library with a later minor version fits too.
VERSION = (0, 1)

OK = 0
END = 2  # WHISP_END: whisp_session_pull() has given the last segment


class ModelInfo(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("name", c_char_p),
        ("type", c_char_p),
        ("n_vocab", c_int),
        ("n_mels", c_int),
        ("n_audio_ctx", c_int),
        ("n_audio_state", c_int),
        ("n_audio_head", c_int),
        ("n_audio_layer", c_int),
        ("n_text_ctx", c_int),
        ("n_text_state", c_int),
        ("n_text_head", c_int),
        ("n_text_layer", c_int),
        ("is_multilingual", c_int),
        ("n_languages", c_int),
        ("n_parameters", c_uint64),
    ]


class OptionInfo(Structure):
    _fields_ = [("name", c_char_p), ("values", c_char_p), ("initial", c_char_p), ("help", c_char_p)]


class Language(Structure):
    _fields_ = [("code", c_char_p), ("name", c_char_p)]


class Format(Structure):
    _fields_ = [("name", c_char_p), ("help", c_char_p)]


class ModelFile(Structure):
    _fields_ = [("name", c_char_p), ("path", c_char_p), ("bytes", c_uint64), ("architecture", c_char_p)]


class Token(Structure):
    _fields_ = [("id", c_int32), ("logprob", c_float)]


class Alternative(Structure):
    _fields_ = [("text", c_char_p), ("logprob", c_double)]


class Turn(Structure):
    _fields_ = [("start", c_double), ("end", c_double), ("speaker", c_int)]


class Word(Structure):
    _fields_ = [
        ("text", c_char_p),
        ("start", c_double),
        ("end", c_double),
        ("probability", c_double),
        ("first_token", c_size_t),
        ("n_tokens", c_size_t),
        ("confidence", c_double),
        ("speaker", c_int),
        ("alternatives", POINTER(Alternative)),
        ("n_alternatives", c_size_t),
    ]


class Segment(Structure):
    _fields_ = [
        ("id", c_int),
        ("seek", c_int64),
        ("start", c_double),
        ("end", c_double),
        ("text", c_char_p),
        ("tokens", POINTER(Token)),
        ("n_tokens", c_size_t),
        ("temperature", c_double),
        ("avg_logprob", c_double),
        ("compression_ratio", c_double),
        ("no_speech_prob", c_double),
        ("words", POINTER(POINTER(Word))),
        ("n_words", c_size_t),
        ("confidence", c_double),
        ("speaker", c_int),
        ("language", c_char_p),
        ("speaker_name", c_char_p),
    ]


class ResultInfo(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("text", c_char_p),
        ("language", c_char_p),
        ("duration", c_double),
        ("incomplete", c_char_p),
        ("n_segments", c_size_t),
        ("speakers", POINTER(c_char_p)),
        ("n_speakers", c_size_t),
        ("turns", POINTER(Turn)),
        ("n_turns", c_size_t),
    ]


class AudioInfo(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("sample_rate", c_int),
        ("channels", c_int),
        ("duration", c_double),
        ("format", c_char_p),
    ]


class Timings(Structure):
    _fields_ = [
        ("audio", c_double),
        ("mel", c_double),
        ("encode", c_double),
        ("prompt", c_double),
        ("decode", c_double),
        ("search", c_double),
        ("n_encode", c_int64),
        ("n_prompt_tokens", c_int64),
        ("n_decode_steps", c_int64),
        ("n_decode_tokens", c_int64),
        ("n_windows", c_int64),
        ("n_fallbacks", c_int64),
        ("words", c_double),
    ]


class SessionInfo(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("language", c_char_p),
        ("incomplete", c_char_p),
        ("backend", c_char_p),
        ("timings", POINTER(Timings)),
    ]


class StreamInfo(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("tail", c_char_p),
        ("language", c_char_p),
        ("incomplete", c_char_p),
        ("backend", c_char_p),
        ("speakers", POINTER(c_char_p)),
        ("n_speakers", c_size_t),
    ]


class WriterOptions(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("highlight_words", c_int),
        ("max_line_width", c_int),
        ("max_line_count", c_int),
        ("max_words_per_line", c_int),
        ("doubtful_share", c_double),
        ("recording", c_char_p),
        ("recording_path", c_char_p),
        ("recording_link", c_char_p),
        ("embed_audio", c_int),
        ("subtitles", c_int),
        ("subtitle_style", c_char_p),
    ]


LogFn = CFUNCTYPE(None, c_void_p, c_int, c_char_p)
ProgressFn = CFUNCTYPE(None, c_void_p, c_double, c_double)
SegmentFn = CFUNCTYPE(None, c_void_p, POINTER(Segment))
CancelFn = CFUNCTYPE(c_int, c_void_p)
JournalFn = CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p, c_size_t)
ModelFn = CFUNCTYPE(c_int, c_void_p, POINTER(ModelFile))
ReadFn = CFUNCTYPE(c_int64, c_void_p, c_void_p, c_size_t)
SeekFn = CFUNCTYPE(c_int, c_void_p, c_int64, c_int)
TellFn = CFUNCTYPE(c_int64, c_void_p)


class Part(Structure):
    _fields_ = [
        ("samples", POINTER(c_float)),
        ("n", c_size_t),
        ("at", c_int64),
        ("loudest", c_double),
        ("is_last", c_int),
    ]


PartFn = CFUNCTYPE(c_int, c_void_p, POINTER(Part))
FileFn = CFUNCTYPE(c_int, c_void_p, c_size_t, c_int, c_void_p)


class CallbackTable(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("user", c_void_p),
        ("log", LogFn),
        ("progress", ProgressFn),
        ("segment", SegmentFn),
        ("cancel", CancelFn),
        ("journal", JournalFn),
        ("no_mmap", c_int),
        ("part", PartFn),
    ]


class Reader(Structure):
    _fields_ = [("size", c_size_t), ("user", c_void_p), ("read", ReadFn), ("seek", SeekFn), ("tell", TellFn)]


class Span(Structure):
    _fields_ = [("start", c_double), ("end", c_double)]


class SpeechInfo(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("spans", POINTER(Span)),
        ("n_spans", c_size_t),
        ("probabilities", POINTER(c_float)),
        ("n_probabilities", c_size_t),
        ("duration", c_double),
    ]


class Event(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("kind", c_int),
        ("id", c_uint64),
        ("user", c_void_p),
        ("segment", POINTER(Segment)),
        ("rc", c_int),
        ("error", c_char_p),
        ("result", c_void_p),
    ]


# Handles (whisp_model * and so on) are plain c_void_p. Paths and texts are bytes. Strings that the caller must release
# are c_void_p too, because ctypes turns a returned c_char_p into bytes and loses the pointer.
_Samples = POINTER(c_float)
_PROTOTYPES = {
    "whisp_version": (c_char_p,),
    "whisp_last_error": (c_char_p,),
    "whisp_error_name": (c_char_p, c_int),
    "whisp_model_find": (c_int, c_char_p, c_char_p, c_char_p, c_size_t),
    "whisp_model_list": (c_int, c_char_p, ModelFn, c_void_p),
    "whisp_model_load": (c_int, c_char_p, POINTER(CallbackTable), POINTER(c_void_p)),
    "whisp_model_load_memory": (c_int, c_void_p, c_size_t, POINTER(CallbackTable), POINTER(c_void_p)),
    "whisp_model_free": (None, c_void_p),
    "whisp_model_describe": (c_int, c_void_p, POINTER(ModelInfo)),
    "whisp_option_list": (POINTER(POINTER(OptionInfo)), POINTER(c_size_t)),
    "whisp_options_new": (c_void_p,),
    "whisp_options_free": (None, c_void_p),
    "whisp_options_set": (c_int, c_void_p, c_char_p, c_char_p),
    "whisp_options_get": (c_char_p, c_void_p, c_char_p),
    "whisp_options_on": (c_int, c_void_p, POINTER(CallbackTable)),
    "whisp_result_set_incomplete": (c_int, c_void_p, c_char_p),
    "whisp_session_new": (c_int, c_void_p, c_void_p, POINTER(c_void_p)),
    "whisp_session_free": (None, c_void_p),
    "whisp_session_reset": (c_int, c_void_p),
    "whisp_session_transcribe": (c_int, c_void_p, c_void_p, POINTER(c_void_p)),
    "whisp_session_transcribe_files": (c_int, c_void_p, POINTER(c_char_p), c_size_t, FileFn, c_void_p),
    "whisp_session_align": (c_int, c_void_p, c_void_p, c_char_p, POINTER(c_void_p)),
    "whisp_session_detect_language": (c_int, c_void_p, c_void_p, _Samples, c_size_t),
    "whisp_session_describe": (c_int, c_void_p, POINTER(SessionInfo)),
    "whisp_session_push": (c_int64, c_void_p, _Samples, c_size_t),
    "whisp_session_finish": (c_int, c_void_p),
    "whisp_session_pull": (c_int, c_void_p, POINTER(POINTER(Segment))),
    "whisp_session_measure": (c_int, c_void_p, _Samples, c_size_t),
    "whisp_result_free": (None, c_void_p),
    "whisp_result_text": (c_char_p, c_void_p),
    "whisp_result_describe": (c_int, c_void_p, POINTER(ResultInfo)),
    "whisp_result_segment": (POINTER(Segment), c_void_p, c_size_t),
    "whisp_format_list": (POINTER(POINTER(Format)), POINTER(c_size_t)),
    "whisp_result_format": (
        c_int,
        c_void_p,
        c_char_p,
        POINTER(WriterOptions),
        POINTER(c_void_p),
        POINTER(c_size_t),
    ),
    "whisp_result_write": (c_int, c_void_p, c_char_p, POINTER(WriterOptions), c_char_p),
    "whisp_result_read": (c_int, c_char_p, c_size_t, POINTER(c_void_p)),
    "whisp_string_free": (None, c_void_p),
    "whisp_segment_line": (c_int, POINTER(Segment), c_char_p, c_size_t),
    "whisp_language_list": (POINTER(POINTER(Language)), POINTER(c_size_t)),
    "whisp_tokenize": (c_int64, c_void_p, c_char_p, POINTER(c_int32), c_size_t),
    "whisp_detokenize": (c_int64, c_void_p, POINTER(c_int32), c_size_t, c_char_p, c_size_t),
    "whisp_audio_open": (c_int, c_char_p, POINTER(c_void_p)),
    "whisp_audio_open_fd": (c_int, c_int, POINTER(c_void_p)),
    "whisp_audio_open_memory": (c_int, c_void_p, c_size_t, POINTER(c_void_p)),
    "whisp_audio_open_samples": (c_int, _Samples, c_size_t, POINTER(c_void_p)),
    "whisp_audio_open_reader": (c_int, POINTER(Reader), POINTER(c_void_p)),
    "whisp_audio_describe": (c_int, c_void_p, POINTER(AudioInfo)),
    "whisp_audio_select_channel": (c_int, c_void_p, c_int),
    "whisp_audio_read": (c_int64, c_void_p, _Samples, c_size_t),
    "whisp_audio_warning": (c_char_p, c_void_p, c_size_t, POINTER(c_int)),
    "whisp_audio_free": (None, c_void_p),
    "whisp_stream_new": (c_int, c_void_p, c_void_p, POINTER(c_void_p)),
    "whisp_stream_free": (None, c_void_p),
    "whisp_stream_push": (c_int64, c_void_p, _Samples, c_size_t),
    "whisp_stream_finish": (c_int, c_void_p),
    "whisp_stream_pull": (c_int, c_void_p, POINTER(POINTER(POINTER(Word))), POINTER(c_size_t)),
    "whisp_stream_describe": (c_int, c_void_p, POINTER(StreamInfo)),
    "whisp_stream_catch_up": (None, c_void_p),
    "whisp_stream_result": (c_int, c_void_p, POINTER(c_void_p)),
    "whisp_log_mel": (c_int64, c_void_p, _Samples, c_size_t, _Samples, c_size_t),
    "whisp_session_decode_mel": (c_int, c_void_p, _Samples, c_size_t, _Samples, c_size_t, POINTER(c_void_p)),
    "whisp_queue_new": (c_int, c_void_p, c_void_p, POINTER(c_void_p)),
    "whisp_queue_free": (None, c_void_p),
    "whisp_queue_submit": (c_int, c_void_p, c_void_p, c_void_p, c_void_p, POINTER(c_uint64)),
    "whisp_queue_next": (c_int, c_void_p, c_double, POINTER(Event)),
    "whisp_queue_cancel": (c_int, c_void_p, c_uint64),
    "whisp_vad_load": (c_int, c_char_p, POINTER(c_void_p)),
    "whisp_vad_free": (None, c_void_p),
    "whisp_vad_speech": (c_int, c_void_p, c_void_p, c_void_p, POINTER(c_void_p)),
    "whisp_speech_describe": (c_int, c_void_p, POINTER(SpeechInfo)),
    "whisp_speech_free": (None, c_void_p),
    "whisp_speakers_load": (c_int, c_char_p, c_void_p, POINTER(c_void_p)),
    "whisp_speakers_free": (None, c_void_p),
    "whisp_speakers_diarize": (c_int, c_void_p, c_void_p, c_void_p, POINTER(c_void_p)),
    "whisp_speakers_embed": (c_int, c_void_p, _Samples, c_size_t, _Samples),
    "whisp_speakers_compare": (c_float, _Samples, _Samples),
    "whisp_speakers_cluster": (c_int, _Samples, c_size_t, c_void_p, POINTER(c_int)),
    "whisp_audio_open_live": (c_int, c_int, c_int, c_int, POINTER(c_void_p)),
}


def _candidates() -> Iterator[Tuple[str, str]]:
    """Where the library may be, best first: (path or soname, why it is tried)."""
    here = os.path.dirname(os.path.abspath(__file__))
    yield os.path.join(here, "libwhisp.so"), "inside the package"
    root = os.path.dirname(os.path.dirname(os.path.dirname(here)))
    if os.path.exists(os.path.join(root, "include", "whisp.h")):
        yield os.path.join(root, "build", "libwhisp.so"), "built in this checkout: run make there"
    name = "libwhisp.so.%d" % VERSION[0]
    yield ctypes.util.find_library("whisp") or name, "the system's"


def _tell_where_cublas_is() -> None:
    """pip puts cuBLAS (nvidia-cublas) into a folder of site-packages that no loader knows: the library asks this variable."""
    folders = [p for p in sys.path if p and ":" not in p and os.path.isdir(os.path.join(p, "nvidia"))]
    if folders:
        os.environ.setdefault("WHISP_CUDA_PATH", ":".join(folders))


def _declare(path: str) -> Any:
    """Load one library and declare its functions; OSError or LibraryError when it is not one that fits."""
    _tell_where_cublas_is()
    lib = ctypes.CDLL(path)
    _check_version(lib)
    for name, (result, *arguments) in _PROTOTYPES.items():
        function = getattr(lib, name, None)
        if function is None:
            raise LibraryError("has no function %s" % name)
        function.restype = result
        function.argtypes = arguments
    return lib


def _check_version(lib: Any) -> None:
    """LibraryError unless the library has the structures that are declared here."""
    function = getattr(lib, "whisp_version", None)
    if function is None:
        raise LibraryError("is not libwhisp: it has no whisp_version()")
    function.restype = c_char_p
    version = function().decode()
    major, minor = (int(part) for part in version.split(".")[:2])
    if major != VERSION[0] or minor < VERSION[1]:
        needed = "%d.%d or a later %d.x" % (VERSION + VERSION[:1])
        raise LibraryError("is version %s, this module needs %s" % (version, needed))


def _refuse_free_threads() -> None:
    """A Python without its lock: the module was never run on one, and says so."""
    is_locked = getattr(sys, "_is_gil_enabled", lambda: True)()
    if not is_locked and not os.environ.get("WHISP_FREE_THREADED"):
        raise LibraryError(
            "this is a free-threaded Python, on which whisp was never tried: run it with PYTHON_GIL=1, "
            "or set WHISP_FREE_THREADED=1 to try it"
        )


@functools.lru_cache(maxsize=None)
def library() -> Any:
    """The loaded library. LibraryError, with all that was tried, when there is none."""
    _refuse_free_threads()
    chosen = os.environ.get("WHISP_LIBRARY")
    if chosen:
        try:
            return _declare(chosen)
        except (OSError, LibraryError) as error:
            raise LibraryError("$WHISP_LIBRARY, %s: %s" % (chosen, error)) from None
    tried: List[str] = []
    for path, why in _candidates():
        if os.path.isabs(path) and not os.path.exists(path):
            tried.append("%s (%s): not there" % (path, why))
            continue
        try:
            return _declare(path)
        except (OSError, LibraryError) as error:
            tried.append("%s (%s): %s" % (path, why, error))
    raise LibraryError("libwhisp not found; set $WHISP_LIBRARY to libwhisp.so. Tried: " + "; ".join(tried))


def check(code: int) -> int:
    """Pass on a return value that is not negative; otherwise raise its exception with the library's message."""
    if code >= 0:
        return code
    raise failure(code)


def failure(code: int) -> Exception:
    """The exception for a negative return value of the call that this thread made last."""
    lib = library()
    message = lib.whisp_last_error().decode("utf-8", "replace")
    return error_of(code, message or lib.whisp_error_name(code).decode())


def sized(kind: Any) -> Any:
    """A structure that the library fills or reads, with its size."""
    return kind(size=ctypes.sizeof(kind))


def languages() -> List[Tuple[str, str]]:
    """Codes and English names, in the order of the models' tokens."""
    n = ctypes.c_size_t()
    listed = library().whisp_language_list(ctypes.byref(n))
    return [(listed[i].contents.code.decode(), listed[i].contents.name.decode()) for i in range(n.value)]
