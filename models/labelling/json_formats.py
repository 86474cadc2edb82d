"""COCO's JSON, and Label Studio's, for pictures and for videos."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from models.labelling.records import Box, Corners, Labelled, Reading
from models.labelling.tracks import Key, between
from models.labelling.xml_formats import turned
from models.labels import PICTURE_SUFFIXES, DataError

_VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"})

_DRAWN = frozenset({"x", "points", "rle", "vertices"})
"""Keys of a Label Studio value that is drawn on a picture, as numbers, ratings and relations are not."""


def load_json(path: Path) -> Any:
    """The content of a JSON file; raises DataError where it is unreadable."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not readable as JSON ({error})") from None


def read_coco(path: Path) -> Reading:
    """COCO: `images`, `annotations` with `bbox` = x, y, width, height in pixels, `categories`.

    Of an outline without `bbox` the bounding box is taken.
    """
    content = load_json(path)
    reading = Reading("coco")
    try:
        names = {c["id"]: str(c["name"]) for c in content["categories"]}
        images = {
            i["id"]: Labelled(str(i["file_name"]), size=_size(i.get("width"), i.get("height")))
            for i in content["images"]
        }
        annotations = list(content["annotations"])
    except (KeyError, TypeError):
        raise DataError(f"{path}: not COCO: needs images, annotations and categories") from None
    reading.classes = tuple(names.values())
    for number, annotation in enumerate(annotations, 1):
        place = f"{path.name}, annotation {number}"
        try:
            corners = _coco_box(annotation)
            item, name = images[annotation["image_id"]], names[annotation["category_id"]]
        except (KeyError, TypeError, ValueError):
            reading.report(
                "bad row", place, "needs bbox [x, y, width, height] or an outline, a known image_id and category_id"
            )
            continue
        if annotation.get("iscrowd"):
            reading.report("left out", place, "marks a crowd, not one thing")
            continue
        item.boxes.append(Box(name, corners, relative=False, place=place))
    reading.items = list(images.values())
    return reading


def _coco_box(annotation: Mapping[str, Any]) -> Corners:
    if annotation.get("bbox"):
        x, y, w, h = (float(v) for v in annotation["bbox"])
        return x, y, x + w, y + h
    points = [float(v) for outline in annotation["segmentation"] for v in outline]
    return min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])


def read_label_studio(path: Path) -> Reading:
    """Label Studio's task export: boxes in percent of the picture, turned clockwise about their top left corner.

    Pictures give `rectanglelabels` (or a `rectangle` with `labels`), videos `videorectangle`, whose frames count from
    1. Of several annotations of a task the last one that was not cancelled is taken. Its short form (JSON-MIN) is
    read as well.
    """
    content = load_json(path)
    if not isinstance(content, list):
        raise DataError(f"{path}: not a Label Studio export: its top is no list of tasks")
    reading = Reading("label-studio")
    for number, task in enumerate(content, 1):
        place = f"{path.name}, task {task.get('id', number) if isinstance(task, dict) else number}"
        try:
            _read_task(task, place, reading)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            reading.report("bad row", place, "not a task with data and annotations")
    return reading


def _read_task(task: Mapping[str, Any], place: str, reading: Reading) -> None:
    data = task.get("data", task)
    keys = ("image", "img", "video", "ocr", *data)
    texts = [data[key] for key in keys if isinstance(data.get(key), str)]
    # A title or the annotator's address may stand before the file.
    source = next((text for text in texts if _is_file(text)), next(iter(texts), None))
    if source is None:
        raise KeyError("a picture or a video")
    item = Labelled(_file_name(source))
    results = _results(task)
    if results is None:
        reading.report("unlabelled picture", place, f"{item.picture} has no annotation yet")
        return
    frames: dict[int, Labelled] = {}
    for result in _joined(results):
        value, names = result["value"], _names(result["value"])
        if "sequence" in value and names:
            _read_video(value, names, place, frames, str(item.picture))
        elif _is_box(value) and names:
            size = _size(result.get("original_width"), result.get("original_height"))
            item.size = item.size or size
            item.boxes.extend(Box(str(n), _percent(value, size), relative=True, place=place) for n in names)
        elif _is_box(value) or "sequence" in value:
            reading.report("left out", place, "a box without a label")
        elif _DRAWN & value.keys():
            reading.report("left out", place, f"a {result.get('type', 'shape')}, which is no box")
    if frames:
        reading.items.extend(frames[f] for f in sorted(frames))
    else:
        reading.items.append(item)


