"""Log-Mel spectrograms as values, for scripts that make them: NumPy arrays with the few methods of torch's tensors that
such scripts call. Transcription does not come by here: the library makes its own (lib/mel)."""

from __future__ import annotations

import functools
import importlib
import sys
from typing import Any

from ._errors import ArgumentError

N_FFT = 400
HOP_LENGTH = 160


def numpy() -> Any:
    """NumPy, or an error that says who needs it."""
    try:
        return importlib.import_module("numpy")
    except ImportError:
        raise ArgumentError(
            "log-Mel spectrograms are NumPy arrays here: install numpy (transcribe() does without)"
        ) from None


def is_mel(audio: Any) -> bool:
    """Is it a spectrogram, or several, rather than a recording? Bands come first, then frames."""
    shape: Any = getattr(audio, "shape", ())
    return len(shape) in (2, 3) and shape[-2] in (80, 128)


@functools.lru_cache(maxsize=None)
def mel_class() -> Any:
    """A NumPy array that can be moved to a device, as torch's can."""
    np = numpy()

    def same(self: Any, *where: Any, **more: Any) -> Any:
        return self

    def unsqueeze(self: Any, dim: int) -> Any:
        return np.expand_dims(self, dim).view(type(self))

    def permute(self: Any, *dims: int) -> Any:
        return self.transpose(*dims)

    def as_numpy(self: Any) -> Any:
        return np.asarray(self)

    methods = {name: same for name in ("to", "cpu", "cuda", "half", "float", "detach", "contiguous", "clone")}
    own = {"unsqueeze": unsqueeze, "permute": permute, "numpy": as_numpy, "device": "cpu"}
    return type("Mel", (np.ndarray,), {**methods, **own})


def _hertz(mel: Any) -> Any:
    """Slaney's scale: a band is 200/3 Hz wide up to 1 kHz, then 27 of them multiply the frequency by 6.4."""
    np = numpy()
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((np.maximum(mel, 15) - 15) * np.log(6.4) / 27))


@functools.lru_cache(maxsize=None)
def filters(n_mels: int) -> Any:
    """[n_mels][201]: triangles of the same area between 0 and 8 kHz, as lib/mel has them."""
    np = numpy()
    top = 15 + 27 * np.log(8) / np.log(6.4)
    edges = _hertz(np.linspace(0, top, n_mels + 2))
    frequencies = np.arange(N_FFT // 2 + 1) * 16000 / N_FFT
    rising = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


def log_mel(samples: Any, n_mels: int) -> Any:
    """[n_mels][len / 160] of one-dimensional samples: log10 of the bands' energies, at most 8 below the loudest,
    scaled."""
    np = numpy()
    half = N_FFT // 2
    padded = np.pad(np.asarray(samples, dtype=np.float32), half, mode="reflect" if len(samples) > half else "constant")
    n_frames = len(samples) // HOP_LENGTH
    window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    bands = np.empty((n_mels, n_frames), dtype=np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_LENGTH][:n_frames]
    for first in range(0, n_frames, 3000):  # a window at a time: memory stays small
        spectrum = np.fft.rfft(frames[first : first + 3000] * window, axis=1)
        bands[:, first : first + 3000] = filters(n_mels) @ (np.abs(spectrum) ** 2).astype(np.float32).T
    bands = np.log10(np.maximum(bands, 1e-10))
    if bands.size:
        bands = np.maximum(bands, bands.max() - 8)
    return ((bands + 4) / 4).view(mel_class())


def torch_of(array: Any) -> Any:
    """torch, where `array` is one of its tensors; else None."""
    return sys.modules.get("torch") if type(array).__module__.partition(".")[0] == "torch" else None
