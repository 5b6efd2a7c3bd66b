"""How good are generated points: every metric and every rule against values that do not come from gantoys."""

import itertools
import math
import operator
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

from gantoys.maths import Mixture2D, normal, parse
from gantoys.metrics import (
    METRICS,
    MODE_RULES,
    frechet_laws,
    frechet_moments,
    inception_scores,
    median_bandwidth,
    mmd2_laws,
    mode_probabilities,
    mode_references,
    mode_report,
    neighbours,
    noise_box,
    reference,
    reverse_kl_floor,
    uniform_noise,
)
from gantoys.metrics.divergence import kl
from gantoys.metrics.floors import far_apart, modes_mean
from gantoys.metrics.kernels import kid, mmd2
from gantoys.metrics.modes import has_modes, reverse_kl
from gantoys.metrics.parzen import SIGMAS, parzen, parzen_log_density
from gantoys.metrics.samples import points, thinned
from gantoys.metrics.transport import sliced_w2_squared, w1
from tests.oracles import CASES

RING, GRID = parse("ring(8,radius=1,std=0.01)"), parse("grid(5,spacing=2,std=0.05)")
SMALL = CASES["mode_metrics_small_set"]


def rng(seed=0):
    return np.random.default_rng(seed)


def expected(name):
    return CASES[name]["expected"]


# --- one oracle a row: the keys of these two tables are those of METRICS and MODE_RULES


def oracle_modes():
    report = mode_report(np.array(SMALL["inputs"]["points"]), RING, "veegan")
    got = METRICS["modes"].function(np.array(SMALL["inputs"]["points"]), RING, rule="veegan")
    assert got == report.modes == SMALL["expected"]["ball_hq_only"]["modes"]


def oracle_high_quality():
    got = METRICS["high_quality"].function(np.array(SMALL["inputs"]["points"]), RING)
    assert got == pytest.approx(SMALL["expected"]["ball_hq_only"]["high_quality"], abs=1e-12)


def oracle_reverse_kl():
    got = METRICS["reverse_kl"].function(np.array(SMALL["inputs"]["points"]), RING)
    assert got == pytest.approx(SMALL["expected"]["ball_hq_only"]["reverse_KL"], abs=1e-12)


def oracle_js():
    """Between N(0,1) and N(1,1), 20,000 points a side: below, by two standard errors of 0.0015 and what cells lose."""
    want = expected("gauss_0_1_vs_1_1")["JS"]
    assert METRICS["js"].laws(normal(0, 1), normal(1, 1)) == pytest.approx(want, abs=1e-9)
    draw = rng()
    got = METRICS["js"].function(draw.standard_normal(20_000), 1 + draw.standard_normal(20_000))
    assert want - 0.015 < got < want


def oracle_kl():
    """KL(N(0,1) || N(1,1)) = 1/2; of 20 seeds of 4,000 points the estimate lies 0.02 above on average, spread 0.03."""
    draw = rng(0)
    x, y = draw.standard_normal(4000), 1 + draw.standard_normal(4000)
    assert METRICS["kl"].laws(normal(0, 1), normal(1, 1)) == pytest.approx(0.5, abs=1e-9)
    assert METRICS["kl"].function(x, y) == pytest.approx(0.5, abs=0.12)
    # the definition, point by point
    few, other = x[:9], y[:7]
    terms = [
        math.log(sorted(abs(other - a))[2] / sorted(abs(few - a))[3]) for a in few
    ]  # the point itself comes first of its own set
    assert METRICS["kl"].function(few, other, k=3) == pytest.approx(np.mean(terms) + math.log(7 / 8), abs=1e-12)


def oracle_kl_backward():
    """KL(N(0,1) || N(0,2)) = log 2 - 3/8; the other way round it is (4 - 1) / 2 - log 2, and told too small."""
    draw = rng(1)
    wide, narrow = 2 * draw.standard_normal(4000), draw.standard_normal(4000)
    assert METRICS["kl_backward"].laws(normal(0, 1), normal(0, 2)) == pytest.approx(1.5 - math.log(2), abs=1e-9)
    assert METRICS["kl_backward"].function(wide, narrow) == pytest.approx(math.log(2) - 3 / 8, abs=0.1)
    assert 0.5 < METRICS["kl_backward"].function(narrow, wide) < 1.5 - math.log(2)


def oracle_w1():
    case = CASES["wasserstein_1d_samples_scipy_published"]
    first = case["inputs"]["cases"][0]
    assert METRICS["w1"].function(first[0], first[1]) == pytest.approx(case["expected"]["W1"][0], abs=1e-12)
    x, y = rng(1).standard_normal((6, 2)), rng(2).standard_normal((6, 2))
    brute = min(
        np.mean([np.linalg.norm(x[i] - y[j]) for i, j in enumerate(order)])
        for order in itertools.permutations(range(6))
    )
    assert METRICS["w1"].function(x, y) == pytest.approx(brute, abs=1e-12)
    assert METRICS["w1"].laws(normal(0, 1), normal(1.5, 1)) == pytest.approx(1.5)


def oracle_sliced():
    """|delta|^2 / d for a shift: exact in the mean over lines; of 4,000 the standard error is 1 %."""
    delta = np.array([3.0, 0.0, 4.0])
    x = rng().standard_normal((50, 3))
    got = METRICS["sliced_w2_squared"].function(x, x + delta, rng=rng(1), projections=4000)
    assert got == pytest.approx(25 / 3, rel=0.03)


