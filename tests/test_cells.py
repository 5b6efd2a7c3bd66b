"""The cells by which JS is bounded: native code and numpy against counting bits, and against each other bit for bit."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from engine import tiny

from gantoys.metrics.jensen_shannon import (
    LEAST_POINTS,
    NUMPY,
    Cells,
    JSBound,
    _halvings,
    _ranked,
    halvings_at_others,
    halvings_at_own,
)
from gantoys.runs.config import TrainConfig
from gantoys.training import native
from gantoys.training.cells import native_cells
from gantoys.training.game import Game
from gantoys.training.loop import train
from gantoys.training.narrow import NarrowPasses

Array = np.ndarray
LONGEST = 1 << 62  # what lies beyond codes of so many bits, the longest there are


def ours() -> Cells:
    """Native code, where there is a compiler."""
    return native_cells() or NUMPY


def drawn(n: int, d: int, seed: int, ties: bool) -> Array:
    """Points (n, d) around the origin; with ties on a coarse grid, and a quarter of them at one place."""
    x = np.random.default_rng(seed).normal(size=(n, d))
    if ties:
        x = np.round(2 * x) / 2
        x[: n // 4] = x[0]
    return x


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("d", [1, 2, 3, 5, 70])
def test_native_cells_are_those_of_numpy_bit_for_bit(d: int, ties: bool) -> None:
    """Also for fewer generated points than the largest cell is to hold: 16, where up to 64 others are asked for."""
    quick = ours()
    for n, m in ((700, 1001), (700, LEAST_POINTS), (LEAST_POINTS, 300), (130, 17)):
        real, fake = drawn(n, d, 1, ties), 0.8 * drawn(m, d, 2, ties) + 0.25
        for density in (None, lambda x: -0.5 * (x**2).sum(1)):
            got, want = JSBound(real, density, quick), JSBound(real, density)
            np.testing.assert_array_equal(got._coded(9 * fake), want._coded(9 * fake))  # many of them beyond the cube
            order, ranked = _ranked(want._coded(fake))
            beyond = 1 << want._whole
            for counts in (want._counts, (2, 8, 64)):
                for one, other in (
                    (quick.own(order, ranked, counts, beyond), halvings_at_own(order, ranked, counts, beyond)),
                    (
                        quick.others(ranked, want._codes, counts, beyond),
                        halvings_at_others(ranked, want._codes, counts, beyond),
                    ),
                ):
                    assert one.dtype == other.dtype == np.int64
                    np.testing.assert_array_equal(one, other)
            assert got(fake) == want(fake)


def test_cells_of_the_longest_codes_are_those_of_numpy() -> None:
    """Differences of up to 63 bits, many of them just below a power of two, where floating numbers round up."""
    draw = np.random.default_rng(3)
    codes = draw.integers(0, LONGEST, (4, 500)) >> draw.integers(0, 62, (4, 500))
    codes[:, ::3] = (1 << draw.integers(0, 63, codes[:, ::3].shape)) - 1
    order, ranked = _ranked(codes)
    others = np.roll(codes, 7, axis=1) ^ 1
    for counts in ((2,), (2, 8, 64), (3, 5, 600)):
        np.testing.assert_array_equal(
            ours().own(order, ranked, counts, LONGEST), halvings_at_own(order, ranked, counts, LONGEST)
        )
        np.testing.assert_array_equal(
            ours().others(ranked, others, counts, LONGEST), halvings_at_others(ranked, others, counts, LONGEST)
        )


def test_halvings_are_the_bits_of_a_difference() -> None:
    powers = [1 << k for k in range(63)]
    values = sorted({0, *powers, *(p - 1 for p in powers), *(p + 1 for p in powers), (1 << 63) - 1})
    assert _halvings(np.array(values)).tolist() == [value.bit_length() for value in values]


def test_native_cells_refuse_what_they_would_read_wrongly() -> None:
    found, rows = native_cells(), np.arange(40).reshape(2, 20)
    if found is None:
        return
    for other in (rows.astype(float), rows[:, ::2], rows[0], rows[:1]):
        with pytest.raises(ValueError, match=r"int64|as many"):
            found.others(rows, other, (2,), 64)
        with pytest.raises(ValueError, match=r"int64|as many"):
            found.own(other, rows, (2,), 64)
    with pytest.raises(ValueError, match="counts from 2"):
        found.others(rows, rows, (1, 2), 64)


# --- films


@pytest.fixture
def _told_anew() -> Iterator[None]:
    """Whether there is native code is asked once a process: here it is asked again."""
    native.library.cache_clear()
    yield
    native.library.cache_clear()


@pytest.mark.usefixtures("_told_anew")
@pytest.mark.parametrize("fields", [{"toy": "ring"}, {"toy": "moons"}, {"toy": "ring", "seeds": 2}])
def test_a_film_has_the_same_js_with_and_without_native_code(
    fields: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Networks so wide that native code does not train them; a target with a density, and one without."""
    torch.set_num_threads(1)
    config = tiny(**({"width": 128, "steps": 4, "frames": 3} | fields))
    assert not any(isinstance(p, NarrowPasses) for p in vars(Game(config).passes).values())
    told = js_of(config)
    monkeypatch.setenv("GANTOYS_NATIVE", "0")
    native.library.cache_clear()
    assert native_cells() is None
    assert js_of(config) == told and len(told) == 3 * config.seeds


def js_of(config: TrainConfig) -> list[tuple[float, list[float]]]:
    """JS and the standard errors, of each frame of each seed."""
    frames = [frame for row in train(config) for frame in row]
    return [(float(f.arrays["js"]), f.arrays["errors"].tolist()) for f in frames]  # type: ignore[union-attr]
