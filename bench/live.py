#!/usr/bin/env python3
"""Live transcription measured: how late words settle, what a second of sound costs, how many words differ from offline.

    PYTHONPATH=tools/python python3 bench/live.py --model tiny.en [--start N] [--seconds N] [--step S]
            [--compute_type TYPE] [--text FILE] RECORDING

Sound is pushed in blocks of 0.1 s as fast as it is heard, so the words do not depend on the machine. A word is late by
the sound that had been pushed when it settled minus the word's end; what computing adds is given apart: the CPU and wall
time of a pass. The word error rates are those of the stream against the offline transcript of the same sound and, with
--text, of both against what was said (plain words: lower case, no punctuation).
"""
import argparse
import re
import resource
import time

import whisp


def plain(text):
    return re.findall(r"[\w']+", text.lower())


def errors(reference, heard):
    """Edit distance of two lists of words."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(reference):
        diagonal, row[0] = row[0], i + 1
        for k, other in enumerate(heard):
            diagonal, row[k + 1] = row[k + 1], min(diagonal + (word != other), row[k] + 1, row[k + 1] + 1)
    return row[-1]


def rate(reference, heard):
    n = errors(reference, heard)
    return "%.2f%% (%d of %d words)" % (100 * n / max(1, len(reference)), n, len(reference))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("recording")
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--language", default="en")
    parser.add_argument("--start", type=float, default=0)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--compute_type")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--step", type=float, default=0.4)
    parser.add_argument("--text")
    parser.add_argument("--offline", choices=["yes", "no"], default="yes")
    arguments = parser.parse_args()

    model = whisp.load_model(arguments.model)
    samples = whisp.load_audio(arguments.recording)[int(16000 * arguments.start) :]
    options = {"language": arguments.language}
    if arguments.compute_type:
        options["compute_type"] = arguments.compute_type
    if arguments.seconds:
        samples = samples[: int(16000 * arguments.seconds)]
    live = whisp.Live(model, stream_step=arguments.step, **options)
    words, late, block = [], [], 1600
    pushed, wall, cpu = 0, time.time(), time.process_time()
    minute, minutes = cpu, []
    for _ in range(arguments.repeat):
        for start in range(0, len(samples), block):
            settled = live.push(samples[start : start + block])
            pushed += len(samples[start : start + block])
            words += settled
            late += [pushed / 16000 - word["end"] for word in settled]
            if pushed % (60 * 16000) < block:
                now = time.process_time()
                minutes.append((now - minute, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
                minute = now
    words += live.finish()
    wall, cpu = time.time() - wall, time.process_time() - cpu
    seconds = pushed / 16000
    text = plain("".join(word["word"] for word in words))
    late.sort()
    print("%s, %s, %.1f s, step %.2f s" % (arguments.recording, model.name, seconds, arguments.step))
    print("words %d; late by (s of sound): median %.2f, 90%% %.2f, 99%% %.2f, most %.2f" % (
        len(words), *(late[min(len(late) - 1, int(len(late) * q))] for q in (0.5, 0.9, 0.99, 1))))
    print("cost of a second of sound: %.2f s CPU, %.2f s wall; a pass %.3f s CPU" % (
        cpu / seconds, wall / seconds, cpu / seconds * arguments.step))
    for i, (used, memory) in enumerate(minutes):
        print("minute %d: %.1f s CPU, peak memory %.0f MB" % (i + 1, used, memory))
    if arguments.offline == "yes":
        offline = plain(model.transcribe(samples, **options)["text"])
        print("stream against offline: " + rate(offline, text))
    if arguments.text:
        said = plain(open(arguments.text).read())
        print("stream WER: %s; offline WER: %s" % (rate(said, text), rate(said, offline)))


if __name__ == "__main__":
    main()
