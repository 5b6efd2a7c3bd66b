"""The lesson of the divergences: what its three views show, against oracles and closed forms; its words; the page."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from scipy import special
from streamlit.testing.v1 import AppTest

from gantoys.lessons import load
from gantoys.maths import DIVERGENCES, Mixture1D, divergences, normal, parse, w2_squared
from gantoys.maths.fit import FIT_KEYS
from gantoys.pictures.divergences import DATA, LABELS, PRESETS, DivergenceState, clicked, paper_table, places, scene
from gantoys.pictures.divergences_fit import PAPER_MIXTURE, PUBLISHED, fit, land, value_of
from gantoys.pictures.divergences_state import SHORT
from gantoys.pictures.divergences_sweep import RANGES, best_critic, generator, with_slopes
from gantoys.pictures.divergences_words import CRITICS
from gantoys.pictures.state import read, write
from gantoys.stage.layers import Curve, Handle, Heatmap, Points, Text
from gantoys.stage.pack import pack
from gantoys.stage.scene import Scene, at_rest
from tests.oracles import CASES

KEY = "divergences"
TWO, FAR = DATA["modes at ±2"]["data"], DATA["modes at ±3"]["data"]


def shown(drawn: Scene, key: str) -> float:
    return float(at_rest(next(r.value for r in drawn.readouts if r.key == key), drawn))


def sweep(drawn: Scene, key: str, control: str) -> np.ndarray:
    value: Any = next(r.value for r in drawn.readouts if r.key == key)
    return np.asarray(value.rows[control])


def texts(drawn: Scene) -> str:
    return " ".join(layer.text for layer in drawn.layers() if isinstance(layer, Text))


# --- the sweep ---------------------------------------------------------------------------------------------------


def test_js_flattens_at_log_2_where_w1_goes_on_falling():
    """p_G is p_data shifted by s = mean + 2: W1 is |s| exactly, and JS at most log 2."""
    drawn = scene(DivergenceState())
    mean = np.asarray(drawn.control("mean").values)
    js, slope = sweep(drawn, "value", "mean"), sweep(drawn, "slope", "mean")
    assert sweep(drawn, "other", "mean") == pytest.approx(np.abs(mean + 2), abs=1e-9)
    assert sweep(drawn, "otherslope", "mean")[mean > -1.9] == pytest.approx(1, abs=1e-8)
    assert np.all(js <= np.log(2)) and js[-1] > np.log(2) - 1e-4 and abs(slope[-1]) < 1e-4
    valley = (mean > 1) & (mean < 3)
    assert js[valley].min() < js[mean < 1].max() and js[valley].min() < 0.36  # over the wrong mode it dips


def test_between_disjoint_boxes_every_number_has_its_closed_form():
    state = DivergenceState(**PRESETS["disjoint"])
    for key, want in (("js", np.log(2)), ("tv", 1), ("hellinger2", 1), ("kl", np.inf), ("chi2", np.inf), ("w1", 7)):
        drawn = scene(state.model_copy(update={"divergence": key}))
        assert shown(drawn, "value") == pytest.approx(want, abs=1e-9), key
        if key not in ("kl", "chi2"):
            assert shown(drawn, "slope") == pytest.approx(1 if key == "w1" else 0, abs=1e-6), key
    drawn = scene(state)
    assert shown(drawn, "other") == pytest.approx(7)
    gone = [
        t.text for t in drawn.layers() if isinstance(t, Text) and "∞" in t.text and np.isfinite(at_rest(t.x, drawn))
    ]
    assert sorted(gone) == sorted(f"{SHORT[key]} = ∞" for key in ("kl", "reverse_kl", "jeffreys", "chi2"))


def test_a_sweep_is_what_single_pairs_give():
    state = DivergenceState(mean=-1.0, spread=0.9, weight=0.3, divergence="kl")
    drawn = scene(state)
    for over in RANGES:
        at = np.asarray(drawn.control(over).values)
        assert getattr(state, over) in at
        for i in (3, 20, 30):
            q = generator(state, **{over: np.array(at[i])})
            want = float(divergences(state.p, q, ("kl",))["kl"].value)
            assert sweep(drawn, "value", over)[i] == pytest.approx(want, rel=1e-8), (over, i)


@pytest.mark.parametrize("key", ["js", "kl", "w1", "tv"])
def test_slopes_are_those_of_the_values(key):
    state = DivergenceState(mean=-1.3, spread=0.9, weight=0.3)
    for over, at in (("mean", -1.3), ("spread", 0.9), ("weight", 0.3)):
        slope = with_slopes(state, (key,), over, np.array([at]))[key][1][0]
        ends = [with_slopes(state, (key,), over, np.array([at + h]))[key][0][0] for h in (-1e-3, 1e-3)]
        # a central difference with a step of 1e-3 misses the third derivative times 1e-6 / 6
        assert slope == pytest.approx((ends[1] - ends[0]) / 2e-3, rel=2e-3, abs=1e-5), over


def test_the_ends_of_the_weight_have_no_slope_that_differences_could_tell():
    value, slope = with_slopes(DivergenceState(mean=-2.0), ("kl",), "weight", np.array([0.0, 0.5, 1.0]))["kl"]
    assert np.isfinite(value).all() and np.isnan(slope[[0, 2]]).all() and slope[1] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("key", [key for key in FIT_KEYS if key != "w2_squared"])
def test_the_critic_on_screen_attains_the_divergence(key):
    """E_p T - E_q f*(T) by a plain sum is the value, for W1 with f*(t) = t: the critic is the one that is best."""
    # near enough that no integrand needs the far tails, wide enough that the chi-squares are finite
    state = DivergenceState(data="0.5*N(-1,1)+0.5*N(1.5,1)", mean=-2.0, spread=1.1, weight=0.4)
    p, q, x = state.p, generator(state, mean=np.array([-2.0])), np.linspace(-12, 14, 20801)
    best = best_critic(p, q, key, x)
    assert best is not None
    t, dx = best[0], x[1] - x[0]
    paid = t if key == "w1" else DIVERGENCES[key].conjugate(t)
    gain = np.sum(p.density(x) * t - q.density(x)[0] * paid) * dx
    want = shown(scene(state.model_copy(update={"divergence": key})), "value")
    # the sum jumps with sign(p - q) and bends with W1's critic: an error of the order of dx times a density
    assert gain == pytest.approx(want, abs=1e-3 if key in ("tv", "w1") else 1e-6)


def test_the_written_formulas_are_those_of_the_table():
    """Each formula of the strip, read as Python, against the row's own functions."""
    u, t = np.array([0.1, 0.7, 1.9]), {"kl": 0.3, "reverse_kl": -0.4, "jeffreys": 0.6, "js": 0.2, "tv": 0.3}
    t |= {"hellinger2": 0.3, "chi2": 0.7, "chi2_neyman": 0.4}
    half = np.array(0.5)
    written = {
        "kl": (u * np.log(u), np.exp(0.3 - 1), 1 + np.log(u)),
        "reverse_kl": (-np.log(u), -1 - np.log(0.4), -1 / u),
        "jeffreys": ((u - 1) * np.log(u), None, 1 + np.log(u) - 1 / u),
        "js": (half * (u * np.log(u) - (u + 1) * np.log(half * (u + 1))), -half * np.log(2 - np.exp(2 * 0.2)),
               half * np.log(2 * u / (u + 1))),
        "tv": (half * np.abs(u - 1), 0.3, half * np.sign(u - 1)),
        "hellinger2": (half * (np.sqrt(u) - 1) ** 2, 0.3 / (1 - 2 * 0.3), half * (1 - np.sqrt(1 / u))),
        "chi2": ((u - 1) ** 2, 0.7**2 / 4 + 0.7, 2 * (u - 1)),
        "chi2_neyman": ((1 - u) ** 2 / u, 2 - 2 * np.sqrt(1 - 0.4), 1 - (1 / u) ** 2),
    }  # fmt: skip
    w = special.wrightomega(1 - 0.6).real
    assert w + np.log(w) == pytest.approx(1 - 0.6)
    for key, (f, conjugate, critic) in written.items():
        row = DIVERGENCES[key]
        assert row.f(u) == pytest.approx(f), key
        assert row.critic(np.log(u)) == pytest.approx(critic), key
        want = w + 1 / w + 0.6 - 2 if conjugate is None else conjugate
        assert float(row.conjugate(np.array(t[key]))) == pytest.approx(float(want)), key
    assert set(CRITICS) == set(SHORT) == set(LABELS) == set(FIT_KEYS) == {*written, "w1", "w2_squared"}


