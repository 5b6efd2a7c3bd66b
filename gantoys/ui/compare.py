"""Several runs on one page while they are made, and the verdict over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from gantoys.pictures import compare as picture
from gantoys.pictures import compare_verdict as verdict
from gantoys.pictures.compare_clock import Shot, common_clock
from gantoys.pictures.compare_state import CHANGES, MOST_SEEDS, CompareState, Entrant, entrants
from gantoys.pictures.film_parts import drawn
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.runs.film_file import POPULATION
from gantoys.runs.recordings import recording
from gantoys.runs.span import span
from gantoys.service.run_service import Busy, Run, ask, look_seconds, outlook, service
from gantoys.stage.pack import Packed, packed
from gantoys.stage.scene import Scene
from gantoys.ui import controls
from gantoys.ui.frame import Page
from gantoys.ui.growing import POLL_SECONDS, Sent, joined, session

KEPT = 8  # films that a session holds at once
_LABELS = {key: row.label for key, row in CHANGES.items()}
_TARGETS = {"ring": "ring of 8", "grid": "grid of 25", "bimodal": "two modes, on the line", "trimodal": "three modes"}


def instead(runs: Sequence[Entrant]) -> list[str]:
    """What pictures show instead of what one might expect: each sentence once, after the letters that it holds for."""
    letters: dict[str, list[str]] = {}
    for run in runs:
        for sentence in drawn(run.config):
            letters.setdefault(sentence, []).append(run.letter)
    return [
        f"*{sentence}*" if len(of) == len(runs) else f"**{', '.join(of)}** *{sentence}*"
        for sentence, of in letters.items()
    ]


@dataclass(eq=False)
class Comparison:
    """The runs of one page in one session. Films lie beside the page's state, by digest."""

    page: Page[CompareState]

    def __post_init__(self) -> None:
        Sent(self.page).forget()  # a whole run of the page sends the films whole

    # --- runs and films -------------------------------------------------------------------------------------------

    def _runs(self) -> dict[str, Run]:
        """The runs that this session asked for, by digest."""
        runs: dict[str, Run] | None = self.page.get("runs")
        if runs is None:
            self.page.put("runs", runs := {})
        return runs

    def ask(self, configs: Sequence[TrainConfig], purpose: str) -> bool:
        """Asks for the films of all configs at once; False, and a sentence for the page, when it cannot be done."""
        self.page.put(f"trouble-{purpose}", None)
        runs = self._runs()
        asked = {config.digest() for config in configs}
        # a recording gives way to the run that is asked for
        self.page.put("films", {k: film for k, film in (self.page.get("films") or {}).items() if k not in asked})
        for k, config in enumerate(configs):
            try:
                # a watcher of its own for each place, so that asking for one does not let go of the other
                runs[config.digest()] = ask(config, watcher=f"{session()}/{purpose}-{k}")
            except (Busy, ValueError) as error:
                self.page.put(f"trouble-{purpose}", str(error))
                return False
        return True

    def under_way(self, configs: Sequence[TrainConfig]) -> bool:
        """Whether one of these runs was asked for and has not ended."""
        return any(run is not None and not run.status().ended for run in map(self._run, configs))

    def _run(self, config: TrainConfig) -> Run | None:
        return self._runs().get(config.digest())

    def shot(self, config: TrainConfig) -> Shot:
        """The film of a config as far as it is there: of the run under way, or from the store."""
        films: dict[str, Film] = self.page.get("films") or {}
        digest, run = config.digest(), self._run(config)
        held = films.get(digest)
        if held is None or held.status == "running":
            growing = run is not None and not run.status().ended  # asked before reading, which then misses nothing
            held = joined(held, run) if run is not None else None
            if not growing and (held is None or held.status == "running"):
                held = service().store.find(config) or held or recording(config) or service().kept(config)
            if held is not None:
                rest = {k: v for k, v in films.items() if k != digest}
                self.page.put("films", dict([*rest.items()][-KEPT + 1 :]) | {digest: held})
            return Shot(held, growing)
        return Shot(held)

    @property
    def configs(self) -> list[TrainConfig]:
        """The configs of the runs on screen."""
        return [run.config for run in entrants(self.page.state)]

    @property
    def every(self) -> float | None:
        """How often the page must look again: only while one of its runs is under way."""
        busy = self.under_way(self.configs)
        self.page.put("looking", busy)
        return look_seconds(POLL_SECONDS, session()) if busy else None

    # --- the picture ----------------------------------------------------------------------------------------------

    def build(self, state: CompareState) -> Scene | Packed:
        """The picture for the stage. A chip that was answered by hand has its runs trained; a link has not."""
        answered = self.page.get("moves", 0)
        if answered != self.page.get("answered", 0):
            self.page.put("answered", answered)
            self.ask(self.configs, "film")
        shots = tuple(self.shot(run.config) for run in entrants(state))
        begun = "".join(str(int(shot.film is not None)) for shot in shots)
        whole = not any(shot.growing for shot in shots) and any(shot.film is not None for shot in shots)
        # a run that begins later puts the clock back to its own start: then all is sent as a new recording
        name = f"{'-'.join(config.digest()[:8] for config in self.configs)}-{begun}"
        count = len(common_clock(shots).steps)
        films = [shot.film for shot in shots if shot.film is not None and len(shot.film)]
        axis = span(films) if films and films[0].config.dim == 1 else ()  # one that grows needs all frames anew
        sent, view = Sent(self.page), f"{name}-{axis}"
        behind = min(sent.held(view), count)
        sent.note(view, count)
        make = partial(packed, picture.scene) if whole else picture.scene
        return make(
            state, shots, name=name, autoplay=whole and state.step == 0, behind=behind, lecture=self.page.lecture
        )

    def resync(self) -> None:
        """The browser lost the films: send them whole."""
        Sent(self.page).forget()

    def plain(self, state: CompareState) -> Scene:
        """The scene for a saved page: what is there now."""
        return picture.scene(state, [self.shot(run.config) for run in entrants(state)], name="saved")

    def train(self) -> None:
        """Asks for the runs on screen."""
        self.page.change(step=0)
        self.ask(self.configs, "film")

    def judge(self) -> None:
        """Asks for the runs on screen with several seeds each."""
        self.ask(self._trials(), "verdict")
        verdict.perfect(self.configs[0])  # begun now, it is there when the films are

    def beside(self) -> None:
        """The button, the changed things, and what differs in words."""
        if not self.page.lecture:
            self._choose()
            self._words()
        if self.under_way(self.configs) != bool(self.page.get("looking")):
            st.rerun()  # one whole run of the page, so that it begins, or stops, to look

    def _choose(self) -> None:
        page = self.page
        go, b, c, d = st.columns(4, vertical_alignment="bottom")
        go.button("Train them now", key="compare-train", type="primary", width="stretch", on_click=self.train)
        for column, field in ((b, "b"), (c, "c"), (d, "d")):
            with column:
                controls.menu(page, field, f"{field.upper()} changes", names=_LABELS)

    def _words(self) -> None:
        runs, page = entrants(self.page.state), self.page
        if page.get("trouble-film"):
            st.warning(page.get("trouble-film"), icon=None)
        lines = [f"**{run.letter}** {run.words or 'the base, as it is'}{self._stands(run)}" for run in runs]
        st.caption("  \n".join([*lines, *instead(runs)]))

    def _stands(self, run: Entrant) -> str:
        """How it stands with one run, in words."""
        asked, shot = self._run(run.config), self.shot(run.config)
        if asked is None and shot.film is not None:
            at = f"{int(shot.film.step[-1]):,} of {run.config.steps:,}"
            return f": paused at step {at}; *Train them now* goes on" if shot.film.status == "stopped" else ""
        if asked is None:
            return f": not trained here yet; {self._outlook(run)}"
        status = asked.status()
        if status.state == "queued":
            return f": {status.words}"
        if shot.film is None:
            return ": starts" if not status.ended else f": {status.message}"
        step = int(shot.film.step[-1])
        if status.ended:
            return f": {status.message}" if status.message else ""
        return f": step {step:,} of {run.config.steps:,}"

    def _outlook(self, run: Entrant) -> str:
        """What asking for a run would come to."""
        status = outlook(run.config, session())
        if status.state in ("failed", "done"):
            return status.message or "its film is ready"
        return f"{status.words} if asked for now" if status.position else "it would begin at once"

    def more(self, page: Page[CompareState]) -> None:
        """What all runs share."""
        one, two, three = st.columns(3)
        with one:
            controls.menu(page, "target", "target of all runs", names=_TARGETS)
        with two:
            controls.menu(page, "loss", "loss of the base", names=_LABELS)
        with three:
            controls.number(page, "seed", "seed of all runs", step=1)

    # --- the verdict ----------------------------------------------------------------------------------------------

    def _trials(self) -> list[TrainConfig]:
        seeds = self.page.state.seeds
        return [verdict.trial(run.config, seeds) for run in entrants(self.page.state)]

    def show_verdict(self) -> None:
        """The verdict over seeds, in a part of the page that looks by itself while it is trained."""
        looks = self.looks()
        self.page.put("judging", looks)
        st.fragment(_verdict, run_every=look_seconds(POLL_SECONDS, session()) if looks else None)(self)

    def looks(self) -> bool:
        """Whether the verdict will soon be another: seeds are trained, or bands of perfect generators worked out."""
        trials = self._trials()
        return self.under_way(trials) or (any(map(self._films, trials)) and verdict.perfect(self.configs[0]) is None)

    def _films(self, config: TrainConfig) -> list[Film] | None:
        """All films of a trial, or None while one is missing."""
        known: dict[str, Any] = self.page.get("trials") or {}
        if config.digest() not in known:
            films = [service().store.find(config, member) for member in range(config.seeds)]
            if any(film is None for film in films):
                return None
            self.page.put("trials", dict([*known.items()][-KEPT + 1 :]) | {config.digest(): films})
            return [film for film in films if film is not None]
        found: list[Film] = known[config.digest()]
        return found

    def _progress(self, configs: Sequence[TrainConfig]) -> float:
        """Which part of the frames of all trials is there."""
        done, total = 0, 0
        for config in configs:
            frames, run = len(config.recorded_steps()) * config.seeds, self._run(config)
            total += frames
            if run is None:
                continue
            ended = run.status().ended
            parts = () if ended else (run.film(0, member) for member in range(config.seeds))
            done += frames if ended else sum(len(film) for film in parts if film is not None)
        return done / max(total, 1)


