"""`TrainConfig`: everything that decides what a training run does, and so also its identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import ValidationError, field_validator, model_validator

from gantoys.maths.distributions import Mixture1D, Mixture2D
from gantoys.maths.losses import LOSSES
from gantoys.maths.notation import parse
from gantoys.maths.toys import Sampler
from gantoys.runs import limits
from gantoys.runs.combinations import combinations
from gantoys.runs.cost import flops
from gantoys.runs.fields import (
    CHANGEABLE,
    Change,
    FilmFields,
    GameFields,
    NetworkFields,
    OptimiserFields,
    RemedyFields,
    bounds,
)
from gantoys.runs.moments import schedule
from gantoys.shared import shared

RECIPE = 4  # raise it when the same config begins to train differently: the old films then no longer count
FILM_FORMAT = 3
Target = Mixture1D | Mixture2D | Sampler  # what a run can be trained on


# pydantic lists the fields of the last base first
class TrainConfig(FilmFields, RemedyFields, OptimiserFields, NetworkFields, GameFields):
    """A training run, whole. Frozen; unknown fields and values out of range raise `pydantic.ValidationError`.

    Each field (`gantoys.runs.fields`) carries its label (`title`), range and help (`description`), from which forms,
    the command line and the docs are made. `problem` turns the error into one sentence; `TrainConfig.build` and
    `.read` raise it so.

    >>> TrainConfig(toy="ring", steps=100).toy
    'ring(8,radius=2,std=0.1)'
    """

    @field_validator("toy")
    @classmethod
    def _canonical_toy(cls, text: str) -> str:
        return cls._canonical(text, limits.POINTS_TEXT if text.lstrip().startswith("points") else limits.TOY_TEXT)

    @field_validator("fake_law")
    @classmethod
    def _canonical_law(cls, text: str) -> str:
        return cls._canonical(text, limits.TOY_TEXT) if text.strip() else ""

    @staticmethod
    def _canonical(text: str, longest: int) -> str:
        if len(text) > longest:
            raise ValueError(f"a notation may have at most {longest} characters")
        toy = parse(text)
        if not isinstance(toy, Target) or toy.batch:
            raise ValueError("a run needs one distribution on the line or in the plane")
        box = np.asarray(toy.box, float)
        if not np.all(np.isfinite(box)) or np.max(np.abs(box)) > limits.TOY_REACH:
            raise ValueError(f"its mass must lie within {limits.TOY_REACH:g} of the origin")
        canonical = _stable(str(toy))
        if len(canonical) > longest:
            raise ValueError(f"written out it has {len(canonical)} characters, at most {longest} are allowed")
        return canonical

    @field_validator("loss")
    @classmethod
    def _known_loss(cls, key: str) -> str:
        if key not in LOSSES:
            raise ValueError(f"it must be one of {', '.join(LOSSES)}")
        return key

    @field_validator("changes", mode="before")
    @classmethod
    def _in_order(cls, changes: Any) -> Any:
        """A list counts as a tuple; equal schedules get one spelling."""
        if not isinstance(changes, list | tuple):
            return changes
        rows = [Change(**c) if isinstance(c, dict) else c for c in changes]
        if all(isinstance(row, Change) for row in rows):
            rows.sort(key=lambda row: (row.step, row.field))
        return tuple(rows)

    @model_validator(mode="after")
    def _makes_sense(self) -> TrainConfig:
        for fault, sentence in combinations(self):
            if fault:
                raise ValueError(sentence)
        for change in self.changes:
            self._check(change)
        if self.seed + self.seeds - 1 > limits.SEED:
            raise ValueError(f"the last seed would be {self.seed + self.seeds - 1}, at most {limits.SEED} is allowed")
        if flops(self) > limits.RUN_FLOPS:
            raise ValueError(
                f"this run would take about {flops(self):.1e} operations, at most {limits.RUN_FLOPS:.0e} are allowed: "
                "choose fewer steps, a smaller batch or smaller networks"
            )
        return self

    def _check(self, change: Change) -> None:
        if change.field not in CHANGEABLE:
            raise ValueError(
                f"{change.field[:40]!r} cannot change on the way: the fields that can are {', '.join(CHANGEABLE)}"
            )
        if change.step >= self.steps:
            raise ValueError(f"a change at step {change.step} comes too late in a run of {self.steps} steps")
        if sum((c.step, c.field) == (change.step, change.field) for c in self.changes) > 1:
            raise ValueError(f"{change.field} changes twice at step {change.step}")
        try:
            self.at(change.step)
        except ValidationError as error:
            raise ValueError(f"at step {change.step}: {problem(error)}") from None

    @classmethod
    def build(cls, values: Mapping[str, Any]) -> TrainConfig:
        """The config with the given fields, the rest by default. Raises ValueError with one sentence."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise ValueError(problem(error)) from None

    @classmethod
    def read(cls, text: str | bytes) -> TrainConfig:
        """The config written as JSON. Raises ValueError with one sentence."""
        if len(text) > limits.CONFIG_TEXT:
            raise ValueError(f"the config is {len(text)} characters long, at most {limits.CONFIG_TEXT} are read")
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ValueError(problem(error)) from None

    def at(self, step: int) -> TrainConfig:
        """The config in force once `step` steps have been taken: its changes up to there carried out, none to come."""
        values = self.model_dump() | {"changes": ()}
        return type(self)(**(values | {c.field: c.value for c in self.changes if c.step <= step}))

    def branched(self, step: int, **fields: Any) -> TrainConfig:
        """This run up to `step`, and from there on with other values in some fields. Raises ValueError.

        Changes of this run that come later are dropped, since a branch has its own future.
        """
        if step == 0:
            return self.changed(**(fields | {"changes": ()}))
        kept = [c.model_dump() for c in self.changes if c.step < step or (c.step == step and c.field not in fields)]
        return self.changed(changes=[*kept, *({"step": step, "field": f, "value": v} for f, v in fields.items())])

    def member(self, index: int) -> TrainConfig:
        """Run `index` of the `seeds` runs by itself: a config of one seed. Raises IndexError."""
        if not 0 <= index < self.seeds:
            raise IndexError(f"the run has {self.seeds} seeds, there is no number {index}")
        return self.changed(seed=self.seed + index, seeds=1)

    def lens(self, step: int, eigenvalues: int = 8) -> TrainConfig:
        """This run up to `step`, whose one picture there comes with leading eigenvalues of the game. Raises ValueError.

        From a stored state it costs the steps since that state, and the eigenvalues.
        """
        kept = [c.model_dump() for c in self.changes if c.step < step]
        return self.changed(steps=step, changes=kept, slow=None, eigenvalues=eigenvalues)

    def changed(self, **fields: Any) -> TrainConfig:
        """This config with other values in some fields, checked again. Raises ValueError with one sentence."""
        return self.build(self.model_dump() | fields)

    def target(self) -> Target:
        """The distribution of the real data."""
        return _target(self.toy)

    def fake(self) -> Target | None:
        """The law of the generated points, where it is fixed: then G makes none."""
        return _target(self.fake_law) if self.fake_law else None

    @property
    def hidden_d(self) -> int:
        """Hidden layers of D."""
        return self.layers if self.layers_d is None else self.layers_d

    @property
    def fake_dim(self) -> int:
        """The dimension of generated points."""
        return _target(self.fake_law or self.toy).dim

    @property
    def dim(self) -> int:
        """1 for a target on the line, 2 in the plane."""
        return self.target().dim

    @property
    def exact(self) -> bool:
        """Whether both p_data and p_G have a distribution function on the line: then their JS is exact in the film."""
        fake = self.fake()
        return isinstance(self.target(), Mixture1D) and (
            self.noise_dim == 1 if fake is None else isinstance(fake, Mixture1D)
        )

    def canonical_json(self) -> str:
        """The fields that differ from their defaults, in one fixed spelling: equal configs give equal text."""
        values = self.model_dump(mode="json", exclude_defaults=True) | {"toy": self.toy}
        return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)

    def digest(self) -> str:
        """SHA-256, as 64 hexadecimal digits, of recipe, film format and canonical JSON: the name of the run's film."""
        return hashlib.sha256(f"{RECIPE}/{FILM_FORMAT}\n{self.canonical_json()}".encode()).hexdigest()

    def training_digest(self, step: int) -> str:
        """The name of the state after `step` steps: of all that decides it, and nothing that comes later."""
        past = [c.model_dump() for c in self.changes if c.step < step]
        same = {name: FilmFields.model_fields[name].default for name in FilmFields.model_fields}
        values = self.model_dump(mode="json", exclude_defaults=True, exclude={"steps", "changes", *same})
        text = json.dumps(values | {"toy": self.toy, "changes": past, "step": step}, sort_keys=True)
        return hashlib.sha256(f"{RECIPE}\n{text}".encode()).hexdigest()

    def flops(self) -> float:
        """Estimated floating-point operations of the run; see `gantoys.runs.cost.flops`."""
        return flops(self)

    def recorded_steps(self) -> np.ndarray:
        """The steps after which a picture is taken: increasing, from 0 to `steps`, (K,) with K <= frames.

        With the cadence `early` picture k stands at steps (k / (K - 1))^2, but at least one step after the one before.
        In slow motion: those of `gantoys.runs.moments.schedule`, from `slow` on, and never decreasing.
        With eigenvalues: after the last step alone.
        """
        if self.slow is not None:
            return schedule(self)[0]
        if self.eigenvalues:
            return np.array([self.steps], np.int64)
        count = min(self.frames, self.steps + 1)
        share = np.arange(count) / (count - 1)
        ideal = np.rint(self.steps * (share**2 if self.cadence == "early" else share)).astype(np.int64)
        # the largest of ideal[j] + (k - j) over j <= k: at least one step between pictures; the end stays in reach
        k = np.arange(count)
        return np.minimum(np.maximum.accumulate(ideal - k) + k, self.steps - (count - 1 - k))


