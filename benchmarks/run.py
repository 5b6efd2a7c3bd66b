"""All benchmarks in one run of about nine minutes; `make bench` calls it. Everything stays on this machine.

    python benchmarks/run.py [browser] [sliders] [lab] [theory] [training]      all when none is named

The load is printed first and last: on a busy machine look at the ratios, which are taken in the same run.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from figures import Clock, Row, load, table  # noqa: E402

from gantoys.service.environment import environment  # noqa: E402

SECONDS, LAB_SECONDS = 200.0, 120.0  # after that, series stop where they are
MISSED = "MISSED"


def browser() -> list[Row]:
    """The lesson in Chromium against plain widgets."""
    import browser as part

    print("In the browser, by the clock: the optimal-discriminator lesson, and the same picture")
    print("with st.slider + st.plotly_chart")
    found = part.run(Clock(SECONDS))
    print(table(found, other="plotly"))
    return found


def sliders() -> list[Row]:
    """Every slider of the exact lessons in Chromium."""
    import sliders as part

    print("Every slider of the exact lessons in the browser, by the clock")
    found = part.run(Clock(LAB_SECONDS))
    print(table(found))
    return found


def lab() -> list[Row]:
    """The lab in Chromium, while a run trains."""
    import lab as part

    print("The lab in the browser, by the clock, while its worker trains on the same machine")
    found = part.run(Clock(LAB_SECONDS))
    print(table(found, other="engine"))
    return found


def theory() -> list[Row]:
    """The exact theory."""
    import theory as part

    print("Theory, in ms of the processor's time")
    found = part.run()
    print(table(found))
    return found


def training() -> list[Row]:
    """The training loop against the textbook's, and what films cost, in a process of its own: here is no torch."""
    print("Training on a ring of eight: steps of a seed per second of the processor's time; on two cores, the clock's")
    call = [sys.executable, str(HERE / "training.py")]
    # with the settings that a worker starts with, for both sides
    answer = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True, timeout=400, env=environment()).stdout
    found = [Row(**row) for row in json.loads(answer)]
    print(table(found, other="textbook"))
    return found


PARTS = {part.__name__: part for part in (browser, sliders, lab, theory, training)}


def main(names: list[str]) -> int:
    """Run the parts named, else all."""
    if set(names) - set(PARTS):
        print(f"say any of: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    begin = time.monotonic()
    print(f"machine: {load()}", flush=True)
    found: list[Row] = []
    for name in names or PARTS:
        print(flush=True)
        found += PARTS[name]()
    missed = [row.name for row in found if row.verdict.startswith(MISSED)]
    print(f"\nmissed: {'; '.join(missed) or 'nothing'}")
    print(f"machine: {load()}, {time.monotonic() - begin:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
