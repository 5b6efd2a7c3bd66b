"""What a process asks of the system: memory that is freed stays with a worker and is given back by a server; files."""

import subprocess
import sys

FAULTS = """
import resource, sys
import numpy as np
from gantoys import process

if sys.argv[1] == "kept":
    assert process.keep_freed() and process.keep_freed()

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


FREED = """
import os, threading
from gantoys import process
assert process.one_heap() and process.one_heap()

def held():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

def visit(kept):
    for _ in range(2000):
        kept.append(bytes(4000))
    together.wait()
    together.wait()
    kept[:] = kept[::500]  # a session leaves something behind, so that no heap is free from its top down

together = threading.Barrier(17)
kept = [[] for _ in range(16)]
threads = [threading.Thread(target=visit, args=(k,)) for k in kept]
before = held()
[t.start() for t in threads]
together.wait()
most = held()
together.wait()
[t.join() for t in threads]
process.give_back()
print(most - before, held() - before)
"""


def test_what_was_freed_on_many_threads_is_given_back() -> None:
    most, left = map(float, told(FREED).split())
    assert most > 100 and left < 0.2 * most


LIMITS = """
import os, resource
from gantoys import process
for soft, hard, process.FILES in ((1024, 4096, 65536), (48, 48, 65536), (1024, 4096, 2048)):
    if os.fork() == 0:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        print(process.file_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0], flush=True)
        os._exit(0)
    os.wait()
"""


def test_as_many_files_may_be_opened_as_are_allowed_and_of_use() -> None:
    assert told(LIMITS).split() == ["4096", "4096", "48", "48", "2048", "2048"]


def told(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
