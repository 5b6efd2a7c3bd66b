"""The parameters of a generator x = shift + scale z: how its samples and its density move with them."""

import numpy as np

from gantoys.maths.distributions import Mixture1D

Array = np.ndarray


def location_scale(q: Mixture1D) -> tuple[Array, Array]:
    """(shift, scale) of x = shift + scale z, () or (S,): a component's own, or a mixture's mean and deviation."""
    if len(q.kinds) == 1:
        return q.locs[..., 0], q.scales[..., 0]
    return q.mean, q.std


def _rows(values: Array, rows: Array) -> Array:
    """A per-distribution number for each of the flat rows, as a column."""
    return np.broadcast_to(np.atleast_1d(values), (max(1, np.size(values)),))[
        rows if np.size(values) > 1 else 0 * rows
    ][:, None]


class Direction:
    """dx/dtheta and d log q/dtheta for one parameter, `shift` or `scale`; `exists` says in which rows: () or (S,)."""

    def __init__(self, q: Mixture1D, parameter: str) -> None:
        self.q, self.parameter = q, parameter
        centre, scale = location_scale(q)
        # a mixture without mean or variance has no location and scale to move by, but it can be shifted
        self.exists = (np.isfinite(centre) & np.isfinite(scale)) | (parameter == "shift")
        self.centre, self.scale = np.where(self.exists, centre, 0.0), np.where(self.exists, scale, 1.0)

    def velocity(self, rows: Array, x: Array) -> Array:
        if self.parameter == "shift":
            return np.ones_like(x)
        return (x - _rows(self.centre, rows)) / _rows(self.scale, rows)

    def score(self, rows: Array, x: Array) -> Array:
        own = self.q.take(rows).score(x)
        if self.parameter == "shift":
            return -own
        scale = _rows(self.scale, rows)
        return -(1 / scale + (x - _rows(self.centre, rows)) / scale * own)
