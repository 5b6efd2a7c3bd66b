"""Distributions, toys and the notation: normalisation, SciPy, moments, sampling, bad input."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from gantoys.maths import TOYS, Finite, Mixture1D, Mixture2D, NotationError, mix, normal, parse
from gantoys.maths.distributions import MAX_COMPONENTS
from gantoys.maths.panels_plane import grid_lines
from gantoys.maths.quadrature import integrate_plane

LINE = ["N(0.3,1.2)", "U(-1,2)", "SN(0.5,1.5,-3)", "T(0.2,0.7,2.5)", "L(-1,0.6)", "0.2*N(-2,0.3)+0.3*U(0,1)+0.5*L(2,1)"]
PLANE = [
    "N([0,0],1.4)",
    "N([0.5,-1],[1,2])",
    "N([0,0],[[1,0.3],[0.3,2]])",
    "U([0,-1],[1,2])",
    "L([0,1],0.7)",
    "ring(8,radius=2,std=0.2)",
    "grid(5,spacing=2,std=0.3)",
    "checkerboard(4,size=1)",
    "circles(1,outer=2,std=0.1)",
    "0.3*ring(5,radius=1,std=0.2)+0.7*N([0,0],0.5)",
]


@pytest.mark.parametrize("text", LINE)
def test_line_densities_integrate_to_one_and_differentiate_the_cdf(text):
    law = parse(text)
    low, high = law.quantile(np.array([1e-9]))[0], law.quantile(np.array([1 - 1e-9]))[0]
    edges = np.linspace(low, high, 60)
    total = sum(
        integrate.quad(lambda x: float(law.density(np.array([x]))[0]), a, b, points=[0.0, 1.0] if a < 0 < b else None)[
            0
        ]
        for a, b in itertools.pairwise(edges)
    )
    assert total == pytest.approx(1, abs=3e-6)
    x, h = np.array([-0.83, 0.41, 1.7]), 1e-6
    assert (law.cdf(x + h) - law.cdf(x - h)) / (2 * h) == pytest.approx(law.density(x), rel=1e-6, abs=1e-9)
    assert law.cdf(x) + law.sf(x) == pytest.approx(1, abs=1e-14)
    slope = (law.log_density(x + h) - law.log_density(x - h)) / (2 * h) if np.all(law.density(x) > 0) else None
    if slope is not None:
        assert law.score(x) == pytest.approx(slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("text", LINE)
def test_quantiles_undo_the_cdf(text):
    law, u = parse(text), np.array([1e-12, 1e-4, 0.1, 0.2, 0.5, 0.77, 0.999])
    assert law.cdf(law.quantile(u)) == pytest.approx(u, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("text", [*LINE, "SN(-1,2,6)", "SN(0,1,-40)", "0.33*N(-1,0.255)+0.67*SN(2,1.415,9)"])
def test_no_rounding_leads_out_of_the_range_of_a_probability(text):
    law, x = parse(text), np.linspace(-40, 40, 400_001)
    for tail in (law.cdf(x), law.sf(x)):
        assert np.all((tail >= 0) & (tail <= 1))


def test_standard_laws_match_scipy():
    x = np.array([-37.0, -3.2, -0.4, 0.0, 0.9, 5.5, 40.0])
    pairs = {
        "N(0.3,1.2)": stats.norm(0.3, 1.2),
        "U(-1,2)": stats.uniform(-1, 3),
        "T(0.2,0.7,2.5)": stats.t(2.5, 0.2, 0.7),
        "L(-1,0.6)": stats.laplace(-1, 0.6),
    }
    for text, theirs in pairs.items():
        ours = parse(text)
        assert ours.log_density(x) == pytest.approx(theirs.logpdf(x), rel=1e-10, abs=1e-12), text
        assert ours.cdf(x) == pytest.approx(theirs.cdf(x), rel=1e-10, abs=1e-15), text
        assert float(ours.mean) == pytest.approx(theirs.mean()) and float(ours.std) == pytest.approx(theirs.std())
    skew = stats.skewnorm(-3, 0.5, 1.5)
    near = x[1:-1]
    assert parse("SN(0.5,1.5,-3)").density(near) == pytest.approx(skew.pdf(near), rel=1e-9, abs=1e-15)
    assert parse("SN(0.5,1.5,-3)").cdf(near) == pytest.approx(skew.cdf(near), abs=1e-12)
    plane = parse("N([0,0.5],[[1,0.3],[0.3,2]])")
    at = np.array([[0.0, 0.0], [1.0, -2.0], [3.0, 3.0]])
    assert plane.log_density(at) == pytest.approx(stats.multivariate_normal([0, 0.5], [[1, 0.3], [0.3, 2]]).logpdf(at))
    heavy = parse("T([0,0.5],[[1,0.3],[0.3,2]],4)")
    assert heavy.log_density(at) == pytest.approx(stats.multivariate_t([0, 0.5], [[1, 0.3], [0.3, 2]], 4).logpdf(at))


@pytest.mark.parametrize("text", PLANE)
def test_plane_densities_integrate_to_one(text):
    law = parse(text)
    x, y = grid_lines(law)
    found = integrate_plane(lambda at: law.density(at)[None], x, y, tolerance=np.array([1e-8]))
    assert found.value[0, 0] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("text", [*LINE, *PLANE])
def test_samples_follow_the_density(text):
    """A chi-square test over equally likely cells (1D) or of the log-density's mean (2D); fixed seed, 5 sigma bands."""
    law, rng = parse(text), np.random.default_rng(3)
    x = law.sample(20_000, rng)
    if isinstance(law, Mixture1D):
        counts, _ = np.histogram(law.cdf(x), bins=40, range=(0, 1))
        assert abs(np.sum((counts - 500) ** 2 / 500) - 39) < 5 * np.sqrt(2 * 39)
        return
    a, b = grid_lines(law)

    def moments(at):
        with np.errstate(divide="ignore"):
            log = np.where(law.density(at) > 0, law.log_density(at), 0.0)
        return np.stack([law.density(at) * log, law.density(at) * log**2])

    first, second = integrate_plane(moments, a, b, tolerance=np.array([1e-7] * 2)).value[:, 0]
    band = 5 * np.sqrt(max(second - first**2, 0) / len(x)) + 1e-4
    assert np.mean(law.log_density(x)) == pytest.approx(first, abs=band)


