"""How often a piece of work was begun: a worker that dies says nothing, and Ray gives its work to the next, for
ever."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Dict


class Tries:
    """An actor beside the driver. Who is lost with it begins to count anew."""

    def __init__(self) -> None:
        self._begun: Dict[str, int] = {}

    def begin(self, key: str) -> int:
        """The how manieth time is it?"""
        self._begun[key] = self._begun.get(key, 0) + 1
        return self._begun[key]

    def end(self, key: str) -> None:
        self._begun.pop(key, None)


class Counted:
    """The same from where the work is done; without the actor every time is the first."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def begin(self, key: str) -> int:
        if self._actor is None:
            return 1
        ray: Any = import_module("ray")
        try:
            return int(ray.get(self._actor.begin.remote(key), timeout=60))
        except (ray.exceptions.RayError, TimeoutError):
            return 1

    def end(self, key: str) -> None:
        if self._actor is not None:
            self._actor.end.remote(key)
