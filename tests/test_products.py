"""Which kernel multiplies: measured once for a kind of processor, kept beside the store, the same for all processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from gantoys.training import products
from gantoys.training.networks import ACTIVATIONS
from gantoys.training.products import ONEDNN, SETTING, TORCH

ROOT = Path(__file__).resolve().parents[1]
HAS_BOTH = pytest.mark.skipif(products._LINEAR is None, reason="this torch brings one kernel only")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("GANTOYS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(SETTING, raising=False)
    products.kernel.cache_clear()
    yield
    products.kernel.cache_clear()


def kept(folder: Path) -> list[str]:
    return [path.read_text() for path in folder.glob("products-*")]


@HAS_BOTH
@pytest.mark.parametrize("quicker", [pytest.param(ONEDNN, marks=pytest.mark.long), TORCH])
def test_what_was_measured_once_holds_for_all_later_processes(
    quicker: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    turns = []
    monkeypatch.setattr(products, "measured", lambda: turns.append(1) or quicker)
    assert [products.kernel() for _ in range(3)] == [quicker] * 3
    products.kernel.cache_clear()
    assert products.kernel() == quicker and turns == [1] and kept(tmp_path / "home") == [f"{quicker}\n"]
    told = subprocess.run(
        [sys.executable, "-c", "from gantoys.training import products; print(products.kernel())"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.strip() == quicker


@HAS_BOTH
def test_who_measured_first_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = products._path()
    assert path is not None

    def slowly() -> str:  # meanwhile another process has finished
        path.parent.mkdir()
        path.write_text(f"{ONEDNN}\n")
        return TORCH

    monkeypatch.setattr(products, "measured", slowly)
    assert products.kernel() == ONEDNN and kept(tmp_path / "home") == [f"{ONEDNN}\n"]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@HAS_BOTH
def test_a_damaged_note_is_measured_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = products._path()
    assert path is not None
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe half")
    monkeypatch.setattr(products, "measured", lambda: TORCH)
    assert products.kernel() == TORCH and kept(tmp_path / "home") == [f"{TORCH}\n"]


@HAS_BOTH
def test_where_nothing_can_be_kept_each_process_measures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file is in the way")
    monkeypatch.setattr(products, "measured", lambda: ONEDNN)
    assert products.kernel() == ONEDNN

    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(products, "home", homeless)
    products.kernel.cache_clear()
    assert products.kernel() == ONEDNN


@HAS_BOTH
@pytest.mark.parametrize("asked", [ONEDNN, "Torch "])
def test_the_setting_decides_without_a_measurement(asked: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(SETTING, asked)
    monkeypatch.delattr(products, "measured")
    assert products.kernel() == asked.strip().lower() and not (tmp_path / "home").exists()


@HAS_BOTH
def test_the_measurement_finds_the_quicker_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock of the test's own on which each call of a kernel takes as long as it is said to."""
    now = [0.0]
    monkeypatch.setattr(products.time, "perf_counter", lambda: now[0])
    for slow in (ONEDNN, TORCH):
        cost = {ONEDNN: 1.0, TORCH: 1.0} | {slow: 1.1}

        def called(name: str, function: object, spent: float) -> object:
            def run(*args: object, **kwargs: object) -> object:
                now[0] += spent
                return function(*args, **kwargs)  # type: ignore[operator]

            return run

        with monkeypatch.context() as patch:
            patch.setattr(products, "_LINEAR", called(ONEDNN, products._LINEAR, cost[ONEDNN]))
            patch.setattr(torch, "mm", called(TORCH, torch.mm, cost[TORCH]))
            patch.setattr(torch, "addmm", called(TORCH, torch.addmm, cost[TORCH]))
            assert products.measured() != slow


@HAS_BOTH
@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_both_kernels_make_the_same_of_a_layer(name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    x, w = torch.randn(300, 128, generator=generator), torch.randn(128, 128, generator=generator) / 128**0.5
    b = torch.randn(128, generator=generator)
    act = ACTIVATIONS[name]
    found = products.layer(x, w, b, *act.fused)
    found = act.forward_(found) if act.fused[0] == "none" else found
    exact = act.forward(x.double() @ w.double() + b.double())
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(products.product(x, w).double(), x.double() @ w.double(), rtol=1e-5, atol=1e-5)


@HAS_BOTH
def test_only_large_products_of_single_precision_are_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, ONEDNN)
    single, double = torch.ones(2, 2), torch.ones(2, 2, dtype=torch.float64)
    assert products.worthwhile(single, products.LEAST) and not products.worthwhile(single, products.LEAST - 1)
    assert not products.worthwhile(single, products.LEAST, tall=True) and not products.worthwhile(double, 10**9)
    products.kernel.cache_clear()
    monkeypatch.setenv(SETTING, TORCH)
    assert not products.worthwhile(single, 10**9)
