"""faster-whisper's WhisperModel and BatchedInferencePipeline: its options in the library's words, and segments one by
one, transcribed when they are asked for."""

from __future__ import annotations

import dataclasses
import queue
import threading
import warnings
from typing import Any, Callable, Dict, Generator, Iterable, List, Optional, Sequence, Tuple, Union

from .._errors import ArgumentError, Cancelled, FileError, LibraryWarning
from .._model import Model, load_model
from .._options import check_options
from .._recording import settled
from .._vad import speech, vad_file
from .utils import model_name
from .vad import VadOptions, vad_settings


@dataclasses.dataclass
class Word:
    """A word and when it is said."""

    start: float
    end: float
    word: str
    probability: float

    def _asdict(self) -> Dict[str, Any]:
        return dataclasses.asdict(self)


@dataclasses.dataclass
class Segment:
    """A segment; ids begin with 1."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: List[int]
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    words: Optional[List[Word]]
    temperature: Optional[float]

    def _asdict(self) -> Dict[str, Any]:
        return dataclasses.asdict(self)


@dataclasses.dataclass
class TranscriptionOptions:
    """What a transcription was asked for."""

    beam_size: int = 5
    best_of: int = 5
    patience: float = 1
    length_penalty: float = 1
    repetition_penalty: float = 1
    no_repeat_ngram_size: int = 0
    log_prob_threshold: Optional[float] = -1.0
    no_speech_threshold: Optional[float] = 0.6
    compression_ratio_threshold: Optional[float] = 2.4
    condition_on_previous_text: bool = True
    prompt_reset_on_temperature: float = 0.5
    temperatures: Sequence[float] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    initial_prompt: Optional[Union[str, Iterable[int]]] = None
    prefix: Optional[str] = None
    suppress_blank: bool = True
    suppress_tokens: Optional[List[int]] = dataclasses.field(default_factory=lambda: [-1])
    without_timestamps: bool = False
    max_initial_timestamp: float = 1.0
    word_timestamps: bool = False
    prepend_punctuations: str = "\"'“¿([{-"
    append_punctuations: str = "\"'.。,，!！?？:：”)]}、"
    multilingual: bool = False
    max_new_tokens: Optional[int] = None
    clip_timestamps: Any = "0"
    hallucination_silence_threshold: Optional[float] = None
    hotwords: Optional[str] = None


@dataclasses.dataclass
class TranscriptionInfo:
    """What is known before the first segment."""

    language: str
    language_probability: float
    duration: float
    duration_after_vad: float
    all_language_probs: Optional[List[Tuple[str, float]]]
    transcription_options: TranscriptionOptions
    vad_options: Optional[VadOptions]

    def _asdict(self) -> Dict[str, Any]:
        return dataclasses.asdict(self)


_FIELDS = frozenset(field.name for field in dataclasses.fields(TranscriptionOptions))


class _Call:
    """One call of transcribe(): what was asked for, in the library's words."""

    def __init__(self, arguments: Dict[str, Any]) -> None:
        rest = dict(arguments)
        self.language: Optional[str] = rest.pop("language", None)
        self.log_progress = bool(rest.pop("log_progress", False))
        self.vad_filter = rest.pop("vad_filter", False)
        self.vad_parameters = rest.pop("vad_parameters", None)
        self.vad_options: Dict[str, Any] = {}  # in the library's words
        chunk = rest.pop("chunk_length", None)
        temperature = rest.pop("temperature", TranscriptionOptions.temperatures)
        temperatures = list(temperature) if isinstance(temperature, (list, tuple)) else [temperature]
        _without_effect(rest, "language_detection_threshold", 0.5)
        _without_effect(rest, "language_detection_segments", 1)
        known = {name: rest.pop(name) for name in list(rest) if name in _FIELDS}
        self.asked = TranscriptionOptions(temperatures=temperatures, **known)
        self.options: Dict[str, Any] = {"task": rest.pop("task", "transcribe"), **self._settings(chunk), **rest}

    def _settings(self, chunk: Optional[int]) -> Dict[str, Any]:
        asked = dict(vars(self.asked))
        if asked.pop("prompt_reset_on_temperature") != 0.5:
            raise ArgumentError("prompt_reset_on_temperature: only 0.5, openai-whisper's, is there")
        settings = {
            "logprob_threshold": asked.pop("log_prob_threshold"),
            "temperature": asked.pop("temperatures"),
            "clip_timestamps": _clips(asked.pop("clip_timestamps")),
        }
        if asked["length_penalty"] == 1:  # the mean log-probability: which has no number here
            asked["length_penalty"] = None
        if asked["beam_size"] == 1 or asked["patience"] == 1:
            del asked["patience"]
        if chunk is not None and chunk != 30:
            settings["cut"] = max(5, chunk)  # before the default, which stands in the rest
        return {**asked, **settings}

    def vad(self, model: Model, audio: Any, duration: float) -> Tuple[float, Optional[VadOptions]]:
        """How much of the recording is speech, and by what measure."""
        if not self.vad_filter:
            return duration, None
        settings = vad_settings(self.vad_parameters)
        self.vad_options = {"vad_filter": True, **settings}
        self.options.update(self.vad_options)
        spans, _ = speech(audio, settings, vad_file(str(model.path) if model.path else None))
        chosen = self.vad_parameters
        return sum(end - start for start, end in spans), (
            chosen if isinstance(chosen, VadOptions) else VadOptions(**(chosen or {}))
        )


