"""Recordings for tests, made with the standard library; formats other than WAV by libsndfile through ctypes."""
import array
import ctypes
import math
import random
import struct
import wave

RATE = 16000


def babble(seconds, seed=1, loudness=0.4):
    """Something like a voice: a gliding buzz that comes and goes, loudest in its first second. 16-bit samples."""
    draw = random.Random(seed)
    samples = array.array("h")
    phase = 0.0
    for i in range(int(seconds * RATE)):
        t = i / RATE
        phase += (110.0 + 40.0 * math.sin(1.7 * t) + 15.0 * math.sin(11.0 * t)) / RATE
        syllable = max(0.0, math.sin(2.0 * math.pi * 2.3 * t))
        level = loudness * syllable * (1.0 if t < 1.0 else 0.6)
        value = sum(math.sin(2.0 * math.pi * k * phase) / k for k in (1, 3, 5, 8)) + 0.2 * (draw.random() - 0.5)
        samples.append(int(max(-1.0, min(1.0, 0.5 * level * value)) * 32767))
    return samples


def noise(seconds, seed=2, loudness=0.3):
    draw = random.Random(seed)
    return array.array("h", (int(loudness * 32767 * (2.0 * draw.random() - 1.0)) for _ in range(int(seconds * RATE))))


def write_wav(path, samples, rate=RATE, channels=1):
    """16-bit samples, interleaved."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(array.array("h", samples).tobytes())
    return path


def write_float_wav(path, samples, rate=RATE):
    """32-bit float samples, which may be infinite or not numbers."""
    data = struct.pack("<%df" % len(samples), *samples)
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 3, 1, rate, 4 * rate, 4, 32,
                       b"data", len(data))
    path.write_bytes(head + data)
    return path


class _Info(ctypes.Structure):
    _fields_ = [("frames", ctypes.c_int64), ("samplerate", ctypes.c_int), ("channels", ctypes.c_int),
                ("format", ctypes.c_int), ("sections", ctypes.c_int), ("seekable", ctypes.c_int)]


# sndfile.h's numbers: a container and an encoding.
SNDFILE_FORMATS = {
    "aiff": 0x020000 | 0x0002,
    "au": 0x030000 | 0x0002,
    "flac": 0x170000 | 0x0002,
    "ogg": 0x200000 | 0x0060,
    "opus": 0x200000 | 0x0064,
    "mp3": 0x230000 | 0x0082,
}


def write_sndfile(path, samples, extension, rate=RATE):
    """False where this libsndfile cannot write the format."""
    library = ctypes.CDLL("libsndfile.so.1")
    library.sf_open.restype = ctypes.c_void_p
    library.sf_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(_Info)]
    library.sf_writef_short.restype = ctypes.c_int64
    library.sf_writef_short.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_short), ctypes.c_int64]
    library.sf_close.argtypes = [ctypes.c_void_p]
    info = _Info(samplerate=rate, channels=1, format=SNDFILE_FORMATS[extension])
    handle = library.sf_open(str(path).encode(), 0x20, ctypes.byref(info))
    if not handle:
        return False
    data = (ctypes.c_short * len(samples))(*samples)
    written = library.sf_writef_short(handle, data, len(samples))
    library.sf_close(handle)
    return written == len(samples)
