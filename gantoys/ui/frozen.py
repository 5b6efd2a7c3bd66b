"""D trained against a frozen G on the page: the recorded film, a stored one, or one that is trained now."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from gantoys.pictures.generator_gradients import GradientState, scene, vanishing_scene
from gantoys.runs.config import TrainConfig
from gantoys.stage.pack import Packed, packed
from gantoys.stage.scene import Scene
from gantoys.ui import controls
from gantoys.ui.frame import Page
from gantoys.ui.one_run import OneRun


@dataclass(eq=False)
class Frozen(OneRun):
    """The run of one page in one session."""

    page: Page[GradientState]

    @property
    def config(self) -> TrainConfig | None:
        """D's training on screen."""
        return self.page.state.config if self.page.state.show == "frozen" else None

    def build(self, state: GradientState) -> Scene | Packed:
        """The picture for the stage, of whichever view is shown."""
        if state.show != "frozen":
            return packed(scene, state)
        film = self.film()
        live = self.every is not None
        return vanishing_scene(state, film, live=True) if live else packed(vanishing_scene, state, film)

    def controls(self, view: Callable[[], None]) -> None:
        """What draws the choice of a view; then how far away G stands, the seed, the button, and a line that says what
        is on screen."""
        first, apart, seed, button = st.columns([2.3, 0.8, 0.6, 0.7], vertical_alignment="bottom")
        with first:
            view()
        with apart:
            controls.choice(self.page, "apart", "p_G stands away by")
        with seed:
            controls.number(self.page, "seed", "Seed", step=1)
        with button:
            self.button("train-frozen")
        words = self.line(
            "Recorded: a D that was trained before. Choose another seed to train one now.",
            "Not trained here yet: press the button. Until then the recorded one is on screen.",
        )
        st.caption(words)
        self.close()
