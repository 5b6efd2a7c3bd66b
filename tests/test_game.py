"""The game: D*, V, the ledger, best replies; gradients under D* and the flow; properties over random mixtures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gantoys.maths import (
    LOSSES,
    Finite,
    best_generator,
    divergence_slopes,
    divergences,
    generator_gradients,
    gradient_flow,
    ledger,
    ledger_finite,
    mix,
    normal,
    optimal_discriminator,
    parse,
    value_at_best,
    w1,
)
from tests.oracles import CASES, close, mixture

LOG2, LOG4 = np.log(2), np.log(4)


def test_the_cheatsheet_example_prints_its_four_digits():
    p, q = parse("P(0.5,0.5)"), parse("P(0.7,0.3)")
    m = Finite((p.probabilities + q.probabilities) / 2)
    d = optimal_discriminator(p, q).value
    numbers = [*d, divergences(p, m)["kl"].value, divergences(q, m)["kl"].value, divergences(p, q)["js"].value]
    assert " ".join(f"{v:.4f}" for v in numbers) == "0.4167 0.6250 0.0204 0.0216 0.0210"


def test_values_of_weaker_discriminators_match_the_oracle():
    name = "two_point_value_suboptimal_D"
    case = CASES[name]
    p, q = parse("P(0.5,0.5)"), parse("P(0.7,0.3)")
    for key, d in (("V_D", case["inputs"]["D"]), ("V_D2", case["inputs"]["D2"])):
        book = ledger_finite(p, q, np.array(d))
        close(name, key, float(book.value), case["expected"][key])
        assert float(book.value) == pytest.approx(np.sum([0.5, 0.5] * np.log(d) + [0.7, 0.3] * np.log1p(-np.array(d))))
    best = ledger_finite(p, q, optimal_discriminator(p, q).value)
    close(name, "V_Dstar", float(best.value), case["expected"]["V_Dstar"])
    assert float(best.shortfall) == pytest.approx(0, abs=1e-15)
    assert np.isneginf(ledger_finite(p, q, np.array([0.0, 1.0])).value)
    with pytest.raises(ValueError, match=r"one probability in \[0, 1\]"):
        ledger_finite(p, q, np.array([0.5, 1.5]))


def test_d_star_between_equal_normals_is_logistic_and_right_far_out():
    case = CASES["Dstar_logistic_equal_variance"]
    p, q = normal(*case["inputs"]["p_data"]), normal(*case["inputs"]["p_G"])
    x = np.array(case["inputs"]["x"])
    assert optimal_discriminator(p, q, x).value == pytest.approx(case["expected"]["Dstar"], abs=1e-12)
    far = optimal_discriminator(normal(0, 1), normal(1, 1), np.array([-40.0, 40.0, 300.0]))
    assert far.logit == pytest.approx([40.5, -39.5, -299.5], rel=1e-12) and np.all(np.isfinite(far.value))
    with pytest.raises(ValueError, match="points x are needed"):
        optimal_discriminator(p, q)


def test_the_generators_best_reply_puts_all_mass_where_d_is_largest():
    q, value = best_generator(np.array([[0.2, 0.9, 0.9], [0.5, 0.5, 0.5]]))
    assert q == pytest.approx(np.array([[0, 0.5, 0.5], [1 / 3] * 3])) and value == pytest.approx(np.log([0.1, 0.5]))


def test_a_drawn_discriminator_is_scored_exactly():
    p, q = parse("0.5*N(-2,0.5)+0.5*N(2,0.5)"), parse("N(0,2)")
    x = np.linspace(-9, 9, 1801)
    assert float(ledger(p, q, x, np.zeros_like(x)).value) == pytest.approx(-LOG4, abs=1e-12)
    best = ledger(p, q, x, np.clip(optimal_discriminator(p, q, x).logit, -40, 40))
    assert float(best.value) == pytest.approx(float(value_at_best(p, q).value), abs=1e-6)
    slanted = ledger(p, q, np.array([-9.0, 9.0]), np.array([-3.0, 3.0]))
    grid = np.linspace(-30, 30, 600_001)
    a = np.clip(grid / 3, -3, 3)
    by_sum = np.sum(-p.density(grid) * np.logaddexp(0, -a) - q.density(grid) * np.logaddexp(0, a)) * 1e-4
    assert float(slanted.value) == pytest.approx(by_sum, abs=1e-7)
    with pytest.raises(ValueError, match="increasing"):
        ledger(p, q, np.array([1.0, 0.0]), np.zeros(2))
    with pytest.raises(ValueError, match="finite logits"):
        ledger(p, q, np.array([0.0, 1.0]), np.array([0.0, np.nan]))


@pytest.mark.parametrize("name", ["gengrad_gauss_offset3", "gengrad_bimodal_near_mode"])
def test_generator_gradients_match_the_oracle(name):
    case = CASES[name]
    got = generator_gradients(mixture(case["inputs"]["p_data"]), normal(case["inputs"]["theta"], case["inputs"]["s"]))
    close(name, "saturating_dtheta", float(got["saturating"].value), case["expected"]["saturating_dtheta"])
    close(name, "non_saturating_dtheta", float(got["non-saturating"].value), case["expected"]["non_saturating_dtheta"])


@pytest.mark.parametrize("parameter", ["shift", "scale"])
def test_each_loss_descends_what_theory_says(parameter):
    p, q = parse("0.5*N(-2,0.5)+0.5*N(2,0.7)"), parse("0.6*N(0.4,0.8)+0.4*N(1,1.5)")
    g = {k: float(v.value) for k, v in generator_gradients(p, q, parameter).items()}
    s = {k: float(v.value) for k, v in divergence_slopes(p, q, parameter).items()}
    assert g["saturating"] == pytest.approx(2 * s["js"], rel=1e-8)
    assert g["non-saturating"] == pytest.approx(s["reverse_kl"] - 2 * s["js"], rel=1e-8)
    assert g["maximum-likelihood"] == pytest.approx(s["kl"], rel=1e-8)
    assert g["hinge"] == pytest.approx(2 * s["tv"], rel=1e-7)
    assert s["value"] == pytest.approx(2 * s["js"], rel=1e-8)
    for loss, key in (
        ("kl", "kl"),
        ("reverse-kl", "reverse_kl"),
        ("jeffreys", "jeffreys"),
        ("js", "js"),
        ("tv", "tv"),
        ("hellinger", "hellinger2"),
        ("pearson", "chi2"),
    ):
        assert g[f"f-{loss}"] == pytest.approx(s[key], rel=1e-7), loss
    h = 1e-4
    centre, width = float(q.mean), float(q.std)
    moved = [q.affine(e) if parameter == "shift" else q.affine(-centre * e / width, 1 + e / width) for e in (h, -h)]
    slope = (float(w1(p, moved[0]).value) - float(w1(p, moved[1]).value)) / (2 * h)
    assert g["wasserstein"] == pytest.approx(slope, abs=1e-6)


def test_every_gradient_matches_a_direct_sum_with_d_frozen():
    """The definition: E_z l(a*(shift + scale z)) at shifted parameters with a* held, by a dense Riemann sum."""
    p, q, h = parse("0.5*N(-1,0.8)+0.5*L(1,0.9)"), normal(0.6, 0.9), 1e-4
    x = np.linspace(-28, 28, 1_400_001)
    dx = x[1] - x[0]
    r = p.log_density(x) - q.log_density(x)
    for key, row in LOSSES.items():
        if row.optimal is None or row.paired or key in ("f-pearson", "f-neyman", "f-jeffreys"):
            continue
        loss = row.generator(row.optimal(r))
        for parameter in ("shift", "scale"):
            up, down = (normal(0.6 + e, 0.9) if parameter == "shift" else normal(0.6, 0.9 + e) for e in (h, -h))
            want = np.sum((up.density(x) - down.density(x)) * np.nan_to_num(loss)) * dx / (2 * h)
            # a jump of D* falls between two points of the sum
            band = 1e-4 if key in ("hinge", "f-tv") else 1e-5
            assert float(generator_gradients(p, q, parameter, (key,))[key].value) == pytest.approx(want, rel=band), key


def test_the_relativistic_gradient_matches_a_double_sum():
    p, q, h = normal(0, 1), normal(1, 0.8), 1e-4
    x = np.linspace(-9, 9, 1801)
    r = p.log_density(x) - q.log_density(x)
    table = np.logaddexp(0, r[:, None] - r[None])  # a real at the row, a fake at the column: softplus(a_real - a_fake)
    weight = p.density(x) @ table * (x[1] - x[0]) ** 2
    up, down = normal(1 + h, 0.8), normal(1 - h, 0.8)
    want = np.sum((up.density(x) - down.density(x)) * weight) / (2 * h)
    assert float(generator_gradients(p, q, "shift", ("relativistic",))["relativistic"].value) == pytest.approx(
        want, rel=1e-5
    )


def test_saturating_gradients_die_and_non_saturating_ones_grow_with_separation():
    far = np.array([2.0, 5.0, 10.0, 20.0])
    g = generator_gradients(normal(0, 1), normal(far, 1), "shift", ("saturating", "non-saturating", "f-tv"))
    assert np.all(np.diff(g["saturating"].value) < 0) and 0 < g["saturating"].value[-1] < 1e-21
    assert g["non-saturating"].value == pytest.approx(far, rel=0.25) and 0 < g["f-tv"].value[-1] < 1e-21


def test_gradients_say_when_they_do_not_exist_and_refuse_the_plane():
    assert np.isnan(generator_gradients(normal(0, 1.5), normal(0, 1), "shift", ("f-pearson",))["f-pearson"].value)
    with pytest.raises(ValueError, match="on the line"):
        generator_gradients(parse("N([0,0],1)"), parse("N([1,0],1)"))
    with pytest.raises(ValueError, match="unknown parameter"):
        generator_gradients(normal(0, 1), normal(1, 1), "tilt")
    with pytest.raises(ValueError, match="unknown loss"):
        generator_gradients(normal(0, 1), normal(1, 1), "shift", ("nope",))


def test_gradients_of_a_generator_with_edges_are_those_its_samples_feel():
    got = float(generator_gradients(normal(0, 1), parse("U(1,2)"), "shift", ("saturating",))["saturating"].value)
    z = (np.arange(200_000) + 0.5) / 200_000
    x, h = 1 + z, 1e-5
    logit = lambda at: normal(0, 1).log_density(at)  # noqa: E731  (q is constant along its own samples)
    loss = LOSSES["saturating"].generator
    assert got == pytest.approx(np.mean(loss(logit(x + h)) - loss(logit(x - h))) / (2 * h), rel=1e-6)


def test_the_flow_goes_downhill_and_reaches_an_attainable_target():
    p = normal(0, 1)
    flow = gradient_flow(p, 3.0, 1.0, "non-saturating", duration=24, frames=21)
    js = divergences(p, flow.generators, ("js",))["js"].value
    assert flow.shift[-1] == pytest.approx(0, abs=1e-3) and flow.scale[-1] == pytest.approx(1, abs=1e-2)
    assert np.all(np.diff(js) < 1e-9) and js[-1] < 1e-5
    slow = gradient_flow(p, 6.0, 1.0, "saturating", duration=10, frames=5)
    assert slow.shift[-1] > 5
    with pytest.raises(ValueError, match="positive"):
        gradient_flow(p, 0.0, -1.0, "saturating")


# --- properties over random mixtures ---------------------------------------------------------------------------------

components = st.lists(
    st.tuples(st.sampled_from(["normal", "laplace"]), st.floats(-4, 4), st.floats(0.2, 2.5), st.floats(0.05, 1)),
    min_size=1,
    max_size=4,
)


def law(parts):
    from gantoys.maths.distributions import component

    weights = np.array([w for *_, w in parts])
    return mix(weights / weights.sum(), [component(k, m, s) for k, m, s, _ in parts])


@settings(max_examples=40, deadline=None)
@given(components, components)
def test_symmetry_bounds_and_the_value_identity(a, b):
    p, q = law(a), law(b)
    found, back = divergences(p, q), divergences(q, p)
    at = {k: float(v.value) for k, v in found.items()}
    mirrored = {k: float(v.value) for k, v in back.items()}
    for key in ("js", "tv", "hellinger2", "jeffreys"):
        assert at[key] == pytest.approx(mirrored[key], rel=1e-8, abs=1e-9)
    assert at["kl"] == pytest.approx(mirrored["reverse_kl"], rel=1e-8, abs=1e-9)
    assert at["jeffreys"] == pytest.approx(at["kl"] + at["reverse_kl"], rel=1e-8, abs=1e-9)
    assert all(v >= 0 for k, v in at.items() if k != "value") and at["js"] <= LOG2 and at["tv"] <= 1
    assert at["value"] == pytest.approx(-LOG4 + 2 * at["js"], abs=1e-9)
    assert (
        at["tv"] ** 2 / 2 <= at["js"] + 1e-9 and at["js"] <= at["tv"] * LOG2 + 1e-9
    )  # Lin 1991, theorem 3; Topsoe 2000
    assert at["hellinger2"] <= at["tv"] + 1e-9 and at["tv"] <= np.sqrt(2 * at["hellinger2"]) + 1e-9
    assert 2 * at["tv"] ** 2 <= at["kl"] + 1e-9  # Pinsker
    assert not any(np.isnan(v) for v in at.values())


@settings(max_examples=25, deadline=None)
@given(components)
def test_a_law_is_at_no_distance_from_itself(a):
    p = law(a)
    for key, found in divergences(p, p).items():
        assert float(found.value) == pytest.approx(-LOG4 if key == "value" else 0.0, abs=1e-10)
    assert float(w1(p, p).value) == pytest.approx(0, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(components, components, st.lists(st.floats(-5, 5), min_size=1, max_size=6, unique=True))
def test_data_processing_binning_never_adds_information(a, b, cuts):
    p, q = law(a), law(b)
    # bins as narrow as rounding, or beyond the range of numbers, have no mass to speak of
    at = np.unique(np.round(cuts, 3))
    at = at[np.min([p.cdf(at), p.sf(at), q.cdf(at), q.sf(at)], axis=0) > 1e-290]
    bins = []
    for d in (p, q):
        below, above = np.r_[0.0, d.cdf(at), 1.0], np.r_[1.0, d.sf(at), 0.0]
        # from the nearer tail: 12 sigma out the other one has rounded to 1
        bins.append(np.where(above[:-1] < 0.5, -np.diff(above), np.diff(below)))
    full = divergences(p, q)
    binned = divergences(*(Finite(np.maximum(m, 0) / np.maximum(m, 0).sum()) for m in bins))
    for key in ("kl", "reverse_kl", "js", "tv", "hellinger2", "chi2", "chi2_neyman", "value"):
        assert float(binned[key].value) <= float(full[key].value) + 1e-7 * (1 + abs(float(full[key].value))), key


@settings(max_examples=25, deadline=None)
@given(components, components, st.floats(-3, 3), st.floats(0.3, 3))
def test_divergences_do_not_notice_a_change_of_units(a, b, shift, scale):
    p, q = law(a), law(b)
    first, moved = divergences(p, q), divergences(p.affine(shift, scale), q.affine(shift, scale))
    for key in ("kl", "js", "tv", "hellinger2"):
        assert float(moved[key].value) == pytest.approx(float(first[key].value), rel=1e-7, abs=1e-9)
    assert float(w1(p.affine(shift, scale), q.affine(shift, scale)).value) == pytest.approx(
        scale * float(w1(p, q).value), rel=1e-7, abs=1e-9
    )


# --- hard cases of the gradients -------------------------------------------------------------------------------------


@pytest.mark.parametrize("far", [20.0, 40.0, 60.0])
def test_gradients_at_large_separations_match_their_definition(far):
    """Equal normals: a* = far^2/2 - far x, so that the gradients are far E_q D* and far E_q (1 - D*)."""
    x = np.linspace(far / 2 - 8, far / 2 + 8, 400_001)
    weight = np.exp(-0.5 * (x - far) ** 2) / np.sqrt(2 * np.pi)
    saturating = far * np.trapezoid(weight / (1 + np.exp(far * x - far**2 / 2)), x)
    found = generator_gradients(normal(0, 1), normal(far, 1), "shift", ("saturating", "non-saturating"))
    assert float(found["saturating"].value) == pytest.approx(saturating, rel=1e-9)
    assert float(found["non-saturating"].value) == pytest.approx(far - saturating, rel=1e-9)


def test_gradients_of_tiny_laws_far_from_zero_keep_their_digits():
    found = generator_gradients(normal(0, 1e-6), normal(1, 1e-6), "shift", ("f-reverse-kl",))["f-reverse-kl"]
    assert float(found.value) == pytest.approx(1e12, rel=1e-6)
    assert abs(float(found.value) - 1e12) <= float(found.error) + 1
    scale = generator_gradients(normal(0, 1e-6), normal(1, 1e-6), "scale", ("f-reverse-kl",))["f-reverse-kl"]
    assert abs(float(scale.value)) <= float(scale.error)  # -1/s + s/s^2 = 0


@pytest.mark.parametrize(("p", "q"), [("0.5*N(-20,0.5)+0.5*N(20,0.5)", "N(0,1)"), ("SN(0,1,50)", "N(0,1)")])
def test_the_relativistic_gradient_holds_where_the_ratio_is_steep(p, q):
    """The double sum's definition along samples, on a grid fine enough for the steepest ratio."""
    p, q = parse(p), parse(q)
    y, x = np.linspace(-9, 9, 30_001), np.linspace(-28, 28, 1601)
    r_y, r_x = (p.log_density(at) - q.log_density(at) for at in (y, x))
    weight = p.density(x) * (x[1] - x[0])
    told = np.array([np.sum(weight / (1 + np.exp(np.clip(r - r_x, -700, 700)))) for r in r_y])
    want = -np.trapezoid(q.density(y) * (p.score(y) - q.score(y)) * y * told, y)
    found = generator_gradients(p, q, "scale", ("relativistic",))["relativistic"]
    assert float(found.value) == pytest.approx(want, rel=2e-4)


