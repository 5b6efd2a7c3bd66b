"""Does the game converge? Paths of the two players, Jacobians, eigenvalues, and what they say about a rule.

>>> game = dirac("non-saturating", "r1:0.3")
>>> [bool(stability(game, rule, step=0.2).converges) for rule in ("flow", "simultaneous", "alternating")]
[True, True, True]
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gantoys.maths.dynamics_dual import Values
from gantoys.maths.dynamics_fields import Game, bilinear, dirac, zero_sum
from gantoys.maths.dynamics_regularisers import REGULARISERS, choose
from gantoys.maths.dynamics_rules import RULES, Rule, seeded, slope_of

__all__ = [
    "REGULARISERS", "RULES", "Game", "Stability", "Trajectory", "bilinear", "dirac", "eigenvalues", "field_jacobian",
    "growth", "stability", "step_jacobian", "trajectory", "zero_sum",
]  # fmt: skip

Array = np.ndarray
LARGEST_STEP = 1e6
Choice = str | tuple[str, Any]
# On the unit circle, or on the imaginary axis, to rounding: there the linear part does not decide.
_UNDECIDED = 1e-12
_LARGEST_ENTRY = 1e100  # of a Jacobian whose entries are squared


@dataclass(frozen=True)
class Trajectory:
    """theta, psi (steps + 1, ...): the start and each step after it, for particles of any shape. NaN or infinite where
    a particle has left the range of numbers.
    """

    theta: Array
    psi: Array

    @property
    def radius(self) -> Array:
        """sqrt(theta^2 + psi^2), the distance from the equilibrium."""
        return np.hypot(self.theta, self.psi)


def trajectory(
    game: Game, rule: Choice, theta: Values, psi: Values, *, step: Values = 0.2, steps: int = 500
) -> Trajectory:
    """`steps` steps of size `step` from (theta, psi), finite numbers or arrays of one shape, all particles at once.

    rule: a key of RULES, `key:amount`, or (key, amounts). step > 0: a number, or one for each particle. Raises
    ValueError for a rule, amount, step or start that is not allowed.
    """
    row, amount = choose(RULES, rule, "rule")
    _check_step(step)
    theta, psi = np.asarray(theta, float), np.asarray(psi, float)
    if theta.shape != psi.shape:
        raise ValueError(f"theta and psi need one shape, got {theta.shape} and {psi.shape}")
    if not (np.all(np.isfinite(theta)) and np.all(np.isfinite(psi))):
        raise ValueError("the start must be finite numbers")
    if steps < 0:
        raise ValueError(f"the number of steps must not be negative, got {steps}")
    paths = np.empty((2, steps + 1, *theta.shape))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        psi = game.hold(psi)
        paths[0, 0], paths[1, 0] = theta, psi
        state = (theta, psi, *row.fresh(game, theta, psi))
        for i in range(1, steps + 1):
            state = row.move(game, state, step, amount)
            paths[0, i], paths[1, i] = state[0], state[1]
    return Trajectory(paths[0], paths[1])


def _check_step(step: Values) -> None:
    if not np.all((np.asarray(step) > 0) & (np.asarray(step) <= LARGEST_STEP)):
        raise ValueError(f"the step size must be a positive number up to {LARGEST_STEP:g}, got {step}")


def field_jacobian(game: Game, theta: Values = 0.0, psi: Values = 0.0) -> Array:
    """dv_i/dw_j at (theta, psi), exact by forward-mode differentiation; shape (..., 2, 2), order (theta, psi)."""
    return _jacobian(lambda state: game.field(*state), (np.asarray(theta, float), np.asarray(psi, float)))


def step_jacobian(game: Game, rule: Choice, theta: Values = 0.0, psi: Values = 0.0, *, step: Values = 0.2) -> Array:
    """The Jacobian of one step of the rule, exact by forward-mode differentiation: (..., m, m), m = 2 + what the rule
    remembers, in the order theta, psi, memory; the memory is as before the first step.
    """
    row, amount = choose(RULES, rule, "rule")
    _check_step(step)
    theta, psi = np.asarray(theta, float), np.asarray(psi, float)
    return _jacobian(lambda state: row.move(game, state, step, amount), (theta, psi, *row.fresh(game, theta, psi)))


def _jacobian(function: Any, state: tuple[Array, ...]) -> Array:
    shape = np.broadcast_shapes(*(np.shape(part) for part in state))
    state = tuple(np.broadcast_to(part, shape) for part in state)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        columns = [[slope_of(part) for part in function(seeded(state, i))] for i in range(len(state))]
    wide = np.broadcast_shapes(shape, *(np.shape(part) for column in columns for part in column))
    rows = [[np.broadcast_to(part, wide) for part in column] for column in columns]
    return np.moveaxis(np.array(rows, float), (1, 0), (-2, -1))


def eigenvalues(matrix: Array) -> Array:
    """The eigenvalues of matrices (..., m, m): complex (..., m), by falling real part, then by falling imaginary part.

    For m = 2 by the closed form, so that a double eigenvalue stays one: a discriminant below 64 roundings of its terms
    is taken for 0. For more by LAPACK, which knows a double eigenvalue to about 1e-8 only.
    """
    matrix = np.asarray(matrix, float)
    if matrix.shape[-1] == 2:
        half = 0.5 * (matrix[..., 0, 0] - matrix[..., 1, 1])
        cross = matrix[..., 0, 1] * matrix[..., 1, 0]
        inside = half**2 + cross
        inside = np.where(np.abs(inside) <= 64 * np.finfo(float).eps * (half**2 + np.abs(cross)), 0.0, inside)
        root = np.sqrt(inside.astype(complex))
        middle = 0.5 * (matrix[..., 0, 0] + matrix[..., 1, 1])
        found = np.stack([middle + root, middle - root], -1)
    else:
        found = np.linalg.eigvals(matrix).astype(complex)
    return np.take_along_axis(found, np.lexsort((-found.imag, -found.real), axis=-1), -1)


@dataclass(frozen=True)
class Stability:
    """What the linear part at the equilibrium theta = psi = 0 says about a rule.

    jacobian (2, 2): of the field; field_eigenvalues (2,): its own; eigenvalues (m,): those that decide for the rule, of
    the field for the flow and of one step for the others; all None where there is no derivative, for the reason `why`.
    """

    rule: Rule
    jacobian: Array | None
    field_eigenvalues: Array | None
    eigenvalues: Array | None
    why: str = ""

    @property
    def margin(self) -> float | None:
        """Largest real part (flow) or largest modulus less 1 (others): negative where the rule converges."""
        if self.eigenvalues is None:
            return None
        return float(self.eigenvalues.real.max() if self.rule.continuous else np.abs(self.eigenvalues).max() - 1)

    @property
    def converges(self) -> bool | None:
        """Whether the players come back from nearby; None where the linear part does not decide."""
        if self.margin is None or abs(self.margin) <= _UNDECIDED:
            return None
        return self.margin < 0

    @property
    def verdict(self) -> str:
        """`converges`, in words."""
        if self.eigenvalues is None:
            return f"no eigenvalues: {self.why}"
        return {True: "converges", False: "leaves the equilibrium", None: "the linear part does not decide"}[
            self.converges
        ]


def stability(game: Game, rule: Choice, *, step: float = 0.2) -> Stability:
    """Jacobian and eigenvalues of a rule at the equilibrium theta = psi = 0 of a Dirac-GAN or a bilinear game.

    Mescheder, Geiger & Nowozin 2018, section 2. Raises ValueError for a rule, amount or step that is not allowed.
    """
    row, _ = choose(RULES, rule, "rule")
    _check_step(step)
    if not game.regulariser.smooth:
        return Stability(row, None, None, None, "the penalty has a kink at psi = 0")
    jacobian = field_jacobian(game)
    own = eigenvalues(jacobian)
    if not row.smooth:
        return Stability(row, jacobian, own, None, f"a step of {row.label} has no derivative where the field is 0")
    one_step = jacobian if row.continuous else step_jacobian(game, rule, step=step)
    if not np.all(np.abs(one_step) < _LARGEST_ENTRY):
        return Stability(row, jacobian, own, None, "one step leaves the range of numbers")
    found = own if row.continuous else eigenvalues(one_step)
    return Stability(row, jacobian, own, found)


def growth(rule: Choice, z: Array) -> Array:
    """The factor by which a step makes a small distance grow where the field has the eigenvalues z and conj(z) over h.

    z: complex, any shape, step size times eigenvalue. Below 1 is the rule's region of convergence. Raises ValueError
    for rules in which the players move differently: there z alone does not decide.
    """
    row, amount = choose(RULES, rule, "rule")
    if not row.alike:
        raise ValueError(f"{row.label}: the players move differently, so the field's eigenvalues alone do not decide")
    z = np.asarray(z, complex)
    if row.continuous:
        return np.exp(z.real)
    # In the eigenvectors of the field the players do not mix: theta is multiplied by z, psi by its conjugate, and one
    # of the two says all.
    linear = Game(
        lambda theta, psi: (-z * theta, 0 * psi),
        lambda theta, psi: -np.conj(z) * psi,
        REGULARISERS["none"],
        0.0,
    )
    zero = np.zeros(z.shape, complex)
    state = (zero, zero, *row.fresh(linear, zero, zero))
    with np.errstate(over="ignore", invalid="ignore"):
        after = [row.move(linear, seeded(state, i), 1.0, amount)[::2] for i in range(0, len(state), 2)]
        columns = [[np.broadcast_to(slope_of(part), z.shape) for part in parts] for parts in after]
        if len(columns) == 1:
            return np.abs(columns[0][0])
        (a, c), (b, d) = columns
        root = np.sqrt((0.5 * (a - d)) ** 2 + b * c)
        return np.maximum(np.abs(0.5 * (a + d) + root), np.abs(0.5 * (a + d) - root))
