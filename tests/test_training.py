"""The loop against the textbook, its sameness from run to run, and the worker process around it."""

import copy
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import textbook
from gantoys.maths.losses import LOSSES
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film, read_new
from gantoys.runs.film_file import frame_fields
from gantoys.training.loop import Batches, Diverged, Game, train
from gantoys.training.networks import ACTIVATIONS, Adam, mlp, players
from gantoys.training.record import View
from gantoys.training.worker import record

ROOT = Path(__file__).resolve().parents[1]
SMALL = TrainConfig(steps=40, frames=6, grid=6, shown=32, width=16, batch=16)
LONG = TrainConfig(steps=50_000, frames=400, cadence="even", width=16, batch=16, grid=8, shown=32)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def game(config: TrainConfig, dtype: torch.dtype = torch.float64) -> Game:
    return Game(config, *players(config, torch.Generator().manual_seed(config.seed), dtype))


def batches(
    config: TrainConfig, count: int, dtype: torch.dtype = torch.float64
) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    source = iter(
        Batches(
            config.target(),
            config.batch,
            config.noise_dim,
            np.random.default_rng(5),
            torch.Generator().manual_seed(5),
            dtype,
        )
    )
    return [next(source) for _ in range(count)]


def distance(a: torch.nn.Module, b: torch.nn.Module) -> float:
    return max(float((p - q).detach().abs().max()) for p, q in zip(a.parameters(), b.parameters(), strict=True))


# --- the loop


def test_the_loop_makes_the_weights_of_the_textbook_loop_step_for_step() -> None:
    """Double precision: what is left between the two is rounding, magnified a little by 100 steps of Adam."""
    ours = game(TrainConfig(batch=64))
    g, d = copy.deepcopy(ours.g), copy.deepcopy(ours.d)
    start = copy.deepcopy(g)
    data = batches(ours.config, 100)
    for item in data:
        loss_d, loss_g = ours.step(*item)
    last = textbook.train(g, d, data)
    assert distance(ours.g, start) > 0.01, "the weights have moved"
    assert distance(ours.g, g) < 1e-9 and distance(ours.d, d) < 1e-9
    np.testing.assert_allclose([loss_d.item(), loss_g.item()], last, rtol=1e-9)


def test_the_networks_of_the_default_config_are_those_of_the_textbook() -> None:
    g, d = players(TrainConfig(), torch.Generator())
    for mine, theirs in ((g, textbook.network(2, 2)), (d, textbook.network(2, 1))):
        assert [p.shape for p in mine.parameters()] == [p.shape for p in theirs.parameters()]
        theirs.load_state_dict(mine.state_dict())
        x = torch.linspace(-2, 2, 10).view(5, 2)
        assert torch.equal(mine(x), theirs(x))


def test_the_textbook_benchmark_runs(capsys: pytest.CaptureFixture[str]) -> None:
    textbook.main(5)
    assert "steps/s" in capsys.readouterr().out


@pytest.mark.parametrize("fused", [True, False])
def test_adam_is_torchs_adam(fused: bool) -> None:
    start = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mine, theirs = start.clone(), start.clone().requires_grad_(True)
    ours = Adam([mine], lr=0.03, beta1=0.4, beta2=0.9, fused=fused)
    reference = torch.optim.Adam([theirs], lr=0.03, betas=(0.4, 0.9))
    for _ in range(50):
        gradient = torch.cos(3 * mine) + mine
        ours.step((gradient,))
        theirs.grad = torch.cos(3 * theirs.detach()) + theirs.detach()
        reference.step()
    assert float((mine - theirs.detach()).abs().max()) < 1e-12
    assert float((mine - start).abs().max()) > 0.1