def _without_effect(arguments: Dict[str, Any], name: str, default: Any) -> None:
    if arguments.pop(name, default) != default:
        warnings.warn("%s has no effect here" % name, LibraryWarning, stacklevel=5)


def _clips(clips: Any) -> Any:
    """clip_timestamps, or what the batched pipeline takes: [{"start": 1.5, "end": 7}, ...]."""
    if isinstance(clips, (list, tuple)) and clips and isinstance(clips[0], dict):
        try:
            return [time for clip in clips for time in (clip["start"], clip["end"])]
        except (KeyError, TypeError):
            raise ArgumentError('clip_timestamps: [{"start": 0.0, "end": 5.0}, ...] is expected') from None
    return clips if clips is not None else "0"


def _segment(number: int, found: Dict[str, Any], words: bool) -> Segment:
    said = found.get("words", []) if words else None
    return Segment(
        id=number,
        seek=found["seek"],
        start=found["start"],
        end=found["end"],
        text=found["text"],
        tokens=found["tokens"],
        avg_logprob=found["avg_logprob"],
        compression_ratio=found["compression_ratio"],
        no_speech_prob=found["no_speech_prob"],
        words=None if said is None else [Word(w["start"], w["end"], w["word"], w["probability"]) for w in said],
        temperature=found["temperature"],
    )


class _Running:
    """A transcription in a thread that waits for who takes its segments."""

    def __init__(self, transcribe: Callable[..., Any]) -> None:
        self._transcribe = transcribe
        self._found: "queue.Queue[Any]" = queue.Queue(maxsize=2)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="whisp segments", daemon=True)

    def _put(self, item: Any) -> None:
        while not self._stopped.is_set():
            try:
                return self._found.put(item, timeout=0.1)
            except queue.Full:
                pass
        raise Cancelled("nobody takes the segments any more")

    def _work(self) -> None:
        try:
            self._transcribe(segment=self._put, cancel=self._stopped.is_set)
            last: Any = None
        except BaseException as error:
            last = error
        try:
            self._put(last)
        except Cancelled:
            pass

    def segments(self) -> Generator[Dict[str, Any], None, None]:
        self._thread.start()
        try:
            while True:
                item = self._found.get()
                if isinstance(item, BaseException):
                    raise item
                if item is None:
                    return
                yield item
        finally:
            self._stopped.set()
            self._thread.join()


