"""What a run says at its end."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, List, Set, Tuple


class Report:
    def __init__(self, before: int, passed_over: Dict[str, int], gone: int = 0) -> None:
        self._before, self._passed_over, self._gone = before, passed_over, gone
        self.counts: "Counter[str]" = Counter()
        self.kinds: "Counter[str]" = Counter()
        self.heard = 0.0  # seconds of sound
        self.cpu = 0.0
        self._spans: Dict[str, List[Tuple[float, float]]] = {}  # by worker: when it was at work
        self._failures: List[str] = []

    def add_work(self, result: Dict[str, Any]) -> None:
        self.cpu += result["cpu"]
        self._spans.setdefault(result["worker"], []).append((result["begin"], result["end"]))

    def add_line(self, line: Dict[str, Any]) -> None:
        self.counts[line["status"]] += 1
        self.heard += line.get("seconds", 0.0)
        if line["status"] == "failed":
            self.kinds[line["kind"]] += 1
            if len(self._failures) < 20:
                self._failures.append("  %s: %s" % (line["recording"], line["why"]))

    @property
    def workers(self) -> Set[str]:
        return set(self._spans)

    def idle(self) -> float:
        """The share of the time between the first work's beginning and the last one's end in which workers had none. A
        worker counts from its first work on; one that died, as idle from then on."""
        spans = [span for spans in self._spans.values() for span in spans]
        if not spans:
            return 0.0
        last = max(end for _, end in spans)
        alive = busy = 0.0
        for worker in self._spans.values():
            begin = min(begin for begin, _ in worker)
            alive += last - begin
            busy += sum(end - begin for begin, end in worker)
        return max(0.0, 1 - busy / alive) if alive > 0 else 0.0

    def text(self, seconds: float) -> str:
        done, part, bad = (self.counts[status] for status in ("done", "part", "failed"))
        lines = [
            "%d recordings transcribed, %d of them in part, %d failed, %d were done before"
            % (done + part, part, bad, self._before)
        ]
        if self._gone:
            lines.append("%d were done before and their transcripts were gone: done again" % self._gone)
        if self.heard:
            lines.append(
                "%.2f hours of sound in %.2f hours, %.2f core hours: %.1f times real time a core; %d workers, "
                "idle %.1f%%"
                % (
                    self.heard / 3600,
                    seconds / 3600,
                    self.cpu / 3600,
                    self.heard / max(self.cpu, 1e-9),
                    len(self._spans),
                    100 * self.idle(),
                )
            )
        if self._passed_over:
            kinds = ", ".join(
                "%s: %d" % item for item in sorted(self._passed_over.items(), key=lambda item: (-item[1], item[0]))
            )
            lines.append("passed over, by their names no recordings: " + kinds)
        if bad:
            lines.append("failed, by kind: " + ", ".join("%s: %d" % item for item in self.kinds.most_common()))
            lines += self._failures + (["  and more; all are in OUT/manifest"] if bad > len(self._failures) else [])
        return "\n".join(lines)

    def as_json(self, seconds: float) -> Dict[str, Any]:
        return {
            "done": self.counts["done"],
            "part": self.counts["part"],
            "failed": self.counts["failed"],
            "done_before": self._before,
            "hours": self.heard / 3600,
            "wall_hours": seconds / 3600,
            "core_hours": self.cpu / 3600,
            "times_real_time_a_core": self.heard / self.cpu if self.cpu else 0.0,
            "idle": self.idle(),
            "workers": len(self._spans),
            "failures": dict(self.kinds),
            "passed_over": self._passed_over,
        }
