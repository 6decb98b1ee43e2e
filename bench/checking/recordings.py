#!/usr/bin/env python3
"""Make the recordings on which it is measured how much a person must listen to.

usage: recordings.py PIECES OUTDIR

PIECES is the folder of spoken turns that make-podcast leaves (one WAV a turn), from which the confidence is fitted as
well (turns 0 to 139; here are turns from 140 on only). The recordings whose voices are not "podcast" are the same kind of
talk by voices that nothing was fitted to: flite's slt and kal16, espeak-ng. Writes OUTDIR/NAME.wav and NAME.txt, the
words that are said. Needs Debian's flite, espeak-ng and sox.
"""
import importlib.util, pathlib, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
KIN = importlib.util.spec_from_file_location("noisy", ROOT / "bench" / "confidence" / "recordings.py")
noisy = importlib.util.module_from_spec(KIN)
KIN.loader.exec_module(noisy)
TURNS = ROOT.parent / "shared" / "podcast" / "turns.tsv"
VOICES = {"flite": {"Marcel": "slt", "Rishabh": "kal16"}, "espeak": {"Marcel": "en-us", "Rishabh": "en-gb+f3"}}
RECORDINGS = {  # name: voices, first turn, turn after the last, signal-to-noise ratio in dB (pink noise)
    "podcast": ("podcast", 140, 180, None), "podcast_10dB": ("podcast", 180, 200, 10),
    "flite": ("flite", 200, 235, None), "flite_10dB": ("flite", 235, 265, 10),
    "espeak": ("espeak", 200, 220, None),
}


def speak(kind, speaker, text, path):
    voice = VOICES[kind][speaker]
    if kind == "flite":
        command = ["flite", "-voice", voice, "-o", path, "-t", text]
    else:
        command = ["espeak-ng", "-v", voice, "-w", path, "--", text]
    subprocess.run(command, check=True)


def make(pieces, out, name, kind, first, end, snr):
    turns = [line.split("\t", 1) for line in TURNS.read_text("utf-8").splitlines()]
    said, files = [], []
    for k in range(first, end):
        speaker, text = turns[k][0], turns[k][1].replace("\u2019", "'").replace("\u2014", ", ")
        said.append(text)
        files.append(pieces / ("%04d.wav" % k) if kind == "podcast" else out / ("turn%04d.wav" % k))
        if kind != "podcast":
            speak(kind, speaker, text, files[-1])
    wav = out / (name + ".part.wav")
    subprocess.run(["sox", "-R", *files, "-r", "16000", "-b", "16", wav, "gain", "-2"], check=True)
    noisy.add_noise(wav, out, snr)
    for path in files if kind != "podcast" else ():
        path.unlink()
    (out / (name + ".txt")).write_text("\n".join(said) + "\n", "utf-8")
    wav.rename(out / (name + ".wav"))


if __name__ == "__main__":
    source, target = map(pathlib.Path, sys.argv[1:3])
    target.mkdir(parents=True, exist_ok=True)
    for title, (voices, begin, stop, ratio) in RECORDINGS.items():
        if not (target / (title + ".wav")).exists():
            make(source, target, title, voices, begin, stop, ratio)
