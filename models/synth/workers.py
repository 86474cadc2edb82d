"""Rendering in several processes: Blender draws one picture a process at a time."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


def each(work: Callable[[int], None], numbers: Iterable[int], jobs: int) -> Iterator[None]:
    """Call `work`, which must be picklable, with each number, in `jobs` processes; yields after each.

    What a call raises is raised here; then, and when it is interrupted, what was not begun is left.
    """
    if jobs == 1:
        for number in numbers:
            work(number)
            yield
        return
    # Blender can't be forked, and Ctrl-C reaches the whole process group: the parent alone answers it.
    with ProcessPoolExecutor(jobs, get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        for _ in pool.map(work, numbers):
            yield
