"""What is free goes back to the system."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

BURST = """
import ctypes, os
from pipeline.memory import give_back

def held():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
waiting = []
for _ in range(1000):
    picture, small = (ctypes.c_void_p(libc.malloc(size)) for size in (100_000, 100))  # that stays, so that gaps do
    ctypes.memset(picture, 1, 100_000)
    waiting.append(picture)
for picture in waiting:
    libc.free(picture)
kept = held()
give_back()
print(kept - held())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="no glibc")
def test_what_a_burst_needed_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", BURST], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 80  # MiB, of 95
