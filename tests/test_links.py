"""States and links: what a link may say, what happens when it says something else, and what the browser may send."""

import json
import re

import pytest

from gantoys.lessons import KEYS, load
from gantoys.pictures.film import StartState
from gantoys.pictures.optimal_discriminator import OptimalState
from gantoys.pictures.state import MAX_QUERY, read, write
from gantoys.ui.memory import valid


def test_a_state_survives_its_link():
    state = OptimalState(
        data="N(1,0.5)", left=-3.25, right=0.125, spread=1.75, weight=0.3, below="log-ratio", play=True
    )
    again, problems = read(OptimalState, write(state))
    assert again == state and problems == []
    assert write(OptimalState()) == {}


@pytest.mark.parametrize(
    ("params", "names", "allowed"),
    [
        ({"left": "99"}, "left", "from -7 to 7"),
        ({"left": "abc"}, "left", "from -7 to 7"),
        ({"left": "nan"}, "left", "from -7 to 7"),
        ({"left": "1e309"}, "left", "from -7 to 7"),
        ({"left": "9" * 3000}, "left", "from -7 to 7"),
        ({"below": "nope"}, "below", "one of integrand, log-ratio"),
        ({"play": "perhaps"}, "play", "0 or 1"),
        ({"data": "N(0,-1)"}, "data", "must be positive"),
        ({"data": "moons"}, "data", "not a distribution on the line"),
        ({"data": "N(500,1)"}, "data", "beyond the picture"),
        ({"nope": "1"}, "nope", "known are data, left"),
        ({"<script>": "1"}, "<script>", "known are"),
    ],
)
def test_a_bad_parameter_is_named_with_what_is_allowed_and_the_default_stands(params, names, allowed):
    state, problems = read(OptimalState, params)
    assert state == OptimalState()
    assert len(problems) == 1 and names in problems[0] and allowed in problems[0]
    assert problems[0].count("\n") == 0 and len(problems[0]) < 400


def test_good_parameters_beside_a_bad_one_are_kept():
    state, problems = read(OptimalState, {"left": "2.5", "right": "oops", "view": "lecture"})
    assert state.left == 2.5 and state.right == OptimalState().right and len(problems) == 1


def test_an_oversized_link_is_refused_before_it_is_read():
    state, problems = read(OptimalState, {"data": "0.001*N(0,1)+" * 8000})
    assert state == OptimalState() and str(MAX_QUERY) in problems[0]


def test_whole_numbers_stay_whole():
    assert read(StartState, {"seed": "12", "step": "300"})[0] == StartState(seed=12, step=300)
    assert "whole number from 0 to 9999" in read(StartState, {"seed": "1.5"})[1][0]


@pytest.mark.parametrize("key", KEYS)
def test_every_lesson_is_whole(key):
    words = load(key)
    assert words.question.endswith("?") and 3 <= len(words.tries) <= 6 and 2 <= len(words.checks) <= 3
    assert words.mistake and words.explanation and words.reading and 1 <= words.minutes <= 60
    assert set(words.needs) <= set(KEYS)
    for row in words.checks:
        assert all(len(text) > 20 for text in row.explain)


def words_of(lesson):
    """Every text of a lesson."""
    yield from (lesson.title, lesson.question, lesson.summary, lesson.explanation, lesson.mistake, *lesson.reading)
    for row in lesson.tries:
        yield from (row.label, row.ask, *row.options, row.explain)
    for row in lesson.checks:
        yield from (row.ask, *row.options, *row.explain)


@pytest.mark.parametrize("key", KEYS)
def test_no_formula_stands_in_a_lesson_as_it_was_typed(key):
    for text in words_of(load(key)):
        plain = re.sub(r"\$\$.*?\$\$|\$.*?\$", "", text, flags=re.DOTALL)
        assert not re.search(r"\\[^|]|\^|_\{|\$", plain), text


def test_a_lesson_that_does_not_exist_is_a_key_error():
    with pytest.raises(KeyError):
        load("nope")


FORGED = [None, 3, "", "[]", "{", '"x"', "[" * 9000, '{"start": 1}', '{"start": {"checks": []}}', "x" * 20_000]


@pytest.mark.parametrize("text", [*FORGED, '{"nope": {"checks": {}}}'])
def test_what_the_browser_kept_is_checked_like_any_upload(text):
    assert valid(text) == {}


def test_progress_is_read_back():
    kept = {"start": {"checks": {"0": True, "1": False, "7": True, "2": "yes"}}}
    assert valid(json.dumps(kept)) == {"start": {"checks": {"0": True, "1": False}}}
