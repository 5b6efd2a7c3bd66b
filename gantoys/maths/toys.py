"""The named targets: small distributions that show one thing each.

Those with an exact density are mixtures of `gantoys.maths.distributions`; the others are `Sampler`s, which can be drawn
from and looked at but have no density here, so that no divergence is ever computed from a wrong one.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gantoys.maths.distributions import (
    MAX_COMPONENTS,
    Finite,
    Mixture1D,
    Mixture2D,
    component,
    mix,
    normal,
    uniform,
)
from gantoys.maths.late import late
from gantoys.maths.parameters import LARGEST

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Sampler:
    """A law on the line or in the plane that can be sampled but whose density is not given. `notation` writes it.

    box: low and high of each coordinate. modes (K, dim), or (K,) on the line: none unless given. dim: 1 or 2. name:
    how sentences call it, where the notation would be too long.
    """

    notation: str
    draw: Callable[[int, np.random.Generator], Array]
    box: tuple[float, ...]
    modes: Array = field(default_factory=lambda: np.empty(0))
    dim: int = 2
    name: str = ""

    batch = ()

    def __post_init__(self) -> None:
        if not self.modes.size:
            object.__setattr__(self, "modes", np.empty((0, 2) if self.dim == 2 else 0))
        object.__setattr__(self, "name", self.name or self.notation)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """n independent draws, shape (n, 2), on the line (n,)."""
        return self.draw(n, rng)

    def log_density(self, x: Array) -> Array:
        """Raises ValueError: there is no exact density."""
        raise ValueError(f"{self.name} has no exact density: it can only be sampled")

    density = log_density

    def __str__(self) -> str:
        return self.notation


Toy = Finite | Mixture1D | Mixture2D | Sampler


@dataclass(frozen=True)
class ToyRow:
    """A named target. `make` takes the keyword parameters of `defaults`; the first may stand without its name."""

    key: str
    label: str
    shows: str
    make: Callable[..., Toy]
    defaults: dict[str, float]

    @property
    def dim(self) -> int:
        return self.make(**self.defaults).dim


def _count(value: float, name: str, most: int, least: int = 1) -> int:
    if value != int(value) or not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}, got {value:g}")
    return int(value)


def _positive(value: float, name: str) -> float:
    if not np.isfinite(value) or value <= 0:
        raise ValueError(f"{name} must be positive and finite, got {value:g}")
    if not 1 / LARGEST <= value <= LARGEST:
        raise ValueError(f"{name} must lie between {1 / LARGEST:g} and {LARGEST:g}, got {value:g}")
    return float(value)


def _normals(centres: Array, std: float, notation: str) -> Mixture2D:
    n = len(centres)
    factors = np.broadcast_to(std * np.eye(2), (n, 2, 2))
    return Mixture2D(("normal",) * n, np.full(n, 1 / n), centres, factors, np.zeros(n), notation)


def ring(modes: float = 8, radius: float = 2.0, std: float = 0.1) -> Mixture2D:
    """Equal normals on a circle at the angles 2 pi k / modes, k = 0..modes-1: all distinct, the end point left out.

    >>> ring(8).modes.shape
    (8, 2)
    """
    n, radius, std = _count(modes, "modes", MAX_COMPONENTS), _positive(radius, "radius"), _positive(std, "std")
    angle = 2 * np.pi * np.arange(n) / n
    centres = radius * np.stack([np.cos(angle), np.sin(angle)], 1)
    return _normals(centres, std, f"ring({n},radius={radius:g},std={std:g})")


def grid(side: float = 5, spacing: float = 2.0, std: float = 0.1) -> Mixture2D:
    """side x side equal normals, `spacing` apart, centred on the origin."""
    n, spacing, std = _count(side, "side", 16), _positive(spacing, "spacing"), _positive(std, "std")
    line = (np.arange(n) - (n - 1) / 2) * spacing
    centres = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    return _normals(centres, std, f"grid({n},spacing={spacing:g},std={std:g})")


def checkerboard(side: float = 4, size: float = 1.0) -> Mixture2D:
    """The squares of one colour of a side x side board, squares `size` wide, centred: an exact uniform mixture."""
    n, size = _count(side, "side", 16, least=2), _positive(size, "size")
    corners = np.array([(i, j) for i in range(n) for j in range(n) if (i + j) % 2 == 0], float)
    m = len(corners)
    locs = (corners - n / 2) * size
    factors = np.broadcast_to(size * np.eye(2), (m, 2, 2))
    notation = f"checkerboard({n},size={size:g})"
    return Mixture2D(("uniform",) * m, np.full(m, 1 / m), locs, factors, np.zeros(m), notation)


def circles(inner: float = 1.0, outer: float = 2.0, std: float = 0.1) -> Mixture2D:
    """Two concentric circles blurred by a normal: Rice's law in the plane, exact."""
    radii = np.array([_positive(inner, "inner"), _positive(outer, "outer")])
    std = _positive(std, "std")
    factors = np.broadcast_to(std * np.eye(2), (2, 2, 2))
    notation = f"circles({inner:g},outer={outer:g},std={std:g})"
    return Mixture2D(("circle",) * 2, np.full(2, 0.5), np.zeros((2, 2)), factors, radii / std, notation)


