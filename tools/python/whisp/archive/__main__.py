"""python -m whisp.archive IN OUT: transcribes an archive on a Ray cluster, or on this machine alone.

Exit status: 0 all recordings of IN have their transcripts, now or from before; 1 something inside, Ray or memory; 2 the
command line; 3 some recordings failed, they are listed; 4 the model; 5 OUT cannot be written; 7 all were written, some
were heard in part; 130 Ctrl-C. Started again with the same OUT, it does what is missing."""

from __future__ import annotations

import argparse
import json
import os
import sys
from importlib import import_module
from typing import Any, Dict, List, Optional

from .._errors import ArgumentError, Error, ModelError
from .._files import find_model
from .._model import Model
from .._result import format_names
from .._session import Session
from .alone import Alone
from .manifest import Manifest
from .places import join, place
from .plan import find
from .settings import Settings


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m whisp.archive",
        description="Transcribe an archive of recordings on Ray.",
        epilog="More options are whisp's own, --language en for example; see whisp --help.",
    )
    made.add_argument(
        "IN", help="a folder, a glob, @LIST (a file of paths, one a line), or one recording; also s3://, gs://, ..."
    )
    made.add_argument("OUT", help="a folder for the transcripts, in a bucket, too; OUT/manifest says what is done")
    made.add_argument("--model", help="a model's name or path, which every node has; default: base, or what is there")
    made.add_argument("--model_dir", help="where it is looked for")
    made.add_argument("-f", "--output_format", default="json", help="one or several, with commas; default: json")
    made.add_argument("--address", help="of a Ray cluster; default: $RAY_ADDRESS, or else this machine alone")
    made.add_argument("--workers", type=int, help="default: as many as the cluster has cores (or GPUs) for")
    made.add_argument("--cpus", type=float, default=1, help="cores of a worker; default: 1")
    made.add_argument("--gpus", type=float, default=0, help="GPUs of a worker, which then computes by CUDA; default: 0")
    made.add_argument(
        "--loaders", type=int, help="that read recordings and cut long ones; default: one for eight workers"
    )
    made.add_argument(
        "--batch_seconds", type=float, default=600, help="of short recordings that share a batch; default: 600"
    )
    made.add_argument("--range_seconds", type=float, default=600, help="of a long one's ranges, about; default: 600")
    made.add_argument(
        "--long_seconds", type=float, default=1800, help="from which on a recording is divided; default: 1800"
    )
    made.add_argument(
        "--tries", type=int, default=3, help="for what ends its worker and what a place refuses; default: 3"
    )
    made.add_argument("--timeout", type=float, default=600, help="seconds for a file to come or go; default: 600")
    made.add_argument(
        "--object_store", type=int, help="bytes of the object store that this machine alone gets; default: 512 MB"
    )
    made.add_argument("-q", "--quiet", action="store_true", help="no line for each recording")
    return made


def transcription_options(words: List[str]) -> Dict[str, Any]:
    """--name value, --name=value: whisp's own."""
    options: Dict[str, Any] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if not name.startswith("--"):
            raise ArgumentError("%s: what is it? One IN and one OUT are expected; quote a glob" % word)
        if not equals:
            if not left:
                raise ArgumentError("%s: a value is missing" % word)
            value = left.pop(0)
        options[name[2:].replace("-", "_")] = value
    return options


def settings_of(given: argparse.Namespace, words: List[str]) -> Settings:
    options = transcription_options(words)
    if given.gpus:
        options.setdefault("device", "cuda")
    options.setdefault("threads", str(max(1, int(given.cpus))))
    for name in ("batch_seconds", "range_seconds", "long_seconds", "timeout"):
        if not getattr(given, name) > 0:
            raise ArgumentError("--%s must be above 0" % name)
    if given.tries < 1 or given.cpus < 0 or given.gpus < 0 or given.loaders == 0 or not (given.cpus or given.gpus):
        raise ArgumentError("--tries and --loaders are 1 at least, and a worker has cores or GPUs")
    return Settings(
        out=given.OUT if "://" in given.OUT else os.path.abspath(given.OUT),
        model=_model(given.model, given.model_dir),
        formats=given.output_format.split(","),
        options=options,
        batch_seconds=given.batch_seconds,
        range_seconds=given.range_seconds,
        long_seconds=given.long_seconds,
        tries=given.tries,
        timeout=given.timeout,
        library=os.environ.get("WHISP_LIBRARY"),
    )


def _model(name: Optional[str], folder: Optional[str]) -> str:
    try:
        return os.path.abspath(find_model(name, folder))
    except Error as error:
        raise ModelError(str(error)) from None


def check(settings: Settings, on_gpu: bool) -> None:
    """Options and formats are refused here, once, and not by every worker."""
    with Model(settings.model) as model:
        for name in settings.formats:
            if name not in format_names():
                raise ArgumentError("--output_format %s: there are %s" % (name, ", ".join(format_names())))
        options = dict(settings.options)
        if on_gpu:
            options.pop("device")  # which this machine may lack
        Session(model, log=lambda level, line: print(line, file=sys.stderr) if level <= 1 else None, **options).close()


def main(arguments: Optional[List[str]] = None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that is no UTF-8 may not end the run where it is told
            stream.reconfigure(errors="backslashreplace")
    given, words = parser().parse_known_args(arguments)
    try:
        settings = settings_of(given, words)
        check(settings, bool(given.gpus))
        listing = find(given.IN)
        if not listing.recordings:
            raise ArgumentError("%s: no recordings there" % given.IN)
    except ModelError as error:
        return _fail(4, error)
    except Error as error:
        return _fail(2, error)
    except OSError as error:  # of IN
        return _fail(3, error)
    try:
        options = {name: value for name, value in settings.options.items() if name != "threads"}
        identity = {"model": os.path.basename(settings.model), "options": options, "formats": settings.formats}
        with Alone(settings.out) as alone:
            Manifest(settings.out).check_settings(identity)
            return _run(given, settings, listing, alone)
    except ArgumentError as error:
        return _fail(2, error)
    except OSError as error:
        return _fail(5, error)


def _run(given: argparse.Namespace, settings: Settings, listing: Any, alone: Alone) -> int:
    try:
        ray: Any = import_module("ray")
        from .run import NoRay, Pool, Run, start_ray
    except ImportError as error:
        return _fail(1, "%s: an archive needs Ray: pip install 'libwhisp[ray]'" % error)
    say = (lambda line: None) if given.quiet else (lambda line: print(line, flush=True))
    started = False
    try:
        run = Run(settings, listing, Pool(given.cpus, given.gpus, given.workers, given.loaders), say, alone.check)
        started = bool(run.left) and start_ray(given.address, given.object_store)
        seconds = run.go()
        print(run.report.text(seconds))
        system, path = place(join(settings.out, "manifest/report.json"))
        system.write(path, json.dumps(run.report.as_json(seconds), indent=1).encode() + b"\n")
    except KeyboardInterrupt:
        return _fail(130, "stopped; start again to go on")
    except OSError as error:
        return _fail(5, error)
    except NoRay as error:
        return _fail(1, error)
    except ray.exceptions.RayError as error:
        return _fail(1, str(error).strip().splitlines()[-1])
    finally:
        if started:
            ray.shutdown()
    listed = [run.manifest.lines[one.path] for one in listing.recordings]
    statuses = {line["status"] for line in listed}
    return 3 if "failed" in statuses else 7 if "part" in statuses else 0


def _fail(status: int, why: Any) -> int:
    print("whisp.archive: %s" % why, file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
