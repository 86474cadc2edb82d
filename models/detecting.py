"""Runs the detector over files: pictures and videos, frame by frame."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import supervision as sv
from numpy.typing import NDArray

from models.labels import PICTURE_SUFFIXES
from models.progress import progress_bar
from spotter.detector import Detector
from spotter.errors import SpotterError

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm"})
"""Of the videos that are taken from a folder; a file that is named may have any."""

SCORE_DIGITS = 4
PIXEL_DIGITS = 2


class MediaError(SpotterError):
    """A picture or video is missing or unreadable."""


@dataclass(frozen=True, slots=True)
class DetectedFrame:
    """What was found in one frame of a file; boxes in pixels."""

    file: Path
    number: int
    width: int
    height: int
    detections: sv.Detections


def detect_files(detector: Detector, files: Sequence[Path]) -> Iterator[DetectedFrame]:
    """Every frame of every file in turn, and of the pictures and videos in a folder.

    Raises `MediaError` for one that is missing or unreadable.
    """
    files = [file for place in files for file in _media_of(place)]
    for file in files:
        if not file.is_file():
            raise MediaError(f"{file}: no such file; give pictures or videos")
    with progress_bar("detect", sum(_count(file) for file in files)) as advance:
        for file in files:
            number = -1
            for number, image in enumerate(_frames(file)):
                height, width = image.shape[:2]
                yield DetectedFrame(file, number, width, height, detector.detect([image])[0])
                advance()
            if number < 0:
                raise MediaError(f"{file}: not a picture or video that OpenCV can read; convert it to JPEG or MP4")


def line_of(frame: DetectedFrame, as_json: bool) -> str:
    """One line for a frame: JSON in the fixed form, or text for people."""
    d = frame.detections
    assert d.confidence is not None
    objects = [
        {"label": str(label), "score": round(float(score), SCORE_DIGITS), "box": [round(v, PIXEL_DIGITS) for v in box]}
        for label, score, box in zip(d.data["class_name"], d.confidence, d.xyxy.tolist(), strict=True)
    ]
    if as_json:
        size = [frame.width, frame.height]
        return json.dumps({"file": str(frame.file), "frame": frame.number, "size": size, "objects": objects})
    found = ", ".join(f"{o['label']} {o['score']:.2f}" for o in objects) or "nothing"
    return f"{frame.file} frame {frame.number}: {found}"


def _media_of(place: Path) -> list[Path]:
    """A file as it is, or the pictures and videos below a folder, sorted."""
    if not place.is_dir():
        return [place]
    found = sorted(p for p in place.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES)
    if not found:
        raise MediaError(f"{place}: a folder without pictures or videos; give files, or another folder")
    return found


def _frames(file: Path) -> Iterator[NDArray[np.uint8]]:
    if file.suffix.lower() in PICTURE_SUFFIXES:
        image = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR) if file.stat().st_size else None
        if image is not None:
            yield np.asarray(image, dtype=np.uint8)
        return
    capture = _open(file)
    try:
        while True:
            ok, image = capture.read()
            if not ok:
                return
            yield np.asarray(image, dtype=np.uint8)
    finally:
        capture.release()


def _count(file: Path) -> int:
    """Frames that the file says it has; containers may be wrong, so it only drives the progress bar."""
    if file.suffix.lower() in PICTURE_SUFFIXES:
        return 1
    capture = _open(file)
    try:
        return max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 1) if capture.isOpened() else 1
    finally:
        capture.release()


def _open(file: Path) -> cv2.VideoCapture:
    """FFmpeg alone: with others allowed, OpenCV takes a text file's name for a numbered series of pictures."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # quiet: what is wrong with a file is said once, by us
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2.VideoCapture(str(file), cv2.CAP_FFMPEG)
