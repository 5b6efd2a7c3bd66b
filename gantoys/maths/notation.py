"""One notation for distributions: in Python, on the command line, in forms and in links.

    0.5*N(-2,0.5)+0.5*N(2,0.5)    U(0,1)    SN(0,1,4)    T(0,1,3)    L(0,1)    P(0.7,0.3)
    N([0,0],1.4)    N([0,0],[1,2])    N([0,0],[[1,0.3],[0.3,2]])    ring(8,radius=2,std=0.02)    moons(std=0.1)
    points(1,-2.0,3.5,"eJw...")  as `gantoys.maths.points` writes them

Numbers are standard deviations, a matrix is a covariance; weights may be fractions (1/3). Only literals are read:
nothing is evaluated.
"""

import re
from dataclasses import dataclass

import numpy as np

from gantoys.maths import points, toys
from gantoys.maths.distributions import (
    MAX_COMPONENTS,
    Finite,
    Mixture1D,
    Mixture2D,
    component,
    mix,
    plane_component,
    uniform,
)
from gantoys.maths.kinds import KINDS, PLANE_KINDS

MAX_LENGTH = 20_000
MAX_NESTING = 3
_TOKEN = re.compile(
    r"\s*(?:(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<name>[A-Za-z][A-Za-z_]*)|(?P<sign>[-+*/(),=\[\]])"
    r'|"(?P<text>[^"]*)")'
)
_LETTERS = {row.letter: row.key for row in KINDS.values()} | {r.letter: r.key for r in PLANE_KINDS.values()}
_PARAMETERS = {"N": ("loc", "scale"), "L": ("loc", "scale"), "U": ("low", "high"), "SN": ("loc", "scale", "skew"),
               "T": ("loc", "scale", "df"), "C": ("loc", "scale", "radius")}  # fmt: skip

Value = float | list