def test_no_gradient_is_named_where_the_tails_make_its_divergence_infinite():
    heavy = generator_gradients(normal(0, 1), parse("T(0,1,1)"), "scale")
    gone = {key for key, found in heavy.items() if np.isnan(found.value)}
    assert gone == {"non-saturating", "relativistic", "wasserstein", "f-reverse-kl", "f-jeffreys", "f-neyman"}
    heavy = generator_gradients(parse("T(0,1,1)"), normal(0, 1), "shift")
    gone = {key for key, found in heavy.items() if np.isnan(found.value)}
    assert gone == {"maximum-likelihood", "relativistic", "f-kl", "f-jeffreys", "f-pearson"}
    # a mixture without a variance has no scale to move by, but it can be shifted
    wild = parse("0.5*T(0,1,1.5)+0.5*N(1,1)")
    assert np.isnan(generator_gradients(normal(0, 1), wild, "scale", ("saturating",))["saturating"].value)
    assert np.isfinite(generator_gradients(normal(0, 1), wild, "shift", ("saturating",))["saturating"].value)


def test_disjoint_uniforms_pull_no_sample_and_warn_of_nothing():
    with np.errstate(all="raise", under="ignore"):
        found = generator_gradients(parse("U(0,1)"), parse("U(2,3)"), "shift")
    assert {float(v.value) for k, v in found.items() if k != "wasserstein"} == {0.0}
    assert float(found["wasserstein"].value) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: best_generator(np.array([2.0, 0.5])), r"\[0, 1\]"),
        (lambda: best_generator(np.array([])), "at least one"),
        (lambda: ledger(normal(0, 1), normal(1, 1), np.zeros(1), np.zeros(1)), "two at least"),
        (lambda: divergences(normal(np.zeros(2), 1), normal(np.zeros(3), 1)), "one length"),
        (lambda: gradient_flow(parse("N([0,0],1)"), 0.0, 1.0, "saturating"), "on the line"),
        (lambda: gradient_flow(normal(0, 1), 0.0, 1.0, "nope"), "unknown loss"),
        (lambda: gradient_flow(normal(0, 1), np.nan, 1.0, "saturating"), "finite"),
    ],
)
def test_bad_questions_get_one_sentence(ask, says):
    with pytest.raises(ValueError, match=says) as caught:
        ask()
    assert "\n" not in str(caught.value)
