"""openai-whisper's whisper.model: its names of the classes here."""

from ._model import Dims as ModelDimensions
from ._model import Model as Whisper

__all__ = ["ModelDimensions", "Whisper"]