def _square(half: float) -> tuple[float, float, float, float]:
    return (-half, half, -half, half)


def moons(std: float = 0.1) -> Sampler:
    """Two interleaved half circles of radius 1.4 with normal noise."""
    std = _positive(std, "std")

    def draw(n: int, rng: np.random.Generator) -> Array:
        angle, upper = np.pi * rng.random(n), rng.random(n) < 0.5
        x = np.where(upper, np.cos(angle), 1 - np.cos(angle)) - 0.5
        y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle)) - 0.25
        return 1.4 * np.stack([x, y], 1) + std * rng.standard_normal((n, 2))

    return Sampler(f"moons(std={std:g})", draw, _square(2.6 + 3 * std))


def spirals(turns: float = 1.25, std: float = 0.06) -> Sampler:
    """Two arms of an Archimedean spiral with normal noise, radius 2 at the rim."""
    turns, std = _positive(turns, "turns"), _positive(std, "std")

    def draw(n: int, rng: np.random.Generator) -> Array:
        # the square root spreads the points evenly along the arm rather than crowding the centre
        t = np.sqrt(0.02 + 0.98 * rng.random(n))
        angle = 2 * np.pi * turns * t + np.pi * (rng.random(n) < 0.5)
        return 2 * t[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1) + std * rng.standard_normal((n, 2))

    return Sampler(f"spirals(turns={turns:g},std={std:g})", draw, _square(2.2 + 3 * std))


def pinwheel(arms: float = 5, std: float = 0.25) -> Sampler:
    """Normal clusters, stretched outwards and twisted by their radius (Johnson et al. 2016)."""
    arms, std = _count(arms, "arms", 16, least=2), _positive(std, "std")

    def draw(n: int, rng: np.random.Generator) -> Array:
        label = rng.integers(arms, size=n)
        radial, across = 1.2 + 0.3 * rng.standard_normal(n), 0.2 * (std / 0.25) * rng.standard_normal(n)
        angle = 2 * np.pi * label / arms + 0.9 * np.exp(radial) / np.e
        cos, sin = np.cos(angle), np.sin(angle)
        return 1.4 * np.stack([radial * cos - across * sin, radial * sin + across * cos], 1)

    return Sampler(f"pinwheel({arms},std={std:g})", draw, _square(3.4))


def swissroll(std: float = 0.08) -> Sampler:
    """The swiss roll seen from its side: one spiral arm, denser outwards as the roll is, scaled to radius 2.2."""
    std = _positive(std, "std")

    def draw(n: int, rng: np.random.Generator) -> Array:
        t = 1.5 * np.pi * (1 + 2 * rng.random(n))
        radius = 2.2 * t / (4.5 * np.pi)
        return radius[:, None] * np.stack([np.cos(t), np.sin(t)], 1) + std * rng.standard_normal((n, 2))

    return Sampler(f"swissroll(std={std:g})", draw, _square(2.4 + 3 * std))


