"""whisp.archive: what it finds, names and remembers; that ranges have the words of a whole run; and, with Ray, that workers and
nodes may die, files be broken and runs be ended: what comes out is what `whisp` writes, byte for byte.

The tests of Ray are skipped without it: `make test-long` has it in a venv of its own, and runs one of them (WHISP_ARCHIVE_TESTS
in test/run says which). WHISP_ARCHIVE_MODEL and WHISP_ARCHIVE_TALK:
a real model and a long recording, of which 200 short and three long ones are cut (bench of docs/archive.md)."""

import array
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
import wave

import pytest

import recordings

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUICK = {
    "no_speech_threshold": "None",
    "hallucination_guard": "False",
    "sample_len": "20",
    "cut": "5",
    "temperature": "0",
    "temperature_increment_on_fallback": "None",
}


@pytest.fixture(scope="module")
def archive(whisp):
    """The package; its name alone needs no ray."""
    import whisp.archive
    import whisp.archive.__main__  # noqa: F401
    import whisp.archive.load  # noqa: F401
    import whisp.archive.manifest  # noqa: F401

    return whisp.archive


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


# ---- what there is


def test_import_without_ray(root, library_file):
    """Nothing of `import whisp` asks for ray, fsspec or pyarrow."""
    code = "import sys; sys.modules.update(ray=None, fsspec=None, pyarrow=None); import whisp, whisp.archive.__main__, whisp.archive.work"
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env={**os.environ, "PYTHONPATH": str(root / "tools/python"), "WHISP_LIBRARY": str(library_file)},
    )


def test_finds_and_names(archive, tmp_path, monkeypatch):
    from whisp.archive.plan import find

    touch(tmp_path, "a.wav", "b/a.mp3", "b/a.wav", "b/note.txt", "b/.hidden.wav", "c d/ü.FLAC", "none")
    listing = find(str(tmp_path))
    assert {(os.path.relpath(one.path, tmp_path), one.output) for one in listing.recordings} == {
        ("a.wav", "a"),
        ("b/a.mp3", "b/a.mp3"),
        ("b/a.wav", "b/a.wav"),
        ("c d/ü.FLAC", "c d/ü"),
    }
    assert listing.passed_over == {"txt": 1, "wav": 1, "no ending": 1}
    assert [one.output for one in find(str(tmp_path / "*" / "*.mp3")).recordings] == ["b/a"]
    assert [one.output for one in find(str(tmp_path / "a.wav")).recordings] == ["a"]
    monkeypatch.chdir(tmp_path)
    assert [one.output for one in find("b/*.wav").recordings] == ["a"]
    assert [one.path for one in find("file://%s/b/a.wav" % tmp_path).recordings] == ["%s/b/a.wav" % tmp_path]
    with pytest.raises(OSError):
        find(str(tmp_path / "nothing.wav"))


def test_names_that_look_like_globs(archive, tmp_path):
    from whisp.archive.plan import find

    touch(tmp_path, "talks [2020]/a.wav", "talks [2020]/b*.wav")
    folder = str(tmp_path / "talks [2020]")
    assert sorted(one.output for one in find(folder).recordings) == ["a", "b*"]
    assert [one.output for one in find(folder + "/b*.wav").recordings] == ["b*"]


def test_nothing_is_passed_over_without_a_word(archive, tmp_path):
    from whisp.archive.plan import find

    touch(tmp_path, "in/a.wav", "other/b.wav")
    (tmp_path / "in/link").symlink_to(tmp_path / "other")
    (tmp_path / "in/circle").symlink_to(tmp_path / "in")
    (tmp_path / "in/dead.wav").symlink_to(tmp_path / "nothing.wav")
    os.mkfifo(tmp_path / "in/pipe.wav")
    listing = find(str(tmp_path / "in"))
    assert [one.output for one in listing.recordings] == ["a"]
    assert listing.passed_over == {"links to folders": 2, "links to nothing, pipes": 2}


