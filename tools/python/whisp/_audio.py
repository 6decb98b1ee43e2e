"""Samples from Python: whatever holds them becomes a block of C floats."""

from __future__ import annotations

import array
import collections.abc
import ctypes
import os
import sys
from typing import Any, Union

from ._errors import ArgumentError

SAMPLE_RATE = 16000


def path_bytes(path: Union[str, "os.PathLike[str]"]) -> bytes:
    """A path as the library takes it. A recording's bytes may be given too, so a path may not be bytes."""
    text = os.fsencode(path)
    if b"\0" in text:
        raise ArgumentError("%r: a path cannot hold a NUL character" % (path,))
    return text


def is_path(audio: Any) -> bool:
    return isinstance(audio, (str, os.PathLike))


class Bytes:
    """Bytes in C's hands: `n` of them at `address`, valid as long as this object lives. Copied only where they do not
    lie in a row, or may not be written to and have no other way to be found."""

    def __init__(self, data: Any) -> None:
        if isinstance(data, memoryview) and (data.readonly or not data.c_contiguous):
            data = data.tobytes()
        if isinstance(data, bytes):
            self._keep: Any = ctypes.c_char_p(data)
            self.n = len(data)
        else:
            view = memoryview(data).cast("B")
            self.n = view.nbytes
            self._keep = (ctypes.c_char * self.n).from_buffer(view) if self.n else ctypes.c_char_p(b"")
        self.address = ctypes.cast(self._keep, ctypes.c_void_p)


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
    """Anything with the buffer protocol that says what it holds."""
    _one_dimension(view.shape or ())
    kind = (view.format or "B").lstrip("@=<" if sys.byteorder == "little" else "@=>")
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


def numbers_of(audio: Any) -> "array.array[Any]":
    """A list or other sequence as an array: of 16-bit integers, where it holds nothing but integers, else of floats.
    TypeError, OverflowError: something else is in it."""
    if isinstance(audio, (collections.abc.Sequence, array.array)) and not isinstance(audio, (str, bytes)):
        try:
            return array.array("h", audio)
        except TypeError:
            pass
    return array.array("f", audio)


def _from_numbers(audio: Any) -> "array.array[float]":
    """A list, tuple or other iterable of numbers."""
    if isinstance(audio, (collections.abc.Set, collections.abc.Mapping)):
        raise _no_samples(type(audio).__name__)
    try:
        values = numbers_of(audio)
        return values if values.typecode == "f" else array.array("f", [value / 32768 for value in values])
    except OverflowError:
        raise _wrong_type("integers of more than 16 bits") from None
    except TypeError:
        pass
    try:
        return array.array("f", [float(value) for value in audio])
    except (TypeError, ValueError):
        what = type(audio).__name__
        if isinstance(audio, (list, tuple)):
            what += " with something else than numbers in it"
        raise _no_samples(what) from None


def _array_floats(samples: "array.array[float]") -> "tuple[Any, Any, int]":
    address, n = samples.buffer_info()
    return samples, address, n


def _one_dimension(shape: "tuple[int, ...]") -> None:
    if len(shape) != 1:
        raise ArgumentError(
            "audio has %d dimensions (shape %s) but must have one: mix the channels first, for example with "
            "audio.mean(axis=...)" % (len(shape), "x".join(map(str, shape)) or "()")
        )


def _no_samples(what: str) -> ArgumentError:
    return ArgumentError(
        "audio must be a path or a one-dimensional array of samples (16 kHz, mono, in [-1, 1]), not a " + what
    )


def _wrong_type(kind: str) -> ArgumentError:
    return ArgumentError("audio samples are %s: give 32-bit floats in [-1, 1] or 16-bit integers" % kind)
