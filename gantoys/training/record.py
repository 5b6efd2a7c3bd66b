"""What a frame of a film holds, and how it is taken from a game.

Looking changes nothing: pictures have random numbers of their own, and no tensor of the game is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gantoys.maths.losses import LOSSES, log_ratio
from gantoys.metrics.histogram import js as estimated_js
from gantoys.metrics.histogram import rarity_of
from gantoys.runs.config import Target, TrainConfig
from gantoys.runs.film_file import ARROWS, MESH, MESH_LINE, seen_count
from gantoys.runs.moments import MOMENTS
from gantoys.training import line
from gantoys.training.batches import PICTURES, entropy, torch_generator
from gantoys.training.closed_form import ClosedForm
from gantoys.training.fixed_law import FixedLaw
from gantoys.training.game import Game, Moment
from gantoys.training.layers import pack
from gantoys.training.reference import Reference
from gantoys.training.stability import spectrum

ROOM = 1.15  # side of the picture, in sides of the target's own box
MESH_REACH = 2.0  # the noise grid ends at so many standard deviations
Array = np.ndarray


@dataclass(frozen=True)
class Frame:
    """One picture of a run: `arrays` has an entry for every field of `gantoys.runs.film_file.frame_fields`."""

    step: int
    arrays: Mapping[str, Any]


@dataclass(frozen=True)
class View:
    """What stays the same in all pictures of one seed's run; a function of the config alone.

    real (n, d): real points. noise (n, noise_dim): what generated points are made of. grid_x (g,), grid_y (g,) or, on
    the line, empty: where D is looked at. real_mass (g + 2,): p_data left of the cells, in each, and right of them, on
    the line only.
    """

    real: Array
    noise: Tensor
    grid_x: Array
    grid_y: Array
    real_mass: Array

    @classmethod
    def of(cls, config: TrainConfig, member: int = 0) -> View:
        """The view of a config's seed number `member`."""
        target = config.target()
        real, noise = _drawn(config, config.shown, config.seed + member, 0)
        low, high = _room(np.asarray(target.box, float))
        if (law := config.fake()) is not None:
            ends = _room(np.asarray(law.box, float))
            low, high = np.minimum(low, ends[0]), np.maximum(high, ends[1])
        if config.dim == 2:
            axes = [np.linspace(a, b, config.grid) for a, b in zip(low, high, strict=True)]
            return cls(real, noise, axes[0], axes[1], np.empty(0))
        edges = np.linspace(low[0], high[0], 4 * config.grid + 2)
        return cls(real, noise, (edges[1:] + edges[:-1]) / 2, np.empty(0), _mass_of(target, edges))

    @property
    def edges(self) -> Array:
        """Of the cells on the line, (g + 1,)."""
        half = (self.grid_x[1] - self.grid_x[0]) / 2
        return np.append(self.grid_x - half, self.grid_x[-1] + half)

    def points(self) -> Array:
        """Where D is looked at, one point a row: row by row in the plane."""
        if not len(self.grid_y):
            return self.grid_x[:, None]
        x, y = np.meshgrid(self.grid_x, self.grid_y)
        return np.stack([x.ravel(), y.ravel()], 1)

    def statics(self) -> dict[str, Array]:
        """The arrays that the film holds once."""
        if len(self.grid_y):
            return {"real": self.real, "grid_x": self.grid_x, "grid_y": self.grid_y}
        density = self.real_mass[1:-1] / (self.grid_x[1] - self.grid_x[0])
        return {"real": self.real, "grid_x": self.grid_x, "density_real": density}


def _drawn(config: TrainConfig, n: int, seed: int, use: int) -> tuple[Array, Tensor]:
    """n real points (n, d) and noise for as many generated ones (n, noise_dim), others for each use."""
    rng = np.random.default_rng(entropy(seed, 0, PICTURES, 2 * use))
    generator = torch_generator(entropy(seed, 0, PICTURES, 2 * use + 1))
    shape, uniform = (n, config.noise_dim), config.noise == "uniform"
    noise = torch.rand(shape, generator=generator) * 2 - 1 if uniform else torch.randn(shape, generator=generator)
    return config.target().sample(n, rng).reshape(n, -1), noise


def _mass_of(target: Target, edges: Array) -> Array:
    return line.target_mass(target, edges)


def _room(box: Array) -> tuple[Array, Array]:
    """The box with some room around it: points that miss the target should be seen to miss it."""
    low, high = box[0::2], box[1::2]
    centre, half = (low + high) / 2, (high - low) / 2 * ROOM
    return centre - half, centre + half