def oracle_mmd2():
    want = expected("mmd2_gauss_population_1d")["MMD2"]
    assert METRICS["mmd2"].laws(normal(0, 1), normal(1, 1), bandwidth=1.0) == pytest.approx(want, abs=1e-12)
    draw = rng()
    x, y = draw.standard_normal(3000), 1 + draw.standard_normal(3000)
    # its standard deviation for 3,000 points a side is 0.013 (of 12 seeds)
    assert abs(METRICS["mmd2"].function(x, y, bandwidth=1.0) - want) < 0.04


def oracle_kid():
    x, y = rng(1).standard_normal((7, 3)), rng(2).standard_normal((7, 3)) + 0.5

    def k(a, b):
        return (float(a @ b) / 3 + 1) ** 3

    within = sum(k(s[i], s[j]) for s in (x, y) for i in range(7) for j in range(7) if i != j) / 42
    across = sum(k(a, b) for a in x for b in y) / 49
    assert METRICS["kid"].function(x, y, rng=rng()) == pytest.approx(within - 2 * across, rel=1e-12)


def oracle_frechet():
    case = CASES["frechet_from_samples_ddof"]
    x, y = np.array(case["inputs"]["X"]), np.array(case["inputs"]["Y"])
    assert METRICS["frechet"].function(x, y) == pytest.approx(case["expected"]["FD_ddof1"], abs=1e-9)
    assert METRICS["frechet"].function(x, y, ddof=0) == pytest.approx(case["expected"]["FD_ddof0"], abs=1e-9)
    blind = METRICS["frechet"].laws(parse("0.5*N(-2,0.5)+0.5*N(2,0.5)"), normal(0, math.sqrt(4.25)))
    assert blind == pytest.approx(expected("frechet_blind_to_shape")["FD"], abs=1e-9)


def oracle_neighbours(key):
    def check():
        for name in ("prdc_k1", "prdc_k2", "prdc_collapsed_cluster_k2", "prdc_identical_sets"):
            inputs = CASES[name]["inputs"]
            got = METRICS[key].function(np.array(inputs["real"]), np.array(inputs["fake"]), k=inputs["k"], balls="open")
            assert got == pytest.approx(expected(name)[key], abs=1e-12), name

    return check


def oracle_parzen():
    case = CASES["parzen_log_likelihood_1d"]
    inputs, want = case["inputs"], case["expected"]
    got = parzen(inputs["test"], inputs["samples"], sigma=inputs["sigma"])
    assert METRICS["parzen"].function(inputs["test"], inputs["samples"], sigma=0.5) == got.mean
    assert got.mean == pytest.approx(want["mean"], abs=1e-12)
    assert got.standard_error == pytest.approx(want["standard_error_ddof0"], abs=1e-12)
    assert parzen_log_density(inputs["test"], inputs["samples"], 0.5) == pytest.approx(want["ll"], abs=1e-12)


def oracle_inception_score():
    inputs, want = CASES["inception_score"]["inputs"], expected("inception_score")
    score = METRICS["inception_score"].function
    assert score(np.array(inputs["probs"])) == pytest.approx(want["IS"], abs=1e-12)
    assert [score(np.eye(k)) for k in inputs["one_hot_K"]] == pytest.approx(want["IS_one_hot"], abs=1e-12)
    assert score(np.tile([0.2, 0.8], (5, 1))) == pytest.approx(want["IS_constant"], abs=1e-12)


METRIC_ORACLES = {
    "modes": oracle_modes,
    "high_quality": oracle_high_quality,
    "reverse_kl": oracle_reverse_kl,
    "js": oracle_js,
    "kl": oracle_kl,
    "kl_backward": oracle_kl_backward,
    "w1": oracle_w1,
    "sliced_w2_squared": oracle_sliced,
    "mmd2": oracle_mmd2,
    "kid": oracle_kid,
    "frechet": oracle_frechet,
    **{key: oracle_neighbours(key) for key in ("precision", "recall", "density", "coverage")},
    "parzen": oracle_parzen,
    "inception_score": oracle_inception_score,
}

# Per rule on the twelve points of `mode_metrics_small_set`: the counts, modes, high-quality share and reverse KL. Rules
# with the ball have the recorded counts: a tenth of the due share is 0.15 of these points, one percent 0.12. Without a
# distance every point is good, and all are tallied.
BALL, BOX = SMALL["expected"]["ball_hq_only"], SMALL["expected"]["box_all_points"]
ALL_POINTS = SMALL["expected"]["ball_all_points_reverse_KL"]
RULE_ORACLES = {
    "gantoys": (BALL["counts"], 4, BALL["high_quality"], BALL["reverse_KL"]),
    "veegan": (BALL["counts"], 4, BALL["high_quality"], BALL["reverse_KL"]),
    "pacgan": (BALL["counts"], 4, BALL["high_quality"], BALL["reverse_KL"]),
    "gdpp": (BALL["counts"], 4, BALL["high_quality"], BALL["reverse_KL"]),
    "self-conditioned": (BOX["counts"], 4, BOX["high_quality"], BOX["reverse_KL"]),
    "unrolled": (None, 4, 1.0, ALL_POINTS),
    "share-1%": (BALL["counts"], 4, BALL["high_quality"], BALL["reverse_KL"]),
}


