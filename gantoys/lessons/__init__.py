"""The lessons' words, one TOML file each, read into plain values. No picture and no formula is computed here."""

import hashlib
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any

from gantoys.shared import shared

KEYS = (
    "start",
    "game",
    "optimal-discriminator",
    "divergences",
    "generator-gradients",
    "wasserstein",
    "dynamics",
    "lab",
    "compare",
)
"""The lessons in the order of the path."""


@dataclass(frozen=True)
class Try:
    """A state worth seeing: a chip, the prediction asked before it moves, what is seen, and the state itself."""

    label: str
    ask: str
    options: tuple[str, ...]
    right: int
    explain: str
    state: dict[str, Any]


@dataclass(frozen=True)
class Check:
    """A question to check oneself with; `explain` says something for every option."""

    ask: str
    options: tuple[str, ...]
    right: int
    explain: tuple[str, ...]


@dataclass(frozen=True)
class Lesson:
    """Everything a lesson says. Texts are Markdown; `:blue[real]`, `:orange[generated]`, `:green[D]` colour by role."""

    key: str
    title: str
    question: str
    summary: str
    minutes: int
    needs: tuple[str, ...]
    explanation: str
    mistake: str
    tries: tuple[Try, ...]
    checks: tuple[Check, ...]
    reading: tuple[str, ...]


def shuffled(count: int, seed: str) -> tuple[int, ...]:
    """The numbers 0 to count - 1 in an order that `seed` fixes, the same everywhere: how a question shows its options.

    >>> shuffled(3, "ring")
    (2, 0, 1)
    """
    return tuple(sorted(range(count), key=lambda i: hashlib.sha256(f"{seed}|{i}".encode()).digest()))


def _choice(row: dict[str, Any], where: str) -> None:
    if not 2 <= len(row["options"]) <= 4 or not 0 <= row["right"] < len(row["options"]):
        raise ValueError(f"{where}: 2 to 4 options are needed and `right` must be the number of one of them")


@shared
def load(key: str) -> Lesson:
    """The lesson named `key`. Raises KeyError for a lesson that does not exist, ValueError for a malformed file."""
    if key not in KEYS:
        raise KeyError(key)
    raw = tomllib.loads(resources.files(__name__).joinpath(f"{key}.toml").read_text("utf-8"))
    tries, checks = raw.pop("try"), raw.pop("check")
    for i, row in enumerate(tries):
        _choice(row, f"{key}, try {i + 1}")
    for i, row in enumerate(checks):
        _choice(row, f"{key}, check {i + 1}")
        if len(row["explain"]) != len(row["options"]):
            raise ValueError(f"{key}, check {i + 1}: every option needs its explanation")
    return Lesson(
        key=key,
        tries=tuple(Try(**row | {"options": tuple(row["options"])}) for row in tries),
        checks=tuple(
            Check(**row | {"options": tuple(row["options"]), "explain": tuple(row["explain"])}) for row in checks
        ),
        **raw | {"needs": tuple(raw["needs"]), "reading": tuple(raw["reading"])},
    )
