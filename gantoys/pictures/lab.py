"""The lab: any run on the stage, with its losses if wanted, and its target before anything is trained."""

from dataclasses import replace
from typing import Any

import numpy as np

from gantoys.maths.losses import LOSSES
from gantoys.maths.toys import Sampler
from gantoys.pictures.film import film_scene
from gantoys.pictures.film_parts import Showing, around, tells
from gantoys.pictures.lab_side import SIDES, beside, ledger_panel
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
    if film.config.dim == 2 and tells(film):
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
    """The scene with the value ledger in numbers, as on the line. JS and V are estimates here, so the gap is one."""
    film, known = showing.film, {r.key for r in scene.readouts}
    more = (
        showing.number("js", "JS(*p*_{data}, *p*_{G})", film.js),
        showing.number("shortfall", "gap: what *D* lacks", film.shortfall, "disc"),
    )
    return replace(
        scene,
        panels=(*scene.panels[:-1], ledger_panel(showing, row=1)),
        readouts=(*scene.readouts, *(r for r in more if r.key not in known)),
        formula="[*V*|disc] = −log 4 + 2 JS − gap ≈ −1.386 + 2 × {js:.2f} − {shortfall:.2f} = {v:.2f}",
    )


def _losses(showing: Showing, row: int) -> Panel:
    """Both losses over the steps, and what they come to where D takes all for equally likely.

    No such line for a critic that is fixed up to a constant only, whose losses have no such place.
    """
    film = showing.film
    loss = LOSSES[film.config.loss]
    blind = np.array([loss.neutral])
    d, g = (float(f(blind, blind)[0]) + 0.0 for f in (loss.discriminator_loss, loss.generator_loss))
    layers: list[Layer] = [
        showing.curve(film.loss_d, "disc", "loss of *D*"),
        showing.curve(film.loss_g, "fake", "loss of *G*"),
    ]
    known: tuple[float, ...] = ()
    if tells(film) or loss.paired:
        known = (d, g)
        layers.insert(0, Rule(at=d, role="disc", label=f"{d:.3f}: a coin’s loss"))
        layers.insert(1, Rule(at=g, role="fake", label=f"{g:.3f}"))
    both = np.concatenate([film.loss_d, film.loss_g]).astype(float)
    return showing.over_steps(Axis(*around(both, *known), "losses"), tuple(layers), row=row)


def _loss_readouts(showing: Showing) -> tuple[Readout, ...]:
    film, unit = showing.film, LOSSES[showing.film.config.loss].unit
    return (
        showing.number("loss_d", "loss of *D*", film.loss_d, "disc", kind="estimated", unit=unit),
        showing.number("loss_g", "loss of *G*", film.loss_g, "fake", kind="estimated", unit=unit),
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
