"""Archives: thousands of hours of recordings, transcribed by many machines that Ray joins.

    python -m whisp.archive IN OUT --model base

    __main__.py   the command line and its exit status
    places.py     folders and buckets: listed, read, written to by rename
    plan.py       which recordings there are, what their outputs are called, which of them share a batch
    manifest.py   what is done, and what went wrong with the rest
    alone.py      one run at a time in one OUT
    load.py       a unit of the plan becomes work: paths of short recordings, samples of a long one's ranges
    ranges.py     a long recording cut where the library cuts it, and its ranges' results joined again
    work.py       an actor with a model, which transcribes work
    tries.py      how often each piece of work was begun, so that what ends its worker is not tried for ever
    run.py        all of it on Ray Data
    report.py     hours, real-time factor, idle share, failures by kind

Nothing here is imported by `import whisp`; only run.py needs ray, and places.py needs fsspec for anything but folders.
docs/archive.md says what it costs and where it ends.
"""
