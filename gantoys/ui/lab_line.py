"""The line beneath the lab's picture: how the run stands, what was changed since, why it failed and what may help."""

import time
from typing import Any

import numpy as np

from gantoys.pictures.film_parts import drawn
from gantoys.pictures.lab_presets import LAB_PRESETS, preset_of
from gantoys.pictures.lab_state import LabState
from gantoys.runs.causes import cure
from gantoys.runs.film import Film
from gantoys.ui import frame, lab_form
from gantoys.ui.frame import Page
from gantoys.ui.lab_films import is_whole, progress
from gantoys.ui.lab_player import Player

SPEED_SECONDS = 4.0  # over which steps per second are taken


def line(page: Page[LabState], player: Player) -> str:
    """How it stands, in a sentence or two of Markdown."""
    if page.get("trouble"):
        return f":red[{frame._literal(_sentence(str(page.get('trouble'))))}.]"
    found = None if player.running or player.side_by_side else help_for(player.film)
    after = f"Try: *{found[2]}.*" if found is not None else _shows(player)
    shown = " ".join(drawn(player.screen.config)) if player.screen.begun else ""
    return " ".join(part for part in (_standing(page, player), _difference(player), after, shown) if part)


def _standing(page: Page[LabState], player: Player) -> str:
    screen, films, status = player.screen, player.screen.films, player.status
    if (run := player.stepping.run) is not None:
        asked, waits = run.status(), "the run is trained again up to there, from the last state that was kept …"
        words = asked.words if asked.state == "queued" else waits
        return f"**One more step**, number {run.config.steps:,}: {words}"
    if not screen.begun:
        return player.outlook() if status is None else f"{_sentence(status.words)}."
    at, total = progress(films), screen.config.steps
    ended = [f for f in films if f is not None and f.status == "diverged"]
    if status is not None and not status.ended:
        waits = f"; {status.words}" if status.state == "queued" else ""
        speed = _speed(page, player, at)
        return f"**Training**: step {at:,} of {total:,}{f', {speed:,.0f} steps/s' if speed else ''}{waits}."
    if len(ended) == 1 and len(films) == 1:
        return f"**{frame._literal(ended[0].message)}** The film until then is kept."
    if ended:
        return f"{len(ended)} of {len(films)} seeds diverged; the first: {frame._literal(ended[0].message)}"
    if status is not None and status.message:
        return f"Step {at:,} of {total:,}. {frame._literal(status.message)}"
    if not screen.whole:
        at = progress([f for f in films if not is_whole(f)])
        goes_on = "" if player.changed else ", and *Train this* goes on"
        return f"Paused at step {at:,} of {total:,}; what is there can be scrubbed{goes_on}."
    return f"Trained: {total:,} steps{_pace(films[0])}."


def _sentence(words: str) -> str:
    return (words[:1].upper() + words[1:]).rstrip(".")


def _pace(film: Film | None) -> str:
    if film is None or not len(film.seconds) or film.seconds[-1] <= 0:
        return ""
    return f" at {film.step[-1] / film.seconds[-1]:,.0f} steps/s"


def _speed(page: Page[LabState], player: Player, at: int) -> float:
    """Steps per second over the last seconds; 0 while there is nothing to go by."""
    which, now = (player.screen.config.digest(), player.screen.take), time.monotonic()
    known, looks = page.get("speed", (None, []))
    looks = [*(looks if known == which else []), (now, at)]
    while len(looks) > 2 and looks[1][0] < now - SPEED_SECONDS:
        looks.pop(0)
    page.put("speed", (which, looks))
    (first, begun), (last, reached) = looks[0], looks[-1]
    return (reached - begun) / (last - first) if last - first > 0.2 else 0.0


def _difference(player: Player) -> str:
    changed = player.changed
    if not changed or not player.screen.begun:
        return ""
    told = frame._literal(changes_told(changed))
    way = ", *Branch* from the step where you pause" if player.branching is not None else ""
    return (
        f"On screen is the run before your change ({told}). *Train this* makes it from the first step on{way}."
        f"{player.outlook(brief=True)}"
    )


def changes_told(changed: dict[str, tuple[Any, Any]]) -> str:
    """Up to three changed fields with both values, in words."""
    told = ", ".join(
        f"{lab_form.title(name)} {_short(a)} → {_short(b)}" if name != "changes" else "the changes"
        for name, (a, b) in list(changed.items())[:3]
    )
    return told + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")


def _short(value: Any) -> str:
    text = lab_form.shown(value)
    if text.startswith("points("):
        return "your own points"
    return text if len(text) <= 40 else text[:39] + "…"


def _shows(player: Player) -> str:
    if player.screen.film_of_file:
        return "*This film is from your file; the link holds its settings only.*"
    if player.side_by_side and player.screen.begun:
        return "*A click on a picture enlarges it.*"
    key = preset_of(player.screen.config)
    return f"*{frame._in_roles(LAB_PRESETS[key].shows)}*" if key is not None and not player.changed else ""


def help_for(film: Film | None) -> tuple[int, dict[str, Any], str] | None:
    """For a run that diverged: the step to branch at, the fields to change there, and those in words; or None.

    The step is that of a picture about half way to the failure, since shortly before it all numbers are spoilt.
    """
    if film is None or film.status != "diverged" or not len(film):
        return None
    half = int(film.step[-1]) // 2
    step = int(film.step[max(0, int(np.searchsorted(film.step, half, side="right")) - 1)])
    fields = cure(film.config.at(int(film.step[-1])))
    if not fields:
        return None
    return step, fields, "; ".join(f"{lab_form.title(name)}: {lab_form.shown(value)}" for name, value in fields.items())
