"""What the pictures of films share, on the line and in the plane: the clock, axes that follow the data, curves over
steps."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gantoys.maths.losses import LOSSES, probability
from gantoys.maths.toys import Sampler
from gantoys.metrics.modes import has_modes
from gantoys.pictures.lab_frames import mode_reports
from gantoys.runs.config import TrainConfig
from gantoys.runs.critics import estimates
from gantoys.runs.film import ERRORS_BELOW, Film
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Curve, Rule, Text
from gantoys.stage.scene import Axis, Control, Panel, Readout, Swept

Array = np.ndarray
LOG4, LOG2 = float(np.log(4)), float(np.log(2))
JS = "JS(*p*_{data}, *p*_{G})"
Kind = Literal["exact", "estimated", "lower bound", "trained"]
FRAMES_PER_SECOND, LASTS = 12.0, 10.0  # at least; a film with many pictures plays in so many seconds
ARROW_SHARE = 0.06  # what the median arrow takes of the picture's width
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
        return Swept({"step": self.film.surfaces(min(self.behind, len(self.film)))})

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
        self,
        key: str,
        label: str,
        values: Array,
        role: str | None = None,
        *,
        kind: Kind,
        digits: int = 2,
        unit: str = "nats",
        band: str = "",
    ) -> Readout:
        """A live number of each frame (K,)."""
        moving = self.row(values.astype(float))
        return Readout(key, label, moving, unit=unit, kind=kind, digits=digits, role=role, band=band)

    def figure(
        self, name: str, label: str, role: str | None = None, *, key: str = "", digits: int = 2, unit: str = "nats"
    ) -> tuple[Readout, ...]:
        """A figure of the film whose error it keeps: exact, or with the band in which it lies 19 times of 20."""
        key, film = key or name, self.film
        values: Array = getattr(film, name)
        if film.is_exact(name):
            return (self.number(key, label, values, role, kind="exact", digits=digits, unit=unit),)
        half = Readout(
            f"{key}-band", "band", self.row(ERRORS_BELOW * film.error(name)), digits=digits, visible=False,
            kind="estimated",
        )  # fmt: skip
        told = self.number(key, label, values, role, kind="estimated", digits=digits, unit=unit, band=half.key)
        return told, half

    def js(self, *, digits: int = 3) -> Readout:
        """JS of each frame: exact, or the lower bound that the points are sure of."""
        film = self.film
        kind: Kind = "exact" if film.exact else "lower bound"
        return self.number("js", JS, film.js, kind=kind, digits=digits)

    def shortfall(self, *, digits: int = 2) -> Readout:
        """What D lacks in each frame."""
        film = self.film
        kind: Kind = "exact" if film.is_exact("value") else "lower bound"
        return self.number("shortfall", "gap: what *D* lacks", film.shortfall, "disc", kind=kind, digits=digits)

    def value(self, *, digits: int = 2) -> tuple[Readout, ...]:
        """V of each frame; of a critic that tells no probability, what it is worth."""
        if self.film.tells:
            return self.figure("value", "*V*(*D*, *G*)", "disc", key="v", digits=digits)
        unit = LOSSES[self.film.config.loss].unit
        return self.figure("value", worth(self.film), "disc", key="v", digits=digits, unit=unit)


def worth(film: Film) -> str:
    """What a D that tells no probability maximises, by name."""
    named = {
        "an estimate of W1": "*W*_{1}, estimated by the critic",
        "W1 up to an unknown factor": "*W*_{1} × an unknown factor",
        "the total variation, from below": "total variation, from below",
    }
    return named.get(estimates(film.config), "−loss of *D*, bare")


def drawn(config: TrainConfig) -> tuple[str, ...]:
    """What the pictures of a run show instead of what one might expect, in sentences."""
    told = []
    if config.ema:
        told.append("Points and figures are those of the averaged G, which does not train; D meets G itself.")
    if config.pac > 1:
        told.append(f"D judges {config.pac} points together: its ground is what it says of {config.pac} copies of one.")
    if config.minibatch_kernels or config.minibatch_std:
        told.append("D compares the points of a batch: its ground is for one point among a batch of generated ones.")
    if config.instance_noise:
        told.append("D learns on points with noise; its ground and V are for points without.")
    if probability(LOSSES[config.loss], np.zeros(1)) is None:
        told.append("The critic tells no probability: its ground is coloured from below to above its middle.")
    return tuple(told)


def ledger_panel(showing: Showing, *, row: int, rows: int = 1) -> Panel:
    """V = -log 4 + 2 JS - gap over the run, the gap shaded. Where JS is a bound, so is the best D's value."""
    film = showing.film
    best = 2 * film.js.astype(float) - LOG4
    name = "−log 4 + 2 JS: the best *D*" if film.exact else "the best *D*, at least"
    layers = (
        Rule(at=-LOG4, role="muted", label="−log 4: a coin’s value"),
        Area(x=showing.steps, y=film.value.astype(float), base=best, role="disc", opacity=0.22),
        Curve(x=showing.steps, y=best, role="theory", label=name),
        showing.curve(film.value, "disc", "*V*(*D*, *G*)"),
    )
    ends = around(np.concatenate([best, film.value]), -LOG4)
    return showing.over_steps(Axis(*ends, "value"), layers, row=row, rows=rows)


def ledger_formula(film: Film, digits: int) -> str:
    """The value ledger with the numbers of the picture."""
    js, gap, v = (f"{{{key}:.{digits}f}}" for key in ("js", "shortfall", "v"))
    if film.is_exact("value"):
        return f"[*V*|disc] = −log 4 + 2 JS − gap = −1.386 + 2 × {js} − {gap} = {v}"
    return f"[*V*|disc] = −log 4 + 2 JS − gap:   JS ≥ {js}, gap ≥ {gap}, [*V*|disc] = {v} ± {{v-band:.{digits}f}}"


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
    """The axis of JS over the run, from 0 to beyond log 2."""
    return Axis(0.0, around(film.js, 0.0, LOG2)[1], "JS" if film.exact else "JS is at least")


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


def lines(points: Array) -> Array:
    """Lines of points (K, many, along) one after the other, with a NaN after each so that the pen is lifted: (K, n)."""
    frames, many, along = points.shape
    gaps = np.full((frames, many, 1), np.nan)
    return np.concatenate([points.astype(float), gaps], axis=2).reshape(frames, many * (along + 1))  # also of no frame
