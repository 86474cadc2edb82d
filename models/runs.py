"""A training run on disk: its settings, its sources, its log, its best weights, and how it is taken up again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml

from models.cutouts import cut_from_boxes, read_cutouts
from models.devices import devices_of
from models.evaluation import evaluate_network, look, network_finder
from models.export import export
from models.journal import LOG, Journal, batch_picture, journal, read_log
from models.labels import DataError, DataSet, read_data_set, read_folder
from models.memory import free_bytes, step_bytes
from models.metrics import Scores
from models.mixing import Mixer
from models.networks import read_network, source_of_run, write_network
from models.training import KEPT_LABEL, Trainer, TrainingError, TrainSettings
from models.yolov5.anchors import ENOUGH_RECALL, fit_anchors, fitting_share
from models.yolov5.checkpoint import CheckpointError
from models.yolov5.network import YoloV5
from models.yolov5.transfer import transfer

CONTINUED_RATE = 0.4
RESUME_FORMAT = "spotter.run/1"
SETTINGS, RESUME, BEST, LAST = "settings.yaml", "resume.pt", "best.pt", "last.pt"


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What a run reads and where it writes."""

    data: Path
    weights: Path
    out: Path
    renders: tuple[Path, ...] = ()
    cutouts: tuple[Path, ...] = ()
    backgrounds: tuple[Path, ...] = ()
    teacher: Path | None = None
    """The checkpoint whose finding of the kept classes is kept; left out: `weights`."""
    keep: tuple[str, ...] | None = None
    """Classes that must not be forgotten; None: `person`, where start and data set both know it."""


def run(settings: RunSettings, **training: Any) -> Scores:
    """Train by `settings`, from the beginning; `training` are fields of `TrainSettings`.

    Leaves `best.pt`, `best.onnx`, `last.pt`, `resume.pt`, `settings.yaml`, `log.jsonl`, `tensorboard/` and pictures;
    returns the best scores. The best epoch is the one with the highest mean AP50 on the validation split. Raises
    `TrainingError`, and leaves `out` as it is, where an earlier run is kept there.
    """
    refuse_earlier(settings.out)
    for option, path in (("--weights", settings.weights), ("--teacher", settings.teacher)):
        if path is not None and path.resolve().parent == settings.out.resolve():
            raise TrainingError(
                f"training: {option} {path} lies in {settings.out}, where the run would write over it; "
                "give another --out"
            )
    start = read_network(settings.weights)
    data_set = _read_data(settings)
    # A start that knows these labels already is continued: gently, and at full size from the first picture on.
    continued = {"rate": CONTINUED_RATE, "early_share": 0.0} if start.labels == data_set.labels else {}
    given = {name: value for name, value in training.items() if value is not None}
    plan = TrainSettings(**{"pictures": len(data_set.train), **continued, **given})
    settings.out.mkdir(parents=True, exist_ok=True)
    _write_settings(settings, plan)
    return _train(settings, plan, data_set, start, None)


def refuse_earlier(out: Path) -> None:
    """Raise `TrainingError` where `out` keeps a run that was begun before; one without a whole epoch is none."""
    log = out / LOG
    if (out / RESUME).is_file() or (log.is_file() and log.stat().st_size):
        raise TrainingError(
            f"run {out}: keeps an earlier run already; go on with it by `spotter model train --resume {out}`, "
            "or give another --out"
        )


def resume(out: Path) -> Scores:
    """Take up the run in `out` after its last complete epoch, with the settings it began with."""
    settings, plan = _read_settings(out)
    try:
        kept = torch.load(out / RESUME, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"run {out}: holds no {RESUME}; its first epoch was not finished; train anew") from None
    except Exception as error:  # noqa: BLE001 - torch raises whatever its unpickler meets
        cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"run {out}: {RESUME} is damaged ({cause}); train anew") from None
    if not isinstance(kept, dict) or kept.get("format") != RESUME_FORMAT:
        raise CheckpointError(f"run {out}: {RESUME} was not written by `spotter model train`; train anew")
    return _train(settings, plan, _read_data(settings), read_network(settings.weights), kept["state"])


