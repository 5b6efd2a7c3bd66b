"""Parallel lines by their definition, two mixtures by their distribution functions, bounds by arithmetic."""

from functools import cache

import numpy as np

from gantoys.lessons import load
from gantoys.pictures.wasserstein_state import WassersteinState
from tests.stated import GIVEN, HELD, Row
from tests.stated.by_hand import LOG2, js, quarter, quarter_w1, root

CRITICS = HELD("test_wasserstein_page.py::test_the_words_say_what_the_recorded_critics_are_worth")
STEEP = HELD("test_wasserstein_page.py::test_spectral_norm_holds_its_bound_and_the_penalty_does_not")


def lines(theta: float) -> tuple[float, float]:
    """W1 and JS of two vertical lines of unit length: the heights agree, so each point goes |theta| to the side."""
    heights = (np.arange(1000) + 0.5) / 1000
    cost = float(np.mean(np.hypot(theta, heights - heights)))
    apart = theta != 0
    real, fake = np.array([1.0, 0.0]), np.array([0.0, 1.0] if apart else [1.0, 0.0])
    m = (real + fake) / 2
    terms = [row[row > 0] @ np.log(row[row > 0] / m[row > 0]) for row in (real, fake)]
    return cost, 0.5 * float(sum(terms))


def slopes_of_lines() -> None:
    """W1 grows by the step, JS by nothing, whatever the distance; in place both are 0."""
    for theta in (-1.5, 0.1, 1.9):
        assert abs(abs(lines(theta + 0.01)[0] - lines(theta)[0]) - 0.01) < 1e-12
        assert lines(theta)[1] == lines(theta + 0.01)[1] == LOG2
    assert lines(0.0) == (0.0, 0.0)


def a_sure_bound() -> None:
    """No critic of slope 1 is worth more than W1, and the one that follows the plan is worth it: random ones."""
    rng = np.random.default_rng(0)
    x, y = np.sort(rng.normal(0, 1, 300)), np.sort(rng.normal(0.7, 2, 300))
    cost = float(np.mean(np.abs(x - y)))
    grid = np.sort(np.concatenate([x, y]))
    below = np.searchsorted(x, grid[:-1], side="right") - np.searchsorted(y, grid[:-1], side="right")
    best = np.concatenate([[0], np.cumsum(-np.sign(below) * np.diff(grid))])

    def worth(f: np.ndarray) -> float:
        return float(np.mean(np.interp(x, grid, f)) - np.mean(np.interp(y, grid, f)))

    assert abs(worth(best) - cost) < 1e-12
    for _ in range(50):
        slopes = rng.uniform(-1, 1, len(grid) - 1)
        assert worth(np.concatenate([[0], np.cumsum(slopes * np.diff(grid))])) < cost
    # along a line of the plan the best critic rises by the length of the line
    assert np.allclose(np.interp(x, grid, best) - np.interp(y, grid, best), np.abs(x - y), atol=1e-12)


