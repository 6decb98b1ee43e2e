"""What the Python tests share: where the build, the data and the models are, and invented models where any will do.

From the environment: WHISP_BUILD, the build folder (default: build); WHISP_SHARED, the data (default: ../shared);
WHISP_MODEL_DIR, the models (default: models).
"""
import signal

# A background job of a shell ignores Ctrl-C, nohup a hang-up, and hand that down; the tests of interruption need them to work.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

import array
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools" / "python"), str(ROOT / "test" / "python")]

import invent  # noqa: E402
import recordings  # noqa: E402


@pytest.fixture(scope="session")
def root():
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def build():
    """The build folder."""
    return ROOT / os.environ.get("WHISP_BUILD", "build")


@pytest.fixture(scope="session")
def shared():
    """The folder with recordings and the reference's answers."""
    folder = Path(os.environ.get("WHISP_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("no ../shared")
    return folder


@pytest.fixture(scope="session")
def real_model():
    """A function: the path of a real model by name, or the test is skipped."""

    def find(name):
        path = Path(os.environ.get("WHISP_MODEL_DIR", ROOT / "models")) / (name + ".gguf")
        if not path.is_file():
            pytest.skip("no %s: run make models" % path)
        return path

    return find


@pytest.fixture(scope="session")
def invented_dir(tmp_path_factory):
    """A folder with two invented models, "english" and "multilingual"."""
    folder = tmp_path_factory.mktemp("models")
    invent.write(str(folder / "english.gguf"), name="english")
    invent.write(str(folder / "multilingual.gguf"), multilingual=True, name="multilingual")
    return folder


@pytest.fixture(scope="session")
def noise():
    """Seven seconds of something like a voice, as floats."""
    return array.array("f", [value / 32768 for value in recordings.babble(7)])


@pytest.fixture(scope="session")
def noise_wav(tmp_path_factory):
    """The same as a 16 kHz mono WAV file."""
    return recordings.write_wav(tmp_path_factory.mktemp("audio") / "noise.wav", recordings.babble(7))


@pytest.fixture(scope="session")
def library_file(build):
    """libwhisp.so of the build, which the module under test loads."""
    path = build / "libwhisp.so"
    if not path.is_file():
        pytest.fail("no %s: run make" % path)
    if b"__asan_init" in path.read_bytes() and "asan" not in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("a library with AddressSanitizer needs LD_PRELOAD=libasan.so")
    return path


@pytest.fixture(scope="session")
def whisp(library_file):
    """The module, on the build's library."""
    os.environ["WHISP_LIBRARY"] = str(library_file)
    import whisp as module

    return module
