"""How this process holds memory."""

from __future__ import annotations

import ctypes
import sys

_M_ARENA_MAX = -8  # of <malloc.h>
_ARENAS = 2


def keep_together() -> None:
    """Let glibc hold few arenas.

    Every camera that is opened anew brings new threads; glibc would spread their memory over up to eight arenas a
    core, each with gaps of its own: in ten minutes of `make soak` the pipeline grew by some 3 MiB each time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None  # musl has none
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
