"""openai-whisper's whisper.normalizers.english."""

from typing import Any

from ._package import module

_module: Any = module("english")
EnglishNumberNormalizer = _module.EnglishNumberNormalizer
EnglishSpellingNormalizer = _module.EnglishSpellingNormalizer
EnglishTextNormalizer = _module.EnglishTextNormalizer

__all__ = ["EnglishNumberNormalizer", "EnglishSpellingNormalizer", "EnglishTextNormalizer"]
