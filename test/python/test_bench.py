"""The programs of bench/ that print figures: that they run, count and fit right. What the figures are is not tested."""
import importlib.machinery
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile

import pytest


@pytest.fixture(scope="module")
def script(root):
    def load(name):
        loader = importlib.machinery.SourceFileLoader(name, str(root / "bench" / name))
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
        before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        loader.exec_module(module)
        sys.dont_write_bytecode = before
        return module
    return load


def test_stages_of_invented_weights(build, root, tmp_path):
    program = build / "whisp-bench"
    if not program.exists():
        pytest.skip("skipped: no whisp-bench in this build")
    run = subprocess.run([str(program.resolve()), "--stages", "--sizes", "tiny", "--batch", "2", "--threads", "1", "--json"],
                         stdout=subprocess.PIPE, check=True, cwd=tmp_path, env={"WHISP_MODEL_DIR": str(tmp_path)})
    rows = json.loads(run.stdout)["rows"]
    assert [(r["compute_type"], r["stage"], r["batch"]) for r in rows] == [
        (t, s, n) for t in ("f32", "bf16", "int8")
        for s, n in (("encoder", 1), ("prompt", 1), ("token", 1), ("prompt", 2), ("token", 2))]
    assert {r["weights"] for r in rows} == {"invented"}
    for r in rows:
        # tiny: 1500 positions, width 384, four blocks and four; 40 G operations a window (multiply-adds are two)
        ops = r["gops"] * r["ms"] / 1e3
        if r["stage"] == "encoder":
            # in G: convolutions 0.55 and 1.33; four blocks of 5.31 with weights and 3.46 in attention; cross K/V 3.54
            assert ops == pytest.approx(40.48, rel=0.001)
        elif r["stage"] == "token":
            # in M: four blocks of 4.13 with weights and 2.41 in attention over 1500 positions and 70; embedding 39.83
            assert ops == pytest.approx(0.0660 * r["batch"], rel=0.001)


