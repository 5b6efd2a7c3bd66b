"""The stability lens: the leading eigenvalues of a trained GAN, at one step of its run, in the same plane."""

from typing import Any

import numpy as np

from gantoys.maths.dynamics_limits import region
from gantoys.maths.toys import Sampler
from gantoys.pictures.dynamics.state import DynamicsState
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Curve, Points, Rule, Text
from gantoys.stage.scene import Axis, Panel, Readout, Scene

Array = np.ndarray
COUNT = 8
"""How many eigenvalues are asked for."""
SHOWN = 600  # points drawn of either kind
LEAST_WINDOW = 0.05  # of one step: smaller ones are rounding of single precision
TURNING = 1e-6  # an angle below it is no turn


def lens_config(state: DynamicsState) -> TrainConfig:
    """The run up to the step looked at, alone, with its leading eigenvalues there."""
    return state.config.member(0).lens(state.at, COUNT)


def lens_scene(state: DynamicsState, film: Film | None, whole: Film | None) -> Scene:
    """The run with that step in it, and the eigenvalues mu of one step there.

    film: of `lens_config`, None while it is not computed. whole: of the run itself; without it the points at the step.
    """
    found = None if film is None else factors(film)
    config = state.config
    target = config.target()
    name = target.name if isinstance(target, Sampler) else config.toy
    return Scene(
        key="dynamics-lens",
        alt=(
            f"Real and generated points of a trained GAN on {name[:60]} at step {state.at}, and its leading "
            "eigenvalues of one step near 1: the largest has the size {factor}."
        ),
        panels=(_run(state, whole, found) if whole is not None else _points(config, film), _eigenvalues(found)),
        readouts=_readouts(found),
        formula=_formula(found),
    )


def factors(film: Film) -> Array | None:
    """mu of the last picture, (n,): by what a step multiplies a deviation; None where the film holds none."""
    scaled: Array = film.step_eigenvalues.astype(float)
    if scaled.ndim != 3 or not scaled.size:
        return None
    return np.unique(1 + scaled[-1, :, 0] + 1j * scaled[-1, :, 1])


def leading(mu: Array) -> tuple[complex, complex]:
    """The eigenvalue that decides, of largest size, and the one that turns fastest."""
    return complex(mu[np.argmax(np.abs(mu))]), complex(mu[np.argmax(np.abs(np.angle(mu)))])


def _run(state: DynamicsState, whole: Film, mu: Array | None) -> Panel:
    """The means of the generated points over the whole run, the step looked at, and how long a turn takes there."""
    steps = whole.step.astype(float)
    means = whole.samples.astype(float).mean(axis=1)
    ends = np.quantile(means, (0.0, 1.0))
    room = 0.12 * float(ends[1] - ends[0]) + 0.05
    low, high = float(ends[0]) - 2 * room, float(ends[1]) + room
    names = [f"*x*_{{{i + 1}}}" for i in range(means.shape[1])] if means.shape[1] > 1 else [""]
    layers: list[Layer] = [
        Curve(x=steps, y=mean, role=role, label=name)
        for mean, name, role in zip(means.T, names, ("fake", "accent"), strict=False)
    ]
    layers += [Rule(at=float(v), role="real") for v in whole.real.astype(float).mean(axis=0)]
    layers.append(Rule(at=float(state.at), axis="x", role="text", dashed=False, label="here"))
    turn = np.inf if mu is None else period(mu)
    if turn < 3 * steps[-1]:
        y = low + 0.8 * room
        until = state.at + turn
        bracket = np.array([state.at, state.at, np.nan, state.at, until, np.nan, until, until])
        tips = 0.25 * room * np.array([-1, 1, 0, 0, 0, 0, -1, 1])
        layers.append(Curve(x=bracket, y=y + tips, role="theory", dashed=False, label="one turn: {turn} steps"))
    return Panel(Axis(0, float(steps[-1]), "step"), Axis(low, high, "mean of *p*_{G} over the run"), tuple(layers))


def period(mu: Array) -> float:
    """In how many steps the fastest pair turns once; infinite where none turns."""
    angle = abs(float(np.angle(leading(mu)[1])))
    return 2 * np.pi / angle if angle > TURNING else np.inf


