"""Cells of a table as numbers: the decimal sign of the column, marks between thousands, units, what is missing.

1.5 and 1,5 · 1,234.5 and 1.234,5 and 1 234,5 and 1'234.5 · −1 with the sign of typography · $1, 1 €, 1%. A column has
one decimal sign and one unit. 1.234 alone may be either: then the rest of the table decides.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
POINT, COMMA = ".", ","
MISSING = frozenset(("", "na", "n/a", "n.a.", "nan", "null", "none", "nil", "missing", "nd", "<na>")) | frozenset(
    ("#n/a", "#na", "#null!", "#div/0!", "#value!", "#num!", "-", "--", "–", "—", "?", ".", "..", "…")
)
ENDLESS = frozenset(("inf", "+inf", "-inf", "infinity", "+infinity", "-infinity", "∞", "+∞", "-∞"))
UNITS = "$€£¥%"
_QUICK = {POINT: re.compile(r"[0-9+\-.eE\n]+"), COMMA: re.compile(r"[0-9+\-,eE\n]+")}
_EXPONENT = r"(?:[eE][+-]?\d+)?"
_PLAIN = {
    sign: re.compile(rf"[+-]?(?:\d+{re.escape(sign)}?\d*|{re.escape(sign)}\d+){_EXPONENT}", re.ASCII)
    for sign in (POINT, COMMA)
}
_GROUPED = {
    sign: re.compile(
        rf"[+-]?[1-9]\d{{0,2}}(?P<mark>[{re.escape(other)}' ])\d{{3}}(?:(?P=mark)\d{{3}})*(?:{re.escape(sign)}\d*)?",
        re.ASCII,
    )
    for sign, other in ((POINT, COMMA), (COMMA, POINT))
}
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)  # 1.234: a fraction, or a thousand and more
_SIGNS = str.maketrans("\u2212\u2013\u00a0\u202f\u2009\u2019", "--   '")


@dataclass(frozen=True, eq=False)
class Numbers:
    """values (n,): NaN where a cell is missing or no number, infinite where it says so. wrong: the indices of cells
    that are neither numbers nor missing. decimal: the sign. decided: whether a cell of the column tells it. unit: which
    was left out. either: where none does, the first cell that could be read with either sign."""

    values: Array
    wrong: tuple[int, ...]
    decimal: str
    decided: bool
    unit: str = ""
    either: str = ""

    @property
    def count(self) -> int:
        """How many cells are numbers."""
        return int(np.sum(~np.isnan(self.values)))


def numbers(cells: Sequence[str], likely: str = POINT, *, wide: bool = True) -> Numbers:
    """The numbers in the cells of a column. likely: the decimal sign where nothing in the column decides.

    wide: whether a blank may stand between thousands, which it may not where it also stands between cells.

    >>> numbers(["1.234,5", "−2", "NA"]).values.tolist()
    [1234.5, -2.0, nan]
    """
    text = "\n".join(cells)
    for sign in (POINT, COMMA) if all(cells) else ():
        # most columns are written as computers write, all cells with one sign
        if _QUICK[sign].fullmatch(text) and (found := _quick(cells, sign, likely)) is not None:
            return found
    unit, bare = _unit(cells)
    if not wide:
        bare = [cell.replace(" ", "_") for cell in bare]
    sure = {POINT: 0, COMMA: 0}
    for cell in bare:
        if not _EITHER.fullmatch(cell) and (POINT in cell or COMMA in cell):
            for sign, other in ((POINT, COMMA), (COMMA, POINT)):
                sure[sign] += _value(cell, sign) is not None and _value(cell, other) is None
    decided = sure[POINT] != sure[COMMA]
    decimal = max(sure, key=lambda sign: sure[sign]) if decided else likely
    read = [_value(cell, decimal) for cell in bare]
    wrong = tuple(i for i, value in enumerate(read) if value is None and cells[i].lower() not in MISSING)
    either = "" if decided else next((cell for cell in bare if _EITHER.fullmatch(cell)), "")
    return Numbers(np.array([np.nan if v is None else v for v in read], float), wrong, decimal, decided, unit, either)


def _quick(cells: Sequence[str], sign: str, likely: str) -> Numbers | None:
    """The numbers of cells that have no other sign than this one between digits; None where it takes a longer look."""
    fractions = [cell for cell in cells if sign in cell]
    either = fractions[0] if fractions and all(map(_EITHER.fullmatch, fractions)) else ""
    if either and likely != sign:
        return None
    try:
        values = np.array(cells if sign == POINT else [cell.replace(COMMA, POINT) for cell in cells], float)
    except ValueError:
        return None
    return Numbers(values, (), sign, bool(fractions) and not either, either=either)


def is_number(cell: str, *, wide: bool = True) -> bool:
    """Whether a cell can be read as a number in any way."""
    bare = _unit([cell])[1][0]
    if not wide and " " in bare:
        return False
    return any(_value(bare, sign) is not None for sign in (POINT, COMMA))


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no number."""
    return cell.lower() in MISSING


def _unit(cells: Sequence[str]) -> tuple[str, list[str]]:
    """The unit that most cells with a digit bear, or none, and the cells without it, in the signs of computers."""
    bare = [cell.translate(_SIGNS) for cell in cells]
    digits = [i for i, cell in enumerate(bare) if any("0" <= sign <= "9" for sign in cell)]
    counts = {unit: sum(unit in bare[i] for i in digits) for unit in UNITS if any(unit in bare[i] for i in digits)}
    unit = max(counts, key=lambda u: counts[u], default="")
    if not unit or 2 * counts[unit] <= len(digits):
        return "", bare
    for i in digits:
        sign, rest = ("-", bare[i][1:].strip()) if bare[i].startswith("-") else ("", bare[i])
        whole = rest.removeprefix(unit) if rest.startswith(unit) else rest.removesuffix(unit)
        bare[i] = sign + whole.strip() if whole != rest else f"{bare[i]} without {unit}"
    return unit, bare


def _value(cell: str, decimal: str) -> float | None:
    """The number that a cell without a unit is, with that decimal sign; None where it is none."""
    if _PLAIN[decimal].fullmatch(cell):
        return float(cell.replace(decimal, POINT))
    if found := _GROUPED[decimal].fullmatch(cell):
        return float(cell.replace(found["mark"], "").replace(decimal, POINT))
    if cell.lower() in ENDLESS:
        return -np.inf if cell.startswith("-") else np.inf
    return None
