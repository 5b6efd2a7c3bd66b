"""`gantoys film`: what it says of a film, the page, and the GIF, pixel by pixel where the answer is known."""

import json
import re
import tomllib

import numpy as np
import pytest
from films import config_of, line_film, numbers, plane_film, write
from PIL import Image
from tree import ROOT, text

from gantoys.__main__ import main
from gantoys.maths.points import from_points
from gantoys.metrics.files import load_points, load_table
from gantoys.runs.film import Film
from gantoys.runs.film_file import MESH
from gantoys.runs.span import span
from gantoys.service import gif
from gantoys.service.gif_pictures import LOOKS

WHITE, BLUE, VERMILION, GREEN = (255, 255, 255), (0, 114, 178), (213, 94, 0), (0, 158, 115)


def run(capsys, *args):
    status = main([str(a) for a in args])
    out, err = capsys.readouterr()
    return status, out, err


def split_film(path, **fields) -> Film:
    """D is sure that the right half is real and the left half is not; points lie where the tests look for them.

    The grid has 16 cells a side over [-2, 2]; in frame k one generated point lies at (-1 + 0.25 k, 1), all others and
    the real ones at (1, -1).
    """
    config = config_of(grid=16, shown=16, **fields)
    grid = -2 + 4 * (np.arange(16) + 0.5) / 16
    frames = []
    steps = config.recorded_steps()
    for k, step in enumerate(steps):
        samples = np.tile([-1.0, -1.5], (16, 1))
        samples[0] = -1 + 0.25 * k, 1
        frames.append(
            {
                "step": step,
                "samples": samples,
                "arrows": np.zeros((16, 2)),
                "logits": np.where(grid > 0, 40.0, -40.0) * np.ones((16, 1)),
                "mesh": np.zeros((MESH, MESH, 2)),
                **numbers(config),
            }
        )
    return write(path, config, {"real": np.tile([1.0, -1.0], (16, 1)), "grid_x": grid, "grid_y": grid}, frames)


def frames_of(path):
    """Every frame as (height, width, 3), and how long each is shown in ms."""
    pictures, times = [], []
    with Image.open(path) as file:
        for k in range(file.n_frames):
            file.seek(k)
            times.append(file.info["duration"])
            pictures.append(np.asarray(file.convert("RGB")))
        return pictures, times, file.info.get("loop")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="module")
def ring(folder):
    plane_film(folder / "ring.film")
    return folder / "ring.film"


@pytest.fixture(scope="module")
def line(folder):
    line_film(folder / "line.film")
    return folder / "line.film"


def test_info_gives_config_status_last_figures_size_and_digest(capsys, ring):
    status, out, err = run(capsys, "film", "info", ring, "--json")
    got, film = json.loads(out), Film.load(ring)
    assert status == 0 and err == ""
    assert got["config"] == film.config.model_dump(mode="json") and got["digest"] == film.config.digest()
    assert got["status"] == "done" and got["frames"] == len(film) == 6 and got["steps"] == 100 and got["seed"] == 0
    assert got["bytes"] == ring.stat().st_size and got["modes"]["of"] == 8
    last = {name: pytest.approx(float(getattr(film, name)[-1]), abs=1e-6) for name in ("value", "js", "loss_d")}
    assert {name: got["final"][name] for name in last} == last and got["final"]["exact"] is False


def test_info_tells_people_the_same(capsys, line, ring):
    status, out, _ = run(capsys, "film", "info", line)
    film = Film.load(line)
    assert status == 0 and f"{film.value[-1]:.4f} nats, exact" in out and film.config.digest() in out
    assert "noise_dim   1" in out  # what differs from the defaults
    assert "8, " in run(capsys, "film", "info", ring)[1] and "at least" in run(capsys, "film", "info", ring)[1]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"loss": "wasserstein", "gp": 1.0}, "-loss of D  0.5000 ± 0.0600, an estimate of W1"),
        ({"loss": "wasserstein", "clip": 0.1}, "-loss of D  0.5000 ± 0.0600, W1 up to an unknown factor"),
        ({"loss": "wasserstein", "r1": 1.0}, "-loss of D  0.5000 ± 0.0600\n"),
        ({"loss": "hinge"}, "-loss of D  0.5000 ± 0.0600\n"),
        ({"loss": "f-tv"}, "-loss of D  0.5000 ± 0.0600, the total variation, from below"),
    ],
)
def test_info_names_no_value_of_a_critic_that_tells_no_probability(capsys, tmp_path, fields, says):
    plane_film(tmp_path / "critic.film", value=0.5, **fields)
    out = run(capsys, "film", "info", tmp_path / "critic.film")[1]
    assert says in out and "V(D, G)" not in out
    final = json.loads(run(capsys, "film", "info", tmp_path / "critic.film", "--json")[1])["final"]
    assert final["value"] is None and final["worth"] == 0.5 and final["estimates"] == says.partition(", ")[2].strip()
    plane_film(tmp_path / "least.film", loss="least-squares")
    assert "V(D, G)" in run(capsys, "film", "info", tmp_path / "least.film")[1]


