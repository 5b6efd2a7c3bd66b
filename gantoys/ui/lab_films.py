"""What the lab knows of films: those of a config that are on screen, new frames, and what the browser has of them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from streamlit.runtime.scriptrunner import get_script_run_ctx

from gantoys.pictures.film import recorded
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.service.run_service import Run, service
from gantoys.ui.frame import Page

OVERLAP_SECONDS, SENT_KEPT = 1.2, 8
Films = tuple[Film | None, ...]


@dataclass(frozen=True)
class Screen:
    """What is on screen: a config, and the films of its seeds as far as they are known.

    take: a new number for each training, so that the browser begins anew and follows the newest frame. film_of_file:
    whether the visitor opened the film from a file.
    """

    config: TrainConfig
    films: Films = ()
    take: int = 0
    film_of_file: bool = False

    @property
    def begun(self) -> bool:
        return any(film is not None and len(film) for film in self.films)

    @property
    def whole(self) -> bool:
        """Whether no frame is missing."""
        return bool(self.films) and all(map(is_whole, self.films))


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


def stored(config: TrainConfig) -> Films:
    """The films of a config that are there already: the recorded one, or what the store has, also of a paused run."""
    if config == recorded().config:
        return (recorded(),)
    films = [service().store.find(config, k) or service().kept(config, k) for k in range(config.seeds)]
    return tuple(films) if any(film is not None for film in films) else ()


def joined(film: Film | None, run: Run, member: int) -> Film | None:
    """The frames held so far with those that came since."""
    held = len(film) if film is not None else 0
    new = run.film(held, member)
    if new is None or film is None or not held:
        return new if new is not None and len(new) else film
    # a run that was paused begins again: until it has caught up there is nothing new
    return film.joined(new) if len(new) or new.status != "running" else film


def is_whole(film: Film | None) -> bool:
    """Whether a film has come to its end."""
    return film is not None and len(film) > 0 and (film.status == "diverged" or film.step[-1] >= film.config.steps)


def progress(films: Sequence[Film | None]) -> int:
    """The newest step of any film."""
    return max((int(f.step[-1]) for f in films if f is not None and len(f)), default=0)


def session() -> str:
    """The name of this visitor's session."""
    context = get_script_run_ctx()
    return context.session_id if context is not None else "no-session"
