"""Divergences against closed forms, independent quadrature, SciPy and their definitions."""

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.spatial.distance import jensenshannon

from gantoys.maths import (
    DIVERGENCES,
    Finite,
    divergence_slopes,
    divergences,
    normal,
    optimal_discriminator,
    parse,
    w1,
    w2_squared,
)
from gantoys.maths.gradients import location_scale
from tests.oracles import CASES, close, mixture

KEYS = {
    "KL_p_q": "kl",
    "KL_q_p": "reverse_kl",
    "JS": "js",
    "V_Dstar": "value",
    "TV": "tv",
    "Hellinger2": "hellinger2",
    "chi2_p_q": "chi2",
}
ON_THE_LINE = [n for n, c in CASES.items() if c["group"] == "continuous_1d" and "weights" in c["inputs"]["p_data"]]
IN_THE_PLANE = {
    "ring8_R2_s0.2_vs_gauss_s1.4": ("ring(8,radius=2,std=0.2)", "N([0,0],1.4)"),
    "gauss2d_0_vs_(1,-1)": ("N([0,0],1)", "N([1,-1],1)"),
}


def values(p, q, keys=None):
    return {k: float(v.value) for k, v in divergences(p, q, keys).items()}


@pytest.mark.parametrize("name", ON_THE_LINE)
def test_line_divergences_match_independent_quadrature(name):
    case = CASES[name]
    p, q = mixture(case["inputs"]["p_data"]), mixture(case["inputs"]["p_G"])
    got = values(p, q)
    for key, ours in KEYS.items():
        close(name, key, got[ours], case["expected"][key])
    close(name, "W1", float(w1(p, q).value), case["expected"]["W1"])
    close(name, "W2_squared", float(w2_squared(p, q).value), case["expected"]["W2_squared"])
    for x, want in case["expected"]["Dstar_at"].items():
        close(name, "Dstar_at", float(optimal_discriminator(p, q, np.array([float(x)])).value[0]), want)


@pytest.mark.parametrize("name", IN_THE_PLANE)
def test_plane_divergences_match_independent_quadrature(name):
    p, q = (parse(text) for text in IN_THE_PLANE[name])
    got = values(p, q)
    for key, want in CASES[name]["expected"].items():
        if (name, key) == ("ring8_R2_s0.2_vs_gauss_s1.4", "KL_q_p"):
            # the recorded value was integrated over a box that cuts 1.6e-7 off the wide normal's tails
            want = 10.645054913640495
        close(name, key, got[KEYS[key]], want)


def test_rotated_ring_matches_independent_quadrature():
    name = "ring8_R2_s0.2_vs_rotated_22.5"
    p = parse("ring(8,radius=2,std=0.2)")
    angle = 2 * np.pi * (np.arange(8) + 0.5) / 8
    terms = [f"0.125*N([{float(2 * np.cos(a))!r},{float(2 * np.sin(a))!r}],0.2)" for a in angle]
    got = values(p, parse("+".join(terms)))
    for key, want in CASES[name]["expected"].items():
        close(name, key, got[KEYS[key]], want)


def test_two_point_example_matches_its_oracle():
    name = "two_point_worked_example"
    p, q = parse("P(0.5,0.5)"), parse("P(0.7,0.3)")
    got, want = values(p, q), CASES[name]["expected"]
    for key, ours in KEYS.items():
        close(name, key, got[ours], want[key])
    close(name, "W1", float(w1(p, q).value), want["W1"])
    close(name, "W2_squared", float(w2_squared(p, q).value), want["W2_squared"])
    assert optimal_discriminator(p, q).value == pytest.approx(want["Dstar"], abs=1e-12)


def test_js_is_in_nats_and_not_a_square_root():
    name = "two_point_JS_units"
    js = values(parse("P(0.5,0.5)"), parse("P(0.7,0.3)"))["js"]
    want = CASES[name]["expected"]
    close(name, "JS_nats", js, want["JS_nats"])
    close(name, "JS_bits", js / np.log(2), want["JS_bits"])
    close(name, "JS_distance_sqrt_nats", float(np.sqrt(js)), want["JS_distance_sqrt_nats"])
    close(name, "fGAN_unhalved_JS", 2 * js, want["fGAN_unhalved_JS"])
    assert js == pytest.approx(jensenshannon([0.5, 0.5], [0.7, 0.3]) ** 2, abs=1e-14)


