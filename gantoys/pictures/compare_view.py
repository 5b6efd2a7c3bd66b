"""Several runs, their films and their clock, as one picture: titles, figures over the runs, live numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gantoys.metrics.modes import PERFECT_QUALITY, has_modes
from gantoys.pictures.compare_clock import Clock, Shot
from gantoys.pictures.compare_state import Entrant
from gantoys.pictures.film_parts import FRAMES_PER_SECOND, JS, LOG2, around, shares
from gantoys.runs.film import Film
from gantoys.shared import shared
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Curve, Rule
from gantoys.stage.scene import Axis, Control, Panel, Readout, Swept

Array = np.ndarray
ROLES = ("text", "accent", "muted", "warn")  # of the runs' lines: none that means a player; each bears its letter too
_ROOM = {1: 60, 2: 36, 3: 24, 4: 20}  # letters that fit above one of so many pictures, in lecture view too


@dataclass(frozen=True)
class Figure:
    """A number of each frame, over the run. of: film to (K,). needs_modes: only where modes can be counted."""

    key: str
    label: str
    of: Callable[[Film], Array]
    needs_modes: bool = False


@shared
def _shares(film: Film) -> tuple[Array, Array, Array]:
    return shares(film)


FIGURES = {
    row.key: row
    for row in (
        Figure("js", JS, lambda film: film.js.astype(float)),
        Figure("modes", "modes covered", lambda film: _shares(film)[1], needs_modes=True),
        Figure("quality", "share of good points", lambda film: _shares(film)[2], needs_modes=True),
        Figure("loss_d", "loss of *D*, in its own game", lambda film: film.loss_d.astype(float)),
        Figure("loss_g", "loss of *G*, in its own game", lambda film: film.loss_g.astype(float)),
        Figure("grad_d", "length of *D*'s gradient", lambda film: film.grad_d.astype(float)),
    )
}


@dataclass(frozen=True)
class View:
    """Runs, their films and the clock, as one picture."""

    runs: tuple[Entrant, ...]
    shots: tuple[Shot, ...]
    clock: Clock
    behind: int

    def film(self, run: Entrant) -> Film | None:
        """The film of a run, None before its first picture."""
        film = self.shots[self.runs.index(run)].film
        return film if film is not None and len(film) else None

    def frames(self, run: Entrant) -> Array | None:
        """Which frame a run shows at each position of the clock."""
        return self.clock.frames[self.runs.index(run)]

    def row(self, run: Entrant, values: Array) -> Swept:
        """What moves with the clock: `values` (K, ...) of the run's frames."""
        frames = self.frames(run)
        assert frames is not None
        return Swept({"step": values[frames[self.behind :]]})

    def control(self, step: int, name: str, autoplay: bool) -> Control:
        """The clock that plays all of them."""
        steps, live = self.clock.steps, any(shot.growing for shot in self.shots)
        return Control(
            "step", "step", steps, start=int(np.argmin(np.abs(steps - step))), kind="time", digits=0, film=name,
            fps=FRAMES_PER_SECOND, autoplay=autoplay and not live, live=live,
        )  # fmt: skip

    def title(self, run: Entrant) -> str:
        """Letter, and what differs, as long as there is room; a run that has ended early says so."""
        room, film = _ROOM[len(self.runs)], self.film(run)
        if film is not None and film.status == "diverged":
            words = f"diverged at step {film.step[-1]}"
        elif run.differs:
            words = _shortened(run.differs[0], room - 3 * (len(run.differs) > 1)) + ("; …" if run.differs[1:] else "")
        else:
            words = "as it is"
        return f"{run.letter}   {words}"

    def figures(self) -> tuple[Figure, ...]:
        """As many figures as there are runs: one below each picture, at least one."""
        modes = has_modes(self.runs[0].config.target())
        return tuple(figure for figure in FIGURES.values() if modes or not figure.needs_modes)[: len(self.runs)]

    def over_steps(self, figure: Figure, column: int, row: int) -> Panel:
        """One figure of all runs over their steps, each line with its letter."""
        lines: list[Layer] = []
        shown: list[Array] = []
        for run, role in zip(self.runs, ROLES, strict=False):
            film = self.film(run)
            if film is None:
                continue
            inside = film.step <= self.clock.steps[-1]
            values = figure.of(film)[inside]
            shown.append(values[np.isfinite(values)])
            lines.append(Curve(x=film.step[inside].astype(float), y=values, role=role, label=run.letter, dashed=False))
        theory, ends = self._theory(figure, np.concatenate([np.zeros(0), *shown]))
        lines.append(Rule(at=Swept({"step": self.clock.steps[self.behind :]}), axis="x", role="muted", dashed=False))
        longest = max(run.config.steps for run in self.runs)
        bound = figure.key == "js" and not self.runs[0].config.exact
        return Panel(
            Axis(0, float(longest), "step"), Axis(*ends, figure.label + ", at least" * bound), (*theory, *lines),
            row=row, column=column, height_ratio=0.62, lecture=False,
        )  # fmt: skip

    def _theory(self, figure: Figure, values: Array) -> tuple[tuple[Layer, ...], tuple[float, float]]:
        """What a perfect generator has, or nothing in common means; and the ends of the axis."""
        target = self.runs[0].config.target()
        if figure.key == "js":
            return (Rule(at=LOG2, role="theory", label="log 2: nothing in common"),), (0.0, 0.8)
        if figure.key == "modes" and has_modes(target):
            count = len(target.weights)
            return (Rule(at=float(count), role="theory", label=f"all {count}"),), (0.0, 1.15 * count)
        if figure.key == "quality":
            return (Rule(at=PERFECT_QUALITY, role="theory", label="a perfect generator"),), (0.0, 1.15)
        return (), around(values, 0.0) if len(values) else (0.0, 1.0)

    def readouts(self, figures: Sequence[Figure]) -> tuple[Readout, ...]:
        """JS of every run; while there are two, also their modes."""
        found: list[Readout] = []
        for figure in [f for f in figures if f.key == "js" or (f.key == "modes" and len(self.runs) < 3)]:
            for run in self.runs:
                film = self.film(run)
                if film is None:
                    continue
                exact = "exact" if film.exact else "lower bound"
                found.append(
                    Readout(
                        f"{figure.key}-{run.letter}", f"{run.letter}: {figure.label}",
                        self.row(run, figure.of(film)), unit="nats" if figure.key == "js" else "",
                        kind=exact if figure.key == "js" else "trained",  # type: ignore[arg-type]
                        digits=3 if figure.key == "js" else 0,
                    )
                )  # fmt: skip
        return tuple(found)


def _shortened(difference: str, room: int) -> str:
    """A field's title and value in at most `room` letters: the title is cut, not the value."""
    title, _, value = difference.partition(" instead of ")[0].partition(": ")
    left = max(4, room - len(value) - 2)
    return f"{title if len(title) <= left else title[: left - 1].rstrip(' ,') + '…'}: {value}"
