"""Trained critics beside the best one: the curve, its slope and where that passes 1, and what the critic is worth."""

from dataclasses import dataclass

import numpy as np

from gantoys.maths import Mixture1D, parse, w1
from gantoys.maths.kantorovich import cell_gaps, dual_value, steepest
from gantoys.maths.transport import critic
from gantoys.pictures.wasserstein_state import WassersteinState, gap_of
from gantoys.runs.critics import SLOPE_RULES, critic_config
from gantoys.runs.film import Film
from gantoys.runs.recordings import recording
from gantoys.shared import shared
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Bars, Curve, Points, Rule, Text
from gantoys.stage.scene import Axis, Control, Panel, Readout, Scene, Swept

Array = np.ndarray
FRAMES_PER_SECOND = 12.0
BINS = 30
_LEAST, _MOST = -5.0, 7.0  # decades of slopes that an axis may reach to
_KINDS = (("real", 1), ("muted", 2), ("fake", 0))  # role, and row of the film's slopes


@dataclass(frozen=True, eq=False)
class Pair:
    """The two laws and the theory of them at the points x of a film's grid."""

    p: Mixture1D
    q: Mixture1D
    x: Array
    gaps: Array
    best: Array
    w1: float


@dataclass(frozen=True, eq=False)
class Judged:
    """What the K critics of a film are worth: value, steepest slope and their quotient, scaled (K,).

    curve (K, n): the critic divided by its steepest slope, its free constant so that where points lie it is as high as
    the best one on average; slopes (K, n - 1): on the cells
    of the grid, not divided."""

    step: Array
    value: Array
    steepest: Array
    scaled: Array
    curve: Array
    slopes: Array


@shared
def _pair(toy: str, fake_law: str, grid: bytes) -> Pair:
    p, q, x = parse(toy), parse(fake_law), np.frombuffer(grid)
    assert isinstance(p, Mixture1D) and isinstance(q, Mixture1D)
    found = w1(p, q)
    assert found is not None
    best = critic(p, q, x)
    return Pair(p, q, x, cell_gaps(p, q, x), best - 0.5 * (best.max() + best.min()), float(found.value))


def pair_of(film: Film) -> Pair:
    """The theory beside a film."""
    return _pair(film.config.toy, film.config.fake_law, film.grid_x.astype(float).tobytes())


def judged(film: Film) -> Judged:
    """The critics of a film, straight between the points of its grid, measured exactly."""
    pair, curves = pair_of(film), film.logits.astype(float)
    value, most = dual_value(pair.gaps, pair.x, curves), steepest(pair.x, curves)
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = np.where(most[:, None] > 0, curves / most[:, None], 0.0)
        scaled = np.where(most > 0, value / most, 0.0)
    points = pair.p.density(pair.x) + pair.q.density(pair.x)
    level = (unit - pair.best) @ points / points.sum()
    slopes = np.diff(curves, axis=1) / np.diff(pair.x)
    return Judged(film.step.astype(float), value, most, scaled, unit - level[:, None], slopes)


def recorded(rule: str) -> Film | None:
    """The film of a rule, at its usual strength, that comes with gantoys."""
    return recording(critic_config(rule))