@pytest.mark.parametrize("name", [n for n in CASES if n.startswith("mode_collapse")])
def test_collapse_to_m_of_k_modes_matches_its_closed_form(name):
    case = CASES[name]
    k, m = case["inputs"]["K"], case["inputs"]["m"]
    got = values(Finite(np.full(k, 1 / k)), Finite(np.r_[np.full(m, 1 / m), np.zeros(k - m)]))
    for key, want in case["expected"].items():
        close(name, key, got[KEYS[key]], want)


def test_packing_raises_total_variation_and_js_as_enumerated():
    name = "packing_two_point"
    case = CASES[name]
    p = q = np.ones(1)
    for i, _ in enumerate(case["inputs"]["m"]):
        p, q = np.outer(p, [0.5, 0.5]).ravel(), np.outer(q, [0.7, 0.3]).ravel()
        got = values(Finite(p), Finite(q))
        close(name, "TV", got["tv"], case["expected"]["TV"][i])
        close(name, "JS", got["js"], case["expected"]["JS"][i])


def test_shifted_uniforms_overlap_in_half():
    name = "uniform_shift_0.5"
    p, q = parse("U(0,1)"), parse("U(0.5,1.5)")
    got = values(p, q)
    for key in ("JS", "TV", "Hellinger2", "KL_p_q"):
        close(name, key, got[KEYS[key]], CASES[name]["expected"][key])
    close(name, "W1", float(w1(p, q).value), 0.5)
    close(name, "W2_squared", float(w2_squared(p, q).value), 0.25)
    assert optimal_discriminator(p, q, np.array([0.25, 0.75, 1.25, 9.0])).value.tolist() == [1.0, 0.5, 0.0, 0.5]


def test_disjoint_supports_give_log_2_and_infinities_never_nan():
    got = values(parse("U(0,1)"), parse("U(2,3)"))
    assert got["js"] == pytest.approx(np.log(2), abs=1e-12) and got["js"] <= np.log(2)
    assert got["tv"] == pytest.approx(1, abs=1e-12) and got["hellinger2"] == pytest.approx(1, abs=1e-12)
    assert [got[k] for k in ("kl", "reverse_kl", "jeffreys", "chi2", "chi2_neyman")] == [np.inf] * 5


@pytest.mark.parametrize(
    ("p", "q", "key", "infinite"),
    [
        ("T(0,1,2)", "N(0,1)", "kl", True),  # E x^2 does not exist
        ("T(0,1,3)", "N(0,1)", "kl", False),
        ("T(0,1,1)", "L(0,1)", "kl", True),
        ("T(0,1,1.5)", "L(0,1)", "kl", False),
        ("N(0,1)", "T(0,1,1)", "kl", False),
        ("L(0,1)", "N(0,1)", "chi2", True),
        ("N(0,1.41)", "N(0,1)", "chi2", False),
        ("N(0,1.42)", "N(0,1)", "chi2", True),  # 2 s_q^2 > s_p^2 is needed
        ("0.5*N(0,0.5)+0.5*N(0,1.42)", "N(0,1)", "chi2", True),
        ("L(0,1)", "L(0,0.5)", "chi2", True),
        ("L(0,1)", "L(0,0.51)", "chi2", False),
        ("U(0,1)", "N(0,1)", "kl", False),
        ("U(0,1)", "N(0,1)", "reverse_kl", True),
        ("SN(0,1,4)", "SN(0,1,-4)", "chi2", True),
        ("T([0,0],1,3)", "N([0,0],1)", "kl", False),
        ("T([0,0],1,2)", "N([0,0],1)", "kl", True),
        ("N([0,0],[1,1.5])", "N([0,0],1)", "chi2", True),
    ],
)
def test_tails_and_supports_decide_what_is_infinite(p, q, key, infinite):
    assert np.isinf(values(parse(p), parse(q), (key,))[key]) == infinite


