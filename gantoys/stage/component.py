"""Shows a scene in Streamlit and reports what the hand did."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from gantoys.stage.layers import Draw
from gantoys.stage.pack import Packed, seal
from gantoys.stage.page import asset
from gantoys.stage.scene import Axis, Control, Panel, Scene

log = logging.getLogger(__name__)
_stage = st.components.v2.component("gantoys_stage", css=asset("stage.css"), js=asset("stage.js"))

Moved = Callable[[dict[str, float], str | None], None]
Moving = Callable[[bool], None]
Drawn = Callable[[npt.NDArray[np.float64], bool], None]
Clicked = Callable[[str, float, float], None]
CLICKS_KEPT = 8
"""How many clicks a message holds at most: a quick hand clicks again before Python has looked."""


@dataclass(frozen=True, eq=False)
class Result:
    """What came back from the browser in this run; everything is None or False when nothing did.

    `values`: the value of every control as the hand left it, each one of the control's own positions; `moved`: the
    control it let go of. `drawn` (n,): the curve drawn by hand, NaN where nothing is drawn; `done`: the pen was lifted.
    `resync`: the browser does not hold the frames that came before; send the next scene whole.
    """

    values: dict[str, float] | None = None
    moved: str | None = None
    drawn: npt.NDArray[np.float64] | None = None
    done: bool = False
    resync: bool = False


def mount(
    scene: Scene | Packed,
    *,
    key: str,
    height: int = 480,
    lecture: bool = False,
    compact: bool = True,
    jumps: Mapping[str, int] | None = None,
    on_values: Moved | None = None,
    on_moving: Moving | None = None,
    on_drawn: Drawn | None = None,
    on_click: Clicked | None = None,
) -> Result:
    """Show `scene`, packed or not, here; a later run with the same `key` changes the picture in place.

    `height`: pixels of the whole stage (picture, controls, formula) where it is wide; a narrow page grows as it must.
    `jumps`: how often each clock was told where to go; where the number is another than before, the film runs to its
    clock's `start` and stands there.
    `on_values(values, moved)` and `on_drawn(curve, done)` are called before the run that the hand caused, like every
    callback of Streamlit: the right place to write the page's state. The same is in the `Result` of that run. So is
    `on_click(name, x, y)`, once for each click in a panel with that `click`, in units of its axes. `on_moving(moving)`
    is called before `on_values`: whether the film plays on, or follows one that grows, from the place reported.
    """
    picture = scene if isinstance(scene, Packed) else seal(scene, compact=compact)
    # what a session keeps until the next run: not the picture itself
    controls, panels, paper = picture.controls, picture.panels, picture.paper

    def values_changed() -> None:
        message = _state(key, "values")
        checked = check_values(message, controls)
        if on_moving is not None and checked is not None:
            on_moving(message.get("moving") is True)
        if on_values is not None and checked is not None:
            on_values(checked, _moved(message, controls))

    def drawn_changed() -> None:
        message = _state(key, "drawn")
        curve = check_drawn(message, paper)
        if on_drawn is not None and curve is not None:
            on_drawn(curve, bool(message.get("done") is True))

    # a plain dict: every touch of the session's state may end this run where a newer one waits
    seen: dict[str, int] = st.session_state.setdefault(f"{key}--clicked", {})

    def clicked() -> None:
        for name, x, y in new_clicks(_state(key, "clicked"), panels, seen):
            if on_click is not None:
                on_click(name, x, y)

    values, drawn = _state(key, "values"), _state(key, "drawn")
    view = {"height": int(height), "lecture": bool(lecture), "echo": _mark(values), "drawn_echo": _mark(drawn)}
    view |= {"clicks_echo": seen, "jumps": dict(jumps or {})}
    answer = _stage(
        key=key,
        data=picture.message(view),
        on_values_change=values_changed,
        on_drawn_change=drawn_changed,
        on_clicked_change=clicked,
        on_resync_change=_nothing,
    )
    curve = check_drawn(drawn, paper) if _fresh(key, "drawn", drawn) else None
    checked = check_values(values, controls) if _fresh(key, "values", values) else None
    return Result(
        values=checked,
        moved=_moved(values, controls) if checked is not None else None,
        drawn=curve,
        done=curve is not None and drawn.get("done") is True,
        resync=answer.get("resync") is not None,
    )


def asks_for_all(key: str) -> bool:
    """Whether the browser lacks frames: ask before making the next scene of a growing film, then send it whole."""
    return _state(key, "resync") != {}


def check_values(message: Any, controls: tuple[Control, ...]) -> dict[str, float] | None:
    """The reported value of every control, put on its nearest position; None (and a log line) for a forged message."""
    if not message:
        return None
    sent = message.get("values") if isinstance(message, Mapping) else None
    known = {control.key: control for control in controls}
    if not isinstance(sent, Mapping) or not set(sent) <= set(known) or not all(map(_finite, sent.values())):
        log.warning("stage: ignored reported values that are not finite numbers of known controls")
        return None
    return {name: float(np.asarray(c.values)[c.nearest(float(sent.get(name, c.value)))]) for name, c in known.items()}


def check_drawn(message: Any, paper: Draw | None) -> npt.NDArray[np.float64] | None:
    """The drawn curve on the layer's grid, clipped to its limits; None (and a log line) for a forged message."""
    if not message or paper is None:
        return None
    sent, n = (message.get("y") if isinstance(message, Mapping) else None), len(np.asarray(paper.x))
    if not isinstance(sent, list) or len(sent) != n or not all(v is None or _finite(v) for v in sent):
        log.warning("stage: ignored a drawn curve that is not %d finite numbers", n)
        return None
    return np.clip(np.array([np.nan if v is None else v for v in sent], dtype=np.float64), paper.lo, paper.hi)


