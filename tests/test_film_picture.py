"""What the picture of a film shows, on the line and in the plane, against the film's own arrays and closed forms."""

import numpy as np
import pytest
from films import line_film, plane_film

from gantoys.maths.points import from_points
from gantoys.pictures.film import film_scene
from gantoys.pictures.film_parts import around, arrow_scale, nice
from gantoys.runs.film import GROWS
from gantoys.runs.film_file import ARROWS, MESH, FilmWriter
from gantoys.stage.layers import Area, Arrows, Bars, Curve, Heatmap, Points, Rule, Text
from gantoys.stage.pack import pack
from gantoys.stage.scene import Scene, Swept

HEART = np.array([[0.0, 0.0], [1.0, 1.0], [-1.0, 1.0], [0.5, 1.5], [-0.5, 1.5]])
UNEVEN = "0.8*N([0,0],0.1)+0.2*N([2,1],0.1)"


def scene_of(film, step=0, **options) -> Scene:
    return film_scene(film, step, name="test", **options)


def all_of(scene, kind):
    return [layer for layer in scene.layers() if isinstance(layer, kind)]


def labelled(scene, words):
    (layer,) = [layer for layer in scene.layers() if words in getattr(layer, "label", "")]
    return layer


def rows(value):
    return np.asarray(value.rows["step"]) if isinstance(value, Swept) else np.asarray(value)


def panel_of(scene, layer):
    return next(panel for panel in scene.panels if layer in panel.layers)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="module")
def line(folder):
    return line_film(folder / "line.film")


@pytest.fixture(scope="module")
def ring(folder):
    return plane_film(folder / "ring.film")


@pytest.mark.parametrize(
    ("make", "fields", "readouts"),
    [
        (plane_film, {}, ["modes", "quality", "v", "v-band"]),
        (plane_film, {"loss": "wasserstein"}, ["modes", "quality", "js", "v", "v-band"]),
        (plane_film, {"toy": "moons"}, ["js", "v", "v-band"]),
        (plane_film, {"toy": "circles", "loss": "hinge"}, ["js", "v", "v-band"]),
        (plane_film, {"toy": str(from_points(HEART)), "loss": "least-squares"}, ["js", "v", "v-band"]),
        (plane_film, {"toy": UNEVEN}, ["modes", "quality", "v", "v-band"]),
        (line_film, {}, ["js", "v", "shortfall", "modes"]),
        (line_film, {"toy": "uniform"}, ["js", "v", "shortfall"]),
        (line_film, {"loss": "wasserstein"}, ["js", "v", "modes"]),
        (line_film, {"toy": str(from_points(HEART[:, 0])), "loss": "f-kl"}, ["js", "v", "v-band", "shortfall"]),
    ],
)
def test_every_target_and_loss_has_a_picture_that_can_be_sent(tmp_path, make, fields, readouts):
    film = make(tmp_path / "a.film", **fields)
    scene = scene_of(film, 30, arrows=True, mesh=True)
    assert [readout.key for readout in scene.readouts] == readouts and len(scene.alt) < 400
    assert len(pack(scene)) < 2_000_000
    clock = scene.control("step")
    assert list(clock.values) == film.step.tolist() and clock.value == film.step[np.argmin(abs(film.step - 30.0))]


def test_on_the_line_d_stands_over_the_best_one_and_the_gap_between_them_is_shaded(line):
    scene = scene_of(line)
    trained, best = labelled(scene, "trained"), labelled(scene, "*D*^{*}, the best")
    p, q = line.density_real.astype(float), line.density.astype(float)
    np.testing.assert_allclose(rows(best.y), p / (p + q), rtol=1e-12)
    np.testing.assert_allclose(rows(trained.y), 1 / (1 + np.exp(-line.logits.astype(float))), atol=1e-6)
    assert best.role == "theory" and trained.role == "disc"
    (gap,) = [layer for layer in all_of(scene, Area) if isinstance(layer.base, Swept)]
    np.testing.assert_array_equal(rows(gap.base), rows(best.y))
    np.testing.assert_array_equal(rows(gap.y), rows(trained.y))


def test_on_the_line_both_densities_are_drawn_and_the_points_are_ticks_below_them(line):
    scene = scene_of(line)
    real, fake = (next(c for c in all_of(scene, Curve) if c.label == words) for words in ("*p*_{data}", "*p*_{G}"))
    np.testing.assert_allclose(rows(real.y), line.density_real)
    np.testing.assert_allclose(rows(fake.y), line.density)
    assert panel_of(scene, real) is panel_of(scene, fake)
    (ticks,) = [c for c in all_of(scene, Curve) if c.role == "fake" and not c.label]
    x = rows(ticks.x).reshape(len(line), -1, 3)
    np.testing.assert_array_equal(x[..., 0], line.samples[..., 0])
    np.testing.assert_array_equal(x[..., 0], x[..., 1])
    assert np.isnan(x[..., 2]).all() and np.nanmax(rows(ticks.y)) < 0
    assert panel_of(scene, real).y.hi > line.density_real.max()