def _results(task: Mapping[str, Any]) -> Sequence[Mapping[str, Any]] | None:
    """The shapes that a person drew; None where nobody did. JSON-MIN keeps them under their control's name."""
    if "annotations" not in task and "completions" not in task:
        lists = [value for value in task.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
        shapes = [one for value in lists for one in value if (_DRAWN | {"sequence"}) & one.keys()]
        named = [_place(one) for one in shapes if _names(one)]
        return [one for one in shapes if _names(one) or _place(one) not in named] or None
    done = [a for a in task.get("annotations") or task.get("completions") or [] if not a.get("was_cancelled")]
    return done[-1]["result"] if done else None


def _joined(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Results of one id as one: a `rectangle` and the `labels` of it stand apart, and so do texts about it."""
    joined: dict[object, dict[str, Any]] = {}
    for number, result in enumerate(results):
        one = joined.setdefault(result.get("id", number), {"value": {}})
        value = {**one["value"], **result.get("value", result)}
        one.update({**result, **one, "value": value})
    return list(joined.values())


def _names(value: Mapping[str, Any]) -> Sequence[Any]:
    names = value.get("rectanglelabels") or value.get("labels") or ()
    return names if isinstance(names, list) else ()


def _is_box(value: Mapping[str, Any]) -> bool:
    return {"x", "y", "width", "height"} <= value.keys()


def _place(value: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(value.get(key) for key in ("x", "y", "width", "height", "rotation"))


def _read_video(
    value: Mapping[str, Any], names: Sequence[Any], place: str, frames: dict[int, Labelled], video: str
) -> None:
    keys = [
        Key(int(k["frame"]) - 1, _percent(k, None), goes_on=bool(k.get("enabled", True))) for k in value["sequence"]
    ]
    count = value.get("framesCount")
    for frame, corners in between(keys, int(count) - 1 if count else None):
        item = frames.setdefault(frame, Labelled(frame, video=video))
        item.boxes.extend(Box(str(n), corners, relative=True, place=f"{place}, frame {frame + 1}") for n in names)


def _percent(value: Mapping[str, Any], size: tuple[int, int] | None) -> Corners:
    """Shares of the picture; a turn is made in pixels, since the two sides differ."""
    width, height = size or (100, 100)
    x, y = float(value["x"]) / 100 * width, float(value["y"]) / 100 * height
    w, h = float(value["width"]) / 100 * width, float(value["height"]) / 100 * height
    x1, y1, x2, y2 = turned((x, y, x + w, y + h), float(value.get("rotation") or 0), (x, y))
    return x1 / width, y1 / height, x2 / width, y2 / height


def _is_file(text: str) -> bool:
    return PurePosixPath(_file_name(text)).suffix.lower() in PICTURE_SUFFIXES | _VIDEO_SUFFIXES


def _file_name(source: str) -> str:
    """The file that a task's address names: uploads, `local-files/?d=…` and plain paths."""
    parts = urlsplit(source)
    local = parse_qs(parts.query).get("d")
    return str(PurePosixPath(unquote(local[0] if local else parts.path)))


def _size(width: Any, height: Any) -> tuple[int, int] | None:
    try:
        size = int(width), int(height)
    except (TypeError, ValueError):
        return None
    return size if min(size) > 0 else None