def test_normal_closed_forms_agree_with_quadrature():
    """The same normals written as one-component and as split mixtures take the two routes."""
    p, q = parse("N(0.3,0.8)"), parse("N(-0.4,1.3)")
    split = parse("0.5*N(-0.4,1.3)+0.5*N(-0.4,1.3)")
    closed, summed = divergences(p, q), divergences(p, split)
    for key, found in closed.items():
        assert float(found.value) == pytest.approx(float(summed[key].value), abs=1e-10)
    assert closed["kl"].method == "closed form" and summed["kl"].method == "quadrature"
    name = "gaussian_closed_forms"
    got = values(parse("N(0,1)"), parse("N(1,2)"))
    for key in ("KL_p_q", "KL_q_p", "Hellinger2"):
        close(name, key, got[KEYS[key]], CASES[name]["expected"][key])
    close(name, "W2_squared", float(w2_squared(parse("N(0,1)"), parse("N(1,2)")).value), 2.0)


@pytest.mark.parametrize("p, q", [("N(0.2,0.9)", "SN(0.5,1.2,1)"), ("L(0,1)", "0.4*L(-1,1.3)+0.6*L(1,1.2)")])
def test_every_divergence_matches_scipy_quadrature_of_its_f(p, q):
    a, b = parse(p), parse(q)
    got = divergences(a, b)
    for key, row in DIVERGENCES.items():
        if not np.isfinite(float(got[key].value)):
            continue

        def integrand(x, row=row):
            dp, dq = float(a.density(np.array([x]))[0]), float(b.density(np.array([x]))[0])
            return dq * float(row.f(np.array(dp / dq))) if dq > 0 else 0.0

        want = sum(integrate.quad(integrand, lo, hi, limit=400)[0] for lo, hi in [(-25, -4), (-4, 0), (0, 4), (4, 25)])
        assert float(got[key].value) == pytest.approx(want, abs=2e-6, rel=2e-5), key


def test_error_estimates_cover_the_true_error():
    p = parse("0.5*N(-2,0.5)+0.5*N(2,0.5)")
    for name in ON_THE_LINE:
        case = CASES[name]
        found = divergences(mixture(case["inputs"]["p_data"]), mixture(case["inputs"]["p_G"]))
        for key, ours in KEYS.items():
            # exp(64) - 1, which the recorded quadrature has to 9 digits only
            want = np.expm1(64) if (name, key) == ("gauss_-2_0.5_vs_2_0.5", "chi2_p_q") else case["expected"][key]
            assert abs(float(found[ours].value) - want) <= 2 * float(found[ours].error) + 1e-13 * max(1, abs(want))
    assert float(divergences(p, p)["js"].value) == 0.0


def test_a_sweep_equals_its_rows_one_by_one():
    p, at = parse("0.5*N(-2,0.5)+0.5*L(2,0.5)"), np.linspace(-3, 3, 7)
    sweep = divergences(p, normal(at, 1.0 + 0.1 * at))
    far, farther = w1(p, normal(at, 1.2)), w2_squared(p, normal(at, 1.2))
    for i, m in enumerate(at):
        alone = divergences(p, normal(m, 1.0 + 0.1 * m))
        for key, found in sweep.items():
            assert float(found.value[i]) == pytest.approx(float(alone[key].value), rel=1e-9, abs=1e-12)
        assert float(far.value[i]) == pytest.approx(float(w1(p, normal(m, 1.2)).value), abs=1e-9)
        assert float(farther.value[i]) == pytest.approx(float(w2_squared(p, normal(m, 1.2)).value), abs=1e-6)


# --- f, conjugate, activation, critic -------------------------------------------------------------------------------

