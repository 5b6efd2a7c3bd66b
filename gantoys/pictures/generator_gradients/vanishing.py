"""G frozen, D trained longer and longer: both losses' gradients over D's steps, beside those that the best D leaves."""

from dataclasses import dataclass

import numpy as np

from gantoys.maths import LOSSES, Mixture1D, optimal_discriminator, parse
from gantoys.pictures.generator_gradients.separation import gradient_at
from gantoys.pictures.generator_gradients.state import ROLES, GradientState, named_data
from gantoys.pictures.sweeps import swept_film
from gantoys.runs.film import Film
from gantoys.runs.frozen import APART, frozen_config
from gantoys.runs.recordings import recording
from gantoys.shared import shared
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Curve, Points, Rule, Text
from gantoys.stage.scene import Axis, Control, Panel, Readout, Scene

Array = np.ndarray
KEYS = ("saturating", "non-saturating")  # both train D in the same way, so one film tells of both
FRAMES_PER_SECOND = 8.0
SMALLEST, LARGEST = 1e-5, 1e2
_over = swept_film("step")


@dataclass(frozen=True, eq=False)
class Felt:
    """The gradients in the place of p_G that the trained D leaves both losses, (K,) each, and those of the best D."""

    step: Array
    trained: tuple[Array, Array]
    best: tuple[float, float]


def felt(film: Film) -> Felt:
    """d/dshift of both losses at p_G = N(shift, 1) under the D of each frame: E of slope per logit times D's slope.

    The mean is taken over p_G's own mass in the cells of the film; D's slope is that of its logit between cells.
    """
    x, logit = film.grid_x.astype(float), film.logits.astype(float)
    mass = film.density.astype(float) * np.diff(film.edges)
    slope = np.gradient(logit, x, axis=1)
    trained = [np.sum(mass * np.asarray(LOSSES[key].generator_slope(logit)) * slope, axis=1) for key in KEYS]
    first, second = _best(film.config.toy, film.config.fake_law)
    return Felt(film.step.astype(float), (trained[0], trained[1]), (first, second))


@shared
def _best(data: str, fake: str) -> tuple[float, float]:
    p, q = parse(data), parse(fake)
    assert isinstance(p, Mixture1D) and isinstance(q, Mixture1D)
    first, second = (float(gradient_at(p, q.locs, float(q.scales[0]), key)[0]) for key in KEYS)
    return first, second


def vanishing_scene(state: GradientState, film: Film | None = None, *, live: bool = False) -> Scene:
    """The scene of a film of `frozen_config`; without one, that of the recording for the state's separation."""
    film = film if film is not None and len(film) else recording(frozen_config(int(state.apart)))
    assert film is not None
    own = felt(film)
    start = len(film) - 1 if live else int(np.argmin(np.abs(own.step - state.step)))
    clock = Control(
        "step", "steps of D", own.step, start=start, kind="time", digits=0,
        film=film.config.digest()[:16], fps=FRAMES_PER_SECOND, live=live, autoplay=state.step == 0 and not live,
    )  # fmt: skip
    (first, second), names = own.trained, [f"[{key}|{role}]" for key, role in zip(KEYS, ROLES, strict=True)]
    return Scene(
        key="gradients-vanishing",
        alt=(
            f"The generator is frozen {state.apart} away from the data while the discriminator trains. After {{step}} "
            "steps the generator's gradient is {ga} with the saturating loss and {gb} with the non-saturating one."
        ),
        panels=(*_left(film), _right(state, own)),
        controls=(clock,),
        readouts=(
            Readout("ga", f"gradient, {names[0]}", _over(first), kind="trained", form=".3g", role=ROLES[0]),
            Readout("ta", "under *D*^{*}", own.best[0], kind="exact", form=".3g", role=ROLES[0]),
            Readout("gb", f"gradient, {names[1]}", _over(second), kind="trained", form=".3g", role=ROLES[1]),
            Readout("tb", "under *D*^{*}", own.best[1], kind="exact", form=".3g", role=ROLES[1]),
        ),
        formula=(
            f"after {{step}} steps (under *D*^{{*}}):  {names[0]} {{ga}} ({{ta}}),  {names[1]} {{gb}} ({{tb}})"
        ),
    )  # fmt: skip


def _left(film: Film) -> tuple[Panel, Panel]:
    """The two laws, and below them the trained D with the best one."""
    x = film.grid_x.astype(float)
    p, q = parse(film.config.toy), parse(film.config.fake_law)
    assert isinstance(p, Mixture1D) and isinstance(q, Mixture1D)
    ends, real, fake = (float(x[0]), float(x[-1])), p.density(x), q.density(x)
    top = 1.12 * float(max(real.max(), fake.max()))
    place = float(q.locs[0]) + 1.4
    laws: tuple[Layer, ...] = (
        *named_data(x, real),
        Area(x=x, y=fake, role="fake"),
        Curve(x=x, y=fake, role="fake"),
        Text(x=place, y=0.6 * top, text="*p*_{G}, frozen", align="left", role="fake"),
    )
    judge: tuple[Layer, ...] = (
        Rule(at=0.5, role="muted", label="cannot tell: ½"),
        Curve(x=x, y=optimal_discriminator(p, q, x).value, role="theory", label="*D*^{*}, the best"),
        Curve(x=x, y=_over(film.surface.astype(float)), role="disc", label="*D*, trained"),
    )
    return (
        Panel(Axis(ends[0], ends[1] + 1.5, visible=False), Axis(0, top, "densities", visible=False), laws),
        Panel(
            Axis(ends[0], ends[1] + 1.5, "*x*"), Axis(0, 1, "[*D*(*x*)|disc]", ticks=(0, 0.5, 1)), judge, row=1,
            lecture=False,
        ),
    )  # fmt: skip


def _right(state: GradientState, own: Felt) -> Panel:
    """Both gradients over D's steps on log axes; thin: the saturating one at the other separations."""
    layers: list[Layer] = []
    for apart in APART:
        other = recording(frozen_config(apart))
        if other is not None and str(apart) != state.apart:
            told = felt(other)
            values = _size(told.trained[0])[1:]
            layers.append(
                Curve(
                    x=told.step[1:], y=values, role="muted", dashed=False, width=0.6, label=f"saturating, {apart} apart"
                )
            )
    for key, role, values, best in zip(KEYS, ROLES, own.trained, own.best, strict=True):
        size = _size(values)
        layers.append(Rule(at=max(abs(best), SMALLEST), role="theory", label=f"{key}, under *D*^{{*}}"))
        if len(size) > 1:
            layers.append(Curve(x=own.step[1:], y=size[1:], role=role, dashed=False, width=1.3, label=key))
        layers.append(Points(x=_over(_after(own.step)), y=_over(size[:, None]), role=role, size=5.5, opacity=1))
    layers.append(Rule(at=_over(np.maximum(own.step, 1.0)), axis="x", role="muted", dashed=False))
    return Panel(
        Axis(1, 5000, "steps of D", log=True, ticks=(1, 10, 100, 1000)),
        Axis(1e-4, 60.0, "size of the gradient", log=True), tuple(layers), column=1, rows=2, width_ratio=1.25,
        height_ratio=1.7,
    )  # fmt: skip


def _after(step: Array) -> Array:
    """Where a frame stands on the log axis, which has no place for step 0: (K, 1)."""
    return np.where(step > 0, step, np.nan)[:, None]


def _size(values: Array) -> Array:
    return np.clip(np.abs(values), SMALLEST, LARGEST)
