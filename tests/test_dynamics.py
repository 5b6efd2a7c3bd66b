"""The dynamics of two-player games against closed forms, published runs and second routes."""

import json
import math
import time
import warnings
from functools import partial

import numpy as np
import pytest
from scipy.integrate import quad
from test_readme import of

from gantoys.__main__ import main
from gantoys.maths import LOSSES
from gantoys.maths.dynamics import (
    REGULARISERS,
    RULES,
    bilinear,
    dirac,
    eigenvalues,
    field_jacobian,
    growth,
    stability,
    step_jacobian,
    trajectory,
    zero_sum,
)
from gantoys.maths.dynamics_dual import Dual, gradients
from tests.oracles import CASES

PUBLISHED = CASES["dirac_gan_eigenvalues"]["expected"]
NAMES = {
    "gan_or_nsgan": [("saturating", "none"), ("non-saturating", "none"), ("relativistic", "none")],
    "wgan": [("wasserstein", "none"), ("wasserstein", "clip:1")],
    "r1_gamma_0.3": [("saturating", "r1:0.3"), ("non-saturating", "r2:0.3"), ("non-saturating", "weight-decay:0.3")],
    "r1_gamma_1_critical": [("saturating", "r1:1")],
    "r1_gamma_2": [("non-saturating", "r1:2")],
    "instance_noise_sigma_0.7": [("saturating", "instance-noise:0.7"), ("non-saturating", "instance-noise:0.7")],
    "instance_noise_sigma_sqrt2_critical": [("saturating", f"instance-noise:{float(np.sqrt(2))}")],
    "consensus_gamma_1": [("saturating", "consensus:1"), ("non-saturating", "consensus:1")],
    "wgan_gp0_zero_centered_gamma_0.3": [("wasserstein", "gp0:0.3")],
}


def pairs(values):
    return np.stack([values.real, values.imag], -1)


# Eigenvalues in closed form


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_eigenvalues_of_the_dirac_gan_are_the_published_ones(name):
    want = PUBLISHED[name]
    for loss, regulariser in NAMES[name]:
        game = dirac(loss, regulariser)
        flow, steps = stability(game, "flow"), stability(game, "simultaneous", step=0.2)
        assert flow.jacobian == pytest.approx(np.array(want["jacobian"], float), abs=1e-12)
        assert pairs(flow.eigenvalues) == pytest.approx(np.array(want["eigenvalues_re_im"]), abs=1e-12)
        assert pairs(steps.eigenvalues) == pytest.approx(
            np.array([1.0, 0.0]) + 0.2 * np.array(want["eigenvalues_re_im"]), abs=1e-12
        )
        assert steps.margin + 1 == pytest.approx(want["simgd_spectral_radius_h0_2"], abs=1e-12)
        assert steps.converges is (want["simgd_spectral_radius_h0_2"] < 1)
        assert flow.converges is (True if want["eigenvalues_re_im"][0][0] < 0 else None)


@pytest.mark.parametrize("case", CASES["dirac_gan_altgd_unregularised"]["expected"]["cases"])
@pytest.mark.parametrize("loss", ["saturating", "non-saturating"])
def test_alternating_steps_have_the_published_eigenvalues(case, loss):
    found = stability(dirac(loss), f"alternating:{case['n_d']}", step=case["h"])
    assert pairs(found.eigenvalues) == pytest.approx(np.array(case["eigenvalues_re_im"]), abs=1e-12)
    assert np.abs(found.eigenvalues) == pytest.approx(case["modulus"], abs=1e-12)
    assert found.converges is (None if max(case["modulus"]) < 1.1 else False)


