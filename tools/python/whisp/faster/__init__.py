"""faster-whisper's names on libwhisp: scripts run with

    from whisp.faster import WhisperModel, BatchedInferencePipeline

in place of `from faster_whisper import ...`. Options, segments and info are those of faster-whisper 1.2.
"""

from .._model import available_models as available_models
from ..utils import format_timestamp as format_timestamp
from .audio import decode_audio as decode_audio
from .transcribe import BatchedInferencePipeline as BatchedInferencePipeline
from .transcribe import WhisperModel as WhisperModel
from .utils import download_model as download_model

__version__ = "1.2.1"  # whose interface this is
