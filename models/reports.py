"""What is told of a weights file: its scores as JSON, table or pictures, and how it stands against another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from models.comparing import Difference
from models.curves import confusion, curves
from models.evaluation import CONFIDENCE, IOU, finder, look
from models.labels import DataError, Sample, read_data_set
from models.metrics import Found, Scores, Truth, score
from models.progress import progress_bar
from spotter.detector import Detector

DIGITS = 4


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A detector's findings on one split, beside the truth."""

    labels: tuple[str, ...]
    samples: tuple[Sample, ...]
    found: list[Found]
    truths: list[Truth]

    @property
    def scores(self) -> Scores:
        """Scores per class and their means."""
        return score(self.found, self.truths, self.labels)


def evaluate_file(data: Path, weights: Path, split: str = "val") -> Evaluated:
    """Run the detector in `weights` over one split of the data set `data`."""
    data_set = read_data_set(data)
    samples = data_set.val if split == "val" else data_set.train
    if not samples:
        raise DataError(f"data set {data}: its split {split!r} holds no pictures; check its paths")
    if not any(len(sample.rows) for sample in samples):
        raise DataError(f"data set {data}: its split {split!r} has no box, so there is nothing to score; label it")
    detector = Detector(
        weights, confidence=CONFIDENCE, iou=IOU, one_label_iou=None
    )  # the whole curve, as COCO scores it
    if not set(detector.labels) & set(data_set.labels):
        raise DataError(f"data set {data}: shares no class name with {weights} ({', '.join(detector.labels[:9])})")
    with progress_bar("eval", len(samples)) as advance:
        found, truths = look(finder(detector, data_set.labels), samples, advance)
    return Evaluated(data_set.labels, samples, found, truths)


def write_pictures(evaluated: Evaluated, folder: Path) -> list[Path]:
    """Curves, confusion matrix, label statistics, mosaics and the worst mistakes, into `folder`."""
    from models.findings import mistakes_sheet, mosaics, worst_mistakes
    from models.plots import plot_confusion, plot_curves, plot_labels

    e = evaluated
    matrix = confusion(e.found, e.truths, len(e.labels))
    mistakes = worst_mistakes(e.samples, e.found, e.truths, e.labels)
    return [
        *plot_curves(curves(e.found, e.truths, e.labels), folder),
        plot_confusion(matrix, e.labels, folder / "confusion_matrix.png"),
        *plot_labels(e.samples, e.labels, folder),
        *mosaics(e.samples, e.found, e.truths, e.labels, folder),
        mistakes_sheet(mistakes, folder / "worst_mistakes.jpg"),
    ]


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


def json_of_differences(rows: Sequence[Difference]) -> str:
    """`{label: {truths, first, second, low, high, certain}}`, with `all` for the mean."""
    content = {}
    for row in rows:
        figures = {name: round(getattr(row, name), DIGITS) for name in ("first", "second", "low", "high")}
        content[row.label] = {"truths": row.truths, **figures, "certain": row.certain}
    return json.dumps(content)


def print_differences(rows: Sequence[Difference], first: str, second: str) -> None:
    """Two detectors side by side on standard output."""
    from rich.console import Console
    from rich.table import Table

    table = Table("mAP50", "truths", first, second, "difference", "95 % of resampled sets", "verdict")
    for row in rows:
        if row.label == "all":
            table.add_section()
        change = row.second - row.first
        verdict = ("better" if change > 0 else "worse") if row.certain else "within noise"
        figures = (f"{row.first:.3f}", f"{row.second:.3f}", f"{change:+.3f}", f"{row.low:+.3f} to {row.high:+.3f}")
        table.add_row(row.label, str(row.truths), *figures, verdict)
    Console().print(table)
