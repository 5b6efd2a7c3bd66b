"""The stability lens on the page: which run and step, the button that computes, and what is on screen."""

from dataclasses import dataclass
from urllib.parse import urlencode

import streamlit as st

from gantoys.pictures.dynamics import DynamicsState, lens_config, lens_scene, scene
from gantoys.pictures.lab_presets import LAB_PRESETS
from gantoys.pictures.lab_state import write_run
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.runs.recordings import SWING, recording
from gantoys.service.run_service import service
from gantoys.stage.pack import Packed, packed
from gantoys.stage.scene import Scene
from gantoys.ui import controls, held
from gantoys.ui.frame import Page
from gantoys.ui.one_run import OneRun

OWN = "the run of this link"


def known(config: TrainConfig) -> Film | None:
    """The film of a config that comes with gantoys or lies in the store; nothing is trained for it."""
    found = recording(config)
    return found if found is not None else service().store.find(config)


@dataclass(eq=False)
class Lens(OneRun):
    """The lens of one page in one session: its film holds the eigenvalues."""

    page: Page[DynamicsState]

    @property
    def config(self) -> TrainConfig | None:
        """What must be trained; None, with the reason kept, where the step does not suit the run."""
        if self.page.state.show != "lens":
            return None
        try:
            return lens_config(self.page.state)
        except ValueError as error:
            self.page.put("trouble", str(error))
            return None

    def build(self, state: DynamicsState) -> Scene | Packed:
        """The picture for the stage."""
        if state.show == "game":
            return packed(scene, state)
        return packed(lens_scene, state, self.film(), known(state.config.member(0)))

    def compute(self) -> None:
        """Asks for the run up to this step, in a process of its own."""
        if self.config is not None:
            self.train()

    def controls(self) -> None:
        """Which run, which step, the button, and a line about them."""
        page = self.page
        self.open()
        which, at, go, line = st.columns([1.4, 0.8, 1, 1.8], vertical_alignment="bottom")
        names = {write_run(SWING): "Two small networks that swing"}
        names |= {write_run(row.config): row.label for row in LAB_PRESETS.values()}
        now = write_run(page.state.config)
        options: list[str] = list(names) if now in names else [now, *names]
        key = held.key_of("lens:run", now)
        which.selectbox(
            "Run of the lab", options, key=key, format_func=lambda text: names.get(text, OWN),
            on_change=held.by_hand, args=("lens:run", key, self._choose),
        )  # fmt: skip
        with at:
            controls.number(page, "at", "after step", step=100)
        film = self.film()
        go.button(
            "Compute", key="lens:compute", type="primary", on_click=self.compute, width="stretch",
            disabled=film is not None or self.every is not None,
        )  # fmt: skip
        line.markdown(self._line(film))
        self.close()

    def _choose(self, run: str) -> None:
        self.page.change(run=run)
        self.page.put("trouble", None)

    def _line(self, film: Film | None) -> str:
        state, run = self.page.state, self.run
        if self.page.get("trouble"):
            return str(self.page.get("trouble"))
        if film is not None:
            query = urlencode({"run": write_run(state.config), "step": state.at})
            made = "Recorded" if recording(film.config) is not None else "Trained here"
            return f"{made}; for both moving at once, without the memory of past gradients. [In the lab](lab?{query})"
        if run is None:
            return "Not computed here yet. The run is trained up to this step, then its eigenvalues are taken."
        status = run.status()
        if status.ended:
            return status.message
        if status.state == "queued":
            return f"Waiting: {status.words}."
        left = f" About {max(1, round(status.left))} s more." if status.left is not None else ""
        return f"Training up to step {state.at:,}.{left}"
