"""The benchmarks' own arithmetic, and that the picture made of plain widgets shows what the lesson shows."""

import importlib.util
import sys
from types import ModuleType

import numpy as np
import pytest
from tree import ROOT

from gantoys.pictures import optimal_discriminator as picture
from gantoys.stage.channels import Swept
from gantoys.stage.layers import Curve


def module(name: str) -> ModuleType:
    """A module of benchmarks/, which is no package."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded  # dataclasses look their module up
    spec.loader.exec_module(loaded)
    return loaded


figures = module("figures")


@pytest.mark.parametrize(("share", "want"), [(0.5, 10), (0.95, 19), (1.0, 20)])
def test_a_quantile_is_the_smallest_value_that_so_many_do_not_exceed(share: float, want: float) -> None:
    values = np.random.default_rng(0).permutation(np.arange(1.0, 21.0))
    assert figures.quantile(values, share) == want
    assert figures.quantile(values, share) == np.quantile(values, share, method="inverted_cdf")
    assert np.isnan(figures.quantile([], share))


def test_a_figure_beyond_its_bound_is_marked() -> None:
    assert figures.Row("p95", "ms", 31, most=30).verdict == "MISSED (<= 30)"
    assert figures.Row("p95", "ms", 30, most=30).verdict == "ok (<= 30)"
    assert figures.Row("pictures", "1/s", 24, least=25).verdict == "MISSED (>= 25)"
    assert figures.Row("series without a value", "ms", float("nan"), most=30).verdict == "MISSED (<= 30)"
    assert figures.Row("p50", "ms", 1).verdict == ""


def test_better_means_faster_for_a_time_and_more_for_a_rate() -> None:
    assert figures.Row("time", "ms", 10, 50).ratio == "5.0x"
    assert figures.Row("speed", "1/s", 50, 10).ratio == "5.0x"
    assert figures.Row("speed", "1/s", 50, 0).ratio == ""


def test_plain_widgets_are_given_the_curves_of_the_lesson() -> None:
    plotly = module("plotly_app")
    state = picture.OptimalState(left=-1.5, weight=0.3)
    panels, js = plotly.figure(state)
    scene = picture.scene(state)
    at = scene.controls[0].start

    def shown(role: str, panel: int) -> np.ndarray:
        curve = next(c for c in scene.panels[panel].layers if isinstance(c, Curve) and c.role == role)
        return np.asarray(curve.y.rows["left"][at] if isinstance(curve.y, Swept) else curve.y)

    ours = (shown("real", 0), shown("fake", 0), shown("disc", 1), shown("theory", 2))
    for trace, want in zip(panels.data, ours, strict=True):
        assert np.asarray(trace.y) == pytest.approx(want, abs=1e-9)
    value = next(r for r in scene.readouts if r.key == "js").value
    assert isinstance(value, Swept) and js == pytest.approx(float(value.rows["left"][at]), abs=1e-6)