@pytest.mark.parametrize("key", LOSSES)
def test_both_players_follow_the_slopes_of_the_table(key: str) -> None:
    """The gradient in the bias of D's last layer is the mean slope; G's is the slope through D to a shift of x."""
    ours = game(SMALL.changed(loss=key))
    row = LOSSES[key]
    seen: dict[str, tuple[torch.Tensor, ...]] = {}
    ours.opt_d.step = lambda g: seen.update(d=g)  # type: ignore[method-assign, assignment]
    ours.opt_g.step = lambda g: seen.update(g=g)  # type: ignore[method-assign, assignment]
    (x_real, z_d, z_g), *_ = batches(ours.config, 1)
    ours.step(x_real, z_d, z_g)

    a_real = ours.d(x_real).detach().numpy()
    a_d, x_g = ours.d(ours.g(z_d)).detach().numpy(), ours.g(z_g).detach().requires_grad_(True)
    a_g = ours.d(x_g)
    da_dx = torch.autograd.grad(a_g.sum(), x_g)[0].numpy()
    a_fake = a_g.detach().numpy()
    if row.paired:
        bias_d, pull = 0.0, row.generator_slope(a_fake - a_real)  # a shift of both logits changes no margin
    else:
        bias_d = float(np.mean(row.real_slope(a_real)) + np.mean(row.fake_slope(a_d)))
        pull = row.generator_slope(a_fake)
    np.testing.assert_allclose(seen["d"][-1].item(), bias_d, atol=1e-12)
    np.testing.assert_allclose(seen["g"][-1].numpy(), np.mean(pull * da_dx, axis=0), rtol=1e-9, atol=1e-13)
    assert all(p.requires_grad for p in ours.psi)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_first_weights_come_from_the_given_generator_alone_within_their_bounds(activation: str) -> None:
    before = torch.random.get_rng_state()
    one, two = (mlp([3, 50, 1], activation, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert distance(one, two) == 0
    bounds = [3**-0.5, 3**-0.5, 50**-0.5, 50**-0.5]
    for p, bound in zip(one.parameters(), bounds, strict=True):
        assert float(p.detach().abs().max()) <= bound
    assert float(next(one.parameters()).detach().abs().max()) > 0.9 * bounds[0]


# --- frames


def test_the_same_config_gives_the_same_frames_bit_for_bit_and_another_seed_gives_others() -> None:
    one, two, other = (list(train(c)) for c in (SMALL, SMALL, SMALL.changed(seed=1)))
    assert [f.step for f in one] == SMALL.recorded_steps().tolist()
    for a, b, c in zip(one, two, other, strict=True):
        for name in a.arrays:
            np.testing.assert_array_equal(a.arrays[name], b.arrays[name])
        assert not np.array_equal(a.arrays["samples"], c.arrays["samples"])


def test_looking_more_often_does_not_change_the_training() -> None:
    seldom, often = (list(train(SMALL.changed(frames=n)))[-1].arrays for n in (2, 41))
    for name in seldom:
        np.testing.assert_array_equal(seldom[name], often[name])


def test_a_frame_holds_what_the_networks_say() -> None:
    """Step 0 against D and G written out with matrices: logits[i, j] belongs to (grid_x[j], grid_y[i])."""
    frame = next(iter(train(SMALL))).arrays
    view = View.of(SMALL, SMALL.target())
    _, _, weights = np.random.SeedSequence(SMALL.seed).spawn(3)
    g, d = players(SMALL, torch.Generator().manual_seed(int(weights.generate_state(1)[0])))

    def run(net: torch.nn.Module, x: np.ndarray) -> np.ndarray:
        w = [p.detach().numpy() for p in net.parameters()]
        for k in range(0, len(w), 2):
            x = x @ w[k].T + w[k + 1]
            x = np.where(x < 0, 0.2 * x, x) if k + 2 < len(w) else x
        return x

    x_fake = run(g, view.noise.numpy())
    np.testing.assert_allclose(frame["samples"], x_fake, atol=1e-5)
    for i, j in ((0, 0), (2, 5), (5, 2)):
        np.testing.assert_allclose(
            frame["logits"][i, j], run(d, np.array([[view.grid_x[j], view.grid_y[i]]]))[0, 0], atol=1e-5
        )
    real, fake = (1 / (1 + np.exp(-run(d, x))) for x in (view.real, x_fake))
    expected = {
        "value": np.mean(np.log(real)) + np.mean(np.log(1 - fake)),
        "loss_d": -np.mean(np.log(real)) - np.mean(np.log(1 - fake)),
        "loss_g": -np.mean(np.log(fake)),
        "d_real": np.mean(real),
        "d_fake": np.mean(fake),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(frame[name], value, atol=1e-5)
    assert set(frame) == {f.name for f in frame_fields(SMALL)}


def test_the_picture_has_room_around_the_target() -> None:
    view = View.of(SMALL, SMALL.target())
    low, high, *_ = SMALL.target().box
    assert view.grid_x[0] < low and view.grid_x[-1] > high
    np.testing.assert_allclose(view.grid_x[0], 1.15 * low)


@pytest.mark.parametrize("toy", ["moons", "checkerboard", "N([3,0],0.5)"])
def test_any_target_in_the_plane_can_be_trained_on(toy: str) -> None:
    frames = list(train(SMALL.changed(toy=toy, steps=5)))
    assert frames[-1].step == 5


def test_a_run_that_leaves_the_finite_numbers_says_at_which_step(tmp_path: Path) -> None:
    config = SMALL.changed(loss="maximum-likelihood", lr_g=1.0, lr_d=1.0, steps=2000, frames=200, cadence="even")
    with pytest.raises(Diverged) as caught:
        list(train(config))
    assert record(config, tmp_path / "a.film") == "diverged"
    film = Film.load(tmp_path / "a.film")
    assert film.status == "diverged" and film.message == str(caught.value)
    assert f"step {caught.value.step}" in film.message
    assert 1 <= len(film) < 200 and film.step[-1] < caught.value.step
    assert np.all(np.isfinite(film.samples))


# --- the worker process


def frame_bytes(path: Path) -> bytes:
    """The file without its closing record, which holds the wall times."""
    return path.read_bytes().rpartition(b"DONE")[0]


def start(film: Path, config: TrainConfig) -> subprocess.Popen[bytes]:
    worker = subprocess.Popen(
        [sys.executable, "-m", "gantoys.training.worker", str(film)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert worker.stdin is not None
    worker.stdin.write(config.canonical_json().encode() + b"\n")
    worker.stdin.flush()
    return worker


def frames_of(part: Path) -> int:
    try:
        return len(read_new(part))
    except FileNotFoundError:
        return 0


def wait_for_frames(part: Path, count: int = 1) -> None:
    deadline = time.monotonic() + 30
    while frames_of(part) < count:
        assert time.monotonic() < deadline, "the worker records nothing"
        time.sleep(0.02)


def test_a_film_is_the_same_bit_for_bit_in_this_process_twice_and_in_another(tmp_path: Path) -> None:
    paths = [tmp_path / f"{k}.film" for k in range(3)]
    record(SMALL, paths[0])
    record(SMALL, paths[1])
    worker = start(paths[2], SMALL)
    assert worker.wait(60) == 0
    _close(worker)
    assert frame_bytes(paths[0]) == frame_bytes(paths[1]) == frame_bytes(paths[2])
    assert len(Film.load(paths[2])) == 6


def _close(worker: subprocess.Popen[bytes]) -> None:
    for pipe in (worker.stdin, worker.stdout, worker.stderr):
        assert pipe is not None
        pipe.close()


@pytest.mark.parametrize("how", ["the pipe closes", "SIGTERM"])
def test_a_worker_stops_at_once_and_keeps_the_film_so_far(tmp_path: Path, how: str) -> None:
    film = tmp_path / "a.film"
    worker = start(film, LONG)
    wait_for_frames(tmp_path / "a.film.part")
    begin = time.monotonic()
    if how == "SIGTERM":
        worker.send_signal(signal.SIGTERM)
    else:
        assert worker.stdin is not None
        worker.stdin.close()
    while read_new(tmp_path / "a.film.part").status == "running":
        assert time.monotonic() - begin < 1, "the loop looks at the flag between two steps"
        time.sleep(0.01)
    assert worker.wait(30) == 4
    _close(worker)
    assert not film.exists()
    assert Film.load(tmp_path / "a.film.part").status == "stopped"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b'{"steps":0}\n', "steps is 0: it must be a whole number from 1 to 50000"),
        (b"\xff\xfe\n", "the config is not written as JSON"),
        (b"x" * 20_000, "at most 8192 are read"),
        (b"", "the config is not written as JSON"),
    ],
)
def test_a_worker_refuses_a_bad_config_with_one_sentence(tmp_path: Path, line: bytes, sentence: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gantoys.training.worker", str(tmp_path / "a.film")],
        cwd=ROOT, input=line, capture_output=True, timeout=60,
    )  # fmt: skip
    error = done.stderr.decode()
    assert done.returncode == 2 and sentence in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_full_disk_ends_in_one_sentence_and_leaves_no_half_film(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: the write fails in the same place."""
    config = tmp_path / "c.json"
    config.write_text(TrainConfig(steps=50, frames=50).canonical_json())
    command = f"ulimit -f 64; exec {sys.executable} -m gantoys.training.worker {tmp_path}/a.film --config {config}"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.decode().startswith("the film cannot be written: ") and done.stderr.count(b"\n") == 1
    assert os.listdir(tmp_path) == ["c.json"]