def test_ring_has_eight_distinct_modes_at_equal_angles():
    modes = parse("ring(8,radius=2,std=0.02)").modes
    assert len(np.unique(modes.round(9), axis=0)) == 8
    turn = np.diff(np.unwrap(np.arctan2(modes[:, 1], modes[:, 0])))
    assert turn == pytest.approx(np.full(7, np.pi / 4)) and np.hypot(*modes.T) == pytest.approx(np.full(8, 2.0))


@pytest.mark.parametrize("key", TOYS)
def test_every_toy_samples_inside_its_box_and_survives_its_notation(key):
    row = TOYS[key]
    toy = row.make(**row.defaults)
    x = toy.sample(3000, np.random.default_rng(1))
    assert x.shape == ((3000,) if toy.dim == 1 else (3000, 2)) and np.all(np.isfinite(x))
    inside = (
        (x > toy.box[0]) & (x < toy.box[1])
        if toy.dim == 1
        else (x[:, 0] > toy.box[0]) & (x[:, 0] < toy.box[1]) & (x[:, 1] > toy.box[2]) & (x[:, 1] < toy.box[3])
    )
    assert np.mean(inside) > 0.97
    again = parse(str(toy))
    assert str(again) == str(toy)
    assert np.array_equal(again.sample(50, np.random.default_rng(7)), toy.sample(50, np.random.default_rng(7)))
    assert parse(key).dim == toy.dim == row.dim


def test_samplers_have_no_density_and_say_so():
    with pytest.raises(ValueError, match="no exact density"):
        parse("moons").log_density(np.zeros((1, 2)))


def test_a_sweep_is_its_rows():
    at = np.array([-1.0, 0.5, 2.0])
    law = mix(np.array([0.3, 0.7]), [normal(at, 0.5), parse("L(1,2)")])
    x = np.linspace(-3, 3, 11)
    for i, m in enumerate(at):
        alone = parse(f"0.3*N({m},0.5)+0.7*L(1,2)")
        for name in ("log_density", "cdf", "sf", "score"):
            assert getattr(law, name)(x)[i] == pytest.approx(getattr(alone, name)(x), rel=1e-12, abs=1e-14)
        assert law.take(np.array([i])).log_density(x)[0] == pytest.approx(alone.log_density(x))
    assert law.batch == (3,) and parse("N(0,1)").affine(at).batch == (3,)


