"""whisp-get: models by name from a host on this machine (hub.py) that answers as Hugging Face and OpenAI do, and in every
way in which a host can fail.

No machine that tests run on reaches the real hosts: what is asked of them, and that the answers mean what is taken out of
them, stands on their documentation.
"""
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="numpy is missing: `make check` installs it")
gguf = pytest.importorskip("gguf", reason="the gguf package is missing: `make check` installs it")

import hub as hubs  # noqa: E402
import invent  # noqa: E402
import make_formats as formats  # noqa: E402
import served  # noqa: E402

FINE, USAGE, NETWORK, MODEL, OUTPUT = 0, 2, 3, 4, 5
WEIGHTS = "model.safetensors"
TOKEN = "hf_invented0123456789"


@pytest.fixture(scope="module")
def invented(tmp_path_factory):
    """An invented model, as make_formats has it."""
    path = tmp_path_factory.mktemp("invented") / "invented.gguf"
    invent.write(str(path), name="invented")
    return formats.load(path)


@pytest.fixture(scope="module")
def repository(invented, tmp_path_factory):
    """The same as a folder of Hugging Face's."""
    return hubs.write_repository(invented, tmp_path_factory.mktemp("repository") / "files")


@pytest.fixture
def hub(repository):
    host = hubs.Hub()
    host.add("openai/whisper-tiny", repository)
    yield host
    host.close()


class Program:
    """whisp-get with a home of its own, that asks the hub."""

    def __init__(self, path, home, hub):
        self.path, self.home, self.hub = path, home, hub
        self.folder = home / ".cache" / "whisp"
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "HF_ENDPOINT": hub.url if hub else "http://127.0.0.1:9"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def start(self, *arguments, env=None, before=()):
        return subprocess.Popen([*before, self.path, *map(str, arguments)], env={**self.env, **(env or {})}, cwd=self.home,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __call__(self, *arguments, status=FINE, says=(), env=None, before=()):
        running = self.start(*arguments, env=env, before=before)
        out, err = running.communicate(timeout=120)
        assert running.returncode == status, (running.returncode, out, err)
        for text in [says] if isinstance(says, str) else says:
            assert text in err, err
        assert not TOKEN in out + err and "Signature" not in out + err
        if status not in (FINE, 130, 143):
            assert err.startswith("whisp-get: ") or "\nwhisp-get: " in err
        return out, err

    def model(self, name="tiny"):
        return self.folder / (name + ".gguf")

    def left(self):
        """What is in the folder beside models."""
        return sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("*")
                      if p.is_file() and not (p.parent == self.folder and p.suffix == ".gguf"))


@pytest.fixture
def get(build, tmp_path, hub):
    path = Path(os.environ.get("WHISP_GET") or build / "whisp-get").resolve()
    if not path.is_file():
        pytest.fail("no %s: run make" % path)
    (tmp_path / "home").mkdir()
    return Program(path, tmp_path / "home", hub)


def value(path, key):
    return formats.metadata(gguf.GGUFReader(path), key)


def assert_model(path, invented, kind="f16"):
    """The invented one, with numbers of that kind."""
    tensors = {t.name: t for t in gguf.GGUFReader(path).tensors}
    x = formats.floats(tensors["encoder.conv1.weight"])
    expected = invented.tensors["encoder.conv1.weight"]
    assert tensors["encoder.conv1.weight"].tensor_type.name.lower() == kind
    assert np.array_equal(x, expected.astype(np.float16) if kind == "f16" else expected)


# ---- what is asked for ----


def test_a_published_model(get, hub, repository, invented):
    out, _ = get("tiny")
    assert out == "%s: tiny from %s/openai/whisper-tiny %s (huggingface), f16\n" % (get.model(), hub.url, hubs.COMMIT)
    assert_model(get.model(), invented)
    assert value(get.model(), "general.name") == "tiny"
    assert value(get.model(), "whisper.source.sha256") == hubs.sha256((repository / WEIGHTS).read_bytes())
    assert value(get.model(), "whisper.source.url") == hub.url + "/openai/whisper-tiny"
    assert value(get.model(), "whisper.source.revision") == hubs.COMMIT
    assert get.left() == [] and all(r[2]["user-agent"].startswith("whisp-get/") for r in hub.requests)
    assert all(hubs.COMMIT in r[1] for r in hub.requests if "/resolve/" in r[1] or "/tree/" in r[1])
    n = len(hub.requests)
    out, err = get("tiny")
    assert out == "%s: is there\n" % get.model() and err == "" and len(hub.requests) == n


def test_what_is_there_is_made_anew_where_it_does_not_do(get, hub):
    get("tiny")
    n = len(hub.requests)
    get("tiny", "--type", "q8_0", says="is there, but not as q8_0")
    assert value(get.model(), "general.file_type") == 7
    get("tiny", "--type", "q8_0")
    assert len(hub.requests) == n
    get("tiny", "--type", "f16", says="fetching it again, because it does not have all")
    assert len(hub.requests) > n and value(get.model(), "general.file_type") == 1
    n = len(hub.requests)
    get("tiny", "--again")
    assert len(hub.requests) > n and value(get.model(), "general.file_type") == 1
    get.model().write_bytes(get.model().read_bytes()[:100000])
    get("tiny", says="fetching it again")
    assert get.model().stat().st_size > 1000000


def test_another_type_of_what_is_there(get, hub, invented, tmp_path):
    """Of float16, which OpenAI published, and of float32 the other types are the bytes that a download gives; nothing is
    asked of anybody."""
    hub.add("openai/whisper-tiny", hubs.write_repository(invented, tmp_path / "f16", kind="f16"))
    hub.add("me/mine", hubs.write_repository(invented, tmp_path / "f32", kind="f32"))
    expected = {}
    for name in ("tiny", "me/mine"):
        for kind in ("int8", "q8_0", "f32"):
            get(name, "--type", kind, "--model_dir", tmp_path / kind)
            expected[name, kind] = (tmp_path / kind / (name.replace("/", "--") + ".gguf")).read_bytes()
    get("tiny")
    get("me/mine")
    hub.requests.clear()
    for name in ("tiny", "me/mine"):
        own = get.model(name.replace("/", "--"))
        for kind in ("int8", "q8_0", "f32"):
            out, _ = get(name, "--type", kind, "--name", kind)
            assert out == "%s: %s from %s (gguf), %s\n" % (get.model(kind), name, own, kind)
            assert get.model(kind).read_bytes() == expected[name, kind]
            assert "is there" in get(name, "--type", kind, "--name", kind)[0]
            get("--remove", kind)
        before = own.read_bytes()
        out, err = get(name, "--type", "int8", says="making it anew of what is there")
        assert own.read_bytes() == expected[name, "int8"] and before != own.read_bytes()
    assert hub.requests == [] and get.left() == []
    get("me/mine", "--type", "f32", says="fetching it again")
    assert hub.requests and get.model("me--mine").read_bytes() == expected["me/mine", "f32"]
    # a fine-tune's float16 may be less than what is published
    get("me/mine", "--type", "f16")
    hub.requests.clear()
    get("me/mine", "--type", "int8", says="fetching it again")
    assert hub.requests and get.model("me--mine").read_bytes() == expected["me/mine", "int8"]
    hub.requests.clear()
    get("me/mine", "--type", "q8_0", "--name", "again")
    get("me/mine", "--type", "f32", "--name", "f32", "--revision", "v1")
    assert len(hub.asked("/revision/main")) == 1 and len(hub.asked("/revision/v1")) == 1
    get("me/mine", "--type", "int8", "--name", "f32", "--again")
    assert len(hub.asked("/revision/main")) == 2


