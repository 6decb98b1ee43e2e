"""The build backend of the Python package (PEP 517 and 660): a wheel with the modules and libwhisp.so in it.

The library is made by the repository's Makefile, in its own build folder, so a second build takes no time.
$WHISP_LIBRARY_BUILD names a ready libwhisp.so to carry instead. A source distribution carries the C sources along.

Why not setuptools: the wheel is an archive of a dozen files, and this way nothing has to be downloaded to make it.
"""

import base64
import hashlib
import io
import os
import re
import subprocess
import sysconfig
import tarfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
NAME = "whisp"
SOURCES = ("Makefile", "LICENSE", "include", "lib", "kernels")  # what the Makefile needs to make the library


def version():
    with open(os.path.join(HERE, "whisp", "__init__.py"), encoding="utf-8") as file:
        return re.search(r'^__version__ = "([^"]+)"', file.read(), re.MULTILINE).group(1)


def metadata():
    """The package's METADATA, with README.md as its description."""
    fields = [
        "Metadata-Version: 2.1",
        "Name: " + NAME,
        "Version: " + version(),
        "Summary: Speech to text with OpenAI's Whisper models, by libwhisp",
        "License: MIT",
        "Requires-Python: >=3.9",
        "Classifier: Operating System :: POSIX :: Linux",
        "Classifier: Programming Language :: Python :: 3",
        "Classifier: Typing :: Typed",
        "Description-Content-Type: text/markdown",
    ]
    with open(os.path.join(HERE, "README.md"), encoding="utf-8") as file:
        return "\n".join(fields) + "\n\n" + file.read()


def platform_tag():
    return re.sub(r"[-.]", "_", sysconfig.get_platform())


def beside(name):
    """A file or folder of the repository, or of its copy inside a source distribution; None without either."""
    for root in (os.path.dirname(os.path.dirname(HERE)), os.path.join(HERE, "source")):
        if os.path.exists(os.path.join(root, "include", "whisp.h")):
            path = os.path.join(root, name)
            return path if os.path.exists(path) else None
    return None


def source_root():
    """The folder with the library's Makefile."""
    makefile = beside("Makefile")
    if makefile:
        return os.path.dirname(makefile)
    raise SystemExit(
        "whisp: the sources of libwhisp are not beside this package. Install from the repository (a pip older than "
        "21.3 builds in a copy of tools/python: upgrade it), or set WHISP_LIBRARY_BUILD to a libwhisp.so."
    )


def made_library():
    """Path of libwhisp.so, brought up to date."""
    ready = os.environ.get("WHISP_LIBRARY_BUILD")
    if ready:
        if not os.path.isfile(ready):
            raise SystemExit("whisp: WHISP_LIBRARY_BUILD=%s: no such file" % ready)
        return ready
    root = source_root()
    build = os.environ.get("WHISP_BUILD") or "build"
    target = build + "/libwhisp.so"
    # pip may run inside a make whose settings are not meant for this one
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    command = ["make", "-C", root, "-j%d" % (os.cpu_count() or 1), "BUILD=" + build, target]
    try:
        failed = subprocess.call(command, env=environment)
    except OSError as error:
        raise SystemExit("whisp: make cannot be run: %s" % error)
    if failed:
        command_line = " ".join(command)
        raise SystemExit("whisp: libwhisp did not build (%s); `make deps` there installs what it needs" % command_line)
    return os.path.join(root, target)


class Wheel:
    """A wheel being written: an archive that ends with the list of its files and their hashes."""

    def __init__(self, folder, tag):
        self.filename = "%s-%s-%s.whl" % (NAME, version(), tag)
        self.info = "%s-%s.dist-info" % (NAME, version())
        self.tag = tag
        self.record = []
        self.archive = zipfile.ZipFile(os.path.join(folder, self.filename), "w", zipfile.ZIP_DEFLATED)

    def add(self, name, data, mode=0o644):
        if isinstance(data, str):
            data = data.encode()
        entry = zipfile.ZipInfo(name)  # a fixed date: the same input gives the same wheel
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = (0o100000 | mode) << 16
        self.archive.writestr(entry, data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        self.record.append("%s,sha256=%s,%d" % (name, digest, len(data)))

    def finish(self):
        pure = "true" if self.tag.endswith("-any") else "false"
        self.add(self.info + "/METADATA", metadata())
        self.add(
            self.info + "/WHEEL",
            "Wheel-Version: 1.0\nGenerator: whisp_build\nRoot-Is-Purelib: %s\nTag: %s\n" % (pure, self.tag),
        )
        licence = beside("LICENSE")
        if licence:
            self.add(self.info + "/LICENSE", read(licence))
        name = self.info + "/RECORD"
        self.archive.writestr(name, "\n".join(self.record + [name + ",,"]) + "\n")
        self.archive.close()
        return self.filename


def package_files():
    folder = os.path.join(HERE, NAME)
    return [(NAME + "/" + name, os.path.join(folder, name)) for name in sorted(os.listdir(folder))
            if name.endswith(".py") or name == "py.typed"]


def read(path):
    with open(path, "rb") as file:
        return file.read()


# The hooks that pip calls.

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    library = made_library()
    wheel = Wheel(wheel_directory, "py3-none-" + platform_tag())
    for name, path in package_files():
        wheel.add(name, read(path))
    wheel.add(NAME + "/libwhisp.so", read(library), 0o755)
    return wheel.finish()


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """The package stays where it is and finds the library that the repository's `make` builds."""
    made_library()
    wheel = Wheel(wheel_directory, "py3-none-any")
    wheel.add("_%s_editable.pth" % NAME, HERE + "\n")
    return wheel.finish()


def build_sdist(sdist_directory, config_settings=None):
    base = "%s-%s" % (NAME, version())
    root = source_root()
    with tarfile.open(os.path.join(sdist_directory, base + ".tar.gz"), "w:gz") as archive:
        for name in ("pyproject.toml", "whisp_build.py", "README.md"):
            archive.add(os.path.join(HERE, name), base + "/" + name)
        for name, path in package_files():
            archive.add(path, base + "/" + name)
        for name in SOURCES:
            if os.path.exists(os.path.join(root, name)):
                archive.add(os.path.join(root, name), base + "/source/" + name)
        info = tarfile.TarInfo(base + "/PKG-INFO")
        data = metadata().encode()
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return base + ".tar.gz"