@pytest.mark.parametrize("key", METRICS)
def test_every_metric_agrees_with_its_oracle(key):
    METRIC_ORACLES[key]()


def test_no_row_is_without_an_oracle():
    assert set(METRIC_ORACLES) == set(METRICS) and set(RULE_ORACLES) == set(MODE_RULES)


@pytest.mark.parametrize("rule", MODE_RULES)
def test_every_rule_agrees_with_its_oracle(rule):
    """The origin is as far from all modes: the recorded value puts it on one that two good points do not decide."""
    counts, modes, quality, divergence = RULE_ORACLES[rule]
    report = mode_report(np.array(SMALL["inputs"]["points"]), RING, rule)
    assert report.rule == rule and report.n == 12 and report.modes == modes
    if counts is not None:
        assert report.counts.tolist() == counts
    assert report.quality == pytest.approx(quality, abs=1e-12)
    assert report.reverse_kl == pytest.approx(divergence, abs=1e-12)


@pytest.mark.parametrize("key", METRICS)
def test_every_row_says_what_it_is(key):
    row = METRICS[key]
    assert row.key == key == key.lower() and all((row.label, row.formula, row.reference, row.blind))
    assert row.direction in ("higher", "lower", None) and row.needs in ("samples", "mixture", "probabilities")


# --- modes


def test_a_perfect_generators_quality_is_the_recorded_ceiling():
    want = expected("high_quality_ceiling_perfect_generator")
    assert MODE_RULES["pacgan"].quality(2) == pytest.approx(want["euclid_2d"][2], abs=1e-12)
    assert MODE_RULES["self-conditioned"].quality(2) == pytest.approx(want["box_2d"][2], abs=1e-12)
    assert MODE_RULES["pacgan"].quality(1) == pytest.approx(want["line_1d"][2], abs=1e-12)
    assert MODE_RULES["self-conditioned"].quality(1) == pytest.approx(want["line_1d"][2], abs=1e-12)
    assert MODE_RULES["unrolled"].quality(2) == 1


@pytest.mark.parametrize(
    ("rule", "good_of_ten_thousand", "covered"),
    [
        ("veegan", 1, 1),
        ("veegan", 0, 0),
        ("share-1%", 99, 0),
        ("share-1%", 100, 1),
        ("gantoys", 123, 0),
        ("gantoys", 124, 1),
    ],
)  # a perfect generator gives each of 8 modes 10,000 / 8 x 0.98889 = 1236.1 good points
def test_a_mode_is_covered_from_the_rules_least_number_on(rule, good_of_ten_thousand, covered):
    x = np.full((10_000, 2), 9.0)
    x[:good_of_ten_thousand] = RING.modes[0]
    assert mode_report(x, RING, rule).modes == covered


@pytest.mark.parametrize("rule", MODE_RULES)
def test_counting_agrees_with_counting_one_point_after_the_other(rule):
    row = MODE_RULES[rule]
    x = np.concatenate([GRID.sample(300, rng(1)), uniform_noise(300, ((-5, 5),) * 2, rng(2))])
    counts, tally = [0] * 25, [0] * 25
    for px, py in x:
        gaps = [(abs(px - mx) / 0.05, abs(py - my) / 0.05) for mx, my in GRID.modes]
        nearest = min(range(25), key=lambda k: math.hypot(*gaps[k]))
        near = math.hypot(*gaps[nearest]) if row.region == "ball" else max(gaps[nearest])
        counts[nearest] += near < row.threshold
        tally[nearest] += row.histogram == "all" or near < row.threshold
    report = mode_report(x, GRID, rule)
    assert report.counts.tolist() == counts and report.histogram.tolist() == tally
    shares = [c / sum(tally) for c in tally if c]
    assert report.reverse_kl == pytest.approx(math.log(25) + sum(s * math.log(s) for s in shares), abs=1e-12)


def test_modes_are_counted_on_the_line_in_each_modes_own_deviations():
    law = parse("0.25*N(-2,0.1)+0.75*N(2,0.5)")
    x = np.array([-2.0, -1.71, -1.69, 0.51, 0.49, 3.49, 9.0])
    report = mode_report(x, law, "veegan")
    assert report.counts.tolist() == [2, 2] and report.quality == pytest.approx(4 / 7)
    assert report.reverse_kl == pytest.approx(0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75), abs=1e-12)
    assert mode_report(x[:, None], law, "veegan").counts.tolist() == [2, 2]


def test_a_stretched_mode_has_an_ellipse():
    law = parse("N([0,0],[[4,1],[1,1]])")
    assert isinstance(law, Mixture2D)
    x = 4 * rng().standard_normal((500, 2))
    inverse = np.linalg.inv([[4.0, 1.0], [1.0, 1.0]])
    want = np.mean(np.sqrt(np.einsum("ni,ij,nj->n", x, inverse, x)) < 3)
    assert mode_report(x, law).quality == pytest.approx(float(want), abs=1e-12)


@pytest.mark.parametrize("m", [1, 4, 7])
def test_the_reverse_kl_of_collapse_is_the_logarithm_of_what_is_lost(m):
    want = expected(f"mode_collapse_{m}_of_8")["KL_q_p"]
    report = mode_report(np.repeat(RING.modes[:m], 20, axis=0), RING)
    assert report.reverse_kl == pytest.approx(want, abs=1e-12) and report.modes == m


