"""The game's page: its numbers against closed forms and oracles, its links, the page itself without a browser."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from gantoys.lessons import load
from gantoys.maths import Finite, value_terms
from gantoys.pictures.game import scene, table
from gantoys.pictures.game_state import MOST, PRESETS, GameState, outcomes, shares, with_share
from gantoys.pictures.state import read, write
from gantoys.stage.layers import Handle
from gantoys.stage.pack import pack
from gantoys.stage.scene import Readout, Scene, at_rest
from tests.oracles import CASES, close

LOG2, LOG4 = np.log(2), np.log(4)
HALF_MISSED = GameState(**PRESETS["half missed"])


def number(picture: Scene, key: str) -> float:
    return float(at_rest(readout(picture, key).value, picture))


def readout(picture: Scene, key: str) -> Readout:
    return {r.key: r for r in picture.readouts}[key]


def sweep(picture: Scene, key: str, control: str) -> np.ndarray:
    return np.asarray(readout(picture, key).value.rows[control])


# --- what the picture says ----------------------------------------------------------------------------------------


def test_revealed_the_default_shows_the_four_digits_of_the_worked_example():
    name = "two_point_worked_example"
    want = CASES[name]["expected"]
    picture = scene(GameState(reveal=True))
    for key, got in (("JS", "js"), ("V_Dstar", "at_best")):
        close(name, key, number(picture, got), want[key])
    for k, best in enumerate(want["Dstar"]):
        close(name, "Dstar", number(picture, f"best{k}"), best)
    assert f"{number(picture, 'kl_real'):.4f} {number(picture, 'kl_fake'):.4f}" == "0.0204 0.0216"


@pytest.mark.parametrize(("key", "d"), [("V_D", "0.5,0.5"), ("V_D2", "0.4,0.6")])
def test_the_value_of_the_students_answers_is_the_oracles(key, d):
    name = "two_point_value_suboptimal_D"
    picture = scene(GameState(d=d))
    close(name, key, number(picture, "value"), CASES[name]["expected"][key])
    shortfall = CASES[name]["expected"]["V_Dstar"] - CASES[name]["expected"][key]
    assert number(picture, "shortfall") == pytest.approx(shortfall, abs=1e-12)


def test_half_of_eight_modes_missed_costs_what_the_closed_form_says():
    name = "mode_collapse_4_of_8"
    picture = scene(HALF_MISSED.model_copy(update={"reveal": True}))
    close(name, "JS", number(picture, "js"), CASES[name]["expected"]["JS"])
    assert [number(picture, f"best{k}") for k in range(8)] == pytest.approx([1 / 3] * 4 + [1.0] * 4)


@pytest.mark.parametrize("role", ["D", "G"])
def test_at_every_position_the_ledger_is_the_definition_of_v(role):
    state = GameState(data="0.2,0.3,0.5", fake="0.6,0.3,0.1", d="0.2,0.55,0.9", role=role)
    picture = scene(state)
    p, d, q = np.array([0.2, 0.3, 0.5]), np.array([0.2, 0.55, 0.9]), np.array([0.6, 0.3, 0.1])
    for control in picture.controls:
        k = int(control.key[1:])
        for i in range(0, len(np.asarray(control.values)), 12):
            v = np.asarray(control.values)[i]
            d_here, q_here = d.copy(), q.copy()
            if role == "D":
                d_here[k] = v
            else:
                q_here *= (1 - v) / (1 - q[k])
                q_here[k] = v
            value = np.sum(p * np.log(d_here) + q_here * np.log(1 - d_here))
            assert sweep(picture, "value", control.key)[i] == pytest.approx(value, abs=1e-12)
            # and it never beats D*, whose value is -log 4 + 2 JS
            assert value <= sweep(picture, "at_best", control.key)[i] + 1e-12
            parts = [sweep(picture, name, control.key)[i] for name in ("divergence", "shortfall")]
            assert value == pytest.approx(-LOG4 + parts[0] - parts[1], abs=1e-12)


def test_v_of_the_best_d_falls_to_minus_log_4_where_p_g_is_p_data():
    picture = scene(GameState(fake="0.5,0.5", role="G"))
    shares_of_first = np.asarray(picture.control("p0").values)
    at_best = sweep(picture, "at_best", "p0")
    assert shares_of_first[np.argmin(at_best)] == 0.5 and at_best.min() == pytest.approx(-LOG4, abs=1e-12)
    assert np.all(np.diff(at_best[:51]) < 0) and np.all(np.diff(at_best[50:]) > 0)


def test_both_orders_of_play_end_at_minus_log_4():
    """max_D min_G V and min_G max_D V over grids, by the picture's own numbers."""
    grid = np.round(np.arange(0.1, 0.91, 0.1), 2)
    cautious = [number(scene(GameState(d=f"{a},{b}", role="G", reveal=True)), "at_reply") for a in grid for b in grid]
    assert max(cautious) == pytest.approx(-LOG4) and int(np.argmax(cautious)) == 4 * len(grid) + 4
    committed = [number(scene(GameState(fake=f"{a},{1 - a:.2f}", role="G")), "at_best") for a in grid]
    assert min(committed) == pytest.approx(-LOG4) and grid[int(np.argmin(committed))] == 0.5