def test_a_name_that_is_no_utf8(root, library_file, invented_dir, tmp_path):
    """It is told, on both streams, and ends nothing."""
    code = "import sys; from whisp.archive.__main__ import main; main(sys.argv[1:]); print(sys.argv[1])"
    command = [sys.executable, "-c", code, os.fsencode(tmp_path) + b"/a\xff.wav", tmp_path / "out"]
    environment = {**os.environ, "PYTHONPATH": str(root / "tools/python"), "WHISP_LIBRARY": str(library_file), "PYTHONUTF8": "1"}
    model = ["--model", invented_dir / "english.gguf"]
    ended = subprocess.run(command + model, env=environment, capture_output=True)
    assert ended.returncode == 0 and b"a\\udcff.wav" in ended.stderr and b"a\\udcff.wav" in ended.stdout, ended


def test_list(archive, whisp, tmp_path):
    from whisp.archive.plan import find

    touch(tmp_path, "x/a.wav", "x/y/b.wav")
    (tmp_path / "list").write_text(
        "%s\n%s\n\n%s\n" % (tmp_path / "x/a.wav", tmp_path / "x/y/b.wav", tmp_path / "x/gone.wav")
    )
    assert [one.output for one in find("@%s" % (tmp_path / "list")).recordings] == ["a", "y/b", "gone"]
    (tmp_path / "list").write_bytes(b"%s\r\n" % os.fsencode(tmp_path / "x/a.wav"))  # by a Windows editor
    assert [one.path for one in find("@%s" % (tmp_path / "list")).recordings] == [str(tmp_path / "x/a.wav")]
    (tmp_path / "list").write_text("%s\n%s\n" % (tmp_path / "x/a.wav", tmp_path / "x/a.wav"))
    with pytest.raises(whisp.ArgumentError, match="listed twice"):
        find("@%s" % (tmp_path / "list"))


def test_outputs_stay_in_their_place(archive, whisp):
    """A bucket's names may hold "..", and OUT has files of its own."""
    from whisp.archive.places import Entry
    from whisp.archive.plan import _named

    with pytest.raises(whisp.ArgumentError, match="is not below"):
        _named([Entry("s3://bucket/in/a/../../../b.wav", 1, "")], "s3://bucket/in")
    for name in ("settings", "report"):
        with pytest.raises(whisp.ArgumentError, match="this program's own"):
            _named([Entry("/in/manifest/%s.wav" % name, 1, "")], "/in")
    assert _named([Entry("/in/manifest/a..b.wav", 1, "")], "/in")[0].output == "manifest/a..b"