def test_affine_maps_move_location_and_scale():
    law = parse("0.3*N(-1,0.5)+0.7*T(1,0.4,3)").affine(2.0, 3.0)
    x = np.array([-2.0, 1.0, 6.0])
    assert law.density(x) == pytest.approx(parse("0.3*N(-1,0.5)+0.7*T(1,0.4,3)").density((x - 2) / 3) / 3)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("NLT"), st.floats(-5, 5), st.floats(0.05, 4), st.floats(0.05, 1)),
        min_size=1,
        max_size=5,
    )
)
def test_notation_round_trips(parts):
    total = sum(w for *_, w in parts)
    tail = {"N": "", "L": "", "T": ",3"}
    text = "+".join(f"{w / total!r}*{k}({m!r},{s!r}{tail[k]})" for k, m, s, w in parts)
    law = parse(text)
    x = np.linspace(-6, 6, 9)
    assert parse(str(law)).log_density(x) == pytest.approx(law.log_density(x), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "says", "position"),
    [
        ("foo(1)", "unknown distribution 'foo'", 0),
        ("N(0,-1)", "must be positive", 0),
        ("0.5*N(0,1)+0.5*N(0,-1)", "must be positive", 15),
        ("0.5*N(0,1)+0.6*N(1,1)", "sum to 1", 0),
        ("0*N(0,1)+0*N(1,1)", "sum to 1", 0),
        ("-1*N(0,1)+2*N(0,1)", "not be negative", 0),
        ("N(nan,1)", "expected a number", 2),
        ("N(0,inf)", "expected a number", 4),
        ("N(0,1", "expected ','", 5),
        ("N(0 1)", "expected ','", 4),
        ("N(0,1)+", "expected a distribution", 7),
        ("N(0,1)$", "does not belong", 6),
        ("N(1e999,1)", "too large", 2),
        ("N()", "is missing", 0),
        ("N(0,1,2)", "at most 2", 0),
        ("N(0,sd=1)", "no parameter 'sd'", 0),
        ("U(1,0)", "low < high", 0),
        ("T(0,1,0)", "degrees of freedom", 0),
        ("N([0,0],[[1,2],[2,1]])", "positive definite", 0),
        ("N([0,0,0],1)", "pair", 0),
        ("ring(1000000)", "whole number", 0),
        ("ring(2.5)", "whole number", 0),
        ("ring(8,std=0)", "positive", 0),
        ("0.5*moons+0.5*moons", "weighted sum", 0),
        ("0.5*N(0,1)+0.5*N([0,0],1)", "one dimension", 0),
        ("P(0.5)", "sum to 1", 0),
        ("P()", "at least one", 0),
        ("", "empty", 0),
        ("[[[[[[1", "expected a distribution", 0),
        ("N([[[[[[1]]]]]],1)", "nested too deeply", 6),
        ("__import__('os')", "does not belong", None),
    ],
)
def test_bad_notation_gets_one_sentence_that_points_at_the_character(text, says, position):
    with pytest.raises(NotationError) as caught:
        parse(text)
    message = str(caught.value)
    assert says in message and "\n" not in message and message.count("(at character") == 1
    if position is not None:
        assert caught.value.position == position


def test_a_million_components_are_refused_at_once():
    start = time.monotonic()
    with pytest.raises(NotationError, match="characters long"):
        parse("+".join(["0.000001*N(0,1)"] * 1_000_000))
    with pytest.raises(ValueError, match="components"):
        Mixture1D(("normal",) * 300, np.full(300, 1 / 300), np.zeros(300), np.ones(300), np.zeros(300))
    with pytest.raises(NotationError, match="components"):
        parse("+".join([f"{1 / 300!r}*N(0,1)"] * (MAX_COMPONENTS + 1)))
    assert time.monotonic() - start < 1.0


@pytest.mark.parametrize("bad", [[0.5, 0.6], [-0.5, 1.5], [np.nan, 1.0], [np.inf, 0.0], []])
def test_finite_laws_refuse_bad_probabilities(bad):
    with pytest.raises(ValueError, match=r"sum to 1|not negative|at least one"):
        Finite(np.array(bad, float))


