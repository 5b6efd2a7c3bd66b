"""What a perfect generator scores by the mode rules, exactly, where the target's modes lie far apart.

Then each of n points falls near mode k with probability w_k q and belongs to it without being good with probability
w_k (1 - q), q = `ModeRule.quality`: everything follows from a multinomial law, without drawing a point.
"""

from collections.abc import Callable

import numpy as np
from scipy import special

from gantoys.maths.distributions import Mixture1D, Mixture2D
from gantoys.metrics.modes import ModeRule, placed_points, reverse_kl

Array = np.ndarray
_DRAWN = 200_000  # points drawn at a time
_APART = 12.0  # in standard deviations of the widest mode: of a billion points 2 K are nearer to another mode's centre
_REACH = 12.0  # standard deviations of a count that are summed over: the rest is below 1e-30
_LEVELS = 65  # numbers of good points at which the floor is computed: between them it is straight to nine digits


def far_apart(mixture: Mixture1D | Mixture2D) -> bool:
    """Whether all centres are 12 standard deviations of the widest mode apart: the formulas here then hold to 1e-7."""
    centres = mixture.locs.reshape(len(mixture.weights), mixture.dim)
    if isinstance(mixture, Mixture1D):
        widest = float(np.max(mixture.scales))
    else:
        widest = float(np.max(np.linalg.svd(mixture.factors, compute_uv=False)))
    gaps = np.linalg.norm(centres[:, None] - centres[None, :], axis=-1)
    gaps[np.diag_indices(len(gaps))] = np.inf
    return bool(np.min(gaps) >= _APART * widest)


def reverse_kl_floor(n: int, weights: Array, quality: float = 1.0) -> float:
    """The mean reverse KL over modes of a perfect generator with n points: sampling alone, no fault of the generator.

    E sum_k (c_k/m) log(c_k / (m w_k)), m of the n points tallied (each with probability `quality`; at least one), c_k
    binomial (m, w_k): about (K - 1) / (2 n quality). Raises ValueError unless n >= 1 and 0 < quality <= 1.

    >>> round(reverse_kl_floor(2500, np.full(8, 1 / 8)), 6)
    0.001401
    """
    if n < 1 or not 0 < quality <= 1:
        raise ValueError(f"the floor needs n >= 1 and a quality in (0, 1], got {n} and {quality}")
    tallied, chance = _binomial(n, quality, least=1)
    if len(tallied) > _LEVELS:
        kept = np.unique(np.linspace(0, len(tallied) - 1, _LEVELS).round().astype(int))
        tallied, chance = tallied[kept], chance[kept]
    chance = chance / chance.sum()
    shares, repeats = np.unique(weights, return_counts=True)
    total = 0.0
    for m, weight in zip(tallied, chance, strict=True):
        for share, times in zip(shares, repeats, strict=True):
            if share > 0:
                count, p = _binomial(int(m), float(share), least=1)
                total += weight * times * float(np.sum(p * (count / m) * np.log(count / (m * share))))
    return float(total)


def _binomial(n: int, p: float, least: int) -> tuple[Array, Array]:
    """The counts from `least` on that are not all but impossible, and their probabilities."""
    middle, reach = n * p, _REACH * np.sqrt(n * p * (1 - p)) + 40
    count = np.arange(max(least, int(middle - reach)), min(n, int(middle + reach)) + 1)
    logs = special.gammaln(n + 1) - special.gammaln(count + 1) - special.gammaln(n - count + 1)
    return count, np.exp(logs + special.xlogy(count, p) + special.xlog1py(n - count, -p))


def modes_mean(n: int, mixture: Mixture1D | Mixture2D, rule: ModeRule) -> float:
    """The mean number of covered modes of a perfect generator: sum_k P(c_k >= need_k), c_k binomial (n, w_k q)."""
    p = mixture.weights * rule.quality(mixture.dim)
    need = np.ceil(rule.need(n, mixture.weights, mixture.dim))
    return float(np.sum(np.where(need > n, 0.0, special.bdtrc(np.minimum(need, n) - 1, n, p))))


def perfect_counts(
    n: int, mixture: Mixture1D | Mixture2D, rule: ModeRule, rng: np.random.Generator, draws: int
) -> Array:
    """How many of n points of a perfect generator are good, and how many only belong, to each mode: (draws, 2, K)."""
    q = rule.quality(mixture.dim)
    weights = mixture.weights / mixture.weights.sum()
    counts = rng.multinomial(n, np.concatenate([weights * q, weights * (1 - q)]), size=draws)
    return counts.reshape(draws, 2, -1)


def seen_counts(
    n: int,
    mixture: Mixture1D | Mixture2D,
    rule: ModeRule,
    draw: Callable[[int], Array],
    seen: int,
    rng: np.random.Generator,
    draws: int,
) -> Array:
    """The same for any generator, draw(m) -> m points: its chances are told by `seen` points.

    What so many leave open about the chances is drawn too (by Dirichlet's law), so that a band of the counts is no
    narrower than what fresh points do.
    """
    k = len(mixture.weights)
    tally = np.zeros(2 * k + 1, int)
    for start in range(0, seen, _DRAWN):
        x = draw(min(_DRAWN, seen - start)).reshape(-1, mixture.dim)
        nearest, good, placed = placed_points(x, mixture, rule)
        tally[:k] += np.bincount(nearest[good], minlength=k)
        tally[k : 2 * k] += np.bincount(nearest[placed & ~good], minlength=k)
    tally[-1] = seen - tally.sum()
    met = tally > 0
    counts = np.zeros((draws, len(tally)), int)
    counts[:, met] = rng.multinomial(n, rng.dirichlet(tally[met], draws))
    return counts[:, :-1].reshape(draws, 2, k)


def reports_of(n: int, counts: Array, mixture: Mixture1D | Mixture2D, rule: ModeRule) -> dict[str, Array]:
    """Modes, high-quality share and reverse KL of each draw of counts (draws, 2, K) of n points, shape (draws,)."""
    good, belongs = counts[:, 0], counts.sum(axis=1)
    return {
        "modes": np.sum(good >= rule.need(n, mixture.weights, mixture.dim), axis=1).astype(float),
        "high_quality": good.sum(axis=1) / n,
        "reverse_kl": reverse_kl(good if rule.histogram == "good" else belongs, mixture.weights),
    }