def test_the_slider_moved_last_is_the_axis_of_the_curves():
    state = DivergenceState(**PRESETS["missed mode"])
    assert DivergenceState().moved({"mean": 1.0, "spread": 0.7, "weight": 0.5}, "spread")["along"] == "spread"
    drawn = scene(state)
    axis = [t.text for t in drawn.layers() if isinstance(t, Text) and np.isfinite(at_rest(t.x, drawn))]
    assert "weight" in axis and "mean of *p*_{G}" not in axis and "0.25" in axis
    dots = [layer for layer in drawn.panels[2].layers if isinstance(layer, Points)]
    assert at_rest(dots[0].x, drawn) == pytest.approx([0.02])


def test_a_curve_of_the_sweep_holds_the_values_of_its_dots():
    drawn = scene(DivergenceState(mean=1.0))
    for panel in drawn.panels[2:]:
        names = {layer.label: layer for layer in panel.layers if isinstance(layer, Curve) and layer.label}
        assert names
        at = drawn.control("mean").start
        dots = sorted(float(np.ravel(at_rest(d.y, drawn))[0]) for d in panel.layers if isinstance(d, Points))
        assert dots == pytest.approx(sorted(float(np.asarray(at_rest(c.y, drawn))[at]) for c in names.values()))


def by_sorting(state: DivergenceState, **moved: float) -> float:
    """W2 squared as the mean squared distance of equal ranks, looked up in tables of the distribution functions."""
    x = np.linspace(-40, 40, 40_001)
    u = (np.arange(100_000) + 0.5) / 100_000
    at = {name: np.array(value) for name, value in moved.items()}
    ranked = [np.interp(u, law.cdf(x), x) for law in (state.p, generator(state, **at))]
    return float(np.mean((ranked[0] - ranked[1]) ** 2))


