"""How long the theory takes: whole sweeps of 121 positions, as the stage asks for them.

Times are the processor's, not the clock's: a neighbour on the same core does not count.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from figures import Row

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gantoys.maths import divergences, generator_gradients, mix, normal, optimal_discriminator, w1  # noqa: E402
from gantoys.pictures import optimal_discriminator as picture  # noqa: E402

POSITIONS, REPEATS = 121, 5
IMPORT = "import time; t = time.process_time(); import gantoys.maths; print(1000 * (time.process_time() - t))"


def milliseconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """The fastest of some runs, the first not counted."""
    work()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return 1000 * min(times)


def importing() -> float:
    """The ms that `import gantoys.maths` takes in a new process, the best of three."""
    call = [sys.executable, "-c", IMPORT]
    return min(float(subprocess.run(call, cwd=ROOT, capture_output=True, check=True).stdout) for _ in range(3))


def run() -> list[Row]:
    """Mixtures of two normals a side; the sweep moves one mean of p_G."""
    p = mix(np.array([0.5, 0.5]), [normal(-2.0, 0.7), normal(2.0, 0.7)])
    means = np.linspace(-7, 7, POSITIONS)
    q = mix(np.array([0.5, 0.5]), [normal(means, 0.7), normal(3.0, 0.7)])
    x = np.linspace(-8, 8, 241)
    spreads = iter(np.linspace(0.5, 2.5, 2 * REPEATS).tolist())

    def fresh_scene() -> object:
        """A scene of which no sweep has been asked for before."""
        spread = next(spreads)
        return picture.scene(picture.OptimalState(left=-spread, right=1 + spread, spread=spread, weight=spread / 3))

    sweep = f"{POSITIONS} positions"
    return [
        Row("import gantoys.maths, best of 3", "ms", importing(), most=500),
        Row(f"D* on 241 points, {sweep}", "ms", milliseconds(lambda: optimal_discriminator(p, q, x))),
        Row(f"JS, {sweep}", "ms", milliseconds(lambda: divergences(p, q, ("js",), tolerance=1e-7))),
        Row(f"all divergences, {sweep}", "ms", milliseconds(lambda: divergences(p, q), 2)),
        Row(f"W1, {sweep}", "ms", milliseconds(lambda: w1(p, q), 2)),
        Row(f"gradients of all losses, {sweep}", "ms", milliseconds(lambda: generator_gradients(p, q, "shift"), 1)),
        Row("the lesson's scene, 4 sweeps of 97", "ms", milliseconds(fresh_scene)),
    ]
