"""The Dirac-GAN stepped by hand, its matrices, and arithmetic on them."""

import numpy as np

from gantoys.lessons import load
from gantoys.pictures.dynamics.state import REACH, DynamicsState
from tests.stated import GIVEN, HELD, Row
from tests.stated.by_hand import dirac_path, largest

SWING = HELD("test_dynamics_page.py::test_the_fastest_pair_turns_as_the_recorded_run_swings")
CYCLE = HELD("test_dynamics_page.py::test_what_is_said_of_the_long_run_holds_at_every_position_of_the_slider")
TURNS = HELD("test_dynamics_page.py::test_taking_turns_circles_as_the_words_say_and_drifts_out_further_away")


def default_state() -> None:
    """The game that the words speak of: the saturating loss from (1, 1), both at once, h = 0.4, 150 steps."""
    state = DynamicsState()
    assert (state.loss, state.regulariser, state.rule) == ("saturating", "none", "simultaneous")
    assert (state.theta, state.psi, state.step, state.steps) == (1.0, 1.0, 0.4, 150)


def field(theta: float, psi: float) -> np.ndarray:
    fake = 1 / (1 + np.exp(theta * psi))
    return np.array([-psi * fake, theta * fake])


def at_rest() -> None:
    """Nothing pushes at (0, 0); around it the field turns: J = (0, -1/2; 1/2, 0) by differences."""
    assert not field(0, 0).any()
    h = 1e-6
    columns = [(field(*(h * e)) - field(*(-h * e))) / (2 * h) for e in np.eye(2)]
    assert np.allclose(np.stack(columns, 1), [[0, -0.5], [0.5, 0]], atol=1e-9)


def at_once(h: float) -> float:
    return largest([[1, -h / 2], [h / 2, 1]])


def moving_at_once_leaves() -> None:
    for h in (0.01, 0.4, 2.0):
        assert abs(at_once(h) - np.sqrt(1 + h**2 / 4)) < 1e-12 and at_once(h) > 1


def r1(gamma: float) -> np.ndarray:
    return np.linalg.eigvals(np.array([[0, -0.5], [0.5, -gamma]]))


def critical() -> None:
    """Of all weights 1 brings the slower of both eigenvalues furthest to the left, to -1/2."""
    weights = np.linspace(0.1, 2, 39)
    slower = [r1(w).real.max() for w in weights]
    assert abs(weights[np.argmin(slower)] - 1) < 1e-9 and np.allclose(r1(1.0), -0.5, atol=1e-6)


def noise_is_a_penalty() -> None:
    """The slope of D's noisy loss in psi at theta = 0 grows with psi as gamma psi does, gamma = sigma^2 / 2."""
    sigma, h = 0.7, 1e-3
    z = np.linspace(-9, 9, 20_001)
    weight = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) * (z[1] - z[0])

    def loss(psi: float) -> float:  # real and generated points both at noise alone; the logit is -psi x
        logit = -psi * sigma * z
        return float(weight @ (np.logaddexp(0, -logit) + np.logaddexp(0, logit)))

    assert abs((loss(h) - 2 * loss(0) + loss(-h)) / h**2 - sigma**2 / 2) < 1e-6


def circle_of_the_start() -> tuple[float, ...]:
    """The saturating field has no part along the radius, so the flow keeps the distance, sqrt 2."""
    default_state()
    for theta, psi in ((1.0, 1.0), (0.3, -1.2)):
        assert abs(field(theta, psi) @ [theta, psi]) < 1e-15
    return np.sqrt(2.0), 2 * np.pi / (0.5 * 0.4), 0.4


def smaller_step() -> tuple[float, ...]:
    theta, psi = dirac_path(0.05, 150)
    assert load("dynamics").tries[1].state == {"step": 0.05}
    return 1, 0.05 / 2, at_once(0.05), 150, float(np.hypot(theta[-1], psi[-1])), np.sqrt(2.0)


def taking_turns() -> tuple[float, ...]:
    theta, psi = dirac_path(0.4, 150, turns=True)
    radius = np.hypot(theta, psi)
    h = 0.4
    assert abs(largest([[1, -h / 2], [h / 2, 1 - h * h / 4]]) - 1) < 1e-12
    return 1, 150, float(radius.min()), float(radius.max())


def drift() -> tuple[float, ...]:
    path = dirac_path(0.4, 10_000, turns=True)
    return float(np.hypot(1, 1)), float(np.hypot(*path).max()), 10_000, 0.4


