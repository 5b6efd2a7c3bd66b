"""p_data, p_G with the arrows its samples feel, the best D, and the size of both gradients wherever p_G might stand."""

import json
import re
from importlib import resources
from typing import Any

import numpy as np
from scipy import special

from gantoys.maths import LOSSES, Mixture1D, generator_gradients, normal, parse, sample_gradients
from gantoys.maths.compare import Quantity
from gantoys.pictures.generator_gradients.critic import best_of
from gantoys.pictures.generator_gradients.state import (
    FURTHEST,
    HIGH,
    LOW,
    NEAREST,
    ROLES,
    TOO_MANY_PAIRS,
    GradientState,
    in_words,
    named_data,
    pair,
    short,
    too_many_pairs,
)
from gantoys.pictures.sweeps import slider
from gantoys.shared import shared
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Arrows, Curve, Handle, Points, Rule, Text
from gantoys.stage.scene import Axis, Control, Panel, Readout, Scene, Swept

Array = np.ndarray
POSITIONS, POINTS = 97, 257
PEAK = float(1 / np.sqrt(2 * np.pi))  # height of N(0, 1)
FEELERS = special.ndtri((np.arange(5) + 0.5) / 5)  # z of the five samples that carry arrows
ARROW = 1 / 3  # length of an arrow per unit of gradient
LONGEST = 12.0  # the gradient at which an arrow is cut: no longer one would fit
SIDE = 4.5  # a p_G to the right of it has its names on the left
LANES = -0.85  # the ground under the densities where the arrows are, in heights of the densities
SMALLEST, LARGEST = 1e-8, 1e6  # what the axis of the gradients may reach to
_NAMES = {"p": "*p*_{data}", "q": "*p*_{G}", "m": "*m*"}
BEYOND = 1e30  # curves are drawn no higher, far above the axis


def _settled(found: Quantity) -> Array:
    """The values, with 0 for what is smaller than its own error."""
    return np.where(np.abs(found.value) <= found.error, 0.0, found.value)


def gradient_at(p: Mixture1D, shift: Array, scale: float, key: str) -> Array:
    """d/dshift of the loss `key` at p_G = N(shift, scale^2), (S,); NaN where that is too much to compute here."""
    if too_many_pairs(p, key):
        return np.full(len(shift), np.nan)
    q = normal(shift, np.full(len(shift), scale))
    return _settled(generator_gradients(p, q, "shift", (key,))[key])


@shared
def _over_the_axis(data: str, scale: float, key: str) -> Array:
    """The gradient at every position of the slider; it costs the most, and stays while p_G moves."""
    law = parse(data)
    assert isinstance(law, Mixture1D)
    return gradient_at(law, np.linspace(NEAREST, FURTHEST, POSITIONS), scale, key)


@shared
def by_autograd() -> dict[str, Any]:
    """What `python -m gantoys.training.autograd` found for p_data = N(0,1), as it comes with gantoys."""
    return json.loads(resources.files("gantoys.lessons").joinpath("autograd.json").read_text("utf-8"))


def _gradients(state: GradientState, control: Control) -> tuple[Array, Array]:
    """Both losses' gradients over the slider's positions, its start being the state's own shift."""
    found = []
    for key in state.keys:
        values = _over_the_axis(state.data, state.scale, key).copy()
        values[control.start] = gradient_at(state.p, np.array([control.value]), state.scale, key)[0]
        found.append(values)
    return found[0], found[1]


def separation_scene(state: GradientState) -> Scene:
    """Densities with arrows, D*, and the gradients on a log axis, all moving with the place of p_G."""
    control = slider("shift", "mean of *p*_{G}", NEAREST, FURTHEST, state.shift, count=POSITIONS, role="fake")
    shift = np.asarray(control.values)
    q = normal(shift, np.full(len(shift), state.scale))
    best = best_of(state.loss)
    centre = best.at(state.p, q, shift[:, None])[:, 0]
    first, second = _gradients(state, control)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.abs(second / first)
    a, b = pair(state)
    readouts = (
        Readout("ga", f"gradient, {a}", _over(first), form=".4g", role=ROLES[0]),
        Readout("gb", f"gradient, {b}", _over(second), form=".4g", role=ROLES[1]),
        Readout("ratio", "size, second ÷ first", _over(ratio), form=".4g"),
        Readout("d", f"{best.name} at *p*_{{G}}’s mean", _over(centre), form=".4g", role="disc"),
    )
    return Scene(
        key="gradients-separation",
        alt=(
            "Densities of the data and of a generator that stands at {shift}; the best discriminator between them; and "
            f"on a log axis the generator's gradient: {{ga}} with the {short(state.loss)} loss, {{gb}} with "
            f"the {short(state.other)} loss."
        ),
        panels=(
            _densities(state, q, shift),
            _judge(state, q, shift, centre),
            _cliff(state, shift, first, second),
        ),
        controls=(control,),
        readouts=readouts,
        formula=f"*D* perfect and frozen:  {_meaning(state.loss, a, 'ga')};  {_meaning(state.other, b, 'gb')}",
    )


def _over(rows: Array) -> Swept:
    return Swept({"shift": rows})


def _meaning(key: str, colour: str, slot: str) -> str:
    """A loss, whose slope it is, and the number, in the stage's markup."""
    words = re.sub(r"\b[pqm]\b", lambda found: _NAMES[found[0]], LOSSES[key].descends)
    return f"{colour} {{{slot}:.3g}} = slope of {words}"


