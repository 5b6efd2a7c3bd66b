"""Values that rounding, ties or chance could spoil, against exact arithmetic, brute force and closed forms."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import linear_sum_assignment, linprog
from scipy.spatial.distance import cdist

from gantoys.metrics import METRICS, neighbours, transport
from gantoys.metrics.bracket import w1_bracket
from gantoys.metrics.frechet import frechet
from gantoys.metrics.kernels import kid, mmd2
from gantoys.metrics.score import scores
from gantoys.metrics.transport import sliced_scored, w1_scored

Array = np.ndarray
KEYS = [key for key, row in METRICS.items() if row.needs == "samples"]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- rounding ---------------------------------------------------------------------------------------------------------


def exact_kid(x: Array, y: Array) -> Fraction:
    """The unbiased MMD squared with the cubic kernel, in rational numbers."""
    sets = [[[Fraction(float(v)) for v in row] for row in part] for part in (x, y)]

    def k(a: list[Fraction], b: list[Fraction]) -> Fraction:
        return (sum((p * q for p, q in zip(a, b, strict=True)), Fraction(0)) / len(a) + 1) ** 3

    within = [
        sum((k(a, b) for i, a in enumerate(s) for j, b in enumerate(s) if i != j), Fraction(0))
        / (len(s) * (len(s) - 1))
        for s in sets
    ]
    across = sum((k(a, b) for a in sets[0] for b in sets[1]), Fraction(0)) / (len(x) * len(y))
    return sum(within, Fraction(0)) - 2 * across


@pytest.mark.parametrize("offset", [0.0, 1.0, 1e4, 1e8, 1e12])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_kernel_distance_is_right_however_far_from_the_origin_points_lie(offset: float, dim: int) -> None:
    draw = rng(dim)
    x, y = offset + draw.normal(size=(9, dim)), offset + 0.5 + draw.normal(size=(9, dim))
    want = exact_kid(x, y)
    assert abs(Fraction(kid(x, y, rng=rng())) - want) < Fraction(1, 10**12) * abs(want)


def test_a_far_outlier_in_both_sets_leaves_the_kernel_distance_right() -> None:
    draw = rng(3)
    x, y = draw.normal(size=(8, 2)), draw.normal(size=(8, 2))
    x[0] = y[0] = 1e12
    assert kid(x, y, rng=rng()) == pytest.approx(float(exact_kid(x, y)), rel=1e-12)


def test_mmd_far_from_the_origin_is_the_same_as_at_it() -> None:
    # multiples of 2^-20 and a power of two: the shift is exact
    draw = rng(4)
    x, y = (np.round(draw.normal(size=(40, 2)) * 2**20) / 2**20 for _ in range(2))
    assert mmd2(x + 2.0**30, y + 2.0**30, bandwidth=0.7) == pytest.approx(mmd2(x, y, bandwidth=0.7), abs=1e-14)


def exact_frechet(x: Array, y: Array) -> float:
    """By 120 digits, on the line or in the plane, where tr (C1 C2)^(1/2) = (tr C1 C2 + 2 (det C1 C2)^(1/2))^(1/2)."""
    with mpmath.workdps(120):
        moments = []
        for part in (x, y):
            rows = [[mpmath.mpf(float(v)) for v in row] for row in part]
            n, d = len(rows), len(rows[0])
            mean = [mpmath.fsum(row[k] for row in rows) / n for k in range(d)]
            cov = mpmath.matrix(d, d)
            for a in range(d):
                for b in range(d):
                    cov[a, b] = mpmath.fsum((row[a] - mean[a]) * (row[b] - mean[b]) for row in rows) / (n - 1)
            moments.append((mean, cov))
        (m1, c1), (m2, c2) = moments
        both = c1 * c2
        d = len(m1)
        shared = mpmath.sqrt(both[0, 0]) if d == 1 else None
        if d == 2:
            shared = mpmath.sqrt(both[0, 0] + both[1, 1] + 2 * mpmath.sqrt(mpmath.det(c1) * mpmath.det(c2)))
        trace = mpmath.fsum(c1[k, k] + c2[k, k] for k in range(d))
        return float(mpmath.fsum((a - b) ** 2 for a, b in zip(m1, m2, strict=True)) + trace - 2 * shared)


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("out", [0.0, 1e2, 1e5, 1e7, 1e8, 1e9, 1e11, 1e13, 1e17])
def test_frechet_with_a_far_outlier_is_right_or_not_told(out: float, dim: int) -> None:
    told = 0
    for seed in range(6):
        draw = rng(seed)
        x, y = draw.normal(size=(30, dim)), 1 + 2 * draw.normal(size=(40, dim))
        x[0] = y[0] = out
        try:
            got = frechet(x, y)
        except ValueError as error:
            assert "rounding" in str(error) and out > 1e9
            continue
        told += 1
        assert got == pytest.approx(exact_frechet(x, y), rel=1e-6)
    assert told == 6 or out > 1e9


def test_frechet_far_from_the_origin_and_of_equal_sets() -> None:
    draw = rng(1)
    x, y = draw.normal(size=(50, 2)), draw.normal(size=(60, 2)) + np.array([0.5, 0])
    for offset in (0.0, 1e4, 1e8):
        assert frechet(x + offset, y + offset) == pytest.approx(exact_frechet(x + offset, y + offset), rel=1e-6)
    assert frechet(x, x) == frechet(x, x[::-1]) == frechet(x + 1e8, x[::-1] + 1e8) == 0
    assert frechet(np.ones((4, 2)), np.ones((5, 2))) == 0
    assert frechet(x, x + 1e-6) == pytest.approx(2e-12, rel=1e-6)


# --- ties -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0.1, 0.5, 1.0, 4.0])
def test_rounded_data_against_itself_are_perfect_and_repeats_are_told(step: float) -> None:
    x = np.round(rng(2).normal(size=(300, 2)) / step) * step
    got = neighbours(x, x)
    assert (got.precision, got.recall, got.coverage) == (1, 1, 1) and got.density >= 1
    repeated = sum(np.sum(np.all(x == row, axis=1)) > 5 for row in x)
    assert got.flat_real == got.flat_fake == repeated
    assert bool(got.note) == (repeated > 0) and (step < 1 or repeated)
    note = scores(x, x, ["coverage"])["coverage"].note
    assert ("radius 0" in note) == (repeated > 0)
    # prdc's rule, where points on the rim are outside, has nobody in a ball without a radius
    strict = neighbours(x, x, balls="open")
    assert strict.coverage == pytest.approx(1 - repeated / 300)


def test_without_ties_the_two_rules_agree() -> None:
    x, y = rng(1).normal(size=(80, 2)), rng(2).normal(size=(70, 2))
    assert neighbours(x, y) == neighbours(x, y, balls="open")
    # of a set against itself the k-th neighbour lies on the rim: k + 1 points in each ball, or k
    assert neighbours(x, x, 4).density == pytest.approx(5 / 4) and neighbours(x, x, 4, "open").density == 1


# --- sliced distances -------------------------------------------------------------------------------------------------


def exact_sliced(x: Array, y: Array) -> float:
    """Between two angles at which points change their order the pairing stays: there the integrand is smooth."""
    angles = {0.0, math.pi}
    for part in (x, y):
        for a in range(len(part)):
            for b in range(a):
                gap = part[a] - part[b]
                angles.add(math.atan2(gap[0], -gap[1]) % math.pi)
    ends = sorted(angles)

    def squared(angle: float) -> float:
        line = np.array([math.cos(angle), math.sin(angle)])
        return float(np.mean((np.sort(x @ line) - np.sort(y @ line)) ** 2))

    return sum(quad(squared, low, high, epsabs=1e-13)[0] for low, high in pairwise(ends)) / math.pi


@pytest.mark.parametrize("projections", [16, 64, 256])
def test_the_sliced_distance_in_the_plane_is_the_integral_within_its_error(projections: int) -> None:
    errors = []
    for seed in range(12):
        draw = rng(seed)
        x, y = draw.normal(size=(7, 2)), draw.normal(size=(7, 2)) * [1, 3] + [seed / 4, 0]
        got = sliced_scored(x, y, rng=rng(), projections=projections)["sliced_w2_squared"]
        want = exact_sliced(x, y)
        assert got.error is not None and abs(got.value - want) <= got.error, seed
        errors.append(got.error / want)
    assert max(errors) < 30 / projections**2  # kinks alone: the error falls with the square


def test_the_sliced_distance_of_a_shift_is_exact_in_the_plane() -> None:
    x, shift = rng(1).normal(size=(50, 2)), np.array([1.2, -1.6])
    got = sliced_scored(x, x + shift, rng=rng())["sliced_w2_squared"]
    assert got.value == pytest.approx(2.0, rel=1e-12) and got.error is not None and got.error < 1e-12
    far = sliced_scored(x + 1e8, x + shift + 1e8, rng=rng())["sliced_w2_squared"]
    assert far.value == pytest.approx(2.0, rel=1e-6)


def test_the_error_of_random_lines_is_that_of_their_mean() -> None:
    x, delta = rng(1).normal(size=(20, 3)), np.array([3.0, 0.0, 4.0])
    found = [sliced_scored(x, x + delta, rng=rng(seed), projections=100)["sliced_w2_squared"] for seed in range(200)]
    off = [(f.value - 25 / 3) / (f.error or math.nan) for f in found]
    # 200 standard scores: 0.95 +- 0.015 of them lie within two
    assert 0.89 < np.mean(np.abs(off) < 2) < 0.99


# --- W1 between any two sets ------------------------------------------------------------------------------------------


def exact_w1(x: Array, y: Array) -> float:
    """The linear programme over all plans."""
    n, m = len(x), len(y)
    margins = np.zeros((n + m, n * m))
    for i in range(n):
        margins[i, i * m : (i + 1) * m] = 1
    for j in range(m):
        margins[n + j, j::m] = 1
    done = linprog(cdist(x, y).ravel(), A_eq=margins, b_eq=np.r_[np.full(n, 1 / n), np.full(m, 1 / m)])
    return float(done.fun)


@pytest.mark.parametrize("shift", [0.0, 0.3, 3.0, 1e4])
@pytest.mark.parametrize(("n", "m", "dim"), [(12, 7, 2), (1, 9, 2), (8, 20, 3), (15, 15, 2)])
def test_w1_between_unequally_many_points_lies_between_its_bounds(n: int, m: int, dim: int, shift: float) -> None:
    draw = rng(n + m)
    x, y = draw.normal(size=(n, dim)), draw.normal(size=(m, dim)) + shift
    low, high = w1_bracket(x, y)
    want = exact_w1(x, y)
    assert low <= want + 1e-9 <= high + 2e-9 and high - low < 0.01 * want
    got = w1_scored(x, y)["w1"]
    assert abs(got.value - want) <= (got.error or 0) + 1e-9
    assert (n == m) == (got.error is None)


@pytest.mark.parametrize("name", ["near", "far", "same", "clump", "repeated"])
def test_the_bounds_of_w1_hold_for_hundreds_of_points(name: str) -> None:
    draw = rng(5)
    x = draw.normal(size=(250, 2))
    y = {
        "near": draw.normal(size=(250, 2)),
        "far": draw.normal(size=(250, 2)) + 5,
        "same": x[draw.permutation(250)],
        "clump": [3.0, 0.0] + 1e-3 * draw.normal(size=(250, 2)),
        "repeated": np.round(draw.normal(size=(250, 2))),
    }[name]
    cost = cdist(x, y)
    want = float(np.mean(cost[linear_sum_assignment(cost)]))
    low, high = w1_bracket(x, np.asarray(y, float))
    assert low - 1e-9 <= want <= high and high - low < 0.02 * want + 1e-5


def test_a_wide_bracket_of_equal_sets_is_replaced_by_the_assignment(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = rng(1).normal(size=(120, 2)), rng(2).normal(size=(120, 2))
    want = w1_scored(x, y)["w1"]
    monkeypatch.setattr(transport, "LARGEST_ASSIGNMENT", 0)
    monkeypatch.setattr(transport, "w1_bracket", lambda *_: (0.9 * want.value, 1.1 * want.value))
    assert w1_scored(x, y)["w1"] == want
    monkeypatch.setattr(transport, "LARGEST_NEAR", 0)
    assert w1_scored(x, y)["w1"].error == pytest.approx(0.1 * want.value)


# --- one that cannot be told loses no other ---------------------------------------------------------------------------

NEIGHBOURS = {"precision", "recall", "density", "coverage", "kl", "kl_backward"}


@pytest.mark.parametrize(
    ("n", "m", "lost"),
    [
        (6, 4, {"js", *NEIGHBOURS}),
        (1, 9, {"js", "mmd2", "kid", "frechet", "parzen", *NEIGHBOURS}),
        (9, 9, {"js"}),
    ],
)
def test_too_few_points_for_one_metric_leave_the_others(n: int, m: int, lost: set[str]) -> None:
    found = scores(rng(1).normal(size=(n, 2)), rng(2).normal(size=(m, 2)), KEYS)
    assert list(found) == KEYS
    assert {key for key, scored in found.items() if math.isnan(scored.value)} == lost
    assert all(found[key].note for key in lost)


def test_scores_are_those_of_the_metrics_themselves_and_repeat_by_seed() -> None:
    x, y = rng(1).normal(size=(60, 3)), rng(2).normal(size=(50, 3))
    knobs: dict[str, dict[str, Any]] = {
        "precision": {"k": 3},
        "recall": {"k": 3},
        "kl": {"k": 2},
        "mmd2": {"bandwidth": 1.0},
    }
    found = scores(x, y, KEYS, knobs, seed=7)
    for key in KEYS:
        extra = {"rng": rng(7)} if METRICS[key].random else {}
        assert found[key].value == METRICS[key].function(x, y, **knobs.get(key, {}), **extra), key
    assert found == scores(x, y, KEYS, knobs, seed=7)
    assert found["sliced_w2_squared"].value != scores(x, y, KEYS, seed=8)["sliced_w2_squared"].value
    assert found["density"].value != scores(x, y, ["density"], {"density": {"k": 3}})["density"].value


def test_an_unbiased_estimate_below_zero_says_what_that_means() -> None:
    x = rng(1).normal(size=(40, 2))
    found = scores(x, x, ["mmd2", "kid"])
    assert all(scored.value < 0 and "may fall below 0" in scored.note for scored in found.values())
    far = scores(x, x + 9, ["mmd2", "kid"])
    assert all(scored.value > 0 and not scored.note for scored in far.values())
