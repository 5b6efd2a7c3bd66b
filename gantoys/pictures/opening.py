"""The picture that each lesson opens with: the same for everybody, so it can be made before anybody asks."""

from collections.abc import Callable
from functools import partial
from typing import Any

from gantoys.pictures import (
    compare,
    divergences,
    dynamics,
    game,
    generator_gradients,
    optimal_discriminator,
    wasserstein,
)
from gantoys.pictures.compare_clock import Shot
from gantoys.pictures.compare_state import CompareState, entrants
from gantoys.pictures.film import StartState, recorded, recorded_scene
from gantoys.pictures.lab import lab_scene
from gantoys.pictures.lab_state import LabState
from gantoys.runs.recordings import recording
from gantoys.stage.pack import Packed, packed


def _lab() -> Packed:
    film = recorded()
    name = f"{film.config.digest()[:16]}-0-0"
    return packed(lab_scene, film, LabState(), name=name, live=False, autoplay=True, behind=0)


def _compare() -> Packed:
    state = CompareState()
    configs = [run.config for run in entrants(state)]
    shots = tuple(Shot(recording(config)) for config in configs)
    name = f"{'-'.join(config.digest()[:8] for config in configs)}-{'1' * len(shots)}"
    return packed(compare.scene, state, shots, name=name, autoplay=True, behind=0, lecture=False)


def _plain(make: Callable[..., Any], state: Any) -> Callable[[], Packed]:
    return partial(packed, make, state)


PICTURES: dict[str, Callable[[], Packed]] = {
    "start": _plain(recorded_scene, StartState()),
    "optimal-discriminator": _plain(optimal_discriminator.scene, optimal_discriminator.OptimalState()),
    "divergences": _plain(divergences.scene, divergences.DivergenceState()),
    "game": _plain(game.scene, game.GameState()),
    "generator-gradients": _plain(generator_gradients.scene, generator_gradients.GradientState()),
    "wasserstein": _plain(wasserstein.scene, wasserstein.WassersteinState()),
    "dynamics": _plain(dynamics.scene, dynamics.DynamicsState()),
    "lab": _lab,
    "compare": _compare,
}
