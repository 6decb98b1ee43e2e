#!/usr/bin/env python3
"""Fit the confidence of words to tables of confidence-features, and write lib/confidence/table.h.

usage: fit.py --turns turns.tsv --train TABLE... --test TABLE... [--table lib/confidence/table.h] [--cases CASES.tsv]

A TABLE is what build/confidence-features printed for NAME.wav, and beside it lies TABLE's NAME.turns: the numbers of the
turns that the recording is made of (see recordings.py). Needs numpy, scikit-learn and whisper-normalization.

A word is wrong if it is substituted or inserted in the alignment of its recording's words with those said, both after
OpenAI's English normalizer, word by word; a stretch of differing words that is the same once it is normalized as a whole
and its spaces are taken out ("data set", "dataset"; "two percent", "2%") is right. Words left out are charged to nobody.
"""
import argparse, functools, pathlib, re, textwrap

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier
from whisper_normalization import EnglishTextNormalizer

HIDDEN, DECAY = 8, 1.0
normalize = functools.lru_cache(None)(EnglishTextNormalizer())


def tokens(words):
    """(normalized token, index of the word it comes from); words without letters have none."""
    return [(t, i) for i, w in enumerate(words) for t in normalize(w).split()]


def edit_path(a, b):
    """Stretches ('equal' or 'other', i1, i2, j1, j2) of the smallest edit distance."""
    n, m = len(a), len(b)
    cost = np.zeros((n + 1, m + 1), np.int32)
    cost[0] = np.arange(m + 1)
    code = {t: k for k, t in enumerate(set(a) | set(b))}
    bb = np.array([code[t] for t in b])
    for i in range(1, n + 1):
        row = np.minimum(cost[i - 1, 1:] + 1, cost[i - 1, :-1] + (bb != code[a[i - 1]]))
        full = np.concatenate([[i], row])
        cost[i] = np.minimum.accumulate(full - np.arange(m + 1)) + np.arange(m + 1)
    steps, i, j = [], n, m
    while i or j:
        if i and j and cost[i, j] == cost[i - 1, j - 1] + (a[i - 1] != b[j - 1]):
            i, j = i - 1, j - 1
            steps.append((a[i] == b[j], i, i + 1, j, j + 1))
        elif i and cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
            steps.append((False, i, i + 1, j, j))
        else:
            j -= 1
            steps.append((False, i, i, j, j + 1))
    joined = []
    for same, i1, i2, j1, j2 in reversed(steps):
        if joined and joined[-1][0] == same:
            joined[-1] = (same, joined[-1][1], i2, joined[-1][3], j2)
        else:
            joined.append((same, i1, i2, j1, j2))
    return joined


def squeeze(stretch, words, between):
    """The words of a stretch of tokens, normalized together and without spaces: "two percent" is "2%"."""
    text = between.join(words[w] for w in range(stretch[0][1], stretch[-1][1] + 1)) if stretch else ""
    return normalize(text).replace(" ", "")


def label(heard, said):
    """1 for each heard word that is wrong; and how many said tokens were left out. `heard` may end before `said`."""
    a, b = tokens(heard), tokens(said)
    b = b[: int(len(a) * 1.3) + 50]
    wrong, missed = np.zeros(len(heard), int), 0
    path = edit_path([t for t, _ in a], [t for t, _ in b])
    if path and not path[-1][0] and path[-1][4] - path[-1][3] > path[-1][2] - path[-1][1]:
        path[-1] = path[-1][:4] + (path[-1][3] + path[-1][2] - path[-1][1],)  # said after the table's end
    for same, i1, i2, j1, j2 in path:
        if same:
            continue
        if squeeze(a[i1:i2], heard, "") == squeeze(b[j1:j2], said, " "):
            continue
        missed += max(0, (j2 - j1) - (i2 - i1))
        for t, w in a[i1:i2]:
            wrong[w] = 1
    return wrong, missed


def read(path, turns):
    rows = [line.split("\t") for line in path.read_text("utf-8").splitlines()]
    names, rows = rows[0][4:], [r for r in rows[1:] if len(r) == len(rows[0])]
    text = path.with_suffix("").name.split(".")[-1]
    where = next(p for p in (path.parent / (text + ".turns"), path.parent.parent / (text + ".turns")) if p.exists())
    said = where.read_text()
    said = " ".join(turns[int(k)] for k in said.split()) if said.strip()[:1].isdigit() else said
    words = [r[2] for r in rows]
    x = np.array([[float(v) for v in r[4:]] for r in rows], np.float32)
    wrong, missed = label(words, said.replace("\u2019", "'").replace("\u2014", ", ").split())
    counts = np.array([bool(normalize(w)) for w in words])
    return names, x[counts], wrong[counts], missed, [w for w, c in zip(words, counts) if c]


def calibration_error(p, wrong, bins=10):
    """Expected calibration error of the chance to be right, over bins of equal size."""
    order = np.array_split(np.argsort(p, kind="stable"), bins)
    return sum(len(b) * abs((1 - wrong[b]).mean() - p[b].mean()) for b in order if len(b)) / len(p)


def share_in_tenth(p, wrong):
    n = max(1, round(0.1 * len(p)))
    return wrong[np.argsort(p, kind="stable")[:n]].sum() / max(1, wrong.sum())


