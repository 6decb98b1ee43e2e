"""The programs on a machine that fails: system calls and allocations one by one, full disks, limits of a process.

An error with a status that is not 0, a line that says why, and nothing half-written; or success, and then the same bytes
as undisturbed. Never a signal, never a hang.

What fails: build/test/faultcalls (system calls, by ptrace), build/test/libfault.so (allocations, preloaded). Short form:
every so many calls, from a random one on (WHISP_SEED says which again); WHISP_FAULT=long: other ways to fail, too, and
every call, but of 150,000 allocations WHISP_FAULT_MOST (4,000).
"""
import errno
import os
import random
import resource
import subprocess

import pytest

import make_formats as formats
import recordings
import shapes
import test_vad as vad

LONG = os.environ.get("WHISP_FAULT") == "long"
SEED = int(os.environ.get("WHISP_SEED", random.randrange(1 << 30)))
MOST = int(os.environ.get("WHISP_FAULT_MOST", 4000 if LONG else 25))
TIMEOUT = 120  # a hang; a loaded machine takes seconds

#        call      how, in the short form                  ... and in the long one, too
FAULTS = {
    "read": (["short", errno.EIO], [errno.EINTR]),
    "write": ([errno.ENOSPC, "short"], [errno.EIO, errno.EINTR]),
    "open": ([errno.EMFILE], [errno.EACCES, errno.EINTR]),
    "close": ([errno.EIO], [errno.EINTR]),
    "sync": ([errno.EIO], [errno.ENOSPC, errno.EINTR]),
    "rename": ([errno.ENOSPC], [errno.EIO]),
    "seek": ([errno.EIO], []),
    "map": ([errno.ENOMEM], []),
    "stat": ([errno.EIO], []),
}


@pytest.fixture(scope="module", autouse=True)
def tell_seed():
    print("WHISP_SEED=%d" % SEED)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return recordings.write_wav(tmp_path_factory.mktemp("audio") / "noise.wav", recordings.babble(1))


@pytest.fixture(scope="module")
def jobs(build, invented_dir, recording, tmp_path_factory):
    """Name: the command, and where it writes (a folder that is empty before)."""
    m = formats.load(invented_dir / "english.gguf")
    folder = tmp_path_factory.mktemp("checkpoints")
    published = shapes.model(shapes.vocabulary())  # whose vocabulary is known without its names
    shapes.write_folder(published, folder / "hf")
    formats.write_ct2(m, folder / "ct2")
    shapes.write_folder(shapes.model(shapes.vocabulary(n_ordinary=280)), folder / "safetensors", shards=2)
    formats.write_pt(published, folder / "base.pt")
    formats.write_tiktoken(published, folder / "base.tiktoken")
    formats.write_ggml(published, folder / "ggml.bin")
    (folder / "silero.onnx").write_bytes(vad.onnx(vad.random_weights()))
    out = tmp_path_factory.mktemp("out")
    convert = [build / "whisp-convert", "-o", out / "model.gguf"]
    whisp = [build / "whisp", "--model", invented_dir / "english.gguf", "--hallucination_guard", "False", "--threads", "2",
             "--temperature", "0", "--temperature_increment_on_fallback", "None", "--sample_len", "8", recording]
    return {
        "files": (whisp + ["-f", "all", "-o", out, "--word_timestamps", "True"], out),
        "print": (whisp + ["--language", "en"], out),
        "hf": (convert + [folder / "hf"], out),
        "ct2": (convert + ["--type", "f32", folder / "ct2"], out),
        "gguf": (convert + ["--type", "int8", invented_dir / "english.gguf"], out),
        "pt": (convert + ["--vocab", folder / "base.tiktoken", folder / "base.pt"], out),
        "safetensors": (convert + [folder / "safetensors"], out),
        "ggml": (convert + [folder / "ggml.bin"], out),
        "onnx": (convert + [folder / "silero.onnx"], out),
    }