def test_info_of_a_film_of_many_points_stays_short(capsys, tmp_path):
    points = np.random.default_rng(0).normal(size=(900, 2))
    plane_film(tmp_path / "p.film", toy=str(from_points(points)))
    assert len(run(capsys, "film", "info", tmp_path / "p.film")[1]) < 1500


def test_html_writes_one_page_that_names_no_address(capsys, tmp_path, line):
    out = tmp_path / "page.html"
    assert run(capsys, "film", "html", line, "--out", out, "--arrows", "--mesh")[0] == 0
    page = out.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "N(-2,0.5)" in page
    assert re.findall(r"https?://(?!www\.w3\.org/)\S+", page) == []
    assert list(tmp_path.iterdir()) == [out]


def test_a_result_lands_beside_its_film_unless_told_otherwise(capsys, tmp_path):
    line_film(tmp_path / "a.film")
    assert run(capsys, "film", "html", tmp_path / "a.film")[0] == 0
    assert run(capsys, "film", "gif", tmp_path / "a.film", "--size", 160)[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"a.film", "a.html", "a.gif"}


@pytest.mark.parametrize("command", ["html", "gif", "mp4", "points"])
def test_what_is_there_is_replaced_only_when_told_to(capsys, tmp_path, ring, command):
    out = tmp_path / ("x.csv" if command == "points" else f"x.{command}")
    less = ("--size", 160) if command in ("gif", "mp4") else ()
    out.write_text("notes of three weeks")
    status, said, err = run(capsys, "film", command, ring, "--out", out, *less)
    assert status == 2 and said == "" and out.read_text() == "notes of three weeks"
    assert f"{out} exists: name another place with --out, or replace it with --force" in err and err.count("\n") == 1
    assert run(capsys, "film", command, ring, "--out", out, *less, "--force")[0] == 0
    assert out.read_bytes()[:5] != b"notes" and list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("kind", ["npy", "csv"])
@pytest.mark.parametrize("name", ["ring", "line"])
def test_points_are_those_of_the_picture_and_are_read_back(capsys, tmp_path, request, kind, name):
    path = request.getfixturevalue(name)
    film, out = Film.load(path), tmp_path / f"x.{kind}"
    for options, want, says in (
        ((), film.samples[-1], "generated points of step 100"),
        (("--step", film.step[3] - 1), film.samples[2], f"generated points of step {film.step[2]}"),
        (("--real",), film.real, "real points"),
    ):
        status, said, _ = run(capsys, "film", "points", path, "--out", out, *options, "--force")
        assert status == 0 and f"{len(want):,} {says}" in said
        assert np.array_equal(load_points(out).reshape(want.shape), want.astype(float))
    if kind == "csv":
        table = load_table(out)
        assert [column.name for column in table.columns] == (["x", "y"] if name == "ring" else ["x"])


def test_points_take_two_kinds_of_files_only(capsys, tmp_path, ring):
    status, _, err = run(capsys, "film", "points", ring, "--out", tmp_path / "x.txt")
    assert status == 2 and "neither in .npy nor in .csv" in err and not list(tmp_path.iterdir())


def test_show_writes_a_page_and_opens_it_only_if_it_may(capsys, tmp_path, monkeypatch, ring):
    opened = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("click.launch", lambda url: opened.append(url) or 0)
    status, out, _ = run(capsys, "film", "show", ring, "--no-open")
    page = tmp_path / out.strip()
    assert status == 0 and "<!doctype html>" in page.read_text(encoding="utf-8") and opened == []
    status, out, _ = run(capsys, "film", "show", ring)
    assert status == 0 and opened == [(tmp_path / out.strip()).as_uri()]


def test_show_says_so_when_no_browser_can_be_started(capsys, tmp_path, monkeypatch, ring):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("click.launch", lambda url: 1)
    status, out, err = run(capsys, "film", "show", ring)
    assert status == 0 and (tmp_path / out.strip()).exists() and "No browser" in err


