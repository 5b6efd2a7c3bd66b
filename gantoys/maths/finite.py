"""Distributions on finitely many points."""

from dataclasses import dataclass

import numpy as np

from gantoys.maths.parameters import checked_weights, number, single

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Finite:
    """A distribution on K points.

    probabilities: (K,) or (S, K), not negative, summing to 1. points: (K,) or (K, 2), the support shared by the sweep;
    0..K-1 when left out. Raises ValueError otherwise.
    """

    probabilities: Array
    points: Array = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        p = np.asarray(self.probabilities, float)
        if p.ndim not in (1, 2):
            raise ValueError(f"probabilities must have shape (K,) or (S, K), got {p.shape}")
        object.__setattr__(self, "probabilities", checked_weights(p, "outcomes"))
        points = np.arange(p.shape[-1], dtype=float) if self.points is None else np.asarray(self.points, float)
        if points.shape not in ((p.shape[-1],), (p.shape[-1], 2)) or not np.all(np.isfinite(points)):
            raise ValueError(f"points must be {p.shape[-1]} finite numbers or pairs, got shape {points.shape}")
        object.__setattr__(self, "points", points)

    dim = 0

    @property
    def batch(self) -> tuple[int, ...]:
        return self.probabilities.shape[:-1]

    @property
    def log_probabilities(self) -> Array:
        with np.errstate(divide="ignore"):
            return np.log(self.probabilities)

    @property
    def modes(self) -> Array:
        return self.points

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """n points of the support, shape (n,) or (n, 2)."""
        single(self.batch)
        return self.points[rng.choice(len(self.points), size=n, p=self.probabilities / self.probabilities.sum())]

    def __str__(self) -> str:
        values = ",".join(number(v) for v in np.atleast_2d(self.probabilities)[0])
        if self.points.ndim == 1 and np.array_equal(self.points, np.arange(len(self.points))):
            return f"P({values})"
        at = ",".join(number(v) if self.points.ndim == 1 else f"[{number(v[0])},{number(v[1])}]" for v in self.points)
        return f"P({values},at=[{at}])"
