"""Scenes are checked when they are made, survive packing, and become pages that need nothing else."""

from __future__ import annotations

import base64
import html.parser
import json
import logging
import math
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from gantoys.stage.channels import ROLES
from gantoys.stage.layers import LAYERS, Area, Bars, Curve, Draw, Handle, Heatmap, Points, Rule, Text
from gantoys.stage.pack import LEVELS, LIMIT, MARGIN, pack, quantise, unpack
from gantoys.stage.page import asset, standalone
from gantoys.stage.scene import Animation, Axis, Control, Panel, Readout, Scene, Swept, at_rest

X = np.linspace(0, 1, 50)
UNIT = Axis(0, 1)


def scene(*layers: Any, **changes: Any) -> Scene:
    """A small valid scene with one slider `c` of five positions and one readout `r`."""
    settings: dict[str, Any] = {
        "key": "small",
        "alt": "A picture; r is {r}.",
        "panels": (Panel(UNIT, UNIT, layers),),
        "controls": (Control("c", "c", np.arange(5.0), start=2),),
        "readouts": (Readout("r", "r", Swept({"c": np.arange(5.0) ** 2})),),
    }
    return Scene(**(settings | changes))


def rows(count: int = 5) -> Swept:
    return Swept({"c": np.linspace(0, 1, count)[:, None] * X})


# ------------------------------------------------------------------------------------------------- what is refused


def test_a_sweep_over_an_unknown_control_is_refused() -> None:
    with pytest.raises(ValueError, match="swept over 'd', which is no control"):
        scene(Curve(X, Swept({"d": np.zeros((5, 50))})))


def test_a_sweep_of_the_wrong_length_is_refused_and_both_lengths_are_named() -> None:
    with pytest.raises(ValueError, match="'c' has 5 positions, its sweep 4"):
        scene(Curve(X, rows(4)))


def test_sweeps_of_one_value_must_agree_in_shape() -> None:
    with pytest.raises(ValueError, match="agree after the first axis"):
        Swept({"a": np.zeros((3, 4)), "b": np.zeros((3, 5))})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Curve(X, X[:-1]), "one length"),
        (lambda: Curve(X, np.zeros((5, 50))), "1 dimension"),
        (lambda: Curve(X, np.array(["a"] * 50)), "real numbers"),
        (lambda: Curve(X, X, role="blue"), "role 'blue' is not one of"),
        (lambda: Area(X, X, base=X[:-1]), "one length"),
        (lambda: Points(X, X[:3]), "one length"),
        (lambda: Heatmap(np.zeros((1, 5)), (0, 1), (0, 1)), "at least 2 x 2"),
        (lambda: Heatmap(np.zeros((5, 5)), (0, 1), (0, 1), lo=1, mid=0.5, hi=0), "lo < mid < hi"),
        (lambda: Bars(np.zeros((2, 3)), roles=("real",)), "2 roles expected, got 1"),
        (lambda: Bars(np.zeros(3), categories=("a",)), "3 categories expected"),
        (lambda: Bars(np.zeros(3), base=np.zeros(2)), "bars.base needs shape"),
        (lambda: Text(X, 0.0, "words"), "0 dimension"),
        (lambda: Handle("c", 0.5, 0.5), "needs its x swept"),
        (lambda: Draw(X[::-1], 0, 1), "x increasing"),
        (lambda: Draw(X, 1, 0), "lo < hi"),
        (lambda: Axis(1, 0), "finite lo < hi"),
        (lambda: Axis(0, math.inf), "finite lo < hi"),
        (lambda: Axis(0, 1, log=True), "lo > 0"),
        (lambda: Axis(0, 1, ticks=(0.5,), tick_labels=("a", "b")), "1 ticks but 2"),
        (lambda: Control("c", "c", [0.0]), "at least 2"),
        (lambda: Control("c", "c", [1.0, 0.0]), "increasing"),
        (lambda: Control("c", "c", [0.0, math.nan]), "finite"),
        (lambda: Control("c", "c", [0.0, 1.0], start=2), "starts at 2, allowed is 0 to 1"),
        (lambda: Control("<b>", "c", [0.0, 1.0]), "key '<b>'"),
        (lambda: Control("c", "c", [0.0, 1.0], names=("a",)), "2 positions but 1 names"),
        (lambda: Control("c", "c", [0.0, 1.0], fps=0), "fps 0"),
        (lambda: Readout("r", "r", np.zeros(3)), "needs a number"),
        (lambda: Readout("r", "r", 0.0, kind="guessed"), "'guessed' is not one of exact"),
        (lambda: Panel(UNIT, UNIT, (), row=9), "row 9"),
    ],
)
def test_a_wrong_part_is_refused_with_a_sentence(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alt": " "}, "text alternative"),
        ({"panels": ()}, "at least one panel"),
        ({"panels": (Panel(UNIT, UNIT, ()), Panel(UNIT, UNIT, ()))}, "share a place"),
        ({"readouts": (Readout("c", "c", 0.0),), "alt": "x"}, "must differ"),
        ({"formula": "V = {nothing}"}, "{nothing} is no readout"),
        ({"formula": "V = {r:>9}"}, "format is unknown"),
        ({"animate": Animation("d", 0, 1)}, "animation of 'd'"),
        ({"append_from": 3}, "needs a time control"),
        ({"key": "two words"}, "key 'two words'"),
    ],
)
def test_a_scene_that_does_not_hold_together_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        scene(Curve(X, rows()), **changes)


