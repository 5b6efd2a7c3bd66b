"""The generator's two losses and their slopes per logit, and where on them the samples of p_G lie under D*."""

import numpy as np
from scipy import special

from gantoys.maths import LOSSES, normal, optimal_discriminator
from gantoys.maths.losses import Loss, Part
from gantoys.pictures.generator_gradients.critic import best_of
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
    rows, own = [LOSSES[key] for key in state.keys], best_of(state.loss)
    centre = own.at(state.p, q, shift[:, None])[:, 0]
    slopes = [row.generator_slope(logits_at(row, best.logit[:, -1])) for row in rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = slopes[1] / slopes[0]
    a, b = pair(state)
    readouts = (
        Readout("sa", f"slope, {a}", _over(slopes[0]), form=".4g", role=ROLES[0]),
        Readout("sb", f"slope, {b}", _over(slopes[1]), form=".4g", role=ROLES[1]),
        Readout("ratio", "second ÷ first", _over(ratio), form=".4g"),
        Readout("d", f"{own.name} at *p*_{{G}}’s mean", _over(centre), form=".4g", role="disc"),
        Readout("minus_a", "−*a*", _over(-best.logit[:, -1]), digits=1, visible=False),
    )
    values, slopes_of = [row.generator for row in rows], [row.generator_slope for row in rows]
    return Scene(
        key=f"gradients-losses-{state.against}",
        alt=(
            f"The {short(state.loss)} and the {short(state.other)} loss of the generator and their slopes per logit. "
            "At the centre of p_G, where the best D says {d}, the slopes are {sa} and {sb}."
        ),
        panels=(
            _panel(state, "the generator’s loss", values, best.logit, column=0, most=LARGEST_VALUE),
            _panel(state, "its slope per logit", slopes_of, best.logit, column=1, most=LARGEST_SLOPE),
        ),
        controls=(control,),
        readouts=readouts,
        formula=_formula(state, a, b),
    )


def _panel(
    state: GradientState, title: str, functions: list[Part], log_ratio: Array, *, column: int, most: float
) -> Panel:
    """One function of each loss over D or the logit, no further than `most` up and down, with the samples on it."""
    against_d = state.against == "D"
    layers: list[Layer] = [Rule(at=0.0, role="muted", dashed=False)]
    aside = (None, 0.25 if against_d else -4.0)[column]
    curves = [function(DENSE) for function in functions]
    for key, role, curve, function in zip(state.keys, ROLES, curves, functions, strict=True):
        layers.append(Curve(x=_across(DENSE, against_d), y=curve, role=role, label=short(key), label_at=aside))
        layers += _dots(LOSSES[key], log_ratio, function, role, against_d)
    seen = np.stack(curves)[:, np.abs(DENSE) <= LARGEST_VALUE]
    low, high = max(-most, min(0.0, float(seen.min()))), min(most, max(0.0, float(seen.max())))
    room = 0.08 * (high - low)
    logit = all(_is_logit(LOSSES[key]) for key in state.keys)
    along = Axis(LOWEST, HIGHEST, "logit *a* of *D*" if logit else "output *a* of *D*")
    if against_d:
        squeezed = "*D*(*x*)" if logit else "σ(*a*), *a* the output of *D*"
        along = Axis(0, 1, squeezed, ticks=(0, 0.5, 1), tick_labels=("0", "½", "1"))
    return Panel(along, Axis(low - room, high + room, title), tuple(layers), column=column)


def _is_logit(row: Loss) -> bool:
    """Whether the sigmoid of D's output is how likely D takes a point to be real."""
    return row.optimal is not None and not row.paired and float(row.optimal(np.array(2.0))) == 2.0


def _over(rows: Array) -> Swept:
    return Swept({"shift": rows})


def _across(logits: Array, against_d: bool) -> Array:
    return special.expit(logits) if against_d else logits


def _dots(row: Loss, log_ratio: Array, function: Part, role: str, against_d: bool) -> list[Layer]:
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
