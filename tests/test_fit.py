"""Best normals against the oracles, closed forms and plain sums; the Fisher divergence by closed forms and SciPy."""

import json
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats
from test_readme import of

from gantoys.__main__ import main
from gantoys.maths import Mixture1D, Mixture2D, divergences, mix, normal, parse, w1, w2_squared
from gantoys.maths.fisher import PLANE_SCORES, fisher_divergence, plane_score
from gantoys.maths.fit import FIT_KEYS, fit_normal
from gantoys.maths.kinds import PLANE_KINDS
from tests.oracles import CASES, mixture

NAMES = {"kl": "kl", "rkl": "reverse_kl", "js": "js", "jeffrey": "jeffreys", "pearson": "chi2", "w2": "w2_squared"}
ORACLES = ("fit_fgan_mixture_recovered", "fit_bimodal_symmetric")


def law(text: str) -> Mixture1D:
    found = parse(text)
    assert isinstance(found, Mixture1D)
    return found


def value_of(p: Mixture1D, q: Mixture1D, key: str) -> np.ndarray:
    if key in ("w1", "w2_squared"):
        found = (w1 if key == "w1" else w2_squared)(p, q)
        assert found is not None
        return found.value
    return divergences(p, q, (key,))[key].value


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


# --- the fits --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fits() -> dict:
    """The fits of all keys to the two mixtures of the oracles."""
    return {name: fit_normal(mixture(CASES[name]["inputs"]["p_data"])) for name in ORACLES}


@pytest.mark.parametrize("name", ORACLES)
def test_every_local_minimum_of_the_oracle_is_found_and_no_other(name, fits):
    case = CASES[name]
    for short, key in NAMES.items():
        want, got = case["expected"][short], fits[name][key]
        value = want.get("value", want.get("value_W2_squared"))
        # the lowest may have an equal twin on the other side of a symmetric law: |mu|
        wanted = [[want["mu"], want["sigma"], value], *want.get("other_local_minima", [])]
        found = [[m.mu, m.sigma, m.value] for m in got.minima]
        assert len(found) == len(wanted), key
        order = lambda rows: sorted(rows, key=lambda row: (round(row[2], 6), row[0]))  # noqa: E731
        assert np.array(order(found)) == pytest.approx(np.array(order(wanted)), abs=case["tolerance"]), key


def test_the_fits_are_those_of_the_f_gan_papers_table(fits):
    """Nowozin et al. 2016, table 2, the row of D*; their JS is twice ours. Band: the mixture is known to 3.5e-4."""
    table = {
        "kl": (0.2831, 1.0100, 1.8308), "reverse_kl": (0.2480, 1.5782, 1.6319), "js": (0.1280 / 2, 1.3070, 1.7542),
        "jeffreys": (0.5705, 1.3218, 1.7034), "chi2": (0.6457, 0.5737, 1.9274),
    }  # fmt: skip
    for key, want in table.items():
        got = fits[ORACLES[0]][key]
        assert (got.value, got.mu, got.sigma) == pytest.approx(want, abs=4e-4), key


@pytest.mark.parametrize("name", ORACLES)
def test_around_every_minimum_the_divergence_is_larger(name, fits):
    p, angle = mixture(CASES[name]["inputs"]["p_data"]), np.linspace(0, 2 * np.pi, 16, endpoint=False)
    for key, fit in fits[name].items():
        assert fit.minima and list(fit.minima) == sorted(fit.minima, key=lambda m: round(m.value, 7))
        for m in fit.minima:
            around = normal(m.mu + 0.02 * m.sigma * np.cos(angle), m.sigma * np.exp(0.02 * np.sin(angle)))
            rise = value_of(p, around, key) - m.value
            # half the least curvature times the radius squared; a quarter of it leaves room for third derivatives
            assert np.all(rise > 0.25 * m.curvature * 0.02**2 * 0.5), key
            assert m.slope < 1e-6 and m.error < 1e-8