def test_a_batch_that_fails_is_done_one_by_one(archive, invented_dir, tmp_path, monkeypatch):
    import whisp.archive.work as work
    from whisp.archive.settings import Settings

    real = work.transcribe_files

    def full(session, paths, *more):
        if len(paths) > 1 or paths[0].endswith("b.wav"):
            raise OSError(28, "No space left on device")
        return real(session, paths, *more)

    monkeypatch.setattr(work, "transcribe_files", full)
    paths = [recordings.write_wav(tmp_path / (name + ".wav"), recordings.babble(2.0)) for name in "abc"]
    settings = Settings(str(tmp_path / "out"), str(invented_dir / "english.gguf"), ["txt"], QUICK)
    row = {"kind": "files", "recordings": [[str(path), path.stem, 1, ""] for path in paths], "sizes": [0, 0, 0]}
    lines = work.Transcriber(settings).do(row, b"")["lines"]
    assert [line["status"] for line in lines] == ["done", "failed", "done"]
    assert lines[1]["kind"] == "OSError" and "No space left" in lines[1]["why"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.txt", "c.txt"]


def test_units_are_even(archive):
    from whisp.archive.plan import Recording, units

    many = [Recording("%d" % i, "%d" % i, i, "") for i in range(100)]
    made = list(units(many, 500, 20))
    sizes = [[one[2] for one in unit["recordings"]] for unit in made]
    assert sorted(sum(sizes, [])) == list(range(100)) and sizes[0][0] == 99
    assert all(sum(unit) <= 500 and len(unit) <= 20 for unit in sizes)
    assert all(a[0] >= b[0] for a, b in zip(sizes, sizes[1:]))


def test_manifest(archive, whisp, tmp_path):
    from whisp.archive.manifest import Manifest

    out = str(tmp_path / "out")
    manifest = Manifest(out, every=2)
    manifest.check_settings({"model": "base"})
    for name, status in (("a", "failed"), ("b", "done"), ("a", "done")):
        manifest.add({"recording": name, "status": status, "bytes": 3, "changed": "1"})
    assert [path.name for path in sorted((tmp_path / "out/manifest").glob("*.jsonl"))] == ["000001.jsonl"]
    manifest.flush()
    again = Manifest(out)
    assert again.is_done("a", 3, "1") and again.is_done("b", 3, "1")
    assert not again.is_done("a", 4, "1") and not again.is_done("a", 3, "2") and not again.is_done("c", 3, "1")
    with pytest.raises(whisp.ArgumentError, match="another model"):
        again.check_settings({"model": "small"})
    for damaged in (b"{broken\n", b"\xff\xfe\n", b'{"recording": "a"}\n', b'{"recording": ["a"], "status": "done"}\n', b"[]\n"):
        (tmp_path / "out/manifest/000009.jsonl").write_bytes(damaged)
        with pytest.raises(whisp.FileError, match="000009.jsonl, line 1"):
            Manifest(out)
    (tmp_path / "out/manifest/000009.jsonl").unlink()
    for damaged in ('{"model": "ba', "[]"):
        (tmp_path / "out/manifest/settings.json").write_text(damaged)
        with pytest.raises(whisp.FileError, match="damaged"):
            Manifest(out).check_settings({"model": "base"})


def test_a_cluster_that_is_not_there(archive, invented_dir, tmp_path, capfd):
    """In one line, not in Python's."""
    pytest.importorskip("ray", reason="no ray: build/venv-ray has it")
    from whisp.archive.__main__ import main

    touch(tmp_path / "in", "a.wav")
    words = [str(tmp_path / "in"), str(tmp_path / "out"), "--model", str(invented_dir / "english.gguf")]
    assert main([*words, "--address", "nonsense://127.0.0.1:1"]) == 1
    assert "whisp.archive: Ray cannot be joined at nonsense://127.0.0.1:1: " in capfd.readouterr().err


def test_transcripts_that_are_gone(archive, tmp_path):
    """What the manifest calls done is done again where its documents are not there any more."""
    from whisp.archive.plan import find
    from whisp.archive.run import Pool, Run

    touch(tmp_path / "in", "a.wav", "b/c.wav", "d.wav")
    settings = settings_of(archive, tmp_path / "out", "model", {})
    listing = find(str(tmp_path / "in"))
    first = Run(settings, listing, Pool())
    for one in listing.recordings:
        output = tmp_path / "out" / (one.output + ".json")
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text("{}")
        first.manifest.add(
            {"recording": one.path, "status": "done", "bytes": one.bytes, "changed": one.changed, "outputs": [str(output)]}
        )
    first.manifest.flush()
    assert Run(settings, listing, Pool()).left == []
    (tmp_path / "out" / "b" / "c.json").unlink()
    again = Run(settings, listing, Pool())
    assert [one.output for one in again.left] == ["b/c"] and "1 were done before and their" in again.report.text(1)
    (tmp_path / "out").rename(tmp_path / "moved")
    moved = Run(settings_of(archive, tmp_path / "moved", "model", {}), listing, Pool())
    assert [one.output for one in moved.left] == ["b/c"]


def test_two_runs_in_one_place(archive, whisp, tmp_path, root, library_file, invented_dir):
    """The second one says who is there; in a bucket, too, until that one's mark is old."""
    from whisp.archive.alone import Alone
    from whisp.archive.manifest import Manifest

    out = tmp_path / "out"
    touch(tmp_path / "in", "a.wav")
    with Alone(str(out)):
        with pytest.raises(whisp.FileError, match="another run is writing there .*process %d" % os.getpid()):
            Alone(str(out)).__enter__()
        done = subprocess.run(
            [sys.executable, "-m", "whisp.archive", tmp_path / "in", out, "--model", invented_dir / "english.gguf"],
            env={**os.environ, "PYTHONPATH": str(root / "tools" / "python"), "WHISP_LIBRARY": str(library_file)},
            capture_output=True, text=True, timeout=60)  # fmt: skip
        assert done.returncode == 5 and "another run is writing there" in done.stderr
    with Alone(str(out)):
        pass
    pytest.importorskip("fsspec", reason="no fsspec: build/venv-ray has it")
    bucket = "memory://bucket/" + tmp_path.name
    with Alone(bucket, 0.1):
        with pytest.raises(whisp.FileError, match="if it has died"):
            Alone(bucket, 0.1).__enter__()
        time.sleep(0.5)
        with pytest.raises(whisp.FileError, match="another run"):  # its mark is renewed
            Alone(bucket, 0.1, 0.4).__enter__()
    dead = Alone(bucket, 100)
    dead.__enter__()
    with pytest.raises(whisp.FileError, match="another run"):
        Alone(bucket, 0.1).__enter__()
    time.sleep(0.2)
    with Alone(bucket, 0.1, 0.1) as other:
        other.check()
        with pytest.raises(whisp.FileError, match="another run has gone on there"):  # it was only suspended
            dead.check()
        manifest = Manifest(bucket, every=1, check=dead.check)
        with pytest.raises(whisp.FileError, match="another run has gone on"):
            manifest.add({"recording": "a.wav", "status": "done"})
        dead.__exit__()
        other.check()
    with pytest.raises(whisp.FileError, match="another run has gone on"):  # and when that one has ended
        dead.check()


def test_a_suspended_run_leaves_the_mark_of_the_next(archive, tmp_path):
    """The half minute's renewal reads before it writes."""
    from whisp.archive.alone import Alone

    pytest.importorskip("fsspec", reason="no fsspec: build/venv-ray has it")
    bucket = "memory://bucket/" + tmp_path.name
    woken = Alone(bucket, 0.3, 0.1)
    woken.__enter__()
    time.sleep(0.15)
    with Alone(bucket, 0.01, 0.1) as other:
        time.sleep(0.6)
        other.check()
    woken.__exit__()


def test_writes_whole_files(archive, tmp_path):
    from whisp.archive.places import Folders

    mask = os.umask(0o027)
    try:
        Folders().write(str(tmp_path / "new/file"), b"one")
    finally:
        os.umask(mask)
    assert (tmp_path / "new/file").stat().st_mode & 0o777 == 0o640
    (tmp_path / "new/folder").mkdir()
    with pytest.raises(OSError):
        Folders().write(str(tmp_path / "new/folder"), b"two")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["file", "folder"]


def test_again(archive):
    from whisp.archive.settings import Settings, again

    calls = []

    def slow():
        calls.append(1)
        if len(calls) < 2:
            time.sleep(0.5)
        if len(calls) < 3:
            raise ConnectionError("busy")
        return "there"

    assert again(Settings("", "", [], timeout=0.1), slow, pause=0) == "there" and len(calls) == 3
    with pytest.raises(ConnectionError):
        again(Settings("", "", [], tries=2), lambda: (_ for _ in ()).throw(ConnectionError("busy")), pause=0)
    with pytest.raises(FileNotFoundError):
        again(Settings("", "", []), lambda: open("/nothing"), pause=1e9)


@pytest.mark.parametrize("arguments, status, text", [
    (["IN"], 2, "required: OUT"),
    (["{in}", "{out}", "extra"], 2, "extra: what is it"),
    (["{in}", "{out}", "--lanuage", "en"], 2, "unknown option lanuage"),
    (["{in}", "{out}", "-f", "docx"], 2, "--output_format docx"),
    (["{in}", "{out}", "--cpus", "0"], 2, "a worker has cores"),
    (["{in}/nothing", "{out}"], 3, "nothing"),
    (["{in}", "{out}", "--model", "/nothing.gguf"], 4, "/nothing.gguf"),
])  # fmt: skip
def test_statuses(archive, invented_dir, tmp_path, capfd, arguments, status, text):
    from whisp.archive.__main__ import main

    touch(tmp_path, "in/a.wav")
    arguments = [one.format(**{"in": tmp_path / "in", "out": tmp_path / "out"}) for one in arguments]
    try:
        got = main(arguments if "--model" in arguments else [*arguments, "--model", str(invented_dir / "english.gguf")])
    except SystemExit as error:
        got = error.code
    assert got == status and text in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


# ---- long recordings


def ranges_of(whisp, path, model, options, seconds=30):
    from whisp.archive import ranges

    end = {}
    cut = list(ranges.divide(model, path, options, seconds, end))
    language = options.get("language") or (
        ranges.language_of(model, cut[0], options) if model.is_multilingual else None
    )
    results = [ranges.transcribe(model, one, ranges.options_of(options, language, i == 0)) for i, one in enumerate(cut)]
    return cut, ranges.joined(results, end["result"].get("incomplete"))


@pytest.mark.parametrize("name, more", [
    ("english", {}), ("english", {"word_timestamps": True, "prefix": "we"}), ("multilingual", {"language": "de"}),
    ("english", {"confidence": True, "initial_prompt": "a", "temperature": "0.5"}),
])  # fmt: skip
def test_ranges_have_the_words_of_the_whole(archive, whisp, invented_dir, tmp_path, name, more):
    from whisp.archive import ranges

    path = recordings.write_wav(tmp_path / "long.wav", recordings.babble(20.0, seed=3) * 5)
    model, options = whisp.load_model(invented_dir / (name + ".gguf")), {**QUICK, **more}
    cut, whole = ranges_of(whisp, path, model, options)
    assert len(cut) >= 3 and [one.is_last for one in cut] == [False] * (len(cut) - 1) + [True]
    assert sum(one.n for one in cut) == 100 * 16000
    for format in ("json", "srt", "txt"):
        assert ranges.documents(whole, [format])[format].decode() == model.transcribe_text(path, format, **options)


def test_damaged_and_uncut(archive, whisp, invented_dir, tmp_path):
    from whisp.archive import ranges

    path = recordings.write_wav(tmp_path / "long.wav", recordings.babble(10.0) * 7)
    path.write_bytes(path.read_bytes()[:-50001])
    model = whisp.load_model(invented_dir / "english.gguf")
    with pytest.warns(whisp.IncompleteWarning):
        document = model.transcribe_text(path, "json", **QUICK)
    assert ranges.documents(ranges_of(whisp, path, model, QUICK)[1], ["json"])["json"].decode() == document
    assert "incomplete" in json.loads(document)
    with pytest.raises(ranges.Undivided) as told:
        list(ranges.divide(model, path, {**QUICK, "cut": "off"}, 30, {}))
    assert told.value.result["segments"]
    assert (
        ranges.may_divide(QUICK)
        and not ranges.may_divide({"cut": "off"})
        and not ranges.may_divide({"vad_filter": "True"})
    )


def test_old_ranges_are_not_taken_for_new_ones(archive):
    """What an earlier run left of another content, or of ranges of another length, has another name."""
    from whisp.archive.load import range_name
    from whisp.archive.plan import Recording
    from whisp.archive.ranges import Range

    one, longer = Range(b"1234", "int16", 160, 0.5, False), Range(b"123456", "int16", 160, 0.5, False)
    names = {range_name(Recording("a.wav", "a", 3, changed), it) for changed in ("1", "2") for it in (one, longer)}
    assert len(names) == 4


def test_who_stops_taking_ends_the_reading(archive, whisp, invented_dir, tmp_path):
    from whisp.archive import ranges

    path = recordings.write_wav(tmp_path / "long.wav", recordings.babble(10.0) * 7)
    cutting = ranges.divide(whisp.load_model(invented_dir / "english.gguf"), path, QUICK, 30, {})
    next(cutting)
    cutting.close()  # or this would never come back


# ---- on Ray


def settings_of(archive, out, model, options, **more):
    from whisp.archive.settings import Settings

    return Settings(
        out=str(out),
        model=str(model),
        formats=["json", "srt"],
        options={"threads": "1", **options},
        library=os.environ["WHISP_LIBRARY"],
        **{"batch_seconds": 20, "range_seconds": 25, "long_seconds": 60, **more}
    )


def make_talks(folder):
    """Short ones, long ones and what is broken; many and real ones where a real recording is named."""
    folder.mkdir()
    talk, draw = os.environ.get("WHISP_ARCHIVE_TALK"), random.Random(7)
    if talk:
        with wave.open(talk) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
            sound = array.array("h", file.readframes(file.getnframes()))
    else:
        sound = recordings.babble(30.0, seed=5) * 4
    for i in range(200 if talk else 24):
        seconds = draw.uniform(2, 8 if talk else 5)
        at = draw.randrange(len(sound) - int(seconds * 16000))
        recordings.write_wav(folder / ("short%03d.wav" % i), sound[at : at + int(seconds * 16000)])
    for i in range(3 if talk else 2):
        recordings.write_wav(folder / ("long%d.wav" % i), sound[i * 16000 * 10 :][: 16000 * 240])
    (folder / "broken.wav").write_bytes(draw.randbytes(5000))
    (folder / "empty.mp3").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def talks(tmp_path_factory):
    return make_talks(tmp_path_factory.mktemp("archive") / "in")


@pytest.fixture(scope="module")
def chosen(invented_dir):
    """(model, options)"""
    real = os.environ.get("WHISP_ARCHIVE_MODEL")
    return (real, {"cut": "15"}) if real else (invented_dir / "english.gguf", QUICK)


@pytest.fixture(scope="module")
def plain(build, talks, chosen, tmp_path_factory):
    """What the command writes: name -> bytes."""
    out, (model, options) = tmp_path_factory.mktemp("plain"), chosen
    words = [word for name, value in options.items() for word in ("--" + name, value)]
    before = os.times()
    subprocess.run([build / "whisp", "-q", "--model", model, "--threads", "1", "-f", "json,srt", "-o", out, *words,
                    *sorted(talks.iterdir())], stderr=subprocess.DEVNULL)  # fmt: skip
    after = os.times()
    print(
        "whisp: %.1f s of processor time"
        % (after.children_user + after.children_system - before.children_user - before.children_system)
    )
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.fixture(scope="module")
def cluster(library_file):
    """A head without work and two nodes of a core each, on this machine."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    os.environ.update(
        PYTHONPATH=str(ROOT / "tools/python"), RAY_USAGE_STATS_ENABLED="0", WHISP_LIBRARY=str(library_file)
    )
    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "object_store_memory": 200 << 20, "include_dashboard": False},
    )
    made.nodes = [made.add_node(num_cpus=1, object_store_memory=200 << 20) for _ in range(2)]
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


def outputs_of(out):
    return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}


def run_archive(archive, talks, settings, say=lambda run, line: None, workers=2):
    from whisp.archive.plan import find
    from whisp.archive.run import Pool, Run

    run = Run(settings, find(str(talks)), Pool(1, 0, workers), lambda line: say(run, line))
    print(run.report.text(run.go()))
    return run


def kill_worker_of(run):
    pid = int(sorted(run.report.workers)[0].rsplit(":", 1)[1])
    os.kill(pid, signal.SIGKILL)


def test_workers_and_a_node_die(archive, cluster, talks, chosen, plain, tmp_path):
    """A worker is killed, then a node; what is written is the command's. Then nothing is left to do."""
    settings = settings_of(archive, tmp_path / "out", *chosen)
    seen = []

    def say(run, line):
        seen.append(line)
        if len(seen) == 2:
            kill_worker_of(run)
        if len(seen) == 8:
            cluster.remove_node(cluster.nodes.pop(), allow_graceful=False)
            cluster.nodes.append(cluster.add_node(num_cpus=1, object_store_memory=200 << 20))

    run = run_archive(archive, talks, settings, say)
    assert len(seen) == len(list(talks.iterdir())) and run.report.kinds == {"AudioError": 2}
    assert outputs_of(tmp_path / "out") == plain
    lines = {os.path.basename(path): line for path, line in run.manifest.lines.items()}
    assert {name for name, line in lines.items() if line["status"] == "failed"} == {"broken.wav", "empty.mp3"}
    assert lines["long0.wav"]["ranges"] >= 3 and lines["long0.wav"]["seconds"] > 100
    assert not list((tmp_path / "out").glob("ranges/**/*.json")) and not list((tmp_path / "out").glob("**/.whisp-*"))
    again = run_archive(archive, talks, settings)
    assert {os.path.basename(one.path) for one in again.left} == {"broken.wav", "empty.mp3"}


def test_started_again(archive, cluster, talks, chosen, plain, tmp_path):
    """A run is ended in its midst: the next one does the rest; a recording that has changed is done anew."""
    settings = settings_of(archive, tmp_path / "out", *chosen)
    seen = []

    class Ended(Exception):
        pass

    def say(run, line):
        seen.append(line)
        if len(seen) == 10:
            raise Ended

    with pytest.raises(Ended):
        run_archive(archive, talks, settings, say)
    stamps = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir() if path.is_file()}
    done = {os.path.basename(line.split(":")[0]) for line in seen if line.endswith(": done")}
    run = run_archive(archive, talks, settings)
    assert outputs_of(tmp_path / "out") == plain
    assert not done & {os.path.basename(one.path) for one in run.left}
    for name in done:
        name = name.rsplit(".", 1)[0] + ".json"
        assert (tmp_path / "out" / name).stat().st_mtime_ns == stamps[name]