class WhisperModel:
    """faster-whisper's WhisperModel. `model_size_or_path` is a name as load_model() takes it, a .gguf file, or
    "Systran/faster-whisper-base" and the like. num_workers, local_files_only, revision and use_auth_token have no
    effect:
    any number of threads may use a model, and nothing is downloaded."""

    def __init__(
        self,
        model_size_or_path: Any,
        device: str = "auto",
        device_index: Union[int, List[int]] = 0,
        compute_type: str = "default",
        cpu_threads: int = 0,
        num_workers: int = 1,
        download_root: Optional[str] = None,
        local_files_only: bool = False,
        files: Optional[Dict[str, Any]] = None,
        revision: Optional[str] = None,
        use_auth_token: Any = None,
        **model_kwargs: Any,
    ) -> None:
        if files:
            raise ArgumentError("files: a model in memory is given as its .gguf file's bytes, in place of its name")
        if str(device) not in ("auto", "cpu", "cuda"):  # load_model() would take it for a folder of models
            raise ArgumentError("device: %r is none of auto, cpu, cuda" % (device,))
        index = device_index[0] if isinstance(device_index, (list, tuple)) else device_index
        where = "%s:%d" % (device, index) if device == "cuda" and index else device
        name = model_name(model_size_or_path)
        self.model = load_model(
            name, where, download_root, compute_type=str(compute_type), threads=int(cpu_threads), **model_kwargs
        )

    @property
    def supported_languages(self) -> List[str]:
        """The codes of the languages that the model knows."""
        return list(self.model.languages)

    def transcribe(
        self,
        audio: Any,
        language: Optional[str] = None,
        task: str = "transcribe",
        log_progress: bool = False,
        **options: Any,
    ) -> Tuple[Generator[Segment, None, None], TranscriptionInfo]:
        """A generator of segments, and what is known before the first. The work is done when segments are asked for; a
        generator that is closed, or dropped, ends it.

        Options are faster-whisper's, with its defaults: beam_size=5, best_of, patience, temperature, word_timestamps,
        vad_filter, vad_parameters (a dictionary or VadOptions), initial_prompt, hotwords, clip_timestamps, ...; then
        those of the library (whisp.options()) under their own names. As there, windows follow one another: cut="auto"
        and batch_size are faster on long recordings.
        """
        options.setdefault("cut", "off")
        return self._run(_Call(dict(options, language=language, task=task, log_progress=log_progress)), audio)

    def _run(self, call: _Call, audio: Any) -> Tuple[Generator[Segment, None, None], TranscriptionInfo]:
        model = self.model
        audio, duration = settled(audio)
        after, vad_options = call.vad(model, audio, duration)
        probabilities: Optional[List[Tuple[str, float]]] = None
        language, probability = self._language(call.language), 1.0
        if language is None and model.is_multilingual:
            language, probability, probabilities = self._detect(audio, call.vad_options)
        call.options["language"] = language if model.is_multilingual else None
        info = TranscriptionInfo(
            language or "en", probability, duration, after, probabilities, call.asked, vad_options
        )
        return self._segments(call, audio), info

    def _language(self, asked: Optional[str]) -> Optional[str]:
        """A language that the model can be asked for."""
        if asked is None:
            return None
        check_options({"language": asked})
        if self.model.is_multilingual or asked == "en":
            return asked
        text = "%s knows English only: language=%r is taken as en" % (self.model.name, asked)
        warnings.warn(text, LibraryWarning, stacklevel=4)
        return "en"

    def _segments(self, call: _Call, audio: Any) -> Generator[Segment, None, None]:
        def transcribe(**callbacks: Any) -> None:
            self.model.transcribe(audio, verbose=False if call.log_progress else None, **callbacks, **call.options)

        number = 0
        running = _Running(transcribe).segments()
        try:
            for found in running:
                if found["text"].strip() and found["end"] > found["start"]:  # those that are empty are left out there
                    number += 1
                    yield _segment(number, found, call.asked.word_timestamps)
        finally:
            running.close()

    def _detect(self, audio: Any, options: Dict[str, Any]) -> Tuple[str, float, List[Tuple[str, float]]]:
        code, found = self.model.detect_language(audio, **options)
        ordered = sorted(found.items(), key=lambda pair: -pair[1])
        return code, found[code], ordered

    def detect_language(
        self,
        audio: Any = None,
        features: Any = None,
        vad_filter: bool = False,
        vad_parameters: Union[Dict[str, Any], VadOptions, None] = None,
        language_detection_segments: int = 1,
        language_detection_threshold: float = 0.5,
    ) -> Tuple[str, float, List[Tuple[str, float]]]:
        """The language, its probability, and all of them, the most probable first."""
        if audio is None:
            _, found = self.model.detect_language(features)
            ordered = sorted(found.items(), key=lambda pair: -pair[1])
            return ordered[0][0], ordered[0][1], ordered
        options = {"vad_filter": True, **vad_settings(vad_parameters)} if vad_filter else {}
        return self._detect(audio, options)


class BatchedInferencePipeline:
    """faster-whisper's pipeline: long recordings are cut at pauses into parts, batch_size of which are decoded
    together. Without the voice activity model (silero-vad) they are cut all the same."""

    def __init__(self, model: WhisperModel, **unused: Any) -> None:
        self.model = model

    def transcribe(
        self,
        audio: Any,
        language: Optional[str] = None,
        task: str = "transcribe",
        log_progress: bool = False,
        batch_size: int = 8,
        **options: Any,
    ) -> Tuple[Generator[Segment, None, None], TranscriptionInfo]:
        """As WhisperModel.transcribe(), with the pipeline's defaults: vad_filter=True, without_timestamps=True."""
        clips = options.get("clip_timestamps")
        if "vad_filter" not in options:
            options["vad_filter"] = not clips and self._has_vad()
        if options["vad_filter"] and options.get("vad_parameters") is None:
            longest = options.get("chunk_length") or 30
            options["vad_parameters"] = VadOptions(max_speech_duration_s=longest, min_silence_duration_ms=160)
        options.setdefault("without_timestamps", True)
        options.setdefault("cut", "auto" if clips else 30)
        call = _Call(dict(options, language=language, task=task, log_progress=log_progress))
        call.options["batch_size"] = max(1, min(64, batch_size))
        return self.model._run(call, audio)

    def _has_vad(self) -> bool:
        path = self.model.model.path
        try:
            return bool(vad_file(str(path) if path else None))
        except FileError:
            return False