def test_points_that_are_not_numbers_belong_to_no_mode():
    x = np.array([[1.0, 0.0], [np.nan, 0.0], [np.inf, 1.0], [1e300, 1e300]])
    for rule in MODE_RULES:
        report = mode_report(x, RING, rule)
        assert report.counts[0] >= 1 and not np.isnan(report.reverse_kl)
    assert mode_report(x, RING, "pacgan").quality == 0.25
    nothing = mode_report(x[1:3], RING, "self-conditioned")
    assert nothing.modes == 0 and math.isnan(nothing.reverse_kl)


def test_many_points_are_counted_as_few_are():
    x = GRID.sample(120_000, rng())
    parts = [mode_report(part, GRID).counts for part in np.array_split(x, 7)]
    assert mode_report(x, GRID).counts.tolist() == sum(parts).tolist()


@pytest.mark.parametrize(
    ("x", "target", "rule", "says"),
    [
        (np.zeros((3, 2)), RING, "nonsense", "unknown rule"),
        (np.zeros((3, 1)), RING, "pacgan", "shape"),
        (np.zeros((3, 2)), normal(0, 1), "pacgan", "shape"),
        (np.zeros((0, 2)), RING, "pacgan", "n >= 1"),
        (np.zeros((3, 2)), parse("checkerboard"), "pacgan", "mixtures of normals"),
        (np.zeros(3), parse("U(0,1)"), "pacgan", "mixtures of normals"),
    ],
)
def test_modes_refuse_what_they_cannot_count(x, target, rule, says):
    with pytest.raises(ValueError, match=says):
        mode_report(x, target, rule)
    assert has_modes(normal(0, 1)) and not has_modes(parse("moons"))


# --- neighbours, kernels, Fréchet, transport, histogram, Parzen, inception


def test_neighbours_agree_with_their_definition_on_random_and_repeated_points():
    draw = rng(3)
    real = draw.integers(0, 6, (40, 2)).astype(float)  # many ties and repeated points
    fake = np.concatenate([draw.integers(0, 6, (20, 2)), draw.normal(3, 2, (11, 2))])
    for k in (1, 3, 8):
        radius = [sorted(np.linalg.norm(real - x, axis=1))[k] for x in real]
        fake_radius = [sorted(np.linalg.norm(fake - y, axis=1))[k] for y in fake]
        d = cdist(real, fake)
        for balls, within in (("closed", operator.le), ("open", operator.lt)):
            got = neighbours(real, fake, k, balls)
            inside = np.array([[within(d[i, j], radius[i]) for j in range(31)] for i in range(40)])
            assert got.precision == np.mean(inside.any(0)) and got.coverage == np.mean(inside.any(1))
            assert got.recall == np.mean([any(within(d[i, j], fake_radius[j]) for j in range(31)) for i in range(40)])
            assert got.density == pytest.approx(inside.sum() / (31 * k))
            assert got.flat_real == sum(r == 0 for r in radius) and bool(got.note) == (got.flat_real > 0)


def test_coverage_of_a_perfect_generator_is_the_published_formula():
    """Naeem et al. 2020: 1 - (n-1)...(n-k) / ((2n-1)...(2n-k)) for equal sizes; 150 draws, standard error 0.001."""
    n, k = 200, 3
    want = 1 - math.prod((n - i) / (2 * n - i) for i in range(1, k + 1))
    draw = rng(5)
    got = [neighbours(draw.standard_normal((n, 2)), draw.standard_normal((n, 2)), k) for _ in range(150)]
    assert np.mean([g.coverage for g in got]) == pytest.approx(want, abs=0.006)
    assert np.mean([g.density for g in got]) == pytest.approx(1, abs=0.03)


def test_a_random_draw_with_blocks_is_one_without(monkeypatch):
    x, y = rng(1).standard_normal((57, 3)), rng(2).standard_normal((41, 3))
    keys = ("precision", "recall", "density", "coverage", "mmd2", "parzen")
    whole = [METRICS[key].function(x, y) for key in keys]
    monkeypatch.setattr("gantoys.metrics.samples._BLOCK", 100)
    assert [METRICS[key].function(x, y) for key in keys] == pytest.approx(whole, rel=1e-12)


def test_mmd_agrees_with_the_sum_over_pairs():
    x, y = rng(1).standard_normal((5, 2)), rng(2).standard_normal((7, 2))

    def k(a, b):
        return math.exp(-float(np.sum((a - b) ** 2)) / (2 * 0.7**2))

    xx, yy = [[k(a, b) for b in x] for a in x], [[k(a, b) for b in y] for a in y]
    across = 2 * np.mean([k(a, b) for a in x for b in y])
    biased = np.mean(xx) + np.mean(yy) - across
    unbiased = (np.sum(xx) - 5) / 20 + (np.sum(yy) - 7) / 42 - across
    assert mmd2(x, y, bandwidth=0.7, biased=True) == pytest.approx(biased, abs=1e-14)
    assert mmd2(x, y, bandwidth=0.7) == pytest.approx(unbiased, abs=1e-14)


