"""What commands share: how a result is printed, as JSON or for people, and options that take several values."""

import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

force_option = click.option("--force", is_flag=True, help="Replace a file that is there.")
json_option = click.option("--json", "as_json", is_flag=True, help='Print JSON; infinities are the string "inf".')


def free(places: Sequence[Path], force: bool, way: str = "--out") -> None:
    """Raises FileExistsError, with the ways out, where a file is that `--force` does not give leave to replace."""
    taken = [place for place in places if os.path.lexists(place)]
    if taken and not force:
        more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
        raise FileExistsError(f"{taken[0]}{more} exists: name another place with {way}, or replace it with --force")


def figure(value: float, digits: int) -> str:
    """A number to so many digits, without a sign before a zero.

    >>> figure(-0.0, 6), figure(-1.25, 2)
    ('0', '-1.2')
    """
    return f"{float(value) + 0.0:.{digits}g}"


def fixed(value: float, places: int) -> str:
    """A number to so many places, without a sign before a zero.

    >>> fixed(-0.00001, 4), fixed(-0.25, 1)
    ('0.0000', '-0.2')
    """
    return f"{round(float(value), places) + 0.0:.{places}f}"


def plain(value: Any) -> Any:
    """Arrays as lists, infinities as "inf" and "-inf", NaN (not defined) as None, -0 as 0: what JSON can hold.

    >>> plain({"a": np.array([1.0, np.inf])})
    {'a': [1.0, 'inf']}
    """
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value] if value.ndim else plain(value.item())
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float | np.floating):
        value = float(value)
        if math.isnan(value):
            return None
        return value + 0.0 if math.isfinite(value) else ("inf" if value > 0 else "-inf")
    return value.item() if isinstance(value, np.generic) else value


def show(result: dict[str, Any], as_json: bool, table: Callable[[], str]) -> None:
    """Print `result` as one line of JSON, or what `table` makes of it for people."""
    click.echo(json.dumps(plain(result), allow_nan=False) if as_json else table())


def point(text: str) -> list[float]:
    """A number or a pair such as 0.5,1 or [0.5,1]; raises ValueError."""
    return [float(part) for part in text.strip().removeprefix("[").removesuffix("]").split(",")]


def is_point(text: str) -> bool:
    """Whether `point` can read it."""
    try:
        point(text)
    except ValueError:
        return False
    return True


class ManyValues(click.Command):
    """A command whose options with `multiple=True` also take several values after one name: `--at -1 0 1`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeats the option's name before each further value."""
        names = {name for p in self.params if isinstance(p, click.Option) and p.multiple for name in p.opts}
        out: list[str] = []
        current, fresh = "", False
        for arg in args:
            if arg in names:
                current, fresh = arg, True
            elif current and (fresh or is_point(arg)):
                out += [current, arg]
                fresh = False
                continue
            else:
                current = ""
            if arg not in names:
                out.append(arg)
        if fresh:
            out.append(current)
        return super().parse_args(ctx, out)