@pytest.mark.parametrize("key", ["tv", "hellinger2", "chi2_neyman", "w1", "js"])
def test_the_lowest_minimum_is_the_one_of_a_plain_sum_and_nelder_mead(key):
    p, x = law("0.3*SN(-2,0.9,3)+0.7*N(1,1.2)"), np.linspace(-14, 14, 5601)
    density, cdf, dx = p.density(x), p.cdf(x), x[1] - x[0]

    def plain(theta: np.ndarray) -> float:
        z = (x - theta[0]) / np.exp(theta[1])
        q = np.exp(-0.5 * z * z - theta[1]) / np.sqrt(2 * np.pi)
        terms = {
            "tv": lambda: 0.5 * np.abs(density - q), "hellinger2": lambda: 0.5 * (np.sqrt(density) - np.sqrt(q)) ** 2,
            "chi2_neyman": lambda: (density - q) ** 2 / density, "w1": lambda: np.abs(cdf - special.ndtr(z)),
            "js": lambda: 0.5 * sum(special.rel_entr(d, 0.5 * (density + q)) for d in (density, q)),
        }  # fmt: skip
        return float(np.sum(terms[key]()) * dx)

    starts = [(0.0, 0.5), (1.0, 0.2), (-1.5, -0.5)]
    options = {"xatol": 1e-8, "fatol": 1e-13}
    ends = [optimize.minimize(plain, start, method="Nelder-Mead", options=options) for start in starts]
    best = min(ends, key=lambda end: end.fun)
    got = fit_normal(p, (key,))[key]
    # the sum over kinks has an error of dx^2; a minimum moves by the root of a value's error at most
    assert got.value == pytest.approx(best.fun, abs=2e-6)
    assert (got.mu, got.sigma) == pytest.approx((best.x[0], np.exp(best.x[1])), abs=2e-3)


def test_fits_with_closed_forms():
    cauchy = fit_normal(law("T(0,1,1)"), ("chi2_neyman",))["chi2_neyman"]
    # int q^2/p = pi int (1 + x^2) q^2 = sqrt(pi) / 2 (1/s + s/2)
    assert (cauchy.sigma, cauchy.value) == pytest.approx((np.sqrt(2), np.sqrt(np.pi / 2) - 1), abs=1e-8)
    laplace = fit_normal(law("L(3,2)"), ("reverse_kl", "kl"))
    # E_q |x - 3| = s sqrt(2/pi) for a centred q
    assert (laplace["reverse_kl"].mu, laplace["reverse_kl"].sigma) == pytest.approx(
        (3, 2 * np.sqrt(np.pi / 2)), abs=1e-7
    )
    assert (laplace["kl"].mu, laplace["kl"].sigma) == pytest.approx((3, 2 * np.sqrt(2)), abs=1e-12)
    # E U Phi^-1(U) = 1 / (2 sqrt(pi)); the rest of the variance is the distance
    flat = fit_normal(law("U(0,1)"), ("w2_squared",))["w2_squared"]
    want = (0.5, 0.5 / np.sqrt(np.pi), 1 / 12 - 0.25 / np.pi)
    assert (flat.mu, flat.sigma, flat.value) == pytest.approx(want, abs=1e-9)


def test_fits_move_with_shift_and_unit():
    p, keys = law("0.4*N(-1,0.5)+0.6*L(2,0.7)"), ("reverse_kl", "js", "w1", "w2_squared")
    there, here = fit_normal(p.affine(1e4, 1e3), keys), fit_normal(p, keys)
    for key, power in zip(keys, (0, 0, 1, 2), strict=True):
        assert len(there[key].minima) == len(here[key].minima)
        for far, near in zip(there[key].minima, here[key].minima, strict=True):
            assert far.mu == pytest.approx(1e4 + 1e3 * near.mu, rel=1e-8)
            assert far.sigma == pytest.approx(1e3 * near.sigma, rel=1e-6)
            assert far.value == pytest.approx(1e3**power * near.value, rel=1e-7)


def test_a_normal_is_its_own_best_fit_under_everything():
    for text in ("N(3,0.2)", "SN(3,0.2,0)", "0.5*N(3,0.2)+0.5*N(3,0.2)"):
        for fit in fit_normal(law(text)).values():
            assert (fit.mu, fit.sigma, fit.value, fit.others) == (3, 0.2, 0, ())


def test_infinite_divergences_have_no_fit():
    cauchy, flat = fit_normal(law("T(0,1,1)")), fit_normal(law("U(0,1)"))
    for fits, infinite in (
        (cauchy, ("kl", "jeffreys", "chi2", "w1", "w2_squared")),
        (flat, ("reverse_kl", "jeffreys")),
    ):
        for key in infinite:
            assert np.isinf(fits[key].value) and np.isnan(fits[key].mu) and fits[key].minima == ()
        assert all(fits[key].minima for key in ("js", "tv", "hellinger2"))