def test_the_unbiased_mmd_is_zero_on_average_and_the_biased_one_is_not():
    draw = rng(7)
    pairs = [(draw.standard_normal(30), draw.standard_normal(30)) for _ in range(400)]
    got = np.array([mmd2(x, y, bandwidth=1.0) for x, y in pairs])
    assert abs(got.mean()) < 4 * got.std() / 20
    # E of the biased one: (1/n + 1/m)(1 - E k), E k = 1 / sqrt(3)
    biased = np.array([mmd2(x, y, bandwidth=1.0, biased=True) for x, y in pairs])
    assert abs(biased.mean() - (1 - 1 / math.sqrt(3)) / 15) < 4 * biased.std() / 20


def test_the_exact_mmd_in_the_plane_agrees_with_samples():
    p, q = parse("N([0,0],[[1,0.5],[0.5,1]])"), parse("0.5*N([1,0],0.5)+0.5*N([0,-1],1)")
    draw = rng(2)
    got = np.array([mmd2(p.sample(300, draw), q.sample(300, draw), bandwidth=0.8) for _ in range(60)])
    assert abs(got.mean() - mmd2_laws(p, q, bandwidth=0.8)) < 4 * got.std() / math.sqrt(60)


def test_the_bandwidth_is_the_median_distance():
    assert median_bandwidth([0.0, 1.0], [3.0]) == 2
    assert median_bandwidth([0.0, 0.0, 0.0], [0.0, 1.0]) == pytest.approx(0.4)  # 4 of 10 pairs are 1 apart
    assert median_bandwidth([2.0, 2.0], [2.0]) == 1


def test_the_kernel_distance_averages_over_subsets_that_repeat_by_seed():
    draw = rng(1)
    x, y = draw.standard_normal((400, 2)), draw.standard_normal((300, 2)) + 1
    whole = kid(x[:300], y, rng=rng(), size=1000)
    values = [kid(x[:300], y, rng=rng(s), subsets=40, size=100) for s in (0, 0, 1)]
    assert values[0] == values[1] != values[2]
    # of six seeds the standard deviation is 0.5 for subsets of 100, 0.03 for those that leave out a quarter of one set
    assert values[0] == pytest.approx(whole, abs=1.5) and kid(x, y, rng=rng()) == pytest.approx(whole, abs=0.5)


def test_frechet_agrees_with_every_recorded_case():
    for name in ("frechet_1d", "frechet_2d_commuting", "frechet_2d_correlated_same_marginals", "frechet_identical"):
        i = CASES[name]["inputs"]
        one, two = (i["mu1"], i.get("C1", i.get("var1"))), (i["mu2"], i.get("C2", i.get("var2")))
        assert frechet_moments(*one, *two) == pytest.approx(expected(name)["FD"], abs=1e-8), name


def test_frechet_of_few_points_in_many_dimensions_is_the_same_by_both_routes():
    x, y = rng(1).standard_normal((6, 40)), 2 * rng(2).standard_normal((9, 40)) + 1
    direct = frechet_moments(x.mean(0), np.cov(x.T), y.mean(0), np.cov(y.T))
    assert METRICS["frechet"].function(x, y) == pytest.approx(direct, rel=1e-7)


def test_frechet_of_normal_laws_is_their_squared_transport_distance():
    p, q = parse("N([0,0],[[1,0.9],[0.9,1]])"), parse("N([0,0],[[1,-0.9],[-0.9,1]])")
    assert frechet_laws(p, q) == pytest.approx(expected("frechet_2d_correlated_same_marginals")["FD"], abs=1e-9)
    assert frechet_laws(normal(0, 1), normal(1, 2)) == pytest.approx(expected("frechet_1d")["FD"], abs=1e-12)
    with pytest.raises(ValueError, match="exact moments"):
        frechet_laws(parse("checkerboard"), parse("checkerboard"))
    with pytest.raises(ValueError, match="positive semidefinite"):
        frechet_moments([0, 0], [[1, 2], [2, 1]], [0, 0], np.eye(2))
    with pytest.raises(ValueError, match="do not fit"):
        frechet_moments([0, 0], np.eye(3), [0, 0], np.eye(2))


def test_w1_agrees_with_the_published_cases_and_refuses_what_is_dear():
    case = CASES["wasserstein_1d_samples_scipy_published"]
    for (x, y, u, _), want in zip(case["inputs"]["cases"], case["expected"]["W1"], strict=True):
        if u is None:
            assert w1(x, y) == pytest.approx(want, abs=1e-12)
    assert w1([0.0, 1.0, 1.0], [0.5]) == 0.5
    with pytest.raises(ValueError, match="at most 5,000 points a set, got 5,001 and 3: take the sliced"):
        w1(np.zeros((5001, 2)), np.zeros((3, 2)))


def test_the_sliced_distance_takes_sets_of_different_sizes_exactly():
    x, y = rng(1).standard_normal(12), rng(2).standard_normal(18)
    pooled = np.mean((np.sort(np.repeat(x, 3)) - np.sort(np.repeat(y, 2))) ** 2)
    assert sliced_w2_squared(x, y, rng=rng()) == pytest.approx(pooled, rel=1e-12)
    assert sliced_w2_squared(y, x, rng=rng()) == pytest.approx(pooled, rel=1e-12)


