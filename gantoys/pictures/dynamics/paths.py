"""What moves on the page: the path from the start under every slider, the particles, eigenvalues, the theory's rate."""

from dataclasses import dataclass

import numpy as np

from gantoys.maths import LOSSES
from gantoys.maths.dynamics import (
    REGULARISERS,
    RULES,
    eigenvalues,
    field_jacobian,
    stability,
    step_jacobian,
    trajectory,
)
from gantoys.pictures.dynamics.state import (
    LARGEST_BETA,
    LARGEST_STEP,
    LARGEST_STRENGTH,
    LEAST_STEP,
    LEAST_STRENGTH,
    REACH,
    DynamicsState,
    clouds,
)
from gantoys.pictures.sweeps import slider
from gantoys.shared import shared
from gantoys.stage.scene import Control

Array = np.ndarray
PARTICLES = 216
POSITIONS = 41
MOST_FRAMES = 251
PARTS = 3  # of the flow's solver for a step of size 1: its circles then close to half a per cent over the whole film
FINER = 2  # parts of the path for one of the particles; the two tell what the solver leaves of the path's digits
UNDECIDED = 1e-9
_GOLDEN = np.pi * (3 - np.sqrt(5))


@dataclass(frozen=True, eq=False)
class Along:
    """What a slider moves, S its positions: theta, psi (T, S), eigenvalues (S, m) of a step, or None, of the field
    (S, 2), or None, and factor (S,): by how much a step makes a small distance grow, and turn (S,): its angle.
    error (T, S): what a solver may have done to the distance so far; 0 where the rule itself is followed.
    """

    theta: Array
    psi: Array
    error: Array
    own: Array | None
    found: Array | None
    factor: Array
    turn: Array

    @property
    def radius(self) -> Array:
        """(T, S)"""
        return np.hypot(self.theta, self.psi)


@dataclass(frozen=True, eq=False)
class Paths:
    """Everything of a state: the sliders and what each moves, the particles' film (T, PARTICLES), the film's steps (T,)
    and, where the linear part says nothing, why.
    """

    controls: tuple[Control, ...]
    along: dict[str, Along]
    theta: Array
    psi: Array
    steps: Array
    why: str


def sliders(state: DynamicsState) -> tuple[Control, ...]:
    """The sliders that mean something for this game and this rule; the start is moved by its handle."""
    amount = REGULARISERS[state.regulariser].amount
    rows = {
        "step": ("step size *h*", LEAST_STEP, LARGEST_STEP, state.step, {}),
        "strength": (f"strength *{amount}*", LEAST_STRENGTH, LARGEST_STRENGTH, state.strength, {}),
        "beta": ("momentum *β*", max(-LARGEST_BETA, RULES[state.rule].least), LARGEST_BETA, state.beta, {}),
        "theta": ("start of the path, *θ*", -REACH, REACH, state.theta, {"visible": False, "role": "fake"}),
    }
    return tuple(
        slider(key, label, low, high, float(np.clip(value, low, high)), count=POSITIONS, **extra)
        for key, (label, low, high, value, extra) in rows.items()
        if key in state.slides
    )