def _points(config: TrainConfig, film: Film | None) -> Panel:
    if film is None or not len(film):
        real: Array = np.asarray(config.target().sample(SHOWN, np.random.default_rng(0)), float).reshape(SHOWN, -1)
        fake = real[:0]
    else:
        real, fake = film.real[:SHOWN].astype(float), film.samples[-1, :SHOWN].astype(float)
    if config.dim == 1:  # heights that spread the points; only where they lie along x counts
        height = (np.arange(SHOWN) * 0.618034) % 1.0
        real = np.column_stack([real[:, 0], 1.1 + height[: len(real)]])
        fake = np.column_stack([fake[:, 0], height[: len(fake)]])
    both = np.concatenate([real, fake])
    low, high = np.quantile(both, 0.005, axis=0), np.quantile(both, 0.995, axis=0)
    middle, half = (low + high) / 2, 0.62 * (high - low)
    if config.dim == 2:
        half = np.full(2, half.max())
    layers = (
        Points(x=real[:, 0], y=real[:, 1], role="real", label="real"),
        Points(x=fake[:, 0], y=fake[:, 1], role="fake", label="generated"),
    )
    (x0, y0), (x1, y1) = middle - half, middle + half
    return Panel(
        Axis(float(x0), float(x1), "*x*" if config.dim == 1 else "*x*_{1}"),
        Axis(float(y0), float(y1), "the run at this step", visible=config.dim == 2),
        layers if len(fake) else layers[:1], equal_aspect=config.dim == 2,
    )  # fmt: skip


def _eigenvalues(mu: Array | None) -> Panel:
    size = LEAST_WINDOW if mu is None else max(LEAST_WINDOW, 1.3 * float(np.abs(mu - 1).max()))
    x, y = np.linspace(-size, size, 401), np.linspace(0, size, 801)
    low, high = region("simultaneous", x, y)
    angle = np.linspace(-1, 1, 241) * min(np.pi, 1.5 * size)
    layers: list[Layer] = [
        Area(x=x, y=high, base=low, role="theory", opacity=0.12),
        Area(x=x, y=-low, base=-high, role="theory", opacity=0.12),
        Curve(x=np.cos(angle) - 1, y=np.sin(angle), role="theory", width=0.8),
        Rule(at=0.0, role="muted", dashed=False, width=0.3),
        Rule(at=0.0, axis="x", role="muted", dashed=False, width=0.3),
    ]  # fmt: skip
    if mu is None:
        layers.append(Text(x=0.5, y=0.5, text="not computed yet: press the button", frame=True, role="theory"))
    else:
        for role, there in (("accent", np.abs(mu) <= 1), ("warn", np.abs(mu) > 1)):
            if there.any():
                seen = mu[there] - 1
                layers.append(Points(x=seen.real, y=seen.imag, role=role, size=6.0, opacity=1))
        layers.append(Text(x=0.03, y=0.06, text="|*μ*| < 1", align="left", frame=True, role="theory"))
    side = Axis(-size, size, "Im *μ* of one step")
    return Panel(Axis(-size, size, "Re *μ* − 1"), side, tuple(layers), column=1, equal_aspect=True)


def _readouts(mu: Array | None) -> tuple[Readout, ...]:
    kind: dict[str, Any] = {"kind": "trained"}
    most, turning = (complex(np.nan), complex(np.nan)) if mu is None else leading(mu)
    turn = np.nan if mu is None else period(mu)
    return (
        Readout("factor", "largest |*μ*|", abs(most), digits=4, role="accent" if abs(most) <= 1 else "warn", **kind),
        Readout("turn", "the fastest pair turns once in", turn, unit="steps", digits=1, **kind),
        Readout("shrink", "and grows by", 100 * (abs(turning) - 1), unit="% a step", form="+.2f", **kind),
        Readout("re", "Re", turning.real - 1, visible=False, form="+.3g", **kind),
        Readout("im", "Im", abs(turning.imag), visible=False, form=".3g", **kind),
    )


def _formula(mu: Array | None) -> str:
    if mu is None:
        return "*μ* = 1 + *η λ*:  what one step of training makes of a small deviation"
    return "fastest pair *μ* = 1 {re} ± {im} *i*:  turns once in {turn} steps, {shrink} % a step"
