"""Models: loaded once, shared by threads; each call makes a session of its own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import weakref
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterator,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
    Union,
)

from . import decoding
from ._async import transcribe_async
from ._audio import Bytes, path_bytes
from ._errors import ArgumentError, FileError, StateError
from ._library import CallbackTable, ModelFn, ModelInfo, check, library
from ._library import languages as language_list
from ._options import CancelCallback, LogCallback, ProgressCallback, SegmentCallback, check_options
from ._live import live_words
from ._files import find_model
from ._mel import is_mel
from ._result import LAYOUT
from ._queue import Queue
from ._session import Session, text_bytes
from ._show import Show
from ._transcript import Transcript
from .tokenizer import loaded

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._typed import ModelOptions, Options, Shown, Watched, WatchedLayout

PathLike = Union[str, "os.PathLike[str]"]


class Dims(NamedTuple):
    """A model's dimensions, by openai-whisper's names."""

    n_mels: int
    n_audio_ctx: int
    n_audio_state: int
    n_audio_head: int
    n_audio_layer: int
    n_vocab: int
    n_text_ctx: int
    n_text_state: int
    n_text_head: int
    n_text_layer: int


class Device(str):
    """Where a model computes: a text, "cpu" or "cuda:1", with torch.device's attributes."""

    @property
    def type(self) -> str:
        return self.split(":")[0]

    if not TYPE_CHECKING:  # a str has a method of this name

        @property
        def index(self):
            return int(self.split(":")[1]) if ":" in self else None


_DEVICES = re.compile("(cpu|cuda|auto|mps|xpu|hpu)(:[0-9]+)?$")


def _device_text(device: Any) -> Optional[str]:
    """A device as the library's option has it, from a text or a torch.device; None for anything else."""
    if isinstance(device, os.PathLike) or device is None:
        return None
    text = str(device).lower() if isinstance(device, str) or hasattr(device, "type") else ""
    return text if _DEVICES.match(text) else None


class ModelHandle:
    """Owns a whisp_model; freed when the Model and all sessions made from it have let go."""

    def __init__(self, pointer: ctypes.c_void_p, bytes_of: Optional[Bytes] = None) -> None:
        """`bytes_of`: the memory that the model lies in, if it is not a file's."""
        self.pointer = pointer
        # Not at exit: a daemon thread may still be computing then, and the system takes the memory back anyway.
        weakref.finalize(self, _free_model, pointer, bytes_of).atexit = False


def _free_model(pointer: ctypes.c_void_p, bytes_of: Optional[Bytes]) -> None:
    library().whisp_model_free(pointer)


