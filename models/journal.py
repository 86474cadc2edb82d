"""A training run's diary: a line an epoch on the terminal and in log.jsonl, and TensorBoard's scalars and pictures."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.pixels import Pixels, as_pixels
from models.sheets import colour_of
from models.training import Epoch

LOG = "log.jsonl"
SHOWN_PICTURES = 16
WIDTHS = (9, 8, 11, 8, 8, 10, 8, 9)


class Journal:
    """Writes what each epoch gave; opened with `journal`."""

    def __init__(self, folder: Path, epochs: int, writer: Any, bar: Progress, console: Console) -> None:
        self._log = folder / LOG
        self._epochs, self._writer, self._bar, self._console = epochs, writer, bar, console
        self._task = bar.add_task("", total=1)
        self._told_head = False

    def begin(self, number: int, steps: int) -> None:
        """Show the bar of one epoch."""
        self._bar.reset(self._task, total=steps, description=f"epoch {number}/{self._epochs}")

    def advance(self) -> None:
        """One step of the epoch is done."""
        self._bar.advance(self._task)

    def tell(self, epoch: Epoch) -> None:
        """One epoch: a line on the terminal, in the log and in TensorBoard."""
        line = line_of(epoch)
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        for name, value in epoch.terms.items():
            self._writer.add_scalar(f"train/{name}", value, epoch.number)
        self._writer.add_scalar("train/loss", epoch.loss, epoch.number)
        if epoch.scores is not None:
            for name in ("precision", "recall", "map50", "map50_95"):
                self._writer.add_scalar(f"val/{name}", getattr(epoch.scores, name), epoch.number)
            for row in epoch.scores.classes:
                self._writer.add_scalar(f"val_map50/{row.label}", row.ap50, epoch.number)
        self._writer.flush()
        if not self._told_head:
            self._console.print(_columns("epoch", "box", "objectness", "classes", "keep", "P", "R", "mAP50"))
            self._told_head = True
        terms = [f"{epoch.terms.get(name, 0):.4f}" for name in ("box", "objectness", "classes", "keep")]
        scores = epoch.scores
        shown = [f"{v:.3f}" for v in (scores.precision, scores.recall, scores.map50)] if scores else ["", "", ""]
        mark = " best" if epoch.best else ""
        self._console.print(_columns(f"{epoch.number}/{self._epochs}", *terms, *shown) + mark)

    def show(self, name: str, picture: Pixels, step: int) -> None:
        """A BGR picture for TensorBoard."""
        self._writer.add_image(name, np.ascontiguousarray(picture[..., ::-1]), step, dataformats="HWC")
        self._writer.flush()


@contextlib.contextmanager
def journal(folder: Path, epochs: int) -> Iterator[Journal]:
    """The diary of the run in `folder`; the bar is shown where standard error is a terminal."""
    from tensorboardX import SummaryWriter

    _mend_log(folder)
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    writer = SummaryWriter(str(folder / "tensorboard"))
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            yield Journal(folder, epochs, writer, bar, console)
    finally:
        writer.close()


def line_of(epoch: Epoch) -> dict[str, Any]:
    """An epoch as a line of the log."""
    line: dict[str, Any] = {"epoch": epoch.number, "loss": round(epoch.loss, 5), "terms": epoch.terms}
    if epoch.scores is not None:
        line |= {"best": epoch.best, "val": asdict(epoch.scores)}
    return line


def read_log(folder: Path) -> list[Mapping[str, Any]]:
    """The epochs that a run has told so far, without a last line that a full disk or a power cut left unreadable."""
    path = folder / LOG
    if not path.is_file():
        return []
    lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    epochs = [json.loads(line) for line in lines[:-1]]
    with contextlib.suppress(ValueError):
        epochs += [json.loads(line) for line in lines[-1:]]
    return epochs


def _mend_log(folder: Path) -> None:
    """Take out a last line that is not whole, so that the next epoch gets a line of its own."""
    path = folder / LOG
    if not path.is_file() or path.read_bytes().endswith(b"\n"):
        return
    waiting = path.with_suffix(".part")
    waiting.write_text("".join(json.dumps(line) + "\n" for line in read_log(folder)), encoding="utf-8")
    waiting.replace(path)


def batch_picture(images: Any, targets: Any) -> Pixels:
    """A training batch `[B, 3, S, S]` (RGB bytes) with its targets `[T, 6]`, as one BGR picture of four a row."""
    tiles = []
    size = images.shape[-1]
    for number in range(min(len(images), SHOWN_PICTURES)):
        tile = np.ascontiguousarray(images[number].numpy().transpose(1, 2, 0)[..., ::-1])
        for row in targets[targets[:, 0] == number].numpy():
            (x, y), (w, h) = row[2:4] * size, row[4:6] * size
            corners = [int(v) for v in (x - w / 2, y - h / 2, x + w / 2, y + h / 2)]
            cv2.rectangle(tile, tuple(corners[:2]), tuple(corners[2:]), colour_of(int(row[1])), 2)
        tiles.append(tile)
    columns = min(4, len(tiles))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return as_pixels(np.vstack(rows))


def _columns(*texts: str) -> str:
    return " ".join(text.rjust(width) for text, width in zip(texts, WIDTHS, strict=True))
