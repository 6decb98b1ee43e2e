"""Recordings from and to Python: whatever holds samples becomes a block of C floats; files are decoded."""

from __future__ import annotations

import array
import ctypes
import importlib.util
import os
import sys
from typing import Any, Union

from ._errors import ArgumentError
from ._library import check, library

SAMPLE_RATE = 16000

_BLOCK = 65536  # samples that load_audio() decodes at a time


def path_bytes(path: Union[str, "os.PathLike[str]"]) -> bytes:
    """A path as the library takes it. The samples of a recording may be bytes, so a path may not."""
    text = os.fsencode(path)
    if b"\0" in text:
        raise ArgumentError("%r: a path cannot hold a NUL character" % (path,))
    return text


def is_path(audio: Any) -> bool:
    return isinstance(audio, (str, os.PathLike))


class Samples:
    """Samples in C's hands: `pointer` to `n` floats, valid as long as this object lives."""

    def __init__(self, audio: Any) -> None:
        self._keep, address, self.n = _floats(audio)
        self.pointer = ctypes.cast(address, ctypes.POINTER(ctypes.c_float))

    def from_(self, start: int) -> Any:
        """A pointer to sample number `start`."""
        address = ctypes.addressof(self.pointer.contents) if self.n else 0
        return ctypes.cast(address + 4 * start, ctypes.POINTER(ctypes.c_float))


def _floats(audio: Any) -> "tuple[Any, Any, int]":
    """(what must be kept alive, address, number of samples) of anything that holds samples. Copies only when the
    samples are not 32-bit floats in a row already."""
    numpy = sys.modules.get("numpy")  # never imported for the caller: who has an array has imported it
    if numpy is not None and not isinstance(audio, (bytes, bytearray, memoryview, array.array)):
        if hasattr(audio, "__array__"):
            return _numpy_floats(numpy, audio)
    try:
        view = memoryview(audio)
    except TypeError:
        return _array_floats(_from_numbers(audio))
    return _view_floats(view)


def _numpy_floats(numpy: Any, audio: Any) -> "tuple[Any, Any, int]":
    samples = numpy.asarray(audio)
    _one_dimension(samples.shape)
    if samples.dtype == numpy.int16:
        samples = samples.astype(numpy.float32) / numpy.float32(32768)
    elif samples.dtype.kind != "f":
        raise _wrong_type(str(samples.dtype))
    samples = numpy.ascontiguousarray(samples, dtype=numpy.float32)
    return samples, samples.ctypes.data, samples.size


def _view_floats(view: memoryview) -> "tuple[Any, Any, int]":
    """Anything with the buffer protocol: bytes hold float32 samples, arrays say what they hold."""
    _one_dimension(view.shape or ())
    kind = (view.format or "B").lstrip("@=<" if sys.byteorder == "little" else "@=>")
    if kind in ("B", "b", "c"):
        if view.nbytes % 4:
            raise ArgumentError("audio as bytes must be 32-bit floats: %d bytes are not a multiple of 4" % view.nbytes)
        return _array_floats(array.array("f", view.tobytes()))
    if kind == "f" and view.contiguous and not view.readonly:
        if not view.nbytes:
            return view, None, 0
        return view, ctypes.addressof(ctypes.c_char.from_buffer(view)), view.nbytes // 4
    if kind not in ("f", "d", "h"):
        raise _wrong_type("format '%s'" % view.format)
    values: "array.array[Any]" = array.array(kind, view.tobytes())
    if kind == "h":
        values = array.array("f", [value / 32768 for value in values])
    elif kind == "d":
        values = array.array("f", values)
    return _array_floats(values)


def _from_numbers(audio: Any) -> "array.array[float]":
    """A list, tuple or other iterable of numbers."""
    try:
        return array.array("f", audio)
    except TypeError:
        pass
    try:
        return array.array("f", [float(value) for value in audio])
    except (TypeError, ValueError):
        what = type(audio).__name__
        if isinstance(audio, (list, tuple)):
            what += " with something else than numbers in it"
        raise ArgumentError(
            "audio must be a path or a one-dimensional array of samples (16 kHz, mono, in [-1, 1]), not a " + what
        ) from None


def _array_floats(samples: "array.array[float]") -> "tuple[Any, Any, int]":
    address, n = samples.buffer_info()
    return samples, address, n


def _one_dimension(shape: "tuple[int, ...]") -> None:
    if len(shape) != 1:
        raise ArgumentError(
            "audio has %d dimensions (shape %s) but must have one: mix the channels first, for example with "
            "audio.mean(axis=...)" % (len(shape), "x".join(map(str, shape)) or "()")
        )


def _wrong_type(kind: str) -> ArgumentError:
    return ArgumentError("audio samples are %s: give 32-bit floats in [-1, 1] or 16-bit integers" % kind)


def load_audio(path: Any) -> Any:
    """Decode a recording to 16 kHz mono samples, 32-bit floats in [-1, 1], all of it in memory.

    `path` is a file, "-" for standard input, or an open file descriptor (an int). Returns a NumPy array where NumPy is
    installed, otherwise an array.array('f').
    """
    lib = library()
    handle = ctypes.c_void_p()
    samples = array.array("f")
    block = (ctypes.c_float * _BLOCK)()
    try:
        if isinstance(path, int):
            check(lib.whisp_audio_open_fd(path, ctypes.byref(handle)))
        else:
            check(lib.whisp_audio_open(path_bytes(path), ctypes.byref(handle)))
        while True:
            n = check(lib.whisp_audio_read(handle, block, _BLOCK))
            if not n:
                break
            samples.frombytes(ctypes.string_at(block, 4 * n))
    finally:
        if handle:
            lib.whisp_audio_close(handle)
    if importlib.util.find_spec("numpy") is None:
        return samples
    import numpy

    return numpy.frombuffer(samples, dtype=numpy.float32)