def test_what_is_there_is_of_somebody_else(get, hub, repository):
    """Another repository's model, or another commit of this one's, is not taken for what is asked for."""
    for name in ("alice/small", "bob/small"):
        hub.add(name, repository)
    get("alice/small", "--name", "mine")
    assert get("alice/small", "--name", "mine")[0] == "%s: is there\n" % get.model("mine")
    before = get.model("mine").read_bytes()
    get("bob/small", "--name", "mine", status=USAGE, says=["made of %s/alice/small" % hub.url, "--again puts it"])
    get("small", "--name", "mine", status=USAGE, says="made of")
    get("%s/%s/mine.pt" % (hub.url, "0" * 64), status=USAGE, says="made of")
    assert get.model("mine").read_bytes() == before and get.left() == []
    for revision in ("v1", hubs.COMMIT):
        hub.requests.clear()
        assert "is there" in get("alice/small", "--name", "mine", "--revision", revision)[0]
        assert [r[1].split("/")[-1] for r in hub.requests[:1]] == ([] if revision == hubs.COMMIT else ["v1"])
    hub.fault("/revision/v2", answers({"sha": "f" * 40}))
    get("alice/small", "--name", "mine", "--revision", "v2", status=NETWORK)
    assert hub.asked("/resolve/%s/%s" % ("f" * 40, WEIGHTS))
    hub.requests.clear()
    get("bob/small", "--name", "mine", "--again")
    assert value(get.model("mine"), "whisper.source.url") == hub.url + "/bob/small"


def test_a_connection_that_breaks_at_every_quarter(get, hub, repository):
    whole = (repository / WEIGHTS).read_bytes()
    for part in (0.25, 0.5, 0.75):
        hub.requests.clear()
        hub.fault("lfs/openai/whisper-tiny/" + WEIGHTS, hubs.cut(part), 1)
        get("tiny", "--again", says=["broke off", "again in"])
        ranges = [r[2].get("range") for r in hub.asked(WEIGHTS, "cdn")]
        assert ranges == [None, "bytes=%d-" % int(len(whole) * part)]
        assert value(get.model(), "whisper.source.sha256") == hubs.sha256(whole)


def test_every_published_name(get, hub, repository):
    """What each is asked for as; "large" and "large-v3-turbo" are other names of two."""
    listed = get("--list")[0]
    names = {line.split()[0]: line.split()[3] for line in listed.split("\n\n")[0].splitlines()[1:]}
    assert {size + end for size in ("tiny", "base", "small", "medium") for end in ("", ".en")} < set(names)
    assert {"large-v1", "large-v2", "large-v3", "turbo", "distil-large-v3", "distil-large-v3.5"} < set(names)
    assert names["large-v1"] == "openai/whisper-large" and names["turbo"] == "openai/whisper-large-v3-turbo"
    assert names["distil-large-v3.5"] == "distil-whisper/distil-large-v3.5"
    for name, where in {**names, "large": "openai/whisper-large-v3", "large-v3-turbo": names["turbo"]}.items():
        hub.requests.clear()
        get(name, "--again", status=NETWORK if where not in hub.repositories else FINE)
        assert hub.requests[0][1] == "/api/models/%s/revision/main" % where
    hub.add("openai/whisper-large-v3", repository)
    assert "/large-v3.gguf: large-v3 from" in get("large")[0]
    assert "openai/whisper-large-v3  (there)" in get("--list")[0]


def test_a_fine_tune(get, hub, repository, invented, build, noise_wav):
    hub.add("some-one/whisper_of.mine", repository)
    out, _ = get("some-one/whisper_of.mine", "--revision", "v1")
    path = get.model("some-one--whisper_of.mine")
    assert out.startswith("%s: some-one/whisper_of.mine from" % path) and hub.asked("/revision/v1")
    assert value(path, "general.name") == "some-one/whisper_of.mine"
    for name in ("some-one/whisper_of.mine", "some-one--whisper_of.mine"):
        heard = subprocess.run([(build / "whisp").resolve(), "--model", name, "--sample_len", "4", "--temperature", "0",
                                "--temperature_increment_on_fallback", "None", noise_wav, "-f", "txt"], env=get.env, cwd=get.home,
                               capture_output=True, text=True, timeout=120)
        assert heard.returncode == FINE, heard.stderr
    get("--remove", "some-one/whisper_of.mine")
    assert not path.exists()
    get("--remove", "some-one/whisper_of.mine", status=MODEL, says="is not there")


@pytest.mark.parametrize("form", ["shards", "bin", "ct2", "float32"])
def test_other_forms(get, hub, invented, tmp_path, form):
    folder = tmp_path / "files"
    if form == "shards":
        hubs.write_repository(invented, folder, shards=3)
    elif form == "float32":
        hubs.write_repository(invented, folder, kind="f32")
    elif form == "bin":
        hubs.write_repository(invented, folder)
        (folder / WEIGHTS).unlink()
        formats.write_pt(invented, folder / "pytorch_model.bin")
    else:
        formats.write_ct2(invented, folder)
    hub.add("a/b", folder)
    get("a/b", "--name", "mine")
    assert_model(get.model("mine"), invented, "f32" if form == "float32" else "f16")
    assert value(get.model("mine"), "whisper.source.format") == ("ctranslate2" if form == "ct2" else "huggingface")
    assert get.left() == []
    get("a/b", "--type", "int8")
    assert value(get.model("a--b"), "general.file_type") == 1024


