"""What a frame of a film holds, and how it is taken from a game.

Looking changes nothing: pictures have random numbers of their own, and no tensor of the game is written, but for the
statistics of batch normalisation, which no move uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gantoys.maths.distributions import Mixture1D, Mixture2D
from gantoys.maths.losses import LOSSES, log_ratio
from gantoys.metrics.jensen_shannon import LEAST_POINTS, JSBound, js_exact
from gantoys.runs.config import TrainConfig
from gantoys.runs.film_file import (
    ARROWS,
    ERRORS,
    JUDGED,
    MESH,
    MESH_LINE,
    OUTER,
    POPULATION,
    line_cells,
    seen_count,
)
from gantoys.runs.moments import MOMENTS
from gantoys.training import line
from gantoys.training.batches import PICTURES, entropy, noise_of, torch_generator
from gantoys.training.cells import native_cells
from gantoys.training.closed_form import ClosedForm
from gantoys.training.fixed_law import FixedLaw
from gantoys.training.game import Game, Moment
from gantoys.training.layers import pack
from gantoys.training.objectives import Objectives
from gantoys.training.reference import Reference
from gantoys.training.stability import spectrum

ROOM = 1.15  # side of the picture, in sides of the target's own box
WIDER = 1.12  # of a cell beyond that room, on the line, to the one before it
MESH_REACH = 2.0  # the noise grid ends at so many standard deviations
_SHOWN, _COMPANY, _MORE = range(3)  # what the pictures' random numbers are for; `objectives` has two more
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
    the line, empty: where D is looked at. edges (g + 1,): of the cells on the line. real_mass (g + 2,): p_data left of
    the cells, in each, and right of them, on the line only.
    """

    real: Array
    noise: Tensor
    grid_x: Array
    grid_y: Array
    edges: Array
    real_mass: Array

    @classmethod
    def of(cls, config: TrainConfig, member: int = 0) -> View:
        """The view of a config's seed number `member`."""
        target = config.target()
        real, noise = _drawn(config, config.shown, config.seed + member, _SHOWN)
        low, high = _room(np.asarray(target.box, float))
        if (law := config.fake()) is not None:
            ends = _room(np.asarray(law.box, float))
            low, high = np.minimum(low, ends[0]), np.maximum(high, ends[1])
        if config.dim == 2:
            axes = [np.linspace(a, b, config.grid) for a, b in zip(low, high, strict=True)]
            return cls(real, noise, axes[0], axes[1], np.empty(0), np.empty(0))
        edges = _edges(low[0], high[0], 4 * config.grid + 1)
        if len(edges) > line_cells(config) + 1:
            edges = edges[OUTER:-OUTER]
        return cls(real, noise, (edges[1:] + edges[:-1]) / 2, np.empty(0), edges, line.target_mass(target, edges))

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
        density = self.real_mass[1:-1] / np.diff(self.edges)
        return {"real": self.real, "edges": self.edges, "density_real": density}


def _edges(low: float, high: float, cells: int) -> Array:
    """Of `cells` equal cells from low to high, and OUTER ever wider ones on either side: p_G may leave the room."""
    inner = np.linspace(low, high, cells + 1)
    out = np.cumsum((inner[1] - inner[0]) * WIDER ** np.arange(1, OUTER + 1))
    return np.concatenate([low - out[::-1], inner, high + out])


