"""The lab's page: the bar above the picture, and beneath it the line, the seeds, the branches and the views."""

from typing import Any
from urllib.parse import urlencode

import streamlit as st

from gantoys.maths.losses import LOSSES
from gantoys.maths.notation import parse
from gantoys.maths.toys import TOYS
from gantoys.pictures.lab_presets import LAB_PRESETS, preset_of
from gantoys.pictures.lab_state import REMEDIES, LabState, remedy_fields, remedy_of, write_run
from gantoys.ui import controls, frame, held, lab_slow
from gantoys.ui.frame import Page
from gantoys.ui.lab_films import progress
from gantoys.ui.lab_line import help_for, line
from gantoys.ui.lab_player import Player

BAR_HEIGHT = 52
_TARGETS = {str(parse(key)): row.label for key, row in TOYS.items()}
_LONGEST_NAME = 48
_STYLE = """
.st-key-lab-bar .stSelectbox { display: flex; flex-flow: row; align-items: center; gap: .5rem; }
.st-key-lab-bar .stSelectbox > label { width: auto; min-height: 0; margin: 0; opacity: .75; }
.st-key-lab-bar .stSelectbox > .react-aria-ComboBox { flex: 1; min-width: 0; }
.st-key-lab-bar input { text-overflow: ellipsis; }
@media (max-width: 640px) {
  .st-key-lab-bar [data-testid="stHorizontalBlock"], .st-key-lab-actions [data-testid="stHorizontalBlock"] {
    flex-flow: row wrap; gap: .5rem;
  }
  .st-key-lab-bar [data-testid="stColumn"], .st-key-lab-actions [data-testid="stColumn"] {
    min-width: 45%; flex: 1 1 45%;
  }
  .st-key-lab-bar .stSelectbox { flex-flow: column; align-items: stretch; gap: 0; }
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
    page = LabPage(opened.words, opened.model, opened.lecture)
    player = Player(page)
    if page.get("wish"):
        page.put("wish", False)
        if not player.screen.whole and not player.running:
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
    st.html(f"<style>{_STYLE}</style>")
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
    """A menu with its name before it; what is in force but not among the names stands there too."""
    name, at = f"lab:menu:{label}", now if now in names else _OTHER
    options = list(names) if at in names else [_OTHER, *names]
    key = held.key_of(name, at)

    def chosen(new: Any) -> None:
        if new in names and new != at:
            adopt(new)

    st.selectbox(
        label, options, key=key, on_change=held.by_hand, args=(name, key, chosen),
        format_func=lambda k: short(names.get(k, other)),
    )  # fmt: skip


def short(name: str) -> str:
    """A name that fits into a menu; one that is cut says so."""
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


# --- beneath the picture ----------------------------------------------------------------------------------------


def beneath(page: LabPage, player: Player) -> None:
    """The line about the run, the seeds, and what can be done from the step on screen."""
    if page.get("wish") or page.get("drawn-with") != _drawn_with(page, player):
        st.rerun()  # the bar, and how often the page looks again, belong to the whole page
    if page.lecture:
        return
    if page.state.slow:
        lab_slow.beneath(player.slow)
        return
    _line(page, player)
    if player.screen.config.seeds > 1:
        _seeds(page, player)
    with st.container(key="lab-actions"):
        _actions(page, player)


def _line(page: LabPage, player: Player) -> None:
    """The line; beside it, for a run that diverged, a button with what may help."""
    found = None if page.get("trouble") or player.running or player.side_by_side else help_for(player.film)
    if found is None:
        st.markdown(line(page, player))
        return
    step, fields, _ = found
    left, right = st.columns([4, 1], vertical_alignment="center")
    left.markdown(line(page, player))
    right.button(
        f"Try it from step {step:,}", key="lab:help", type="primary", width="stretch",
        on_click=lambda: player.branch(at=step, **fields),
        help="The same run up to that step, before its numbers were spoilt; then with what removes the likely cause.",
    )  # fmt: skip


def _seeds(page: LabPage, player: Player) -> None:
    first, name = player.screen.config.seed, "lab:member"
    options = range(player.screen.config.seeds + 1)
    key = held.key_of(name, min(page.state.member, player.screen.config.seeds))
    st.segmented_control(
        "Seeds", options, key=key, label_visibility="collapsed",
        format_func=lambda k: "all side by side" if k == 0 else f"seed {first + k - 1}",
        on_change=held.by_hand, args=(name, key, lambda member: _choose_member(page, player, member)),
    )  # fmt: skip


def _choose_member(page: LabPage, player: Player, member: int | None) -> None:
    if member is not None:
        page.change(member=member, step=page.state.step or progress(player.screen.films))
        player.resync()


def clicked(page: LabPage, player: Player, name: str) -> None:
    """A click on a seed's small picture enlarges it."""
    kind, _, number = name.rpartition("-")
    if kind == "seed" and number.isdigit() and player.side_by_side:
        _choose_member(page, player, min(int(number), len(player.screen.films)))


def _actions(page: LabPage, player: Player) -> None:
    step, config, film = player.step, player.shown.config, player.film
    reached = player.ready and film is not None and 0 < step <= int(film.step[-1])
    can = reached and step < config.steps
    fields = player.branching
    hint = "Pause at a step, or scrub there; then change settings that a run can change on its way."
    one, two, three, four, slow, five = st.columns(6)
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
        "One step", key="lab:one-step", width="stretch", disabled=not can or player.running,
        help="The step after the one on screen takes its place in the film.", on_click=player.one_step,
    )  # fmt: skip
    with slow:
        lab_slow.button(player.slow, step, disabled=film is None or not player.ready)
    with five.popover("View", width="stretch"):
        _views(page, player)


def _views(page: LabPage, player: Player) -> None:
    """What is drawn; the words say what the usual charts are for the target on screen."""
    if player.side_by_side:
        st.caption("Side by side only the points are drawn. For one seed:")
    plane = player.screen.config.dim == 2
    controls.choice(
        page, "below", "Beside the picture",
        names={
            "usual": "now" if plane else "value ledger",
            "modes": "modes over time",
            "losses": "losses",
            "metrics": "metrics",
        },
    )  # fmt: skip
    controls.switch(page, "arrows", "the way that each point is told to go")
    controls.switch(page, "mesh", "what G does to a grid of noise")
    if player.film is not None and player.step > 0 and player.ready:
        asked = urlencode({"show": "lens", "run": write_run(player.screen.config), "at": player.step})
        st.markdown(f"[Does it circle, settle or leave? The eigenvalues at step {player.step:,}](dynamics?{asked})")
