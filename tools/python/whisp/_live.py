"""Live transcription: words as they settle, from whisp_live.h."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, AsyncIterator, Dict, Iterator, List, Optional

from ._audio import Samples
from ._errors import ArgumentError, StateError
from ._library import StreamInfo, Word, check, library, sized
from ._options import CancelCallback, Callbacks, LogCallback, SegmentCallback, set_options
from ._recording import NO_BLOCK, is_recording
from ._result import Result, word_dict
from ._transcript import Transcript

if TYPE_CHECKING:
    from ._model import Model


def _free_stream(pointer: ctypes.c_void_p, model: Any, callbacks: Callbacks, process: int) -> None:
    if process == os.getpid():  # its threads did not come along by a fork
        library().whisp_stream_free(pointer)


class Live:
    """A live transcription in steps:

        live = Live(model, language="en")
        for block in microphone:
            for word in live.push(block):
                print(word["word"], end="", flush=True)
        for word in live.finish():
            print(word["word"], end="")

    Words are dictionaries with word, start, end and probability. They settle soon and stay as they are; the final text
    comes later, window by window: `segment` is called with each of its segments, as transcribe()'s is. With
    diarize=True both have a "speaker", as it seems so soon, and result() has the last word. It belongs to one thread at
    a time.
    """

    def __init__(
        self,
        model: "Model",
        *,
        segment: Optional[SegmentCallback] = None,
        cancel: Optional[CancelCallback] = None,
        log: Optional[LogCallback] = None,
        **options: Any,
    ) -> None:
        lib = library()
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._callbacks = Callbacks(None, segment, cancel, log)
        handle = model.handle
        model.settle(options)
        self._pointer: Optional[ctypes.c_void_p] = ctypes.c_void_p()
        settings = ctypes.c_void_p(lib.whisp_options_new())
        if not settings:
            check(-2)
        try:
            set_options(settings, options)
            self._callbacks.install(settings)
            self._callbacks.check(lib.whisp_stream_new(handle.pointer, settings, ctypes.byref(self._pointer)))
            self._free = weakref.finalize(
                self, _free_stream, self._pointer, handle, self._callbacks, self._process
            )
            self._free.atexit = False
        finally:
            lib.whisp_options_free(settings)

    def close(self) -> None:
        """Release memory and threads. Closing twice is fine."""
        if self._process != os.getpid():  # whoever had the lock at the fork never lets it go here
            self._pointer = None
            return
        with self._lock:
            if self._pointer is not None:
                self._pointer = None
                self._free()

    def __enter__(self) -> "Live":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    @contextlib.contextmanager
    def _using(self) -> Iterator[ctypes.c_void_p]:
        """The stream's pointer, for this thread alone."""
        if self._process != os.getpid():
            raise StateError(
                "the live transcription is another process's, from before a fork: make a new one of the model"
            )
        with self._lock:
            if self._pointer is None:
                raise StateError("the live transcription is closed")
            yield self._pointer

    def push(self, block: Any, catch_up: bool = False) -> List[Dict[str, Any]]:
        """Feed samples, any number of them; returns the words that settled. catch_up: hear all of it in one pass, as
        one who has fallen behind; otherwise passes follow each other by stream_step seconds of sound."""
        if is_recording(block):
            raise ArgumentError(NO_BLOCK)
        lib = library()
        samples = Samples(block)
        words: List[Dict[str, Any]] = []
        start = 0
        with self._using() as pointer:
            while start < samples.n:
                start += check(lib.whisp_stream_push(pointer, samples.from_(start), samples.n - start))
                if catch_up:
                    lib.whisp_stream_catch_up(pointer)
                words += self._pull(pointer)
        return words

    def finish(self) -> List[Dict[str, Any]]:
        """Say that the sound ends; returns the remaining words."""
        with self._using() as pointer:
            check(library().whisp_stream_finish(pointer))
            return self._pull(pointer)

    def _pull(self, pointer: ctypes.c_void_p) -> List[Dict[str, Any]]:
        lib = library()
        words, n = ctypes.POINTER(ctypes.POINTER(Word))(), ctypes.c_size_t()
        settled: List[Dict[str, Any]] = []
        while self._callbacks.check(lib.whisp_stream_pull(pointer, ctypes.byref(words), ctypes.byref(n))) == 1:
            settled += [self._word(pointer, words[i].contents) for i in range(n.value)]
        return settled

    def _word(self, pointer: ctypes.c_void_p, word: Word) -> Dict[str, Any]:
        copied = word_dict(word)
        if word.speaker > 0:
            info: StreamInfo = sized(StreamInfo)
            check(library().whisp_stream_describe(pointer, ctypes.byref(info)))
            copied["speaker"] = info.speakers[word.speaker - 1].decode("utf-8", "replace")
        return copied

    def result(self) -> Transcript:
        """With diarize=True, after finish(): the final text once more, now that all voices are known, in the form that
        transcribe() returns. Before finish() it ends the transcription and has what is final until then. Once only."""
        result_pointer = ctypes.c_void_p()
        with self._using() as pointer:
            check(library().whisp_stream_result(pointer, ctypes.byref(result_pointer)))
        with Result(result_pointer) as result:
            return Transcript(result.to_dict())

    @property
    def tail(self) -> str:
        """What was heard after the settled words; it may change."""
        text: bytes = self._info().tail
        return text.decode("utf-8", "replace")

    def _info(self) -> StreamInfo:
        info: StreamInfo = sized(StreamInfo)
        with self._using() as pointer:
            check(library().whisp_stream_describe(pointer, ctypes.byref(info)))
        return info

    @property
    def language(self) -> Optional[str]:
        """The code of the language in use; None before it is known."""
        code: Optional[bytes] = self._info().language
        return code.decode() if code else None


async def _blocks(source: Any) -> AsyncIterator[Any]:
    """The blocks of a plain or an asynchronous iterable."""
    if hasattr(source, "__aiter__"):
        async for block in source:
            yield block
    else:
        for block in source:
            yield block


async def live_words(model: "Model", source: Any, options: Dict[str, Any]) -> AsyncIterator[Dict[str, Any]]:
    """Model.live()."""
    loop = asyncio.get_running_loop()
    with Live(model, **options) as live:
        async for block in _blocks(source):
            for word in await loop.run_in_executor(None, functools.partial(live.push, block)):
                yield word
        for word in await loop.run_in_executor(None, live.finish):
            yield word