def run(command, environment=None, preexec=None):
    return subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT,
                          env=dict(os.environ, **(environment or {})), preexec_fn=preexec)


def empty(out):
    for path in out.iterdir():
        path.unlink()


def written(out):
    return {path.name: path.read_bytes() for path in out.iterdir()}


def undisturbed(command, out):
    empty(out)
    done = run(command)
    assert done.returncode == 0, done.stderr
    return done.stdout, written(out)


def check(done, out, expected, what):
    """One of the two that may be; and of the files each is whole or not there."""
    stdout, files = expected
    text = "%s: status %d\n%s" % (what, done.returncode, done.stderr.decode(errors="replace"))
    found = written(out)
    for name, data in found.items():
        if ".partial." in name:  # whole, too, and said; of a plain text it can be seen that it begins as the whole does
            assert done.returncode and b"what was final until then" in done.stderr
            assert not name.endswith(".txt") or files[name.replace(".partial", "")].startswith(data)
        else:
            assert data == files.get(name), "left behind or half-written: %s\n%s" % (name, text)
    assert 0 <= done.returncode < 126, text
    told = done.stderr.strip() or what.startswith("write")  # the message is written, too
    if done.returncode == 0:
        assert done.stdout == stdout and found == files, "success that is not, " + text
    else:
        assert told, text


WRITERS = ["files", "ct2", "gguf"] + (["hf"] if LONG else [])
READERS = ["pt", "safetensors", "ggml", "onnx"]


