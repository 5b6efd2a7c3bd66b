"""The networks of a run as matrices with names, from the states that training leaves in the store (safetensors).

A state holds each player's numbers as one flat vector (seeds side by side). Here it is cut into the matrices of one
seed, without torch. A layer is y = x W + b, with W (inputs, outputs) and b (1, outputs).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from safetensors import numpy as safetensors

from gantoys.runs.config import TrainConfig
from gantoys.runs.groups import groups
from gantoys.runs.store import Store

Array = np.ndarray
ORIENTATION = "a layer is y = x W + b, W (inputs, outputs), b (1, outputs)"


@dataclass(frozen=True)
class Weights:
    """The networks of one seed after `step` steps: `tensors` by name, `g.w0`, `g.b0`, ..., `d.w0`, ...

    With an averaged G, `g_average.*` is the one that the film shows. Batch normalisation has `gamma0`, `beta0` and the
    running `mean0`, `variance0`; spectral norm the vectors `u-w0` of its power method; minibatch discrimination
    `kernels`.
    """

    step: int
    tensors: dict[str, Array]
    meta: dict[str, str]

    def to_bytes(self) -> bytes:
        """The file, as safetensors writes it: numbers and names, no code."""
        return safetensors.save(self.tensors, metadata=self.meta)


def stored_weights(store: Store, config: TrainConfig, member: int, step: int) -> Weights | None:
    """The networks of run `member` in the newest state at or before `step` that the store keeps, or None.

    Raises IndexError for a member that the config does not have, ValueError for a state that does not fit it.
    """
    group = next((group for group in groups(config) if member in group), None)
    if group is None:
        raise IndexError(f"the run has {config.seeds} seeds, there is no number {member}")
    state = store.state_before(config, group, step)
    if state is None:
        return None
    tensors = named(config, state.arrays, member - group.start, len(group))
    meta = {
        "config": config.canonical_json(),
        "seed": str(config.seed + member),
        "step": str(state.step),
        "orientation": ORIENTATION,
    }
    return Weights(state.step, tensors, meta)


def named(config: TrainConfig, arrays: Mapping[str, Array], place: int, seeds: int) -> dict[str, Array]:
    """The matrices of the seed at `place` of the `seeds` in a state's `arrays`. ValueError where they do not fit."""
    out: dict[str, Array] = {}
    vectors = [("g", "g-theta", "g"), ("d", "d-theta", "d"), ("g_average", "average", "g")]
    for prefix, source, player in vectors:
        if source in arrays:
            for name, matrix in _cut(layout(config, player), np.asarray(arrays[source]), place, seeds):
                out[f"{prefix}.{name}"] = matrix
    if "g.w0" not in out or "d.w0" not in out:
        raise ValueError("the stored state holds no networks")
    for name, array in arrays.items():
        player, _, rest = name.partition("-memory-")
        if player in ("g", "d") and rest and len(array) == seeds:
            out[f"{player}.{rest}"] = np.ascontiguousarray(array[place])
    return out


def layout(config: TrainConfig, player: str) -> tuple[tuple[str, int, int], ...]:
    """Names, rows and columns of the matrices of a player, "g" or "d", in the order of its flat vector."""
    c = config
    if player == "g":
        return tuple(_layers(c.noise_dim, c.width, c.layers, c.dim, normalised=c.batch_norm))
    compared = c.minibatch_kernels * c.minibatch_dims
    return tuple(
        _layers(
            c.pac * c.dim, c.width_d or c.width, c.hidden_d, 1,
            pieces=c.maxout, compared=compared, extra=c.minibatch_kernels + c.minibatch_std,
        )
    )  # fmt: skip


def _layers(
    inputs: int,
    width: int,
    hidden: int,
    outputs: int,
    *,
    pieces: int = 0,
    normalised: bool = False,
    compared: int = 0,
    extra: int = 0,
) -> Iterator[tuple[str, int, int]]:
    units = width * max(1, pieces)
    for k in range(hidden):
        yield f"w{k}", inputs if k == 0 else width, units
        if normalised:
            yield f"gamma{k}", 1, width
            yield f"beta{k}", 1, width
        else:
            yield f"b{k}", 1, units
    last = width if hidden else inputs
    if compared:
        yield "kernels", last, compared
    yield f"w{hidden}", last + extra, outputs
    yield f"b{hidden}", 1, outputs


def _cut(entries: tuple[tuple[str, int, int], ...], flat: Array, place: int, seeds: int) -> Iterator[tuple[str, Array]]:
    """One matrix for all seeds, then the next; a tall one is stored transposed."""
    wanted = seeds * sum(rows * columns for _, rows, columns in entries)
    if flat.shape != (wanted,) or not np.all(np.isfinite(flat)):
        raise ValueError(f"the stored state does not fit: {wanted} finite numbers are expected")
    at = 0
    for name, rows, columns in entries:
        size = rows * columns
        part = flat[at + place * size : at + (place + 1) * size]
        matrix = part.reshape(columns, rows).T if columns < rows else part.reshape(rows, columns)
        yield name, np.ascontiguousarray(matrix)
        at += seeds * size