def test_the_value_ledger_adds_up_at_every_step(line):
    scene = scene_of(line)
    v, best = labelled(scene, "*V*(*D*"), labelled(scene, "2 JS")
    floor = labelled(scene, "a coin’s value")
    numbers = {readout.key: rows(readout.value) for readout in scene.readouts}
    assert floor.at == pytest.approx(-np.log(4))
    # single precision of the film
    np.testing.assert_allclose(rows(best.y), -np.log(4) + 2 * numbers["js"], atol=1e-6)
    np.testing.assert_allclose(numbers["v"], -np.log(4) + 2 * numbers["js"] - numbers["shortfall"], atol=1e-6)
    np.testing.assert_allclose(rows(v.y), line.value, atol=1e-12)
    assert (numbers["shortfall"] > 0).all()  # D is never better than the best
    assert {r.kind for r in scene.readouts if r.key != "modes"} == {"exact"}


def test_numbers_from_points_are_told_with_their_band_or_as_bounds(tmp_path, ring):
    wide = line_film(tmp_path / "wide.film", noise_dim=3)
    for film in (wide, ring):
        scene = scene_of(film)
        known = {r.key: r for r in scene.readouts}
        kinds = {key: readout.kind for key, readout in known.items()}
        assert kinds["v"] == "estimated" and {kinds.get(k) for k in ("js", "shortfall")} <= {"lower bound", None}
        # two standard errors on either side
        assert np.allclose(rows(known[known["v"].band].value), 2 * film.error("value"))


def test_a_critic_is_not_compared_with_the_best_d(tmp_path):
    scene = scene_of(line_film(tmp_path / "w.film", loss="wasserstein"))
    words = " ".join(layer.label for layer in scene.layers() if hasattr(layer, "label"))
    assert "best" not in words and "critic" in words and "*V*" not in words


def test_the_modes_on_the_line_are_counted_frame_by_frame(line):
    modes = {r.key: rows(r.value) for r in scene_of(line).readouts}["modes"]
    # N(-4, 0.5) covers neither of N(-2, 0.5), N(2, 0.5) fully; N(0, 1.5) puts points on both
    assert modes[-1] == 2 and modes[0] <= 1


def test_in_the_plane_the_axes_follow_the_films_grid_in_both_directions(tmp_path):
    flat = plane_film(tmp_path / "flat.film", toy=str(from_points(HEART * [4.0, 1.0])))
    scene = scene_of(flat)
    (heat,) = all_of(scene, Heatmap)
    panel = panel_of(scene, heat)
    for axis, edges, grid in ((panel.x, heat.x, flat.grid_x), (panel.y, heat.y, flat.grid_y)):
        cell = (grid[-1] - grid[0]) / (len(grid) - 1)
        assert (axis.lo, axis.hi) == edges == pytest.approx((grid[0] - cell / 2, grid[-1] + cell / 2))
    assert panel.x.hi - panel.x.lo > 2 * (panel.y.hi - panel.y.lo)


def test_the_ledger_of_uneven_modes_has_a_mark_for_each(tmp_path):
    film = plane_film(tmp_path / "uneven.film", toy=UNEVEN)
    scene = scene_of(film)
    marks = labelled(scene, "perfect")
    # within three standard deviations: 1 - e^(-9/2) of each mode
    np.testing.assert_allclose(rows(marks.y)[[0, 3]], (1 - np.exp(-4.5)) * np.array([0.8, 0.2]), rtol=1e-9)
    (bars,) = all_of(scene, Bars)
    assert rows(bars.values)[-1].sum() <= 1 and panel_of(scene, bars).y.hi > 0.8


def test_the_ring_has_one_line_for_a_perfect_generator(ring):
    rule = labelled(scene_of(ring), "perfect")
    assert isinstance(rule, Rule) and rule.at == pytest.approx((1 - np.exp(-4.5)) / 8)


def test_arrows_begin_at_the_first_points_and_their_factor_is_written_beside_them(tmp_path):
    film = plane_film(tmp_path / "a.film", shown=ARROWS + 50)
    assert not all_of(scene_of(film), Arrows)
    scene = scene_of(film, arrows=True)
    (arrows,) = all_of(scene, Arrows)
    np.testing.assert_array_equal(np.stack([rows(arrows.x), rows(arrows.y)], -1), film.samples[:, :ARROWS])
    np.testing.assert_array_equal(np.stack([rows(arrows.dx), rows(arrows.dy)], -1), film.arrows)
    lengths = np.linalg.norm(film.arrows.astype(float), axis=-1)
    width = panel_of(scene, arrows).x.hi - panel_of(scene, arrows).x.lo
    drawn = arrows.scale * np.median(lengths[lengths > 0]) / width
    assert 0.02 < drawn <= 0.06 + 1e-9
    (words,) = all_of(scene, Text)
    assert f"{arrows.scale:g}" in words.text.replace(",", "")


