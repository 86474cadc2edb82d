"""Rendering in several processes: Blender draws one picture a process at a time."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process


def each(work: Callable[[int], None], numbers: Iterable[int], jobs: int) -> Iterator[None]:
    """Call `work`, which must be picklable, with each number, in `jobs` processes; yields after each.

    What a call raises is raised here; then, and when it is interrupted, what was not begun is left. Where this process
    is killed, the others end as well.
    """
    if jobs == 1:
        for number in numbers:
            work(number)
            yield
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), _begin) as pool:  # Blender can't be forked
        for _ in pool.map(work, numbers):
            yield


def _begin() -> None:
    """Ctrl-C reaches the whole process group: the parent alone answers it. Its death reaches nobody by itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
