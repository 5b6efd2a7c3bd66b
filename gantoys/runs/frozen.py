"""D trained longer and longer while G is frozen: the experiment of Arjovsky & Bottou (2017, figure 2) on the line."""

from __future__ import annotations

from gantoys.runs.config import TrainConfig

APART = (2, 5, 8)  # how far the frozen p_G = N(apart, 1) stands from p_data = N(0, 1)


def frozen_config(apart: int, seed: int = 0) -> TrainConfig:
    """D alone learns to tell N(0, 1) from N(apart, 1). Raises ValueError for a seed out of range."""
    return TrainConfig.build(
        {
            "toy": "N(0,1)", "fake_law": f"N({apart},1)", "g_steps": 0, "loss": "saturating", "seed": seed,
            "steps": 4000, "batch": 256, "width": 4, "layers": 1, "width_d": 48, "layers_d": 2, "noise_dim": 1,
            "lr_d": 1e-3, "frames": 41, "grid": 64, "shown": 100,
        }
    )  # fmt: skip
