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
from models.labels import DataError


def load_json(path: Path) -> Any:
    """The content of a JSON file; raises DataError where it is unreadable."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not readable as JSON ({error})") from None


def read_coco(path: Path) -> Reading:
    """COCO: `images`, `annotations` with `bbox` = x, y, width, height in pixels, `categories`."""
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
            x, y, w, h = (float(v) for v in annotation["bbox"])
            item, name = images[annotation["image_id"]], names[annotation["category_id"]]
        except (KeyError, TypeError, ValueError):
            reading.report("bad row", place, "needs bbox [x, y, width, height], a known image_id and category_id")
            continue
        if annotation.get("iscrowd"):
            reading.report("left out", place, "marks a crowd, not one thing")
            continue
        item.boxes.append(Box(name, (x, y, x + w, y + h), relative=False, place=place))
    reading.items = list(images.values())
    return reading


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
    source = next((data[key] for key in keys if isinstance(data.get(key), str)), None)
    if source is None:
        raise KeyError("a picture or a video")
    item = Labelled(_file_name(source))
    results = _results(task)
    if results is None:
        reading.report("unlabelled picture", place, f"{item.picture} has no annotation yet")
        return
    frames: dict[int, Labelled] = {}
    for result in results:
        kind, value = result.get("type", "rectanglelabels"), result.get("value", result)
        names = value.get("rectanglelabels") or value.get("labels") or []
        if kind == "videorectangle":
            _read_video(value, names, place, frames, str(item.picture))
        elif kind in ("rectanglelabels", "rectangle") and names:
            size = _size(result.get("original_width"), result.get("original_height"))
            item.size = item.size or size
            item.boxes.extend(Box(str(n), _percent(value, size), relative=True, place=place) for n in names)
        elif kind not in ("labels", "choices", "rectangle", "textarea"):
            reading.report("left out", place, f"a {kind}, which is no box")
    if frames:
        reading.items.extend(frames[f] for f in sorted(frames))
    else:
        reading.items.append(item)


def _results(task: Mapping[str, Any]) -> Sequence[Mapping[str, Any]] | None:
    """The shapes that a person drew; None where nobody did."""
    if "annotations" not in task and "completions" not in task:
        short = task.get("label") or task.get("bbox")
        return short if isinstance(short, list) else None
    done = [a for a in task.get("annotations") or task.get("completions") or [] if not a.get("was_cancelled")]
    return done[-1]["result"] if done else None


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
