"""A recorded or running GAN: real points, generated points, D's surface, the modes. On the line: `film_line`."""

import numpy as np
from pydantic import Field

from gantoys.metrics.modes import PERFECT_QUALITY, has_modes
from gantoys.pictures.film_line import line_scene
from gantoys.pictures.film_moments import moments_scene
from gantoys.pictures.film_parts import (
    JS,
    LOG2,
    LOG4,
    Showing,
    around,
    arrow_scale,
    arrow_words,
    js_axis,
    lines,
    shares,
    target_name,
    worth,
)
from gantoys.pictures.state import State
from gantoys.runs.film import Film
from gantoys.runs.presets import START
from gantoys.runs.recordings import recording
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Arrows, Bars, Curve, Heatmap, Points, Rule
from gantoys.stage.scene import Axis, Panel, Readout, Scene, Swept

Array = np.ndarray
LAST_STEP = 50_000


class StartState(State):
    """The step on screen, and the seed of the run: 0 is the film that comes with gantoys."""

    step: int = Field(0, ge=0, le=LAST_STEP)
    seed: int = Field(0, ge=0, le=9999)


def recorded() -> Film:
    """The film of the start page, which comes with gantoys."""
    film = recording(START)
    assert film is not None
    return film


def recorded_scene(state: StartState) -> Scene:
    """The scene of the film that comes with gantoys."""
    return film_scene(recorded(), state.step, name="recorded", autoplay=state.step == 0)


def film_scene(
    film: Film,
    step: int,
    *,
    name: str,
    live: bool = False,
    autoplay: bool = False,
    behind: int = 0,
    arrows: bool = False,
    mesh: bool = False,
) -> Scene:
    """The scene of a film with the picture at `step`; with `behind` > 0 only the frames from there on are sent.

    film: the whole film so far; ValueError if it has no frame yet. name: the recording, so that a new one starts anew.
    arrows: the way that G is told to move each point, -dL_G/dx, all by one factor that is written beside them. mesh:
    what G makes of a regular grid of noise, if it makes anything.
    """
    mesh = mesh and not film.config.fake_law
    if film.config.slow is not None:
        return moments_scene(film, 0, name=name, autoplay=autoplay)
    showing = Showing(film, step, name, live, autoplay, behind)
    scene = line_scene if film.config.dim == 1 else plane_scene
    return scene(showing, arrows=arrows, mesh=mesh)


def plane_scene(showing: Showing, *, arrows: bool = False, mesh: bool = False) -> Scene:
    """The scene of a film in the plane, as `film_scene` makes it."""
    film = showing.film
    x_edges, y_edges = _edges(film.grid_x), _edges(film.grid_y)
    plane: list[Layer] = [
        Heatmap(values=showing.surface(), x=x_edges, y=y_edges, contours=(0.5,), opacity=0.42),
        Points(x=film.real[:, 0], y=film.real[:, 1], role="real", size=1.7, opacity=0.45, label="real"),
    ]
    if mesh:
        plane.append(_mesh(showing))
    plane.append(
        Points(
            x=showing.row(film.samples[:, :, 0], np.float32),
            y=showing.row(film.samples[:, :, 1], np.float32),
            role="fake",
            size=2.1,
            opacity=0.6,
            label="generated",
        )
    )
    if arrows:
        plane += _arrows(showing, x_edges[1] - x_edges[0])
    beside, readouts, sees = _beside(showing)
    return Scene(
        key="film",
        alt=(
            f"A generative adversarial network learning {target_name(film)}: real points, generated points "
            f"and the discriminator's surface at step {{step:.0f}}; {sees}."
        ),
        panels=(
            Panel(
                Axis(*x_edges, visible=False), Axis(*y_edges, visible=False), tuple(plane), rows=2, equal_aspect=True
            ),
            *beside,
        ),
        controls=(showing.clock(),),
        readouts=readouts,
        formula=_formula(film),
        append_from=showing.behind or None,
    )


def _edges(grid: Array) -> tuple[float, float]:
    """Ends of the cells around the points of a grid."""
    low, high = float(grid[0]), float(grid[-1])
    cell = (high - low) / (len(grid) - 1) / 2
    return low - cell, high + cell


def _mesh(showing: Showing) -> Curve:
    """G's grid of noise, its lines in both directions."""
    nodes = showing.film.mesh[showing.behind :]

    def both(values: Array) -> Array:
        return np.concatenate([lines(values), lines(values.swapaxes(1, 2))], axis=1)

    x, y = (_moving(both(nodes[..., i])) for i in (0, 1))
    return Curve(x=x, y=y, role="fake", width=0.45, label="grid of noise")


