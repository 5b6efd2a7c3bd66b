"""Two laws with the cheapest transport plan between them, both best critics, W1 and JS wherever p_G may stand."""

import numpy as np

from gantoys.pictures.wasserstein_state import (
    FURTHEST,
    HEIGHTS,
    Figures,
    WassersteinState,
    along,
    ends,
    figures,
    laws,
    tallest,
    theta_control,
)
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Curve, Handle, Heatmap, Points, Rule, Text
from gantoys.stage.scene import Axis, Control, Panel, Readout, Scene, Swept

Array = np.ndarray
LOG2 = float(np.log(2))
WAYS = {"uniforms": 12, "mixtures": 40}  # lines of a plan: each carries the same share of the mass
GAP = 0.62  # half of the room between the two laws, in heights of the taller one
_BEND = np.linspace(0, 1, 13)
_EASED = _BEND**2 * (3 - 2 * _BEND)
_ACROSS = 60
_FAINT = 2e-3
_BETWEEN = (-0.12, 1.12)


def plan_scene(state: WassersteinState) -> Scene:
    """The plan, the critics under it, and beside them how W1 and JS follow theta."""
    control = theta_control(state)
    theta = np.asarray(control.values)
    found = figures(state, theta)
    return Scene(
        key=f"wasserstein-plan-{state.example}",
        alt=(
            "Two laws, the cheapest way to move the mass of one to the other, and the best critics. With p_G moved by "
            "{theta} the Wasserstein distance is {w1}, the Jensen–Shannon divergence {js} nats."
        ),
        panels=(
            laws_panel(state, control, height_ratio=1.9),
            critic_panel(state, found),
            _judge(state, found, theta),
            _distance(found, theta),
            _divergence(state, found, theta),
        ),
        controls=(control,),
        readouts=(
            Readout("w1", "*W*_{1}", _over(found.w1), role="accent"),
            Readout("slope", "slope of *W*_{1} in θ", _over(found.slope), digits=2, role="accent"),
            Readout("js", "JS", _over(found.js), unit="nats", role="disc"),
            Readout("tv", "total variation", _over(found.tv)),
            Readout("kl", "KL(*p*_{data}‖*p*_{G})", _over(found.kl), unit="nats", digits=3),
        ),
        formula=_formula(state),
    )


def _over(rows: Array) -> Swept:
    return Swept({"theta": rows})


def _formula(state: WassersteinState) -> str:
    law = {"lines": "|θ|", "uniforms": "|θ|", "mixtures": "∫ |*F*_{data} − *F*_{G}| d *x*"}[state.example]
    return (
        f"[*W*_{{1}}|accent] = min_{{plans}} E|*x* − *y*| = {law} = {{w1:.3f}};   "
        "[JS|disc] = {js:.3f} of at most log 2 = 0.693"
    )


# --- the laws and the plan ---------------------------------------------------------------------------------------