@pytest.mark.parametrize("regulariser", ["none", "r1:0.4"])
@pytest.mark.parametrize("h", [0.2, 1.3])
def test_the_step_of_each_rule_has_the_roots_of_its_characteristic_polynomial(regulariser, h):
    # lambda: the field's eigenvalues by the formula for [[0, -1], [1, -g]]; z = h lambda
    g = 0.4 if regulariser != "none" else 0.0
    z = h * np.array([-g / 2 + 1j * np.sqrt(1 - g * g / 4), -g / 2 - 1j * np.sqrt(1 - g * g / 4)])
    game = bilinear(regulariser)
    want = {
        "simultaneous": [1 + z],
        "extragradient": [1 + z + z**2],
        "optimistic": [np.roots([1, -1 - 2 * x, x]) for x in z],
        "momentum:0.7": [np.roots([1, -1.7 - x, 0.7]) for x in z],
        # theta' = theta - h psi, psi' = (1 - h g) psi + h theta'
        "alternating": [np.roots([1, h * h + h * g - 2, 1 - h * g])],
        # G feels psi + k h theta twice over, D moves as ever: [[1 - 2 k h^2, -h], [h, 1]] without a penalty
        "unrolled:3": [np.roots([1, 6 * h * h - 2, 1 - 6 * h * h + h * h])] if g == 0 else None,
    }
    for rule, roots in want.items():
        if roots is None:
            continue
        got = stability(game, rule, step=h).eigenvalues
        roots = np.concatenate(roots)
        assert len(got) == len(roots)
        # each root is met, to rounding; near-double roots of a quartic are known to its square root only
        assert max(np.abs(got - r).min() for r in roots) < (1e-12 if len(roots) == 2 else 1e-9), rule
        assert stability(game, rule, step=h).margin == pytest.approx(np.abs(roots).max() - 1, abs=1e-9)


def test_a_double_eigenvalue_stays_one_and_others_agree_with_numpy():
    rng = np.random.default_rng(0)
    matrices = rng.normal(size=(50, 2, 2))
    got = eigenvalues(matrices)
    want = np.linalg.eigvals(matrices).astype(complex)
    assert np.sort_complex(got) == pytest.approx(np.sort_complex(want), abs=1e-12)
    assert np.all(got[:, 0].real >= got[:, 1].real) and np.all(got[:, 0].imag >= got[:, 1].imag)
    assert eigenvalues([[0.1, -0.3], [0.3, -0.5]]) == pytest.approx([-0.2, -0.2], abs=1e-15)


def test_a_penalty_with_a_kink_and_adam_have_no_eigenvalues_and_say_why():
    kink = stability(dirac("wasserstein", "wgan-gp"), "simultaneous")
    assert kink.eigenvalues is None and kink.converges is None and "kink" in kink.verdict
    adam = stability(dirac("saturating"), "adam")
    assert adam.eigenvalues is None and adam.field_eigenvalues is not None and "derivative" in adam.verdict


def test_least_squares_turns_only_where_d_can_be_at_rest():
    # slopes at the logit 0: D's is 0, so D's line has no force on it; at 1/2 they are -1/2 and 1/2
    assert stability(dirac("least-squares"), "flow").eigenvalues == pytest.approx([0, 0], abs=1e-15)
    assert stability(dirac("least-squares", bias=0.5), "flow").eigenvalues == pytest.approx([0.5j, -0.5j], abs=1e-15)


# Published runs: 500 and 20,000 steps of size 0.2 from (1, 1), as the authors' own code gives them


@pytest.mark.parametrize(
    ("loss", "regulariser", "rule", "want"),
    [
        ("saturating", "none", "simultaneous", (3.097, 4.962)),
        ("saturating", "none", "alternating", (1.421, 1.412)),
        ("non-saturating", "none", "simultaneous", (0.6402, 0.6318)),
        ("non-saturating", "none", "alternating", (0.284, 0.0458)),
        ("wasserstein", "wgan-gp:0.7", "simultaneous", (1.80, 1.96)),
        ("wasserstein", "wgan-gp:0.7", "alternating", (1.22, 1.41)),
        ("saturating", "r1:0.3", "simultaneous", (2.6e-6, 0.0)),
    ],
)
def test_long_runs_end_where_the_published_ones_do(loss, regulariser, rule, want):
    radius = trajectory(dirac(loss, regulariser), rule, 1.0, 1.0, step=0.2, steps=20_000).radius
    # half a unit of the last digit that is printed
    digits = [0.5 * 10.0 ** -(3 if w > 1 and loss == "saturating" else 4) for w in want]
    if loss == "wasserstein":
        digits = [0.005, 0.005]
    if rule == "alternating" and loss == "non-saturating":
        digits = [5e-4, 5e-5]
    if regulariser == "r1:0.3":
        digits = [0.05e-6, 1e-100]
    for i, w, tolerance in zip((500, 20_000), want, digits, strict=True):
        assert abs(radius[i] - w) <= tolerance, (i, radius[i])


