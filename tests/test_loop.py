"""The loop: the same run bit for bit however it came about, seeds side by side, schedules, runs that fail."""

import hashlib
import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine import distance, double, equal, part, same_state, tiny

from gantoys.maths.losses import LOSSES
from gantoys.runs.config import TrainConfig
from gantoys.runs.groups import groups
from gantoys.training import loop, record
from gantoys.training.diverged import EXPLODED
from gantoys.training.game import Game
from gantoys.training.loop import Diverged, checkpoint_every, train
from gantoys.training.record import Frame

ROOT = Path(__file__).resolve().parents[1]
State = dict[str, np.ndarray]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    few_points(monkeypatch)


def few_points(patch: pytest.MonkeyPatch) -> None:
    """Frames that are judged by few points: what their figures are is tested elsewhere."""
    patch.setattr(record, "JUDGED", 120)
    patch.setattr(record, "POPULATION", 120)


def change(step: int, field: str, value: Any) -> dict[str, Any]:
    return {"step": step, "field": field, "value": value}


# Runs whose future hangs on something else than the weights: optimisers, statistics, averages, decays, changes.
RUNS: dict[str, dict[str, Any]] = {
    "plain": {},
    "the line, many moves": {"toy": "bimodal", "noise_dim": 1, "d_steps": 3, "g_steps": 2, "loss": "relativistic"},
    "momentum, penalties, noise": {
        "optimiser": "momentum", "lr_d": 0.01, "gp": 1.0, "r1": 0.5, "instance_noise": 0.5, "instance_noise_steps": 25,
    },
    "batch norm, average": {"batch_norm": True, "ema": 0.9, "optimiser": "rmsprop"},
    "spectral norm, hinge": {"spectral_norm": True, "loss": "hinge", "pac": 2},
    "comparing the batch": {"minibatch_kernels": 3, "minibatch_std": True, "dataset": 20},
    "unrolled, maxout": {"unrolled": 2, "maxout": 2},
    "consensus": {"order": "simultaneous", "consensus": 0.5, "activation": "tanh", "optimiser": "sgd"},
    "three seeds": {"seeds": 3, "loss": "wasserstein", "clip": 0.1},
    "changes": {
        "changes": [
            change(5, "lr_d", 0.01), change(9, "historical_averaging", 0.5), change(13, "feature_matching", True),
            change(20, "historical_averaging", 0.0), change(20, "feature_matching", False), change(27, "r1", 0.3),
            change(30, "historical_averaging", 0.2), change(33, "loss", "least-squares"), change(36, "d_steps", 2),
        ],
    },
}  # fmt: skip
every_run = pytest.mark.parametrize("name", RUNS)


def run(config: TrainConfig, **options: Any) -> list[tuple[Frame, ...]]:
    return list(train(config, **options))


def state_at(config: TrainConfig, step: int) -> State:
    game = Game(config)
    with torch.set_grad_enabled(False):
        for _ in range(step):
            game.step()
    return game.state()


def same_films(one: list[tuple[Frame, ...]], other: list[tuple[Frame, ...]]) -> bool:
    return [[f.step for f in row] for row in one] == [[f.step for f in row] for row in other] and all(
        equal(a, b) for row, other_row in zip(one, other, strict=True) for a, b in zip(row, other_row, strict=True)
    )


def fingerprint(config: TrainConfig) -> str:
    """One number of 256 bits for all that the frames of a run hold."""
    found = hashlib.sha256()
    for frames in train(config):
        for frame in frames:
            for name in sorted(frame.arrays):
                found.update(np.ascontiguousarray(frame.arrays[name]).tobytes())
    return found.hexdigest()


# --- sameness


