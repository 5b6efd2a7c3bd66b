"""The lab: any run on the stage, its config in the link, presets that name what they show."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from gantoys.maths.losses import LOSSES
from gantoys.maths.toys import Sampler
from gantoys.pictures.film import film_scene
from gantoys.pictures.film_parts import Showing, around
from gantoys.pictures.state import State
from gantoys.runs import limits
from gantoys.runs.config import TrainConfig
from gantoys.runs.fields import CHANGEABLE, Change, RemedyFields
from gantoys.runs.film import Film
from gantoys.runs.presets import START
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Curve, Points, Rule
from gantoys.stage.scene import Axis, Panel, Readout, Scene

LONGEST_RUN = 3_500  # characters of a run in the link, which holds at most `gantoys.pictures.state.MAX_QUERY`
_PLAIN = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?|true|false|null")
_REAL_SHOWN = 800


def write_run(config: TrainConfig) -> str:
    """The fields of a config that differ from their defaults as short text: `loss:hinge;r1:0.1;300@lr_g:0.0001`.

    A change at step k stands as `k@field:value`. `read_run` reads it back.
    """
    values = config.model_dump(mode="json", exclude_defaults=True)
    changes = values.pop("changes", ())
    parts = [f"{name}:{_text(value)}" for name, value in values.items()]
    parts += [f"{c['step']}@{c['field']}:{_text(c['value'])}" for c in changes]
    return ";".join(parts)


def read_run(text: str) -> TrainConfig:
    """The config that `write_run` wrote. Raises ValueError with one sentence for what is not allowed."""
    if len(text) > LONGEST_RUN:
        raise ValueError(f"the settings take {len(text)} characters, at most {LONGEST_RUN} fit into a link")
    values: dict[str, Any] = {}
    changes: list[Change | dict[str, Any]] = []
    for part in text.split(";") if text else ():
        name, colon, written = part.partition(":")
        step, at, field = name.partition("@")
        if not colon:
            raise ValueError(f"{part[:40]!r} is not a field and its value with a colon between them")
        if name in values:
            raise ValueError(f"{name[:40]} stands there twice")
        if at:
            changes.append({"step": _value(step), "field": field, "value": _value(written)})
        else:
            values[name] = _value(written)
    return TrainConfig.build(values | ({"changes": changes} if changes else {}))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _value(written: str) -> Any:
    """A number, true, false or null as such, everything else as text."""
    return json.loads(written) if _PLAIN.fullmatch(written) and len(written) < 40 else written


class LabState(State):
    """The settings, the step on screen, which seed (0: all side by side), and what is drawn."""

    run: str = write_run(START)
    step: int = Field(0, ge=0, le=limits.STEPS)
    member: int = Field(1, ge=0, le=limits.SEEDS)
    arrows: bool = False
    mesh: bool = False
    below: Literal["usual", "losses"] = "usual"

    @field_validator("run")
    @classmethod
    def _readable(cls, text: str) -> str:
        return write_run(read_run(text))

    @property
    def config(self) -> TrainConfig:
        """The settings."""
        return read_run(self.run)


@dataclass(frozen=True)
class LabPreset:
    """A run worth seeing: its name, what it shows, and its config."""

    key: str
    label: str
    shows: str
    config: TrainConfig


@dataclass(frozen=True)
class Remedy:
    """Help that can be switched on: the fields it sets; all other fields of the group go back to their defaults."""

    key: str
    label: str
    fields: Mapping[str, Any]


REMEDIES = {
    row.key: row
    for row in (
        Remedy("none", "none", {}),
        Remedy("gp", "gradient penalty, around 1", {"gp": 1.0}),
        Remedy("r1", "R1: flat D at real points", {"r1": 0.1}),
        Remedy("r1-r2", "R1 and R2", {"r1": 0.1, "r2": 0.1}),
        Remedy("clip", "weight clipping", {"clip": 0.05}),
        Remedy("spectral-norm", "spectral norm", {"spectral_norm": True}),
        Remedy("smoothing", "label smoothing", {"label_smoothing": 0.1}),
        Remedy("noise", "instance noise", {"instance_noise": 0.3}),
        Remedy("matching", "feature matching", {"feature_matching": True}),
        Remedy("minibatch", "minibatch deviation", {"minibatch_std": True}),
        Remedy("pac", "packing, 2 points", {"pac": 2}),
        Remedy("unrolled", "unrolled, 3 steps", {"unrolled": 3}),
    )
}
_REMEDY_FIELDS = {name: info.default for name, info in RemedyFields.model_fields.items()}


def remedy_fields(key: str) -> dict[str, Any]:
    """The values of all remedy fields under a remedy of REMEDIES."""
    return _REMEDY_FIELDS | dict(REMEDIES[key].fields)


def remedy_of(config: TrainConfig) -> str | None:
    """The remedy that a config has; None for a mixture that has no name here."""
    now = {name: getattr(config, name) for name in _REMEDY_FIELDS}
    return next((key for key in REMEDIES if remedy_fields(key) == now), None)


def differing(one: TrainConfig, other: TrainConfig) -> dict[str, tuple[Any, Any]]:
    """The fields in which two configs differ, with both values."""
    a, b = one.model_dump(), other.model_dump()
    return {name: (a[name], b[name]) for name in a if a[name] != b[name]}


def branch_fields(shown: TrainConfig, draft: TrainConfig) -> dict[str, Any] | None:
    """What a branch of the run on screen changes to follow the settings; None where a run cannot change that."""
    differ = differing(shown, draft)
    if not differ or not set(differ) <= set(CHANGEABLE):
        return None
    return {name: new for name, (_, new) in differ.items()}


def lab_scene(
    film: Film, state: LabState, *, name: str, live: bool = False, autoplay: bool = False, behind: int = 0
) -> Scene:
    """The scene of one seed's film as the state wants it; the rest as `gantoys.pictures.film.film_scene`."""
    scene = film_scene(
        film, state.step, name=name, live=live, autoplay=autoplay, behind=behind, arrows=state.arrows, mesh=state.mesh
    )
    if state.below == "usual":
        return scene
    showing = Showing(film, state.step, name, live, autoplay, behind)
    last = scene.panels[-1]
    losses = _losses(showing, last.row + last.rows - 1)
    kept = scene.panels[:-1] + ((replace(last, rows=last.rows - 1),) if last.rows > 1 else ())
    told = tuple(r for r in _loss_readouts(showing) if r.key not in {r.key for r in scene.readouts})
    return replace(scene, panels=(*kept, losses), readouts=(*scene.readouts, *told))


def _losses(showing: Showing, row: int) -> Panel:
    """Both losses over the steps, and what they would be if D could not tell."""
    film = showing.film
    loss = LOSSES[film.config.loss]
    blind = np.array([loss.neutral])
    d, g = (float(f(blind, blind)[0]) for f in (loss.discriminator_loss, loss.generator_loss))
    layers = (
        Rule(at=d, role="disc", label=f"{d:.3f}: *D* cannot tell"),
        Rule(at=g, role="fake", label=f"{g:.3f}"),
        showing.curve(film.loss_d, "disc", "loss of *D*"),
        showing.curve(film.loss_g, "fake", "loss of *G*"),
    )
    both = np.concatenate([film.loss_d, film.loss_g]).astype(float)
    return showing.over_steps(Axis(*around(both, d, g), "losses"), layers, row=row)


def _loss_readouts(showing: Showing) -> tuple[Readout, ...]:
    film = showing.film
    return (
        showing.number("loss_d", "loss of *D*", film.loss_d, "disc", kind="estimated"),
        showing.number("loss_g", "loss of *G*", film.loss_g, "fake", kind="estimated"),
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
