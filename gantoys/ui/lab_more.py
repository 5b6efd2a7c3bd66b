"""Behind the lab's "More controls": every setting, metrics, targets of one's own, keeping films and opening them."""

import streamlit as st

from gantoys.pictures.lab_metrics import Score, number, points_of, referred, table
from gantoys.pictures.lab_state import LabState, fitting
from gantoys.ui import lab_form
from gantoys.ui.downloads import downloads, uploaded_film
from gantoys.ui.frame import Page, _literal
from gantoys.ui.lab_player import Player
from gantoys.ui.target import own_target

LOOK_SECONDS = 1.0  # how often it is looked whether bands have come


def more(page: Page[LabState], player: Player) -> None:
    """Every setting, grouped by player, and what can be done with the film."""
    further = {
        "Metrics": lambda: _metrics(page, player),
        "Your own target": lambda: _own_target(page, player),
        "Keep or open a film": lambda: _keep(page, player),
    }
    lab_form.forms(page.state.config, player.edit, "lab:form", further)


def _own_target(page: Page[LabState], player: Player) -> None:
    """Points that somebody draws or uploads become the target as soon as they are good."""
    notation = own_target("lab:own", fitting)
    if notation is None:
        return
    *shape, learned = st.session_state["lab:own:size"]
    if learned < shape[0]:
        st.caption("A link holds the points that are learned, and no more of them fit into it.")
    if notation != page.get("own"):
        page.put("own", notation)
        player.edit(toy=notation)
        st.rerun()
    if page.state.config.toy != notation:
        st.button("Make it the target again", key="lab:own:again", on_click=lambda: player.edit(toy=notation))


def _metrics(page: Page[LabState], player: Player) -> None:
    """The points on screen by every metric, when asked for."""
    film, step = player.film, player.step
    if film is None or not len(film):
        st.caption("There is no film yet.")
        return
    at = (film.config.digest(), film.member, step)
    st.button(
        f"Score the picture at step {step:,}", key="lab:score",
        on_click=lambda: page.put("scores", (at, film.config.toy, points_of(film), table(film, step))),
    )  # fmt: skip
    known = page.get("scores")
    if known is None:
        st.caption("Up to eleven figures, each beside what a perfect generator and pure noise would get.")
        return
    if known[0] != at:
        st.caption("These are the scores of another picture.")
    rows, there = referred(known[3], known[1], known[2])
    if there:
        _scored(rows)
    else:
        # what perfect generators score takes some seconds, in a process of its own
        st.fragment(_referred_later, run_every=LOOK_SECONDS)(page)


def _referred_later(page: Page[LabState]) -> None:
    _, toy, points, rows = page.get("scores")
    rows, there = referred(rows, toy, points)
    if there:
        st.rerun()
    _scored(rows)
    st.caption("What perfect generators score with so many points is being worked out: it takes some seconds.")


def _scored(rows: list[Score]) -> None:
    lines = ["| estimated from the points on screen | score | a perfect generator | noise |", "|---|---|---|---|"]
    for row in rows:
        better = f" ({row.better} is better)" if row.better else ""
        band, noise = "", ""
        if row.reference is not None:
            perfect = row.reference.perfect
            band = f"{number(perfect.mean)} ({number(perfect.low)} to {number(perfect.high)})"
            noise = number(row.reference.noise.mean)
        value = f"**{number(row.value)}**" if row.perfect else number(row.value)
        lines.append(f"| {row.label}{better} | {value} | {band} | {noise} |")
    st.markdown("\n".join(lines))
    notes = list(dict.fromkeys(f"{row.label}: {row.note}." for row in rows if row.note))
    told = "In brackets: where 19 of 20 perfect generators score with so many points. Bold: within that band."
    st.caption(_literal(" ".join([told, *notes])))


def _keep(page: Page[LabState], player: Player) -> None:
    if player.film is None:
        st.caption("There is no film to keep yet.")
    else:
        scene = page.later(lambda: player.saved(page.state))
        downloads(player.film, page.state.step, key="lab:keep", scene=scene)
    _open(page, player)


def _open(page: Page[LabState], player: Player) -> None:
    """A film from a file takes the place of the one on screen; one that cannot be opened leaves all as it is."""
    film = uploaded_film("lab:open")
    if player.screen.film_of_file and player.film is not None:
        st.caption(
            f"The film from your file plays above: {len(player.film)} pictures. The link holds its settings only."
        )
    if film is None or film is page.get("of-file"):
        return
    page.put("of-file", film)
    try:
        player.open(film)
    except ValueError as error:
        page.put("trouble", f"{error}: the film on screen stays")
    st.rerun()