def test_mixtures_refuse_nan_and_wrong_shapes():
    with pytest.raises(ValueError, match="positions must be finite"):
        normal(np.nan, 1)
    with pytest.raises(ValueError, match="positive and finite"):
        normal(0, np.inf)
    with pytest.raises(ValueError, match="shape"):
        Mixture1D(("normal",), np.ones((2, 2, 1)), np.zeros(1), np.ones(1), np.zeros(1))
    with pytest.raises(ValueError, match=r"\(\.\.\., 2\)"):
        parse("N([0,0],1)").log_density(np.zeros(3))
    assert isinstance(parse("N([0,0],1)"), Mixture2D)


def test_quantiles_match_scipy_deep_in_both_tails():
    u = np.array([1e-6, 1e-16, 1e-60, 1e-100])
    for text, theirs in (("N(0.3,1.2)", stats.norm(0.3, 1.2)), ("L(0,1)", stats.laplace())):
        assert parse(text).quantile(u) == pytest.approx(theirs.ppf(u), rel=1e-9)
        assert parse(text).quantile(1 - u, u) == pytest.approx(theirs.isf(u), rel=1e-9)
    heavy = parse("T(0,1,3)")  # SciPy's own quantile overflows there, its distribution function does not
    assert stats.t(3).cdf(heavy.quantile(u)) == pytest.approx(u, rel=1e-9)
    assert stats.t(3).sf(heavy.quantile(1 - u, u)) == pytest.approx(u, rel=1e-9)
    assert parse("N(0,1)").quantile(np.array([0.0, 1.0])).tolist() == [-np.inf, np.inf]
    assert parse("U(1,3)").quantile(np.array([0.0, 1.0])).tolist() == [1.0, 3.0]
    for bad in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            parse("N(0,1)").quantile(np.array([bad]))


def test_densities_far_beyond_every_scale_stay_numbers():
    with np.errstate(all="raise", under="ignore"):
        for text in (*LINE, "N(0,1e-6)"):
            assert not np.any(np.isnan(parse(text).log_density(np.array([-1e300, -1e160, 1e160, 1e300]))))
        for text in PLANE:
            assert not np.any(np.isnan(parse(text).log_density(np.array([[1e300, -1e300], [1e160, 0.0]]))))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Mixture1D(("nope",), np.ones(1), np.zeros(1), np.ones(1), np.zeros(1)), "unknown kind 'nope'"),
        (lambda: Mixture1D(("normal",), np.ones(1), np.zeros((2, 1)), np.ones((3, 1)), np.zeros(1)), "one length"),
        (lambda: normal(1e101, 1), "within 1e\\+100"),
        (lambda: normal(0, 1e-101), "between 1e-100"),
        (lambda: Mixture2D(("nope",), np.ones(1), np.zeros((1, 2)), np.eye(2)[None], np.zeros(1)), "unknown kind"),
        (lambda: Mixture2D(("normal",), np.ones(1), np.zeros((1, 2)), np.ones((1, 2, 2)), np.zeros(1)), "triangular"),
        (lambda: Mixture2D(("student-t",), np.ones(1), np.zeros((1, 2)), np.eye(2)[None], -np.ones(1)), "freedom"),
        (lambda: Mixture2D(("circle",), np.ones(1), np.zeros((1, 2)), np.eye(2)[None], np.array([np.nan])), "radius"),
        (lambda: mix(np.array([0.5, 0.5]), [normal(np.zeros(2), 1), normal(np.zeros(3), 1)]), "one length"),
        (lambda: mix(np.array([0.5, 0.5]), [normal(0, 1), parse("moons")]), "only mixtures"),
        (lambda: mix(np.array(0.5), [normal(0, 1)]), "do not fit"),
        (lambda: parse("N([0,0],1)").affine(np.ones(3)), "shift in the plane"),
        (lambda: parse("1/" * 9000), "expected"),
        (lambda: parse("P(0.5,0.5,at=[[0,1],[2]])"), "equal length"),
        (lambda: parse("moons(std=1e308)"), "between 1e-100"),
        (lambda: parse(3), "written as text"),
    ],
)
def test_constructors_answer_bad_input_with_one_sentence(make, says):
    with pytest.raises(ValueError, match=says) as caught:
        make()
    assert "\n" not in str(caught.value)
