"""The stability of a trained GAN: leading eigenvalues of the training game's Jacobian, without ever forming it.

Both players together stand at x = (theta, psi) and are driven by the field v = (-dL_G/dtheta, -dL_D/dpsi). Where v is
small its Jacobian J = dv/dx tells what comes next (Mescheder et al. 2017, section 3): a real part above 0 drives the
players away, an imaginary part makes them circle. J has as many rows as the networks have numbers, but a product with
its transpose, whose eigenvalues are the same, is one more backward pass through v, and ARPACK needs only those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gantoys.maths.late import late
from gantoys.training.batches import PICTURES, Move, Points, entropy, torch_generator
from gantoys.training.game import Game
from gantoys.training.optimisers import EPS
from gantoys.training.player import Player
from gantoys.training.reference import Reference

Array = np.ndarray
Product = Callable[[Array], Array]
BATCH = 1024  # points of either kind on which the losses are taken, the same in every frame
DENSE = 400  # up to so many numbers the whole matrix is made: that is quicker
KRYLOV = 48  # vectors that ARPACK keeps
RESTARTS = 12  # of ARPACK, so that the cost is bounded: about 500 products an end of the spectrum
TOLERANCE = 1e-5  # of an eigenvalue, relative


@dataclass(frozen=True)
class Field:
    """The field of one seed of a game, in double precision on a fixed batch. v (P,): theta's part, then psi's.
    scale (P,): by how much the optimiser moves each number for one unit of v, in one step. turned(u): J^T u."""

    v: Array
    scale: Array
    turned: Product


def field(game: Game, place: int = 0) -> Field:
    """The field at the players that seed number `place` of a game has now.

    The losses are those in force, penalties, smoothing and noise included, as means over BATCH points of either kind.
    `scale` is lr times the moves of a step, and for adam and rmsprop over the root of the mean square that they
    remember now, which is held fixed; memories of the gradient itself are left out. Piecewise linear activations have
    slopes that jump: J is that of the linear pieces on which the batch lies. Weight clipping is not part of v.
    """
    config, now = game.config.member(game.members[place]), game.now
    with torch.inference_mode(False):
        copy = Game(config, dtype=torch.float64)
    for mine, theirs in ((copy.g, game.g), (copy.d, game.d)):
        views = theirs.network.views(theirs.theta)
        for name, view in mine.network.views(mine.theta).items():
            view[0].copy_(views[name][place])
        for name, kept in mine.memory.items():
            kept[0].copy_(theirs.memory[name][place])
    move, noise = _batch(copy), game.noise()
    told = Reference(config, copy.g, copy.d)
    with torch.inference_mode(False), torch.enable_grad():
        x = [p.theta.clone().requires_grad_(True) for p in (copy.g, copy.d)]
        grads = told.gradients(now, x[0], x[1], move, noise, again=True)
        v = torch.cat([-g for g in grads])

    def turned(u: Array) -> Array:
        with torch.inference_mode(False):
            given = torch.from_numpy(np.ascontiguousarray(u, float).reshape(-1))
            found = torch.autograd.grad(v, x, given, retain_graph=True)
            return np.asarray(torch.cat(found).numpy())

    rates = (game.g, now.lr_g * now.g_steps), (game.d, now.lr_d * now.d_steps)
    scales = [_scale(game, player, place, rate) for player, rate in rates]
    return Field(np.asarray(v.detach().numpy()), np.concatenate(scales), turned)


def _batch(game: Game) -> Move:
    """BATCH real points, noise and what else the losses may want."""
    c, seed = game.config, game.seeds[0]
    count = BATCH - BATCH % c.pac

    def normal(use: int, *shape: int) -> Tensor:
        return torch.randn(1, count, *shape, generator=torch_generator(entropy(seed, 0, PICTURES, use))).double()

    real = Points(c.target())(count, entropy(seed, 0, PICTURES, 20)).double()[None]
    z = normal(21, c.noise_dim)
    if c.noise == "uniform":
        z = 2 * torch.special.ndtr(z) - 1
    between = torch.special.ndtr(normal(22, 1))[:, : count // c.pac]
    return Move(real, z, between, normal(23, c.dim), normal(24, c.dim))


def _scale(game: Game, player: Player, place: int, lr: float) -> Array:
    state, now = player.state, game.now
    rate = torch.full_like(player.theta, lr, dtype=torch.float64)
    if player.optimiser in ("adam", "rmsprop"):
        square, t = state["v"].double(), float(state["t"])
        if player.optimiser == "adam" and t:
            square = square / (1 - now.beta2**t)
        rate = rate / (square.sqrt() + EPS)
    # in the order of one seed's own vector
    views = player.network.views(rate)
    out = torch.empty(player.network.size, dtype=torch.float64)
    for name, view in player.network.views(out).items():
        view[0].copy_(views[name][place])
    return np.asarray(out.numpy())


def leading(turned: Product, size: int, count: int) -> Array:
    """The leading eigenvalues of a real matrix of `size` rows of which products with its transpose are given: (count,
    2), real and imaginary parts, in the order of falling real parts.

    Half of them, rounded up, are those with the largest real parts; the others, among the rest, those with the largest
    imaginary parts in absolute value. ARPACK (Lehoucq et al. 1998) from a fixed first vector, to TOLERANCE, in RESTARTS
    restarts at most: one that is not found by then is left out, and the last row is repeated.
    """
    if size <= max(DENSE, count + 2):
        found = np.linalg.eigvals(np.stack([turned(row) for row in np.eye(size)]))
    else:
        operator = late("scipy.sparse.linalg").LinearOperator((size, size), matvec=turned, dtype=np.float64)
        ends = [_end(operator, which, min(count + 1, size - 2)) for which in ("LR", "LI")]
        found = np.concatenate(ends)
    return _chosen(found, count)


def _end(operator: Any, which: str, count: int) -> Array:
    arpack = late("scipy.sparse.linalg")  # a dozen megabytes that other runs do without
    size = operator.shape[0]
    first = np.random.default_rng(0).standard_normal(size)
    try:
        values = arpack.eigs(
            operator, k=count, which=which, ncv=min(size, max(KRYLOV, 2 * count + 2)), v0=first, maxiter=RESTARTS,
            tol=TOLERANCE, return_eigenvectors=False,
        )  # fmt: skip
    except arpack.ArpackNoConvergence as error:
        values = error.eigenvalues
    except arpack.ArpackError:  # a matrix of zeros
        values = np.zeros(1)
    return np.asarray(values, complex)


def _chosen(found: Array, count: int) -> Array:
    """The leading ones among eigenvalues of which some were found twice."""
    if not len(found):
        return np.zeros((count, 2))
    size = np.abs(found).max()
    kept: list[complex] = []
    for value in sorted(found, key=lambda w: (-w.real, -w.imag)):
        # both ends of the spectrum may give the same one, each to its own rounding
        if not any(abs(value - other) <= 1e-4 * size for other in kept):
            kept.append(complex(value))
    half = -(-count // 2)
    chosen = kept[:half] + sorted(kept[half:], key=lambda w: -abs(w.imag))[: count - half]
    chosen.sort(key=lambda w: (-w.real, -w.imag))
    chosen += [chosen[-1]] * (count - len(chosen))
    return np.array([(w.real, w.imag) for w in chosen])


def spectrum(game: Game, count: int, place: int = 0) -> tuple[Array, Array]:
    """Leading eigenvalues at the players that seed number `place` has now, (count, 2) each: of the field v, in 1 / unit
    of time; and of v as the optimiser scales it, in 1 / step: one simultaneous step of plain descent multiplies a
    deviation along an eigenvector of mu by 1 + mu."""
    f = field(game, place)
    size = len(f.v)
    own = leading(f.turned, size, count)
    # (S J)^T u = J^T (S u)
    return own, leading(lambda u: f.turned(f.scale * np.ravel(u)), size, count)