def test_handles_and_sheets_are_checked_against_the_scene() -> None:
    with pytest.raises(ValueError, match=r"handle\.x is swept over 'd'"):
        scene(Handle("d", Swept({"d": np.arange(5.0)}), 0.0), controls=(Control("c", "c", np.arange(5.0)),))
    with pytest.raises(ValueError, match="one layer to draw on"):
        scene(Draw(X, 0, 1), Draw(X, 0, 1))


def test_braces_of_subscripts_and_escaped_braces_are_no_slots() -> None:
    assert scene(Curve(X, X, label="p_{data} and D^{*}"), formula=r"\{a\} = {r:+.2f} at {c}").formula


# ---------------------------------------------------------------------------------------------------- what is kept


def test_what_a_scene_holds_cannot_be_written_to() -> None:
    curve = Curve(X, rows())
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(curve.x)[0] = 1.0
    assert isinstance(curve.y, Swept)
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(curve.y.rows["c"])[0] = 1.0
    assert X.flags.writeable


def test_at_rest_every_sweep_shows_the_row_of_its_start() -> None:
    small = scene(Curve(X, rows()))
    assert at_rest(small.readouts[0].value, small) == 4.0
    np.testing.assert_array_equal(at_rest(rows(), small), 0.5 * X)
    assert at_rest(0.25, small) == 0.25


def test_a_part_of_a_film_counts_its_rows_from_where_it_begins() -> None:
    clock = Control("t", "t", np.arange(9.0), start=8, kind="time", live=True)
    part = scene(controls=(clock,), readouts=(Readout("r", "r", Swept({"t": np.array([7.0, 8.0])})),), append_from=7)
    assert at_rest(part.readouts[0].value, part) == 8.0
    with pytest.raises(ValueError, match="2 positions, its sweep 9"):
        scene(controls=(clock,), readouts=(Readout("r", "r", Swept({"t": np.arange(9.0)})),), append_from=7)


def test_a_control_finds_the_nearest_of_its_positions_even_from_outside() -> None:
    control = Control("c", "c", [0.0, 1.0, 4.0])
    assert [control.nearest(v) for v in (-9, 0.4, 0.6, 2.4, 2.6, 99)] == [0, 0, 1, 1, 2, 2]


# --------------------------------------------------------------------------------------------------------- packing


