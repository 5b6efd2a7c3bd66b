"""A Gaussian generator before N(0, 1): sums over its noise, its flow by an ODE solver; the rest is arithmetic."""

import numpy as np
from scipy.special import expit, ndtr

from gantoys.lessons import load
from gantoys.pictures.generator_gradients.state import DURATION
from tests.stated import GIVEN, HELD, Row
from tests.stated.by_hand import LOG2, let_go, pushes

FROZEN = HELD("test_vanishing.py::test_the_numbers_in_the_words_are_those_of_the_recording")


def two_slopes() -> None:
    """d log(1 - D) / da and d(-log D) / da by differences; far to the left they are 0 and -1."""
    a, h = np.linspace(-30, 5, 141), 1e-5
    for loss, slope, far in (
        (lambda a: -np.logaddexp(0, a), -expit(a), 0.0),
        (lambda a: np.logaddexp(0, -a), -(1 - expit(a)), -1.0),
    ):
        by_difference = (loss(a + h) - loss(a - h)) / (2 * h)
        assert np.allclose(by_difference, slope, atol=1e-8) and abs(slope[0] - far) < 1e-12


def sums_of_slopes() -> None:
    """Both pushes at D*: together s, the slope of KL(q||p) = s^2 / 2, the first alone 2 JS' by a difference."""
    z = np.linspace(-9, 9, 6001)
    weight = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) * (z[1] - z[0])

    def twice_js(s: float) -> float:
        r = s * s / 2 - s * (s + z)  # log p/q at q's points; and at p's with the other sign of s z
        at_p = s * s / 2 - s * z
        return float(2 * LOG2 - weight @ np.logaddexp(0, r) - weight @ np.logaddexp(0, -at_p))

    for s in (1.0, 2.5, 4.0):
        saturating, other = (pushes(s, 1.0)[key][0] for key in ("saturating", "non-saturating"))
        assert abs(saturating + other - s) < 1e-9
        assert abs(saturating - (twice_js(s + 1e-4) - twice_js(s - 1e-4)) / 2e-4) < 1e-6


def noisy() -> tuple[float, ...]:
    """The share of quotients of normals beyond ten, and of a normal with the same middle half."""
    share = 1 - 2 / np.pi * np.arctan(10.0)
    rng = np.random.default_rng(1)
    one, many = rng.standard_normal((2, 8000)), rng.standard_normal((2, 256, 8000))
    for drawn in (one[0] / one[1], np.mean(many[0] / many[1], axis=0)):
        assert abs(np.mean(np.abs(drawn) > 10) - share) < 0.011  # four standard deviations of the count
    assert 2 * ndtr(-10 * 0.67449) < 1e-10  # practically none
    return 100 * share, 256


def a_sigmoid_divides_nothing() -> None:
    """-grad log sigma(a) = -(1 - D) grad a, by a difference, also where D is 1e-13."""
    for a, slope in ((-30.0, 4.0), (-2.0, 0.5), (3.0, -1.0)):
        h = 1e-6
        by_difference = (np.logaddexp(0, -(a + slope * h)) - np.logaddexp(0, -(a - slope * h))) / (2 * h)
        assert abs(by_difference + (1 - expit(a)) * slope) < 1e-6 and abs(by_difference) <= abs(slope) + 1e-6


def far_apart() -> tuple[float, ...]:
    near, far = pushes(3.0, 1.0), pushes(8.0, 1.0)
    assert 19_000 < far["non-saturating"][0] / far["saturating"][0] < 21_000, "twenty thousand times"
    return 3, 8, near["saturating"][0], far["saturating"][0], near["non-saturating"][0], far["non-saturating"][0]


def one_sample() -> tuple[float, ...]:
    """At its own centre, N(2, 1) has log p/q = 2 - 4 = -2."""
    assert load("generator-gradients").tries[1].state["shift"] == 2.0
    d = 1 / (1 + np.exp(2.0))
    return d, -2, -d, -(1 - d)


