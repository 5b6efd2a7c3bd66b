"""Two modes and their best Gaussians, a neglected mode, disjoint boxes: closed forms and sums over a grid."""

from functools import cache

import numpy as np

from gantoys.lessons import load
from gantoys.pictures.divergences_state import DATA
from tests.stated import GIVEN, HELD, Row
from tests.stated.by_hand import LOG2, bell, best_gaussians, fisher, js, kl, mixed, w1


def f_of_one() -> None:
    """f(1) = 0 for the f of each named divergence."""
    u = 1.0
    for f in (
        u * np.log(u), -np.log(u), (u - 1) * np.log(u), u * np.log(u) - (u + 1) * np.log((u + 1) / 2), abs(u - 1),
        (np.sqrt(u) - 1) ** 2, (u - 1) ** 2, (1 - u) ** 2 / u,
    ):  # fmt: skip
        assert f == 0


def value_of_the_best_d() -> None:
    p, q = bell(0, 1), bell(1, 1.5)
    both = np.logaddexp(p, q)
    assert abs(kl(p, both) + kl(q, both) - (-2 * LOG2 + 2 * js(p, q))) < 1e-9


def a_shift_by_one() -> tuple[float, ...]:
    data, away = mixed((0.5, -2, 0.7), (0.5, 2, 0.7)), [mixed((0.5, m, 0.7), (0.5, m + 4, 0.7)) for m in (9.0, 10.0)]
    return 1, w1(data, away[1]) - w1(data, away[0])


def twice_js() -> None:
    """q f(p/q) with the paper's f is 2 JS, and (p - q)^2 / q has f(u) = (u - 1)^2, not the one printed beside it."""
    p, q = np.array([0.5, 0.5]), np.array([0.7, 0.3])
    u, m = p / q, (p + q) / 2
    assert abs(q @ (u * np.log(u) - (u + 1) * np.log((u + 1) / 2)) - (p @ np.log(p / m) + q @ np.log(q / m))) < 1e-12
    assert abs(q @ (u - 1) ** 2 - np.sum((p - q) ** 2 / q)) < 1e-12
    assert abs(q @ (u - 1) ** 2 - np.sum((q - p) ** 2 / p)) > 0.01


def near_modes() -> tuple[float, ...]:
    wide, narrow = best_gaussians(2.0, 0.6)
    assert wide[0] < narrow[0] and DATA["modes at ±2"]["data"] == "0.5*N(-2,0.6)+0.5*N(2,0.6)"
    return 2, 0.6, wide[1], wide[2]


def far_modes() -> tuple[float, ...]:
    wide, narrow = best_gaussians(3.0, 0.6)
    assert narrow[0] < wide[0] and load("divergences").tries[1].state["data"] == DATA["modes at ±3"]["data"]
    return 3, narrow[1], narrow[2]


def boxes() -> tuple[float, ...]:
    """p_data on (-3, -1) and (1, 3), p_G's halves 7 to the right and as wide: W1 is how far every box moves."""
    state = load("divergences").tries[0].state
    assert state["mean"] == 5.0 and state["data"] == "0.5*U(-3,-1)+0.5*U(1,3)"
    wide = np.sqrt(3) * state["spread"]
    levels = (np.arange(40_000) + 0.5) / 40_000

    def places(low: float, high: float, gap: float) -> np.ndarray:
        second = levels >= 0.5
        return low + (2 * levels - second) * (high - low) + gap * second

    def cost(mean: float) -> float:
        return float(np.mean(np.abs(places(mean - wide, mean + wide, 4.0) - places(-3, -1, 4.0))))

    return LOG2, 0, cost(5.0), cost(6.0) - cost(5.0)


@cache
def neglected(share: float) -> tuple[float, float, float, float]:
    """KL, JS, W1 and Fisher with `share` of p_G in the right one of two modes 5 apart, 0.6 wide."""
    p = mixed((0.5, -2.5, 0.6), (0.5, 2.5, 0.6))
    q = mixed((1 - share, -2.5, 0.6), (share, 2.5, 0.6))
    return kl(p, q), js(p, q), w1(p, q), fisher(p, q)


ROWS: list[Row] = [
    ("with $f(1) = 0$", f_of_one),
    ("$-\\log 4 + 2\\,\\mathrm{JS}$", value_of_the_best_d),
    ("a shift by 1 costs 1 more", a_shift_by_one),
    ("modes at ±2 (spread 0.6) its best Gaussian is N(0, 2.06)", near_modes),
    ("with modes at ±3 as narrow it is N(±3, 0.60)", lambda: (3, *far_modes()[1:])),
    ("$f(u) = u\\log u - (u+1)\\log\\frac{u+1}{2}$", twice_js),
    ("$\\int (p-q)^2/q$", twice_js),
    ("$\\int (q-p)^2/p$", twice_js),
    (
        "0.330 N(−0.999, 0.255) + 0.670 N(2.000, 1.415)",
        HELD("test_divergences_page.py::test_the_f_gan_papers_table_is_reproduced"),
    ),
    ("log 2 ≈ 0.6931 with slope 0", lambda: boxes()[:2]),
    ("W₁ is 7.0000 with slope 1", lambda: boxes()[2:]),
    ("Data with modes at ±3", lambda: (3,)),
    (
        "On one mode JS is 0.2158; the wide one has 0.2554",
        lambda: (best_gaussians(3.0, 0.6)[1][0], best_gaussians(3.0, 0.6)[0][0]),
    ),
    ("Move the modes to ±2 (“modes at ±2”", lambda: (2, 2)),
    ("0.1548 wide, 0.2153 narrow", lambda: (best_gaussians(2.0, 0.6)[0][0], best_gaussians(2.0, 0.6)[1][0])),
    ("0.5 % of its mass instead of 50 %", lambda: (100 * load("divergences").tries[2].state["share"], 50)),
    ("KL is 1.958 and rises to 16.67 at share 0", lambda: (neglected(0.005)[0], neglected(0.0)[0], 0)),
    (
        "JS is 0.2027, W₁ 2.475 = (0.5 − 0.005) × 5; the Fisher divergence only 0.0132",
        lambda: (neglected(0.005)[1], neglected(0.005)[2], 0.5, 0.005, 5, neglected(0.005)[3]),
    ),
    ("at share 0 it is 96.4", lambda: (0, neglected(0.0)[3])),
    ("∞, 1 and ∞ | log 2, 1 and ∞ | log 2, ½ and ∞", GIVEN),
    ("which is 0 nowhere where p or q is not", GIVEN),
    ("KL is ∞ because q = 0", GIVEN),
    ("disjoint densities have L1 distance 2: it is 1", lambda: (2, 0.5 * 2)),
    ("the slope of log c is 0", GIVEN),
]
