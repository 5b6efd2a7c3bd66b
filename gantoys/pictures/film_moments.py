"""A GAN's steps in slow motion: which points D sees and what it says of them, how D moves, where G's points then go."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gantoys.maths.losses import LOSSES, probability
from gantoys.pictures.film_parts import arrow_scale, lines, target_name
from gantoys.runs.film import ERRORS_BELOW, Film
from gantoys.runs.film_file import JUDGED
from gantoys.runs.moments import D_MOVES, G_MOVES, SEES_FAKE, SEES_REAL, WHOLE, in_force
from gantoys.runs.span import span
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Arrows, Bars, Curve, Heatmap, Points, Rule, Text
from gantoys.stage.scene import Axis, Control, Panel, Readout, Scene, Swept

Array = np.ndarray
SECONDS = 1.2  # that a moment stays on screen
SURE = 0.25  # D is sure of a point when what it says is so far from 1/2
_SHORT = {
    SEES_REAL: "D sees real",
    SEES_FAKE: "D sees fake",
    D_MOVES: "D moves",
    G_MOVES: "G moves",
}
_NUMBERS = {SEES_REAL: 1, SEES_FAKE: 2, D_MOVES: 3, G_MOVES: 4}
_ARROWS, _ARROWS_LINE = 100, 25  # more would hide what lies beneath
_FOOT = 0.16  # the part of the density axis below 0, for the points, in heights of p_data


@dataclass(frozen=True)
class Slow:
    """A film in slow motion: what moves from frame to frame, each (K, ...)."""

    film: Film

    def __post_init__(self) -> None:
        if not len(self.film) or self.film.config.slow is None:
            raise ValueError("this film is not one in slow motion, or it holds no picture")

    def row(self, values: Array) -> Swept:
        """What moves with the clock."""
        return Swept({"moment": values})

    def only(self, values: Array, *moments: int) -> Swept:
        """`values` (K, n) in frames of these moments, nothing in all others."""
        here = np.isin(self.film.moment, moments).reshape(-1, *[1] * (values.ndim - 1))
        return self.row(np.where(here, values.astype(float), np.nan))

    def before(self, values: Array) -> Array:
        """What stood there one frame earlier, (K, ...); in the first frame what stands there."""
        return np.concatenate([values[:1], values[:-1]])

    @property
    def says(self) -> Array:
        """What D says of the points that it sees, in [0, 1], (K, b), as `Film.surface` reads its logits."""
        film, out = self.film, np.empty(self.film.said.shape)
        for k, step in enumerate(self.under_way):
            told = probability(LOSSES[in_force(film.config, "loss", int(step) - 1)], film.said[k].astype(float))
            out[k] = told if told is not None else film.squeezed(film.said[[k]].astype(float), np.array([k]))[0]
        return out

    @property
    def under_way(self) -> Array:
        """The number of the step that each frame belongs to, counted from 1, (K,)."""
        ends = np.append(True, np.diff(self.film.step.astype(int)) > 0)
        return np.asarray(self.film.step.astype(int) + ~ends)

    @property
    def change(self) -> Array:
        """How the last move of D up to each frame has changed what D says, (K, ...); 0 before the first."""
        surface = self.film.surface.astype(float)
        moved, out = surface - self.before(surface), np.zeros(surface.shape)
        for k in range(1, len(surface)):
            out[k] = moved[k] if self.film.moment[k] == D_MOVES else out[k - 1]
        return out

    def moves(self) -> list[str]:
        """Which of several moves of D each frame belongs to, in words; empty where there is one."""
        found, of_step = [], np.cumsum(self.film.moment == SEES_REAL)
        for k, step in enumerate(self.under_way):
            count = in_force(self.film.config, "d_steps", int(step) - 1)
            first = of_step[self.under_way == step].min() if count else 0
            several = count > 1 and self.film.moment[k] not in (WHOLE, G_MOVES)
            found.append(f", {of_step[k] - first + 1}/{count}" if several else "")
        return found

    def clock(self, moment: int, name: str, *, autoplay: bool) -> Control:
        """The control that plays the moments."""
        names = tuple(
            f"{step:,}: {_SHORT[int(kind)]}{which}" if kind else f"{step:,}"
            for step, kind, which in zip(self.under_way, self.film.moment, self.moves(), strict=True)
        )
        return Control(
            "moment", "step", np.arange(len(self.film), dtype=float), start=min(moment, len(self.film) - 1),
            kind="time", names=names, film=name, fps=1 / SECONDS, autoplay=autoplay,
        )  # fmt: skip


def moments_scene(film: Film, moment: int, *, name: str, autoplay: bool = False) -> Scene:
    """The scene of a film in slow motion (`config.slow`) at frame `moment`.

    name: the recording, so that a new one starts anew. ValueError for another film, or one without a picture yet.
    """
    slow = Slow(film)
    panels = _line(slow) if film.config.dim == 1 else _plane(slow)
    unit = f" {LOSSES[film.config.loss].unit}".rstrip()
    return Scene(
        key="film-moments",
        alt=(
            f"A generative adversarial network learning {target_name(film)}, in slow motion, step {{moment}}: the "
            "points that the discriminator sees and what it says of them. Losses: {loss_d} of D, {loss_g} of G."
        ),
        panels=panels,
        controls=(slow.clock(moment, name, autoplay=autoplay),),
        readouts=_readouts(slow),
        formula=(
            f"[*L*_{{D}}|disc]: {{before_d:.3f}} → {{loss_d:.3f}}{unit}   "
            f"[*L*_{{G}}|fake]: {{before_g:.3f}} → {{loss_g:.3f}}{unit}"
        ),
    )


# --- words and numbers


def _readouts(slow: Slow) -> tuple[Readout, ...]:
    film = slow.film

    def number(
        key: str, label: str, values: Array, role: str, unit: str = "", *, visible: bool = True, band: str = ""
    ) -> Readout:
        # averages over these very points are what they are; a loss stands for that of all points
        return Readout(key, label, slow.row(values.astype(float)), unit=unit, kind="estimated" if band else "trained",
                       digits=3, role=role, visible=visible, band=band)  # fmt: skip

    def half(name: str) -> Readout:
        return number(f"{name}-band", "band", ERRORS_BELOW * film.error(name), "muted", visible=False)

    says, count = "*D*" if film.tells else "critic", max(JUDGED, film.config.shown)
    unit = LOSSES[film.config.loss].unit
    return (
        number("loss_d", "loss of *D*", film.loss_d, "disc", unit, band="loss_d-band"),
        number("loss_g", "loss of *G*", film.loss_g, "fake", unit, band="loss_g-band"),
        half("loss_d"),
        half("loss_g"),
        number("d_real", f"{says} on {count:,} real", film.d_real, "real"),
        number("d_fake", f"{says} on {count:,} generated", film.d_fake, "fake"),
        number("told", "told", film.told, "disc", visible=False),
        number("before_d", "before", slow.before(film.loss_d), "disc", visible=False),
        number("before_g", "before", slow.before(film.loss_g), "fake", visible=False),
        number("change", "change", np.abs(slow.change).reshape(len(film), -1).max(1), "disc", visible=False),
    )


def _narration(slow: Slow, *, column: int, share: float) -> Panel:
    """What happens, in large words, and beneath it what it comes to; each in its own moments."""
    film = slow.film
    told = f"says {{told:.2f}} on average of these {film.config.batch}"
    told = f"it {told}"
    simultaneous = film.config.order == "simultaneous"
    layers: list[Layer] = []
    words = {
        WHOLE: ("Next: one step in slow motion", "space plays, the arrow keys step"),
        SEES_REAL: ("[1 · *D* sees real points|real]", told),
        SEES_FAKE: ("[2 · *D* sees generated points|fake]", told),
        D_MOVES: ("[3 · *D* moves|disc]", "its loss: {before_d:.3f} → {loss_d:.3f}"),
        G_MOVES: (
            "[4 · *G* moves|fake]" + (", at the same time" if simultaneous else ""),
            "its loss: {before_g:.3f} → {loss_g:.3f}",
        ),
    }
    for moment, (large, small) in words.items():
        if moment in film.moment:
            at = slow.only(np.zeros(len(film)), moment)
            layers.append(Text(x=at, y=0.9, text=large, align="left", size=1.45, frame=True))
            layers.append(Text(x=at, y=0.0, text=small, align="left", size=1.05, frame=True))
    return Panel(Axis(0, 1, visible=False), Axis(0, 1, visible=False), tuple(layers), column=column, height_ratio=share)


def _arrow_words(slow: Slow, moment: int, what: str, scale: float, height: float) -> Text:
    at = slow.only(np.full(len(slow.film), 0.02), moment)
    return Text(x=at, y=height, text=f"{what} × {scale:,.6g}", align="left", size=0.92, frame=True)


# --- what both pictures share


def _judged(slow: Slow, x: Array, y: Array) -> tuple[Layer, ...]:
    """The points that D sees at x, y (K, b), coloured by what it says: pale where it is not sure."""
    says, looks = slow.says, (SEES_REAL, SEES_FAKE)
    layers: list[Layer] = []
    for role, side in (("real", says >= 0.5), ("fake", says < 0.5)):
        for opacity, here in ((0.5, abs(says - 0.5) < SURE), (0.95, abs(says - 0.5) >= SURE)):
            shown = side & here
            layers.append(
                Points(
                    x=slow.only(np.where(shown, x, np.nan), *looks), y=slow.only(np.where(shown, y, np.nan), *looks),
                    role=role, size=3.6, opacity=opacity,
                )
            )  # fmt: skip
    return tuple(layers)


def _so_far(slow: Slow) -> Iterable[Layer]:
    """How much the last move of D has changed, in words."""
    moved = np.cumsum(slow.film.moment == D_MOVES) > 0
    for here, text in ((moved, "at most {change:.3f}"), (~moved, "it has not moved yet")):
        yield Text(x=slow.row(np.where(here, 0.03, np.nan)), y=0.06, text=text, align="left", size=0.92, frame=True)


def _averages(slow: Slow, *, lecture: bool) -> Panel:
    """What D says on average of the film's own points, and what it said one moment earlier."""
    film = slow.film
    now = np.stack([film.d_real, film.d_fake], 1).astype(float)
    if not film.tells:
        now = film.squeezed(now, np.arange(len(film)))
    stacked = np.zeros((len(film), 2, 2))
    stacked[:, 0, 0], stacked[:, 1, 1] = now[:, 0], now[:, 1]
    ends = np.broadcast_to(np.arange(2)[None, :, None] + np.array([-0.42, 0.42]), (len(film), 2, 2))
    marks = np.repeat(slow.before(now)[:, :, None], 2, axis=2)
    layers: tuple[Layer, ...] = (
        Bars(values=slow.row(stacked), roles=("real", "fake"), categories=("real", "generated"), width=0.6),
        Rule(at=0.5, role="muted"),
        Curve(x=lines(ends)[0], y=slow.row(lines(marks)), role="text", dashed=False, width=0.7),
    )
    name = "mean *D*" if film.tells else "mean critic, around its middle"
    return Panel(
        Axis(-0.7, 1.7, ticks=()), Axis(0, 1, f"{name}; line: the moment before", ticks=(0, 0.5, 1)),
        layers, row=1, column=1, height_ratio=0.9, lecture=lecture,
    )  # fmt: skip


