"""Takes detectors from elsewhere into an installation: checkpoints without running them, and ONNX files."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.labels import DataError
from spotter.catalog import load
from spotter.detector import Detector, open_session
from spotter.errors import MissingExtraError, SettingsError, WeightsError
from spotter.events import NAME_PATTERN
from spotter.model_store import ModelCard, ModelStore, hash_of, now

LARGE_INPUT = 1280
"""What YOLOv5's P6 networks were trained at; the others at 640."""

_TASKS_REFUSED = frozenset({"segment", "classify", "pose", "obb"})


@dataclass(frozen=True, slots=True)
class Adoption:
    """How a detector is taken in."""

    name: str
    size: int | None = None
    """Side of the input in pixels, for checkpoints; left out: what the network was made for."""
    data: Path | None = None
    """A data.yaml to score it on."""
    replace: bool = False
    keep_names: bool = False
    """Leave class names as they are, instead of calling them what the catalogue does."""


def adopt(file: Path, store: ModelStore, wanted: Adoption) -> ModelCard:
    """Add the detector in `file` to `store`: a YOLOv5 or YOLOv5u checkpoint, a run's `best.pt`, or an ONNX detector.

    Raises SpotterError, saying what the file holds instead, and changes nothing then.
    """
    if not file.is_file():
        raise WeightsError(f"model {file}: no such file; give a .pt or .onnx")
    if file.stat().st_size == 0:
        raise WeightsError(f"model {file}: an empty file; copy it again")
    with tempfile.TemporaryDirectory(prefix="spotter-import-") as folder:
        weights = (
            _as_onnx(file, Path(folder), wanted.size) if zipfile.is_zipfile(file) else in_one_file(file, Path(folder))
        )
        detector = _opened(weights, file)
        named = detector.labels
        labels = named if wanted.keep_names else catalog_names(named)
        if labels != named:
            weights = _renamed(weights, labels, Path(folder) / "renamed.onnx")
            detector = _opened(weights, file)
        metadata = detector.metadata
        card = ModelCard(
            name=wanted.name,
            labels=labels,
            named=named,
            size=detector.size,
            architecture=metadata.get("architecture") or metadata.get("description") or detector.layout,
            licence=metadata.get("license", "unknown"),
            source=f"{file.name}, SHA-256 {hash_of(file)[:16]}",
            added=now(),
        )
        scores = score(weights, wanted.data) if wanted.data else None
        store.add(card, weights, scores, replace=wanted.replace, try_out=lambda copy: _opened(copy, file))
    return card


def name_of(file: Path) -> str:
    """A file's name as a model's: `my best.pt` is `my-best`. Raises SettingsError where nothing of it is left."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", file.stem).strip("-._")[:64]
    if not re.fullmatch(NAME_PATTERN, name):
        raise SettingsError(f"model {file}: no name can be made of this one; give it one with --name")
    return name


def catalog_names(named: tuple[str, ...]) -> tuple[str, ...]:
    """The labels by which the catalogue knows these classes; others, and second names for one label, stay."""
    catalog = load()
    labels: list[str] = []
    for name in named:
        entry = catalog.find(name)
        taken = entry is None or entry.label in labels or (entry.label in named and entry.label != name)
        labels.append(name if entry is None or taken else entry.label)
    return tuple(labels)


def _opened(weights: Path, file: Path) -> Detector:
    """The detector in `weights`, tried once; an error names `file`, which the person gave."""
    try:
        detector = Detector(weights)
    except WeightsError as error:
        cause = str(error).partition(": ")[2]
        raise WeightsError(f"model {file}: neither a YOLOv5 checkpoint nor an ONNX detector: {cause}") from None
    task = detector.metadata.get("task")
    if task in _TASKS_REFUSED:
        raise WeightsError(f"model {file}: made to {task}, not to detect; give a detection model")
    try:
        detector.warm_up()
    except Exception as error:  # noqa: BLE001 - onnxruntime's own errors share no public base class
        cause = str(error).strip().splitlines()[0]
        raise WeightsError(f"model {file}: an ONNX model that does not run ({cause})") from None
    return detector


def in_one_file(file: Path, folder: Path) -> Path:
    """An ONNX file as it is, or a copy that holds what lies in other files beside it: only one file is kept."""
    alone = folder / "alone.onnx"
    shutil.copyfile(file, alone)
    try:
        open_session(alone)
    except WeightsError:
        try:
            open_session(file)
        except WeightsError:
            return file  # wrong in itself: whoever opens it tells of it
    else:
        return file
    if importlib.util.find_spec("onnx") is None:
        raise MissingExtraError("taking in an ONNX model whose weights lie in a file of their own", "train")
    import onnx

    onnx.save(onnx.load(str(file)), str(alone))
    return alone


def _renamed(weights: Path, labels: tuple[str, ...], target: Path) -> Path:
    """A copy of an ONNX file with other class names in its metadata."""
    if importlib.util.find_spec("onnx") is None:
        raise MissingExtraError("giving its classes the catalogue's names (or --keep-names)", "train")
    import onnx

    model = onnx.load(str(weights))
    properties = {entry.key: entry.value for entry in model.metadata_props} | {"names": json.dumps(list(labels))}
    onnx.helper.set_model_props(model, properties)
    onnx.save(model, str(target))
    return target


def score(weights: Path, data: Path) -> dict[str, Any]:
    """The scores of a detector on the validation split of `data`, and on what they were measured."""
    from models.reports import evaluate_file, json_of

    scores = json.loads(json_of(evaluate_file(data, weights).scores))
    return {"data": str(data), **scores}


def _as_onnx(file: Path, folder: Path, size: int | None) -> Path:
    """A checkpoint as ONNX."""
    from models.export import export
    from models.networks import read_network

    network = read_network(file)
    target = folder / "model.onnx"
    large = network.variant.endswith("6")
    export(network, target, size or (LARGE_INPUT if large else 640))
    return target


def weights_of(store: ModelStore, name: str) -> Path:
    """The weights of a detector by its name in the store, `shipped`, or a path of a file."""
    from spotter.model_store import SHIPPED
    from spotter.weights import weights_path

    if name == SHIPPED:
        return weights_path(None)
    path = Path(name)
    if name not in store.names() and path.is_file():
        return path
    return store.weights(name)


def same_pictures(first: dict[str, Any] | None, second: dict[str, Any] | None) -> str:
    """The data set that both were scored on when they were added. Raises DataError where there is none."""
    if first is None or second is None or first.get("data") != second.get("data"):
        raise DataError("they were not scored on the same pictures when they were added; give --data data.yaml")
    return str(first["data"])
