"""Models: loaded once, shared by threads; each call makes a session of its own."""

from __future__ import annotations

import ctypes
import os
import weakref
from typing import Any, AsyncIterator, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple, Union

from ._audio import Bytes, path_bytes
from ._errors import ArgumentError, StateError
from ._library import CallbackTable, ModelFn, ModelInfo, check, library
from ._library import languages as language_list
from ._options import CancelCallback, LogCallback, ProgressCallback, SegmentCallback
from ._live import live_words
from ._files import find_model
from ._result import LAYOUT
from ._session import Session, Show, text_bytes


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

    def __init__(self, path: Union[str, "os.PathLike[str]", bytes, bytearray, memoryview], mmap: bool = True) -> None:
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

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

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
        **options: Any,
    ) -> Dict[str, Any]:
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
            options.update(progress=show.progress, segment=show.segment, cancel=cancel, log=log)
            with self.session(**options) as session:
                return session.transcribe(audio)

    def transcribe_text(self, audio: Any, format: str = "txt", **options: Any) -> str:
        """Transcribe a recording to a document in "txt", "srt", "vtt", "tsv" or "json", as openai-whisper writes it, or, with
        confidence=True, to "doubtful": the least certain words (doubtful_share, a tenth) with times and context.
        Takes what transcribe() takes, except verbose, and with word_timestamps how srt and vtt are laid out:
        highlight_words, max_line_width, max_line_count, max_words_per_line."""
        layout = {name: options.pop(name) for name in LAYOUT if name in options}
        with self.session(**options) as session:
            return session.transcribe_text(audio, format, **layout)

    def align(self, audio: Any, text: str, **options: Any) -> Dict[str, Any]:
        """Find when each word of a text is said in a recording: forced alignment. The dictionary is transcribe()'s
        with word_timestamps; its segments are the text's lines or, where there is only one, its sentences. Words that
        are not said have a probability near 0. Takes what transcribe() takes, except verbose."""
        with self.session(**options) as session:
            return session.align(audio, text)

    def detect_language(self, audio: Any, **options: Any) -> Tuple[str, Dict[str, float]]:
        """The language of the first 30 seconds: its code, and the probability of every language's code."""
        with self.session(**options) as session:
            return session.detect_language(audio)

    # -- in steps

    def session(self, **options: Any) -> Session:
        """A session, to push samples and get segments by hand: see Session."""
        return Session(self, **options)

    def stream(self, blocks: Union[Iterable[Any], Callable[[], Any]], **options: Any) -> Iterator[Dict[str, Any]]:
        """Transcribe audio as it comes: yields each segment's dictionary when it is final.

        blocks    an iterable of blocks of samples (of any size, each as transcribe() takes them), or a function that
                  returns the next block, and None at the end
        options   as for transcribe(), the callbacks included
        """
        self.handle  # a closed model is an error now, not at the first segment
        return self._stream(blocks, options)

    def _stream(self, blocks: Any, options: Dict[str, Any]) -> Iterator[Dict[str, Any]]:
        with self.session(**options) as session:
            for block in iter(blocks, None) if callable(blocks) else blocks:
                yield from session.pushing(block)
            yield from session.finishing()

    def live(self, source: Any, **options: Any) -> AsyncIterator[Dict[str, Any]]:
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
        return live_words(self, source, options)

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


def _token_id(token: Any) -> int:
    number = token.__index__() if hasattr(token, "__index__") else None
    if number is None:
        raise TypeError
    if not 0 <= number < 1 << 31:
        raise ArgumentError("token %d is not in the vocabulary" % number)
    return int(number)


def load_model(
    name: Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, None] = None,
    model_dir: Union[str, "os.PathLike[str]", None] = None,
    mmap: bool = True,
) -> Model:
    """Load a model: a path to a .gguf file, such a file's bytes, or a name ("tiny.en", "base", ...) that is looked up in `model_dir` or,
    without one, in $WHISP_MODEL_DIR, ./models and ~/.cache/whisp. None is base, or what is there without it. mmap=False
    reads the file into memory, so that it may be written over or cut off later; a mapped one may only be replaced by
    renaming another file to its name."""
    if isinstance(name, (bytes, bytearray, memoryview)):
        return Model(name)
    return Model(find_model(name, model_dir), mmap)


def available_models(model_dir: Union[str, "os.PathLike[str]", None] = None) -> List[str]:
    """The names that load_model() would find, sorted."""
    names: Set[str] = set()

    def add(user: Any, file: Any) -> int:
        names.add(os.fsdecode(file.contents.name))
        return 0

    check(library().whisp_model_list(None if model_dir is None else path_bytes(model_dir), ModelFn(add), None))
    return sorted(names)
