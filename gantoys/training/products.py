"""The large matrix products of a step, by the quicker of two kernels that torch brings.

torch multiplies with MKL; oneDNN, which torch brings too, takes some ten microseconds to begin. Which is quicker
depends on the processor: on some of AMD's MKL leaves half of the machine unused, on others oneDNN is the slower one. So
each kind of processor is measured once, and what was found is kept beside the store: a run repeats itself there.
`GANTOYS_PRODUCTS=onednn` or `torch` decides without a measurement. oneDNN's entry is private to torch: where it is
missing, everything goes the usual way, and so do small products and other than single precision.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from gantoys.runs.store import home

LEAST, LEAST_TALL = 1_500_000, 3_000_000  # multiplications from which it pays; tall: sums over many points
SETTING = "GANTOYS_PRODUCTS"
ONEDNN, TORCH = "onednn", "torch"
_TURNS, _POINTS, _WIDTH = 24, 256, 128  # of the measurement: some ten milliseconds


def _find() -> object | None:
    if not torch.backends.mkldnn.is_available():
        return None
    return getattr(getattr(torch.ops.mkldnn, "_linear_pointwise", None), "default", None)


_LINEAR = _find()


def worthwhile(like: Tensor, multiplications: int, *, tall: bool = False) -> bool:
    """Whether a product of matrices like `like` with so many multiplications is one for this module."""
    usual = like.dtype == torch.float32 and like.device.type == "cpu"
    return usual and multiplications >= (LEAST_TALL if tall else LEAST) and kernel() == ONEDNN


@cache
def kernel() -> str:
    """ONEDNN or TORCH: by the setting, else what was found on such a processor, else as a measurement says now."""
    asked = os.environ.get(SETTING, "").strip().lower()
    if _LINEAR is None or asked in (ONEDNN, TORCH):
        return TORCH if _LINEAR is None else asked
    path = _path()
    found = _read(path)
    return found if found is not None else _keep(path, measured())


def measured() -> str:
    """The quicker kernel for a hidden layer and the way back through it, turn by turn, each by its best time.

    What both take is compared on one core: the best of many turns is the one that nobody disturbed.
    """
    x, w, b = torch.ones(_POINTS, _WIDTH), torch.full((_WIDTH, _WIDTH), 0.01), torch.zeros(_WIDTH)
    room = torch.empty(_POINTS, _WIDTH)

    def one_dnn() -> None:
        product(layer(x, w, b, "relu", []), w.mT)

    def plain() -> None:
        torch.mm(functional.relu_(torch.addmm(b, x, w, out=room)), w.mT)

    best = {ONEDNN: float("inf"), TORCH: float("inf")}
    ways: dict[str, Callable[[], None]] = {ONEDNN: one_dnn, TORCH: plain}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            for _ in range(_TURNS):
                for name, run in ways.items():
                    begin = time.perf_counter()
                    run()
                    best[name] = min(best[name], time.perf_counter() - begin)
    finally:
        torch.set_num_threads(threads)
    return min(best, key=lambda name: best[name])


def _path() -> Path | None:
    """Where it is kept for processors of this kind and this torch; None where there is no home."""
    kind = f"{_processor()} {torch.__version__} {torch.backends.cpu.get_cpu_capability()}"
    with contextlib.suppress(RuntimeError):
        return home() / f"products-{hashlib.sha256(kind.encode()).hexdigest()[:12]}"
    return None


def _processor() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        told = dict(line.split(":", 1) for line in file.read().partition("\n\n")[0].splitlines() if ":" in line)
        return " ".join(v.strip() for k, v in told.items() if k.strip() in ("model name", "model", "stepping", "flags"))
    return platform.processor()


def _read(path: Path | None) -> str | None:
    if path is None:
        return None
    with contextlib.suppress(OSError, UnicodeDecodeError):
        found = path.read_text(encoding="utf-8").strip()
        return found if found in (ONEDNN, TORCH) else None
    return None


def _keep(path: Path | None, found: str) -> str:
    """Keeps it unless another process was first; what holds from now on."""
    if path is None:
        return found
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with contextlib.suppress(OSError):  # a disk that is full or only read: every process measures for itself
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(f"{found}\n", encoding="utf-8")
            if _read(path) is None:
                path.unlink(missing_ok=True)
            os.link(part, path)
        except FileExistsError:
            pass
        finally:
            part.unlink(missing_ok=True)
    return _read(path) or found


def product(a: Tensor, b: Tensor) -> Tensor:
    """a (n, k) times b (k, m); a new (n, m)."""
    return _LINEAR(a, b.mT, None, "none", [], "")  # type: ignore[operator]


def layer(x: Tensor, w: Tensor, b: Tensor, activation: str, arguments: list[float]) -> Tensor:
    """activation(x w + b): x (n, i), w (i, o), b (o,); activation: oneDNN's name of one."""
    return _LINEAR(x, w.mT, b, activation, arguments, "")  # type: ignore[operator]
