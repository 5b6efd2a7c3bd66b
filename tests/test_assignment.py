"""Transport between points: oracles, all permutations, the dual as a proof; the critics of points and of laws."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from gantoys.maths import Finite, Mixture1D, normal, parse, w1
from gantoys.maths.assignment import MOST_POINTS, dual, matching, point_critic, sliced
from gantoys.maths.transport import critic, critic_slope
from tests.oracles import CASES


def clouds(n: int, dim: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = (n,) if dim == 1 else (n, 2)
    return rng.normal(size=shape), 1 + 0.5 * rng.normal(size=shape)


def far(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a[:, None] - b) if a.ndim == 1 else np.linalg.norm(a[:, None] - b, axis=-1)


def ring(turn: float) -> np.ndarray:
    angle = 2 * np.pi * np.arange(8) / 8 + turn
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


# --- the plan --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("dim", [1, 2])
def test_no_permutation_is_cheaper(dim, power):
    x, y = clouds(6, dim)
    cost = far(x, y) ** power
    least = min(np.mean(cost[np.arange(6), list(order)]) for order in permutations(range(6)))
    found = matching(x, y, power=power)
    assert found.cost == pytest.approx(least, rel=1e-12)
    assert sorted(found.partner) == list(range(6))
    assert np.mean(cost[found.pairs[:, 0], found.pairs[:, 1]]) == pytest.approx(least, rel=1e-12)


def test_a_turned_ring_moves_one_chord():
    want = CASES["ring8_diracs_rotated_W"]["expected"]
    assert matching(ring(0), ring(np.pi / 8)).cost == pytest.approx(want["W1"], abs=1e-12)
    assert matching(ring(0), ring(np.pi / 8), power=2).cost == pytest.approx(want["W2_squared"], abs=1e-12)


def test_parallel_lines_are_theta_apart():
    case, z = CASES["parallel_lines_arjovsky"], np.linspace(0, 1, 50)
    for theta, want in zip(case["inputs"]["theta"], case["expected"]["W1"], strict=True):
        found = matching(np.stack([0 * z, z], 1), np.stack([0 * z + theta, z], 1))
        assert found.cost == pytest.approx(want, abs=1e-12)
        assert found.distance == pytest.approx(np.full(50, abs(theta)), abs=1e-12)


def test_points_on_the_line_cost_what_scipy_says():
    cases, published = (CASES["wasserstein_1d_samples_scipy_published"][k] for k in ("inputs", "expected"))
    x, y = (np.array(points, float) for points in cases["cases"][0][:2])
    assert matching(x, y).cost == pytest.approx(published["W1"][0], abs=1e-12)
    x, y = clouds(20_000, 1)
    assert matching(x, y).cost == pytest.approx(stats.wasserstein_distance(x, y), rel=1e-12)


def test_an_assignment_costs_what_the_linear_program_costs():
    x, y = clouds(12, 2)
    half = np.full(12, 1 / 12)
    program = w1(Finite(np.r_[half, 0 * half], np.r_[x, y]), Finite(np.r_[0 * half, half], np.r_[x, y]))
    assert program is not None and matching(x, y).cost == pytest.approx(float(program.value), abs=1e-9)


# --- its dual, and the critic ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("dim", [1, 2])
def test_the_dual_proves_that_the_plan_is_the_cheapest(dim, power):
    x, y = clouds(200, dim, seed=3)
    plan = matching(x, y, power=power)
    u, v = dual(plan)
    cost = far(x, y) ** power
    assert np.all(u[:, None] + v <= cost + 1e-11)
    assert np.mean(u) + np.mean(v) == pytest.approx(plan.cost, rel=1e-11) and v.max() == 0


@pytest.mark.parametrize("dim", [1, 2])
def test_the_critic_of_points_is_lipschitz_and_attains_w1(dim):
    x, y = clouds(150, dim, seed=5)
    plan = matching(x, y)
    d = point_critic(plan)
    assert np.mean(d(x)) - np.mean(d(y)) == pytest.approx(plan.cost, rel=1e-11)
    everywhere = np.concatenate([x, y, clouds(200, dim, seed=6)[0] * 3])
    gaps, ways = np.abs(d(everywhere)[:, None] - d(everywhere)), far(everywhere, everywhere)
    assert np.all(gaps <= ways + 1e-11)
    # along each way of the plan it falls with slope one
    middle = 0.5 * (x + y[plan.partner])
    assert d(x) - d(middle) == pytest.approx(plan.distance / 2, abs=1e-10)


def test_points_that_share_their_places_have_a_critic_too():
    x = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    plan = matching(x, x[::-1])
    assert plan.cost == 0
    d = point_critic(plan)
    assert np.mean(d(x)) == pytest.approx(np.mean(d(x[::-1])))


PAIRS = [
    ("N(0,1)", "N(3,1)"), ("0.5*N(-2,0.5)+0.5*N(2,0.5)", "N(0,1)"), ("SN(0,1,4)", "L(0,1)"), ("U(0,1)", "U(0.5,1.5)"),
    ("N(0,1)", "N(0,3)"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_critic_of_two_laws_attains_w1(first, second):
    """Means over 20,000 evenly spaced quantiles: a Lipschitz function's mean is off by the spread of a cell, 1e-3."""
    p, q = parse(first), parse(second)
    assert isinstance(p, Mixture1D) and isinstance(q, Mixture1D)
    u = (np.arange(20_000) + 0.5) / 20_000
    attained = np.mean(critic(p, q, p.quantile(u))) - np.mean(critic(p, q, q.quantile(u)))
    found = w1(p, q)
    assert found is not None and attained == pytest.approx(float(found.value), abs=2e-4)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_critic_of_two_laws_has_slope_one_the_way_mass_moves(first, second):
    p, q, x = parse(first), parse(second), np.linspace(-60, 60, 4001)
    assert isinstance(p, Mixture1D) and isinstance(q, Mixture1D)
    d = critic(p, q, x)
    assert np.all(np.abs(np.diff(d)) <= np.diff(x) * (1 + 1e-9))
    slope = critic_slope(p, q, x)
    there = p.density(x) + q.density(x) > 1e-12
    steady = (slope[1:] == slope[:-1]) & (slope[1:] != 0) & there[1:] & there[:-1]
    assert np.count_nonzero(steady) > 40
    assert (np.diff(d) / np.diff(x))[steady] == pytest.approx(slope[1:][steady], abs=1e-9)
    middle = 0.5 * (p.cdf(x) + q.cdf(x))
    assert np.interp(0.5, middle, d) == pytest.approx(0, abs=0.02)


