"""Scores of a weights file, as JSON or a table."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from models.evaluation import CONFIDENCE, IOU, evaluate_onnx
from models.labels import DataError, read_data_set
from models.metrics import Scores
from models.progress import progress_bar
from spotter.detector import Detector

DIGITS = 4


def evaluate_file(data: Path, weights: Path, split: str = "val") -> Scores:
    """Score the detector in `weights` on one split of the data set `data`."""
    data_set = read_data_set(data)
    samples = data_set.val if split == "val" else data_set.train
    if not samples:
        raise DataError(f"data set {data}: its split {split!r} holds no pictures; check its paths")
    detector = Detector(
        weights, confidence=CONFIDENCE, iou=IOU, one_label_iou=None
    )  # the whole curve, as COCO scores it
    if not set(detector.labels) & set(data_set.labels):
        raise DataError(f"data set {data}: shares no class name with {weights} ({', '.join(detector.labels[:9])})")
    with progress_bar("eval", len(samples)) as advance:
        return evaluate_onnx(detector, samples, data_set.labels, advance)


def json_of(scores: Scores) -> str:
    """`{"classes": {label: {...}}, "overall": {...}}` with precision, recall, mAP50 and mAP50-95."""
    classes = {}
    for row in scores.classes:
        values = asdict(row)
        classes[values.pop("label")] = {
            "truths": row.truths,
            "precision": round(row.precision, DIGITS),
            "recall": round(row.recall, DIGITS),
            "mAP50": round(row.ap50, DIGITS),
            "mAP50-95": round(row.ap50_95, DIGITS),
        }
    overall = {
        "truths": sum(row.truths for row in scores.classes),
        "precision": round(scores.precision, DIGITS),
        "recall": round(scores.recall, DIGITS),
        "mAP50": round(scores.map50, DIGITS),
        "mAP50-95": round(scores.map50_95, DIGITS),
    }
    return json.dumps({"classes": classes, "overall": overall})


def print_table(scores: Scores) -> None:
    """The scores as a table on standard output."""
    from rich.console import Console
    from rich.table import Table

    table = Table("class", "truths", "precision", "recall", "mAP50", "mAP50-95")
    for row in scores.classes:
        figures = (row.precision, row.recall, row.ap50, row.ap50_95)
        table.add_row(row.label, str(row.truths), *(f"{v:.3f}" for v in figures))
    table.add_section()
    means = (scores.precision, scores.recall, scores.map50, scores.map50_95)
    table.add_row("all", str(sum(r.truths for r in scores.classes)), *(f"{v:.3f}" for v in means))
    Console().print(table)