def scurve(std: float = 0.08) -> Sampler:
    """The S curve seen from its side, with normal noise."""
    std = _positive(std, "std")

    def draw(n: int, rng: np.random.Generator) -> Array:
        t = 3 * np.pi * (rng.random(n) - 0.5)
        x, y = np.sin(t), np.sign(t) * (np.cos(t) - 1)
        return np.stack([1.5 * x, y], 1) + std * rng.standard_normal((n, 2))

    return Sampler(f"scurve(std={std:g})", draw, _square(2.4 + 3 * std))


def _trimodal() -> Mixture1D:
    return mix(np.array([0.3, 0.4, 0.3]), [normal(-3, 0.5), normal(0, 0.5), normal(3, 0.5)])  # type: ignore[return-value]


def _bimodal() -> Mixture1D:
    return mix(np.array([0.5, 0.5]), [normal(-2, 0.5), normal(2, 0.5)])  # type: ignore[return-value]


TOYS = {
    row.key: row
    for row in (
        ToyRow("gaussian", "Gaussian", "the simplest target", lambda: normal(0, 1), {}),
        ToyRow("bimodal", "Two modes", "covering one mode or both", _bimodal, {}),
        ToyRow("trimodal", "Three modes", "a mode between modes", _trimodal, {}),
        ToyRow("uniform", "Uniform", "edges, and supports that end", lambda: uniform(-2, 2), {}),
        ToyRow("skewed", "Skewed", "one steep and one gentle side", lambda: component("skew-normal", -1.5, 2, 6), {}),
        ToyRow("heavy", "Heavy tails", "rare, far samples", lambda: component("student-t", 0, 0.8, 2.5), {}),
        ToyRow("ring", "Ring of Gaussians", "modes lost and found", ring, {"modes": 8, "radius": 2.0, "std": 0.1}),
        ToyRow("grid", "Grid of Gaussians", "many modes at once", grid, {"side": 5, "spacing": 2.0, "std": 0.1}),
        ToyRow("checkerboard", "Checkerboard", "sharp edges", checkerboard, {"side": 4, "size": 1.0}),
        ToyRow("circles", "Circles", "a hole in the middle", circles, {"inner": 1.0, "outer": 2.0, "std": 0.1}),
        ToyRow("moons", "Two moons", "curved, interleaved pieces", moons, {"std": 0.1}),
        ToyRow("spirals", "Spirals", "long thin arms", spirals, {"turns": 1.25, "std": 0.06}),
        ToyRow("pinwheel", "Pinwheel", "twisted clusters", pinwheel, {"arms": 5, "std": 0.25}),
        ToyRow("swissroll", "Swiss roll", "one rolled-up line", swissroll, {"std": 0.08}),
        ToyRow("scurve", "S curve", "one bent line", scurve, {"std": 0.08}),
    )
}
_CALLED = re.compile(r"(?P<count>\d+)[-_ ]?(?:gaussians?|normals?|modes?)|(?P<name>[a-z]+)[-_ ]?(?P<number>\d+)")


def meant(text: str) -> str | None:
    """The target that a word which is none may stand for, as it is written here; None where nothing is near.

    >>> [meant(word) for word in ("8gaussians", "25gaussians", "ring8", "two_moons", "N(0,")]
    ['ring(8)', 'grid(5)', 'ring(8)', 'moons', None]
    """
    word = text.lower()
    found = _CALLED.fullmatch(word)
    if found and found["count"]:
        count = int(found["count"][:4])
        side = math.isqrt(count)
        return f"grid({side})" if side**2 == count and count > 8 else f"ring({count})" if count > 1 else "gaussian"
    if found and found["name"] in TOYS and "(" not in word:
        row = TOYS[found["name"]]
        counted = isinstance(next(iter(row.defaults.values()), None), int)
        return f"{row.key}({found['number'][:4]})" if counted else row.key
    if not re.fullmatch(r"[a-z][a-z_ -]*", word):
        return None
    parts = [word, *re.split("[_ -]", word)]
    near = [close for part in parts for close in late("difflib").get_close_matches(part, [*TOYS], 1, 0.7)]
    return near[0] if near else None
