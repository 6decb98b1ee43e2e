"""A queue of recordings that share the decoder's steps (whisp.h, section 11), as futures."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import ctypes
import functools
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional

from ._errors import StateError, error_of
from ._library import Event, check, library, sized
from ._options import Callbacks, set_options
from ._recording import open_for_long
from ._result import Result
from ._transcript import Transcript
from ._vocabulary import vocabulary_file

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._model import Model
    from ._typed import Options, Watched

    class _Future(concurrent.futures.Future[Transcript]): ...
else:
    _Future = concurrent.futures.Future

MOST = 256  # WHISP_QUEUE_MOST
_SEGMENT = 1  # WHISP_EVENT_SEGMENT


class Job(_Future):
    """A recording in a queue: a concurrent.futures.Future, whose result is the transcript. cancel() stops it also while
    it is being transcribed; result() raises Cancelled then."""

    def __init__(self, queue: "Queue", callbacks: Callbacks, kept: contextlib.ExitStack) -> None:
        super().__init__()
        self.set_running_or_notify_cancel()
        self._queue, self._callbacks, self._kept = queue, callbacks, kept
        self._id = 0
        self.named: Callable[[str], str] = str
        self.incomplete = ""

    def cancel(self) -> bool:
        return self._queue._cancel(self)

    def _end(self, rc: int, message: str, pointer: Optional[int]) -> None:
        """Take what the library says at the end."""
        lib = library()
        result = Result(ctypes.c_void_p(pointer), self.named) if pointer else None
        try:
            with self._kept, result or contextlib.nullcontext():
                if result and self.incomplete:
                    missing = self.incomplete.encode("utf-8", "replace")
                    check(lib.whisp_result_set_incomplete(ctypes.c_void_p(pointer), missing))
                transcript = Transcript(result.to_dict()) if result else None
                incomplete = result.incomplete if result else None
            if rc < 0 or transcript is None or self._callbacks.errors:
                error = self._callbacks.errors[0] if self._callbacks.errors else error_of(rc, self.named(message))
                error.result = transcript  # type: ignore[attr-defined]
                self.set_exception(error)
                return
            self._callbacks.warn(incomplete, 1)
        except BaseException as error:
            self.set_exception(error)
            return
        self.set_result(transcript)


class Queue:
    """Recordings from any thread, at any moment; those that are transcribed at the same time share the decoder's steps,
    and each one's words are those that it has alone.

        with model.queue(batch_size=4) as queue:
            jobs = [queue.submit(path, language="en") for path in paths]
            for job in concurrent.futures.as_completed(jobs):
                print(job.result()["text"])

    or, in a coroutine, `await queue.transcribe(path)`. Of the queue's own options threads, batch_size, compute_type,
    backend, device, alignment_heads and encoder_padding count; the others belong to each recording. At most 256 wait;
    then submit() does. Callbacks may neither wait nor close the queue, whose threads they are called in. It stays with
    its process: not for a fork's child.
    """

    def __init__(self, model: "Model", **options: "Unpack[Options]") -> None:
        lib = library()
        settings: Dict[str, Any] = dict(options)
        model.settle(settings)
        self._lock = threading.Lock()
        self._process, self._calling = os.getpid(), threading.local()
        self._room = threading.BoundedSemaphore(MOST)
        self._jobs: Dict[int, Job] = {}
        self._pump: Optional[threading.Thread] = None
        self._idle = threading.Condition(self._lock)
        self._pointer: Optional[ctypes.c_void_p] = ctypes.c_void_p()
        handle = model.handle
        pointer = ctypes.c_void_p(lib.whisp_options_new())
        if not pointer:
            check(-2)
        try:
            set_options(pointer, settings)
            check(lib.whisp_queue_new(handle.pointer, pointer, ctypes.byref(self._pointer)))
        finally:
            lib.whisp_options_free(pointer)
        self._free = weakref.finalize(self, _free_queue, self._pointer, handle, os.getpid())
        self._free.atexit = False

    def submit(self, audio: Any, **options: "Unpack[Watched]") -> Job:
        """Add a recording, as Model.transcribe() takes it, with its own options and callbacks. Callbacks run in a
        thread of the queue."""
        lib = library()
        settings: Dict[str, Any] = dict(options)
        self._own_process()
        asked = [settings.pop(name, None) for name in ("progress", "segment", "cancel", "log")]
        callbacks = Callbacks(*(function and functools.partial(self._call, function) for function in asked))
        with contextlib.ExitStack() as stack:
            stack.enter_context(vocabulary_file(settings))
            pointer = ctypes.c_void_p(lib.whisp_options_new())
            if not pointer:
                check(-2)
            stack.callback(lib.whisp_options_free, pointer)
            set_options(pointer, settings)
            callbacks.install(pointer)
            recording, handle = open_for_long(stack, audio)
            job = Job(self, callbacks, stack)
            job.named, job.incomplete = recording.named, recording.incomplete or ""
            if not self._room.acquire(blocking=not self._in_callback()):
                raise StateError("%d recordings wait, and a callback cannot: submit from another thread" % MOST)
            stack.callback(self._room.release)
            job._kept = stack.pop_all()  # until its end
        try:
            self._add(job, handle, pointer)
        except BaseException:
            lib.whisp_audio_free(handle)
            job._kept.close()
            raise
        return job

    def _own_process(self) -> None:
        if self._process != os.getpid():
            raise StateError("the queue is another process's, from before a fork: make a new one of the model")

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """A callback, which runs in a thread of the library."""
        self._calling.now = True
        try:
            return function(*arguments)
        finally:
            self._calling.now = False

    def _in_callback(self) -> bool:
        """Is this a thread that the queue's work waits for?"""
        return getattr(self._calling, "now", False) or threading.current_thread() is self._pump

    def _add(self, job: Job, audio: ctypes.c_void_p, options: ctypes.c_void_p) -> None:
        number = ctypes.c_uint64()
        with self._lock:
            if self._pointer is None:
                raise StateError("the queue is closed")
            check(library().whisp_queue_submit(self._pointer, audio, options, None, ctypes.byref(number)))
            job._id = number.value
            self._jobs[number.value] = job
            if self._pump is None:
                self._pump = threading.Thread(target=self._take, args=(self._pointer,), name="whisp queue", daemon=True)
                self._pump.start()

    async def transcribe(self, audio: Any, **options: "Unpack[Watched]") -> Transcript:
        """submit(), and await the transcript. When the task is cancelled, so is the recording."""
        loop = asyncio.get_running_loop()
        job = await loop.run_in_executor(None, functools.partial(self.submit, audio, **options))
        return await asyncio.wrap_future(job)

    def _take(self, pointer: ctypes.c_void_p) -> None:
        """The thread that takes events, as long as there are recordings."""
        lib = library()
        event: Event = sized(Event)
        while True:
            if check(lib.whisp_queue_next(pointer, -1.0, ctypes.byref(event))) == 0 or event.kind == _SEGMENT:
                continue
            with self._lock:
                job = self._jobs[event.id]
            job._end(event.rc, (event.error or b"").decode("utf-8", "replace"), event.result)
            with self._lock:
                del self._jobs[event.id]
                if not self._jobs:
                    self._pump = None
                    self._idle.notify_all()
                    return

    def _cancel(self, job: Job) -> bool:
        with self._lock:
            if job.done() or self._pointer is None:
                return False
            return bool(library().whisp_queue_cancel(self._pointer, job._id) == 0)

    def close(self, cancel: bool = False) -> None:
        """Wait for all recordings, or stop them, then release the queue. Closing twice is fine."""
        if self._process != os.getpid():
            return
        if self._pointer is not None and self._in_callback():
            raise StateError("a callback cannot close its queue, which would wait for it")
        with self._lock:
            if self._pointer is None:
                return
            if cancel:
                for number in self._jobs:
                    library().whisp_queue_cancel(self._pointer, number)
            while self._pump is not None:
                self._idle.wait()
            self._pointer = None
        self._free()

    def __enter__(self) -> "Queue":
        return self

    def __exit__(self, kind: Any, *exception: Any) -> None:
        self.close(cancel=kind is not None)


def _free_queue(pointer: ctypes.c_void_p, model: Any, process: int) -> None:
    if process == os.getpid():  # its threads did not come along by a fork
        library().whisp_queue_free(pointer)
