"""The lab's slow motion: the steps after the one on screen, moment by moment, and the way back to the run."""

from dataclasses import dataclass

import streamlit as st

from gantoys.pictures.film_moments import moments_scene
from gantoys.pictures.lab_state import LabState
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.runs.moments import slowed
from gantoys.service.run_service import Busy, Run, ask, service
from gantoys.stage.pack import Packed, packed
from gantoys.ui.frame import Page
from gantoys.ui.growing import session


@dataclass(frozen=True)
class Slow:
    """Some steps of the run on screen in slow motion: a film of its own, made by the run service when asked for.

    config: of the run on screen. member: which of its seeds.
    """

    page: Page[LabState]
    config: TrainConfig
    member: int

    @property
    def wanted(self) -> TrainConfig | None:
        """The config of the film in slow motion; None where there can be none."""
        try:
            return slowed(self.config, self.page.state.step)
        except ValueError:
            return None

    @property
    def run(self) -> Run | None:
        """The run that makes the film, if this session asked for it."""
        run: Run | None = self.page.get("slow-run")
        return run if run is not None and self.page.state.slow and run.config == self.wanted else None

    @property
    def running(self) -> bool:
        """Whether it is under way, or waits."""
        return self.run is not None and not self.run.status().ended

    @property
    def film(self) -> Film | None:
        """The film, once it is whole, or has ended early with some pictures."""
        wanted = self.wanted
        if wanted is None:
            return None
        known: Film | None = self.page.get("slow-film")
        if known is None or known.config != wanted or known.member != self.member:
            run = self.run
            if self.running:
                return None
            known = run.film(0, self.member) if run is not None else service().store.find(wanted, self.member)
            self.page.put("slow-film", known)
        return known if known is not None and len(known) else None

    def scene(self, state: LabState) -> Packed | None:
        """The picture of the moment on screen; None before there is one."""
        film = self.film
        if film is None:
            return None
        name = f"slow-{film.config.digest()[:16]}-{self.member}"
        return packed(moments_scene, film, state.moment, name=name, autoplay=state.moment == 0)

    def begin(self, step: int) -> None:
        """Show the steps after `step` in slow motion."""
        self.page.put("trouble", None)
        if not self.page.change(slow=True, step=step, moment=0):
            return
        self.page.put("sent", None)  # another scene takes the stage
        try:
            self.page.put("slow-run", ask(slowed(self.config, step), watcher=f"{session()}/slow"))
        except (Busy, ValueError) as error:
            self.end(step)
            self.page.put("trouble", str(error))

    def end(self, step: int) -> None:
        """Back to the run, at `step`."""
        if (run := self.page.get("slow-run")) is not None:
            run.leave()
        self.page.put("slow-run", None)
        self.page.change(slow=False, moment=0, step=step)
        self.page.put("sent", None)

    @property
    def reached(self) -> int:
        """The steps taken at the moment on screen."""
        film, state = self.film, self.page.state
        return int(film.step[min(state.moment, len(film) - 1)]) if film is not None else state.step


def button(slow: Slow, step: int, *, disabled: bool) -> None:
    """The button that begins slow motion after `step`."""
    st.button(
        "Slow motion", key="lab:slow", width="stretch", disabled=disabled, on_click=lambda: slow.begin(step),
        help="The next steps moment by moment: D sees real points, D sees generated ones, D moves, G moves.",
    )  # fmt: skip


def beneath(slow: Slow) -> None:
    """What is said in slow motion, and the ways on and back."""
    state, wanted, film = slow.page.state, slow.wanted, slow.film
    st.markdown(_line(slow))
    one, two, _ = st.columns([1, 1, 2])
    one.button(
        "Back to the run", key="lab:slow-back", width="stretch", type="primary", on_click=lambda: slow.end(slow.reached)
    )
    if film is None and wanted is not None and not slow.running:
        two.button("Train these steps", key="lab:slow-train", width="stretch", on_click=lambda: slow.begin(state.step))
    else:
        last = int(film.step[-1]) if film is not None else state.step
        two.button(
            "The next steps", key="lab:slow-next", width="stretch", disabled=film is None or film.status != "done",
            on_click=lambda: slow.begin(last), help="Slow motion goes on where these steps end.",
        )  # fmt: skip


def _line(slow: Slow) -> str:
    wanted, film, run = slow.wanted, slow.film, slow.run
    if wanted is None or wanted.slow is None:
        return "Slow motion cannot begin at this step."
    steps = f"{wanted.slow + 1:,} to {wanted.steps:,}" if wanted.steps > wanted.slow + 1 else f"{wanted.steps:,}"
    if film is not None:
        ended = f" {film.message}" if film.status == "diverged" else ""
        says = "it says real, orange if generated" if film.tells else "its critic is above its middle, orange if below"
        return (
            f"**Slow motion**, steps {steps} of the same run. Large points are what D sees: blue if {says}, "
            f"pale if it is not sure.{ended}"
        )
    if run is None:
        return f"**Slow motion** of steps {steps} is not trained here yet."
    status = run.status()
    if status.ended:
        return f"**Slow motion**: {status.message or 'there is no picture.'}"
    return f"**Slow motion**: the run is trained again up to step {wanted.steps:,}, from the last state that was kept …"
