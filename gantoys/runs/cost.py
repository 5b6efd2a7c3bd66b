"""What a run costs, before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gantoys.runs.moments import schedule

if TYPE_CHECKING:
    from gantoys.runs.config import TrainConfig


def weights(config: TrainConfig) -> tuple[int, int]:
    """How many numbers the matrices of G and of D hold: multiplications for one point of G, and for one pack of D."""
    c, dim = config, config.dim
    g = c.width * (c.noise_dim + dim) + c.width**2 * (c.layers - 1) if c.layers else c.noise_dim * dim
    layers = c.hidden_d
    width = (c.width_d or c.width) if layers else c.pac * dim
    d = width + c.minibatch_kernels + c.minibatch_std
    if layers:
        d += max(1, c.maxout) * (width * c.pac * dim + width**2 * (layers - 1))
    return g, d + width * c.minibatch_kernels * c.minibatch_dims


def flops(config: TrainConfig) -> float:
    """Estimated floating-point operations of the run, the recording of its frames included.

    A product of n points with m weights is 2 n m; a backward pass costs two of them, one without weight gradients; a
    gradient penalty costs a forward pass and one and a half backward ones; an unrolled step one of D's moves, forward
    and backward; minibatch discrimination compares all pairs.
    """
    c = config
    g, d = weights(c)
    packs = c.batch / c.pac
    penalties = bool(c.gp) + bool(c.gp0) + bool(c.r1) + bool(c.r2)
    pairs = 3.0 * (2 * packs) * packs * c.minibatch_kernels * c.minibatch_dims
    move_d = 2 * (c.batch * g + packs * d * (2 * 3 + 4 * penalties)) + 3 * pairs
    move_g = 2 * (c.batch * 3 * g + packs * 2 * d) + 2 * pairs + 3 * c.unrolled * move_d
    step = c.d_steps * move_d + c.g_steps * move_g
    points = c.grid**2 if c.dim == 2 else 4 * c.grid + 1
    frame = 2 * (points * d + c.shown * (g + 2 * d))
    frames = min(c.frames, c.steps + 1) if c.slow is None else len(schedule(c)[0])
    if c.eigenvalues:
        # about 600 products with the Jacobian, each a pass back through both gradients, of 1,024 points of each kind
        frames, frame = 1, frame + 600 * 2 * 1024 * (4 * g + 8 * d)
    return c.seeds * (float(c.steps) * step + float(frames) * frame)
