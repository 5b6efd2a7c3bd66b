"""The rules by which a player moves: a table of them, each in place for speed and as a function to differentiate.

A player is one flat tensor theta (S, P): S seeds side by side, P numbers each. A rule's state is a dict with "t" (the
steps taken, a float tensor without axes) and the state vectors that the row names in `slots`, shaped like theta. Every
number moves by its own gradient alone, so the seeds never meet.

`move_` and `moved` are the same step, the one that torch.optim takes. Creating an optimiser of torch.optim costs more
than a second the first time, and a film should begin at once; so none is created here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

State = dict[str, Tensor]
EPS = 1e-8  # torch.optim's own, added to the root of the mean square

# Private to torch: where it is missing, the formula is written out.
_FUSED_ADAM = getattr(torch, "_fused_adam_", None)


@dataclass(frozen=True)
class Optimiser:
    """One rule. g: the gradient, theta goes down it; lr > 0; 0 <= beta1, beta2 < 1, each used only if in the formula.

    move_(theta, grad, state, lr, beta1, beta2) changes theta and the state in place; grad stays. Call it where autograd
    is switched off: to switch it off in here would cost as much as the step of a small network.
    moved(theta, grad, state, lr, beta1, beta2) -> (theta, state) returns new tensors and changes nothing: autograd
    differentiates through it, twice too, in theta, in grad and in the state's vectors. Where a mean square is exactly 0
    its root has slope 0, so that every slope is finite (that of adam's first step is then lr / EPS, its true one).
    """

    key: str
    label: str
    formula: str
    reference: str
    slots: tuple[str, ...]
    move_: Callable[[Tensor, Tensor, State, float, float, float], None]
    moved: Callable[[Tensor, Tensor, State, float, float, float], tuple[Tensor, State]]

    def fresh(self, theta: Tensor) -> State:
        """The state before the first step: t = 0 and vectors of zeros, on theta's device and of its precision."""
        zeros = {slot: torch.zeros_like(theta, memory_format=torch.contiguous_format) for slot in self.slots}
        # Single precision whatever theta's is: the fused kernel asks for it, and it counts exactly to 2^24.
        return {"t": torch.zeros((), dtype=torch.float32, device=theta.device), **zeros}


def _root(square: Tensor) -> Tensor:
    """The square root with slope 0 at 0, where the true one is infinite and would turn 0 * inf into nan."""
    zero = square == 0
    return square.masked_fill(zero, 1.0).sqrt().masked_fill(zero, 0.0)


def _adam_(theta: Tensor, grad: Tensor, state: State, lr: float, beta1: float, beta2: float) -> None:
    m, v, t = state["m"], state["v"], state["t"]
    t += 1
    # The kernel takes memory as it lies and would write beside a slice: it gets none.
    if _FUSED_ADAM is not None and all(x.is_contiguous() for x in (theta, grad, m, v)):
        _FUSED_ADAM(
            [theta], [grad], [m], [v], [], [t], lr=lr, beta1=beta1, beta2=beta2, weight_decay=0.0, eps=EPS,
            amsgrad=False, maximize=False,
        )  # fmt: skip
        return
    m.lerp_(grad, 1 - beta1)
    v.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    first, second = 1 - beta1 ** float(t), 1 - beta2 ** float(t)
    theta.addcdiv_(m, (v.sqrt() / second**0.5).add_(EPS), value=-lr / first)


def _adam(theta: Tensor, grad: Tensor, state: State, lr: float, beta1: float, beta2: float) -> tuple[Tensor, State]:
    t = state["t"] + 1
    m = beta1 * state["m"] + (1 - beta1) * grad
    v = beta2 * state["v"] + (1 - beta2) * grad * grad
    # In Python's doubles: 1 - 0.999 in single precision is wrong in the fifth digit.
    first, second = 1 - beta1 ** float(t), 1 - beta2 ** float(t)
    return theta - lr / first * m / (_root(v) / second**0.5 + EPS), {"t": t, "m": m, "v": v}


def _sgd_(theta: Tensor, grad: Tensor, state: State, lr: float, beta1: float, beta2: float) -> None:
    state["t"] += 1
    theta.add_(grad, alpha=-lr)


def _sgd(theta: Tensor, grad: Tensor, state: State, lr: float, beta1: float, beta2: float) -> tuple[Tensor, State]:
    return theta - lr * grad, {"t": state["t"] + 1}


def _momentum_(theta: Tensor, grad: Tensor, state: State, lr: float, beta1: float, beta2: float) -> None:
    state["t"] += 1
    theta.add_(state["v"].mul_(beta1).add_(grad), alpha=-lr)


def _momentum(theta: Tensor, grad: Tensor, state: State, lr: float, beta1: float, beta2: float) -> tuple[Tensor, State]:
    v = beta1 * state["v"] + grad
    return theta - lr * v, {"t": state["t"] + 1, "v": v}


def _rmsprop_(theta: Tensor, grad: Tensor, state: State, lr: float, beta1: float, beta2: float) -> None:
    state["t"] += 1
    v = state["v"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    theta.addcdiv_(grad, v.sqrt().add_(EPS), value=-lr)


def _rmsprop(theta: Tensor, grad: Tensor, state: State, lr: float, beta1: float, beta2: float) -> tuple[Tensor, State]:
    v = beta2 * state["v"] + (1 - beta2) * grad * grad
    return theta - lr * grad / (_root(v) + EPS), {"t": state["t"] + 1, "v": v}


OPTIMISERS = {
    row.key: row
    for row in (
        Optimiser(
            key="adam",
            label="Adam",
            formula=r"m\leftarrow\beta_1 m+(1-\beta_1)g,\quad v\leftarrow\beta_2 v+(1-\beta_2)g^2,\quad "
            r"\theta\leftarrow\theta-\eta\,\frac{m/(1-\beta_1^t)}{\sqrt{v/(1-\beta_2^t)}+\varepsilon}",
            reference="Kingma & Ba 2015, algorithm 1",
            slots=("m", "v"),
            move_=_adam_,
            moved=_adam,
        ),
        Optimiser(
            key="sgd",
            label="Gradient descent",
            formula=r"\theta\leftarrow\theta-\eta\,g",
            reference="Robbins & Monro 1951",
            slots=(),
            move_=_sgd_,
            moved=_sgd,
        ),
        Optimiser(
            key="momentum",
            label="Momentum",
            formula=r"v\leftarrow\beta_1 v+g,\quad \theta\leftarrow\theta-\eta\,v",
            reference="Polyak 1964; Sutskever et al. 2013, eq. 1 and 2, whose v holds eta: the same while eta stays",
            slots=("v",),
            move_=_momentum_,
            moved=_momentum,
        ),
        Optimiser(
            key="rmsprop",
            label="RMSProp",
            formula=r"v\leftarrow\beta_2 v+(1-\beta_2)g^2,\quad "
            r"\theta\leftarrow\theta-\eta\,\frac{g}{\sqrt v+\varepsilon}",
            reference="Tieleman & Hinton 2012, lecture 6.5, there without epsilon",
            slots=("v",),
            move_=_rmsprop_,
            moved=_rmsprop,
        ),
    )
}