def critics_scene(state: WassersteinState, film: Film, *, live: bool = False) -> Scene:
    """The critic of a film against f*: ValueError for a film without a picture."""
    if not len(film):
        raise ValueError("the film holds no picture")
    pair, own = pair_of(film), judged(film)
    start = len(film) - 1 if live else int(np.argmin(np.abs(own.step - state.step)))
    untouched = state.step == WassersteinState.model_fields["step"].default
    clock = Control(
        "step", "step of the training", own.step, start=start, kind="time", digits=0,
        film=film.config.digest()[:16], fps=FRAMES_PER_SECOND, live=live, autoplay=untouched and not live,
    )  # fmt: skip
    over = 100 * np.mean(film.slopes.astype(float) > 1, axis=(1, 2))
    return Scene(
        key="wasserstein-critics",
        alt=(
            f"Two fixed laws with the best critic and one trained with {SLOPE_RULES[state.rule].name(film.config)}. At "
            "step {step} its steepest slope is {k}; divided by it the critic is worth {scaled}, the best one {w1}."
        ),
        panels=(
            _laws(pair),
            _curves(pair, own),
            _slopes(pair, own, film),
            _climb(pair, own, film, state.rule),
            _histogram(film),
        ),
        controls=(clock,),
        readouts=(
            Readout("k", "steepest slope *K*", _over(own.steepest), kind="trained", form=".3g", role="disc"),
            Readout("over", "points with |*D*’| > 1", _over(over), kind="trained", unit="%", digits=0),
            Readout("value", gap_of("*D*"), _over(own.value), kind="trained", form=".3g", role="disc"),
            Readout("scaled", "the same ÷ *K*", _over(own.scaled), kind="trained", digits=3, role="disc"),
            Readout("w1", "*W*_{1}", pair.w1, digits=3, role="accent"),
        ),
        formula=(
            "(E_{[real|real]} [*D*|disc] − E_{[generated|fake]} [*D*|disc]) ÷ max |[*D*|disc]’| = "
            "{value} ÷ {k} = {scaled}   ≤   [*W*_{1}|accent] = {w1}"
        ),
    )  # fmt: skip


def _over(rows: Array) -> Swept:
    return Swept({"step": rows})


def _ends(pair: Pair) -> tuple[float, float]:
    return float(pair.x[0]), float(pair.x[-1])


def _laws(pair: Pair) -> Panel:
    real, fake = pair.p.density(pair.x), pair.q.density(pair.x)
    top = 1.1 * float(max(real.max(), fake.max()))
    layers = (
        Area(x=pair.x, y=real, role="real"),
        Area(x=pair.x, y=fake, role="fake"),
        Curve(x=pair.x, y=real, role="real", label="*p*_{data}"),
        Curve(x=pair.x, y=fake, role="fake", label="*p*_{G}, fixed"),
    )
    height = Axis(0, top, "densities", ticks=())
    return Panel(Axis(*_ends(pair), visible=False), height, layers, height_ratio=0.7, width_ratio=1.5)


def _curves(pair: Pair, own: Judged) -> Panel:
    """Both critics at slope 1; where the trained one is steeper than 1 before it is divided by K, a red band."""
    top = 1.12 * float(np.abs(pair.best).max())
    too_steep = np.abs(own.slopes) > 1
    ground = np.where(np.concatenate([too_steep, too_steep[:, -1:]], axis=1), top, -top)
    layers: tuple[Layer, ...] = (
        Area(x=pair.x, y=_over(ground), base=np.full(len(pair.x), -top), role="warn", opacity=0.1),
        Rule(at=0.0, role="muted", dashed=False),
        Curve(x=pair.x, y=pair.best, role="theory", label="*f*^{*}"),
        Curve(x=pair.x, y=_over(own.curve), role="disc", dashed=False, width=1.4, label="*D* ÷ *K*"),
    )
    words = Text(x=0.99, y=0.06, text="red ground: |*D*’| > 1", align="right", role="warn", size=0.9, frame=True)
    return Panel(
        Axis(*_ends(pair), visible=False), Axis(-top, top, "[critic|disc], at slope 1"), (*layers, words), row=1,
        height_ratio=1.35, width_ratio=1.5,
    )  # fmt: skip


def _decades(film: Film, own: Judged) -> tuple[float, float]:
    """Whole decades around the slopes of the film and 1."""
    sizes = np.abs(film.slopes.astype(float)).ravel()
    sizes = sizes[sizes > 0]
    low, high = np.percentile(np.log10(sizes), (3, 100)) if len(sizes) else (-1.0, 1.0)
    return float(np.clip(np.floor(low), _LEAST, -1)), float(np.clip(np.ceil(high), 1, _MOST))


