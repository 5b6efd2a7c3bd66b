"""Vanishing gradients, measured: a D trained against a frozen G, and the Cauchy law of gradients under a noisy one."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import integrate
from scipy.stats import cauchy, kstest, norm
from streamlit.testing.v1 import AppTest

from gantoys.maths.noisy import cauchy_density, cauchy_tail, noisy_gradients, normal_tail
from gantoys.pictures.generator_gradients import GradientState, scene
from gantoys.pictures.generator_gradients.noisy_d import BATCHES, DRAWS, drawn
from gantoys.pictures.generator_gradients.vanishing import felt, vanishing_scene
from gantoys.pictures.state import read
from gantoys.runs.film import Film
from gantoys.runs.film_file import FilmWriter, frame_fields
from gantoys.runs.frozen import APART, frozen_config
from gantoys.runs.recordings import recording
from gantoys.stage.controls import Readout
from gantoys.stage.pack import pack
from gantoys.stage.scene import Scene, at_rest

Array = np.ndarray
KEYS = ("saturating", "non-saturating")


def recorded(apart: int) -> Film:
    film = recording(frozen_config(apart))
    assert film is not None
    return film


def shown(drawn: Scene, key: str) -> float:
    found: Readout = next(r for r in drawn.readouts if r.key == key)
    return float(at_rest(found.value, drawn))


def known_film(path: Path, apart: float) -> Film:
    """A film whose D is the best one: log p/q = apart^2/2 - apart x on cells that hold all of both laws."""
    config = frozen_config(int(apart)).changed(grid=96)
    cells = 4 * config.grid + 1
    edges = np.linspace(-6, apart + 6, cells + 1)
    x, h = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    fields = {f.name: np.zeros(f.shape) for f in frame_fields(config)}
    fields |= {"density": np.diff(norm.cdf(edges, apart)) / h, "logits": apart**2 / 2 - apart * x}
    statics = {"real": np.zeros((config.shown, 1)), "edges": edges, "density_real": np.diff(norm.cdf(edges)) / h}
    writer = FilmWriter(path, config, statics)
    writer.append(fields, 0.0)
    return Film.load(writer.finish("done"))


@pytest.mark.parametrize("apart", [2, 5])
def test_a_film_whose_d_is_the_best_one_gives_the_gradients_of_theory(apart: int, tmp_path: Path) -> None:
    """The integrals by SciPy; sums over cells of width 0.04 are right to about 1 in 1000."""
    found = felt(known_film(tmp_path / "best.film", apart))

    def pushed(x: float, sign: int) -> float:
        return apart * float(norm.pdf(x, apart)) / (1 + np.exp(-sign * (apart**2 / 2 - apart * x)))

    for (got,), best, sign in zip(found.trained, found.best, (1, -1), strict=True):
        want, _ = integrate.quad(pushed, -8, apart + 8, (sign,), points=[apart / 2])
        assert best == pytest.approx(want, rel=1e-6)
        assert got == pytest.approx(want, rel=2e-3)


def test_the_measured_gradient_is_the_mean_of_the_films_own_arrows() -> None:
    """A second route: autograd's -dL/dx at 100 points of p_G; their mean is right to 4 standard errors."""
    film = recorded(2)
    for k in (3, 10, 40):
        push = film.arrows[k, :, 0].astype(float)
        error = push.std() / np.sqrt(len(push))
        assert felt(film).trained[0][k] == pytest.approx(-push.mean(), abs=4 * error)


@pytest.mark.parametrize("apart", APART)
def test_the_recordings_tell_what_the_lesson_says(apart: int) -> None:
    """Where the laws overlap the saturating gradient settles at the best D's; far apart it dies on its way there."""
    found = felt(recorded(apart))
    late = np.median(np.abs(found.trained[0][30:]))
    assert late == pytest.approx(found.best[0], rel=0.4)
    assert found.trained[1][-1] < found.best[1] and found.trained[1][-1] > 10 * found.trained[1][1]
    if apart == 8:
        assert late < found.trained[0][1] / 40


def test_the_numbers_in_the_words_are_those_of_the_recording() -> None:
    words = tomllib.loads(resources.files("gantoys.lessons").joinpath("generator-gradients.toml").read_text("utf-8"))
    told = words["explanation"]
    film = recorded(8)
    found, early = felt(film), 1
    late = int(np.flatnonzero(film.step == 1000)[0])
    assert film.step[early] == 3
    for k, digits in ((early, (4, 2)), (late, (5, 2))):
        for values, places in zip(found.trained, digits, strict=True):
            assert f"{values[k]:.{places}f}" in told
    assert f"{found.best[0]:.5f}" in told
    assert 55 < found.trained[0][early] / found.trained[0][late] < 65, "a sixtieth"
    assert f"{100 * float(cauchy_tail(np.array(10.0), 1.0)):.1f} %" in told