@pytest.mark.parametrize(("h", "steps"), [(0.2, 4000), (0.05, 20_000)])
def test_the_limit_cycle_of_simultaneous_non_saturating_has_radius_root_two_h(h, steps):
    radius = trajectory(dirac("non-saturating"), "simultaneous", 1.0, 1.0, step=h, steps=steps).radius
    # the formula is the leading order in h: the cycle is round up to some 0.06 h, its mean radius nearer
    assert radius[-1000:].mean() == pytest.approx(np.sqrt(2 * h), rel=h / 100)
    assert radius[-1000:] == pytest.approx(np.full(1000, np.sqrt(2 * h)), rel=0.08 * h)


def test_the_flow_of_non_saturating_shrinks_like_the_root_of_eight_over_t():
    path = trajectory(dirac("non-saturating"), "flow", 1.0, 1.0, step=0.4, steps=10_000)
    t = 0.4 * np.array([2500, 5000, 10_000])
    # r^-2 = r0^-2 + t/8 to leading order: at t = 1000 the start still counts half a per cent
    assert path.radius[[2500, 5000, 10_000]] == pytest.approx(np.sqrt(8 / t), rel=6e-3)
    assert 1 / path.radius[-1] ** 2 - 1 / path.radius[5000] ** 2 == pytest.approx(0.4 * 5000 / 8, rel=2e-3)


# Invariants


def test_the_radius_of_the_flow_changes_as_the_oracle_says():
    case = CASES["dirac_gan_invariant"]
    t = np.array(case["inputs"]["values"])
    for loss, name in (("saturating", "gan"), ("wasserstein", "wgan"), ("non-saturating", "nsgan")):
        theta, psi = t / 2, np.full(3, 2.0)
        v_theta, v_psi = dirac(loss).field(theta, psi)
        assert theta * v_theta + psi * v_psi == pytest.approx(np.array(case["expected"][name], float), abs=1e-12)


def test_the_flow_keeps_the_radius_of_the_saturating_game_and_turns_the_bilinear_one_by_t():
    path = trajectory(dirac("saturating"), "flow", 1.3, -0.4, step=0.2, steps=500)
    assert path.radius == pytest.approx(np.full(501, np.hypot(1.3, -0.4)), rel=1e-6)  # Runge-Kutta's own error
    turn = trajectory(bilinear(), "flow:20", 1.0, 0.0, step=0.1, steps=100)
    t = 0.1 * np.arange(101)
    assert turn.theta == pytest.approx(np.cos(t), abs=1e-9) and turn.psi == pytest.approx(np.sin(t), abs=1e-9)


def test_steps_of_the_bilinear_game_keep_what_algebra_says():
    h, n = 0.2, np.arange(201)
    start = {"theta": 1.0, "psi": 0.5, "step": h, "steps": 200}
    out = trajectory(bilinear(), "simultaneous", **start)
    assert out.radius == pytest.approx(np.hypot(1, 0.5) * (1 + h * h) ** (n / 2), rel=1e-12)
    back = trajectory(bilinear(), "extragradient", **start)
    assert back.radius == pytest.approx(np.hypot(1, 0.5) * (1 - h**2 + h**4) ** (n / 2), rel=1e-12)
    # alternating, theta first: an ellipse theta^2 + psi^2 - h theta psi is kept
    alt = trajectory(bilinear(), "alternating", **start)
    kept = alt.theta**2 + alt.psi**2 - h * alt.theta * alt.psi
    assert kept == pytest.approx(np.full(201, kept[0]), rel=1e-12)


