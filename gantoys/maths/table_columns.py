"""The columns of a table as numbers: one decimal sign for all that leave it open, and which columns are no points."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from gantoys.maths.table_cells import Row
from gantoys.maths.table_numbers import COMMA, POINT, Numbers, numbers
from gantoys.maths.tables import Column, listed

_LEAST_COUNTED = 10  # rows that a column without a name must count before it is taken for an index
_INDEX_NAMES = frozenset(
    (
        "index",
        "id",
        "#",
        "row",
        "rows",
        "rownames",
        "row_names",
        "row.names",
        "rowid",
        "obs",
        "no",
        "no.",
        "nr",
        "nr.",
        "key",
    )
)


def columns_of(names: Sequence[str], body: Sequence[Row], mark: str) -> tuple[Column, ...]:
    """The columns of these names, from the rows of values; `mark`: what stands between cells."""
    cells = list(zip(*(row.cells for row in body), strict=True))
    read = _one_sign(cells, mark)
    columns = []
    for k, (name, found) in enumerate(zip(names, read, strict=True)):
        wrong = (body[found.wrong[0]].number, cells[k][found.wrong[0]]) if found.wrong else None
        kind = "empty" if not found.count and wrong is None else "text" if len(found.wrong) > found.count else "numbers"
        columns.append(Column(k + 1, name, kind, found, wrong))  # type: ignore[arg-type]
    some_named = any(names)
    marked = tuple(replace(c, kind="index") if _counts(c, some_named) else c for c in columns)
    return marked if any(c.kind == "numbers" for c in marked) else tuple(columns)


def _one_sign(cells: Sequence[Sequence[str]], mark: str) -> list[Numbers]:
    """The columns as numbers; a column that could have either decimal sign takes that of the others."""
    wide = mark not in ", "
    read = [numbers(column, POINT, wide=wide) for column in cells]
    signs = [found.decimal for found in read if found.decided]
    open_ = [found.either for found in read if found.either]
    if signs:
        likely = max((POINT, COMMA), key=signs.count)
    else:
        likely = COMMA if mark != "," and open_ and all(COMMA in cell for cell in open_) else POINT
    again = [
        numbers(column, likely, wide=wide) if found.either else found for column, found in zip(cells, read, strict=True)
    ]
    return [replace(found, either="") for found in again] if signs else again


def _counts(column: Column, some_named: bool) -> bool:
    """Whether a column counts or names the rows."""
    name = column.name.lower()
    values = column.numbers.values
    whole = column.kind == "numbers" and column.wrong is None and bool(np.all(values == np.round(values)))
    if some_named and column.number == 1 and (not name or name.startswith("unnamed:")):
        return column.kind in ("numbers", "text")
    if name in _INDEX_NAMES or (name.startswith("unnamed:")):
        return whole and len(np.unique(values)) == len(values)
    if some_named or column.number > 1 or not whole or len(values) < _LEAST_COUNTED:
        return False
    return values[0] in (0, 1) and bool(np.all(np.diff(values) == 1))


def told(columns: Sequence[Column]) -> list[str]:
    """What the columns are that are no points, and the decimal sign."""
    notes = []
    sentences: dict[str, Callable[[str], str]] = {
        "index": lambda names: f"Only counts the rows: {names}.",
        "text": lambda names: f"No numbers: {names}.",
        "empty": lambda names: f"Empty: {names}.",
    }
    for kind, sentence in sentences.items():
        names = [column.title for column in columns if column.kind == kind]
        if names:
            notes.append(sentence(listed(names, 6)))
    if any(c.kind == "numbers" and c.numbers.decimal == COMMA for c in columns):
        notes.append("The comma is the decimal sign.")
    return notes