class Model:
    """A Whisper model in memory; made by load_model(). Any number of threads may use one at once.

    Attributes: name, type ("f16", ...), dims, is_multilingual, languages (codes, in the order of their tokens),
    n_parameters.
    """

    def __init__(
        self,
        path: Union[str, "os.PathLike[str]", bytes, bytearray, memoryview],
        mmap: bool = True,
        device: Any = None,
        **settled: Any,
    ) -> None:
        """`settled`: options of all calls that do not give them."""
        where = _device_text(device)
        self.device = Device("cpu" if where in (None, "auto") else where)
        self._settled = settled if where is None else {"device": where, **settled}
        lib = library()
        pointer = ctypes.c_void_p()
        bytes_of: Optional[Bytes] = None
        if isinstance(path, (bytes, bytearray, memoryview)):
            bytes_of = Bytes(path)
            check(lib.whisp_model_load_memory(bytes_of.address, bytes_of.n, None, ctypes.byref(pointer)))
        else:
            callbacks = CallbackTable(size=ctypes.sizeof(CallbackTable), no_mmap=not mmap)
            check(lib.whisp_model_load(path_bytes(path), ctypes.byref(callbacks), ctypes.byref(pointer)))
        self._handle: Optional[ModelHandle] = ModelHandle(pointer, bytes_of)
        self._mmap = mmap
        info = ModelInfo(size=ctypes.sizeof(ModelInfo))
        check(lib.whisp_model_describe(pointer, ctypes.byref(info)))
        self.path = None if bytes_of else os.fspath(path)  # type: ignore[arg-type]
        self.name: str = (info.name or b"").decode("utf-8", "replace")
        self.type: str = (info.type or b"").decode()
        self.dims = Dims(*(getattr(info, name) for name in Dims._fields))
        self.is_multilingual = bool(info.is_multilingual)
        n_languages = info.n_languages if self.is_multilingual else 1
        self.languages: List[str] = [code for code, _ in language_list()[:n_languages]]
        self.n_parameters: int = info.n_parameters
        loaded.add(self)

    def __reduce__(self) -> Any:
        """For pickle, which other processes are started with: the path, which they load again."""
        if self.path is None:
            raise TypeError("a model that lies in memory cannot be pickled: load it from a file")
        return _load_again, (os.path.abspath(self.path), self._mmap, self._settled)

    def __repr__(self) -> str:
        return "<whisp.Model %s, %s%s>" % (self.name, self.type, "" if self._handle else ", closed")

    # -- life

    @property
    def handle(self) -> ModelHandle:
        if self._handle is None:
            raise StateError("the model %s is closed" % self.name)
        return self._handle

    def close(self) -> None:
        """Let go of the model. Its memory is freed once the sessions made from it are closed too."""
        self._handle = None
        loaded.discard(self)

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def settle(self, options: Dict[str, Any]) -> None:
        """Add what load_model() was told to a call's options."""
        for name, value in self._settled.items():
            options.setdefault(name, value)

    def to(self, *where: Any, **more: Any) -> "Model":
        """torch's; where a model computes is said once, as load_model()'s device."""
        return self

    eval = half = float = cpu = cuda = to

    # -- whole recordings

    def transcribe(
        self,
        audio: Any,
        *,
        verbose: Optional[bool] = None,
        progress: Optional[ProgressCallback] = None,
        segment: Optional[SegmentCallback] = None,
        cancel: Optional[CancelCallback] = None,
        log: Optional[LogCallback] = None,
        **options: "Unpack[Options]",
    ) -> Transcript:
        """Transcribe a recording: the dictionary that openai-whisper's transcribe() returns.

        audio     a recording: a path ("-": standard input), a file's bytes, or a file open for reading bytes; or
                  samples: 16 kHz mono, floats in [-1, 1] or 16-bit integers, as a NumPy array, array.array or list
        verbose   True prints each segment when it is final, False shows progress on stderr, None is silent
        progress  called with the seconds done and in all (negative where not known)
        segment   called with each segment's dictionary when it is final
        cancel    called for every token; true stops, and Cancelled is raised
        log       called with a level (0 error to 3 debug) and a line
        options   openai-whisper's: language, task, temperature, best_of, initial_prompt, ... (see whisp.options())

        An exception in a callback, or Ctrl-C, stops the work and comes out of this call. Other threads run meanwhile.
        """
        with Show(verbose, progress, segment) as show:
            with self.session(
                progress=show.progress, segment=show.segment, cancel=cancel, log=log, **options
            ) as session:
                session.show(show)
                return session.transcribe(audio)

    async def transcribe_async(self, audio: Any, **options: "Unpack[Shown]") -> Transcript:
        """transcribe() in another thread, awaited. When the task is cancelled the work stops, soon, before
        CancelledError comes out. Callbacks run in that thread: loop.call_soon_threadsafe() leads back."""
        return await transcribe_async(self, audio, options)

    def queue(self, **options: "Unpack[Options]") -> Queue:
        """A queue of recordings that share the decoder's steps: see Queue."""
        return Queue(self, **options)

    def transcribe_text(self, audio: Any, format: str = "txt", **options: "Unpack[WatchedLayout]") -> str:
        """Transcribe a recording to a document in "txt", "srt", "vtt", "tsv" or "json", as openai-whisper writes it,
        or, with confidence=True, to "doubtful": the least certain words (doubtful_share, a tenth) with times and
        context. Takes what transcribe() takes, except verbose, and with word_timestamps how srt and vtt are laid out:
        highlight_words, max_line_width, max_line_count, max_words_per_line. With subtitles=True or a subtitle_style
        ("netflix", "bbc", "ebu") srt, vtt, "ass" and "lrc" are laid out as a person would (docs/subtitles.md). Also
        "csv" and "md", and "html", the review page, which plays the recording from its path (docs/review.md)."""
        rest: Dict[str, Any] = dict(options)
        layout = {name: rest.pop(name) for name in LAYOUT if name in rest}
        if (layout.get("subtitles") or layout.get("subtitle_style")) and not rest.get("confidence"):
            rest["word_timestamps"] = True
        with self.session(**rest) as session:
            return session.transcribe_text(audio, format, **layout)

    def align(self, audio: Any, text: str, **options: "Unpack[Watched]") -> Transcript:
        """Find when each word of a text is said in a recording: forced alignment. The dictionary is transcribe()'s
        with word_timestamps; its segments are the text's lines or, where there is only one, its sentences. Words that
        are not said have a probability near 0. Takes what transcribe() takes, except verbose."""
        with self.session(**options) as session:
            return session.align(audio, text)

    def detect_language(self, audio: Any, **options: "Unpack[Watched]") -> Tuple[Any, Any]:
        """The language of the first 30 seconds: its code, and the probability of every language's code. Of a log-Mel
        spectrogram (log_mel_spectrogram()) it is openai-whisper's answer: its token, and the same probabilities."""
        if is_mel(audio):
            return decoding.detect_language(self, audio)
        with self.session(**options) as session:
            return session.detect_language(audio)

    # -- in steps

    def decode(self, mel: Any, options: Optional[decoding.DecodingOptions] = None, **more: Any) -> Any:
        """One window from its log-Mel spectrogram, as openai-whisper's decode(): a DecodingResult, or a list of
        them."""
        return decoding.decode(self, mel, options or decoding.DecodingOptions(), **more)

    def session(self, **options: "Unpack[Watched]") -> Session:
        """A session, to push samples and get segments by hand: see Session."""
        return Session(self, **options)

    def stream(
        self, blocks: Union[Iterable[Any], Callable[[], Any]], **options: "Unpack[Watched]"
    ) -> Iterator[Dict[str, Any]]:
        """Transcribe audio as it comes: yields each segment's dictionary when it is final.

        blocks    an iterable of blocks of samples (of any size, each as transcribe() takes them), or a function that
                  returns the next block, and None at the end
        options   as for transcribe(), the callbacks included
        """
        self.handle  # a closed model is an error now, not at the first segment
        return self._stream(blocks, options)

    def _stream(self, blocks: Any, options: "Watched") -> Iterator[Dict[str, Any]]:
        with self.session(**options) as session:
            for block in iter(blocks, None) if callable(blocks) else blocks:
                yield from session.pushing(block)
            yield from session.finishing()

    def live(self, source: Any, **options: "Unpack[Watched]") -> AsyncIterator[Dict[str, Any]]:
        """Transcribe while somebody speaks: an asynchronous generator of words that have settled.

            async for word in model.live(microphone()):
                print(word["word"], end="", flush=True)

        source    an asynchronous or plain iterable of blocks of samples, each as transcribe() takes them
        options   as for transcribe(), without vad_filter, clip_timestamps and split_stereo; of the callbacks segment,
                  cancel and log

        Words settle soon and stay as they are. The final text is better and comes later, when a window of 30 seconds
        is complete: `segment` is called with each of its segments.

        The model runs in another thread, a pass for each stream_step seconds of sound.
        """
        self.handle
        return live_words(self, source, dict(options))

    # -- tokens

    def tokenize(self, text: str) -> List[int]:
        """Text to token ids, as openai-whisper's tokenizer.encode()."""
        encoded = text_bytes(text)
        handle, lib = self.handle, library()
        capacity = len(encoded)  # a token is at least a byte
        tokens = (ctypes.c_int32 * max(capacity, 1))()
        n = check(lib.whisp_tokenize(handle.pointer, encoded, tokens, capacity))
        return tokens[:n]

    def detokenize(self, tokens: Sequence[int]) -> str:
        """Token ids to text; special tokens appear by name."""
        handle, lib = self.handle, library()
        try:
            ids = (ctypes.c_int32 * len(tokens))(*map(_token_id, tokens))
        except TypeError:
            raise ArgumentError("tokens must be a sequence of integers") from None
        text = ctypes.create_string_buffer(16 * len(tokens) + 1)
        length = check(lib.whisp_detokenize(handle.pointer, ids, len(tokens), text, len(text)))
        if length >= len(text):
            text = ctypes.create_string_buffer(length + 1)
            check(lib.whisp_detokenize(handle.pointer, ids, len(tokens), text, len(text)))
        return text.raw[:length].decode("utf-8", "replace")


