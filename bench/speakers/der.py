"""Who spoke when, compared with the truth: diarization error rate as NIST and pyannote.metrics define it.

Times are seconds; a turn is (start, end, speaker). Overlap counts: where two people speak and one is found, half is
missed. Only the standard library is used, so that a recording can be scored anywhere."""
from collections import defaultdict
from pathlib import Path


def read_rttm(path):
    """{recording: [turn, ...]} of a file's SPEAKER lines; lines of other kinds are passed over."""
    recordings = defaultdict(list)
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        fields = line.split()
        if not fields or fields[0] != "SPEAKER":
            continue
        try:
            start, length = float(fields[3]), float(fields[4])
            speaker = fields[7]
        except (IndexError, ValueError):
            raise ValueError("%s:%d: not a SPEAKER line of RTTM" % (path, number)) from None
        if not (0 <= start < 1e7 and 0 <= length < 1e7):
            raise ValueError("%s:%d: start or duration out of range" % (path, number))
        if length > 0:
            recordings[fields[1]].append((start, start + length, speaker))
    return dict(recordings)


def one_recording(path):
    """The turns of a file that tells of one recording (or of none: nobody spoke)."""
    recordings = read_rttm(path)
    if len(recordings) > 1:
        raise ValueError("%s: %d recordings in one file" % (path, len(recordings)))
    return next(iter(recordings.values()), [])


def unite(spans):
    """Sorted spans without overlap: touching ones become one."""
    out = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1][1] = max(out[-1][1], end)
        elif end > start:
            out.append([start, end])
    return out


def regions(truth, found, collar):
    """The stretches that are scored: from the first turn to the last of either, less `collar` to each side of every
    start and end in the truth."""
    turns = truth + found
    if not turns:
        return []
    first, last = min(t[0] for t in turns), max(t[1] for t in turns)
    left, at = [], first
    for start, end in unite([(edge - collar, edge + collar) for t in truth for edge in t[:2]]) if collar > 0 else []:
        if start > at:
            left.append((at, min(start, last)))
        at = max(at, end)
    if at < last:
        left.append((at, last))
    return left


def spans_of(turns):
    """{speaker: spans}; a person who is said to speak twice at once speaks once."""
    spans = defaultdict(list)
    for start, end, speaker in turns:
        spans[speaker].append((start, end))
    return {speaker: unite(s) for speaker, s in spans.items()}


def pieces(truth, found, collar):
    """(seconds, who in truth, who was found) for each stretch in which neither changes."""
    edges = defaultdict(list)  # time -> [(set, speaker, begins)]
    for who, turns in (("true", truth), ("found", found)):
        for speaker, spans in spans_of(turns).items():
            for start, end in spans:
                edges[start].append((who, speaker, True))
                edges[end].append((who, speaker, False))
    for start, end in regions(truth, found, collar):
        edges[start].append(("scored", None, True))
        edges[end].append(("scored", None, False))
    now, last, out = {"true": set(), "found": set(), "scored": set()}, None, []
    for time in sorted(edges):
        if now["scored"] and (now["true"] or now["found"]):
            out.append((time - last, frozenset(now["true"]), frozenset(now["found"])))
        for who, speaker, begins in sorted(edges[time], key=lambda e: e[2]):  # what ends here ends before what begins
            (now[who].add if begins else now[who].discard)(speaker)
        last = time
    return out


def assign(gain):
    """The column for each row of gain[row][column] (or None), one row a column at most, so that the sum is greatest:
    the Hungarian method, by shortest augmenting paths."""
    n, m = len(gain), len(gain[0]) if gain else 0
    size = max(n, m)
    cost = [[-gain[i][j] if i < n and j < m else 0.0 for j in range(size)] for i in range(size)]
    row_price, column_price, owner = [0.0] * size, [0.0] * size, [None] * size
    for row in range(size):
        distance, before, done = [float("inf")] * size, [None] * size, [False] * size
        column, at, reached = None, row, 0.0
        while True:
            for j in range(size):
                if not done[j]:
                    step = reached + cost[at][j] - row_price[at] - column_price[j]
                    if step < distance[j]:
                        distance[j], before[j] = step, column
            column = min((j for j in range(size) if not done[j]), key=distance.__getitem__)
            done[column], reached = True, distance[column]
            if owner[column] is None:
                break
            at = owner[column]
        row_price[row] += reached
        for j in range(size):
            if done[j] and j != column:
                row_price[owner[j]] += reached - distance[j]
                column_price[j] -= reached - distance[j]
        while column is not None:  # turn the path over
            owner[column] = owner[before[column]] if before[column] is not None else row
            column = before[column]
    out = [None] * n
    for j in range(m):
        if owner[j] is not None and owner[j] < n:
            out[owner[j]] = j
    return out


def mapping(parts):
    """{found speaker: true speaker}, one to one, with the most seconds in common."""
    common = defaultdict(float)
    for seconds, true, found in parts:
        for t in true:
            for f in found:
                common[t, f] += seconds
    names_true, names_found = (sorted({pair[k] for pair in common}) for k in (0, 1))
    chosen = assign([[common.get((t, f), 0.0) for f in names_found] for t in names_true])
    return {names_found[j]: t for t, j in zip(names_true, chosen) if j is not None and common.get((t, names_found[j]))}


def score(truth, found, collar=0.0):
    """Seconds of speech in the truth ("total", each person's counted), "missed", "false_alarm", "confusion"; the
    numbers of speakers "true" and "found"; "map" from found names to true ones."""
    parts = pieces(truth, found, collar)
    names = mapping(parts)
    out = {"total": 0.0, "missed": 0.0, "false_alarm": 0.0, "confusion": 0.0, "map": names,
           "true": len({t[2] for t in truth}), "found": len({t[2] for t in found})}
    for seconds, true, said in parts:
        right = len(true & {names.get(f) for f in said})
        out["total"] += seconds * len(true)
        out["missed"] += seconds * max(0, len(true) - len(said))
        out["false_alarm"] += seconds * max(0, len(said) - len(true))
        out["confusion"] += seconds * (min(len(true), len(said)) - right)
    return out


def add(scores):
    """The sum of several recordings' scores: error rates are pooled, so that a long recording weighs more."""
    keys = ("total", "missed", "false_alarm", "confusion", "true", "found")
    return {key: sum(s[key] for s in scores) for key in keys}


def rate(scored, part=None):
    """Diarization error rate in %, or one part's. Where nobody speaks any false alarm is 100%."""
    errors = scored[part] if part else scored["missed"] + scored["false_alarm"] + scored["confusion"]
    return 100 * errors / scored["total"] if scored["total"] else 100.0 * (errors > 0)


def words_wrong(truth, words, names=None):
    """(wrong, counted) of words (start, end, speaker or None): a word belongs to who speaks at its middle; words in
    overlap and words while nobody speaks are left out. `names` maps found speakers to true ones (None: by words)."""
    spoken = []
    for start, end, speaker in words:
        middle = (start + end) / 2
        who = {t[2] for t in truth if t[0] <= middle < t[1]}
        if len(who) == 1:
            spoken.append((who.pop(), speaker))
    if names is None:
        names = mapping([(1.0, {true}, {speaker}) for true, speaker in spoken if speaker is not None])
    return sum(names.get(speaker) != true for true, speaker in spoken), len(spoken)