@pytest.mark.parametrize(
    "fields",
    [
        {"spread": 0.9, "weight": 0.3},
        {"data": "0.3*U(-3,-1)+0.7*U(1,3)", "halves": "uniform", "spread": 0.5},
        {"data": DATA["skewed"]["data"], "weight": 0.1},
    ],
    ids=lambda fields: fields.get("data", "default"),
)
def test_w2_squared_and_its_slopes_are_those_of_sorted_points_with_the_minimum_where_it_is(fields):
    state = DivergenceState(divergence="w2_squared", mean=-1.0, **fields)
    for over, at in (("mean", [-5.0, -0.3]), ("spread", [0.5, 1.7]), ("weight", [0.2, 0.65])):
        value, slope = with_slopes(state, ("w2_squared",), over, np.array(at))["w2_squared"]
        for i, place in enumerate(at):
            want = by_sorting(state, **{over: place})
            assert value[i] == pytest.approx(want, rel=2e-4, abs=2e-4), (over, place)
            ends = [by_sorting(state, **{over: place + h}) for h in (-0.01, 0.01)]
            assert slope[i] == pytest.approx((ends[1] - ends[0]) / 0.02, rel=5e-3, abs=2e-2), (over, place)
    # along the mean a parabola: lowest where both means agree, and there no closer than the shapes allow
    mean = np.linspace(*RANGES["mean"], 65)
    value, _ = with_slopes(state, ("w2_squared",), "mean", mean)["w2_squared"]
    lowest = float(state.p.mean) - 4 * state.weight
    assert abs(mean[np.argmin(value)] - lowest) <= 0.125
    assert value == pytest.approx((mean - lowest) ** 2 + by_sorting(state, mean=lowest), abs=2e-3)


def test_beside_w2_squared_every_curve_keeps_its_positions():
    boxes = DivergenceState(**PRESETS["disjoint"])
    drawn, plain = (scene(boxes.model_copy(update={"divergence": key})) for key in ("w2_squared", "w1"))
    for over in RANGES:
        assert np.array_equal(drawn.control(over).values, plain.control(over).values)
        assert sweep(drawn, "other", over) == pytest.approx(sweep(plain, "value", over), abs=1e-9)


def test_w2_squared_of_a_tail_without_a_variance_is_infinite():
    for data in ("T(0,1,1)", "T(0,1,2)"):
        state = DivergenceState(divergence="w2_squared", data=data)
        for over in RANGES:
            value, slope = with_slopes(state, ("w2_squared",), over, np.array([0.5, 0.7]))["w2_squared"]
            assert np.isinf(value).all() and np.isnan(slope).all()


