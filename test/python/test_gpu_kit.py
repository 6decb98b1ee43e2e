"""make gpu-kit and its run: with the emulator in the GPU's place, and with a device that answers at once with an invented talk."""
import os
import shutil
import subprocess

import pytest

QUICK = {"STEPS": "1 3 5 8", "CLIP": "--clip_timestamps 0,2 --sample_len 6 --temperature 0 --hallucination_guard False", "SEEDS": "1"}


def make(root, model, folder):
    build = os.environ.get("WHISP_BUILD") or os.path.join(root, "build")
    emulator = os.path.join(build, "cudaemu")
    missing = [path for path in (os.path.join(emulator, "libwhisp-cuda.so"), os.path.join(emulator, "kernels"),
                                 os.path.join(build, "cudafake", "libwhisp-cuda.so"), model) if not os.path.exists(path)]
    if missing:
        pytest.skip("skipped: no %s" % missing[0])
    if not shutil.which("ffmpeg") and not (shutil.which("sox") and shutil.which("lame")):
        pytest.skip("skipped: nothing here makes MP3")
    subprocess.run(["sh", os.path.join(root, "tools", "gpu-kit", "make-kit"), build, emulator, model, folder], check=True,
                   stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="module")
def kit(root, tmp_path_factory):
    return make(root, os.path.join(root, "models", "tiny.en.gguf"), str(tmp_path_factory.mktemp("kit") / "kit"))


@pytest.fixture(scope="module")
def small_kit(root, tmp_path_factory):
    """With a model that the emulator gets through in seconds."""
    build = os.environ.get("WHISP_BUILD") or os.path.join(root, "build")
    return make(root, os.path.join(build, "test", "invented-small.gguf"), str(tmp_path_factory.mktemp("kit") / "small"))


def run(kit, out, **settings):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CUDAEMU", "WHISP"))}
    result = subprocess.run(["sh", os.path.join(kit, "run")], env={**environment, **QUICK, **settings, "OUT": out}, stdout=subprocess.PIPE,
                            text=True)
    with open(os.path.join(kit, out, "table.md"), encoding="utf-8") as file:
        return result.returncode, file.read()


def test_without_the_emulator_it_is_small(kit):
    size = sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(kit) for name in names
               if name not in ("kernels", "libwhisp-cuda.so"))
    assert size < 54 << 20      # which leaves 6 MiB for the library of all architectures (2.1 MB) and its test
    assert {"run", "whisp", "whisp-bench", "talk.mp3", "tiny.en.gguf", "commit"} <= set(os.listdir(kit))


def test_with_the_emulator(small_kit):
    code, table = run(small_kit, "emulated", STEPS="1 3 5 8")
    assert code == 0, table
    assert "emulated GPU 0, sm_80" in table and table.count("those of the CPU") == 4
    assert "| full memory | whisp: backend cuda: " in table and "no CUDA device" in table


def test_with_an_invented_talk(kit):
    code, table = run(kit, "talk", LIBRARY=os.path.join(kit, "libwhisp-talk.so"), STEPS="1 2 3 4 5 6 7 8", MINUTES="20", SIZES="tiny",
                      SHAPES="tiny")
    assert code == 0, table
    assert "left out: an invented talk has none" in table and "| 20 minutes of MP3, tiny.en | " in table
    assert "tiny, f16, token of 64" in table and "tiny's shape, --word_timestamps True | " in table and "steps: " in table


def test_what_fails_is_counted(kit):
    code, table = run(kit, "broken", LIBRARY="/nowhere.so", STEPS="1 3")
    assert code == 1 and "| backend | **FAILED**: whisp: backend cuda: its library cannot be opened" in table
    assert "| steps 3 to 9 | left out: the backend does not open" in table