def tokens_of(path):
    """All tokens of a model. (The gguf package takes seconds to open a file with so many.)"""
    data = Path(path).read_bytes()
    at = data.index(b"tokenizer.ggml.tokens") + len(b"tokenizer.ggml.tokens") + 8  # the array's type and its elements'
    n, = struct.unpack_from("<Q", data, at)
    tokens, at = [], at + 8
    for _ in range(n):
        length, = struct.unpack_from("<Q", data, at)
        tokens.append(data[at + 8:at + 8 + length].decode())
        at += 8 + length
    return tokens


def info(build, path):
    """Metadata by whisp-convert --info: text by key."""
    done = subprocess.run([build / "whisp-convert", "--info", path], capture_output=True, text=True, check=True, timeout=60)
    return {line[:40].strip(): line[41:] for line in done.stdout.splitlines()}


@pytest.fixture(scope="module")
def openais(tmp_path_factory, real_model, invented):
    """The invented model with OpenAI's English vocabulary, (as make_formats has it, its .pt, the vocabulary's file)."""
    folder = tmp_path_factory.mktemp("openai")
    tokens = tokens_of(real_model("tiny.en"))
    embedding = np.random.default_rng(1).standard_normal((len(tokens), 64), np.float32)
    model = formats.Model({**invented.dims, "n_vocab": len(tokens)},
                          {**invented.tensors, "decoder.token_embedding.weight": embedding}, tokens, 50256, None)
    formats.write_pt(model, folder / "x.pt")
    formats.write_tiktoken(model, folder / "x.tiktoken")
    return model, (folder / "x.pt").read_bytes(), (folder / "x.tiktoken").read_bytes()


ASSETS = "/openai/whisper/c0d2f624c09dc18e709e37c2ad90c039a4eb72a2/whisper/assets/"


def test_openais_files(get, hub, openais, build):
    """A .pt whose address carries its hash, as OpenAI's do, and the vocabulary that is not in it."""
    model, pt, tiktoken = openais
    where = "/main/whisper/models/%s/mine.en.pt" % hubs.sha256(pt)
    hub.paths.update({where: pt, ASSETS + "gpt2.tiktoken": tiktoken})
    out, _ = get(hub.url + where, "--mirror", hub.url)
    path = get.model("mine.en")
    assert out == "%s: mine.en from %s%s (openai-pt), f16\n" % (path, hub.url, where)
    told = info(build, path)
    assert told["whisper.source.sha256"] == '"%s"' % hubs.sha256(pt) and told["whisper.source.url"] == '"%s%s"' % (hub.url, where)
    assert "whisper.source.revision" not in told and tokens_of(path) == model.tokens
    # the connection breaks, and nobody says how long it is
    hub.fault("mine.en.pt", hubs.cut(0.3), 1)
    hub.fault("gpt2.tiktoken", hubs.cut(0.3), 1)
    get(hub.url + where, "--mirror", hub.url, "--again", says="broke off")
    assert hub.asked("mine.en.pt")[-1][2]["range"] == "bytes=%d-" % int(0.3 * len(pt))
    hub.fault("mine.en.pt", hubs.without_length(), 1)
    get(hub.url + where, "--mirror", hub.url, "--again")
    # what is not it
    hub.fault("mine.en.pt", hubs.page, 1)
    get(hub.url + where, "--mirror", hub.url, "--again", status=NETWORK, says="text/html")
    hub.fault("mine.en.pt", hubs.without_length(more=b"x"), 1)
    get(hub.url + where, "--mirror", hub.url, "--again", status=MODEL, says="its SHA-256 is")
    hub.fault("gpt2.tiktoken", hubs.other(tiktoken[:-1] + b" "), 1)
    get(hub.url + where, "--mirror", hub.url, "--again", status=MODEL, says="gpt2.tiktoken: its SHA-256 is")
    for wrong in (where[:-15] + "x" + where[-15:], where[:-3], "/x.pt", "/" + "g" * 64 + "/x.pt", "/%s/x.pt?a" % ("0" * 63)):
        get(hub.url + wrong, "--name", "other", status=USAGE, says=": ")
    assert path.is_file() and [name for name in get.left() if name.endswith(".part")] == []


def test_a_fine_tune_without_its_tokenizer(get, hub, openais, tmp_path):
    model, _, tiktoken = openais
    hubs.write_repository(model, tmp_path / "files")
    files = hub.add("a/b", tmp_path / "files")
    del files["tokenizer.json"]
    hub.paths[ASSETS + "gpt2.tiktoken"] = tiktoken
    get("a/b", "--mirror", hub.url)
    assert tokens_of(get.model("a--b")) == model.tokens


def test_openais_published_ones_are_pinned(get, hub):
    where = "65147644a518d12f04e32d6f3b26facc3f8dd46e5390956a9424a650c0ce22b9/tiny.pt"
    hub.paths["/main/whisper/models/" + where] = b"PK\3\4 something else"
    _, err = get("tiny", "--source", "openai", "--mirror", hub.url, status=MODEL, says="not " + where[:64])
    assert hub.requests[0][1] == "/main/whisper/models/" + where and get.left() == []
    get("distil-large-v3", "--source", "openai", "--mirror", hub.url, status=USAGE, says="OpenAI does not have it")
    get("a/b", "--source", "openai", "--mirror", hub.url, status=USAGE, says="OpenAI does not have it")


# ---- how a host fails ----


@pytest.mark.parametrize("part", [0.0, 0.25, 0.5, 0.75, 0.999])
def test_killed_at_every_quarter(get, hub, repository, part):
    """The next run goes on from the bytes that are there, with a connection that stays open and brings nothing."""
    whole = (repository / WEIGHTS).read_bytes()
    hub.fault("lfs/openai/whisper-tiny/" + WEIGHTS, hubs.stall(part, 20), 1)
    running = get.start("tiny")
    part_file = get.folder / ".get" / ("tiny@" + hubs.COMMIT[:12]) / (WEIGHTS + ".part")
    have = int(len(whole) * part)
    wait_until(lambda: hub.asked(WEIGHTS, "cdn") and part_file.is_file() and part_file.stat().st_size == have)
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    assert not get.model().exists()
    get("tiny", says="of it are there" if part else ())
    assert hub.asked(WEIGHTS, "cdn")[-1][2].get("range") == ("bytes=%d-" % have if have else None)
    assert value(get.model(), "whisper.source.sha256") == hubs.sha256(whole) and get.left() == []


