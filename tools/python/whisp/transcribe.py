"""openai-whisper's whisper.transcribe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._transcript import Transcript

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._model import Model
    from ._typed import Shown


def transcribe(model: "Model", audio: Any, **options: "Unpack[Shown]") -> Transcript:
    """model.transcribe(audio, ...)."""
    return model.transcribe(audio, **options)
