"""The two-player game of Goodfellow et al. 2014: V(D, G) = E_p log D + E_q log(1 - D), which D maximises, G minimises.

The best D is D*(x) = p / (p + q) (proposition 1) and V(D*, G) = -log 4 + 2 JS(p, q) (theorem 1). For any other D,
V(D, G) = -log 4 + 2 JS(p, q) - shortfall, the shortfall being E_p log(D*/D) + E_q log((1-D*)/(1-D)) >= 0: what D
leaves on the table.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from gantoys.maths.compare import Quantity, check_pair, divergences, joint_edges
from gantoys.maths.distributions import Distribution, Finite, Mixture1D, Mixture2D
from gantoys.maths.parameters import sweep_shape
from gantoys.maths.quadrature import integrate

Array = np.ndarray
LOG4 = float(np.log(4.0))


@dataclass(frozen=True)
class BestDiscriminator:
    """value: D*(x) in [0, 1]; logit: log p(x) - log q(x), from which it comes, +-inf where one density is zero."""

    value: Array
    logit: Array


def optimal_discriminator(p: Distribution, q: Distribution, x: Array | None = None) -> BestDiscriminator:
    """D* at the points x, or at every outcome of two finite distributions.

    Computed from logarithms, hence right 40 standard deviations out. Where both densities are zero every D is as good
    as any other; 1/2 is returned there. Shapes as in `log_density`.

    >>> from gantoys.maths.notation import parse
    >>> optimal_discriminator(parse("P(0.5,0.5)"), parse("P(0.7,0.3)")).value.round(4)
    array([0.4167, 0.625 ])
    """
    check_pair(p, q)
    if isinstance(p, Finite) and isinstance(q, Finite):
        lp, lq = p.log_probabilities, q.log_probabilities
    else:
        assert not isinstance(p, Finite) and not isinstance(q, Finite)
        if x is None:
            raise ValueError("points x are needed: the two distributions are continuous")
        lp, lq = p.log_density(x), q.log_density(x)
    with np.errstate(invalid="ignore"):
        logit = np.where(np.isneginf(lp) & np.isneginf(lq), 0.0, lp - lq)
    return BestDiscriminator(special.expit(logit), logit)


@dataclass(frozen=True)
class Ledger:
    """The value ledger: value = floor + divergence - shortfall, floor = -log 4, divergence = 2 JS; () or (S,) each."""

    value: Array
    divergence: Array
    shortfall: Array
    error: Array
    floor: float = -LOG4


def _ledger(p: Distribution, q: Distribution, shortfall: Array, error: Array) -> Ledger:
    js = divergences(p, q, ("js",))["js"]
    return Ledger(2 * js.value - LOG4 - shortfall, 2 * js.value, shortfall, 2 * js.error + error)


def ledger_finite(p: Finite, q: Finite, d: Array) -> Ledger:
    """The ledger of the discriminator d, one probability in [0, 1] per outcome: (K,) or (S, K).

    An outcome that D is certain about and wrong costs infinitely. Raises ValueError for values outside [0, 1].

    >>> from gantoys.maths.notation import parse
    >>> round(float(ledger_finite(parse("P(0.5,0.5)"), parse("P(0.7,0.3)"), np.array([0.5, 0.5])).value), 6)
    -1.386294
    """
    d = _answers(p, d)
    best = optimal_discriminator(p, q)
    terms = special.rel_entr(
        p.probabilities * np.ones_like(d), p.probabilities / np.where(best.value > 0, best.value, 1) * d
    )
    other = 1 - best.value
    terms = terms + special.rel_entr(
        q.probabilities * np.ones_like(d), q.probabilities / np.where(other > 0, other, 1) * (1 - d)
    )
    shortfall = np.maximum(terms.sum(-1), 0.0)
    return _ledger(p, q, shortfall, np.where(np.isinf(shortfall), 0.0, 1e-15 * (1 + shortfall)))


def value_terms(p: Finite, q: Finite, d: Array) -> tuple[Array, Array]:
    """E_p log D and E_q log(1 - D), whose sum is V(D, G), straight from the definition: () or (S,) each.

    d: (K,) or (S, K) in [0, 1]; an outcome without mass costs nothing. Raises ValueError for values outside [0, 1].
    """
    d = _answers(p, d)
    return special.xlogy(p.probabilities, d).sum(-1), special.xlog1py(q.probabilities, -d).sum(-1)


def _answers(p: Finite, d: Array) -> Array:
    d = np.asarray(d, float)
    if d.shape[-1] != p.probabilities.shape[-1] or not np.all((d >= 0) & (d <= 1)):
        raise ValueError(f"D needs one probability in [0, 1] for each of the {p.probabilities.shape[-1]} outcomes")
    return d


def best_generator(d: Array) -> tuple[Array, Array]:
    """G's best reply to a fixed finite D, and its value E_q log(1 - D): all mass where D is largest, ties sharing it.

    d: (K,) or (S, K) in [0, 1]. Returns q of the same shape and the value, () or (S,); -inf where D is 1 somewhere.
    Raises ValueError for values outside [0, 1].
    """
    d = np.asarray(d, float)
    if d.ndim not in (1, 2) or d.size == 0 or not np.all((d >= 0) & (d <= 1)):
        raise ValueError("D needs at least one outcome, and a probability in [0, 1] for each")
    top = d.max(-1, keepdims=True)
    q = (d == top).astype(float)
    with np.errstate(divide="ignore"):
        return q / q.sum(-1, keepdims=True), np.log1p(-top[..., 0])


def ledger(p: Mixture1D, q: Mixture1D, x: Array, logits: Array) -> Ledger:
    """The ledger of a D whose logit is the straight-line interpolation of `logits` at the positions x, flat outside.

    x: (n,) increasing; logits: (n,) or (S, n), finite. Raises ValueError otherwise. By quadrature.
    """
    x, logits = np.asarray(x, float), np.asarray(logits, float)
    if x.ndim != 1 or len(x) < 2 or np.any(np.diff(x) <= 0) or not np.all(np.isfinite(x)):
        raise ValueError("the positions x must be finite and increasing, two at least")
    if logits.shape[-1] != len(x) or not np.all(np.isfinite(logits)):
        raise ValueError(f"{len(x)} finite logits are needed, one for each position")
    batch = sweep_shape(p.batch, q.batch, logits.shape[:-1])
    count = int(np.prod(batch)) if batch else 1
    edges = np.broadcast_to(joint_edges(p, q), (count, joint_edges(p, q).shape[-1]))
    edges = np.sort(np.concatenate([edges, np.broadcast_to(x, (count, len(x)))], -1), -1)
    table = np.broadcast_to(np.atleast_2d(logits), (count, len(x)))

    def f(rows: Array, at: Array) -> Array:
        lp, lq = p.take(rows).log_density(at), q.take(rows).log_density(at)
        i = np.clip(np.searchsorted(x, at) - 1, 0, len(x) - 2)
        share = np.clip((at - x[i]) / (x[i + 1] - x[i]), 0, 1)
        a = table[rows[:, None], i] * (1 - share) + table[rows[:, None], i + 1] * share
        r = np.clip(lp - lq, -1e6, 1e6)
        # KL between the Bernoulli laws of D* and of D, weighted with p + q: never negative
        gain = np.exp(lp) * (np.logaddexp(0, -a) - np.logaddexp(0, -r))
        return (gain + np.exp(lq) * (np.logaddexp(0, a) - np.logaddexp(0, r)))[None]

    found = integrate(f, edges, tolerance=1e-9, absolute=1e-12, rounds=20)
    shortfall = np.maximum(found.value[0], 0.0).reshape(batch)
    return _ledger(p, q, shortfall, found.error[0].reshape(batch))


def value_at_best(p: Distribution, q: Distribution) -> Quantity:
    """V(D*, G), integrated as E_p log D* + E_q log(1 - D*), not from JS."""
    return divergences(p, q, ("value",))["value"]


def plane_logits(p: Mixture2D, q: Mixture2D, x: Array) -> Array:
    """The logit of D* at points of the plane, (n, 2) -> (n,)."""
    return optimal_discriminator(p, q, x).logit
