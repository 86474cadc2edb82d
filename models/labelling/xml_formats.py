"""Pascal VOC (a file for each picture) and CVAT's own XML 1.1, for pictures and for videos."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.etree import ElementTree as Xml

from models.labelling.records import Box, Corners, Labelled, Reading
from models.labelling.tracks import Key, between
from models.labels import DataError


def read_voc(files: Iterable[Path]) -> Reading:
    """Pascal VOC: `annotation` with `filename`, `size` and an `object` for each box, in pixels."""
    reading = Reading("voc")
    for path in sorted(files):
        root = _parse(path)
        if root.tag != "annotation":
            reading.report("bad row", str(path), f"its top is <{root.tag}>, not <annotation>")
            continue
        # Who renames a picture with its file leaves the old name in it.
        item = Labelled(root.findtext("filename") or path.stem, size=_size(root.find("size")), other=path.stem)
        if not Path(str(item.picture)).suffix:
            item.picture = path.stem  # DarkLabel leaves the file name empty for frames of a video
        for number, node in enumerate(root.iter("object"), 1):
            place = f"{path.name}, object {number}"
            corners = _numbers(node.find("bndbox"), ("xmin", "ymin", "xmax", "ymax"))
            name = (node.findtext("name") or "").strip()
            if corners is None or not name:
                reading.report("bad row", place, "needs a name and a bndbox with xmin, ymin, xmax, ymax")
            else:
                item.boxes.append(Box(name, corners, relative=False, place=place))
        reading.items.append(item)
    return reading


def read_cvat(path: Path) -> Reading:
    """CVAT XML 1.1: `image` with `box` children, or `track` with a box for each frame.

    A turned box (`rotation`, degrees clockwise about its centre) gives the upright box around it. Of polygons, masks
    and ellipses the bounding box is taken; other shapes are reported.
    """
    root = _parse(path)
    if root.tag != "annotations":
        raise DataError(f"{path}: its top is <{root.tag}>, not CVAT's <annotations>")
    labels = root.findall("./meta//labels/label/name")
    classes = tuple(dict.fromkeys((node.text or "").strip() for node in labels if (node.text or "").strip()))
    reading = Reading("cvat", classes=classes)
    videos = _videos(root)
    for image in root.iter("image"):
        name = image.get("name") or str(image.get("id"))
        size = _whole(image.get("width"), image.get("height"))
        item = Labelled(name, size=size, video=videos.get(image.get("task_id")))
        for number, shape in enumerate(image, 1):
            place = f"{path.name}, {name}, shape {number}"
            if shape.tag == "tag":
                continue
            corners = _shape(shape)
            if corners is None or not shape.get("label"):
                reading.report("left out", place, f"a {shape.tag}, of which no box can be taken")
            else:
                item.boxes.append(Box(str(shape.get("label")), corners, relative=False, place=place))
        reading.items.append(item)
    _read_tracks(root, path, reading, videos)
    return reading


def _videos(root: Xml.Element) -> dict[str | None, str]:
    """The source of each task of a project, by its id, told apart where two are called the same."""
    tasks = {task.findtext("id"): task.findtext("source") or task.findtext("name") for task in root.iter("task")}
    return {number: f"{number}/{name}" for number, name in tasks.items() if number and name}


def _read_tracks(root: Xml.Element, path: Path, reading: Reading, videos: Mapping[str | None, str]) -> None:
    sizes = {task.findtext("id"): _size(task.find("original_size")) for task in root.iter("task")}
    only = _size(root.find("./meta//original_size"))
    frames: dict[tuple[str, int], Labelled] = {}
    for track in root.iter("track"):
        label, place = track.get("label") or "", f"{path.name}, track {track.get('id')}"
        task = track.get("task_id")
        video, size = videos.get(task), sizes.get(task, only)
        keys = []
        for shape in track:
            corners = _shape(shape)
            if corners is None or not label:
                reading.report("left out", place, f"a {shape.tag}, of which no box can be taken")
                continue
            keys.append(Key(int(shape.get("frame", "0")), corners, shown=shape.get("outside", "0") != "1"))
        for frame, corners in between(keys):
            item = frames.setdefault((video or "", frame), Labelled(frame, size=size, video=video))
            item.boxes.append(Box(label, corners, relative=False, place=f"{place}, frame {frame}"))
    reading.items.extend(frames[key] for key in sorted(frames))


def turned(corners: Corners, degrees: float, pivot: tuple[float, float]) -> Corners:
    """The upright box around a box that is turned clockwise by `degrees` about `pivot`, in pixels."""
    if not degrees % 360:
        return corners
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    x1, y1, x2, y2 = corners
    points = [
        (pivot[0] + (x - pivot[0]) * cos - (y - pivot[1]) * sin, pivot[1] + (x - pivot[0]) * sin + (y - pivot[1]) * cos)
        for x in (x1, x2)
        for y in (y1, y2)
    ]
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return min(xs), min(ys), max(xs), max(ys)


def _shape(node: Xml.Element) -> Corners | None:
    try:
        if node.tag == "box":
            x1, y1, x2, y2 = (float(node.attrib[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
            return turned((x1, y1, x2, y2), float(node.get("rotation", "0")), ((x1 + x2) / 2, (y1 + y2) / 2))
        if node.tag == "mask":
            x, y, w, h = (float(node.attrib[key]) for key in ("left", "top", "width", "height"))
            return x, y, x + w, y + h
        if node.tag == "ellipse":
            x, y, rx, ry = (float(node.attrib[key]) for key in ("cx", "cy", "rx", "ry"))
            angle = math.radians(float(node.get("rotation", "0")))
            half = math.hypot(rx * math.cos(angle), ry * math.sin(angle))
            high = math.hypot(rx * math.sin(angle), ry * math.cos(angle))
            return x - half, y - high, x + half, y + high
        if node.tag == "polygon":
            points = [tuple(float(v) for v in pair.split(",")) for pair in node.attrib["points"].split(";")]
            xs, ys = [p[0] for p in points], [p[1] for p in points]
            return min(xs), min(ys), max(xs), max(ys)
    except (KeyError, ValueError, IndexError):
        return None
    return None


def _numbers(node: Xml.Element | None, names: tuple[str, str, str, str]) -> Corners | None:
    if node is None:
        return None
    try:
        x1, y1, x2, y2 = (float(node.findtext(name) or "") for name in names)
    except ValueError:
        return None
    return x1, y1, x2, y2


def _size(node: Xml.Element | None) -> tuple[int, int] | None:
    return None if node is None else _whole(node.findtext("width"), node.findtext("height"))


def _whole(width: str | None, height: str | None) -> tuple[int, int] | None:
    try:
        size = int(float(width or "0")), int(float(height or "0"))
    except ValueError:
        return None
    return size if min(size) > 0 else None


def _parse(path: Path) -> Xml.Element:
    """The root of an XML file; raises DataError where it is unreadable or declares entities."""
    try:
        data = path.read_bytes()
        # How an XML file blows up a reader; no tool writes them. Without zeros UTF-16 reads the same.
        if b"<!ENTITY" in data.replace(b"\0", b""):
            raise DataError(f"{path}: refused, because it declares entities")
        return Xml.fromstring(data)  # noqa: S314 - entities are refused above
    except (OSError, Xml.ParseError, ValueError, LookupError) as error:  # the last two: encodings expat lacks
        raise DataError(f"{path}: not readable as XML ({error})") from None
