"""A film on the page while it is made: asks the run service, sends only new frames, shows how far the run is."""

import time
from dataclasses import dataclass
from functools import partial

import streamlit as st

from gantoys.pictures.film import StartState, film_scene, recorded, recorded_scene
from gantoys.runs.film import Film
from gantoys.runs.presets import START
from gantoys.service.run_service import Busy, Run, ask, look_seconds, service
from gantoys.stage.pack import Packed, packed
from gantoys.stage.scene import Scene
from gantoys.ui.frame import Page
from gantoys.ui.growing import POLL_SECONDS, Sent, joined, session


@dataclass(eq=False)
class Live:
    """The film of one page in one session."""

    page: Page[StartState]

    @property
    def run(self) -> Run | None:
        """The run that this session asked for, if it belongs to the seed on screen."""
        run: Run | None = self.page.get("run")
        return run if run is not None and self.page.state.seed == run.config.seed else None

    @property
    def every(self) -> float | None:
        """How often the page must look again: only while a run is under way."""
        return look_seconds(POLL_SECONDS, session()) if self.run is not None and not self.run.status().ended else None

    def another(self) -> None:
        """Asks for the film of the next seed."""
        seed = self.page.get("next", 1)
        self.page.put("next", seed % 9999 + 1)
        self.train(seed)

    def train(self, seed: int) -> None:
        """Asks for the film of another seed, in a process of its own."""
        try:
            run = ask(START.changed(seed=seed), watcher=session())
        except (Busy, ValueError) as error:
            self.page.put("trouble", str(error))
            return
        self.page.put("trouble", None)
        self.page.put("asked", True)
        self.page.put("run", run)
        self.page.put("since", time.monotonic())
        self.page.put("film", None)
        Sent(self.page).forget()
        self.page.put("answer", None)
        self.page.change(seed=seed, step=0)

    def stored(self, seed: int) -> Film | None:
        """The film of a seed that the store already has: a link plays it, and never starts a training."""
        return service().store.find(START.changed(seed=seed)) if seed else None

    def build(self, state: StartState) -> Scene | Packed:
        """The picture for the stage: only the frames that it does not have yet."""
        film, name, growing = self._film(state)
        sent = Sent(self.page)
        behind = sent.held(name)
        sent.note(name, len(film))
        if film is recorded() and not behind:
            return packed(recorded_scene, state)
        # what has come to its end is the same for all who look at it
        make = film_scene if growing else partial(packed, film_scene)
        return make(
            film,
            state.step,
            name=name,
            live=growing,
            autoplay=state.step == 0 and not growing,
            behind=min(behind, len(film)),
        )

    def _film(self, state: StartState) -> tuple[Film, str, bool]:
        if state.seed == 0:
            return recorded(), "recorded", False
        run, name = self.run, f"seed-{state.seed}"
        if run is None:
            film = self.page.get("film")
            if film is None or film.config.seed != state.seed:
                film = self.stored(state.seed)
                self.page.put("film", film)
            return (film, name, False) if film is not None else (recorded(), "recorded", False)
        held: Film | None = self.page.get("film")
        film = joined(held if held is not None and held.config == run.config else None, run)
        self.page.put("film", film)
        return (film, name, not run.status().ended) if film is not None else (recorded(), "recorded", False)

    def resync(self) -> None:
        """The browser lost the film: send it whole."""
        Sent(self.page).forget()

    def controls(self) -> None:
        """The button and the line beneath the picture."""
        if self.page.lecture and self.run is None:
            return
        left, right = st.columns([1, 2], vertical_alignment="center")
        left.button(
            "Train it now, with another seed", key="train-now", type="primary", width="stretch", on_click=self.another,
        )  # fmt: skip
        if self.page.get("asked"):  # one whole run of the page, so that it begins to look
            self.page.put("asked", False)
            st.rerun()
        right.markdown(self._line())
        run = self.run
        if run is not None and run.status().ended and self.page.get("closed") != run.config.seed:
            # one whole run of the page, so that it stops looking
            self.page.put("closed", run.config.seed)
            st.rerun()

    def _line(self) -> str:
        seed, run = self.page.state.seed, self.run
        if self.page.get("trouble"):
            return str(self.page.get("trouble"))
        if seed == 0:
            return f"A recording made with seed {START.seed}. The one you train is computed while you watch."
        if run is None:
            known = self.page.get("film") is not None
            return (
                f"The stored film of seed {seed}."
                if known
                else f"Seed {seed} is not trained here yet: press the button."
            )
        status, film = run.status(), self.page.get("film")
        if status.state == "queued":
            return f"Waiting: {status.position} run(s) before yours."
        if film is None:
            return "Starting a worker …" if not status.ended else status.message
        at, total = int(film.step[-1]), film.config.steps
        if status.ended:
            return f"Trained with seed {seed}, {at:,} steps. {status.message}".strip()
        speed = at / max(time.monotonic() - self.page.get("since"), 0.1)
        return f"Training with seed {seed}: step {at:,} of {total:,}, {speed:,.0f} steps/s with the start."


def film(page: Page[StartState]) -> Live:
    """The live film of a page. A whole run of the page sends the film whole."""
    Sent(page).forget()
    return Live(page)
