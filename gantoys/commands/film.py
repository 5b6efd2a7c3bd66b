"""What can be done with a film: `gantoys film info`, `show`, `points`, `html`, `gif`, `mp4`."""

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np

from gantoys.commands.output import fixed, force_option, free, json_option, show
from gantoys.maths.losses import LOSSES
from gantoys.pictures.film import film_scene
from gantoys.pictures.film_parts import target_name
from gantoys.runs.critics import estimates
from gantoys.runs.film import ERRORS_BELOW, Film
from gantoys.service.exports import csv_text, frame_at
from gantoys.service.gif import SIZES, SPEEDS, write_gif
from gantoys.service.gif_pictures import LOOKS
from gantoys.service.mp4 import write_mp4
from gantoys.service.summary import summary
from gantoys.stage.page import standalone

film_argument = click.argument("path", metavar="FILM")
arrows_option = click.option("--arrows", is_flag=True, help="Also the way that G is told to move each point.")
mesh_option = click.option("--mesh", is_flag=True, help="Also what G makes of a regular grid of noise.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def film() -> None:
    """Look at a film that `gantoys train` has written."""


@film.command()
@film_argument
@json_option
def info(path: str, as_json: bool) -> None:
    """What a film holds: its config, how the run ended, the last figures, its size and its digest."""
    held = _load(path)
    result: dict[str, Any] = summary(held, path) | {"seed": held.seed, "bytes": Path(path).stat().st_size}
    result["final"] |= {"estimates": estimates(held.config), "worth": None}
    if not held.tells:  # V is made of probabilities, and this critic tells none
        result["final"] |= {"worth": result["final"]["value"], "value": None}

    def table() -> str:
        last, modes = result["final"], result["modes"]
        rows = [
            ("target", target_name(held)),
            ("loss", held.config.loss),
            ("seed", held.seed),
            ("status", f"{held.status}. {held.message}" if held.message else held.status),
            ("steps", f"{result['steps']:,} of {held.config.steps:,}, {len(held)} frames"),
        ]
        if len(held):
            rows += [
                ("losses", f"D {_banded(held, 'loss_d')}, G {_banded(held, 'loss_g')}"),
                ("V(D, G)", _banded(held, "value")) if held.tells else ("-loss of D", _worth(held)),
                ("JS", f"{last['js']:.4f} nats, exact" if held.exact else f"at least {last['js']:.4f} nats"),
            ]
        if modes:
            rows.append(("modes", f"{modes['covered']} of {modes['of']}, {modes['high_quality']:.1%} good points"))
        rows += [("size", f"{result['bytes'] / 1e6:.2f} MB"), ("digest", result["digest"])]
        set_fields = held.config.model_dump(
            mode="json", exclude_defaults=True, exclude={"toy", "loss", "seed", "steps"}
        )
        rows += [(name, value) for name, value in set_fields.items()]
        return "\n".join(f"{name:<12}{value}" for name, value in rows)

    show(result, as_json, table)


def _worth(film: Film) -> str:
    """What a D that tells no probability maximises, and what that estimates."""
    of = estimates(film.config)
    return _banded(film, "value") + (f", {of}" if of else "")


def _banded(film: Film, name: str) -> str:
    """A figure of the last frame: exact, or with the band in which it lies 19 times of 20."""
    told = fixed(float(getattr(film, name)[-1]), 4)
    if not film.is_exact(name):
        told += f" ± {ERRORS_BELOW * float(film.error(name)[-1]):.4f}"
    unit = LOSSES[film.config.loss].unit
    return told + (f" {unit}" if unit else "") + (", exact" if film.is_exact(name) else "")


@film.command("show")
@film_argument
@click.option("--no-open", is_flag=True, help="Only say where the page is; open no browser.")
@arrows_option
@mesh_option
def show_(path: str, no_open: bool, arrows: bool, mesh: bool) -> None:
    """Show a film in the browser, as a page of its own in a temporary folder."""
    text = _page(_load(path), arrows=arrows, mesh=mesh)
    page = Path(tempfile.mkdtemp(prefix="gantoys-")) / "film.html"  # stays: the browser reads it after we have ended
    page.write_text(text, encoding="utf-8")
    click.echo(str(page))
    if not no_open and click.launch(page.as_uri()) != 0:
        click.echo("No browser could be started: open the page named above.", err=True)


@film.command()
@film_argument
@click.option("--out", metavar="FILE", help="Where the page goes; by default beside the film.")
@arrows_option
@mesh_option
@force_option
def html(path: str, out: str | None, arrows: bool, mesh: bool, force: bool) -> None:
    """Write a film as one web page that moves without a server and without a network."""
    held, target = _load(path), _target(path, out, ".html", force)
    _write(target, _page(held, arrows=arrows, mesh=mesh).encode())
    click.echo(f"{target}: {target.stat().st_size / 1e6:.2f} MB")


@film.command()
@film_argument
@click.option(
    "--out", metavar="FILE", help="Where the points go, by its ending .npy or .csv; by default a .csv beside."
)
@click.option(
    "--step", type=click.IntRange(0), help="Of the newest picture at or before this step; by default the last."
)
@click.option("--real", is_flag=True, help="The real points that the film shows, instead of generated ones.")
@force_option
def points(path: str, out: str | None, step: int | None, real: bool, force: bool) -> None:
    """Write the generated points of a picture as a table, which `gantoys metrics` and `gantoys modes` take."""
    held, target = _load(path), _target(path, out, ".csv", force)
    kind = target.suffix.lower()
    if kind not in (".npy", ".csv"):
        raise ValueError(f"{target} ends neither in .npy nor in .csv, the two kinds of tables that are written")
    k = frame_at(held, step if step is not None else int(held.step[-1]) if len(held) else 0)
    x = np.asarray(held.real if real else held.samples[k], float)  # the same numbers in both kinds of tables
    if kind == ".npy":
        data = io.BytesIO()
        np.save(data, x)
        _write(target, data.getvalue())
    else:
        _write(target, csv_text("xy"[: held.config.dim], x).encode())
    what = "real points" if real else f"generated points of step {int(held.step[k]):,}"
    click.echo(f"{target}: {len(x):,} {what}, {target_name(held)}")


@film.command()
@film_argument
@click.option("--out", metavar="FILE", help="Where the picture goes; by default beside the film.")
@click.option("--size", type=click.IntRange(*SIZES), default=480, show_default=True, help="Width in pixels.")
@click.option("--fps", type=click.FloatRange(*SPEEDS), default=12, show_default=True, help="Frames a second.")
@click.option("--frames", type=click.IntRange(2, 400), help="How many; by default what fits into 3 MB, at most 96.")
@click.option("--look", type=click.Choice([*LOOKS]), default="light", show_default=True, help="The ground.")
@force_option
def gif(path: str, out: str | None, size: int, fps: float, frames: int | None, look: str, force: bool) -> None:
    """Write a film as a GIF."""
    held, target = _load(path), _target(path, out, ".gif", force)
    count = write_gif(held, target, size=size, fps=fps, frames=frames, look=look)
    click.echo(f"{target}: {count} frames, {target.stat().st_size / 1e6:.2f} MB")


@film.command()
@film_argument
@click.option("--out", metavar="FILE", help="Where the video goes; by default beside the film.")
@click.option("--size", type=click.IntRange(*SIZES), default=720, show_default=True, help="Width in pixels.")
@click.option("--fps", type=click.FloatRange(*SPEEDS), default=12, show_default=True, help="Pictures a second.")
@click.option("--look", type=click.Choice([*LOOKS]), default="light", show_default=True, help="The ground.")
@force_option
def mp4(path: str, out: str | None, size: int, fps: float, look: str, force: bool) -> None:
    """Write a film as a video; needs the extra: pip install 'gantoys[mp4]'."""
    held, target = _load(path), _target(path, out, ".mp4", force)
    count = write_mp4(held, target, size=size, fps=fps, look=look)
    click.echo(f"{target}: {count} pictures, {target.stat().st_size / 1e6:.2f} MB")


def _load(path: str) -> Film:
    """The film, or one sentence why not (OSError, ValueError)."""
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a film")
    if not Path(path).exists():
        raise FileNotFoundError(f"there is no film {path}")
    return Film.load(path)


def _target(path: str, out: str | None, suffix: str, force: bool) -> Path:
    """Where the result goes; found out before the work is done. Raises OSError or ValueError with one sentence."""
    target = Path(out) if out is not None else Path(path).with_suffix(suffix)
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder, not the name of a file")
    if not target.absolute().parent.is_dir():
        raise FileNotFoundError(f"the folder {target.absolute().parent} does not exist")
    if target.absolute() == Path(path).absolute() or (target.exists() and target.samefile(path)):
        raise ValueError(f"{target} is the film itself: choose another name for the result")
    free([target], force)
    return target


def _write(target: Path, data: bytes) -> None:
    """A file that was there stays until the new one is whole."""
    part = target.with_name(target.name + ".part")
    try:
        part.write_bytes(data)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _page(held: Film, *, arrows: bool, mesh: bool) -> str:
    scene = film_scene(held, 0, name=held.config.digest()[:16], autoplay=True, arrows=arrows, mesh=mesh)
    return standalone(scene, title=f"A GAN learns {target_name(held)}")
