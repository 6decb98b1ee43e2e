"""What transcribe() prints while it runs, as its `verbose` says: segments, or a progress bar (tqdm's where that is
installed, which notebooks draw themselves)."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from typing import Any, Callable, Optional

from ._options import ProgressCallback, SegmentCallback
from ._result import segment_line

DETECTED = "detected language: "  # what the log says
DETECTING = "Detecting language using up to the first 30 seconds. Use `--language` to specify the language"
BAR = "{l_bar}{bar}| {n:.0f} of {total:.0f} s [{elapsed}<{remaining}]"


class Show:
    """transcribe()'s `verbose`: puts printing in front of the caller's own callbacks."""

    def __init__(
        self, verbose: Optional[bool], progress: Optional[ProgressCallback], segment: Optional[SegmentCallback]
    ) -> None:
        self.progress, self.segment = progress, segment
        self._verbose, self._said = verbose, False
        self._shown = False
        self._tqdm: Any = None  # False: there is none
        if verbose:
            self.segment = _both(lambda final: print(segment_line(final), flush=True), segment)
        elif verbose is not None:
            self.progress = _both(self._bar, progress)

    def say_detecting(self) -> None:
        """As openai-whisper: before the language is looked for."""
        if self._verbose:
            print(DETECTING, flush=True)

    def line(self, level: int, text: str) -> None:
        """A line of the library's log: the language that was found is shown."""
        if self._verbose is not None and not self._said and text.startswith(DETECTED):
            self._said = True
            name = text[len(DETECTED) :].split(" (from ")[0]  # where it is spoken from
            print("Detected language: %s" % name.title(), flush=True)

    def _bar(self, done: float, total: float) -> None:
        if self._tqdm is None:
            self._tqdm = _new_tqdm(total)
        if self._tqdm:
            self._tqdm.update(done - self._tqdm.n)
            return
        amount = "%.0f s" % done if total <= 0 else "%3.0f%%  %.0f of %.0f s" % (100 * done / total, done, total)
        print("\r%s transcribed " % amount, end="", file=sys.stderr, flush=True)
        self._shown = True

    def __enter__(self) -> "Show":
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._tqdm:
            self._tqdm.close()
        if self._shown:
            print(file=sys.stderr)


def _new_tqdm(total: float) -> Any:
    """A bar of tqdm's, or False: it is not there."""
    if importlib.util.find_spec("tqdm") is None:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a notebook without its widgets
        tqdm = importlib.import_module("tqdm.auto").tqdm
    whole = round(total, 1) if total > 0 else None
    return tqdm(total=whole, unit="s", bar_format=None if whole is None else BAR, desc="transcribed")


def _both(first: Callable[..., Any], second: Optional[Callable[..., Any]]) -> Callable[..., Any]:
    if second is None:
        return first
    then = second

    def call(*arguments: Any) -> None:
        first(*arguments)
        then(*arguments)

    return call
