"""The few elementwise functions that numpy arrays and torch tensors share, so that a loss is written once.

torch is never imported here: a tensor can only reach these functions from a process that has imported it.
"""

import sys
from typing import Any

import numpy as np
from scipy import special

Values = Any  # a float, a numpy array or a torch tensor; functions return the kind they were given


def _torch(a: Values) -> Any:
    """The torch module when `a` is a tensor, else None."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(a, torch.Tensor) else None


def exp(a: Values) -> Values:
    """e^a; inf where that is too large a number."""
    torch = _torch(a)
    if torch:
        return torch.exp(a)
    with np.errstate(over="ignore"):
        return np.exp(a)


def tanh(a: Values) -> Values:
    torch = _torch(a)
    return torch.tanh(a) if torch else np.tanh(a)


def sigmoid(a: Values) -> Values:
    torch = _torch(a)
    return torch.sigmoid(a) if torch else special.expit(a)


def softplus(a: Values) -> Values:
    """log(1 + e^a) through logaddexp: exact in both tails, and with slope 1/2 at 0 under autograd."""
    torch = _torch(a)
    return torch.logaddexp(a, torch.zeros_like(a)) if torch else np.logaddexp(a, 0.0)


def relu(a: Values) -> Values:
    torch = _torch(a)
    return torch.relu(a) if torch else np.maximum(a, 0.0)


def sign(a: Values) -> Values:
    torch = _torch(a)
    return torch.sign(a) if torch else np.sign(a)


def expm1(a: Values) -> Values:
    torch = _torch(a)
    return torch.expm1(a) if torch else np.expm1(a)


def below(a: Values, most: float) -> Values:
    """min(a, most)."""
    return a.clamp(max=most) if _torch(a) else np.minimum(a, most)


def signed_infinity(a: Values) -> Values:
    """inf where a > 0, -inf where a < 0, 0 at 0."""
    torch = _torch(a)
    if torch:
        return torch.where(a == 0, torch.zeros_like(a), torch.copysign(torch.full_like(a, torch.inf), a))
    return np.where(a == 0, 0.0, np.copysign(np.inf, a))


def step(a: Values) -> Values:
    """1 where a > 0, else 0."""
    return a.gt(0).to(a.dtype) if _torch(a) else np.where(np.asarray(a) > 0, 1.0, 0.0)


def constant(a: Values, value: float) -> Values:
    """`value` in the shape and type of `a`."""
    torch = _torch(a)
    return torch.full_like(a, value) if torch else np.full_like(np.asarray(a, float), value)
