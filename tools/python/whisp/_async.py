"""transcribe() for asyncio: in a thread, and stopped when the task is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from typing import TYPE_CHECKING, Any

from ._transcript import Transcript

if TYPE_CHECKING:
    from ._model import Model
    from ._typed import Shown


async def transcribe_async(model: "Model", audio: Any, options: "Shown") -> Transcript:
    """Model.transcribe_async()."""
    stop = threading.Event()
    cancel = options.get("cancel")
    options["cancel"] = lambda: stop.is_set() or (cancel is not None and cancel())
    call = functools.partial(model.transcribe, audio, **options)
    future = asyncio.get_running_loop().run_in_executor(None, call)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        stop.set()
        with contextlib.suppress(Exception):  # it ends, by Cancelled or because it was over
            await future
        raise
