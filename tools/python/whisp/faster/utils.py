"""faster-whisper's faster_whisper.utils."""

from __future__ import annotations

import re
from typing import Any

from .._model import available_models as available_models
from .._model import find as _find
from ..utils import format_timestamp as format_timestamp


def model_name(name: Any) -> Any:
    """"Systran/faster-whisper-base" and the like are the model's name and somebody's folder; anything else stays."""
    match = re.fullmatch(r"[\w.-]+/faster-(distil-)?whisper-([\w.-]+?)(-ct2)?", name) if isinstance(name, str) else None
    return (match.group(1) or "") + match.group(2) if match else name


def download_model(size_or_id: str, output_dir: Any = None, **kwargs: Any) -> str:
    """Where the model is; nothing is downloaded (the message of a model that is missing says what does that)."""
    return _find(model_name(size_or_id), None, output_dir)