PUBLISHED = {
    "KL": ("kl", 1),
    "reverse_KL": ("reverse_kl", 1),
    "pearson": ("chi2", 1),
    "GAN": ("value", 1),
    "unhalved_JS": ("js", 2),
    "squared_hellinger": ("hellinger2", 2),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_conjugates_match_the_f_gan_paper(name):
    key, factor = PUBLISHED[name]
    case = CASES["fgan_conjugates"]
    # conjugate of c f at t is c f*(t / c)
    got = factor * DIVERGENCES[key].conjugate(np.array(case["inputs"]["t"][name]) / factor)
    assert got == pytest.approx(case["expected"][name], abs=case["tolerance"])


@pytest.mark.parametrize("key", DIVERGENCES)
def test_conjugate_is_the_supremum_by_definition(key):
    row, u = DIVERGENCES[key], np.exp(np.linspace(-14, 14, 400_001))
    for v in (-1.2, -0.3, 0.0, 0.4, 1.1):
        t = float(row.activation(np.array(v)))
        assert float(np.max(u * t - row.f(u))) == pytest.approx(float(row.conjugate(np.array(t))), abs=2e-6)
        assert float(row.fake(np.array(v))) == pytest.approx(float(row.conjugate(np.array(t))), abs=1e-12)


@pytest.mark.parametrize("key", DIVERGENCES)
def test_fenchel_equality_holds_at_the_optimal_critic(key):
    row, r = DIVERGENCES[key], np.linspace(-4, 4, 41)
    u, t = np.exp(r), row.critic(r)
    assert row.f(u) + row.conjugate(t) == pytest.approx(u * t, abs=1e-9, rel=1e-9)
    kink = r == 0
    assert t[~kink] == pytest.approx(row.slope(u)[~kink], abs=1e-9, rel=1e-9)
    assert row.activation(row.optimal_logit(r)) == pytest.approx(t, abs=1e-9, rel=1e-9)
    weighted = row.weighted_fake(np.log(0.3) + r, np.log(0.3) + 0 * r) / 0.3
    assert weighted[~kink] == pytest.approx(row.conjugate(t)[~kink], abs=1e-9, rel=1e-9)


@pytest.mark.parametrize("key", DIVERGENCES)
def test_activations_increase_and_have_the_right_slopes(key):
    row, v = DIVERGENCES[key], np.linspace(-1.9, 3, 50)
    h = 1e-6
    for f, slope in ((row.activation, row.activation_slope), (row.fake, row.fake_slope)):
        assert slope(v) == pytest.approx((f(v + h) - f(v - h)) / (2 * h), rel=1e-5, abs=1e-7)
    assert np.all(np.diff(row.activation(v)) > 0)


@pytest.mark.parametrize("parameter", ["shift", "scale"])
@pytest.mark.parametrize("q", ["0.6*N(0.4,0.8)+0.4*N(1,1.5)", "L(1,1.2)"])
def test_slopes_match_central_differences(parameter, q):
    p, q = parse("0.5*N(-2,0.5)+0.5*N(2,0.7)"), parse(q)
    slopes, h = divergence_slopes(p, q, parameter), 1e-4
    centre, scale = location_scale(q)
    moved = [
        q.affine(s * h) if parameter == "shift" else q.affine(-centre * s * h / scale, 1 + s * h / scale)
        for s in (1, -1)
    ]
    up, down = (divergences(p, m) for m in moved)
    for key, found in slopes.items():
        if np.isfinite(float(up[key].value)):
            want = (float(up[key].value) - float(down[key].value)) / (2 * h)
            # the band: TV itself is known to about 1e-11, over 2 h
            assert float(found.value) == pytest.approx(want, rel=1e-6, abs=3e-7), key


# --- transport -------------------------------------------------------------------------------------------------------


def test_finite_transport_on_the_line_matches_scipy():
    for u, v, a, b in CASES["wasserstein_1d_samples_scipy_published"]["inputs"]["cases"]:
        points = np.array(sorted({*u, *v}))
        mass = []
        for at, weight in ((u, a), (v, b)):
            w = np.ones(len(at)) if weight is None else np.array(weight, float)
            mass.append(np.array([w[np.array(at) == x].sum() for x in points]) / w.sum())
        p, q = Finite(mass[0], points), Finite(mass[1], points)
        assert float(w1(p, q).value) == pytest.approx(stats.wasserstein_distance(u, v, a, b), abs=1e-12)
        assert float(w2_squared(p, q).value) >= float(w1(p, q).value) ** 2 - 1e-12


def test_rotated_diracs_move_one_chord():
    name = "ring8_diracs_rotated_W"
    angle = 2 * np.pi * np.arange(8) / 8
    points = np.concatenate([np.stack([np.cos(a), np.sin(a)], 1) for a in (angle, angle + np.pi / 8)])
    half = np.full(8, 1 / 8)
    p, q = Finite(np.r_[half, 0 * half], points), Finite(np.r_[0 * half, half], points)
    assert float(w1(p, q).value) == pytest.approx(CASES[name]["expected"]["W1"], abs=1e-9)
    assert float(w2_squared(p, q).value) == pytest.approx(CASES[name]["expected"]["W2_squared"], abs=1e-9)


def test_parallel_lines_become_finite_laws_with_js_log_2_and_w1_theta():
    expected = CASES["parallel_lines_arjovsky"]["expected"]
    for i, theta in enumerate(CASES["parallel_lines_arjovsky"]["inputs"]["theta"]):
        z = np.linspace(0, 1, 5)
        points = np.array([[0.0, y] for y in z] + [[theta, y] for y in z]) if theta else np.array([[0.0, y] for y in z])
        p = np.full(5, 0.2)
        laws = (Finite(np.r_[p, 0 * p], points), Finite(np.r_[0 * p, p], points)) if theta else (Finite(p, points),) * 2
        got = values(*laws)
        assert got["js"] == pytest.approx(expected["JS"][i], abs=1e-12)
        assert got["kl"] == float(expected["KL"][i]) and got["tv"] == pytest.approx(expected["TV"][i])
        assert float(w1(*laws).value) == pytest.approx(expected["W1"][i], abs=1e-9)


def test_w2_between_normals_in_the_plane_is_bures():
    a, b = np.array([[1.0, 0.9], [0.9, 1.0]]), np.array([[1.0, -0.9], [-0.9, 1.0]])
    p, q = parse(f"N([0,0],{a.tolist()})"), parse(f"N([0,0],{b.tolist()})")
    assert float(w2_squared(p, q).value) == pytest.approx(
        CASES["frechet_2d_correlated_same_marginals"]["expected"]["FD"], abs=1e-9
    )
    assert w1(p, q) is None


def test_transport_against_a_large_sorted_sample():
    """Band: three standard errors of 400,000 draws."""
    p, q, rng = parse("SN(0,1,4)"), parse("L(0,1)"), np.random.default_rng(0)
    x, y = np.sort(p.sample(400_000, rng)), np.sort(q.sample(400_000, rng))
    assert float(w1(p, q).value) == pytest.approx(np.mean(np.abs(x - y)), abs=6e-3)
    assert float(w2_squared(p, q).value) == pytest.approx(np.mean((x - y) ** 2), abs=2e-2)


def test_heavy_tails_have_infinite_transport_costs_unless_shared():
    assert np.isinf(float(w1(parse("T(0,1,1)"), parse("N(0,1)")).value))
    assert float(w1(parse("T(0,1,1)"), parse("T(3,1,1)")).value) == 3.0
    assert np.isinf(float(w2_squared(parse("T(0,1,2)"), parse("N(0,1)")).value))
    assert np.isfinite(float(w2_squared(parse("T(0,1,2.5)"), parse("N(0,1)")).value))


def test_different_spaces_and_samplers_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match="different spaces"):
        divergences(parse("N(0,1)"), parse("N([0,0],1)"))
    with pytest.raises(ValueError, match="no exact density"):
        divergences(parse("moons"), parse("N([0,0],1)"))
    with pytest.raises(ValueError, match="unknown divergence"):
        divergences(parse("N(0,1)"), parse("N(0,1)"), ("nope",))
