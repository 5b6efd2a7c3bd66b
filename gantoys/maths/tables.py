"""A table of points that somebody wrote or exported: what is in it, and the points in the columns that are chosen.

Nothing is left out without a word: `Table.notes` says how the file was understood, and `Table.points` which rows had no
number. Rows are counted as a text editor counts lines.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gantoys.maths.table_numbers import Numbers, numbers

Array = np.ndarray
_SHOWN = 20  # characters of a cell in a message
_TOLD = 3  # rows that a message names
Kind = Literal["numbers", "index", "text", "empty"]


@dataclass(frozen=True, eq=False)
class Column:
    """number: from 1. name: "" where it has none. numbers: what its cells are. wrong: the row and the text of the first
    cell that is neither a number nor missing. kind: "index" where it only counts or names the rows."""

    number: int
    name: str
    kind: Kind
    numbers: Numbers
    wrong: tuple[int, str] | None = None

    @property
    def title(self) -> str:
        """The name, or the number where there is none."""
        return shown(self.name) if self.name else f"column {self.number}"


@dataclass(frozen=True, eq=False)
class Points:
    """points (n, d). columns: where they come from. left_out: the rows without a number there. notes: sentences."""

    points: Array
    columns: tuple[Column, ...]
    left_out: tuple[int, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Table:
    """columns: all of them. rows (n,): the line of each row of values. notes: how the file was understood, in
    sentences."""

    columns: tuple[Column, ...]
    rows: Array
    notes: tuple[str, ...]

    @property
    def usable(self) -> tuple[Column, ...]:
        """The columns of numbers that do not merely count the rows."""
        return tuple(column for column in self.columns if column.kind == "numbers")

    def choose(self, wanted: Sequence[str]) -> tuple[Column, ...]:
        """The columns of these names, or, of what is no name, of these numbers from 1 on.

        Raises ValueError where there is no such column, it is no column of numbers, or it is named twice.
        """
        found: list[Column] = []
        for text in wanted:
            name = text.strip()
            columns = [c for c in self.columns if c.name == name]
            columns = columns or [c for c in self.columns if c.name.lower() == name.lower()]
            columns = columns or [
                c for c in self.columns if name.isascii() and name.isdecimal() and c.number == int(name)
            ]
            if not columns:
                raise ValueError(
                    f"there is no column “{shown(text)}”: the columns are {listed([c.title for c in self.columns])}"
                )
            if len(columns) > 1:
                several = " and ".join(str(c.number) for c in columns[:_TOLD])
                raise ValueError(f"columns {several} are both called “{shown(text)}”: choose by number")
            if columns[0] in found:
                raise ValueError(f"column “{shown(text)}” is chosen twice")
            found.append(columns[0])
        for column in found:
            if not column.numbers.count:
                why = "it is empty" if column.wrong is None else _not_a_number(column)
                raise ValueError(f"{column.title} is no column of numbers: {why}")
        return tuple(found)

    def points(self, wanted: Sequence[str] | None = None, *, most: int | None = 2) -> Points:
        """The points in the columns that are `wanted`, by name or by number; by default in all of `usable`.

        Rows in which one of them has no number are left out, and told. Raises ValueError, which names row and column,
        for a cell that is no number or not finite; where there are more than `most` columns; and where there are no
        columns of numbers or no rows with one.
        """
        columns = self.usable if wanted is None else self.choose(wanted)
        if not columns:
            raise ValueError(f"the table has no column of numbers{self._why_not()}")
        if most is not None and len(columns) > most:
            titles = listed([column.title for column in columns])
            raise ValueError(f"there are {len(columns)} columns of numbers, {titles}: choose one, or two for the plane")
        for column in columns:
            if column.wrong is not None:
                raise ValueError(_not_a_number(column))
        values = np.stack([column.numbers.values for column in columns], axis=1)
        endless = np.argwhere(np.isinf(values))
        if len(endless):
            row, k = endless[0]
            where = _where(int(self.rows[row]), columns[k])
            raise ValueError(f"{where} is {values[row, k]:g}: only finite numbers can be points")
        whole = ~np.any(np.isnan(values), axis=1)
        left_out = tuple(int(row) for row in self.rows[~whole])
        if not np.any(whole):
            raise ValueError(f"no row has a number in {listed([c.title for c in columns])}")
        notes = [_rows_without(left_out, columns)] if left_out else []
        notes += [f"“{c.numbers.either}” in {c.title} is read as {_read(c):.9g}." for c in columns if c.numbers.either]
        notes += [f"The unit {c.numbers.unit} is left out of {c.title}." for c in columns if c.numbers.unit]
        return Points(values[whole], columns, left_out, tuple(notes))

    def _why_not(self) -> str:
        text = next((column for column in self.columns if column.wrong is not None), None)
        return "" if text is None else f": {_not_a_number(text)}"


def names_of(text: str) -> list[str]:
    """The names of columns in a text with commas between them; one with a comma stands in quotation marks.

    >>> names_of('"length, cm",width')
    ['length, cm', 'width']
    """
    return next(csv.reader([text], skipinitialspace=True), [])


def _read(column: Column) -> float:
    """What the cell of `either` is read as."""
    found: float = numbers([column.numbers.either], column.numbers.decimal).values[0]
    return found


def _where(row: int, column: Column) -> str:
    return f"row {row}, column {column.number}" + (f" ({column.title})" if column.name else "")


def _not_a_number(column: Column) -> str:
    assert column.wrong is not None
    row, cell = column.wrong
    return f"{_where(row, column)} is “{shown(cell)}”, not a number"


def shown(text: str) -> str:
    """A text from a file for a message: printable, and short."""
    text = "".join(sign if sign.isprintable() else "?" for sign in text)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def listed(names: Sequence[object], most: int = 12) -> str:
    """Some things in a row; how many more there are than `most`."""
    rest = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + rest


def _rows_without(rows: Sequence[int], columns: Sequence[Column]) -> str:
    where = " or ".join(column.title for column in columns)
    some = listed([f"{row:,}" for row in rows], _TOLD)
    one = len(rows) == 1
    return f"{f'Row {some} is' if one else f'{len(rows):,} rows ({some}) are'} left out: no number in {where}."
