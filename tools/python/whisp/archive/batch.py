"""Several files through one session, which decodes them side by side: whisp_session_transcribe_files()."""

from __future__ import annotations

import ctypes
from typing import Any, Callable, Dict, List, Optional, Sequence

from .._audio import path_bytes
from .._errors import Cancelled, Error
from .._library import FileFn, WriterOptions, failure, library
from .._result import Result
from .._session import Session


class Heard:
    """What became of one file: its documents by their format, or an error."""

    def __init__(self) -> None:
        self.documents: Dict[str, bytes] = {}
        self.seconds = 0.0
        self.language: Optional[str] = None
        self.incomplete: Optional[str] = None
        self.error: Optional[BaseException] = None


def documents_of(result: Result, formats: Sequence[str], name: str) -> Heard:
    heard = Heard()
    layout = WriterOptions(size=ctypes.sizeof(WriterOptions), recording=name.encode("utf-8", "surrogateescape"))
    heard.documents = {format: result.format(format, layout).encode() for format in formats}
    info = result._info()
    heard.seconds = float(info.duration)
    heard.language = info.language.decode() if info.language else None
    heard.incomplete = result.incomplete
    return heard


def transcribe_files(session: Session, paths: List[str], names: List[str], formats: Sequence[str],
                     named: Callable[[str], str]) -> List[Heard]:  # fmt: skip
    """All of them, in their order. `names`: what documents call them; `named`: puts their own names in place of
    paths."""
    lib, found = library(), [Heard() for _ in paths]

    def done(user: Any, index: int, code: int, pointer: Any) -> int:
        failed = failure(code) if code < 0 else None  # first: the text is that of the last call
        try:
            if pointer:
                with Result(ctypes.c_void_p(pointer), named) as result:
                    if failed is None:
                        found[index] = documents_of(result, formats, names[index])
        except Exception as error:  # of the documents
            failed = error
        found[index].error = failed
        return 0

    array = (ctypes.c_char_p * len(paths))(*map(path_bytes, paths))
    keep = FileFn(done)
    with session._using() as pointer, session._callbacks.naming(named):
        session._callbacks.check(lib.whisp_session_transcribe_files(pointer, array, len(paths), keep, None))
    return found


def transcribe_one(session: Session, recording: Any, formats: Sequence[str], name: str) -> Heard:
    """One that ffmpeg may have to decode, or samples."""
    heard = Heard()
    try:
        with session._transcribe(recording) as result:
            heard = documents_of(result, formats, name)
    except Cancelled:
        raise
    except Error as error:
        heard.error = error
    return heard
