"""A training run on disk: its sources, its log, its best weights."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import torch

from models.cutouts import cut_from_boxes, read_cutouts
from models.evaluation import evaluate_network
from models.export import export
from models.labels import DataError, read_data_set, read_folder
from models.metrics import Scores
from models.mixing import Mixer
from models.progress import progress_bar
from models.training import Epoch, TrainSettings, train
from models.yolov5.checkpoint import CheckpointError, load_checkpoint
from models.yolov5.network import YoloV5
from models.yolov5.transfer import transfer

KEPT_LABEL = "person"
CONTINUED_RATE = 0.4
OWN_FORMAT = "spotter.yolov5/1"


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What a run reads and where it writes."""

    data: Path
    start: Path
    out: Path
    renders: tuple[Path, ...] = ()
    cutouts: tuple[Path, ...] = ()
    backgrounds: tuple[Path, ...] = ()
    teacher: Path | None = None
    """The checkpoint whose finding of people is kept; left out: `start`."""
    keep: bool = True


def run(settings: RunSettings, **training: Any) -> Scores:
    """Train by `settings`; leaves `best.pt`, `best.onnx`, `last.pt` and `log.jsonl`; returns the best scores.

    `training` are fields of `TrainSettings`. The best epoch is the one with the highest mean AP50 on the data set's
    validation split.
    """
    start = read_network(settings.start)
    data_set = read_data_set(settings.data)
    labels = data_set.labels
    # A start that knows these labels already is continued: gently, and at full size from the first picture on.
    continued = {"rate": CONTINUED_RATE, "early_share": 0.0} if start.labels == labels else {}
    plan = TrainSettings(**{**continued, **training})
    if plan.threads is not None:
        torch.set_num_threads(plan.threads)
        cv2.setNumThreads(plan.threads)
    if not data_set.train or not data_set.val:
        raise DataError(f"data set {settings.data}: training needs pictures in both `train` and `val`")
    renders = [s for folder in settings.renders for s in read_folder(folder, len(labels))]
    backgrounds = [s for folder in settings.backgrounds for s in read_folder(folder, len(labels))]
    cutouts = [cut for folder in settings.cutouts for cut in read_cutouts(folder, labels)]
    if settings.cutouts:
        cutouts += cut_from_boxes([*data_set.train, *renders], labels, frozenset({KEPT_LABEL}))
    mixer = Mixer(labels, data_set.train, backgrounds, renders, cutouts)
    network = transfer(start, labels, plan.seed)
    teacher = (read_network(settings.teacher) if settings.teacher else start) if settings.keep else None
    if teacher is not None and not labels[0] == KEPT_LABEL == teacher.labels[0]:
        raise DataError(f"data set {settings.data}: its first class is not {KEPT_LABEL!r}; train with --no-keep")
    settings.out.mkdir(parents=True, exist_ok=True)
    log = settings.out / "log.jsonl"
    log.write_text("", encoding="utf-8")
    best: Scores | None = None
    with progress_bar("train", plan.epochs) as advance:
        for epoch, averaged in train(
            network, mixer, plan, teacher, lambda n: evaluate_network(n, data_set.val, plan.size)
        ):
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(_line(epoch)) + "\n")
            write_network(averaged, settings.out / "last.pt")
            if epoch.best:
                best = epoch.scores
                write_network(averaged, settings.out / "best.pt")
            advance()
    assert best is not None  # the last epoch is always checked
    chosen = read_network(settings.out / "best.pt")
    export(chosen, settings.out / "best.onnx", plan.size)
    return best


def write_network(network: YoloV5, path: Path) -> None:
    """Keep a network as a torch file that holds only tensors and plain values."""
    content = {
        "format": OWN_FORMAT,
        "labels": list(network.labels),
        "size": network.variant,
        "state": network.state_dict(),
    }
    torch.save(content, path)


def read_network(path: Path) -> YoloV5:
    """A network from a run's `.pt`, or from an official checkpoint; neither executes what it reads."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"checkpoint {path}: no such file; give a YOLOv5 .pt file or a run's best.pt") from None
    except Exception:  # noqa: BLE001 - torch raises whatever its unpickler meets; the strict reader says what is wrong
        return load_checkpoint(path)
    if not isinstance(content, dict) or content.get("format") != OWN_FORMAT:
        raise CheckpointError(f"checkpoint {path}: neither a run of `spotter model train` nor an official YOLOv5 file")
    try:
        network = YoloV5(content["labels"], content["size"])
        network.load_state_dict(content["state"])
    except (KeyError, RuntimeError, TypeError) as error:
        raise CheckpointError(f"checkpoint {path}: damaged ({str(error).splitlines()[0]}); train again") from None
    return network.eval()


def _line(epoch: Epoch) -> dict[str, Any]:
    line: dict[str, Any] = {"epoch": epoch.number, "loss": round(epoch.loss, 5), "terms": epoch.terms}
    if epoch.scores is not None:
        line |= {"best": epoch.best, "val": asdict(epoch.scores)}
    return line
