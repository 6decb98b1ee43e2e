#!/usr/bin/env python3
"""How evenly an archive keeps a cluster busy: the schedule of whisp.archive, simulated. Standard library only.

usage: bench/archive/simulate.py [--nodes N ...] [--hours H] [--median S] [--sigma X] [--lengths FILE] [...]

Recordings' lengths are log-normal (--median, --sigma), or fitted to a file's, one number of seconds a line (--lengths).
As load.py and plan.py have it, the long ones come first and fall into ranges, short ones share batches; each worker
takes the next piece when it is free and what it fetched ahead is there. The head hands out one piece at a time (--head
seconds each), loaders read and cut (--load seconds of processor time for an hour of sound). Workers differ in speed
(--spread), since machines do.

Printed: pieces, hours until the end, the idle share (1 - work / (workers * time)), and how much of it is the head's,
the loaders' and the last pieces' doing."""

import argparse
import heapq
import math
import random


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--nodes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--cores", type=int, default=16, help="workers of a node, a core each")
    parser.add_argument("--hours", type=float, help="of sound; default: 100 a core")
    parser.add_argument(
        "--speed", type=float, default=33.0, help="times real time of a core: base 33, tiny.en 60, small 10"
    )
    parser.add_argument(
        "--spread", type=float, default=0.05, help="by which workers' speeds differ (standard deviation)"
    )
    parser.add_argument("--median", type=float, default=1500.0, help="of a recording's length, seconds")
    parser.add_argument("--sigma", type=float, default=1.0, help="of its logarithm")
    parser.add_argument("--lengths", help="a file of lengths: its median and sigma are taken")
    parser.add_argument("--batch", type=float, default=600.0, help="--batch_seconds")
    parser.add_argument("--range", type=float, default=600.0, help="--range_seconds")
    parser.add_argument("--long", type=float, default=1800.0, help="--long_seconds; inf: nothing is divided")
    parser.add_argument("--head", type=float, default=0.010, help="seconds of the head for a piece")
    parser.add_argument("--load", type=float, default=7.0, help="seconds of a loader for an hour of sound")
    parser.add_argument("--loaders", type=int, default=0, help="default: one a node")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def fit(path):
    """(median, sigma) of the log-normal nearest to a file's lengths, by the moments of their logarithms."""
    with open(path, encoding="ascii") as file:
        logs = [math.log(float(line)) for line in file if line.strip() and float(line) > 0]
    mean = sum(logs) / len(logs)
    return math.exp(mean), math.sqrt(sum((x - mean) ** 2 for x in logs) / max(1, len(logs) - 1))


def pieces(given, median, sigma, hours, draw):
    """What workers are given, in order: ranges of the longest recordings first, then batches; a list of seconds."""
    left, lengths = hours * 3600, []
    while left > 0:
        lengths.append(min(draw.lognormvariate(math.log(median), sigma), 24 * 3600.0))
        left -= lengths[-1]
    lengths.sort(reverse=True)
    made, batch = [], 0.0
    for seconds in lengths:
        if seconds >= given.long:
            n = max(1, int(seconds // given.range))
            made += [seconds / n] * n
            continue
        if batch and batch + seconds > given.batch:
            made.append(batch)
            batch = 0.0
        batch += seconds
    return len(lengths), made + ([batch] if batch else [])


def schedule(work, workers, loaders, given, draw):
    """(end, busy seconds of all workers, seconds that workers waited for the head or for a loader) of the greedy
    schedule."""
    speeds = [given.speed * max(0.2, draw.gauss(1, given.spread)) for _ in range(workers)]
    free = [(0.0, i) for i in range(workers)]
    ready = [0.0] * loaders
    heapq.heapify(free)
    head = busy = waited = end = 0.0
    for seconds in work:
        at, worker = heapq.heappop(free)
        loaded = heapq.heappop(ready) + given.load * seconds / 3600
        heapq.heappush(ready, loaded)
        head = max(head, loaded) + given.head
        begin = max(at, head)
        waited += begin - at
        took = seconds / speeds[worker]
        busy += took
        end = max(end, begin + took)
        heapq.heappush(free, (begin + took, worker))
    return end, busy, waited


def main():
    given = arguments()
    median, sigma = fit(given.lengths) if given.lengths else (given.median, given.sigma)
    print(
        "lengths: median %.0f s, sigma %.2f; a core does %.0f times real time; batches of %.0f s, ranges of %.0f s "
        "from %.0f s on"
        % (median, sigma, given.speed, given.batch, given.range, given.long)
    )
    print(
        "%6s %8s %10s %11s %9s %9s %7s %9s %7s"
        % ("nodes", "workers", "hours", "recordings", "pieces", "takes, h", "idle", "waiting", "tail")
    )
    for nodes in given.nodes:
        draw = random.Random(given.seed)
        workers = nodes * given.cores
        hours = given.hours or 100.0 * workers
        n, work = pieces(given, median, sigma, hours, draw)
        end, busy, waited = schedule(work, workers, given.loaders or nodes, given, draw)
        whole = end * workers
        print(
            "%6d %8d %10.0f %11d %9d %9.2f %6.1f%% %8.1f%% %6.1f%%"
            % (
                nodes,
                workers,
                hours,
                n,
                len(work),
                end / 3600,
                100 * (1 - busy / whole),
                100 * waited / whole,
                100 * (whole - busy - waited) / whole,
            )
        )


if __name__ == "__main__":
    main()