def test_a_gif_has_the_colours_of_the_roles_where_the_arrays_say(capsys, tmp_path):
    split_film(tmp_path / "a.film")
    status, out, _ = run(capsys, "film", "gif", tmp_path / "a.film", "--out", tmp_path / "a.gif", "--size", 320)
    assert status == 0 and "6 frames" in out
    pictures, times, loop = frames_of(tmp_path / "a.gif")
    # 12 frames a second in hundredths of a second: 8; the last frame stays; it repeats for ever
    assert times == [80] * 5 + [2000] and loop == 0
    for k, picture in enumerate(pictures):
        assert picture.shape[1] == 320

        def at(x, y, picture=picture):
            return tuple(picture[round((2 - y) * 80), round((x + 2) * 80)].tolist())

        # 42 % of the way from white to the hue, worked out by hand
        assert at(1.5, 1.5) == (148, 196, 223) and at(-1.5, -0.5) == (237, 187, 148)
        assert at(1, -1) == BLUE and at(-1, -1.5) == VERMILION and at(-1 + 0.25 * k, 1) == VERMILION
        assert at(1.25, -0.5) == at(1.5, 1.5)
        # below the plane: the line of words, on the ground
        assert tuple(picture[-2, 2]) == WHITE
        assert (picture[322:, :150] == (27, 36, 48)).all(2).any()


def test_where_d_cannot_tell_a_gif_shows_the_ground(tmp_path):
    film = split_film(tmp_path / "a.film")
    flat = {name: getattr(film, name)[0] for name in ("step", "samples", "arrows", "mesh")}
    statics = {name: getattr(film, name) for name in ("real", "grid_x", "grid_y")}
    row = flat | {"logits": np.zeros((16, 16)), **numbers(film.config)}
    half = write(tmp_path / "b.film", film.config, statics, [row])
    for look, ground in (("light", WHITE), ("dark", (15, 20, 26))):
        assert gif.write_gif(half, tmp_path / "b.gif", size=160, look=look) == 1
        (picture,), _, _ = frames_of(tmp_path / "b.gif")
        assert (picture[20:30, 100:150] == ground).all()


def test_a_gif_on_the_line_has_the_densities_and_d_at_their_heights(tmp_path, line):
    film = Film.load(line)
    gif.write_gif(film, tmp_path / "a.gif", size=400)
    pictures, _, _ = frames_of(tmp_path / "a.gif")
    assert len(pictures) == len(film)
    low, high = span([film])
    per_unit = 400 / (high - low)

    def row_of(picture, x, colour, top, bottom):
        """Where in that part of the picture the column at x comes nearest to the colour; the middle of equals."""
        column = picture[top:bottom, round((x - low) * per_unit)].astype(int)
        far = np.abs(column - colour).sum(1)
        return top + np.flatnonzero(far == far.min()).mean()

    dark, faint = (95, 102, 110), tuple(round(255 + (v - 255) * 0.22) for v in (27, 36, 48))
    for picture, surface in zip(pictures, film.surface, strict=True):
        floor = row_of(picture, 4.2, dark, 100, 170)
        tops = [floor - row_of(picture, x, BLUE, 0, 150) for x in (2.0, 2.5)]
        p = np.interp([2.0, 2.5], film.grid_x, film.density_real)
        # a row in some 90
        assert tops[1] / tops[0] == pytest.approx(p[1] / p[0], abs=0.03)
        one, zero = row_of(picture, -2.2, faint, 175, 195), row_of(picture, 2.0, faint, 270, 299)
        for x in (-2.6, 0.4, 3.0):
            told = (zero - row_of(picture, x, GREEN, 175, 299)) / (zero - one)
            assert told == pytest.approx(np.interp(x, film.grid_x, surface), abs=0.03)
    # under p_data alone: 16 % of blue, worked out by hand
    x = round((2.0 - low) * per_unit)
    assert (214, 232, 243) in set(map(tuple, pictures[0][:160, x].tolist()))


def test_a_critic_on_the_line_has_no_best_d_in_its_gif(tmp_path, line):
    critic = line_film(tmp_path / "w.film", loss="wasserstein")
    dashes = []
    for film in (critic, Film.load(line)):
        gif.write_gif(film, tmp_path / "a.gif", size=400, frames=2)
        picture = frames_of(tmp_path / "a.gif")[0][0]
        theory = np.abs(picture.astype(int) - (95, 102, 110)).max(2) <= 1
        dashes.append(theory[180:290, 20:].sum())  # beyond the names of the levels
    assert dashes[0] == 0 < dashes[1]


@pytest.mark.parametrize(("wanted", "got"), [(2, [0, 5]), (4, [0, 2, 3, 5]), (6, list(range(6))), (50, list(range(6)))])
def test_frames_are_spread_evenly_with_the_first_and_the_last(wanted, got):
    assert gif.chosen(6, wanted) == got


def test_the_options_of_a_gif_are_obeyed(capsys, tmp_path, ring):
    out = tmp_path / "a.gif"
    args = ("--size", 200, "--fps", 5, "--frames", 3, "--look", "dark")
    assert run(capsys, "film", "gif", ring, "--out", out, *args)[0] == 0
    pictures, times, _ = frames_of(out)
    assert len(pictures) == 3 and pictures[0].shape[1] == 200 and times == [200, 200, 2000]
    assert tuple(pictures[0][-2, 2]) == (15, 20, 26)