def _slopes(pair: Pair, own: Judged, film: Film) -> Panel:
    """The size of the slope over x on a log axis, and 1."""
    low, high = (10**end for end in _decades(film, own))
    middle = 0.5 * (pair.x[1:] + pair.x[:-1])
    size = np.clip(np.abs(own.slopes), low, high)
    layers = (
        Area(x=middle, y=_over(np.maximum(size, 1.0)), base=np.ones(len(middle)), role="warn", opacity=0.3),
        Rule(at=1.0, role="theory", label="1: the slope of *f*^{*}"),
        Curve(x=middle, y=_over(size), role="disc", dashed=False),
    )
    return Panel(
        Axis(*_ends(pair), "*x*"), Axis(low, high, "steepness of [*D*|disc]", log=True), layers, row=2, width_ratio=1.5,
        lecture=False,
    )  # fmt: skip


def _climb(pair: Pair, own: Judged, film: Film, rule: str) -> Panel:
    """What the critic is worth over the steps, and thin beside it the recorded ones of the other rules."""
    layers: list[Layer] = [Rule(at=pair.w1, role="theory", label="*W*_{1}: no critic gets higher")]
    for key, row in SLOPE_RULES.items():
        known = recorded(key)
        if known is None or key == rule:
            continue
        other = judged(known)
        layers.append(Curve(x=other.step, y=other.scaled, role="muted", dashed=False, width=0.6, label=row.label))
    name = SLOPE_RULES[rule].name(film.config)
    layers += [
        Curve(x=own.step, y=own.scaled, role="disc", dashed=False, width=1.4, label=name),
        Points(x=_over(own.step[:, None]), y=_over(own.scaled[:, None]), role="disc", size=6, opacity=1),
    ]
    return Panel(
        Axis(0, 2000, "step"), Axis(min(0.0, float(own.scaled.min())), 1.18 * pair.w1, f"({gap_of('*D*')}) ÷ *K*"),
        tuple(layers), column=1, rows=2,
    )  # fmt: skip


def _histogram(film: Film) -> Panel:
    """How steep the critic is at real points, at generated ones and between them, as shares of the points."""
    low, high = _decades(film, judged(film))
    edges = np.linspace(low, high, BINS + 1)
    with np.errstate(divide="ignore"):
        sizes = np.clip(np.log10(film.slopes.astype(float)), low, high)
    place = np.clip(((sizes - low) / (high - low) * BINS).astype(int), 0, BINS - 1)
    counts = (place[..., None] == np.arange(BINS)).sum(axis=2) / place[0].size  # (K, 3, BINS)
    stack = np.stack([counts[:, row] for _, row in _KINDS], axis=1)
    top = 1.1 * float(np.percentile(stack.sum(axis=1).max(axis=1), 90))
    bars = Bars(
        values=_over(stack),
        at=0.5 * (edges[1:] + edges[:-1]),
        roles=tuple(role for role, _ in _KINDS),
        width=0.92 * (high - low) / BINS,
    )
    every = 1 if high - low <= 5 else 2
    ticks = tuple(float(t) for t in range(int(low), int(high) + 1) if t % every == 0)
    names = tuple(f"{10.0**t:g}" if abs(t) < 4 else f"1e{t:g}" for t in ticks)
    kinds = "[real|real] [between|muted] [generated|fake]"
    words = Text(x=0.02, y=0.9, text=kinds, align="left", size=0.92, frame=True)
    layers = (bars, Rule(at=0.0, axis="x", role="theory"), words)
    return Panel(
        Axis(low, high, ticks=ticks, tick_labels=names),
        Axis(0, min(top, 1.05), "share of points by |*D*’|", ticks=()),
        layers,
        row=2,
        column=1,
        lecture=False,
    )