# The field by a second route: differences of the losses themselves


def expected_losses(row, theta, psi, bias, sigma):
    """L_D and L_G of the Dirac-GAN by their definition; under noise by SciPy's quadrature."""

    def mean(function, std):
        if std == 0:
            return function(0.0)
        density = lambda e: np.exp(-0.5 * (e / std) ** 2) / (std * np.sqrt(2 * np.pi))  # noqa: E731
        return quad(lambda e: float(function(e)) * density(e), -12 * std, 12 * std, epsabs=1e-13, limit=200)[0]

    if row.paired:  # the difference of two noisy points
        d = mean(lambda e: row.discriminator_loss(0.0, -psi * (theta + e)), sigma * np.sqrt(2))
        return d, mean(lambda e: row.generator_loss(0.0, -psi * (theta + e)), sigma * np.sqrt(2))
    d = mean(lambda e: row.real(bias - psi * e), sigma) + mean(lambda e: row.fake(bias - psi * (theta + e)), sigma)
    return d, mean(lambda e: row.generator(bias - psi * (theta + e)), sigma)


def loss_of_g(row, psi, bias, theta):
    return expected_losses(row, theta, psi, bias, 0)[1]


def loss_of_d(row, theta, bias, term, psi):
    return expected_losses(row, theta, psi, bias, 0)[0] + term(psi)


def central(function, x, eps=1e-4):
    """Fourth order: its error is some 1e-12 here."""
    step = np.array([1, -8, 8, -1]) @ [function(x + k * eps) for k in (-2, -1, 1, 2)]
    return step / (12 * eps)


TERMS = {
    "none": lambda psi, w: 0.0,
    "r1": lambda psi, w: 0.5 * w * psi**2,
    "r2": lambda psi, w: 0.5 * w * psi**2,
    "gp0": lambda psi, w: 0.5 * w * psi**2,
    "weight-decay": lambda psi, w: 0.5 * w * psi**2,
    "wgan-gp": lambda psi, w: 0.5 * w * (abs(psi) - 1) ** 2,
    "clip": lambda psi, w: 0.0,
}


@pytest.mark.parametrize("key", LOSSES)
def test_the_field_of_every_loss_is_the_slope_of_the_losses(key):
    row = LOSSES[key]
    for theta, psi, bias in ((1.1, -0.6, 0.0), (-0.4, -0.7, 0.3), (0.8, 0.9, 0.1)):
        for regulariser, term in TERMS.items():
            weight = REGULARISERS[regulariser].default
            v_theta, v_psi = dirac(key, regulariser, bias=bias).field(np.array(theta), np.array(psi))
            want_theta = -central(partial(loss_of_g, row, psi, bias), theta)
            want_psi = -central(partial(loss_of_d, row, theta, bias, partial(term, w=weight)), psi)
            assert v_theta == pytest.approx(want_theta, abs=1e-10) and v_psi == pytest.approx(want_psi, abs=1e-10)


@pytest.mark.parametrize(
    "key", ["saturating", "non-saturating", "least-squares", "relativistic", "f-kl", "wasserstein"]
)
def test_instance_noise_is_the_expectation_over_noise(key):
    theta, psi, sigma = 0.9, -0.8, 0.7
    game = dirac(key, f"instance-noise:{sigma}", bias=0.2)
    v_theta, v_psi = game.field(np.array(theta), np.array(psi))
    want_theta = -central(lambda x: expected_losses(LOSSES[key], x, psi, 0.2, sigma)[1], theta, 1e-2)
    want_psi = -central(lambda y: expected_losses(LOSSES[key], theta, y, 0.2, sigma)[0], psi, 1e-2)
    # the difference's own error is eps^4 / 30 times a fifth derivative
    assert v_theta == pytest.approx(want_theta, abs=1e-7) and v_psi == pytest.approx(want_psi, abs=1e-7)


