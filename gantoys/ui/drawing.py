"""A paper on which somebody draws points in the plane: pen, spots, eraser; mouse, touch, keys."""

import json
import logging
import math
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import numpy as np
import streamlit as st

from gantoys.runs import limits

log = logging.getLogger(__name__)
Array = np.ndarray
REACH = 3.0  # the paper is the square [-REACH, REACH]^2
LEAST = 20  # points of a target


def _asset(name: str) -> str:
    return (resources.files("gantoys.ui") / name).read_text(encoding="utf-8")


_paper = st.components.v2.component("gantoys_drawing", css=_asset("drawing.css"), js=_asset("drawing.js"))


def paper(points: Array, *, key: str, on_points: Callable[[Any], None], token: int = 0) -> None:
    """The paper with `points` (n, 2) on it when it comes onto the page, or when `token` is another than before.

    `on_points(message)` is called before the run that a stroke, an undo or a clear caused, with what the browser sent:
    `check` makes points of it.
    """
    message = {
        "points": np.round(np.asarray(points, float), 4).tolist(),
        "token": token,
        "reach": REACH,
        "least": LEAST,
        "limit": limits.POINTS,
    }

    def changed() -> None:
        state = st.session_state.get(key)
        on_points(state.get("points") if isinstance(state, Mapping) else None)

    _paper(key=key, data=json.dumps(message), on_points_change=changed)


def check(message: Any) -> Array:
    """The points (n, 2), n >= 0, of a browser's message `{"x": [...], "y": [...]}`.

    Raises ValueError with one sentence, and leaves a log line without what was sent, for anything else: other types,
    numbers that are not finite, too many points, points beside the paper.
    """
    try:
        return _checked(message)
    except ValueError as error:
        log.warning("drawing: refused, %s", error)
        raise


def _checked(message: Any) -> Array:
    x, y = (message.get("x"), message.get("y")) if isinstance(message, Mapping) else (None, None)
    if not isinstance(x, list) or not isinstance(y, list) or len(x) != len(y):
        raise ValueError("the drawing could not be read: draw it again")
    if len(x) > limits.POINTS:
        raise ValueError(f"the drawing has more than {limits.POINTS:,} points: clear the paper and draw fewer")
    if not all(type(v) in (int, float) and abs(v) < 1e300 and math.isfinite(v) for v in (*x, *y)):
        raise ValueError("the drawing holds something else than finite numbers: draw it again")
    points = np.array([x, y], float).T.reshape(-1, 2)
    if np.any(np.abs(points) > REACH):
        raise ValueError("the drawing holds points beside the paper: draw it again")
    return points
