"""Layers and remedies of the two networks as pure functions, and the table of first weights.

Every tensor has a leading axis of S seeds, which never meet: what comes out for one seed depends on that seed alone.
n: points of a batch. The functions keep nothing and draw nothing, take dtype and device from their arguments, and
autograd goes through them twice, as a gradient penalty and unrolling need.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional, init

DEVIATION_EPS = 1e-8  # under the root, as in the code of Karras et al.; it bends the root where points coincide
NORM_EPS = 1e-12  # the least length by which a vector is divided, torch's own for spectral norm
BATCH_EPS = 1e-5  # torch's own for batch normalisation


def _three_axes(x: Tensor, what: str) -> None:
    if x.ndim != 3:
        raise ValueError(f"{what} needs the three axes (seeds, points, numbers), and got the shape {tuple(x.shape)}.")


def _moments(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """x less its mean over the batch, the mean, and the variance about it with 1/n."""
    # torch.var_mean over an axis that is not the last takes several times as long.
    mean = x.mean(1, keepdim=True)
    centred = x - mean
    return centred, mean, centred.square().mean(1, keepdim=True)


def maxout(x: Tensor, pieces: int) -> Tensor:
    """The largest of its `pieces` linear pieces, unit by unit: y_j = max_k x_(k width + j).

    x: (S, n, width * pieces), all units' first pieces, then all second ones; returns (S, n, width). Where pieces are
    equal they share the slope. Raises ValueError if `pieces` does not divide the last axis.
    Goodfellow, Warde-Farley, Mirza, Courville & Bengio 2013, Maxout networks, section 2.

    >>> maxout(torch.tensor([[[1.0, 5.0, 3.0, 4.0]]]), 2)
    tensor([[[3., 5.]]])
    """
    _three_axes(x, "maxout")
    if pieces < 1 or x.shape[-1] % pieces:
        raise ValueError(f"maxout cannot deal {x.shape[-1]} numbers to units of {pieces} pieces without a rest.")
    # Pieces outside, units inside: five times as fast as units of neighbouring pieces.
    return x.unflatten(-1, (pieces, x.shape[-1] // pieces)).amax(-2)


class _PairDistances(torch.autograd.Function):
    """|m_i - m_j|_1 for all pairs: (..., n, C) -> (..., n, n), with slope 0 where two numbers are equal.

    Left to autograd the differences take C times the memory and two to four times the time; and the slope of
    torch.cdist has no slope itself, which unrolling needs. This one has: it is made of plain operations.
    """

    @staticmethod
    def forward(ctx: Any, m: Tensor) -> Tensor:
        ctx.save_for_backward(m)
        return torch.cdist(m, m, p=1.0)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        (m,), (slope,) = ctx.saved_tensors, slopes
        both = slope + slope.mT  # m_i stands in row i and in column i
        columns = [((c.unsqueeze(-1) - c.unsqueeze(-2)).sign() * both).sum(-1) for c in m.unbind(-1)]
        return torch.stack(columns, -1)


def minibatch_discrimination(f: Tensor, t: Tensor, kernels: int, others: Tensor | None = None) -> Tensor:
    """How close each point is to all points of its batch, itself included, as B = `kernels` learned kernels see it.

    M_i = f_i T, a matrix of B rows of length C; o(x_i)_b = sum_j exp(-|M_ib - M_jb|_1), between 1 and n.

    f: (S, n, A) features; t: (S, A, B * C), row b of M_i in the columns b C to (b + 1) C; returns (S, n, B), which the
    caller sets beside f. others (S, m, A): the sum runs over these points instead, to look at a point as part of a
    batch that it is not in. It takes memory for S n^2 B numbers. Raises ValueError for other shapes.

    Salimans et al. 2016, Improved techniques for training GANs, section 3.2. The authors' code differs: its sum leaves
    out j = i and so is smaller by 1, a learned bias is added that starts at -1, and each column of T is a direction
    times a learned length. None of this changes which D there can be, as the next layer has a bias and T is free.
    """
    _three_axes(f, "minibatch_discrimination")
    _three_axes(t, "minibatch_discrimination's matrix")
    if f.shape[0] != t.shape[0] or f.shape[2] != t.shape[1]:
        raise ValueError(
            f"features of shape {tuple(f.shape)} do not go with a matrix of shape {tuple(t.shape)}: "
            "seeds and features must be as many."
        )
    if kernels < 1 or t.shape[2] % kernels:
        raise ValueError(f"{t.shape[2]} columns cannot be dealt to {kernels} kernels without a rest.")
    m = _rows(f, t, kernels)
    distances = _PairDistances.apply(m) if others is None else torch.cdist(m, _rows(others, t, kernels), p=1.0)
    return torch.exp(-distances).sum(-1).mT


def _rows(f: Tensor, t: Tensor, kernels: int) -> Tensor:
    """M_i by kernel, (S, B, n, C)."""
    return torch.bmm(f, t).unflatten(2, (kernels, -1)).transpose(1, 2).contiguous()


def minibatch_deviation(f: Tensor) -> Tensor:
    """How much the points of a batch differ: the mean over the features of their standard deviation over the batch.

    s = (1/A) sum_a sqrt(var_a + 1e-8), var_a = (1/n) sum_i (f_ia - mean_a)^2; the same number for every point.

    f: (S, n, A); returns (S, n, 1), at least 1e-4: the 1e-8 keeps slope and curvature finite where all points coincide.
    Karras, Aila, Laine & Lehtinen 2018, section 3, with the whole batch as one group; 1e-8 is from their code.
    """
    _three_axes(f, "minibatch_deviation")
    _, _, variance = _moments(f)
    return (variance + DEVIATION_EPS).sqrt().mean(-1, keepdim=True).expand(-1, f.shape[1], -1)


def _through(row: Tensor, w: Tensor) -> Tensor:
    """The direction of row W, for rows (S, 1, i)."""
    return functional.normalize(torch.bmm(row, w), dim=-1, eps=NORM_EPS)


def spectral_normalised(w: Tensor, u: Tensor, steps: int = 1) -> tuple[Tensor, Tensor]:
    """W divided by its largest singular value, which `steps` steps of the power method estimate from u.

    v = W^T u / |W^T u|, u = W v / |W v|, then sigma = u^T W v, never above the true value; returns W / sigma and the
    new u. Gradients flow through W, in sigma too, but not through u and v: for a G arriving at W / sigma, W feels
    (G - <G, W/sigma> u v^T) / sigma.

    w: (S, inputs, outputs); u: (S, inputs), not 0, kept by the caller from call to call; steps >= 0, where 0 finds v
    for the u given and keeps u (to look, not to learn). W = 0 comes back as 0. Raises ValueError for other shapes.
    Miyato, Kataoka, Koyama & Yoshida 2018, algorithm 1, section 2.3. W is the transpose of theirs, so that their u
    and v are v and u here, and the step begins with the other one.
    """
    _three_axes(w, "spectral_normalised")
    if u.shape != w.shape[:2] or steps < 0:
        raise ValueError(
            f"spectral_normalised of matrices {tuple(w.shape)} needs u of shape {tuple(w.shape[:2])} and steps >= 0, "
            f"and got {tuple(u.shape)} and {steps}."
        )
    with torch.no_grad():
        row = functional.normalize(u.unsqueeze(1), dim=-1, eps=NORM_EPS)
        for _ in range(steps - 1):
            row = _through(_through(row, w), w.mT)
        column = _through(row, w)
        if steps:
            row = _through(column, w.mT)
    sigma = torch.bmm(torch.bmm(row, w), column.mT)
    return w / sigma.clamp_min(NORM_EPS), row.squeeze(1)


def _same_units(x: Tensor, *units: Tensor) -> None:
    shape = (x.shape[0], 1, x.shape[2])
    if any(a.shape != shape for a in units):
        got = ", ".join(str(tuple(a.shape)) for a in units)
        raise ValueError(f"batch_norm of {tuple(x.shape)} needs what belongs to its units of shape {shape}: got {got}.")


def batch_norm(x: Tensor, gamma: Tensor, beta: Tensor, eps: float = BATCH_EPS) -> tuple[Tensor, Tensor, Tensor]:
    """Each unit shifted and scaled to mean beta and deviation gamma over the batch; returns (y, mean, variance).

    y = gamma (x - mean) / sqrt(variance + eps) + beta with variance = (1/n) sum (x - mean)^2.

    x, y: (S, n, width); gamma, beta, mean, variance: (S, 1, width); eps > 0. mean and variance are part of the graph:
    detach them before they enter a running average. (Times n / (n - 1), the variance is the unbiased one that the paper
    averages.) Raises ValueError for other shapes. Ioffe & Szegedy 2015, algorithm 1.
    """
    _three_axes(x, "batch_norm")
    _same_units(x, gamma, beta)
    centred, mean, variance = _moments(x)
    return centred * (gamma * (variance + eps).rsqrt()) + beta, mean, variance


def batch_norm_fixed(
    x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor, eps: float = BATCH_EPS
) -> Tensor:
    """y = gamma (x - mean) / sqrt(variance + eps) + beta with a given mean and variance; so points do not meet.

    Shapes as in `batch_norm`; mean and variance are the caller's running averages. Raises ValueError for other shapes.
    Ioffe & Szegedy 2015, algorithm 2, step 11.
    """
    _three_axes(x, "batch_norm")
    _same_units(x, gamma, beta, mean, variance)
    return (x - mean) * (gamma * (variance + eps).rsqrt()) + beta


def ema(average: Tensor, value: Tensor, beta: float) -> Tensor:
    """The running average after one more value: beta average + (1 - beta) value, for 0 <= beta <= 1, of any shape.

    Begun at 0 it is too small by the factor 1 - beta^t after t values; begun at the first value it is not.
    Raises ValueError if the shapes differ. Yazıcı et al. 2019, The unusual effectiveness of averaging in GAN training.
    """
    if average.shape != value.shape:
        raise ValueError(f"an average of shape {tuple(average.shape)} cannot take in {tuple(value.shape)}.")
    return beta * average + (1 - beta) * value


def pack(x: Tensor, pac: int) -> Tensor:
    """Neighbouring points side by side, `pac` together, so that D judges them as one.

    x: (S, n, d); returns (S, n / pac, d pac), where pack i holds the points i pac to (i + 1) pac - 1 in their order.
    Raises ValueError if pac does not divide n. Lin, Khetan, Fanti & Oh 2018, PacGAN, section 2.
    """
    _three_axes(x, "pack")
    seeds, n, d = x.shape
    if pac < 1 or n % pac:
        raise ValueError(f"a batch of {n} cannot be packed by {pac} without a rest.")
    return x.reshape(seeds, n // pac, d * pac)


@dataclass(frozen=True)
class Init:
    """A law of the first weights of a layer y = x W + b, times `scale`; biases are 0 unless `biases` is set.

    draw(blank, inputs, generator) fills a tensor by the law at scale 1. Everything is drawn from `generator`, on its
    device; the global random state is neither read nor written.
    """

    key: str
    label: str
    formula: str
    reference: str
    draw: Callable[[Tensor, int, torch.Generator], Tensor]
    biases: bool = False

    def weight(
        self, inputs: int, outputs: int, scale: float, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """The first W of one layer of one seed, (inputs, outputs)."""
        blank = torch.empty(inputs, outputs, dtype=dtype, device=generator.device)
        return self.draw(blank, inputs, generator).mul_(scale)

    def bias(
        self, inputs: int, outputs: int, scale: float, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """The first b of one layer of one seed, (outputs,); draws nothing where biases are 0."""
        blank = torch.zeros(outputs, dtype=dtype, device=generator.device)
        return self.draw(blank, inputs, generator).mul_(scale) if self.biases else blank


INITS = {
    row.key: row
    for row in (
        Init(
            key="uniform",
            label="Uniform",
            formula=r"W_{ij},\,b_j\sim U\!\left(-\tfrac{s}{\sqrt{\text{in}}},\tfrac{s}{\sqrt{\text{in}}}\right)",
            reference="LeCun, Bottou, Orr & Müller 1998, section 4.6, by its order; torch's own rule for nn.Linear",
            draw=lambda w, inputs, rng: init.uniform_(w, -(inputs**-0.5), inputs**-0.5, generator=rng),
            biases=True,
        ),
        Init(
            key="normal",
            label="Normal",
            formula=r"W_{ij}\sim N(0,s^2)",
            reference="Radford, Metz & Chintala 2016, section 3, with s = 0.02",
            draw=lambda w, inputs, rng: init.normal_(w, generator=rng),
        ),
        Init(
            key="orthogonal",
            label="Orthogonal",
            formula=r"W=s\,Q,\quad Q^\top Q=I\ \text{or}\ QQ^\top=I,\ \text{uniform among these}",
            reference="Saxe, McClelland & Ganguli 2014, section 3; uniform by the signs of R: Mezzadri 2007",
            draw=lambda w, inputs, rng: init.orthogonal_(w, generator=rng),
        ),
        Init(
            key="glorot",
            label="Glorot, uniform",
            formula=r"W_{ij}\sim U(-a,a),\quad a=s\sqrt{6/(\text{in}+\text{out})}",
            reference="Glorot & Bengio 2010, eq. 16",
            draw=lambda w, inputs, rng: init.xavier_uniform_(w, generator=rng),
        ),
        Init(
            key="he",
            label="He, normal",
            formula=r"W_{ij}\sim N(0,2s^2/\text{in})",
            reference="He, Zhang, Ren & Sun 2015, eq. 10",
            # torch's weights are (outputs, inputs): what it calls the fan out are the inputs here.
            draw=lambda w, inputs, rng: init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu", generator=rng),
        ),
    )
}