def _train(
    settings: RunSettings, plan: TrainSettings, data_set: DataSet, start: YoloV5, state: Mapping[str, Any] | None
) -> Scores:
    if plan.threads is not None:
        torch.set_num_threads(plan.threads)
        cv2.setNumThreads(plan.threads)
    devices = devices_of(plan.device)
    network = transfer(start, data_set.labels, plan.seed)
    network.source = source_of_run(start)
    kept = _kept(settings, start, data_set)
    teacher = (read_network(settings.teacher) if settings.teacher else start) if kept else None
    for label in kept:
        if teacher is not None and label not in teacher.labels:
            raise DataError(f"training: {settings.teacher} does not know the class {label!r} that is to be kept")
    if teacher is not None and teacher.head.strides != network.head.strides:
        raise CheckpointError(f"training: {settings.teacher} has other strides than {settings.weights}; leave it out")
    _fit_anchors(network, data_set, plan, bool(kept))
    _check_memory(network, plan, devices)
    mixer = _mixer(settings, data_set)
    trainer = Trainer(network, mixer, plan, teacher, lambda n: evaluate_network(n, data_set.val, plan.size), kept)
    if state is not None:
        trainer.restore(state)
    best = _best_so_far(settings.out)
    if best is None and state is not None and (settings.out / BEST).is_file():  # its line in the log was lost
        best = evaluate_network(read_network(settings.out / BEST), data_set.val, plan.size)
    with journal(settings.out, plan.epochs) as book:
        best = _epochs(trainer, book, settings, data_set, plan, best)
    if best is None:
        raise TrainingError(f"run {settings.out}: no epoch was checked against the validation split; train anew")
    _finish(settings, plan, data_set)
    return best


