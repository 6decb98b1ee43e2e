"""What every worker must know; travels with the work."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, TypeVar

_Value = TypeVar("_Value")


@dataclass
class Settings:
    out: str
    model: str  # a path that every node has
    formats: List[str]
    options: Dict[str, Any] = field(default_factory=dict)
    batch_seconds: float = 600.0
    range_seconds: float = 600.0
    long_seconds: float = 1800.0  # from here on a recording is divided
    tries: int = 3  # of what ends its worker; of what a slow or broken place refuses
    timeout: float = 600.0  # seconds for a file to come or to go
    library: Optional[str] = None  # $WHISP_LIBRARY


def again(settings: Settings, call: Callable[[], _Value], pause: float = 1.0) -> _Value:
    """What a place may refuse once and give the next time, or not give in time."""
    for left in range(settings.tries - 1, -1, -1):
        pool = ThreadPoolExecutor(1)
        try:
            return pool.submit(call).result(timeout=settings.timeout)
        except (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError):
            raise
        except Exception:
            if not left:
                raise
        finally:
            pool.shutdown(wait=False)
        time.sleep(pause)
        pause *= 4
    raise AssertionError


def kind_of(error: BaseException) -> str:
    """A failure's name in reports: the library's (AudioError, ...), or the system's."""
    if isinstance(error, TimeoutError) or type(error).__name__ == "TimeoutError":
        return "TimeoutError"
    return type(error).__name__


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:1000] or kind_of(error)
