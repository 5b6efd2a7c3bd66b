"""What the three views of the Wasserstein lesson share: the state, the pairs of laws, and their figures over theta."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field

from gantoys.maths import Finite, Mixture1D, divergences, optimal_discriminator, parse, uniform, w1
from gantoys.maths.assignment import matching
from gantoys.maths.kantorovich import cell_gaps, climb, point_gaps, w1_slope
from gantoys.maths.transport import critic, has_finite_mean
from gantoys.pictures.state import State
from gantoys.pictures.sweeps import slider
from gantoys.runs.config import TrainConfig
from gantoys.runs.critics import critic_config
from gantoys.shared import shared
from gantoys.stage.scene import Axis, Control

Array = np.ndarray
FURTHEST, POSITIONS, POINTS = 2.0, 81, 361
ASCENT_STEPS, RATE = {"lines": 60, "uniforms": 150, "mixtures": 240}, 0.05
HEIGHTS = (np.arange(16) + 0.5) / 16
"""z of the points at equally likely places that stand for a line of the plane."""
RuleKey = Literal["none", "clip", "gp", "sn"]


def _line_law(text: str) -> str:
    law = parse(text)
    if not isinstance(law, Mixture1D):
        raise ValueError(f"{law} is not a distribution on the line with a density")
    if not has_finite_mean(law):
        raise ValueError(f"{law} has no mean, so W1 to other laws is infinite or not defined")
    if law.box[0] < -8 or law.box[1] > 8:
        raise ValueError(f"{law} reaches beyond the picture, which shows from -4.5 to 4.5")
    return text


class WassersteinState(State):
    """The pair of laws, where p_G stands, what is shown; of the trained critics the rule, its strength and the seed."""

    example: Literal["lines", "uniforms", "mixtures"] = "lines"
    theta: float = Field(1.0, ge=-FURTHEST, le=FURTHEST)
    show: Literal["plan", "dual", "trained"] = "plan"
    data: Annotated[str, AfterValidator(_line_law)] = Field("0.5*N(-1.5,0.35)+0.5*N(1.5,0.35)", max_length=300)
    fake: Annotated[str, AfterValidator(_line_law)] = Field("0.75*N(-1.5,0.35)+0.25*N(1.5,0.35)", max_length=300)
    ascent: int = Field(0, ge=0, le=max(ASCENT_STEPS.values()))
    draw: bool = False
    rule: RuleKey = "clip"
    clip: Literal["0.01", "0.03", "0.1", "0.3"] = "0.1"
    penalty: Literal["0.1", "1", "10"] = "1"
    seed: int = Field(0, ge=0, le=9999)
    step: int = Field(2000, ge=0, le=2000)

    def moved(self, values: Mapping[str, float], control: str | None) -> dict[str, Any]:
        """A p_G that is moved sets the clock of the ascent back."""
        changed = super().moved(values, control)
        return changed | {"ascent": 0} if control == "theta" else changed

    @property
    def config(self) -> TrainConfig:
        """The run of the critic that is asked for."""
        strength = {"clip": float(self.clip), "gp": float(self.penalty)}.get(self.rule)
        return critic_config(self.rule, strength, self.seed)


@dataclass(frozen=True, eq=False)
class Figures:
    """Of one pair with p_G at S positions: w1, js, tv, kl, slope (S,); the best critic and D* over x, (S, n).

    gaps: (S, n - 1), int F_q - F_p over the cells of x. best is NaN where neither law has mass. partners: (S, m), who
    goes to whom of the points of the lines, empty on the line.
    """

    x: Array
    w1: Array
    js: Array
    tv: Array
    kl: Array
    slope: Array
    critic: Array
    best: Array
    gaps: Array
    partners: Array


def ends(example: str) -> tuple[float, float]:
    """The ends of the x axis."""
    return (-4.5, 4.5) if example == "mixtures" else (-2.5, 3.5)


def along(example: str) -> Axis:
    """The x axis, with its numbers."""
    return Axis(*ends(example), "*x*", ticks=(-3, 0, 3) if example == "mixtures" else (-2, -1, 0, 1, 2, 3))


def grid(example: str) -> Array:
    """The points of the x axis at which critics are drawn and between which they are straight."""
    return np.linspace(*ends(example), POINTS)


def laws(state: WassersteinState, theta: Array | float) -> tuple[Mixture1D, Mixture1D]:
    """p_data and p_G of an example on the line, p_G moved by theta: a number or a whole sweep (S,)."""
    if state.example == "uniforms":
        return uniform(0, 1), uniform(theta, 1 + np.asarray(theta, float))
    p, q = parse(state.data), parse(state.fake)
    assert isinstance(p, Mixture1D) and isinstance(q, Mixture1D)
    return p, q.affine(theta)


def figures(state: WassersteinState, theta: Array) -> Figures:
    """Everything that moves with p_G, at each of `theta` (S,)."""
    keep = state.example, *((state.data, state.fake) if state.example == "mixtures" else ())
    return _figures(keep, np.asarray(theta, float).tobytes())


@shared
def _figures(keep: tuple[str, ...], positions: bytes) -> Figures:
    theta = np.frombuffer(positions)
    state = WassersteinState(**dict(zip(("example", "data", "fake"), keep, strict=False)))
    return _lines(theta) if state.example == "lines" else _on_the_line(state, theta)


def _on_the_line(state: WassersteinState, theta: Array) -> Figures:
    x, (p, q) = grid(state.example), laws(state, theta)
    found = divergences(p, q, ("js", "tv", "kl"), tolerance=1e-7)
    distance = w1(p, q)
    assert distance is not None
    nowhere = np.isneginf(p.log_density(x)) & np.isneginf(q.log_density(x))
    return Figures(
        x=x, w1=distance.value, js=found["js"].value, tv=found["tv"].value, kl=found["kl"].value,
        slope=w1_slope(p, q), critic=_level(critic(p, q, x)), gaps=cell_gaps(p, q, x),
        best=np.where(nowhere, np.nan, optimal_discriminator(p, q, x).value), partners=np.empty((len(theta), 0), int),
    )  # fmt: skip


def _lines(theta: Array) -> Figures:
    """Parallel lines: all mass of p_data at x = 0, all mass of p_G at x = theta, both even in height."""
    x = grid("lines")
    apart = theta != 0
    share = np.where(apart[:, None], [0.0, 1.0], [1.0, 0.0])
    found = divergences(Finite(np.array([1.0, 0.0])), Finite(share), ("js", "tv", "kl"))
    plans = [matching(_segment(0.0), _segment(t)) for t in theta]
    gaps = point_gaps(0.0, theta, x)
    best = np.full((len(theta), len(x)), np.nan)  # of the whole axis two points are known: see the picture
    return Figures(
        x=x, w1=np.array([plan.cost for plan in plans]), js=found["js"].value, tv=found["tv"].value,
        kl=found["kl"].value, slope=np.sign(theta), critic=_level(climb(np.sign(gaps), x)), gaps=gaps, best=best,
        partners=np.stack([plan.partner for plan in plans]),
    )  # fmt: skip


def _level(critics: Array) -> Array:
    """Critics (S, n) moved up or down, which changes nothing for them, so that they are 0 half way up."""
    return critics - 0.5 * (critics.max(axis=-1, keepdims=True) + critics.min(axis=-1, keepdims=True))


def _segment(at: float) -> Array:
    return np.stack([np.full(len(HEIGHTS), at), HEIGHTS], axis=1)


def tallest(example: str) -> float:
    """Where the axis of a critic ends, up and down: it shows the critic wherever there is mass."""
    return {"lines": 1.25, "uniforms": 2.1, "mixtures": 3.2}[example]


def theta_control(state: WassersteinState) -> Control:
    """The slider that moves p_G."""
    return slider(
        "theta", "θ: how far *p*_{G} is moved", -FURTHEST, FURTHEST, state.theta, count=POSITIONS, role="fake"
    )


def gap_of(critic: str) -> str:
    """What a critic is worth, in the stage's markup: the gap between its means over the two laws."""
    return f"E_{{[real|real]}} {critic} − E_{{[generated|fake]}} {critic}"
