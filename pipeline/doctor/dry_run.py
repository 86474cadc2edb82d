"""DeepStream's graph on a bundled clip for half a minute, and what it found against what ONNX Runtime found before."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.doctor.findings import Row
from spotter.errors import SpotterError
from spotter.settings import Camera, Settings
from spotter.weights import weights_in_use

EXPECTED = Path(__file__).with_name("expected.json")
"""What ONNX Runtime finds in one frame of the clip; made by `python -m pipeline.doctor.expected`."""

LEAST_IOU, MOST_SCORE = 0.7, 0.15
"""How far TensorRT in half precision, on a picture that the muxer has scaled, may be from that."""

FIRST_BUILD_SECONDS = 3600.0
"""An engine's build may take so long on a small Jetson."""

MOST_PICTURES = 5
"""So many previews are compared with the clip."""

MOST_DIFFERENCE = 25.0
"""Mean difference (of 255) of a preview from the clip's picture of that time; decoders and scalers differ by 5."""

PATIENCE_SECONDS = 120.0
"""How much longer it runs where the frame that is compared has not come yet."""

_CLIP = "free-weights.mp4"
_POLL_SECONDS = 0.25


@dataclass(slots=True)
class _Recorder:
    """All that the engine uses of a lane: counts, and keeps the frame that is compared."""

    name: str
    feed: Any
    at: float
    frames: int = 0
    objects: int = 0
    first_at: float | None = None
    nearest: tuple[float, Any, tuple[int, int]] | None = None
    passed: bool = False
    """Whether the frame that is compared has come."""
    pictures: list[tuple[float, Any]] = field(default_factory=list)
    """The first previews' pictures, and their places in the clip."""

    def handle(self, frame: Any, detections: Any) -> None:
        if self.first_at is None:
            self.first_at = frame.at
        self.frames += 1
        self.objects += len(detections)
        away = abs(frame.at - self.first_at - self.at)
        if self.nearest is None or away < self.nearest[0]:
            self.nearest = (away, detections, frame.size)
        self.passed = self.passed or frame.at - self.first_at > self.at + 0.5

    def show(self, frame: Any, detections: Any) -> None:
        if self.first_at is not None and len(self.pictures) < MOST_PICTURES:
            self.pictures.append((frame.at - self.first_at, frame.image))


def clip_path() -> Path:
    """The bundled clip."""
    found = importlib.util.find_spec("spotter")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "demo" / _CLIP


def dry_run(settings: Settings, seconds: float) -> Iterator[Row]:
    """Run the graph; rows for its pace and for what it found."""
    from pipeline.deepstream.engine import DeepStreamEngine

    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))
    camera = Camera(uri=str(clip_path()), detect_fps=30, loop=False)
    engine = DeepStreamEngine(settings.model_copy(update={"cameras": {"doctor": camera}}))
    source = engine.open("doctor", camera, wants=lambda frame: True, loop_since=None)
    recorder = _Recorder("doctor", source, expected["at"])
    engine.start([recorder])  # type: ignore[list-item]
    source.start()
    source.watched = True
    try:
        began = _wait_for_the_first(engine, source)
        stop = threading.Event()
        while source.state.phase != "ended" and not stop.wait(_POLL_SECONDS):
            elapsed = time.monotonic() - began
            if elapsed > seconds and (recorder.passed or elapsed > seconds + PATIENCE_SECONDS):
                break
        took = max(time.monotonic() - began, 0.1)
    finally:
        engine.stop(5)
    yield _pace(recorder, took, engine.handover.failed, engine.handover.dropped)
    views = engine.views
    yield _previews(recorder, (views.error if views is not None else "previews are off: see the log") or "")
    yield _compared(recorder, expected, settings)


def _wait_for_the_first(engine: Any, source: Any) -> float:
    """When the first frame came. Raises SpotterError where none does."""
    began = time.monotonic()
    while source.last_frame_at is None:
        if engine.error:
            raise SpotterError(engine.error)
        if source.state.phase != "preparing" and time.monotonic() - began > 60:
            raise SpotterError(f"no frame within 60 s ({source.state.reason})")
        if time.monotonic() - began > FIRST_BUILD_SECONDS:
            raise SpotterError("the engine is still being built after an hour")
        time.sleep(_POLL_SECONDS)
    return float(source.last_frame_at)


def _pace(recorder: _Recorder, took: float, failed: int, dropped: int) -> Row:
    text = f"{recorder.frames} frames in {took:.0f} s, {recorder.objects} objects"
    text += f", {failed} batches unreadable, {dropped} lost"
    if not recorder.frames or failed:
        return Row("dry run", "failed", text, "send the report")
    return Row(
        "dry run", "fine" if recorder.objects else "warning", text, "" if recorder.objects else "nothing was found"
    )


def _previews(recorder: _Recorder, error: str) -> Row:
    """Whether pictures for previews come, and are those of their frames."""
    mend = "scenes go on without previews; send the report"
    if not recorder.pictures:
        return Row("previews", "failed", error or "no picture came", mend)
    worst = max(_difference(clip_path(), at, image) for at, image in recorder.pictures)
    text = f"{len(recorder.pictures)} pictures, {worst:.0f} of 255 from the clip's at most"
    return Row(
        "previews", "failed" if worst > MOST_DIFFERENCE else "fine", text, mend if worst > MOST_DIFFERENCE else ""
    )


def _difference(clip: Path, at: float, image: Any) -> float:
    """Mean difference from the clip's picture at this time."""
    capture = cv2.VideoCapture(str(clip))
    try:
        capture.set(cv2.CAP_PROP_POS_MSEC, 1000 * at)
        there, picture = capture.read()
    finally:
        capture.release()
    if not there:
        return 255.0
    small = cv2.resize(picture, image.shape[1::-1], interpolation=cv2.INTER_AREA)
    return float(np.abs(small.astype(int) - image.astype(int)).mean())


def _compared(recorder: _Recorder, expected: dict[str, Any], settings: Settings) -> Row:
    digest = hashlib.sha256(weights_in_use(settings).read_bytes()).hexdigest()
    if digest != expected["weights"]:
        return Row("TensorRT against ONNX Runtime", "skipped", "there is a stored result for the shipped detector only")
    if recorder.nearest is None or recorder.nearest[0] > 0.5:
        return Row(
            "TensorRT against ONNX Runtime", "failed", "the frame to compare did not come", "run longer: --seconds"
        )
    _, detections, (width, height) = recorder.nearest
    boxes = np.asarray(detections.xyxy) / np.array([width, height, width, height])
    lacking = [
        f"{one['label']} {one['score']:.2f}"
        for one in expected["objects"]
        if not any(
            str(label) == one["label"]
            and abs(score - one["score"]) <= MOST_SCORE
            and _iou(box, one["box"]) >= LEAST_IOU
            for label, score, box in zip(detections.data["class_name"], detections.confidence, boxes, strict=True)
        )
    ]
    count = len(expected["objects"])
    if lacking:
        text = f"{len(lacking)} of {count} objects differ: {', '.join(lacking)}"
        return Row(
            "TensorRT against ONNX Runtime", "failed", text, "set `precision: fp32`, try again, and send the report"
        )
    return Row("TensorRT against ONNX Runtime", "fine", f"all {count} objects are the same")


def _iou(one: Any, other: Any) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    both = max(wide, 0.0) * max(high, 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return float(both / (sum(areas) - both)) if both else 0.0