def released() -> tuple[float, ...]:
    slow, quick = let_go("saturating", 6.0, DURATION), let_go("non-saturating", 6.0, DURATION)
    assert slow[0] > 5
    return *slow, *quick


ROWS: list[Row] = [
    (
        "| saturating | $\\log(1 - D)$ | $-\\sigma(a) = -D$ | → 0 | | non-saturating | $-\\log D$ | "
        "$-\\sigma(-a) = -(1 - D)$ | → −1 |",
        two_slopes,
    ),
    ("$2\\,\\nabla \\mathrm{JS}(p_{data}, p_G)$", sums_of_slopes),
    ("\\mathrm{KL}(p_G \\| p_{data}) - 2\\,\\mathrm{JS}", sums_of_slopes),
    ("stored for $p_{data} = N(0,1)$ and a $p_G$ of standard deviation 1", GIVEN),
    ("draws 8,000 such gradients", GIVEN),
    ("6.3 % lie beyond ten times the usual size, as many for a mean over 256 points", noisy),
    ("a D that can be 0 and even negative", GIVEN),
    ("$-\\nabla \\log D = -(1 - D)\\,\\nabla a$", a_sigmoid_divides_nothing),
    ("At 2 standard deviations", GIVEN),
    ("At 8 the saturating gradient falls from 0.0321 after 3 steps of :green[D] to 0.00053 after 1,000", FROZEN),
    ("the best :green[D] would leave 0.00039", lambda: (pushes(8.0, 1.0)["saturating"][0],)),
    ("grows from 0.15 to 2.10 meanwhile", FROZEN),
    ("log(1 − D) is flat there and G gets next to nothing", GIVEN),
    ("p_G moves out to 8 standard deviations", lambda: (load("generator-gradients").tries[0].state["shift"],)),
    (
        "From 3 to 8, the saturating gradient falls from 0.2959 to 0.00039, the non-saturating one grows from 2.704 to "
        "8.000",
        far_apart,
    ),
    ("D* = 0.12, a logit of −2", lambda: one_sample()[:2]),
    ("one e² ≈ 7.4 times the other", lambda: (np.exp(2),)),
    ("−0.1192 and −0.8808", lambda: one_sample()[2:]),
    ("e² = 7.389", lambda: (one_sample()[3] / one_sample()[2],)),
    ("Two generators start at 6", lambda: (load("generator-gradients").tries[2].state["shift"],)),
    ("when the clock stops at 12", lambda: (DURATION,)),
    ("at the data | still above 5 | half way, near 3", lambda: (5, 6 / 2)),
    ("Its mean is 5.24 and its spread 2.55", lambda: released()[:2]),
    ("mean 0.01 and spread 1.00", lambda: released()[2:]),
    ("D(x) = 0.01 at a generated sample. What are the slopes per logit of log(1 − D)", GIVEN),
    (
        "−0.01 and −0.99 | −0.99 and −0.01 | −1.01 and −100",
        lambda: (-0.01, -(1 - 0.01), -(1 - 0.01), -0.01, -1 / (1 - 0.01), -1 / 0.01),
    ),
    ("Right: −D and −(1 − D)", two_slopes),
    ("log(1 − D) is flat where D is near 0", two_slopes),
    (
        "−1/(1 − D) and −1/D. Per logit each is multiplied by D(1 − D); their ratio stays (1 − D)/D = 99",
        lambda: None if abs((1 - 0.01) / 0.01 - 99) < 1e-9 and abs(100 / (1 / 0.99) - 99) < 1e-9 else (),
    ),
    ("KL(p_G‖p_data) − 2 JS |", sums_of_slopes),
    ("its gradient is that of 2 JS", sums_of_slopes),
    ("it divides by a D near 0,", GIVEN),
    ("D not kept above 0 by a sigmoid", GIVEN),
]
