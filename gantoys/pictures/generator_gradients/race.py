"""Let go of p_G: two generators with the same start, each following the gradient flow of its own loss, on one clock."""

from dataclasses import dataclass

import numpy as np

from gantoys.maths import Mixture1D, divergences, gradient_flow, normal, parse
from gantoys.pictures.generator_gradients.state import (
    DURATION,
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
from gantoys.stage.layers import Area, Curve, Rule
from gantoys.stage.scene import Axis, Control, Panel, Readout, Scene, Swept

Array = np.ndarray
FRAMES, FRAMES_PER_SECOND = 121, 20.0
POINTS = 257
LOG2 = float(np.log(2))


@dataclass(frozen=True, eq=False)
class Run:
    """mean, spread, js: (T,), NaN when the flow cannot be followed, `trouble` saying why."""

    mean: Array
    spread: Array
    js: Array
    trouble: str = ""


@shared
def run(data: str, shift: float, scale: float, loss: str) -> Run:
    """The flow of one loss from N(shift, scale^2), and how far it is from the data at each of its times."""
    p = parse(data)
    assert isinstance(p, Mixture1D)
    try:
        if too_many_pairs(p, loss):
            raise ValueError(TOO_MANY_PAIRS)
        flow = gradient_flow(p, shift, scale, loss, duration=DURATION, frames=FRAMES)
    except ValueError as error:
        nothing = np.full(FRAMES, np.nan)
        return Run(nothing, nothing, nothing, str(error))
    js = divergences(p, flow.generators, ("js",), tolerance=1e-8)["js"].value
    return Run(flow.shift, flow.scale, js)


def race_scene(state: GradientState) -> Scene:
    """Both generators' densities, their means with one standard deviation, and JS, against the time of the flow."""
    runs = [run(state.data, state.shift, state.scale, key) for key in state.keys]
    time = np.linspace(0, DURATION, FRAMES)
    clock = Control(
        "time", "time of the flow", time, start=int(np.argmin(np.abs(time - state.time))), kind="time", digits=1,
        film=f"{state.data} {state.shift} {state.scale} {state.loss} {state.other}", fps=FRAMES_PER_SECOND,
        autoplay=state.time == 0,
    )  # fmt: skip
    start = slider("start", "where *p*_{G} starts", NEAREST, FURTHEST, state.shift, role="fake")
    a, b = pair(state)
    readouts = tuple(
        Readout(f"{key}{side}", f"{word}, {loss}", _over(getattr(found, field)), digits=digits, role=role, unit=unit)
        for key, word, field, unit, digits in (("js", "JS", "js", "nats", 3), ("m", "mean", "mean", "", 2))
        for side, loss, role, found in zip("ab", (a, b), ROLES, runs, strict=True)
    )
    along = Axis(0, DURATION, "time of the flow")
    bare = Axis(0, DURATION, visible=False)
    return Scene(
        key="gradients-race",
        alt=(
            f"Two generators that started as one follow the {short(state.loss)} and the {short(state.other)} loss "
            "against a perfect discriminator. At time {time} their means are {ma} and {mb}, JS is {jsa} and {jsb} nats."
        ),
        panels=(
            Panel(Axis(LOW, HIGH, "*x*"), *_densities(state, runs, start), width_ratio=1.25, rows=2),
            Panel(bare, Axis(0, 0.8, "JS, nats", ticks=(0, 0.2, 0.4, 0.6)), _js(state, runs, time), column=1),
            Panel(along, *_means(state, runs, time), row=1, column=1, lecture=False),
        ),
        controls=(clock, start),
        readouts=readouts,
        formula=(
            "*D* perfect always,  d mean / d *t* = −∂*L* / ∂ mean;  at *t* = {time}  "
            f"{a} JS = {{jsa}},  {b} JS = {{jsb}} nats"
        ),
    )


def _over(rows: Array) -> Swept:
    return Swept({"time": rows})


def _densities(state: GradientState, runs: list[Run], start: Control) -> tuple[Axis, tuple[Layer, ...]]:
    p, x = state.p, np.linspace(LOW, HIGH, POINTS)
    p_x = p.density(x)
    starts = np.asarray(start.values)
    waiting = normal(starts, np.full(len(starts), state.scale)).density(x)
    top = 1.12 * max(float(p_x.max()), float(waiting.max()))
    layers: list[Layer] = [*named_data(x, p_x), Curve(x=x, y=Swept({"start": waiting}), role="theory", label="start")]
    for found, key, role in zip(runs, state.keys, ROLES, strict=True):
        if found.trouble:
            continue
        density = normal(found.mean, found.spread).density(x)
        top = max(top, min(1.05 * float(density.max()), 2 * top))
        layers.append(Area(x=x, y=_over(density), role=role, opacity=0.1))
        layers.append(Curve(x=x, y=_over(density), role=role, label=short(key)))
    layers += in_words(*(found.trouble for found in runs))
    return Axis(0, top, "density", visible=False), tuple(layers)


def _means(state: GradientState, runs: list[Run], time: Array) -> tuple[Axis, tuple[Layer, ...]]:
    """Means as lines, one standard deviation as bands."""
    goal = float(state.p.mean)
    ends = np.array([goal, state.shift + state.scale, state.shift - state.scale])
    layers: list[Layer] = []
    for found, key, role in zip(runs, state.keys, ROLES, strict=True):
        low, high = found.mean - found.spread, found.mean + found.spread
        ends = np.concatenate([ends, low, high])
        layers.append(Area(x=time, y=high, base=low, role=role, opacity=0.14))
        layers.append(Curve(x=time, y=found.mean, role=role, label=short(key)))
    if np.isfinite(goal):
        layers.append(Rule(at=goal, role="real", label="mean of *p*_{data}"))
    layers.append(Rule(at=_over(time), axis="x", role="muted", dashed=False))
    ends = np.clip(ends[np.isfinite(ends)], LOW, HIGH)
    return Axis(float(ends.min()) - 0.4, float(ends.max()) + 0.4, "mean ± spread of *p*_{G}"), tuple(layers)


def _js(state: GradientState, runs: list[Run], time: Array) -> tuple[Layer, ...]:
    curves = (
        Curve(x=time, y=found.js, role=role, label=short(key))
        for found, key, role in zip(runs, state.keys, ROLES, strict=True)
    )
    moment = Rule(at=_over(time), axis="x", role="muted", dashed=False)
    return (Rule(at=LOG2, role="theory", label="log 2: nothing in common"), *curves, moment)
