"""The controls of the page on convergence: the game, the rule, what stands behind "More controls"."""

from collections.abc import Callable

import streamlit as st

from gantoys.maths import LOSSES
from gantoys.maths.dynamics import REGULARISERS, RULES
from gantoys.pictures.dynamics import DynamicsState
from gantoys.ui import controls
from gantoys.ui.frame import Page

LOSS_NAMES = {key: row.label for key, row in LOSSES.items()} | {"wasserstein": "Wasserstein (bilinear game)"}
REGULARISER_NAMES = {key: row.label for key, row in REGULARISERS.items()}
RULE_NAMES = {key: row.label for key, row in RULES.items()} | {"flow": "Flow: no steps"}
LENS = (
    "A trained GAN has thousands of numbers, and so many eigenvalues. The lens shows the few that matter: those that "
    "grow most and those that turn fastest. They are taken on one batch, with the linear pieces of the networks that "
    "lie under it, and scaled as the optimiser scales the step of each number at that moment."
)
VIEWS = {"game": "two numbers", "lens": "stability lens"}
PLANES = {"step": "one step", "field": "the field"}


def choose(page: Page[DynamicsState], lens: Callable[[], None]) -> None:
    """What is shown, and of the game loss, regulariser and rule; `lens` draws the controls of the other view."""
    if page.lecture:
        return
    lens_on = page.state.show == "lens"
    zero, *rest = st.columns([1.25, 4.2] if lens_on else [1.25, 1, 1, 1], vertical_alignment="bottom")
    with zero:
        controls.choice(page, "show", "Show", names=VIEWS)
    if lens_on:
        with rest[0]:
            lens()
        return
    one, two, three = rest
    with one:
        controls.menu(page, "loss", "Loss", names=LOSS_NAMES)
    with two:
        controls.menu(page, "regulariser", "What is added", names=REGULARISER_NAMES)
    with three:
        controls.menu(page, "rule", "Who moves how", names=RULE_NAMES)


def drop(page: Page[DynamicsState], x: float, y: float) -> None:
    """A click in the plane: a cloud of particles, and the path from there."""
    page.change(**page.state.dropped(x, y))


def _sweep(page: Page[DynamicsState]) -> None:
    page.change(drops="", time=0.0)


def more(page: Page[DynamicsState]) -> None:
    """What the rule needs besides, where the path starts, how long the film is, whose eigenvalues are drawn."""
    state, row = page.state, RULES[page.state.rule]
    if state.show == "lens":
        st.markdown(LENS)
        return
    one, two, three, four = st.columns(4)
    with one:
        controls.number(page, "theta", "start of the path: θ", step=0.1)
    with two:
        controls.number(page, "psi", "start of the path: ψ", step=0.1)
    with three:
        controls.number(page, "steps", "steps of the film", step=50)
    with four:
        if state.rule == "unrolled":
            controls.number(page, "ahead", "steps that G looks ahead", step=1)
        elif row.whole and not row.continuous:
            controls.number(page, "d_steps", "steps of D for one of G", step=1)
        elif row.alike:
            controls.choice(page, "plane", "eigenvalues of", names=PLANES)
    left, right = st.columns([3, 1], vertical_alignment="center")
    with left:
        added = REGULARISERS[state.regulariser]
        st.markdown(f"{row.label}: ${row.formula}$  \n{added.label}: ${added.formula}$ ({added.reference})")
    if state.drops:
        right.button(
            "Sweep the dropped ones away", on_click=_sweep, args=(page,), key="dynamics-sweep",
            width="stretch",
        )  # fmt: skip