def arrays_of(message: bytes, *path: Any) -> Any:
    """The decoded array that the header names at `path`."""
    header, arrays = unpack(message)
    node: Any = header
    for step in path:
        node = node[step]
    return {k: arrays[i] for k, i in node["s"].items()} if "s" in node else arrays[node["a"]]


@pytest.mark.parametrize("compact", [True, False])
def test_packing_keeps_curves_to_less_than_a_pixel_and_readouts_exactly(compact: bool) -> None:
    y = np.sin(7 * np.arange(5.0)[:, None] + X)
    value = np.array([math.pi, math.inf, -math.inf, math.nan, 1e-300])
    message = pack(
        scene(Curve(X, Swept({"c": y})), readouts=(Readout("r", "r", Swept({"c": value})),)), compact=compact
    )
    np.testing.assert_array_equal(arrays_of(message, "readouts", 0, "value")["c"], value)
    step = (1 + 2 * MARGIN) / (LEVELS["u2"] - 1)  # the axis is 1 long, with a margin on both sides
    tolerance = step / 2 * 1.001 if compact else 1e-7
    np.testing.assert_allclose(arrays_of(message, "panels", 0, "layers", 0, "y")["c"], y, atol=tolerance, rtol=0)


def test_a_line_that_leaves_the_picture_stays_outside_and_nan_stays_a_gap() -> None:
    y = np.concatenate([[np.nan, np.inf, -np.inf, 1e9], np.linspace(0, 1, 46)])
    read = arrays_of(pack(scene(Curve(X, y))), "panels", 0, "layers", 0, "y")
    assert np.isnan(read[0]) and not np.isnan(read[1:]).any()
    assert read[1] > 1 and read[2] < 0 and read[3] > 1


def test_a_heatmap_keeps_its_middle_exactly_and_every_value_to_half_a_level() -> None:
    values = np.linspace(0, 1, 90).reshape(9, 10)
    values[0, 0] = 0.5
    read = arrays_of(pack(scene(Heatmap(values, (0, 1), (0, 1)))), "panels", 0, "layers", 0, "values")
    assert read[0, 0] == 0.5
    np.testing.assert_allclose(read, values, atol=0.5 / 254 + 1e-12, rtol=0)


@given(
    some.lists(some.floats(-1e6, 1e6), min_size=1, max_size=40),
    some.floats(-1e3, 1e3),
    some.floats(1e-3, 1e6),
    some.sampled_from(sorted(LEVELS)),
)
def test_quantised_values_lie_within_half_a_step_of_the_clipped_ones(
    values: list[float], lo: float, length: float, kind: str
) -> None:
    array, hi = np.array(values), lo + length
    codes = quantise(array, kind, lo, hi).astype(float)
    step = (hi - lo) / (LEVELS[kind] - 1)
    assert codes.max() < LEVELS[kind]
    np.testing.assert_allclose(
        lo + step * codes, np.clip(array, lo, hi), atol=step * 0.5000001 + 1e-9 * abs(hi), rtol=0
    )


def test_the_header_is_strict_json_and_the_arrays_are_aligned() -> None:
    message = pack(scene(Curve(X, X), Rule(0.5, label="half"), readouts=(Readout("r", "r", math.nan),)))
    length = int.from_bytes(message[:4], "little")
    assert (4 + length) % 8 == 0
    header = json.loads(message[4 : 4 + length], parse_constant=lambda name: pytest.fail(f"{name} in the header"))
    assert all(row["offset"] % 8 == 0 for row in header["arrays"])


def test_an_array_used_by_many_layers_is_sent_once() -> None:
    one, many = (len(pack(scene(*(Curve(X, X) for _ in range(n))))) for n in (1, 20))
    assert many - one < 19 * 260
    assert len(unpack(pack(scene(*(Curve(X, X) for _ in range(20)))))[0]["arrays"]) == 3