def test_a_gif_that_would_be_too_large_takes_fewer_frames(tmp_path, monkeypatch, ring):
    film = Film.load(ring)
    gif.write_gif(film, tmp_path / "a.gif", size=200)
    whole = (tmp_path / "a.gif").stat().st_size
    monkeypatch.setattr(gif, "MOST_BYTES", int(0.7 * whole))
    assert 2 <= gif.write_gif(film, tmp_path / "a.gif", size=200) < 6
    assert (tmp_path / "a.gif").stat().st_size <= 0.7 * whole
    assert gif.write_gif(film, tmp_path / "a.gif", size=200, frames=6) == 6


def test_a_gif_takes_its_hues_from_the_stage_and_its_ground_from_the_theme():
    def triple(colour):
        return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))

    script = text(ROOT / "gantoys/stage/stage.js")
    themes = tomllib.loads(text(ROOT / ".streamlit/config.toml"))["theme"]
    for name, look in LOOKS.items():
        hues = dict(re.findall(r"(\w+): '(#\w{6})'", re.search(rf"^  {name}: {{(.*)}},$", script, re.M)[1]))
        assert [look.real, look.fake, look.disc] == [triple(hues[role]) for role in ("real", "fake", "disc")]
        assert look.ground == triple(themes[name]["backgroundColor"]) and look.text == triple(themes[name]["textColor"])


def bad_films(folder, ring):
    data = ring.read_bytes()
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 1
    for name, content in (("foreign", b"GIF89a" * 50), ("damaged", damaged), ("short", data[:-900]), ("empty", b"")):
        (folder / f"{name}.film").write_bytes(content)
    film = Film.load(ring)
    statics = {name: getattr(film, name) for name in ("real", "grid_x", "grid_y")}
    write(folder / "none.film", film.config, statics, [])


@pytest.mark.parametrize("command", ["info", "show", "html", "gif"])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("foreign", "not a gantoys film"),
        ("damaged", "damaged"),
        ("short", "cut short"),
        ("empty", "not whole yet"),
        ("missing", "there is no film"),
        ("folder", "is a folder"),
    ],
)
def test_what_is_no_film_ends_with_status_2_and_one_sentence(capsys, tmp_path, ring, command, name, says):
    bad_films(tmp_path, ring)
    (tmp_path / "folder.film").mkdir()
    before = sorted(tmp_path.iterdir())
    status, out, err = run(capsys, "film", command, tmp_path / f"{name}.film")
    assert status == 2 and out == "" and says in err and err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("command", ["html", "gif", "points"])
def test_a_bad_place_for_the_result_ends_with_status_2_and_one_sentence(capsys, tmp_path, ring, command):
    bad_films(tmp_path, ring)
    for out, says in (
        (tmp_path, "is a folder"),
        (tmp_path / "nowhere" / "x", "does not exist"),
        (ring, "the film itself"),
    ):
        status, said, err = run(capsys, "film", command, ring, "--out", out)
        assert status == 2 and said == "" and says in err and err.count("\n") == 1
    kept = tmp_path / "kept.csv"
    kept.write_text("kept")
    status, _, err = run(capsys, "film", command, tmp_path / "none.film", "--out", kept, "--force")
    assert status == 2 and "no picture" in err and kept.read_text() == "kept"
    assert Film.load(ring).status == "done"


def test_info_tells_of_a_film_without_a_picture(capsys, tmp_path, ring):
    bad_films(tmp_path, ring)
    status, out, _ = run(capsys, "film", "info", tmp_path / "none.film", "--json")
    assert status == 0 and json.loads(out)["frames"] == 0 and json.loads(out)["final"]["js"] is None
    assert run(capsys, "film", "info", tmp_path / "none.film")[0] == 0


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--size", 20), "--size"),
        (("--size", 5000), "--size"),
        (("--fps", 0), "--fps"),
        (("--fps", "nan"), "fps"),
        (("--frames", 1), "--frames"),
        (("--look", "pink"), "--look"),
        (("--nope",), "--nope"),
    ],
)
def test_bad_options_of_a_gif_end_with_status_2_and_one_sentence(capsys, tmp_path, ring, args, says):
    status, out, err = run(capsys, "film", "gif", ring, "--out", tmp_path / "a.gif", *args)
    assert status == 2 and out == "" and says in err and err.count("\n") == 1 and not list(tmp_path.iterdir())


def test_film_alone_and_help_name_the_commands(capsys):
    for args in (("film",), ("film", "--help")):
        status, out, _ = run(capsys, *args)
        assert status == 0 and all(word in out for word in ("info", "show", "points", "html", "gif", "mp4"))
