"""Four bargains on one pair: maximum likelihood, GAN, WGAN and score matching before a mode that p_G neglects."""

import numpy as np

from gantoys.maths import DIVERGENCES, Mixture1D, divergences, mix, normal, w1
from gantoys.maths.fisher import fisher_divergence
from gantoys.pictures.divergences_state import DivergenceState, marks, turned
from gantoys.pictures.sweeps import slider, swept
from gantoys.shared import shared
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Curve, Points, Rule, Text
from gantoys.stage.scene import Axis, Control, Panel, Readout, Scene, Swept

Array = np.ndarray
SPREAD, REACH, POINTS, POSITIONS = 0.6, 6.5, 141, 61
RANGES = {"share": (0.0, 0.5), "apart": (0.0, 8.0)}
NAMES = {"share": "share of *p*_{G} in the right mode (data: ½)", "apart": "distance of the two modes"}
SHORT = {"share": "share", "apart": "distance"}
TICKS = {"share": (0.1, 0.25), "apart": (1.0, 3.0)}
KEYS = ("kl", "js", "w1", "fisher")
TITLES = {"kl": "max. likelihood", "js": "GAN", "w1": "WGAN", "fisher": "score matching"}
WHAT = {"kl": "KL(*p*‖*q*)", "js": "JS", "w1": "*W*_{1}", "fisher": "Fisher"}
FIGURES = {
    "kl": "the area is KL", "js": "the area is JS", "w1": "the area is *W*_{1}", "fisher": "slopes of log *p*, log *q*",
}  # fmt: skip
TOPS = {"kl": 2.6, "js": 0.8, "w1": 4.2, "fisher": 4.2}
TABLE = """
| | maximum likelihood, flows | GAN | WGAN | score matching, diffusion |
|---|---|---|---|---|
| minimises | KL(p‖q): $\\int p \\log \\frac{p}{q}$ | JS, if D = D\\* | $W_1$, if the critic is the best one | Fisher divergence: $\\mathbb{E}_p\\lvert\\nabla\\log p - \\nabla\\log q\\rvert^2$ |
| needs of the model | its density $q(x)$ | samples | samples, a 1-Lipschitz critic | its score $\\nabla\\log q$, no normalising constant |
| a neglected mode | costly: half of log(1/share) and more; ∞ where $q$ leaves out a piece of $p$ | bounded: at most log 2 | missing share × distance | blind to how much mass it has, once it has a trace |
"""  # noqa: E501 (a table's row is one line)
"""What each minimises, needs, and does to a missed mode."""


def pair(share: Array, apart: Array) -> tuple[Mixture1D, Mixture1D]:
    """p_data, half its mass in either mode, and p_G with only `share` in the right one."""
    parts = [normal(side * apart, np.full(apart.shape, SPREAD)) for side in (-0.5, 0.5)]
    half = np.full(share.shape, 0.5)
    laws = [mix(np.stack([1 - w, w], axis=-1), parts) for w in (half, share)]
    p, q = laws
    assert isinstance(p, Mixture1D) and isinstance(q, Mixture1D)
    return p, q


def _rows(state: DivergenceState, control: Control) -> dict[str, Array]:
    other = "apart" if control.key == "share" else "share"
    return _sweep(control.key, getattr(state, other), np.asarray(control.values, float).tobytes())


@shared
def _sweep(over: str, held: float, positions: bytes) -> dict[str, Array]:
    at, x = np.frombuffer(positions), np.linspace(-REACH, REACH, POINTS)
    share, apart = (at, np.full(len(at), held)) if over == "share" else (np.full(len(at), held), at)
    p, q = pair(share, apart)
    lp, lq = p.log_density(x), q.log_density(x)
    found = divergences(p, q, ("kl", "js"), tolerance=1e-9)
    transport = w1(p, q)
    assert transport is not None  # there always is a route on the line
    values = {
        "kl": found["kl"].value, "js": found["js"].value, "w1": transport.value,
        "fisher": fisher_divergence(p, q).value,
    }  # fmt: skip
    rows = {
        "p": np.exp(lp),
        "q": np.exp(lq),
        "add-kl": DIVERGENCES["kl"].integrand(lp, lq),
        "add-js": DIVERGENCES["js"].integrand(lp, lq),
        "cdf-p": p.cdf(x),
        "cdf-q": q.cdf(x),
        "score-p": p.score(np.broadcast_to(x, lp.shape)),
        "score-q": q.score(np.broadcast_to(x, lq.shape)),
        "position": (at - at[0]) / (at[-1] - at[0]),
    }
    rows["along"] = np.broadcast_to(rows["position"], (len(at), len(at)))
    rows["plumb"] = np.stack([rows["position"]] * 2, axis=1)
    rows["dot"] = rows["position"][:, None]
    for key, value in values.items():
        rows |= {key: value, f"dot-{key}": value[:, None], f"curve-{key}": np.broadcast_to(value, (len(at), len(at)))}
    return rows


