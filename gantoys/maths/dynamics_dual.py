"""Slopes without formulas of their own: dual numbers value + slope e with e^2 = 0, which numpy's functions take.

A function that is written with arithmetic and the functions listed here, given `Dual(x, 1)` for x, returns its value
and its exact slope in one pass (forward-mode differentiation; Griewank & Walther 2008, chapter 3). Values may be Duals
again: then the slopes have slopes. Inside a function that makes Duals of its arguments, *every* argument must become
one, with slope 0 where it is held: else slopes of two levels would be taken for one another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

Values = Any  # a float, a numpy array or a Dual


class Dual:
    """value and slope, both arrays of one shape (or Duals of such arrays); arithmetic and ufuncs keep both."""

    __slots__ = ("slope", "value")

    def __init__(self, value: Values, slope: Values) -> None:
        self.value, self.slope = value, slope

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        # For piecewise constant functions, which forget their argument: their slope is 0.
        return np.asarray(self.value, dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Values, **kwargs: Any) -> Values:
        if method != "__call__" or kwargs:
            return NotImplemented
        values = [x.value if isinstance(x, Dual) else x for x in inputs]
        out = ufunc(*values)
        if ufunc in _CONSTANT:
            return out
        if ufunc not in _PARTIALS:
            raise TypeError(f"no slope is known for {ufunc.__name__}")
        slope: Values = 0.0
        for x, partial in zip(inputs, _PARTIALS[ufunc], strict=True):
            if isinstance(x, Dual):
                slope = slope + partial(out, *values) * x.slope
        return Dual(out, slope)

    def __getitem__(self, key: Any) -> Dual:
        return Dual(self.value[key], self.slope[key])

    def sum(self, axis: int) -> Dual:
        return Dual(self.value.sum(axis), self.slope.sum(axis))

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.slope)

    def __add__(self, other: Values) -> Dual:
        if isinstance(other, Dual):
            return Dual(self.value + other.value, self.slope + other.slope)
        return Dual(self.value + other, self.slope)

    def __sub__(self, other: Values) -> Dual:
        if isinstance(other, Dual):
            return Dual(self.value - other.value, self.slope - other.slope)
        return Dual(self.value - other, self.slope)

    def __rsub__(self, other: Values) -> Dual:
        return Dual(other - self.value, -self.slope)

    def __mul__(self, other: Values) -> Dual:
        if isinstance(other, Dual):
            return Dual(self.value * other.value, self.slope * other.value + self.value * other.slope)
        return Dual(self.value * other, self.slope * other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __truediv__(self, other: Values) -> Dual:
        return np.true_divide(self, other)  # type: ignore[return-value]

    def __rtruediv__(self, other: Values) -> Dual:
        return np.true_divide(other, self)  # type: ignore[return-value]

    def __pow__(self, power: float) -> Dual:
        return Dual(self.value**power, power * self.value ** (power - 1) * self.slope)


_PARTIALS: dict[np.ufunc, tuple[Callable[..., Values], ...]] = {
    np.add: (lambda o, a, b: 1.0, lambda o, a, b: 1.0),
    np.subtract: (lambda o, a, b: 1.0, lambda o, a, b: -1.0),
    np.multiply: (lambda o, a, b: b, lambda o, a, b: a),
    np.true_divide: (lambda o, a, b: 1.0 / b, lambda o, a, b: -o / b),
    np.negative: (lambda o, a: -1.0,),
    np.square: (lambda o, a: 2 * a,),
    np.sqrt: (lambda o, a: 0.5 / o,),
    np.exp: (lambda o, a: o,),
    np.expm1: (lambda o, a: o + 1,),
    np.log: (lambda o, a: 1.0 / a,),
    np.tanh: (lambda o, a: 1 - o * o,),
    np.absolute: (lambda o, a: np.sign(a),),
    special.expit: (lambda o, a: o * special.expit(-a),),
    np.logaddexp: (lambda o, a, b: special.expit(a - b), lambda o, a, b: special.expit(b - a)),
    # where both are equal the slope is that of the second argument, in backend.relu and in a clamp the constant one
    np.maximum: (lambda o, a, b: np.greater(a, b), lambda o, a, b: np.less_equal(a, b)),
    np.minimum: (lambda o, a, b: np.less(a, b), lambda o, a, b: np.greater_equal(a, b)),
}
_CONSTANT = {np.sign, np.greater, np.less, np.greater_equal, np.less_equal, np.equal, np.not_equal, np.isfinite}


def plain(x: Values) -> Values:
    """x without its slopes."""
    return plain(x.value) if isinstance(x, Dual) else x


def constant(x: Values) -> Dual:
    """x as a Dual that is held: slope 0."""
    return Dual(x, np.zeros(np.shape(plain(x))))


def variable(x: Values) -> Dual:
    """x as the Dual in which is differentiated: slope 1."""
    return Dual(x, np.ones(np.shape(plain(x))))


def gradients(function: Callable[[Values, Values], Values], x: Values, y: Values) -> tuple[Values, Values, Values]:
    """(f, df/dx, df/dy) of an elementwise f(x, y), x and y of one shape, in one pass.

    >>> [v.tolist() for v in gradients(lambda x, y: x * x * y, np.array(3.0), np.array(2.0))]
    [18.0, 12.0, 9.0]
    """
    # one axis in front holds the two directions, so that f is called once
    shape = (2,) + (1,) * np.ndim(plain(x))
    ones, direction = np.ones(shape), np.array([1.0, 0.0]).reshape(shape)
    out = function(Dual(x * ones, ones * direction), Dual(y * ones, ones * (1 - direction)))
    if not isinstance(out, Dual):
        return out[0], 0.0 * out[0], 0.0 * out[0]
    return out.value[0], out.slope[0], out.slope[1]