def test_consensus_takes_the_true_gradient_of_half_the_squared_field():
    # at (1.3, 0.7) for gamma = 1; a published code halves the second-order term
    plain, with_it = dirac("saturating"), dirac("saturating", "consensus:1")
    point = np.array(1.3), np.array(0.7)
    added = np.subtract(plain.field(*point), with_it.field(*point))
    assert added == pytest.approx([0.01746, -0.10878], abs=5e-6)


def test_games_made_of_a_function_have_its_slopes():
    case = CASES["ttur_saddle_field"]
    x, y = np.array(case["inputs"]["points"], float).T
    value = lambda a, b: (1 + a**2) * (100 - b**2)  # noqa: E731
    game = zero_sum(value)
    assert -game.v_theta(x, y) == pytest.approx(np.array(case["expected"]["fx"], float), abs=1e-12)
    assert game.v_psi(x, y) == pytest.approx(np.array(case["expected"]["fy"], float), abs=1e-12)
    assert gradients(value, x, y)[0] == pytest.approx(np.array(case["expected"]["value"], float), abs=1e-12)
    product = zero_sum(lambda a, b: a * b)
    assert np.array_equal(product.field(x, y), bilinear().field(x, y))


def test_unrolling_goes_through_the_steps_of_d():
    case = CASES["unrolled_bilinear_game"]
    given, want = case["inputs"], case["expected"]["grad_backprop_through"]
    for k, gradient in zip(given["k"], want, strict=True):
        path = trajectory(bilinear(), f"unrolled:{k}", given["theta"], given["psi"], step=given["eta"], steps=1)
        assert (path.theta[0] - path.theta[1]) / given["eta"] == pytest.approx(gradient, abs=1e-12)
        assert path.psi[1] == pytest.approx(given["psi"] + given["eta"] * given["theta"], abs=1e-15)


# Jacobians and rules


@pytest.mark.parametrize("key", LOSSES)
def test_the_jacobian_of_every_field_agrees_with_differences(key):
    point = np.array([0.7, -0.45])
    for regulariser in REGULARISERS:
        game = dirac(key, regulariser, bias=0.1)
        field = lambda w, game=game: np.array(game.field(w[0], w[1]))  # noqa: E731
        want = np.stack([central(lambda x, i=i: field(_put(point, i, x)), point[i], 1e-3) for i in range(2)], -1)  # noqa: B023
        assert field_jacobian(game, *point) == pytest.approx(want, abs=1e-8), regulariser


def _put(values, i, x):
    out = values.copy()
    out[i] = x
    return out


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("regulariser", ["none", "r1:0.5", "consensus:0.7", "instance-noise:0.5", "wgan-gp:0.4"])
def test_the_jacobian_of_every_step_agrees_with_differences(rule, regulariser):
    game, row = dirac("non-saturating", regulariser), RULES[rule]
    amount = int(row.default) if row.whole else row.default
    theta, psi = np.array(0.7), np.array(-0.45)
    state = np.array([theta, psi, *row.fresh(game, theta, psi)])
    move = lambda s: np.array(row.move(game, tuple(s), 0.3, amount))  # noqa: E731
    got = step_jacobian(game, rule, theta, psi, step=0.3)
    # Adam divides by roots of its own memory, which is 0 at first: differences are taken in theta and psi
    columns = range(2) if rule == "adam" else range(len(state))
    for i in columns:
        want = central(lambda x, i=i: move(_put(state, i, x)), state[i], 1e-3)
        upto = 2 if rule == "adam" else None
        assert got[:upto, i] == pytest.approx(want[:upto], abs=2e-6 if rule == "adam" else 1e-8)


