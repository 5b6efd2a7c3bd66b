"""The state of the game's page: two distributions on a few outcomes, D's answers to them, and who the student is."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from gantoys.pictures.state import State

Array = np.ndarray
FEWEST, MOST = 2, 8
ROUNDING = 5e-3  # how far from 1 the shares of a text may sum, which has few digits; they are then scaled to sum to 1
SUREST = (0.001, 0.999)  # the answers of D that a link may hold: their logarithms stay finite


def _numbers(text: str) -> Array:
    try:
        values = np.array([float(part) for part in text.split(",")])
    except ValueError:
        raise ValueError(f"“{text}” is not a list of numbers such as 0.5,0.5") from None
    if not FEWEST <= len(values) <= MOST:
        raise ValueError(f"there are {FEWEST} to {MOST} outcomes, got {len(values)}")
    return values


def shares(text: str) -> Array:
    """The probabilities that a text such as "0.7,0.3" lists, (K,), K = 2..8. Raises ValueError for anything else."""
    values = _numbers(text)
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError(f"probabilities lie between 0 and 1, got {text}")
    total = values.sum()
    if abs(total - 1) > ROUNDING:
        raise ValueError(f"probabilities must sum to 1, those of {text} sum to {total:.6g}")
    return values if abs(total - 1) < 1e-12 else values / total


def answers(text: str) -> Array:
    """D's answer to each outcome, (K,) in [0.001, 0.999]. Raises ValueError for anything else."""
    values = _numbers(text)
    if not np.all((values >= SUREST[0]) & (values <= SUREST[1])):
        raise ValueError(f"answers of D lie between {SUREST[0]} and {SUREST[1]}, got {text}")
    return values


def _shares_text(text: str) -> str:
    shares(text)
    return text


def _answers_text(text: str) -> str:
    if text:
        answers(text)
    return text


def _text(values: Array) -> str:
    return ",".join(format(v, ".6g") for v in values)


class GameState(State):
    """p_data and p_G as lists of probabilities, D's answers (empty: ½ to every outcome), who the student is."""

    data: Annotated[str, AfterValidator(_shares_text)] = Field("0.5,0.5", max_length=100)
    fake: Annotated[str, AfterValidator(_shares_text)] = Field("0.7,0.3", max_length=100)
    d: Annotated[str, AfterValidator(_answers_text)] = Field("", max_length=100)
    role: Literal["D", "G"] = "D"
    reveal: bool = False

    @model_validator(mode="after")
    def _one_number_of_outcomes(self) -> "GameState":
        counts = {name: len(text.split(",")) for name in ("data", "fake", "d") if (text := getattr(self, name))}
        if len(set(counts.values())) > 1:
            words = ", ".join(f"{name} has {count}" for name, count in counts.items())
            raise ValueError(f"all need the same number of outcomes, but {words}")
        return self

    @property
    def p_data(self) -> Array:
        """(K,)"""
        return shares(self.data)

    @property
    def p_fake(self) -> Array:
        """(K,)"""
        return shares(self.fake)

    @property
    def answers(self) -> Array:
        """D's answers, (K,)."""
        return answers(self.d) if self.d else np.full(len(self.p_data), 0.5)

    def positions(self) -> dict[str, float]:
        """Every answer and every share, whoever's turn it is."""
        places = {f"d{k}": float(v) for k, v in enumerate(self.answers)}
        return places | {f"p{k}": float(v) for k, v in enumerate(self.p_fake)}

    def moved(self, values: Mapping[str, float], control: str | None) -> dict[str, Any]:
        """D's answers are free of each other; a moved share makes room for itself among the others."""
        if self.role == "D":
            d = np.array([values.get(f"d{k}", v) for k, v in enumerate(self.answers)])
            return {"d": "" if np.all(d == 0.5) else _text(d)}
        if control is None or control not in values:
            return {}
        return {"fake": _text(with_share(self.p_fake, int(control[1:]), np.asarray(values[control])))}


def outcomes(count: int) -> dict[str, str]:
    """A pair on `count` outcomes to start from: equal real shares, generated shares that fall evenly, D at ½."""
    falling = np.arange(count, 0, -1.0)
    return {"data": _text(np.full(count, 1 / count)), "fake": _text(falling / falling.sum()), "d": ""}


PRESETS: dict[str, dict[str, str]] = {
    name: {"data": data, "fake": fake, "d": ""}
    for name, data, fake in (
        ("two", "0.5,0.5", "0.7,0.3"),
        ("equal", "0.5,0.5", "0.5,0.5"),
        ("apart", "1,0", "0,1"),
        ("a loaded die", ",".join(["0.166667"] * 6), "0.1,0.1,0.1,0.1,0.1,0.5"),
        ("half missed", ",".join(["0.125"] * 8), "0.25,0.25,0.25,0.25,0,0,0,0"),
    )
}
"""Pairs of distributions with a name; D starts at ½."""


def with_share(q: Array, k: int, share: Array) -> Array:
    """q with `share` given to outcome k, the rest divided among the others as before.

    q: (K,); share: () or (S,) in [0, 1]; returns (K,) or (S, K). Where the others had nothing, they get equal parts.
    """
    others = np.delete(q, k)
    rest = others.sum()
    parts = others / rest if rest > 0 else np.full(len(others), 1 / len(others))
    share = np.asarray(share, float)
    return np.insert((1 - share)[..., None] * parts, k, share, axis=-1)
