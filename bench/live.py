#!/usr/bin/env python3
"""Live transcription measured: how late words settle, what a second of sound costs, how many words are wrong.

    PYTHONPATH=tools/python python3 bench/live.py --model tiny.en [--start N] [--seconds N] [--step S]
            [--compute_type TYPE] [--encoder_padding HOW] [--text FILE] [--write PREFIX] RECORDING

Sound is pushed in blocks of 0.1 s as fast as it is heard, so the words do not depend on the machine. A word is late by
the sound that had been pushed when it settled minus the word's end; what computing adds is given apart: the CPU and wall
time of a pass. Three texts are compared: the words as they settled, the final text (the segment callback's) and the
offline transcript of the same sound; with --text, each with what was said (with its beginning, where the recording is
cut short). Word error rates are by jiwer over whisper-normalization's English text; without these two packages they are
plain edit distances of words.
--write PREFIX keeps the texts as PREFIX.settled.txt, PREFIX.final.txt and PREFIX.offline.txt.
"""
import argparse
import re
import resource
import time

import whisp

try:
    import jiwer
    from whisper_normalization import EnglishTextNormalizer

    normalize = EnglishTextNormalizer()
except ImportError:
    jiwer = None

BLOCK = 1600  # samples


def plain(text):
    return re.findall(r"[\w']+", text.lower())


def edits(reference, heard):
    """Edit distance of two lists of words."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(reference):
        diagonal, row[0] = row[0], i + 1
        for k, other in enumerate(heard):
            diagonal, row[k + 1] = row[k + 1], min(diagonal + (word != other), row[k] + 1, row[k + 1] + 1)
    return row[-1]


def prefix(said, heard):
    """The beginning of what was said that is nearest to what was heard: a text may go on where the recording ends."""
    said = (normalize(said) if jiwer else " ".join(plain(said))).split()
    heard = (normalize(heard) if jiwer else " ".join(plain(heard))).split()
    if len(said) < len(heard) + 100:
        return " ".join(said)
    column, distances = list(range(len(heard) + 1)), []
    for i, word in enumerate(said[: len(heard) + 100]):
        diagonal, column[0] = column[0], i + 1
        for k, other in enumerate(heard):
            diagonal, column[k + 1] = column[k + 1], min(diagonal + (word != other), column[k] + 1, column[k + 1] + 1)
        distances.append(column[-1])
    return " ".join(said[: distances.index(min(distances)) + 1])


def rate(reference, heard):
    if not jiwer:
        n, words = edits(plain(reference), plain(heard)), len(plain(reference))
    else:
        found = jiwer.process_words(normalize(reference), normalize(heard))
        n = found.substitutions + found.deletions + found.insertions
        words = found.hits + found.substitutions + found.deletions
    return "%.2f%% (%d of %d words)" % (100 * n / max(1, words), n, words)


def listen(live, samples, repeat):
    """Push it all. (words, how late each was, [(CPU, peak MB) of each minute])"""
    words, late, pushed, minutes, begun = [], [], 0, [], time.process_time()
    for _ in range(repeat):
        for start in range(0, len(samples), BLOCK):
            settled = live.push(samples[start : start + BLOCK])
            pushed += len(samples[start : start + BLOCK])
            words += settled
            late += [pushed / 16000 - word["end"] for word in settled]
            if pushed % (60 * 16000) < BLOCK:
                now = time.process_time()
                minutes.append((now - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
                begun = now
    return words + live.finish(), sorted(late), minutes


def print_minutes(minutes):
    """Each minute's cost, and whether the last quarter costs what the first does."""
    for i, (used, memory) in enumerate(minutes):
        print("minute %d: %.1f s CPU, peak memory %.0f MB" % (i + 1, used, memory))
    quarter = len(minutes) // 4
    if quarter:
        first, last = minutes[:quarter], minutes[-quarter:]
        print("CPU a minute of sound: first quarter %.1f s, last %.1f s; peak memory after them %.0f and %.0f MB" % (
            sum(m[0] for m in first) / quarter, sum(m[0] for m in last) / quarter, first[-1][1], last[-1][1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording")
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--language", default="en")
    parser.add_argument("--start", type=float, default=0)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--compute_type")
    parser.add_argument("--encoder_padding")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--step", type=float, default=0.4)
    parser.add_argument("--text")
    parser.add_argument("--write")
    parser.add_argument("--offline", choices=["yes", "no"], default="yes")
    arguments = parser.parse_args()

    model = whisp.load_model(arguments.model)
    samples = whisp.load_audio(arguments.recording)[int(16000 * arguments.start) :]
    options = {"language": arguments.language}
    if arguments.compute_type:
        options["compute_type"] = arguments.compute_type
    if arguments.encoder_padding:
        options["encoder_padding"] = arguments.encoder_padding
    if arguments.seconds:
        samples = samples[: int(16000 * arguments.seconds)]
    final = []
    live = whisp.Live(model, stream_step=arguments.step, segment=lambda s: final.append(s["text"]), **options)
    wall, cpu = time.time(), time.process_time()
    words, late, minutes = listen(live, samples, arguments.repeat)
    wall, cpu = time.time() - wall, time.process_time() - cpu
    seconds = len(samples) / 16000 * arguments.repeat
    texts = {"settled": "".join(word["word"] for word in words), "final": "".join(final)}
    print("%s, %s, %.1f s, step %.2f s" % (arguments.recording, model.name, seconds, arguments.step))
    print("words %d; late by (s of sound): median %.2f, 90%% %.2f, 99%% %.2f, most %.2f" % (
        len(words), *(late[min(len(late) - 1, int(len(late) * q))] for q in (0.5, 0.9, 0.99, 1))))
    print("cost of a second of sound: %.2f s CPU, %.2f s wall; a pass %.3f s CPU, %.3f s wall" % (
        cpu / seconds, wall / seconds, cpu / seconds * arguments.step, wall / seconds * arguments.step))
    print_minutes(minutes)
    if arguments.offline == "yes":
        texts["offline"] = model.transcribe(samples, **options)["text"]
        for name in ("settled", "final"):
            print("%s against offline: %s" % (name, rate(texts["offline"], texts[name])))
    said = prefix(open(arguments.text).read(), texts.get("offline", texts["final"])) if arguments.text else None
    for name, text in texts.items():
        if said:
            print("%s WER: %s" % (name, rate(said, text)))
        if arguments.write:
            with open("%s.%s.txt" % (arguments.write, name), "w") as file:
                file.write(re.sub(r"([.?!]) ", r"\1\n", text.strip()) + "\n")


if __name__ == "__main__":
    main()