def test_the_same_config_gives_the_same_frames_in_this_process_and_in_another() -> None:
    configs = [tiny(**fields) for fields in RUNS.values()]
    ours = [fingerprint(c) for c in configs]
    assert len(set(ours)) == len(ours) and ours == [fingerprint(c) for c in configs]
    code = (
        "import json, sys, torch; torch.set_num_threads(1); sys.path.insert(0, 'tests')\n"
        "from gantoys.runs.config import TrainConfig; from test_loop import few_points, fingerprint\n"
        "import pytest; few_points(pytest.MonkeyPatch())\n"
        "print(json.dumps([fingerprint(TrainConfig.read(t)) for t in json.load(sys.stdin)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, input=json.dumps([c.canonical_json() for c in configs]),
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == ours


def test_another_seed_gives_other_frames() -> None:
    one, other = run(tiny()), run(tiny(seed=1))
    for a, b in zip(one, other, strict=True):
        assert not np.array_equal(a[0].arrays["samples"], b[0].arrays["samples"])


def test_frames_come_after_the_recorded_steps_and_say_so() -> None:
    config = tiny(seeds=2)
    frames = run(config)
    assert [f[0].step for f in frames] == config.recorded_steps().tolist()
    assert all(len(row) == 2 and all(f.arrays["step"] == f.step for f in row) for row in frames)


@every_run
def test_a_run_goes_on_from_any_state_as_if_it_had_never_stopped(name: str) -> None:
    """It is stopped at each place where it asks whether to stop, in the midst of a chunk of random numbers too."""
    config = tiny(**RUNS[name])
    whole, kept = run(config), []
    for asked in range(1, 7):
        left = iter(range(asked))
        before = run(
            config, should_stop=lambda left=left: next(left, None) is None, keep=lambda *given: kept.append(given)
        )
        step, state = kept[-1]
        assert int(state["step"]) == step and same_state(state, state_at(config, step))
        after = run(config, start=state)
        assert same_films([*before, *after], whole) and len(after) < len(whole)
    assert len(kept) == len({step for step, _ in kept}) == 6


@pytest.mark.parametrize("name", ["plain", "momentum, penalties, noise", "spectral norm, hinge"])
def test_states_are_kept_on_the_way_and_each_can_be_gone_on_from(name: str) -> None:
    config = tiny(**(RUNS[name] | {"steps": 600, "frames": 12}))
    assert checkpoint_every(config) == 256
    kept: list[tuple[int, State]] = []
    whole = run(config, keep=lambda step, state: kept.append((step, state)))
    assert [step for step, _ in kept] == [256, 512]
    for step, state in kept:
        rest = run(config, start=state)
        assert [f[0].step for f in rest] == [s for s in config.recorded_steps() if s > step]
        assert same_films(rest, whole[-len(rest) :])


def test_states_are_kept_about_sixteen_times_and_between_chunks() -> None:
    for steps in (1, 100, 4096, 5000, 500_000):
        every = checkpoint_every(TrainConfig(steps=steps, width=1, layers=1, batch=2))
        assert every % 64 == 0 and every >= 250 and every >= steps // 16 and every - max(250, steps // 16) < 64 + 6


@every_run
def test_a_state_of_another_run_is_refused(name: str) -> None:
    config = tiny(**RUNS[name])
    state = state_at(config, 2)
    for wrong in (
        {k: v for k, v in state.items() if k != "g-theta"},
        state | {"stranger": np.zeros(2)},
        state | {"d-theta": state["d-theta"][1:]},
        state | {"g-mean": state["g-theta"]},
    ):
        with pytest.raises(ValueError, match="belongs to another run"):
            next(train(config, start=wrong))
    with pytest.raises(ValueError, match="belongs to another run"):
        next(train(config.changed(width=7), start=state))


BRANCHES: dict[str, dict[str, Any]] = {
    "learning rate": {"lr_g": 0.02},
    "loss and moves": {"loss": "wasserstein", "d_steps": 2},
    "a penalty": {"gp": 2.0},
    "a remedy that needs autograd": {"feature_matching": True},
    "unrolling": {"unrolled": 1},
    "a new memory": {"historical_averaging": 0.5},
    "clipping and noise": {"clip": 0.05, "instance_noise": 0.4},
    "the other order": {"order": "simultaneous"},
    "no field": {},
}


@pytest.mark.parametrize("at", [14, 30])
@pytest.mark.parametrize("name", BRANCHES)
def test_a_branch_is_its_parent_until_they_part_and_can_be_trained_from_the_parents_state(name: str, at: int) -> None:
    """At 14 there is a picture. The parent changes on its way too, at 10 and after the branch."""
    parent = tiny(changes=[change(10, "lr_d", 5e-3), change(14, "r1", 0.1), change(34, "historical_averaging", 1.0)])
    branch = parent.branched(at, **BRANCHES[name])
    ours, theirs = run(branch), run(parent)
    for a, b in zip(ours, theirs, strict=True):
        if a[0].step < at:
            assert equal(a[0], b[0])
    assert same_state(state_at(parent, at), state_at(branch, at))
    assert parent.training_digest(at) == branch.training_digest(at)
    rest = run(branch, start=state_at(parent, at))
    assert same_films(rest, ours[-len(rest) :])
    if BRANCHES[name]:
        assert not equal(ours[-1][0], theirs[-1][0])
        assert parent.training_digest(at + 1) != branch.training_digest(at + 1)


@pytest.mark.parametrize("start", [0.0, 0.7])
def test_a_branch_that_switches_historical_averaging_goes_on_from_its_parents_state(start: float) -> None:
    parent = tiny(historical_averaging=start)
    for value in (0.0, 0.3):
        branch = parent.branched(20, historical_averaging=value)
        ours = run(branch)
        rest = run(branch, start=state_at(parent, 20))
        assert same_films(rest, ours[-len(rest) :])


@every_run
def test_looking_at_a_step_moment_by_moment_changes_nothing(name: str) -> None:
    config = tiny(**RUNS[name])
    plain, watched = Game(config), Game(config)
    with torch.set_grad_enabled(False):
        for _ in range(config.steps):
            plain.step()
            seen = [m.what for m in watched.moments()]
            looks = ["sees real", "sees fake", "D moves"] * watched.config.at(plain.taken - 1).d_steps
            assert seen == [*looks, "G moves"]
    assert same_state(plain.state(), watched.state())


@every_run
def test_pictures_do_not_change_the_training(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pictures or few, large or small: at the end stands the state of a game at which nobody has looked."""
    config = tiny(**RUNS[name])
    monkeypatch.setattr(loop, "checkpoint_every", lambda _: config.steps)
    alone = state_at(config, config.steps)
    for film in ({"frames": 41, "cadence": "even"}, {"frames": 2}, {"grid": 20, "shown": 100}):
        kept: list[State] = []
        run(config.changed(**film), keep=lambda step, state, kept=kept: kept.append(state))
        assert len(kept) == 1 and same_state(kept[0], alone)


# --- who moves


@pytest.mark.parametrize("fields", [{}, {"gp": 1.0}, {"spectral_norm": True}, {"order": "alternating", "d_steps": 3}])
def test_a_player_without_moves_stays_where_it_is_bit_for_bit(fields: dict[str, Any]) -> None:
    for still, moving in (("g", "d"), ("d", "g")):
        moves = {"d_steps": 1} | fields | {f"{still}_steps": 0}
        config = tiny(**moves)
        first, last = state_at(config, 0), state_at(config, 20)
        assert first[f"{still}-theta"].tobytes() == last[f"{still}-theta"].tobytes()
        assert not np.array_equal(first[f"{moving}-theta"], last[f"{moving}-theta"])
        frames = run(config)
        if still == "g":
            assert len({f[0].arrays["samples"].tobytes() for f in frames}) == 1
        else:
            assert len({f[0].arrays["logits"].tobytes() for f in frames}) == 1


@pytest.mark.parametrize("closed", [True, False])
def test_simultaneous_moves_start_from_the_same_place_and_alternating_ones_do_not(closed: bool) -> None:
    """The gradient of G in the first step is taken against D as it was, or against D as it has become."""
    for order in ("simultaneous", "alternating"):
        game = double(tiny(order=order), closed=closed)
        psi, theta = game.d.theta.clone(), game.g.theta.clone()
        game.step()
        grad, moved = game.g.grad.clone(), game.d.theta.clone()
        game.g.theta.copy_(theta)
        found = {}
        for name, where in (("before", psi), ("after", moved)):
            game.d.theta.copy_(where)
            move = game.batches.for_d(game.now, 0, 0)
            if order == "alternating":
                move = game.batches.for_g(game.now, 0, 0, real=False)
            game.passes.gradient_g(game.now, move, 0.0)
            found[name] = distance(game.g.grad, grad) < 1e-12
        assert found == {"before": order == "simultaneous", "after": order == "alternating"}


# --- seeds

TOGETHER: dict[str, dict[str, Any]] = {
    "plain": {},
    "penalties and packs": {"gp": 1.0, "r2": 0.5, "pac": 2, "instance_noise": 0.2, "dataset": 30},
    "spectral norm": {"spectral_norm": True},
    "batch norm": {"batch_norm": True, "ema": 0.9},
    "comparing": {"minibatch_kernels": 2, "minibatch_std": True, "feature_matching": True},
    "unrolled": {"unrolled": 2, "loss": "relativistic"},
    "consensus": {"consensus": 0.4, "order": "simultaneous", "activation": "tanh"},
}


@pytest.mark.parametrize("name", TOGETHER)
def test_each_seed_trains_beside_others_as_it_does_alone(name: str) -> None:
    """Sums are taken in another order, so gradients agree to rounding: 1e-5 in single precision in the first step;
    weights to 1e-9 in double precision after 20, for gradient descent does not magnify roundings."""
    config = tiny(seed=5, seeds=3, optimiser="sgd", lr_d=0.05, lr_g=0.05, **TOGETHER[name])
    single, exact = Game(config), double(config)
    single.step()
    for _ in range(20):
        exact.step()
    for seed in range(3):
        member = config.member(seed)
        assert member.seed == 5 + seed and member.seeds == 1
        alone, alone_exact = Game(member), double(member)
        for step in (0, 70):
            ours, theirs = single.batches.for_d(config, step, 0), alone.batches.for_d(member, step, 0)
            ours_g, theirs_g = (g.batches.for_g(c, step, 0, real=True) for g, c in ((single, config), (alone, member)))
            for got, want in ((ours, theirs), (ours_g, theirs_g)):
                for a, b in zip(got, want, strict=True):
                    assert (a is None) == (b is None) and (a is None or torch.equal(a[seed], b[0])), "the same numbers"
        for who in ("g", "d"):
            fresh = Game(config)
            assert torch.equal(
                part(getattr(fresh, who), getattr(fresh, who).theta, seed),
                part(getattr(alone, who), getattr(alone, who).theta, 0),
            )
        alone.step()
        for _ in range(20):
            alone_exact.step()
        for who in ("g", "d"):
            one, other = getattr(single, who), getattr(alone, who)
            assert distance(part(one, one.grad, seed), part(other, other.grad, 0)) < 1e-5
            one, other = getattr(exact, who), getattr(alone_exact, who)
            assert distance(part(one, one.theta, seed), part(other, other.theta, 0)) < 1e-9
            assert float((other.theta - getattr(double(member), who).theta).abs().max()) > 1e-3, "they have moved"


def test_no_random_numbers_are_met_twice() -> None:
    """Neither by two moves, steps, chunks of steps, kinds of numbers nor seeds."""
    config = tiny(seeds=2, d_steps=2, g_steps=2, gp=1.0, instance_noise=0.1, noise_dim=2)
    batches, seen = double(config).batches, []
    for step in (0, 1, 63, 64, 128):
        for move in (0, 1):
            for given in (batches.for_d(config, step, move), batches.for_g(config, step, move, real=False)):
                seen += [t[seed].flatten()[:4] for t in given if t is not None for seed in range(2)]
    rows = torch.stack(seen)
    assert len(rows) == 5 * 2 * 2 * 7 and len(torch.unique(rows, dim=0)) == len(rows)


def test_real_points_in_gs_move_are_those_of_ds_last_move() -> None:
    config = tiny(d_steps=3, instance_noise=0.1)
    batches = double(config).batches
    last, own = batches.for_d(config, 5, 2), batches.for_g(config, 5, 1, real=True)
    assert last.real is not None and own.real is not None and torch.equal(last.real, own.real)
    assert last.instance_real is not None and own.instance_real is not None
    assert torch.equal(last.instance_real, own.instance_real)


def test_some_members_of_a_run_can_be_trained_by_themselves() -> None:
    config = tiny(seeds=4)
    frames = run(config, members=range(1, 3))
    assert all(len(row) == 2 for row in frames)
    whole = run(config)
    for some, all_ in zip(frames, whole, strict=True):
        for k in range(2):  # in the first picture nothing has been learned, so nothing was rounded
            got, want = some[k].arrays["samples"], all_[k + 1].arrays["samples"]
            np.testing.assert_allclose(got, want, atol=1e-6 if some[k].step == 0 else 1e-2)
            assert not np.allclose(got, all_[0].arrays["samples"], atol=1e-2)


def test_narrow_networks_are_grouped_and_wide_ones_go_alone() -> None:
    assert groups(tiny(seeds=1)) == [range(0, 1)]
    assert groups(tiny(seeds=20, width=64)) == [range(0, 8), range(8, 16), range(16, 20)]
    assert groups(tiny(seeds=3, width=65)) == [range(0, 1), range(1, 2), range(2, 3)]
    assert groups(tiny(seeds=2, width=8, width_d=65)) == [range(0, 1), range(1, 2)]
    assert groups(tiny(seeds=9, seed=100)) == [range(0, 8), range(8, 9)]


# --- schedules


def test_a_learning_rate_changes_exactly_at_its_step() -> None:
    config = tiny(optimiser="sgd", lr_d=0.1, lr_g=0.1, changes=[change(7, "lr_d", 0.4), change(9, "lr_g", 0.01)])
    game = double(config)
    for step in range(12):
        before = {"d": game.d.theta.clone(), "g": game.g.theta.clone()}
        game.step()
        for who, rate in (("d", 0.4 if step >= 7 else 0.1), ("g", 0.01 if step >= 9 else 0.1)):
            player = getattr(game, who)
            torch.testing.assert_close(player.theta, before[who] - rate * player.grad, rtol=1e-13, atol=1e-15)
            assert float(player.grad.abs().max()) > 1e-6


@pytest.mark.parametrize("closed", [True, False])
def test_a_loss_changes_exactly_at_its_step(closed: bool) -> None:
    """Each step is taken again by two games that have always played the one loss, and the other."""
    config = tiny(changes=[change(4, "loss", "hinge")])
    game = double(config, closed=closed)
    fixed = {key: double(tiny(loss=key), closed=closed) for key in ("non-saturating", "hinge")}
    for step in range(8):
        for other in fixed.values():
            other.restore(game.state())
            other.step()
        game.step()
        agrees = {key for key, other in fixed.items() if torch.equal(other.d.grad, game.d.grad)}
        assert agrees == {"hinge" if step >= 4 else "non-saturating"}


def test_moves_of_a_player_change_exactly_at_their_step() -> None:
    game = double(tiny(changes=[change(3, "d_steps", 3), change(5, "g_steps", 0)]))
    counts = []
    for _ in range(7):
        game.step()
        counts.append((int(game.d.state["t"]), int(game.g.state["t"])))
    moves = [tuple(np.subtract(b, a)) for a, b in pairwise([(0, 0), *counts])]
    assert moves == [(1, 1)] * 3 + [(3, 1)] * 2 + [(3, 0)] * 2


# --- runs that fail


def first_bad_steps(config: TrainConfig) -> list[int]:
    """Of each seed, by looking at it after each single step; 0 for one that is fine to the end."""
    game, found = Game(config), [0] * config.seeds
    with torch.set_grad_enabled(False):
        while game.taken < config.steps and not all(found):
            passes = game.passes
            game.step()
            for seed in range(config.seeds):
                said = [x.reshape(config.seeds, -1)[seed] for x in (passes.real, passes.fake)]
                numbers = [part(p, flat, seed) for p in (game.d, game.g) for flat in (p.theta, p.grad)]
                bad = any(float(part(p, p.theta, seed).abs().max()) >= EXPLODED for p in (game.d, game.g))
                if not found[seed] and (bad or not all(bool(torch.isfinite(x).all()) for x in (*said, *numbers))):
                    found[seed] = game.taken
    return found


FAILS: dict[str, tuple[dict[str, Any], str, str]] = {
    "an f-GAN with a huge learning rate": (
        {"loss": "f-kl", "lr_d": 5.0, "lr_g": 5.0, "optimiser": "sgd"},
        r"(output|gradient|weight of [DG]) is no longer a finite number|weight of [DG] passed 100000",
        "the learning rate of D is 5, far too large for sgd",
    ),
    "an f-GAN with a learning rate that looks harmless": (
        {"loss": "f-pearson", "lr_d": 0.4, "lr_g": 0.4, "optimiser": "sgd"},
        r"is no longer a finite number|passed 100000",
        "",
    ),
    "maximum likelihood": (
        {"loss": "maximum-likelihood", "lr_d": 0.9, "lr_g": 0.2, "optimiser": "sgd"},
        r"is no longer a finite number|passed 100000",
        "this loss grows exponentially with D's output",
    ),
    "Wasserstein's loss without a bound": (
        {"loss": "wasserstein", "lr_d": 0.4, "lr_g": 0.4, "optimiser": "sgd", "layers": 3},
        r"is no longer a finite number|passed 100000",
        "nothing bounds the critic of this loss: it needs a gradient penalty, clipping or spectral norm",
    ),
    "too heavy a penalty": (
        {"r1": 1000.0, "lr_d": 0.2, "optimiser": "sgd"},
        r"is no longer a finite number|passed 100000",
        "the weight of r1 is 1000, too large for this learning rate",
    ),
    "G alone": (
        {"loss": "wasserstein", "d_steps": 0, "lr_g": 0.9, "optimiser": "sgd", "layers": 3, "init_scale": 3.0},
        r"G's gradient is no longer a finite number|weight of G (passed 100000|is no longer)",
        "nothing bounds the critic",
    ),
    "by autograd": (
        {"loss": "f-neyman", "lr_d": 5.0, "lr_g": 5.0, "optimiser": "sgd", "feature_matching": True, "seeds": 2},
        r"is no longer a finite number|passed 100000",
        "the learning rate of D is 5",
    ),
}


@pytest.mark.parametrize("name", FAILS)
def test_a_run_that_fails_says_at_which_step_what_and_why(name: str) -> None:
    """The step is the first bad one although the loop looks rarely, and all pictures before it have been given."""
    fields, what, cause = FAILS[name]
    config = tiny(**({"steps": 2000, "frames": 200, "cadence": "even", "width": 8} | fields))
    rows = []
    with pytest.raises(Diverged, match=what) as caught:
        for row in train(config):
            rows.append(row)
    steps = first_bad_steps(config)
    last, text = caught.value.step, str(caught.value)
    assert last == max(steps) and 0 < last < config.steps
    assert text.startswith(f"Diverged at step {last}: ") and cause in text and text.endswith(".") and "\n" not in text
    assert len(rows) == np.sum(config.recorded_steps() < last)
    for seed, step in enumerate(steps):
        frames = [row[seed] for row in rows if isinstance(row[seed], Frame)]
        assert [f.step for f in frames] == [s for s in config.recorded_steps() if s < step]
        assert all(np.all(np.isfinite(a)) for f in frames for a in f.arrays.values())
        assert {row[seed].step for row in rows if not isinstance(row[seed], Frame)} <= {step}


SOME_FAIL: dict[str, Any] = {
    "loss": "maximum-likelihood",
    "lr_d": 0.25,
    "lr_g": 0.2,
    "optimiser": "sgd",
    "width": 8,
    "steps": 1100,
    "frames": 12,
}


@pytest.mark.parametrize(("seed", "seeds"), [(14, 2), pytest.param(8, 4, marks=pytest.mark.long)])
def test_a_seed_that_fails_leaves_the_others_alone(seed: int, seeds: int) -> None:
    """From then on there is its sentence in the place of its pictures, and no state is kept."""
    config, kept = tiny(seed=seed, seeds=seeds, **SOME_FAIL), []
    rows, steps = run(config, keep=lambda *given: kept.append(given)), first_bad_steps(config)
    assert max(steps) > 0 == min(steps), "some fail and some do not"
    first = min(s for s in steps if s)
    assert [step for step, _ in kept] == [s for s in (256, 512, 768, 1024) if s < first]
    assert bool(kept) == (seeds == 2), "one of the two cases shows a state"
    for member, step in enumerate(steps):
        for recorded, row in zip(config.recorded_steps(), rows, strict=True):
            if step and recorded >= step:
                assert isinstance(row[member], Diverged) and row[member].step == step
            else:
                assert isinstance(row[member], Frame) and row[member].step == recorded
                assert all(np.all(np.isfinite(a)) for a in row[member].arrays.values())
    for _, state in kept:
        rest = run(config, start=state)
        for one, other in zip(rest, rows[-len(rest) :], strict=True):
            for a, b in zip(one, other, strict=True):
                assert equal(a, b) if isinstance(a, Frame) else str(a) == str(b)


def test_it_fails_at_the_same_step_when_it_was_stopped_in_between() -> None:
    """Also when it is told to stop after numbers have failed and before the loop has looked: no such state is kept."""
    config = tiny(loss="wasserstein", lr_d=0.4, lr_g=0.4, optimiser="sgd", layers=3, steps=2000, frames=2)
    with pytest.raises(Diverged) as whole:
        run(config)
    step, kept = whole.value.step, []
    assert step % 64 > 2
    for asked in range(1, 40):
        left = iter(range(asked))
        try:
            run(config, should_stop=lambda left=left: next(left, None) is None, keep=lambda *g: kept.append(g))
        except Diverged as again:
            assert str(again) == str(whole.value)
            break
    assert kept and max(k for k, _ in kept) < step
    with pytest.raises(Diverged) as later:
        run(config, start=kept[-1][1])
    assert str(later.value) == str(whole.value)
    assert all(np.all(np.abs(state["d-theta"]) < EXPLODED) for _, state in kept)


def test_a_device_that_is_not_there_is_refused_with_one_sentence() -> None:
    for device in ("cuda:99", "toaster"):
        with pytest.raises(ValueError, match=rf"the device '{device}' cannot be used") as caught:
            next(train(tiny(), device=device))
        assert "\n" not in str(caught.value)


# --- what it needs


def test_training_neither_sets_the_threads_of_others_nor_loads_torchs_optimisers() -> None:
    """Creating an optimiser of torch.optim takes more than a second, and so the first film would come late."""
    code = (
        "import sys, torch\n"
        "before = torch.get_num_threads()\n"
        "import gantoys.training.worker, gantoys.training.filming, gantoys.training.loop, gantoys.training.record\n"
        "from gantoys.runs.config import TrainConfig\n"
        "made = []\n"
        "torch.optim.Optimizer.__init__ = lambda *a, **k: made.append(a)\n"
        "list(gantoys.training.loop.train(TrainConfig(steps=2, width=4, batch=4, shown=16, grid=4)))\n"
        "print(before == torch.get_num_threads(), made, 'torch._dynamo' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "True [] False\n"
    for source in (ROOT / "gantoys" / "training").glob("*.py"):
        assert not re.search(r"^\s*(import torch\.optim|from torch(\.optim)? import .*optim)", source.read_text(), re.M)


@pytest.mark.parametrize("key", LOSSES)
def test_every_loss_trains(key: str) -> None:
    frames = run(tiny(loss=key, steps=5))
    assert frames[-1][0].step == 5


@pytest.mark.parametrize("toy", ["moons", "checkerboard", "N([3,0],0.5)", "uniform", "heavy", "U(0,1)"])
def test_any_target_on_the_line_or_in_the_plane_can_be_trained_on(toy: str) -> None:
    frames = run(tiny(toy=toy, steps=5))
    assert frames[-1][0].step == 5
