"""No lesson states a number that is not derived another way: see `tests.stated`."""

import importlib
import math
import re

import pytest
from test_markup import PICTURES, strings
from tree import ROOT, text

from gantoys.lessons import KEYS, load
from gantoys.pictures.wasserstein_state import ends
from tests import stated as tables
from tests.stated import GIVEN, HELD, NUMBER, flat, stated, texts

TABLES = {key: importlib.import_module(f"tests.stated.{key.replace('-', '_')}").ROWS for key in KEYS}  # type: dict[str, list[tables.Row]]
ROWS = [(key, i) for key in KEYS for i in range(len(TABLES[key]))]


@pytest.mark.parametrize("key", KEYS)
def test_every_number_of_a_lesson_stands_in_its_table(key: str) -> None:
    rest = texts(load(key))
    for fragment, _ in TABLES[key]:
        said = flat(fragment)
        assert any(said in whole for whole in texts(load(key))), f"not in the lesson: {fragment}"
        rest = [part.replace(said, "…") for part in rest]
    assert [part for part in rest if NUMBER.search(part)] == []


@pytest.mark.parametrize(("key", "row"), ROWS, ids=[f"{key}-{i}" for key, i in ROWS])
def test_a_number_is_what_another_route_gives(key: str, row: int) -> None:
    fragment, check = TABLES[key][row]
    if isinstance(check, HELD):
        file, _, name = check.test.partition("::")
        assert re.search(rf"^def {name}\(", text(ROOT / "tests" / file), re.M), f"no such test: {check.test}"
        return
    if check == GIVEN:
        return
    assert callable(check)
    found = check()
    if found is None:
        return
    printed = stated(fragment)
    assert len(found) == len(printed), (fragment, printed, found)
    for want, shown in zip(found, printed, strict=True):
        number, half = tables.value(shown)
        assert abs(number - want) <= half * (1 + 1e-6), (fragment, shown, want)


CONSTANTS = {"0.693": math.log(2), "1.386": math.log(4), "1.3863": math.log(4), "4.5": ends("mixtures")[1]}
"""The decimals that pictures have in their words: all others are live, from the theory."""


def test_decimals_in_the_words_of_pictures_are_constants() -> None:
    told = [
        found
        for path in PICTURES
        for _, words in strings(path)
        if " " in words and "N(" not in words and "such as" not in words
        for found in re.findall(r"(?<![\w.:{])\d+\.\d+(?![\dfeg%])", words)
    ]
    assert set(told) == set(CONSTANTS)
    for printed, constant in CONSTANTS.items():
        number, half = tables.value(printed)
        assert abs(number - constant) <= half
