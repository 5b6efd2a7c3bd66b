"""What the pictures of films share, on the line and in the plane: the clock, axes that follow the data, curves over
steps."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from gantoys.maths.losses import LOSSES, probability
from gantoys.maths.toys import Sampler
from gantoys.metrics.modes import has_modes
from gantoys.pictures.lab_frames import mode_reports
from gantoys.runs.film import Film
from gantoys.runs.span import beside, grid_ends
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Curve, Rule, Text
from gantoys.stage.scene import Axis, Control, Panel, Readout, Swept

Array = np.ndarray
LOG4, LOG2 = float(np.log(4)), float(np.log(2))
FRAMES_PER_SECOND, LASTS = 12.0, 10.0  # at least; a film with many pictures plays in so many seconds
ARROW_SHARE = 0.06  # what the median arrow takes of the picture's width
COUNTED = "*p*_{G}, counted"
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Showing:
    """A film on the stage: the picture at `step`; only the frames from `behind` on are sent. name: the recording."""

    film: Film
    step: int
    name: str
    live: bool = False
    autoplay: bool = False
    behind: int = 0

    def __post_init__(self) -> None:
        if not len(self.film):
            raise ValueError("the film holds no picture")

    @property
    def steps(self) -> Array:
        """Steps of all frames (K,)."""
        return self.film.step.astype(float)

    def row(self, values: Array, of: type | None = None) -> Swept:
        """What moves with the clock: `values` (K, ...) of all frames, as another type if `of` is given."""
        sent = values[self.behind :]
        return Swept({"step": sent if of is None else sent.astype(of)})

    def surface(self) -> Swept:
        """What D says on the grid; computed for the frames that are sent only."""
        film = self.film
        part = replace(film, logits=film.logits[self.behind :], step=film.step[self.behind :])
        return Swept({"step": part.surface})

    def clock(self) -> Control:
        """The control that plays the film."""
        return Control(
            "step",
            "step",
            self.steps,
            start=int(np.argmin(np.abs(self.steps - self.step))),
            kind="time",
            digits=0,
            film=self.name,
            fps=max(FRAMES_PER_SECOND, self.film.config.frames / LASTS),
            loop=not self.live,
            autoplay=self.autoplay,
            live=self.live,
        )

    def now(self) -> Rule:
        """An upright line at the step on screen."""
        return Rule(at=self.row(self.steps), axis="x", role="muted", dashed=False)

    def over_steps(self, y: Axis, layers: Iterable[Layer], *, row: int = 0, rows: int = 1) -> Panel:
        """A panel beside the picture whose horizontal axis is the run."""
        x = Axis(0, float(self.film.config.steps), "step")
        return Panel(x, y, (*layers, self.now()), row=row, column=1, rows=rows, lecture=False)

    def curve(self, values: Array, role: str, label: str, *, dashed: bool | None = None) -> Curve:
        """A figure of each frame over the steps."""
        return Curve(x=self.steps, y=values.astype(float), role=role, label=label, dashed=dashed)

    def number(
        self, key: str, label: str, values: Array, role: str | None = None, *, kind: str = "", digits: int = 2
    ) -> Readout:
        """A live number in nats; exact or estimated as the film says, unless `kind` is given."""
        said = kind or ("exact" if self.film.exact else "estimated")
        moving = self.row(values.astype(float))
        return Readout(key, label, moving, unit="nats", kind=said, digits=digits, role=role)  # type: ignore[arg-type]


def tells(film: Film) -> bool:
    """Whether D says p_data / (p_data + p_G) under the film's loss, so that V and D* mean something for it."""
    return probability(LOSSES[film.config.loss], np.zeros(1)) is not None


