"""The lab's page: the bar above the picture, the line and the branches beneath it, and all settings."""

import time
from typing import Any

import streamlit as st

from gantoys.maths.losses import LOSSES
from gantoys.maths.notation import parse
from gantoys.maths.toys import TOYS
from gantoys.pictures.lab_metrics import number, scores
from gantoys.pictures.lab_presets import LAB_PRESETS, preset_of
from gantoys.pictures.lab_state import REMEDIES, LabState, fitting, remedy_fields, remedy_of
from gantoys.runs.film import Film
from gantoys.ui import controls, frame, lab_form, live
from gantoys.ui.downloads import downloads
from gantoys.ui.frame import Page
from gantoys.ui.lab_films import progress
from gantoys.ui.lab_player import Player
from gantoys.ui.target import own_target

BAR_HEIGHT = 52
_TARGETS = {str(parse(key)): row.label for key, row in TOYS.items()}
_LONGEST_NAME = 48
_PHONE = """
@media (max-width: 640px) {
  .st-key-lab-bar [data-testid="stHorizontalBlock"] { flex-flow: row wrap; gap: .5rem; }
  .st-key-lab-bar [data-testid="stColumn"] { min-width: 45%; flex: 1 1 45%; }
}
"""
_OTHER = "other"  # what is in force but not among the names of a menu


class LabPage(Page[LabState]):
    """The lesson's page with room for a bar above the picture; an answer to a chip trains what the chip is about."""

    def _height(self) -> int:
        return super()._height() - (0 if self.lecture else BAR_HEIGHT)

    def _guess(self, index: int, chosen: int) -> None:
        super()._guess(index, chosen)
        self.put("wish", True)


def open_lab() -> tuple[LabPage, Player]:
    """Opens the lesson with the bar; one who has answered a chip sees it trained, if the store does not have it."""
    opened = frame.open_lesson("lab", LabState)
    live.warm()
    page = LabPage(opened.words, opened.model, opened.lecture)
    player = Player(page)
    if page.get("wish"):
        page.put("wish", False)
        if not player.screen.begun and not player.running:
            player.train(page.state.config)
    player.resync()
    if not page.lecture:
        _bar(page, player)
    page.put("drawn-with", _drawn_with(page, player))
    return page, player


def _drawn_with(page: LabPage, player: Player) -> tuple[Any, ...]:
    """What the bar, and how often the page looks again, depend on."""
    return page.state.run, player.every, page.get("trouble")


# --- above the picture ------------------------------------------------------------------------------------------


def _bar(page: LabPage, player: Player) -> None:
    config = page.state.config
    with st.container(key="lab-bar"):
        preset, target, loss, remedy, go = st.columns([1.25, 1.25, 1.25, 1.25, 1], vertical_alignment="center")
    st.html(f"<style>{_PHONE}</style>")
    with preset:
        _menu(
            "Preset", {key: row.label for key, row in LAB_PRESETS.items()}, preset_of(config), "own settings",
            lambda key: player.choose(LAB_PRESETS[key].config),
        )  # fmt: skip
    with target:
        own = "your own points" if config.toy.startswith("points(") else config.toy
        _menu("Target", _TARGETS, config.toy, own, lambda toy: player.edit(toy=toy))
    with loss:
        labels = {key: row.label for key, row in LOSSES.items()}
        _menu("Loss", labels, config.loss, config.loss, lambda key: player.edit(loss=key))
    with remedy:
        labels = {key: row.label for key, row in REMEDIES.items()}
        _menu("Remedy", labels, remedy_of(config), "several", lambda key: player.edit(**remedy_fields(key)))
    if player.running:
        go.button("Pause", key="lab:pause", on_click=player.pause, width="stretch")
    else:
        go.button(
            "Train this", key="lab:train", type="primary", on_click=lambda: player.train(config), width="stretch",
            help="The same settings give the same film, so what has been trained before plays at once.",
        )  # fmt: skip