def test_the_sliced_distance_of_normals_is_the_shift_over_the_dimension():
    """Both sets have their own points here: of six seeds the standard deviation is 0.012."""
    draw = rng(4)
    x, y = draw.standard_normal((20_000, 2)), np.array([1.0, 0.0]) + draw.standard_normal((20_000, 2))
    assert sliced_w2_squared(x, y, rng=rng(1), projections=200) == pytest.approx(0.5, abs=0.04)
    x, y = x.reshape(-1, 4)[:500], y.reshape(-1, 4)[:500]
    same = [sliced_w2_squared(x, y, rng=rng(s), projections=5) for s in (3, 3, 4)]
    assert same[0] == same[1] != same[2]


def test_parzen_takes_the_width_that_suits_the_validation_points():
    fake, real = rng(1).standard_normal(400), rng(2).standard_normal(300)
    scores = {s: float(np.mean(stats.gaussian_kde(fake, s / fake.std(ddof=1)).logpdf(real[::10]))) for s in SIGMAS}
    got = parzen(real, fake)
    assert got.sigma == max(scores, key=scores.get) and got.n == 270
    kept = np.delete(real, np.arange(0, 300, 10))
    want = stats.gaussian_kde(fake, got.sigma / fake.std(ddof=1)).logpdf(kept)
    assert got.mean == pytest.approx(want.mean(), abs=1e-10)
    assert got.standard_error == pytest.approx(want.std() / math.sqrt(270), abs=1e-10)
    assert np.asarray(SIGMAS) == pytest.approx(np.logspace(-1, 0, 10))
    assert parzen(real, fake, validation=[0.0, 0.1]).n == 300
    # in the plane, far from every centre and near one
    centres = np.array([[0.0, 0.0], [1.0, 2.0]])
    plane = [stats.multivariate_normal(c, 0.09 * np.eye(2)).logpdf([[0.1, 0.2], [8.0, 8.0]]) for c in centres]
    want = np.logaddexp(*plane) - math.log(2)
    assert parzen_log_density([[0.1, 0.2], [8.0, 8.0]], centres, 0.3) == pytest.approx(want, rel=1e-12)
    # far away no exponential underflows: log N(100; 0, 1)
    assert parzen_log_density([100.0], [0.0], 1.0)[0] == pytest.approx(stats.norm.logpdf(100.0))


def test_the_inception_score_of_parts_is_the_mean_over_parts():
    p = rng(1).dirichlet(np.ones(4), size=30)

    def by_hand(part):
        q = part.mean(axis=0)
        return math.exp(np.mean([sum(v * math.log(v / w) for v, w in zip(row, q, strict=True)) for row in part]))

    parts = [by_hand(p[i : i + 10]) for i in (0, 10, 20)]
    got = inception_scores(p, splits=3)
    assert got.mean == pytest.approx(np.mean(parts), rel=1e-12) and got.std == pytest.approx(np.std(parts), rel=1e-9)


def test_the_classifier_of_modes_is_bayes_rule():
    law = parse("0.25*N(-1,0.5)+0.75*N(1,1)")
    x = np.array([-2.0, 0.0, 1.5])
    parts = np.stack([0.25 * stats.norm.pdf(x, -1, 0.5), 0.75 * stats.norm.pdf(x, 1, 1)], axis=1)
    assert mode_probabilities(x, law) == pytest.approx(parts / parts.sum(axis=1, keepdims=True), abs=1e-12)
    plane = parse("0.5*N([0,0],[[2,1],[1,1]])+0.5*N([1,1],0.5)")
    z = rng().standard_normal((4, 2))
    densities = [
        stats.multivariate_normal(m, c).pdf(z) for m, c in (([0, 0], [[2, 1], [1, 1]]), ([1, 1], np.eye(2) / 4))
    ]
    assert mode_probabilities(z, plane)[:, 0] == pytest.approx(densities[0] / (densities[0] + densities[1]), abs=1e-12)


# --- invariances, bad input


@pytest.mark.parametrize("key", [k for k, row in METRICS.items() if row.needs == "samples"])
def test_a_metric_does_not_know_the_order_of_points_nor_mind_columns(key):
    row = METRICS[key]
    x, y = rng(1).standard_normal((60, 1)), rng(2).standard_normal((60, 1)) + 0.3
    knobs = {"sigma": 0.5} if key == "parzen" else {}
    values = []
    for a, b in ((x, y), (x[:, 0], y[:, 0]), (x[::-1], rng(3).permutation(y))):
        values.append(row.function(a, b, **knobs, **({"rng": rng()} if row.random else {})))
    assert values == pytest.approx([values[0]] * 3, rel=1e-10)


