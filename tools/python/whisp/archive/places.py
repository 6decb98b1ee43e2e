"""Folders and buckets by one interface: listed, read, and written so that a file is there whole or not at all.

Plain paths and file:// are the system's own; anything else is fsspec's (s3://, gs://, ...), or pyarrow's where fsspec
has no package for it.
"""

from __future__ import annotations

import glob
import os
import posixpath
import re
import uuid
from importlib import import_module
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from .._errors import ArgumentError


class Entry(NamedTuple):
    """A file that is there. `changed`: a time, an ETag, whatever tells one content from another."""

    path: str
    bytes: int
    changed: str


class Folders:
    """The system's files."""

    def list(self, folder: str, passed_over: Optional[Dict[str, int]] = None) -> Iterator[Entry]:
        """`passed_over`: what is no file is counted there. Links to folders are not followed, which may lead in a
        circle."""
        others = {} if passed_over is None else passed_over
        for at, folders, names in os.walk(folder, onerror=_raise):
            folders.sort()
            links = sum(os.path.islink(os.path.join(at, name)) for name in folders)
            if links:
                others["links to folders"] = others.get("links to folders", 0) + links
            for name in sorted(names):
                path = os.path.join(at, name)
                if os.path.isfile(path):
                    yield self.entry(path)
                else:
                    others["links to nothing, pipes"] = others.get("links to nothing, pipes", 0) + 1

    def glob(self, pattern: str) -> Iterator[Entry]:
        for path in sorted(glob.glob(pattern, recursive=True)):
            if os.path.isfile(path):
                yield self.entry(path)

    def entry(self, path: str) -> Entry:
        status = os.stat(path)
        return Entry(path, status.st_size, "%d" % status.st_mtime_ns)

    def is_folder(self, path: str) -> bool:
        return os.path.isdir(path)

    def local(self, path: str) -> Optional[str]:
        """A path by which the library itself can open it."""
        return path

    def read(self, path: str) -> bytes:
        with open(path, "rb") as file:
            return file.read()

    def write(self, path: str, data: bytes) -> None:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        beside = _beside(path)
        try:
            with open(beside, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:
            self.remove(beside)
            raise

    def remove(self, path: str) -> None:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass


class Buckets:
    """A file system of fsspec's. An object of a store appears whole; other stores get it by a rename."""

    def __init__(self, system: Any, scheme: str) -> None:
        self._system, self._scheme = system, scheme
        self._renames = scheme not in ("s3", "s3a", "gs", "gcs", "abfs", "az", "memory")

    def _uri(self, path: str) -> str:
        return self._scheme + "://" + path.lstrip("/") if self._scheme != "memory" else "memory://" + path

    def _entries(self, found: Dict[str, Dict[str, Any]]) -> Iterator[Entry]:
        for path in sorted(found):
            if found[path].get("type") == "file":
                yield self._entry(path, found[path])

    def _entry(self, path: str, info: Dict[str, Any]) -> Entry:
        changed = next((info[key] for key in ("ETag", "etag", "mtime", "LastModified", "created") if info.get(key)), "")
        return Entry(self._uri(path), int(info.get("size") or 0), str(changed).strip('"'))

    def list(self, folder: str, passed_over: Optional[Dict[str, int]] = None) -> Iterator[Entry]:
        return self._entries(self._system.find(folder, detail=True))

    def glob(self, pattern: str) -> Iterator[Entry]:
        return self._entries(self._system.glob(pattern, detail=True))

    def entry(self, path: str) -> Entry:
        return self._entry(self._system._strip_protocol(path), self._system.info(path))

    def is_folder(self, path: str) -> bool:
        return bool(self._system.isdir(path))

    def local(self, path: str) -> Optional[str]:
        return None

    def read(self, path: str) -> bytes:
        data: bytes = self._system.cat_file(path)
        return data

    def write(self, path: str, data: bytes) -> None:
        if not self._renames:
            self._system.pipe_file(path, data)
            return
        self._system.makedirs(posixpath.dirname(path), exist_ok=True)
        beside = _beside(path)
        self._system.pipe_file(beside, data)
        self._system.mv(beside, path)

    def remove(self, path: str) -> None:
        try:
            self._system.rm_file(path)
        except FileNotFoundError:
            pass


def _raise(error: OSError) -> None:
    raise error


def _beside(path: str) -> str:
    """A name for what is not whole yet. Nobody else's: a write that was given up, being slow, may still go on."""
    return join(posixpath.dirname(path) or ".", ".whisp-" + uuid.uuid4().hex)


def scheme_of(path: str) -> str:
    """ "s3" of s3://bucket/name; "" of a plain path."""
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", path)
    return match.group(1).lower() if match else ""


def place(path: str) -> Tuple[Any, str]:
    """What holds a path, and the path in its words."""
    scheme = scheme_of(path)
    if not scheme:
        return Folders(), path
    if scheme == "file":
        return Folders(), "/" + path[len("file://") :].lstrip("/")
    try:
        fsspec: Any = import_module("fsspec")
    except ImportError:
        raise ArgumentError("%s: needs the Python package fsspec: pip install 'libwhisp[ray]'" % path) from None
    try:
        return Buckets(fsspec.filesystem(scheme), scheme), path
    except (ImportError, ValueError) as error:
        return Buckets(_arrow(path, scheme, error), scheme), path


def _arrow(path: str, scheme: str, why: Exception) -> Any:
    """pyarrow has S3 and GCS inside; fsspec wants packages for them."""
    try:
        wrapper: Any = import_module("fsspec.implementations.arrow").ArrowFSWrapper
        system, _ = import_module("pyarrow.fs").FileSystem.from_uri(path)
    except Exception:
        raise ArgumentError("%s: %s" % (path, why)) from None

    return type("Wrapped", (wrapper,), {"protocol": scheme})(system)


def join(folder: str, name: str) -> str:
    return folder.rstrip("/") + "/" + name if folder.rstrip("/") else "/" + name


def listed(path: str) -> List[str]:
    """The lines of a list of recordings."""
    system, name = place(path)
    text = system.read(name).decode("utf-8", "surrogateescape")
    return [line[:-1] if line.endswith("\r") else line for line in text.split("\n") if line.strip()]  # \r: from Windows
