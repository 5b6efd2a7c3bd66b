"""Every number that a lesson states, with a check that derives it another way.

A table has a row for each sentence with numbers in it: the words as they stand there, and what is behind them:

- a function that returns the sentence's numbers in their order, worked out in `by_hand`; each must round to what is
  printed. One that returns nothing has asserted them itself;
- `GIVEN`: the sentence sets the number, as a premise, a setting or a part of a definition;
- `HELD(test)`: the outcome of a training, which the test of that name takes from the run itself.

A number without a row fails, and so does a row that stands nowhere.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gantoys.lessons import Lesson

NUMBER = re.compile(r"\d+/\d+|[−-]?\d[\d,]*(?:\.\d+)?")
# a year, a place in a paper, a name, and the two constants that every lesson lives with, are no claims
NAMES = re.compile(
    r"\b(?:19|20)\d\d\b"
    r"|(?:theorems?|sections?|figures?|tables?|chapters?|eq\.) \d+(?:\.\d+)*(?: (?:to|and) \d+(?:\.\d+)*)?"
    r"|W_?\{?[12]\}?(?:\^2)?|\bR[12]\b|\bL1\b|1-Lipschitz|\\?log\s?[24]\b|\$\$.*?\$\$",
    re.S,
)


@dataclass(frozen=True)
class HELD:
    """test: file.py::function of the test that takes the sentence's numbers from the run."""

    test: str


GIVEN = "given"
Check = Callable[[], Any] | HELD | str
Row = tuple[str, Check]


def texts(lesson: Lesson) -> list[str]:
    """All that a lesson says in sentences, one text for each field."""
    out = [lesson.question, lesson.summary, lesson.explanation, lesson.mistake]
    for chip in lesson.tries:
        out += [chip.label, chip.ask, " | ".join(chip.options), chip.explain]
    for check in lesson.checks:
        out += [check.ask, " | ".join(check.options), *check.explain]
    return [flat(text) for text in out]


def flat(text: str) -> str:
    """In one line, without the names that hold a digit."""
    return re.sub(r"\s+", " ", NAMES.sub("§", text))


def stated(fragment: str) -> list[str]:
    """The numbers of a sentence as they are printed."""
    return NUMBER.findall(flat(fragment))


def value(printed: str) -> tuple[float, float]:
    """A printed number and half a unit of its last digit."""
    plain = printed.replace("−", "-").replace(",", "")
    if "/" in plain:
        above, below = plain.split("/")
        return float(above) / float(below), 1e-12
    return float(plain), 0.5 * 10.0 ** -len(plain.partition(".")[2])
