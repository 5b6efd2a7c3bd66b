"""What stands beside the lab's picture instead of the usual charts: modes over time, metrics with their noise band."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gantoys.metrics import METRICS
from gantoys.pictures.film_parts import LOG4, Showing, around
from gantoys.pictures.lab_frames import each
from gantoys.pictures.lab_metrics import band
from gantoys.pictures.lab_modes import mode_numbers, modes_panels
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Curve, Rule
from gantoys.stage.scene import Axis, Panel, Readout, Scene, Swept

Array = np.ndarray
POINTS, MOST_SCORED = 200, 101  # points of a picture; pictures that are scored before the first is shown
_GREY = "grey: 19 of 20 perfect generators"
Panels = tuple[tuple[Panel, ...], tuple[Readout, ...]]


def beside(scene: Scene, showing: Showing, view: str) -> Scene:
    """The scene with all charts of its right column replaced by those of a row of SIDES."""
    left = tuple(panel for panel in scene.panels if panel.column == 0)
    panels, more = SIDES[view](showing, max(panel.row + panel.rows for panel in left))
    if view == "modes":
        left = (replace(left[0], layers=(*left[0].layers, *mode_numbers(showing.film))), *left[1:])
    first = replace(panels[0], lecture=True)
    kept = tuple(readout for readout in scene.readouts if readout.key not in {r.key for r in more})
    # births and losses come after what else is said of the modes
    place = max((i + 1 for i, r in enumerate(kept) if r.key in ("modes", "quality")), default=len(kept))
    return replace(scene, panels=(*left, first, *panels[1:]), readouts=(*kept[:place], *more, *kept[place:]))


def _metrics(showing: Showing, rows: int) -> Panels:
    """Precision and recall above, the sliced Wasserstein distance below, each with what a perfect generator scores."""
    precision, recall, distance = (_scores(showing, key) for key in ("precision", "recall", "sliced_w2_squared"))
    upper = (
        *_band(showing, "precision"),
        *_band(showing, "recall"),
        showing.curve(precision, "disc", "precision"),
        showing.curve(recall, "fake", "recall"),
    )
    low, high = band("sliced_w2_squared", showing.film.config.toy, POINTS)
    top = max(float(np.percentile(distance, 98)), 2 * high)
    lower = (
        *_band(showing, "sliced_w2_squared"),
        showing.curve(distance, "fake", "sliced *W*_{2}^{2}"),
    )
    panels = (
        showing.over_steps(Axis(0, 1.08, f"precision, recall · {_GREY}", ticks=(0, 0.5, 1)), upper),
        showing.over_steps(Axis(min(0.0, low), 1.1 * top, f"distance · {_GREY}"), lower, row=1, rows=max(1, rows - 1)),
    )
    told = (
        _number(showing, "precision", "precision", precision, "disc", 2),
        _number(showing, "recall", "recall", recall, "fake", 2),
        _number(showing, "sliced", "sliced *W*_{2}^{2}", distance, "fake", 3),
    )
    return panels, told


def _scores(showing: Showing, key: str) -> Array:
    """A metric of each picture (K,), from the first POINTS generated and real points.

    Of a long film every second, fourth, ... picture is scored, and its score stands until the next one's.
    """
    film = showing.film
    real, row = film.real[:POINTS].astype(float), METRICS[key]

    def score(points: Array) -> float:
        # the same random lines for each picture
        extra = {"rng": np.random.default_rng(0)} if row.random else {}
        return float(row.function(real, points[:POINTS].astype(float), **extra))

    stride = 1
    while len(film) > MOST_SCORED * stride:
        stride *= 2  # so that a film that grows keeps most of what was scored
    scored = np.array(each(replace(film, samples=film.samples[::stride]), key, score), float)
    return scored[np.arange(len(film)) // stride]


def _band(showing: Showing, key: str) -> tuple[Layer, ...]:
    """Where 19 of 20 perfect generators score with so many points."""
    low, high = band(key, showing.film.config.toy, POINTS)
    x = np.array([0.0, float(showing.film.config.steps)])
    return (Area(x=x, y=np.full(2, high), base=np.full(2, low), role="theory", opacity=0.28),)


def _number(showing: Showing, key: str, label: str, values: Array, role: str, digits: int) -> Readout:
    moving = Swept({"step": values[showing.behind :]})
    return Readout(key, label, moving, kind="estimated", digits=digits, role=role)


SIDES: dict[str, Callable[[Showing, int], Panels]] = {"modes": modes_panels, "metrics": _metrics}


def ledger_panel(showing: Showing, row: int) -> Panel:
    """V = -log 4 + 2 JS - gap over the run, the gap shaded, in the plane, where JS and V are estimated."""
    film = showing.film
    best = 2 * film.js.astype(float) - LOG4
    layers = (
        Rule(at=-LOG4, role="muted", label="−log 4: a coin’s value"),
        Area(x=showing.steps, y=film.value.astype(float), base=best, role="disc", opacity=0.2),
        Curve(x=showing.steps, y=best, role="theory", label="the best *D*: −log 4 + 2 JS"),
        showing.curve(film.value, "disc", "*V*(*D*, *G*)"),
    )
    return showing.over_steps(Axis(*around(np.concatenate([best, film.value]), -LOG4), "value"), layers, row=row)
