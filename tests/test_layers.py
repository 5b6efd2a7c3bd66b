"""The layers against oracles, definitions as loops, torch's own and differences; first weights by their laws."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.nn import functional

from gantoys.training.layers import (
    BATCH_EPS,
    DEVIATION_EPS,
    INITS,
    Init,
    batch_norm,
    batch_norm_fixed,
    ema,
    maxout,
    minibatch_deviation,
    minibatch_discrimination,
    pack,
    spectral_normalised,
)
from tests.oracles import CASES

SEEDS, N, A = 3, 6, 4


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def normal(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def close(got: Tensor, want: Tensor | np.ndarray, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(got, torch.as_tensor(want, dtype=got.dtype), rtol=tolerance, atol=tolerance)


# --- what every layer promises

# Each as a function of points (S, n, 4) and of other tensors with the seeds in front.
LAYERS: dict[str, tuple[Callable[..., Tensor], tuple[Tensor, ...]]] = {
    "maxout": (lambda x: maxout(x, 2), (normal(0, SEEDS, N, A),)),
    "minibatch_discrimination": (
        lambda f, t: minibatch_discrimination(f, t, 2),
        (normal(1, SEEDS, N, A), normal(2, SEEDS, A, 6)),
    ),
    "minibatch_deviation": (minibatch_deviation, (normal(3, SEEDS, N, A),)),
    "spectral_normalised": (lambda w, u: spectral_normalised(w, u)[0], (normal(4, SEEDS, N, A), normal(5, SEEDS, N))),
    "batch_norm": (
        lambda x, g, b: batch_norm(x, g, b)[0],
        (normal(6, SEEDS, N, A), normal(7, SEEDS, 1, A), normal(8, SEEDS, 1, A)),
    ),
    "batch_norm_fixed": (
        lambda x, g, b, m, v: batch_norm_fixed(x, g, b, m, v.square() + 0.1),
        (normal(9, SEEDS, N, A), *(normal(s, SEEDS, 1, A) for s in range(10, 14))),
    ),
    "ema": (lambda a, x: ema(a, x, 0.9), (normal(14, SEEDS, N, A), normal(15, SEEDS, N, A))),
    "pack": (lambda x: pack(x, 3), (normal(16, SEEDS, N, A),)),
}
every_layer = pytest.mark.parametrize("name", LAYERS)


@every_layer
def test_seeds_never_meet(name: str) -> None:
    layer, given = LAYERS[name]
    together = layer(*given)
    for seed in range(SEEDS):
        close(layer(*(x[seed : seed + 1] for x in given)), together[seed : seed + 1])


@every_layer
def test_a_layer_keeps_precision_and_touches_neither_its_arguments_nor_the_random_state(name: str) -> None:
    layer, given = LAYERS[name]
    kept, state = [x.clone() for x in given], torch.get_rng_state()
    single = layer(*(x.float() for x in given))
    assert single.dtype == torch.float32 and layer(*given).dtype == torch.float64
    close(single.double(), layer(*given), 1e-5)  # some ten roundings of 6e-8, magnified by differences
    assert all(torch.equal(x, y) for x, y in zip(given, kept, strict=True))
    assert torch.equal(state, torch.get_rng_state())


# The power method's vectors carry no slope: its own test stands below.
@pytest.mark.parametrize("name", [name for name in LAYERS if name != "spectral_normalised"])
def test_slopes_and_curvatures_are_those_of_differences(name: str) -> None:
    layer, given = LAYERS[name]
    inputs = tuple(x.detach().clone().requires_grad_() for x in given)
    assert torch.autograd.gradcheck(layer, inputs)
    assert torch.autograd.gradgradcheck(layer, inputs)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: maxout(normal(0, 2, 3, 5), 2), "units of 2 pieces"),
        (lambda: maxout(normal(0, 2, 3, 4), 0), "units of 0 pieces"),
        (lambda: maxout(normal(0, 3, 4), 2), "three axes"),
        (lambda: minibatch_discrimination(normal(0, 2, 3, 4), normal(0, 2, 4, 5), 2), "2 kernels"),
        (lambda: minibatch_discrimination(normal(0, 2, 3, 4), normal(0, 2, 4, 5), 0), "0 kernels"),
        (lambda: minibatch_discrimination(normal(0, 2, 3, 4), normal(0, 1, 4, 6), 2), "must be as many"),
        (lambda: minibatch_discrimination(normal(0, 2, 3, 4), normal(0, 2, 3, 6), 2), "must be as many"),
        (lambda: minibatch_discrimination(normal(0, 2, 3, 4), normal(0, 4, 6), 2), "three axes"),
        (lambda: minibatch_deviation(normal(0, 3, 4)), "three axes"),
        (lambda: spectral_normalised(normal(0, 3, 4), normal(0, 3)), "three axes"),
        (lambda: spectral_normalised(normal(0, 2, 3, 4), normal(0, 2, 4)), "u of shape"),
        (lambda: spectral_normalised(normal(0, 2, 3, 4), normal(0, 2, 3), -1), "steps >= 0"),
        (lambda: batch_norm(normal(0, 3, 4), normal(0, 3, 1), normal(0, 3, 1)), "three axes"),
        (lambda: batch_norm(normal(0, 2, 3, 4), normal(0, 4), normal(0, 2, 1, 4)), "of shape"),
        (lambda: batch_norm_fixed(normal(0, 2, 3, 4), *[normal(0, 2, 1, 4)] * 3, normal(0, 2, 3, 4)), "of shape"),
        (lambda: ema(normal(0, 2, 1), normal(0, 2), 0.5), "cannot take in"),
        (lambda: pack(normal(0, 2, 5, 4), 2), "packed by 2"),
        (lambda: pack(normal(0, 2, 5, 4), 0), "packed by 0"),
        (lambda: pack(normal(0, 5, 4), 1), "three axes"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_with_a_sentence(call: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


# --- maxout


def test_maxout_takes_the_largest_piece_of_every_unit() -> None:
    x, width, pieces = normal(0, 2, 5, 12), 4, 3
    got = maxout(x, pieces)
    assert got.shape == (2, 5, width)
    for s in range(2):
        for i in range(5):
            for j in range(width):
                assert float(got[s, i, j]) == max(float(x[s, i, k * width + j]) for k in range(pieces))


def test_maxout_of_one_piece_is_the_identity_and_equal_pieces_share_the_slope() -> None:
    x = normal(0, 2, 5, 4)
    assert torch.equal(maxout(x, 1), x)
    twice = torch.ones(1, 1, 4, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(maxout(twice, 2).sum(), twice)
    close(slope, torch.full((1, 1, 4), 0.5))


# --- what D sees of a batch


def written_out(f: Tensor, t: Tensor, kernels: int) -> Tensor:
    """Minibatch discrimination as the paper writes it, with all differences at once."""
    m = (f @ t).unflatten(-1, (kernels, -1))
    return torch.exp(-(m.unsqueeze(2) - m.unsqueeze(1)).abs().sum(-1)).sum(2)


def test_minibatch_discrimination_is_that_of_the_paper() -> None:
    case = CASES["minibatch_discrimination"]
    f = torch.tensor([case["inputs"]["f"]], dtype=torch.float64)
    t = torch.tensor([case["inputs"]["T"]], dtype=torch.float64)
    got = minibatch_discrimination(f, t.flatten(2), t.shape[2])
    close(got[0], np.array(case["expected"]["o_including_self"]), case["tolerance"])
    close(got[0] - 1.0, np.array(case["expected"]["o_excluding_self"]), case["tolerance"])


def test_minibatch_discrimination_and_its_slopes_equal_the_formula_left_to_autograd() -> None:
    f, t = normal(1, 2, 7, 5).requires_grad_(), normal(2, 2, 5, 6).requires_grad_()
    towards = normal(3, 2, 7, 3)
    got, want = minibatch_discrimination(f, t, 3), written_out(f, t, 3)
    close(got, want)
    for ours, theirs in zip(
        torch.autograd.grad((got * towards).sum(), (f, t)),
        torch.autograd.grad((want * towards).sum(), (f, t)),
        strict=True,
    ):
        close(ours, theirs)


def test_minibatch_discrimination_does_not_care_about_the_order_of_the_batch() -> None:
    f, t = normal(1, 2, 7, 5), normal(2, 2, 5, 6)
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    close(minibatch_discrimination(f[:, order], t, 3), minibatch_discrimination(f, t, 3)[:, order])


def test_minibatch_discrimination_counts_coinciding_points_and_pulls_at_none() -> None:
    f = normal(1, 1, 1, 4).expand(1, 6, 4).clone().requires_grad_()
    got = minibatch_discrimination(f, normal(2, 1, 4, 6), 2)
    close(got, torch.full((1, 6, 2), 6.0))
    (slope,) = torch.autograd.grad(got.sum(), f)
    assert not slope.any()


def test_minibatch_deviation_is_the_mean_standard_deviation() -> None:
    f = normal(1, SEEDS, 9, A) * torch.tensor([0.1, 1.0, 3.0, 10.0])
    got = minibatch_deviation(f)
    assert got.shape == (SEEDS, 9, 1)
    for s in range(SEEDS):
        close(got[s], np.full((9, 1), np.sqrt(f[s].numpy().var(axis=0) + DEVIATION_EPS).mean()))
        # The term under the root adds at most 1e-8 / (2 std) to each, std being above 0.05 here.
        assert abs(float(got[s, 0, 0]) - f[s].numpy().std(axis=0).mean()) < 1e-7


def test_minibatch_deviation_of_coinciding_points_has_finite_slopes_and_curvatures() -> None:
    f = torch.full((1, 5, 3), 0.1, dtype=torch.float32, requires_grad=True)
    got = minibatch_deviation(f)
    close(got.detach(), torch.full((1, 5, 1), 1e-4), 1e-6)
    (slope,) = torch.autograd.grad(got.sum(), f, create_graph=True)
    (curvature,) = torch.autograd.grad((slope * normal(2, 1, 5, 3, dtype=torch.float32)).sum(), f)
    # The slope is 0 but for the rounding of 0.1, 1e-8, over A 1e-4; the curvature is the direction's over A 1e-4.
    assert float(slope.detach().abs().max()) < 1e-3
    assert 0 < float(curvature.abs().max()) < 1e5


# --- spectral norm


def test_spectral_norm_takes_the_steps_of_the_power_method() -> None:
    case = CASES["spectral_norm_power_iteration"]
    w = torch.tensor([case["inputs"]["W"]], dtype=torch.float64)
    u = torch.tensor([case["inputs"]["u0"]], dtype=torch.float64)
    walked = u
    for steps, want in zip(case["inputs"]["steps"], case["expected"]["sigma_after"], strict=True):
        at_once, end = spectral_normalised(w, u, steps)
        close(w / at_once, torch.full_like(w, want), case["tolerance"])
        one_more, walked = spectral_normalised(w, walked)
        close(one_more, at_once)
        close(walked, end)
    many, _ = spectral_normalised(w, u, 30)
    close(w / many, torch.full_like(w, case["expected"]["sigma_true"]), case["tolerance"])


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (1, 4), (4, 1), (2, 128)])
def test_many_steps_find_the_largest_singular_value(shape: tuple[int, int]) -> None:
    w = normal(1, SEEDS, *shape)
    got, u = spectral_normalised(w, normal(2, SEEDS, shape[0]), 2000)
    close(torch.linalg.matrix_norm(got, 2), torch.ones(SEEDS), 1e-9)
    left = torch.linalg.svd(w)[0][:, :, 0]
    close((u * left).sum(-1).abs(), torch.ones(SEEDS), 1e-9)


def test_sigma_is_never_above_the_true_value_and_no_step_only_looks() -> None:
    w, u = normal(1, SEEDS, 5, 3), normal(2, SEEDS, 5)
    norms = []
    for steps in range(6):
        got, end = spectral_normalised(w, u, steps)
        norms.append(torch.linalg.matrix_norm(got, 2))
        close(end.norm(dim=-1), torch.ones(SEEDS))
        if not steps:
            close(end, u / u.norm(dim=-1, keepdim=True))
            # Without a step sigma = u^T W v with v = W^T u / |W^T u|, that is |W^T u| for the unit vector u.
            close(w / got, torch.linalg.vector_norm(w.mT @ end.unsqueeze(-1), dim=1, keepdim=True).expand_as(w))
    assert all(bool((later <= earlier + 1e-12).all()) for earlier, later in pairwise(norms))
    assert bool((norms[-1] >= 1 - 1e-12).all())


def test_slopes_go_through_sigma_but_not_through_the_vectors() -> None:
    w, u = normal(1, SEEDS, 5, 3).requires_grad_(), normal(2, SEEDS, 5).requires_grad_()
    towards = normal(3, SEEDS, 5, 3)
    got, end = spectral_normalised(w, u)
    assert not end.requires_grad
    slope, none = torch.autograd.grad((got * towards).sum(), (w, u), create_graph=True, allow_unused=True)
    assert none is None
    with torch.no_grad():
        v = functional.normalize(torch.einsum("sio,si->so", w, u), dim=-1)
        sigma = torch.einsum("si,sio,so->s", end, w, v).view(-1, 1, 1)
        pull = (towards * got).sum((1, 2), keepdim=True)
        close(slope, (towards - pull * torch.einsum("si,so->sio", end, v)) / sigma)
    # The curvature is that of W / (u^T W v) with u and v as they came out.
    other = w.detach().clone().requires_grad_()
    fixed = other / torch.einsum("si,sio,so->s", end, other, v).view(-1, 1, 1)
    (theirs,) = torch.autograd.grad((fixed * towards).sum(), other, create_graph=True)
    close(torch.autograd.grad(slope.square().sum(), w)[0], torch.autograd.grad(theirs.square().sum(), other)[0])


def test_a_matrix_of_zeros_stays_one() -> None:
    got, u = spectral_normalised(torch.zeros(1, 3, 2), torch.ones(1, 3))
    assert not got.any() and bool(u.isfinite().all())


# --- batch normalisation


@pytest.mark.parametrize("eps", [BATCH_EPS, 0.3])
def test_batch_norm_is_torchs_own_seed_by_seed(eps: float) -> None:
    x, gamma, beta = normal(1, SEEDS, 7, A) * 3 + 2, normal(2, SEEDS, 1, A), normal(3, SEEDS, 1, A)
    towards = normal(4, SEEDS, 7, A)
    given = tuple(a.requires_grad_() for a in (x, gamma, beta))
    y, mean, variance = batch_norm(*given, eps)
    assert mean.shape == variance.shape == (SEEDS, 1, A)
    slopes = torch.autograd.grad((y * towards).sum(), given)
    for s in range(SEEDS):
        mine = tuple(a[s].detach().clone().requires_grad_() for a in given)
        average, spread = torch.zeros(A, dtype=torch.float64), torch.zeros(A, dtype=torch.float64)
        want = functional.batch_norm(mine[0], average, spread, mine[1][0], mine[2][0], True, 1.0, eps)
        close(y[s].detach(), want.detach())
        close(mean[s, 0].detach(), average)
        close(variance[s, 0].detach() * 7 / 6, spread)  # torch keeps the unbiased variance
        for ours, theirs in zip(slopes, torch.autograd.grad((want * towards[s]).sum(), mine), strict=True):
            close(ours[s], theirs, 1e-11)


def test_batch_norm_with_fixed_statistics_is_torchs_own_and_looks_at_one_point_at_a_time() -> None:
    x, gamma, beta, mean = normal(1, SEEDS, 7, A), *(normal(s, SEEDS, 1, A) for s in (2, 3, 4))
    variance = normal(5, SEEDS, 1, A).square()
    y = batch_norm_fixed(x, gamma, beta, mean, variance)
    for s in range(SEEDS):
        arguments = (mean[s, 0], variance[s, 0], gamma[s, 0], beta[s, 0])
        close(y[s], functional.batch_norm(x[s], *arguments, False, 0.0, BATCH_EPS))
    close(batch_norm_fixed(x[:, 2:3], gamma, beta, mean, variance), y[:, 2:3])


def test_batch_norm_with_its_own_statistics_fixed_is_itself() -> None:
    x, gamma, beta = normal(1, SEEDS, 7, A), normal(2, SEEDS, 1, A), normal(3, SEEDS, 1, A)
    y, mean, variance = batch_norm(x, gamma, beta)
    close(batch_norm_fixed(x, gamma, beta, mean, variance), y)
    close(y.mean(1, keepdim=True), beta)
    close(y.var(1, correction=0, keepdim=True), gamma.square() * variance / (variance + BATCH_EPS))


# --- averages and packs


@pytest.mark.parametrize(("key", "first"), [("ema", 0.0), ("ema_init_first", None)])
def test_the_running_average_is_biased_by_where_it_begins(key: str, first: float | None) -> None:
    case = CASES["ema_bias"]
    values = [torch.tensor([float(p)], dtype=torch.float64) for p in case["inputs"]["params"]]
    average = values[0] if first is None else torch.tensor([first], dtype=torch.float64)
    for value, want in zip(values, case["expected"][key], strict=True):
        average = ema(average, value, case["inputs"]["beta"])
        assert abs(average.item() - want) <= case["tolerance"]


def test_a_running_average_begun_at_0_is_too_small_by_a_known_factor() -> None:
    value = normal(1, 2, 5)
    average = torch.zeros_like(value)
    for _ in range(10):
        average = ema(average, value, 0.8)
    close(average, (1 - 0.8**10) * value)


def test_a_pack_holds_neighbouring_points_in_their_order() -> None:
    x = normal(1, SEEDS, 6, 2)
    got = pack(x, 3)
    assert got.shape == (SEEDS, 2, 6)
    for s in range(SEEDS):
        for i in range(2):
            assert torch.equal(got[s, i], torch.cat([x[s, 3 * i], x[s, 3 * i + 1], x[s, 3 * i + 2]]))
    assert torch.equal(pack(x, 1), x)
    assert torch.equal(pack(x.mT.contiguous().mT, 3), got)  # however the points lie in memory


# --- first weights

every_init = pytest.mark.parametrize("row", INITS.values(), ids=INITS)
# Deviation of one weight by inputs and outputs, at scale 1; a row without one fails in the walk.
DEVIATIONS: dict[str, Callable[[int, int], float]] = {
    "uniform": lambda i, o: (1 / (3 * i)) ** 0.5,
    "normal": lambda i, o: 1.0,
    "orthogonal": lambda i, o: (1 / max(i, o)) ** 0.5,
    "glorot": lambda i, o: (2 / (i + o)) ** 0.5,
    "he": lambda i, o: (2 / i) ** 0.5,
}
LAWS = {
    "uniform": lambda deviation: stats.uniform(-deviation * 3**0.5, 2 * deviation * 3**0.5),
    "normal": lambda deviation: stats.norm(0, deviation),
    "glorot": lambda deviation: stats.uniform(-deviation * 3**0.5, 2 * deviation * 3**0.5),
    "he": lambda deviation: stats.norm(0, deviation),
}
# A right program fails a random test below this often; the numbers are the same in every run.
LEVEL = 1e-3


def rng(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@every_init
def test_a_row_says_what_it_is(row: Init) -> None:
    assert INITS[row.key] is row and row.label and row.formula and row.reference


@every_init
def test_first_weights_come_from_their_generator_alone(row: Init) -> None:
    state = torch.get_rng_state()
    w, b = row.weight(20, 30, 0.5, rng()), row.bias(20, 30, 0.5, rng())
    assert torch.equal(state, torch.get_rng_state())
    assert w.shape == (20, 30) and b.shape == (30,)
    assert w.dtype == b.dtype == torch.float32 and not w.requires_grad and w.is_contiguous()
    assert torch.equal(w, row.weight(20, 30, 0.5, rng())) and torch.equal(b, row.bias(20, 30, 0.5, rng()))
    assert not torch.equal(w, row.weight(20, 30, 0.5, rng(2)))
    assert row.weight(3, 4, 1.0, rng(), torch.float64).dtype == torch.float64
    close(row.weight(20, 30, 2.0, rng()), 4 * w, 1e-6)


@every_init
@pytest.mark.parametrize(("inputs", "outputs"), [(2, 600), (600, 2), (60, 50)])
def test_first_weights_have_the_mean_and_deviation_of_their_law(row: Init, inputs: int, outputs: int) -> None:
    scale = 0.7
    w = row.weight(inputs, outputs, scale, rng()).double()
    want = scale * DEVIATIONS[row.key](inputs, outputs)
    # Five standard errors of a mean, and of a deviation of a law no heavier than the normal.
    assert abs(float(w.mean())) < 5 * want / w.numel() ** 0.5
    assert abs(float(w.square().mean().sqrt()) / want - 1) < 5 / (2 * w.numel()) ** 0.5


@pytest.mark.parametrize("key", LAWS)
@pytest.mark.parametrize(("inputs", "outputs"), [(2, 600), (60, 50)])
def test_first_weights_follow_their_law(key: str, inputs: int, outputs: int) -> None:
    w = INITS[key].weight(inputs, outputs, 0.7, rng()).double().numpy().ravel()
    law = LAWS[key](0.7 * DEVIATIONS[key](inputs, outputs))
    assert stats.kstest(w, law.cdf).pvalue > LEVEL
    assert np.all((w >= law.support()[0] * (1 + 1e-6)) & (w <= law.support()[1] * (1 + 1e-6)))


def test_every_law_is_tested() -> None:
    assert set(DEVIATIONS) == set(INITS) == {*LAWS, "orthogonal"}


def test_uniform_weights_and_biases_are_in_law_those_of_torchs_linear_layer() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        theirs = torch.nn.Linear(40, 1000)
    w, b = INITS["uniform"].weight(40, 1000, 1.0, rng()), INITS["uniform"].bias(40, 1000, 1.0, rng(2))
    assert stats.ks_2samp(w.numpy().ravel(), theirs.weight.detach().numpy().ravel()).pvalue > LEVEL
    assert stats.ks_2samp(b.numpy(), theirs.bias.detach().numpy()).pvalue > LEVEL
    close(INITS["uniform"].bias(40, 1000, 3.0, rng(2)), 3 * b, 1e-6)


@every_init
def test_biases_are_0_and_cost_no_random_number_unless_the_row_draws_them(row: Init) -> None:
    source = rng()
    before = source.get_state()
    b = row.bias(5, 8, 1.0, source)
    assert bool(b.any()) == (not torch.equal(before, source.get_state())) == row.biases == (row.key == "uniform")


@pytest.mark.parametrize(("inputs", "outputs"), [(7, 4), (4, 7), (5, 5), (1, 6), (6, 1)])
def test_orthogonal_weights_are_orthogonal(inputs: int, outputs: int) -> None:
    w = INITS["orthogonal"].weight(inputs, outputs, 0.6, rng(), torch.float64)
    gram = w @ w.T if inputs < outputs else w.T @ w
    close(gram, 0.36 * torch.eye(min(inputs, outputs), dtype=torch.float64))


def test_orthogonal_weights_prefer_no_direction() -> None:
    """Of a uniform orthogonal matrix each entry's square is Beta(1/2, (n-1)/2), and its sign is even.

    QR alone, without the signs of R, makes the diagonal negative more often than not.
    """
    n, source = 4, rng()
    draws = torch.stack([INITS["orthogonal"].weight(n, n, 1.0, source, torch.float64) for _ in range(500)]).numpy()
    law = stats.beta(0.5, (n - 1) / 2)
    for i, j in ((0, 0), (1, 1), (3, 3), (0, 3), (2, 1)):
        entry = draws[:, i, j]
        assert stats.kstest(entry**2, law.cdf).pvalue > LEVEL
        assert stats.binomtest(int((entry > 0).sum()), len(entry)).pvalue > LEVEL
    assert stats.binomtest(int((np.linalg.det(draws) > 0).sum()), len(draws)).pvalue > LEVEL
