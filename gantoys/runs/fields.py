"""The fields of a training run, grouped as forms group them. `gantoys.runs.config.TrainConfig` is all of them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gantoys.runs import limits

Activation = Literal["leaky-relu", "relu", "tanh", "softplus"]
Optimiser = Literal["adam", "sgd", "momentum", "rmsprop"]
LEAK = 0.2  # the slope of leaky-relu below 0


class Group(BaseModel):
    """Fields that belong together. Frozen and strict; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class Change(Group):
    """From step `step` on (that many steps have been taken) the field `field` has the value `value`."""

    step: int = Field(ge=1, le=limits.STEPS)
    field: str = Field(max_length=40)
    value: bool | int | float | str


class GameFields(Group):
    """What is learned, and by which rules."""

    toy: str = Field(
        "ring(8,radius=2,std=0.1)",
        title="Target",
        description="The law of the real data, on the line or in the plane: a name such as ring, or a notation.",
    )
    dataset: int = Field(
        0,
        ge=0,
        le=limits.DATASET,
        title="Training set",
        description="Real points are drawn with replacement from so many fixed ones; 0: fresh ones in every step.",
    )
    loss: str = Field("non-saturating", title="Loss", description="Which game the two networks play: a key of LOSSES.")
    seed: int = Field(0, ge=0, le=limits.SEED, title="Seed", description="Fixes every random number of the run.")
    seeds: int = Field(
        1,
        ge=1,
        le=limits.SEEDS,
        title="Seeds",
        description="So many runs side by side, with the seeds from `seed` on: one film each.",
    )
    steps: int = Field(
        3000,
        ge=1,
        le=limits.STEPS,
        title="Steps",
        description="One step is `d_steps` moves of D and `g_steps` moves of G.",
    )
    batch: int = Field(
        256,
        ge=2,
        le=limits.BATCH,
        title="Batch",
        description="Real points, and as many generated ones, that D sees in one move.",
    )
    order: Literal["alternating", "simultaneous"] = Field(
        "alternating",
        title="Who moves first",
        description="alternating: D moves, then G answers the new D; simultaneous: both move from where they stand.",
    )
    d_steps: int = Field(
        1, ge=0, le=limits.MOVES, title="Moves of D", description="Moves of D in one step; 0 keeps D as it is."
    )
    g_steps: int = Field(
        1, ge=0, le=limits.MOVES, title="Moves of G", description="Moves of G in one step; 0 keeps G as it is."
    )
    fake_law: str = Field(
        "",
        title="Generated points from a law",
        description="D learns against points of this law, written as the target is; G, which then makes none, needs 0 "
        "moves. Empty: the points are G's.",
    )
    changes: tuple[Change, ...] = Field(
        (),
        max_length=limits.CHANGES,
        title="Changes on the way",
        description="Fields that get another value from a step on.",
    )


class NetworkFields(Group):
    """The two players."""

    noise_dim: int = Field(
        2,
        ge=1,
        le=limits.NOISE_DIM,
        title="Noise dimension",
        description="How many independent random numbers G turns into one point.",
    )
    noise: Literal["normal", "uniform"] = Field(
        "normal", title="Noise", description="Their law: standard normal, or uniform on [-1, 1]."
    )
    width: int = Field(
        128,
        ge=1,
        le=limits.WIDTH,
        title="Width",
        description="Units of each hidden layer of G, and of D if not set there.",
    )
    layers: int = Field(
        2,
        ge=0,
        le=limits.LAYERS,
        title="Layers",
        description="Hidden layers of G, and of D if not set there; 0: linear.",
    )
    activation: Activation = Field(
        "leaky-relu", title="Activation", description="What follows each hidden layer; leaky-relu has slope 0.2."
    )
    width_d: int | None = Field(
        None, ge=1, le=limits.WIDTH, title="Width of D", description="Units of each hidden layer of D; none: as in G."
    )
    layers_d: int | None = Field(
        None, ge=0, le=limits.LAYERS, title="Layers of D", description="Hidden layers of D; none: as in G."
    )
    activation_d: Activation | None = Field(
        None, title="Activation of D", description="What follows each hidden layer of D; none: as in G."
    )
    init: Literal["uniform", "normal", "orthogonal", "glorot", "he"] = Field(
        "uniform",
        title="First weights",
        description="uniform: on +-1/sqrt(inputs), biases too; else biases are 0 and weights normal with deviation "
        "`init_scale`, orthogonal, Glorot's uniform or He's normal ones times `init_scale`.",
    )
    init_scale: float = Field(
        1.0, ge=1e-4, le=10.0, title="Scale of the first weights", description="See `init`; it scales uniform ones too."
    )
    batch_norm: bool = Field(
        False, title="Batch normalisation in G", description="Each hidden layer of G is normalised over the batch."
    )
    maxout: int = Field(
        0,
        ge=0,
        le=limits.PIECES,
        title="Maxout in D",
        description="Each hidden unit of D is the largest of so many linear pieces; 0: the activation instead.",
    )


class OptimiserFields(Group):
    """How the players move."""

    optimiser: Optimiser = Field("adam", title="Optimiser", description="The rule by which both players move.")
    lr_g: float = Field(1e-3, ge=1e-7, le=10.0, title="Learning rate of G", description="Step size of the generator.")
    lr_d: float = Field(1e-3, ge=1e-7, le=10.0, title="Learning rate of D", description="Step size of D.")
    beta1: float = Field(
        0.5, ge=0.0, le=0.999, title="Beta 1", description="Memory of the gradient, in adam and momentum."
    )
    beta2: float = Field(
        0.999, ge=0.0, le=0.99999, title="Beta 2", description="Memory of its square, in adam and rmsprop."
    )
    ema: float = Field(
        0.0,
        ge=0.0,
        le=0.99999,
        title="Averaged G",
        description="The film shows a running average of G's weights with this memory; 0: G itself.",
    )


