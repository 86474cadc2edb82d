"""Capture through OpenCV and its FFmpeg: files, RTSP over TCP, HTTP and webcams."""

from __future__ import annotations

import os
import time
from typing import Any

os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")  # UDP loses packets: smeared pictures
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg prints addresses with their passwords

import cv2
import numpy as np

from pipeline.capture.base import Capture, Image, VideoInfo
from pipeline.capture.diagnosis import failure, why_not_open
from spotter.settings import Camera

OPEN_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS = 8.0, 5.0

_UNKNOWN_FPS = 25.0  # for files that do not say
_MOST_FPS = 240.0

cv2.utils.logging.setLogLevel(
    cv2.utils.logging.LOG_LEVEL_SILENT
)  # OpenCV's own messages repeat the address with its password


class OpenCVCapture(Capture):
    """One camera or file through `cv2.VideoCapture`."""

    def __init__(self, name: str, camera: Camera) -> None:
        self.name, self.camera = name, camera
        self.is_file = camera.is_file
        self._video: Any = None
        self._index = 0
        self._position = 0.0
        self._fps = _UNKNOWN_FPS

    def open(self) -> VideoInfo:
        """Connect; a failure is looked into, so that the error says why."""
        self.close()
        video = self._open()
        if not video.isOpened():
            video.release()
            raise failure(self.name, self.camera, why_not_open(self.camera))
        self._video, self._index, self._position = video, 0, 0.0
        fps = float(video.get(cv2.CAP_PROP_FPS))
        known = 0 < fps <= _MOST_FPS
        self._fps = fps if known else _UNKNOWN_FPS
        return VideoInfo(
            width=int(video.get(cv2.CAP_PROP_FRAME_WIDTH)),
            height=int(video.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            fps=fps if known else 0.0,
            codec=_codec(int(video.get(cv2.CAP_PROP_FOURCC))),
            frames=max(0, int(video.get(cv2.CAP_PROP_FRAME_COUNT))) if self.is_file else 0,
        )

    def seek(self, seconds: float) -> None:
        """Go on at this place of the file."""
        if not self._video.set(cv2.CAP_PROP_POS_MSEC, seconds * 1000):
            raise failure(self.name, self.camera, f"can't be played from {seconds:.0f} s on")

    def grab(self) -> bool:
        """Wait for the next picture, for at most the read timeout."""
        started = time.monotonic()
        if self._video is None or not self._video.grab():
            if self.is_file and self._index:
                return False
            waited = time.monotonic() - started
            silent = waited > READ_TIMEOUT_SECONDS / 2
            reason = f"no picture for {waited:.0f} s; check the camera" if silent else "the stream has broken off"
            raise failure(self.name, self.camera, reason)
        if self.is_file:
            self._position = self._read_position()
        self._index += 1
        return True

    @property
    def position(self) -> float:
        """Seconds from the beginning of the file, by its time stamps, by its frame rate where they make no sense."""
        return self._position

    def retrieve(self) -> Image:
        """The grabbed picture in colour."""
        good, image = self._video.retrieve()
        if not good or image is None or image.ndim != 3:
            raise failure(self.name, self.camera, "a picture can't be decoded")
        return np.asarray(image, dtype=np.uint8)

    def close(self) -> None:
        """Let go of the camera."""
        if self._video is not None:
            self._video.release()
            self._video = None

    def _open(self) -> Any:
        if isinstance(self.camera.uri, int):
            return cv2.VideoCapture(self.camera.uri)
        timeouts = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            int(OPEN_TIMEOUT_SECONDS * 1000),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            int(READ_TIMEOUT_SECONDS * 1000),
        ]
        return cv2.VideoCapture(self.camera.connection_uri(), cv2.CAP_FFMPEG, [] if self.is_file else timeouts)

    def _read_position(self) -> float:
        by_stamp = float(self._video.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        if self._index == 0 or by_stamp > self._position:
            return max(0.0, by_stamp)
        return self._position + 1 / self._fps


def _codec(number: int) -> str:
    letters = number.to_bytes(4, "little", signed=number < 0)
    return letters.decode("latin-1").strip("\0 ").lower() if letters.isascii() and number > 0 else ""
