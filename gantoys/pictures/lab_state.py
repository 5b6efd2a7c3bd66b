"""The lab's state and link: a run as short text, remedies and presets with a name."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from gantoys.maths.points import from_points
from gantoys.pictures.state import State
from gantoys.runs import limits
from gantoys.runs.config import TrainConfig
from gantoys.runs.fields import CHANGEABLE, Change, FilmFields, RemedyFields
from gantoys.runs.presets import START
from gantoys.service.measures import usual_seconds
from gantoys.shared import shared

LONGEST_RUN = 3_500  # characters of a run in the link, which holds at most `gantoys.pictures.state.MAX_QUERY`
LONGEST_TARGET = 3_000
KEPT_POINTS = (limits.POINTS, 2_000, 1_000, 500)  # of a target; the text of 500 always fits
PICTURES_PER_SECOND = 19  # of `usual_seconds`, which is rather long; recording takes about a seventh of the time then
_PLAIN = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?|true|false|null")


def write_run(config: TrainConfig) -> str:
    """The fields of a config that differ from their defaults as short text: `loss:hinge;r1:0.1;300@lr_g:0.0001`.

    A change at step k stands as `k@field:value`. `read_run` reads it back.
    """
    values = config.model_dump(mode="json", exclude_defaults=True)
    changes = values.pop("changes", ())
    parts = [f"{name}:{_text(value)}" for name, value in values.items()]
    parts += [f"{c['step']}@{c['field']}:{_text(c['value'])}" for c in changes]
    return ";".join(parts)


@shared
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
    if "slow" in values:
        raise ValueError("slow motion is no setting of a run here: it begins at the step on screen, by its button")
    return TrainConfig.build(values | ({"changes": changes} if changes else {}))


def fitting(points: np.ndarray) -> tuple[str, int]:
    """The notation of the law of points (n,) or (n, 2), and how many of them it holds: as many as a link can.

    Of more a fixed random choice is kept. Raises ValueError with one sentence for points that no run can learn.
    """
    for most in KEPT_POINTS:
        notation = str(from_points(points, most))
        if len(notation) <= LONGEST_TARGET:
            break
    return notation, min(len(points), most)


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
    below: Literal["usual", "modes", "losses", "metrics"] = "usual"
    slow: bool = False
    moment: int = Field(0, ge=0, lt=limits.FRAMES)

    @field_validator("run")
    @classmethod
    def _readable(cls, text: str) -> str:
        return write_run(read_run(text))

    @property
    def config(self) -> TrainConfig:
        """The settings."""
        return read_run(self.run)


def frames_for(config: TrainConfig) -> int:
    """How many pictures let a run of such a config move evenly while it trains: about 25 a second on a usual machine.

    Never fewer than the default has. It follows from the config alone, so that a link means the same run everywhere.
    """
    usual = usual_seconds(config.changed(frames=2), config.seeds)  # of the training alone
    least = int(TrainConfig.model_fields["frames"].default)
    return int(min(limits.FRAMES, max(least, round(PICTURES_PER_SECOND * usual))))


def refilmed(now: TrainConfig, draft: TrainConfig) -> TrainConfig:
    """`draft`, an edit of `now`, with as many pictures as it needs, unless somebody has chosen their number."""
    wanted = frames_for(draft)
    chosen = now.frames not in (TrainConfig.model_fields["frames"].default, START.frames, frames_for(now))
    if chosen or draft.frames != now.frames or wanted == frames_for(now):
        return draft
    return draft.changed(frames=wanted)


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
    # a branch is shown as the run that it comes from
    differ = {k: v for k, v in differing(shown, draft).items() if k not in FilmFields.model_fields}
    if not differ or not set(differ) <= set(CHANGEABLE):
        return None
    return {name: new for name, (_, new) in differ.items()}
