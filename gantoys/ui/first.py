"""What every page needs, imported by whoever comes first: `app.py` and each page import this module before any other.

Visitors' scripts run in threads of one process. Two that import the same packages for the first time, each in the order
of its own page, meet modules that are half made. So all of them begin with one import, for which the others wait, and
what a page needs besides it imports `with importing`, one visitor after the other.
"""

from gantoys import process

process.file_limit()  # raised before all else: a class may come while the rest is imported

from gantoys.maths.late import importing  # noqa: E402
from gantoys.shared import TURNS  # noqa: E402
from gantoys.ui import frame, live, look, memory, navigation, serving, undisturbed  # noqa: E402

__all__ = ["TURNS", "frame", "importing", "live", "look", "memory", "navigation", "serving", "undisturbed"]
