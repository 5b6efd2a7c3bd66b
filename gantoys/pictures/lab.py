"""The lab: any run on the stage, with its losses if wanted, and its target before anything is trained."""

from dataclasses import replace
from typing import Any

import numpy as np

from gantoys.maths.losses import LOSSES
from gantoys.maths.toys import Sampler
from gantoys.pictures.film import film_scene
from gantoys.pictures.film_parts import Showing, around, ledger_formula, ledger_panel
from gantoys.pictures.lab_side import SIDES, beside
from gantoys.pictures.lab_state import LabState
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Curve, Points, Rule
from gantoys.stage.scene import Axis, Panel, Readout, Scene

_REAL_SHOWN = 800


def lab_scene(
    film: Film, state: LabState, *, name: str, live: bool = False, autoplay: bool = False, behind: int = 0
) -> Scene:
    """The scene of one seed's film as the state wants it; the rest as `gantoys.pictures.film.film_scene`."""
    scene = film_scene(
        film, state.step, name=name, live=live, autoplay=autoplay, behind=behind, arrows=state.arrows, mesh=state.mesh
    )
    showing = Showing(film, state.step, name, live, autoplay, behind)
    if film.config.dim == 2 and film.tells:
        scene = _with_ledger(scene, showing)
    if state.below in SIDES:
        return beside(scene, showing, state.below)
    if state.below == "usual":
        return scene
    last = scene.panels[-1]
    losses = _losses(showing, last.row + last.rows - 1)
    kept = scene.panels[:-1] + ((replace(last, rows=last.rows - 1),) if last.rows > 1 else ())
    told = tuple(r for r in _loss_readouts(showing) if r.key not in {r.key for r in scene.readouts})
    return replace(scene, panels=(*kept, losses), readouts=(*scene.readouts, *told))


def _with_ledger(scene: Scene, showing: Showing) -> Scene:
    """The scene with the value ledger in numbers, as on the line."""
    known = {r.key for r in scene.readouts}
    more = tuple(r for r in (showing.js(), showing.shortfall()) if r.key not in known)
    return replace(
        scene,
        panels=(*scene.panels[:-1], ledger_panel(showing, row=1)),
        readouts=(*scene.readouts, *more),
        formula=ledger_formula(showing.film, digits=2),
    )


def _losses(showing: Showing, row: int) -> Panel:
    """What both players minimise over the steps, and what the losses come to where D takes all for equally likely.

    No such line for a critic that is fixed up to a constant only, whose losses have no such place.
    """
    film = showing.film
    loss = LOSSES[film.config.loss]
    blind = np.array([loss.neutral])
    levels: list[float] = []
    layers: list[Layer] = []
    if film.tells or loss.paired:
        levels = [float(f(blind, blind)[0]) + 0.0 for f in (loss.discriminator_loss, loss.generator_loss)]
        words = (f"{levels[0]:.3f}: a coin’s loss", f"{levels[1]:.3f}")
        layers += [Rule(at=x, role=r, label=w) for x, r, w in zip(levels, ("disc", "fake"), words, strict=True)]
    layers.append(showing.curve(film.loss_d, "disc", "loss of *D*"))
    layers.append(showing.curve(film.loss_g, "fake", "loss of *G*"))
    both = np.concatenate([film.loss_d, film.loss_g]).astype(float)
    return showing.over_steps(Axis(*around(both, *levels), losses_name(film)), layers, row=row)


def losses_name(film: Film) -> str:
    """What the losses of a chart hold."""
    c = film.config
    added = any(
        (c.gp, c.gp0, c.r1, c.r2, c.label_smoothing, c.historical_averaging, c.consensus, c.instance_noise, c.changes)
    )
    return "losses, all that is added included" if added else "losses"


def _loss_readouts(showing: Showing) -> tuple[Readout, ...]:
    unit = LOSSES[showing.film.config.loss].unit
    return (
        *showing.figure("loss_d", "loss of *D*", "disc", unit=unit),
        *showing.figure("loss_g", "loss of *G*", "fake", unit=unit),
    )


def waiting_scene(config: TrainConfig) -> Scene:
    """The target alone, before anything is trained."""
    target = config.target()
    name = target.name if isinstance(target, Sampler) else config.toy
    box = [float(v) for v in target.box]
    rng = np.random.default_rng(0)
    if config.dim == 1:
        panel = _line_target(target, box)
    else:
        points = target.sample(_REAL_SHOWN, rng)
        axes = [Axis(low - 0.1 * (high - low), high + 0.1 * (high - low), visible=False)
                for low, high in (box[:2], box[2:])]  # fmt: skip
        real = Points(x=points[:, 0], y=points[:, 1], role="real", size=2.0, label="real")
        panel = Panel(axes[0], axes[1], (real,), equal_aspect=True)
    return Scene(
        key="lab-target",
        alt=f"Real points of the target {name[:60]}; nothing is trained yet.",
        panels=(panel,),
        formula="[*p*_{data}|real] is ready; press *Train this*, and [*G*|fake] and [*D*|disc] begin",
    )


def _line_target(target: Any, box: list[float]) -> Panel:
    room = 0.15 * (box[1] - box[0])
    x = np.linspace(box[0] - room, box[1] + room, 400)
    if isinstance(target, Sampler):
        counts, edges = np.histogram(target.sample(20_000, np.random.default_rng(0)), 80, (x[0], x[-1]), density=True)
        x, y = (edges[1:] + edges[:-1]) / 2, counts
    else:
        y = np.asarray(target.density(x), float)
    layers: tuple[Layer, ...] = (Area(x=x, y=y, role="real"), Curve(x=x, y=y, role="real", label="*p*_{data}"))
    return Panel(Axis(float(x[0]), float(x[-1]), "*x*"), Axis(0.0, 1.3 * float(y.max()), "density"), layers)
