"""Films that grow on a page: new frames, what the browser has of them, and who asks for them."""

import time
from dataclasses import dataclass
from typing import Any

from streamlit.runtime.scriptrunner import get_script_run_ctx

from gantoys.runs.film import Film
from gantoys.runs.store import held_once
from gantoys.service.run_service import Run
from gantoys.ui.frame import Page

POLL_SECONDS = 0.4
OVERLAP_SECONDS, SENT_KEPT = 1.2, 8


@dataclass(frozen=True)
class Sent:
    """How many frames of what is on screen went to the browser, and when."""

    page: Page[Any]

    def held(self, view: str) -> int:
        """How many frames the browser surely holds: a busy one skips messages, so the newest do not count."""
        log = self.page.get("sent")
        if log is None or log[0] != view:
            return 0
        return max((count for at, count in log[1] if at < time.monotonic() - OVERLAP_SECONDS), default=0)

    def note(self, view: str, count: int) -> None:
        """So many frames are on their way."""
        log = self.page.get("sent")
        kept = log[1][-SENT_KEPT:] if log is not None and log[0] == view else []
        self.page.put("sent", (view, [*kept, (time.monotonic(), count)]))

    def forget(self) -> None:
        """The browser holds nothing."""
        self.page.put("sent", None)


def joined(film: Film | None, run: Run, member: int = 0) -> Film | None:
    """The frames held so far with those that came since."""
    held = len(film) if film is not None else 0
    new = run.film(held, member)
    if new is None or film is None or not held:
        return new if new is not None and len(new) else film
    # a run that was paused begins again: until it has caught up there is nothing new
    return held_once(film.joined(new)) if len(new) or new.status != "running" else film


def session() -> str:
    """The name of this visitor's session."""
    context = get_script_run_ctx()
    return context.session_id if context is not None else "no-session"