class RemedyFields(Group):
    """What keeps D in bounds, and other help. 0 or false: switched off."""

    gp: float = Field(
        0.0,
        ge=0.0,
        le=limits.PENALTY,
        title="Gradient penalty, around 1",
        description="Weight of E (|da/dx| - 1)^2 at points between real and generated ones; a: D's output, its logit.",
    )
    gp0: float = Field(
        0.0,
        ge=0.0,
        le=limits.PENALTY,
        title="Gradient penalty, around 0",
        description="Weight of E |da/dx|^2 at points between real and generated ones; a: D's output, its logit.",
    )
    r1: float = Field(
        0.0,
        ge=0.0,
        le=limits.PENALTY,
        title="R1",
        description="gamma in gamma/2 E |da/dx|^2 at real points; a: D's output, its logit.",
    )
    r2: float = Field(
        0.0,
        ge=0.0,
        le=limits.PENALTY,
        title="R2",
        description="gamma in gamma/2 E |da/dx|^2 at generated points; a: D's output, its logit.",
    )
    clip: float = Field(
        0.0, ge=0.0, le=10.0, title="Weight clipping", description="D's weights are cut to +-clip after each move."
    )
    spectral_norm: bool = Field(
        False, title="Spectral norm", description="Each weight matrix of D is divided by its largest singular value."
    )
    instance_noise: float = Field(
        0.0, ge=0.0, le=10.0, title="Instance noise", description="Normal noise on every point that D sees."
    )
    instance_noise_steps: int = Field(
        0,
        ge=0,
        le=limits.STEPS,
        title="Instance noise ends",
        description="The instance noise falls evenly to 0 at this step; 0: it stays.",
    )
    label_smoothing: float = Field(
        0.0,
        ge=0.0,
        le=0.5,
        title="Label smoothing",
        description="Real points are labelled 1 minus this, generated ones 0: one-sided.",
    )
    feature_matching: bool = Field(
        False,
        title="Feature matching",
        description="G matches the mean of D's last hidden layer on real points, in place of its loss.",
    )
    minibatch_kernels: int = Field(
        0,
        ge=0,
        le=limits.KERNELS,
        title="Minibatch discrimination",
        description="So many kernels let D compare the points of a batch.",
    )
    minibatch_dims: int = Field(
        3, ge=1, le=limits.KERNELS, title="Dimensions a kernel", description="Of minibatch discrimination."
    )
    minibatch_std: bool = Field(
        False,
        title="Minibatch deviation",
        description="D also sees the mean standard deviation of its last hidden layer over the batch.",
    )
    pac: int = Field(1, ge=1, le=limits.PAC, title="Packing", description="D judges so many points together (PacGAN).")
    unrolled: int = Field(
        0,
        ge=0,
        le=limits.UNROLLED,
        title="Unrolled steps",
        description="G looks so many moves of D ahead, and differentiates through them.",
    )
    historical_averaging: float = Field(
        0.0,
        ge=0.0,
        le=limits.PENALTY,
        title="Historical averaging",
        description="Weight of the squared distance of each player's weights from their mean so far.",
    )
    consensus: float = Field(
        0.0,
        ge=0.0,
        le=limits.PENALTY,
        title="Consensus",
        description="Weight of half the squared length of both players' gradients, which both go down too.",
    )


class FilmFields(Group):
    """What the film shows; nothing here changes the training."""

    frames: int = Field(
        101,
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
    grid: int = Field(
        48,
        ge=2,
        le=limits.GRID,
        title="Grid",
        description="Points per side on which D is drawn; on the line four times as many.",
    )
    shown: int = Field(
        800,
        ge=16,
        le=limits.SHOWN,
        title="Points shown",
        description="Generated points in each picture, from fixed noise.",
    )
    slow: int | None = Field(
        None,
        ge=0,
        le=limits.STEPS,
        title="Slow motion from step",
        description="The film begins at this step and shows every later one moment by moment; none: whole steps.",
    )
    eigenvalues: int = Field(
        0,
        ge=0,
        le=limits.EIGENVALUES,
        title="Eigenvalues",
        description="The film is the last picture alone, with so many leading eigenvalues of the game there; 0: none.",
    )


GROUPS: tuple[tuple[str, type[Group]], ...] = (
    ("The game", GameFields),
    ("The networks", NetworkFields),
    ("The optimiser", OptimiserFields),
    ("Remedies", RemedyFields),
    ("The film", FilmFields),
)
# fields that a run may change on its way: all that leave the networks, the noise and the data as they are
CHANGEABLE = (
    "loss", "order", "d_steps", "g_steps", "lr_g", "lr_d", "beta1", "beta2", "gp", "gp0", "r1", "r2", "clip",
    "instance_noise", "label_smoothing", "feature_matching", "unrolled", "historical_averaging", "consensus",
)  # fmt: skip


def bounds(schema: dict[str, Any]) -> dict[str, Any]:
    """A field's own schema, without the "or none" around it."""
    if "anyOf" in schema:
        inner: dict[str, Any] = next(s for s in schema["anyOf"] if s.get("type") != "null")
        return inner
    return schema
