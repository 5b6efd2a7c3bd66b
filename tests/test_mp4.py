"""Films as videos: what the encoder was given comes back from the file."""

import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from gantoys.__main__ import main
from gantoys.runs.film import Film
from gantoys.runs.recordings import START_FILM
from gantoys.service import mp4
from gantoys.service.gif_pictures import LOOKS, Plane
from tests.films import line_film


def decoded(path: Path) -> tuple[dict, list[np.ndarray]]:
    reader = imageio_ffmpeg.read_frames(str(path))
    meta = next(reader)
    width, height = meta["size"]
    return meta, [np.frombuffer(data, np.uint8).reshape(height, width, 3) for data in reader]


def test_a_video_shows_every_picture_of_the_film_and_holds_the_last(tmp_path: Path) -> None:
    film = Film.load(START_FILM)
    target = tmp_path / "a.mp4"
    written = mp4.write_mp4(film, target, size=240, fps=20)
    meta, pictures = decoded(target)
    assert written == len(pictures) == len(film) + 40
    assert meta["fps"] == 20 and meta["size"][0] == 240 and meta["size"][1] % 2 == 0
    painter = Plane(film, 240, LOOKS["light"])
    for k in (0, len(film) // 2, len(film) - 1):
        (drawn,) = painter.pictures([k])
        wanted = np.asarray(drawn.convert("RGB"))[: pictures[k].shape[0], :240].astype(float)
        # H.264 loses some of it: a mean of a few levels of 255
        assert np.abs(pictures[k] - wanted).mean() < 8
        other = np.abs(pictures[(k + 60) % len(film)] - wanted).mean()
        assert np.abs(pictures[k] - wanted).mean() < other
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_film_on_the_line_gets_even_sides_whatever_is_asked(tmp_path: Path) -> None:
    mp4.write_mp4(line_film(tmp_path / "a.film"), tmp_path / "a.mp4", size=241)
    width, height = decoded(tmp_path / "a.mp4")[0]["size"]
    assert width % 2 == 0 and height % 2 == 0


def test_without_the_encoder_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setattr(mp4, "available", lambda: False)
    assert main(["film", "mp4", str(START_FILM), "--out", str(tmp_path / "a.mp4")]) == 2
    assert capsys.readouterr().err == f"gantoys: {mp4.MISSING}\n"
    assert not list(tmp_path.iterdir())


def test_values_that_are_not_allowed_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="size must lie between 160 and 1080, got 5"):
        mp4.write_mp4(Film.load(START_FILM), tmp_path / "a.mp4", size=5)
    assert not list(tmp_path.iterdir())
