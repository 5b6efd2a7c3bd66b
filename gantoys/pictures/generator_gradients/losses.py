"""The generator's two losses and their slopes per logit, and where on them the samples of p_G lie under D*."""

import numpy as np
from scipy import special

from gantoys.maths import LOSSES, normal, optimal_discriminator
from gantoys.maths.losses import Loss
from gantoys.pictures.generator_gradients.state import FURTHEST, NEAREST, ROLES, SAMPLES, GradientState, pair, short
from gantoys.pictures.sweeps import slider
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Curve, Points, Rule
from gantoys.stage.scene import Axis, Panel, Readout, Scene, Swept

Array = np.ndarray
LOWEST, HIGHEST = -10.0, 6.0  # logits on the axis
DENSE = np.linspace(-14, 14, 281)
LARGEST_VALUE, LARGEST_SLOPE = 6.0, 3.0  # how far the axes go for a loss without bounds
GOODFELLOW = ("saturating", "non-saturating")


def logits_at(row: Loss, log_ratio: Array) -> Array:
    """The best critic's output where log p/q is `log_ratio`; NaN where it depends on more than that one place."""
    return np.full_like(log_ratio, np.nan) if row.optimal is None or row.paired else row.optimal(log_ratio)


def losses_scene(state: GradientState) -> Scene:
    """Value and slope per logit of both losses against D or the logit; dots: nine samples of p_G and its centre."""
    control = slider("shift", "mean of *p*_{G}", NEAREST, FURTHEST, state.shift, role="fake")
    shift = np.asarray(control.values)
    q = normal(shift, np.full(len(shift), state.scale))
    places = np.concatenate([shift[:, None] + state.scale * SAMPLES, shift[:, None]], axis=1)
    best = optimal_discriminator(state.p, q, places)
    rows = [LOSSES[key] for key in state.keys]
    slopes = [row.generator_slope(logits_at(row, best.logit[:, -1])) for row in rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = slopes[1] / slopes[0]
    a, b = pair(state)
    values = {"sa": slopes[0], "sb": slopes[1], "ratio": ratio, "d": best.value[:, -1]}
    labels = {"sa": f"slope, {a}", "sb": f"slope, {b}", "ratio": "second ÷ first", "d": "*D*^{*} at *p*_{G}’s mean"}
    roles = {"sa": ROLES[0], "sb": ROLES[1], "ratio": None, "d": "disc"}
    readouts = [Readout(key, labels[key], _over(values[key]), form=".4g", role=roles[key]) for key in values]
    readouts.append(Readout("minus_a", "−*a*", _over(-best.logit[:, -1]), digits=1, visible=False))
    against_d = state.against == "D"
    axis = Axis(0, 1, "*D*(*x*)", ticks=(0, 0.5, 1), tick_labels=("0", "½", "1")) if against_d else Axis(LOWEST, HIGHEST, "logit *a* of *D*")
    sides = (
        ("the generator’s loss", LARGEST_VALUE, [row.generator for row in rows]),
        ("its slope per logit", LARGEST_SLOPE, [row.generator_slope for row in rows]),
    )
    panels = []
    for column, (title, most, functions) in enumerate(sides):
        layers: list[Layer] = [Rule(at=0.0, role="muted", dashed=False)]
        low, high = 0.0, 0.0
        for key, role, row, function in zip(state.keys, ROLES, rows, functions, strict=True):
            curve = function(DENSE)
            seen = np.abs(DENSE) <= LARGEST_VALUE
            low, high = min(low, float(curve[seen].min())), max(high, float(curve[seen].max()))
            aside = None if column == 0 else 0.25 if against_d else -4.0
            layers.append(Curve(x=_across(DENSE, against_d), y=curve, role=role, label=short(key), label_at=aside))
            layers += _dots(row, best.logit, function, role, against_d)
        panels.append(Panel(axis, _margin(max(low, -most), min(high, most), title), tuple(layers), column=column))
    return Scene(
        key=f"gradients-losses-{state.against}",
        alt=(
            f"The {short(state.loss)} and the {short(state.other)} loss of the generator and their slopes per logit. At the "
            f"centre of p_G, where D* is {{d}}, the slopes are {{sa}} and {{sb}}."
        ),
        panels=tuple(panels),
        controls=(control,),
        readouts=tuple(readouts),
        formula=_formula(state, a, b),
    )


def _over(rows: Array) -> Swept:
    return Swept({"shift": rows})


def _across(logits: Array, against_d: bool) -> Array:
    return special.expit(logits) if against_d else logits


def _margin(low: float, high: float, title: str) -> Axis:
    room = 0.08 * (high - low)
    return Axis(low - room, high + room, title)


def _dots(row: Loss, log_ratio: Array, function, role: str, against_d: bool) -> list[Layer]:  # type: ignore[no-untyped-def]
    """The samples of p_G on the curve, small, and p_G's centre, large; the last column is the centre."""
    a = logits_at(row, log_ratio)
    if np.all(np.isnan(a)):
        return []
    x, y = _across(a, against_d), function(a)
    return [
        Points(x=_over(x[:, :-1]), y=_over(y[:, :-1]), role=role, size=3.4, opacity=0.75),
        Points(x=_over(x[:, -1:]), y=_over(y[:, -1:]), role=role, size=6.5, opacity=1),
    ]


def _formula(state: GradientState, a: str, b: str) -> str:
    if state.keys == GOODFELLOW:
        return (
            f"at *p*_{{G}}’s mean:  {a} [−σ(*a*)|fake] = {{sa:.4f}},  {b} [−σ(−*a*)|accent] = {{sb:.4f}};  "
            "same sign, ratio e^{−*a*} = e^{{minus_a}} = {ratio:.3g}"
        )
    return f"slope per logit at *p*_{{G}}’s mean:  {a} = {{sa:.3g}},  {b} = {{sb:.3g}},  ratio = {{ratio:.3g}}"