def test_against_a_d_that_stays_the_best_reply_puts_all_mass_where_it_is_largest():
    picture = scene(GameState(d="0.416667,0.625", fake="0,1", role="G", reveal=True))
    want = 0.5 * np.log(0.416667) + 0.5 * np.log(0.625) + np.log(0.375)
    assert number(picture, "at_reply") == pytest.approx(want) == number(picture, "value")
    close(
        "mode_collapse_1_of_2",
        "JS",
        (number(picture, "at_best") + LOG4) / 2,
        CASES["mode_collapse_1_of_2"]["expected"]["JS"],
    )
    assert sweep(picture, "value", "p0").min() == pytest.approx(want)


def test_the_two_terms_of_v_are_the_definition_and_an_impossible_outcome_costs_nothing():
    p, q = Finite(np.array([1.0, 0.0])), Finite(np.array([0.25, 0.75]))
    real, fake = value_terms(p, q, np.array([[0.5, 0.2], [0.9, 0.0]]))
    assert real == pytest.approx(np.log([0.5, 0.9]))
    assert fake == pytest.approx([0.25 * np.log(0.5) + 0.75 * np.log(0.8), 0.25 * np.log(0.1)])
    with pytest.raises(ValueError, match=r"one probability in \[0, 1\]"):
        value_terms(p, q, np.array([0.5, 1.5]))


def test_before_the_reveal_nothing_tells_where_the_best_answers_lie():
    hidden, shown = scene(GameState()), scene(GameState(reveal=True))
    labels = [[layer.label for layer in picture.layers()] for picture in (hidden, shown)]
    assert "*D*^{*}" not in labels[0] and "*D*^{*}" in labels[1]
    assert {r.key for r in hidden.readouts if r.visible} == {"value", "shortfall"}
    assert "D\\*" not in table(GameState()) and "| 0.4167 |" in table(GameState(reveal=True))


@pytest.mark.parametrize("role", ["D", "G"])
@pytest.mark.parametrize("count", range(2, MOST + 1))
def test_every_outcome_has_its_handle_and_few_sliders_are_beside_the_picture(role, count):
    picture = scene(GameState(**outcomes(count), role=role, reveal=True))
    letter = role.lower() if role == "D" else "p"
    handles = [layer.control for layer in picture.layers() if isinstance(layer, Handle)]
    assert handles == [f"{letter}{k}" for k in range(count)]
    assert sum(c.visible for c in picture.controls) <= 4
    assert len(pack(picture)) < 1_000_000
    assert {r.kind for r in picture.readouts} == {"exact"}


