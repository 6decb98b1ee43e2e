"""Whole recordings as the library opens them: paths, a file's bytes, open files through their own read() and seek(),
samples. What the library does not decode is heard through ffmpeg, where that is installed; the library itself never
starts a process."""

from __future__ import annotations

import array
import contextlib
import ctypes
import importlib
import os
import re
import select
import selectors
import shutil
import stat
import subprocess
import tempfile
import time
import warnings
from typing import IO, Any, Callable, Iterator, List, Optional, Tuple, TypeVar

from ._audio import Bytes, Samples, is_path, path_bytes
from ._errors import ArgumentError, AudioError, Error, FileError, IncompleteWarning
from ._library import AudioInfo, ReadFn, Reader, SeekFn, TellFn, check, library, sized

_Value = TypeVar("_Value")

# What blocks of samples cannot be: a recording has a beginning and an end, bytes have no type.
NO_BLOCK = (
    "a block must hold samples (an array of floats or 16-bit integers, as array.array('h', bytes) makes of raw ones), "
    "not a path, a file or a file's bytes; load_audio() and transcribe() decode those"
)

_IN_MEMORY = "the recording in memory"
_BLOCK = 1 << 16
_LONG = 1800.0  # seconds; their samples take 115 MB
_COMMAND = " -ac 1 -ar 16000 -f wav - | whisp -"  # ends the library's message where ffmpeg may know more


def is_recording(audio: Any) -> bool:
    """Is it a recording to be decoded: a path, a file's bytes, or a file that is open? Else it should hold samples."""
    if is_path(audio) or isinstance(audio, (bytes, bytearray)) or callable(getattr(audio, "read", None)):
        return True
    return isinstance(audio, memoryview) and audio.format in ("B", "b", "c")


class Opened:
    """A recording as the library opens it. Messages call it `name`, the library `known_as`."""

    def __init__(self, opener: Callable[[Any], int], name: str, known_as: str = "") -> None:
        self.opener, self.name, self._known_as = opener, name, known_as or name
        self.incomplete: Optional[str] = None  # why it is not all of the recording
        self.errors: List[BaseException] = []  # of the caller's own read()

    def named(self, text: str) -> str:
        """The library's text, with the recording's own name."""
        if self._known_as == self.name:
            return text
        return text.replace(self._known_as + ":", self.name + ":")

    def called(self, text: str) -> str:
        return "%s: %s" % (self.name, text)

    def passed(self, code: int) -> int:
        """A call's return value, where no read() failed during it."""
        if self.errors:
            raise self.errors[0]
        return code

    @contextlib.contextmanager
    def audio(self) -> Iterator[ctypes.c_void_p]:
        """The library's handle."""
        handle = ctypes.c_void_p()
        try:
            check(self.passed(self.opener(ctypes.byref(handle))))
            yield handle
        finally:
            library().whisp_audio_free(handle)

    @contextlib.contextmanager
    def file(self) -> Iterator[Optional[bytes]]:
        """A path under which another program can read it; None: it cannot be read again."""
        yield None


class _Path(Opened):
    def __init__(self, path: bytes, name: str) -> None:
        super().__init__(lambda handle: int(library().whisp_audio_open(path, handle)), name, os.fsdecode(path))
        self.path = path

    @contextlib.contextmanager
    def file(self) -> Iterator[Optional[bytes]]:
        yield self.path if os.path.isfile(self.path) else None  # not a socket's: its beginning is gone


class _Memory(Opened):
    def __init__(self, data: Any) -> None:
        held = Bytes(data)
        super().__init__(
            lambda handle: int(library().whisp_audio_open_memory(held.address, held.n, handle)), _IN_MEMORY
        )
        self._data = data

    @contextlib.contextmanager
    def file(self) -> Iterator[Optional[bytes]]:
        with _memory_file() as file:
            file.write(self._data)
            file.flush()
            yield _path_of(file)


