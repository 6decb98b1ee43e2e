"""The build backend of the Python package (PEP 517 and 660): a wheel with the modules, libwhisp.so and the programs in
it.

Library and programs are made by the repository's Makefile, in its own build folder, so a second build takes no time.
$WHISP_LIBRARY_BUILD names a ready libwhisp.so to carry instead, without programs. A source distribution carries the C
sources along. What is made here uses the system's libraries; `make wheel` (tools/package) puts those in, too.

Why not setuptools: the wheel is an archive of a few dozen files, and this way nothing has to be downloaded to make it.
The same input gives the same bytes, wheel and sources.
"""

import base64
import gzip
import hashlib
import io
import os
import re
import subprocess
import sysconfig
import tarfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
NAME = "whisp"  # what is imported
DISTRIBUTION = "libwhisp"  # what is installed: "whisp" on the index is somebody else's
# What the Makefile needs to make the library and the programs.
SOURCES = ("Makefile", "LICENSE", "include", "lib", "kernels", "tools", "test/fuzz/fuzz.mk", "test/foreign/foreign.mk")
PROGRAMS = "bin"  # where they lie in the package
EXTRAS = {"ray": ["ray[data]>=2.60"], "normalizers": ["whisper-normalizer>=0.1.15"]}
LONG_AGO = 315532800  # 1980-01-01, the date of all files: the earliest that a zip can say

# A program's script on the PATH. pip writes the interpreter into the first line; the package is found, not imported, so
# that starting costs little.
SCRIPT = '''#!python
"""Runs the program {name} of the package libwhisp, which lies beside the libraries that it needs."""
import importlib.util
import os
import sys

spec = importlib.util.find_spec("whisp")
program = os.path.join(os.path.dirname(spec.origin), "bin", "{name}") if spec and spec.origin else ""
if not os.access(program, os.X_OK):
    where = program or "the package whisp is not there"
    sys.exit("{name}: cannot be run (%s); pip install --force-reinstall libwhisp" % where)
os.execv(program, ["{name}"] + sys.argv[1:])
'''


def version():
    with open(os.path.join(HERE, "whisp", "__init__.py"), encoding="utf-8") as file:
        return re.search(r'^__version__ = "([^"]+)"', file.read(), re.MULTILINE).group(1)


def metadata():
    """The package's METADATA, with README.md as its description."""
    fields = [
        "Metadata-Version: 2.1",
        "Name: " + DISTRIBUTION,
        "Version: " + version(),
        "Summary: Speech to text with OpenAI's Whisper models, by libwhisp",
        "License: MIT",
        "Requires-Python: >=3.9",
        "Classifier: Operating System :: POSIX :: Linux",
        "Classifier: Programming Language :: Python :: 3",
        "Classifier: Typing :: Typed",
        "Description-Content-Type: text/markdown",
    ]
    for extra, requirements in EXTRAS.items():
        fields.append("Provides-Extra: " + extra)
        fields += ['Requires-Dist: %s; extra == "%s"' % (requirement, extra) for requirement in requirements]
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


def make(target):
    """Path of what the repository's Makefile makes in its build folder, brought up to date."""
    root = source_root()
    build = os.environ.get("WHISP_BUILD") or "build"
    # pip may run inside a make whose settings are not meant for this one
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    goal = target if target == "wheel-files" else build + "/" + target
    command = ["make", "-C", root, "-j%d" % (os.cpu_count() or 1), "BUILD=" + build, goal]
    try:
        failed = subprocess.call(command, env=environment)
    except OSError as error:
        raise SystemExit("whisp: make cannot be run: %s" % error)
    if failed:
        command_line = " ".join(command)
        raise SystemExit("whisp: libwhisp did not build (%s); `make deps` there installs what it needs" % command_line)
    return os.path.join(root, build, "package", "wheel") if target == "wheel-files" else os.path.join(root, goal)


def made_files():
    """[(name in the wheel, path)] of what is compiled."""
    ready = os.environ.get("WHISP_LIBRARY_BUILD")
    if ready:
        if not os.path.isfile(ready):
            raise SystemExit("whisp: WHISP_LIBRARY_BUILD=%s: no such file" % ready)
        return [(NAME + "/libwhisp.so", ready)]
    return files_under(make("wheel-files"))


