"""The rules by which the two players of a game move: one row each, a step as a function of the state.

A state is a tuple of arrays of one shape: theta, psi and what the rule remembers. Steps are elementwise, so many
particles move side by side, each with a step size (and amount) of its own where those are arrays; and they are written
so that `dynamics_dual.Dual` passes through: the Jacobian of every step is exact.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gantoys.maths.dynamics_dual import Dual, Values, constant, plain, variable
from gantoys.maths.dynamics_fields import Game

State = tuple[Values, ...]
_ADAM_BETA2, _ADAM_EPS = 0.999, 1e-8  # torch's defaults


@dataclass(frozen=True)
class Rule:
    """One rule: move(game, state, h, amount) -> state, h > 0 the step size, `amount` the number in `alternating:5`.

    fresh(game, theta, psi): what is remembered before the first step. alike: both players move by the same formula, so
    that h times the field's eigenvalues decides. continuous: its eigenvalues are the field's own, and those with a
    negative real part converge; else they are the step's, and those inside the unit circle do. smooth: whether the step
    has a derivative at the equilibrium.
    """

    key: str
    label: str
    formula: str
    reference: str
    move: Callable[[Game, State, Values, Any], State]
    fresh: Callable[[Game, Values, Values], State] = lambda game, theta, psi: ()
    amount: str = ""
    default: float = 0.0
    least: float = 0.0
    most: float = 0.0
    whole: bool = False
    alike: bool = False
    continuous: bool = False
    smooth: bool = True


def _zeros(count: int) -> Callable[[Game, Values, Values], State]:
    return lambda game, theta, psi: tuple(np.zeros(np.shape(theta)) for _ in range(count))


def _flow(game: Game, state: State, h: Values, parts: int) -> State:
    x, y = state
    k = h / parts
    for _ in range(parts):
        a1, b1 = game.field(x, y)
        a2, b2 = game.field(x + 0.5 * k * a1, y + 0.5 * k * b1)
        a3, b3 = game.field(x + 0.5 * k * a2, y + 0.5 * k * b2)
        a4, b4 = game.field(x + k * a3, y + k * b3)
        x = x + (k / 6) * (a1 + 2 * (a2 + a3) + a4)
        y = game.hold(y + (k / 6) * (b1 + 2 * (b2 + b3) + b4))
    return x, y


def _simultaneous(game: Game, state: State, h: Values, _: Any) -> State:
    theta, psi = state
    v_theta, v_psi = game.field(theta, psi)
    return theta + h * v_theta, game.hold(psi + h * v_psi)


def _alternating(game: Game, state: State, h: Values, d_steps: int) -> State:
    theta, psi = state
    theta = theta + h * game.v_theta(theta, psi)
    return theta, _train_d(game, theta, psi, h, d_steps)


def _alternating_d_first(game: Game, state: State, h: Values, d_steps: int) -> State:
    theta, psi = state
    psi = _train_d(game, theta, psi, h, d_steps)
    return theta + h * game.v_theta(theta, psi), psi


def _train_d(game: Game, theta: Values, psi: Values, h: Values, steps: int) -> Values:
    for _ in range(steps):
        psi = game.hold(psi + h * game.v_psi(theta, psi))
    return psi


def _extragradient(game: Game, state: State, h: Values, _: Any) -> State:
    theta, psi = state
    v_theta, v_psi = game.field(*_simultaneous(game, state, h, None))
    return theta + h * v_theta, game.hold(psi + h * v_psi)


def _optimistic(game: Game, state: State, h: Values, _: Any) -> State:
    theta, psi, old_theta, old_psi = state
    v_theta, v_psi = game.field(theta, psi)
    theta, psi = theta + h * (2 * v_theta - old_theta), game.hold(psi + h * (2 * v_psi - old_psi))
    return theta, psi, v_theta, v_psi


def _unrolled(game: Game, state: State, h: Values, k: int) -> State:
    theta, psi = state
    # d psi_k / d theta, through all k steps of D
    ahead = _train_d(game, variable(theta), constant(psi), h, k)
    in_theta, in_psi = game.generator_slopes(theta, ahead.value)
    new_psi = game.hold(psi + h * game.v_psi(theta, psi))
    return theta - h * (in_theta + in_psi * ahead.slope), new_psi


def _momentum(game: Game, state: State, h: Values, beta: Values) -> State:
    theta, psi, m_theta, m_psi = state
    v_theta, v_psi = game.field(theta, psi)
    m_theta, m_psi = beta * m_theta + v_theta, beta * m_psi + v_psi
    return theta + h * m_theta, game.hold(psi + h * m_psi), m_theta, m_psi


def _alternating_momentum(game: Game, state: State, h: Values, beta: Values) -> State:
    theta, psi, m_theta, m_psi = state
    m_theta = beta * m_theta + game.v_theta(theta, psi)
    theta = theta + h * m_theta
    m_psi = beta * m_psi + game.v_psi(theta, psi)
    return theta, game.hold(psi + h * m_psi), m_theta, m_psi


def _adam(game: Game, state: State, h: Values, beta1: Values) -> State:
    theta, psi, m_theta, m_psi, s_theta, s_psi, t = state
    v_theta, v_psi = game.field(theta, psi)
    t = t + 1
    m_theta, m_psi = beta1 * m_theta + (1 - beta1) * v_theta, beta1 * m_psi + (1 - beta1) * v_psi
    s_theta = _ADAM_BETA2 * s_theta + (1 - _ADAM_BETA2) * v_theta * v_theta
    s_psi = _ADAM_BETA2 * s_psi + (1 - _ADAM_BETA2) * v_psi * v_psi
    # the steps taken are a count, in which nobody differentiates
    first, second = 1 - beta1 ** plain(t), 1 - _ADAM_BETA2 ** plain(t)
    theta = theta + h * (m_theta / first) / (np.sqrt(s_theta / second) + _ADAM_EPS)
    psi = game.hold(psi + h * (m_psi / first) / (np.sqrt(s_psi / second) + _ADAM_EPS))
    return theta, psi, m_theta, m_psi, s_theta, s_psi, t


_GIDEL = "Gidel et al. 2019"

RULES = {
    row.key: row
    for row in (
        Rule(
            "flow", "Flow", r"\dot w=v(w)", "Mescheder, Geiger & Nowozin 2018, section 2; solved by Runge-Kutta 4",
            _flow, amount="parts of a step", default=2, least=1, most=100, whole=True, alike=True, continuous=True,
        ),
        Rule(
            "simultaneous", "Simultaneous", r"w_{t+1}=w_t+h\,v(w_t)",
            "Mescheder, Geiger & Nowozin 2018, section 2", _simultaneous, alike=True,
        ),
        Rule(
            "alternating", "Alternating, G first",
            r"\theta_{t+1}=\theta_t+h\,v_\theta(\theta_t,\psi_t),\quad"
            r"\psi_{t+1}=\psi_t+h\,v_\psi(\theta_{t+1},\psi_t)",
            "Mescheder, Geiger & Nowozin 2018, section 2",
            _alternating, amount="steps of D", default=1, least=1, most=100, whole=True,
        ),
        Rule(
            "alternating-d", "Alternating, D first",
            r"\psi_{t+1}=\psi_t+h\,v_\psi(\theta_t,\psi_t),\quad"
            r"\theta_{t+1}=\theta_t+h\,v_\theta(\theta_t,\psi_{t+1})",
            "Goodfellow et al. 2014, algorithm 1; Mescheder, Geiger & Nowozin 2018, section 2",
            _alternating_d_first, amount="steps of D", default=1, least=1, most=100, whole=True,
        ),
        Rule(
            "extragradient", "Extragradient", r"w_{t+1}=w_t+h\,v(w_t+h\,v(w_t))",
            f"Korpelevich 1976; {_GIDEL}, A variational inequality perspective", _extragradient, alike=True,
        ),
        Rule(
            "optimistic", "Optimistic", r"w_{t+1}=w_t+2h\,v(w_t)-h\,v(w_{t-1})", "Daskalakis et al. 2018",
            _optimistic, fresh=lambda game, theta, psi: game.field(theta, psi), alike=True,
        ),
        Rule(
            "unrolled", "Unrolled",
            r"\theta_{t+1}=\theta_t-h\,\tfrac{d}{d\theta}L_G(\theta_t,\psi^{(k)}(\theta_t,\psi_t)),\quad"
            r"\psi_{t+1}=\psi_t+h\,v_\psi(\theta_t,\psi_t)",
            "Metz et al. 2017, section 2", _unrolled, amount="steps ahead", default=5, least=0, most=100, whole=True,
        ),
        Rule(
            "momentum", "Momentum", r"m_{t+1}=\beta m_t+v(w_t),\quad w_{t+1}=w_t+h\,m_{t+1}", "Polyak 1964",
            _momentum, fresh=_zeros(2), amount="β", default=0.5, least=-0.999, most=0.999, alike=True,
        ),
        Rule(
            "alternating-momentum", "Alternating with momentum",
            r"m_{t+1}=\beta m_t+v,\quad w_{t+1}=w_t+h\,m_{t+1},\ \text{theta first}",
            f"{_GIDEL}, Negative momentum for improved game dynamics",
            _alternating_momentum, fresh=_zeros(2), amount="β", default=-0.5, least=-0.999, most=0.999,
        ),
        Rule(
            "adam", "Adam", r"w_{t+1}=w_t+h\,\hat m_t/(\sqrt{\hat s_t}+\epsilon)",
            "Kingma & Ba 2015, algorithm 1, with ascent along v", _adam, fresh=_zeros(5),
            amount="β₁", default=0.5, least=0.0, most=0.999, smooth=False,
        ),
    )
}  # fmt: skip


def seeded(state: State, which: int) -> State:
    """The state as Duals, to differentiate in its entry `which`."""
    return tuple(variable(part) if i == which else constant(part) for i, part in enumerate(state))


def slope_of(x: Values) -> Values:
    """The slope of a Dual; 0 for a number that did not depend on what was seeded."""
    return x.slope if isinstance(x, Dual) else np.zeros(np.shape(x))