@shared
def _target(notation: str) -> Target:
    toy = parse(notation)
    assert isinstance(toy, Target)  # the validator saw to it
    return toy


def problem(error: ValidationError) -> str:
    """The first fault of a config as one sentence that names the field, the value and what is allowed."""
    fault = error.errors()[0]
    if not fault["loc"]:
        return _sentence(fault)
    name, value = str(fault["loc"][0])[:40], _shown(fault["input"])
    if fault["type"] == "extra_forbidden":
        return f"there is no field {name!r}: the fields are {', '.join(TrainConfig.model_fields)}"
    if fault["type"] in ("value_error", "literal_error"):
        return f"{name} is {value}: {_sentence(fault)}"
    return f"{name} is {value}: it must be {allowed(name)}"


def allowed(name: str) -> str:
    """What a field of TrainConfig may hold, in words."""
    schema = bounds(TrainConfig.model_json_schema()["properties"][name])
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    if schema["type"] == "string":
        return "a text"
    if schema["type"] == "boolean":
        return "true or false"
    if schema["type"] == "array":
        return f"a list of at most {schema['maxItems']} changes, each with step, field and value"
    if schema["type"] == "integer":
        return f"a whole number from {schema['minimum']} to {schema['maximum']}"
    return f"a number from {schema['minimum']:g} to {schema['maximum']:g}"


def _stable(notation: str) -> str:
    # a covariance is read through its factor, so that its last digit may move once
    for _ in range(4):
        again = str(parse(notation))
        if again == notation:
            break
        notation = again
    return notation


def _sentence(fault: Any) -> str:
    if fault["type"] == "literal_error":
        return f"it must be one of {fault['ctx']['expected']}".replace("'", "").replace(" or ", ", ")
    if fault["type"] == "value_error":
        return str(fault["ctx"]["error"])
    if fault["type"] == "json_invalid":
        return "the config is not written as JSON"
    return "the config must be a JSON object of fields and values"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