def _menu(label: str, names: dict[str, str], now: str | None, other: str, adopt: Any) -> None:
    """A menu that says its own name; what is in force but not among the names stands there too."""
    key, at = f"lab:menu:{label}", now if now in names else _OTHER
    options = list(names) if at in names else [_OTHER, *names]
    st.session_state[key] = at

    def chosen() -> None:
        if st.session_state[key] in names and st.session_state[key] != at:
            adopt(st.session_state[key])

    st.selectbox(
        label, options, key=key, label_visibility="collapsed", on_change=chosen,
        format_func=lambda k: f"{label}: {names.get(k, other)[:_LONGEST_NAME]}",
    )  # fmt: skip


# --- beneath the picture ----------------------------------------------------------------------------------------


def beneath(page: LabPage, player: Player) -> None:
    """The line about the run, the seeds, and what can be done from the step on screen."""
    if page.get("wish") or page.get("drawn-with") != _drawn_with(page, player):
        st.rerun()  # the bar, and how often the page looks again, belong to the whole page
    if page.lecture:
        return
    st.markdown(line(page, player))
    if player.screen.config.seeds > 1:
        _seeds(page, player)
    _branches(page, player)


def line(page: LabPage, player: Player) -> str:
    """How it stands, in a sentence or two."""
    if page.get("trouble"):
        return f":red[{frame._literal(str(page.get('trouble')))}]"
    return " ".join(part for part in (_standing(page, player), _difference(player), _shows(page, player)) if part)


def _standing(page: LabPage, player: Player) -> str:
    screen, run, films = player.screen, player.run, player.screen.films
    status = run.status() if run is not None else None
    if not screen.begun:
        return player.outlook() if status is None else f"{_sentence(status.words)}."
    at, total = progress(films), screen.config.steps
    ended = [f for f in films if f is not None and f.status == "diverged"]
    if status is not None and not status.ended:
        waits = f"; {status.words}" if status.state == "queued" else ""
        return f"**Training**: step {at:,} of {total:,}, {_speed(page, at)}{waits}."
    if len(ended) == 1 and len(films) == 1:
        return f"**{ended[0].message}** The film until then is kept."
    if ended:
        return f"{len(ended)} of {len(films)} seeds diverged; the first: {ended[0].message}"
    if status is not None and status.message:
        return f"Step {at:,} of {total:,}. {status.message}"
    if at < total:
        return f"Paused at step {at:,} of {total:,}; what is there can be scrubbed, and *Train this* goes on."
    return f"Trained: {total:,} steps{_pace(films[0])}."


def _sentence(words: str) -> str:
    return (words[:1].upper() + words[1:]).rstrip(".")


def _pace(film: Film | None) -> str:
    if film is None or not len(film.seconds) or film.seconds[-1] <= 0:
        return ""
    return f" at {film.step[-1] / film.seconds[-1]:,.0f} steps/s"


def _speed(page: LabPage, at: int) -> str:
    begun, step = page.get("since", (time.monotonic(), 0))
    return f"{max(0, at - step) / max(time.monotonic() - begun, 0.1):,.0f} steps/s with the start"


def _difference(player: Player) -> str:
    changed = player.changed
    if not changed or not player.screen.begun:
        return ""
    told = ", ".join(
        f"{lab_form.title(name)} {lab_form.shown(a)} → {lab_form.shown(b)}" if name != "changes" else "the changes"
        for name, (a, b) in list(changed.items())[:3]
    )
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    way = " or *Branch*" if player.branching is not None else ""
    return f"On screen is the run before your change ({frame._literal(told)}{more}): *Train this*{way}."


def _shows(page: LabPage, player: Player) -> str:
    key = preset_of(player.screen.config)
    return f"*{LAB_PRESETS[key].shows}*" if key is not None and not player.changed else ""


def _seeds(page: LabPage, player: Player) -> None:
    first, key = player.screen.config.seed, "lab:member"
    options = range(player.screen.config.seeds + 1)
    st.session_state[key] = min(page.state.member, player.screen.config.seeds)
    st.segmented_control(
        "Seeds", options, key=key, label_visibility="collapsed",
        format_func=lambda k: "all seeds" if k == 0 else f"seed {first + k - 1}",
        on_change=lambda: _choose_member(page, player, st.session_state[key]),
    )  # fmt: skip


