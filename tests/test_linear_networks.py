"""Networks without hidden layers: G is an affine map of the noise, D an affine function of the points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engine import tiny

from gantoys.pictures.lab_state import REMEDIES
from gantoys.runs.config import TrainConfig
from gantoys.training.game import Game
from gantoys.training.loop import train
from gantoys.training.record import Recorder

LINEAR: dict[str, Any] = {"layers": 0, "frames": 2, "shown": 32, "grid": 8}


def last(config: TrainConfig) -> dict[str, np.ndarray]:
    *_, (frame,) = train(config)
    return {name: np.asarray(value, float) for name, value in frame.arrays.items()}  # type: ignore[union-attr]


def test_in_the_plane_both_players_stay_affine() -> None:
    config = TrainConfig(**LINEAR, toy="N([1,0],[[1,0.5],[0.5,2]])", steps=300, batch=64)
    found = last(config)
    logits = found["logits"].reshape(8, 8)
    # half precision leaves a thousandth of the largest logit
    assert np.abs(np.diff(logits, 2, axis=0)).max() < 4e-3 * np.abs(logits).max() + 1e-6
    assert np.abs(np.diff(logits, 2, axis=1)).max() < 4e-3 * np.abs(logits).max() + 1e-6
    z = np.asarray(Recorder(Game(config)).noise[0], float)[:32]
    design = np.column_stack([z, np.ones(32)])
    rest = found["samples"] - design @ np.linalg.lstsq(design, found["samples"], rcond=None)[0]
    assert np.abs(rest).max() < 2e-3


def test_on_the_line_g_is_straight() -> None:
    config = TrainConfig(**LINEAR, toy="N(2,1)", noise_dim=1, steps=200, batch=64)
    z = np.asarray(Recorder(Game(config)).noise[0], float)[:32, 0]
    x = last(config)["samples"][:, 0]
    slope, intercept = np.polyfit(z, x, 1)
    assert x == pytest.approx(slope * z + intercept, abs=2e-3) and abs(slope) > 0.01


@pytest.mark.parametrize("key", REMEDIES)
def test_every_remedy_that_needs_no_hidden_layer_goes_with_them(key: str) -> None:
    config = tiny(steps=4, **LINEAR, **REMEDIES[key].fields)
    found = last(config)
    assert all(np.all(np.isfinite(value)) for value in found.values())


def test_a_linear_critic_sends_every_point_the_same_way() -> None:
    config = TrainConfig(**LINEAR, toy="N([2,-1],0.5)", loss="wasserstein", clip=0.1, steps=20, batch=128)
    arrows = last(config)["arrows"]
    assert np.linalg.norm(arrows[0]) > 0 and np.abs(arrows - arrows[0]).max() < 1e-3 * np.linalg.norm(arrows[0])
    assert arrows[0] @ [2, -1] > 0  # towards the data