@pytest.mark.parametrize("key", [k for k, row in METRICS.items() if row.needs == "samples"])
@pytest.mark.parametrize(
    ("real", "fake", "says"),
    [
        (np.zeros((9, 2)), np.zeros((9, 3)), "equally many coordinates, got 2 and 3"),
        (np.zeros((9, 2, 1)), np.zeros((9, 2)), "shape"),
        (np.zeros((9, 2)), np.full((9, 2), np.nan), "finite"),
        (np.zeros((0, 2)), np.zeros((9, 2)), "at least"),
        (np.full((9, 2), 1e200), np.zeros((9, 2)), "beyond"),
        (np.array(["a"] * 9), np.zeros(9), "numbers"),
    ],
)
def test_every_metric_refuses_points_that_are_none(key, real, fake, says):
    row = METRICS[key]
    with pytest.raises(ValueError, match=says):
        row.function(real, fake, **({"rng": rng()} if row.random else {}))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda x: neighbours(x, x, 0), "k must be"),
        (lambda x: neighbours(x, x, 9), "k must be"),
        (lambda x: neighbours(x, x, 1, "half"), "balls must be"),
        (lambda x: kl(x, x, k=9), "k must be"),
        (lambda x: kl(np.zeros(9), x, k=2), "at its own place"),
        (lambda x: neighbours(np.zeros(30_000), x, 1), "too many"),
        (lambda x: mmd2(x, x, bandwidth=0.0), "bandwidth"),
        (lambda x: kid(x, x, rng=rng(), subsets=0), "subsets"),
        (lambda x: sliced_w2_squared(x, x, rng=rng(), projections=0), "projection"),
        (lambda x: parzen(x, x, sigma=-1.0), "width"),
        (lambda x: parzen(x, x, sigmas=()), "width"),
        (lambda x: parzen(x[:2], x), "at least 2"),
        (lambda x: inception_scores(x), "class probabilities"),
        (lambda x: inception_scores(np.full((3, 2), 0.4)), "sum to 1"),
        (lambda x: inception_scores(np.eye(2), splits=3), "splits"),
        (lambda x: METRICS["frechet"].function(x, x, ddof=2), "ddof"),
        (lambda x: mmd2_laws(parse("U(0,1)"), normal(0, 1), bandwidth=1.0), "mixtures of normals"),
        (lambda x: mmd2_laws(RING, normal(0, 1), bandwidth=1.0), "dimensions"),
        (lambda x: METRICS["w1"].laws(RING, GRID), "in the plane"),
        (lambda x: mode_probabilities(x, RING), "do not fit"),
        (lambda x: reverse_kl_floor(0, np.ones(1)), "n >= 1"),
        (lambda x: reference("nonsense", RING, 10, rng()), "unknown metric"),
        (lambda x: reference("modes", parse("moons"), 10, rng()), "mixtures of normals"),
        (lambda x: reference("inception_score", parse("moons"), 10, rng()), "mixture of normals"),
        (lambda x: reference("frechet", RING, 10, rng(), draws=38), "at least 39 draws"),
        (lambda x: reference("frechet", 7, 10, rng()), "sampled"),
        (lambda x: reference("modes", RING, 10, rng(), box=[(0, 1)]), "pairs"),
        (lambda x: uniform_noise(3, [(1, 0)], rng()), "box"),
    ],
)
def test_bad_knobs_are_refused_in_a_sentence(call, says):
    with pytest.raises(ValueError, match=says):
        call(np.arange(9.0))


def test_thinning_keeps_both_ends_of_a_sorted_set():
    kept = thinned(points(np.arange(1000.0), "points"), 10)[:, 0]
    assert len(kept) == 10 and kept[0] == 0 and kept[-1] == 900


# --- references


def test_the_floor_of_the_reverse_kl_is_the_recorded_one():
    case = CASES["reverse_KL_sampling_floor"]
    for n, k, want in zip(
        case["inputs"]["N"], case["inputs"]["K"], case["expected"]["E_KL_hist_vs_uniform"], strict=True
    ):
        assert reverse_kl_floor(n, np.full(k, 1 / k)) == pytest.approx(want, abs=1e-9)


def test_the_floor_with_good_points_only_and_unequal_weights_is_what_draws_give():
    weights, n, q = np.array([0.5, 0.3, 0.15, 0.05, 0.0]), 60, 0.8
    counts = rng().multinomial(n, np.append(weights * q, 1 - q), size=200_000)[:, :-1]
    draws = reverse_kl(counts, weights)
    assert abs(reverse_kl_floor(n, weights, q) - draws.mean()) < 4 * draws.std() / math.sqrt(200_000)
    # where so many points are tallied that not every number of them is summed over: the leading term, to 1e-3 of it
    assert reverse_kl_floor(50_000, np.full(8, 1 / 8), q) == pytest.approx(7 / (2 * 50_000 * q), rel=1e-3)


def test_a_perfect_generators_references_are_the_exact_ones_of_the_published_sizes():
    """2,500 points: high quality 98.89 +- 0.41 %, and 2 n rKL is chi^2 with K - 1 degrees (to first order, 3 %)."""
    for target, k in ((RING, 8), (GRID, 25)):
        known = mode_references(target, 2500, rng(), rule="self-conditioned")
        got = known["reverse_kl"].perfect
        assert got.exact and got.mean == pytest.approx((k - 1) / 5000, rel=0.03)
        assert [got.low, got.high] == pytest.approx(stats.chi2.ppf([0.025, 0.975], k - 1) / 5000, rel=0.05)
        known = mode_references(target, 2500, rng(), rule="pacgan")
        quality = known["high_quality"].perfect
        assert quality.mean == pytest.approx(
            expected("high_quality_ceiling_perfect_generator")["euclid_2d"][2], abs=1e-12
        )
        assert [quality.low, quality.high] == pytest.approx([0.98889 - 0.0041, 0.98889 + 0.0041], abs=5e-4)
        assert known["modes"].perfect.mean == pytest.approx(k, abs=1e-9)


