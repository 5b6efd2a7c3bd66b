"""The questions of all lessons: nothing but the subject tells which option is right, and a link fixes their order."""

from collections import Counter
from itertools import permutations
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from gantoys.lessons import KEYS, Check, Try, load, shuffled

APP = str(Path(__file__).parents[1] / "app.py")
QUESTIONS: list[tuple[str, Try | Check]] = [
    (f"{key}|{what}|{i}", row)
    for key in KEYS
    for what, rows in (("try", load(key).tries), ("check", load(key).checks))
    for i, row in enumerate(rows)
]


def places(link: str) -> Counter[int]:
    """How often the right option stands first, second, ... for those who opened every lesson by this link."""
    return Counter(shuffled(len(row.options), f"{name}|{link}").index(row.right) for name, row in QUESTIONS)


def test_the_right_option_stands_everywhere_equally_often() -> None:
    three = sum(len(row.options) == 3 for _, row in QUESTIONS)
    fair = three / 3
    first = places("")
    # 19 each, 3.6 the standard deviation of a fair shuffle
    assert all(abs(first[place] - fair) < 8 for place in (0, 1, 2))
    links = [places(f"step={k}") for k in range(200)]
    means = [sum(found[place] for found in links) / len(links) for place in (0, 1, 2)]
    assert means == pytest.approx([fair] * 3, abs=1.0)


def test_neither_the_longest_nor_the_shortest_option_is_the_right_one_too_often() -> None:
    longest = [name for name, row in QUESTIONS if len(row.options[row.right]) >= max(map(len, row.options))]
    shortest = [name for name, row in QUESTIONS if len(row.options[row.right]) <= min(map(len, row.options))]
    assert len(longest) <= 0.4 * len(QUESTIONS), longest
    assert len(shortest) <= 0.4 * len(QUESTIONS), shortest


def test_options_of_a_question_differ_and_each_answer_of_a_check_has_words_of_its_own() -> None:
    for name, row in QUESTIONS:
        assert len(set(row.options)) == len(row.options), name
        if isinstance(row, Check):
            assert len(set(row.explain)) == len(row.options) and all(len(words) > 30 for words in row.explain), name
            # nobody but the right answer is told "Right"
            assert [i for i, words in enumerate(row.explain) if words.startswith("Right")] == [row.right], name


def test_a_shuffle_is_fixed_by_its_seed_and_all_orders_occur() -> None:
    seen = {shuffled(3, f"a|{k}") for k in range(100)}
    assert seen == set(permutations(range(3))) and shuffled(4, "x") == shuffled(4, "x")


def test_those_who_open_the_same_link_meet_the_same_order_which_stays_while_they_play() -> None:
    def opened(**params: str) -> AppTest:
        app = AppTest.from_file(APP, default_timeout=60)
        app.run()
        app.switch_page("pages/game.py")
        for name, value in params.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception
        return app

    def orders(app: AppTest) -> list[list[str]]:
        return [app.radio(key=f"check-{i}:game").options for i in range(3)]

    plain, first, second = opened(), opened(d="0.3,0.6"), opened(d="0.3,0.6", view="")
    assert orders(first) == orders(second) != orders(plain)
    assert [sorted(order) for order in orders(first)] == [sorted(order) for order in orders(plain)]
    before = orders(first)
    first.toggle[0].set_value(True).run()  # the state and with it the link change
    assert orders(first) == before and "reveal" in dict(first.query_params)
    # and an answer is judged by its words, wherever they stand
    right = load("game").checks[0]
    first.radio(key="check-0:game").set_value(right.options[right.right]).run()
    assert first.success and first.session_state["progress"]["game"]["checks"] == {"0": True}
