"""The module's types: made from the table of options, strict by mypy and pyright, and they know which options there are."""
import os
import subprocess
import sys

import pytest

GOOD = """
import whisp
from whisp.faster import WhisperModel

model = whisp.load_model("base", device="cpu", threads=2)
result = model.transcribe("a.wav", language="en", temperature=(0.0, 0.2), word_timestamps=True, progress=lambda done, total: None)
reveal: str = result["text"] + result.segments[0]["text"] + result.words[0]["word"]
result.write("a.srt", max_line_width=42)
laid_out: str = result.format("srt", subtitle_style="bbc") + model.transcribe_text("a.wav", "srt", subtitles=True)
others: list[str] = [other["text"] for other in result.words[0].get("alternatives", [])]
"""
BAD = {
    "bogus": "bogus=3",
    "language": "language=3",
    "beam_size": 'beam_size="five"',
}
BAD_LAYOUT = 'result.format("srt", subtitle_style="disney")'


def environment(root, library_file):
    return {**os.environ, "PYTHONPATH": str(root / "tools" / "python"), "MYPYPATH": str(root / "tools" / "python"),
            "WHISP_LIBRARY": str(library_file)}


def test_types_are_the_tables(root, library_file):
    """tools/python/whisp/_typed.py is what tools/python/make-types makes."""
    command = [sys.executable, root / "tools" / "python" / "make-types", "--check"]
    run = subprocess.run(command, env=environment(root, library_file), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def check(tool, root, library_file, tmp_path, text):
    """What mypy or pyright says of a script that uses the module."""
    script = tmp_path / "script.py"
    script.write_text(text)
    if tool == "mypy":
        command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", script]
    else:
        command = [sys.executable, "-m", "pyright", script]
    return subprocess.run(command, env=environment(root, library_file), cwd=tmp_path, capture_output=True, text=True)


@pytest.mark.parametrize("tool", ["mypy", "pyright"])
def test_checkers(tool, root, library_file, tmp_path):
    """The module is strict, what exists is accepted, what does not is refused."""
    pytest.importorskip(tool)
    said = check(tool, root, library_file, tmp_path, GOOD)
    assert said.returncode == 0, said.stdout + said.stderr
    lines = [GOOD] + ['model.transcribe("a.wav", %s)' % argument for argument in BAD.values()] + [BAD_LAYOUT]
    said = check(tool, root, library_file, tmp_path, "\n".join(lines))
    assert said.returncode == 1, said.stdout
    first = GOOD.count("\n") + 2
    for number, name in enumerate([*BAD, "subtitle_style"], first):
        assert ":%d:" % number in said.stdout and (name in said.stdout), (name, said.stdout)


def test_mypy_strict(root, library_file, tmp_path):
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path, root / "tools" / "python" / "whisp"]
    said = subprocess.run(command, env=environment(root, library_file), cwd=root, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout
