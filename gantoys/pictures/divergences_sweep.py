"""All divergences over one slider of p_G at once: values, slopes, and the critic that each of them asks for."""

import numpy as np

from gantoys.maths import (
    DIVERGENCES,
    Mixture1D,
    divergence_slopes,
    divergences,
    generator_gradients,
    mix,
    normal,
    optimal_discriminator,
    uniform,
    w1,
    w2_squared,
)
from gantoys.maths.compare import Quantity
from gantoys.maths.transport import critic
from gantoys.pictures.divergences_state import (
    HIGH,
    LOW,
    SHORT,
    UNITS,
    DivergenceState,
    marks,
    named_data,
    turned,
)
from gantoys.pictures.divergences_words import CRITICS
from gantoys.pictures.sweeps import slider, swept
from gantoys.shared import shared
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Curve, Handle, Points, Rule, Text
from gantoys.stage.scene import Axis, Control, Panel, Readout, Scene, Swept

Array = np.ndarray
POINTS, POSITIONS = 211, 65
COUNTS = {"mean": POSITIONS, "spread": 33, "weight": 33}  # what is not in the hand is computed anew when it lets go
RANGES = {"mean": (-8.0, 8.0), "spread": (0.3, 3.0), "weight": (0.0, 1.0)}
NAMES = {"mean": "mean of *p*_{G}’s left half", "spread": "spread of both halves", "weight": "weight of the right half"}
AXES = {"mean": "mean of *p*_{G}", "spread": "spread", "weight": "weight"}
TICKS = {"mean": (-6.0, -2.0, 2.0), "spread": (0.5, 1.0, 2.0), "weight": (0.1, 0.25, 0.5)}
GAP = 4.0
BOUNDED = ("js", "tv", "hellinger2")
OPEN = ("kl", "reverse_kl", "jeffreys", "chi2", "w1")
TALLEST, HIGHEST, MOST = 0.5, 1.1, 12.0  # tops of the axes: densities, bounded and unbounded divergences
STEP = 1e-5  # of a slider, for slopes by differences
SMALLEST = 1e-6  # a slope below it is the values' own error, divided by the step
SURE, CERTAIN, SMALL = 4.0, 2.4, 6.0  # log-ratios up to which critics are drawn, the second where they grow large


def generator(state: DivergenceState, **moved: Array) -> Mixture1D:
    """p_G of the state, with some of its numbers replaced by a whole sweep."""
    mean, spread, weight = np.broadcast_arrays(
        *(np.asarray(moved.get(name, getattr(state, name)), float) for name in ("mean", "spread", "weight"))
    )
    if state.halves == "uniform":
        reach = np.sqrt(3) * spread
        parts = [uniform(mean - reach, mean + reach), uniform(mean + GAP - reach, mean + GAP + reach)]
    else:
        parts = [normal(mean, spread), normal(mean + GAP, spread)]
    law = mix(np.stack([1 - weight, weight], axis=-1), parts)
    assert isinstance(law, Mixture1D)
    return law


def values_of(p: Mixture1D, q: Mixture1D, keys: tuple[str, ...], tolerance: float) -> dict[str, Array]:
    """Each divergence of `keys` over the sweep of q: (S,)."""
    # the powers of the chi-squares need panels far out that would cost the others their time
    found: dict[str, Array] = {}
    powers = [(key,) for key in keys if key in ("chi2", "chi2_neyman")]
    plain = tuple(key for key in keys if key in DIVERGENCES and (key,) not in powers)
    for group in (plain, *powers):
        if group:
            found |= {key: row.value for key, row in divergences(p, q, group, tolerance=tolerance).items()}
    for key, cost in (("w1", w1), ("w2_squared", w2_squared)):
        if key in keys:
            quantity = cost(p, q)
            assert quantity is not None  # there always is a route on the line
            found[key] = quantity.value
    return found


def with_slopes(state: DivergenceState, keys: tuple[str, ...], over: str, at: Array) -> dict[str, tuple[Array, Array]]:
    """Each divergence of `keys` and its derivative in a slider, at its positions (S,).

    The derivative is that of the envelope theorem in the mean, else a one-sided difference, good to three digits; NaN
    at the ends of the weight, where a mode that is wholly missing can make it larger than any difference tells.
    """
    if "w2_squared" in keys:
        others = with_slopes(state, tuple(key for key in keys if key != "w2_squared"), over, at)
        return others | {"w2_squared": _w2_with_slopes(state, over, at)}
    p, q = state.p, generator(state, **{over: at})
    if over == "mean" and q.smooth:
        values = values_of(p, q, keys, 1e-11)
        plain = tuple(key for key in keys if key in DIVERGENCES)
        slopes = divergence_slopes(p, q, "shift", plain) if plain else {}
        if "w1" in keys:
            slopes |= {"w1": generator_gradients(p, q, "shift", ("wasserstein",))["wasserstein"]}
        return {key: (values[key], _settled(slopes[key])) for key in keys}
    step = _steps(over, at)
    ends = values_of(p, generator(state, **{over: np.concatenate([at, at + step])}), keys, 1e-11)
    return {key: _by_difference(ends[key][: len(at)], ends[key][len(at) :], over, at, step) for key in keys}


def _steps(over: str, at: Array) -> Array:
    return np.where(at + STEP <= RANGES[over][1], STEP, -STEP)


def _by_difference(here: Array, there: Array, over: str, at: Array, step: Array) -> tuple[Array, Array]:
    with np.errstate(invalid="ignore"):
        slope = (there - here) / step
    slope = np.where(np.abs(slope) < SMALLEST, 0.0, slope)
    return here, np.where((over == "weight") & ((at == 0) | (at == 1)), np.nan, slope)


def _w2_with_slopes(state: DivergenceState, over: str, at: Array) -> tuple[Array, Array]:
    """W2 squared and its derivative: a p_G whose mean is off by d from the data's costs d^2 more than one in place.

    So a moved p_G needs no transport of its own, and the costs in place are kept: one takes some 10 ms.
    """
    moving = over != "mean"
    here, there = _w2_in_place(
        state.data, state.halves, over if moving else "", state.spread, state.weight, at.tobytes() if moving else b""
    )
    step, mean = _steps(over, at), float(state.p.mean)
    off = [generator(state, **{over: places}).mean - (mean if np.isfinite(mean) else 0.0) for places in (at, at + step)]
    with np.errstate(invalid="ignore"):
        value, slope = _by_difference(here + off[0] ** 2, there + off[1] ** 2, over, at, step)
        return value, slope if moving else 2 * off[0] + 0 * here


@shared
def _w2_in_place(
    data: str, halves: str, over: str, spread: float, weight: float, positions: bytes
) -> tuple[Array, Array]:
    """W2 squared between the data and a p_G with their mean, along a slider and a step further: (S,) each."""
    state = DivergenceState(data=data, halves=halves, spread=spread, weight=weight)
    p, at = state.p, np.frombuffer(positions)
    moved = {over: np.concatenate([at, at + _steps(over, at)])} if over else {}
    mean = np.asarray(p.mean - GAP * moved.get("weight", np.full(len(moved.get(over, [0.0])), weight)))
    if not np.isfinite(mean).all():
        return np.full(max(1, len(at)), np.inf), np.full(max(1, len(at)), np.inf)
    cost = w2_squared(p, generator(state, mean=mean, **moved))
    assert cost is not None  # there always is a route on the line
    return (cost.value[: len(at)], cost.value[len(at) :]) if over else (cost.value, cost.value)


def _settled(found: Quantity) -> Array:
    """The values, with 0 for what is smaller than its own error."""
    return np.where(np.abs(found.value) <= found.error, 0.0, found.value)


def best_critic(p: Mixture1D, q: Mixture1D, key: str, x: Array) -> Array | None:
    """T* of a divergence over x, (S, n): f'(p/q), for W1 the Kantorovich-Rubinstein critic; W2 has none such."""
    if key == "w1":
        return critic(p, q, x)
    if key not in DIVERGENCES:
        return None
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return np.asarray(DIVERGENCES[key].critic(optimal_discriminator(p, q, x).logit))


def partner(state: DivergenceState) -> str:
    """What the chosen divergence is compared with: W1, or JS when that is W1 itself."""
    return "js" if state.divergence == "w1" else "w1"


def _keys(state: DivergenceState) -> tuple[str, ...]:
    keys = (*BOUNDED, *OPEN)
    return keys if state.divergence in keys else (*keys, state.divergence)


def _rows(state: DivergenceState, control: Control) -> dict[str, Array]:
    fields = DivergenceState.model_fields
    used = ("data", "divergence", "mean", "spread", "weight", "halves")
    # what does not matter for this sweep must not keep a stored one from being found: the control's own value above all
    same = {name: fields[name].default for name in fields if name not in used or name == control.key}
    return _sweep(state.model_copy(update=same), control.key, np.asarray(control.values, float).tobytes())


@shared
def _sweep(state: DivergenceState, over: str, positions: bytes) -> dict[str, Array]:
    at, x = np.frombuffer(positions), np.linspace(LOW, HIGH, POINTS)
    p, q = state.p, generator(state, **{over: at})
    chosen, other = state.divergence, partner(state)
    pair = with_slopes(state, (chosen, other), over, at)
    values = values_of(p, q, tuple(key for key in _keys(state) if key not in pair), 1e-6)
    values |= {key: value for key, (value, _) in pair.items()}
    best = best_critic(p, q, chosen, x)
    mean = np.broadcast_to(at if over == "mean" else state.mean, at.shape).copy()
    weight = np.broadcast_to(at if over == "weight" else state.weight, at.shape)
    shown = np.where(weight < 1, mean, mean + GAP)
    rows = {
        "density": q.density(x),
        "critic": np.full((len(at), POINTS), np.nan) if best is None else best,
        "slope": pair[chosen][1],
        "other_slope": pair[other][1],
        "handle_x": mean,
        "handle_y": np.minimum(np.diagonal(q.density(shown)), TALLEST * 0.97),
        "position": (at - at[0]) / (at[-1] - at[0]),
    }
    rows["plumb"] = np.stack([rows["position"]] * 2, axis=1)
    rows["along"] = _whole(rows["position"])
    for key, value in values.items():
        rows |= {key: value, f"curve-{key}": _whole(value)}
    return rows


def _whole(values: Array) -> Array:
    """A curve over all positions, the same at each of them: (S, POSITIONS), sliders with fewer filled up with NaN."""
    line = np.concatenate([values, np.full(POSITIONS - len(values), np.nan)])
    return np.broadcast_to(line, (len(values), POSITIONS))


def sweep_scene(state: DivergenceState) -> Scene:
    """p_data, p_G and T* on the left; on the right every divergence along the slider that moves."""
    controls = tuple(
        slider(key, NAMES[key], *RANGES[key], getattr(state, key), count=COUNTS[key], role="fake") for key in RANGES
    )
    s = swept(turned(controls, state.along), lambda control: _rows(state, control))
    chosen, other, role = state.divergence, partner(state), "accent"
    name, second = f"[{SHORT[chosen]}|{role}]", SHORT[other]
    readouts = (
        Readout("value", name, s[chosen], unit=UNITS.get(chosen, ""), role=role),
        Readout("slope", f"slope of {name}", s["slope"], form=".3g", role=role),
        Readout("other", second, s[other], unit=UNITS.get(other, "")),
        Readout("otherslope", f"slope of {second}", s["other_slope"], form=".3g"),
    )
    return Scene(
        key="divergences",
        alt=(
            f"Densities of the data and of the generator, the best critic for {chosen}, and all divergences along a "
            f"slider: {chosen} is {{value}} with slope {{slope}}, {other} is {{other}} with slope {{otherslope}}."
        ),
        panels=(
            _densities(state, s),
            _critic(state, s),
            _curves(state, controls, s, BOUNDED, 0),
            _curves(state, controls, s, tuple(key for key in _keys(state) if key not in BOUNDED), 1),
        ),
        controls=controls,
        readouts=readouts,
        formula=CRITICS[chosen].line(name),
    )