def wait_until(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("number, status, before", [(signal.SIGINT, 130, "fetch"), (signal.SIGTERM, 143, "fetch"),
                                                    (signal.SIGINT, 130, "wait")])
def test_signals(get, hub, number, status, before):
    hub.fault("lfs/openai/whisper-tiny/" + WEIGHTS, hubs.stall(0.5, 20), 1)
    running = other = get.start("tiny")
    part_file = get.folder / ".get" / ("tiny@" + hubs.COMMIT[:12]) / (WEIGHTS + ".part")
    wait_until(lambda: part_file.is_file() and part_file.stat().st_size > 500000)
    if before == "wait":  # for the lock
        other = get.start("tiny")
        assert "waiting for it" in other.stderr.readline()
    os.kill(other.pid, number)
    _, err = other.communicate(timeout=60)
    assert other.returncode == status and err.endswith("whisp-get: interrupted\n")
    if before == "wait":
        assert running.poll() is None
        os.kill(running.pid, number)
        running.communicate(timeout=60)
    assert not get.model().exists() and part_file.is_file()
    get("tiny", says="of it are there")


def test_two_at_once(get, hub):
    """One fetches, the others wait and find it there."""
    hub.fault("lfs/openai/whisper-tiny/" + WEIGHTS, hubs.stall(0.5, 1), 1)
    runs = [get.start("tiny", "--timeout", "30") for _ in range(4)]
    outs = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [FINE] * 4, outs
    assert sum("is there" in out for out, _ in outs) == 3 and sum("waiting for it" in err for _, err in outs) == 3
    assert len({r[2].get("range") for r in hub.asked(WEIGHTS, "cdn")}) == len(hub.asked(WEIGHTS, "cdn")) == 2
    assert get.left() == []


def test_a_host_without_ranges(get, hub):
    hub.fault("lfs/openai/whisper-tiny/" + WEIGHTS, hubs.cut(0.5), 1)
    get("tiny", "--tries", "1", status=NETWORK, says=["broke off", "goes on from there"])
    hub.fault("lfs/openai/whisper-tiny/" + WEIGHTS, hubs.all_of_it, 1)
    get("tiny")
    assert hub.asked(WEIGHTS, "cdn")[-1][2]["range"]


def test_a_host_that_never_gets_further(get, hub):
    hub.fault("lfs/openai/whisper-tiny/" + WEIGHTS, lambda exchange, body, first: hubs.cut(0.5)(exchange, body, 0))
    get("tiny", "--tries", "3", status=NETWORK)
    assert len(hub.asked(WEIGHTS, "cdn")) <= 4


def test_a_host_that_stalls(get, hub):
    hub.fault("lfs/openai/whisper-tiny/" + WEIGHTS, hubs.stall(0.5, 30), 1)
    get("tiny", "--timeout", "1", says="broke off")


def test_a_host_that_trickles(get, hub):
    """Two bytes a second, or one a connection: not forever."""
    at = "lfs/openai/whisper-tiny/" + WEIGHTS

    def trickle(exchange, body, first):
        hubs.head_of(exchange, body, first)
        for i in range(first, first + 120):
            exchange.wfile.write(body[i:i + 1])
            exchange.wfile.flush()
            time.sleep(0.5)
        return True

    def one_byte(exchange, body, first):
        hubs.head_of(exchange, body, first)
        exchange.wfile.write(body[first:first + 1])
        exchange.wfile.flush()
        exchange.connection.shutdown(socket.SHUT_RDWR)
        return True

    def one_byte_an_answer(exchange, body, first):
        exchange.head(206, 1, Content_Range="bytes %d-%d/%d" % (first, first, len(body)))
        exchange.wfile.write(body[first:first + 1])
        return True

    for fault, says in ((trickle, "Less than 1000 bytes/sec"), (one_byte, "broke off"), (one_byte_an_answer, "has only 1000 of its")):
        hub.requests.clear()
        hub.fault(at, fault)
        get("tiny", "--timeout", "2", "--tries", "2", status=NETWORK, says=says)
        assert len(hub.asked(WEIGHTS, "cdn")) <= (1000 if fault is one_byte_an_answer else 3)
        get("--remove", "tiny")


def test_a_checkpoint_of_no_length_without_end(get, hub):
    """More than OpenAI's tiny can have, told nowhere, is not written until the disk is full."""
    sent = []

    def endless(exchange, _body, first):
        exchange.send_response(200)
        exchange.send_header("Transfer-Encoding", "chunked")
        exchange.end_headers()
        piece = b"%x\r\n%s\r\n" % (1 << 20, bytes(1 << 20))
        while len(sent) < 2000:
            exchange.wfile.write(piece)
            sent.append(1)
        return True

    hub.fault("/tiny.pt", endless)
    get("tiny", "--source", "openai", "--mirror", hub.url, status=NETWORK, says="more than 114277216 bytes, which no such model")
    assert len(sent) < 200 and get.left() == []

    def large(exchange, _body, _first):
        exchange.head(200, 2 << 30)
        exchange.wfile.write(b"x")
        return True

    hub.fault("/tiny.pt", large)
    get("tiny", "--source", "openai", "--mirror", hub.url, status=NETWORK, says="2147483648 bytes, which no such model")
    # of anybody's, as much as there is room for it and for the model
    place = get.home / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "none", place], capture_output=True).returncode != 0:
        pytest.skip("a small disk cannot be mounted here: not root")
    try:
        hub.fault("/x.pt", endless)
        sent.clear()
        get("%s/%s/x.pt" % (hub.url, "0" * 64), "--model_dir", place, status=OUTPUT, says="are needed for it")
        assert len(sent) < 150 and not list(place.rglob("*.part"))
    finally:
        subprocess.run(["umount", place], check=True)


def test_what_is_no_file_of_the_repository(get, hub, repository):
    """More than was said, less, something else, compressed, or other bytes."""
    whole, at = (repository / WEIGHTS).read_bytes(), "lfs/openai/whisper-tiny/" + WEIGHTS
    for fault, status, says in [
            (hubs.page, NETWORK, "sends something else (text/html"),
            (hubs.other(whole + b"more"), NETWORK, "sends something else"),
            (hubs.without_length(more=b"more"), NETWORK, "sends more than it has bytes"),
            (hubs.without_length(upto=100000), NETWORK, "has only 100000 of its"),
            (hubs.compressed, NETWORK, "sends it compressed (gzip)"),
            (hubs.other(whole[:-1] + b"!"), MODEL, "its SHA-256 is"),
            (hubs.other(bytes(len(whole))), MODEL, "its SHA-256 is")]:
        hub.fault(at, fault)
        get("tiny", status=status, says=says)
        assert not get.model().exists()
        get("--remove", "tiny")
        assert get.left() == []
    hub.faults.clear()
    hub.fault("/config.json", hubs.other((repository / "config.json").read_bytes()[:-1] + b" "))
    get("tiny", status=MODEL, says="config.json: its SHA-1 (git's) is")
    hub.faults.clear()
    n = len(hub.asked(WEIGHTS, "cdn"))
    get("tiny")  # what was right has stayed
    assert len(hub.asked(WEIGHTS, "cdn")) == n
    get("--remove", "tiny")
    hub.fault(at, hubs.without_length())
    get("tiny")
    # another part than was asked for, and a range behind the end
    for n, fault in enumerate([lambda x, body, first: x.send(body, first + 7) or True, hubs.status(416)]):
        hub.faults.clear()
        hub.fault(at, hubs.cut(0.5), 1)
        get("tiny", "--again", "--tries", "1", status=NETWORK)
        hub.fault(at, fault, 1)
        get("tiny", "--again", status=NETWORK if n == 0 else FINE, says="another part" if n == 0 else ())


