"""Writes boxes in the formats that labelling tools open, for correction."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as Xml

from models.labelling.records import Corners


@dataclass(frozen=True, slots=True)
class Proposed:
    """A picture and what is proposed for it; corners in pixels."""

    path: Path
    width: int
    height: int
    boxes: tuple[tuple[str, float, Corners], ...]
    """Label, score, corners."""


Writer = Callable[[Sequence[Proposed], Sequence[str], Path], Path]
"""Takes proposals, labels in order and a folder; gives what a tool should open."""


def write_yolo(proposals: Sequence[Proposed], labels: Sequence[str], out: Path) -> Path:
    """Rows for each picture, with `classes.txt`, and the lines that DarkLabel needs in its `darklabel.yml`."""
    for one in proposals:
        rows = []
        for label, _, (x1, y1, x2, y2) in one.boxes:
            values = ((x1 + x2) / 2 / one.width, (y1 + y2) / 2 / one.height, (x2 - x1) / one.width)
            cells = " ".join(f"{v:.6f}" for v in (*values, (y2 - y1) / one.height))
            rows.append(f"{labels.index(label)} {cells}\n")
        _text(out / f"{one.path.stem}.txt", "".join(rows))
    _text(out / "classes.txt", "".join(f"{label}\n" for label in labels))
    _text(out / "darklabel.yml", _darklabel_lines(labels))
    return out


def write_darklabel(proposals: Sequence[Proposed], labels: Sequence[str], out: Path) -> Path:
    """DarkLabel's merged file for pictures: `iname,cname,id,x1,y1,w,h`, whole pixels."""
    lines = []
    for one in proposals:
        for number, (label, _, corners) in enumerate(one.boxes):
            x1, y1, x2, y2 = (round(v) for v in corners)
            lines.append(f"{one.path.name},{label},{number},{x1},{y1},{x2 - x1},{y2 - y1}\n")
    _text(out / "darklabel.yml", _darklabel_lines(labels))
    return _text(out / "suggested.txt", "".join(lines))


def write_voc(proposals: Sequence[Proposed], labels: Sequence[str], out: Path) -> Path:
    """A Pascal VOC file for each picture."""
    for one in proposals:
        root = Xml.Element("annotation")
        _child(root, "filename", one.path.name)
        size = _child(root, "size")
        for name, pixels in (("width", one.width), ("height", one.height), ("depth", 3)):
            _child(size, name, str(pixels))
        for label, _, corners in one.boxes:
            node = _child(root, "object")
            _child(node, "name", label)
            _child(node, "difficult", "0")
            box = _child(node, "bndbox")
            for name, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True):
                _child(box, name, f"{value:.2f}")
        _text(out / f"{one.path.stem}.xml", _xml(root))
    return out


def write_coco(proposals: Sequence[Proposed], labels: Sequence[str], out: Path) -> Path:
    """One COCO file."""
    annotations: list[dict[str, object]] = []
    for image_id, one in enumerate(proposals, 1):
        for label, score, (x1, y1, x2, y2) in one.boxes:
            box = [round(v, 2) for v in (x1, y1, x2 - x1, y2 - y1)]
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": image_id, "category_id": labels.index(label) + 1,
                    "bbox": box, "area": round(box[2] * box[3], 2), "iscrowd": 0, "score": round(score, 4),
                }
            )  # fmt: skip
    content = {
        "images": [
            {"id": i, "file_name": one.path.name, "width": one.width, "height": one.height}
            for i, one in enumerate(proposals, 1)
        ],
        "annotations": annotations,
        "categories": [{"id": i, "name": label} for i, label in enumerate(labels, 1)],
    }
    return _text(out / "suggested.json", json.dumps(content, indent=1))


def write_label_studio(proposals: Sequence[Proposed], labels: Sequence[str], out: Path) -> Path:
    """Label Studio tasks with predictions, for pictures that it serves from local files; and its labelling setup."""
    tasks = []
    for one in proposals:
        results = [
            {
                "type": "rectanglelabels", "from_name": "label", "to_name": "image", "score": round(score, 4),
                "original_width": one.width, "original_height": one.height,
                "value": {
                    "x": x1 / one.width * 100, "y": y1 / one.height * 100, "width": (x2 - x1) / one.width * 100,
                    "height": (y2 - y1) / one.height * 100, "rotation": 0, "rectanglelabels": [label],
                },
            }
            for label, score, (x1, y1, x2, y2) in one.boxes
        ]  # fmt: skip
        source = f"/data/local-files/?d={one.path.parent.name}/{one.path.name}"
        tasks.append({"data": {"image": source}, "predictions": [{"model_version": "spotter", "result": results}]})
    view = Xml.Element("View")
    Xml.SubElement(view, "Image", name="image", value="$image")
    choices = Xml.SubElement(view, "RectangleLabels", name="label", toName="image")
    for label in labels:
        Xml.SubElement(choices, "Label", value=label)
    _text(out / "labelling-setup.xml", _xml(view))
    return _text(out / "suggested.json", json.dumps(tasks, indent=1))


def write_cvat(proposals: Sequence[Proposed], labels: Sequence[str], out: Path) -> Path:
    """CVAT for images 1.1."""
    root = Xml.Element("annotations")
    _child(root, "version", "1.1")
    names = _child(_child(_child(root, "meta"), "task"), "labels")
    for label in labels:
        _child(_child(names, "label"), "name", label)
    for number, one in enumerate(proposals):
        size = {"width": str(one.width), "height": str(one.height)}
        image = Xml.SubElement(root, "image", {"id": str(number), "name": one.path.name, **size})
        for label, _, corners in one.boxes:
            sides = {k: f"{v:.2f}" for k, v in zip(("xtl", "ytl", "xbr", "ybr"), corners, strict=True)}
            Xml.SubElement(image, "box", {"label": label, "source": "auto", "occluded": "0", "z_order": "0", **sides})
    return _text(out / "suggested.xml", _xml(root))


WRITERS: dict[str, Writer] = {
    "yolo": write_yolo,
    "darklabel": write_darklabel,
    "voc": write_voc,
    "coco": write_coco,
    "label-studio": write_label_studio,
    "cvat": write_cvat,
}


def _darklabel_lines(labels: Sequence[str]) -> str:
    names = ", ".join(f'"{label}"' for label in labels)
    return (
        f'# Copy these lines into your darklabel.yml.\nclasses_set: "spotter"\nspotter: [{names}]\n'
        "format1:\n  fixed_filetype: 1\n  data_fmt: [classid, ncx, ncy, nw, nh]\n"
        '  gt_file_ext: "txt"\n  gt_merged: 0\n  delimiter: " "\n  classes_set: "spotter"\n  name: "darknet yolo"\n'
        "format5:\n  data_fmt: [iname, cname, id, x1, y1, w, h]\n"
        '  gt_file_ext: "txt"\n  gt_merged: 1\n  classes_set: "spotter"\n'
    )


def _child(parent: Xml.Element, tag: str, text: str | None = None) -> Xml.Element:
    node = Xml.SubElement(parent, tag)
    node.text = text
    return node


def _xml(root: Xml.Element) -> str:
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode") + "\n"


def _text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path
