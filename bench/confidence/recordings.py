#!/usr/bin/env python3
"""Make the recordings that the confidence of words is fitted to and tested on.

usage: recordings.py PIECES OUTDIR

PIECES is the folder of spoken turns that make-podcast leaves (one WAV a turn, 0000.wav ...). Writes OUTDIR/NAME.wav and
NAME.turns (which turns it is made of). Turns 0 to 139 are for fitting, 140 to 264 for testing: no text is in both. Needs
Debian's sox.
"""
import pathlib, subprocess, sys

RECORDINGS = {  # name: first turn, turn after the last, signal-to-noise ratio in dB (pink noise)
    "train_clean_a": (0, 16, None), "train_n10_a": (16, 32, 10), "train_clean_b": (32, 48, None),
    "train_n5_a": (48, 64, 5), "train_n20_a": (64, 80, 20), "train_clean_c": (80, 104, None),
    "train_n10_b": (104, 120, 10), "train_n15_a": (120, 140, 15),
    "test_clean_a": (140, 160, None), "test_n10_a": (160, 180, 10), "test_clean_b": (180, 200, None),
    "test_n5_a": (200, 215, 5), "test_n20_a": (215, 235, 20), "test_clean_c": (235, 265, None),
}


def rms(path):
    done = subprocess.run(["sox", path, "-n", "stat"], stderr=subprocess.PIPE, text=True, check=True)
    return float(next(line for line in done.stderr.splitlines() if "RMS     amplitude" in line).split()[-1])


def add_noise(wav, out, snr):
    """Pink noise over a recording, in its place, so many dB below it; nothing where `snr` is None."""
    if snr is None:
        return
    noise, mixed = out / "noise.wav", out / "mixed.wav"
    subprocess.run(["sox", "-R", wav, noise, "synth", "pinknoise", "norm", "0"], check=True)
    gain = rms(wav) / rms(noise) / 10 ** (snr / 20)
    subprocess.run(["sox", "-m", "-v", "1", wav, "-v", "%.6f" % gain, noise, mixed], check=True)
    mixed.rename(wav)
    noise.unlink()


def make(pieces, out, name, first, end, snr):
    wav = out / (name + ".wav")
    subprocess.run(["sox", *(pieces / ("%04d.wav" % k) for k in range(first, end)), "-b", "16", wav], check=True)
    add_noise(wav, out, snr)
    (out / (name + ".turns")).write_text(" ".join(map(str, range(first, end))))


if __name__ == "__main__":
    source, target = map(pathlib.Path, sys.argv[1:3])
    target.mkdir(parents=True, exist_ok=True)
    for title, (begin, stop, ratio) in RECORDINGS.items():
        make(source, target, title, begin, stop, ratio)