def test_minima_without_a_slope_of_zero_are_found_directly_and_say_so():
    # a wide enough q lies above 0.7 p everywhere near the heavier mode: a plateau of total variation at 0.3
    plateau = fit_normal(law("0.3*N(1000,0.01)+0.7*N(1005,0.02)"), ("tv",))["tv"]
    assert plateau.value == pytest.approx(0.3, abs=1e-9) and plateau.mu == pytest.approx(1005, abs=0.02)
    assert 0.02 <= plateau.sigma <= 0.02 / 0.7
    # p^2 / q is integrable for sigma^2 >= 1/2 only, and the least value lies on that edge
    edge = fit_normal(law("SN(0,1,4)"), ("chi2",))["chi2"]
    assert edge.sigma == pytest.approx(np.sqrt(0.5), abs=1e-6)
    inside = normal(np.linspace(0.6, 0.9, 31)[:, None].repeat(4, 1).ravel(), np.tile([0.7072, 0.71, 0.73, 0.8], 31))
    assert np.all(value_of(law("SN(0,1,4)"), inside, "chi2") > edge.value)
    for fit in (plateau, edge):
        assert "direct search" in fit.method


def test_each_of_many_modes_is_a_minimum_of_the_reverse_kl():
    p = mix(np.full(6, 1 / 6), [normal(4.0 * k, 0.4) for k in range(6)])
    assert isinstance(p, Mixture1D)
    found = fit_normal(p, ("reverse_kl",))["reverse_kl"].minima
    for k in range(6):
        near = [m for m in found if abs(m.mu - 4 * k) < 0.05 and abs(m.sigma - 0.4) < 0.02]
        # on one mode of six KL(q||p) is log 6, less what the others' tails bring
        assert len(near) == 1 and near[0].value == pytest.approx(np.log(6), abs=1e-3)


def test_components_without_weight_change_nothing():
    p, with_none = law("0.5*N(-2,0.5)+0.5*N(2,0.5)"), law("0.5*N(-2,0.5)+0.5*N(2,0.5)+0*N(9,0.01)")
    a, b = (fit_normal(d, ("js",))["js"] for d in (p, with_none))
    assert [(m.mu, m.sigma) for m in a.minima] == [(m.mu, m.sigma) for m in b.minima]


def test_bad_fits_are_refused():
    with pytest.raises(ValueError, match="unknown divergence 'nope'"):
        fit_normal(normal(0, 1), ("nope",))
    with pytest.raises(ValueError, match="single distribution"):
        fit_normal(normal(np.array([0.0, 1.0]), 1.0))
    with pytest.raises(ValueError, match="on the line only"):
        fit_normal(parse("N([0,0],1)"))  # type: ignore[arg-type]


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_gives_every_divergence_with_its_other_minima(capsys, fits):
    text = "0.33*N(-1,0.255)+0.67*N(2,1.415)"
    assert str(law(text)) == text == str(mixture(CASES[ORACLES[0]]["inputs"]["p_data"]))
    got = as_json(capsys, "fit", text, "--family", "normal")
    assert set(FIT_KEYS) <= set(got)
    for key, fit in fits[ORACLES[0]].items():
        assert [got[key][name] for name in ("mu", "sigma", "value")] == [fit.mu, fit.sigma, fit.value]
        assert got[key]["other_minima"] == [[m.mu, m.sigma, m.value] for m in fit.others]
    assert got["reverse_kl"]["other_minima"][0] == pytest.approx([-0.954960, 0.317049, 0.989893], abs=2e-5)
    infinite = as_json(capsys, "fit", "U(0,1)")["reverse_kl"]
    assert infinite["value"] == "inf" and infinite["mu"] is None and infinite["other_minima"] == []


def test_the_command_prints_what_the_readme_says(capsys):
    ((arguments, answer),) = of("fit")
    assert main(arguments) == 0
    assert capsys.readouterr().out == answer


@pytest.mark.parametrize("text", ["N([0,0],1)", "P(0.5,0.5)", "moons", "N(0,", "N(0,-1)"])
def test_the_command_refuses_in_one_sentence(text, capsys):
    assert main(["fit", text]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["fit", "N(0,1)", "--family", "laplace"]) == 2


# --- the Fisher divergence -------------------------------------------------------------------------------------------


