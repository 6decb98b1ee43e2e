"""openai-whisper's whisper.normalizers.basic."""

from typing import Any

from ._package import module

_module: Any = module("basic")
BasicTextNormalizer = _module.BasicTextNormalizer
remove_symbols = _module.remove_symbols
remove_symbols_and_diacritics = _module.remove_symbols_and_diacritics

__all__ = ["BasicTextNormalizer", "remove_symbols", "remove_symbols_and_diacritics"]