def test_arrows_on_the_line_point_along_it(line):
    (arrows,) = all_of(scene_of(line, arrows=True), Arrows)
    count = rows(arrows.x).shape[1]
    np.testing.assert_array_equal(rows(arrows.x), line.samples[:, :count, 0])
    np.testing.assert_array_equal(rows(arrows.dx), line.arrows[:, :count, 0])
    assert not rows(arrows.dy).any()


def test_the_mesh_is_drawn_along_both_of_its_directions(ring):
    assert len(scene_of(ring).panels[0].layers) + 1 == len(scene_of(ring, mesh=True).panels[0].layers)
    mesh = labelled(scene_of(ring, mesh=True), "grid of noise")
    lines = np.stack([rows(mesh.x), rows(mesh.y)], -1).reshape(len(ring), 2, MESH, MESH + 1, 2)
    assert np.isnan(lines[..., -1, :]).all()
    np.testing.assert_array_equal(lines[:, 0, :, :-1], ring.mesh)
    np.testing.assert_array_equal(lines[:, 1, :, :-1], ring.mesh.swapaxes(1, 2))


def test_on_the_line_strings_lead_from_the_noise_to_its_points(line):
    scene = scene_of(line, mesh=True)
    assert len(scene.panels) == len(scene_of(line).panels) + 1
    (strings,) = scene.panels[2].layers
    ends = rows(strings.x).reshape(len(line), -1, 3)[..., 1]
    assert np.isin(ends, line.mesh.astype(float)).all() and (ends[:, [0, -1]] == line.mesh[:, [0, -1], 0]).all()


@pytest.mark.parametrize("options", [{}, {"arrows": True, "mesh": True}])
@pytest.mark.parametrize("make", [line_film, plane_film])
def test_only_new_frames_are_sent_while_a_film_grows(tmp_path, make, options):
    film = make(tmp_path / "a.film")
    whole, part = scene_of(film, 100, **options), scene_of(film, 100, live=True, behind=4, **options)
    assert part.append_from == 4 and whole.append_from is None
    pairs = list(zip(whole.sweeps(), part.sweeps(), strict=True))
    assert pairs
    for (name, all_rows), (same, new_rows) in pairs:
        assert name == same
        np.testing.assert_array_equal(rows(all_rows)[4:], rows(new_rows))


@pytest.mark.parametrize("shift", [0.0, -30.0, 5.0])
def test_the_axis_of_v_follows_the_data(tmp_path, shift):
    film = plane_film(tmp_path / "a.film")
    writer = FilmWriter(tmp_path / "b.film", film.config, {n: getattr(film, n) for n in ("real", "grid_x", "grid_y")})
    names = set(GROWS) - {"value", "density", "slopes", *GROWS[GROWS.index("moment") :]}
    for k in range(len(film)):
        row = {n: getattr(film, n)[k] for n in names}
        writer.append(row | {"value": film.value[k] + shift}, 0.0)
    scene = scene_of(type(film).load(writer.finish("done")))
    axis = panel_of(scene, labelled(scene, "*V*")).y
    values = film.value + shift
    # the outermost hundredth may lie beyond, which is at most 0.01 of the range here
    assert axis.lo < values.min() and values.max() < axis.hi and axis.lo < -np.log(4) < axis.hi


def test_an_axis_is_not_flattened_by_one_jump_and_moves_in_steps():
    values = np.linspace(-1.6, -0.8, 400)
    values[7] = -500
    low, high = around(values, -1.386)
    assert -2.2 < low < -1.6 and -0.8 < high < -0.4
    assert around(values + 0.01, -1.386) == (low, high)


def test_round_numbers_are_one_two_or_five_times_a_power_of_ten():
    assert [nice(v) for v in (1.0, 1.99, 2.0, 4.9, 5.0, 9.9, 10.0, 0.07)] == [1, 1, 2, 2, 5, 5, 10, 0.05]


def test_arrows_of_no_length_are_drawn_by_the_factor_one():
    assert arrow_scale(np.zeros((3, 5, 2)), 4.0) == 1.0


def test_a_film_without_a_frame_has_no_picture(tmp_path, ring):
    writer = FilmWriter(
        tmp_path / "empty.film", ring.config, {n: getattr(ring, n) for n in ("real", "grid_x", "grid_y")}
    )
    with pytest.raises(ValueError, match="no picture"):
        scene_of(type(ring).load(writer.finish("diverged", "at step 0")))


def test_real_and_generated_points_are_those_of_the_film(ring):
    real, fake = all_of(scene_of(ring), Points)
    np.testing.assert_array_equal(np.stack([real.x, real.y], -1), ring.real)
    np.testing.assert_array_equal(np.stack([rows(fake.x), rows(fake.y)], -1), ring.samples)
