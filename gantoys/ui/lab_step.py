"""The lab's *One step*: the step after the one on screen, which takes its place in the film."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.runs.film_file import frame_fields, frozen
from gantoys.service.run_service import Run, ask
from gantoys.ui.frame import Page
from gantoys.ui.growing import session
from gantoys.ui.lab_films import Films

ELSEWHERE = (
    "this film was made on another machine, where the same settings give another run: train it here, then a step can "
    "be added"
)


def next_step(config: TrainConfig, step: int) -> TrainConfig:
    """The run until one step after `step`, filmed from `step` on: a stored state before it spares what came before."""
    kept = [change.model_dump() for change in config.changes if change.step <= step]
    return config.changed(steps=step + 1, slow=step, eigenvalues=0, changes=kept)


def with_step(film: Film, slow: Film) -> Film:
    """The film with the last picture of `slow`, the one after the step at which `slow` begins.

    A picture that is there already stays. Raises ValueError with one sentence when the two do not show the same run.
    """
    at = int(np.searchsorted(film.step, slow.step[0]))
    if at == len(film) or film.step[at] != slow.step[0] or not np.array_equal(film.samples[at], slow.samples[0]):
        raise ValueError(ELSEWHERE)
    step = int(slow.step[-1])
    if at + 1 < len(film) and film.step[at + 1] == step:
        return film
    names = [field.name for field in frame_fields(film.config)]
    if len(film.seconds):
        names.append("seconds")
    grown: dict[str, Any] = {}
    for name in names:
        values = getattr(film, name)
        new = values[at : at + 1] if name == "seconds" else getattr(slow, name)[-1:]
        grown[name] = frozen(np.concatenate([values[: at + 1], new, values[at + 1 :]]))
    return replace(film, **grown)


@dataclass(frozen=True)
class Step:
    """One more step of the run on screen, while it is made."""

    page: Page[Any]

    @property
    def run(self) -> Run | None:
        """The run that makes it; None when nobody has asked."""
        run: Run | None = self.page.get("step-run")
        return run

    def ask(self, config: TrainConfig, step: int) -> None:
        """Asks for the step after `step` of a run. Raises ValueError or Busy with a sentence."""
        self.page.put("step-run", ask(next_step(config, step), watcher=f"{session()}/step"))

    def leave(self) -> None:
        """Nobody waits for it any more."""
        if self.run is not None:
            self.run.leave()
        self.page.put("step-run", None)

    def taken(self, films: Films) -> tuple[Films, int] | None:
        """The films with the new step, and which it is, once it is there. Raises ValueError with a sentence."""
        run = self.run
        if run is None or not run.status().ended:
            return None
        self.page.put("step-run", None)
        slow = [run.film(0, member) for member in range(len(films))]
        if any(film is None or film.status != "done" for film in slow):
            said = next((film.message for film in slow if film is not None and film.message), run.status().message)
            raise ValueError(said.rstrip(".") or "the step could not be taken")
        new = tuple(
            with_step(film, one) if film is not None and one is not None and film.status != "diverged" else film
            for film, one in zip(films, slow, strict=True)
        )
        return new, run.config.steps
