"""The lab's table of metrics: the numbers are those of the metrics themselves, and a perfect picture is told as one."""

from dataclasses import replace

import numpy as np
import pytest

from gantoys.metrics import METRICS, mode_report
from gantoys.pictures.lab_metrics import MODE_KEYS, POINTS, SAMPLE_KEYS, number, scores
from gantoys.runs.film import Film
from gantoys.runs.recordings import START_FILM

FILM = Film.load(START_FILM)


def test_the_scores_are_those_of_the_points_nearest_to_the_step() -> None:
    found = {row.reference.metric: row for row in scores(FILM, 3000)}
    assert tuple(found) == (*MODE_KEYS, "js", *SAMPLE_KEYS)
    fake, real = FILM.samples[-1][:POINTS].astype(float), FILM.real[:POINTS].astype(float)
    report = mode_report(fake, FILM.config.target())
    assert found["modes"].value == report.modes and found["high_quality"].value == report.quality
    assert found["js"].value == FILM.js[-1] and found["js"].label == METRICS["js"].label
    for key in ("frechet", "precision", "coverage"):
        assert found[key].value == METRICS[key].function(real, fake)
        assert found[key].label == METRICS[key].label
    early = {row.reference.metric: row.value for row in scores(FILM, 1)}
    assert early["precision"] < found["precision"].value and early["js"] > found["js"].value


def test_points_of_the_target_are_told_as_perfect_and_noise_is_not() -> None:
    rng = np.random.default_rng(5)
    target = FILM.config.target()

    def shown(points: np.ndarray) -> int:
        film = replace(FILM, samples=np.broadcast_to(points, FILM.samples.shape))
        return sum(row.perfect for row in scores(film, 0))

    count = len(MODE_KEYS + SAMPLE_KEYS)
    # 19 of 20 draws are within each band; 24 draws tell its ends roughly
    assert shown(target.sample(FILM.config.shown, rng)) >= count - 3
    # noise with the ring's mean and spread deceives those that look at little more: Fréchet, MMD, sliced distances
    assert shown(rng.uniform(-2.5, 2.5, (FILM.config.shown, 2))) <= 4


def test_a_film_without_pictures_is_refused_and_a_missing_figure_is_a_dash() -> None:
    empty = replace(FILM, step=FILM.step[:0], samples=FILM.samples[:0])
    with pytest.raises(ValueError, match="holds no picture"):
        scores(empty, 0)
    assert number(float("nan")) == "–" and number(0.12345) == "0.123"
