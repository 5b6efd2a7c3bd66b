"""p_data, p_G, D*, and the integrand of JS on one axis, following four sliders of p_G exactly."""

from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field

from gantoys.maths import Mixture1D, divergences, ledger, mix, normal, optimal_discriminator, parse
from gantoys.pictures.state import State
from gantoys.pictures.sweeps import slider, swept
from gantoys.shared import shared
from gantoys.stage.layers import Area, Curve, Draw, Handle, Rule
from gantoys.stage.scene import Axis, Control, Panel, Readout, Scene

Array = np.ndarray
LOW, HIGH = -8.0, 8.0
POINTS = 241
TALLEST = 0.62  # the density axis: a p_G narrower than the sliders' usual range is cut at the top
DRAWN_POINTS = 81
CERTAIN = 0.995  # how close to 0 and 1 a drawn D may come: its logarithm stays finite


def _line_law(text: str) -> str:
    law = parse(text)
    if not isinstance(law, Mixture1D):
        raise ValueError(f"{law} is not a distribution on the line with a density")
    if law.box[0] < LOW - 4 or law.box[1] > HIGH + 4:
        raise ValueError(f"{law} reaches beyond the picture, which goes from {LOW:g} to {HIGH:g}")
    return text


class OptimalState(State):
    """p_data as notation; p_G = (1 - weight) N(left, spread) + weight N(right, spread)."""

    data: Annotated[str, AfterValidator(_line_law)] = Field("0.5*N(-2,0.7)+0.5*N(2,0.7)", max_length=300)
    left: float = Field(-1.0, ge=-7, le=7)
    right: float = Field(3.0, ge=-7, le=7)
    spread: float = Field(0.7, ge=0.4, le=3)
    weight: float = Field(0.5, ge=0, le=1)
    below: Literal["integrand", "log-ratio"] = "integrand"
    play: bool = False


PRESETS: dict[str, dict[str, float]] = {
    "equal": {"left": -2.0, "right": 2.0, "spread": 0.7, "weight": 0.5},
    "shifted": {"left": -1.0, "right": 3.0, "spread": 0.7, "weight": 0.5},
    "missed mode": {"left": -2.0, "right": 2.0, "spread": 0.7, "weight": 0.0},
    "too wide": {"left": -2.0, "right": 2.0, "spread": 1.8, "weight": 0.5},
    "nearly disjoint": {"left": 6.0, "right": 7.0, "spread": 0.4, "weight": 0.5},
}
"""States of p_G with a name, for the default p_data."""


def generator(state: OptimalState, **moved: Array) -> Mixture1D:
    """p_G of the state, with some of its four numbers replaced by a whole sweep."""
    at = {name: moved.get(name, getattr(state, name)) for name in ("left", "right", "spread", "weight")}
    weight = np.asarray(at["weight"], float)
    law = mix(
        np.stack([1 - weight, weight], axis=-1), [normal(at["left"], at["spread"]), normal(at["right"], at["spread"])]
    )
    assert isinstance(law, Mixture1D)
    return law


def _rows(state: OptimalState, control: Control) -> dict[str, Array]:
    """Everything that moves with one control, over all its positions; each row is over the picture's grid."""
    # what does not matter for this sweep must not keep a stored one from being found: the control's own value above all
    same = {name: OptimalState.model_fields[name].default for name in (control.key, "below", "play")}
    return _sweep(state.model_copy(update=same), control.key, np.asarray(control.values, float).tobytes())


@shared
def _sweep(state: OptimalState, key: str, positions: bytes) -> dict[str, Array]:
    values, x = np.frombuffer(positions), np.linspace(LOW, HIGH, POINTS)
    p = parse(state.data)
    assert isinstance(p, Mixture1D)
    q = generator(state, **{key: values})
    lp, lq = p.log_density(x), q.log_density(x)
    best = optimal_discriminator(p, q, x)
    js = divergences(p, q, ("js", "tv"), tolerance=1e-7)
    # p log 2p/(p+q) and q log 2q/(p+q), half of each: what JS adds up
    integrand = 0.5 * (
        np.exp(lp) * (np.log(2) - np.logaddexp(0, -best.logit)) + np.exp(lq) * (np.log(2) - np.logaddexp(0, best.logit))
    )
    density = np.exp(lq)
    tops = {name: np.broadcast_to(getattr(state, name), values.shape) for name in ("left", "right")} | {key: values}
    rows = {
        "density": density,
        "best": best.value,
        "integrand": integrand,
        "log_ratio": np.clip(best.logit, -60, 60),
        "js": js["js"].value,
        "value": 2 * js["js"].value - np.log(4),
        "accuracy": 50 + 50 * js["tv"].value,
        "left_x": np.array(tops["left"], float),
        "right_x": np.array(tops["right"], float),
        "left_y": _height(q, np.array(tops["left"], float)),
        "right_y": _height(q, np.array(tops["right"], float)),
    }
    return rows


def _height(q: Mixture1D, at: Array) -> Array:
    return np.minimum(np.diagonal(q.density(at)), TALLEST * 0.97)


