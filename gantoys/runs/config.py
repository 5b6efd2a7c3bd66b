"""`TrainConfig`: everything that decides what a training run does, and so also its identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gantoys.maths.distributions import Mixture2D
from gantoys.maths.losses import LOSSES
from gantoys.maths.notation import parse
from gantoys.maths.toys import Sampler
from gantoys.runs import limits

RECIPE = 1  # raise it when the same config begins to train differently: the old films then no longer count
FILM_FORMAT = 1
Plane = Mixture2D | Sampler  # what a run can be trained on


class TrainConfig(BaseModel):
    """A training run, whole. Frozen; unknown fields and values out of range raise `pydantic.ValidationError`.

    Each field carries its label (`title`), range and help (`description`), from which forms, the command line and the
    docs are made. `problem` turns the error into one sentence; `TrainConfig.build` and `.read` raise it so.

    >>> TrainConfig(toy="ring", steps=100).toy
    'ring(8,radius=2,std=0.1)'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    toy: str = Field(
        "ring(8,radius=2,std=0.1)",
        title="Target",
        description="The distribution of the real data, in the plane: a name such as ring, or a notation.",
    )
    loss: str = Field("non-saturating", title="Loss", description="Which game the two networks play: a key of LOSSES.")
    seed: int = Field(0, ge=0, le=limits.SEED, title="Seed", description="Fixes every random number of the run.")
    steps: int = Field(
        3000,
        ge=1,
        le=limits.STEPS,
        title="Steps",
        description="How often both networks move; one step is one move of D, then one of G.",
    )
    batch: int = Field(
        256,
        ge=2,
        le=limits.BATCH,
        title="Batch",
        description="Real points, and as many generated ones, that D sees in one step.",
    )
    noise_dim: int = Field(
        2,
        ge=1,
        le=limits.NOISE_DIM,
        title="Noise dimension",
        description="How many independent standard normal numbers G turns into one point.",
    )
    width: int = Field(128, ge=1, le=limits.WIDTH, title="Width", description="Units of each hidden layer, in G and D.")
    layers: int = Field(2, ge=1, le=limits.LAYERS, title="Layers", description="Hidden layers of G, and of D.")
    activation: Literal["leaky-relu", "relu", "tanh", "softplus"] = Field(
        "leaky-relu", title="Activation", description="What follows each hidden layer; leaky-relu has slope 0.2."
    )
    lr_g: float = Field(
        1e-3, ge=1e-7, le=1.0, title="Learning rate of G", description="Adam's step size for the generator."
    )
    lr_d: float = Field(
        1e-3, ge=1e-7, le=1.0, title="Learning rate of D", description="Adam's step size for the discriminator."
    )
    beta1: float = Field(0.5, ge=0.0, le=0.999, title="Beta 1", description="Adam's memory of the gradient.")
    beta2: float = Field(0.999, ge=0.0, le=0.99999, title="Beta 2", description="Adam's memory of its square.")
    frames: int = Field(
        161,
        ge=2,
        le=limits.FRAMES,
        title="Frames",
        description="How many pictures the film has, first and last included.",
    )
    cadence: Literal["early", "even"] = Field(
        "early",
        title="Cadence",
        description="early: pictures stand closer at the start, where most happens; even: equal distances.",
    )
    grid: int = Field(48, ge=2, le=limits.GRID, title="Grid", description="Points per side on which D is drawn.")
    shown: int = Field(
        800,
        ge=16,
        le=limits.SHOWN,
        title="Points shown",
        description="Generated points in each picture, from fixed noise.",
    )

    @field_validator("toy")
    @classmethod
    def _canonical_toy(cls, text: str) -> str:
        if len(text) > limits.TOY_TEXT:
            raise ValueError(f"a notation may have at most {limits.TOY_TEXT} characters")
        toy = parse(text)
        if not isinstance(toy, Plane) or toy.batch:
            raise ValueError("a run needs one distribution in the plane")
        box = np.asarray(toy.box, float)
        if not np.all(np.isfinite(box)) or np.max(np.abs(box)) > limits.TOY_REACH:
            raise ValueError(f"its mass must lie within {limits.TOY_REACH:g} of the origin")
        canonical = _stable(str(toy))
        if len(canonical) > limits.TOY_TEXT:
            raise ValueError(f"written out it has {len(canonical)} characters, at most {limits.TOY_TEXT} are allowed")
        return canonical

    @field_validator("loss")
    @classmethod
    def _known_loss(cls, key: str) -> str:
        if key not in LOSSES:
            raise ValueError(f"it must be one of {', '.join(LOSSES)}")
        return key

    @model_validator(mode="after")
    def _affordable(self) -> TrainConfig:
        if self.flops() > limits.RUN_FLOPS:
            raise ValueError(
                f"this run would take about {self.flops():.1e} operations, at most {limits.RUN_FLOPS:.0e} are allowed: "
                "choose fewer steps, a smaller batch or smaller networks"
            )
        return self

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

    def changed(self, **fields: Any) -> TrainConfig:
        """This config with other values in some fields, checked again. Raises ValueError with one sentence."""
        return self.build(self.model_dump() | fields)

    def target(self) -> Plane:
        """The distribution of the real data."""
        toy = parse(self.toy)
        assert isinstance(toy, Plane)  # the validator saw to it
        return toy

    def canonical_json(self) -> str:
        """Every field in one fixed spelling: equal configs give equal text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), allow_nan=False)

    def digest(self) -> str:
        """SHA-256, as 64 hexadecimal digits, of recipe, film format and canonical JSON: the name of the run's film."""
        return hashlib.sha256(f"{RECIPE}/{FILM_FORMAT}\n{self.canonical_json()}".encode()).hexdigest()

    def flops(self) -> float:
        """Estimated floating-point operations of the run, the recording of its frames included."""
        hidden = self.width * self.width * (self.layers - 1)
        g, d = self.width * (self.noise_dim + 2) + hidden, self.width * 3 + hidden
        # a product of n points with m weights is 2nm; a backward pass costs two of them, one without weight gradients.
        # D's step: G once, D on two batches with backward. G's step: G with backward, D with backward to its input.
        step = 2 * self.batch * (g + 2 * 3 * d + 3 * g + 2 * d)
        frame = 2 * (self.grid**2 * d + self.shown * (g + 2 * d))
        return float(self.steps) * step + float(self.frames) * frame

    def recorded_steps(self) -> np.ndarray:
        """The steps after which a picture is taken: increasing, from 0 to `steps`, (K,) with K <= frames.

        With the cadence `early` picture k stands at steps (k / (K - 1))^2, but at least one step after the one before.
        """
        count = min(self.frames, self.steps + 1)
        share = np.arange(count) / (count - 1)
        ideal = np.rint(self.steps * (share**2 if self.cadence == "early" else share)).astype(np.int64)
        # the largest of ideal[j] + (k - j) over j <= k: at least one step between pictures; the end stays in reach
        k = np.arange(count)
        return np.minimum(np.maximum.accumulate(ideal - k) + k, self.steps - (count - 1 - k))


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
    schema = TrainConfig.model_json_schema()["properties"][name]
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    if schema["type"] == "string":
        return "a text"
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
