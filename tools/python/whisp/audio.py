"""openai-whisper's whisper.audio: recordings and spectrograms as arrays. The library needs none of it; scripts do."""

from __future__ import annotations

import array as arrays
from typing import Any

from ._audio import SAMPLE_RATE as SAMPLE_RATE
from ._audio import is_path, numbers_of
from ._errors import ArgumentError
from ._mel import HOP_LENGTH as HOP_LENGTH
from ._mel import N_FFT as N_FFT
from ._mel import filters, log_mel, mel_class, numpy, torch_of
from ._recording import load_audio as _load_audio

CHUNK_LENGTH = 30
N_SAMPLES = CHUNK_LENGTH * SAMPLE_RATE
N_FRAMES = N_SAMPLES // HOP_LENGTH
N_SAMPLES_PER_TOKEN = HOP_LENGTH * 2
FRAMES_PER_SECOND = SAMPLE_RATE // HOP_LENGTH
TOKENS_PER_SECOND = SAMPLE_RATE // N_SAMPLES_PER_TOKEN


def load_audio(file: Any, sr: int = SAMPLE_RATE) -> Any:
    """Decode a recording to mono samples at 16 kHz, 32-bit floats in [-1, 1], all of it in memory.

    `file` is a path, "-" for standard input, an open file descriptor (an int), a file's bytes, or a file that is open
    for reading bytes. Returns a NumPy array where NumPy is installed, otherwise an array.array('f'). IncompleteWarning
    says what could not be heard.
    """
    if sr != SAMPLE_RATE:
        raise ArgumentError("load_audio: sr=%r: recordings are resampled to 16000 Hz, which the models hear" % (sr,))
    return _load_audio(file)


def pad_or_trim(array: Any, length: int = N_SAMPLES, *, axis: int = -1) -> Any:
    """Zeros behind it, or its end cut off, so that it has `length` along `axis`: samples, spectrograms, torch's
    tensors."""
    if not hasattr(array, "shape"):
        samples = numbers_of(array)[:length]
        samples.extend(arrays.array(samples.typecode, [0]) * (length - len(samples)))
        return samples
    axis = axis % len(array.shape)
    missing = length - array.shape[axis]
    if missing <= 0:
        return array[tuple(slice(length) if i == axis else slice(None) for i in range(len(array.shape)))]
    torch = torch_of(array)
    if torch is not None:
        sizes = [missing if i == axis else n for i, n in enumerate(array.shape)]
        return torch.cat([array, array.new_zeros(sizes)], dim=axis)
    padded = numpy().pad(array, [(0, missing if i == axis else 0) for i in range(len(array.shape))])
    return padded.view(type(array))


def log_mel_spectrogram(audio: Any, n_mels: int = 80, padding: int = 0, device: Any = None) -> Any:
    """The log-Mel spectrogram of a recording or samples, [n_mels][frames of 10 ms], as detect_language() and decode()
    take it: a NumPy array, also where samples are torch's. `padding`: zeros behind the samples. `device` has no
    effect."""
    if n_mels not in (80, 128):
        raise ArgumentError("log_mel_spectrogram: n_mels=%r: models have 80 or 128 (model.dims.n_mels)" % (n_mels,))
    np = numpy()
    samples = np.asarray(load_audio(audio) if is_path(audio) else audio)
    if samples.dtype.kind not in "fi" or (samples.dtype.kind == "i" and samples.dtype.itemsize != 2 and samples.size):
        raise ArgumentError(
            "log_mel_spectrogram: samples are %s: floats in [-1, 1] or 16-bit integers are expected" % samples.dtype
        )
    samples = samples.astype(np.float32) / np.float32(1 if samples.dtype.kind == "f" else 32768)
    if samples.ndim > 1:
        rows = [log_mel_spectrogram(row, n_mels, padding) for row in samples]
        return np.stack(rows).view(mel_class())
    return log_mel(np.pad(samples, (0, padding)) if padding else samples, n_mels)


def mel_filters(device: Any, n_mels: int) -> Any:
    """The matrix from 201 frequencies to bands."""
    return filters(n_mels)
