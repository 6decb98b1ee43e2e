"""The package that has them, which is no requirement of this one."""

from importlib import import_module
from typing import Any


def module(name: str) -> Any:
    try:
        return import_module("whisper_normalizer." + name)
    except ImportError as error:
        text = 'whisp.normalizers needs the package whisper-normalizer (%s): pip install "libwhisp[normalizers]"'
        raise ImportError(text % error) from None
