"""A lesson beside one run: its recorded film, a stored one, or one that is trained now and shown as it grows."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.runs.recordings import recording
from gantoys.service.run_service import Busy, Run, ask, look_seconds, service
from gantoys.ui.frame import Page
from gantoys.ui.growing import POLL_SECONDS, joined, session


@dataclass(eq=False)
class OneRun:
    """The run of one page in one session. Nothing but `train` starts a training. A lesson says which run it is about
    and what its words are."""

    page: Page[Any]

    @property
    def config(self) -> TrainConfig | None:
        """What the state on screen asks for; None for a view without a run."""
        raise NotImplementedError

    @property
    def run(self) -> Run | None:
        """The run that this session asked for, if it is the one on screen."""
        run: Run | None = self.page.get("run")
        return run if run is not None and run.config == self.config else None

    @property
    def every(self) -> float | None:
        """How often the page must look again: only while a run is under way."""
        return look_seconds(POLL_SECONDS, session()) if self.run is not None and not self.run.status().ended else None

    def film(self) -> Film | None:
        """What is known of the run asked for; a link plays it, and never starts a training."""
        config = self.config
        if config is None:
            return None
        known = recording(config)
        if known is not None:
            return known
        held: Film | None = self.page.get("film")
        held = held if held is not None and held.config == config else None
        if self.run is not None:
            held = joined(held, self.run)
        elif held is None:
            held = service().store.find(config)
        self.page.put("film", held)
        return held if held is not None and len(held) else None

    def train(self) -> None:
        """Asks for the film of the run on screen, in a process of its own."""
        assert self.config is not None
        try:
            self.page.put("run", ask(self.config, watcher=session()))
            self.page.put("trouble", None)
        except (Busy, ValueError) as error:
            self.page.put("trouble", str(error))
            return
        self.page.put("film", None)
        self.page.put("closed", None)
        self.page.put("asked", True)

    def button(self, key: str) -> None:
        """The button that trains the run on screen, unless its film is known."""
        self.open()
        known = self.film() is not None
        st.button("Train it now", key=key, type="primary", disabled=known, width="stretch", on_click=self.train)

    def open(self) -> None:
        """Once a run was asked for: one whole run of the page, so that it begins to look."""
        if self.page.get("asked"):
            self.page.put("asked", False)
            st.rerun()

    def close(self) -> None:
        """Once a run has ended: one whole run of the page, so that it stops looking."""
        run = self.run
        if run is not None and run.status().ended and self.page.get("closed") != run.config.digest():
            self.page.put("closed", run.config.digest())
            st.rerun()

    def line(self, recorded: str, missing: str) -> str:
        """What is on screen; recorded, missing: what is said of a recording, and where nothing is trained yet."""
        run, film = self.run, self.film()
        if self.page.get("trouble"):
            return str(self.page.get("trouble"))
        if self.config is not None and recording(self.config) is not None:
            return recorded
        if run is None:
            return "Stored: trained here before." if film is not None else missing
        status = run.status()
        if status.state == "queued":
            return f"Waiting: {status.words}."
        if film is None:
            return "Starting a worker …" if not status.ended else status.message
        at = int(film.step[-1])
        return f"Trained now, {at:,} steps. {status.message}".strip() if status.ended else f"Training: step {at:,}."
