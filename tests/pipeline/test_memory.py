"""What is free goes back to the system."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from pipeline import service
from spotter.settings import loads

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


def test_the_pipeline_does_so_as_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = threading.Event()
    monkeypatch.setattr(service, "_TIDY_SECONDS", 0.1)
    monkeypatch.setattr(service, "give_back", given.set)
    settings = loads("mqtt: {url: 'mqtt://127.0.0.1:1'}", base=tmp_path, environment={})
    assert settings.mqtt is not None
    stop, running = threading.Event(), service.Service(settings, settings.mqtt, MagicMock())
    thread = threading.Thread(target=running.run, args=(stop,))
    thread.start()
    try:
        assert given.wait(10)
    finally:
        stop.set()
        thread.join(10)
