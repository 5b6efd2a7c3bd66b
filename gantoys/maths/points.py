"""A law given by points that somebody drew or uploaded: each is drawn with equal probability.

The points are kept as 16-bit codes over their bounding box, so that a text can hold them:

    points(2,-1.5,1.5,-0.5,2,"eJwT...")     dimension, low x, high x, low y, high y, the codes

The codes are little-endian, all x before all y, compressed by zlib and written in base64url without padding; place =
low + (high - low) code / 65535.
"""

import base64
import binascii
import re
import zlib

import numpy as np
import numpy.typing as npt

from gantoys.maths.parameters import LARGEST
from gantoys.maths.toys import Sampler

Array = np.ndarray
LIMIT = 5_000  # points; gantoys.runs.limits.POINTS is the same number
LONGEST = 40_000  # characters of the notation: random codes of LIMIT points in the plane take 27,000
STEPS = 65_535
MARGIN = 0.05  # room around the points in `box`, in lengths of the longer side
_SEED = 20_140_610  # of the choice among too many points
_BASE64 = re.compile(r"[A-Za-z0-9_-]*")


def from_points(points: npt.ArrayLike, most: int = LIMIT) -> Sampler:
    """The empirical law of points (n,) or (n, 1) on the line, (n, 2) in the plane: draws with replacement.

    Each coordinate is rounded to one of 65,536 steps over its range; points that coincide weigh as many times. Their
    order does not matter up to `most` points; of more a fixed random choice of so many is kept. Raises ValueError
    unless the points are finite numbers, lie within LARGEST of zero and are not all the same, and 2 <= most <= LIMIT.

    >>> from_points([0.0, 1.0, 1.0]).sample(4, np.random.default_rng(0)).tolist()
    [1.0, 1.0, 1.0, 0.0]
    """
    try:
        x = np.asarray(points)
    except ValueError:
        raise ValueError("points must be a list of numbers or of pairs, all of one kind") from None
    if x.dtype.kind not in "fiu":
        raise ValueError(f"points must be real numbers, got {x.dtype}")
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or x.shape[1] not in (1, 2):
        raise ValueError(f"points must have shape (n,), (n, 1) or (n, 2), got {x.shape}")
    x = x.astype(float)
    if len(x) < 2:
        raise ValueError(f"at least two points are needed, got {len(x)}")
    if not np.all(np.isfinite(x)):
        raise ValueError("points must be finite numbers")
    if np.max(np.abs(x)) > LARGEST:
        raise ValueError(f"points must lie within {LARGEST:g} of zero")
    if not 2 <= most <= LIMIT:
        raise ValueError(f"from 2 to {LIMIT} points are kept, not {most}")
    if len(x) > most:
        x = x[np.random.default_rng(_SEED).choice(len(x), most, replace=False)]
    low, high = x.min(0), x.max(0)
    if np.max(high - low) < 1 / LARGEST:
        raise ValueError("at least two different points are needed: these lie all at one place")
    extent = np.where(high > low, high - low, 1.0)
    codes = np.rint((x - low) / extent * STEPS).astype("<u2")
    # one order for one set of points, so that the same points give the same text
    codes = np.ascontiguousarray(codes[np.lexsort(codes.T[::-1])].T)
    text = base64.urlsafe_b64encode(zlib.compress(codes.tobytes(), 9)).rstrip(b"=").decode("ascii")
    return _law(codes, low, high, text)


def centred(points: Array) -> Array:
    """Points (n,) or (n, d) less their mean, over the root of the mean of their coordinates' variances.

    One scale for all coordinates, so that the shape stays; points that are all the same are only moved.

    >>> centred(np.array([[0.0, 1.0], [2.0, 1.0]])).round(3).tolist()
    [[-1.414, 0.0], [1.414, 0.0]]
    """
    gap = points - points.mean(0)
    scale = float(np.max(np.abs(gap))) or 1.0  # squares neither over- nor underflow
    return gap / scale / (np.sqrt(np.mean((gap / scale) ** 2)) or 1.0)


def decode(dim: float, bounds: list[float], text: str) -> Sampler:
    """The law that `points(dim,bounds...,"text")` writes; its notation keeps `text` as it is. Raises ValueError."""
    if dim not in (1, 2):
        raise ValueError(f"points lie on the line or in the plane: their dimension must be 1 or 2, got {dim:g}")
    if len(bounds) != 2 * dim:
        raise ValueError(
            f"points in {dim:g} dimensions need {2 * dim:g} bounds, low and high for each, got {len(bounds)}"
        )
    low, high = np.array(bounds[::2]), np.array(bounds[1::2])
    if np.any(high < low) or np.max(np.abs(bounds)) > LARGEST or np.max(high - low) < 1 / LARGEST:
        raise ValueError(f"points need low <= high within {LARGEST:g} of zero, and not all at one place")
    codes = np.frombuffer(_unpacked(text, 4 * LIMIT), "<u2")
    if codes.size % dim or not 2 * dim <= codes.size <= LIMIT * dim:
        raise ValueError(f"points must be from 2 to {LIMIT} pairs or numbers, the text holds {codes.size} codes")
    codes = codes.reshape(int(dim), -1)
    # along a side of no length all codes are one place
    if not np.any((codes != codes[:, :1]).any(axis=1) & (high > low)):
        raise ValueError("at least two different points are needed: these lie all at one place")
    return _law(codes, low, high, text)


def _unpacked(text: str, most: int) -> bytes:
    """What the text holds; not more than `most` bytes are ever unpacked. Raises ValueError."""
    if not _BASE64.fullmatch(text):
        raise ValueError("the points' text must be base64url: letters, digits, - and _")
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), most + 1)
    except (binascii.Error, zlib.error):
        raise ValueError("the points' text is damaged: it cannot be unpacked") from None
    if len(data) > most:
        raise ValueError(f"the points' text holds more than {LIMIT} points")
    if not stream.eof or stream.unused_data or len(data) % 2:
        raise ValueError("the points' text is damaged: it is cut short or too long")
    return data


def _law(codes: Array, low: Array, high: Array, text: str) -> Sampler:
    """The law of codes (dim, n) over the bounds (dim,) that `text` holds."""
    dim, n = codes.shape
    # at code 65535 the sum must be `high` itself
    x = np.minimum(low + (high - low) * (codes.T / STEPS), high)
    x = x[:, 0] if dim == 1 else x
    x.setflags(write=False)
    room = MARGIN * float(np.max(high - low))
    box = tuple(float(v) for pair in zip(low - room, high + room, strict=True) for v in pair)
    ends = ",".join(repr(float(v)) for pair in zip(low, high, strict=True) for v in pair)

    def draw(count: int, rng: np.random.Generator) -> Array:
        return x[rng.integers(n, size=count)]

    return Sampler(f'points({dim},{ends},"{text}")', draw, box, dim=dim, name=f"points ({n:,} of them)")