# --- the plane


def _plane(slow: Slow) -> tuple[Panel, ...]:
    film = slow.film
    x_edges, y_edges = (_edges(grid) for grid in (film.grid_x, film.grid_y))
    points, seen = film.samples.astype(float), film.seen.astype(float)
    moving = (WHOLE, D_MOVES, G_MOVES)
    axes = Axis(*x_edges, visible=False), Axis(*y_edges, visible=False)
    width = x_edges[1] - x_edges[0]
    layers: list[Layer] = [
        Heatmap(values=slow.row(film.surface), x=x_edges, y=y_edges, contours=(0.5,), opacity=0.42),
        Points(x=film.real[:, 0], y=film.real[:, 1], role="real", size=1.5, opacity=0.3),
    ]
    for opacity, moments in ((0.6, moving), (0.2, (SEES_REAL, SEES_FAKE))):
        x, y = (slow.only(points[..., i], *moments) for i in (0, 1))
        layers.append(Points(x=x, y=y, role="fake", size=2.0, opacity=opacity))
    layers += _judged(slow, seen[..., 0], seen[..., 1])
    count = min(_ARROWS, film.arrows.shape[1])
    start, told, moved = (
        points[:, :count],
        film.arrows[:, :count].astype(float),
        (points - slow.before(points))[:, :count],
    )
    for moment, at, way, words in (
        (D_MOVES, start, told, "what *G* is told, −∂*L*_{G}/∂*x*"),
        (G_MOVES, slow.before(start), moved, "the way of each point"),
    ):
        if moment in film.moment and np.any(way[film.moment == moment]):
            scale = arrow_scale(way[film.moment == moment], width)
            layers.append(
                Arrows(
                    x=slow.only(at[..., 0], moment), y=slow.only(at[..., 1], moment), dx=slow.row(way[..., 0]),
                    dy=slow.row(way[..., 1]), scale=scale, width=0.6,
                )
            )  # fmt: skip
            layers.append(_arrow_words(slow, moment, words, scale, 0.035))
    changed = slow.change
    largest = np.abs(changed).reshape(len(film), -1).max(1)
    share = 0.5 + 0.5 * changed / np.where(largest > 0, largest, 1.0)[:, None, None]
    difference = Panel(
        *axes,
        (
            Heatmap(values=slow.row(share), x=x_edges, y=y_edges, opacity=0.75),
            Points(x=slow.row(points[:, :count, 0]), y=slow.row(points[:, :count, 1]), role="fake", size=1.0),
            *_so_far(slow),
        ),
        row=2, column=1, height_ratio=1.1, equal_aspect=True, title="what *D*’s move changed", lecture=False,
    )  # fmt: skip
    picture = Panel(*axes, tuple(layers), rows=3, height_ratio=2.3, equal_aspect=True)
    return picture, _narration(slow, column=1, share=0.28), _averages(slow, lecture=True), difference