def test_the_critic_over_a_sweep_is_that_of_its_rows():
    p, shifts, x = normal(0, 1), np.array([-2.0, 0.5, 3.0]), np.linspace(-5, 5, 21)
    swept = critic(p, normal(shifts, np.full(3, 0.5)), x)
    assert swept.shape == (3, 21)
    assert swept == pytest.approx(np.stack([critic(p, normal(s, 0.5), x) for s in shifts]), abs=1e-11)


# --- slices ----------------------------------------------------------------------------------------------------------


def test_slices_of_a_shift_have_closed_forms():
    x, _ = clouds(3000, 2)
    by = np.array([3.0, -1.0])
    assert sliced(x, x + by) == pytest.approx(np.sum(by**2) / 2, rel=1e-12)
    # the mean of |cos|: evenly spaced sums of a kinked function err by the square of the spacing
    assert sliced(x, x + by, power=1) == pytest.approx(np.linalg.norm(by) * 2 / np.pi, rel=1e-4)


def test_slices_never_cost_more_than_the_plan():
    x, y = clouds(100, 2, seed=9)
    for power in (1, 2):
        assert 0 < sliced(x, y, power=power) <= matching(x, y, power=power).cost


# --- refusals --------------------------------------------------------------------------------------------------------


def test_bad_points_are_refused_in_one_sentence():
    many = np.zeros((MOST_POINTS + 1, 2))
    for x, y, why in (
        (np.zeros(3), np.zeros(4), "one size"), (np.zeros((3, 3)), np.zeros((3, 3)), "shape"),
        (np.array([np.nan]), np.zeros(1), "finite"), (np.zeros(0), np.zeros(0), "shape"), (many, many, "at most 500"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=why):
            matching(x, y)
    with pytest.raises(ValueError, match="power"):
        matching(np.zeros(2), np.ones(2), power=3)
    with pytest.raises(ValueError, match="at most 500"):
        dual(matching(np.zeros(501), np.ones(501)))
    with pytest.raises(ValueError, match="power 1"):
        point_critic(matching(np.zeros(2), np.ones(2), power=2))
    with pytest.raises(ValueError, match="no slices"):
        sliced(np.zeros(2), np.ones(2))
    with pytest.raises(ValueError, match="two directions"):
        sliced(np.zeros((2, 2)), np.ones((2, 2)), lines=1)
    with pytest.raises(ValueError, match="power"):
        sliced(np.zeros((2, 2)), np.ones((2, 2)), power=0)
