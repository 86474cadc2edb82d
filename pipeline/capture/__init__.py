"""Frames from cameras and files.

`Capture` is the seam that a back end fills; `open_capture` chooses the back end; `Feed` runs one in its own thread
and always hands over the newest frame.
"""

from pipeline.capture.base import Capture, Frame, Sampler, VideoInfo
from pipeline.capture.feed import Feed, FeedState
from pipeline.capture.opening import open_capture

__all__ = ["Capture", "Feed", "FeedState", "Frame", "Sampler", "VideoInfo", "open_capture"]
