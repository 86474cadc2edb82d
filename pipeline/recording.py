"""`spotter record`: the scenes of one camera or file, as the pipeline would publish them, into a file of lines."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Iterator
from datetime import datetime, timedelta

from pipeline.capture import Capture, Feed, Frame, Sampler, open_capture
from pipeline.detection import FindsObjects
from pipeline.scene import Draft
from pipeline.stream_id import encode
from pipeline.watcher import Watcher
from spotter.errors import CameraError
from spotter.events import Scene, format_time
from spotter.settings import Camera, Settings

Progress = Callable[[float, float], None]
"""Gets the seconds done and, zero while unknown, the seconds in all."""


def record(
    settings: Settings,
    name: str,
    finder: FindsObjects,
    *,
    start: datetime,
    seconds: float | None = None,
    progress: Progress = lambda done, total: None,
) -> Generator[Scene, None, None]:
    """The scenes of a camera.

    A file runs once through, as fast as the machine allows, on its own clock counted from `start`; twice the same
    file gives twice the same scenes. A camera runs until `seconds` are over or the caller stops. Raises CameraError.
    """
    camera = settings.cameras[name]
    stream = _stream_of(settings.site, name, camera, start)
    watcher = Watcher(
        settings.site, name, camera, id_prefix=stream[-4:].lower(), confidence=settings.detector.confidence
    )
    capture = open_capture(name, camera, settings.engine, finder.size)
    if camera.is_file:
        drafts = _file(capture, camera.detect_fps, watcher, finder, start, seconds, progress)
    else:
        feed = Feed(name, capture, detect_fps=camera.detect_fps, wants=watcher.wants)
        drafts = _live(feed, watcher, finder, seconds, progress)
    for seq, draft in enumerate(drafts):
        yield draft.numbered(stream, seq, 0)


def _file(
    capture: Capture,
    detect_fps: float,
    watcher: Watcher,
    finder: FindsObjects,
    start: datetime,
    seconds: float | None,
    progress: Progress,
) -> Iterator[Draft]:
    sampler, info = Sampler(detect_fps), capture.open()
    total = min(info.seconds, seconds) if seconds is not None else info.seconds
    try:
        while capture.grab():
            at = capture.position
            if seconds is not None and at >= seconds:
                break
            progress(at, total)
            if not sampler.takes(at):
                continue
            frame = Frame(capture.retrieve(), start + timedelta(seconds=at), at)
            if watcher.wants(frame) and (draft := watcher.see(frame, finder.find(finder.prepare([frame.image]))[0])):
                yield draft
    finally:
        capture.close()
    progress(total, total)


def _live(
    feed: Feed, watcher: Watcher, finder: FindsObjects, seconds: float | None, progress: Progress
) -> Iterator[Draft]:
    feed.start()
    began: float | None = None
    try:
        while began is None or seconds is None or time.monotonic() - began < seconds:
            if began is None and feed.state.phase == "retrying":
                raise CameraError(f"camera '{feed.name}': {feed.state.reason}")
            frame = feed.take()
            if frame is None:
                time.sleep(_POLL_SECONDS)
                continue
            began = began or frame.at
            progress(frame.at - began, seconds or 0)
            if draft := watcher.see(frame, finder.find(finder.prepare([frame.image]))[0]):
                yield draft
    finally:
        feed.stop()
        feed.join(1)


_POLL_SECONDS = 0.01


def _stream_of(site: str, name: str, camera: Camera, start: datetime) -> str:
    """A stream that is the same whenever the same recording is made again."""
    what = f"{site}/{name}/{format_time(start)}/{camera.uri}/{camera.detect_fps}"
    return encode(int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big"), 12)
