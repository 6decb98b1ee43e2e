"""Options by openai-whisper's Python names, as the text that whisp_options_set() takes; callbacks from C to Python."""

from __future__ import annotations

import contextlib
import ctypes
import difflib
import functools
import numbers
import operator
import os
import warnings
from typing import Any, Callable, Dict, Generator, Iterable, Iterator, List, Mapping, Optional

from ._errors import ArgumentError, IncompleteWarning, LibraryWarning
from ._library import CallbackTable, CancelFn, LogFn, PartFn, ProgressFn, SegmentFn, check, library, sized
from ._result import segment_dict

WARNING = 1  # the level of a line of the log

LogCallback = Callable[[int, str], Any]
ProgressCallback = Callable[[float, float], Any]
SegmentCallback = Callable[[Dict[str, Any]], Any]
CancelCallback = Callable[[], Any]
PartCallback = Callable[[Any], int]  # whisp_part of whisp_live.h, in a thread of the library's

# openai-whisper's, without a meaning here: what the arithmetic is, the library's compute_type says.
_IGNORED = frozenset(["fp16"])

# openai-whisper's options and what they are when not used: code that spells that out runs here too, even where the
# library does not have the option.
_UNUSED: Mapping[str, Any] = {
    "prompt": None,
}


@functools.lru_cache(maxsize=None)
def option_list() -> Mapping[str, "tuple[str, str, str]"]:
    """All options of the library: name -> (accepted values in words, default as text, one sentence of help)."""
    n = ctypes.c_size_t()
    infos = library().whisp_option_list(ctypes.byref(n))
    return {
        info.name.decode(): (info.values.decode(), info.initial.decode(), info.help.decode())
        for info in (infos[i].contents for i in range(n.value))
    }


def option_text(name: str, value: Any, values: str = "") -> bytes:
    """A Python value as the command line would write it: None, True, 0.2, "0.0,0.2". `values`: what is accepted."""
    if isinstance(value, str):
        text = value
    elif values == "True|False":
        text = str(_truth(name, value))
    elif value is None or isinstance(value, (bool, numbers.Number)):
        text = str(value)
    elif getattr(value, "shape", None) == () and hasattr(value, "item"):  # an array or tensor without dimensions
        return option_text(name, value.item(), values)
    elif isinstance(value, Iterable) and not isinstance(value, (bytes, Mapping)):
        items = [option_text(name, item) for item in value]
        return b",".join(items) if items else b"None"
    elif hasattr(value, "__float__"):
        number: Any = value
        text = str(float(number))
    else:
        raise ArgumentError("option %s: a value of type %s means nothing" % (name, type(value).__name__))
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        raise ArgumentError("option %s: %s" % (name, error)) from None
    if b"\0" in encoded:
        raise ArgumentError("option %s: the text cannot hold a NUL character" % name)
    return encoded


def _truth(name: str, value: Any) -> bool:
    try:
        return bool(value)
    except (TypeError, ValueError) as error:  # an array of several, say
        raise ArgumentError("option %s: True or False is expected: %s" % (name, error)) from None


def _voices(value: Any) -> Any:
    """Option speaker: {"Ann": "ann.wav"} or ["Ann=ann.wav", ...] as the library takes it, a line each."""
    if isinstance(value, Mapping):
        value = ["%s=%s" % (_voice_name(name), os.fsdecode(os.fspath(path))) for name, path in value.items()]
    if value is None or isinstance(value, str):
        return value
    lines = list(value) if isinstance(value, (list, tuple)) else []
    if not isinstance(value, (list, tuple)) or not all(isinstance(line, str) for line in lines):
        raise ArgumentError('option speaker: {"Ann": "ann.wav"} or ["Ann=ann.wav"] is expected')
    for line in lines:
        if "\n" in line:
            raise ArgumentError("option speaker: %r has a line end, which neither name nor path may have" % line)
    return "\n".join(lines) or None


def _voice_name(name: str) -> str:
    if "=" in name:
        raise ArgumentError("option speaker: the name %r has a =, where it would end" % name)
    return name


def set_options(handle: ctypes.c_void_p, options: Dict[str, Any]) -> None:
    """Set a call's own dictionary of keyword arguments on a whisp_options."""
    known = option_list()
    for name in list(options):
        if name in known:
            continue
        if name in _IGNORED or (name in _UNUSED and options[name] == _UNUSED[name]):
            del options[name]
        elif name in _UNUSED:
            raise ArgumentError("option %s: libwhisp %s does not have it" % (name, library().whisp_version().decode()))
        else:
            close = difflib.get_close_matches(name.lower(), known, 1)
            meant = " (%s?)" % close[0] if close else ""
            raise ArgumentError("unknown option %s%s; there are: %s" % (name, meant, ", ".join(known)))
    # In openai-whisper's transcribe() the temperatures given are the temperatures used; its command line, whose rules
    # the library has, adds the steps up to 1.0 to a single one.
    if "temperature" in options and "temperature_increment_on_fallback" in known:
        options.setdefault("temperature_increment_on_fallback", None)
    _prompt_of_tokens(options)
    if isinstance(options.get("task"), str):
        options["task"] = options["task"].lower()  # openai-whisper takes "Translate", too
    if "speaker" in options:
        options["speaker"] = _voices(options["speaker"])
    for name in ("speakers_model", "speakers_in", "speakers_out", "vad_model"):
        if isinstance(options.get(name), os.PathLike):
            options[name] = os.fsdecode(os.fspath(options[name]))
    for name, value in options.items():
        if value is None and known[name][1] in ("", "None"):
            continue
        check(library().whisp_options_set(handle, name.encode(), option_text(name, value, known[name][0])))


