"""A small app around the stage, one page for each `?scene=densities|game|film|live|hostile|clicks`; `&view=lecture`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import streamlit as st

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[3]))

import demo_scenes as demo

from gantoys.stage.component import asks_for_all, mount
from gantoys.stage.scene import Animation

state = st.session_state
which = st.query_params.get("scene", "densities")
lecture = st.query_params.get("view") == "lecture"
height = int(st.query_params.get("height", 530 if lecture else 480))


def densities() -> None:
    """Three sliders, a handle, one-click states, an animation."""
    state.setdefault("rest", dict(demo.REST))
    state.setdefault("token", 0)
    st.markdown("### What does the best discriminator look like?")

    def moved(values: dict[str, float], control: str | None) -> None:
        time.sleep(float(st.query_params.get("slow", 0)))
        state.rest.update(values)

    def go(**values: float) -> None:
        state.rest = dict(demo.REST) | values

    def sweep() -> None:
        state.token += 1
        state.rest = dict(demo.REST) | {"mean": 4.0}

    animate = Animation("mean", -4.0, 4.0, 1.5, token=str(state.token)) if state.token else None
    mount(demo.densities(state.rest, animate), key="stage", lecture=lecture, height=height, on_values=moved)
    left, middle, right = st.columns(3)
    left.button("Equal spread", on_click=go, kwargs={"spread": 2.0})
    middle.button("Shifted", on_click=go, kwargs={"mean": 3.0})
    right.button("Sweep", on_click=sweep)
    st.text(f"rest {state.rest['mean']:.3f} {state.rest['spread']:.3f} {state.rest['weight']:.3f} runs {state.runs}")


def game() -> None:
    """Two handles on bars."""
    state.setdefault("d", {"d0": 0.6, "d1": 0.5})
    st.markdown("### Can you beat the best discriminator?")
    mount(demo.game(state.d), key="stage", lecture=lecture, height=height, on_values=lambda v, _: state.d.update(v))
    st.text(f"d {state.d['d0']:.2f} {state.d['d1']:.2f} runs {state.runs}")


def film() -> None:
    """A recorded film."""
    st.markdown("### What is this?")
    mount(demo.film(), key="stage", lecture=lecture, height=height)
    st.text(f"runs {state.runs}")


@st.fragment(run_every=0.2)
def live() -> None:
    """A film that grows by six frames every 0.2 s and repeats 30; `forget` pretends that 40 were lost on the way."""
    state.setdefault("sent", 0)
    if asks_for_all("stage"):
        state.sent = 0
        state.resyncs = state.get("resyncs", 0) + 1
    have = state.sent
    count = min(240, have + 6)
    scene = demo.film(count, append_from=max(0, have - 30) or None, live=True, film_name="live")
    if st.query_params.get("forget") and have == 60 and not state.get("forgot"):
        state.forgot, count = True, count + 40
        scene = demo.film(count, append_from=count, live=True, film_name="live")
    result = mount(scene, key="stage", lecture=lecture, height=height)
    state.sent = count
    state.told = state.get("told", 0) + result.resync
    st.text(f"sent {state.sent} resyncs {state.get('resyncs', 0)} told {state.told}")


def hostile() -> None:
    """Hostile words and a drawing."""
    result = mount(demo.hostile(), key="stage", height=height, on_drawn=lambda y, done: state.update(y=y, done=done))
    curve = state.get("y")
    st.text(f"drawn {'-' if curve is None else round(float(curve[25]), 2)} {state.get('done')} {result.resync}")


def clicks() -> None:
    """Panels that take clicks."""
    state.setdefault("clicks", [])
    state.setdefault("rest", {"a": 0.0})

    def clicked(name: str, x: float, y: float) -> None:
        time.sleep(float(st.query_params.get("slow", 0)))
        state.clicks.append(f"{name} {x:.2f} {y:.2f}")

    scene = demo.clicks(state.rest)
    mount(scene, key="stage", height=height, on_values=lambda v, _: state.rest.update(v), on_click=clicked)
    st.text("clicks: " + "; ".join(state.clicks))


if __name__ == "__main__":
    st.set_page_config(layout="wide")
    st.markdown(
        "<style>.block-container{padding:3.2rem 1.5rem 1rem} header{height:2.4rem!important}</style>",
        unsafe_allow_html=True,
    )
    state.setdefault("runs", 0)
    state.runs += 1
    {"densities": densities, "game": game, "film": film, "live": live, "hostile": hostile, "clicks": clicks}[which]()
