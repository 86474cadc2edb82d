"""How often something happens lately."""

from __future__ import annotations

from collections import deque

WINDOW_SECONDS = 5.0


class Rate:
    """Events a second over the last `WINDOW_SECONDS`. One thread notes, any may read."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=2000)

    def note(self, at: float, count: int = 1) -> None:
        """It happened at this monotonic time."""
        self._times.extend([at] * count)

    def per_second(self, now: float) -> float:
        """The mean rate."""
        recent = [at for at in tuple(self._times) if now - at <= WINDOW_SECONDS]
        whole = len(self._times) > len(recent)
        # In the first seconds the window is what has passed so far.
        seconds = WINDOW_SECONDS if whole or not recent else min(max(now - recent[0], 1.0), WINDOW_SECONDS)
        return len(recent) / seconds