def _densities(state: DivergenceState, s: dict[str, Swept]) -> Panel:
    x = np.linspace(LOW, HIGH, POINTS)
    p_x = state.p.density(x)
    layers = (
        *named_data(x, p_x),
        Area(x=x, y=s["density"], role="fake"),
        Curve(x=x, y=s["density"], role="fake", label="*p*_{G}"),
        Handle(control="mean", x=s["handle_x"], y=s["handle_y"], role="fake"),
    )
    top = max(TALLEST, 1.06 * float(p_x.max()))
    return Panel(Axis(LOW, HIGH, visible=False), Axis(0, top, "density", ticks=()), layers)


def _critic(state: DivergenceState, s: dict[str, Swept]) -> Panel:
    """T*, drawn between the values it takes at log-ratios that are not too large."""
    x, key = np.linspace(LOW, HIGH, POINTS), state.divergence
    layers: list[Layer] = [Rule(at=0.0, role="muted", dashed=False, width=0.5)]
    if key in DIVERGENCES:
        low, high = _reach(key)
        label = f"best critic *T*^{{*}}(*x*) = {CRITICS[key].critic}"
    else:
        low, high, label = -8.0, 8.0, "best critic *T*^{*}(*x*), of slope ±1"
    if key == "w2_squared":
        label, words = "best critic", "no critic of this kind: *W*_{2}^{2} has two potentials"
        layers.append(Text(x=0.5, y=0.6, text=words, frame=True, role="muted"))
    else:
        layers.append(Curve(x=x, y=s["critic"], role="disc"))
    room = 0.16 * (high - low)
    return Panel(Axis(LOW, HIGH, "*x*"), Axis(low - room, high + room, f"[{label}|disc]"), tuple(layers), row=1)


def _reach(key: str) -> tuple[float, float]:
    """The ends of the critic's axis: far out where it stays small or is bounded, nearer where it grows like a power."""
    ends = []
    for side in (-1.0, 1.0):
        far, near = (float(DIVERGENCES[key].critic(np.array(side * r))) for r in (SURE, CERTAIN))
        ends.append(far if abs(far) <= SMALL else near)
    return ends[0], ends[1]


def _curves(
    state: DivergenceState, controls: tuple[Control, ...], s: dict[str, Swept], keys: tuple[str, ...], row: int
) -> Panel:
    """Divergences along the slider that moves, the chosen one thick; a dot where the hand is."""
    top = HIGHEST if row == 0 else MOST
    layers = marks(turned(controls, state.along), TICKS, AXES, -0.125 * top)
    if row == 0:
        layers.append(Rule(at=float(np.log(2)), role="theory", label="log 2"))
    layers.append(Curve(x=s["plumb"], y=np.array([0.0, 2 * top]), role="muted", width=0.5, dashed=True))
    for key in sorted(keys, key=lambda key: key in (state.divergence, partner(state))):
        thick = key == state.divergence
        role = "accent" if thick else "text" if key == partner(state) else "muted"
        width = 1.5 if thick else 1.0 if role == "text" else 0.65
        y = s[f"curve-{key}"]
        layers.append(Curve(x=s["along"], y=y, role=role, label=SHORT[key], width=width, dashed=False))
        layers.append(Points(x=_one(s["position"]), y=_one(s[key]), role=role, size=6 if thick else 3.6, opacity=1))
        if row == 1:
            layers.append(_gone(s[key], SHORT[key], keys.index(key)))
    title = ("bounded", "without a bound")[row]
    return Panel(Axis(0, 1, visible=False), Axis(-0.22 * top, 1.02 * top, title), tuple(layers), row=row, column=1)


def _gone(value: Swept, name: str, place: int) -> Text:
    """Words at the top of the panel, where a divergence has left the picture for good."""
    at = 0.01 + 0.245 * (place % 4)
    shown = Swept({key: np.where(np.isinf(np.asarray(rows)), at, np.nan) for key, rows in value.rows.items()})
    return Text(
        x=shown, y=0.94 - 0.14 * (place // 4), text=f"{name} = ∞", align="left", frame=True, role="warn", size=0.92
    )


def _one(value: Swept) -> Swept:
    """A number as a channel of one."""
    return Swept({key: np.asarray(rows)[:, None] for key, rows in value.rows.items()})
