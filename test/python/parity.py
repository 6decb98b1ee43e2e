"""The command's words, tokens and times against openai-whisper's: one row for each model, set of options and clip that
has an answer in ../shared/reference. The command is run as a user runs it, with a file and options, and its JSON is read.

    build/venv/bin/python test/python/parity.py [--models tiny.en,base] [--sets greedy,...] [CLIP]

prints the table (Markdown, after the C program's in `make parity`); test_parity.py holds the bounds of a part of it.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("WHISP_SHARED", ROOT.parent / "shared"))
# the reference's answers: at temperature 0, in float32, each window after the one before
ONCE = {"temperature": 0, "temperature_increment_on_fallback": None, "compute_type": "f32", "cut": "off"}
SETS = {
    "greedy": {},
    "greedy_words": {"word_timestamps": True},
    "beam5": {"beam_size": 5},
    "no_condition": {"condition_on_previous_text": False},
    "prompt": {"initial_prompt": "ComfyUI, Recsperts, ShareChat"},
    "translate": {"task": "translate"},
}


def answers(model):
    """(clip, name of the set, options, openai-whisper's answer) for each answer there is."""
    for path in sorted((SHARED / "reference" / model).glob("*.transcribe.json")):
        clip = SHARED / "audio" / path.name[: -len(".transcribe.json")]
        if not clip.is_file():      # the podcast, which is made, not kept
            continue
        for name, answer in json.loads(path.read_text()).items():
            yield clip, name, SETS[name], answer
        options = path.with_name(clip.stem + ".options.json")
        if options.is_file():
            for name, answer in json.loads(options.read_text()).items():
                yield clip, name, answer["options"], answer


def run(command, model, clip, options, threads=None):
    """What the command's JSON file says."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [str(command), "--quiet", "--model", str(model), "-f", "json", "-o", folder]
        for name, value in {**ONCE, **options, **({"threads": threads} if threads else {})}.items():
            arguments += ["--" + name, str(value)]
        subprocess.run([*arguments, str(clip)], check=True)
        return json.loads((Path(folder) / (clip.stem + ".json")).read_text())


def edits(a, b):
    """Levenshtein's distance of two lists."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(last + (x != y), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def compare(ours, theirs):
    """A row of the table: counts of words, edits, equal tokens and times; of words with times, those that are far off.
    Words are compared in pairs up to a segment's first that is another one."""
    pairs = list(zip(ours["segments"], theirs["segments"]))
    whole = len(ours["segments"]) == len(theirs["segments"])
    row = {
        "words": len(theirs["text"].split()),
        "edits": edits(ours["text"].split(), theirs["text"].split()),
        "tokens": whole and all(a["tokens"] == b["tokens"] for a, b in pairs),
        "times": whole and all(abs(a[k] - b[k]) < 1e-6 for a, b in pairs for k in ("start", "end")),
        "language": ours["language"] == theirs["language"],
        "timed": sum(len(s.get("words", [])) for s in theirs["segments"]), "compared": 0, "off": 0, "worst": 0.0,
    }
    for a, b in pairs:
        for x, y in zip(a.get("words", []), b.get("words", [])):
            if x["word"] != y["word"]:
                break
            off = max(abs(x[k] - y[k]) for k in ("start", "end"))
            row["compared"] += 1
            row["off"] += off > 0.02 + 1e-6
            row["worst"] = max(row["worst"], off)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="tiny.en,base")
    parser.add_argument("--sets", default=None, help="names of sets, default: all")
    parser.add_argument("--whisp", default=ROOT / os.environ.get("WHISP_BUILD", "build") / "whisp")
    parser.add_argument("clip", nargs="?", default="", help="only clips whose name contains this")
    args = parser.parse_args()
    if not SHARED.is_dir():
        sys.exit("skipped: no ../shared")
    print("| model | options | clip | words | edits | tokens | times | word times: of, off, worst |\n"
          "| --- | --- | --- | --- | --- | --- | --- | --- |")
    rows = same = 0
    for model in args.models.split(","):
        path = Path(os.environ.get("WHISP_MODEL_DIR", ROOT / "models")) / (model + ".gguf")
        for clip, name, options, answer in answers(model):
            if args.clip not in clip.name or args.sets and name not in args.sets.split(","):
                continue
            row = compare(run(args.whisp, path, clip, options), answer)
            rows += 1
            same += row["edits"] == 0 and row["tokens"] and row["times"] and row["off"] == 0
            words = "%d, %d, %.2f s" % (row["compared"], row["off"], row["worst"]) if row["timed"] else "-"
            print("| %s | %s | %s | %d | %d | %s | %s | %s |" % (
                model, name, clip.name[:20], row["words"], row["edits"], "same" if row["tokens"] else "differ",
                "same" if row["times"] else "differ", words), flush=True)
    print("\n%d of %d the same in every word, token and time" % (same, rows))


if __name__ == "__main__":
    main()
