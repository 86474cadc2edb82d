"""Pictures of an evaluation and of a training run: curves, confusion matrix, results over epochs, label statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.curves import CONFIDENCES, Curves
from models.labels import Sample, count_boxes
from models.metrics import RECALL_POINTS
from models.sheets import correlogram

DPI = 130
WIDTH_IN, HEIGHT_IN = 9.0, 6.0
SMOOTHED_EPOCHS = 5


def plot_curves(found: Curves, folder: Path) -> list[Path]:
    """`F1_curve.png`, `P_curve.png`, `R_curve.png` and `PR_curve.png`: a line a class and their mean."""
    drawn = []
    for name, title, values in (
        ("F1", "F1", found.f1),
        ("P", "precision", found.precision),
        ("R", "recall", found.recall),
    ):
        mean = values.mean(0) if len(values) else np.zeros(len(CONFIDENCES))
        best = int(mean.argmax())
        legend = f"all: {mean[best]:.2f} at {CONFIDENCES[best]:.2f}"
        drawn.append(_curve(folder / f"{name}_curve.png", CONFIDENCES, values, found.labels, mean, legend,
                            ("least score", title)))  # fmt: skip
    mean = found.pr.mean(0) if len(found.pr) else np.zeros(len(RECALL_POINTS))
    labels = [f"{label} {row.mean():.3f}" for label, row in zip(found.labels, found.pr, strict=True)]
    legend = f"all {mean.mean():.3f} mAP50"
    drawn.append(
        _curve(folder / "PR_curve.png", RECALL_POINTS, found.pr, labels, mean, legend, ("recall", "precision"))
    )
    return drawn


def plot_confusion(matrix: NDArray[np.int64], labels: Sequence[str], path: Path) -> Path:
    """The confusion matrix, each column as shares of what is there, with counts."""
    names = [*labels, "nothing"]
    shares = matrix / np.maximum(matrix.sum(0, keepdims=True), 1)
    figure, axes = _figure(8.5, 7.5)
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(matrix), strict=True):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(matrix[row, column]), ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("there")
    axes.set_ylabel("said")
    figure.colorbar(shown, ax=axes, label="share of what is there")
    return _save(figure, path)


def plot_results(lines: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """`results.png`: the loss terms and the validation scores over the epochs of a run's log."""
    terms = sorted({name for line in lines for name in line["terms"]})
    scores = ("precision", "recall", "map50", "map50_95")
    figure = Figure(figsize=(3 * max(len(terms), 4), 6), layout="constrained")
    grid = figure.subplots(2, max(len(terms), 4), squeeze=False)
    for axes, name in zip(grid[0], terms, strict=False):
        known = [(line["epoch"], line["terms"][name]) for line in lines if name in line["terms"]]
        _over_epochs(axes, known, f"loss: {name}")
    for axes, name in zip(grid[1], scores, strict=False):
        _over_epochs(axes, [(line["epoch"], line["val"][name]) for line in lines if "val" in line], f"val: {name}")
        axes.set_ylim(0, 1)
    for axes in grid.ravel():
        if not axes.get_title():
            axes.set_visible(False)
    return _save(figure, path)


def plot_labels(samples: Sequence[Sample], labels: Sequence[str], folder: Path) -> list[Path]:
    """`labels.png` (counts, places and sizes of boxes) and `labels_correlogram.jpg` (each against each)."""
    boxes = np.concatenate([s.rows for s in samples]) if samples else np.zeros((0, 5), np.float32)
    colours = _colours(len(labels))
    figure = Figure(figsize=(10, 9), layout="constrained")
    ((bars, shapes), (places, sizes)) = figure.subplots(2, 2)
    bars.bar(labels, count_boxes(samples, len(labels)), color=colours)
    bars.tick_params(axis="x", rotation=60)
    bars.set_ylabel("boxes")
    shapes.set_title("shapes")
    for row in boxes[:: max(1, len(boxes) // 1000)]:  # a thousand outlines are as telling as all, and readable
        w, h = row[3:] / 2
        corners = np.array([[-w, -h], [w, -h], [w, h], [-w, h], [-w, -h]]) + 0.5
        shapes.plot(corners[:, 0], corners[:, 1], color=colours[int(row[0])], linewidth=0.4)
    shapes.set(xlim=(0, 1), ylim=(1, 0))
    for axes, (x, y), names in ((places, (1, 2), ("centre x", "centre y")), (sizes, (3, 4), ("width", "height"))):
        axes.hist2d(boxes[:, x], boxes[:, y], bins=40, range=((0, 1), (0, 1)), cmap="Blues")
        axes.set(xlabel=names[0], ylabel=names[1])
    places.invert_yaxis()
    grid = correlogram(boxes)
    path = folder / "labels_correlogram.jpg"
    path.write_bytes(cv2.imencode(".jpg", grid)[1].tobytes())
    return [_save(figure, folder / "labels.png"), path]


def _curve(
    path: Path,
    x: NDArray[np.float64],
    rows: NDArray[np.float64],
    labels: Sequence[str],
    mean: NDArray[np.float64],
    legend: str,
    axis_names: tuple[str, str],
) -> Path:
    figure, axes = _figure(WIDTH_IN, HEIGHT_IN)
    for row, label, colour in zip(rows, labels, _colours(len(labels)), strict=True):
        axes.plot(x, row, linewidth=1, label=label, color=colour)
    axes.plot(x, mean, linewidth=3, color="black", label=legend)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel=axis_names[0], ylabel=axis_names[1])
    axes.grid(alpha=0.3)
    axes.legend(bbox_to_anchor=(1.01, 1), loc="upper left", frameon=False)
    return _save(figure, path)


def _over_epochs(axes: Any, known: Sequence[tuple[int, float]], title: str) -> None:
    axes.set_title(title)
    axes.set_xlabel("epoch")
    axes.grid(alpha=0.3)
    if not known:
        return
    x, y = np.array(known, dtype=float).T
    axes.plot(x, y, marker=".", linewidth=1)
    if len(y) > SMOOTHED_EPOCHS:
        kernel = np.ones(SMOOTHED_EPOCHS) / SMOOTHED_EPOCHS
        padded = np.pad(y, SMOOTHED_EPOCHS // 2, mode="edge")
        axes.plot(x, np.convolve(padded, kernel, mode="valid"), linestyle=":", linewidth=2)


def _colours(count: int) -> list[Any]:
    palette = mpl.colormaps["tab20"]
    return [palette(i % 20) for i in range(count)]


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    """A figure of its own: pyplot's global state would leak between runs, and may want a screen."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _save(figure: Figure, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(str(path), dpi=DPI)
    return path