def _epochs(
    trainer: Trainer, book: Journal, settings: RunSettings, data_set: DataSet, plan: TrainSettings, best: Scores | None
) -> Scores | None:
    steps = max(1, plan.pictures // plan.batch)
    done = len(read_log(settings.out))
    if not done:
        picture = batch_picture(*next(iter(trainer.batches(1))))
        cv2.imwrite(str(settings.out / "train_batch0.jpg"), picture)
        book.show("train_batch", picture, 0)
    book.begin(done + 1, steps)
    try:
        for epoch in trainer.run(book.advance):
            write_network(trainer.averaged, settings.out / LAST)
            if epoch.best and epoch.scores is not None:
                best = epoch.scores
                write_network(trainer.averaged, settings.out / BEST)
            _put_away(trainer, settings.out / RESUME)
            book.tell(epoch)
            if epoch.best:
                _show_findings(book, trainer.averaged, data_set, plan, epoch.number)
            book.begin(epoch.number + 1, steps)
    except KeyboardInterrupt:
        mend = f"go on after its last whole epoch with `spotter model train --resume {settings.out}`"
        if not (settings.out / RESUME).is_file():
            mend = "no epoch was whole yet, so begin again"
        raise TrainingError(f"run {settings.out}: stopped; {mend}") from None
    return best


def _show_findings(book: Journal, network: YoloV5, data_set: DataSet, plan: TrainSettings, step: int) -> None:
    """The first validation pictures with what is found in them, for TensorBoard."""
    from models.findings import found_sheet

    few = data_set.val[:8]
    found, _ = look(network_finder(network, plan.size), few)
    book.show("val_found", found_sheet(few, found, data_set.labels), step)


def _finish(settings: RunSettings, plan: TrainSettings, data_set: DataSet) -> None:
    """The best weights as ONNX, and every picture of the run."""
    from models.plots import plot_labels, plot_results
    from models.reports import Evaluated, write_pictures

    chosen = read_network(settings.out / BEST)
    export(chosen, settings.out / "best.onnx", plan.size)
    plot_results(read_log(settings.out), settings.out / "results.png")
    found, truths = look(network_finder(chosen, plan.size), data_set.val)
    write_pictures(Evaluated(data_set.labels, data_set.val, found, truths), settings.out / "val")
    plot_labels(data_set.train, data_set.labels, settings.out)


def _read_data(settings: RunSettings) -> DataSet:
    data_set = read_data_set(settings.data)
    if not data_set.train or not data_set.val:
        raise DataError(f"data set {settings.data}: training needs pictures in both `train` and `val`")
    return data_set


def _mixer(settings: RunSettings, data_set: DataSet) -> Mixer:
    labels = data_set.labels
    renders = [s for folder in settings.renders for s in read_folder(folder, len(labels))]
    backgrounds = [s for folder in settings.backgrounds for s in read_folder(folder, len(labels))]
    cutouts = [cut for folder in settings.cutouts for cut in read_cutouts(folder, labels)]
    if settings.cutouts:
        cutouts += cut_from_boxes(data_set.train, labels, frozenset({KEPT_LABEL}))
    return Mixer(labels, data_set.train, backgrounds, renders, cutouts)


def _kept(settings: RunSettings, start: YoloV5, data_set: DataSet) -> tuple[str, ...]:
    """The classes to keep; raises `DataError` for one that start or data set do not know."""
    if settings.keep is None:
        both = KEPT_LABEL in start.labels and KEPT_LABEL in data_set.labels
        return (KEPT_LABEL,) if both else ()
    for label in settings.keep:
        for where, labels in ((settings.weights, start.labels), (settings.data, data_set.labels)):
            if label not in labels:
                raise DataError(f"training: {where} does not know the class {label!r} that is to be kept")
    return settings.keep


def _fit_anchors(network: YoloV5, data_set: DataSet, plan: TrainSettings, keeping: bool) -> None:
    """New anchors where the old ones fit too few boxes; never under a teacher, whose boxes are told by the old ones."""
    sides = []
    for sample in data_set.train:
        if len(sample.rows):
            header = cv2.imread(str(sample.path), cv2.IMREAD_REDUCED_GRAYSCALE_8)
            shape = np.array([1.0, 1.0]) if header is None else np.array(header.shape[1::-1]) / max(header.shape)
            sides.append(sample.rows[:, 3:] * shape * plan.size)
    boxes = np.concatenate(sides).astype(np.float64) if sides else np.zeros((0, 2))
    strides = np.array(network.head.strides)[:, None, None]
    old = network.head.anchors.numpy() * strides
    if keeping or len(boxes) < old.shape[0] * old.shape[1]:
        return
    if fitting_share(boxes, old.reshape(-1, 2)) < ENOUGH_RECALL:
        fitted = fit_anchors(boxes, old.shape[0] * old.shape[1], plan.seed).reshape(old.shape)
        network.head.anchors.copy_(torch.from_numpy(fitted / strides))


def _check_memory(network: YoloV5, plan: TrainSettings, devices: Sequence[torch.device]) -> None:
    """Raise `TrainingError` with a batch that fits, where this one does not."""
    free = min((known for device in devices if (known := free_bytes(device)) is not None), default=None)
    need = step_bytes(network, -(-plan.batch // len(devices)), plan.size)
    if free is None or need <= free:
        return
    one = step_bytes(network, 1, plan.size)
    each = step_bytes(network, 2, plan.size) - one
    fits = int((free - one) / max(each, 1)) + 1
    mend = f"--batch {fits * len(devices)} fits" if fits >= 1 else "--img must be smaller"
    raise TrainingError(
        f"training: a step of {plan.batch} pictures of {plan.size} pixels needs about {need / 2**30:.1f} GB, "
        f"{free / 2**30:.1f} GB are free on {plan.device}; {mend}"
    )


def _put_away(trainer: Trainer, path: Path) -> None:
    """Written beside and moved, so that a stop amid writing leaves the last good one."""
    waiting = path.with_suffix(".part")
    torch.save({"format": RESUME_FORMAT, "state": trainer.state()}, waiting)
    waiting.replace(path)


def _best_so_far(out: Path) -> Scores | None:
    from models.metrics import ClassScores

    for line in reversed(read_log(out)):
        if line.get("best"):
            content = dict(line["val"])
            content["classes"] = tuple(ClassScores(**row) for row in content["classes"])
            return Scores(**content)
    return None


def _write_settings(settings: RunSettings, plan: TrainSettings) -> None:
    content = {"run": _plain(asdict(settings)), "training": _plain(asdict(plan))}
    text = yaml.safe_dump(content, sort_keys=False)
    (settings.out / SETTINGS).write_text(text, encoding="utf-8")


def _read_settings(out: Path) -> tuple[RunSettings, TrainSettings]:
    path = out / SETTINGS
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        given = content["run"]
        paths = {name: Path(given[name]) for name in ("data", "weights")}
        lists = {name: tuple(Path(p) for p in given[name]) for name in ("renders", "cutouts", "backgrounds")}
        teacher = Path(given["teacher"]) if given["teacher"] else None
        keep = None if given["keep"] is None else tuple(given["keep"])
        known = {f.name for f in fields(TrainSettings)} - {"loss"}
        plan = TrainSettings(**{name: value for name, value in content["training"].items() if name in known})
        weights = replace(plan.loss, **content["training"]["loss"])
    except FileNotFoundError:
        raise CheckpointError(f"run {out}: holds no {SETTINGS}; give the folder of a run, as --out named it") from None
    except (KeyError, TypeError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CheckpointError(f"run {path}: damaged ({str(error).splitlines()[0]}); train anew") from None
    kept_settings = RunSettings(
        paths["data"], paths["weights"], out, lists["renders"], lists["cutouts"], lists["backgrounds"], teacher, keep
    )
    return kept_settings, replace(plan, loss=weights)


def _plain(value: Any) -> Any:
    """Paths as text and tuples as lists, for YAML."""
    if isinstance(value, dict):
        return {name: _plain(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return str(value.resolve()) if isinstance(value, Path) else value
