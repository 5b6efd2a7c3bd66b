"""The path through the lessons: what each asks, how long it takes, what it needs first, what is done."""

import streamlit as st

from gantoys.lessons import KEYS, load
from gantoys.ui import memory
from gantoys.ui.navigation import pages


def show() -> None:
    """One card a lesson."""
    st.subheader("The path")
    done, places = memory.progress(), pages()
    for column, key in zip(st.columns(len(KEYS) - 1, border=True), KEYS[1:], strict=True):
        words = load(key)
        column.page_link(places[key], label=f"**{words.question}**")
        needs = ", ".join(load(k).title for k in words.needs) or "nothing"
        checks = done.get(key, {}).get("checks", {})
        right = sum(1 for v in checks.values() if v)
        column.caption(
            f"{words.summary}  \n{words.minutes} minutes · needs: {needs}\n\n"
            f"{'Seen' if key in done else 'Not opened yet'} · {right} of {len(words.checks)} questions answered"
        )
    if done:
        st.button("Forget my progress in this browser", type="tertiary", on_click=memory.forget)