def _drawn(config: TrainConfig, n: int, seed: int, use: int) -> tuple[Array, Tensor]:
    """n real points (n, d) and noise for as many generated ones (n, noise_dim), others for each use."""
    rng = np.random.default_rng(entropy(seed, 0, PICTURES, 2 * use))
    generator = torch_generator(entropy(seed, 0, PICTURES, 2 * use + 1))
    noise = noise_of(config, n, generator)
    return config.target().sample(n, rng).reshape(n, -1), noise


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

        target, fake = c.target(), c.fake()
        # with one noise number, or none, p_G has a distribution function on the line
        self.line = LineJudge(target) if c.exact and isinstance(target, Mixture1D) else None
        judged = max(JUDGED, c.shown)
        more = [
            _drawn(c, (judged if self.line else max(POPULATION, judged)) - c.shown, c.seed + member, _MORE)
            for member in game.members
        ]
        self.noise = torch.cat(
            [torch.stack([v.noise for v in self.views]), torch.stack([noise for _, noise in more])], 1
        ).to(like)
        real = np.stack([np.concatenate([v.real, x]) for v, (x, _) in zip(self.views, more, strict=True)])
        self.real = tensor(real)
        self.grid = tensor(self.views[0].points()).expand(seeds, -1, -1).repeat(1, 1, c.pac)
        self.mesh = tensor(mesh(c)).expand(seeds, -1, -1)
        self.judged = judged - judged % c.pac  # as many points as make whole packs
        self.arrows = min(ARROWS, c.shown)
        self.compares = c.minibatch_kernels > 0 or c.minibatch_std
        if self.compares:
            # points that are not in the picture: one that is compared with itself has a kink there
            company = [_drawn(c, c.batch, c.seed + member, _COMPANY) for member in game.members]
            self.company_real = pack(tensor([real for real, _ in company]), c.pac)
            self.company_noise = torch.stack([noise for _, noise in company]).to(like)
        beside = self._beside if self.compares else None
        self.objectives = Objectives(game, self.real[:, : self.judged], self.noise[:, : self.judged], beside)
        edges = self.views[0].edges if c.dim == 1 else None
        self.law = FixedLaw(game, self.real, edges) if c.fake_law else None
        if c.dim == 1 and self.law is None:
            z, self.mass = line.nodes(c.noise, c.noise_dim)
            self.nodes = tensor(z).expand(seeds, -1, -1)
        if self.line is not None:
            self.own = tensor(self.line.own.x.reshape(-1, 1)).expand(seeds, -1, -1)
            if isinstance(fake, Mixture1D):
                self.theirs = line.Nodes.of(fake)
                self.nodes = tensor(self.theirs.x.reshape(-1, 1)).expand(seeds, -1, -1)
                self.apart = js_exact(self.line.target, fake)
        else:
            density = target.log_density if isinstance(target, Mixture1D | Mixture2D) else None
            self.bounds = [_bound(x, density) for x in real]

    def frames(self, gradients: bool = True, moment: Moment | None = None) -> tuple[Frame, ...]:
        """The picture of each seed now. gradients: whether moves have been made whose gradients can be told. moment:
        what happens, in slow motion; none is a whole picture."""
        game, found = self.game, []
        game.settle()
        with torch.no_grad():
            taken = self._taken()
        population, shown = taken["samples"], game.config.shown
        taken["samples"] = population[:, :shown].contiguous()
        norms = {"grad_d": game.d.gradient_norms(), "grad_g": game.g.gradient_norms()}
        taken |= {k: (v if gradients else torch.zeros_like(v)) for k, v in norms.items()}
        taken["arrows"] = self._arrows(taken["samples"])
        if self.objectives.more_than_the_loss():
            taken["terms_d"], taken["terms_g"] = self.objectives(population[:, : self.judged])
        if self.law is not None:
            taken["slopes"] = self.law.slopes()
        if game.config.slow is not None:
            taken |= self._seen(moment)
        told = {k: v.cpu().numpy() for k, v in taken.items()}
        everyone = population.cpu().numpy()
        for i, view in enumerate(self.views):
            arrays = self._judged(i, {k: v[i] for k, v in told.items()}, view, everyone[i])
            if game.config.eigenvalues:
                told_own, told_step = spectrum(game, game.config.eigenvalues, i)
                arrays |= {"eigenvalues": told_own, "step_eigenvalues": told_step}
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
            out["told"] = said.double().mean(1) if ratio is None else torch.sigmoid(torch.from_numpy(ratio)).mean(1)
        return out

    def _taken(self) -> dict[str, Tensor]:
        """What the networks say: (S, ...) each."""
        game, c = self.game, self.game.config
        samples = game.generated(self.noise) if self.law is None else self.law.samples
        real, fake = pack(self.real[:, : self.judged], c.pac), pack(samples[:, : self.judged], c.pac)
        out = {"samples": samples}
        if self.law is None:
            out["mesh"] = game.generated(self.mesh)
            if c.dim == 1:
                out["nodes"] = game.generated(self.nodes)
        if self.compares:
            beside_real, beside_fake = self._beside()
            said = [game.d(real, beside=beside_real)[0]]
            said += [game.d(x, beside=beside_fake)[0] for x in (fake, self.grid)]
        else:
            parts = [real, fake, self.grid]
            if self.line is not None and self._one_by_one():
                parts += [self.own, self.nodes if self.law is not None else out["nodes"][:, ::2]]
            said = list(game.d.values(torch.cat(parts, 1)).split([x.shape[1] for x in parts], 1))
        names = ("a_real", "a_fake", "logits", "a_own", "a_nodes")
        return out | {name: x.squeeze(-1) for name, x in zip(names, said, strict=False)}

    def _one_by_one(self) -> bool:
        """Whether D's value is a mean over single points of either kind."""
        return self.game.config.pac == 1 and not self.compares and not LOSSES[self.game.now.loss].paired

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

    # --- figures

    def _judged(self, i: int, own: dict[str, Array], view: View, population: Array) -> dict[str, Any]:
        """The arrays of one seed's frame."""
        c, loss = self.game.config, LOSSES[self.game.now.loss]
        said = {k: own.pop(k).astype(float) for k in ("a_real", "a_fake", "a_own", "a_nodes") if k in own}
        a_real, a_fake = said["a_real"], said["a_fake"]
        ratio = [log_ratio(loss, a) for a in (a_real, a_fake)]
        terms_d, terms_g = own.pop("terms_d", None), own.pop("terms_g", None)
        with np.errstate(over="ignore", invalid="ignore"):
            if terms_d is None or terms_g is None:
                terms_d, terms_g = loss.discriminator_loss(a_real, a_fake), loss.generator_loss(a_real, a_fake)
            if ratio[0] is None or ratio[1] is None:
                worth = -np.asarray(loss.discriminator_loss(a_real, a_fake))
                seen = a_real, a_fake
            else:
                worth = -np.logaddexp(0, -ratio[0]) - np.logaddexp(0, ratio[1])
                seen = _sigmoid(ratio[0]), _sigmoid(ratio[1])
            arrays: dict[str, Any] = {
                **own,
                "loss_d": np.mean(terms_d), "loss_g": np.mean(terms_g), "value": np.mean(worth),
                "d_real": np.mean(seen[0]), "d_fake": np.mean(seen[1]),
            }  # fmt: skip
            errors = {"loss_d": _error(terms_d), "loss_g": _error(terms_g), "value": _error(worth)}
            if c.dim == 1:
                arrays["density"] = self._density(arrays, view)
            else:
                arrays["logits"] = own["logits"].reshape(c.grid, c.grid)
                if self.law is None:
                    arrays["mesh"] = own["mesh"].reshape(MESH, MESH, 2)
            if self.line is not None:
                arrays["js"] = self.apart if self.law is not None else self._exact_js(arrays["nodes"])
                errors["js"] = 0.0
                if "a_own" in said:
                    arrays["value"], errors["value"] = self._value(said["a_own"], said["a_nodes"]), 0.0
            else:
                arrays["js"], errors["js"] = self._js(i, population)
        arrays.pop("nodes", None)
        return arrays | {"errors": np.array([errors[name] for name in ERRORS])}

    def _density(self, arrays: Mapping[str, Any], view: View) -> Array:
        """p_G averaged over the cells on the line."""
        if self.law is not None:
            assert self.law.mass is not None
            mass = self.law.mass
        else:
            mass = line.pushed(arrays["nodes"][:, 0], self.mass, view.edges)
        return np.asarray(mass[1:-1] / np.diff(view.edges))

    def _exact_js(self, nodes: Array) -> float:
        """JS on the line, from G at the nodes of its noise (n, 1)."""
        assert self.line is not None and self.mass is not None
        return line.js(self.line.target, self.line.own, nodes[:, 0].astype(float), self.mass)

    def _value(self, own: Array, nodes: Array) -> float:
        """What D maximises, in the mean over both distributions on the line: from its logits at their nodes."""
        assert self.line is not None
        loss = LOSSES[self.game.now.loss]
        real, fake = log_ratio(loss, own), log_ratio(loss, nodes)
        if real is None or fake is None:
            on_real, on_fake = -np.asarray(loss.real(own)), -np.asarray(loss.fake(nodes))
        else:
            on_real, on_fake = -np.logaddexp(0, -real), -np.logaddexp(0, fake)
        value = self.line.own.mean(on_real.reshape(self.line.own.x.shape))
        if self.law is not None:
            return value + self.theirs.mean(on_fake.reshape(self.theirs.x.shape))
        assert self.mass is not None
        pairs = self.mass.reshape(-1, 2).sum(1)  # D looks at every second node
        return value + float(pairs @ (on_fake[1:] + on_fake[:-1]) / 2)

    def _js(self, i: int, population: Array) -> tuple[float, float]:
        """The bound of JS by the generated points of seed `i`, and its standard error; NaN for points that are not
        finite."""
        if not np.all(np.isfinite(population)):
            return float("nan"), float("nan")
        judge = self.bounds[i]
        if judge is None:
            return 0.0, 0.0
        bound = judge(population)
        return bound.least, bound.error


@dataclass(frozen=True)
class LineJudge:
    """A target with a distribution function on the line, and its nodes."""

    target: Mixture1D

    @cached_property
    def own(self) -> line.Nodes:
        """The nodes of the target."""
        return line.Nodes.of(self.target)


def _bound(real: Array, density: Any) -> JSBound | None:
    """JS bounded for these real points; None where they are too few."""
    # points that somebody gave are drawn again and again: each counts once
    real = real if density is not None else np.unique(real, axis=0)
    if density is not None and real.shape[1] == 1:
        of_line = density
        density = lambda x: of_line(x[:, 0])  # noqa: E731
    return JSBound(real, density, native_cells()) if len(real) >= LEAST_POINTS else None


def _error(terms: Any) -> float:
    """The standard error of the mean of `terms`."""
    return float(np.std(terms, ddof=1) / np.sqrt(len(terms)))


def _sigmoid(a: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * np.asarray(a, float))