def _choose_member(page: LabPage, player: Player, member: int | None) -> None:
    if member is not None:
        page.change(member=member, step=page.state.step or progress(player.screen.films))
        player.resync()


def _branches(page: LabPage, player: Player) -> None:
    step, config, film = page.state.step, player.screen.config, player.film
    reached = film is not None and 0 < step <= int(film.step[-1])
    can = reached and step < config.steps
    fields = player.branching
    hint = "Scrub to a step, or pause there; then change settings that a run can change on its way."
    one, two, three, four = st.columns(4)
    one.button(
        f"Branch at step {step:,}" if reached else "Branch here", key="lab:branch", width="stretch", help=hint,
        disabled=not can or fields is None, on_click=lambda: player.branch(**(fields or {})),
    )  # fmt: skip
    two.button(
        "From here D alone", key="lab:only-d", width="stretch", disabled=not can,
        help="G stays as it is: what would the best D be?",
        on_click=lambda: player.branch(g_steps=0, d_steps=max(1, config.at(step).d_steps)),
    )  # fmt: skip
    three.button(
        "From here G alone", key="lab:only-g", width="stretch", disabled=not can,
        help="D stays as it is: G runs to where it is fooled most.",
        on_click=lambda: player.branch(d_steps=0, g_steps=max(1, config.at(step).g_steps)),
    )  # fmt: skip
    four.button(
        "One step", key="lab:one-step", width="stretch", disabled=not reached,
        help="One more step from here, and no further.", on_click=player.one_step,
    )  # fmt: skip


def more(page: LabPage, player: Player) -> None:
    """What is drawn, and every setting."""
    one, two, three = st.columns(3, vertical_alignment="bottom")
    with one:
        controls.switch(page, "arrows", "the way that each point is told to go")
    with two:
        controls.switch(page, "mesh", "what G does to a grid of noise")
    with three:
        controls.choice(page, "below", "Lowest chart", names={"usual": "value or JS", "losses": "losses"})
    further = {
        "Metrics": lambda: _metrics(page, player),
        "Your own target": lambda: _own_target(page, player),
        "Keep it": lambda: _keep(page, player),
    }
    lab_form.forms(page.state.config, player.edit, "lab:form", further)


def _own_target(page: LabPage, player: Player) -> None:
    """Points that somebody draws or uploads become the target as soon as they are good."""
    notation = own_target("lab:own")
    if notation is None or notation == page.get("own"):
        return
    page.put("own", notation)
    player.edit(toy=fitting(notation))
    st.rerun()


def _metrics(page: LabPage, player: Player) -> None:
    """The points on screen by every metric, when asked for."""
    film, step = player.film, page.state.step
    if film is None or not len(film):
        st.caption("There is no film yet.")
        return
    at = (film.config.digest(), film.member, step)
    if st.button(f"Score the picture at step {step:,}", key="lab:score"):
        page.put("scores", (at, scores(film, step)))
    known = page.get("scores")
    if known is None:
        return
    if known[0] != at:
        st.caption("These are the scores of another picture.")
    lines = ["| estimated from the points on screen | score | a perfect generator | noise |", "|---|---|---|---|"]
    for row in known[1]:
        better = f" ({row.better} is better)" if row.better else ""
        perfect, noise = row.reference.perfect, row.reference.noise
        band = f"{number(perfect.mean)} ({number(perfect.low)} to {number(perfect.high)})"
        value = f"**{number(row.value)}**" if row.perfect else number(row.value)
        lines.append(f"| {row.label}{better} | {value} | {band} | {number(noise.mean)} |")
    st.markdown("\n".join(lines))
    st.caption("In brackets: where 19 of 20 perfect generators score with so many points. Bold: within that band.")


def _keep(page: LabPage, player: Player) -> None:
    if player.film is None:
        st.caption("There is no film yet.")
    else:
        downloads(player.film, page.state.step, key="lab:keep")
