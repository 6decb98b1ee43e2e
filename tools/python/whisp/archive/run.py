"""An archive on Ray Data: units are loaded (load.py), work is done by a pool of actors (work.py), and what they say
comes here, where the manifest is written and long recordings are joined. Back-pressure is Ray Data's: loaders wait for
the pool.
"""

from __future__ import annotations

import json
import os
import time
from importlib import import_module
from typing import Any, Callable, Dict, List, Optional

from . import ranges
from .load import Loader, range_result
from .manifest import Manifest
from .places import join, place
from .plan import Listing, Recording, units
from .report import Report
from .settings import Settings, again, one_line
from .tries import Tries
from .work import Transcriber, failed, line_of, write_documents

UNIT_BYTES = 64 << 20
UNIT_FILES = 256


class Pool:
    """How many workers, and what each has."""

    def __init__(
        self, cpus: float = 1, gpus: float = 0, workers: Optional[int] = None, loaders: Optional[int] = None
    ) -> None:
        self.cpus, self.gpus, self.workers, self.loaders = cpus, gpus, workers, loaders

    def size(self, resources: Dict[str, float]) -> int:
        """As many as the cluster has room for now, unless that was said."""
        if self.workers:
            return self.workers
        room = [resources.get("CPU", 0) / self.cpus] if self.cpus else []
        room += [resources.get("GPU", 0) / self.gpus] if self.gpus else []
        return max(1, int(min(room)))


class NoRay(Exception):
    """Ray could not be started or joined."""


def start_ray(address: Optional[str], store: Optional[int]) -> bool:
    """Join a cluster, or start one of this machine alone; False: it was there already."""
    ray: Any = import_module("ray")
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    address = address or os.environ.get("RAY_ADDRESS")
    here = {"include_dashboard": False, "object_store_memory": store or (512 << 20)}
    try:
        ray.init(address=address or "local", log_to_driver=False, **({} if address else here))
    except Exception as error:  # Ray's own are of many classes, plain Exception among them
        what = "cannot be joined at " + address if address else "does not start here"
        raise NoRay("Ray %s: %s" % (what, one_line(error))) from error
    return True


