"""What a generator may minimise: three views of one state, one shown at a time."""

from gantoys.pictures.divergences_fit import clicked, fit_scene, paper_table, places
from gantoys.pictures.divergences_paradigms import TABLE, paradigms_scene
from gantoys.pictures.divergences_state import DATA, LABELS, PRESETS, DivergenceState
from gantoys.pictures.divergences_sweep import sweep_scene
from gantoys.stage.scene import Scene

__all__ = [
    "DATA",
    "LABELS",
    "PRESETS",
    "TABLE",
    "VIEWS",
    "DivergenceState",
    "clicked",
    "paper_table",
    "places",
    "scene",
]

VIEWS = {"sweep": sweep_scene, "fit": fit_scene, "paradigms": paradigms_scene}


def scene(state: DivergenceState) -> Scene:
    """The picture of a state."""
    return VIEWS[state.show](state)
