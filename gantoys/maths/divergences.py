"""The divergences between p (real) and q (generated): one row each.

An f-divergence is D_f(P||Q) = int q f(p/q), with f convex and f(1) = 0 (Csiszar 1967; Nowozin et al. 2016, eq. 1).
A row holds f, its slope, its conjugate f*(t) = sup_u (ut - f(u)), an output activation g that maps any logit into the
domain of f* (increasing, so that a positive logit means "real"), and the value of f*(g(v)) in a form that cannot
overflow early. Integrands are written in log p and log q and, as f and f + c (u - 1) give the same divergence, with
the c that makes them non-negative everywhere.

Conventions where books differ: JS is the mean of the two KLs to the mixture (at most log 2), squared Hellinger is
1 - int sqrt(pq) (at most 1), total variation is half the L1 distance (at most 1), Pearson's chi-square is
int (p - q)^2 / q, everything in nats.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from gantoys.maths import backend as b

Array = np.ndarray
LOG2 = float(np.log(2.0))
Triple = tuple[Array, Array, Array]


@dataclass(frozen=True)
class Divergence:
    """One f-divergence; see the module's docstring for f, slope, conjugate, activation.

    fake(v) = f*(activation(v)); activation_slope and fake_slope are their derivatives in v; critic(r) = f'(e^r) is the
    optimal T at the log-ratio r = log p/q; optimal_logit(r) is the v with activation(v) = critic(r), with its slope.
    integrand(log_p, log_q) is q (f(u) + c (u - 1)) at u = p/q, both densities positive, and
    weighted_fake(log_p, log_q) is q f*(f'(u)) = p f'(u) - q f(u), whose mean against d log q / d theta is minus the
    divergence's slope; at_zero is f(0) - c, the cost of a unit of q where p = 0; at_infinity is lim f(u)/u + c, the
    cost of a unit of p where q = 0. bound: the largest value; kinked: whether f has a kink at u = 1.
    power: a with a tail integral int p^a q^(1-a) that must converge, or None; log_moment: +1 (-1) when the mean of the
    log-ratio under p (q) must exist.
    """

    key: str
    label: str
    formula: str
    reference: str
    f: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    conjugate: Callable[[Array], Array]
    activation: Callable[[b.Values], b.Values]
    activation_slope: Callable[[b.Values], b.Values]
    fake: Callable[[b.Values], b.Values]
    fake_slope: Callable[[b.Values], b.Values]
    critic: Callable[[Array], Array]
    optimal_logit: Callable[[b.Values], b.Values]
    optimal_logit_slope: Callable[[b.Values], b.Values]
    integrand: Callable[[Array, Array], Array]
    weighted_fake: Callable[[Array, Array], Array]
    at_zero: float
    at_infinity: float
    bound: float = np.inf
    kinked: bool = False
    power: float | None = None
    log_moment: tuple[int, ...] = ()


def _x_log_x(u: Array) -> Array:
    return special.xlogy(u, u)


def _kl_integrand(lp: Array, lq: Array) -> Array:
    p, q = np.exp(lp), np.exp(lq)
    return np.maximum(p * (lp - lq) - p + q, 0.0)


def _js_integrand(lp: Array, lq: Array) -> Array:
    r = lp - lq
    p, q = np.exp(lp), np.exp(lq)
    # softplus(r) = max(r, 0) + small, softplus(-r) = max(-r, 0) + small
    small = np.log1p(np.exp(-np.abs(r)))
    real, fake = LOG2 - small - np.maximum(-r, 0.0), LOG2 - small - np.maximum(r, 0.0)
    return np.maximum(0.5 * (p * real + q * fake), 0.0)


def _pearson_integrand(lp: Array, lq: Array) -> Array:
    # (p - q)^2 / q without overflow of p / q alone: q (e^r - 1)^2
    r = lp - lq
    with np.errstate(over="ignore"):
        return np.where(
            r > 1, np.exp(2 * lp - lq) * (1 - np.exp(-np.abs(r))) ** 2, np.exp(lq) * np.expm1(np.minimum(r, 1)) ** 2
        )


def _log_below_one(t: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(t < 0, np.log(-np.minimum(t, -0.0)), np.nan)


def _reverse_conjugate(t: Array) -> Array:
    t = np.asarray(t, float)
    return np.where(t < 0, -1 - _log_below_one(t), np.inf)


def _jeffreys_conjugate(t: Array) -> Array:
    # sup at log u + 1 - 1/u = t, so that 1/u = W(e^(1-t)), Wright's omega of 1 - t
    w = special.wrightomega(1 - np.asarray(t, float)).real
    return w + 1 / w + np.asarray(t, float) - 2


def _js_conjugate(t: Array) -> Array:
    t = np.asarray(t, float)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(2 * t < LOG2, -0.5 * np.log(np.maximum(2 - np.exp(2 * t), 0.0)), np.inf)


def _gan_conjugate(t: Array) -> Array:
    t = np.asarray(t, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(t < 0, -np.log(-np.expm1(np.minimum(t, 0.0))), np.inf)


def _hellinger_conjugate(t: Array) -> Array:
    t = np.asarray(t, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(t < 0.5, t / (1 - 2 * t), np.inf)


def _neyman_conjugate(t: Array) -> Array:
    t = np.asarray(t, float)
    return np.where(t <= 1, 2 - 2 * np.sqrt(np.maximum(1 - t, 0.0)), np.inf)


def _pearson_conjugate(t: Array) -> Array:
    t = np.asarray(t, float)
    return np.where(t >= -2, t * t / 4 + t, -1.0)


def _tv_conjugate(t: Array) -> Array:
    t = np.asarray(t, float)
    return np.where(t > 0.5, np.inf, np.maximum(t, -0.5))


def _exp(r: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.exp(r)


_NOWOZIN = "Nowozin, Cseke & Tomioka 2016, tables 1, 2 and 6"

DIVERGENCES = {
    row.key: row
    for row in (
        Divergence(
            "kl", "KL(p‖q)", r"\int p \log\frac{p}{q}", f"Kullback & Leibler 1951; {_NOWOZIN}",
            f=_x_log_x,
            slope=lambda u: 1 + np.log(u),
            conjugate=lambda t: _exp(np.asarray(t, float) - 1),
            activation=lambda v: v,
            activation_slope=lambda v: b.constant(v, 1.0),
            fake=lambda v: b.exp(v - 1),
            fake_slope=lambda v: b.exp(v - 1),
            critic=lambda r: 1 + r,
            optimal_logit=lambda r: 1 + r,
            optimal_logit_slope=lambda r: b.constant(r, 1.0),
            integrand=_kl_integrand, weighted_fake=lambda lp, lq: np.exp(lp),
            at_zero=1.0, at_infinity=np.inf, log_moment=(1,),
        ),
        Divergence(
            "reverse_kl", "KL(q‖p)", r"\int q \log\frac{q}{p}", f"Kullback & Leibler 1951; {_NOWOZIN}",
            f=lambda u: -np.log(u),
            slope=lambda u: -1 / u,
            conjugate=_reverse_conjugate,
            activation=lambda v: -b.exp(-v),
            activation_slope=lambda v: b.exp(-v),
            fake=lambda v: v - 1,
            fake_slope=lambda v: b.constant(v, 1.0),
            critic=lambda r: -_exp(-r),
            optimal_logit=lambda r: r,
            optimal_logit_slope=lambda r: b.constant(r, 1.0),
            integrand=lambda lp, lq: _kl_integrand(lq, lp),
            weighted_fake=lambda lp, lq: np.exp(lq) * (lp - lq - 1), at_zero=np.inf, at_infinity=1.0, log_moment=(-1,),
        ),
        Divergence(
            "jeffreys", "Jeffreys", r"\int (p-q) \log\frac{p}{q}", f"Jeffreys 1946; {_NOWOZIN}, activation of our own",
            f=lambda u: (u - 1) * np.log(u),
            slope=lambda u: 1 + np.log(u) - 1 / u,
            conjugate=_jeffreys_conjugate,
            # v -> f'(e^v): with the paper's identity the conjugate needs Lambert's function, with this one it does not
            activation=lambda v: 1 + v - b.exp(-v),
            activation_slope=lambda v: 1 + b.exp(-v),
            fake=lambda v: b.exp(v) + v - 1,
            fake_slope=lambda v: b.exp(v) + 1,
            critic=lambda r: 1 + r - _exp(-r),
            optimal_logit=lambda r: r,
            optimal_logit_slope=lambda r: b.constant(r, 1.0),
            integrand=lambda lp, lq: np.maximum((np.exp(lp) - np.exp(lq)) * (lp - lq), 0.0),
            weighted_fake=lambda lp, lq: np.exp(lp) + np.exp(lq) * (lp - lq - 1),
            at_zero=np.inf, at_infinity=np.inf, log_moment=(1, -1),
        ),
        Divergence(
            "js", "Jensen–Shannon", r"\tfrac12\int p\log\frac{2p}{p+q}+\tfrac12\int q\log\frac{2q}{p+q}",
            f"Lin 1991; half of {_NOWOZIN}",
            f=lambda u: 0.5 * (_x_log_x(u) - (u + 1) * np.log((u + 1) / 2)),
            slope=lambda u: 0.5 * (LOG2 - np.log1p(1 / u)),
            conjugate=_js_conjugate,
            activation=lambda v: 0.5 * (LOG2 - b.softplus(-v)),
            activation_slope=lambda v: 0.5 * b.sigmoid(-v),
            # f*(g(v)) = (softplus(v) - log 2) / 2
            fake=lambda v: 0.5 * (b.softplus(v) - LOG2),
            fake_slope=lambda v: 0.5 * b.sigmoid(v),
            critic=lambda r: 0.5 * (LOG2 - b.softplus(-r)),
            optimal_logit=lambda r: r,
            optimal_logit_slope=lambda r: b.constant(r, 1.0),
            integrand=_js_integrand, weighted_fake=lambda lp, lq: 0.5 * np.exp(lq) * (b.softplus(lp - lq) - LOG2),
            at_zero=0.5 * LOG2, at_infinity=0.5 * LOG2, bound=LOG2,
        ),
        Divergence(
            "tv", "Total variation", r"\tfrac12\int |p-q|", "Nowozin et al. 2016, table 6 (activation)",
            f=lambda u: 0.5 * np.abs(u - 1),
            slope=lambda u: 0.5 * np.sign(u - 1),
            conjugate=_tv_conjugate,
            activation=lambda v: 0.5 * b.tanh(v),
            activation_slope=lambda v: 0.5 * (1 - b.tanh(v) ** 2),
            fake=lambda v: 0.5 * b.tanh(v),
            fake_slope=lambda v: 0.5 * (1 - b.tanh(v) ** 2),
            critic=lambda r: 0.5 * np.sign(r),
            optimal_logit=b.signed_infinity,
            optimal_logit_slope=lambda r: b.constant(r, 0.0),  # everywhere but in its jump
            integrand=lambda lp, lq: 0.5 * np.abs(np.exp(lp) - np.exp(lq)),
            weighted_fake=lambda lp, lq: 0.5 * np.exp(lq) * np.sign(lp - lq),
            at_zero=0.5, at_infinity=0.5, bound=1.0, kinked=True,
        ),
        Divergence(
            "hellinger2", "Squared Hellinger", r"1-\int\sqrt{pq}", f"Hellinger 1909; half of {_NOWOZIN}",
            f=lambda u: 0.5 * (np.sqrt(u) - 1) ** 2,
            slope=lambda u: 0.5 * (1 - 1 / np.sqrt(u)),
            conjugate=_hellinger_conjugate,
            activation=lambda v: 0.5 * (1 - b.exp(-v)),
            activation_slope=lambda v: 0.5 * b.exp(-v),
            fake=lambda v: 0.5 * (b.exp(v) - 1),
            fake_slope=lambda v: 0.5 * b.exp(v),
            critic=lambda r: -0.5 * np.expm1(-0.5 * r),
            optimal_logit=lambda r: 0.5 * r,
            optimal_logit_slope=lambda r: b.constant(r, 0.5),
            integrand=lambda lp, lq: 0.5 * (np.exp(0.5 * lp) - np.exp(0.5 * lq)) ** 2,
            weighted_fake=lambda lp, lq: 0.5 * (np.exp(0.5 * (lp + lq)) - np.exp(lq)),
            at_zero=0.5, at_infinity=0.5, bound=1.0,
        ),
        Divergence(
            "chi2", "Pearson χ²", r"\int\frac{(p-q)^2}{q}", f"Pearson 1900; {_NOWOZIN} with f(u) = (u - 1)^2",
            f=lambda u: (u - 1) ** 2,
            slope=lambda u: 2 * (u - 1),
            conjugate=_pearson_conjugate,
            activation=lambda v: v,
            activation_slope=lambda v: b.constant(v, 1.0),
            # for t >= -2; below it the conjugate is flat at -1, which no optimal critic reaches
            fake=lambda v: 0.25 * b.relu(v + 2) ** 2 - 1,
            fake_slope=lambda v: 0.5 * b.relu(v + 2),
            critic=lambda r: 2 * np.expm1(np.minimum(r, 700.0)),
            optimal_logit=lambda r: 2 * b.expm1(b.below(r, 700.0)),
            optimal_logit_slope=lambda r: 2 * b.exp(b.below(r, 700.0)),
            integrand=_pearson_integrand, weighted_fake=lambda lp, lq: _exp(2 * lp - lq) - np.exp(lq),
            at_zero=1.0, at_infinity=np.inf, power=2.0,
        ),
        Divergence(
            "chi2_neyman", "Neyman χ²", r"\int\frac{(p-q)^2}{p}", "Neyman 1949; Nowozin et al. 2016, table 6",
            f=lambda u: (1 - u) ** 2 / u,
            slope=lambda u: 1 - 1 / u**2,
            conjugate=_neyman_conjugate,
            activation=lambda v: 1 - b.exp(-v),
            activation_slope=lambda v: b.exp(-v),
            fake=lambda v: 2 - 2 * b.exp(-0.5 * v),
            fake_slope=lambda v: b.exp(-0.5 * v),
            critic=lambda r: -np.expm1(np.minimum(-2 * r, 700.0)),
            optimal_logit=lambda r: 2 * r,
            optimal_logit_slope=lambda r: b.constant(r, 2.0),
            integrand=lambda lp, lq: _pearson_integrand(lq, lp),
            weighted_fake=lambda lp, lq: 2 * np.exp(lq) - 2 * _exp(2 * lq - lp),
            at_zero=np.inf, at_infinity=1.0, power=-1.0,
        ),
        Divergence(
            "value", "V(D*, G)", r"\int p\log D^*+\int q\log(1-D^*)",
            "Goodfellow et al. 2014, eq. 1; 'GAN' in Nowozin et al. 2016",
            f=lambda u: _x_log_x(u) - (u + 1) * np.log(u + 1),
            slope=lambda u: -np.log1p(1 / u),
            conjugate=_gan_conjugate,
            activation=lambda v: -b.softplus(-v),
            activation_slope=lambda v: b.sigmoid(-v),
            fake=lambda v: b.softplus(v),
            fake_slope=lambda v: b.sigmoid(v),
            critic=lambda r: -b.softplus(-r),
            optimal_logit=lambda r: r,
            optimal_logit_slope=lambda r: b.constant(r, 1.0),
            integrand=lambda lp, lq: -np.exp(lp) * b.softplus(lq - lp) - np.exp(lq) * b.softplus(lp - lq),
            weighted_fake=lambda lp, lq: np.exp(lq) * b.softplus(lp - lq),
            at_zero=0.0, at_infinity=0.0, bound=0.0,
        ),
    )
}  # fmt: skip
"""`value` is not a divergence (it is -2 log 2 at p = q) but obeys every rule of one: V(D*, G) = -log 4 + 2 JS."""
