"""TrainConfig: what is refused and in which words, digests, changes on the way, branches, and what a run costs."""

import json
import re
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pytest
from engine import tiny
from hypothesis import given
from hypothesis import strategies as st

from gantoys.maths.losses import LOSSES
from gantoys.runs import limits
from gantoys.runs.config import TrainConfig, allowed
from gantoys.runs.cost import flops, weights
from gantoys.runs.fields import CHANGEABLE, GROUPS, Change, FilmFields
from gantoys.runs.film_file import frame_fields
from gantoys.training.networks import discriminator_network, generator_network

LONGEST = 1000  # characters of a sentence: one that names all fields is the longest


def change(step: int, field: str, value: Any) -> dict[str, Any]:
    return {"step": step, "field": field, "value": value}


# --- single fields


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"steps": 0}, f"steps is 0: it must be a whole number from 1 to {limits.STEPS}"),
        ({"steps": "5"}, "steps is '5': it must be a whole number"),
        ({"steps": limits.STEPS + 1}, "it must be a whole number from 1 to 500000"),
        ({"seed": True}, "seed is True: it must be a whole number from 0 to 2147483647"),
        ({"seeds": 0}, "seeds is 0: it must be a whole number from 1 to 64"),
        ({"seed": 2**31 - 2, "seeds": 3}, "the last seed would be 2147483648, at most 2147483647 is allowed"),
        ({"batch": 10**9}, "batch is 1000000000: it must be a whole number from 2 to 1024"),
        ({"width": 0}, "width is 0: it must be a whole number from 1 to 512"),
        ({"width_d": 513}, "width_d is 513: it must be a whole number from 1 to 512"),
        ({"layers_d": -1}, "layers_d is -1: it must be a whole number from 0 to 6"),
        ({"d_steps": 21}, "d_steps is 21: it must be a whole number from 0 to 20"),
        ({"noise_dim": 65}, "noise_dim is 65: it must be a whole number from 1 to 64"),
        ({"noise": "cauchy"}, "noise is 'cauchy': it must be one of normal, uniform"),
        ({"order": "random"}, "order is 'random': it must be one of alternating, simultaneous"),
        ({"init": "ones"}, "init is 'ones': it must be one of uniform, normal, orthogonal, glorot, he"),
        ({"optimiser": "lbfgs"}, "optimiser is 'lbfgs': it must be one of adam, sgd, momentum, rmsprop"),
        ({"lr_g": float("nan")}, "lr_g is nan: it must be a number from 1e-07 to 10"),
        ({"lr_d": float("inf")}, "lr_d is inf: it must be a number"),
        ({"lr_d": 0.0}, "lr_d is 0.0: it must be a number"),
        ({"beta1": 1.0}, "beta1 is 1.0: it must be a number from 0 to 0.999"),
        ({"ema": 1.0}, "ema is 1.0: it must be a number from 0 to 0.99999"),
        ({"gp": -1.0}, "gp is -1.0: it must be a number from 0 to 10000"),
        ({"label_smoothing": 0.6}, "label_smoothing is 0.6: it must be a number from 0 to 0.5"),
        ({"spectral_norm": 1}, "spectral_norm is 1: it must be true or false"),
        ({"activation": "swish"}, "activation is 'swish': it must be one of leaky-relu, relu, tanh, softplus"),
        ({"activation_d": "swish"}, "activation_d is 'swish': it must be one of leaky-relu, relu, tanh, softplus"),
        ({"loss": "best"}, "loss is 'best': it must be one of saturating, non-saturating"),
        ({"bogus": 1}, "there is no field 'bogus': the fields are "),
        ({"toy": "ring(8"}, "toy is 'ring(8': expected"),
        ({"toy": "P(0.5,0.5)"}, "toy is 'P(0.5,0.5)': a run needs one distribution on the line or in the plane"),
        ({"toy": "N([9e9,0],1)"}, "its mass must lie within 1000 of the origin"),
        ({"toy": "x" * 5000}, "a notation may have at most 2000 characters"),
        ({"toy": "points" + "x" * 50_000}, "a notation may have at most 40000 characters"),
        ({"toy": None}, "toy is None: it must be a text"),
        ({"changes": 3}, "changes is 3: it must be a list of at most 32 changes, each with step, field and value"),
    ],
)
def test_a_bad_field_is_refused_in_one_sentence_with_its_name_and_what_is_allowed(
    values: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        TrainConfig.build(values)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < LONGEST


@pytest.mark.parametrize("name", TrainConfig.model_fields)
def test_every_field_has_label_and_help_a_range_in_words_and_a_group(name: str) -> None:
    field = TrainConfig.model_fields[name]
    assert field.title and field.description and field.description.endswith(".")
    assert sum(name in group.model_fields for _, group in GROUPS) == 1
    assert allowed(name)
    with pytest.raises(ValueError, match=rf"^{name} is ") as caught:
        TrainConfig.build({name: {"not": "this"}})
    assert "\n" not in str(caught.value) and len(str(caught.value)) < LONGEST


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 8000, "3", '{"steps":1e400}', '{"lr_g":NaN}', '{"a":' * 1000])
def test_text_that_is_no_config_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"config|steps is inf|lr_g") as caught:
        TrainConfig.read(text)
    assert "\n" not in str(caught.value)