class Run:
    def __init__(
        self,
        settings: Settings,
        listing: Listing,
        pool: Pool,
        say: Callable[[str], None] = lambda line: None,
        check: Optional[Callable[[], None]] = None,
    ) -> None:
        self._settings, self._pool, self._say = settings, pool, say
        self.manifest = Manifest(settings.out, check=check)
        done = {one.path for one in listing.recordings if self._is_done(one)}
        there = self.manifest.outputs_there() if done else set()
        gone = {path for path in done if not self.manifest.has_outputs(path, there)}
        self.left = [one for one in listing.recordings if one.path not in done - gone]
        self.report = Report(len(listing.recordings) - len(self.left), listing.passed_over, len(gone))
        self._by_path = {one.path: one for one in self.left}
        self._cut: Dict[str, Dict[str, Any]] = {}  # long recordings whose last range has been found: their line
        self._ready: Dict[str, Dict[str, Optional[Dict[str, Any]]]] = (
            {}
        )  # by recording, range's name -> its failure
        self._closed: set = set()  # type: ignore[type-arg]

    def _is_done(self, one: Recording) -> bool:
        return self.manifest.is_done(one.path, one.bytes, one.changed)

    def _ranges_before(self) -> Dict[str, List[str]]:
        """Ranges whose results an earlier run has left, by the recording's output."""
        system, folder = place(join(self._settings.out, "ranges"))
        left = {one.output: one for one in self.left}
        found: Dict[str, List[str]] = {}
        try:
            entries = list(system.list(folder))
        except FileNotFoundError:
            return {}
        for entry in entries:
            output, _, name = entry.path[len(folder) :].lstrip("/").rpartition("/")
            if output in left and name.endswith(".json"):
                found.setdefault(output, []).append(name)
        for output, names in found.items():
            self._ready[left[output].path] = {name: None for name in names}
        return found

    def dataset(self) -> Any:
        ray: Any = import_module("ray")
        import_module("ray.data")
        context = ray.data.DataContext.get_current()
        context.target_max_block_size = 1  # a row is a block: what one worker does at a time, and what is done again
        context.enable_progress_bars = False
        context.max_errored_blocks = 0
        here = ray.get_runtime_context().get_node_id()
        strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(here, soft=True)
        tries = ray.remote(Tries).options(num_cpus=0, scheduling_strategy=strategy).remote()
        work = [{"unit": json.dumps(unit)} for unit in units(self.left, UNIT_BYTES, UNIT_FILES)]
        pool = self._pool
        size = pool.size(ray.cluster_resources())
        compute = ray.data.ActorPoolStrategy(
            min_size=1, max_size=size, initial_size=size, max_tasks_in_flight_per_actor=2
        )
        return (
            ray.data.from_items(work, override_num_blocks=len(work))
            .map_batches(
                Loader,
                fn_constructor_args=(self._settings, self._ranges_before(), tries),
                compute=ray.data.ActorPoolStrategy(size=min(pool.loaders or (size + 7) // 8, len(work))),
                batch_size=1,
                num_cpus=0,
            )
            .map_batches(
                Transcriber,
                fn_constructor_args=(self._settings, tries),
                compute=compute,
                batch_size=1,
                num_cpus=pool.cpus,
                num_gpus=pool.gpus or None,
            )
        )

    def go(self) -> float:
        """Do what is left; the seconds that it took."""
        began = time.monotonic()
        try:
            if self.left:
                for row in self.dataset().iter_rows():
                    self._take(json.loads(row["result"]))
                self._name_missing()
        finally:
            self.manifest.flush()
        return time.monotonic() - began

    # -- what workers say

    def _take(self, result: Dict[str, Any]) -> None:
        self.report.add_work(result)
        for line in result["lines"]:
            if line["status"] == "cut":
                self._cut[line["recording"]] = line
                self._close_if_ready(line["recording"])
            else:
                self._close(line)
        for one in result["ranges"]:
            path = one["recording"][0]
            self._ready.setdefault(path, {})[one["name"]] = one if "why" in one else None
            self._close_if_ready(path)

    def _close(self, line: Dict[str, Any]) -> None:
        """A recording is done or has failed. (What was done twice, since a worker's node died, is said twice.)"""
        if line["recording"] in self._closed:
            return
        self._closed.add(line["recording"])
        line["run"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.report.add_line(line)
        self.manifest.add(line)
        self._say("%s: %s" % (line["recording"], line["status"] + (", " + line["why"] if line.get("why") else "")))

    def _close_if_ready(self, path: str) -> None:
        line, ready = self._cut.get(path), self._ready.get(path, {})
        if line is None or path in self._closed or not set(line["ranges"]) <= set(ready):
            return
        recording = self._by_path[path]
        bad = next((ready[name] for name in line["ranges"] if ready[name]), None)
        if bad:
            self._close(line_of(recording, "failed", kind=bad["kind"], why=bad["why"]))
            return
        try:
            self._close(self._joined(recording, line))
        except Exception as error:
            self._close(failed(recording, error))

    def _joined(self, recording: Recording, line: Dict[str, Any]) -> Dict[str, Any]:
        places = [place(join(self._settings.out, range_result(recording, name))) for name in line["ranges"]]
        results = [json.loads(again(self._settings, lambda: system.read(path))) for system, path in places]
        whole = ranges.joined(results, line["incomplete"] or None)
        outputs = write_documents(self._settings, recording, ranges.documents(whole, self._settings.formats))
        for system, path in places:
            system.remove(path)
        status = {"status": "part", "why": whole["incomplete"]} if "incomplete" in whole else {"status": "done"}
        return line_of(
            recording,
            outputs=outputs,
            seconds=line["seconds"],
            language=whole["language"],
            ranges=len(line["ranges"]),
            **status,
        )

    def _name_missing(self) -> None:
        """Success means that every recording has its line."""
        for path in sorted(set(self._by_path) - self._closed):
            self._close(
                line_of(
                    self._by_path[path], "failed", kind="Lost", why="no worker has said what became of it; start again"
                )
            )
