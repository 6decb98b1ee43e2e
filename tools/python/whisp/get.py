"""python -m whisp.get: the program whisp-get, which fetches models by name (docs/get.md).

It is looked for where this package was installed with its programs, beside Python, and on the PATH.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from typing import List, Optional


def program() -> Optional[str]:
    """The path of whisp-get, None where there is none."""
    package = os.path.dirname(os.path.abspath(__file__))
    for folder in (os.path.join(package, "bin"), sysconfig.get_path("scripts"), os.path.dirname(sys.executable)):
        path = os.path.join(folder or "", "whisp-get")
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return shutil.which("whisp-get")


def main(arguments: Optional[List[str]] = None) -> int:
    """Become whisp-get; returns only where there is none."""
    path = program()
    if path is None:
        print(
            "whisp.get: the program whisp-get is neither in this package nor on the PATH; build it with `make`, or "
            "install a wheel of libwhisp, which has it",
            file=sys.stderr,
        )
        return 1
    sys.stdout.flush()
    os.execv(path, [path, *(sys.argv[1:] if arguments is None else arguments)])


if __name__ == "__main__":
    sys.exit(main())