@pytest.mark.parametrize("rule", [key for key, row in RULES.items() if row.smooth])
@pytest.mark.parametrize("regulariser", ["none", "r1:0.3", "instance-noise:1", "consensus:0.5", "gp0:12"])
def test_players_near_the_equilibrium_do_what_the_eigenvalues_say(rule, regulariser):
    game = dirac("wasserstein", regulariser)
    found = stability(game, rule, step=0.2)
    radius = trajectory(game, rule, 1e-4, 0.5e-4, step=0.2, steps=1200).radius
    radius = radius[np.isfinite(radius)]
    if found.converges is None:
        assert 0.5 < radius[-1] / radius[0] < 2
    elif found.converges:
        assert radius[-1] < 1e-2 * radius[0]
    else:
        assert radius[-1] > 1e2 * radius[0]
    # the rate itself, over the second half of the way, where numbers are far from the least double
    if found.converges is not None and abs(found.margin) < 0.1 and rule != "flow" and 1e-290 < radius[400] < 1e290:
        half = np.log(radius[400] / radius[200]) / 200
        assert half == pytest.approx(np.log1p(found.margin), abs=4e-3)


def test_growth_is_the_region_of_convergence_of_a_rule():
    re, im = np.meshgrid(np.linspace(-2.5, 0.5, 13), np.linspace(-2, 2, 13))
    z = re + 1j * im
    assert growth("simultaneous", z) == pytest.approx(np.abs(1 + z), abs=1e-12)
    assert growth("extragradient", z) == pytest.approx(np.abs(1 + z + z * z), abs=1e-12)
    assert growth("flow", z) == pytest.approx(np.exp(re), abs=1e-12)
    roots = [max(np.abs(np.roots([1, -1 - 2 * x, x]))) for x in z.ravel()]
    assert growth("optimistic", z).ravel() == pytest.approx(roots, abs=1e-7)  # double roots: the root of rounding
    roots = [max(np.abs(np.roots([1, -1.5 - x, 0.5]))) for x in z.ravel()]
    assert growth("momentum:0.5", z).ravel() == pytest.approx(roots, abs=1e-7)
    for rule in ("alternating", "unrolled", "alternating-momentum"):
        with pytest.raises(ValueError, match="move differently"):
            growth(rule, z)


def test_momentum_and_adam_take_the_steps_of_their_papers():
    # the saturating game in plain numbers: theta descends -softplus(-psi theta), psi descends softplus(-psi theta)
    def slopes(w):
        fake = 1 / (1 + math.exp(w[1] * w[0]))
        return [w[1] * fake, -w[0] * fake]

    w, m = [1.0, 0.5], [0.0, 0.0]
    for _ in range(20):  # Polyak 1964 as torch writes it: the velocity is not scaled by 1 - beta
        m = [0.6 * a + g for a, g in zip(m, slopes(w), strict=True)]
        w = [a - 0.1 * b for a, b in zip(w, m, strict=True)]
    path = trajectory(dirac("saturating"), "momentum:0.6", 1.0, 0.5, step=0.1, steps=20)
    assert [path.theta[-1], path.psi[-1]] == pytest.approx(w, abs=1e-12)

    w, m, s = [1.0, 0.5], [0.0, 0.0], [0.0, 0.0]
    for t in range(1, 21):  # Kingma & Ba 2015, algorithm 1
        g = slopes(w)
        m = [0.5 * m[i] + 0.5 * g[i] for i in (0, 1)]
        s = [0.999 * s[i] + 0.001 * g[i] ** 2 for i in (0, 1)]
        w = [w[i] - 0.1 * m[i] / (1 - 0.5**t) / (math.sqrt(s[i] / (1 - 0.999**t)) + 1e-8) for i in (0, 1)]
    path = trajectory(dirac("saturating"), "adam:0.5", 1.0, 0.5, step=0.1, steps=20)
    assert [path.theta[-1], path.psi[-1]] == pytest.approx(w, abs=1e-12)


def test_clipping_holds_the_critic_after_every_move():
    for rule in RULES:
        path = trajectory(dirac("wasserstein", "clip:0.3"), rule, 1.0, 1.0, step=0.2, steps=300)
        assert np.abs(path.psi).max() == pytest.approx(0.3)
        assert np.isfinite(path.radius).all()