def leaves_the_picture() -> tuple[float, ...]:
    for h, within in ((1.0, 500), (2.0, 50)):
        assert max(np.abs(part).max() for part in dirac_path(h, within, turns=True)) > REACH
    return 1, 500, 2, 50


def r1_path() -> tuple[float, ...]:
    theta, psi = dirac_path(0.4, 150, gamma=1.0)
    left = np.hypot(theta, psi)[1:] / np.hypot(theta, psi)[:-1]
    step = np.eye(2) + 0.4 * np.array([[0, -0.5], [0.5, -1]])
    along = step @ [1, 1]
    assert along[0] == along[1] and np.allclose(np.linalg.eigvals(step), 0.8, atol=1e-6)
    return 100 * (1 - along[0]), 100 * (1 - left.max()), 100 * (1 - left[49]), 50


def limit_cycle() -> tuple[float, ...]:
    theta, psi = dirac_path(0.2, 500, non_saturating=True)
    state = load("dynamics").tries[4].state
    assert (state["step"], state["steps"], state["loss"]) == (0.2, 500, "non-saturating")
    return np.sqrt(2 * 0.2), 500, float(np.hypot(theta[-1], psi[-1])), 100 * (at_once(0.2) - 1)


def wide_cycle() -> tuple[float, ...]:
    radius = np.hypot(*dirac_path(2.0, 4000, non_saturating=True))[2000:]
    return 2, float(radius.min()), float(radius.max())


def swing() -> tuple[float, ...]:
    """Of the pair mu = 0.997 +- 0.068 i as printed: its angle and its turn. Wrong ways: 1/0.068, 1/(1 - 0.997)."""
    angle = float(np.arctan2(0.068, 0.997))
    assert 14 < 1 / 0.068 < 16 and 328 < 1 / (1 - 0.997) < 334 and 85 < 2 * np.pi / angle < 95
    return angle, 2, 0.068, round(2 * np.pi / 0.068)


def left_by_a_step_of_one() -> tuple[float, ...]:
    return 1, abs(1 + 0.5j), 100 * (abs(1 + 0.5j) - 1)


def short_steps() -> tuple[float, ...]:
    """|1 + h (-0.1 + i)| < 1 up to 0.2 / 1.01."""
    for h, inside in ((0.1979, True), (0.1981, False), (1e-4, True)):
        assert (abs(1 + h * (-0.1 + 1j)) < 1) == inside
        assert abs(abs(1 + h * (-0.1 + 1j)) ** 2 - ((1 - 0.1 * h) ** 2 + h * h)) < 1e-15
        assert abs(abs(1 + h * (-0.1 + 1j)) ** 2 - (1 - 0.2 * h)) < 1.02 * h * h
    return (0.2 / 1.01,)


def momentum(h: float, beta: float, *, turns: bool = False) -> float:
    """The bilinear game, theta falling along psi and psi rising along theta, the last moves remembered by beta."""
    theta = np.array([1, -h, h * beta, 0.0])  # of theta, psi, m_theta, m_psi
    sees = theta if turns else np.array([1.0, 0, 0, 0])
    m_psi = beta * np.eye(4)[3] + sees
    psi = np.eye(4)[1] + h * m_psi
    return largest([list(theta), list(psi), [0, -1, beta, 0], list(m_psi)])