class NotationError(ValueError):
    """The text does not describe a distribution. `position` is the 0-based index of the character at fault."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} (at character {position + 1})")
        self.position = position


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int


def _tokens(text: str) -> list[_Token]:
    out: list[_Token] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise NotationError(f"{text[at]!r} does not belong in a distribution", at)
        kind = str(match.lastgroup)
        begin = match.start(kind)
        # "+" and "-" begin a number only where a value is due; after a value or a bracket "+" joins two terms
        if kind == "number" and text[begin] in "+-" and out and (out[-1].kind != "sign" or out[-1].text in ")]"):
            out.append(_Token("sign", text[begin], begin))
            at = begin + 1
            continue
        out.append(_Token(kind, match[kind], begin))
        at = match.end()
    out.append(_Token("end", "the end", len(text)))
    return out


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens, self.i = _tokens(text), 0

    @property
    def now(self) -> _Token:
        return self.tokens[self.i]

    def take(self, text: str) -> bool:
        if self.now.kind == "sign" and self.now.text == text:
            self.i += 1
            return True
        return False

    def need(self, text: str) -> None:
        if not self.take(text):
            raise NotationError(f"expected {text!r}, found {self.now.text[:40]!r}", self.now.position)

    def literal(self) -> float:
        token = self.now
        if token.kind != "number":
            raise NotationError(f"expected a number, found {token.text[:40]!r}", token.position)
        self.i += 1
        return float(token.text)

    def number(self) -> float:
        token = self.now
        value = self.literal()
        if self.take("/"):
            below = self.literal()
            if below == 0:
                raise NotationError("division by zero", token.position)
            value /= below
        if not np.isfinite(value):
            raise NotationError(f"{token.text} is too large a number", token.position)
        return value

    def value(self, depth: int = 0) -> Value:
        if not self.take("["):
            return self.number()
        if depth == MAX_NESTING:
            raise NotationError("brackets are nested too deeply", self.now.position)
        items = [self.value(depth + 1)]
        while self.take(","):
            items.append(self.value(depth + 1))
        self.need("]")
        return items

    def arguments(self) -> tuple[list[Value], dict[str, Value]]:
        plain: list[Value] = []
        named: dict[str, Value] = {}
        if not self.take("(") or self.take(")"):
            return plain, named
        while True:
            token = self.now
            if token.kind == "name":
                self.i += 1
                if not self.take("="):
                    raise NotationError(f"expected a number, found {token.text!r}", token.position)
                if token.text in named:
                    raise NotationError(f"{token.text} is given twice", token.position)
                named[token.text] = self.value()
            elif named:
                raise NotationError("an argument without a name cannot follow one with a name", token.position)
            else:
                plain.append(self.value())
            if self.take(")"):
                return plain, named
            self.need(",")

    def term(self) -> toys.Toy:
        token = self.now
        if token.kind != "name":
            raise NotationError(f"expected a distribution such as N(0,1), found {token.text[:40]!r}", token.position)
        self.i += 1
        try:
            if token.text == "points":
                return self.points()
            return _build(token.text, *self.arguments())
        except NotationError:
            raise
        except (ValueError, TypeError) as error:
            raise NotationError(str(error), token.position) from error

    def points(self) -> toys.Toy:
        """What stands between the brackets of `points`: numbers, then a text."""
        self.need("(")
        numbers = [self.number()]
        self.need(",")
        while self.now.kind != "text":
            numbers.append(self.number())
            self.need(",")
        text = self.now.text
        self.i += 1
        self.need(")")
        return points.decode(numbers[0], numbers[1:], text)

    def distribution(self) -> toys.Toy:
        weights: list[float] = []
        parts: list[toys.Toy] = []
        while True:
            start = self.now
            weight = 1.0
            if start.kind == "number":
                weight = self.number()
                self.need("*")
            if weight < 0:
                raise NotationError(f"a weight must not be negative, got {weight:g}", start.position)
            weights.append(weight)
            parts.append(self.term())
            if len(parts) > MAX_COMPONENTS:
                raise NotationError(f"more than {MAX_COMPONENTS} components", start.position)
            if self.now.kind == "end":
                return _mixed(weights, parts)
            self.need("+")


def _mixed(weights: list[float], parts: list[toys.Toy]) -> toys.Toy:
    if len(parts) == 1 and weights == [1.0]:
        return parts[0]
    if any(not isinstance(p, Mixture1D | Mixture2D) for p in parts):
        named = next(getattr(p, "name", str(p)) for p in parts if not isinstance(p, Mixture1D | Mixture2D))
        raise NotationError(f"{named} cannot be part of a weighted sum: only laws with a density can", 0)
    try:
        return mix(np.array(weights), parts)  # type: ignore[arg-type]
    except ValueError as error:
        raise NotationError(str(error), 0) from error


def _bound(names: tuple[str, ...], plain: list[Value], named: dict[str, Value], what: str) -> dict[str, Value]:
    if len(plain) > len(names):
        raise ValueError(
            f"{what} takes at most {len(names)} arguments ({', '.join(names) or 'none'}), got {len(plain)}"
        )
    bound = dict(zip(names, plain, strict=False))
    for name, value in named.items():
        if name not in names:
            raise ValueError(f"{what} has no parameter {name!r}: it takes {', '.join(names) or 'none'}")
        if name in bound:
            raise ValueError(f"{name} of {what} is given twice")
        bound[name] = value
    return bound


def _build(name: str, plain: list[Value], named: dict[str, Value]) -> toys.Toy:
    if name == "P":
        bound = _bound(("at",), [], named, "P")
        points = _array(bound["at"], "at of P") if "at" in bound else None
        return Finite(_array(plain, "probabilities"), points)  # type: ignore[arg-type]
    if name in _LETTERS:
        return _component(name, _bound(_PARAMETERS[name], plain, named, name))
    if name in toys.TOYS:
        row = toys.TOYS[name]
        bound = _bound(tuple(row.defaults), plain, named, name)
        for key, value in bound.items():
            if not isinstance(value, float):
                raise ValueError(f"{key} of {name} must be a number")
        return row.make(**(row.defaults | bound))
    known = ", ".join([*sorted(_LETTERS), "P", *toys.TOYS, "points"])
    raise ValueError(f"unknown distribution {name[:40]!r}: known are {known}")


def _component(letter: str, bound: dict[str, Value]) -> toys.Toy:
    names = _PARAMETERS[letter]
    missing = [n for n in names if n not in bound]
    if missing:
        raise ValueError(f"{letter} needs {', '.join(names)}: {missing[0]} is missing")
    first, second, *rest = (bound[n] for n in names)
    shape = rest[0] if rest else 0.0
    if not isinstance(shape, float):
        raise ValueError(f"{names[2]} of {letter} must be a number")
    if not isinstance(first, list):
        if isinstance(second, list):
            raise ValueError(f"{names[1]} of {letter} must be a number when {names[0]} is one")
        if letter == "C":
            raise ValueError("C is a circle in the plane: its loc must be a pair such as [0,0]")
        if letter == "U":
            if not second > first:
                raise ValueError(f"U needs low < high, got {first:g} and {second:g}")
            return uniform(first, second)
        return component(_LETTERS[letter], first, second, shape)
    return _plane(letter, _array(first, names[0]), _array(second, names[1]), shape)


def _array(value: Value, what: str) -> np.ndarray:
    try:
        return np.array(value, float)
    except ValueError as error:
        raise ValueError(f"{what} must be numbers in brackets of equal length") from error


def _plane(letter: str, first: np.ndarray, second: np.ndarray, shape: float) -> Mixture2D:
    if first.shape != (2,):
        raise ValueError(f"a position in the plane is a pair such as [0,0], got {first.tolist()}")
    if letter == "U":
        if second.shape != (2,) or not np.all(second > first):
            raise ValueError(f"U needs low < high in both coordinates, got {first.tolist()} and {second.tolist()}")
        return plane_component("uniform", first, second - first)
    if letter == "SN":
        raise ValueError("SN is defined in one dimension only")
    kind = _LETTERS[letter]
    return plane_component(kind, first, second, shape)


def parse(text: str) -> toys.Toy:
    """The distribution that `text` describes.

    Raises `NotationError` (a ValueError with one sentence and the position of the character at fault).

    >>> str(parse("0.5*N(-2,0.5) + 0.5*N(2,0.5)"))
    '0.5*N(-2,0.5)+0.5*N(2,0.5)'
    >>> parse("N(0,)")
    Traceback (most recent call last):
    ...
    gantoys.maths.notation.NotationError: expected a number, found ')' (at character 5)
    """
    if not isinstance(text, str):
        raise NotationError(f"a distribution is written as text, got {type(text).__name__}", 0)
    longest = points.LONGEST if text.lstrip().startswith("points") else MAX_LENGTH
    if len(text) > longest:
        raise NotationError(f"the text is {len(text)} characters long, at most {longest} are read", longest)
    if not text.strip():
        raise NotationError("the text is empty: write a distribution such as N(0,1)", 0)
    try:
        return _Parser(text).distribution()
    except NotationError as error:
        meant = toys.meant(text.strip())
        if meant is None:
            raise
        raise NotationError(f"{text.strip()[:40]!r} is no distribution: is {meant} meant?", error.position) from None