def test_what_kills_its_worker_is_listed(archive, cluster, talks, chosen, plain, tmp_path, monkeypatch):
    """One recording ends whoever opens it: the others of its batch are done, and it is named."""
    import whisp.archive.run
    import whisp.archive.work

    cloudpickle = pytest.importorskip("ray.cloudpickle")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])

    class Mortal(whisp.archive.work.Transcriber):
        def _together(self, parts):
            if any("short003" in recording.path for recording, _ in parts):
                os.kill(os.getpid(), signal.SIGKILL)
            return super()._together(parts)

    monkeypatch.setattr(whisp.archive.run, "Transcriber", Mortal)
    try:
        run = run_archive(archive, talks, settings_of(archive, tmp_path / "out", *chosen, tries=1))
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    assert run.report.kinds == {"AudioError": 2, "WorkerDied": 1}
    assert outputs_of(tmp_path / "out") == {name: data for name, data in plain.items() if "short003" not in name}


def test_command_alone(archive, cluster, talks, chosen, plain, tmp_path):
    """The command on the cluster: its report and its exit status."""
    model, options = chosen
    words = [word for name, value in options.items() for word in ("--" + name, value)]
    command = [sys.executable, "-m", "whisp.archive", talks, tmp_path / "out", "--model", model, "-f", "json,srt", "--address",
               cluster.address, "--batch_seconds", "20", *words]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 3, done.stderr
    assert "failed, by kind: AudioError: 2" in done.stdout and "core hours" in done.stdout
    assert outputs_of(tmp_path / "out") == plain
    report = json.loads((tmp_path / "out/manifest/report.json").read_text())
    assert report["failed"] == 2 and report["hours"] > 0 and report["core_hours"] > 0
    print("idle %.1f%%, %.1f core seconds" % (100 * report["idle"], 3600 * report["core_hours"]))
    done = subprocess.run(
        [*command[:5], "--model", model, "-f", "txt", "--address", cluster.address], capture_output=True, text=True
    )
    assert done.returncode == 2 and "was begun with another formats" in done.stderr


