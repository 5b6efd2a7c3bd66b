"""Does the game converge? Two numbers that play against each other, and the eigenvalues that decide."""

from gantoys.pictures.dynamics.lens import lens_config, lens_scene
from gantoys.pictures.dynamics.scene import scene
from gantoys.pictures.dynamics.state import DynamicsState

__all__ = ["DynamicsState", "lens_config", "lens_scene", "scene"]