class _File(Opened):
    """A file that is open and seeks, heard from where it stands. Its functions are called by threads of the library."""

    def __init__(self, file: Any) -> None:
        name = getattr(file, "name", None)
        table = sized(Reader)
        table.read, table.seek, table.tell = ReadFn(self._read), SeekFn(self._seek), TellFn(self._tell)
        self._file, self._table, self._start = file, table, file.tell()
        super().__init__(
            lambda handle: int(library().whisp_audio_open_reader(ctypes.byref(table), handle)),
            name if isinstance(name, str) else _IN_MEMORY,
            "the recording",
        )

    def _read(self, user: Any, to: int, n: int) -> int:
        try:
            block = _bytes_of(self._file.read(n))
            ctypes.memmove(to, block, min(len(block), n))
            return len(block)
        except BaseException as error:
            self.errors.append(error)
            return -1

    def _seek(self, user: Any, offset: int, whence: int) -> int:
        try:
            self._file.seek(offset, whence)
            return 0
        except BaseException as error:
            self.errors.append(error)
            return -1

    def _tell(self, user: Any) -> int:
        try:
            return int(self._file.tell())
        except BaseException as error:
            self.errors.append(error)
            return -1

    @contextlib.contextmanager
    def file(self) -> Iterator[Optional[bytes]]:
        self._file.seek(self._start)
        with _spool(self._file) as file:
            yield _path_of(file)


class _Samples(Opened):
    def __init__(self, audio: Any) -> None:
        samples = Samples(audio)
        super().__init__(
            lambda handle: int(library().whisp_audio_open_samples(samples.pointer, samples.n, handle)), "samples"
        )


def _bytes_of(block: Any) -> bytes:
    if not isinstance(block, (bytes, bytearray)):
        raise ArgumentError("the recording is a file opened as text; open it with \"rb\"")
    return bytes(block)


def _memory_file() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("whisp"), "w+b")
    return tempfile.TemporaryFile()


@contextlib.contextmanager
def _spool(source: Any, make: Callable[[], IO[bytes]] = _memory_file) -> Iterator[IO[bytes]]:
    """All that a file gives, in one that can be read again."""
    with make() as file:
        for block in iter(lambda: _bytes_of(source.read(_BLOCK)), b""):
            file.write(block)
        file.flush()
        yield file


def _path_of(file: IO[bytes]) -> bytes:
    return b"/proc/self/fd/%d" % file.fileno()


def _seeks(file: Any) -> bool:
    seekable = getattr(file, "seekable", None)
    return callable(seekable) and bool(seekable()) and callable(getattr(file, "tell", None))


@contextlib.contextmanager
def _opened(audio: Any) -> Iterator[Opened]:
    if not is_recording(audio):
        yield _Samples(audio)
    elif is_path(audio):
        path, name = path_bytes(audio), os.fsdecode(os.fspath(audio))
        with _pipe(path) as pipe:
            if pipe is None:
                yield _Path(path, name)
            else:
                with _spool(pipe, tempfile.TemporaryFile) as file:
                    yield _Path(_path_of(file), "standard input" if name == "-" else name)
    elif not callable(getattr(audio, "read", None)):
        yield _Memory(audio)
    elif _seeks(audio):
        yield _File(audio)
    else:
        with _spool(audio) as file:
            yield _Path(_path_of(file), _IN_MEMORY)


# ---- what comes through a pipe for ffmpeg alone, as tools/whisp/pipes.c has it


@contextlib.contextmanager
def _pipe(path: bytes) -> Iterator[Optional[IO[bytes]]]:
    """The path opened, where it is a pipe's through which a format comes that only ffmpeg decodes; None: it is not.
    What is looked at stays in the pipe, for the library."""
    standard = path == b"-"
    try:
        is_pipe = stat.S_ISFIFO((os.fstat(0) if standard else os.stat(path)).st_mode)
    except OSError:
        is_pipe = False
    if not is_pipe or shutil.which("ffmpeg") is None:
        yield None
        return
    with open(0 if standard else path, "rb", buffering=0, closefd=not standard) as pipe:  # until it was heard
        yield pipe if _is_for_ffmpeg(_look(pipe.fileno())) else None


def _look(pipe: int) -> bytes:
    """The first bytes that stand in a pipe, as soon as there are some; they stay there."""
    tee: Any = getattr(ctypes.CDLL(None), "tee", None)
    select.select([pipe], [], [])
    seen = b""
    for _ in range(100 if tee else 0):
        reading, writing = os.pipe()
        try:
            n = tee(pipe, writing, ctypes.c_size_t(_BLOCK), 2)  # SPLICE_F_NONBLOCK
            seen = os.read(reading, n) if n > 0 else b""
        finally:
            os.close(reading)
            os.close(writing)
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        if len(seen) >= 600 or any(event & select.POLLHUP for _, event in poll.poll(0)):
            break
        time.sleep(0.01)
    return seen