def mesh(config: TrainConfig) -> Array:
    """The fixed grid of noise whose images the film keeps, (169, noise_dim) in the plane, (129, noise_dim) on the line.

    The first two noise numbers run over it (the first alone on the line, or where there is only one), the rest are 0.
    """
    reach = 1.0 if config.noise == "uniform" else MESH_REACH
    count = MESH_LINE if config.dim == 1 else MESH * MESH
    z = np.zeros((count, config.noise_dim))
    if config.dim == 1 or config.noise_dim == 1:
        z[:, 0] = np.linspace(-reach, reach, count)
    else:
        axis = np.linspace(-reach, reach, MESH)
        z[:, 0], z[:, 1] = (a.ravel() for a in np.meshgrid(axis, axis))
    return z


class Recorder:
    """Takes pictures of a game: one frame for each of its seeds."""

    def __init__(self, game: Game) -> None:
        self.game, c = game, game.config
        self.views = [View.of(c, member) for member in game.members]
        like, seeds = game.g.theta, len(game.members)

        def tensor(x: Any) -> Tensor:
            return torch.as_tensor(np.asarray(x)).to(like)

        self.noise = torch.stack([v.noise for v in self.views]).to(like)
        self.real = tensor([v.real for v in self.views])
        self.grid = tensor(self.views[0].points()).expand(seeds, -1, -1).repeat(1, 1, c.pac)
        self.mesh = tensor(mesh(c)).expand(seeds, -1, -1)
        self.even = c.shown - c.shown % c.pac  # as many points as make whole packs
        self.arrows = min(ARROWS, c.shown)
        self.compares = c.minibatch_kernels > 0 or c.minibatch_std
        if self.compares:
            # points that are not in the picture: one that is compared with itself has a kink there
            company = [_drawn(c, c.batch, c.seed + member, 1) for member in game.members]
            self.company_real = pack(tensor([real for real, _ in company]), c.pac)
            self.company_noise = torch.stack([noise for _, noise in company]).to(like)
        if c.dim == 2:
            self.rarity = [rarity_of(c.target(), view.real) for view in self.views]
            self.rare_real = [rare(view.real, True) for rare, view in zip(self.rarity, self.views, strict=True)]
        edges = self.views[0].edges if c.dim == 1 else None
        self.law = FixedLaw(game, self.real, edges) if c.fake_law else None
        if c.dim == 1 and self.law is None:
            z, self.mass = line.nodes(c.noise, c.noise_dim)
            self.nodes = tensor(z).expand(seeds, -1, -1)

    def frames(self, gradients: bool = True, moment: Moment | None = None) -> tuple[Frame, ...]:
        """The picture of each seed now. gradients: whether moves have been made whose gradients can be told. moment:
        what happens, in slow motion; none is a whole picture."""
        with torch.no_grad():
            taken = self._taken()
        game, found = self.game, []
        norms = {"grad_d": game.d.gradient_norms(), "grad_g": game.g.gradient_norms()}
        taken |= {k: (v if gradients else torch.zeros_like(v)) for k, v in norms.items()}
        taken["arrows"] = self._arrows(taken["samples"])
        if self.law is not None:
            taken["slopes"] = self.law.slopes()
        if game.config.slow is not None:
            taken |= self._seen(moment)
        told = {k: v.cpu().numpy() for k, v in taken.items()}
        for i, view in enumerate(self.views):
            own = {k: v[i] for k, v in told.items()}
            arrays = self._judged(own, view)
            if game.config.eigenvalues:
                told_own, told_step = spectrum(game, game.config.eigenvalues, i)
                arrays |= {"eigenvalues": told_own, "step_eigenvalues": told_step}
            if game.config.dim == 2:
                arrays["js"] = self._js(i, own["samples"])
            found.append(Frame(game.taken, {"step": game.taken, **arrays}))
        return tuple(found)

    def _seen(self, moment: Moment | None) -> dict[str, Tensor]:
        """What D looks at in a moment, and what it says: (S, ...) each."""
        c, like, seeds = self.game.config, self.game.g.theta, len(self.game.members)
        count = seen_count(c)
        out = {
            "moment": like.new_full((seeds,), 0 if moment is None else MOMENTS.index(moment.what)),
            "seen": like.new_zeros(seeds, count, c.dim),
            "said": like.new_zeros(seeds, count),
            "told": like.new_zeros(seeds),
        }
        if moment is not None and moment.points is not None and moment.logits is not None:
            said = moment.logits.squeeze(-1)
            out["seen"] = moment.points[:, :count]
            out["said"] = said.repeat_interleave(c.pac, 1)[:, :count]
            ratio = log_ratio(LOSSES[self.game.now.loss], said.cpu().numpy().astype(float))
            out["told"] = torch.sigmoid(said.double() if ratio is None else torch.from_numpy(ratio)).mean(1)
        return out

    def _taken(self) -> dict[str, Tensor]:
        """What the networks say: (S, ...) each."""
        game, c = self.game, self.game.config
        samples = game.generated(self.noise) if self.law is None else self.law.samples
        real, fake = pack(self.real[:, : self.even], c.pac), pack(samples[:, : self.even], c.pac)
        if self.compares:
            beside_real, beside_fake = self._beside()
            said = [game.d(real, beside=beside_real)[0]]
            said += [game.d(x, beside=beside_fake)[0] for x in (fake, self.grid)]
        else:
            together = torch.cat([real, fake, self.grid], 1)
            said = list(game.d(together)[0].split([real.shape[1], fake.shape[1], self.grid.shape[1]], 1))
        out = {
            "samples": samples,
            "a_real": said[0],
            "a_fake": said[1],
            "logits": said[2].squeeze(-1),
        }
        if self.law is not None:
            return out
        out["mesh"] = game.generated(self.mesh)
        return out | ({"nodes": game.generated(self.nodes).squeeze(-1)} if c.dim == 1 else {})

    @torch.no_grad()
    def _beside(self) -> tuple[Tensor, Tensor]:
        """The last hidden layer of the packs with which D compares: it has learned within batches of that size."""
        fake = pack(self.game.generated(self.company_noise), self.game.config.pac)
        return self.game.d(self.company_real)[1], self.game.d(fake)[1]

    def _arrows(self, samples: Tensor) -> Tensor:
        """-dL_G/dx at the first generated points, (S, a, d), for the mean loss of one pack."""
        game, c = self.game, self.game.config
        if isinstance(game.passes, ClosedForm):
            count = self.arrows - self.arrows % c.pac
            arrows = torch.zeros_like(samples[:, : self.arrows])
            with torch.no_grad():
                arrows[:, :count] = game.passes.arrows(game.now, samples[:, :count], self.real[:, :count])
            return arrows
        # the players' numbers may have been made where autograd must not look: copies of them were not
        with torch.inference_mode(False), torch.enable_grad():
            count = self.arrows - self.arrows % c.pac
            x, psi = samples[:, :count].clone().requires_grad_(True), game.d.theta.clone()
            told = Reference(c, game.g, game.d)
            real, beside = pack(self.real[:, :count].clone(), c.pac), None
            if self.compares:
                beside = self._beside()
            loss = told.loss_g(game.now, psi, real, pack(x, c.pac), beside=beside)
            (slope,) = torch.autograd.grad(loss, x)
        arrows = torch.zeros_like(samples[:, : self.arrows])
        arrows[:, :count] = -slope * (count // c.pac)
        return arrows

    def _judged(self, own: dict[str, Array], view: View) -> dict[str, Any]:
        """The arrays of one seed's frame."""
        c, loss = self.game.config, LOSSES[self.game.now.loss]
        a_real, a_fake = own.pop("a_real").astype(float), own.pop("a_fake").astype(float)
        # a critic that does not tell log p/q is read as if it did: its pictures and V are named so
        ratio = [a if (r := log_ratio(loss, a)) is None else r for a in (a_real, a_fake)]
        with np.errstate(over="ignore", invalid="ignore"):
            arrays = {
                **own,
                "loss_d": np.mean(loss.discriminator_loss(a_real, a_fake)),
                "loss_g": np.mean(loss.generator_loss(a_real, a_fake)),
                "d_real": np.mean(_sigmoid(ratio[0])),
                "d_fake": np.mean(_sigmoid(ratio[1])),
            }
            if c.dim == 1:
                fixed = self.law.mass if self.law is not None else None
                mass = fixed if fixed is not None else line.pushed(arrays.pop("nodes"), self.mass, view.edges)
                arrays["density"] = mass[1:-1] / (view.grid_x[1] - view.grid_x[0])
                arrays["js"] = line.js(view.real_mass, mass)
                over = log_ratio(loss, own["logits"])
                arrays["value"] = line.value(view.real_mass, mass, own["logits"] if over is None else over)
                return arrays
            arrays["logits"] = own["logits"].reshape(c.grid, c.grid)
            if self.law is None:
                arrays["mesh"] = own["mesh"].reshape(MESH, MESH, 2)
            arrays["value"] = -np.mean(np.logaddexp(0, -ratio[0])) - np.mean(np.logaddexp(0, ratio[1]))
        return arrays

    def _js(self, i: int, samples: Array) -> float:
        """The JS divergence as the points of seed `i` in the picture tell it; NaN for points that are not finite."""
        if not np.all(np.isfinite(samples)):
            return float("nan")
        rarity = self.rare_real[i], self.rarity[i](samples.astype(float), False)
        return estimated_js(self.views[i].real, samples, rarity=rarity)


def _sigmoid(a: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * np.asarray(a, float))