def _edges(grid: Array) -> tuple[float, float]:
    half = (float(grid[-1]) - float(grid[0])) / (len(grid) - 1) / 2
    return float(grid[0]) - half, float(grid[-1]) + half


# --- the line


def _line(slow: Slow) -> tuple[Panel, ...]:
    film = slow.film
    x = film.grid_x.astype(float)
    ends = span((film,))
    real, fake = film.density_real.astype(float), film.density.astype(float)
    top = 1.7 * float(real.max())
    foot = -_FOOT * float(real.max())
    seen = film.seen[..., 0].astype(float)
    layers: list[Layer] = [
        Area(x=x, y=real, role="real"),
        Area(x=x, y=slow.row(fake), role="fake"),
        Curve(x=x, y=real, role="real", label="*p*_{data}"),
        Curve(x=x, y=slow.row(slow.before(fake)), role="muted", dashed=False, width=0.5),
        Curve(x=x, y=slow.row(fake), role="fake", label="*p*_{G}"),
        *_judged(slow, seen, np.full(seen.shape, foot / 2)),
        *_line_arrows(slow, ends[1] - ends[0], float(real.max())),
    ]
    surface = film.surface.astype(float)
    judge: list[Layer] = [Rule(at=0.5, role="muted", label="cannot tell: 1/2")]
    if film.tells:
        judge.append(Curve(x=x, y=slow.row(film.best), role="theory", label="*D*^{*}, the best"))
    judge.append(Curve(x=x, y=slow.row(slow.before(surface)), role="muted", dashed=False, width=0.5))
    judge.append(Curve(x=x, y=slow.row(surface), role="disc", label="*D*, trained" if film.tells else "critic"))
    judge += _judged(slow, seen, slow.says)
    changed = slow.change
    largest = max(float(np.abs(changed).max()), 1e-6)
    difference = Panel(
        Axis(*ends, "*x*"), Axis(-1.2 * largest, 1.2 * largest),
        (Rule(at=0.0, role="muted", dashed=False), Area(x=x, y=slow.row(changed), role="disc", opacity=0.3),
         Curve(x=x, y=slow.row(changed), role="disc"), *_so_far(slow)),
        row=2, column=1, title="what *D*’s move changed", lecture=False,
    )  # fmt: skip
    says = "[*D*(*x*)|disc]" if film.tells else "[critic|disc] around its middle"
    return (
        _narration(slow, column=0, share=0.42),
        Panel(Axis(*ends, visible=False), Axis(foot, top, "density"), tuple(layers), row=1, width_ratio=1.3),
        Panel(Axis(*ends, "*x*"), Axis(0, 1, says, ticks=(0, 0.5, 1)), tuple(judge), row=2),
        _averages(slow, lecture=False),
        difference,
    )


def _line_arrows(slow: Slow, width: float, height: float) -> Iterable[Layer]:
    film = slow.film
    points, count = film.samples[..., 0].astype(float), min(_ARROWS_LINE, film.arrows.shape[1])
    # spread over the height by the golden section, so that neighbours can be told apart
    heights = height * (0.08 + 0.9 * ((np.arange(count) * 0.618034) % 1.0))
    told, moved = film.arrows[:, :count, 0].astype(float), (points - slow.before(points))[:, :count]
    for moment, at, way, words in (
        (D_MOVES, points[:, :count], told, "what *G* is told, −∂*L*_{G}/∂*x*"),
        (G_MOVES, slow.before(points)[:, :count], moved, "the way of each point"),
    ):
        if moment in film.moment and np.any(way[film.moment == moment]):
            scale = arrow_scale(way[film.moment == moment][..., None], width)
            yield Arrows(x=slow.only(at, moment), y=heights, dx=slow.row(way), dy=np.zeros(count), scale=scale,
                         width=0.7)  # fmt: skip
            yield _arrow_words(slow, moment, words, scale, 0.94)
