"""Controls of a page's state: each takes the field's own label, range and choices, and changes the state when moved."""

from collections.abc import Mapping
from typing import Any, get_args

import streamlit as st
from pydantic import ValidationError

from gantoys.ui.frame import Page


def _key(page: Page[Any], field: str) -> str:
    return f"control:{page.words.key}:{field}"


def _adopt(page: Page[Any], field: str) -> None:
    value = st.session_state[_key(page, field)]
    if value is not None:
        page.change(**{field: value})


def choice(page: Page[Any], field: str, label: str, *, names: Mapping[str, str] | None = None) -> None:
    """One of the values that a Literal field allows; `names`: what is written instead of a value."""
    st.session_state[_key(page, field)] = getattr(page.state, field)
    st.segmented_control(
        label, _options(page, field), key=_key(page, field), format_func=lambda value: (names or {}).get(value, value),
        on_change=_adopt, args=(page, field),
    )  # fmt: skip


def menu(page: Page[Any], field: str, label: str, *, names: Mapping[str, str] | None = None) -> None:
    """As `choice`, folded up: for a field that allows many values."""
    st.session_state[_key(page, field)] = getattr(page.state, field)
    st.selectbox(
        label, _options(page, field), key=_key(page, field), format_func=lambda value: (names or {}).get(value, value),
        on_change=_adopt, args=(page, field),
    )  # fmt: skip


def _options(page: Page[Any], field: str) -> tuple[Any, ...]:
    return get_args(page.model.model_fields[field].annotation)


def switch(page: Page[Any], field: str, label: str) -> None:
    """A bool field."""
    st.session_state[_key(page, field)] = getattr(page.state, field)
    st.toggle(label, key=_key(page, field), on_change=_adopt, args=(page, field))


def number(page: Page[Any], field: str, label: str, *, step: float | None = None) -> None:
    """A number with the field's range."""
    info = page.model.model_fields[field]
    low = next(m.ge for m in info.metadata if hasattr(m, "ge"))
    high = next(m.le for m in info.metadata if hasattr(m, "le"))
    kind = int if info.annotation is int else float
    st.session_state[_key(page, field)] = getattr(page.state, field)
    st.number_input(
        label, kind(low), kind(high), step=None if step is None else kind(step), key=_key(page, field),
        on_change=_adopt, args=(page, field),
    )  # fmt: skip


def notation(page: Page[Any], field: str, label: str) -> None:
    """A distribution as text; what cannot be read is said under the field and changes nothing."""
    key = _key(page, field)
    now, shown = getattr(page.state, field), f"{key}:shown"
    if key not in st.session_state or st.session_state.get(shown) != now:  # new, or changed elsewhere: a chip, the hand
        st.session_state[key] = st.session_state[shown] = now
    text = st.text_input(label, key=key, max_chars=300, on_change=_adopt, args=(page, field))
    if text != getattr(page.state, field):
        try:
            page.model(**{**page.state.model_dump(), field: text})
        except ValidationError as error:
            st.error(str(error.errors()[0]["msg"]).removeprefix("Value error, "), icon=None)


def presets(page: Page[Any], rows: Mapping[str, Mapping[str, Any]], label: str) -> None:
    """Named states, one click each."""
    st.caption(label)
    for column, (name, values) in zip(st.columns(len(rows)), rows.items(), strict=True):
        column.button(
            name, key=f"preset:{page.words.key}:{name}", on_click=_adopt_all, args=(page, values), width="stretch"
        )


def _adopt_all(page: Page[Any], values: Mapping[str, Any]) -> None:
    page.change(**values)