def _is_for_ffmpeg(seen: bytes) -> bool:
    try:
        if seen:
            with _Memory(seen).audio():
                pass
    except AudioError as error:
        return " is not decoded here; let ffmpeg do it" in str(error)
    except Error:
        pass
    return False


def heard(audio: Any, hear: Callable[[Opened], _Value]) -> _Value:
    """hear(recording); where the library cannot decode it, once more with what ffmpeg makes of it."""
    with _opened(audio) as recording:
        try:
            return _named(recording, hear)
        except AudioError as error:
            helps = str(error).endswith(_COMMAND) and " Hz can be read: " not in str(error)
            program = shutil.which("ffmpeg") if helps else None
            if program is None:
                raise
            with recording.file() as path:
                if path is None:
                    raise
                with _spooled(program, recording, path) as spooled:
                    return _named(spooled, hear)


def _named(recording: Opened, hear: Callable[[Opened], _Value]) -> _Value:
    try:
        return hear(recording)
    except Error as error:
        error.args = tuple(recording.named(a) if isinstance(a, str) else a for a in error.args)
        raise


# ---- ffmpeg


@contextlib.contextmanager
def _spooled(program: str, recording: Opened, path: bytes) -> Iterator[Opened]:
    """Its sound as Wave64 in a temporary file without a name: it is read twice and cut like any other."""
    with contextlib.ExitStack() as stack:
        process = _start(program, recording, path)
        try:
            file = stack.enter_context(tempfile.TemporaryFile())
            status, last = _decode(process, file)
            file.flush()
        except OSError as error:
            why = "%s: ffmpeg's sound cannot be kept in a temporary file: %s" % (recording.name, error)
            raise FileError(why) from None
        finally:  # also when an exception or Ctrl-C ends this
            _end(process)
        spooled = _Path(_path_of(file), recording.name)
        how = "ffmpeg"
        if status:
            how = "ffmpeg " + ("was ended by signal %d" % -status if status < 0 else "ended with status %d" % status)
        last = last.replace("file:%s: " % os.fsdecode(path), "")  # which stands before it already
        reason = "%s: %s" % (how, last or ("it does not say why" if status else "no sound"))
        seconds = _seconds(spooled.path)
        if not seconds > 0:
            raise AudioError("%s: cannot be heard: %s" % (recording.name, reason))
        if status:
            spooled.incomplete = "%s: stopped at %d:%02d; %s" % (recording.name, seconds // 60, seconds % 60, reason)
        elif last:
            spooled.incomplete = "%s: perhaps not all of it was heard; %s" % (recording.name, reason)
        yield spooled


# Containers that hold their sound themselves, not lists of other files, as tools/whisp/ffmpeg.c has them.
_ONE_FILE = (
    "aac,aax,ac3,ac4,act,adx,aea,aiff,amr,amrnb,amrwb,ape,aptx,asf,au,avi,caf,dsf,dts,dtshd,dv,eac3,flac,flv,g722,"
    "g729,gsm,gxf,iff,ircam,loas,matroska,mlp,mov,mp3,mpc,mpc8,mpeg,mpegts,mpegvideo,mxf,nistsphere,nsv,nut,ogg,"
    "oma,qcp,rm,rso,sbc,shn,sox,spdif,tak,truehd,tta,voc,vqf,w64,wav,wsd,wtv,wv,xwma"
)


def _start(program: str, recording: Opened, path: bytes) -> "subprocess.Popen[bytes]":
    fds = [int(path.rsplit(b"/", 1)[1])] if path.startswith(b"/proc/self/fd/") else []
    # No shell; nothing in a name can be an option or a protocol; no network.
    command: List[Any] = [program, "-nostdin", "-hide_banner", "-loglevel", "level+warning"]
    command += ["-protocol_whitelist", "file,pipe", "-format_whitelist", _ONE_FILE, "-i", b"file:" + path]
    command += ["-vn", "-c:a", "pcm_s16le", "-f", "w64", "pipe:1"]
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
    lib, handle, info = library(), ctypes.c_void_p(), sized(AudioInfo)
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
    if any("matches no streams" in line or "does not contain any stream" in line for line in lines):
        return status, "there is no sound in it"
    lines = [line for line in lines if "[warning] " not in line or re.search("Packet corrupt|duplicated MOOV", line)]
    lines = [re.sub(r"\[(warning|error|fatal|panic)\] ", "", line) for line in lines]
    return status, re.sub(r"^(\[[^]@]*) @ 0x[0-9a-f]+\]", r"\1]", lines[-1]) if lines else ""


# ---- all samples of a recording


def decode(path: Any, channel: int = -1) -> "Tuple[array.array[float], List[str]]":
    """All samples of a recording, or of an open descriptor (an int), of one channel or of all mixed, and what could not
    be heard."""
    lib = library()
    lines: List[str] = []

    def read(recording: Opened) -> "array.array[float]":
        samples, block = array.array("f"), (ctypes.c_float * _BLOCK)()
        with recording.audio() as handle:
            if channel >= 0:
                check(lib.whisp_audio_select_channel(handle, channel))
            for n in iter(lambda: check(recording.passed(lib.whisp_audio_read(handle, block, _BLOCK))), 0):
                samples.frombytes(ctypes.string_at(block, 4 * n))
            lines.extend(unheard(lib, handle, recording))
        return samples

    if isinstance(path, int):
        opened = Opened(lambda handle: int(lib.whisp_audio_open_fd(path, handle)), "file descriptor %d" % path)
        return read(opened), lines
    return heard(path, read), lines


def load_audio(path: Any) -> Any:
    """See audio.load_audio()."""
    samples, lines = decode(path)
    for line in lines:
        warnings.warn(line, IncompleteWarning, stacklevel=3)
    try:
        numpy = importlib.import_module("numpy")
    except ImportError:
        return samples
    return numpy.frombuffer(samples, dtype=numpy.float32)


def settled(audio: Any) -> Tuple[Any, float]:
    """A recording that can be heard again and again, and how long it is. It is decoded here, so that this is done once
    and the length is exact (an MP3's head counts its padding, too); a long one that the library decodes only where it
    is heard."""
    if not is_recording(audio):
        samples = Samples(audio)
        return audio, samples.n / 16000
    if callable(getattr(audio, "read", None)):
        audio = _bytes_of(audio.read())
    info: AudioInfo = sized(AudioInfo)
    try:
        if not is_path(audio) or os.path.isfile(audio):
            with _opened(audio) as recording, recording.audio() as handle:
                check(library().whisp_audio_describe(handle, ctypes.byref(info)))
            if info.duration > _LONG:
                return audio, float(info.duration)
    except AudioError:
        pass  # perhaps ffmpeg knows it; if not, the next lines say so
    decoded, lines = decode(audio)
    for line in lines:
        warnings.warn(line, IncompleteWarning, stacklevel=4)
    return decoded, len(decoded) / 16000


def open_for_long(stack: contextlib.ExitStack, audio: Any) -> Tuple[Opened, ctypes.c_void_p]:
    """A recording and the library's handle of it, which the caller frees, for as long as the stack's contexts last;
    what only ffmpeg decodes is decoded now."""
    recording, handle = stack.enter_context(_opened(audio)), ctypes.c_void_p()
    try:
        check(recording.passed(recording.opener(ctypes.byref(handle))))
    except AudioError as error:
        if not str(error).endswith(_COMMAND) or shutil.which("ffmpeg") is None:
            raise
        samples, lines = decode(audio)
        name, recording = recording.name, _Samples(samples)
        recording.name, recording.incomplete = name, "; ".join(lines) or None
        check(recording.opener(ctypes.byref(handle)))
    return recording, handle


def unheard(lib: Any, handle: Any, recording: Opened) -> List[str]:
    """What of the recording was not heard."""
    lines, incomplete = [recording.incomplete] if recording.incomplete else [], ctypes.c_int()
    for i in range(100):
        text = lib.whisp_audio_warning(handle, i, ctypes.byref(incomplete))
        if text is None:
            break
        if incomplete.value:
            lines.append(recording.called(text.decode("utf-8", "replace")))
    return lines
