"""Controls of a page's state: each takes the field's own label, range and choices, and changes the state when moved."""

from collections.abc import Mapping
from typing import Any, get_args

import streamlit as st
from pydantic import ValidationError

from gantoys.ui import held
from gantoys.ui.frame import Page


def _widget(page: Page[Any], field: str) -> dict[str, Any]:
    """What every widget of a field is given: its key, and that it changes the state when moved."""
    name = _name(page, field)
    key = held.key_of(name, getattr(page.state, field))
    return {"key": key, "on_change": _adopt, "args": (page, field, key)}


def _name(page: Page[Any], field: str) -> str:
    return f"control:{page.words.key}:{field}"


def _adopt(page: Page[Any], field: str, key: str) -> None:
    def adopt(value: Any) -> None:
        if value is not None:
            page.change(**{field: value})

    held.by_hand(_name(page, field), key, adopt)


def choice(page: Page[Any], field: str, label: str, *, names: Mapping[str, str] | None = None) -> None:
    """One of the values that a Literal field allows; `names`: what is written instead of a value."""
    st.segmented_control(
        label, _options(page, field), format_func=lambda value: (names or {}).get(value, value),
        **_widget(page, field),
    )  # fmt: skip


def menu(page: Page[Any], field: str, label: str, *, names: Mapping[str, str] | None = None) -> None:
    """As `choice`, folded up: for a field that allows many values."""
    st.selectbox(
        label, _options(page, field), format_func=lambda value: (names or {}).get(value, value),
        **_widget(page, field),
    )  # fmt: skip


def _options(page: Page[Any], field: str) -> tuple[Any, ...]:
    return get_args(page.model.model_fields[field].annotation)


def switch(page: Page[Any], field: str, label: str) -> None:
    """A bool field."""
    st.toggle(label, **_widget(page, field))


def number(page: Page[Any], field: str, label: str, *, step: float | None = None) -> None:
    """A number with the field's range."""
    info = page.model.model_fields[field]
    low = next(m.ge for m in info.metadata if hasattr(m, "ge"))
    high = next(m.le for m in info.metadata if hasattr(m, "le"))
    kind = int if info.annotation is int else float
    st.number_input(
        label, kind(low), kind(high), step=None if step is None else kind(step), **_widget(page, field),
    )  # fmt: skip


def notation(page: Page[Any], field: str, label: str) -> None:
    """A distribution as text; what cannot be read is said under the field and changes nothing."""
    text = st.text_input(label, max_chars=300, **_widget(page, field) | {"on_change": _adopt_readable})
    if why := _unreadable(page, field, text):
        st.error(why, icon=None)


def _adopt_readable(page: Page[Any], field: str, key: str) -> None:
    if not _unreadable(page, field, st.session_state[key]):
        _adopt(page, field, key)


def _unreadable(page: Page[Any], field: str, text: str) -> str:
    try:
        page.model(**{**page.state.model_dump(), field: text})
    except ValidationError as error:
        return str(error.errors()[0]["msg"]).removeprefix("Value error, ")
    return ""


def presets(page: Page[Any], rows: Mapping[str, Mapping[str, Any]], label: str) -> None:
    """Named states, one click each."""
    st.caption(label)
    for column, (name, values) in zip(st.columns(len(rows)), rows.items(), strict=True):
        column.button(
            name, key=f"preset:{page.words.key}:{name}", on_click=_adopt_all, args=(page, values), width="stretch"
        )


def _adopt_all(page: Page[Any], values: Mapping[str, Any]) -> None:
    page.change(**values)