def _verdict(page_of: Comparison) -> None:
    page, runs, trials = page_of.page, entrants(page_of.page.state), page_of._trials()
    st.subheader("The verdict")
    number, button = st.columns([1, 3], vertical_alignment="bottom")
    with number:
        controls.number(page, "seeds", f"seeds of each run, 1 to {MOST_SEEDS}", step=1)
    seeds = page.state.seeds
    words = f"Train each run with {seeds} seed{'s' if seeds > 1 else ''}"
    button.button(words, key="compare-judge", on_click=page_of.judge)
    busy = page_of.under_way(trials)
    films = [page_of._films(config) for config in trials]
    with st.container():  # what comes and goes has a place of its own: else all below it would stand there twice
        _stands(page_of, trials, busy)
    rows = [verdict.judge(run, found) for run, found in zip(runs, films, strict=True) if found]
    if rows:
        st.markdown(verdict.table(rows))
        told = "" if runs[0].config.exact else f", JS of {POPULATION:,}"
        st.caption(
            f"Mean ± standard deviation over the seeds from {page.state.seed} on, at the last step, of "
            f"{runs[0].config.shown:,} points each{told}; seeds that diverged are counted but left out of the means. "
            "Reverse KL is that of the seeds that made at least one good point."
        )
    if len(rows) == len(runs):
        st.markdown("\n".join(f"- {verdict.against(rows[0], row)}" for row in rows[1:]))
    elif not busy:
        st.caption("One run each is an anecdote. Ask for several seeds, and see which difference is more than luck.")
    if page_of.looks() != bool(page.get("judging")):
        st.rerun()


def _stands(page_of: Comparison, trials: Sequence[TrainConfig], busy: bool) -> None:
    """How it stands with the trials of a verdict: refused, under way, failed."""
    trouble = page_of.page.get("trouble-verdict")
    if trouble:
        st.warning(trouble, icon=None)
    if busy:
        done, seeds = page_of._progress(trials), trials[0].seeds
        words = f"{len(trials)} runs with {seeds} seeds each: {done:.0%} of the frames are there"
        st.progress(min(done, 1.0), text=words)
    failed = [run.status().message for run in map(page_of._run, trials) if run and run.status().state == "failed"]
    if failed:
        st.warning(failed[0], icon=None)
