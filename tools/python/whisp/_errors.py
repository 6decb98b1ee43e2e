"""Exceptions: one class for each error code of whisp.h, all under Error, with the library's one-line message."""

from __future__ import annotations

from typing import Any, Dict, Optional


class Error(Exception):
    """What this module raises. `code` is the library's WHISP_ERR_* number, 0 where Python found the fault. `result` is
    None; or, of a transcription that stopped midway, the dictionary of what was final until then. An exception from a
    callback that stopped one has such a `result` too."""

    code = 0
    result: Optional[Dict[str, Any]] = None


class ArgumentError(Error, ValueError):
    """An argument or option is not acceptable (WHISP_ERR_ARGUMENT)."""

    code = -1


class OutOfMemoryError(Error, MemoryError):
    """Out of memory (WHISP_ERR_MEMORY)."""

    code = -2


class FileError(Error, OSError):
    """A file cannot be opened, read or written (WHISP_ERR_IO)."""

    code = -3


class AudioError(Error):
    """Not a recording that can be decoded (WHISP_ERR_AUDIO)."""

    code = -4


class ModelError(Error):
    """Not a model, or a damaged or unsupported one (WHISP_ERR_MODEL)."""

    code = -5


class BackendError(Error):
    """The compute backend is missing or failed (WHISP_ERR_BACKEND)."""

    code = -6


class Cancelled(Error):
    """The cancel callback said so (WHISP_ERR_CANCELLED)."""

    code = -7


class StateError(Error):
    """The call does not fit the object's state: after close(), or from two threads at once (WHISP_ERR_STATE)."""

    code = -8


class OutputError(FileError):
    """A file that an option names (speakers_out) cannot be written (WHISP_ERR_OUTPUT). Where that was found out at the
    end only, `result` is all that the call would have returned."""

    code = -9


class LibraryWarning(UserWarning):
    """What the library warns of, where no `log` callback hears it: an option without effect, channels that cancel each
    other, an uncertain language, ..."""


class IncompleteWarning(LibraryWarning):
    """The transcript is not of the whole recording: it is damaged, cut off, ... The text says what is missing."""


class LibraryError(Error, ImportError):
    """libwhisp cannot be found, or is of another version than this module."""


_CLASSES = {
    cls.code: cls
    for cls in (
        ArgumentError,
        OutOfMemoryError,
        FileError,
        AudioError,
        ModelError,
        BackendError,
        Cancelled,
        StateError,
        OutputError,
    )
}


def error_of(code: int, message: str) -> Error:
    """The exception for a negative return code."""
    error = _CLASSES.get(code, Error)(message)
    error.code = code
    return error