def test_statuses(get, hub):
    at = "lfs/openai/whisper-tiny/" + WEIGHTS
    for code, says in [(401, "put a token of yours into $HF_TOKEN"), (403, "put a token"), (404, "is the name right"),
                       (410, "is the name right"), (418, "answers with status 418"), (304, "answers with status 304")]:
        for ending in (at, "/revision/main"):
            hub.faults.clear()
            hub.fault(ending, hubs.status(code))
            n = len(hub.requests)
            get("tiny", status=NETWORK, says=says)
            assert len([r for r in hub.requests[n:] if r[1].endswith(ending)]) == 1
    for code in (429, 503, 500, 502, 504, 408):
        hub.faults.clear()
        hub.fault(at, hubs.status(code), 1)
        get("tiny", "--again", says="(status %d); again in 0.5 s" % code)
    hub.faults.clear()
    hub.fault("/revision/main", hubs.status(429, Retry_After="2"), 1)
    started = time.monotonic()
    get("tiny", "--again", says="has been asked too often (status 429); again in 2 s")
    assert time.monotonic() - started >= 2  # it is what the host asks for, not a speed
    hub.fault("/revision/main", hubs.status(429, Retry_After="86400"))
    get("tiny", "--again", status=NETWORK, says="wants to be left alone for 86400 s")
    hub.fault("/revision/main", hubs.status(503))
    n = len(hub.requests)
    get("tiny", "--again", "--tries", "2", status=NETWORK, says="has a fault (status 503)")
    assert len(hub.requests) == n + 2


def test_a_host_that_is_not_there(get):
    get("tiny", env={"HF_ENDPOINT": "http://127.0.0.1:9"}, status=NETWORK, says=["127.0.0.1:9 cannot be reached", "--mirror URL"])
    get("tiny", env={"HF_ENDPOINT": "http://nobody.invalid"}, status=NETWORK, says="nobody.invalid cannot be reached")
    get("tiny", "--mirror", "ftp://x", status=USAGE, says="--mirror begins with")
    get("tiny", env={"HF_ENDPOINT": "file:///etc"}, status=NETWORK, says="an address that cannot be fetched")


# ---- who may know what ----


def test_the_token_goes_to_its_host_only(get, hub, repository):
    hub.token = TOKEN
    get("tiny", status=NETWORK, says="put a token of yours into $HF_TOKEN")
    get("tiny", env={"HF_TOKEN": "hf_another"}, status=NETWORK, says="refuses what $HF_TOKEN stands for")
    hub.requests.clear()
    get("tiny", env={"HF_TOKEN": " %s\n" % TOKEN})
    assert {r[2].get("authorization") for r in hub.requests if r[0] == "hub"} == {"Bearer " + TOKEN}
    assert [r[2].get("authorization") for r in hub.requests if r[0] == "cdn"] == [None]
    # OpenAI's host, or what stands for it, never
    hub.requests.clear()
    get("tiny", "--again", "--source", "openai", "--mirror", hub.url, env={"HF_TOKEN": TOKEN}, status=NETWORK)
    assert hub.requests and not any("authorization" in r[2] for r in hub.requests)
    # not even after a repository of Hugging Face's in the same run
    hub.requests.clear()
    get("tiny", "%s/%s/x.pt" % (hub.url, "0" * 64), "--again", env={"HF_TOKEN": TOKEN}, status=NETWORK)
    assert [r[2].get("authorization") for r in hub.asked("x.pt")] == [None]
    for bad in ("two words", "a\r\nX-Evil: 1", "\u00e4"):
        get("tiny", "--again", env={"HF_TOKEN": bad}, status=USAGE, says="$HF_TOKEN holds characters")


def test_no_token_without_encryption(get, hub):
    """To another machine than this one: a proxy stands for it here."""
    get("tiny", env={"HF_TOKEN": TOKEN, "HF_ENDPOINT": "http://models.invalid", "http_proxy": hub.url},
        says="is not encrypted: $HF_TOKEN is not sent there")
    assert len(hub.requests) > 3 and not any("authorization" in r[2] for r in hub.requests)


def test_a_proxy(get, hub):
    """As curl has it: from the environment, and not for hosts that are excepted."""
    proxied = {"HF_ENDPOINT": "http://models.invalid", "http_proxy": hub.url}
    get("tiny", env=proxied)
    assert hub.requests[0][3] == "http://models.invalid/api/models/openai/whisper-tiny/revision/main"
    get("tiny", "--again", env={**proxied, "no_proxy": "models.invalid"}, status=NETWORK, says="cannot be reached")
    get("tiny", "--again", env={**proxied, "http_proxy": "http://127.0.0.1:9"}, status=NETWORK, says="cannot be reached")


def test_a_token_takes_no_proxy_unencrypted(get, hub):
    """One that goes to this machine over http could be read there."""
    hub.token, hub.large = TOKEN, lambda name: False
    get("tiny", env={"HF_TOKEN": TOKEN, "http_proxy": "http://127.0.0.1:9"})
    assert {r[2].get("authorization") for r in hub.requests} == {"Bearer " + TOKEN}


def test_a_password_in_an_address_is_not_told(get, hub):
    where = hub.url.replace("//", "//me:pass-word@")
    out, err = get("tiny", "--mirror", where)
    assert hub.requests[0][2]["authorization"].startswith("Basic ")
    assert "pass-word" not in out + err + value(get.model(), "whisper.source.url")
    hub.fault("/revision/main", hubs.page)
    _, err = get("tiny", "--again", "--mirror", where, status=NETWORK, says="does not answer as Hugging Face does")
    assert "pass-word" not in err