ROWS: list[Row] = [
    ("the data are one point at 0,", GIVEN),
    ("slope :green[$\\psi$] ($\\psi > 0$", GIVEN),
    ("and at $\\theta = \\psi = 0$", at_rest),
    ("$\\mu = 1 + h\\lambda$, and $|\\mu| = \\sqrt{1 + h^2/4}$ is larger than 1 for every $h$", moving_at_once_leaves),
    ("$|\\mu| = 1$ up to $h = 4$", TURNS),
    ("1.414 away, the distance has reached 1.80 within 10,000 steps of size 0.4", drift),
    ("with $h = 1$ the path leaves the picture within 500 steps, with $h = 2$ within 50", leaves_the_picture),
    ("fastest at $\\gamma = 1$, where both meet at $-\\tfrac12$", critical),
    ("$\\gamma = \\sigma^2/2$, here", noise_is_a_penalty),
    ("a penalty with target 0 and", GIVEN),
    ("$\\tfrac{\\gamma}{2}\\psi^2$ in this game", GIVEN),
    ("The penalty with target 1 holds the slope away from 0", GIVEN),
    ("the curves close everywhere, up to $h = 2$", TURNS),
    ("$\\dot r = -r^3/16$", CYCLE),
    ("Moving at once adds $hr/8$, and the two balance on a circle of radius $\\sqrt{2h}$", CYCLE),
    ("$r \\approx r_0 / \\sqrt{1 + r_0^2\\,ht/8}$ after $t$ steps, in the end like $\\sqrt{8/(ht)}$", CYCLE),
    ("at $h = 2$ the distance on the “circle” goes from 1.5 to 2.4", wide_cycle),
    ("eigenvalues ±i/2 point straight along the circle", at_rest),
    ("|μ| = √(1 + h²/4) > 1 for every h", moving_at_once_leaves),
    ("The eigenvalues of the field are ±i/2: it turns", at_rest),
    (
        "stays 1.414 for ever. One turn near the middle takes 31.4 steps of size 0.4",
        circle_of_the_start,
    ),
    ("The step size falls from 0.4 to 0.05", GIVEN),
    ("λ = ±i/2 as before", at_rest),
    (
        "μ = 1 ± 0.025 i and |μ| = 1.0003: still outside the circle. After 150 steps the distance is 1.472 instead of "
        "1.414",
        smaller_step,
    ),
    ("The same step size 0.4", lambda: (DynamicsState().step,)),
    ("|μ| = 1 exactly: the curves", lambda: taking_turns()[:1]),
    ("In 150 steps the distance stays between 1.276 and 1.430", lambda: taking_turns()[1:]),
    ("with R1 and γ = 1 added", lambda: (load("dynamics").tries[3].state["strength"],)),
    ("γ = 1 is the critical weight", critical),
    ("with h = 0.4 both μ are 0.8", lambda: (DynamicsState().step, 1 - 0.4 / 2)),
    (
        "takes 20 % of the distance away; from elsewhere it takes less at first, here 11 % at the least, and 18 % by "
        "step 50",
        r1_path,
    ),
    ("both at once, h = 0.2", lambda: (load("dynamics").tries[4].state["step"],)),
    ("√(2h) = 0.632", lambda: (2, limit_cycle()[0])),
    ("After 500 steps the path is at 0.640", lambda: limit_cycle()[1:3]),
    ("by 0.50 % a step", lambda: limit_cycle()[3:]),
    ("At step 300 their fastest pair is μ = 0.997 ± 0.068 i", SWING),
    ("about 15 | about 90 | about 330", SWING),
    ("The angle of μ is 0.068, and 2π / 0.068 is 92 steps", swing),
    ("lie 81 to 90 steps apart. The size of μ is 0.999", SWING),
    ("At step 600 the pair has left the circle, by 1.36 % a step", SWING),
    ("are ±i/2 and both players move at once with h = 1.", GIVEN),
    ("1: ±i/2 only turns | √1.25 ≈ 1.118 | 1.5: 1 + ½", lambda: (1, 2, abs(1 + 0.5j) ** 2, abs(1 + 0.5j), 1.5, 1)),
    (
        "μ = 1 + hλ = 1 ± i/2, and its size is √(1 + ¼)",
        lambda: None if abs(abs(1 + 0.5j) - np.sqrt(1.25)) < 1e-15 else (),
    ),
    ("Right: μ = 1 ± i/2 and |μ| = √(1 + ¼) ≈ 1.118", lambda: (1, 2, 1, abs(1 + 0.5j))),
    ("Near the middle every step leads 11.8 % further away", lambda: left_by_a_step_of_one()[2:]),
    ("1 and i/2 stand at right angles, so their sizes do not add up: √(1 + ¼), not 1 + ½", GIVEN),
    ("A field has λ = −0.1 ± i", GIVEN),
    ("all | h < 0.198 | none", short_steps),
    ("|1 + hλ|² = (1 − 0.1h)² + h² must be below 1", lambda: short_steps() and None),
    ("(1 − 0.1h)² + h² < 1 means h < 0.2 / 1.01 ≈ 0.198", lambda: (1, 0.1, 1, 0.2, 1.01, *short_steps())),
    ("|1 + hλ|² ≈ 1 − 0.2h", lambda: short_steps() and None),
    ("with h = 0.4, momentum 0.5 is added", GIVEN),
    (
        "|μ| grows from 1.077 to 1.287. With turns taken, a *negative* momentum of −0.5 gives 0.976",
        lambda: (momentum(0.4, 0.0), momentum(0.4, 0.5), -0.5, momentum(0.4, -0.5, turns=True)),
    ),
    ("|μ| = 1.287 instead of 1.077", lambda: (momentum(0.4, 0.5), momentum(0.4, 0.0))),
]