def test_moved_modes_are_as_wide_as_before():
    laws = [parse(DATA[name]["data"]) for name in ("modes at ±2", "modes at ±3")]
    assert all(isinstance(law, Mixture1D) for law in laws)
    assert np.array_equal(laws[0].scales, laws[1].scales) and np.array_equal(laws[0].weights, laws[1].weights)
    assert [float(law.locs[1]) for law in laws] == [2, 3]


# --- the fit -----------------------------------------------------------------------------------------------------


def test_the_f_gan_papers_table_is_reproduced():
    """Nowozin et al. 2016, table 2: 15 numbers to 2e-4; their JS is 2 JS, their Pearson int (p - q)^2 / q."""
    want = {
        "kl": (0.2831, 1.0100, 1.8308), "reverse_kl": (0.2480, 1.5782, 1.6319), "js": (0.1280, 1.3070, 1.7542),
        "jeffreys": (0.5705, 1.3218, 1.7034), "chi2": (0.6457, 0.5737, 1.9274),
    }  # fmt: skip
    assert want == PUBLISHED
    table = paper_table()
    for key, row in want.items():
        best = fit(PAPER_MIXTURE, key)
        here = ((2 if key == "js" else 1) * best.value, best.mu, best.sigma)
        assert here == pytest.approx(row, abs=2e-4), key
        assert all(f"{v:.4f}" in table for v in (*row, *here))


def test_every_minimum_of_the_oracle_is_a_place_to_go_to():
    case = CASES["fit_bimodal_symmetric"]["expected"]
    data = "0.5*N(-2,0.5)+0.5*N(2,0.5)"
    for short, key in {"kl": "kl", "rkl": "reverse_kl", "js": "js", "pearson": "chi2"}.items():
        state = DivergenceState(show="fit", data=data, divergence=key)
        wanted = [(case[short]["mu"], case[short]["sigma"]), *(m[:2] for m in case[short]["other_local_minima"])]
        found = places(state)
        got = [(place["mu"], place["sigma"]) for place in found.values()]
        assert np.array(sorted(got)) == pytest.approx(np.array(sorted(tuple(row) for row in wanted)), abs=2e-5), key
        for name, place in found.items():
            there = scene(state.model_copy(update=place))
            best = case[short]["value"]
            assert (shown(there, "value") < best + 1e-6) == name.startswith("global"), name
            assert shown(there, "end") == pytest.approx(shown(there, "value"), abs=1e-6)  # and there descent stays


def test_the_hand_sees_which_minimum_descent_comes_to():
    """Reverse KL over two modes: from the left to the left one, from the right to the right one, else between."""
    for mu, sigma, goal in ((-2.5, 0.6, -1.98), (2.5, 0.6, 1.98), (0.1, 2.2, 0.0)):
        drawn = scene(DivergenceState(show="fit", divergence="reverse_kl", mu=mu, sigma=sigma))
        path = next(c for c in drawn.panels[1].layers if isinstance(c, Curve))
        assert at_rest(path.x, drawn)[0] == pytest.approx(mu, abs=1e-9)
        assert at_rest(path.x, drawn)[-1] == pytest.approx(goal, abs=0.01)
        assert shown(drawn, "end") == pytest.approx(0.7272 if goal == 0 else 0.6859, abs=1e-4)
        assert shown(drawn, "value") >= shown(drawn, "end") >= shown(drawn, "best") - 1e-9


def downhill(data: str, mu: np.ndarray, sigma: float) -> np.ndarray:
    """Where the steepest descent of KL(q||p) in (mu, log sigma) from N(mu, sigma) ends: its value, by sums over a grid
    and slopes by the score function."""
    x = np.linspace(-16, 16, 1201)
    log_p = parse(data).log_density(x)
    at, stride, before = np.stack([mu, np.full(len(mu), np.log(sigma))]), np.full(len(mu), 0.03), np.zeros((2, len(mu)))
    for _ in range(400):
        width = np.exp(at[1])[:, None]
        z = (x - at[0][:, None]) / width
        log_q = -0.5 * z * z - np.log(width) - 0.5 * np.log(2 * np.pi)
        mass = np.exp(log_q) * (x[1] - x[0])
        value, weight = np.sum(mass * (log_q - log_p), axis=1), mass * (log_q - log_p)
        slope = np.stack([np.sum(weight * z / width, axis=1), np.sum(weight * (z * z - 1), axis=1)])
        slope += np.stack([np.sum(mass * z / width, axis=1), np.sum(mass * (z * z - 1), axis=1)])
        step = -slope / np.maximum(np.hypot(*slope), 1e-300)
        stride = np.where(np.sum(step * before, axis=0) < 0, stride / 2, stride)
        at, before = at + stride * step, step
    return np.asarray(value)


