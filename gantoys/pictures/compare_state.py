"""The state of the page that compares runs: one base config, and for each further run one changed thing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from pydantic import Field

from gantoys.maths.losses import LOSSES
from gantoys.pictures.film import LAST_STEP
from gantoys.pictures.state import State
from gantoys.runs.config import TrainConfig

Key = Literal[
    "none", "saturating", "non-saturating", "least-squares", "hinge", "wasserstein", "relativistic",
    "gp", "clip", "r1", "spectral", "noise", "smooth", "pac", "unrolled",
    "ema", "d-steps", "g-steps", "lr-d", "lr", "sgd", "beta1", "narrow", "batch", "long",
]  # fmt: skip
Targets = Literal["ring", "grid", "moons", "checkerboard", "bimodal", "trimodal"]
Losses = Literal["non-saturating", "saturating", "least-squares", "hinge", "wasserstein"]
LETTERS = "ABCD"
MOST_SEEDS = 8


@dataclass(frozen=True)
class Change:
    """One thing to change. fields: the fields of TrainConfig that it sets, and to what."""

    key: str
    label: str
    fields: Mapping[str, Any] = field(default_factory=dict)


CHANGES = {
    row.key: row
    for row in (
        Change("none", "no run"),
        *(Change(key, f"loss: {LOSSES[key].label}", {"loss": key}) for key in get_args(Losses)),
        Change("relativistic", "loss: Relativistic", {"loss": "relativistic"}),
        Change("gp", "gradient penalty", {"gp": 0.3}),
        Change("clip", "weight clipping", {"clip": 0.1}),
        Change("r1", "R1 penalty", {"r1": 1.0}),
        Change("spectral", "spectral norm", {"spectral_norm": True}),
        Change("noise", "instance noise", {"instance_noise": 0.3}),
        Change("smooth", "label smoothing", {"label_smoothing": 0.1}),
        Change("pac", "packing, two together", {"pac": 2}),
        Change("unrolled", "unrolled, 3 steps ahead", {"unrolled": 3}),
        Change("ema", "averaged G", {"ema": 0.99}),
        Change("d-steps", "five moves of D", {"d_steps": 5}),
        Change("g-steps", "five moves of G", {"g_steps": 5}),
        Change("lr-d", "D learns 4 times as fast", {"lr_d": 4e-3}),
        Change("lr", "both learn 10 times as fast", {"lr_g": 1e-2, "lr_d": 1e-2}),
        Change("sgd", "plain gradient descent", {"optimiser": "sgd"}),
        Change("beta1", "more momentum", {"beta1": 0.9}),
        Change("narrow", "narrow networks", {"width": 8}),
        Change("batch", "small batches", {"batch": 16}),
        Change("long", "twice as long", {"steps": 3000}),
    )
}
_TOYS = {"ring": "ring(8,radius=2,std=0.1)", "grid": "grid(5,spacing=2,std=0.1)"}
_BASE: dict[str, Any] = {
    "width": 64, "batch": 128, "steps": 1500, "frames": 61, "grid": 32, "shown": 1000, "lr_g": 1e-3, "lr_d": 1e-3,
}  # fmt: skip
_LINE: dict[str, Any] = {"noise_dim": 1, "grid": 48}  # one noise number: then p_G is known exactly


class CompareState(State):
    """The base (target, loss, seed), what the further runs change, the step on screen, and the verdict's seeds."""

    target: Targets = "ring"
    loss: Losses = "non-saturating"
    seed: int = Field(0, ge=0, le=9999)
    b: Key = "beta1"
    c: Key = "none"
    d: Key = "none"
    step: int = Field(0, ge=0, le=LAST_STEP)
    seeds: int = Field(4, ge=1, le=MOST_SEEDS)


@dataclass(frozen=True)
class Entrant:
    """One of the runs. letter: how it is called; words: what differs from the first run, by the fields' titles."""

    letter: str
    config: TrainConfig
    differs: tuple[str, ...]

    @property
    def words(self) -> str:
        """What differs, in a sentence's part."""
        return "; ".join(self.differs)


def base(state: CompareState) -> TrainConfig:
    """The config of the first run."""
    toy = _TOYS.get(state.target, state.target)
    config = TrainConfig(toy=toy, loss=state.loss, seed=state.seed, **_BASE)
    return config.changed(**_LINE) if config.dim == 1 else config


def entrants(state: CompareState) -> tuple[Entrant, ...]:
    """The runs of a state, one to four: the base, and one for each change. A change asked for twice counts once."""
    first = base(state)
    found = [Entrant(LETTERS[0], first, ())]
    for key in dict.fromkeys((state.b, state.c, state.d)):
        if CHANGES[key].fields:
            config = first.changed(**CHANGES[key].fields)
            found.append(Entrant(LETTERS[len(found)], config, differences(first, config)))
    return tuple(found)


def differences(first: TrainConfig, other: TrainConfig) -> tuple[str, ...]:
    """What differs in `other`, one text a field: its title, its value, and the value in `first`.

    >>> differences(TrainConfig(), TrainConfig(gp=0.1))
    ('Gradient penalty, around 1: 0.1 instead of 0',)
    """
    return tuple(
        f"{info.title}: {said(name, getattr(other, name))} instead of {said(name, getattr(first, name))}"
        for name, info in TrainConfig.model_fields.items()
        if getattr(other, name) != getattr(first, name)
    )


def said(name: str, value: Any) -> str:
    """A field's value in words."""
    if name == "loss":
        return LOSSES[value].label
    if isinstance(value, bool):
        return "on" if value else "off"
    return "as in G" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
