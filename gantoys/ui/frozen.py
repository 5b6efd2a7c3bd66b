"""D trained against a frozen G on the page: the recorded film, a stored one, or one that is trained now."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from gantoys.pictures.generator_gradients import GradientState, scene, vanishing_scene
from gantoys.runs.film import Film
from gantoys.runs.recordings import recording
from gantoys.service.run_service import Busy, Run, ask, look_seconds, service
from gantoys.stage.scene import Scene
from gantoys.ui import controls
from gantoys.ui.frame import Page
from gantoys.ui.lab_films import joined, session

POLL_SECONDS = 0.4


@dataclass(eq=False)
class Frozen:
    """The run of one page in one session."""

    page: Page[GradientState]

    @property
    def run(self) -> Run | None:
        """The run that this session asked for, if it is the one on screen."""
        run: Run | None = self.page.get("run")
        state = self.page.state
        return run if run is not None and state.show == "frozen" and run.config == state.config else None

    @property
    def every(self) -> float | None:
        """How often the page must look again: only while a run is under way."""
        return look_seconds(POLL_SECONDS) if self.run is not None and not self.run.status().ended else None

    def film(self) -> Film | None:
        """What is known of the run asked for; a link plays it, and never starts a training."""
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

    def build(self, state: GradientState) -> Scene:
        """The scene for the stage, of whichever view is shown."""
        if state.show != "frozen":
            return scene(state)
        return vanishing_scene(state, self.film(), live=self.every is not None)

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
        if button.button(
            "Train it now", key="train-frozen", type="primary", disabled=self.film() is not None, width="stretch"
        ):
            self._train()
            st.rerun()
        st.caption(self._line())
        run = self.run
        if run is not None and run.status().ended and self.page.get("closed") != run.config.digest():
            # one whole run of the page, so that it stops looking
            self.page.put("closed", run.config.digest())
            st.rerun()

    def _train(self) -> None:
        try:
            self.page.put("run", ask(self.page.state.config, watcher=session()))
            self.page.put("trouble", None)
        except (Busy, ValueError) as error:
            self.page.put("trouble", str(error))
            return
        self.page.put("film", None)
        self.page.put("closed", None)

    def _line(self) -> str:
        run, film = self.run, self.film()
        if self.page.get("trouble"):
            return str(self.page.get("trouble"))
        if recording(self.page.state.config) is not None:
            return "Recorded: a D that was trained before. Choose another seed to train one now."
        if run is None:
            return (
                "Stored: trained here before."
                if film is not None
                else "Not trained here yet: press the button. Until then the recorded one is on screen."
            )
        status = run.status()
        if status.state == "queued":
            return f"Waiting: {status.position} run(s) before yours."
        if film is None:
            return "Starting a worker …" if not status.ended else status.message
        at = int(film.step[-1])
        return f"Trained now, {at:,} steps. {status.message}".strip() if status.ended else f"Training: step {at:,}."