def _load_again(path: str, mmap: bool, settled: Dict[str, Any]) -> Model:
    rest = dict(settled)
    return Model(path, mmap, rest.pop("device", None), **rest)


def _token_id(token: Any) -> int:
    number = token.__index__() if hasattr(token, "__index__") else None
    if number is None:
        raise TypeError
    if not 0 <= number < 1 << 31:
        raise ArgumentError("token %d is not in the vocabulary" % number)
    return int(number)


def find(name: Optional[PathLike], model_dir: Optional[PathLike], download_root: Optional[PathLike]) -> str:
    """The model's path. openai-whisper would download into `download_root` what is not there; what is found elsewhere
    has the same words."""
    if model_dir is None and download_root is not None:
        with contextlib.suppress(FileError):
            return find_model(name, download_root)
    return find_model(name, model_dir)


def load_model(
    name: Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, None] = None,
    device: Any = None,
    download_root: Optional[PathLike] = None,
    in_memory: bool = False,
    *,
    model_dir: Optional[PathLike] = None,
    mmap: bool = True,
    **options: "Unpack[ModelOptions]",
) -> Model:
    """Load a model: a path to a .gguf file, such a file's bytes, or a name ("tiny.en", "base", ...). None is base, or
    what is there without it. The order of the arguments is openai-whisper's:

    device         "cpu", "cuda", "cuda:1", a torch.device; the option device of all calls with this model
    download_root  a folder where a name is looked up first; nothing is ever downloaded
    in_memory      read the file into memory, as mmap=False
    model_dir      the folder where a name is looked up; without one that is $WHISP_MODEL_DIR, ./models and
                   ~/.cache/whisp. A folder as second argument means this, too
    mmap           False reads the file into memory, so that it may be written over or cut off later; a mapped one may
                   only be replaced by renaming another file to its name
    options        of all calls with this model that do not give them: compute_type="f32", threads=2, ...
    """
    settled: Dict[str, Any] = dict(options)
    if device is not None and _device_text(device) is None:
        if model_dir is not None or not isinstance(device, (str, os.PathLike)) or not os.path.isdir(device):
            raise ArgumentError("device: %r is neither a device (cpu, cuda, cuda:1) nor a folder of models" % (device,))
        device, model_dir = None, device
    check_options({**settled, "device": _device_text(device) or "auto"})
    if isinstance(name, (bytes, bytearray, memoryview)):
        return Model(name, True, device, **settled)
    return Model(find(name, model_dir, download_root), mmap and not in_memory, device, **settled)


def available_models(model_dir: Optional[PathLike] = None) -> List[str]:
    """The names that load_model() would find, sorted."""
    names: Set[str] = set()

    def add(user: Any, file: Any) -> int:
        names.add(os.fsdecode(file.contents.name))
        return 0

    check(library().whisp_model_list(None if model_dir is None else path_bytes(model_dir), ModelFn(add), None))
    return sorted(names)
