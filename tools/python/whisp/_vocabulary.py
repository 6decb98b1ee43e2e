"""The option vocabulary: a file's path for the library, which a list of terms becomes for as long as it is read."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import Any, Dict, Iterator

from ._errors import ArgumentError


def _lines(terms: Any) -> bytes:
    lines = []
    for term in terms:
        if not isinstance(term, str):
            raise ArgumentError("option vocabulary: a term of type %s; strings are expected" % type(term).__name__)
        if "\n" in term or "\0" in term or term.lstrip().startswith("#"):
            raise ArgumentError("option vocabulary: a term can neither begin with # nor hold a line end: %r" % term)
        lines.append(term + "\n")
    try:
        return "".join(lines).encode()
    except UnicodeEncodeError as error:
        raise ArgumentError("option vocabulary: %s" % error) from None


@contextlib.contextmanager
def vocabulary_file(options: Dict[str, Any]) -> Iterator[None]:
    """While this lasts, options["vocabulary"] names a file: the one given, or one with the terms of a list."""
    value = options.get("vocabulary")
    if value is None or isinstance(value, str):
        yield
    elif isinstance(value, os.PathLike):
        options["vocabulary"] = os.fsdecode(value)
        yield
    elif isinstance(value, (list, tuple, set, frozenset)):
        text = _lines(sorted(value) if isinstance(value, (set, frozenset)) else value)
        if not text.strip():
            options["vocabulary"] = None
            yield
            return
        with tempfile.TemporaryDirectory() as folder:
            options["vocabulary"] = os.path.join(folder, "terms.txt")
            with open(options["vocabulary"], "wb") as file:
                file.write(text)
            yield
    else:
        raise ArgumentError("option vocabulary: a path or a list of terms is expected")
