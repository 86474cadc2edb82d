"""Pictures for previews out of the graph, each with what the detector found in just that one.

Three probes, one behind another, in GStreamer's threads:

1. behind nvinfer: of a camera that somebody watches, and whose next picture is due, all that was found is copied. It is
   read here and not behind nvtracker, which holds back whom it does not follow yet: they, too, must be blurred.
2. behind nvtracker: the valve is opened for a batch with such a frame, and shut for all others.
3. behind nvvideoconvert: the picture is copied. The batch's own metadata says which camera, frame and time it is; a
   picture that is not exactly one of those that were asked for is left alone, for nobody could blur it.

While nobody watches, a batch costs two function calls that look at nothing.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import structlog
from numpy.typing import NDArray

from pipeline.deepstream.metadata import SeenFrame, ShowsPictures, probe_ok

if TYPE_CHECKING:
    from pipeline.deepstream.source import DeepStreamSource

log = structlog.get_logger()

MOST_WAITING = 16
"""Pictures that wait to be taken, and frames that wait for theirs; the oldest beyond it are let go."""

_Key = tuple[int, int, int]


class Picture(NamedTuple):
    """One camera's picture and what was found in it."""

    source: DeepStreamSource
    seen: SeenFrame
    """With all objects, followed or not, in the muxer's pixels."""
    at: float
    """Monotonic time at which the detector had looked."""
    image: NDArray[np.uint8]
    """Blue green red, small."""


class Views:
    """The probes, and the pictures that wait."""

    def __init__(
        self,
        backend: ShowsPictures,
        *,
        watched: Callable[[], bool],
        due: Callable[[int, float], DeepStreamSource | None],
        let_through: Callable[[bool], None],
    ) -> None:
        """`watched`: whether any camera is; `due`: who has this pad, where a picture is wanted at this monotonic time;
        `let_through`: opens and shuts the valve.
        """
        self.opened = False
        """Whether the valve was ever open."""
        self.came = 0
        """Pictures so far."""
        self.error: str | None = None
        """Why a picture could not be had last."""
        self._backend, self._watched, self._due, self._let_through = backend, watched, due, let_through
        self._asked: dict[_Key, tuple[DeepStreamSource, SeenFrame, float]] = {}
        self._lock = threading.Lock()
        self._waiting: deque[Picture] = deque(maxlen=MOST_WAITING)
        self._open = False
        self._ok = probe_ok()

    def detected(self, pad: Any, info: Any) -> Any:
        """The probe behind nvinfer."""
        if self._watched():
            self._safely(self._ask, info)
        return self._ok

    def followed(self, pad: Any, info: Any) -> Any:
        """The probe behind nvtracker."""
        if self._asked or self._open:
            self._safely(self._gate, info)
        return self._ok

    def converted(self, pad: Any, info: Any) -> Any:
        """The probe behind nvvideoconvert."""
        self._safely(self._copy, info)
        return self._ok

    def take(self) -> list[Picture]:
        """What came since, oldest first."""
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken

    def _ask(self, batch: Any) -> None:
        now = time.monotonic()
        for seen, frame in self._backend.iter_frames(batch):
            source = self._due(seen.pad_index, now) if seen.looked_at else None
            if source is None:
                continue
            objects = tuple(self._backend.iter_objects(frame))
            with self._lock:
                self._asked[_key(seen)] = (source, seen._replace(objects=objects), now)
                while len(self._asked) > MOST_WAITING:
                    del self._asked[next(iter(self._asked))]

    def _gate(self, batch: Any) -> None:
        wanted = any(_key(seen) in self._asked for seen, _ in self._backend.iter_frames(batch))
        if wanted != self._open:
            self._let_through(wanted)
            self._open = wanted
            self.opened = self.opened or wanted

    def _copy(self, batch: Any) -> None:
        for seen, frame in self._backend.iter_frames(batch):
            with self._lock:
                source, found, at = self._asked.pop(_key(seen), (None, seen, 0.0))
            if source is None:
                continue
            picture = self._backend.picture(batch, frame)
            if picture.ndim != 3 or picture.shape[2] != 4 or not picture.size:
                raise ValueError(f"a picture of shape {picture.shape} instead of RGBA")
            self._waiting.append(Picture(source, found, at, np.ascontiguousarray(picture[..., 2::-1])))
            self.came += 1
            self.error = None

    def _safely(self, work: Callable[[Any], None], info: Any) -> None:
        """An exception in a probe would silently drop all buffers."""
        try:
            buffer = info.get_buffer()
            if buffer is not None:
                work(buffer)
        except Exception as error:  # noqa: BLE001 - whatever NVIDIA's bindings raise
            reason = f"{type(error).__name__}: {error}"
            if reason != self.error:  # said once per cause
                log.error("preview_failed", error=reason)
            self.error = reason


def _key(seen: SeenFrame) -> _Key:
    return seen.pad_index, seen.number, seen.pts_ns