def test_descent_from_every_position_ends_within_its_band():
    data = "0.2*N(-3,0.5)+0.5*N(0,0.6)+0.3*N(3,0.5)"
    drawn = scene(DivergenceState(show="fit", divergence="reverse_kl", data=data, sigma=1.0))
    end, band = sweep(drawn, "end", "mu"), sweep(drawn, "end_error", "mu")
    truth = downhill(data, np.asarray(drawn.control("mu").values), 1.0)
    assert np.all(np.abs(truth - end) <= band + 5e-4)  # and neither is NaN
    assert 0 < np.sum(band > 1e-3) < len(band) / 10  # it is wide beside a watershed and nowhere else


@pytest.mark.parametrize("key", FIT_KEYS)
def test_the_map_holds_the_divergence_and_its_minima(key):
    state = DivergenceState(show="fit", divergence=key)
    drawn = scene(state)
    field = land(state.data, key)
    i, j = 25, 22
    q = normal(field.mu[j], field.sigma[i])
    if key in DIVERGENCES:
        assert field.values[i, j] == pytest.approx(float(divergences(state.p, q, (key,))[key].value), rel=1e-4)
    shades = next(layer for layer in drawn.layers() if isinstance(layer, Heatmap))
    assert np.nanmin(shades.values) >= -1e-6 and np.nanmax(shades.values) <= 1
    rings = [layer for layer in drawn.panels[1].layers if isinstance(layer, Points)]
    found = fit(state.data, key).minima
    assert len(rings) == len(found) and found and not rings[0].hollow
    for m, ring in zip(found, rings, strict=True):
        assert (float(ring.x[0]), 10 ** float(ring.y[0])) == pytest.approx((m.mu, m.sigma))
        level = "local" if ring.hollow else "global"
        assert ring.hollow == (m.value > found[0].value + 1e-6) and f"{level} {m.value:.4f}" in texts(drawn)
        assert f", {m.sigma:.2f})" in texts(drawn)
    assert len(pack(drawn)) < 0.3e6


def test_w2_squared_on_the_map_is_the_quadratic_of_its_fit():
    p = parse(TWO)
    assert isinstance(p, Mixture1D)
    mu, sigma = np.array([-1.0, 0.5, 3.0]), np.array([0.5, 1.2, 2.5])
    found = w2_squared(p, normal(mu, sigma))
    assert found is not None
    assert value_of(TWO, "w2_squared", mu, sigma) == pytest.approx(found.value, abs=1e-8)


def test_a_click_goes_to_the_minimum_beside_it_and_else_where_it_fell():
    state = DivergenceState(show="fit", divergence="reverse_kl")
    exact = next(place for name, place in places(state).items() if "1.98" in name and "−" not in name)
    assert clicked(state, 2.1, np.log10(0.74)) == exact
    assert clicked(state, -4.0, np.log10(3.0)) == {"mu": -4.0, "sigma": 3.0}


def test_what_has_no_best_normal_says_so():
    drawn = scene(DivergenceState(show="fit", data="0.5*U(-3,-1)+0.5*U(1,2)", divergence="reverse_kl"))
    assert "infinite for every normal" in texts(drawn) and np.isinf(shown(drawn, "best"))
    assert (
        np.isnan(shown(drawn, "end"))
        and places(DivergenceState(show="fit", data="U(-2,1)", divergence="reverse_kl")) == {}
    )


# --- four bargains -----------------------------------------------------------------------------------------------


