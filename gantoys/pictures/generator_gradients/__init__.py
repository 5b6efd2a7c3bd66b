"""What a perfect D leaves the generator to follow: five views of one state, one shown at a time."""

from gantoys.pictures.generator_gradients.losses import losses_scene
from gantoys.pictures.generator_gradients.noisy_d import noisy_scene
from gantoys.pictures.generator_gradients.race import race_scene
from gantoys.pictures.generator_gradients.separation import separation_scene
from gantoys.pictures.generator_gradients.state import PRESETS, GradientState
from gantoys.pictures.generator_gradients.vanishing import vanishing_scene
from gantoys.stage.scene import Scene

__all__ = ["PRESETS", "VIEWS", "GradientState", "scene", "vanishing_scene"]

VIEWS = {
    "separation": separation_scene,
    "losses": losses_scene,
    "race": race_scene,
    "frozen": vanishing_scene,
    "noisy": noisy_scene,
}


def scene(state: GradientState) -> Scene:
    """The picture of a state."""
    return VIEWS[state.show](state)