def picked(first, last):
    """Which calls: all, or a few of them."""
    step = max(1, (last - first + 1) // (MOST if LONG else 4))
    return range(first + random.Random(SEED).randrange(step), last + 1, step)


@pytest.mark.parametrize("call", sorted(FAULTS))
@pytest.mark.parametrize("job", ["print"] + WRITERS + (READERS if LONG else []))
def test_system_calls(build, jobs, tmp_path, job, call):
    """Each one fails, or does half of what it was asked for."""
    command, out = jobs[job]
    tracer, count = build / "test" / "faultcalls", tmp_path / "count"
    if run([tracer, call, "0", "5", count, build / "whisp", "--version"]).returncode == 127:
        pytest.skip("system calls cannot be traced here")
    first = 1 if call in ("write", "sync", "rename") else int(count.read_text()) + 1  # the loader's come first
    expected = undisturbed(command, out)
    assert run([tracer, call, "0", "5", count] + command).returncode == 0
    last = int(count.read_text())
    kinds = FAULTS[call][0] + (FAULTS[call][1] if LONG else [])
    for how in kinds:
        for at in picked(first, last):
            for later in ("", "+") if LONG and how in (errno.ENOSPC, errno.EMFILE) else ("",):
                empty(out)
                what = "%s %d%s of %d: %s" % (call, at, later, last, how)
                done = run([tracer, call, "%d%s" % (at, later), str(how), count] + command)
                check(done, out, expected, what)


@pytest.mark.parametrize("job", WRITERS + READERS)
def test_allocations(build, jobs, tmp_path, job):
    """Each one fails, of whatever library it is."""
    command, out = jobs[job]
    expected, count = undisturbed(command, out), tmp_path / "count"
    if "asan" in str(build):
        pytest.skip("a sanitizer's allocator stands in front")
    preload = {"LD_PRELOAD": str(build / "test" / "libfault.so"), "WHISP_FAULT_COUNT": str(count)}
    assert run(command, preload).returncode == 0
    last = int(count.read_text())
    print("%s: %d allocations" % (job, last))
    assert last > 30
    step = max(1, last // MOST)
    for at in range(1 + random.Random(SEED).randrange(step), last + 1, step):
        empty(out)
        done = run(command, dict(preload, WHISP_FAULT_AT="%d" % at))
        check(done, out, expected, "allocation %d of %d" % (at, last))


def test_journals_that_cannot_be_named(build, invented_dir, tmp_path):
    """The last allocations of a run that has journals to remove: it ends without them, or it says what was in the way."""
    if "asan" in str(build):
        pytest.skip("a sanitizer's allocator stands in front")
    talk, out = recordings.write_wav(tmp_path / "talk.wav", recordings.babble(4.0) * 10), tmp_path / "out"
    command = [build / "whisp", "--model", invented_dir / "english.gguf", "--hallucination_guard", "False", "--threads", "1",
               "--temperature", "0", "--cut", "off", "--sample_len", "4", "--resume", "-f", "srt", "-o", out, talk]
    preload = {"LD_PRELOAD": str(build / "test" / "libfault.so"), "WHISP_FAULT_COUNT": str(tmp_path / "count")}

    def resume(**settings):
        out.mkdir(exist_ok=True)
        empty(out)
        for name in ("talk.journal", "talk.journal.old"):
            (out / name).write_bytes(b"whisp journal 1\nand damage")
        return run(command, dict(preload, **settings))

    assert resume().returncode == 0
    whole, last = written(out), int((tmp_path / "count").read_text())
    assert set(whole) == {"talk.srt"}
    for at in range(last - 12, last + 1):
        done = resume(WHISP_FAULT_AT="%d" % at)
        text = "allocation %d of %d: status %d: %s, %s" % (at, last, done.returncode, done.stderr.decode(), written(out))
        assert done.returncode == 0 or b"memory" in done.stderr, text
        assert done.returncode or written(out) == whole, text


# ---- limits of a process ----

def limited(kind, most):
    def set_limit():
        resource.setrlimit(kind, (most, most))
        if kind == resource.RLIMIT_NPROC and os.getuid() == 0:  # which does not hold for root
            os.setgid(65534)
            os.setuid(65534)

    return set_limit


LIMITS = [(resource.RLIMIT_FSIZE, n) for n in (0, 100, 1000)] + [(resource.RLIMIT_NOFILE, n) for n in range(3, 9)] + \
         [(resource.RLIMIT_NPROC, n) for n in (0, 1)] + [(resource.RLIMIT_AS, n << 20) for n in (24, 64, 96, 128, 512)]


@pytest.mark.parametrize("job", WRITERS)
def test_limits(jobs, job):
    """Sizes of files, open files, threads, memory."""
    command, out = jobs[job]
    expected = undisturbed(command, out)
    for kind, most in LIMITS:
        empty(out)
        if kind == resource.RLIMIT_NPROC:
            out.chmod(0o777)
        done = run(command, preexec=limited(kind, most))
        if done.returncode == 127 and b"shared libraries" in done.stderr:
            continue  # the loader's, before the program begins
        check(done, out, expected, "limit %s %d" % (kind, most))


def test_memory_of_512_megabytes(build, real_model, root):
    """A real model within it."""
    command = [build / "whisp", "--model", real_model("tiny.en"), root / "test" / "data" / "demo.flac"]
    if "asan" in str(build):
        pytest.skip("a sanitizer takes more")
    whole = run(command)
    done = run(command, preexec=limited(resource.RLIMIT_AS, 512 << 20))
    assert (done.returncode == 0 and done.stdout == whole.stdout) or (0 < done.returncode < 126 and done.stderr)


def test_full_disk(jobs, tmp_path):
    """A file system of 16 kB: what does not fit is not there, and nothing is left of it."""
    command, out = jobs["files"]
    expected = undisturbed(command, out)
    disk = tmp_path / "disk"
    disk.mkdir()
    if run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk]).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        (disk / "full").write_bytes(b"x" * 12288)
        done = run([disk if c is out else c for c in command])
        (disk / "full").unlink()
        assert done.returncode not in (0, 126, 127) and b"space" in done.stderr
        for name, data in written(disk).items():
            assert data == expected[1].get(name)
    finally:
        run(["umount", disk])


def test_device_that_is_full(jobs, build, recording, invented_dir):
    """Standard output that takes nothing."""
    command, out = jobs["print"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
                              timeout=TIMEOUT)
    assert 0 < done.returncode < 126 and b"space" in done.stderr
