"""What stands beside the lab's picture instead of the usual charts: modes over time, metrics with their noise band."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gantoys.metrics import Reference
from gantoys.metrics.score import scores
from gantoys.pictures.film_parts import Showing
from gantoys.pictures.lab_frames import each
from gantoys.pictures.lab_modes import mode_numbers, modes_panels
from gantoys.runs.film import Film
from gantoys.service.bands import bands
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area
from gantoys.stage.scene import Axis, Panel, Readout, Scene, Swept

Array = np.ndarray
POINTS, MOST_SCORED = 200, 101  # points of a picture; pictures that are scored before the first is shown
KEYS = ("precision", "recall", "sliced_w2_squared")
_GREY = "grey: 19 of 20 perfect generators"
_LATER, _NEVER = "perfect generators: in some seconds", "perfect generators: not known"
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


def awaited(film: Film | None, below: str) -> bool:
    """Whether the charts still lack the bands of perfect generators, which then come within some seconds."""
    return below == "metrics" and film is not None and len(film) > 0 and _bands(film) is None


def _metrics(showing: Showing, rows: int) -> Panels:
    """Precision and recall above, the sliced Wasserstein distance below, each with what a perfect generator scores."""
    figures, known = _scores(showing), _bands(showing.film)
    precision, recall, distance = (figures[key] for key in KEYS)
    upper = (
        *_band(showing, known, "precision"),
        *_band(showing, known, "recall"),
        showing.curve(precision, "disc", "precision"),
        showing.curve(recall, "fake", "recall"),
    )
    far = known["sliced_w2_squared"].perfect if known else None
    top = max(float(np.percentile(distance, 98)), 2 * far.high if far is not None else 0.0) or 1.0
    lower = (
        *_band(showing, known, "sliced_w2_squared"),
        showing.curve(distance, "fake", "sliced *W*_{2}^{2}"),
    )
    grey = _GREY if known else _LATER if known is None else _NEVER
    panels = (
        showing.over_steps(Axis(0, 1.08, f"precision, recall · {grey}", ticks=(0, 0.5, 1)), upper),
        showing.over_steps(Axis(0.0, 1.1 * top, f"distance · {grey}"), lower, row=1, rows=max(1, rows - 1)),
    )
    told = (
        _number(showing, "precision", "precision", precision, "disc", 2),
        _number(showing, "recall", "recall", recall, "fake", 2),
        _number(showing, "sliced", "sliced *W*_{2}^{2}", distance, "fake", 3),
    )
    return panels, told


def _points(film: Film) -> int:
    return min(POINTS, film.samples.shape[1], len(film.real))


def _scores(showing: Showing) -> dict[str, Array]:
    """The metrics of KEYS of each picture (K,), from the first POINTS generated and real points.

    Of a long film every second, fourth, ... picture is scored, and its score stands until the next one's.
    """
    film = showing.film
    real = film.real[: _points(film)].astype(float)

    def score(points: Array) -> list[float]:
        found = scores(real, points[: len(real)].astype(float), KEYS)
        return [found[key].value for key in KEYS]

    stride = 1
    while len(film) > MOST_SCORED * stride:
        stride *= 2  # so that a film that grows keeps most of what was scored
    scored = np.array(each(replace(film, samples=film.samples[::stride]), "metrics", score), float)
    return dict(zip(KEYS, scored[np.arange(len(film)) // stride].T, strict=True))


def _bands(film: Film) -> dict[str, Reference] | None:
    return bands().find(film.config.toy, _points(film), KEYS)


def _band(showing: Showing, known: dict[str, Reference] | None, key: str) -> tuple[Layer, ...]:
    """Where 19 of 20 perfect generators score with so many points, as far as that is known."""
    if not known:
        return ()
    perfect = known[key].perfect
    x = np.array([0.0, float(showing.film.config.steps)])
    return (Area(x=x, y=np.full(2, perfect.high), base=np.full(2, perfect.low), role="theory", opacity=0.28),)


def _number(showing: Showing, key: str, label: str, values: Array, role: str, digits: int) -> Readout:
    moving = Swept({"step": values[showing.behind :]})
    return Readout(key, label, moving, kind="estimated", digits=digits, role=role)


SIDES: dict[str, Callable[[Showing, int], Panels]] = {"modes": modes_panels, "metrics": _metrics}
