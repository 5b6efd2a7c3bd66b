"""The lesson of the generator's gradients: what its three views show, what its link may say, and the page itself."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from gantoys.lessons import load
from gantoys.maths import LOSSES
from gantoys.pictures.generator_gradients import PRESETS, GradientState, scene
from gantoys.pictures.generator_gradients.race import run
from gantoys.pictures.state import read, write
from gantoys.stage.controls import Readout
from gantoys.stage.layers import Arrows, Curve, Points, Text
from gantoys.stage.pack import pack
from gantoys.stage.scene import Scene, at_rest
from tests.oracles import CASES, close

KEY = "generator-gradients"
TWO = PRESETS["two modes"]


def shown(drawn: Scene, key: str) -> float:
    return float(at_rest(next(r.value for r in drawn.readouts if r.key == key), drawn))


def sweep(drawn: Scene, key: str) -> np.ndarray:
    value: Any = next(r.value for r in drawn.readouts if r.key == key)
    return np.asarray(value.rows["shift"])


def curve(drawn: Scene, panel: int, label: str) -> Curve:
    return next(c for c in drawn.panels[panel].layers if isinstance(c, Curve) and c.label == label)


# --- gradients against the separation ----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "state"), [("gengrad_gauss_offset3", {}), ("gengrad_bimodal_near_mode", TWO)])
def test_the_readouts_match_the_oracles(name, state):
    drawn, want = scene(GradientState(**state)), CASES[name]["expected"]
    close(name, "saturating_dtheta", shown(drawn, "ga"), want["saturating_dtheta"])
    close(name, "non_saturating_dtheta", shown(drawn, "gb"), want["non_saturating_dtheta"])
    close(name, "ratio_abs", shown(drawn, "ratio"), want["ratio_abs"])


def test_the_two_gradients_add_up_to_the_slope_of_the_reverse_kl():
    """2 JS and KL(q||p) - 2 JS: together KL(q||p) = shift^2 / 2 between unit normals, whose slope is the shift."""
    drawn = scene(GradientState(shift=4.321))
    shift = np.asarray(drawn.control("shift").values)
    assert 4.321 in shift
    assert sweep(drawn, "ga") + sweep(drawn, "gb") == pytest.approx(shift, rel=1e-9, abs=1e-12)
    assert sweep(drawn, "d") == pytest.approx(1 / (1 + np.exp(shift**2 / 2)), rel=1e-9)
    assert sweep(drawn, "ga")[0] == sweep(drawn, "gb")[0] == 0  # and not what rounding left


def test_the_cliff_is_the_size_of_the_readouts_and_autograd_lies_on_it():
    drawn = scene(GradientState())
    cliff = drawn.panels[2]
    for label, key in (("saturating", "ga"), ("non-saturating", "gb")):
        line = curve(drawn, 2, label)
        assert np.asarray(line.y)[1:] == pytest.approx(np.abs(sweep(drawn, key))[1:], rel=1e-12)
    rings = [p for p in cliff.layers if isinstance(p, Points) and p.hollow]
    assert len(rings) == 2 and "autograd" in rings[0].label
    for ring, label in zip(rings, ("saturating", "non-saturating"), strict=True):
        line = curve(drawn, 2, label)
        on = np.exp(np.interp(ring.x, line.x, np.log(np.maximum(line.y, 1e-12))))  # the line between the positions
        assert np.asarray(ring.y) == pytest.approx(on, rel=0.02)
    assert cliff.y.log and cliff.y.lo < np.nanmin(np.asarray(curve(drawn, 2, "saturating").y)[1:])


@pytest.mark.parametrize("state", [{"scale": 0.9}, {"data": "N(0,2)"}, {"loss": "hinge", "other": "wasserstein"}])
def test_no_ring_is_drawn_that_autograd_did_not_compute(state):
    drawn = scene(GradientState(**state))
    assert not [p for p in drawn.panels[2].layers if isinstance(p, Points) and p.hollow]


def test_arrows_point_where_each_loss_pushes_a_sample():
    drawn = scene(GradientState(shift=5.0))
    first, second = (layer for layer in drawn.panels[0].layers if isinstance(layer, Arrows))
    x, down = at_rest(first.x, drawn), at_rest(first.dx, drawn)
    a = 12.5 - 5 * np.asarray(x)
    assert down == pytest.approx(-5 / (1 + np.exp(-a)), rel=1e-9)
    assert at_rest(second.dx, drawn) == pytest.approx(-5 / (1 + np.exp(a)), rel=1e-9)
    assert np.asarray(at_rest(second.dx, drawn)) / down == pytest.approx(np.exp(-a), rel=1e-9)


def test_the_best_critic_on_screen_is_that_of_the_first_loss():
    """Between N(0, 1) and N(s, 1): D* = 1 / (1 + e^(s x - s^2/2)); which of them is denser changes at s/2."""
    x = np.linspace(-4, 12, 257)
    for key, name, want in (
        ("saturating", "D", lambda s: 1 / (1 + np.exp(s * x - s * s / 2))),
        ("least-squares", "D", lambda s: 1 / (1 + np.exp(s * x - s * s / 2))),
        ("hinge", "best critic", lambda s: np.where(x < s / 2, 1.0, -1.0)),
        ("f-tv", "best critic", lambda s: np.where(x < s / 2, 0.5, -0.5)),
        ("wasserstein", "f", lambda s: s / 2 - x),  # slope -1 everywhere, 0 at the median of both
        ("relativistic", "best critic", lambda s: s * s / 2 - s * x),
    ):
        drawn = scene(GradientState(loss=key, shift=3.1))
        panel = drawn.panels[1]
        line = next(layer for layer in panel.layers if isinstance(layer, Curve))
        assert np.asarray(at_rest(line.y, drawn)) == pytest.approx(want(3.1), abs=1e-9), key
        readout = next(r for r in drawn.readouts if r.key == "d")
        assert name in readout.label and name in panel.y.label, key
        there = np.interp(3.1, x, want(3.1))
        assert shown(drawn, "d") == pytest.approx(there, abs=1e-3), key
        assert panel.y.lo <= there <= panel.y.hi
        assert ("up to a constant" in panel.y.label) == (key in ("wasserstein", "relativistic"))
        other = scene(GradientState(show="losses", loss=key, shift=3.1))
        assert shown(other, "d") == pytest.approx(shown(drawn, "d"), rel=1e-9)


def test_only_a_logit_is_drawn_as_a_probability():
    for loss, other, label in (("saturating", "f-js", "*D*(*x*)"), ("hinge", "saturating", "σ(*a*)")):
        drawn = scene(GradientState(show="losses", against="D", loss=loss, other=other))
        assert drawn.panels[0].x.label.startswith(label), loss


# --- the losses --------------------------------------------------------------------------------------------------


def test_the_losses_view_draws_the_slopes_of_the_oracle():
    case = CASES["generator_loss_grad_wrt_logit"]
    names = {"saturating": "saturating", "non-saturating": "non_saturating", "hinge": "hinge", "wasserstein": "wgan"}
    for key, name in names.items():
        line = curve(scene(GradientState(show="losses", against="logit", loss=key, other="f-kl")), 1, _short(key))
        at = [int(np.argmin(np.abs(np.asarray(line.x) - a))) for a in case["inputs"]["a"]]
        assert np.asarray(line.x)[at] == pytest.approx(case["inputs"]["a"], abs=1e-12)
        assert np.asarray(line.y)[at] == pytest.approx(case["expected"][name], abs=1e-10)
    case = CASES["generator_loss_grad_at_given_D"]
    drawn = scene(GradientState(show="losses"))
    for key in ("saturating", "non-saturating"):  # straight lines in D
        line = curve(drawn, 1, key)
        want = case["expected"][key.replace("-", "_")]
        assert np.interp(case["inputs"]["D"], line.x, line.y) == pytest.approx(want, abs=1e-9)


def _short(key: str) -> str:
    return {"wasserstein": "Wasserstein"}.get(key, key)


def test_the_ratio_of_the_two_slopes_is_e_to_minus_a():
    drawn = scene(GradientState(show="losses", shift=2.0))
    assert shown(drawn, "minus_a") == pytest.approx(2) and shown(drawn, "ratio") == pytest.approx(np.exp(2))
    assert shown(drawn, "d") == pytest.approx(1 / (1 + np.exp(2)))
    ratio, minus_a = sweep(drawn, "ratio"), sweep(drawn, "minus_a")
    assert np.log(ratio) == pytest.approx(minus_a, rel=1e-12, abs=1e-12)


def test_a_critic_that_is_no_function_of_the_ratio_gets_no_dots():
    for key, dots in (("wasserstein", 0), ("relativistic", 0), ("least-squares", 2)):
        drawn = scene(GradientState(show="losses", loss=key, other="wasserstein"))
        assert len([p for p in drawn.panels[0].layers if isinstance(p, Points)]) == dots, key


# --- the race ----------------------------------------------------------------------------------------------------


def test_the_race_follows_closed_forms_and_its_clock():
    drawn = scene(GradientState(show="race", shift=3.0, loss="f-reverse-kl", other="wasserstein", time=2.0))
    assert shown(drawn, "ma") == pytest.approx(3 * np.exp(-2), abs=5e-3)
    assert shown(drawn, "mb") == pytest.approx(1.0, abs=1e-3)
    clock = drawn.control("time")
    assert clock.value == pytest.approx(2.0) and not clock.autoplay
    assert scene(GradientState(show="race")).control("time").autoplay


def test_the_saturating_generator_hardly_leaves_while_the_other_arrives():
    slow, fast = (run("N(0,1)", 6.0, 1.0, key) for key in ("saturating", "non-saturating"))
    assert slow.mean[-1] == pytest.approx(5.24, abs=0.005) and slow.spread[-1] == pytest.approx(2.55, abs=0.005)
    assert fast.mean[-1] == pytest.approx(0.01, abs=0.005) and fast.spread[-1] == pytest.approx(1.0, abs=0.005)
    assert slow.js[0] == fast.js[0] <= np.log(2) and slow.js[-1] > 0.5 and fast.js[-1] < 1e-4
    assert np.all(np.diff(slow.js) < 0) and np.all(np.diff(fast.js) < 1e-9)


def test_a_new_start_sets_the_clock_back():
    state = GradientState(show="race", time=7.0)
    assert state.moved({"time": 7.0, "start": 5.0}, "start") == {"shift": 5.0, "time": 0.0}
    assert state.moved({"time": 3.0, "start": 5.0}, "time") == {"shift": 5.0, "time": 3.0}
    assert GradientState(time=7.0).moved({"shift": 2.0}, "shift") == {"shift": 2.0}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"loss": "f-pearson", "scale": 0.5, "shift": 1.0}, "cannot"),
        ({"data": "T(0,1,3)", "loss": "relativistic"}, "pairs"),
    ],
)
def test_what_cannot_be_followed_is_said_in_the_picture(state, words):
    drawn = scene(GradientState(show="race", **state))
    assert any(words in layer.text for layer in drawn.layers() if isinstance(layer, Text) and layer.role == "warn")
    assert np.isnan(shown(drawn, "jsa")) and np.isfinite(shown(drawn, "jsb"))


# --- every state, links, the page --------------------------------------------------------------------------------


@pytest.mark.parametrize("key", LOSSES)
def test_every_loss_can_be_shown_in_every_view(key):
    for show, against in (("separation", "D"), ("losses", "D"), ("losses", "logit")):
        drawn = scene(GradientState(show=show, loss=key, other=key, against=against, shift=2.0))
        assert len(pack(drawn)) < 2**20
    assert len(pack(scene(GradientState(show="race", loss=key, shift=5.0)))) < 2**20


def test_the_menu_is_the_table_of_losses():
    for field in ("loss", "other"):
        assert get_args(GradientState.model_fields[field].annotation) == tuple(LOSSES)


def test_a_state_survives_its_link():
    state = GradientState(
        data="N(1,0.5)", shift=4.25, scale=0.5, show="losses", loss="hinge", other="f-js", against="logit", time=1.5
    )
    assert read(GradientState, write(state)) == (state, [])
    assert write(GradientState()) == {}


@pytest.mark.parametrize(
    ("params", "names", "allowed"),
    [
        ({"shift": "11"}, "shift", "from 0 to 10"),
        ({"scale": "0"}, "scale", "from 0.3 to 2"),
        ({"show": "all"}, "show", "one of separation, losses, race"),
        ({"loss": "nope"}, "loss", "saturating, non-saturating"),
        ({"other": "nope"}, "other", "saturating, non-saturating"),
        ({"against": "x"}, "against", "one of D, logit"),
        ({"time": "13"}, "time", "from 0 to 12"),
        ({"data": "U(0,1)"}, "data", "edges"),
        ({"data": "N(20,1)"}, "data", "beyond the picture"),
        ({"data": "ring(8)"}, "data", "not a distribution on the line"),
    ],
)
def test_a_bad_parameter_is_named_with_what_is_allowed(params, names, allowed):
    state, problems = read(GradientState, params)
    assert state == GradientState() and len(problems) == 1
    assert names in problems[0] and allowed in problems[0]


def test_a_readout_refuses_a_format_it_does_not_know():
    with pytest.raises(ValueError, match=r"'\.3x' is not like"):
        Readout("r", "r", 1.0, form=".3x")


def test_the_words_say_the_numbers_of_the_pictures():
    words = load(KEY)
    far = scene(GradientState(**words.tries[0].state))
    near = scene(GradientState())
    said = words.tries[0].explain
    assert f"{shown(near, 'ga'):.4f}" in said and f"{shown(near, 'gb'):.3f}" in said
    assert f"{shown(far, 'ga'):.5f}" in said and f"{shown(far, 'gb'):.3f}" in said
    assert shown(far, "ratio") == pytest.approx(20_000, rel=0.02)
    one = scene(GradientState(**words.tries[1].state))
    assert all(f"{abs(shown(one, key)):.4f}" in words.tries[1].explain for key in ("sa", "sb"))


@pytest.fixture(scope="module")
def page() -> AppTest:
    app = AppTest.from_file(str(Path(__file__).parents[1] / "app.py"), default_timeout=60).run()
    app.session_state[f"more:{KEY}"] = app.session_state[f"code:{KEY}"] = True  # what is closed is not sent
    app.switch_page(f"pages/{KEY}.py").run()
    assert not app.exception
    return app


def test_each_chip_asks_and_then_shows_its_state(page):
    for i, row in enumerate(load(KEY).tries):
        page.button(key=f"try-{i}:{KEY}").click().run()
        assert any(m.value.startswith("**Before it moves:**") for m in page.markdown)
        assert {b.label for b in page.button} >= set(row.options)
        page.button(key=f"guess-{i}-{row.right}:{KEY}").click().run()
        assert not page.exception and "As you said." in page.info[0].value
        assert page.session_state[f"state:{KEY}"] == GradientState(**row.state)


def test_the_menus_change_the_state_and_the_link(page):
    page.session_state[f"state:{KEY}"] = GradientState()
    page.run()
    page.selectbox(key=f"control:{KEY}:other").set_value("wasserstein").run()
    assert not page.exception and page.session_state[f"state:{KEY}"].other == "wasserstein"
    assert page.query_params["other"] in ("wasserstein", ["wasserstein"])  # Streamlit changed which
    page.number_input(key=f"control:{KEY}:scale").set_value(0.5).run()
    assert not page.exception and page.session_state[f"state:{KEY}"].scale == 0.5


def test_a_bad_link_is_named_on_the_page_and_torch_is_shown_but_not_imported(page):
    page.query_params.clear()
    page.query_params["loss"] = "nope"
    page.run()
    assert not page.exception and any("nope" in w.value and "saturating" in w.value for w in page.warning)
    assert any("theta.grad" in c.value for c in page.code) and any("LOSSES = {" in c.value for c in page.code)
