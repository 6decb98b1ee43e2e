"""Sessions: the state of one transcription, and what it shows while it runs."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Tuple

from ._audio import Samples
from ._errors import ArgumentError, StateError
from ._library import Segment, SessionInfo, Timings, check, library, sized
from ._options import (
    CancelCallback,
    Callbacks,
    LogCallback,
    PartCallback,
    ProgressCallback,
    SegmentCallback,
    set_options,
)
from ._recording import NO_BLOCK, Opened, heard, is_recording, unheard
from ._result import Result, layout_of, segment_dict
from ._transcript import Transcript
from ._vocabulary import vocabulary_file

if TYPE_CHECKING:
    from ._model import Model, ModelHandle
    from ._show import Show


class _Handle:
    """Owns a whisp_session. Its finalizer holds the model and the callbacks, which must outlive it."""

    def __init__(self, pointer: ctypes.c_void_p, model: "ModelHandle", callbacks: Callbacks) -> None:
        self.pointer = pointer
        self._finalizer = weakref.finalize(self, _free_session, pointer, model, callbacks, os.getpid())
        self._finalizer.atexit = False

    def free(self) -> None:
        self._finalizer()


def _free_session(pointer: ctypes.c_void_p, model: "ModelHandle", callbacks: Callbacks, process: int) -> None:
    if process == os.getpid():  # its threads did not come along by a fork
        library().whisp_session_free(pointer)


class Session:
    """One transcription in steps:

        with model.session(language="en") as session:
            for block in blocks:
                for segment in session.push(block):
                    print(segment["text"])
            for segment in session.finish():
                print(segment["text"])

    Options and callbacks are those of Model.transcribe(). A session may be used for several recordings one after the
    other, with reset() between them. It belongs to one thread at a time: a call from another, or from inside a
    callback, while one is running raises StateError.
    """

    def __init__(
        self,
        model: "Model",
        *,
        progress: Optional[ProgressCallback] = None,
        segment: Optional[SegmentCallback] = None,
        cancel: Optional[CancelCallback] = None,
        log: Optional[LogCallback] = None,
        part: Optional[PartCallback] = None,
        **options: Any,
    ) -> None:
        lib = library()
        self._languages = model.languages
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._callbacks = Callbacks(progress, segment, cancel, log, part)
        self._handle: Optional[_Handle] = None
        handle = model.handle
        model.settle(options)
        self._detects = options.get("language") is None and model.is_multilingual
        pointer = ctypes.c_void_p()
        settings = ctypes.c_void_p(lib.whisp_options_new())
        if not settings:
            check(-2)
        try:
            with vocabulary_file(options):
                set_options(settings, options)
                self._callbacks.install(settings)
                code = lib.whisp_session_new(handle.pointer, settings, ctypes.byref(pointer))
            if pointer:
                self._handle = _Handle(pointer, handle, self._callbacks)
            self._callbacks.check(code)
        finally:
            lib.whisp_options_free(settings)

    @contextlib.contextmanager
    def _using(self) -> Iterator[ctypes.c_void_p]:
        """The session's pointer, for this thread alone."""
        if self._process != os.getpid():
            raise StateError("the session is another process's, from before a fork: make a new one of the model")
        if not self._lock.acquire(blocking=False):
            raise StateError("the session is in use, by another thread or by the call whose callback this is")
        try:
            if self._handle is None:
                raise StateError("the session is closed")
            yield self._handle.pointer
        finally:
            self._lock.release()

    def close(self) -> None:
        """Release the session's memory and threads. Closing twice is fine."""
        if self._process != os.getpid():
            self._handle = None
        if self._handle is not None:
            with self._using():
                handle, self._handle = self._handle, None
                handle.free()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    # -- whole recordings

    def show(self, show: "Show") -> None:
        """Print as transcribe()'s `verbose` says, also that a language is looked for."""
        self._callbacks.also = show.line
        if self._detects:
            show.say_detecting()

    def _transcribe(self, audio: Any, text: Optional[bytes] = None) -> Result:
        """Transcribe, or align a text."""
        lib = library()
        result = ctypes.c_void_p()

        def hear(recording: Opened) -> None:
            with recording.audio() as handle, self._callbacks.naming(recording.named):
                if text is None:
                    code = lib.whisp_session_transcribe(pointer, handle, ctypes.byref(result))
                else:
                    code = lib.whisp_session_align(pointer, handle, text, ctypes.byref(result))
                self._callbacks.check(recording.passed(code))
            if recording.incomplete:
                check(lib.whisp_result_set_incomplete(result, recording.incomplete.encode("utf-8", "replace")))
            names.append(recording.named)

        names: List[Callable[[str], str]] = []
        with self._using() as pointer:
            try:
                heard(audio, hear)
                made = Result(result, names[-1])
                self._callbacks.warn(made.incomplete, 4)
            except BaseException as error:
                if result:  # what was final until then; or a warning was made an error
                    with contextlib.suppress(Exception), Result(result) as partial:
                        error.result = Transcript(partial.to_dict())  # type: ignore[attr-defined]
                raise
        return made

    def transcribe(self, audio: Any) -> Transcript:
        """Forget what was heard, then transcribe a path or samples: see Model.transcribe()."""
        with self._transcribe(audio) as result:
            return Transcript(result.to_dict())

    def transcribe_text(self, audio: Any, format: str = "txt", **layout: Any) -> str:
        """The same as a document: see Model.transcribe_text()."""
        if format == "html" and isinstance(audio, (str, os.PathLike)) and audio != "-":
            layout = {"recording": audio, **layout}
        options = layout_of(layout)
        with self._transcribe(audio) as result:
            return result.format(format, options)

    def align(self, audio: Any, text: str) -> Transcript:
        """Forget what was heard, then find when the words of a text are said: see Model.align()."""
        with self._transcribe(audio, text_bytes(text)) as result:
            return Transcript(result.to_dict())

    def detect_language(self, audio: Any) -> Tuple[str, Dict[str, float]]:
        """Forget what was heard, then find the language of a path or samples: see Model.detect_language()."""
        lib = library()
        n = max(len(self._languages), 100)  # the library refuses fewer than the vocabulary's, English-only or not
        probabilities = (ctypes.c_float * n)()
        with self._using() as pointer:

            def hear(recording: Opened) -> int:
                with recording.audio() as handle, self._callbacks.naming(recording.named):
                    code: int = lib.whisp_session_detect_language(pointer, handle, probabilities, n)
                    best = self._callbacks.check(recording.passed(code))
                    missing.extend(unheard(lib, handle, recording))
                    return best

            missing: List[str] = []
            best = heard(audio, hear)
        self._callbacks.warn("; ".join(missing), 3)
        return self._languages[best], dict(zip(self._languages, probabilities))

    def decode_mel(
        self, mel: Any, n_mels: int, frames: int, languages: bool = True, text: bool = True
    ) -> Tuple[Dict[str, float], Optional[Transcript]]:
        """One window from its log-Mel spectrogram, [n_mels][frames] 32-bit floats in a row at the address `mel`: how
        probable each language is (empty unless asked for), and the transcript."""
        lib = library()
        n = max(len(self._languages), 100)
        probabilities = (ctypes.c_float * n)() if languages else None
        result = ctypes.c_void_p()
        mel_pointer = ctypes.cast(mel, ctypes.POINTER(ctypes.c_float))
        with self._using() as pointer:
            wanted = ctypes.byref(result) if text else None
            n_wanted = n if languages else 0
            code = lib.whisp_session_decode_mel(pointer, mel_pointer, frames, probabilities, n_wanted, wanted)
            self._callbacks.check(code)
        found = dict(zip(self._languages, probabilities)) if probabilities is not None else {}
        if not text:
            return found, None
        with Result(result) as made:
            return found, Transcript(made.to_dict())

    # -- streaming

    def push(self, block: Any) -> List[Dict[str, Any]]:
        """Feed samples, any number of them; returns the segments that became final, as dictionaries."""
        return list(self.pushing(block))

    def finish(self) -> List[Dict[str, Any]]:
        """Say that the audio ends; returns the remaining segments."""
        return list(self.finishing())

    def pushing(self, block: Any) -> Iterator[Dict[str, Any]]:
        """push() as a generator, which yields each segment as soon as it is final."""
        lib = library()
        samples = self._block(block)
        start = 0
        while start < samples.n:
            with self._using() as pointer:
                taken = self._callbacks.check(lib.whisp_session_push(pointer, samples.from_(start), samples.n - start))
            start += taken
            pulled = False
            for segment in self._pulling():
                pulled = True
                yield segment
            if taken == 0 and not pulled:
                raise StateError("the session takes no more samples")

    def finishing(self) -> Iterator[Dict[str, Any]]:
        """finish() as a generator."""
        with self._using() as pointer:
            self._callbacks.check(library().whisp_session_finish(pointer))
        yield from self._pulling()

    def _pulling(self) -> Iterator[Dict[str, Any]]:
        """Segments until more audio is needed or the end is reached."""
        lib = library()
        segment = ctypes.POINTER(Segment)()
        while True:
            with self._using() as pointer:
                code = self._callbacks.check(lib.whisp_session_pull(pointer, ctypes.byref(segment)))
                copied = segment_dict(segment.contents) if code == 1 else None
            if copied is None:
                return
            yield copied

    def measure(self, block: Any = ()) -> None:
        """Show the session the recording before the first push(), block by block; then call it without a block. With
        that, streaming gives the words of transcribe() exactly."""
        samples = self._block(block)
        with self._using() as pointer:
            check(library().whisp_session_measure(pointer, samples.pointer, samples.n))

    def reset(self) -> None:
        """Forget everything heard so far, ready for another recording."""
        with self._using() as pointer:
            check(library().whisp_session_reset(pointer))

    @staticmethod
    def _block(block: Any) -> Samples:
        if is_recording(block):
            raise ArgumentError(NO_BLOCK)
        return Samples(block)

    # -- what is known

    @property
    def language(self) -> Optional[str]:
        """The code of the language in use; None before it is known."""
        with self._described() as info:
            return info.language.decode() if info.language else None

    @property
    def backend(self) -> str:
        """What computes, in words."""
        with self._described() as info:
            return (info.backend or b"").decode("utf-8", "replace")

    @property
    def timings(self) -> Dict[str, float]:
        """Where the time went since the session was made or reset: seconds and counts, by the names in whisp.h."""
        with self._described() as info:
            return {name: getattr(info.timings.contents, name) for name, *_ in Timings._fields_}

    @contextlib.contextmanager
    def _described(self) -> Iterator[SessionInfo]:
        info = sized(SessionInfo)
        with self._using() as pointer:
            check(library().whisp_session_describe(pointer, ctypes.byref(info)))
            yield info


def text_bytes(text: str) -> bytes:
    """A text as the library takes it."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        raise ArgumentError("text: %s" % error) from None
    if b"\0" in encoded:
        raise ArgumentError("text cannot hold a NUL character")
    return encoded