def test_the_digest_tells_scenes_apart_and_ignores_the_view() -> None:
    def digest(view: dict[str, Any] | None = None, **changes: Any) -> str:
        return str(unpack(pack(scene(Curve(X, rows()), **changes), view=view))[0]["digest"])

    assert digest() == digest({"height": 3, "echo": "a"})
    assert len({digest(), digest(formula="f"), digest(readouts=(Readout("r", "r", 1.0),))}) == 3


def test_a_message_that_is_too_large_for_the_browser_is_refused() -> None:
    big = np.zeros((LIMIT // 2 // 1000 + 1, 1000))
    clock = Control("c", "c", np.arange(float(len(big))))
    with pytest.raises(ValueError, match=r"is 32\.\d MB, allowed is 32 MB"):
        pack(scene(Curve(np.arange(1000.0), Swept({"c": big})), controls=(clock,), readouts=(), alt="big"))


def test_every_kind_of_layer_is_drawn_by_the_script() -> None:
    script = asset("stage.js")
    names = set(re.findall(r"(\w+): P\.", script))
    assert set(LAYERS) == names
    assert f"const ROLES = [{', '.join(repr(role) for role in ROLES)}]" in script


def test_the_script_never_reads_data_as_html() -> None:
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", asset("stage.js")
    )


# -------------------------------------------------------------------------------------------------- the single page


class Tags(html.parser.HTMLParser):
    """Tags and addresses of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action")]


def test_the_single_page_names_no_other_address_and_carries_the_whole_scene() -> None:
    small = scene(Curve(X, rows()), title="Small & <b>bold</b>")
    page = standalone(small)
    tags = Tags()
    tags.feed(page)
    assert tags.addresses == ["data:,"]
    assert "b" not in tags.tags and "Small &amp; &lt;b&gt;bold&lt;/b&gt;" in page
    assert "default-src 'none'" in page
    data = re.search(r'<script id="scene" type="text/plain">(.*?)</script>', page)
    assert data is not None
    header, _ = unpack(base64.b64decode(data[1]))
    assert header["digest"] == unpack(pack(small))[0]["digest"]


def test_scenes_and_pages_need_neither_streamlit_nor_torch() -> None:
    code = "import sys, gantoys.stage.page; print([m for m in ('streamlit', 'torch', 'scipy') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


# ------------------------------------------------------------------------------------- what comes back from the browser


def test_reported_values_are_put_on_positions_and_kept_in_range() -> None:
    from gantoys.stage.component import check_values

    controls = (Control("a", "a", np.linspace(0, 1, 11), start=3), Control("b", "b", np.arange(4.0)))
    assert check_values({"values": {"a": 0.5200001, "b": 99}}, controls) == {"a": 0.5, "b": 3.0}
    assert check_values({"values": {"b": -1e200}}, controls) == {"a": pytest.approx(0.3), "b": 0.0}


@pytest.mark.parametrize(
    "values",
    [{"a": math.nan}, {"a": math.inf}, {"a": "1"}, {"a": True}, {"a": None}, {"z": 1}, {"a": 10**400}, [1], "x"],
)
def test_forged_values_are_ignored_with_one_line_that_does_not_repeat_them(
    values: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from gantoys.stage.component import check_values

    with caplog.at_level(logging.WARNING):
        assert check_values({"values": values}, (Control("a", "a", [0.0, 1.0]),)) is None
    assert len(caplog.records) == 1
    assert (
        caplog.records[0].getMessage() == "stage: ignored reported values that are not finite numbers of known controls"
    )


def test_a_drawn_curve_is_clipped_and_its_gaps_are_kept() -> None:
    from gantoys.stage.component import check_drawn

    curve = check_drawn({"y": [0.5, None, 7.0, -7]}, Draw(np.arange(4.0), 0, 1))
    np.testing.assert_array_equal(curve, [0.5, np.nan, 1.0, 0.0])


def clickable(name: str = "plane") -> Panel:
    return Panel(Axis(-3, 3), Axis(0.01, 100, log=True), (Rule(1.0),), click=name)


def test_clicks_are_told_once_each_however_often_the_message_repeats_them() -> None:
    from gantoys.stage.component import new_clicks

    first, second = ({"n": n, "name": "plane", "x": n, "y": 5.0} for n in (1, 2))
    seen: dict[str, int] = {}

    def told(*clicks: Any, mark: str = "a") -> list[Any]:
        return list(new_clicks({"clicks": list(clicks), "mark": mark}, (clickable(),), seen))

    assert told(first) == [("plane", 1.0, 5.0)]
    assert told(first, second) == [("plane", 2.0, 5.0)]
    assert told(first, second) == []
    assert told(first, mark="another browser") == [("plane", 1.0, 5.0)]
    assert seen == {"another browser": 1}


def test_a_click_whose_work_was_cut_short_comes_again() -> None:
    from gantoys.stage.component import new_clicks

    message = {"clicks": [{"n": 1, "name": "plane", "x": 1.0, "y": 5.0}], "mark": "a"}
    seen: dict[str, int] = {}
    assert next(new_clicks(message, (clickable(),), seen)) == ("plane", 1.0, 5.0)  # and no more: the run was ended
    assert list(new_clicks(message, (clickable(),), seen)) == [("plane", 1.0, 5.0)]


@pytest.mark.parametrize(
    "click",
    [
        {"n": 1, "name": "plane", "x": 3.1, "y": 1.0},
        {"n": 1, "name": "plane", "x": 0.0, "y": 0.0},
        {"n": 1, "name": "plane", "x": math.nan, "y": 1.0},
        {"n": 1, "name": "plane", "x": 0.0, "y": "1"},
        {"n": 1, "name": "plane", "x": 0.0},
        {"n": 1, "name": "other", "x": 0.0, "y": 1.0},
        {"n": 1, "name": ["plane"], "x": 0.0, "y": 1.0},
        {"n": 1, "name": "", "x": 0.0, "y": 1.0},
        {"n": "1", "name": "plane", "x": 0.0, "y": 1.0},
        "plane",
    ],
)
def test_a_forged_click_is_ignored_with_one_line(click: Any, caplog: pytest.LogCaptureFixture) -> None:
    from gantoys.stage.component import check_clicks

    panels = (clickable(), Panel(Axis(-3, 3), Axis(0, 2), (Rule(1.0),)))
    with caplog.at_level(logging.WARNING):
        assert check_clicks({"clicks": [click], "mark": "a"}, panels) == []
    assert [record.getMessage() for record in caplog.records] == [
        "stage: ignored clicks that are not places in panels of this scene that take clicks"
    ]


@pytest.mark.parametrize("clicks", [None, {}, "plane", [{"n": 1, "name": "plane", "x": 0.0, "y": 1.0}] * 9])
def test_a_forged_list_of_clicks_is_ignored(clicks: Any) -> None:
    from gantoys.stage.component import check_clicks

    assert check_clicks({"clicks": clicks}, (clickable(),)) == []


def test_two_panels_cannot_report_clicks_under_one_name() -> None:
    other = Panel(Axis(0, 1), Axis(0, 1), (Rule(0.5),), column=1, click="plane")
    with pytest.raises(ValueError, match="clicks on two panels have one name"):
        Scene(key="a", alt="a", panels=(clickable(), other))
    with pytest.raises(ValueError, match="must be a letter"):
        clickable("no name")


@pytest.mark.parametrize("y", [[1.0], [1.0] * 100_000, ["1"] * 4, [math.nan] * 4, "abcd", None, {"0": 1}])
def test_a_forged_drawing_is_ignored(y: Any) -> None:
    from gantoys.stage.component import check_drawn

    assert check_drawn({"y": y}, Draw(np.arange(4.0), 0, 1)) is None
    assert check_drawn({"y": [1.0] * 4}, None) is None
