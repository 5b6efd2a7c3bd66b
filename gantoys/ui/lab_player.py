"""The lab's player: what is asked for, what is on screen, and which frames the stage still needs."""

import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from gantoys.pictures.lab import lab_scene, waiting_scene
from gantoys.pictures.lab_seeds import seeds_scene, whole
from gantoys.pictures.lab_state import LabState, branch_fields, differing, refilmed, write_run
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.service.run_service import Busy, Run, Status, ask, look_seconds, outlook
from gantoys.stage.pack import Packed, packed
from gantoys.stage.scene import Scene
from gantoys.ui.frame import Page
from gantoys.ui.growing import Sent, joined, session
from gantoys.ui.lab_films import Screen, stored
from gantoys.ui.lab_slow import Slow

POLL_SECONDS, POLL_SEEDS_SECONDS = 0.3, 0.8


@dataclass(eq=False)
class Player:
    """The films of one page in one session. Nothing but `train` and what calls it ever starts a training."""

    page: Page[LabState]
    _known: tuple[Run, Status] | None = field(default=None, init=False)

    @property
    def screen(self) -> Screen:
        """What is on screen; it stays while settings are edited, and goes with a link, a preset or a chip."""
        text = self.page.state.run
        if self.page.get("screen") is None or text != self.page.get("followed"):
            self.page.put("followed", text)
            self._show(self.page.state.config)
        screen: Screen = self.page.get("screen")
        return screen

    @property
    def run(self) -> Run | None:
        """The run that this session asked for, if it belongs to what is on screen."""
        screen = self.screen
        run: Run | None = self.page.get("run")
        return run if run is not None and run.config == screen.config else None

    @property
    def running(self) -> bool:
        """Whether a run is under way, or waits."""
        return self.status is not None and not self.status.ended

    @property
    def status(self) -> Status | None:
        """How it stands with the run; asked once while the page is made, since the service ranks all who wait."""
        run = self.run
        if run is None:
            return None
        if self._known is None or self._known[0] is not run:
            self._known = (run, run.status())
        return self._known[1]

    @property
    def every(self) -> float | None:
        """How often the page must look again: only while a run is under way."""
        if not self.running and self.slow.running:
            return POLL_SECONDS
        if not self.running:
            return None
        return look_seconds(POLL_SEEDS_SECONDS if self.side_by_side else POLL_SECONDS, session())

    @property
    def side_by_side(self) -> bool:
        """Whether all seeds are on screen."""
        return self.page.state.member == 0 and self.screen.config.seeds > 1

    @property
    def film(self) -> Film | None:
        """The one film on screen, or the first of several; None before its first picture."""
        films = self.screen.films
        film = films[self._member(len(films))] if films else None
        return film if film is not None and len(film) else None

    @property
    def slow(self) -> Slow:
        """Some steps of it in slow motion."""
        return Slow(self.page, self.screen.config, self._member(self.screen.config.seeds))

    @property
    def step(self) -> int:
        """The step on screen: that of the picture nearest to the state's."""
        film, wanted = self.film, self.page.state.step
        return int(film.step[np.argmin(np.abs(film.step.astype(float) - wanted))]) if film is not None else wanted

    def _member(self, seeds: int) -> int:
        return max(0, min(self.page.state.member, seeds) - 1)

    def _show(self, config: TrainConfig) -> None:
        """What the store has of a config, or else its target alone."""
        run: Run | None = self.page.get("run")
        if run is not None and run.config != config:
            run.leave()
            self.page.put("run", None)
        self.page.put("screen", Screen(config, stored(config)))
        self.resync()

    def edit(self, **fields: Any) -> None:
        """Other settings; the film on screen stays until they are trained. What is not allowed is said."""
        now = self.page.state.config
        try:
            draft = now.changed(**fields)
            if draft.dim != now.dim:  # on the line p_G is exact for one noise number
                draft = draft.changed(noise_dim=draft.dim)
            draft = refilmed(now, draft)
        except ValueError as error:
            self.page.put("trouble", str(error))
            return
        self.choose(draft, keep=True)

    def choose(self, config: TrainConfig, *, keep: bool = False) -> None:
        """The settings of a config; keep: leave the film on screen where it is, if there is one."""
        self.page.put("trouble", None)
        begun = self.screen.begun or self.running
        if not self.page.change(run=write_run(config), **({} if keep else {"step": 0, "slow": False, "moment": 0})):
            self.page.put("trouble", "These settings do not fit into a link: choose a shorter target.")
            return
        if keep and begun:
            self.page.put("followed", self.page.state.run)

    def train(self, config: TrainConfig, step: int = 0) -> None:
        """Asks for the film of a config, in a process of its own."""
        try:
            run = ask(config, watcher=session())
        except (Busy, ValueError) as error:
            self.page.put("trouble", str(error))
            return
        before = self.screen
        self.page.put("trouble", None)
        member = min(self.page.state.member, config.seeds)
        self.page.change(run=write_run(config), step=step, member=member, slow=False, moment=0)
        same = (
            before.config == config
            and before.begun
            and any(f is not None and f.status == "running" for f in before.films)
        )
        self.page.put("before", before if before.begun and before.config.dim == config.dim else None)
        self.page.put("followed", self.page.state.run)
        self.page.put("screen", before if same else Screen(config, (None,) * config.seeds, before.take + 1))
        self.page.put("run", run)
        self.page.put("since", (time.monotonic(), step))
        self.page.put("complete", None)
        self.resync()

    def branch(self, at: int | None = None, **fields: Any) -> None:
        """Goes on from the step on screen, or from step `at`, with other values of some fields."""
        step = self.step if at is None else at
        now = self.screen.config.at(step)
        new = {name: value for name, value in fields.items() if value != getattr(now, name)}
        try:
            self.train(self.screen.config.branched(step, **new), step)
        except ValueError as error:
            self.page.put("trouble", str(error))

    def one_step(self) -> None:
        """One more step than on screen, and no further."""
        step, config = self.step, self.screen.config
        kept = [change.model_dump() for change in config.changes if change.step <= step]
        try:
            self.train(config.changed(steps=step + 1, changes=kept), step + 1)
        except ValueError as error:
            self.page.put("trouble", str(error))

    def pause(self) -> None:
        """Lets go of the run; what came until now stays on screen."""
        if self.run is not None:
            self.run.leave()
        self.page.put("run", None)
        if not self.screen.begun:  # back to what was there
            config, before = self.screen.config, self.page.get("before")
            self.page.put("screen", before if before is not None else Screen(config, stored(config)))
            self.resync()

    def outlook(self, *, brief: bool = False) -> str:
        """What training the settings would come to, before anybody asks for it; brief: the bare figures only."""
        status = outlook(self.page.state.config, session())
        if status.state == "failed":
            return f"{' ' if brief else ''}{status.message[:1].upper()}{status.message[1:].rstrip('.')}."
        takes = f" It would take about {max(1, round(status.left))} s." if status.left is not None else ""
        waits = f" Now it would be {status.words}." if status.position else ""
        return takes + waits if brief else f"Nothing is trained here yet.{takes}{waits}"

    def open(self, film: Film) -> None:
        """Shows a film that the visitor opened from a file; ValueError for what cannot be shown here."""
        if film.config.slow is not None:
            raise ValueError("films in slow motion are not opened here")
        config = film.config.member(film.member)  # one of several seeds is a run by itself
        if not self.page.change(run=write_run(config), step=0, member=1, slow=False, moment=0):
            raise ValueError("the film's target has more points than fit into a link")
        run: Run | None = self.page.get("run")
        if run is not None:
            run.leave()
            self.page.put("run", None)
        self.page.put("trouble", None)
        self.page.put("followed", self.page.state.run)
        take = self.page.get("screen").take + 1 if self.page.get("screen") is not None else 1
        film = replace(film, config=config, member=0)
        self.page.put("screen", Screen(config, (film,), take, film_of_file=True))
        self.resync()

    @property
    def branching(self) -> dict[str, Any] | None:
        """The fields that a branch at the step on screen would change to follow the settings."""
        return branch_fields(self.screen.config, self.page.state.config)

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """In what the settings differ from the film on screen; how many pictures a run has follows from the rest."""
        differ = differing(self.screen.config, self.page.state.config)
        return {k: v for k, v in differ.items() if k != "frames" or len(differ) == 1}

    # --- what the stage shows -----------------------------------------------------------------------------------

    def build(self, state: LabState) -> Scene | Packed:
        """The picture for the stage: only the frames that it does not have yet."""
        self._known = None
        self._grow()
        if state.slow and (scene := self.slow.scene(state)) is not None:
            return scene
        screen = self.screen
        if not screen.begun:
            earlier: Screen | None = self.page.get("before") if self.running else None
            return packed(waiting_scene, state.config) if earlier is None else self._whole(earlier, state)
        live = self.running
        return self._scene(screen, state, live=live, autoplay=state.step == 0 and not live, append=True)

    def _whole(self, screen: Screen, state: LabState) -> Scene | Packed:
        return self._scene(screen, state, live=False, autoplay=False, append=False)

    def saved(self, state: LabState) -> Scene | Packed:
        """The whole film, to be kept."""
        if state.slow and (scene := self.slow.scene(state)) is not None:
            return scene
        screen = self.screen
        return (
            self._scene(screen, state, live=False, autoplay=True, append=False)
            if screen.begun
            else packed(waiting_scene, state.config)
        )

    def _scene(self, screen: Screen, state: LabState, *, live: bool, autoplay: bool, append: bool) -> Scene | Packed:
        seeds = len(screen.films)
        all_seeds = state.member == 0 and seeds > 1
        k = self._member(seeds)
        chosen = screen.films[k]
        if not all_seeds and (chosen is None or not len(chosen)):
            return packed(waiting_scene, screen.config)
        name = f"{screen.config.digest()[:16]}-{screen.take}-{'all' if all_seeds else k}"
        view = f"{name}-{state.arrows}-{state.mesh}-{state.below}"
        behind = Sent(self.page).held(view) if append else 0
        if all_seeds:
            if append:
                Sent(self.page).note(view, whole(screen.films))
            behind = min(behind, whole(screen.films))
            make = seeds_scene if live else partial(packed, seeds_scene)
            return make(screen.films, state.step, name=name, live=live, autoplay=autoplay, behind=behind)
        assert chosen is not None
        if append:
            Sent(self.page).note(view, len(chosen))
        draw = lab_scene if live else partial(packed, lab_scene)
        return draw(chosen, state, name=name, live=live, autoplay=autoplay, behind=min(behind, len(chosen)))

    def _grow(self) -> None:
        """Takes the frames that came since the last look, of the seeds on screen."""
        run, screen, status = self.run, self.screen, self.status
        if run is None or status is None or (status.ended and self.page.get("complete") == screen.config.digest()):
            return
        ended = status.ended
        wanted = range(len(screen.films)) if self.side_by_side or ended else [self._member(len(screen.films))]
        films = list(screen.films)
        for member in wanted:
            # an ended film is read once more as a whole: only then it tells its times
            film = run.film(0, member) if ended else joined(films[member], run, member)
            films[member] = film if film is not None else films[member]
        self.page.put("screen", replace(screen, films=tuple(films)))
        if ended:
            self.page.put("complete", screen.config.digest())

    def resync(self) -> None:
        """The browser lost the film: send it whole."""
        Sent(self.page).forget()
