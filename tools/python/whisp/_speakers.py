"""Who speaks when, and whether two voices are one person's: include/whisp_speakers.h."""

from __future__ import annotations

import array
import contextlib
import ctypes
import os
import weakref
from typing import Any, Dict, List, Optional, Sequence, Union

from ._audio import Samples, path_bytes
from ._errors import ArgumentError, StateError
from ._library import check, library
from ._files import find_model
from ._options import CancelCallback, Callbacks, LogCallback, ProgressCallback, set_options
from ._recording import Opened, heard
from ._result import Result

VOICE_SIZE = 192


def _free(pointer: ctypes.c_void_p) -> None:
    library().whisp_speakers_free(pointer)


class _Options:
    """A whisp_options while a call uses it."""

    def __init__(self, options: Dict[str, Any], callbacks: Optional[Callbacks] = None) -> None:
        self._options, self._callbacks = options, callbacks

    def __enter__(self) -> ctypes.c_void_p:
        self._handle = ctypes.c_void_p(library().whisp_options_new())
        if not self._handle:
            check(-2)
        try:
            set_options(self._handle, self._options)
            if self._callbacks:
                self._callbacks.install(self._handle)
        except BaseException:
            self.__exit__()
            raise
        return self._handle

    def __exit__(self, *exception: Any) -> None:
        library().whisp_options_free(self._handle)


class Speakers:
    """The networks that tell voices apart; any number of threads may use one at once.

        speakers = whisp.Speakers()
        for turn in speakers.diarize("meeting.wav")["turns"]:
            print(turn["start"], turn["end"], turn["speaker"])

    name          a path to a .gguf file, or a name that is looked up as models are
    compute_type  "f32", "int8" or "auto"
    """

    def __init__(
        self,
        name: Union[str, "os.PathLike[str]"] = "speakers",
        model_dir: Optional[Union[str, "os.PathLike[str]"]] = None,
        compute_type: str = "auto",
    ) -> None:
        pointer = ctypes.c_void_p()
        self.path = find_model(name, model_dir)
        with _Options({"compute_type": compute_type}) as options:
            check(library().whisp_speakers_load(path_bytes(self.path), options, ctypes.byref(pointer)))
        self._pointer: Optional[ctypes.c_void_p] = pointer
        self._finalizer = weakref.finalize(self, _free, pointer)
        self._finalizer.atexit = False

    def close(self) -> None:
        """Release the memory. No call may be going on. Closing twice is fine."""
        self._pointer = None
        self._finalizer()

    def __enter__(self) -> "Speakers":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    @property
    def _handle(self) -> ctypes.c_void_p:
        if self._pointer is None:
            raise StateError("the speakers' model is closed")
        return self._pointer

    def _diarize(self, audio: Any, options: Dict[str, Any], callbacks: Callbacks) -> Result:
        lib = library()
        result = ctypes.c_void_p()
        names: List[Any] = []

        def hear(recording: Opened) -> None:
            with recording.audio() as handle, callbacks.naming(recording.named):
                with _Options(options, callbacks) as settings:
                    code = lib.whisp_speakers_diarize(self._handle, handle, settings, ctypes.byref(result))
                    callbacks.check(recording.passed(code))
            if recording.incomplete:
                check(lib.whisp_result_set_incomplete(result, recording.incomplete.encode("utf-8", "replace")))
            names.append(recording.named)

        try:
            heard(audio, hear)
        except BaseException as error:
            if result:  # speakers_out could not be written, or a warning was made an error
                with contextlib.suppress(Exception), Result(result) as found:
                    error.result = found.to_dict()  # type: ignore[attr-defined]
            raise
        return Result(result, names[-1])

    def diarize(
        self,
        audio: Any,
        *,
        progress: Optional[ProgressCallback] = None,
        cancel: Optional[CancelCallback] = None,
        log: Optional[LogCallback] = None,
        **options: Any,
    ) -> Dict[str, Any]:
        """Who speaks when in a recording: {"speakers": [names], "turns": [{"start", "end", "speaker"}, ...]}.

        `audio` and the callbacks are those of Model.transcribe(). Of its options these count: num_speakers,
        min_speakers, max_speakers, speaker, speakers_in, speakers_out, vad_model, threads.
        """
        callbacks = Callbacks(progress, None, cancel, log)
        with self._diarize(audio, options, callbacks) as result:
            callbacks.warn(result.incomplete, 3)
            return result.speakers_dict()

    def rttm(self, audio: Any, **options: Any) -> str:
        """The same as lines of RTTM, as scorers read them."""
        callbacks = Callbacks(None, None, options.pop("cancel", None), options.pop("log", None))
        with self._diarize(audio, options, callbacks) as result:
            return result.format("rttm")

    def embed(self, audio: Any) -> "array.array[float]":
        """The voice in 16 kHz mono samples of one person's speech, a quarter of a second at least: 192 numbers."""
        samples = Samples(audio)
        voice = (ctypes.c_float * VOICE_SIZE)()
        check(library().whisp_speakers_embed(self._handle, samples.pointer, samples.n, voice))
        return array.array("f", voice)

    @staticmethod
    def compare(a: Sequence[float], b: Sequence[float]) -> float:
        """How alike two voices are, -1 to 1."""
        return float(library().whisp_speakers_compare(_voices([a]), _voices([b])))

    @staticmethod
    def cluster(voices: Sequence[Sequence[float]], **options: Any) -> List[int]:
        """Which voices are one person's: a number from 1 on for each. Options: num_, min_ and max_speakers."""
        people = (ctypes.c_int * len(voices))()
        with _Options(options) as settings:
            check(library().whisp_speakers_cluster(_voices(voices), len(voices), settings, people))
        return list(people)


def _voices(voices: Sequence[Sequence[float]]) -> Any:
    if any(len(voice) != VOICE_SIZE for voice in voices):
        raise ArgumentError("a voice has %d numbers" % VOICE_SIZE)
    return (ctypes.c_float * (VOICE_SIZE * len(voices)))(*(float(x) for voice in voices for x in voice))
