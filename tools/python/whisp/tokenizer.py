"""openai-whisper's whisper.tokenizer. The vocabulary is the model file's: a tokenizer is one of a model."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Tuple

from ._errors import ArgumentError, FileError
from ._library import languages

if TYPE_CHECKING:
    from ._model import Model

# Other names that openai-whisper takes.
_ALSO = {
    "burmese": "my",
    "castilian": "es",
    "flemish": "nl",
    "haitian": "ht",
    "letzeburgesch": "lb",
    "mandarin": "zh",
    "moldavian": "ro",
    "moldovan": "ro",
    "panjabi": "pa",
    "pushto": "ps",
    "sinhalese": "si",
    "valencian": "ca",
}

loaded: "weakref.WeakSet[Model]" = weakref.WeakSet()  # the models in memory, whose vocabularies are at hand


def __getattr__(name: str) -> Any:
    """LANGUAGES, {"en": "english", ...}, and TO_LANGUAGE_CODE, the reverse: the library is loaded when they are asked
    for."""
    if name == "LANGUAGES":
        return {code: called.lower() for code, called in languages()}
    if name == "TO_LANGUAGE_CODE":
        return {**{called.lower(): code for code, called in languages()}, **_ALSO}
    raise AttributeError("module %r has no attribute %r" % (__name__, name))


def special_tokens(model: "Model") -> Dict[str, int]:
    """The tokens between text and timestamps by their names: {"<|endoftext|>": 50257, ...}."""
    first, found = model.dims.n_vocab - 1501, {}
    for token in range(first - 1, -1, -1):
        name = model.detokenize([token])
        if not (name.startswith("<|") and name.endswith("|>")):
            break
        found[name] = token
    return dict(reversed(found.items()))


def _some_model(multilingual: bool) -> "Model":
    """A model with the vocabulary that is wanted: one in memory, or one of those that are there."""
    for model in loaded:
        if model.is_multilingual == multilingual:
            return model
    from ._model import available_models, load_model

    for name in available_models():
        if name.endswith(".en") == (not multilingual) and name not in ("silero-vad", "speakers"):
            model = load_model(name)
            if model.is_multilingual == multilingual:
                return model
    raise FileError(
        "no %s model is loaded or found, and the vocabulary is in the model's file: get_tokenizer(..., model=model)"
        % ("multilingual" if multilingual else "English")
    )


class Tokenizer:
    """Text to tokens and back, and the tokens that have a meaning, by openai-whisper's names."""

    def __init__(self, model: "Model", language: Optional[str] = None, task: Optional[str] = None) -> None:
        self._model = model
        self.language, self.task = language, task
        self.special_tokens = special_tokens(model)
        named = self.special_tokens
        self.eot = named["<|endoftext|>"]
        self.sot = named["<|startoftranscript|>"]
        self.timestamp_begin = model.dims.n_vocab - 1501
        self.no_timestamps = self.timestamp_begin - 1
        self.no_speech = self.timestamp_begin - 2
        self.sot_prev = self.timestamp_begin - 3
        self.sot_lm = self.timestamp_begin - 4
        self.transcribe = self.timestamp_begin - 5
        self.translate = self.timestamp_begin - 6
        codes = [code for code, _ in languages()]
        self.all_language_codes = tuple(code for code in codes if "<|%s|>" % code in named)
        self.all_language_tokens = tuple(named["<|%s|>" % code] for code in self.all_language_codes)

    def encode(self, text: str) -> List[int]:
        return self._model.tokenize(text)

    def decode(self, token_ids: Iterable[int]) -> str:
        """Text, without timestamps."""
        return self._model.detokenize([token for token in token_ids if token < self.timestamp_begin])

    def decode_with_timestamps(self, token_ids: Iterable[int]) -> str:
        """Text, with timestamps as "<|1.08|>"."""
        return self._model.detokenize(list(token_ids))

    def to_language_token(self, language: str) -> int:
        token = self.special_tokens.get("<|%s|>" % language)
        if token is None:
            raise KeyError("Language %s not found in tokenizer." % language)
        return token

    @property
    def language_token(self) -> int:
        if self.language is None:
            raise ValueError("This tokenizer does not have language token configured")
        return self.to_language_token(self.language)

    @property
    def sot_sequence(self) -> Tuple[int, ...]:
        """The tokens with which a transcript begins."""
        sequence = [self.sot]
        if self.language is not None:
            sequence.append(self.language_token)
        if self.task is not None:
            sequence.append(self.transcribe if self.task == "transcribe" else self.translate)
        return tuple(sequence)

    @property
    def sot_sequence_including_notimestamps(self) -> Tuple[int, ...]:
        return (*self.sot_sequence, self.no_timestamps)


def get_tokenizer(
    multilingual: bool,
    *,
    num_languages: int = 99,
    language: Optional[str] = None,
    task: Optional[str] = None,
    model: Optional["Model"] = None,
) -> Tokenizer:
    """The tokenizer of `model`; without one, of any model that is multilingual or not. `num_languages` has no effect:
    it is the model's."""
    if language is not None:
        code = language.lower()
        code = __getattr__("TO_LANGUAGE_CODE").get(code, code)
        if code not in __getattr__("LANGUAGES"):
            raise ArgumentError("Unsupported language: %s" % language)
        language = code
    chosen = model or _some_model(multilingual)
    if not multilingual:
        return Tokenizer(chosen)
    return Tokenizer(chosen, language or "en", task or "transcribe")
