"""A trained critic on the page: the recorded film, a stored one, or one that is trained now and shown as it grows."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from gantoys.pictures.wasserstein import scene
from gantoys.pictures.wasserstein_critics import critics_scene, recorded
from gantoys.pictures.wasserstein_state import WassersteinState
from gantoys.runs.config import TrainConfig
from gantoys.runs.critics import SLOPE_RULES, critic_config
from gantoys.stage.pack import Packed, packed
from gantoys.stage.scene import Scene
from gantoys.ui import controls
from gantoys.ui.frame import Page, same
from gantoys.ui.one_run import OneRun

RULES = {key: row.label for key, row in SLOPE_RULES.items()}


@dataclass(eq=False)
class Critic(OneRun):
    """The critic of one page in one session."""

    page: Page[WassersteinState]

    @property
    def config(self) -> TrainConfig | None:
        """The critic on screen."""
        return self.page.state.config if self.page.state.show == "trained" else None

    def build(self, state: WassersteinState, drawn: np.ndarray | None = None) -> Scene | Packed:
        """The picture for the stage."""
        if state.show != "trained":
            return same(scene)(state, drawn)
        film = self.film()
        if film is None:  # nothing to show of this one yet: its rule's usual strength
            film = recorded(state.rule)
            assert film is not None
        live = self.every is not None
        return critics_scene(state, film, live=True) if live else packed(critics_scene, state, film)

    def rules(self) -> None:
        """What keeps the slope in bounds."""
        controls.choice(self.page, "rule", "What bounds the slope of D", names=RULES)

    def controls(self) -> None:
        """How strongly the slope is bounded, the seed, the button, and a line that says what is on screen."""
        rule = self.page.state.rule
        strength, seed, button, line = st.columns([1.4, 0.7, 1, 1.9], vertical_alignment="bottom")
        with strength:
            if rule == "clip":
                controls.choice(self.page, "clip", "weights cut to ±")
            elif rule == "gp":
                controls.choice(self.page, "penalty", "weight λ of the penalty")
        with seed:
            controls.number(self.page, "seed", "Seed", step=1)
        with button:
            self.button("train-critic")
        instead = SLOPE_RULES[rule].name(critic_config(rule))
        words = self.line(
            "Recorded: a critic that was trained before. Choose another strength or seed to train one now.",
            f"Not trained here yet: press the button. Until then a recorded one is on screen: {instead}.",
        )
        line.caption(words)
        self.close()
