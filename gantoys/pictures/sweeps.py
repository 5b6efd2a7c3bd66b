"""Small helpers that pictures share."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gantoys.stage.scene import Control, Swept

Array = np.ndarray


def positions(low: float, high: float, count: int, value: float) -> tuple[Array, int]:
    """`count` equally spaced positions of which the one nearest to `value` is `value` itself, and its index."""
    grid = np.linspace(low, high, count)
    start = int(np.argmin(np.abs(grid - value)))
    grid[start] = value
    return grid, start


def slider(key: str, label: str, low: float, high: float, value: float, *, count: int = 97, **extra: Any) -> Control:
    """A control over [low, high] that starts at `value`."""
    grid, start = positions(low, high, count, value)
    return Control(key, label, grid, start=start, **extra)


def swept_film(key: str) -> Callable[[Array], Swept]:
    """Rows that move with one control alone."""
    return lambda rows: Swept({key: rows})


def swept(controls: tuple[Control, ...], rows: Callable[[Control], dict[str, Array]]) -> dict[str, Swept]:
    """Everything that `rows(control)` computes along each control, as one `Swept` a name.

    `rows` returns, for one control, arrays with a leading axis over its positions.
    """
    found = {c.key: rows(c) for c in controls}
    names = next(iter(found.values()))
    return {name: Swept({key: values[name] for key, values in found.items()}) for name in names}
