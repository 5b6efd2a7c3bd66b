"""What distributions of every dimension share: checks of their parameters, log-sum-exp, the heaviest tail, notation."""

import numpy as np

Array = np.ndarray
MAX_COMPONENTS = 256
WEIGHT_TOLERANCE = 1e-9
LARGEST = 1e100
SHAPE_RANGES = {
    "student-t": ("degrees of freedom", 0.2, 1e6),
    "skew-normal": ("the skewness parameter", -1e3, 1e3),
    "circle": ("a radius, in units of the scale,", 0.0, 1e4),
}
_FAINT = -500.0
_LOWEST = -1e308


def log_sum_exp(terms: Array) -> Array:
    """log sum exp down axis 0; -inf where all terms are."""
    if len(terms) == 1:
        return terms[0]
    # the floor keeps -inf - -inf out of the exponent
    top = np.maximum(np.max(terms, axis=0), _LOWEST)
    # e^-500 and less change no sum that begins with e^0, and C's exp is slow there
    rest = np.log(np.sum(np.exp(np.maximum(terms - top, _FAINT)), axis=0))
    return np.where(top == _LOWEST, -np.inf, top + rest)


def checked_weights(weights: Array, what: str) -> Array:
    if weights.shape[-1] > MAX_COMPONENTS:
        raise ValueError(f"{weights.shape[-1]} {what} are too many: at most {MAX_COMPONENTS} are allowed")
    if weights.shape[-1] == 0:
        raise ValueError(f"no {what} given: at least one is needed")
    if not np.all(np.isfinite(weights)) or np.any(weights < 0):
        raise ValueError(f"weights must be finite and not negative, got {short(weights)}")
    total = weights.sum(axis=-1)
    if np.any(np.abs(total - 1) > WEIGHT_TOLERANCE):
        raise ValueError(f"weights must sum to 1, got {short(weights)} with sum {float(np.ravel(total)[0]):.6g}")
    return weights


def checked_places(locs: Array, scales: Array) -> None:
    """Raises ValueError unless positions and scales are numbers that can be squared and divided safely."""
    if not np.all(np.isfinite(locs)):
        raise ValueError(f"positions must be finite, got {short(locs)}")
    if not np.all(np.isfinite(scales)) or np.any(scales <= 0):
        raise ValueError(f"scales (standard deviations, widths) must be positive and finite, got {short(scales)}")
    if np.any(np.abs(locs) > LARGEST):
        raise ValueError(f"positions must lie within {LARGEST:g} of zero, got {short(locs)}")
    if np.any(scales > LARGEST) or np.any(scales < 1 / LARGEST):
        raise ValueError(f"scales must lie between {1 / LARGEST:g} and {LARGEST:g}, got {short(scales)}")


def checked_shapes(kind: str, shapes: Array) -> None:
    """Raises ValueError for degrees of freedom, a skewness or a radius out of range."""
    if kind not in SHAPE_RANGES:
        return
    name, low, high = SHAPE_RANGES[kind]
    if not np.all((shapes >= low) & (shapes <= high)):
        raise ValueError(f"{name} must lie between {low:g} and {high:g}, got {short(shapes)}")


def sweep_shape(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common sweep of batches () or (S,). Raises ValueError when two sweeps differ in length."""
    lengths = sorted({n for shape in shapes for n in shape if n != 1})
    if len(lengths) > 1:
        raise ValueError(f"sweeps must have one length, got {' and '.join(str(n) for n in lengths)}")
    if any(len(shape) > 1 for shape in shapes):
        raise ValueError(f"at most one sweep axis is allowed, got {max(shapes, key=len)}")
    return np.broadcast_shapes(*shapes)


def short(values: Array) -> str:
    flat = np.ravel(values)
    text = ", ".join(f"{v:.6g}" for v in flat[:6])
    return f"[{text}{', ...' if flat.size > 6 else ''}]"


def number(value: float) -> str:
    return f"{float(value):.12g}"


def single(batch: tuple[int, ...]) -> None:
    if batch:
        raise ValueError("this needs a single distribution, not a sweep of them")


def _same(a: Array, b: Array) -> Array:
    """Equal up to rounding: exponents of tails come out of squares and quotients."""
    with np.errstate(invalid="ignore"):
        return (a == b) | (np.abs(a - b) <= 1e-12 * np.maximum(np.abs(a), np.abs(b)))


def heaviest(tails: Array) -> Array:
    """The tail that decides, among those on the second last axis: smallest A, then B, then C."""
    a, b, c = (tails[..., i] for i in range(3))
    a_min = a.min(-1, keepdims=True)
    b_min = np.where(_same(a, a_min), b, np.inf).min(-1, keepdims=True)
    c_min = np.where(_same(a, a_min) & _same(b, b_min), c, np.inf).min(-1)
    return np.stack([a_min[..., 0], b_min[..., 0], c_min], axis=-1)


def sum_notation(weights: Array, parts: list[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    return "+".join(f"{float(w)!r}*{part}" for w, part in zip(weights, parts, strict=True))