def paradigms_scene(state: DivergenceState) -> Scene:
    """Above what each of the four compares, below its value along the slider that moves."""
    controls = tuple(
        slider(key, NAMES[key], *RANGES[key], getattr(state, key), count=POSITIONS, role="fake", digits=3 - i)
        for i, key in enumerate(RANGES)
    )
    s = swept(turned(controls, state.against), lambda control: _rows(state, control))
    readouts = tuple(
        Readout(key, WHAT[key] if key != "fisher" else "Fisher divergence", s[key], unit="nats" if i < 2 else "")
        for i, key in enumerate(KEYS)
    )
    return Scene(
        key="divergences-paradigms",
        alt=(
            "Data with two modes and a generator that gives the right one {share} of its mass, as four methods see "
            "them: KL {kl}, Jensen–Shannon {js}, Wasserstein {w1}, Fisher divergence {fisher}."
        ),
        panels=tuple(
            panel for i, key in enumerate(KEYS) for panel in (_figure(key, s, i), _curve(key, state, controls, s, i))
        ),
        controls=controls,
        readouts=readouts,
        formula=(
            "mode at ½ in [*p*|real], {share} in [*q*|fake], {apart} away:  KL = {kl:.3f},  JS = {js:.3f} ≤ log 2,  "
            "*W*_{1} = (½ − {share}) × {apart} = {w1:.3f},  Fisher = {fisher:.4f}"
        ),
    )


def _figure(key: str, s: dict[str, Swept], column: int) -> Panel:
    """What the method compares, in one small picture."""
    x = np.linspace(-REACH, REACH, POINTS)
    low, high = 0.0, 1.25
    if key in ("kl", "js"):
        layers: list[Layer] = [
            Area(x=x, y=s[f"add-{key}"], role="accent", opacity=0.45),
            Curve(x=x, y=s["p"], role="real", label="*p*_{data}" if key == "kl" else ""),
            Curve(x=x, y=s["q"], role="fake", label="*p*_{G}" if key == "kl" else ""),
        ]
    elif key == "w1":
        low, high = -0.03, 1.4
        layers = [
            Area(x=x, y=s["cdf-p"], base=s["cdf-q"], role="accent", opacity=0.45),
            Curve(x=x, y=s["cdf-p"], role="real"),
            Curve(x=x, y=s["cdf-q"], role="fake"),
        ]
    else:
        low, high = -12.0, 19.0
        layers = [
            Rule(at=0.0, role="muted", dashed=False, width=0.5),
            Curve(x=x, y=s["score-p"], role="real", width=1.6),
            Curve(x=x, y=s["score-q"], role="fake", width=0.8, dashed=False),
        ]
    layers.append(Text(x=0.5, y=0.93, text=FIGURES[key], frame=True, role="muted" if key == "fisher" else "accent"))
    title = TITLES[key]
    return Panel(
        Axis(-REACH, REACH, visible=False), Axis(low, high, ticks=()), tuple(layers), column=column, title=title
    )


def _curve(key: str, state: DivergenceState, controls: tuple[Control, ...], s: dict[str, Swept], column: int) -> Panel:
    """The value along the slider that moves."""
    top = TOPS[key]
    layers = marks(turned(controls, state.against), TICKS, SHORT, -0.12 * top)
    if key == "js":
        layers.append(Rule(at=float(np.log(2)), role="theory", label="log 2"))
    layers += [
        Curve(x=s["plumb"], y=np.array([0.0, 2 * top]), role="muted", width=0.5, dashed=True),
        Curve(x=s["along"], y=s[f"curve-{key}"], role="accent", width=1.3),
        Points(x=s["dot"], y=s[f"dot-{key}"], role="accent", size=6, opacity=1),
    ]
    return Panel(
        Axis(0, 1, visible=False), Axis(-0.22 * top, 1.02 * top, WHAT[key]), tuple(layers), row=1, column=column
    )
