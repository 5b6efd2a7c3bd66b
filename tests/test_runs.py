"""Films and their store: what is kept, what survives damage. Configs: `test_config.py`."""

import json
import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from gantoys.maths.notation import parse
from gantoys.metrics.modes import PERFECT_QUALITY, has_modes, mode_report
from gantoys.runs import limits, store
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film, read_new
from gantoys.runs.film_file import MAGIC, FilmWriter, frame_fields
from gantoys.runs.presets import START
from gantoys.runs.recordings import FOLDER, RECORDINGS, START_FILM, recording
from gantoys.runs.store import Store

SMALL = TrainConfig(steps=4, frames=5, grid=3, shown=16, width=8, batch=8)


def arrays(config: TrainConfig, step: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(step)
    out = {f.name: rng.normal(size=f.shape) for f in frame_fields(config)}
    return out | {"step": np.array(step)}


def writer(path: Path, config: TrainConfig = SMALL) -> FilmWriter:
    rng = np.random.default_rng(0)
    axis = np.linspace(-2, 2, config.grid)
    return FilmWriter(path, config, {"real": rng.normal(size=(config.shown, 2)), "grid_x": axis, "grid_y": axis})


def write(path: Path, config: TrainConfig = SMALL, status: str = "done") -> Path:
    film = writer(path, config)
    for step in config.recorded_steps():
        film.append(arrays(config, int(step)), 0.5 * float(step))
    return film.finish(status, "" if status == "done" else "a sentence")


# --- Film


def test_a_film_comes_back_from_its_file_as_it_went_in(tmp_path: Path) -> None:
    film = Film.load(write(tmp_path / "a.film"))
    assert film.status == "done" and film.config == SMALL and len(film) == 5
    np.testing.assert_array_equal(film.step, [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(film.seconds, [0, 0.5, 1, 1.5, 2])
    for k in range(5):
        given_in = arrays(SMALL, k)
        np.testing.assert_allclose(film.samples[k], given_in["samples"], rtol=2**-11)
        np.testing.assert_allclose(film.logits[k], given_in["logits"], rtol=2**-11)
        np.testing.assert_allclose(film.loss_d[k], given_in["loss_d"], rtol=1e-6)
    np.testing.assert_allclose(film.surface, 1 / (1 + np.exp(-film.logits.astype(float))), atol=1e-6)
    assert not (tmp_path / "a.film.part").exists()
    with pytest.raises(ValueError, match="read-only"):
        film.samples[0] = 0


def test_a_reader_of_a_growing_film_sees_whole_frames_only(tmp_path: Path) -> None:
    """Cut after every third byte: the frames seen are those that are whole, and never an error."""
    whole = write(tmp_path / "a.film").read_bytes()
    growing, seen = tmp_path / "g.film", []
    for size in range(0, len(whole), 3):
        growing.write_bytes(whole[:size])
        try:
            film = read_new(growing)
        except FileNotFoundError:
            seen.append(-1)
            continue
        assert film.status == "running"
        seen.append(len(film))
    assert seen == sorted(seen)
    assert set(seen) == {-1, 0, 1, 2, 3, 4, 5}


def test_reading_on_from_a_frame_gives_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path / "a.film")
    whole = Film.load(path)
    for start in range(6):
        rest = read_new(path, start)
        assert rest.first == start and rest.status == "done"
        np.testing.assert_array_equal(rest.samples, whole.samples[start:])
        np.testing.assert_array_equal(rest.seconds, whole.seconds[start:])
    beyond = read_new(path, 1000)
    assert len(beyond) == 0 and beyond.status == "running"


def test_any_changed_byte_is_noticed(tmp_path: Path) -> None:
    whole = bytearray(write(tmp_path / "a.film").read_bytes())
    broken = tmp_path / "b.film"
    for position in range(0, len(whole), 3):  # every field has one of them
        whole[position] ^= 0x10
        broken.write_bytes(whole)
        whole[position] ^= 0x10
        with pytest.raises((ValueError, FileNotFoundError), match=r"damaged|not a gantoys film|not whole|cut short"):
            Film.load(broken)


def test_a_film_that_is_cut_short_or_followed_by_something_is_not_loaded(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.film").read_bytes()
    path = tmp_path / "b.film"
    path.write_bytes(whole[:-9])
    with pytest.raises(ValueError, match="cut short: it ends after 5 whole frames"):
        Film.load(path)
    path.write_bytes(whole + b"x")
    with pytest.raises(ValueError, match="1 bytes follow its end"):
        Film.load(path)


def header_file(path: Path, header: object, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    raw = struct.pack("<I", len(text) if length is None else length)
    path.write_bytes(MAGIC + raw + text + struct.pack("<I", zlib.crc32(raw + text)))
    return path


def test_a_forged_header_is_refused_before_memory_is_taken_for_it(tmp_path: Path) -> None:
    data = write(tmp_path / "a.film").read_bytes()
    good = json.loads(data[12 : 12 + struct.unpack_from("<I", data, 8)[0]])
    huge = good | {"frame": [["samples", "<f8", [10**9, 10**9]]]}
    for header, sentence in [
        (huge, "its arrays are others"),
        (good | {"statics": []}, "its arrays are others"),
        (good | {"format": 99}, "cannot be read by this version"),
        (good | {"config": {"steps": 10**12}}, "steps is 1000000000000"),
        (good | {"config": "x"}, "cannot be read by this version"),
        ([], "cannot be read by this version"),
        (b"[" * 9000, "cannot be read by this version"),
        (b"\xff\xfe", "cannot be read by this version"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            Film.load(header_file(tmp_path / "b.film", header))
    with pytest.raises(ValueError, match="its header claims 4294967295 bytes"):
        Film.load(header_file(tmp_path / "b.film", {}, length=2**32 - 1))
    with pytest.raises(FileNotFoundError, match="not whole"):
        Film.load(header_file(tmp_path / "b.film", {}, length=30_000))


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.film"
    with path.open("wb") as file:
        file.truncate(limits.FILM_BYTES + 1)  # a hole: takes no room on the disk
    with pytest.raises(ValueError, match="at most"):
        Film.load(path)


def test_a_frame_of_another_shape_is_not_written(tmp_path: Path) -> None:
    film = writer(tmp_path / "a.film")
    with pytest.raises(ValueError, match=r"logits must have shape \(3, 3\), got \(4, 4\)"):
        film.append(arrays(SMALL, 0) | {"logits": np.zeros((4, 4))}, 0)
    film.close()


def test_points_beyond_half_precision_stay_finite(tmp_path: Path) -> None:
    film = writer(tmp_path / "a.film")
    film.append(arrays(SMALL, 0) | {"samples": np.full((16, 2), -1e30)}, 0)
    film.finish("diverged", "Diverged at step 1.")
    loaded = Film.load(tmp_path / "a.film")
    assert loaded.samples.min() == -65504 and loaded.message == "Diverged at step 1."


# --- the store


def test_the_store_finds_what_was_put_there_and_nothing_else(tmp_path: Path) -> None:
    films = Store(tmp_path)
    assert films.find(SMALL) is None
    write(films.path(SMALL))
    found = films.find(SMALL)
    assert found is not None and len(found) == 5
    assert films.find(SMALL.changed(seed=1)) is None
    assert films.part(SMALL) != films.part(SMALL)


@pytest.mark.parametrize("fault", ["cut", "byte", "other", "stopped", "empty"])
def test_a_damaged_film_is_removed_and_counts_as_not_there(tmp_path: Path, fault: str) -> None:
    films = Store(tmp_path)
    path = films.path(SMALL)
    if fault == "other":
        write(path, SMALL.changed(seed=9))
    elif fault == "stopped":
        os.replace(write(path, status="stopped"), path)
    else:
        data = bytearray(write(path).read_bytes())
        data[-100] ^= 1
        path.write_bytes({"cut": bytes(data[:700]), "byte": bytes(data), "empty": b""}[fault])
    assert films.find(SMALL) is None
    assert not path.exists()


def test_a_folder_that_cannot_be_written_is_replaced_by_a_temporary_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    films = Store(tmp_path / "file" / "films")
    assert films.folder.is_dir() and tmp_path not in films.folder.parents
    write(films.path(SMALL))
    assert films.find(SMALL) is not None
    shutil.rmtree(films.folder)


def test_the_store_lies_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANTOYS_HOME", str(tmp_path / "here"))
    assert Store().folder == tmp_path / "here" / "films"
    monkeypatch.delenv("GANTOYS_HOME")
    monkeypatch.setattr(store.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert store.home() == tmp_path / "cache" / "gantoys"


def test_unfinished_films_of_yesterday_are_swept_away_and_those_of_today_stay(tmp_path: Path) -> None:
    old, new = tmp_path / "a.part", tmp_path / "b.part"
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (0, 0))
    Store(tmp_path)
    assert not old.exists() and new.exists()


# --- modes


def test_a_perfect_generator_covers_all_modes_at_the_quality_of_a_three_sigma_ball() -> None:
    ring = parse("ring(8,radius=2,std=0.02)")
    n = 20_000
    report = mode_report(ring.sample(n, np.random.default_rng(0)), ring)
    assert report.modes == 8
    # four standard errors of a share
    assert abs(report.quality - PERFECT_QUALITY) < 4 * np.sqrt(PERFECT_QUALITY * (1 - PERFECT_QUALITY) / n)


def test_a_mode_is_covered_from_a_tenth_of_its_due_share_on() -> None:
    ring = parse("ring(8,radius=2,std=0.02)")
    centres = ring.modes
    # a tenth of its due share is 0.1 * 8000 * 0.9889 / 8 = 98.9 points
    for count, covered in ((98, 1), (99, 2)):
        samples = np.repeat(centres[:2], [8000 - count, count], axis=0)
        assert mode_report(samples, ring).modes == covered


def test_uniform_noise_covers_no_mode_although_points_fall_on_every_one() -> None:
    """The rule "one good point is enough" would find about 4 of 8 here (reference: 4.35 for 2,500 points)."""
    ring = parse("ring(8,radius=1,std=0.01)")
    noise = np.random.default_rng(1).uniform(-1.5, 1.5, (2500, 2))
    report = mode_report(noise, ring)
    assert report.modes == 0 and np.sum(report.counts > 0) >= 2 and report.quality < 0.01


def test_quality_is_measured_along_the_axes_of_the_covariance() -> None:
    mixture = parse("N([0,0],[[4,0],[0,0.01]])")
    points = np.array([[5.9, 0.0], [0.0, 0.29], [6.1, 0.0], [0.0, 0.31], [np.nan, 0.0], [np.inf, 1.0]])
    report = mode_report(points, mixture)
    assert report.counts.tolist() == [2] and report.quality == pytest.approx(2 / 6)


def test_modes_are_counted_for_mixtures_of_normals_only() -> None:
    assert has_modes(parse("ring")) and not has_modes(parse("moons")) and not has_modes(parse("checkerboard"))
    with pytest.raises(ValueError, match="mixtures of normals"):
        mode_report(np.zeros((1, 2)), parse("checkerboard"))
    with pytest.raises(ValueError, match="shape"):
        mode_report(np.zeros((0, 2)), parse("ring"))


# --- the film of the start page


def test_the_film_of_the_start_page_is_whole_small_and_of_its_config() -> None:
    film = Film.load(START_FILM)
    assert START_FILM.stat().st_size <= 2_000_000
    assert film.config == START and film.status == "done" and len(film) == START.frames


def test_the_film_of_the_start_page_shows_a_gan_that_learns() -> None:
    film = Film.load(START_FILM)
    covered = [mode_report(s, START.target()).modes for s in film.samples]
    assert covered[0] == 0 and covered[-1] == 8
    assert np.any(np.diff(covered) < 0), "modes are lost on the way"
    assert mode_report(film.samples[-1], START.target()).quality > 0.85
    # a D that cannot tell has V = -log 4; one that can is above it
    assert -np.log(4) - 0.02 < film.value[-1] < film.value[len(film) // 6]


def test_every_recording_is_the_whole_film_of_its_config():
    for name, config in RECORDINGS.items():
        film = recording(config)
        assert film is not None and film.config == config, name
        assert film.status == "done" and len(film) == (1 if config.eigenvalues else config.frames), name
    assert {path.stem for path in FOLDER.glob("*.film")} == set(RECORDINGS)


def test_a_config_that_was_not_recorded_has_no_recording():
    assert recording(START.changed(seed=START.seed + 1)) is None
