"""The lab's player: what is asked for, what is on screen, and which frames the stage still needs."""

import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from gantoys.pictures.lab import lab_scene, waiting_scene
from gantoys.pictures.lab_seeds import seeds_scene, whole
from gantoys.pictures.lab_side import awaited
from gantoys.pictures.lab_state import LabState, branch_fields, differing, refilmed, write_run
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.runs.span import span
from gantoys.service.run_service import Busy, Run, Status, ask, look_seconds, outlook
from gantoys.stage.pack import Packed, packed
from gantoys.stage.scene import Scene
from gantoys.ui.frame import Page
from gantoys.ui.growing import Sent, joined, session
from gantoys.ui.lab_films import Screen, progress, stored
from gantoys.ui.lab_slow import Slow
from gantoys.ui.lab_step import Step

POLL_SECONDS, POLL_SEEDS_SECONDS, POLL_BANDS_SECONDS = 0.3, 0.8, 1.0
EDITS_KEPT = 30


@dataclass(eq=False)
class Player:
    """The films of one page in one session. Nothing but `train` and what calls it ever starts a training."""

    page: Page[LabState]
    _known: tuple[Run, Status] | None = field(default=None, init=False)

    @property
    def screen(self) -> Screen:
        """The run that the page is about: it stays while settings are edited, a link, preset or chip brings another."""
        text = self.page.state.run
        if self.page.get("screen") is None or text != self.page.get("followed"):
            self.page.put("followed", text)
            self._show(self.page.state.config, self.page.get("edited", {}).get(text))
        screen: Screen = self.page.get("screen")
        return screen

    @property
    def shown(self) -> Screen:
        """What the stage shows: the run before, until the one asked for has come to where it goes on from there."""
        screen, before = self.screen, self.page.get("before")
        arrived = screen.begun and progress(screen.films) >= self.page.get("goal", 0)
        return screen if arrived or before is None or not self.running else before

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
        """How often the page must look again: only while a run is under way, or bands are worked out."""
        if not self.running and (self.slow.running or self.stepping.run is not None):
            return POLL_SECONDS
        if not self.running:
            return POLL_BANDS_SECONDS if awaited(self.film, self.page.state.below) else None
        return look_seconds(POLL_SEEDS_SECONDS if self.side_by_side else POLL_SECONDS, session())

    @property
    def side_by_side(self) -> bool:
        """Whether all seeds are on screen."""
        return self.page.state.member == 0 and self.shown.config.seeds > 1

    @property
    def film(self) -> Film | None:
        """The one film on screen, or the first of several; None before its first picture."""
        films = self.shown.films
        film = films[self._member(len(films))] if films else None
        return film if film is not None and len(film) else None

    @property
    def slow(self) -> Slow:
        """Some steps of it in slow motion."""
        return Slow(self.page, self.screen.config, self._member(self.screen.config.seeds))

    @property
    def stepping(self) -> Step:
        """One more step of it."""
        return Step(self.page)

    @property
    def ready(self) -> bool:
        """Whether the picture stands, and at a step of the run that the page is about: so that it can go on there."""
        return self.shown is self.screen and not self.page.moving and self.stepping.run is None

    @property
    def step(self) -> int:
        """The step on screen: that of the picture nearest to the state's."""
        film, wanted = self.film, self.page.state.step
        return int(film.step[np.argmin(np.abs(film.step.astype(float) - wanted))]) if film is not None else wanted

    def _member(self, seeds: int) -> int:
        return max(0, min(self.page.state.member, seeds) - 1)

    def _show(self, config: TrainConfig, edited: TrainConfig | None = None) -> None:
        """What the store has of a config, or of the one that it was edited from; or else its target alone."""
        films = stored(config)
        if not films and edited is not None:
            config, films = (edited, found) if (found := stored(edited)) else (config, films)
        run: Run | None = self.page.get("run")
        if run is not None and run.config != config:
            run.leave()
            self.page.put("run", None)
        self._put(Screen(config, films))

    def _put(self, screen: Screen) -> None:
        """Another film takes the stage, at the step of the state; where there was none it plays from the beginning."""
        before: Screen | None = self.page.get("screen")
        plays = screen.begun and self.page.state.step == 0 and (before is None or not before.begun)
        self.stepping.leave()
        self.page.put("screen", screen)
        self.page.put("moving", plays)
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
        self.choose(draft, keep=draft.toy == self.screen.config.toy)

    def choose(self, config: TrainConfig, *, keep: bool = False) -> None:
        """The settings of a config; keep: leave the film on screen where it is, if there is one."""
        self.page.put("trouble", None)
        screen = self.screen
        begun = screen.begun or self.running
        if not self.page.change(run=write_run(config), **({} if keep else {"step": 0, "slow": False, "moment": 0})):
            self.page.put("trouble", "These settings do not fit into a link: choose a shorter target.")
            return
        if keep and begun:
            text = self.page.state.run
            self.page.put("followed", text)
            # whoever comes back to this link finds the run that was edited
            known = {k: v for k, v in self.page.get("edited", {}).items() if k != text}
            self.page.put("edited", dict([*known.items()][-EDITS_KEPT + 1 :]) | {text: screen.config})

    def train(self, config: TrainConfig, step: int = 0) -> None:
        """Asks for the film of a config, in a process of its own."""
        try:
            run = ask(config, watcher=session())
        except (Busy, ValueError) as error:
            self.page.put("trouble", str(error))
            return
        before = self.shown
        self.page.put("trouble", None)
        member = min(self.page.state.member, config.seeds)
        self.page.change(run=write_run(config), step=step, member=member, slow=False, moment=0)
        same = (
            before.config == config
            and before.begun
            and any(f is not None and f.status == "running" for f in before.films)
            and not before.stepped
        )
        self.page.put("before", before if before.begun and before.config.toy == config.toy else None)
        self.page.put("goal", step)
        self.page.put("followed", self.page.state.run)
        self._put(before if same else Screen(config, (None,) * config.seeds, before.take + 1))
        self.page.put("moving", True)  # the stage follows a film that grows
        self.page.put("run", run)
        self.page.put("since", (time.monotonic(), step))
        self.page.put("complete", None)

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
        """One more step of the run on screen: its picture takes its place in the film."""
        self.page.put("trouble", None)
        film, step = self.film, self.step
        if film is not None and step + 1 in film.step:
            self.page.change(step=step + 1)
            self.page.jump(["step"])
            return
        try:
            self.stepping.ask(self.screen.config, step)
        except (Busy, ValueError) as error:
            self.page.put("trouble", str(error))

    def _step_on(self) -> None:
        """Shows the step that was asked for, once it is there."""
        screen = self.screen
        try:
            taken = self.stepping.taken(screen.films)
        except ValueError as error:
            self.page.put("trouble", str(error))
            return
        if taken is None:
            return
        films, step = taken
        self.page.change(step=step)
        self._put(replace(screen, films=films, take=screen.take + 1, stepped=True))

    def pause(self) -> None:
        """Lets go of the run; what came until now stays on screen."""
        shown = self.shown
        if self.run is not None:
            self.run.leave()
        self.page.put("run", None)
        if shown is not self.screen:  # back to what was there
            self._put(shown)
        elif not shown.begun:
            self._put(Screen(shown.config, stored(shown.config)))

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
        self._put(Screen(config, (film,), take, film_of_file=True))

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
        self._step_on()
        if state.slow and (scene := self.slow.scene(state)) is not None:
            return scene
        screen, now = self.shown, self.screen
        if not screen.begun:
            return packed(waiting_scene, screen.config)
        live = self.running and screen is now
        return self._scene(screen, state, live=live, autoplay=state.step == 0 and not self.running, append=True)

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
        films = [film for film in (screen.films if all_seeds else (chosen,)) if film is not None and len(film)]
        axis = span(films) if films and screen.config.dim == 1 else ()  # one that grows needs all frames anew
        view = f"{name}-{state.arrows}-{state.mesh}-{state.below}-{axis}{'-bare' * awaited(chosen, state.below)}"
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
