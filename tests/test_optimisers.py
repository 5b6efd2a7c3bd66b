"""The rules of movement against torch.optim, against each other, and their slopes against differences."""

import pytest
import torch
from torch import Tensor

from gantoys.training import optimisers
from gantoys.training.optimisers import EPS, OPTIMISERS, Optimiser, State
from tests.oracles import CASES

LR, BETA1, BETA2 = 0.03, 0.7, 0.95
STEPS = 20
# Both take the same steps in double precision; each may round the last digit, and 20 steps add up.
TOLERANCE = 1e-12

# What each row must equal. A row without a line here fails in test_every_rule_has_its_counterpart.
COUNTERPARTS = {
    "adam": lambda p: torch.optim.Adam(p, lr=LR, betas=(BETA1, BETA2), eps=EPS),
    "sgd": lambda p: torch.optim.SGD(p, lr=LR),
    "momentum": lambda p: torch.optim.SGD(p, lr=LR, momentum=BETA1),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=LR, alpha=BETA2, eps=EPS),
}
every_rule = pytest.mark.parametrize("row", OPTIMISERS.values(), ids=OPTIMISERS)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def normal(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def gradients(seeds: int = 3, numbers: int = 11) -> list[Tensor]:
    """Of every size from 1e-4 to 1e2, some of them 0 at first and some always."""
    found = [normal(s, seeds, numbers) * torch.logspace(-4, 2, numbers, dtype=torch.float64) for s in range(STEPS)]
    for grad in found[:3]:
        grad[:, ::4] = 0.0
    for grad in found:
        grad[:, 1] = 0.0
    return found


def walk(row: Optimiser, theta: Tensor, grads: list[Tensor]) -> tuple[Tensor, State]:
    state = row.fresh(theta)
    for grad in grads:
        row.move_(theta, grad, state, LR, BETA1, BETA2)
    return theta, state


def close(got: Tensor, want: Tensor) -> None:
    torch.testing.assert_close(got, want, rtol=TOLERANCE, atol=TOLERANCE)


def test_every_rule_has_its_counterpart() -> None:
    assert set(OPTIMISERS) == set(COUNTERPARTS)


@every_rule
def test_a_row_says_what_it_is(row: Optimiser) -> None:
    assert OPTIMISERS[row.key] is row and row.label and row.formula and row.reference


@every_rule
def test_the_state_is_made_for_its_vector(row: Optimiser) -> None:
    theta = normal(0, 5, 3).T  # does not lie in memory row by row; the state must
    state = row.fresh(theta)
    assert set(state) == {"t", *row.slots}
    assert state["t"].ndim == 0 and state["t"].is_floating_point() and float(state["t"]) == 0
    for slot in row.slots:
        assert state[slot].shape == theta.shape and state[slot].dtype == theta.dtype
        assert state[slot].is_contiguous() and not state[slot].any()


@every_rule
def test_the_step_in_place_is_torchs_own(row: Optimiser) -> None:
    theirs = normal(9, 3, 11).requires_grad_()
    optimiser = COUNTERPARTS[row.key]([theirs])
    ours, state = normal(9, 3, 11), row.fresh(theirs)
    for grad in gradients():
        theirs.grad = grad.clone()
        optimiser.step()
        row.move_(ours, grad, state, LR, BETA1, BETA2)
        close(ours, theirs.detach())
    assert float(state["t"]) == STEPS


@every_rule
def test_the_step_as_a_function_is_torchs_own(row: Optimiser) -> None:
    theirs = normal(9, 3, 11).requires_grad_()
    optimiser = COUNTERPARTS[row.key]([theirs])
    ours, state = normal(9, 3, 11), row.fresh(theirs)
    for grad in gradients():
        theirs.grad = grad.clone()
        optimiser.step()
        ours, state = row.moved(ours, grad, state, LR, BETA1, BETA2)
        close(ours, theirs.detach())
    assert float(state["t"]) == STEPS


@every_rule
def test_both_steps_keep_the_same_state(row: Optimiser) -> None:
    _, state = walk(row, normal(9, 3, 11), gradients())
    theta, other = normal(9, 3, 11), row.fresh(normal(9, 3, 11))
    for grad in gradients():
        theta, other = row.moved(theta, grad, other, LR, BETA1, BETA2)
    assert set(state) == set(other)
    for slot, value in state.items():
        close(other[slot], value)


@every_rule
@pytest.mark.parametrize("beta", [0.0, 0.99999])
def test_both_steps_agree_at_the_ends_of_the_memory(row: Optimiser, beta: float) -> None:
    theta, state = normal(9, 3, 11), row.fresh(normal(9, 3, 11))
    other, old = theta.clone(), row.fresh(theta)
    for grad in gradients():
        row.move_(theta, grad, state, LR, beta, beta)
        other, old = row.moved(other, grad, old, LR, beta, beta)
        # 1 - beta^t is 1e-5 at first: what rounding leaves of it is 1e-11 of the step.
        torch.testing.assert_close(other, theta, rtol=1e-10, atol=1e-10)


@every_rule
def test_both_steps_agree_in_single_precision(row: Optimiser) -> None:
    grads = [grad.float() for grad in gradients()]
    theta, _ = walk(row, normal(9, 3, 11, dtype=torch.float32), grads)
    other = normal(9, 3, 11, dtype=torch.float32)
    state = row.fresh(other)
    for grad in grads:
        other, state = row.moved(other, grad, state, LR, BETA1, BETA2)
    assert other.dtype == torch.float32
    # Some 20 roundings of single precision, 6e-8 each; 1 - beta^t taken in single precision would be seen.
    torch.testing.assert_close(other, theta, rtol=1e-5, atol=1e-6)


def test_adam_written_out_equals_the_fused_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    assert optimisers._FUSED_ADAM is not None
    fused, state = walk(OPTIMISERS["adam"], normal(9, 3, 11), gradients())
    monkeypatch.setattr(optimisers, "_FUSED_ADAM", None)
    plain, other = walk(OPTIMISERS["adam"], normal(9, 3, 11), gradients())
    for got, want in ((plain, fused), *((other[slot], state[slot]) for slot in state)):
        close(got, want)


@every_rule
def test_a_slice_of_a_longer_vector_moves_alone(row: Optimiser) -> None:
    both = normal(9, 3, 22)
    before = both.clone()
    walk(row, both[:, :11], gradients())
    want, _ = walk(row, before[:, :11].contiguous(), gradients())
    close(both[:, :11], want)
    assert torch.equal(both[:, 11:], before[:, 11:])


@every_rule
def test_a_gradient_that_lies_otherwise_in_memory_counts_the_same(row: Optimiser) -> None:
    got, _ = walk(row, normal(9, 3, 11), [grad.T.contiguous().T for grad in gradients()])
    want, _ = walk(row, normal(9, 3, 11), gradients())
    close(got, want)


@every_rule
def test_the_seeds_never_meet(row: Optimiser) -> None:
    together, _ = walk(row, normal(9, 3, 11), gradients())
    alone, _ = walk(row, normal(9, 3, 11)[1:2].contiguous(), [grad[1:2].contiguous() for grad in gradients()])
    close(together[1:2], alone)


@every_rule
def test_the_step_in_place_leaves_the_gradient_and_no_graph(row: Optimiser) -> None:
    theta, grad = normal(9, 3, 11), normal(1, 3, 11).requires_grad_()
    state = row.fresh(theta)
    with torch.no_grad():
        row.move_(theta, grad, state, LR, BETA1, BETA2)
    assert torch.equal(grad.detach(), normal(1, 3, 11))
    assert not theta.requires_grad and not any(value.requires_grad for value in state.values())


@every_rule
def test_the_step_as_a_function_changes_nothing_it_was_given(row: Optimiser) -> None:
    theta, state = walk(row, normal(9, 3, 11), gradients()[:4])
    kept, kept_state = theta.clone(), {slot: value.clone() for slot, value in state.items()}
    moved, after = row.moved(theta, normal(1, 3, 11), state, LR, BETA1, BETA2)
    assert torch.equal(theta, kept) and all(torch.equal(state[slot], kept_state[slot]) for slot in state)
    assert not torch.equal(moved, kept) and float(after["t"]) == 5


@every_rule
def test_the_slopes_of_two_steps_are_those_of_differences(row: Optimiser) -> None:
    """In theta, gradients and the state's vectors; the second step's gradient depends on where the first one led."""
    slots = [normal(7 + i, 2, 4).square() + 0.1 for i in range(len(row.slots))]

    def two(theta: Tensor, grad: Tensor, *vectors: Tensor) -> tuple[Tensor, ...]:
        state = {"t": torch.tensor(3.0), **dict(zip(row.slots, vectors, strict=True))}
        theta, state = row.moved(theta, grad, state, LR, BETA1, BETA2)
        theta, state = row.moved(theta, torch.sin(theta) * grad, state, LR, BETA1, BETA2)
        return theta, *(state[slot] for slot in row.slots)

    inputs = tuple(x.requires_grad_() for x in (normal(5, 2, 4), normal(6, 2, 4), *slots))
    assert torch.autograd.gradcheck(two, inputs)
    assert torch.autograd.gradgradcheck(two, inputs)


# How much the first step from a fresh state changes with a gradient that is 0: the slope at g = 0 of lr times g
# (sgd, momentum), g / (|g| + eps) (adam), g / (sqrt(1 - beta2) |g| + eps) (rmsprop).
FIRST_SLOPES = {"adam": LR / EPS, "sgd": LR, "momentum": LR, "rmsprop": LR / EPS}


@every_rule
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_slope_of_the_first_step_is_finite_and_true_where_the_gradient_is_0(
    row: Optimiser, dtype: torch.dtype
) -> None:
    theta = torch.zeros(1, 3, dtype=dtype)
    # 1e-30 squared is 0 in single precision: the root's argument underflows while the gradient has not.
    grad = torch.tensor([[0.0, -0.0, 1e-30]], dtype=dtype, requires_grad=True)
    moved, _ = row.moved(theta, grad, row.fresh(theta), LR, BETA1, BETA2)
    (slope,) = torch.autograd.grad(moved.sum(), grad, create_graph=True)
    torch.testing.assert_close(slope.detach(), torch.full_like(theta, -FIRST_SLOPES[row.key]), rtol=1e-6, atol=0)
    if slope.requires_grad:
        (curvature,) = torch.autograd.grad(slope.sum(), grad, allow_unused=True)
        assert curvature is None or bool(curvature.isfinite().all())


@every_rule
def test_no_rule_hides_that_a_run_has_diverged(row: Optimiser) -> None:
    theta, lost, calm = torch.zeros(1, 2), torch.tensor([[float("nan"), 1.0]]), torch.ones(1, 2)
    moved, after = row.moved(theta, lost, row.fresh(theta), LR, BETA1, BETA2)
    state = row.fresh(theta)
    row.move_(theta, lost, state, LR, BETA1, BETA2)
    assert moved.isnan().tolist() == theta.isnan().tolist() == [[True, False]]
    # What a rule remembers stays lost, also where the next gradient and the player are well.
    again, _ = row.moved(torch.zeros(1, 2), calm, after, LR, BETA1, BETA2)
    in_place = torch.zeros(1, 2)
    row.move_(in_place, calm, state, LR, BETA1, BETA2)
    assert again.isnan().tolist() == in_place.isnan().tolist() == [[bool(row.slots), False]]


def test_looking_ahead_through_gradient_descent_gives_the_slope_of_unrolling() -> None:
    case = CASES["unrolled_bilinear_game"]
    given, row = case["inputs"], OPTIMISERS["sgd"]
    for steps, want, stopped in zip(
        given["k"], case["expected"]["grad_backprop_through"], case["expected"]["grad_stop_gradient"], strict=True
    ):
        theta = torch.tensor([[given["theta"]]], dtype=torch.float64, requires_grad=True)
        psi = torch.tensor([[given["psi"]]], dtype=torch.float64)
        state = row.fresh(psi)
        for _ in range(steps):
            psi, state = row.moved(psi, -theta, state, given["eta"], BETA1, BETA2)  # D goes up theta psi
        (slope,) = torch.autograd.grad((theta * psi).sum(), theta)
        assert abs(slope.item() - want) <= case["tolerance"]
        assert abs(psi.item() - stopped) <= case["tolerance"]  # what G would feel if psi were taken as given