def test_the_four_bargains_see_a_neglected_mode_as_theory_says():
    """Modes far apart: KL and JS of the shares alone; W1 = (1/2 - share) distance; Fisher blind, but not at share 0."""
    drawn = scene(DivergenceState(show="paradigms", apart=8.0, share=0.1))
    w = np.asarray(drawn.control("share").values)
    kl = 0.5 * np.log(0.5 / np.maximum(w, 1e-300)) + 0.5 * np.log(0.5 / (1 - w))
    m = 0.5 * (0.5 + w), 0.5 * (1.5 - w)
    js = 0.25 * (np.log(0.5 / m[0]) + np.log(0.5 / m[1])) + 0.5 * (
        special.xlogy(w, w / m[0]) + (1 - w) * np.log((1 - w) / m[1])
    )
    # the modes still overlap by a normal's mass beyond 6.7 standard deviations
    assert sweep(drawn, "kl", "share")[1:] == pytest.approx(kl[1:], abs=1e-8)
    assert sweep(drawn, "js", "share") == pytest.approx(js, abs=1e-8)
    assert sweep(drawn, "w1", "share") == pytest.approx((0.5 - w) * 8, abs=1e-8)
    fisher = sweep(drawn, "fisher", "share")
    assert fisher[1:].max() < 1e-5 and fisher[0] == pytest.approx(0.5 * (8 / 0.36) ** 2, rel=1e-4)
    # KL at share 0: half of the mass lies d from the only mode, d^2 / (2 s^2) each; log 2 less, as q's mode is doubled
    assert sweep(drawn, "kl", "share")[0] == pytest.approx(0.5 * 64 / 0.72 - np.log(2), abs=1e-6)


def test_equal_shares_and_no_distance_are_no_difference():
    for state in ({"share": 0.5}, {"apart": 0.0}):
        drawn = scene(DivergenceState(show="paradigms", **state))
        assert all(abs(shown(drawn, key)) < 1e-9 for key in ("kl", "js", "w1", "fisher")), state


# --- words, links, sizes, the page -------------------------------------------------------------------------------


def test_the_words_say_the_numbers_of_the_pictures():
    words = load(KEY)
    disjoint, modes, neglected = (scene(DivergenceState(**row.state)) for row in words.tries)
    said = [row.explain for row in words.tries]
    assert f"{shown(disjoint, 'value'):.4f}" in said[0] and f"{shown(disjoint, 'other'):.4f}" in said[0]
    assert shown(disjoint, "slope") == 0 and shown(disjoint, "otherslope") == pytest.approx(1)
    for data in (FAR, TWO):
        assert all(f"{m.value:.4f}" in said[1] for m in fit(data, "js").minima), data
    assert fit(FAR, "js").sigma < 1 < fit(TWO, "js").sigma
    assert shown(modes, "best") == pytest.approx(fit(FAR, "js").value)
    assert f"{shown(neglected, 'kl'):.3f}" in said[2] and f"{shown(neglected, 'js'):.4f}" in said[2]
    assert f"{shown(neglected, 'w1'):.3f}" in said[2] and f"{shown(neglected, 'fisher'):.4f}" in said[2]
    assert f"{sweep(neglected, 'fisher', 'share')[0]:.1f}" in said[2]
    assert f"rises to {sweep(neglected, 'kl', 'share')[0]:.2f} at share 0" in said[2]
    near, far = (fit(f"0.5*N(-{d},0.6)+0.5*N({d},0.6)", "js") for d in (2, 3))
    assert f"N(0, {near.sigma:.2f})" in words.explanation and abs(near.mu) < 1e-5
    assert f"N(±{abs(far.mu):.0f}, {far.sigma:.2f})" in words.explanation
    assert "0.330 N(−0.999, 0.255) + 0.670 N(2.000, 1.415)" in words.explanation
    p = parse(PAPER_MIXTURE)
    assert isinstance(p, Mixture1D)
    recovered = [[0.33, -0.999, 0.255], [0.67, 2.0, 1.415]]
    assert np.stack([p.weights, p.locs, p.scales], axis=1) == pytest.approx(np.array(recovered), abs=5e-4)


@pytest.mark.parametrize(
    "state", [*PRESETS.values(), *({"show": "fit"} | d for d in DATA.values()), {"show": "paradigms"}]
)
def test_every_preset_has_a_picture_that_is_small_enough_to_send(state):
    assert len(pack(scene(DivergenceState(**state)))) < 0.7e6


@pytest.mark.parametrize("key", FIT_KEYS)
def test_every_divergence_can_be_chosen_in_the_sweep(key):
    drawn = scene(DivergenceState(divergence=key, mean=-1.0, weight=0.5))
    assert shown(drawn, "value") > 0 and len(pack(drawn)) < 0.7e6
    assert [layer for layer in drawn.layers() if isinstance(layer, Handle)]
    want = value_at(key)
    assert shown(drawn, "value") == pytest.approx(want, rel=1e-6)