def test_a_config_text_is_measured_before_it_is_read() -> None:
    with pytest.raises(ValueError, match=f"at most {limits.CONFIG_TEXT} are read"):
        TrainConfig.read('{"steps":5}' + " " * limits.CONFIG_TEXT)


def test_every_loss_of_the_table_can_be_asked_for() -> None:
    assert {TrainConfig(loss=key).loss for key in LOSSES} == set(LOSSES)


def test_the_dimension_is_that_of_the_target() -> None:
    assert [TrainConfig(toy=t).dim for t in ("ring", "moons", "bimodal", "N(0,1)", "U(0,1)")] == [2, 2, 1, 1, 1]


# --- which fields go together

CLASHES: list[tuple[dict[str, Any], str]] = [
    ({"d_steps": 0, "g_steps": 0}, "d_steps and g_steps are both 0: nobody would move"),
    ({"order": "simultaneous", "d_steps": 2}, "with order simultaneous d_steps and g_steps must be 1"),
    ({"order": "simultaneous", "g_steps": 0}, "with order simultaneous d_steps and g_steps must be 1"),
    ({"fake_law": "ring"}, "with fake_law the generated points come from that law, so G has nothing to learn"),
    ({"eigenvalues": 4, "slow": 2995}, "eigenvalues belong to one picture of a game that both play"),
    ({"eigenvalues": 4, "unrolled": 2}, "eigenvalues are those of a field that forgets its past"),
    ({"layers": 0, "batch_norm": True}, "batch_norm is of G's hidden layers: with layers 0 there are none"),
    ({"layers_d": 0, "maxout": 2}, "maxout is of D's hidden layers: with layers_d 0"),
    ({"pac": 3}, "pac is 3: it must divide the batch, 256, without a rest"),
    ({"pac": 4, "batch": 4}, "a batch of 4 holds fewer than 2 packs of 4 points"),
    (
        {"label_smoothing": 0.1, "loss": "relativistic"},
        "label_smoothing needs a loss with a part for real points alone",
    ),
    ({"gp": 1.0, "minibatch_kernels": 2}, "a gradient penalty is about one point at a time"),
    ({"r2": 1.0, "minibatch_std": True}, "a gradient penalty is about one point at a time"),
    ({"consensus": 1.0}, "consensus is about a step that both players take together: it needs order simultaneous"),
    ({"unrolled": 1, "order": "simultaneous"}, "unrolled looks ahead to the D that G will meet"),
    ({"consensus": 1.0, "order": "simultaneous", "spectral_norm": True}, "consensus differentiates the whole step"),
    ({"consensus": 1.0, "order": "simultaneous", "batch_norm": True}, "consensus differentiates the whole step"),
]


