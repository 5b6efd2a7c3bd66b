"""Paired seeds side by side: one small picture each, all on one clock."""

from collections.abc import Sequence

import numpy as np

from gantoys.metrics.modes import has_modes
from gantoys.pictures.film_parts import FRAMES_PER_SECOND, Kind, target_name
from gantoys.pictures.lab_frames import mode_reports
from gantoys.runs.film import Film
from gantoys.runs.span import span
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Curve, Points
from gantoys.stage.scene import Axis, Control, Panel, Readout, Scene, Swept

Array = np.ndarray
SHOWN, REAL_SHOWN = 200, 300  # points in each small picture
MOST_COLUMNS = 6


def whole(films: Sequence[Film | None]) -> int:
    """How many frames are final in all pictures: those that every seed has reached, or has ended before."""
    growing = [len(f) if f is not None else 0 for f in films if f is None or f.status == "running"]
    return min(growing, default=max((len(f) for f in films if f is not None), default=0))


def seeds_scene(
    films: Sequence[Film | None],
    step: int,
    *,
    name: str,
    live: bool = False,
    autoplay: bool = False,
    behind: int = 0,
) -> Scene:
    """One panel a seed, sharing the clock; a seed that is behind, or has diverged, shows its last picture.

    A click on the panel of the first seed is reported as "seed-1", and so on.

    films: one for each of the config's seeds, None where a seed has no picture yet; ValueError where none has.
    behind: as for `gantoys.pictures.film.film_scene`.
    """
    first = next((f for f in films if f is not None and len(f)), None)
    if first is None:
        raise ValueError("no seed has a picture yet")
    longest = max((f for f in films if f is not None), key=len)
    steps = longest.step.astype(float)
    columns = min(MOST_COLUMNS, int(np.ceil(np.sqrt(1.6 * len(films)))))
    frames = np.arange(behind, len(steps))
    ends = span([f for f in films if f is not None and len(f)]) if first.config.dim == 1 else None
    panels = tuple(
        _panel(film, first, first.config.seed + i, frames, divmod(i, columns), ends) for i, film in enumerate(films)
    )
    clock = Control(
        "step", "step", steps, start=int(np.argmin(np.abs(steps - step))), kind="time", digits=0, film=name,
        fps=FRAMES_PER_SECOND, loop=not live, autoplay=autoplay, live=live,
    )  # fmt: skip
    readouts, said = _readouts(films, frames)
    return Scene(
        key="film",
        alt=(
            f"{len(films)} runs that differ in the seed only, learning {target_name(first)}, at step {{step:.0f}}; "
            f"{said}."
        ),
        panels=panels,
        controls=(clock,),
        readouts=readouts,
        formula="same settings, other random numbers: what differs between them is chance",
        append_from=behind or None,
    )


def _held(film: Film, frames: Array) -> Array:
    """Which picture of a film stands for each frame of the clock."""
    return np.minimum(frames, len(film) - 1)


def _panel(
    film: Film | None,
    any_film: Film,
    seed: int,
    frames: Array,
    place: tuple[int, int],
    ends: tuple[float, float] | None,
) -> Panel:
    row, column = place
    has = film is not None and len(film) > 0
    click = f"seed-{seed - any_film.config.seed + 1}" if has else ""
    title = f"seed {seed}" + (" diverged" if film is not None and film.status == "diverged" else "")
    if ends is not None:
        x = any_film.grid_x.astype(float)
        real = any_film.density_real.astype(float)
        layers: list[Layer] = [Area(x=x, y=real, role="real")]
        if has:
            assert film is not None
            layers.append(Curve(x=x, y=_row(film.density[_held(film, frames)]), role="fake"))
        axes = Axis(*ends, visible=False), Axis(0.0, 1.7 * float(real.max()), visible=False)
        return Panel(*axes, tuple(layers), row=row, column=column, title=title, click=click)
    gx, gy = any_film.grid_x.astype(float), any_film.grid_y.astype(float)
    points = any_film.real[:REAL_SHOWN]
    layers = [Points(x=points[:, 0], y=points[:, 1], role="real", size=1.2, opacity=0.4)]
    if has:
        assert film is not None
        fake = film.samples[_held(film, frames), :SHOWN].astype(np.float32)
        layers.append(Points(x=_row(fake[..., 0]), y=_row(fake[..., 1]), role="fake", size=1.5, opacity=0.65))
    axes = Axis(float(gx[0]), float(gx[-1]), visible=False), Axis(float(gy[0]), float(gy[-1]), visible=False)
    return Panel(*axes, tuple(layers), row=row, column=column, equal_aspect=True, title=title, click=click)


def _row(values: Array) -> Swept:
    return Swept({"step": values})


def _readouts(films: Sequence[Film | None], frames: Array) -> tuple[tuple[Readout, ...], str]:
    """Mean, least and largest over the seeds that have a picture: of the modes covered, or else of JS."""
    begun = [f for f in films if f is not None and len(f)]
    target = begun[0].config.target()
    kind: Kind = "exact" if begun[0].exact else "lower bound"
    if has_modes(target):
        values = np.stack([_modes(f)[_held(f, frames)] for f in begun])
        what, unit, digits = "modes covered", "", 1
    else:
        values = np.stack([f.js[_held(f, frames)].astype(float) for f in begun])
        what, unit, digits = "JS", "nats", 3
    rows = (("mean", "mean", values.mean(0)), ("least", "least", values.min(0)), ("most", "most", values.max(0)))
    told = tuple(
        Readout(key, f"{what}, {word}", _row(v), unit=unit, kind="trained" if not unit else kind,
                digits=digits if key == "mean" or unit else 0, role="fake")
        for key, word, v in rows
    )  # fmt: skip
    return told, f"{what}: {{mean}} in the mean over {len(begun)} seeds"


def _modes(film: Film) -> Array:
    return np.array([report.modes for report in mode_reports(film)], float)
