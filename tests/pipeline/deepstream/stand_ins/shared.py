"""What the stand-ins share: how they keep properties, and what of each batch passes beside its buffer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gi
import numpy as np
import supervision as sv

gi.require_version("Gst", "1.0")
gi.require_version("GstBase", "1.0")
gi.require_version("GstApp", "1.0")

from gi.repository import GLib as GLib  # noqa: E402
from gi.repository import GObject as GObject  # noqa: E402
from gi.repository import Gst as Gst  # noqa: E402
from gi.repository import GstApp as GstApp  # noqa: E402 - gives appsink its methods
from gi.repository import GstBase as GstBase  # noqa: E402

from pipeline.deepstream import strict_pyds  # noqa: E402
from pipeline.deepstream.listed import Listed  # noqa: E402

Gst.init(None)  # before the classes: GStreamer's own are not complete until then

FPS = 10
"""Decoded files are taken apart at their own rate; live ones as they come."""

Find = Callable[[np.ndarray], sv.Detections]

finders: list[Find] = []
"""What nvinfer finds in a picture: the last one, which the test puts there."""

built: list[Any] = []
"""Every element made, for tests to look at."""

CLASSES = 100
"""More than any detector knows: no two objects have one number."""
frames_of: dict[int, list[tuple[int, int, np.ndarray]]] = {}
metas_of: dict[int, list[dict[str, Any]]] = {}
pictures_of: dict[int, list[np.ndarray]] = {}
"""Of the last batches, for nvvideoconvert."""

PICTURES_HELD = 8
"""Batches whose pictures are kept: more than the queues behind nvinfer hold. How many pictures a batch has, and with it
what is held, depends on the load."""

BATCHES_HELD = 64
"""A batch so old is long past the sink: its memory is used again."""


def declared(listed: Mapping[str, Listed]) -> dict[str, tuple[Any, ...]]:
    """`__gproperties__` of a list."""
    flags, found = GObject.ParamFlags.READWRITE, {}
    for name, one in listed.items():
        kinds = {"uint": GObject.TYPE_UINT, "int": GObject.TYPE_INT, "uint64": GObject.TYPE_UINT64}
        if one.kind in kinds:
            low, high = one.bounds
            found[name] = (kinds[one.kind], name, name, low, high, min(max(0, low), high), flags)
        elif one.kind == "enum":
            found[name] = (GObject.TYPE_INT, name, name, min(one.bounds), max(one.bounds), min(one.bounds), flags)
        elif one.kind == "boolean":
            found[name] = (GObject.TYPE_BOOLEAN, name, name, False, flags)
        elif one.kind == "pointer":
            found[name] = (GObject.TYPE_POINTER, name, name, flags)
        elif one.kind == "string":
            found[name] = (GObject.TYPE_STRING, name, name, None, flags)
    return found


class Properties:
    """Keeps what is set."""

    def do_set_property(self, prop: Any, value: Any) -> None:
        self.__dict__.setdefault("own", {})[prop.name] = value

    def do_get_property(self, prop: Any) -> Any:
        return self.__dict__.setdefault("own", {}).get(prop.name, prop.default_value)


def hold(held: list[Any], buffer: Any) -> None:
    """Keep a buffer for a while, so that no other one gets its address, and then use its memory again."""
    held.append(buffer)
    if len(held) > BATCHES_HELD:
        strict_pyds.release(held.pop(0))


def ltwh(box: Any) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(edge) for edge in box)
    return left, top, right - left, bottom - top


def xyxy(box: Any) -> tuple[float, float, float, float]:
    left, top, width, height = box
    return left, top, left + width, top + height
