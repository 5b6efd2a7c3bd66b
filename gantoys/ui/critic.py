"""A trained critic on the page: the recorded film, a stored one, or one that is trained now and shown as it grows."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from gantoys.pictures.wasserstein import scene
from gantoys.pictures.wasserstein_critics import critics_scene, recorded
from gantoys.pictures.wasserstein_state import WassersteinState
from gantoys.runs.critics import SLOPE_RULES, critic_config
from gantoys.runs.film import Film
from gantoys.runs.recordings import recording
from gantoys.service.run_service import Busy, Run, ask, look_seconds, service
from gantoys.stage.scene import Scene
from gantoys.ui import controls
from gantoys.ui.frame import Page
from gantoys.ui.lab_films import joined, session
from gantoys.ui.live import warm

POLL_SECONDS = 0.4
RULES = {key: row.label for key, row in SLOPE_RULES.items()}


@dataclass(eq=False)
class Critic:
    """The critic of one page in one session."""

    page: Page[WassersteinState]

    @property
    def run(self) -> Run | None:
        """The run that this session asked for, if it is the one on screen."""
        run: Run | None = self.page.get("run")
        showing = self.page.state.show == "trained"
        return run if run is not None and showing and run.config == self.page.state.config else None

    @property
    def every(self) -> float | None:
        """How often the page must look again: only while a run is under way."""
        return look_seconds(POLL_SECONDS) if self.run is not None and not self.run.status().ended else None

    def film(self) -> Film | None:
        """What is known of the critic asked for; a link plays it, and never starts a training."""
        config = self.page.state.config
        known = recording(config)
        if known is not None:
            return known
        held: Film | None = self.page.get("film")
        held = held if held is not None and held.config == config else None
        if self.run is not None:
            held = joined(held, self.run, 0)
        elif held is None:
            held = service().store.find(config)
        self.page.put("film", held)
        return held if held is not None and len(held) else None

    def build(self, state: WassersteinState, drawn: np.ndarray | None = None) -> Scene:
        """The scene for the stage."""
        if state.show != "trained":
            return scene(state, drawn)
        film = self.film()
        if film is None:  # nothing to show of this one yet: its rule's usual strength
            film = recorded(state.rule)
            assert film is not None
        return critics_scene(state, film, live=self.every is not None)

    def train(self) -> None:
        """Asks for the film of the critic on screen, in a process of its own."""
        try:
            self.page.put("run", ask(self.page.state.config, watcher=session()))
            self.page.put("trouble", None)
        except (Busy, ValueError) as error:
            self.page.put("trouble", str(error))
            return
        self.page.put("film", None)
        self.page.put("closed", None)

    def rules(self) -> None:
        """What keeps the slope in bounds."""
        controls.choice(self.page, "rule", "What bounds the slope of D", names=RULES)

    def controls(self) -> None:
        """How strongly the slope is bounded, the seed, the button, and a line that says what is on screen."""
        warm()
        state, run = self.page.state, self.run
        strength, seed, button, line = st.columns([1.4, 0.7, 1, 1.9], vertical_alignment="bottom")
        with strength:
            if state.rule == "clip":
                controls.choice(self.page, "clip", "weights cut to ±")
            elif state.rule == "gp":
                controls.choice(self.page, "penalty", "weight λ of the penalty")
        with seed:
            controls.number(self.page, "seed", "Seed", step=1)
        known = recording(state.config) is not None or self.film() is not None
        if button.button("Train it now", key="train-critic", type="primary", disabled=known, width="stretch"):
            self.train()
            st.rerun()
        line.caption(self._line())
        if run is not None and run.status().ended and self.page.get("closed") != run.config.digest():
            # one whole run of the page, so that it stops looking
            self.page.put("closed", run.config.digest())
            st.rerun()

    def _line(self) -> str:
        run, film = self.run, self.film()
        if self.page.get("trouble"):
            return str(self.page.get("trouble"))
        if recording(self.page.state.config) is not None:
            return "Recorded: a critic that was trained before. Choose another strength or seed to train one now."
        if run is None:
            if film is not None:
                return "Stored: trained here before."
            instead = SLOPE_RULES[self.page.state.rule].name(critic_config(self.page.state.rule))
            return f"Not trained here yet: press the button. Until then a recorded one is on screen: {instead}."
        status = run.status()
        if status.state == "queued":
            return f"Waiting: {status.position} run(s) before yours."
        if film is None:
            return "Starting a worker …" if not status.ended else status.message
        at = int(film.step[-1])
        return f"Trained now, {at:,} steps. {status.message}".strip() if status.ended else f"Training: step {at:,}."