def test_fisher_between_normals_is_the_closed_form():
    m, s, n, t = 0.3, np.array([0.5, 1.0, 2.0]), -0.4, 1.3
    want = (1 / t**2 - 1 / s**2) ** 2 * s**2 + (m - n) ** 2 / t**4
    q = normal(n, t)
    assert fisher_divergence(normal(m, s), q).value == pytest.approx(want, rel=1e-13)
    for scale, value in zip(s, want, strict=True):  # two equal halves are the same law, but have no closed form
        halves = mix(np.array([0.5, 0.5]), [normal(m, scale)] * 2)
        found = fisher_divergence(halves, q)
        assert found.method == "quadrature" and abs(float(found.value) - value) <= float(found.error) < 1e-10


@pytest.mark.parametrize(
    ("p", "q"),
    [("SN(0,1,4)", "N(0.5,1)"), ("T(0,1,3)", "N(1,2)"), ("0.3*N(-2,0.5)+0.7*N(1,1)", "0.5*N(-1,1)+0.5*T(2,1,4)")],
)
def test_fisher_matches_scipys_quadrature_of_differences(p, q):
    a, b = law(p), law(q)

    def integrand(x: float) -> float:
        h = 1e-5 * max(1.0, abs(x))
        at = np.array([x - h, x, x + h])
        la, lb = a.log_density(at), b.log_density(at)
        return float(np.exp(la[1]) * ((la[2] - la[0] - lb[2] + lb[0]) / (2 * h)) ** 2)

    half = [0, 2, 5, 20, 100, *(10.0 ** np.arange(3, 7) if "T" in p else [])]
    ends = [-end for end in half[:0:-1]] + half
    want = sum(integrate.quad(integrand, *pair, limit=400)[0] for pair in pairwise(ends))
    # beyond X = 1e6 the density of T(0,1,3) is 3.308 x^-4 and the difference of slopes x/4: 2 * 3.308 / (16 X)
    want += 2 * 3.308 / 16e6 if "T" in p else 0.0
    assert float(fisher_divergence(a, b).value) == pytest.approx(want, rel=1e-7, abs=1e-8)


def test_fisher_between_shifted_laplace_laws():
    # the slopes differ by 2/b between the two peaks: 4/b^2 P(0 < X < d)
    found = fisher_divergence(law("L(0,2)"), law("L(1,2)"))
    assert float(found.value) == pytest.approx(4 / 4 * 0.5 * (1 - np.exp(-0.5)), abs=1e-12)


def test_fisher_is_how_fast_the_kl_falls_when_both_are_blurred():
    """De Bruijn's identity: d/dt KL(p * N(0, t) || q * N(0, t)) = -F / 2, t the variance."""
    t, h = 0.2, 1e-4

    def blurred(variance: float) -> tuple[Mixture1D, Mixture1D]:
        p = mix(np.array([0.3, 0.7]), [normal(-1, np.sqrt(0.2 + variance)), normal(2, np.sqrt(1 + variance))])
        q = mix(np.array([0.6, 0.4]), [normal(-0.5, np.sqrt(0.5 + variance)), normal(1, np.sqrt(2 + variance))])
        assert isinstance(p, Mixture1D) and isinstance(q, Mixture1D)
        return p, q

    later, earlier = (float(divergences(*blurred(t + sign * h), ("kl",))["kl"].value) for sign in (1, -1))
    assert float(fisher_divergence(*blurred(t)).value) == pytest.approx(-2 * (later - earlier) / (2 * h), rel=1e-6)


def test_fisher_hardly_sees_the_weights_of_far_modes():
    p, q = law("0.5*N(-8,0.5)+0.5*N(8,0.5)"), law("0.9*N(-8,0.5)+0.1*N(8,0.5)")
    assert float(fisher_divergence(p, q).value) < 1e-10
    assert float(divergences(p, q, ("kl",))["kl"].value) > 0.5


def test_fisher_is_infinite_where_the_tails_make_it_so():
    for df, infinite in ((1, True), (2, True), (2.5, False), (4, False)):
        assert np.isinf(float(fisher_divergence(law(f"T(0,1,{df})"), normal(0, 1)).value)) == infinite
        assert np.isfinite(float(fisher_divergence(normal(0, 1), law(f"T(0,1,{df})")).value))
    plane = [fisher_divergence(parse(f"T([0,0],1,{df})"), parse("N([0,0],1)")) for df in (2, 3)]
    # with t = 1 + r^2 / 3 an integral of powers: int_1^inf t^(-9/2) (t - 1) (3 t - 5)^2 dt / 2
    assert np.isinf(float(plane[0].value)) and float(plane[1].value) == pytest.approx(24 / 7, abs=1e-8)


