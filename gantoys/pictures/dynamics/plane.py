"""The complex plane: eigenvalues of one step and the unit circle, or of the field and the rule's region around them."""

import numpy as np

from gantoys.maths.dynamics import RULES
from gantoys.maths.dynamics_limits import region
from gantoys.pictures.dynamics.paths import UNDECIDED, Along, Paths
from gantoys.pictures.dynamics.state import DynamicsState
from gantoys.shared import shared
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Curve, Points, Rule, Text
from gantoys.stage.scene import Axis, Panel, Swept

Array = np.ndarray
REAL, IMAG = (-2.3, 2.3), (-1.15, 1.6)  # the window; above the circle there is room for a sentence
REAL_FIELD = (-3.0, 1.6)
LEFT, TOP, SECOND = 0.015, 0.92, 0.8


def eigen_panel(state: DynamicsState, found: Paths) -> Panel:
    """The eigenvalues of a state; `plane` says whose."""
    of_field = state.plane == "field" and RULES[state.rule].alike
    letter = "λ" if of_field else "μ"
    whose = "of the field" if of_field else "of one step"
    real = Axis(*(REAL_FIELD if of_field else REAL), f"Re *{letter}*", ticks=(-2, -1, 0, 1, 2))
    imag = Axis(*IMAG, f"Im *{letter}*: eigenvalues {whose}", ticks=(-1, 0, 1))
    layers: list[Layer] = [
        *(_region(state, found) if of_field else _disc()),
        Rule(at=0.0, role="muted", dashed=False, width=0.3),
        Rule(at=0.0, axis="x", role="muted", dashed=False, width=0.3),
        *_points(found, of_field), *_verdict(found, of_field),
    ]  # fmt: skip
    return Panel(real, imag, tuple(layers), column=1, equal_aspect=True, height_ratio=1.2)


def _disc() -> tuple[Layer, ...]:
    x = np.cos(np.linspace(np.pi, 0, 91))
    y = np.sqrt(1 - x**2)
    angle = np.linspace(0, 2 * np.pi, 181)
    return (
        Area(x=x, y=y, base=-y, role="theory", opacity=0.12),
        Curve(x=np.cos(angle), y=np.sin(angle), role="theory", width=0.8),
    )


@shared
def _edges(rule: str, amounts: tuple[float, ...], steps: tuple[float, ...]) -> tuple[Array, Array, Array]:
    """Real parts (X,), lower and upper edge (S, X) for each of S amounts and steps."""
    x, y = np.linspace(*REAL_FIELD, 139), np.linspace(0, IMAG[1], 61)
    one = np.asarray(steps)[:, None, None]
    row = RULES[rule]
    choice = (rule, np.asarray(amounts)[:, None, None]) if row.amount and not row.whole else rule
    return x, *_closed(*region(choice, x, y, one))


def _closed(low: Array, high: Array) -> tuple[Array, Array]:
    """The region's ends on the real axis, where the edge is steep, drawn to the next place that was looked at."""
    low, high = low.copy(), high.copy()
    for nowhere, beside in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:, 1:], np.s_[:, :-1])):
        ends = np.isnan(low[nowhere]) & (low[beside] == 0) & (high[beside] > 0)
        low[nowhere][ends] = high[nowhere][ends] = 0
    return low, high


def _line(edge: Array) -> Array:
    """The edge where it is one, and neither where the picture ends nor on the real axis, within the region."""
    ends = (np.roll(edge, 1, -1) > 0) | (np.roll(edge, -1, -1) > 0)
    return np.where((edge < IMAG[1] - 1e-9) & ((edge > 0) | ends), edge, np.nan)


def _region(state: DynamicsState, found: Paths) -> tuple[Layer, ...]:
    """Where an eigenvalue of the field must lie for the rule to converge, for every step size and momentum."""
    sweeps = {}
    x = np.zeros(0)
    for key in found.along:
        values = np.asarray(next(c for c in found.controls if c.key == key).values)
        if key in ("step", "beta"):
            amounts = values if key == "beta" else np.full(len(values), state.beta)
            steps = values if key == "step" else np.full(len(values), state.step)
            x, low, high = _edges(state.rule, tuple(amounts), tuple(steps))
            sweeps[key] = (low, high)
    low_edge, high_edge = (Swept({key: pair[i] for key, pair in sweeps.items()}) for i in (0, 1))
    low_below, high_below = (Swept({key: -pair[i] for key, pair in sweeps.items()}) for i in (0, 1))
    lines = [
        Curve(x=x, y=Swept({key: sign * _line(pair[i]) for key, pair in sweeps.items()}), role="theory", width=0.8)
        for sign in (1, -1)
        for i in (0, 1)
    ]
    return (
        Area(x=x, y=high_edge, base=low_edge, role="theory", opacity=0.16),
        Area(x=x, y=low_below, base=high_below, role="theory", opacity=0.16),
        *lines,
    )


def _points(found: Paths, of_field: bool) -> list[Layer]:
    """The eigenvalues: those of a rule that leaves the equilibrium are drawn in the colour of a warning."""
    layers: list[Layer] = []
    for role, wanted in (("accent", False), ("warn", True)):
        x, y = {}, {}
        for key, along in found.along.items():
            values = along.own if of_field else along.found
            if values is None:
                return [] if not of_field else layers
            show = (along.factor > 1 + UNDECIDED)[:, None] == wanted
            x[key], y[key] = np.where(show, values.real, np.nan), np.where(show, values.imag, np.nan)
        layers.append(Points(x=Swept(x), y=Swept(y), role=role, size=6.5, opacity=1))
    return layers


def _verdict(found: Paths, of_field: bool) -> list[Layer]:
    """One sentence of several, the others being nowhere."""
    if found.along["step"].found is None:
        words = f"no eigenvalues: {found.why}".replace("psi", "*ψ*")
        return [Text(x=LEFT, y=TOP, text=words, align="left", frame=True, role="warn")]
    rows = (
        (-1, "text", "arrives from nearby, in the end {percent:+.2f} % a step"),
        (0, "text", "circles, as far as the linear part says"),
        (1, "warn", "leaves the equilibrium: {percent:+.2f} % a step"),
    )
    layers: list[Layer] = [
        Text(x=Swept(_where(found, sign)), y=TOP, text=words, align="left", frame=True, role=role)
        for sign, role, words in rows
    ]
    out = {key: np.where(_beyond(along, of_field), LEFT, np.nan) for key, along in found.along.items()}
    layers.append(Text(x=Swept(out), y=SECOND, text="outside this picture", align="left", frame=True, role="warn"))
    return layers


def _where(found: Paths, sign: int) -> dict[str, Array]:
    signs = {
        key: np.where(np.abs(along.factor - 1) <= UNDECIDED, 0, np.sign(along.factor - 1))
        for key, along in found.along.items()
    }
    return {key: np.where(value == sign, LEFT, np.nan) for key, value in signs.items()}


def _beyond(along: Along, of_field: bool) -> Array:
    values = along.own if of_field else along.found
    assert values is not None
    low, high = REAL_FIELD if of_field else REAL
    return (values.real.min(-1) < low) | (values.real.max(-1) > high) | (values.imag.min(-1) < IMAG[0])