def describe(name, raw, p, wrong):
    if not 0 < wrong.sum() < len(wrong):
        return
    print("%-28.28s %5d %5d %4.1f%%  raw %.3f %4.0f%% %.3f   ours %.3f %4.0f%% %.3f   best possible %4.0f%%" % (
        name, len(wrong), wrong.sum(), 100 * wrong.mean(),
        roc_auc_score(1 - wrong, raw), 100 * share_in_tenth(raw, wrong), calibration_error(raw, wrong),
        roc_auc_score(1 - wrong, p), 100 * share_in_tenth(p, wrong), calibration_error(p, wrong),
        100 * min(1, 0.1 * len(wrong) / wrong.sum())))


def pool_of(path):
    """base.int8.test_clean_a and _b belong together, and all clips of one film."""
    return re.sub(r"(test_\w+|train_\w+)_[a-z]$|(night)_\w+$", r"\1\2", path.stem)


class Model:
    """Features, standardized and cut to +-4 deviations, give the logarithm of the odds that a word is right: a linear
    part plus HIDDEN units of tanh; the mean of a logistic regression and of a network, each fitted alone."""

    def __init__(self, x, wrong, hidden=HIDDEN, decay=DECAY):
        self.mean, self.scale = x.mean(0), np.maximum(x.std(0), 1e-3)
        z, y = self.inputs(x), 1 - wrong
        line = LogisticRegression(C=0.05, max_iter=2000).fit(z, y)
        self.bias, self.linear = line.intercept_[0], line.coef_[0]
        self.inner, self.shift, self.outer = np.zeros((z.shape[1], 0)), np.zeros(0), np.zeros(0)
        if hidden:
            net = MLPClassifier((hidden,), "tanh", solver="lbfgs", alpha=decay * len(y) / 100, max_iter=500,
                                random_state=1).fit(z, y)
            self.bias = (self.bias + net.intercepts_[1][0]) / 2
            self.linear = self.linear / 2
            self.inner, self.shift, self.outer = net.coefs_[0], net.intercepts_[0], net.coefs_[1][:, 0] / 2

    def inputs(self, x):
        return np.clip((x - self.mean) / self.scale, -4, 4)

    def score(self, x):
        z = self.inputs(np.asarray(x, float))
        logit = self.bias + z @ self.linear + np.tanh(z @ self.inner + self.shift) @ self.outer
        return np.clip(1 / (1 + np.exp(-logit)), 0.001, 0.999)


def write_table(path, model, names, fitted):
    def array(name, values):
        text = ", ".join("%.8g" % v for v in values)
        lines, line = [], "    "
        for item in text.split(", "):
            if len(line) + len(item) > 116:
                lines.append(line.rstrip())
                line = "    "
            line += item + ", "
        return "static const double %s = {\n%s\n};\n" % (name, "\n".join(lines + [line.rstrip()]))
    path.write_text(
        "/* Generated by bench/confidence/fit.py; do not edit.\n" +
        textwrap.fill("Fitted to %s. The features, in order: %s. */" % (", ".join(fitted), ", ".join(names)), 118,
                      initial_indent=" * ", subsequent_indent=" * ") + "\n" +
        "enum { HIDDEN = %d };\n" % len(model.shift) +
        "static const double bias = %.8g;\n" % model.bias +
        array("mean[WH_FEATURES]", model.mean) + array("scale[WH_FEATURES]", model.scale) +
        array("linear[WH_FEATURES]", model.linear) +
        array("inner[HIDDEN * WH_FEATURES]", model.inner.T.ravel()) + array("shift[HIDDEN]", model.shift) +
        array("outer[HIDDEN]", model.outer))


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--turns", type=pathlib.Path, required=True)
    args.add_argument("--train", type=pathlib.Path, nargs="+", required=True)
    args.add_argument("--test", type=pathlib.Path, nargs="+", default=[])
    args.add_argument("--table", type=pathlib.Path)
    args.add_argument("--cases", type=pathlib.Path, help="write some test words' features and scores, for the C test")
    args = args.parse_args()
    turns = [line.split("\t", 1)[1] for line in args.turns.read_text("utf-8").splitlines()]
    train, test = [read(p, turns) for p in args.train], [read(p, turns) for p in args.test]
    names = train[0][0]
    raw = names.index("probability")
    model = Model(np.concatenate([t[1] for t in train]), np.concatenate([t[2] for t in train]))
    print("%-28s words wrong        AUC  tenth ECE" % "")
    for kind, paths, tables in (("fitted on", args.train, train), ("held out", args.test, test)):
        print(kind)
        for path, (_, x, wrong, missed, _) in zip(paths, tables):
            describe(path.stem, x[:, raw], model.score(x), wrong)
        for pool in sorted({pool_of(p) for p in paths}):
            together = [t for p, t in zip(paths, tables) if pool_of(p) == pool]
            x, wrong = np.concatenate([t[1] for t in together]), np.concatenate([t[2] for t in together])
            describe("* " + pool, x[:, raw], model.score(x), wrong)
        if tables:
            x, wrong = np.concatenate([t[1] for t in tables]), np.concatenate([t[2] for t in tables])
            describe("all of these", x[:, raw], model.score(x), wrong)
    if args.table:
        write_table(args.table, model, names, [p.stem for p in args.train])
    if args.cases:
        x = np.concatenate([t[1] for t in test or train])
        order = np.argsort(model.score(x), kind="stable")
        x = x[order[np.unique(np.geomspace(1, len(order), 24).astype(int)) - 1]]  # from the least certain on
        args.cases.write_text("# Generated by bench/confidence/fit.py: the score, then the features\n" + "".join(
            "\t".join("%.9g" % v for v in [p, *row]) + "\n" for p, row in zip(model.score(x), x)))


if __name__ == "__main__":
    main()
