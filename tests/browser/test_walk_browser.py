"""A walk through every lesson: each control that a page has, found from the page, is used twice, and all stays whole.

Nothing long is trained: films that the pages ask for are made by hand and lie in a store of this test.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from films import stand_in
from playwright.sync_api import Page
from serving import LOGS, running
from walker import Walk

from gantoys.lessons import KEYS, load
from gantoys.maths.points import from_points
from gantoys.pictures.compare_state import CompareState, entrants
from gantoys.pictures.compare_verdict import trial
from gantoys.pictures.lab_state import LabState, write_run
from gantoys.runs.config import TrainConfig
from gantoys.runs.presets import START
from gantoys.runs.store import Store
from gantoys.training.filming import record

# Everywhere all, in every view that the choices of a lesson make, takes ten minutes: `make load` does it. Else one
# lesson is walked, and the most usual kind of film.
WHOLE = os.environ.get("GANTOYS_WALK") == "whole"
WALKED = ("start",)
KINDS = ("plane",)
ROOT = Path(__file__).resolve().parents[2]
TINY = TrainConfig(width=6, layers=1, batch=8, steps=24, frames=7, cadence="even", grid=8, shown=64, seed=3)
BENEATH = '.gs, .st-key-lab-actions, [data-testid="stPopoverBody"], [role=radiogroup]'
FILMS: dict[str, TrainConfig] = {
    "plane": TINY,
    "a critic": TINY.changed(loss="wasserstein"),
    "no modes": TINY.changed(toy="moons"),
    "a critic, no modes": TINY.changed(toy="circles", loss="hinge"),
    "seeds": TINY.changed(seeds=3),
    "line": TINY.changed(toy="bimodal", noise_dim=1),
    "line, a critic": TINY.changed(toy="bimodal", noise_dim=1, loss="wasserstein"),
    "line, seeds": TINY.changed(toy="uniform", noise_dim=1, seeds=2),
    "line, points": TINY.changed(toy=str(from_points([0.0, 0.4, 1.0, 1.1, 2.0])), noise_dim=2),
    "diverged": TINY.changed(loss="wasserstein", optimiser="sgd", lr_d=10.0, lr_g=10.0, width=32),
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard of this test's own, with the films that its pages may ask for."""
    home = tmp_path_factory.mktemp("walk")
    store = Store(home / "films")
    for config in FILMS.values():
        record(config, store.path(config), store=store)
    for row in load("lab").tries:
        stand_in(store, LabState(**row.state).config)
    for seed in (1, 2, 3):
        stand_in(store, START.changed(seed=seed))
    runs = {run.config for row in load("compare").tries for run in entrants(CompareState(**row.state))}
    for config in runs | {run.config for run in entrants(CompareState())}:
        stand_in(store, config)
        stand_in(store, trial(config, CompareState().seeds))
    with running(ROOT / "app.py", environment={"GANTOYS_HOME": str(home)}) as url:
        yield url


@pytest.fixture(autouse=True)
def no_trouble(address: str) -> Iterator[None]:
    """Whatever a visitor does, the server has nothing to complain of: no page, callback or download fails."""
    log = next(log for name, log in LOGS.items() if name.endswith(address.rpartition(":")[2]))
    before = log.stat().st_size
    yield
    with log.open("rb") as file:
        file.seek(before)
        said = file.read().decode("utf-8", "replace")
    assert "Traceback" not in said and "ScriptRunContext" not in said, said[-3000:]


@pytest.fixture
def walk(address: str, open_page: Callable[..., Page], console_errors: list[str]) -> Iterator[Callable[..., Walk]]:
    """walk(key, field=value, ...) opens a lesson by its link."""

    def begin(key: str, every_view: bool = True, **params: Any) -> Walk:
        one = Walk(open_page(reduced_motion="reduce"), console_errors, every_view=every_view)
        one.open(f"{address}/{'' if key == KEYS[0] else key}?{urlencode(params)}")
        return one

    yield begin
    console_errors[:] = [error for error in console_errors if "404 (Not Found)" not in error]


def now_or_later(names: Iterable[str], now: tuple[str, ...]) -> list[Any]:
    """Those that every change is tested with as they are, the others marked."""
    return [pytest.param(name, marks=[] if name in now and not WHOLE else [pytest.mark.long]) for name in names]


@pytest.mark.parametrize("key", now_or_later(KEYS, WALKED))
def test_every_control_of_a_lesson_can_be_used_twice(walk: Callable[..., Walk], key: str) -> None:
    one = walk(key, WHOLE, **({"run": write_run(TINY), "step": 12} if key == "lab" else {}))
    assert one.everything() > 12


@pytest.mark.parametrize("kind", now_or_later(FILMS, KINDS))
def test_every_view_of_every_kind_of_film_can_be_used_twice(walk: Callable[..., Walk], kind: str) -> None:
    one = walk("lab", run=write_run(FILMS[kind]), member=0 if "seeds" in kind else 1)
    assert one.everything(BENEATH) > 10