def _size(values: Any) -> Array:
    """What is drawn on the log axis, which has no place for 0."""
    size = np.minimum(np.abs(values), BEYOND)
    return np.where(size > 0, size, np.nan)


def _decades(*curves: Array) -> tuple[float, float]:
    """Whole powers of ten around both curves, from where p_G has left p_data."""
    sizes = np.abs(np.concatenate([curve[POSITIONS // 10 :] for curve in curves]))
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    if not len(sizes):
        return 1e-2, 10.0
    low, high = 10 ** np.floor(np.log10(sizes.min())), 10 ** np.ceil(np.log10(1.5 * sizes.max()))
    return float(np.clip(low, SMALLEST, 1e-2)), float(np.clip(high, 10.0, LARGEST))


def _densities(state: GradientState, q: Mixture1D, shift: Array) -> Panel:
    """Both densities; below them for each loss five samples of p_G, one under the other, and where they are pushed."""
    x = np.linspace(LOW, HIGH, POINTS)
    p_x, density, peak = state.p.density(x), q.density(x), PEAK / state.scale
    top = 1.12 * max(float(p_x.max()), peak)
    layers: list[Layer] = [
        *named_data(x, p_x),
        Area(x=x, y=_over(density), role="fake"),
        Curve(x=x, y=_over(density), role="fake"),
        Text(x=_over(shift + 1.2 * state.scale + 0.2), y=0.55 * peak, text="*p*_{G}", align="left", role="fake"),
    ]
    for lane, key, role in zip((-0.22, -0.62), state.keys, ROLES, strict=True):
        layers += _pushed(state, q, shift, key, role, top * lane, 0.12 * top)
    layers.append(Handle(control="shift", x=_over(shift), y=peak, role="fake"))
    height = Axis(LANES * top, top, "densities, and what samples feel", visible=False)
    return Panel(Axis(LOW, HIGH, visible=False), height, tuple(layers), height_ratio=2.1, width_ratio=1.2)


def _pushed(
    state: GradientState, q: Mixture1D, shift: Array, key: str, role: str, lane: float, half: float
) -> list[Layer]:
    """Samples around the height `lane`, their arrows against the loss's slope, and its name on the free side."""
    places = shift[:, None] + state.scale * FEELERS
    felt = np.zeros_like(places) if too_many_pairs(state.p, key) else sample_gradients(state.p, q, places, key)
    push = np.clip(-np.nan_to_num(felt), -LONGEST, LONGEST)
    ends = np.concatenate([places, places + ARROW * push], axis=1)
    heights = lane + np.linspace(half, -half, len(FEELERS))
    still = np.zeros(len(FEELERS))
    right = np.where(shift > SIDE, np.nan, ends.max(axis=1) + 0.4)
    left = np.where(shift > SIDE, ends.min(axis=1) - 0.4, np.nan)
    return [
        Arrows(x=_over(places), y=heights, dx=_over(push), dy=still, scale=ARROW, role=role, width=1.3),
        Points(x=_over(places), y=heights, role=role, size=2.8, opacity=1),
        Text(x=_over(right), y=lane, text=short(key), align="left", role=role),
        Text(x=_over(left), y=lane, text=short(key), align="right", role=role),
    ]


def _judge(state: GradientState, q: Mixture1D, shift: Array, centre: Array) -> Panel:
    """What the first loss's perfect D says, and its answer at p_G's mean."""
    x, best = np.linspace(LOW, HIGH, POINTS), best_of(state.loss)
    layers: list[Layer] = [
        Rule(at=_over(shift), axis="x", role="muted"),
        Curve(x=x, y=_over(best.at(state.p, q, x)), role="disc", dashed=True),
        Points(x=_over(shift[:, None]), y=_over(centre[:, None]), role="disc", size=5, opacity=1),
    ]
    if best.middle is not None:
        layers.insert(0, Rule(at=best.middle, role="muted", label="both equally likely"))
    answer = Axis(best.low, best.high, f"[{best.name}|disc]{best.fixed}", ticks=best.ticks)
    return Panel(Axis(LOW, HIGH, "*x*"), answer, tuple(layers), row=1, width_ratio=1.2, lecture=False)


def _cliff(state: GradientState, shift: Array, first: Array, second: Array) -> Panel:
    """The size of each gradient over the whole axis, autograd's values on it, and where p_G is now."""
    layers: list[Layer] = [Rule(at=_over(shift), axis="x", role="muted")]
    stored = by_autograd()
    known = state.scale == stored["scale"] and str(state.p) == stored["data"]
    word = "○ autograd"
    for key, role, values in zip(state.keys, ROLES, (first, second), strict=True):
        layers.append(Curve(x=shift, y=_size(values), role=role, label=short(key), label_at=6.5))
        if known and key in stored["gradients"]:
            at, sizes = np.array(stored["shifts"]), _size(stored["gradients"][key])
            layers.append(Points(x=at, y=sizes, role=role, size=3.6, opacity=0.9, hollow=True, label=word))
            word = ""
    for role, values in zip(ROLES, (first, second), strict=True):
        layers.append(Points(x=_over(shift[:, None]), y=_over(_size(values)[:, None]), role=role, size=5.5, opacity=1))
    if any(too_many_pairs(state.p, key) for key in state.keys):
        layers += in_words(TOO_MANY_PAIRS)
    along = Axis(NEAREST - 0.2, FURTHEST + 0.4, "mean of *p*_{G}", ticks=(0, 2, 4, 6, 8, 10))
    size = Axis(*_decades(first, second), "size of the gradient", log=True)
    return Panel(along, size, tuple(layers), column=1, rows=2, height_ratio=2.1)