def test_many_particles_move_as_each_would_alone_with_steps_and_weights_of_their_own():
    rng = np.random.default_rng(1)
    theta, psi = rng.normal(size=(2, 5))
    h, gamma = np.linspace(0.05, 0.4, 5), np.linspace(0.0, 1.0, 5)
    for key in RULES:
        for regulariser in ("r1", "instance-noise", "consensus"):
            many = trajectory(dirac("non-saturating", (regulariser, gamma)), key, theta, psi, step=h, steps=20)
            assert many.theta.shape == many.psi.shape == (21, 5)
            for i in (0, 3):
                one = dirac("non-saturating", f"{regulariser}:{gamma[i]}")
                alone = trajectory(one, key, theta[i], psi[i], step=h[i], steps=20)
                assert many.theta[:, i] == pytest.approx(alone.theta, abs=1e-13)
                assert many.psi[:, i] == pytest.approx(alone.psi, abs=1e-13)
    zero = np.zeros(5)
    jacobian = step_jacobian(dirac("saturating", ("r1", gamma)), "simultaneous", zero, zero, step=h)
    want = stability(dirac("saturating", "r1:0.75"), "simultaneous", step=h[3]).eigenvalues
    assert eigenvalues(jacobian)[3] == pytest.approx(want, abs=1e-15)


def test_five_hundred_steps_of_two_hundred_particles_are_quick():
    theta, psi = np.random.default_rng(2).normal(size=(2, 200))
    best = np.inf
    for _ in range(3):
        begin = time.process_time()
        trajectory(dirac("non-saturating", "r1:0.3"), "alternating", theta, psi, steps=500)
        best = min(best, time.process_time() - begin)
    assert best < 0.05  # some 6 ms on a quiet core


def test_numbers_that_grow_too_large_end_as_infinities_without_a_warning():
    path = trajectory(bilinear(), "simultaneous", 1.0, 1.0, step=10.0, steps=400)
    assert not np.isfinite(path.theta[-1]) and np.isfinite(path.theta[10])


def test_a_function_without_a_known_slope_is_refused():
    with pytest.raises(TypeError, match="no slope is known for arctan"):
        np.arctan(Dual(np.array(1.0), np.array(1.0)))


def test_extreme_settings_give_no_warning_and_no_error():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for loss in LOSSES:
            for regulariser in ("none", "wgan-gp", "consensus:1e6", "instance-noise:1e6"):
                game = dirac(loss, regulariser, bias=100.0)
                for rule in RULES:
                    assert trajectory(game, rule, 1e3, -1e3, step=1e6, steps=2).theta.shape == (3,)
                    assert stability(game, rule, step=1e6).verdict
    assert "range of numbers" in stability(bilinear("r1:1e6"), "unrolled:100", step=1e6).verdict


# Bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dirac("gan"), "unknown loss 'gan'"),
        (lambda: dirac("saturating", "r3"), "unknown regulariser 'r3'"),
        (lambda: dirac("saturating", "r1:-1"), "γ must be a number from 0"),
        (lambda: dirac("saturating", ("r1", [0.1, np.nan])), "γ must be a number from 0"),
        (lambda: dirac("saturating", bias=np.inf), "bias"),
        (lambda: zero_sum(lambda x, y: x * y, "instance-noise"), "instance noise needs points"),
        (lambda: trajectory(bilinear(), "sgd", 1.0, 1.0), "unknown rule 'sgd'"),
        (lambda: trajectory(bilinear(), "simultaneous", np.ones(2), np.ones(3)), "one shape"),
        (lambda: trajectory(bilinear(), "simultaneous", 1.0, 1.0, step=0.0), "step size"),
        (lambda: trajectory(bilinear(), "simultaneous", 1.0, 1.0, steps=-1), "number of steps"),
        (lambda: stability(bilinear(), "momentum:1"), "β must be a number"),
        (lambda: stability(bilinear(), "unrolled:1000"), "steps ahead must be a whole number"),
    ],
)
def test_what_is_not_allowed_is_said_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# The command