@pytest.mark.parametrize(("values", "sentence"), CLASHES)
def test_fields_that_do_not_go_together_are_refused_with_the_reason(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        TrainConfig.build(values)
    assert "\n" not in str(caught.value)
    for name in values:
        if name not in ("batch", "order"):
            TrainConfig.build({k: v for k, v in values.items() if k != name} | _mended(values, name))


def _mended(values: dict[str, Any], without: str) -> dict[str, Any]:
    """What the rest of a clash needs to be fine once the field `without` is gone."""
    if "consensus" in values and without != "consensus":
        return {"batch_norm": False, "spectral_norm": False, "order": "simultaneous"}
    return {"d_steps": 1, "g_steps": 1} if values.get("order") == "simultaneous" and "consensus" not in values else {}


def test_a_clash_that_comes_about_on_the_way_is_refused_too() -> None:
    with pytest.raises(ValueError, match="at step 5: label_smoothing needs a loss"):
        tiny(label_smoothing=0.1, changes=[change(5, "loss", "relativistic")])
    tiny(label_smoothing=0.1, changes=[change(5, "loss", "relativistic"), change(5, "label_smoothing", 0.0)])
    with pytest.raises(ValueError, match="at step 7: a gradient penalty is about one point"):
        tiny(minibatch_std=True, changes=[change(7, "r1", 0.5)])


# --- one spelling, one name


def test_two_spellings_of_one_config_have_one_digest() -> None:
    base = TrainConfig()
    assert TrainConfig(toy="ring").digest() == TrainConfig(toy=" ring( 8 ) ").digest() == base.digest()
    assert TrainConfig(lr_g=1).digest() == TrainConfig(lr_g=1.0).digest()
    rows = [change(5, "lr_g", 0.01), change(3, "lr_d", 0.01), change(3, "gp", 1.0)]
    orders = {tiny(changes=order).digest() for order in (rows, rows[::-1], tuple(rows), [Change(**r) for r in rows])}
    assert len(orders) == 1
    assert re.fullmatch("[0-9a-f]{64}", base.digest())


OTHER: dict[str, Any] = {
    "toy": "moons", "dataset": 10, "loss": "hinge", "seed": 1, "seeds": 2, "steps": 7, "batch": 8,
    "order": "simultaneous", "d_steps": 2, "g_steps": 0, "fake_law": "N([0,0],1)", "noise_dim": 3,
    "changes": (change(1, "lr_g", 0.5),), "noise": "uniform", "width": 9, "layers": 1, "activation": "tanh",
    "width_d": 5, "layers_d": 4,
    "activation_d": "relu", "init": "he", "init_scale": 0.5, "batch_norm": True, "maxout": 2, "optimiser": "sgd",
    "lr_g": 0.1, "lr_d": 0.1, "beta1": 0.1, "beta2": 0.1, "ema": 0.5, "gp": 0.5, "gp0": 0.5, "r1": 0.5, "r2": 0.5,
    "clip": 0.5, "spectral_norm": True, "instance_noise": 0.5, "instance_noise_steps": 5, "label_smoothing": 0.25,
    "feature_matching": True, "minibatch_kernels": 2, "minibatch_dims": 2, "minibatch_std": True, "pac": 2,
    "unrolled": 2, "historical_averaging": 0.5, "consensus": 0.5, "frames": 9, "cadence": "even", "grid": 9,
    "shown": 99, "slow": 2995, "eigenvalues": 4,
}  # fmt: skip


def _with_other(name: str) -> TrainConfig:
    more: dict[str, Any] = {"order": "simultaneous"} if name == "consensus" else {}
    more |= {"g_steps": 0} if name == "fake_law" else {}
    return TrainConfig().changed(**{name: OTHER[name]}, **more)


def test_any_field_changes_the_digest_and_survives_being_written() -> None:
    assert set(OTHER) == set(TrainConfig.model_fields)
    configs = [_with_other(name) for name in OTHER]
    digests = {c.digest() for c in [*configs, TrainConfig()]}
    assert len(digests) == len(OTHER) + 1
    for config in configs:
        assert TrainConfig.read(config.canonical_json()) == config
        assert json.loads(config.canonical_json()).keys() <= OTHER.keys()
    assert json.loads(TrainConfig().canonical_json()) == {"toy": TrainConfig().toy}, "what is usual is not written"


@pytest.mark.parametrize("name", OTHER)
def test_the_name_of_a_state_depends_on_what_trains_and_on_nothing_that_comes_later(name: str) -> None:
    """Not on the length of the run, nor on its pictures: a longer run can go on from a shorter one's state."""
    base, other = TrainConfig(), _with_other(name)
    later = name in ("steps", "changes", *FilmFields.model_fields)
    assert (base.training_digest(0) == other.training_digest(0)) == later
    assert base.training_digest(1) != base.training_digest(2)
    if name == "changes":  # it changes at step 1: the state after 1 step is still the same
        assert base.training_digest(1) == other.training_digest(1)
        assert base.training_digest(2) != other.training_digest(2)


# --- changes and branches


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([change(5, "width", 3)], "'width' cannot change on the way: the fields that can are loss, order"),
        ([change(5, "steps", 3)], "'steps' cannot change on the way"),
        ([change(5, "bogus", 3)], "'bogus' cannot change on the way"),
        ([change(40, "lr_g", 0.1)], "a change at step 40 comes too late in a run of 40 steps"),
        ([change(5, "lr_g", 0.1), change(5, "lr_g", 0.2)], "lr_g changes twice at step 5"),
        ([change(5, "lr_g", -1.0)], "at step 5: lr_g is -1.0: it must be a number from 1e-07 to 10"),
        ([change(5, "lr_g", "fast")], "at step 5: lr_g is 'fast'"),
        ([change(5, "loss", "best")], "at step 5: loss is 'best'"),
        ([change(0, "lr_g", 0.1)], "changes is "),
        ([{"step": 5}], "changes is "),
        ([change(k + 1, "lr_g", 0.1) for k in range(33)], "changes is "),
        (["lr_g"], "changes is "),
    ],
)
def test_a_bad_change_is_refused_in_one_sentence(rows: list[Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        tiny(changes=rows)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < LONGEST


@pytest.mark.parametrize("name", CHANGEABLE)
def test_every_field_that_can_change_does_so_at_its_step_and_leaves_networks_noise_and_data(name: str) -> None:
    more = {"order": "simultaneous"} if name == "consensus" else {}
    config = tiny(changes=[change(9, name, OTHER[name]), change(20, "lr_g", 0.123)], **more)
    if name == "order":
        assert config.at(9).order == "simultaneous"
    for step in range(0, 40, 3):
        now = config.at(step)
        assert not now.changes
        assert getattr(now, name) == (OTHER[name] if step >= 9 else getattr(config, name)) or name == "lr_g"
        assert now.lr_g == (0.123 if step >= 20 else OTHER["lr_g"] if name == "lr_g" and step >= 9 else config.lr_g)
        assert generator_network(now) == generator_network(config)
        assert discriminator_network(now) == discriminator_network(config)


def test_a_branch_keeps_the_past_and_drops_the_future() -> None:
    parent = tiny(changes=[change(5, "lr_d", 0.01), change(20, "gp", 1.0), change(30, "lr_d", 0.02)])
    branch = parent.branched(20, lr_g=0.5, gp=3.0)
    assert [c.model_dump() for c in branch.changes] == [
        change(5, "lr_d", 0.01), change(20, "gp", 3.0), change(20, "lr_g", 0.5),
    ]  # fmt: skip
    assert branch.at(19) == parent.at(19)
    assert (branch.at(39).lr_d, branch.at(39).gp, branch.at(39).lr_g) == (0.01, 3.0, 0.5)
    for step in range(21):
        assert branch.training_digest(step) == parent.training_digest(step)
    assert branch.training_digest(21) != parent.training_digest(21)
    assert [c.step for c in parent.branched(25, loss="hinge").changes] == [5, 20, 25]
    kept = parent.branched(20, lr_g=0.5)
    assert kept.at(20).gp == 1.0 and kept.at(20).lr_g == 0.5, "a change at the very step stays unless it is replaced"


def test_a_branch_at_the_beginning_is_another_run() -> None:
    parent = tiny(changes=[change(5, "lr_d", 0.01)])
    assert parent.branched(0, loss="hinge", width=9) == tiny(loss="hinge", width=9)


@pytest.mark.parametrize(
    ("step", "fields", "sentence"),
    [
        (10, {"width": 9}, "'width' cannot change on the way"),
        (40, {"lr_g": 0.1}, "a change at step 40 comes too late"),
        (10, {"lr_g": 100.0}, "at step 10: lr_g is 100.0"),
        (10, {"label_smoothing": 0.1, "loss": "relativistic"}, "at step 10: label_smoothing needs a loss"),
        (-1, {"lr_g": 0.1}, "changes is "),
    ],
)
def test_a_branch_that_cannot_be_is_refused_in_one_sentence(step: int, fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        tiny().branched(step, **fields)
    assert "\n" not in str(caught.value)


def test_a_member_of_a_run_is_a_run_of_one_seed() -> None:
    config = tiny(seed=7, seeds=3, loss="hinge")
    assert config.member(2) == tiny(seed=9, loss="hinge") and config.member(0) == tiny(seed=7, loss="hinge")
    for index in (-1, 3):
        with pytest.raises(IndexError, match=f"the run has 3 seeds, there is no number {index}"):
            config.member(index)


# --- pictures


@given(st.integers(1, limits.STEPS), st.integers(2, limits.FRAMES), st.sampled_from(["early", "even"]))
def test_pictures_go_from_the_first_step_to_the_last_and_never_back(
    steps: int, frames: int, cadence: Literal["early", "even"]
) -> None:
    config = TrainConfig(steps=steps, frames=frames, cadence=cadence, width=1, layers=1, batch=2)
    taken = config.recorded_steps()
    assert taken[0] == 0 and taken[-1] == steps
    assert len(taken) == min(frames, steps + 1)
    assert np.all(np.diff(taken) >= 1)


def test_the_early_cadence_spends_a_third_of_the_pictures_on_the_first_tenth_of_the_steps() -> None:
    taken = TrainConfig(steps=3000, frames=161).recorded_steps()
    assert 0.29 <= np.mean(taken <= 300) <= 0.35


# --- what it costs


def test_the_estimated_cost_is_that_of_the_matrix_products() -> None:
    """One hidden layer of width 1 and one step, counted by hand: m multiplications cost 2m operations a point."""
    config = TrainConfig(steps=1, frames=2, width=1, layers=1, noise_dim=1, batch=2, grid=2, shown=16)
    g, d = 1 + 2, 2 + 1
    of_d = 2 * (g + 2 * (d + 2 * d))  # a point of G; D forward and twice that backward, real and fake
    of_g = 2 * (g + 2 * g + d + d)  # G forward and backward; D forward, and backward to its input only
    frame = 2 * (4 * d + 16 * (g + 2 * d))
    assert config.flops() == flops(config) == 2 * (of_d + of_g) + 2 * frame


def test_the_counted_multiplications_are_those_of_the_networks() -> None:
    """The numbers of all matrices but the biases; a maxout layer has one matrix a piece."""
    for fields in (
        {},
        {"width": 5, "layers": 3, "noise_dim": 4, "toy": "bimodal"},
        {"width": 5, "width_d": 7, "layers": 1, "layers_d": 3, "pac": 2},
        {"maxout": 3, "layers_d": 2},
        {"layers": 0, "pac": 2},
        {"layers_d": 0, "minibatch_kernels": 4, "minibatch_std": True},
        {"layers": 0, "layers_d": 2},
        {"minibatch_kernels": 4, "minibatch_dims": 3, "minibatch_std": True},
    ):
        config = tiny(**fields)
        counted = tuple(
            sum(e.size for e in network.entries if e.name[0] in "wk")
            for network in (generator_network(config), discriminator_network(config))
        )
        assert weights(config) == counted


def test_the_cost_of_moves_penalties_and_seeds_by_hand() -> None:
    base = tiny(steps=1000, frames=2)
    (g, d), n = weights(base), base.batch
    # without its pictures, a step each
    pictures = 2 * 2 * (36 * d + 32 * (g + 2 * d))

    def step(**fields: Any) -> float:
        config = tiny(steps=1000, frames=2, **fields)
        return (config.flops() / config.seeds - pictures) / 1000

    move_d, move_g = 2 * n * (g + 6 * d), 2 * n * (3 * g + 2 * d)
    assert step() == pytest.approx(move_d + move_g)
    assert step(d_steps=3, g_steps=2) == pytest.approx(3 * move_d + 2 * move_g)
    assert step(g_steps=0) == pytest.approx(move_d)
    assert step(seeds=5) == pytest.approx(move_d + move_g)
    for name in ("gp", "gp0", "r1", "r2"):  # forward, and one and a half times back
        assert step(**{name: 1.0}) == pytest.approx(move_d + move_g + 2 * n * 4 * d)
    assert step(unrolled=2) == pytest.approx(move_d + move_g + 2 * 3 * move_d)


def test_what_makes_a_run_longer_or_larger_makes_it_dearer() -> None:
    base = {"width": 8, "layers": 2, "batch": 16}
    for field, values in {
        "steps": (10, 20, 400), "batch": (8, 16, 64), "width": (4, 8, 9), "layers": (1, 2, 5), "seeds": (1, 2, 9),
        "d_steps": (0, 1, 3), "g_steps": (0, 1, 3), "noise_dim": (1, 2, 8), "unrolled": (0, 1, 2),
        "maxout": (0, 2, 3), "minibatch_kernels": (0, 1, 4), "grid": (4, 8, 20), "frames": (2, 3, 9),
    }.items():  # fmt: skip
        costs = [tiny(**(base | {field: value})).flops() for value in values]
        assert all(a < b for a, b in pairwise(costs)), field


def test_values_that_are_fine_alone_are_refused_when_their_product_is_too_much() -> None:
    for field in ({"steps": limits.STEPS}, {"batch": limits.BATCH}, {"width": limits.WIDTH}, {"seeds": limits.SEEDS}):
        TrainConfig.build(field)
    with pytest.raises(ValueError, match=r"would take about .* operations, at most 1e\+16 are allowed: choose fewer"):
        TrainConfig(steps=limits.STEPS, batch=limits.BATCH, width=limits.WIDTH, seeds=limits.SEEDS)
    # the lessons recommend to look at so many seeds of the default run
    assert TrainConfig().changed(seeds=16).flops() < limits.VISITOR_FLOPS < limits.RUN_FLOPS


@pytest.mark.parametrize("toy", ["ring", "bimodal"])
def test_the_largest_film_that_can_be_asked_for_fits_its_limit(toy: str) -> None:
    config = TrainConfig(toy=toy, steps=1000, frames=limits.FRAMES, grid=limits.GRID, shown=limits.SHOWN)
    assert limits.FRAMES * sum(f.size for f in frame_fields(config)) < limits.FILM_BYTES
