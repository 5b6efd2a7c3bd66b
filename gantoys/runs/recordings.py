"""The films that come with gantoys, so that a page moves before anything is trained on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gantoys.runs.config import TrainConfig
from gantoys.runs.critics import SLOPE_RULES, critic_config
from gantoys.runs.film import Film
from gantoys.runs.frozen import APART, frozen_config
from gantoys.runs.presets import START
from gantoys.shared import shared

FOLDER = Path(__file__).resolve().parents[1] / "lessons" / "films"
# two runs on the ring, alike but for the memory of Adam: small networks, few pictures
_PAIR: dict[str, Any] = {
    "width": 64, "batch": 128, "steps": 1500, "frames": 61, "grid": 32, "shown": 1000, "lr_g": 1e-3, "lr_d": 1e-3,
}  # fmt: skip
# two small networks on the line that move at once by plain descent: p_G swings around the data, and slowly settles
SWING = TrainConfig(
    toy="N(2,0.5)", noise_dim=1, width=16, activation="tanh", order="simultaneous", optimiser="sgd", lr_g=0.1, lr_d=0.1,
    batch=256, steps=800, frames=161, grid=24, shown=300,
)  # fmt: skip
SWING_AT = (300, 600)
RECORDINGS: dict[str, TrainConfig] = {
    "ring": START,
    "pair": TrainConfig(**_PAIR),
    "pair-momentum": TrainConfig(beta1=0.9, **_PAIR),
    **{f"critic-{rule}": critic_config(rule) for rule in SLOPE_RULES},
    "critic-gp-10": critic_config("gp", 10.0),
    **{f"frozen-{apart}": frozen_config(apart) for apart in APART},
    "swing": SWING,
    **{f"swing-{step}": SWING.lens(step) for step in SWING_AT},
}


def recording(config: TrainConfig) -> Film | None:
    """The film of a config that comes with gantoys, made on another machine; None where none does."""
    name = next((name for name, known in RECORDINGS.items() if known == config), None)
    return _loaded(name) if name is not None else None


@shared
def _loaded(name: str) -> Film:
    return Film.load(path(name))


def path(name: str) -> Path:
    """Where the recording `name` lies."""
    return FOLDER / f"{name}.film"


START_FILM = path("ring")