def test_redirects(get, hub, repository):
    at = "/resolve/%s/%s" % (hubs.COMMIT, WEIGHTS)
    hub.fault(at, hubs.redirect("/lfs/openai/whisper-tiny/" + WEIGHTS + "?x"), 1)  # relative; the hub has no such path
    get("tiny", status=NETWORK, says="status 40")
    hub.fault(at, hubs.redirect(hub.url + "/openai/whisper-tiny" + at))
    n = len(hub.asked(at))
    get("tiny", status=NETWORK, says="sends on from address to address")
    assert len(hub.asked(at)) - n == 9
    for address in ("file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1:9/x"):
        hub.fault(at, hubs.redirect(address))
        get("tiny", status=NETWORK, says="an address that cannot be fetched")
    hub.fault(at, hubs.redirect(hub.cdn + "/" + "x" * 5000))
    get("tiny", status=NETWORK, says="an address that is too long")


@pytest.fixture
def secure(tmp_path, repository):
    certificate = hubs.certificate(tmp_path)
    if not certificate:
        pytest.skip("no openssl")
    host = hubs.Hub(certificate)
    host.add("openai/whisper-tiny", repository)
    yield host, certificate[0]
    host.close()


def test_https(get, secure, hub):
    host, certificate = secure
    trusting = {"HF_ENDPOINT": host.url, "SSL_CERT_FILE": str(certificate)}
    get("tiny", env={"HF_ENDPOINT": host.url}, status=NETWORK, says=["cannot prove who it is", "$SSL_CERT_FILE"])
    get("tiny", env={**trusting, "SSL_CERT_FILE": "/nowhere"}, status=NETWORK, says="cannot prove who it is")
    host.token = TOKEN
    get("tiny", env={**trusting, "HF_TOKEN": TOKEN})
    assert value(get.model(), "whisper.source.url").startswith("https://127.0.0.1:")
    get("tiny", "--again", env={"HF_ENDPOINT": host.url, "CURL_CA_BUNDLE": str(certificate), "HF_TOKEN": TOKEN})
    # never on to what is not encrypted
    host.fault("/" + WEIGHTS, hubs.redirect(hub.cdn + "/lfs/openai/whisper-tiny/" + WEIGHTS))
    get("tiny", "--again", env={**trusting, "HF_TOKEN": TOKEN}, status=NETWORK, says="an address that cannot be fetched")
    assert hub.requests == []


# ---- what a hostile host may say ----


def answers(text):
    return hubs.other(text if isinstance(text, bytes) else json.dumps(text).encode())


NO_NAMES = ["../../x", "a/../b", "/etc/passwd", "a/b/c", "a b/c", "a/b?c", "a/b#c", "a/%2e%2e", ".a/b", "a/.b", "a--b/c", "a/b..c",
            "-a/b", "a/", "/b", "", "a\nb/c", "a/b.gguf", "nonesuch", "a" * 97 + "/b", "http:/x", "a\\b/c", "\u00e4/b"]


def test_names_that_are_none(get, hub):
    for name in NO_NAMES:
        get("--", name, status=USAGE, says="no published model is called so")
        get("--remove", "--", name, status=MODEL if name == "nonesuch" else USAGE)
    for name in ["../x", "a/b", ".x", "-x", "", "a b", "x" * 300, "a\n"]:
        get("tiny", "--name=" + name, status=USAGE, says="--name is of letters")
    assert hub.requests == []


def test_hostile_documents(get, hub, repository):
    entry, tree = hub.entry(WEIGHTS, b"x"), "/tree/" + hubs.COMMIT
    unstated = "does not state size and hash"
    for ending, answer, status, says in [
            ("/revision/main", {"sha": "../../../x"}, NETWORK, "does not say which commit main is"),
            ("/revision/main", {"sha": 5}, NETWORK, "does not say which commit"),
            ("/revision/main", {}, NETWORK, "does not say which commit"),
            ("/revision/main", [], NETWORK, "does not say which commit"),
            ("/revision/main", b"", NETWORK, "does not answer as Hugging Face does"),
            ("/revision/main", b"{", NETWORK, "does not answer as Hugging Face does"),
            ("/revision/main", b"[" * 100000, NETWORK, "does not answer as Hugging Face does"),
            ("/revision/main", b'{"x": [%s1]}' % (b"[]," * 2000000), NETWORK, "does not answer"),
            ("/revision/main", b" " * 9000000, NETWORK, "answers with more than"),
            (tree, {}, NETWORK, "does not list its files"),
            (tree, [5, None, {"type": "file"}, {"type": 3, "path": WEIGHTS}], MODEL, "has no weights"),
            (tree, [{**entry, "path": p} for p in ("../" + WEIGHTS, "/" + WEIGHTS, "a/" + WEIGHTS, ".x")], MODEL, "has no weights"),
            (tree, [{**entry, "lfs": {"oid": "0" * 63, "size": 1}}], NETWORK, unstated),
            (tree, [{**entry, "lfs": {"oid": "../" * 21 + "x", "size": 1}}], NETWORK, unstated),
            (tree, [{**entry, "lfs": {"oid": "0" * 64, "size": -1}}], NETWORK, unstated),
            (tree, [{**entry, "lfs": {"oid": "0" * 64, "size": 2**63 - 1}}], NETWORK, unstated),
            (tree, [{**entry, "lfs": {"oid": "0" * 64, "size": "9"}, "size": None}], NETWORK, unstated),
            (tree, [{"type": "file", "path": WEIGHTS, "size": 9}], NETWORK, unstated),
            (tree, [hub.entry("x%d" % i, b"") for i in range(20001)], NETWORK, "more than 20000 files"),
            (tree, [entry], MODEL, "has no config.json"),
            (tree, [entry, {**hub.entry("config.json", b""), "size": 2**33}], MODEL, "which no model's has")]:
        hub.faults.clear()
        hub.fault(ending, answers(answer))
        get("tiny", status=status, says=says)
    hub.faults.clear()
    hub.add("a/b", **{"adapter_config.json": b"{}", "adapter_model.safetensors": b"x"})
    get("a/b", status=MODEL, says="a LoRA adapter")
    assert get.left() == []


def test_hostile_indexes(get, hub):
    for weights, says in [({"x": "../x"}, "not in the repository: ../x"), ({"x": "/etc/passwd"}, "not in the repository"),
                          ({"x": "nothere.safetensors"}, "not in the repository"), ({"x": 5}, "not in the repository"),
                          ({"x": "a\nb"}, "not in the repository: a?b"), ({}, "names no files"), (None, "names no files"),
                          ([1], "names no files")]:
        files = {"config.json": b"{}", "model.safetensors.index.json": json.dumps({"weight_map": weights}).encode()}
        hub.add("a/b", **files)
        get("a/b", status=MODEL, says=says)
    assert get.left() == []