def check_clicks(message: Any, panels: tuple[Panel, ...]) -> list[tuple[int, str, float, float]]:
    """Number, name and place of every click in a message; none (and a log line) for a forged message."""
    if not message:
        return []
    sent = message.get("clicks") if isinstance(message, Mapping) else None
    known = {panel.click: panel for panel in panels if panel.click}
    if not isinstance(sent, list) or len(sent) > CLICKS_KEPT or not all(_is_click(click, known) for click in sent):
        log.warning("stage: ignored clicks that are not places in panels of this scene that take clicks")
        return []
    return [(click["n"], click["name"], float(click["x"]), float(click["y"])) for click in sent]


def new_clicks(message: Any, panels: tuple[Panel, ...], seen: dict[str, int]) -> Iterator[tuple[str, float, float]]:
    """Those clicks of a message that are not done yet; `seen` keeps the number of the last one of this browser.

    A click is done when the next one is asked for: one whose work was cut short comes again.
    """
    mark = _mark(message)
    for number, name, x, y in check_clicks(message, panels):
        if number > seen.get(mark, 0):
            yield name, x, y
            seen.clear()
            seen[mark] = number


def _is_click(click: Any, known: Mapping[str, Panel]) -> bool:
    if not isinstance(click, Mapping) or type(click.get("n")) is not int or not isinstance(click.get("name"), str):
        return False
    panel = known.get(click["name"])
    return panel is not None and _on(panel.x, click.get("x")) and _on(panel.y, click.get("y"))


def _on(axis: Axis, value: Any) -> bool:
    return _finite(value) and axis.lo <= value <= axis.hi


def _finite(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300 and math.isfinite(value)
    )


def _moved(message: Any, controls: tuple[Control, ...]) -> str | None:
    moved = message.get("moved")
    return moved if isinstance(moved, str) and any(c.key == moved for c in controls) else None


def _state(key: str, name: str) -> Any:
    """The component's message as it stands in this session, before the component is shown again."""
    state = st.session_state.get(key)
    return (state.get(name) if isinstance(state, Mapping) else None) or {}


def _mark(message: Any) -> str:
    mark = message.get("mark") if isinstance(message, Mapping) else None
    return mark[:64] if isinstance(mark, str) else ""


def _fresh(key: str, name: str, message: Any) -> bool:
    """Whether this message is seen by a run for the first time."""
    mark, place = _mark(message), f"{key}--{name}-seen"
    fresh = bool(mark) and st.session_state.get(place) != mark
    if fresh:
        st.session_state[place] = mark
    return fresh


def _nothing() -> None:
    """Streamlit hands over a trigger only where it has a callback."""