def run(capsys, *args):
    status = main(["dirac", *args])
    return status, *capsys.readouterr()


def test_the_command_gives_the_path_and_the_eigenvalues(capsys):
    options = ["--rule", "alternating", "--step", "0.2", "--steps", "500", "--start", "1", "1", "--json"]
    status, out, err = run(capsys, "--loss", "saturating", *options)
    got = json.loads(out)
    assert status == 0 and err == "" and len(got["theta"]) == len(got["psi"]) == 501
    assert (got["theta"][0], got["psi"][0]) == (1, 1)
    assert np.hypot(got["theta"][-1], got["psi"][-1]) == pytest.approx(1.421, abs=5e-4)
    case = CASES["dirac_gan_altgd_unregularised"]["expected"]["cases"][0]
    assert np.array(got["eigenvalues"]) == pytest.approx(np.array(case["eigenvalues_re_im"]), abs=1e-12)
    assert got["jacobian"] == [[0, -0.5], [0.5, 0]] and got["converges"] is None
    status, out, _ = run(capsys, "--loss", "saturating", "--regulariser", "r1:0.3", "--rule", "flow", "--json")
    want = PUBLISHED["r1_gamma_0.3"]["eigenvalues_re_im"]
    assert np.array(json.loads(out)["eigenvalues"]) == pytest.approx(np.array(want), abs=1e-12)


def test_the_command_says_where_there_are_no_eigenvalues_and_where_numbers_end(capsys):
    status, out, _ = run(capsys, "--loss", "wasserstein", "--regulariser", "wgan-gp", "--steps", "3", "--json")
    assert status == 0 and json.loads(out)["eigenvalues"] is None and "kink" in json.loads(out)["verdict"]
    status, out, _ = run(capsys, "--loss", "wasserstein", "--step", "10", "--steps", "400", "--json")
    got = json.loads(out)
    assert status == 0 and 300 < got["lost_at_step"] < 320 and len(got["theta"]) == 401
    assert "too large at step" in run(capsys, "--loss", "wasserstein", "--step", "10", "--steps", "400")[1]


@pytest.mark.parametrize("loss", LOSSES)
def test_the_command_takes_every_loss(capsys, loss):
    status, out, err = run(capsys, "--loss", loss, "--steps", "2", "--start", "0.5", "-0.5", "--json")
    assert status == 0 and err == "" and len(json.loads(out)["eigenvalues"]) == 2


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--loss", "nope"], "unknown loss"),
        (["--loss", "hinge", "--regulariser", "r1:x"], "γ must be a number"),
        (["--loss", "hinge", "--regulariser", "r1:"], "γ must be a number"),
        (["--loss", "hinge", "--regulariser", "none:1"], "takes no number"),
        (["--loss", "hinge", "--rule", "alternating:1.5"], "whole number"),
        (["--loss", "hinge", "--rule", "slow"], "unknown rule"),
        (["--loss", "hinge", "--start", "1", "nan"], "finite"),
        (["--loss", "hinge", "--start", "1"], "requires 2 arguments"),
        (["--loss", "hinge", "--step", "-1"], "positive"),
        (["--loss", "hinge", "--step", "inf"], "positive"),
        (["--loss", "hinge", "--steps", "100001"], "from 0 to 100000"),
        (["--loss", "hinge", "--bias", "nan"], "from -100 to 100"),
        ([], "--loss"),
    ],
)
def test_bad_input_to_the_command_ends_with_status_2_and_one_sentence(capsys, args, message):
    status, out, err = run(capsys, *args)
    assert status == 2 and out == "" and err.startswith("gantoys: ") and err.count("\n") == 1 and message in err


@pytest.mark.parametrize(("arguments", "answer"), of("dirac"), ids=" ".join)
def test_the_readme_shows_what_the_command_prints(capsys, arguments, answer):
    assert main(arguments) == 0 and capsys.readouterr().out == answer
