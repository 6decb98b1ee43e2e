"""faster-whisper's faster_whisper.vad: voice activity by Silero's network, which the library computes."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Optional, Union

from .._vad import NAMES, speech, vad_file


@dataclasses.dataclass
class VadOptions:
    """When sound is speech, and how much around it is kept."""

    threshold: float = 0.5
    neg_threshold: Optional[float] = None
    min_speech_duration_ms: int = 0
    max_speech_duration_s: float = float("inf")
    min_silence_duration_ms: int = 2000
    speech_pad_ms: int = 400


def vad_settings(options: Union[VadOptions, Dict[str, Any], None]) -> Dict[str, Any]:
    """As the library's options; TypeError for a name that there is not."""
    chosen = options if isinstance(options, VadOptions) else VadOptions(**(options or {}))
    settings = {NAMES[name]: value for name, value in dataclasses.asdict(chosen).items()}
    if settings["vad_max_speech_duration_s"] == float("inf"):
        settings["vad_max_speech_duration_s"] = None
    return settings


def get_speech_timestamps(
    audio: Any, vad_options: Optional[VadOptions] = None, sampling_rate: int = 16000, **kwargs: Any
) -> List[Dict[str, int]]:
    """Where somebody speaks: [{"start": sample, "end": sample}, ...] at 16 kHz."""
    spans, _ = speech(audio, vad_settings(vad_options or VadOptions(**kwargs)), vad_file())
    return [{"start": round(start * 16000), "end": round(end * 16000)} for start, end in spans]