def test_the_scene_shows_both_gradients_at_its_step_labelled_trained_and_the_theory_exact() -> None:
    state = GradientState(show="frozen", apart="8", step=1000)
    drawn, found = scene(state), felt(recorded(8))
    k = int(np.argmin(np.abs(found.step - 1000)))
    assert shown(drawn, "ga") == pytest.approx(found.trained[0][k]) and shown(drawn, "ta") == found.best[0]
    assert [r.kind for r in drawn.readouts] == ["trained", "exact"] * 2
    assert drawn.control("step").values.tolist() == found.step.tolist()  # type: ignore[union-attr]
    assert len(pack(drawn)) < 200_000
    assert scene(GradientState(show="frozen")).control("step").autoplay and not drawn.control("step").autoplay


def test_a_film_that_has_just_begun_can_be_shown(tmp_path: Path) -> None:
    film = known_film(tmp_path / "one.film", 5)
    assert len(film) == 1
    drawn = vanishing_scene(GradientState(show="frozen", apart="5"), film, live=True)
    assert drawn.control("step").live and pack(drawn)


# --- a noisy D


def test_the_gradient_under_a_noisy_d_is_cauchy_however_many_points_are_averaged() -> None:
    for points in (1, 7, 64):
        got = noisy_gradients(4000, points, 2.5, seed=points)
        assert kstest(got, cauchy(scale=2.5).cdf).pvalue > 1e-3
    assert kstest(noisy_gradients(4000, 1, 2.5), norm(scale=2.5 * 1.4826).cdf).pvalue < 1e-6


def test_density_and_tails_are_those_of_the_closed_forms() -> None:
    g = np.linspace(-30, 30, 13)
    np.testing.assert_allclose(cauchy_density(g, 2.0), cauchy(scale=2).pdf(g), rtol=1e-12)
    size = np.array([0.0, 1.0, 10.0, 1e4])
    np.testing.assert_allclose(cauchy_tail(size, 1.0), 2 * cauchy.sf(size), rtol=1e-9)
    np.testing.assert_allclose(normal_tail(size, 2.0), 2 * norm(scale=2 / norm.ppf(0.75)).sf(size), rtol=1e-9)
    assert cauchy_tail(np.array(3.0), 3.0) == pytest.approx(0.5) == normal_tail(np.array(3.0), 3.0)
    assert normal_tail(np.array(10.0), 1.0) < 1e-10, "practically none"


@pytest.mark.parametrize("bad", [(0, 1, 1.0), (1, 0, 1.0), (1, 1, 0.0), (1, 1, float("nan"))])
def test_what_is_no_sample_is_refused(bad: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        noisy_gradients(*bad)


def test_the_noisy_scene_counts_what_it_draws() -> None:
    """4 standard errors of a share of 8,000 are 0.011."""
    for points in (1, 256):
        drawn_scene = scene(GradientState(show="noisy", points=points))
        row = drawn()[BATCHES.index(points)]
        assert row.shape == (DRAWS,)
        assert shown(drawn_scene, "beyond") == pytest.approx(100 * np.mean(np.abs(row) > 10))
        assert shown(drawn_scene, "beyond") == pytest.approx(shown(drawn_scene, "law"), abs=1.1)
        assert shown(drawn_scene, "half") == pytest.approx(1, abs=0.06)
    assert scene(GradientState(show="noisy", points=100)).control("points").value == 128


# --- the link and the page


def test_a_bad_link_is_answered_in_one_sentence_a_parameter() -> None:
    state, problems = read(GradientState, {"show": "frozen", "apart": "3", "seed": "-1", "points": "0"})
    assert state.show == "frozen" and len(problems) == 3


@pytest.mark.parametrize(
    "query", [{"show": "frozen"}, {"show": "frozen", "seed": "7", "apart": "2"}, {"show": "noisy"}]
)
def test_the_page_opens_and_a_link_trains_nothing(query: dict[str, str]) -> None:
    at = AppTest.from_file(str(Path(__file__).parents[1] / "pages" / "generator-gradients.py"), default_timeout=60)
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception
    told = " ".join(c.value for c in at.caption)
    if query["show"] == "frozen":
        button = next(b for b in at.button if b.label == "Train it now")
        assert button.disabled == ("seed" not in query)
        assert ("Recorded" if button.disabled else "press the button") in told