def test_bucket(archive, cluster, talks, chosen, plain, tmp_path):
    """The same from and to a bucket: moto's server speaks S3, pyarrow or s3fs asks it."""
    moto = pytest.importorskip("moto.server")
    import whisp.archive.places as places

    server = moto.ThreadedMotoServer(port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": "http://%s:%d" % (host, port),
                "AWS_DEFAULT_REGION": "us-east-1", "PYTHONPATH": str(ROOT / "tools/python")}  # fmt: skip
        pytest.importorskip("boto3").client(
            "s3",
            endpoint_url=keys["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        ).create_bucket(Bucket="talks")
        old = {name: os.environ.get(name) for name in keys}
        os.environ.update(keys)
        system, _ = places.place("s3://talks/in/x")
        for path in sorted(talks.iterdir())[:6]:
            system.write("s3://talks/in/%s" % path.name, path.read_bytes())
        model, options = chosen
        words = [word for name, value in options.items() for word in ("--" + name, value)]
        command = [sys.executable, "-m", "whisp.archive", "s3://talks/in", "s3://talks/out", "--model", model, "-f", "json,srt",
                   "--long_seconds", "60", "--range_seconds", "25", *words]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert done.returncode == 3, done.stdout + done.stderr
        found = {os.path.basename(entry.path): system.read(entry.path) for entry in system.list("s3://talks/out")
                 if "/manifest/" not in entry.path}  # fmt: skip
        wanted = {path.stem for path in sorted(talks.iterdir())[:6]}
        assert found == {name: data for name, data in plain.items() if name.rsplit(".", 1)[0] in wanted}
    finally:
        for name, value in old.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        server.stop()