def laws_panel(state: WassersteinState, control: Control, *, height_ratio: float) -> Panel:
    """Both laws with the plan: of lines in the plane, or of densities on the line, p_data above and p_G below."""
    if state.example == "lines":
        return _plane(state, control, height_ratio)
    x = np.linspace(*ends(state.example), 241)
    theta = np.asarray(control.values)
    p, q = laws(state, theta)
    up, down = p.density(x), q.density(x)
    top = float(max(up.max(), down.max()))
    near = GAP * top
    count = WAYS[state.example]
    levels = (np.arange(count) + 0.5) / count
    start, goal = q.quantile(levels), p.quantile(levels)
    way = start[:, :, None] + (goal - start)[:, :, None] * _EASED
    lift = np.broadcast_to(near * (2 * _BEND - 1), (count, len(_BEND)))
    layers: tuple[Layer, ...] = (
        Curve(x=_over(_joined(way)), y=_joined(lift[None])[0], role="accent", width=0.5),
        Area(x=x, y=near + up, base=np.full(len(x), near), role="real", opacity=0.28),
        Curve(x=x, y=_seen(near + up, up), role="real"),
        Area(x=x, y=_over(-near - down), base=np.full(len(x), -near), role="fake", opacity=0.28),
        Curve(x=x, y=_over(_seen(-near - down, down)), role="fake"),
        Text(
            x=ends(state.example)[0] + 0.15, y=near + 0.5 * top, text="*p*_{data}", align="left", role="real", size=1.15
        ),
        Text(
            x=ends(state.example)[0] + 0.15, y=-near - 0.5 * top, text="*p*_{G}", align="left", role="fake", size=1.15
        ),
        Handle(control="theta", x=_over(start[:, count // 4]), y=-near - 0.45 * top, role="fake"),
    )
    height = Axis(-near - 1.12 * top, near + 1.12 * top, f"each line: 1/{count} of the mass", visible=False)
    return Panel(Axis(*ends(state.example), visible=False), height, layers, height_ratio=height_ratio, width_ratio=1.75)


def _seen(height: Array, density: Array) -> Array:
    """No line where there is hardly any mass."""
    return np.where(density > _FAINT * density.max(), height, np.nan)


def _joined(ways: Array) -> Array:
    """Lines (S, m, k), one after the other with a NaN after each, so that the pen is lifted: (S, m (k + 1))."""
    lifted = np.full((*ways.shape[:-1], 1), np.nan)
    return np.concatenate([ways, lifted], axis=-1).reshape(len(ways), -1)


def _plane(state: WassersteinState, control: Control, height_ratio: float) -> Panel:
    """Two parallel lines of the plane, the ground coloured by the best critic."""
    theta = np.asarray(control.values)
    found, low_high = figures(state, theta), ends(state.example)
    edges = np.linspace(*low_high, _ACROSS + 1)
    centres = 0.5 * (edges[1:] + edges[:-1])
    ground = np.stack([np.interp(centres, found.x, row) for row in found.critic])
    m = len(HEIGHTS)
    start = np.broadcast_to(theta[:, None], (len(theta), m))
    ways = np.stack([start, np.zeros_like(start)], axis=-1)
    rise = np.stack([np.broadcast_to(HEIGHTS, start.shape), HEIGHTS[found.partners]], axis=-1)
    line = np.array([0.0, 1.0])
    right = theta >= 0  # which side of each line its name stands on
    layers: tuple[Layer, ...] = (
        Heatmap(
            values=_over(np.repeat(ground[:, None, :], 2, axis=1)), x=low_high, y=_BETWEEN, lo=-1.0, mid=0.0, hi=1.0,
            opacity=0.32,
        ),
        Curve(x=_over(_joined(ways)), y=_over(_joined(rise)), role="accent", width=0.7),
        Curve(x=np.zeros(2), y=line, role="real", width=2.6),
        Curve(x=_over(np.repeat(theta[:, None], 2, axis=1)), y=line, role="fake", width=2.6),
        Points(x=np.zeros(m), y=HEIGHTS, role="real", size=3.2, opacity=1),
        Points(x=_over(start), y=HEIGHTS, role="fake", size=3.2, opacity=1),
        *_named(np.where(right, -0.12, np.nan), np.where(right, np.nan, 0.12), "*p*_{data}", "real"),
        *_named(np.where(right, np.nan, theta - 0.12), np.where(right, theta + 0.12, np.nan), "*p*_{G}", "fake"),
        Handle(control="theta", x=_over(theta), y=1.0, role="fake"),
    )  # fmt: skip
    height = Axis(*_BETWEEN, "height, even on [0, 1]", ticks=(0, 0.5, 1))
    return Panel(Axis(*low_high, visible=False), height, layers, height_ratio=height_ratio, width_ratio=1.75)


def _named(left: Array, right: Array, text: str, role: str) -> tuple[Layer, ...]:
    """A name that stands left or right of a place, as it moves; NaN where it does not stand."""
    return (
        Text(x=_over(left), y=0.5, text=text, align="right", role=role, size=1.15),
        Text(x=_over(right), y=0.5, text=text, align="left", role=role, size=1.15),
    )


# --- the critics -------------------------------------------------------------------------------------------------


def critic_panel(state: WassersteinState, found: Figures) -> Panel:
    """The Kantorovich-Rubinstein critic."""
    layers = (
        Rule(at=0.0, role="muted", dashed=False),
        Curve(x=found.x, y=_over(found.critic), role="disc", dashed=False, label="*f*^{*}, slope ±1"),
    )
    top = tallest(state.example)
    height = Axis(-top, top, "[*f*^{*}(*x*)|disc]")
    return Panel(Axis(*ends(state.example), visible=False), height, layers, row=1, width_ratio=1.75)


def _judge(state: WassersteinState, found: Figures, theta: Array) -> Panel:
    """The best discriminator, which knows the ratio of the densities and nothing of distances."""
    layers: list[Layer] = [Rule(at=0.5, role="muted", label="cannot tell: ½")]
    if state.example == "lines":
        apart = theta != 0
        both = np.stack([np.zeros(len(theta)), theta], axis=1)
        answer = np.where(apart[:, None], [1.0, 0.0], [0.5, 0.5])
        layers += [
            Points(x=_over(both), y=_over(answer), role="disc", size=6, opacity=1),
            Text(x=3.4, y=0.72, text="*D*^{*} is defined on the two lines only", align="right", role="disc"),
        ]
    else:
        layers.append(Curve(x=found.x, y=_over(found.best), role="disc", dashed=True, label="*D*^{*}"))
    answers = Axis(-0.08, 1.08, "[*D*^{*}(*x*)|disc]", ticks=(0, 0.5, 1))
    return Panel(
        along(state.example), answers, tuple(layers), row=2, height_ratio=0.8, width_ratio=1.75,
        lecture=False,
    )  # fmt: skip


# --- over theta --------------------------------------------------------------------------------------------------


def _distance(found: Figures, theta: Array) -> Panel:
    top = 1.15 * max(2.0, float(found.w1.max()))
    layers = (
        Rule(at=_over(theta), axis="x", role="muted"),
        Curve(x=theta, y=found.w1, role="accent", label="*W*_{1}"),
        Points(x=_over(theta[:, None]), y=_over(found.w1[:, None]), role="accent", size=6, opacity=1),
    )
    across = Axis(-FURTHEST, FURTHEST, visible=False)
    return Panel(across, Axis(0, top, "[*W*_{1}|accent]"), layers, column=1, height_ratio=1.9)


def _divergence(state: WassersteinState, found: Figures, theta: Array) -> Panel:
    layers: list[Layer] = [
        Rule(at=LOG2, role="theory", label="log 2"),
        Rule(at=_over(theta), axis="x", role="muted"),
    ]
    if state.example == "lines":
        apart = theta != 0
        layers += [
            Curve(x=theta, y=np.where(apart, found.js, np.nan), role="disc", dashed=False, label="JS"),
            Points(x=np.array([0.0]), y=np.array([LOG2]), role="disc", size=4, opacity=1, hollow=True),
        ]
    else:
        layers.append(Curve(x=theta, y=found.js, role="disc", dashed=False, label="JS"))
    layers.append(Points(x=_over(theta[:, None]), y=_over(found.js[:, None]), role="disc", size=6, opacity=1))
    across = Axis(-FURTHEST, FURTHEST, "θ", ticks=(-2, -1, 0, 1, 2))
    return Panel(
        across, Axis(-0.04, 0.85, "[JS|disc], nats", ticks=(0, 0.2, 0.4, 0.6)), tuple(layers), row=1, column=1, rows=2
    )
