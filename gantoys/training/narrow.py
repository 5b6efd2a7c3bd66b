"""Narrow networks in native code: `narrow.c`, where this machine can have it.

Elsewhere torch does the same passes. Which of the two it is depends on the machine and the config alone, so that a run
repeats itself.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from gantoys.runs.fields import LEAK
from gantoys.training import native
from gantoys.training.networks import Network
from gantoys.training.passes import Passes, Tape
from gantoys.training.player import Player

SOURCE = Path(__file__).with_name("narrow.c")
LAYERS, WIDTH = 8, 64  # beyond it the libraries' large products are quicker
LANES = 16  # numbers that the machine works on together: widths that are no multiple of it are left to torch
_POINTER = ctypes.c_void_p


class Pass(ctypes.Structure):
    """What one pass needs: the struct of the same name in narrow.c."""

    _fields_ = (
        ("seeds", ctypes.c_int64), ("layers", ctypes.c_int64), ("points", ctypes.c_int64),
        ("sizes", ctypes.c_int64 * (LAYERS + 1)), ("slope", ctypes.c_float),
        ("w", _POINTER * LAYERS), ("b", _POINTER * LAYERS), ("gw", _POINTER * LAYERS), ("gb", _POINTER * LAYERS),
        ("h", _POINTER * LAYERS), ("step", ctypes.c_int64 * LAYERS),
        ("out", _POINTER), ("out_step", ctypes.c_int64), ("room", _POINTER * 2),
        ("d", _POINTER), ("d_step", ctypes.c_int64), ("to", _POINTER), ("to_step", ctypes.c_int64),
        ("learn", ctypes.c_int64),
    )  # fmt: skip


class NarrowPasses(Passes):
    """The same passes, a call of native code each."""

    def __init__(self, player: Player, buffer: Callable[..., Tensor]) -> None:
        super().__init__(player, buffer)
        found = library()
        assert found is not None
        self._forward, self._backward = found.forward, found.backward
        network, self._common = player.network, Pass()
        p = self._common
        p.seeds, p.layers = player.seeds, self.count
        p.sizes[: self.count + 1] = [network.inputs, *[network.width] * network.hidden, network.outputs]
        p.slope = LEAK if network.activation == "leaky-relu" else 0.0
        for k in range(self.count):
            p.w[k], p.b[k], p.gw[k], p.gb[k] = (views[k].data_ptr() for views in (self.w, self.b, self.gw, self.gb))
        self._known: dict[tuple[int, ...], tuple[Pass, tuple[object, ...]]] = {}
        self._kept: list[Tensor] = []  # rooms that structs point to

    def forward(self, tape: Tape) -> Tensor:
        self._forward(self._pass(tape))
        return tape.out

    def backward(self, tape: Tape, d: Tensor, room: list[Tensor], *, learn: bool, to: Tensor | None = None) -> None:
        self._backward(self._pass(tape, d, room, learn, to))

    def _pass(
        self, tape: Tape, d: Tensor | None = None, room: list[Tensor] | None = None, learn: bool = False,
        to: Tensor | None = None,
    ) -> Pass:  # fmt: skip
        """The struct of a pass, made once for each set of buffers; only the input may be another each time."""
        key = (id(tape), id(d), id(room), learn, id(to))
        found = self._known.get(key)
        if found is None:
            p = Pass.from_buffer_copy(self._common)
            p.points = tape.out.shape[-2]
            for k in range(1, self.count):
                p.h[k], p.step[k] = tape.h[k].data_ptr(), self._step(tape.h[k])
            p.out, p.out_step = tape.out.data_ptr(), self._step(tape.out)
            if d is not None and room is not None:
                p.d, p.d_step, p.learn = d.data_ptr(), self._step(d), learn
                p.room[0], p.room[1] = self._spare(p.points)
            if to is not None:
                p.to, p.to_step = to.data_ptr(), self._step(to)
            # what the key tells apart must live as long as the key
            found = self._known[key] = (p, (tape, d, room, to))
        p = found[0]
        x = tape.h[0]
        p.h[0], p.step[0] = x.data_ptr(), self._step(x)
        return p

    def _step(self, x: Tensor) -> int:
        """Numbers from one seed's part of x to the next one's; a seed's own rows must stand side by side."""
        if x.stride(-1) != 1 or x.stride(-2) != x.shape[-1]:
            raise ValueError(f"native passes need rows side by side, got the strides {x.stride()} of {tuple(x.shape)}")
        return 0 if self.alone else x.stride(0)

    def _spare(self, points: int) -> tuple[int, int]:
        """Two rooms for the slopes of one layer and one seed."""
        spare = torch.empty(2, points, self.width)
        self._kept.append(spare)
        return spare[0].data_ptr(), spare[1].data_ptr()


def covers(network: Network, like: Tensor) -> bool:
    """Whether native code does the passes of this network, whose numbers are like `like`, on this machine."""
    suits = (
        network.plain
        and network.activation in ("relu", "leaky-relu")
        and 1 < network.hidden + 1 <= LAYERS
        and network.width <= WIDTH
        and network.width % LANES == 0
        and max(network.inputs, network.outputs) <= network.width
        and like.dtype == torch.float32
        and like.device.type == "cpu"
    )
    return suits and library() is not None


def library() -> ctypes.CDLL | None:
    """The compiled passes, or None where they cannot be had."""
    return native.library(SOURCE, _declare, "narrow networks are trained")


def _declare(library: ctypes.CDLL) -> None:
    for function in (library.forward, library.backward):
        function.argtypes, function.restype = (ctypes.POINTER(Pass),), None