def _arrows(showing: Showing, width: float) -> tuple[Layer, ...]:
    film = showing.film
    count, scale = film.arrows.shape[1], arrow_scale(film.arrows, width)
    start, way = film.samples[:, :count], film.arrows
    return (
        Arrows(
            x=showing.row(start[..., 0], np.float32),
            y=showing.row(start[..., 1], np.float32),
            dx=showing.row(way[..., 0], np.float32),
            dy=showing.row(way[..., 1], np.float32),
            scale=scale,
            width=0.6,
        ),
        arrow_words(scale, 0.035),
    )


def _beside(showing: Showing) -> tuple[tuple[Panel, ...], tuple[Readout, ...], str]:
    """The two panels beside the plane, the readouts, and what the picture's description says of them.

    Above: the modes, or JS where there are none to count. Below: V where D tells it, or else JS, or else the losses.
    """
    film = showing.film
    js, v = showing.js(), showing.value()
    if not has_modes(film.config.target()):
        seen = "their Jensen–Shannon divergence is at least {js} nats"
        return (_js(showing, 0), _value(showing)), (js, *v), seen
    share, modes, quality = shares(film, showing.behind)
    count = share.shape[1]
    told = (
        Readout("modes", f"modes covered, of {count}", _moving(modes), kind="trained", digits=0, role="fake"),
        Readout(
            "quality", "share of good points", _moving(100 * quality), unit="%", kind="trained", digits=0, role="fake"
        ),
    )
    seen = f"{{modes:.0f}} of {count} modes are covered"
    if film.tells:
        return (_ledger(film, share), _value(showing)), (*told, *v), seen
    return (_ledger(film, share), _js(showing, 1)), (*told, js, *v), seen


def _moving(values: Array) -> Swept:
    """What was computed for the frames that are sent only."""
    return Swept({"step": values})


def _ledger(film: Film, share: Array) -> Panel:
    """Which share of the points each mode has, and what a perfect generator would give it."""
    target = film.config.target()
    assert has_modes(target)
    due = PERFECT_QUALITY * target.weights
    count, words = len(due), "a perfect generator"
    if np.ptp(due) < 1e-9:
        perfect: Layer = Rule(at=float(due[0]), role="theory", label=words)
    else:
        ends = np.arange(count)[None, :, None] + np.array([-0.45, 0.45])
        marks = np.broadcast_to(due[None, :, None], ends.shape)
        perfect = Curve(x=lines(ends)[0], y=lines(marks)[0], role="theory", label=words)
    bars = Bars(
        values=_moving(share[:, None, :]), role="fake", categories=tuple(str(k + 1) for k in range(count)), width=0.7
    )
    top = min(1.05, 2 * float(target.weights.max()))
    return Panel(
        Axis(-0.6, count - 0.4, ticks=()), Axis(0, top, "share of the points in each mode"), (bars, perfect), column=1
    )


def _value(showing: Showing) -> Panel:
    """V over the run beside its value at p_G = p_data; of a critic that tells no probability, what it is worth."""
    film = showing.film
    if not film.tells:
        curve = showing.curve(film.value, "disc", worth(film))
        return showing.over_steps(Axis(*around(film.value), "what *D* maximises"), (curve,), row=1)
    floor = Rule(at=-LOG4, role="theory", label="−log 4: a coin’s value")
    curve = showing.curve(film.value, "disc", "*V*(*D*, *G*)")
    return showing.over_steps(Axis(*around(film.value, -LOG4), "value"), (floor, curve), row=1)


def _js(showing: Showing, row: int) -> Panel:
    film = showing.film
    apart = Rule(at=LOG2, role="theory", label="log 2: nothing in common")
    return showing.over_steps(js_axis(film), (apart, showing.curve(film.js, "fake", JS)), row=row)


def _formula(film: Film) -> str:
    if film.tells:
        return (
            "min_{G} max_{D} *V* = E_{[real|real]} log [*D*(*x*)|disc] + "
            "E_{*z*} log(1 − [*D*|disc]([*G*(*z*)|fake])) = {v} nats"
        )
    return "0 ≤ JS([*p*_{data}|real], [*p*_{G}|fake]) ≤ log 2 = 0.693; now at least {js} nats"
