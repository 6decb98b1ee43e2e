"""Where models are."""

from __future__ import annotations

import ctypes
import os
from typing import Union

from ._audio import path_bytes
from ._library import check, library


def find_model(name: Union[str, "os.PathLike[str]", None], model_dir: Union[str, "os.PathLike[str]", None]) -> str:
    """The path of the model that a name or path means; FileError where there is none."""
    path = ctypes.create_string_buffer(4096)
    check(
        library().whisp_model_find(
            None if name is None else path_bytes(name),
            None if model_dir is None else path_bytes(model_dir),
            path,
            len(path),
        )
    )
    return os.fsdecode(path.value)