@pytest.mark.parametrize("name", PRESETS)
def test_the_named_pairs_can_be_played_from_both_sides(name):
    for role in ("D", "G"):
        picture = scene(GameState(**PRESETS[name], role=role, reveal=True))
        for r in picture.readouts:
            assert all(np.all(np.isfinite(rows)) for rows in r.value.rows.values()), r.key
        assert 0 <= number(picture, "js") <= LOG2 + 1e-12
    assert number(scene(GameState(**PRESETS["apart"], reveal=True)), "js") == pytest.approx(LOG2)


# --- the hand and the link ----------------------------------------------------------------------------------------


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=8), st.integers(0, 7), st.floats(0, 1))
def test_a_share_that_grows_takes_from_the_others_in_proportion(weights, k, share):
    q = np.array(weights) / np.sum(weights)
    k %= len(q)
    moved = with_share(q, k, np.asarray(share))
    others = np.arange(len(q)) != k
    assert moved.sum() == pytest.approx(1) and moved[k] == share and np.all(moved >= 0)
    assert moved[others] * q[others].sum() == pytest.approx(q[others] * (1 - share))


def test_where_the_others_have_nothing_they_share_equally():
    assert with_share(np.array([0, 1.0, 0]), 1, np.array([0.4, 1.0])) == pytest.approx(
        np.array([[0.3, 0.4, 0.3], [0, 1, 0]])
    )


def test_the_hand_moves_only_the_player_it_plays():
    state = GameState(d="0.3,0.6")
    assert state.moved({"d0": 0.42, "d1": 0.6}, "d0") == {"d": "0.42,0.6"}
    assert state.moved({"d0": 0.5, "d1": 0.5}, "d0") == {"d": ""}
    other = state.model_copy(update={"role": "G"})
    assert other.moved({"p0": 0.6, "p1": 0.3}, "p0") == {"fake": "0.6,0.4"}
    assert other.moved({"p0": 0.6, "p1": 0.3}, None) == {}
    assert state.positions() == {"d0": 0.3, "d1": 0.6, "p0": 0.7, "p1": 0.3}


def states() -> Iterator[GameState]:
    yield GameState(data="0.2,0.3,0.5", fake="0.5,0.25,0.25", d="0.001,0.5,0.999", role="G", reveal=True)
    yield HALF_MISSED
    yield from (GameState(**outcomes(k)) for k in range(2, MOST + 1))


@pytest.mark.parametrize("state", list(states()), ids=str)
def test_a_state_survives_its_link_and_its_controls_stand_where_it_says(state):
    again, problems = read(GameState, write(state))
    assert again == state and problems == []
    places = state.positions()
    assert {c.key: c.value for c in scene(state).controls}.items() <= places.items()


def test_shares_with_few_digits_are_scaled_to_sum_to_one():
    assert shares("0.333,0.333,0.333").sum() == pytest.approx(1, abs=1e-15)
    assert list(shares("0.7,0.3")) == [0.7, 0.3]


@pytest.mark.parametrize(
    ("params", "names", "allowed"),
    [
        ({"fake": "0.5,0.6"}, "fake", "must sum to 1"),
        ({"data": "1.5,-0.5"}, "data", "between 0 and 1"),
        ({"data": "1"}, "data", "2 to 8 outcomes"),
        ({"fake": ",".join(["0.1"] * 10)}, "fake", "2 to 8 outcomes"),
        ({"data": "nan,0.5"}, "data", "between 0 and 1"),
        ({"d": "0.5,2"}, "d", "between 0.001 and 0.999"),
        ({"d": "0,1"}, "d", "between 0.001 and 0.999"),
        ({"d": "a,b"}, "d", "list of numbers"),
        ({"d": "0.1," * 60}, "d", "at most 100 characters"),
        ({"role": "E"}, "role", "one of D, G"),
        ({"reveal": "maybe"}, "reveal", "0 or 1"),
        ({"d": "0.5,0.5,0.5"}, "d has 3", "same number of outcomes"),
        ({"data": "0.2,0.3,0.5"}, "data has 3", "same number of outcomes"),
        ({"p0": "0.5"}, "p0", "known are data, fake"),
    ],
)
def test_a_bad_link_names_the_parameter_and_what_is_allowed(params, names, allowed):
    state, problems = read(GameState, params)
    assert state == GameState() and len(problems) == 1
    assert names in problems[0] and allowed in problems[0] and len(problems[0]) < 400
    assert ": ;" not in problems[0] and "; is used" not in problems[0]