def files_under(folder):
    """[(path inside the folder, path)] of all files, sorted; without what Python leaves behind."""
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in names:
            path = os.path.join(root, name)
            found.append((os.path.relpath(path, folder), path))
    return sorted(found)


class Wheel:
    """A wheel being written: an archive that ends with the list of its files and their hashes."""

    def __init__(self, folder, tag):
        self.filename = "%s-%s-%s.whl" % (DISTRIBUTION, version(), tag)
        self.info = "%s-%s.dist-info" % (DISTRIBUTION, version())
        self.tag = tag
        self.record = []
        self.archive = zipfile.ZipFile(os.path.join(folder, self.filename), "w", zipfile.ZIP_DEFLATED)

    def write(self, name, data, mode=0o644):
        entry = zipfile.ZipInfo(name)  # its date is 1980's, always
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = (0o100000 | mode) << 16
        self.archive.writestr(entry, data, compresslevel=9)

    def add(self, name, data, mode=0o644):
        if isinstance(data, str):
            data = data.encode()
        self.write(name, data, mode)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        self.record.append("%s,sha256=%s,%d" % (name, digest, len(data)))

    def add_package(self, made):
        """The modules, what is compiled ([(name, path)]), and a script for each program."""
        for name, path in package_files():
            self.add(name, read(path))
        for name, path in made:
            self.add(name, read(path), 0o755 if os.access(path, os.X_OK) else 0o644)
            folder, program = os.path.split(name)
            if folder == NAME + "/" + PROGRAMS:
                scripts = "%s-%s.data/scripts/" % (DISTRIBUTION, version())
                self.add(scripts + program, SCRIPT.format(name=program), 0o755)

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
        self.write(name, "\n".join(self.record + [name + ",,"]) + "\n")
        self.archive.close()
        return self.filename


def package_files():
    """[(name in the wheel, path)] of the modules."""
    return [(NAME + "/" + name, path) for name, path in files_under(os.path.join(HERE, NAME))
            if name.endswith(".py") or name == "py.typed"]


def read(path):
    with open(path, "rb") as file:
        return file.read()


# The hooks that pip calls.

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    made = made_files()
    wheel = Wheel(wheel_directory, "py3-none-" + platform_tag())
    wheel.add_package(made)
    return wheel.finish()


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """The package stays where it is and finds the library that the repository's `make` builds."""
    if not os.environ.get("WHISP_LIBRARY_BUILD"):
        make("libwhisp.so")
    wheel = Wheel(wheel_directory, "py3-none-any")
    wheel.add("_%s_editable.pth" % NAME, HERE + "\n")
    return wheel.finish()


def source_files():
    """[(name in the source distribution, path)]."""
    files = [(name, os.path.join(HERE, name)) for name in ("pyproject.toml", "whisp_build.py", "README.md")]
    files += package_files()
    root = source_root()
    for name in SOURCES:
        path = os.path.join(root, name)
        if os.path.isfile(path):
            files.append(("source/" + name, path))
        for inside, file in files_under(path):
            if not (name == "tools" and inside.startswith("python/")):
                files.append(("source/" + name + "/" + inside, file))
    return sorted(files)


def build_sdist(sdist_directory, config_settings=None):
    base = "%s-%s" % (DISTRIBUTION, version())
    made = os.path.join(sdist_directory, base + ".tar.gz")
    with open(made, "wb") as file, gzip.GzipFile("", "wb", 9, file, LONG_AGO) as packed, \
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:

        def add(name, data, mode):
            info = tarfile.TarInfo(base + "/" + name)
            info.size, info.mode, info.mtime = len(data), mode, LONG_AGO
            archive.addfile(info, io.BytesIO(data))

        add("PKG-INFO", metadata().encode(), 0o644)
        for name, path in source_files():
            add(name, read(path), 0o755 if os.access(path, os.X_OK) else 0o644)
    return base + ".tar.gz"
