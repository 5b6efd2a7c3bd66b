"""Films made by hand from closed forms, so that tests of what shows them need no training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from gantoys.runs.config import TrainConfig
from gantoys.runs.film import GROWS, Film
from gantoys.runs.film_file import ARROWS, ERRORS, MESH, MESH_LINE, OUTER, SLOPES, FilmWriter
from gantoys.runs.store import Store

Array = np.ndarray
SMALL: dict[str, Any] = {"steps": 100, "frames": 6, "grid": 12, "shown": 64}


def config_of(**fields: Any) -> TrainConfig:
    return TrainConfig.build(SMALL | fields)


def write(
    path: Path, config: TrainConfig, statics: dict[str, Array], frames: list[dict[str, Any]], member: int = 0
) -> Film:
    """The film of these arrays at `path`."""
    writer = FilmWriter(path, config, statics, member=member)
    for k, arrays in enumerate(frames):
        writer.append(arrays, 0.01 * k)
    return Film.load(writer.finish("done"))


def cut(film: Film, frames: int, **fields: Any) -> Film:
    """The first frames of a film, as one that still grows unless `fields` say otherwise."""
    grown = {name: getattr(film, name)[:frames] for name in GROWS}
    return replace(film, **({"status": "running"} | grown | fields))


def seen_of_g(config: TrainConfig, mesh: Array) -> dict[str, Array]:
    """The image of a grid of noise; where points come from a law there is none, but D's slopes."""
    many = min(SLOPES, config.shown)
    return {"slopes": np.full((3, many), 0.5)} if config.fake_law else {"mesh": mesh}


def numbers(config: TrainConfig, **known: float) -> dict[str, Any]:
    """The figures of a frame, and their errors: 0 for JS and V where the config makes them exact."""
    names = ("loss_d", "loss_g", "value", "js", "d_real", "d_fake", "grad_d", "grad_g")
    exact = ("value", "js") if config.exact else ()
    errors = [0.0 if name in exact else 0.01 * (1 + k) for k, name in enumerate(ERRORS)]
    return {**dict.fromkeys(names, 0.5), "errors": np.array(errors), **known}


def cells(config: TrainConfig, low: float, high: float) -> Array:
    """The edges of the cells on the line: equal ones, and wider ones beyond them unless both laws are fixed."""
    inner = np.linspace(low, high, 4 * config.grid + 2)
    if config.fake_law:
        return inner
    out = (inner[1] - inner[0]) * 1.1 * np.arange(1, OUTER + 1)
    return np.concatenate([low - out[::-1], inner, high + out])


def line_film(path: Path, *, member: int = 0, **fields: Any) -> Film:
    """G's law is normal and moves from N(-4, 0.5) to N(0, 1.5); D's logit is a growing part of the best one's.

    All is computed on the cells, by sums: JS and V(D, G) are those of the piecewise constant densities.
    """
    config = config_of(**({"toy": "bimodal", "noise_dim": 1} | fields))
    target, rng = config.target(), np.random.default_rng(5)
    real = target.sample(config.shown, rng)[:, None]
    low, high = (float(v) for v in target.box)
    room = 0.15 * (high - low)
    edges = cells(config, low - room, high + room)
    x, cell = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    if hasattr(target, "kinds"):
        p = np.mean([target.density(x + cell * u) for u in np.linspace(-0.45, 0.45, 10)], axis=0)
    else:
        p = np.histogram(target.sample(50_000, rng), edges)[0] / 50_000 / cell
    z = rng.permutation(norm.ppf((np.arange(config.shown) + 0.5) / config.shown))
    frames = []
    steps = config.recorded_steps()
    for step in steps:
        t = step / config.steps
        mean, std = -4 + 4 * t, 0.5 + t
        q = np.diff(norm.cdf(edges, mean, std)) / cell
        best = np.log(np.maximum(p, 1e-30)) - np.log(np.maximum(q, 1e-30))
        logits = (0.2 + 0.7 * t) * np.clip(best, -12, 12)
        middle = (p + q) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            js = 0.5 * (np.nansum(cell * p * np.log(p / middle)) + np.nansum(cell * q * np.log(q / middle)))
        value = -np.sum(cell * (p * np.logaddexp(0, -logits) + q * np.logaddexp(0, logits)))
        samples = (mean + std * z)[:, None]
        frames.append(
            {
                "step": step,
                "samples": samples,
                "arrows": (0.02 * (1.2 - t) * (2 - samples))[: min(ARROWS, config.shown)],
                "logits": logits,
                "density": q,
                **seen_of_g(config, mean + std * np.linspace(-2.5, 2.5, MESH_LINE)[:, None]),
                **numbers(config, js=js, value=value),
            }
        )
    return write(path, config, {"real": real, "edges": edges, "density_real": p}, frames, member)


def plane_film(path: Path, *, value: float | None = None, member: int = 0, **fields: Any) -> Film:
    """G's points go from a blob at the left to the target's; D is sure at first and gives up at the end. value: of each
    frame, V by default."""
    config = config_of(**fields)
    target, rng = config.target(), np.random.default_rng(6)
    real, goal = target.sample(config.shown, rng), target.sample(config.shown, rng)
    low_x, high_x, low_y, high_y = (float(v) for v in target.box)
    wide, high = high_x - low_x, high_y - low_y
    grid_x = np.linspace(low_x - 0.1 * wide, high_x + 0.1 * wide, config.grid)
    grid_y = np.linspace(low_y - 0.1 * high, high_y + 0.1 * high, config.grid)
    z = rng.standard_normal((config.shown, 2))
    blob = np.array([low_x + 0.25 * wide, (low_y + high_y) / 2]) + 0.05 * wide * z
    node = np.stack(np.meshgrid(*2 * (np.linspace(-2, 2, MESH),), indexing="ij"), -1)
    frames = []
    steps = config.recorded_steps()
    for step in steps:
        t = step / config.steps
        samples = (1 - t) * blob + t * goal
        x, y = np.meshgrid((grid_x - low_x) / wide, (grid_y - low_y) / high)
        logits = 6 * (1 - t) * (np.hypot(x - 0.25, y - 0.5) - 0.35) / 0.2
        many = min(ARROWS, config.shown)
        v = -1.386 + 0.8 * (1 - t) if value is None else value
        frames.append(
            {
                "step": step,
                "samples": samples,
                "arrows": 0.003 * (goal - samples)[:many],
                "logits": logits,
                **seen_of_g(config, blob.mean(0) + node * wide * (0.05 + 0.15 * t)),
                **numbers(config, js=np.log(2) * (1 - t) + 0.02, value=v),
            }
        )
    return write(path, config, {"real": real, "grid_x": grid_x, "grid_y": grid_y}, frames, member)


def stand_in(store: Store, config: TrainConfig) -> TrainConfig:
    """The config, for which the store now has a film of each seed, made as above: nothing was trained."""
    make = line_film if config.dim == 1 else plane_film
    store.folder.mkdir(parents=True, exist_ok=True)
    for member in range(config.seeds):
        make(store.path(config, member), member=member, **config.model_dump(mode="json"))
    return config
