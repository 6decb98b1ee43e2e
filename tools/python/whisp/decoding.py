"""openai-whisper's whisper.decoding: a window of 30 seconds from its log-Mel spectrogram. NumPy is needed, torch is
not; its tensors are taken."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Tuple, Union

from ._errors import ArgumentError
from ._mel import numpy, torch_of

if TYPE_CHECKING:
    from ._model import Model


@dataclasses.dataclass(frozen=True)
class DecodingOptions:
    """openai-whisper's options of decode(), with its defaults."""

    task: str = "transcribe"
    language: Optional[str] = None
    temperature: float = 0.0
    sample_len: Optional[int] = None
    best_of: Optional[int] = None
    beam_size: Optional[int] = None
    patience: Optional[float] = None
    length_penalty: Optional[float] = None
    prompt: Optional[Union[str, List[int]]] = None
    prefix: Optional[Union[str, List[int]]] = None
    suppress_tokens: Optional[Union[str, Iterable[int]]] = "-1"
    suppress_blank: bool = True
    without_timestamps: bool = False
    max_initial_timestamp: Optional[float] = 1.0
    fp16: bool = True


@dataclasses.dataclass(frozen=True)
class DecodingResult:
    """What a window says. `audio_features` is None: the encoder's output stays in the library."""

    audio_features: Any
    language: str
    language_probs: Optional[Dict[str, float]] = None
    tokens: List[int] = dataclasses.field(default_factory=list)
    text: str = ""
    avg_logprob: float = math.nan
    no_speech_prob: float = math.nan
    temperature: float = math.nan
    compression_ratio: float = math.nan


def _windows(model: "Model", mel: Any) -> Tuple[List[Any], bool]:
    """The spectrograms as arrays of floats in a row, and whether one alone was given."""
    np = numpy()
    if torch_of(mel) is not None:
        mel = mel.detach().cpu().float().numpy()
    array = np.ascontiguousarray(mel, dtype=np.float32)
    single = array.ndim == 2
    if array.ndim not in (2, 3) or array.shape[-2] != model.dims.n_mels:
        raise ArgumentError(
            "a log-Mel spectrogram of %s has shape (%d, frames), not %r: "
            "log_mel_spectrogram(audio, n_mels=model.dims.n_mels) makes one"
            % (model.name, model.dims.n_mels, tuple(array.shape))
        )
    if single and array.shape[1] > 3000 or array.ndim == 3 and array.shape[2] > 3000:
        raise ArgumentError("the spectrogram is longer than a window's 3000 frames: pad_or_trim() it, or transcribe()")
    return ([array] if single else list(array)), single


def detect_language(model: "Model", mel: Any, tokenizer: Any = None) -> Tuple[Any, Any]:
    """The language of a spectrogram: its token, and the probability of every language's code; of several, a list of
    each."""
    windows, single = _windows(model, mel)
    tokens, probabilities = [], []
    with model.session(language_detection="start") as session:
        for window in windows:
            found, _ = session.decode_mel(window.ctypes.data, window.shape[0], window.shape[1], text=False)
            tokens.append(_language_token(model, max(found, key=lambda code: found[code])))
            probabilities.append(found)
    return (tokens[0], probabilities[0]) if single else (tokens, probabilities)


def _language_token(model: "Model", code: str) -> int:
    from .tokenizer import special_tokens

    return special_tokens(model)["<|%s|>" % code]


def _settings(model: "Model", options: DecodingOptions) -> Dict[str, Any]:
    """As the library's options: one decoding, whatever it is like."""
    settings = dataclasses.asdict(options)
    prompt, prefix, suppressed = settings.pop("prompt"), settings.pop("prefix"), settings.pop("suppress_tokens")
    if prefix is not None and not isinstance(prefix, str):
        prefix = model.detokenize(prefix)
    if suppressed is not None and not isinstance(suppressed, str):
        suppressed = list(suppressed)
    if settings["best_of"] is None:
        settings["best_of"] = 1
    if settings["task"] == "lang_id":
        settings["task"] = "transcribe"
    settings.update(initial_prompt=prompt, prefix=prefix, suppress_tokens=suppressed)
    settings.update(compression_ratio_threshold=None, logprob_threshold=None, no_speech_threshold=None)
    return settings


def _decode(model: "Model", window: Any, options: DecodingOptions) -> DecodingResult:
    asked = options.language is None and model.is_multilingual
    only_language = options.task == "lang_id"
    with model.session(hallucination_guard=False, language_detection="start", **_settings(model, options)) as session:
        found, transcript = session.decode_mel(
            window.ctypes.data, window.shape[0], window.shape[1], asked or only_language, not only_language
        )
    language = max(found, key=lambda code: found[code]) if found else (options.language or "en")
    if transcript is None:
        return DecodingResult(None, language, found)
    segments = transcript.segments
    if not found:
        language = transcript.language or language
    figures: Dict[str, Any] = {}
    if segments:
        first = segments[0]
        figures = {
            "avg_logprob": first["avg_logprob"],
            "no_speech_prob": first["no_speech_prob"],
            "temperature": first["temperature"],
            "compression_ratio": first["compression_ratio"],
        }
    tokens = [token for segment in segments for token in segment["tokens"]]
    return DecodingResult(None, language, found or None, tokens, transcript.text.strip(), **figures)


def decode(model: "Model", mel: Any, options: Optional[DecodingOptions] = None, **kwargs: Any) -> Any:
    """Decode a spectrogram of 30 seconds or less: a DecodingResult; of several, a list of them."""
    chosen = dataclasses.replace(options or DecodingOptions(), **kwargs)
    windows, single = _windows(model, mel)
    results = [_decode(model, window, chosen) for window in windows]
    return results[0] if single else results
