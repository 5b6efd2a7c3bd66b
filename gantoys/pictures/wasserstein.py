"""What changes when the divergence changes: the plan, the dual that climbs to W1, or trained critics, one at a time."""

import numpy as np

from gantoys.pictures.wasserstein_dual import dual_scene
from gantoys.pictures.wasserstein_plan import plan_scene
from gantoys.pictures.wasserstein_state import WassersteinState
from gantoys.stage.scene import Scene

__all__ = ["WassersteinState", "scene"]

Array = np.ndarray


def scene(state: WassersteinState, drawn: Array | None = None) -> Scene:
    """The picture of a state; `drawn`: a critic drawn by hand, for the view of the dual."""
    return dual_scene(state, drawn) if state.show == "dual" else plan_scene(state)