def check_options(options: Dict[str, Any]) -> None:
    """ArgumentError unless there are such options, with such values."""
    handle = ctypes.c_void_p(library().whisp_options_new())
    if not handle:
        check(-2)
    try:
        set_options(handle, dict(options))
    finally:
        library().whisp_options_free(handle)


def _prompt_of_tokens(options: Dict[str, Any]) -> None:
    """initial_prompt as the model's token ids, as faster-whisper takes it: an option of its own here."""
    prompt = options.get("initial_prompt")
    if prompt is None or isinstance(prompt, str):
        return
    try:
        ids = [operator.index(token) for token in prompt]
    except TypeError:
        raise ArgumentError("option initial_prompt: a text or a list of token ids is expected") from None
    del options["initial_prompt"]
    if ids:
        options["initial_prompt_tokens"] = ",".join(map(str, ids))


class Callbacks:
    """The Python functions that a session calls, wrapped for C.

    An exception in one of them stops the call through the cancel callback; check() then raises it in the caller.
    """

    def __init__(
        self,
        progress: Optional[ProgressCallback] = None,
        segment: Optional[SegmentCallback] = None,
        cancel: Optional[CancelCallback] = None,
        log: Optional[LogCallback] = None,
        part: Optional[PartCallback] = None,
    ) -> None:
        self.errors: List[BaseException] = []
        self._fns: List[Any] = []  # C holds their addresses only
        self._progress, self._segment, self._cancel, self._log = progress, segment, cancel, log
        self._part = part
        self._named: Callable[[str], str] = str
        self._unheard: List[str] = []  # warnings, where there is no log callback
        self.also: Optional[LogCallback] = None  # gets the log's lines, too

    @contextlib.contextmanager
    def naming(self, named: Callable[[str], str]) -> Iterator[None]:
        """While this lasts, lines of the log go through a function."""
        self._named = named
        try:
            yield
        finally:
            self._named = str

    def install(self, options: ctypes.c_void_p) -> None:
        asked = _cancel_loop(self._cancel, self.errors)
        next(asked)
        table = sized(CallbackTable)
        table.cancel = CancelFn(asked.send)
        if self._progress is not None:
            report = self._guard(self._progress)
            table.progress = ProgressFn(lambda user, done, total: report(done, total))
        if self._segment is not None:
            final = self._guard(self._segment, lambda pointer: (segment_dict(pointer.contents),))
            table.segment = SegmentFn(lambda user, pointer: final(pointer))
        write = self._guard(
            self._write, lambda level, text: (level, self._named((text or b"").decode("utf-8", "replace")))
        )
        table.log = LogFn(lambda user, level, text: write(level, text))
        if self._part is not None:
            table.part = PartFn(self._ask_part)
        check(library().whisp_options_on(options, ctypes.byref(table)))
        self._fns.append(table)  # which keeps the functions alive

    def _ask_part(self, user: Any, part: Any) -> int:
        assert self._part is not None
        try:
            return self._part(part.contents)
        except BaseException as error:
            self.errors.append(error)
            return -1

    def _write(self, level: int, text: str) -> None:
        if self.also is not None:
            self.also(level, text)
        (self._log or self._keep)(level, text)

    def _keep(self, level: int, text: str) -> None:
        if level == WARNING and text not in self._unheard:
            self._unheard.append(text)

    def warn(self, incomplete: Optional[str], stacklevel: int) -> None:
        """As Python warnings: what is missing, and what nobody has heard. Raises where warnings are errors."""
        lines, self._unheard = self._unheard, []
        if incomplete:
            warnings.warn(incomplete, IncompleteWarning, stacklevel=stacklevel + 1)
        for line in lines:
            if not incomplete or line not in incomplete:
                warnings.warn(line, LibraryWarning, stacklevel=stacklevel + 1)

    def _guard(self, function: Callable[..., Any], convert: Optional[Callable[..., Any]] = None) -> Callable[..., None]:
        """`function` with C's arguments converted and its exceptions kept; it is not called again after one."""

        def call(*arguments: Any) -> None:
            if self.errors:
                return
            try:
                function(*(convert(*arguments) if convert else arguments))
            except BaseException as error:
                self.errors.append(error)

        return call

    def check(self, code: int) -> int:
        """Like check() for the return value of a call that ran callbacks: their exceptions come first."""
        if self.errors:
            error = self.errors[0]
            self.errors.clear()
            raise error
        return check(code)


def _cancel_loop(cancel: Optional[CancelCallback], errors: List[BaseException]) -> Generator[int, Any, None]:
    """The cancel callback as a generator whose send() is given to C: each send answers whether to stop.

    Why not a function: Python runs signal handlers when it enters a function, so a Ctrl-C during the call would be
    raised in the callback before its `try` and be lost. A generator wakes inside its `try`.
    """
    answer = 0
    while True:
        try:
            while True:
                yield answer
                answer = 1 if errors or (cancel is not None and cancel()) else 0
        except GeneratorExit:
            return
        except BaseException as error:
            errors.append(error)
            answer = 1
