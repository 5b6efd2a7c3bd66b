"""What is freed stays with the process: pictures do not pay for the same pages again and again."""

import subprocess
import sys

FAULTS = """
import resource, sys
import numpy as np
from gantoys import heap

if sys.argv[1] == "kept":
    assert heap.keep() and heap.keep()

def pictures(count):
    for _ in range(count):
        arrays = [np.ones(size) for size in 8 * [250_000]]
        del arrays

pictures(3)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
pictures(50)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(way: str) -> int:
    done = subprocess.run([sys.executable, "-c", FAULTS, way], capture_output=True, text=True, check=True, timeout=60)
    return int(done.stdout)


def test_memory_that_was_freed_is_not_cleared_by_the_system_again():
    assert faults("kept") * 10 < faults("usual")