def test_lists_of_several_pages(get, hub):
    whole, where, last = hub.tree("openai/whisper-tiny"), hub.url, 2

    def paged(exchange, _body, _first):
        page = int(exchange.path.split("page=")[1]) if "page=" in exchange.path else 0
        link = {"Link": '<%s%s?page=%d>; rel="next"' % (where, exchange.path.split("?")[0], page + 1)} if page < last else {}
        exchange.send(json.dumps(whole[page::last + 1]).encode(), **link)
        return True

    hub.fault("/tree/" + hubs.COMMIT, paged)
    get("tiny")
    where, last = hub.cdn, 1
    get("tiny", "--again", status=NETWORK, says="is said to be on another host")
    where, last = hub.url, 10**6
    get("tiny", "--again", status=NETWORK, says="has no end")


def test_a_repository_that_is_no_whisper(get, hub, repository):
    files = hub.add("a/b", repository)
    files["config.json"] = files["config.json"].replace(b'"whisper"', b'"bert"')
    get("a/b", status=MODEL, says="a model of the type bert")
    assert get.left() == [] and not get.model("a--b").exists()


# ---- the folder ----


def test_space_is_asked_before(get, hub):
    large = {**hub.entry(WEIGHTS, b"x"), "lfs": {"oid": "0" * 64, "size": 2**40}}
    hub.fault("/tree/" + hubs.COMMIT, answers([large, hub.entry("config.json", b"")]))
    get("tiny", status=OUTPUT, says=["2.2 TB are needed for it", "--model_dir names another"])
    assert not hub.asked(WEIGHTS)

    def claim(exchange, _body, _first):
        exchange.head(200, 2**40)
        exchange.wfile.write(b"x")
        return True

    hub.fault("/x.pt", claim)
    get("%s/%s/x.pt" % (hub.url, "0" * 64), status=OUTPUT, says="2.2 TB are needed")


def test_a_full_disk(get, hub, build):
    """From some write() on there is no room; later there is, and it goes on."""
    tracer = (build / "test" / "faultcalls").resolve()
    if not tracer.is_file():
        pytest.skip("no faultcalls: make check-programs builds it")
    get("tiny", "-q")
    first = get.model().read_bytes()
    for at in (1, 4, 10, 30, 60, 100):
        get.model().unlink()
        running = get.start("tiny", "-q", before=[tracer, "write", "%d+" % at, "28", get.home / "count"],
                            env={"ASAN_OPTIONS": "detect_leaks=0"})  # who is traced cannot look for leaks
        _, err = running.communicate(timeout=120)
        assert running.returncode == OUTPUT, (at, err)
        assert not get.model().exists() or get.model().read_bytes() == first
        get("tiny", "-q")
        assert get.model().read_bytes() == first and get.left() == []


def test_a_folder_that_cannot_be_written(get, hub, tmp_path):
    (tmp_path / "file").write_text("x")
    get("tiny", "--model_dir", tmp_path / "file", status=OUTPUT, says="cannot be made")
    get("tiny", "--model_dir", tmp_path / "file" / "below", status=OUTPUT, says=["cannot be made", "--model_dir"])
    get("tiny", "--model_dir", "/proc/nowhere", status=OUTPUT, says="cannot be made")
    get("tiny", env={"HOME": ""}, status=USAGE, says="give --model_dir")
    assert hub.requests == []
    if os.geteuid() != 0:
        (tmp_path / "shut").mkdir(mode=0o500)
        get("tiny", "--model_dir", tmp_path / "shut", status=OUTPUT, says="cannot be")


def test_other_folders(get, hub, tmp_path):
    get("tiny", "--model_dir", tmp_path / "new" / "folder", "-q")
    assert (tmp_path / "new" / "folder" / "tiny.gguf").is_file()
    xdg = {"XDG_CACHE_HOME": str(tmp_path / "xdg")}
    get("tiny", env=xdg)
    assert (tmp_path / "xdg" / "whisp" / "tiny.gguf").is_file() and not get.folder.exists()
    assert "tiny.gguf" in get("--list", env=xdg)[0] and get("--list")[0].endswith("none\n")
    # what somebody has put into a work folder's place
    (get.folder / ".get").mkdir(parents=True)
    (get.folder / ".get" / ("tiny@" + hubs.COMMIT[:12])).symlink_to(tmp_path / "new" / "folder")
    get("tiny", status=OUTPUT, says="is no folder")
    get("--remove", "tiny")
    assert (tmp_path / "new" / "folder" / "tiny.gguf").is_file()


def test_older_revisions_go(get, hub):
    hub.fault("lfs/openai/whisper-tiny/" + WEIGHTS, hubs.cut(0.5), 1)
    get("tiny", "--tries", "1", status=NETWORK)
    (get.folder / ".get" / ("tiny@" + hubs.COMMIT[:12])).rename(get.folder / ".get" / "tiny@ffffffffffff")
    (get.folder / ".get" / "tiny.en@ffffffffffff").mkdir()
    get("tiny")
    assert get.left() == [] and [p.name for p in (get.folder / ".get").iterdir()] == ["tiny.en@ffffffffffff"]


# ---- what is said ----


def test_quiet_and_lines(get, hub):
    out, err = get("tiny", "-q")
    assert out.count("\n") == 1
    big = bytes(12000000)
    hub.paths["/%s/big.pt" % hubs.sha256(big)] = big
    _, err = get("%s/%s/big.pt" % (hub.url, hubs.sha256(big)), status=MODEL)
    lines = [line for line in err.splitlines() if "%" in line]
    assert err.startswith("big.pt: 12.0 MB\n") and 3 <= len(lines) <= 10 and "100%, 12.0 MB of 12.0 MB" in lines[-1], err