def _controls(state: OptimalState) -> tuple[Control, ...]:
    return (
        slider("left", "mean of the left half of *p*_{G}", -7, 7, state.left, role="fake"),
        slider("right", "mean of the right half", -7, 7, state.right, role="fake"),
        slider("spread", "spread of both", 0.4, 3, state.spread, role="fake"),
        slider("weight", "weight of the right half", 0, 1, state.weight, role="fake"),
    )


def scene(state: OptimalState, drawn: Array | None = None) -> Scene:
    """The picture of a state; `drawn` is D as the student drew it, (DRAWN_POINTS,), NaN where nothing is drawn."""
    p = parse(state.data)
    assert isinstance(p, Mixture1D)
    x = np.linspace(LOW, HIGH, POINTS)
    controls = _controls(state)
    s = swept(controls, lambda control: _rows(state, control))
    p_x = p.density(x)
    densities = (
        Area(x=x, y=p_x, role="real"),
        Area(x=x, y=s["density"], role="fake"),
        Curve(x=x, y=p_x, role="real", label="*p*_{data}"),
        Curve(x=x, y=s["density"], role="fake", label="*p*_{G}"),
        Handle(control="left", x=s["left_x"], y=s["left_y"], role="fake"),
        Handle(control="right", x=s["right_x"], y=s["right_y"], role="fake"),
    )
    top = max(TALLEST, 1.06 * float(p_x.max()))
    x_axis = Axis(LOW, HIGH, "*x*")
    bare = Axis(LOW, HIGH, visible=False)
    judge: list = [Rule(at=0.5, role="muted", label="cannot tell: 1/2")]
    readouts: tuple[Readout, ...] = (
        Readout("value", "*V*(*D*^{*}, *G*)", s["value"], unit="nats", role="disc"),
        Readout("js", "JS(*p*_{data}, *p*_{G})", s["js"], unit="nats"),
        Readout("accuracy", "best possible accuracy", s["accuracy"], unit="%", digits=1, role="disc"),
    )
    formula = "*V*([*D*^{*}|disc], [*G*|fake]) = −log 4 + 2 JS = −1.3863 + 2 × {js} = {value}"
    if state.play:
        grid = np.linspace(LOW, HIGH, DRAWN_POINTS)
        judge.append(
            Draw(x=grid, y=drawn, lo=1 - CERTAIN, hi=CERTAIN, role="disc", invitation="You are D: draw your D(x) here")
        )
        readouts, formula = _score(p, state, grid, drawn)
    if not state.play or (drawn is not None and np.any(np.isfinite(drawn))):
        judge.append(Curve(x=x, y=s["best"], role="disc", dashed=True, label="*D*^{*}(*x*)"))
    return Scene(
        key="optimal-discriminator",
        alt=(
            "Densities of the real data and of the generator, the best discriminator between them, and what each place "
            "adds to their Jensen–Shannon divergence, which is " + ("{js} nats." if not state.play else "shown.")
        ),
        panels=(
            Panel(bare, Axis(0, top, "density"), densities, row=0, height_ratio=1.25),
            Panel(bare, Axis(0, 1, "[*D*(*x*)|disc]", ticks=(0, 0.5, 1)), tuple(judge), row=1, height_ratio=1.0),
            Panel(x_axis, *_below(state, x, s), row=2, height_ratio=0.62, lecture=False),
        ),
        controls=controls,
        readouts=readouts,
        formula=formula,
    )


def _below(state: OptimalState, x: Array, s: dict) -> tuple[Axis, tuple]:
    if state.below == "log-ratio":
        curve = Curve(x=x, y=s["log_ratio"], role="theory", label="log *p*_{data}/*p*_{G}")
        return Axis(-12, 12, "log-ratio", ticks=(-10, 0, 10)), (Rule(at=0.0, role="muted"), curve)
    area = Area(x=x, y=s["integrand"], role="theory", opacity=0.25)
    curve = Curve(x=x, y=s["integrand"], role="theory", dashed=False, label="what each *x* adds to JS")
    return Axis(0, 0.12, "JS here", ticks=(0, 0.1)), (area, curve)


def _score(p: Mixture1D, state: OptimalState, grid: Array, drawn: Array | None) -> tuple[tuple[Readout, ...], str]:
    """The value ledger of the drawn D: straight lines between its points in the logit, 1/2 where nothing is drawn."""
    d = np.full(DRAWN_POINTS, np.nan) if drawn is None else np.asarray(drawn, float)
    known = np.isfinite(d)
    filled = np.interp(grid, grid[known], d[known]) if known.any() else np.full(DRAWN_POINTS, 0.5)
    filled = np.clip(filled, 1 - CERTAIN, CERTAIN)
    book = ledger(p, generator(state), grid, np.log(filled) - np.log1p(-filled))
    best = book.floor + float(book.divergence)
    readouts = (
        Readout("value", "your *V*(*D*, *G*)", float(book.value), unit="nats", role="disc"),
        Readout("best", "*V*(*D*^{*}, *G*)", best, unit="nats"),
        Readout("shortfall", "your shortfall", float(book.shortfall), unit="nats", role="warn"),
    )
    return readouts, "[*V*(*D*, *G*)|disc] = −log 4 + 2 JS − shortfall = {best} − {shortfall} = {value}"
