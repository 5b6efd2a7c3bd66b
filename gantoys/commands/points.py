"""Options of commands that take points from a file, and the points."""

from pathlib import Path

import click
import numpy as np

from gantoys.maths.points import centred, from_points
from gantoys.maths.tables import Points, listed, names_of
from gantoys.metrics.files import load_table
from gantoys.runs import limits

Array = np.ndarray
columns_option = click.option(
    "--columns", metavar="A,B", help="Which columns are the points, by name or by number from 1 on; by default all."
)
centre_option = click.option(
    "--centre", is_flag=True, help="Centre the points and scale them: mean 0, standard deviation 1, one scale for both."
)


def read_points(path: str, columns: str | None, *, most: int | None = None) -> Points:
    """The points in a file, .npy or text, of the columns that the option names. Raises ValueError with one sentence."""
    table, name = load_table(path), Path(path).name
    if columns is None and most is not None and len(table.usable) > most:
        titles = [column.title for column in table.usable]
        some = ",".join(column.name or str(column.number) for column in table.usable[:most])
        raise ValueError(
            f"{name} has {len(titles)} columns of numbers, {listed(titles)}: choose one or two, as by --columns {some}"
        )
    try:
        return table.points(None if columns is None else names_of(columns), most=most)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def told(path: str, found: Points) -> str:
    """What was read from a file, in a sentence or two."""
    name, names = Path(path).name, ", ".join(column.title for column in found.columns)
    return " ".join([f"{name}: {len(found.points):,} points of {names}.", *found.notes])


def target_of(path: str, columns: str | None, *, centre: bool) -> tuple[str, str]:
    """The notation of the law of the points in a file, and what was read. Raises ValueError with one sentence."""
    found = read_points(path, columns, most=2)
    points = centred(found.points) if centre else found.points
    try:
        law = from_points(points)
    except ValueError as error:
        raise ValueError(f"{Path(path).name}: {error}") from error
    reach = float(np.max(np.abs(law.box)))
    if reach > limits.TOY_REACH:
        raise ValueError(
            f"{Path(path).name}: with some room around them the points reach {reach:.4g} from the origin, at most "
            f"{limits.TOY_REACH:,.0f} is allowed: let them be centred and scaled with --centre"
        )
    words = told(path, found)
    if len(points) > limits.POINTS:
        words += f" {limits.POINTS:,} of them, chosen at random, are learned."
    return str(law), words