def test_a_bar_on_a_terminal(get, hub):
    hub.fault("lfs/openai/whisper-tiny/" + WEIGHTS, hubs.cut(0.5), 1)
    master, slave = pty.openpty()
    running = subprocess.Popen([get.path, "tiny"], env=get.env, cwd=get.home, stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    seen, piece = b"", b"x"
    while piece:
        try:
            piece = os.read(master, 4096)
        except OSError:  # the other end is closed
            break
        seen += piece
    os.close(master)
    assert running.wait(60) == FINE
    assert b"\r\x1b[K" in seen and re.search(rb" (49|50)% \[=+ +\]", seen) and b"100% [========================]" in seen, seen
    assert b"again in 0.5 s" in seen


def test_usage(get, hub):
    for arguments, says in [((), "no NAME given"), (("--list", "tiny"), "--list takes nothing"), (("--type", "f8", "tiny"), "not f8"),
                            (("--source", "x", "tiny"), "not x"), (("--tries", "0", "tiny"), "--tries"), (("--bogus",), "try --help"),
                            (("--timeout", "1x", "tiny"), "--timeout"), (("--revision", "", "tiny"), "--revision"),
                            (("--name", "x", "tiny", "base"), "for one model"), (("--model_dir", "", "tiny"), "--model_dir"),
                            (("--mirror", "ftp://x", "tiny"), "--mirror begins with"),
                            (("--source", "openai", "--revision", "v1", "tiny"), "--revision is for Hugging Face"),
                            (("--revision", "v1", "https://x/%s/x.pt" % ("0" * 64)), "--revision is for Hugging Face")]:
        get(*arguments, status=USAGE, says=says)
    assert get("--help")[0].startswith("usage: whisp-get NAME") and get("--version")[0].startswith("whisp-get 0.")
    get("nonesuch", "tiny", "also/none", status=USAGE)  # the first failure's; the others are tried
    assert get.model().is_file() and hub.requests[-1][1] == "/api/models/also/none/revision/main"
    with open("/dev/full", "w") as full:
        for arguments in (["tiny"], ["--list"], ["--help"], ["--remove", "tiny"]):
            done = subprocess.run([get.path, *arguments], env=get.env, cwd=get.home, stdout=full, stderr=subprocess.PIPE, text=True)
            assert done.returncode == OUTPUT and "standard output" in done.stderr


def test_revisions_are_escaped(get, hub):
    get("tiny", "--revision", "refs/pr/1?x#y", status=NETWORK)
    assert hub.requests[0][3].endswith("/revision/refs%2Fpr%2F1%3Fx%23y")


# ---- where a model is missing ----


def test_the_command_names_it(get, build, noise_wav):
    for arguments, name in ((["--model", "small"], "small"), ([], "base")):
        done = subprocess.run([(build / "whisp").resolve(), *arguments, noise_wav], env=get.env, cwd=get.home, capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == MODEL and "`whisp-get %s` fetches it" % name in done.stderr


def test_python_names_it(whisp, tmp_path):
    for name in ("small", "some/one"):
        with pytest.raises(whisp.FileError, match="`whisp-get %s` fetches it" % name):
            whisp.load_model(name, tmp_path)


def test_the_server_names_it(build, invented_dir, tmp_path, noise_wav):
    done = subprocess.run([(build / "whisp-server").resolve(), "--port", "0", "--model_dir", tmp_path, "--model", "small"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "`whisp-get small` fetches it" in done.stderr
    for name in ("english", "large-v3", "some--one"):
        (tmp_path / (name + ".gguf")).symlink_to((invented_dir / "english.gguf").resolve())
    with served.Server(build, tmp_path, "--model", "english") as server:
        for name, says in (("small", "on the server, `whisp-get small` fetches it"), ("nonesuch", "lists those that do"),
                           (str(tmp_path / "english.gguf"), "lists those that do"), ("some/body", "lists those that do"),
                           ("x/" * 200, "lists those that do"), ("/", "lists those that do")):
            answer = server.post("/v1/audio/transcriptions", [("model", name), ("file", "x.wav", b"RIFF")])
            assert answer.status == 404 and answer.error["message"].endswith(says), answer
        for name in ("large", "some/one", "some--one", "english"):
            sound = [("model", name), ("temperature", "0"), ("file", "x.wav", noise_wav.read_bytes())]
            assert server.post("/v1/audio/transcriptions", sound).status == 200, name


def test_the_server_knows_other_names(build, invented_dir, tmp_path, noise_wav):
    """Of models that were given at the start and lie elsewhere, too; in both directions."""
    sound = [("temperature", "0"), ("file", "x.wav", noise_wav.read_bytes())]
    given = []
    for name in ("large-v3", "large-v3-turbo"):
        (tmp_path / (name + ".gguf")).symlink_to((invented_dir / "english.gguf").resolve())
        given += ["--model", tmp_path / (name + ".gguf")]
    (tmp_path / "none").mkdir()
    with served.Server(build, tmp_path / "none", *given) as server:
        for name in ("large", "turbo", "large-v3", "large-v3-turbo"):
            assert server.post("/v1/audio/transcriptions", [("model", name), *sound]).status == 200, name
        assert server.post("/v1/audio/transcriptions", [("model", "large-v2"), *sound]).status == 404


def test_python_runs_it(get, root, hub):
    """python -m whisp.get is the program that is there."""
    env = {**get.env, "PYTHONPATH": str(root / "tools" / "python"), "PATH": "%s:%s" % (get.path.parent, get.env["PATH"])}
    run = [sys.executable, "-m", "whisp.get", "tiny", "-q"]
    done = subprocess.run(run, env=env, cwd=get.home, capture_output=True, text=True)
    assert done.returncode == FINE and get.model().is_file() and done.stdout.startswith(str(get.model())), done.stderr
    done = subprocess.run(run, env={**env, "PATH": "/nowhere"}, cwd=get.home, capture_output=True, text=True)
    assert done.returncode == 1 and "neither in this package nor on the PATH" in done.stderr


def test_allocations_that_fail(get, hub, build):
    """Out of memory at one moment: a code and a line, never a model by halves; or it is done all the same."""
    preloaded = (build / "test" / "libfault.so").resolve()
    if not preloaded.is_file():
        pytest.skip("no libfault.so: make check-programs builds it")
    if served.is_sanitized(get.path):
        pytest.skip("its allocator stands in front")
    env = {"LD_PRELOAD": str(preloaded), "WHISP_FAULT_COUNT": str(get.home / "count")}
    get("tiny", "-q", env=env)
    first, n = get.model().read_bytes(), int((get.home / "count").read_text())
    ends = []
    for i in range(16):
        get.model().unlink(missing_ok=True)
        at = 1 + i * i * n // 256  # most happens at the start
        running = get.start("tiny", "-q", "--tries", "1", "--timeout", "5", env={**env, "WHISP_FAULT_AT": str(at)})
        _, err = running.communicate(timeout=60)
        assert running.returncode in (0, 1, NETWORK, MODEL, OUTPUT) and (running.returncode == 0 or "whisp-get: " in err), (at, err)
        assert get.model().exists() == (running.returncode == 0)
        assert not get.model().exists() or get.model().read_bytes() == first
        ends.append(running.returncode)
    assert 1 in ends
    get("--remove", "tiny", status=FINE if get.left() or get.model().exists() else MODEL)
    assert get.left() == []