# --- the page -----------------------------------------------------------------------------------------------------


def opened(**params: str) -> AppTest:
    at = AppTest.from_file("../pages/game.py", default_timeout=15)
    at.session_state["more:game"] = at.session_state["code:game"] = True  # what is closed is not sent
    for name, value in params.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception
    return at


def plain(text: str) -> str:
    """A text of the page without the colours of its symbols."""
    return re.sub(r":\w+\[\$(.*?)\$\]", r"\1", text).replace("p_{data}", "p_data").replace("D^*", "D*")


def state_of(at: AppTest) -> GameState:
    return at.session_state["state:game"]


def test_the_page_opens_at_the_default_and_asks_its_question():
    at = opened()
    assert "Can you beat the best discriminator?" in " ".join(m.value for m in at.markdown)
    assert state_of(at) == GameState() and not at.warning[:-1]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_each_try_is_reached_through_its_chip_and_a_prediction(index):
    row = load("game").tries[index]
    at = opened()
    at.button(key=f"try-{index}:game").click().run()
    assert state_of(at) == GameState()
    wrong = (row.right + 1) % len(row.options)
    at.button(key=f"guess-{index}-{wrong}:game").click().run()
    assert not at.exception and state_of(at) == GameState(**row.state)
    assert row.options[row.right] in at.info[0].value


def test_the_numbers_in_the_tries_are_the_pictures():
    told = [row.explain.replace("−", "-") for row in load("game").tries]
    pictures = [scene(GameState(**row.state)) for row in load("game").tries]
    for i, keys in enumerate((("value",), ("at_best", "divergence", "js", "kl_real", "kl_fake"), ("value", "at_best"))):
        for key in keys:
            assert f"{number(pictures[i], key):.4f}" in told[i], (i, key)


def test_changing_sides_and_the_reveal_keep_the_game():
    at = opened(d="0.42,0.62")
    at.toggle[0].set_value(True).run()
    at.segmented_control[0].set_value("G").run()
    assert not at.exception and state_of(at) == GameState(d="0.42,0.62", role="G", reveal=True)


def test_a_pair_written_by_hand_is_taken_and_a_wrong_one_is_told():
    at = opened()
    fake = next(i for i, field in enumerate(at.text_input) if "fake" in field.key)
    at.text_input[fake].set_value("0.9,0.1").run()
    assert state_of(at).fake == "0.9,0.1" and not at.error
    at.text_input[fake].set_value("0.9,0.9").run()
    assert state_of(at).fake == "0.9,0.1" and "must sum to 1" in at.error[0].value
    at.button(key="preset:game:half missed").click().run()
    assert state_of(at) == HALF_MISSED and not at.error
    assert at.text_input[fake].value == HALF_MISSED.fake


def test_a_bad_link_says_so_until_the_state_changes():
    at = opened(role="E", d="0.3,0.6")
    assert "role" in at.warning[0].value and state_of(at).d == "0.3,0.6"
    at.run()
    assert "role" in at.warning[0].value
    at.button(key="preset:game:two").click().run()
    at.run()
    assert not any("role" in w.value for w in at.warning)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_every_answer_of_a_check_is_explained(index):
    question = load("game").checks[index]
    at = opened()
    for i, option in enumerate(question.options):
        at.radio(key=f"check-{index}:game").set_value(option).run()
        box = at.success if i == question.right else at.error
        assert plain(box[0].value) == question.explain[i]
