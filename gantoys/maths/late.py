"""Imports that are not made at the start, one thread after the other.

Pages run in threads of one process, and two threads that import the parts of one package for the first time in
different orders meet modules that are half made.
"""

import importlib
import threading
from typing import Any

importing = threading.RLock()
"""Held by a thread while it imports."""


def late(name: str) -> Any:
    """The module `name`, imported when it is first needed: for what takes a tenth of a second or more to import.

    >>> float(late("scipy.special").expit(0.0))
    0.5
    """
    with importing:
        return importlib.import_module(name)