def test_fisher_over_a_sweep_is_that_of_its_rows():
    p, shifts = law("0.5*N(-1,0.5)+0.5*L(1,1)"), np.array([-1.0, 0.0, 2.0])
    swept = fisher_divergence(p, law("0.5*N(-1,1)+0.5*N(1,1)").affine(shifts)).value
    rows = [float(fisher_divergence(p, law("0.5*N(-1,1)+0.5*N(1,1)").affine(s)).value) for s in shifts]
    assert swept == pytest.approx(rows, rel=1e-10)


def test_fisher_in_the_plane_adds_over_independent_coordinates():
    # p and q are products of a mixture in x and a normal in y
    p, q = parse("0.3*N([-1,0],[0.5,1])+0.7*N([1,0],[0.5,1])"), parse("N([0,0.5],[1.5,0.8])")
    in_x = fisher_divergence(law("0.3*N(-1,0.5)+0.7*N(1,0.5)"), normal(0, 1.5)).value
    in_y = fisher_divergence(normal(0, 1), normal(0.5, 0.8)).value
    found = fisher_divergence(p, q)
    assert float(found.value) == pytest.approx(float(in_x + in_y), abs=1e-8) and float(found.error) < 1e-6


def test_fisher_between_tilted_normals_in_the_plane_by_both_routes():
    a, b = np.array([[1.0, 0.6], [0.6, 2.0]]), np.array([[1.5, -0.3], [-0.3, 0.8]])
    p, q = parse(f"N([0.2,-0.1],{a.tolist()})"), parse(f"N([0,0.4],{b.tolist()})")
    pa, pb, gap = np.linalg.inv(a), np.linalg.inv(b), np.array([0.2, -0.5])
    want = np.trace((pb - pa) @ a @ (pb - pa)) + np.sum((pb @ gap) ** 2)
    assert float(fisher_divergence(p, q).value) == pytest.approx(want, rel=1e-13)
    halves = mix(np.array([0.5, 0.5]), [p, p])  # type: ignore[list-item]
    assert float(fisher_divergence(halves, q).value) == pytest.approx(want, rel=1e-8)


def test_every_smooth_law_of_the_plane_has_its_score():
    assert set(PLANE_SCORES) == {key for key, kind in PLANE_KINDS.items() if not kind.bounded}
    rng, h = np.random.default_rng(0), 1e-5
    x = rng.normal(size=(40, 2))
    tilt = np.array([[[0.8, 0.0], [0.5, 1.2]], [[1.1, 0.0], [-0.2, 0.7]]])
    for key in PLANE_SCORES:
        shape = np.full(2, 3.0)
        two = Mixture2D((key, "normal"), np.array([0.6, 0.4]), np.array([[0.1, 0.2], [1.0, -0.5]]), tilt, shape)
        steps = [two.log_density(x + h * e) - two.log_density(x - h * e) for e in np.eye(2)]
        assert plane_score(two, x) == pytest.approx(np.stack(steps, axis=1) / (2 * h), abs=1e-8), key
    assert np.all(plane_score(parse("C([0,0],1,3)"), np.zeros((1, 2))) == 0)  # type: ignore[arg-type]


def test_laws_without_a_slope_have_no_fisher_divergence():
    for p, q, why in (
        ("U(0,1)", "N(0,1)", "jumps"),
        ("P(0.5,0.5)", "P(0.5,0.5)", "finite"),
        ("moons", "N([0,0],1)", "density"),
    ):
        with pytest.raises(ValueError, match=why):
            fisher_divergence(parse(p), parse(q))  # type: ignore[arg-type]


def test_the_best_normal_for_two_flat_pieces_with_a_gap_has_the_mean_product_of_their_quantiles():
    # c = E Z F^-1(Phi(Z)); by symmetry twice the integral over z > 0 of phi(z) z (1 + 4 (Phi(z) - 1/2))
    half, _ = integrate.quad(lambda z: stats.norm.pdf(z) * z * (1 + 4 * (stats.norm.cdf(z) - 0.5)), 0, 40)
    least = fit_normal(parse("0.5*U(-3,-1)+0.5*U(1,3)"), ("w2_squared",))["w2_squared"].minima[0]
    assert least.mu == pytest.approx(0.0, abs=1e-12)
    assert least.sigma == pytest.approx(2 * half, rel=1e-7)
