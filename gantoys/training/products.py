"""The large matrix products of a step, by the quickest kernel that torch brings.

torch multiplies with MKL, which on AMD's processors leaves half of the machine unused; oneDNN, which torch brings too,
does not, but takes some ten microseconds to begin. So the large products of single precision go to oneDNN. Its entry is
private to torch: where it is missing, everything goes the usual way. The choice depends on the shapes and the build of
torch alone, never on a measurement, so that a run repeats itself.
"""

from __future__ import annotations

import torch
from torch import Tensor

LEAST, LEAST_TALL = 1_500_000, 3_000_000  # multiplications from which it pays; tall: sums over many points


def _find() -> object | None:
    if not torch.backends.mkldnn.is_available():
        return None
    return getattr(getattr(torch.ops.mkldnn, "_linear_pointwise", None), "default", None)


_LINEAR = _find()


def worthwhile(like: Tensor, multiplications: int, *, tall: bool = False) -> bool:
    """Whether a product of matrices like `like` with so many multiplications is one for this module."""
    usual = like.dtype == torch.float32 and like.device.type == "cpu"
    return _LINEAR is not None and usual and multiplications >= (LEAST_TALL if tall else LEAST)


def product(a: Tensor, b: Tensor) -> Tensor:
    """a (n, k) times b (k, m); a new (n, m)."""
    return _LINEAR(a, b.mT, None, "none", [], "")  # type: ignore[operator]


def layer(x: Tensor, w: Tensor, b: Tensor, activation: str, arguments: list[float]) -> Tensor:
    """activation(x w + b): x (n, i), w (i, o), b (o,); activation: oneDNN's name of one."""
    return _LINEAR(x, w.mT, b, activation, arguments, "")  # type: ignore[operator]
