"""Frames of a video file by number."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2

from models.pixels import Pixels, as_pixels
from spotter.errors import SpotterError

DEFAULT_FPS = 30.0


class VideoError(SpotterError):
    """A video is missing or unreadable."""


class Frame(NamedTuple):
    """A frame of a video."""

    number: int
    """From 0."""
    seconds: float
    """Since the first, by the file's time stamps: phones and recorders don't keep to one rate."""
    image: Pixels
    """BGR."""


class Video:
    """A video file that OpenCV's FFmpeg can read; turned upright where a phone noted how it was held."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise VideoError(f"{path}: no such file; give a video")
        capture = self._open()
        try:
            if not capture.isOpened():
                raise VideoError(f"{path}: not a video that OpenCV can read; convert it to MP4")
            rate = capture.get(cv2.CAP_PROP_FPS)
            self.fps = rate if 0 < rate < 1000 else DEFAULT_FPS
            self.frames = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 1)
            """What the container says; a damaged file may hold fewer."""
            self.width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
            self.height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        finally:
            capture.release()

    def frames_at(
        self, wanted: Callable[[int], bool], *, stop: int | None = None, passed: Callable[[], None] | None = None
    ) -> Iterator[Frame]:
        """Every frame whose number is `wanted`, up to number `stop`; `passed` counts all frames.

        Frames are decoded from the start: seeking lands on wrong frames in files of phones.
        """
        capture = self._open()
        number = 0
        try:
            while (stop is None or number <= stop) and capture.grab():
                if wanted(number):
                    ok, image = capture.retrieve()
                    if not ok:
                        return
                    stamp = float(capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
                    yield Frame(number, stamp if stamp > 0 else number / self.fps, as_pixels(image))
                if passed is not None:
                    passed()
                number += 1
        finally:
            capture.release()

    def _open(self) -> cv2.VideoCapture:
        """FFmpeg alone: with others allowed, OpenCV takes a text file's name for a numbered series of pictures."""
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # quiet: what is wrong with a file is said once, by us
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        return cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG)