def value_at(key: str) -> float:
    """Two modes shifted by 1: the transport costs are exact, the others by the theory's own single value."""
    state = DivergenceState(mean=-1.0, weight=0.5)
    if key in ("w1", "w2_squared"):
        return 1.0
    return float(divergences(state.p, generator(state), (key,))[key].value)


def test_the_menu_is_the_table_of_divergences():
    assert get_args(DivergenceState.model_fields["divergence"].annotation) == FIT_KEYS


def test_a_state_survives_its_link():
    state = DivergenceState(
        show="fit", data="N(1,0.5)", divergence="tv", mean=1.25, spread=0.5, weight=0.25, halves="uniform",
        along="spread", mu=-1.5, sigma=0.75, share=0.125, apart=3.0, against="apart",
    )  # fmt: skip
    assert read(DivergenceState, write(state)) == (state, [])
    assert write(DivergenceState()) == {}


@pytest.mark.parametrize(
    ("params", "names", "allowed"),
    [
        ({"mean": "9"}, "mean", "from -8 to 8"),
        ({"spread": "0"}, "spread", "from 0.3 to 3"),
        ({"weight": "2"}, "weight", "from 0 to 1"),
        ({"show": "all"}, "show", "one of sweep, fit, paradigms"),
        ({"divergence": "value"}, "divergence", "one of kl, reverse_kl"),
        ({"sigma": "0"}, "sigma", "from 0.2 to 5"),
        ({"share": "0.6"}, "share", "from 0 to 0.5"),
        ({"data": "N(30,1)"}, "data", "beyond the picture"),
        ({"data": "ring(8)"}, "data", "not a distribution on the line"),
        ({"data": "+".join(f"0.125*N({k},1)" for k in range(8))}, "data", "at most 6"),
        ({"data": "N(0,"}, "data", ""),
    ],
)
def test_a_bad_parameter_is_named_with_what_is_allowed(params, names, allowed):
    state, problems = read(DivergenceState, params)
    assert state == DivergenceState() and len(problems) == 1
    assert names in problems[0] and allowed in problems[0]


@pytest.fixture(scope="module")
def page() -> AppTest:
    app = AppTest.from_file(str(Path(__file__).parents[1] / "app.py"), default_timeout=60).run()
    app.session_state[f"more:{KEY}"] = app.session_state[f"code:{KEY}"] = True  # what is closed is not sent
    app.switch_page(f"pages/{KEY}.py").run()
    assert not app.exception
    return app


def test_the_views_the_menu_and_the_presets_change_the_state(page):
    page.button(key=f"preset:{KEY}:missed mode").click().run()
    assert not page.exception and page.session_state[f"state:{KEY}"].along == "weight"
    page.selectbox(key=f"control:{KEY}:divergence").set_value("reverse_kl").run()
    assert not page.exception and page.session_state[f"state:{KEY}"].divergence == "reverse_kl"
    page.button_group(key=f"control:{KEY}:show").set_value("fit").run()
    assert not page.exception and any("0.2831" in m.value for m in page.markdown)
    name = next(name for name in places(page.session_state[f"state:{KEY}"]) if name.startswith("local"))
    page.button(key=f"preset:{KEY}:{name}").click().run()
    assert not page.exception and page.session_state[f"state:{KEY}"].sigma == pytest.approx(1.85, abs=0.01)


def test_each_chip_shows_its_state(page):
    for i, row in enumerate(load(KEY).tries):
        page.button(key=f"try-{i}:{KEY}").click().run()
        page.button(key=f"guess-{i}-{row.right}:{KEY}").click().run()
        assert not page.exception and "As you said." in page.info[0].value
        assert page.session_state[f"state:{KEY}"] == DivergenceState(**row.state)
    assert any("score matching, diffusion" in m.value for m in page.markdown)


def test_a_bad_link_is_named_on_the_page(page):
    page.query_params.clear()
    page.query_params["divergence"] = "nope"
    page.run()
    assert not page.exception and any("nope" in w.value and "jeffreys" in w.value for w in page.warning)
    assert any("DIVERGENCES = {" in c.value for c in page.code)