def particles(drops: str) -> tuple[Array, Array]:
    """Where the particles start, twice (PARTICLES,): a disc that fills the plane, or a small cloud at each place."""
    places = clouds(drops)
    k = np.arange(PARTICLES)
    if not places:
        radius = REACH * np.sqrt((k + 0.5) / PARTICLES)
        return radius * np.cos(_GOLDEN * k), radius * np.sin(_GOLDEN * k)
    centre = np.array(places)[k % len(places)]
    radius = 0.22 * np.sqrt((k // len(places) + 0.5) / (PARTICLES // len(places)))
    return centre[:, 0] + radius * np.cos(_GOLDEN * k), centre[:, 1] + radius * np.sin(_GOLDEN * k)


@shared
def paths(state: DynamicsState) -> Paths:
    """All of it, in one trajectory for the particles and one for the sliders."""
    controls = sliders(state)
    stride = -(-state.steps // (MOST_FRAMES - 1))
    keep = np.unique([*range(0, state.steps + 1, stride), state.steps])
    grids = {c.key: np.asarray(c.values) for c in controls}
    sizes = [len(grid) for grid in grids.values()]
    at = {
        name: np.concatenate([grid if key == name else np.full(len(grid), value) for key, grid in grids.items()])
        for name, value in (
            ("step", state.step), ("strength", state.strength), ("beta", state.beta), ("theta", state.theta)
        )
    }  # fmt: skip
    dots, count = particles(state.drops), len(at["theta"])
    moved = {
        name: np.append(at[name], np.full(PARTICLES, getattr(state, name))) for name in ("step", "strength", "beta")
    }
    theta, psi = _walk(
        state, np.append(at["theta"], dots[0]), np.append(np.full(count, state.psi), dots[1]), *moved.values()
    )
    path_theta, path_psi = theta[:, :count], psi[:, :count]
    coarse = np.hypot(path_theta, path_psi)
    if RULES[state.rule].continuous:
        amounts = (at["step"], at["strength"], at["beta"])
        path_theta, path_psi = _walk(state, at["theta"], np.full(count, state.psi), *amounts, finer=FINER)
    fine = np.hypot(path_theta, path_psi)
    ends = np.cumsum([0, *sizes])
    along = {}
    for key, start, end in zip(grids, ends, ends[1:], strict=False):
        part = slice(start, end)
        own, found, factor, turn = _linear(state, at["step"][part], at["strength"][part], at["beta"][part])
        error = _error(state, coarse[:, part], fine[:, part])[keep]
        along[key] = Along(path_theta[keep, part], path_psi[keep, part], error, own, found, factor, turn)
    found_at_rest = stability(state.game(state.strength), state.choice(state.beta), step=state.step)
    return Paths(controls, along, theta[keep, count:], psi[keep, count:], keep, found_at_rest.why)


def _error(state: DynamicsState, coarse: Array, fine: Array) -> Array:
    """How wrong the distances `fine` (T, S) may be, from those of a solution in half as many parts.

    Along a smooth field the finer one has a sixteenth of the coarser one's error, in proportion to the distance, and
    what a whole turn hides has shown itself before. Where the field jumps, both meet the jump by chance: there counts
    what any position of the slider has met, twice.
    """
    larger = np.maximum(coarse, fine)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.nan_to_num(np.abs(fine - coarse) / larger, nan=0.0)
        row = REGULARISERS[state.regulariser]
        if LOSSES[state.loss].jumps or row.hold is not None or not row.smooth:
            off = 2 * np.broadcast_to(off.max(axis=1, keepdims=True), off.shape)
        return larger * np.maximum.accumulate(off, axis=0)


def _walk(
    state: DynamicsState, theta: Array, psi: Array, step: Array, strength: Array, beta: Array, *, finer: int = 1
) -> tuple[Array, Array]:
    """theta and psi after every step, (steps + 1, n); the flow is solved in more parts where its steps are longer."""
    n = len(theta)
    w, h, b = strength, step, beta
    parts = np.ones(n, int)
    if RULES[state.rule].continuous:  # two groups, for a call costs more than what it holds
        parts = finer * np.ceil(PARTS * np.where(h > state.step, LARGEST_STEP, state.step)).astype(int)
    found = np.empty((2, state.steps + 1, n))
    for count in np.unique(parts):
        k = parts == count
        done = trajectory(state.game(w[k]), state.choice(b[k], count), theta[k], psi[k], step=h[k], steps=state.steps)
        found[0][:, k], found[1][:, k] = done.theta, done.psi
    return found[0], found[1]


def _linear(
    state: DynamicsState, step: Array, strength: Array, beta: Array
) -> tuple[Array | None, Array | None, Array, Array]:
    """Eigenvalues of the field and of a step at the equilibrium, growth of a step and its angle, for S positions."""
    row, game = RULES[state.rule], state.game(strength)
    nothing = np.full(len(step), np.nan)
    if not game.regulariser.smooth:
        return None, None, nothing, nothing
    zero = np.zeros(len(step))
    own = eigenvalues(field_jacobian(game, zero, zero))
    if not row.smooth:
        return own, None, nothing, nothing
    if row.continuous:
        found = np.exp(step[:, None] * own)
        lead = np.argmax(own.real, -1)
        turn = step * np.abs(np.take_along_axis(own.imag, lead[:, None], -1)[:, 0])
    else:
        found = eigenvalues(step_jacobian(game, state.choice(beta), zero, zero, step=step))
        lead = np.argmax(np.abs(found), -1)
        turn = np.abs(np.angle(np.take_along_axis(found, lead[:, None], -1)[:, 0]))
    return own, found, np.abs(found).max(-1), turn