def target_name(film: Film) -> str:
    """The target in words short enough for a sentence."""
    target = film.config.target()
    name = target.name if isinstance(target, Sampler) else film.config.toy
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def shares(film: Film, behind: int = 0) -> tuple[Array, Array, Array]:
    """For the frames from `behind` on, K of them: each mode's share of the generated points (K, modes), the modes
    covered (K,), the share of good points (K,)."""
    target = film.config.target()
    if not has_modes(target):
        raise ValueError(f"{target_name(film)} has no modes to count")
    reports = mode_reports(film, behind)
    counts = np.array([r.counts for r in reports], float).reshape(len(reports), len(target.weights))
    return (
        counts / max(1, film.samples.shape[1]),
        np.array([r.modes for r in reports], float),
        np.array([r.quality for r in reports], float),
    )


def around(values: Array, *more: float) -> tuple[float, float]:
    """The ends of an axis that shows nearly all of `values` and all of `more`; rounded, so that they seldom move.

    The outermost hundredth of the values on either side may lie beyond: one jump must not flatten a whole curve.
    """
    low, high = np.percentile(values, (1, 99))
    low, high = min((low, *more)), max((high, *more))
    room, unit = max(0.12 * (high - low), 0.1), nice(max(0.3 * (high - low), 0.1))
    first, last = np.floor((low - room) / unit), np.ceil((high + room) / unit)
    return round(float(first * unit), 9), round(float(last * unit), 9)


def js_axis(film: Film) -> Axis:
    """The axis of JS over the run: from 0, where an estimate does not fall below it, to beyond log 2."""
    low, high = around(film.js, 0.0, LOG2)
    return Axis(low if film.js.min() < 0 else 0.0, high, "JS" if film.exact else "JS, estimated")


def nice(value: float) -> float:
    """The largest of ..., 0.5, 1, 2, 5, 10, 20, ... that is not above a positive value.

    >>> nice(0.03), nice(7.0)
    (0.02, 5.0)
    """
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(m for m in (1, 2, 5) if m * power <= value * (1 + 1e-9)) * power)


def arrow_scale(arrows: Array, width: float) -> float:
    """A round number by which the median of the arrows (..., d) that are not 0 becomes about ARROW_SHARE of `width`."""
    lengths = np.linalg.norm(arrows.astype(float), axis=-1)
    lengths = lengths[lengths > 0]
    return nice(ARROW_SHARE * width / float(np.median(lengths))) if lengths.size else 1.0


def arrow_words(scale: float, height: float) -> Text:
    """What the arrows are, and by which factor they are drawn, at the left edge."""
    words = f"−∂*L*_{{G}}/∂*x* × {scale:,.6g}"
    return Text(x=0.02, y=height, text=words, align="left", size=0.92, frame=True)


def counted(
    film: Film,
    ends: tuple[float, float],
    sweep: Callable[[Array], Swept],
    behind: int = 0,
    label: str = COUNTED,
) -> Area:
    """p_G beside the film's grid, on the line: how many of the generated points lie in each of some cells.

    sweep: makes what moves with the clock of what was counted in each frame from `behind` on.
    """
    cells, density = beside(film, ends, behind)
    heights = np.where(density > 0, density, np.nan)
    # a NaN after each cell, where the pen is lifted
    x = np.concatenate([cells, np.full((len(cells), 1), np.nan)], 1).ravel()
    y = np.repeat(heights, 3, axis=1)
    return Area(x=x, y=sweep(y), role="fake", opacity=0.32, label=label)


def edge_of_grid(film: Film, ends: tuple[float, float]) -> tuple[Rule, ...]:
    """Where the film's grid ends inside of a wider axis: what D says is known up to there."""
    words = "*D* is known up to here"
    inner = [at for at, end in zip(grid_ends(film), ends, strict=True) if abs(at - end) > 1e-9]
    return tuple(Rule(at=at, axis="x", role="muted", width=0.5, label="" if k else words) for k, at in enumerate(inner))


def lines(points: Array) -> Array:
    """Lines of points (K, many, along) one after the other, with a NaN after each so that the pen is lifted: (K, n)."""
    frames, many, along = points.shape
    gaps = np.full((frames, many, 1), np.nan)
    return np.concatenate([points.astype(float), gaps], axis=2).reshape(frames, many * (along + 1))  # also of no frame