def spectral() -> None:
    """Matrices divided by their largest singular value, leaky ReLU between them: no slope above 1."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        jacobian = np.eye(2)
        for rows, columns in ((16, 2), (16, 16), (1, 16)):
            matrix = rng.normal(size=(rows, columns))
            bends = np.where(rng.random(rows) < 0.5, 1.0, 0.2)[:, None] if rows > 1 else 1.0
            jacobian = bends * (matrix / np.linalg.norm(matrix, 2)) @ jacobian
        assert np.linalg.norm(jacobian) <= 1 + 1e-12


def clipped() -> tuple[float, ...]:
    """The product of the largest singular values of matrices of +-0.01, which are as large as they can be."""
    sizes = [np.linalg.norm(np.full(shape, 0.01), 2) for shape in ((64, 1), (64, 64), (1, 64))]
    return 1, 64, float(np.prod(sizes))


def state() -> WassersteinState:
    found = WassersteinState(example="mixtures", theta=0.0)
    assert found.data == "0.5*N(-1.5,0.35)+0.5*N(1.5,0.35)" and found.fake == "0.75*N(-1.5,0.35)+0.25*N(1.5,0.35)"
    return found


def in_place() -> tuple[float, ...]:
    state()
    return 3, quarter_w1(0.0)


@cache
def pushed_on() -> tuple[float, ...]:
    """The slope of W1 at 0, its least value, and where that is, by distribution functions."""
    h = 1e-3
    slope = (quarter_w1(h) - quarter_w1(-h)) / (2 * h)
    theta = root(lambda t: quarter_w1(t + h) - quarter_w1(t - h), 0.05, 1.0)
    return slope, quarter_w1(theta), theta


def falls_to_the_right() -> None:
    assert quarter_w1(0.1) < quarter_w1(0.0) == in_place()[1]


def half_overlap() -> tuple[float, ...]:
    """U(0,1) and U(0.5,1.5): on half of either only one has mass."""
    return 0.5 * LOG2, 0.5, 0.5, 0.5


ROWS: list[Row] = [
    ("No critic of slope 1 can ask for more", a_sure_bound),
    ("It rises with slope 1 along every line of the plan", a_sure_bound),
    ("a slope of size 1 (one that may stay", a_sure_bound),
    ("∞ for every θ ≠ 0 | none", slopes_of_lines),
    ("log 2 for every θ ≠ 0 | 0 |", slopes_of_lines),
    ("| \\|θ\\| | 1, toward the data", slopes_of_lines),
    ("cuts its slope to $[-1, 1]$", GIVEN),
    ("its slope must stay below 1", GIVEN),
    ("(|D'(x)| - 1)^2$ is added to the loss", GIVEN),
    ("pulls the slope to 1 and", GIVEN),
    ("With $\\lambda = 10$ it holds the slope so near 1", STEEP),
    ("the slope is at most 1 everywhere, once power iteration has found that value (not yet at step 0)", spectral),
    ("In the two mixtures at θ = 0 every mode is in place, yet W1 falls", falls_to_the_right),
    ("θ = 1 to θ = 0.1", lambda: (WassersteinState().theta, load("wasserstein").tries[0].state["theta"])),
    ("W1 falls to 0.1", lambda: lines(0.1)[:1]),
    ("W1 is |θ| = 0.1, and its slope is still 1", lambda: (lines(0.1)[0], (lines(0.2)[0] - lines(0.1)[0]) / 0.1)),
    ("JS is log 2 = 0.6931 for every θ except 0", lambda: (lines(0.1)[1], lines(0.0)[1])),
    ("sits in the wrong one, 3 away", lambda: in_place()[:1]),
    ("0 | 0.75 | 3", lambda: (0, in_place()[1], 3)),
    ("A quarter of the mass goes 3 to the right: W1 = 0.75", in_place),
    ("JS is only 0.0338", lambda: (js(*quarter(0.0)),)),
    ("W1 has slope −1 in θ", lambda: pushed_on()[:1]),
    ("for 0.61 at θ = 0.24", lambda: pushed_on()[1:]),
    ("its weights cut to ±0.1", GIVEN),
    ("Its steepest slope is 0.385", CRITICS),
    ("at slope 1 it is worth 1.55 of W1 = 3.28", CRITICS),
    ("worth 2.63, but is up to 3.65 steep; spectral norm keeps to 0.54 and is worth 2.07", CRITICS),
    ("Two lines at distance θ = 0.5", GIVEN),
    ("0.35 and 0.5 | log 2 and 0.5 | 0.5 and log 2", lambda: (half_overlap()[0], *[lines(0.5)[0]] * 3)),
    ("JS cannot tell 0.5 from 0.1", slopes_of_lines),
    ("JS never passes log 2 = 0.693", lambda: (LOG2,)),
    ("steepest slope 5, and E f over real minus E f over generated data is 2", GIVEN),
    ("W1 ≥ 2 | W1 ≥ 0.4 | W1 = 0.4", lambda: (2, 2 / 5, 2 / 5)),
    ("Only critics of slope 1 at most are", a_sure_bound),
    ("f/5 has slope 1 at most, and every such critic gives a lower bound: 2/5 = 0.4", lambda: (5, 1, 2 / 5, 2 / 5)),
    ("f/5 is a critic of slope 1 at most", GIVEN),
    ("Weights are clipped to ±0.01", GIVEN),
    ("at most 1 | at most some K", GIVEN),
    ("at most 0.01, like the weights", GIVEN),
    ("Nothing in the rule says 1. On the line, with hidden layers of 64 units, K is 0.0041 at most", clipped),
]
