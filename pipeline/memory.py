"""How this process holds memory."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

_M_ARENA_MAX = -8  # of <malloc.h>
_ARENAS = 2


def keep_together() -> None:
    """Let glibc hold few arenas.

    Every camera that is opened anew brings new threads; glibc would spread their memory over up to eight arenas a
    core, each with gaps of its own: in ten minutes of `make soak` the pipeline grew by some 3 MiB each time.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """Return to the system what is free; takes some milliseconds.

    While other work holds the processor up, more pictures wait between threads. glibc would keep their memory for good,
    so that what is held would rise to that of the worst minute of the day.
    """
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_glibc(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None  # musl has none
