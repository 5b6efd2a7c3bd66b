"""Forms of a run's settings, made from the fields' own titles, help and ranges."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import streamlit as st
from pydantic import BaseModel

from gantoys.maths.losses import LOSSES
from gantoys.pictures.film_parts import nice
from gantoys.runs.config import TrainConfig
from gantoys.runs.fields import GROUPS, bounds
from gantoys.ui import held
from gantoys.ui.frame import _literal

Adopt = Callable[..., None]
COLUMNS = 4
_LOSS_LABELS = {key: row.label for key, row in LOSSES.items()}


def forms(config: TrainConfig, adopt: Adopt, key: str, further: Mapping[str, Callable[[], None]]) -> None:
    """All settings, one tab a group; adopt(**{field: value}) is called when one is changed. further: more tabs."""
    tabs = st.tabs([*(words for words, _ in GROUPS), *further])
    for tab, (_, group) in zip(tabs, GROUPS, strict=False):
        with tab:
            _form(group, config, adopt, key)
    for tab, draw in zip(tabs[len(GROUPS) :], further.values(), strict=True):
        with tab:
            draw()


def _form(group: type[BaseModel], config: TrainConfig, adopt: Adopt, key: str) -> None:
    names = [name for name in group.model_fields if name not in ("changes", "slow")]
    for begin in range(0, len(names), COLUMNS):
        columns = st.columns(COLUMNS, vertical_alignment="bottom")
        for column, name in zip(columns, names[begin : begin + COLUMNS], strict=False):
            with column:
                field(name, config, adopt, f"{key}:{name}")
    if "changes" in group.model_fields and config.changes:
        told = "; ".join(f"from step {c.step:,}: {title(c.field)} = {shown(c.value)}" for c in config.changes)
        st.caption(f"{title('changes')}: {told}")
        st.button("Without the changes", key=f"{key}:changes", on_click=lambda: adopt(changes=()))


def field(name: str, config: TrainConfig, adopt: Adopt, widget: str) -> None:
    """One field of a run as the widget that fits its schema; `widget`: its name in the session."""
    schema, value = _schema()[name], getattr(config, name)
    kind, label, words = bounds(schema), schema["title"], schema["description"]
    key = held.key_of(widget, value)

    def adopted(new: Any) -> None:
        if new is not None or "anyOf" in schema:
            adopt(**{name: new})

    def changed() -> None:
        held.by_hand(widget, key, adopted)

    common: dict[str, Any] = {"key": key, "help": words, "on_change": changed}
    if kind.get("type") == "string" and "enum" not in kind and name != "loss":
        _text(name, label, config, common)
        return
    if name == "loss":
        st.selectbox(label, list(LOSSES), format_func=lambda k: _LOSS_LABELS[k], **common)
    elif "enum" in kind:
        options = ([None] if "anyOf" in schema else []) + list(kind["enum"])
        st.selectbox(label, options, format_func=lambda v: "as in G" if v is None else v, **common)
    elif kind["type"] == "boolean":
        st.toggle(label, **common)
    elif kind["type"] == "integer":
        st.number_input(label, kind["minimum"], kind["maximum"], step=1, placeholder="as in G", **common)
    else:
        step = nice(value / 2) if value else 0.1
        st.number_input(label, kind["minimum"], kind["maximum"], step=step, format="%g", **common)


def _text(name: str, label: str, config: TrainConfig, common: dict[str, Any]) -> None:
    """A field for free text: what cannot be read stays there, to be mended, and beneath it is said why."""
    key, value = common["key"], getattr(config, name)

    def wrong() -> str:
        text = st.session_state[key]
        try:
            if text != value:
                config.changed(**{name: text})
        except ValueError as error:
            return str(error)
        return ""

    def changed() -> None:
        if not wrong():
            common["on_change"]()

    st.text_input(label, **common | {"on_change": changed})
    if why := wrong():
        st.error(_literal(why), icon=None)


@cache
def _schema() -> dict[str, Any]:
    properties: dict[str, Any] = TrainConfig.model_json_schema()["properties"]
    return properties


def title(name: str) -> str:
    """A field's own title."""
    return str(_schema()[name]["title"])


def shown(value: Any) -> str:
    """A value as people write it."""
    if value is None:
        return "as in G"
    if isinstance(value, bool):
        return "on" if value else "off"
    return format(value, "g") if isinstance(value, float) else str(value)