@pytest.mark.parametrize("rule", MODE_RULES)
def test_formulas_of_the_perfect_generator_agree_with_drawn_points(rule):
    """60 points on 8 modes of unequal weight, so that the floor is not small and modes are missed; 600 draws."""
    weights = np.array([0.4, 0.3, 0.1, 0.1, 0.04, 0.03, 0.02, 0.01])
    law = Mixture2D(("normal",) * 8, weights, RING.locs, RING.factors, np.zeros(8))
    known = mode_references(law, 60, rng(), rule=rule)
    draw = rng(1)
    reports = [mode_report(law.sample(60, draw), law, rule) for _ in range(600)]
    for key, name in (("modes", "modes"), ("high_quality", "quality"), ("reverse_kl", "reverse_kl")):
        drawn = np.array([getattr(r, name) for r in reports], float)
        band = known[key].perfect
        assert band.exact and abs(band.mean - drawn.mean()) < 4 * drawn.std() / math.sqrt(600) + 1e-12, key
        assert band.low <= band.mean <= band.high
        assert np.mean((drawn >= band.low) & (drawn <= band.high)) > 0.92


@pytest.mark.parametrize(
    ("target", "half", "modes", "quality"),
    [(GRID, 5.0, 20.7, 0.0177), (RING, 1.5, 4.35, 0.0025)],
)
def test_noise_covers_as_many_modes_as_published(target, half, modes, quality):
    """Published are means over some draws of 2,500 points. The second route is exact: a ball of radius 3 std is hit
    with probability area / box, here told by 250,000 points: to 1.5 and 4 % of itself, the modes to 0.06 and 0.12."""
    box = ((-half, half),) * 2
    known = mode_references(target, 2500, rng(), rule="veegan", box=box)
    hit = math.pi * (3 * target.factors[0, 0, 0]) ** 2 / (2 * half) ** 2
    k = len(target.weights)
    assert known["modes"].noise.mean == pytest.approx(modes, abs=0.5)
    assert known["modes"].noise.mean == pytest.approx(k * (1 - (1 - hit) ** 2500), abs=0.5)
    four = 4 / math.sqrt(250_000 * k * hit)  # standard errors
    assert known["high_quality"].noise.mean == pytest.approx(k * hit, rel=four)
    assert known["high_quality"].noise.mean == pytest.approx(quality, rel=four)
    stricter = mode_references(target, 2500, rng(), rule="gantoys", box=box)
    assert stricter["modes"].noise.mean < 0.1


def test_a_normal_fitted_to_the_moments_covers_as_many_modes_as_published():
    """17.7 of 25 at 1.52 %, 4.50 of 8 at 0.26 %; 60 draws, standard errors 0.25 and 0.16 modes."""
    for target, modes, quality in ((GRID, 17.7, 0.0152), (RING, 4.50, 0.0026)):
        std = math.sqrt(np.mean(target.modes**2) + target.factors[0, 0, 0] ** 2)
        reports = [mode_report(std * rng(s).standard_normal((2500, 2)), target, "veegan") for s in range(60)]
        assert np.mean([r.modes for r in reports]) == pytest.approx(modes, abs=0.8)
        assert np.mean([r.quality for r in reports]) == pytest.approx(quality, rel=0.08)


def test_modes_that_overlap_are_drawn_and_not_computed():
    close = parse("0.5*N(0,1)+0.5*N(2,1)")
    assert far_apart(RING) and far_apart(normal(0, 1)) and not far_apart(close)
    known = mode_references(close, 200, rng())
    # a point far from its own mode may be near the other one
    assert not known["high_quality"].perfect.exact
    assert known["high_quality"].perfect.mean == pytest.approx(1 - 1.5 * 0.0027 / 2, abs=0.002)
    assert modes_mean(10, RING, MODE_RULES["share-1%"]) == pytest.approx(8 * (1 - (1 - 0.98889 / 8) ** 10), abs=1e-4)


@pytest.mark.parametrize("key", METRICS)
def test_every_metric_has_a_reference_in_which_noise_is_worse(key):
    target = parse("ring(4,radius=2,std=0.1)")
    knobs = {"rule": "pacgan"} if METRICS[key].needs == "mixture" else {"projections": 8} if "sliced" in key else {}
    got, again = (reference(key, target, 60, rng(3), draws=39, noise_draws=39, **knobs) for _ in range(2))
    assert got == again and got.metric == key and got.n == 60
    assert got.perfect.low - 1e-6 <= got.perfect.mean <= got.perfect.high + 1e-6
    assert got.noise.low <= got.noise.mean <= got.noise.high
    # noise is so far off that 39 draws of 60 points do not blur it
    lower = METRICS[key].direction == "lower"
    if key in ("recall", "inception_score"):  # noise gets everywhere, and nobody asks the latter whether it should
        assert got.noise.mean > 0.75 * got.perfect.mean
    else:
        assert got.noise.mean > got.perfect.mean if lower else got.noise.mean < got.perfect.mean


def test_a_reference_takes_a_function_that_draws_real_points():
    got = reference("frechet", lambda n, r: r.standard_normal((n, 3)), 50, rng(), draws=39)
    assert len(got.box) == 3 and got.perfect.mean < got.noise.mean
    assert noise_box(normal(0, 1), 10, rng()) == ((-4.8, 4.8),)


def test_the_package_is_imported_quickly():
    """None of scipy's slow parts comes along: they are imported where they are used."""
    slow = "('scipy.stats', 'scipy.optimize', 'scipy.spatial', 'torch')"
    code = f"import sys, gantoys.metrics; print(*[m for m in {slow} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == ""
