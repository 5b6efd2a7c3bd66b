"""Configs with a name."""

from pathlib import Path

from gantoys.runs.config import TrainConfig

# The start page: a plain GAN on the ring. G is chased from mode to mode for some 400 steps, then finds the ring and all
# eight modes. Seeds 0 to 7 were tried: all begin with the chase; seven end with eight modes, one with seven. This one
# was picked by eye.
START = TrainConfig(toy="ring(8,radius=2,std=0.1)", loss="non-saturating", activation="relu", seed=7, steps=3000)
START_FILM = Path(__file__).resolve().parents[1] / "lessons" / "films" / "ring.film"