def test_an_invented_model_is_whole(build, tmp_path):
    program = build / "whisp-bench"
    if not program.exists():
        pytest.skip("skipped: no whisp-bench in this build")
    subprocess.run([str(program), "--invent", "tiny", str(tmp_path / "tiny.gguf")], check=True)
    info = subprocess.run([str(build / "whisp-convert"), "--info", str(tmp_path / "tiny.gguf")], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    assert "51865 in all" in info and "encoder.blocks.3.mlp.2.weight" in info


def test_backends_side_by_side(build, root, tmp_path):
    """Both columns where both are there; a backend that is not is named, and the others are measured all the same."""
    program, library = build / "whisp-bench", build / "cudaemu" / "libwhisp-cuda.so"
    if not program.exists():
        pytest.skip("skipped: no whisp-bench in this build")
    call = [str(program.resolve()), "--model", str((build / "test" / "invented.gguf").resolve()), "--runs", "1", "--backend",
            "cpu,cuda", str(root / "test" / "data" / "demo.flac")]
    run = subprocess.run(call, stdout=subprocess.PIPE, check=True, text=True,
                         env={"WHISP_CUDA_LIBRARY": str(tmp_path / "none.so")}).stdout
    assert "cuda is not here: " in run and "decoder, a token" in run
    both = subprocess.run([*call, "--json"], stdout=subprocess.PIPE, check=True, text=True,
                          env={"WHISP_CUDA_LIBRARY": str(tmp_path / "none.so")}).stdout
    cpu, cuda = json.loads(both)["backends"]
    assert cpu["encoder_ms"] > 0 and cuda["backend"] == "cuda" and "none.so" in cuda["missing"]
    if library.exists():
        run = subprocess.run(call, stdout=subprocess.PIPE, check=True, text=True,
                             env={"WHISP_CUDA_LIBRARY": str(library.resolve())}).stdout
        assert "cuda: emulated GPU 0" in run and "ratio" in run


def test_report(build, root, tmp_path):
    """Every level is named, those that are here are checked and timed; models that are not there are said."""
    program, checks = build / "whisp-bench", build / "test" / "checkkernels" / "checkkernels"
    if not program.exists() or not checks.exists():
        pytest.skip("skipped: no whisp-bench or checkkernels in this build")
    demo = str(root / "test" / "data" / "demo.flac")
    shutil.copy(build / "test" / "invented.gguf", tmp_path / "tiny.en.gguf")
    call, env = [str(program.resolve()), "--report", demo], {"WHISP_MODEL_DIR": str(tmp_path), "XDG_CACHE_HOME": "/nowhere"}
    text = subprocess.run(call, stdout=subprocess.PIPE, check=True, text=True, cwd=tmp_path, env=env).stdout
    lines = text.splitlines()
    assert lines[0] == lines[-1] == "```" and lines[1].startswith("libwhisp:")
    assert re.search(r"^cores: +[1-9]", text, re.M) and re.search(r"^memory: +[1-9]", text, re.M)
    said = subprocess.run([str(checks.resolve()), "--times", "1", "layouts"], stdout=subprocess.PIPE, check=True, text=True).stdout
    here = re.findall(r"^ok +layouts +(\S+)", said, re.M)
    assert re.findall(r"^  (\S+) +\d+ kernels right$", text, re.M) == here
    speeds = {line.split()[0]: [float(x) for x in line.split()[1:]] for line in lines[lines.index("") + 1:]
              if len(line.split()) == 9 and line.split()[0] in here}
    assert list(speeds) == here and all(min(row) > 0 for row in speeds.values())
    assert "10.0 s of " + demo in text and "base is not here" in text
    assert float(re.search(r"encoder, a window +([0-9.]+) ms", text).group(1)) > 0
    gone = subprocess.run([*call[:2], str(tmp_path / "none.flac")], stdout=subprocess.PIPE, check=True, text=True, env=env).stdout
    assert "no transcription: " in gone and "kernels right" in gone


def test_report_says_what_is_wrong(build, tmp_path):
    """Where comparing goes wrong, or ends the process, the report says at which kernel and goes on to the next level."""
    program, compiler = build / "whisp-bench", shutil.which("cc")
    if not program.exists() or not compiler:
        pytest.skip("skipped: no whisp-bench in this build, or no cc")
    (tmp_path / "a.c").write_text("#include <signal.h>\n#include <stdlib.h>\n#include <stddef.h>\n"
                                  "int memcmp(const void *a, const void *b, size_t n) {\n"
                                  "    const unsigned char *x = a, *y = b;\n"
                                  "    if (n > 64) { if (getenv(\"RAISE\")) raise(SIGILL); return 1; }\n"
                                  "    for (; n; n--, x++, y++) if (*x != *y) return *x < *y ? -1 : 1;\n    return 0;\n}\n")
    subprocess.run([compiler, "-shared", "-fPIC", "-fno-builtin", "-O1", "-o", str(tmp_path / "a.so"), str(tmp_path / "a.c")], check=True)
    for raises, said in (("", "WRONG: FAILED: "), ("1", "WRONG: ended by signal 4")):
        env = {"LD_PRELOAD": str(tmp_path / "a.so"), **({"RAISE": "1"} if raises else {})}
        run = subprocess.run([str(program.resolve()), "--report", str(tmp_path / "none.flac")], stdout=subprocess.PIPE, text=True, env=env)
        assert run.returncode == 1 and run.stdout.count(said) > 1 and "no transcription: " in run.stdout
        assert "kernels right" not in run.stdout


def test_cuda_kernels_spill_nothing(script):
    """Registers as nvcc gives them, for the kernels with plain copies (sm_75) and with cp.async (sm_80)."""
    nvcc = shutil.which("nvcc")
    if not nvcc:
        pytest.skip("skipped: no nvcc here")
    profile = script("cuda-profile")
    for arch in (75, 80):
        with tempfile.TemporaryDirectory() as folder:
            found = profile.compile_kernels(nvcc, arch, folder)
        assert len(found) > 25 and {"attention<64, 0>", "residual_norm"} <= {row[0] for row in found}
        assert [row for row in found if row[2]] == []
        assert all(0.1 < profile.occupancy(*row[:2], row[3], arch) <= 1 for row in found)


def test_the_estimate_adds_up(script):
    """T4, 32 sequences: the encoder's products are 110 TFLOP and more at half of 65 TFLOP/s; everything has a time."""
    profile = script("cuda-profile")
    host = {"rows": 30, "wall": 2.0}
    rows = dict(profile.estimate(profile.GPUS["T4"], host, 32))
    products = rows["encoder: products"] + rows["encoder: keys and values for the decoder"]
    assert 3.0 < products < 5.0 and all(seconds > 0 for seconds in rows.values())
    faster = dict(profile.estimate(profile.GPUS["H100 SXM"], host, 32))
    assert all(faster[name] <= seconds for name, seconds in rows.items())
    fuller = dict(profile.estimate(profile.GPUS["T4"], {"rows": 64, "wall": 2.0}, 64))
    assert fuller["decoder: products"] < rows["decoder: products"] and sum(fuller.values()) < sum(rows.values())


def test_kernels_of_a_layer_are_counted(script):
    """From an emulated run of tiny.en: 8 passes of 4 layers, 8 layers' norms and heads of the encoder among them."""
    launches = {"embed": 8, "few_rows<1, 0>": 200, "append_heads": 32, "decode_part<32>": 64, "decode_join": 64, "residual_norm": 113,
                "split_heads": 40, "bias_gelu": 4}
    profile = script("cuda-profile")
    assert profile.launches_of_a_layer({name: [n] + [0] * 7 for name, n in launches.items()}, 4) == profile.LAYER_LAUNCHES


def test_a_line_is_fitted(script):
    fit = script("scale").line([1, 2, 4, 8], [5, 7, 11, 19])
    assert fit["at_nought"] == pytest.approx(3) and fit["each"] == pytest.approx(2) and fit["r2"] == pytest.approx(1)
    assert script("scale").line([1], [5]) is None
    assert script("scale").line([0, 1, 2], [0, 3, 0])["r2"] == pytest.approx(0)


def test_ratios_are_taken_within_rounds(script, tmp_path):
    peers = script("peers")
    run = lambda wall, cpu: {"wall": wall, "cpu": cpu, "peak_mb": 10 * wall, "errors": 1, "words": 50}
    data = {"recording": "x.wav", "model": "base", "threads": 2, "baseline": "faster-whisper", "seconds": 60,
            "order": ["whisp", "faster-whisper"], "date": "", "machine": "",
            "rounds": [{"whisp": run(1, 2), "faster-whisper": run(4, 6)}, {"whisp": run(2, 2), "faster-whisper": run(6, 8)},
                       {"whisp": run(3, 2)}]}
    ours = peers.rows(data)[0]
    assert ours["wall_ratio"] == [4, 3] and ours["cpu_ratio"] == [3, 4] and ours["peak_mb"] == 30
    text = peers.markdown(data, "x.svg")
    assert "| whisp | 2.0 | 2.0 | 30.0 | 3.50 (3.00 to 4.00) | 3.50 (3.00 to 4.00) | 2.00 | 30 |" in text
    page = tmp_path / "page.md"
    page.write_text("before\n")
    peers.write_docs(str(page), "x-base", text)
    peers.write_docs(str(page), "y-base", "other\n")
    peers.write_docs(str(page), "x-base", "again\n")
    assert page.read_text().startswith("before\n\n<!-- bench/peers: x-base -->\nagain\n<!--")
    assert page.read_text().count("x-base") == 2 and "other" in page.read_text()
    assert peers.svg(data).count("<rect") == 3
