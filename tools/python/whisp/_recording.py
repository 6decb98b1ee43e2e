"""Whole recordings as the library opens them: paths, and the bytes of a file through a file in memory. What the library
does not decode is heard through ffmpeg, where that is installed; the library itself never starts a process."""

from __future__ import annotations

import array
import contextlib
import ctypes
import importlib.util
import os
import re
import selectors
import shutil
import subprocess
import tempfile
import warnings
from typing import IO, Any, Callable, Iterator, List, Optional, Tuple, TypeVar

from ._audio import is_path, path_bytes
from ._errors import ArgumentError, AudioError, Error, FileError, IncompleteWarning
from ._library import AudioInfo, check, library

_Value = TypeVar("_Value")

# What blocks of samples cannot be: a recording has a beginning and an end, bytes have no type.
NO_BLOCK = (
    "a block must hold samples (an array of floats or 16-bit integers, as array.array('h', bytes) makes of raw ones), "
    "not a path, a file or a file's bytes; load_audio() and transcribe() decode those"
)

_IN_MEMORY = "the recording in memory"
_BLOCK = 1 << 16
_COMMAND = " -ac 1 -ar 16000 -f wav - | whisp -"  # ends the library's message where ffmpeg may know more


def is_recording(audio: Any) -> bool:
    """Is it a recording to be decoded: a path, a file's bytes, or a file that is open? Else it should hold samples."""
    if is_path(audio) or isinstance(audio, (bytes, bytearray)) or callable(getattr(audio, "read", None)):
        return True
    return isinstance(audio, memoryview) and audio.format in ("B", "b", "c")


class Opened:
    """A recording that can be opened by `path`. Messages call it `name`."""

    def __init__(self, path: bytes, name: str) -> None:
        self.path, self.name = path, name
        self.incomplete: Optional[str] = None  # why it is not all of the recording

    def named(self, text: str) -> str:
        """The library's text, with the recording's own name."""
        path = os.fsdecode(self.path)
        return text.replace(path, self.name) if path != self.name else text

    def called(self, text: str) -> str:
        return "%s: %s" % (self.name, text)


def _memory_file() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("whisp"), "w+b")
    return tempfile.TemporaryFile()


def _path_of(file: IO[bytes]) -> bytes:
    return b"/proc/self/fd/%d" % file.fileno()


@contextlib.contextmanager
def _opened(audio: Any) -> Iterator[Opened]:
    if is_path(audio):
        yield Opened(path_bytes(audio), os.fsdecode(os.fspath(audio)))
        return
    with _memory_file() as file:
        if callable(getattr(audio, "read", None)):
            for block in iter(lambda: audio.read(_BLOCK), b""):
                if not isinstance(block, (bytes, bytearray)):
                    raise ArgumentError("the recording is a file opened as text; open it with \"rb\"")
                file.write(block)
        else:
            file.write(audio)
        file.flush()
        yield Opened(_path_of(file), _IN_MEMORY)


def heard(audio: Any, hear: Callable[[Opened], _Value]) -> _Value:
    """hear(recording); where the library cannot decode it, once more with what ffmpeg makes of it."""
    with _opened(audio) as recording:
        try:
            return _named(recording, hear)
        except AudioError as error:
            program = shutil.which("ffmpeg") if str(error).endswith(_COMMAND) else None
            if program is None or not os.path.isfile(recording.path):  # a pipe's beginning is gone
                raise
        with _spooled(program, recording) as spooled:
            return _named(spooled, hear)


def _named(recording: Opened, hear: Callable[[Opened], _Value]) -> _Value:
    try:
        return hear(recording)
    except Error as error:
        error.args = tuple(recording.named(a) if isinstance(a, str) else a for a in error.args)
        raise


# ---- ffmpeg


@contextlib.contextmanager
def _spooled(program: str, recording: Opened) -> Iterator[Opened]:
    """Its first audio stream as Wave64 in a temporary file without a name: it is read twice and cut like any other."""
    with contextlib.ExitStack() as stack:
        process = _start(program, recording)
        try:
            file = stack.enter_context(tempfile.TemporaryFile())
            status, last = _decode(process, file)
            file.flush()
        except OSError as error:
            why = "%s: ffmpeg's sound cannot be kept in a temporary file: %s" % (recording.name, error)
            raise FileError(why) from None
        finally:  # also when an exception or Ctrl-C ends this
            _end(process)
        spooled = Opened(_path_of(file), recording.name)
        how = "ffmpeg"
        if status:
            how = "ffmpeg " + ("was ended by signal %d" % -status if status < 0 else "ended with status %d" % status)
        reason = "%s: %s" % (how, recording.named(last) or ("it does not say why" if status else "no sound"))
        seconds = _seconds(spooled.path)
        if not seconds > 0:
            raise AudioError("%s: cannot be heard: %s" % (recording.name, reason))
        if status:
            spooled.incomplete = "%s: stopped at %d:%02d; %s" % (recording.name, seconds // 60, seconds % 60, reason)
        elif last:
            spooled.incomplete = "%s: perhaps not all of it was heard; %s" % (recording.name, reason)
        yield spooled


def _start(program: str, recording: Opened) -> "subprocess.Popen[bytes]":
    path = recording.path
    fds = [int(path.rsplit(b"/", 1)[1])] if path.startswith(b"/proc/self/fd/") else []
    # No shell; nothing in a name can be an option or a protocol; no network.
    command = [program, "-nostdin", "-hide_banner", "-loglevel", "error", "-protocol_whitelist", "file,pipe",
               "-i", b"file:" + path, "-map", "0:a:0", "-c:a", "pcm_s16le", "-f", "w64", "pipe:1"]  # fmt: skip
    try:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=fds
        )
    except OSError as error:
        raise AudioError("%s: %s cannot be started: %s" % (recording.name, program, error.strerror)) from None


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _seconds(path: bytes) -> float:
    """How long is what was spooled? 0: there is no sound in it, perhaps not even a header."""
    lib, handle, info = library(), ctypes.c_void_p(), AudioInfo(size=ctypes.sizeof(AudioInfo))
    if lib.whisp_audio_open(path, ctypes.byref(handle)):
        return 0.0
    lib.whisp_audio_describe(handle, ctypes.byref(info))
    lib.whisp_audio_free(handle)
    return max(0.0, float(info.duration))


def _decode(process: "subprocess.Popen[bytes]", file: IO[bytes]) -> Tuple[int, str]:
    """Exit status (negative: a signal), last line of ffmpeg's messages."""
    messages = b""
    assert process.stdout is not None and process.stderr is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stderr, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                block = os.read(key.fd, _BLOCK)
                if not block:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    file.write(block)
                else:
                    messages = (messages + block)[-4096:]
    status = process.wait()
    lines = [line.strip() for line in messages.decode("utf-8", "replace").splitlines()]
    lines = [line for line in lines if line and not line.startswith("To ignore this")]
    if any("matches no streams" in line for line in lines):
        return status, "there is no sound in it"
    return status, re.sub(r"^(\[[^]@]*) @ 0x[0-9a-f]+\]", r"\1]", lines[-1]) if lines else ""


# ---- all samples of a recording


def load_audio(path: Any) -> Any:
    """Decode a recording to 16 kHz mono samples, 32-bit floats in [-1, 1], all of it in memory.

    `path` is a file, "-" for standard input, an open file descriptor (an int), a file's bytes, or a file that is open
    for reading bytes. Returns a NumPy array where NumPy is installed, otherwise an array.array('f'). IncompleteWarning
    says what could not be heard.
    """
    lib = library()
    lines: List[str] = []

    def read(
        opener: Callable[[Any], int], named: Callable[[str], str], told: Optional[str] = None
    ) -> "array.array[float]":
        handle, samples = ctypes.c_void_p(), array.array("f")
        block = (ctypes.c_float * _BLOCK)()
        try:
            check(opener(ctypes.byref(handle)))
            for n in iter(lambda: check(lib.whisp_audio_read(handle, block, _BLOCK)), 0):
                samples.frombytes(ctypes.string_at(block, 4 * n))
            lines.extend(_warnings(lib, handle, named, told))
        finally:
            if handle:
                lib.whisp_audio_free(handle)
        return samples

    if isinstance(path, int):
        samples = read(lambda handle: lib.whisp_audio_open_fd(path, handle), str)
    else:
        samples = heard(
            path, lambda r: read(lambda handle: lib.whisp_audio_open(r.path, handle), r.called, r.incomplete)
        )
    for line in lines:
        warnings.warn(line, IncompleteWarning, stacklevel=2)
    if importlib.util.find_spec("numpy") is None:
        return samples
    import numpy

    return numpy.frombuffer(samples, dtype=numpy.float32)


def _warnings(lib: Any, handle: Any, named: Callable[[str], str], told: Optional[str]) -> List[str]:
    """What of the recording was not heard."""
    lines, incomplete = [told] if told else [], ctypes.c_int()
    for i in range(100):
        text = lib.whisp_audio_warning(handle, i, ctypes.byref(incomplete))
        if text is None:
            break
        if incomplete.value:
            lines.append(named(text.decode("utf-8", "replace")))
    return lines
