"""Two to four runs on one clock: what each has made by now above, their figures over the run in common panels below."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gantoys.maths.distributions import Mixture1D
from gantoys.pictures.compare_clock import Shot, common_clock
from gantoys.pictures.compare_state import LETTERS, CompareState, entrants
from gantoys.pictures.compare_view import View
from gantoys.pictures.film_line import HEADROOM
from gantoys.runs.span import span
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Curve, Heatmap, Points, Rule, Text
from gantoys.stage.scene import Axis, Panel, Scene

Array = np.ndarray
DRAWN = 400  # points of each film in the picture; the figures are of all
_FILL = 241  # places at which p_data is drawn before there is a film


def scene(
    state: CompareState,
    shots: Sequence[Shot] = (),
    *,
    name: str = "none",
    autoplay: bool = False,
    behind: int = 0,
    lecture: bool = False,
) -> Scene:
    """The scene of a state's runs. shots: one for each entrant, in their order (none: nothing is trained yet).

    With `behind` > 0 only the positions of the clock from there on are sent. lecture: two or three runs have the first
    figure beside them, where the others have no room. Raises ValueError for another number of
    shots.
    """
    runs = entrants(state)
    shots = tuple(shots) or tuple(Shot() for _ in runs)
    if len(shots) != len(runs):
        raise ValueError(f"the state has {len(runs)} runs, but {len(shots)} were given")
    view = View(runs, shots, common_clock(shots), behind)
    pictures = _plane(view) if runs[0].config.dim == 2 else _line(view)
    figures = view.figures()
    rows = 1 + max(panel.row for panel in pictures)
    below = [view.over_steps(figure, k, rows) for k, figure in enumerate(figures)]
    if lecture and len(runs) < len(LETTERS):
        below = [replace(below[0], row=0, column=len(runs), height_ratio=1.0, lecture=True)]
    readouts = view.readouts(figures)
    least = "" if runs[0].config.exact else ", at least"
    numbers = ", ".join(f"{r.letter} {{js-{r.letter}}}" for r in runs if view.frames(r) is not None)
    return Scene(
        key="-".join(["compare", *(run.config.digest()[:8] for run in runs)]),  # other runs begin to play anew
        alt=(
            f"{len(runs)} runs from seed {state.seed} at step {{step:.0f}}: A as it is; "
            + "; ".join(f"{r.letter} with {r.words}" for r in runs[1:])
            + (
                f". Their Jensen–Shannon divergences{least}: {numbers}."
                if numbers
                else ". None of them is trained yet."
            )
        ).replace("_", " "),
        panels=(*pictures, *below),
        controls=(view.control(state.step, name, autoplay),),
        readouts=readouts,
        formula=(
            f"JS([*p*_{{data}}|real], [*p*_{{G}}|fake]){least}: {numbers} nats, of 0.693 at most"
            if numbers
            else "One seed, one target, one thing changed: what differs is its doing, or luck"
        ),
        append_from=behind or None,
    )


def _plane(view: View) -> tuple[Panel, ...]:
    """One picture a run: real points, generated points, what D says."""
    config = view.runs[0].config
    some = next((film for film in map(view.film, view.runs) if film is not None), None)
    if some is not None:
        edges = [_edges(grid) for grid in (some.grid_x, some.grid_y)]
        real = some.real[:DRAWN]
    else:
        x0, x1, y0, y1 = (float(v) for v in config.target().box)
        edges = [(x0, x1), (y0, y1)]
        real = config.target().sample(DRAWN, np.random.default_rng(config.seed))
    panels = []
    for k, run in enumerate(view.runs):
        film = view.film(run)
        layers: list[Layer] = []
        if film is not None:
            layers.append(
                Heatmap(
                    values=view.row(run, film.surface), x=edges[0], y=edges[1], contours=(0.5,), opacity=0.42
                )
            )  # fmt: skip
        layers.append(Points(x=real[:, 0], y=real[:, 1], role="real", size=1.5, opacity=0.45, label=_once(k, "real")))
        if film is not None:
            points = film.samples[:, :DRAWN].astype(np.float32)
            layers.append(
                Points(
                    x=view.row(run, points[:, :, 0]), y=view.row(run, points[:, :, 1]), role="fake", size=1.9,
                    opacity=0.6, label=_once(k, "generated"),
                )
            )  # fmt: skip
        else:
            layers.append(_not_yet(view))
        axes = [Axis(*ends, visible=False) for ends in edges]
        panels.append(Panel(axes[0], axes[1], tuple(layers), column=k, equal_aspect=True, title=view.title(run)))
    return tuple(panels)


def _line(view: View) -> tuple[Panel, ...]:
    """Two pictures a run: both densities; D over the best one, or the critic."""
    config = view.runs[0].config
    some = next((film for film in map(view.film, view.runs) if film is not None), None)
    if some is not None:
        places, real = some.grid_x.astype(float), some.density_real.astype(float)
    else:
        target = config.target()
        assert isinstance(target, Mixture1D)  # the targets of this page on the line are
        places = np.linspace(float(target.box[0]), float(target.box[1]), _FILL)
        real = target.density(places)
    films = [film for film in map(view.film, view.runs) if film is not None]
    ends, top = span(films) if films else (float(places[0]), float(places[-1])), HEADROOM * float(real.max())
    panels = []
    for k, run in enumerate(view.runs):
        film = view.film(run)
        above: list[Layer] = [
            Area(x=places, y=real, role="real"),
            Curve(x=places, y=real, role="real", label=_once(k, "*p*_{data}")),
        ]  # fmt: skip
        below: list[Layer] = [Rule(at=0.5, role="muted", label=_once(k, "cannot tell: 1/2"))]
        says = "*D*(*x*)"
        if film is not None:
            fake, x = view.row(run, film.density.astype(float)), film.grid_x.astype(float)
            above += [Area(x=x, y=fake, role="fake"), Curve(x=x, y=fake, role="fake", label=_once(k, "*p*_{G}"))]
            if film.tells:
                below.append(Curve(x=x, y=view.row(run, film.best), role="theory", label=_once(k, "*D*^{*}, the best")))
            else:
                says = "critic around its middle"
            below.append(Curve(x=x, y=view.row(run, film.surface.astype(float)), role="disc", label=_once(k, "*D*")))
        else:
            above.append(_not_yet(view))
        panels.append(Panel(Axis(*ends, visible=False), Axis(0, top), tuple(above), column=k, title=view.title(run)))
        panels.append(
            Panel(Axis(*ends, "*x*"), Axis(0, 1, says, ticks=(0, 0.5, 1)), tuple(below), row=1, column=k,
                  height_ratio=0.6, lecture=False)
        )  # fmt: skip
    return tuple(panels)


def _once(column: int, label: str) -> str:
    """Labels stand in the first picture only."""
    return label if column == 0 else ""


def _not_yet(view: View) -> Text:
    waiting = any(shot.growing for shot in view.shots)
    return Text(x=0.5, y=0.5, text="begins in a moment" if waiting else "not trained yet", frame=True)


def _edges(grid: Array) -> tuple[float, float]:
    """Ends of the cells around the points of a grid."""
    low, high = float(grid[0]), float(grid[-1])
    cell = (high - low) / (len(grid) - 1) / 2
    return low - cell, high + cell
