#!/usr/bin/env python3
"""How much of a recording a person must hear to meet its errors, and how often the right word is offered.

usage: measure.py PLACES NAME=TRANSCRIPT.json,SAID.txt,RECORDING.wav...

PLACES is build/checking-places. Recordings with the same NAME are added up. Which words are wrong is told as
bench/confidence/fit.py does; an error is met when its word is in a place that was heard. Needs numpy, scikit-learn and
whisper-normalization (those of fit.py).

Columns: words, the wrong ones, seconds in all; the share of the recording's time until 50, 80 and 90% of the wrong words
are met, walking the list; the same where a word that was found wrong is changed in all other places that are spelled so
(words of four letters or more that are there at most twenty times), as the review page offers, and these are not heard;
then the tenth of the words as it was listed before there were places (in the order of time, what is at most five words apart
heard as one, with a word on each side): the share of time and of the errors. Last: of the wrong words, how many have the
right one among their alternatives, and as the first of them.
"""
import collections, json, pathlib, re, subprocess, sys, wave

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "confidence"))
import fit

MARKS = (0.5, 0.8, 0.9)
LETTERS, ALIKE = 4, 20  # a word of so many letters that is there so often at most is changed everywhere at once


def key(word):
    return re.sub(r"[\W_]", "", word.lower())


def stretches(heard, said):
    """(first, last + 1 of the words heard, what was said there) for each that differs."""
    a, b = fit.tokens(heard), fit.tokens(said)
    for same, i1, i2, j1, j2 in fit.edit_path([t for t, _ in a], [t for t, _ in b]):
        if not same and i2 > i1:
            yield [w for _, w in a[i1:i2]], [t for t, _ in b[j1:j2]]


def offered(words, wrong, said):
    """(of the wrong words that something was said for: how many, with the right one among the alternatives, first)."""
    n = among = first = 0
    for places, truth in stretches([w["word"] for w in words], said):
        whole = "".join(truth)
        for i in sorted(set(places)):
            if not wrong[i] or not truth:
                continue
            texts = [fit.normalize(other["text"]) for other in words[i].get("alternatives", ())]
            good = [bool(t) and (t in truth or t.replace(" ", "") == whole) for t in texts]
            n, among, first = n + 1, among + any(good), first + (bool(good) and good[0])
    return n, among, first


def walk(words, wrong, places, alike):
    """[(seconds heard, wrong words met)] after each place."""
    same, met, known, heard, steps = collections.defaultdict(list), set(), set(), 0, []
    for i, word in enumerate(words):
        same[key(word["word"])].append(i)
    rare = {k for k, where in same.items() if len(k) >= LETTERS and len(where) <= ALIKE}
    for start, end, first, last in places:
        if all(key(words[i]["word"]) in known for i in range(first, last + 1)):
            continue  # it was changed with another one
        heard += end - start
        for i in range(first, last + 1):
            k = key(words[i]["word"])
            if wrong[i] and alike and k in rare:
                known.add(k)
                met |= {j for j in same[k] if wrong[j]}
            elif wrong[i]:
                met.add(i)
        steps.append((heard, len(met)))
    return steps


def until(all_steps, share, total):
    """Seconds until so many are met, where every recording is walked as far as its own list has to be."""
    seconds = 0
    for steps, wrong in all_steps:
        reached = [t for t, met in steps if met >= share * wrong]
        if not reached:
            return None
        seconds += reached[0] if wrong else 0
    return 100 * seconds / total


def before(words, wrong):
    """What the list of doubtful words was before there were places: (seconds, wrong words in its places)."""
    order = sorted(range(len(words)), key=lambda i: (words[i]["confidence"], i))
    places = []
    for i in sorted(i for i in order[: max(1, round(0.1 * len(words)))] if words[i]["confidence"] < 0.99):
        if places and i - places[-1][1] <= 5:
            places[-1][1] = i
        else:
            places.append([i, i])
    around = [(max(0, a - 1), min(len(words) - 1, b + 1)) for a, b in places]
    seconds = sum(words[b]["end"] - words[a]["start"] for a, b in around)
    return seconds, sum(wrong[i] for i in {i for a, b in around for i in range(a, b + 1)})


def read(tool, spec):
    transcript, said, recording = map(pathlib.Path, spec.split(","))
    words = [w for s in json.loads(transcript.read_text())["segments"] for w in s.get("words", ())]
    said = said.read_text("utf-8").replace("\u2019", "'").replace("\u2014", ", ").split()
    wrong, missed = fit.label([w["word"] for w in words], said)
    table = subprocess.run([tool, transcript], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    places = [(float(s), float(e), int(a), int(b)) for s, e, a, b, *_ in (line.split("\t") for line in table)]
    with wave.open(str(recording)) as f:
        duration = f.getnframes() / f.getframerate()
    return words, wrong, missed, said, places, duration


def row(tool, name, specs):
    alone, alike, n, bad, left_out, total = [], [], 0, 0, 0, 0
    old_time = old_met = right = among = first = 0
    for spec in specs:
        words, wrong, missed, said, places, duration = read(tool, spec)
        alone.append((walk(words, wrong, places, False), wrong.sum()))
        alike.append((walk(words, wrong, places, True), wrong.sum()))
        seconds, met = before(words, wrong)
        counted = offered(words, wrong, said)
        n, bad, left_out, total = n + len(words), bad + wrong.sum(), left_out + missed, total + duration
        old_time, old_met = old_time + seconds, old_met + met
        right, among, first = right + counted[0], among + counted[1], first + counted[2]
    def cells(steps):
        return " | ".join("not" if x is None else "%.1f%%" % x for x in (until(steps, m, total) for m in MARKS))
    print("| %s | %d | %d | %d | %d | %s | %s | %.1f%% for %d%% | %d%% (%d%%) of %d |" % (
        name, n, bad, left_out, total, cells(alone), cells(alike), 100 * old_time / total, 100 * old_met / max(1, bad),
        100 * among / max(1, right), 100 * first / max(1, right), right))


if __name__ == "__main__":
    groups = collections.OrderedDict()
    for argument in sys.argv[2:]:
        title, spec = argument.split("=", 1)
        groups.setdefault(title, []).append(spec)
    print("| | words | wrong | left out | s | 50% | 80% | 90% | alike 50% | 80% | 90% | a tenth, before | offered (first) |")
    print("| --- |" + " --- |" * 12)
    for title, specs in groups.items():
        row(sys.argv[1], title, specs)
