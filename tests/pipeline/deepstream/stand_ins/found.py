"""The stand-ins for nvinfer and nvtracker."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import supervision as sv
from trackers import ByteTrackTracker

from pipeline.deepstream import configs, strict_pyds
from pipeline.deepstream.listed import properties

from .muxer import Muxer
from .shared import (
    BATCHES_HELD,
    CLASSES,
    FPS,
    PICTURES_HELD,
    GLib,
    Gst,
    GstBase,
    Properties,
    built,
    declared,
    finders,
    frames_of,
    hold,
    ltwh,
    metas_of,
    pictures_of,
    xyxy,
)


class _Transform(Properties, GstBase.BaseTransform):
    def __init__(self) -> None:
        super().__init__()
        self.set_passthrough(True)
        built.append(self)


class Infer(_Transform):
    """nvinfer: reads its configuration as it would, and finds what the test's finder finds, in the muxer's pixels."""

    __gtype_name__ = "StandInNvinfer"
    __gproperties__ = declared(properties("9.1")["nvinfer"])

    def __init__(self) -> None:
        super().__init__()
        self._held: list[Any] = []
        self._labels: list[str] = []

    seconds_to_build = 0.0
    fails: str | None = None

    def do_start(self) -> bool:
        config = configs.parse(Path(self.own["config-file-path"]).read_text(encoding="utf-8"))["property"]
        self._labels = Path(config["labelfile-path"]).read_text(encoding="utf-8").splitlines()
        engine = Path(config["model-engine-file"])
        if not engine.is_file():
            time.sleep(Infer.seconds_to_build)
            if Infer.fails:
                self.post_message(
                    Gst.Message.new_error(self, GLib.Error(Infer.fails, "gst-resource-error-quark", 1), "nvinfer")
                )
                return False
            engine.write_bytes(b"engine")
        return True

    def do_transform_ip(self, buffer: Any) -> Any:
        key = buffer.offset
        mux = next(one for one in reversed(built) if isinstance(one, Muxer))
        frames = frames_of.pop(key)
        pictures_of[key] = [picture for _, _, picture in frames]
        while len(pictures_of) > PICTURES_HELD:
            pictures_of.pop(next(iter(pictures_of)), None)
        for (width, height, picture), meta in zip(frames, metas_of[key], strict=True):
            scale = np.array([mux.own["width"] / width, mux.own["height"] / height] * 2, dtype=float)
            found = finders[-1](picture)
            meta["bInferDone"] = 1
            meta["objects"] = [
                {"class_id": self._labels.index(str(name)), "confidence": float(score), "box": ltwh(box * scale)}
                for name, score, box in zip(found.data["class_name"], found.confidence, found.xyxy, strict=True)
            ]
        strict_pyds.attach(buffer, metas_of[key])
        hold(self._held, buffer)
        return Gst.FlowReturn.OK


class Tracker(_Transform):
    """nvtracker: ids by camera; what it does not follow yet is not handed on."""

    __gtype_name__ = "StandInNvtracker"
    __gproperties__ = declared(properties("9.1")["nvtracker"])

    def __init__(self) -> None:
        super().__init__()
        self._by_camera: dict[int, dict[int, Any]] = {}
        self._newest: dict[int, int] = {}
        self._held: list[Any] = []

    def do_start(self) -> bool:
        assert Path(self.own["ll-config-file"]).is_file()
        return True

    def do_transform_ip(self, buffer: Any) -> Any:
        metas = [dict(meta) for meta in metas_of[buffer.offset]]
        for meta in metas:
            tracked = []
            pad = meta["pad_index"]
            if meta["buf_pts"] <= self._newest.get(pad, -1):  # another stream has the pad now: count anew
                self._by_camera.pop(pad, None)
            self._newest[pad] = meta["buf_pts"]
            trackers = self._by_camera.setdefault(pad, {})
            for class_id in sorted({one["class_id"] for one in meta["objects"]} | trackers.keys()):
                tracker = trackers.setdefault(
                    class_id,
                    ByteTrackTracker(
                        minimum_consecutive_frames=2,
                        frame_rate=FPS,
                        track_activation_threshold=0.4,
                        high_conf_det_threshold=0.4,
                    ),
                )
                mine = [one for one in meta["objects"] if one["class_id"] == class_id]
                boxes = np.array([xyxy(one["box"]) for one in mine], np.float32).reshape(-1, 4)
                scores = np.array([one["confidence"] for one in mine], np.float32)
                found = tracker.update(
                    sv.Detections(xyxy=boxes, confidence=scores, class_id=np.full(len(mine), class_id)),
                    timestamp=meta["buf_pts"] / 1e9,
                )
                tracked += [
                    {
                        "class_id": class_id,
                        "confidence": float(score),
                        "object_id": CLASSES * int(number) + class_id,
                        "box": ltwh(box),
                    }
                    for box, score, number in zip(found.xyxy, found.confidence, found.tracker_id, strict=True)
                    if number >= 0
                ]
            meta["objects"] = tracked
        metas_of[buffer.offset] = metas
        while len(metas_of) > 2 * BATCHES_HELD:
            metas_of.pop(next(iter(metas_of)), None)
        strict_pyds.attach(buffer, metas)
        hold(self._held, buffer)
        return Gst.FlowReturn.OK
