"""A recorded or running GAN in the plane: real points, generated points, D's surface, and who has which mode."""

from functools import lru_cache

import numpy as np
from pydantic import Field

from gantoys.metrics.modes import PERFECT_QUALITY, has_modes, mode_report
from gantoys.pictures.state import State
from gantoys.runs.film import Film
from gantoys.runs.presets import START_FILM
from gantoys.stage.layers import Bars, Curve, Heatmap, Points, Rule
from gantoys.stage.scene import Axis, Control, Panel, Readout, Scene, Swept

Array = np.ndarray
LOG4 = float(np.log(4))
FRAMES_PER_SECOND = 12.0
LAST_STEP = 50_000


class StartState(State):
    """The step on screen, and the seed of the run: 0 is the film that comes with gantoys."""

    step: int = Field(0, ge=0, le=LAST_STEP)
    seed: int = Field(0, ge=0, le=9999)


@lru_cache(maxsize=1)
def recorded() -> Film:
    """The film that comes with gantoys."""
    return Film.load(START_FILM)


def shares(film: Film, behind: int = 0) -> tuple[Array, Array, Array]:
    """For the frames from `behind` on, K of them: each mode's share of the generated points (K, modes), the modes
    covered (K,), the share of good points (K,)."""
    target = film.config.target()
    if not has_modes(target):
        raise ValueError(f"{target} has no modes to count")
    reports = [mode_report(points, target) for points in film.samples[behind:]]
    counts = np.array([r.counts for r in reports], float).reshape(len(reports), len(target.weights))
    return (
        counts / max(1, film.samples.shape[1]),
        np.array([r.modes for r in reports], float),
        np.array([r.quality for r in reports], float),
    )


def recorded_scene(state: StartState) -> Scene:
    """The scene of the film that comes with gantoys."""
    return film_scene(recorded(), state.step, name="recorded", autoplay=state.step == 0)


def film_scene(
    film: Film, step: int, *, name: str, live: bool = False, autoplay: bool = False, behind: int = 0
) -> Scene:
    """The scene of a film with the picture at `step`; with `behind` > 0 only the frames from there on are sent.

    film: the whole film so far (at least one frame). name: the recording, so that a new one starts anew.
    """
    new = slice(behind, None)
    steps = film.step.astype(float)
    start = int(np.argmin(np.abs(steps - step)))
    share, modes, quality = shares(film, behind)
    points = film.samples[new].astype(np.float32)
    low, high = float(film.grid_x[0]), float(film.grid_x[-1])
    cell = (high - low) / (len(film.grid_x) - 1) / 2
    edges = (low - cell, high + cell)

    def row(values: Array) -> Swept:
        return Swept({"step": values})

    plane = (
        Heatmap(values=row(film.surface[new]), x=edges, y=edges, contours=(0.5,), opacity=0.42),
        Points(x=film.real[:, 0], y=film.real[:, 1], role="real", size=1.7, opacity=0.45, label="real"),
        Points(
            x=row(points[:, :, 0]),
            y=row(points[:, :, 1]),
            role="fake",
            size=2.1,
            opacity=0.6,
            label="generated",
        ),
    )
    count = share.shape[1]
    places = tuple(str(k + 1) for k in range(count))
    ledger = (
        Bars(values=row(share[:, None, :]), role="fake", categories=places, width=0.7),
        Rule(at=PERFECT_QUALITY / count, role="theory", label="a perfect generator"),
    )
    value = (
        Rule(at=-LOG4, role="theory", label="−log 4: D cannot tell"),
        Curve(x=steps, y=film.value.astype(float), role="disc", label="*V*(*D*, *G*)"),
        Rule(at=row(steps[new]), axis="x", role="muted", dashed=False),
    )
    return Scene(
        key="film",
        alt=(
            f"A generative adversarial network learning {film.config.toy}: real points, generated points "
            f"and the discriminator's surface at step {{step:.0f}}; {{modes:.0f}} of {count} modes are covered."
        ),
        panels=(
            Panel(Axis(*edges, visible=False), Axis(*edges, visible=False), plane, rows=2, equal_aspect=True),
            Panel(
                Axis(-0.6, count - 0.4, ticks=()),
                Axis(0, 0.25, "share of the points in each mode"),
                ledger,
                column=1,
            ),
            Panel(
                Axis(0, float(film.config.steps), "step"),
                Axis(-2.2, -0.5, "value"),
                value,
                row=1,
                column=1,
                lecture=False,
            ),
        ),
        controls=(
            Control(
                "step",
                "step",
                steps,
                start=start,
                kind="time",
                digits=0,
                film=name,
                fps=FRAMES_PER_SECOND,
                loop=not live,
                autoplay=autoplay,
                live=live,
            ),
        ),
        readouts=(
            Readout("modes", f"modes covered, of {count}", row(modes), kind="trained", digits=0, role="fake"),
            Readout(
                "quality", "share of good points", row(100 * quality), unit="%", kind="trained", digits=0, role="fake"
            ),
            Readout(
                "v",
                "*V*(*D*, *G*)",
                row(film.value[new].astype(float)),
                unit="nats",
                kind="estimated",
                digits=2,
                role="disc",
            ),
        ),
        formula=(
            "min_{G} max_{D} *V* = E_{[real|real]} log [*D*(*x*)|disc] + "
            "E_{*z*} log(1 − [*D*|disc]([*G*(*z*)|fake])) = {v} nats"
        ),
        append_from=behind or None,
    )
