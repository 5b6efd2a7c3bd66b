"""Scenes with real numbers for the browser tests of the stage: densities, a finite game, a film, hostile words."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gantoys.stage.layers import Area, Arrows, Bars, Curve, Draw, Handle, Heatmap, Layer, Points, Rule, Text
from gantoys.stage.scene import Animation, Axis, Control, Panel, Readout, Scene, Swept

Array = npt.NDArray[Any]
X = np.linspace(-8, 8, 601)
SLIDERS = {
    "mean": np.linspace(-5, 5, 121),
    "spread": np.linspace(0.3, 3, 109),
    "weight": np.linspace(0, 1, 101),
}
REST = {"mean": -0.75, "spread": 1.1, "weight": 0.5}
REAL = 0.5 * np.exp(-0.5 * ((X + 2) / 0.8) ** 2) / 0.8 + 0.5 * np.exp(-0.5 * ((X - 2.2) / 1.1) ** 2) / 1.1
REAL /= np.sqrt(2 * np.pi)


def fake_density(mean: Any, spread: Any, weight: Any) -> Array:
    """p_G on X: two normals 3 apart around `mean`; each parameter a number or (positions,)."""
    mean, spread, weight = (np.atleast_1d(np.asarray(v, dtype=float))[:, None] for v in (mean, spread, weight))
    left = np.exp(-0.5 * ((X - mean + 1.5) / spread) ** 2)
    right = np.exp(-0.5 * ((X - mean - 1.5) / spread) ** 2)
    return np.asarray((weight * left + (1 - weight) * right) / (spread * np.sqrt(2 * np.pi)))


def densities(state: dict[str, float], animate: Animation | None = None) -> Scene:
    """p_data, p_G and D* with the Jensen-Shannon divergence under three sliders."""
    sweeps = {key: fake_density(**(state | {key: values})) for key, values in SLIDERS.items()}
    tiny = np.finfo(float).tiny
    best = {key: REAL / (REAL + fake + tiny) for key, fake in sweeps.items()}
    parts = {
        key: 0.5
        * (REAL * np.log(2 * REAL / (REAL + fake) + tiny) + fake * np.log(2 * fake / (REAL + fake + tiny) + tiny))
        for key, fake in sweeps.items()
    }
    js = {key: np.trapezoid(part, X, axis=1) for key, part in parts.items()}
    value = {key: 2 * j - np.log(4) for key, j in js.items()}
    peak = {key: fake.max(axis=1) for key, fake in sweeps.items()}
    at = {key: np.full(len(values), state["mean"]) for key, values in SLIDERS.items()} | {"mean": SLIDERS["mean"]}
    top = Panel(
        Axis(-8, 8, visible=False),
        Axis(0, 0.5, "density", ticks=(0, 0.2, 0.4)),
        (
            Area(X, REAL, role="real", opacity=0.1),
            Area(X, Swept(sweeps), role="fake", opacity=0.1),
            Curve(X, REAL, role="real", label="p_{data}"),
            Curve(X, Swept(sweeps), role="fake", label="p_{G}"),
            Handle("mean", Swept(at), 0.02, role="fake"),
        ),
        height_ratio=1.3,
    )
    middle = Panel(
        Axis(-8, 8, visible=False),
        Axis(0, 1, "D^{*}(*x*)", ticks=(0, 0.5, 1)),
        (
            Rule(0.5, role="theory", label="cannot tell"),
            Curve(X, Swept(best), role="disc", label="D^{*} = p_{data} / (p_{data} + p_{G})"),
        ),
        row=1,
    )
    low = Panel(
        Axis(-8, 8, "*x*"),
        Axis(0, 0.18, "share of JS at *x*", ticks=(0, 0.1)),
        (
            Area(X, Swept(parts), role="accent", opacity=0.3, label="area = {js:.3f}"),
            Curve(X, Swept(parts), role="accent"),
        ),
        row=2,
        height_ratio=0.8,
        lecture=False,
    )
    names = {"mean": "mean of p_{G}", "spread": "spread of p_{G}", "weight": "weight of the left mode"}
    controls = tuple(
        Control(k, names[k], v, start=int(np.argmin(np.abs(v - state[k]))), role="fake") for k, v in SLIDERS.items()
    )
    return Scene(
        key="densities",
        alt="Densities of real and generated data and the best discriminator; Jensen-Shannon divergence {js} nats.",
        panels=(top, middle, low),
        controls=controls,
        readouts=(
            Readout("js", "JS(p_{data}, p_{G})", Swept(js), unit="nats"),
            Readout("v", "V(D^{*}, G)", Swept(value), role="disc"),
            Readout("peak", "peak of p_{G}", Swept(peak), role="fake", digits=3),
            Readout("ratio", "largest ratio", np.inf, kind="estimated"),
        ),
        formula="*V*([D^{*}|disc], [G|fake]) = −log 4 + 2 JS([p_{data}|real], [p_{G}|fake]) = −1.3863 + 2 · {js} = {v}",
        animate=animate,
    )


def game(state: dict[str, float]) -> Scene:
    """A finite game: the student sets D at each outcome by dragging."""
    real, fake = np.array([0.5, 0.5]), np.array([0.7, 0.3])
    positions = np.linspace(0.01, 0.99, 99)
    now = np.array([state["d0"], state["d1"]])
    best = real / (real + fake)

    def value(d: Array) -> Array:
        return np.asarray((real * np.log(d) + fake * np.log(1 - d)).sum(axis=-1))

    sweeps = {}
    for i in range(2):
        d = np.tile(now, (99, 1))
        d[:, i] = positions
        sweeps[f"d{i}"] = d
    v = {key: value(d) for key, d in sweeps.items()}
    most = float(value(best))
    js = (most + np.log(4)) / 2
    shares = {
        key: np.stack([np.full(99, 2 * js), -(most - row)], axis=1)[:, :, None] * np.ones((1, 1, 1))
        for key, row in v.items()
    }
    probabilities = Panel(
        Axis(-0.6, 1.6),
        Axis(0, 1, "probability", ticks=(0, 0.5, 1)),
        (
            Bars(real, role="real", at=np.arange(2) - 0.16, width=0.28, digits=1, categories=("heads", "tails")),
            Bars(fake, role="fake", at=np.arange(2) + 0.16, width=0.28, digits=1),
        ),
    )
    choice = Panel(
        Axis(-0.6, 1.6),
        Axis(0, 1, "your D", ticks=(0, 0.5, 1)),
        (
            Bars(
                Swept({k: d[:, None] for k, d in sweeps.items()}),
                role="disc",
                categories=("heads", "tails"),
                opacity=0.35,
            ),
            Bars(best, role="theory", width=0.6),
            *(
                Handle(f"d{i}", float(i), Swept({k: d[:, i] for k, d in sweeps.items()}), role="disc", axis="y")
                for i in range(2)
            ),
        ),
        column=1,
    )
    ledger = Panel(
        Axis(-0.8, 1.6, visible=False),
        Axis(-2.4, 0, "value ledger"),
        (
            Bars(
                Swept(shares),
                roles=("accent", "warn"),
                labels=("2 JS", "shortfall"),
                base=np.array([-np.log(4)]),
                width=0.7,
            ),
            Rule(-np.log(4), role="theory", label="−log 4"),
        ),
        column=2,
        width_ratio=0.8,
    )
    controls = tuple(
        Control(f"d{i}", f"D({name})", positions, start=int(np.argmin(np.abs(positions - now[i]))), role="disc")
        for i, name in enumerate(("heads", "tails"))
    )
    return Scene(
        key="game",
        alt="A finite game. D({d0}, {d1}) earns {v} of at most {most}.",
        panels=(probabilities, choice, ledger),
        controls=controls,
        readouts=(
            Readout("v", "V(D, G)", Swept(v), unit="nats", role="disc"),
            Readout("most", "V(D^{*}, G)", most, unit="nats", role="theory"),
            Readout("short", "shortfall of D", Swept({k: most - r for k, r in v.items()}), role="warn"),
        ),
        formula="*V*([D|disc], [G|fake]) = −log 4 + 2 JS − shortfall = −1.3863 + 0.0421 − {short} = {v}",
    )


def frames(first: int, last: int, seed: int = 0) -> tuple[Array, Array, Array, Array, Array]:
    """Points (n, 600), surface (n, 60, 60) and a number (n,) of a made-up run over frames first .. last - 1."""
    rng = np.random.default_rng(seed)
    angle = rng.integers(0, 8, 600) * np.pi / 4
    target = 2 * np.stack([np.cos(angle), np.sin(angle)]) + rng.normal(0, 0.12, (2, 600))
    start = rng.normal(0, 0.5, (2, 600))
    t = np.clip(np.arange(first, last) / 150, 0, 1)[:, None]
    ease = 1 - (1 - t) ** 2
    wobble = 0.5 * (1 - ease) * np.sin(8 * t)
    x = start[0] * (1 - ease) + target[0] * ease + wobble
    y = start[1] * (1 - ease) + target[1] * ease
    g = np.linspace(-3, 3, 61)[:-1] + 0.05
    ring = sum(
        np.exp(-((g[None] - 2 * np.cos(a)) ** 2 + (g[:, None] - 2 * np.sin(a)) ** 2) / 0.5)
        for a in np.arange(8) * np.pi / 4
    )
    blob = np.exp(-((g[None, None] - wobble[:, :, None]) ** 2 + g[None, :, None] ** 2) / (0.6 + 4 * ease[:, :, None]))
    gap = (1 - ease)[:, :, None]
    surface = 1 / (1 + np.exp(-gap * (4 * ring - 5 * blob)))
    return x, y, surface, 0.6 * (1 - ease[:, 0]) ** 2 + 0.01, np.arange(first, last) * 10.0


def clicks(state: dict[str, float]) -> Scene:
    """Two panels that take clicks, one of them with a handle and a log axis, and one that takes none."""
    values = np.linspace(-3, 3, 61)
    at = int(np.argmin(np.abs(values - state["a"])))
    return Scene(
        key="clicks",
        alt="Click into a panel.",
        panels=(
            Panel(
                Axis(-3, 3, "*x*"),
                Axis(0.01, 100, "*y*", log=True),
                (Handle("a", Swept({"a": values}), 1.0, role="fake"),),
                click="plane",
            ),
            Panel(Axis(0, 1, "*u*"), Axis(0, 1), (Rule(0.5),), column=1, click="square"),
            Panel(Axis(0, 1, "*w*"), Axis(0, 1), (Rule(0.5),), column=2),
        ),
        controls=(Control("a", "a", values, start=at, role="fake"),),
    )


def film(count: int = 300, append_from: int | None = None, live: bool = False, film_name: str = "a") -> Scene:
    """A film of points over a surface, whole or only the frames from `append_from` on."""
    first = append_from or 0
    x, y, surface, js, _ = frames(first, count)
    rng = np.random.default_rng(1)
    a = rng.integers(0, 8, 400) * np.pi / 4
    steps = np.arange(count) * 10.0
    clock = Control(
        "step",
        "step",
        steps,
        start=count - 1 if live else 0,
        digits=0,
        kind="time",
        film=film_name,
        live=live,
        role="fake",
    )
    everything = frames(0, 300)[3]
    return Scene(
        key="film",
        alt="Generated points and the surface of D at step {step}.",
        panels=(
            Panel(
                Axis(-3, 3, visible=False),
                Axis(-3, 3, visible=False),
                (
                    Heatmap(Swept({"step": surface}), (-3, 3), (-3, 3), contours=(0.5,)),
                    Points(
                        2 * np.cos(a) + rng.normal(0, 0.12, 400),
                        2 * np.sin(a) + rng.normal(0, 0.12, 400),
                        role="real",
                        label="real",
                    ),
                    Points(Swept({"step": x}), Swept({"step": y}), role="fake", label="generated"),
                    Arrows(
                        Swept({"step": x[:, :40]}),
                        Swept({"step": y[:, :40]}),
                        Swept({"step": 0.1 * np.sign(x[:, :40])}),
                        Swept({"step": 0.2 * np.sign(y[:, :40])}),
                        role="text",
                    ),
                ),
                equal_aspect=True,
                title="Step {step}",
            ),
            Panel(
                Axis(0, 3000, "step"),
                Axis(0.001, 1, "JS in nats", log=True),
                (
                    Curve(np.arange(300) * 10.0, everything, role="muted"),
                    Rule(Swept({"step": np.arange(first, count) * 10.0}), axis="x", role="fake"),
                    Text(0.95, 0.92, "{js:.3f}", align="right", frame=True, role="fake"),
                ),
                column=1,
                width_ratio=0.7,
            ),
        ),
        controls=(clock,),
        readouts=(
            Readout("js", "JS over the grid", Swept({"step": js}), unit="nats", kind="estimated"),
            Readout("modes", "modes found", Swept({"step": np.minimum(8, np.arange(first, count) // 20)}), digits=0),
        ),
        formula="after {step} steps: JS = {js}",
        append_from=append_from,
    )


HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'


def hostile() -> Scene:
    """Every word of the scene tries to be HTML; also something to draw on."""
    x = np.linspace(0, 1, 50)
    layers: tuple[Layer, ...] = (
        Curve(x, x, role="real", label=HOSTILE),
        Text(0.5, 0.5, HOSTILE),
        Draw(x, 0.0, 1.0, role="disc", label="yours"),
    )
    return Scene(
        key="hostile",
        title=HOSTILE,
        alt=HOSTILE,
        panels=(Panel(Axis(0, 1, HOSTILE), Axis(0, 1, HOSTILE), layers, title=HOSTILE),),
        controls=(Control("c", HOSTILE, np.arange(3.0), unit=HOSTILE, names=(HOSTILE, "b", "c")),),
        readouts=(Readout("r", HOSTILE, np.nan, unit=HOSTILE),),
        formula=HOSTILE + " {r} {c}",
    )


def wordy() -> Scene:
    """Names and sentences that are longer than there is room for: beside a panel of two rows, at every edge."""
    words = "a step of this rule has no derivative where the field is 0, and so it has no eigenvalues {v:.2f} either"
    x = np.linspace(0, 1, 5)
    left = Panel(
        Axis(0, 1, "a name of this axis that needs a line of its own"), Axis(0, 1, "height"),
        (Curve(x, x, label="a line"), Text(0.02, 0.05, words, align="left", frame=True)),
        rows=2, equal_aspect=True,
    )  # fmt: skip
    right = Panel(
        Axis(0, 1, "*x*"), Axis(0, 1, "height"),
        (
            Rule(0.5, label="a rule with a name longer than its panel is wide"),
            Text(0.02, 0.95, words, align="left", frame=True),
            Text(0.98, 0.6, words, align="right", frame=True),
        ),
        column=1,
    )  # fmt: skip
    below = Panel(Axis(0, 1), Axis(0, 1), (Curve(x, x),), row=1, column=1, lecture=False)
    return Scene(key="wordy", alt="Words.", panels=(left, right, below), readouts=(Readout("v", "v", 0.5),))
