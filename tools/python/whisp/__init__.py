"""Speech to text with OpenAI's Whisper models, by libwhisp: no other Python package is needed.

    import whisp

    model = whisp.load_model("base")
    print(model.transcribe("talk.mp3")["text"])

Names, options and results are openai-whisper's where it has them.
"""

from __future__ import annotations

from typing import Dict, Mapping, Tuple

from ._audio import SAMPLE_RATE
from ._errors import (
    ArgumentError,
    AudioError,
    BackendError,
    Cancelled,
    Error,
    FileError,
    IncompleteWarning,
    LibraryError,
    LibraryWarning,
    ModelError,
    OutOfMemoryError,
    OutputError,
    StateError,
)
from ._library import languages as language_list  # noqa: I001
from ._library import library
from ._live import Live
from ._model import Dims, Model, Model as Whisper, Dims as ModelDimensions, available_models, load_model
from ._options import option_list
from .audio import load_audio
from ._queue import Job, Queue
from ._session import Session
from ._speakers import Speakers
from ._transcript import Transcript, format_transcript
from . import audio, decoding, model, tokenizer, utils
from .audio import log_mel_spectrogram, pad_or_trim
from .decoding import DecodingOptions, DecodingResult, decode, detect_language
from .transcribe import transcribe

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "AudioError",
    "BackendError",
    "Cancelled",
    "Dims",
    "Error",
    "FileError",
    "IncompleteWarning",
    "LibraryError",
    "LibraryWarning",
    "Live",
    "Model",
    "ModelError",
    "OutOfMemoryError",
    "OutputError",
    "SAMPLE_RATE",
    "Session",
    "Speakers",
    "StateError",
    "available_models",
    "format_transcript",
    "languages",
    "library_version",
    "load_audio",
    "load_model",
    "options",
]


def options() -> Mapping[str, Tuple[str, str, str]]:
    """All options of transcribe(): name -> (accepted values, default as text, one sentence)."""
    return dict(option_list())


def languages() -> Dict[str, str]:
    """All languages by code: {"en": "English", ...}."""
    return dict(language_list())


def library_version() -> str:
    """The version of the loaded libwhisp."""
    version: bytes = library().whisp_version()
    return version.decode()
