"""Widgets that show a value which also changes elsewhere: by a chip, a preset, the hand on the picture, Back.

With every request a browser sends what each of its widgets shows. A request that was on its way while Python changed a
value would look like a touch, and take the change back. So a widget never gets another value under its key: one with a
new key takes its place, of which an old request knows nothing.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st


def key_of(name: str, value: Any) -> str:
    """The key of the widget `name`, which shows `value`: a new one when the value changed other than by its hand."""
    count, shown, _ = _record(name)
    if _key(name, count) not in st.session_state or shown != value:
        count += 1
        st.session_state[_slot(name)] = count, value, shown
        st.session_state[_key(name, count)] = value
    return _key(name, count)


def by_hand(name: str, key: str, adopt: Callable[[Any], object]) -> None:
    """The callback of the widget `name`: adopt(value) where a hand has set it.

    Where the value is not adopted then, the next run shows a new widget with the one in force. Streamlit calls back for
    a widget that is gone as well, whenever a request still speaks of it: that is a touch if its value is a new one.
    """
    value = st.session_state[key]
    count, shown, before = _record(name)
    if key == _key(name, count):
        st.session_state[_slot(name)] = count, value, before
    elif key == _key(name, count - 1) and value != before:
        st.session_state[_slot(name)] = count, shown, value
    else:
        return
    adopt(value)


def _record(name: str) -> tuple[int, Any, Any]:
    """How many widgets the name has had before this one, what this one shows, and what the one before showed last."""
    record: tuple[int, Any, Any] = st.session_state.get(_slot(name), (-1, None, None))
    return record


def _slot(name: str) -> str:
    return f"{name}:shown"


def _key(name: str, count: int) -> str:
    return name if count <= 0 else f"{name}:{count}"
