"""How a gym detector is made, from a folder of data to an ONNX file and its scores: nothing is chosen by eye.

The folder holds `photos/data.yaml`, `clips/`, `cutouts/LABEL/`, `backgrounds/` and `weights/yolov5n.pt`, as
docs/model.md says.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from models.export import export
from models.filmed import take
from models.journal import LOG
from models.labels import GYM_LABELS, PICTURE_SUFFIXES, DataError, read_layout
from models.metrics import Scores
from models.networks import read_network
from models.reports import evaluate_file
from models.runs import LAST, RESUME, RunSettings, refuse_earlier, run

HELD_EACH = 5
"""Every fifth background is kept from training; renders over it tell how items in unseen places are found."""
HELD_RENDERS = 60
HELD_SEED = 90_000
RENDER_SIZE, RENDER_SAMPLES = 448, 5


@dataclass(frozen=True, slots=True)
class Recipe:
    """How much of each; the defaults are those of the shipped detector."""

    renders: int = 287
    epochs: int = 100
    pictures: int = 400
    size: int = 640
    batch: int = 16
    seed: int = 0
    early_share: float = 0.6
    check_every: int = 10


@dataclass(frozen=True, slots=True)
class Made:
    """What came of it."""

    weights: Path
    scores: dict[str, Scores]
    """`photos` and, where renders were made, `renders over unseen backgrounds`: each a `Scores`."""


def make(data: Path, out: Path, recipe: Recipe, told: Callable[[str], None] = lambda _: None) -> Made:
    """Render, train and score. Raises DataError for a folder that lacks a part, TrainingError for another's `out`.

    A stopped run is begun again: its renders stay, its training starts anew. The last epoch's moving average is taken,
    not the one that scored best: the validation pictures choose nothing.
    """
    photos, start = data / "photos" / "data.yaml", data / "weights" / "yolov5n.pt"
    for part in (photos, start, data / "clips", data / "cutouts", data / "backgrounds"):
        if not part.exists():
            raise DataError(f"recipe: {part} is missing; see docs/model.md for what the folder holds")
    filming = out / "filmed"
    if not filming.is_dir():  # every run of this recipe has it
        refuse_earlier(out)
    seen, unseen = _backgrounds(data / "backgrounds", out)
    renders = out / "renders"
    if recipe.renders:
        told(f"rendering {recipe.renders} pictures")
        _render(renders, recipe.seed, recipe.renders, seen)
    filmed = take(data / "clips", filming, GYM_LABELS)
    settings = RunSettings(
        _with(photos, filmed.labelled, out / "data.yaml"),
        start,
        out,
        (renders,) if recipe.renders else (),
        (data / "cutouts",),
        (seen, filmed.empty),
        teacher=start,
    )
    for left in (LOG, RESUME):
        (out / left).unlink(missing_ok=True)
    told(f"training {recipe.epochs} epochs of {recipe.pictures} pictures")
    run(
        settings,
        epochs=recipe.epochs,
        pictures=recipe.pictures,
        size=recipe.size,
        batch=recipe.batch,
        seed=recipe.seed,
        early_share=recipe.early_share,
        check_every=recipe.check_every,
    )
    weights = out / "gym.onnx"
    export(read_network(out / LAST), weights, recipe.size)
    scores: dict[str, Scores] = {"photos": evaluate_file(photos, weights, "val").scores}
    if recipe.renders:
        told(f"rendering {HELD_RENDERS} pictures over backgrounds that training never saw")
        _render(out / "held", HELD_SEED, HELD_RENDERS, unseen)
        scores["renders over unseen backgrounds"] = evaluate_file(out / "held" / "data.yaml", weights, "val").scores
    return Made(weights, scores)


def _with(photos: Path, more: Path, out: Path) -> Path:
    """The photos' data set with more training pictures."""
    places = read_layout(photos).places
    train = [str(place.resolve()) for place in (*places["train"], more / "images")]
    val = [str(place.resolve()) for place in places["val"]]
    out.write_text(yaml.safe_dump({"train": train, "val": val, "names": list(GYM_LABELS)}), encoding="utf-8")
    return out


def _backgrounds(folder: Path, out: Path) -> tuple[Path, Path]:
    """Copies in two folders: for training, and kept from it."""
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    seen, unseen = out / "backgrounds" / "seen", out / "backgrounds" / "unseen"
    for place in (seen, unseen):
        place.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(pictures):
        shutil.copy2(path, unseen if number % HELD_EACH == HELD_EACH - 1 else seen)
    return seen, unseen


def _render(out: Path, seed: int, count: int, backgrounds: Path) -> None:
    """Pictures that are there already stay, so that a stopped run can be begun again."""
    from models.labelling.importing import write_data_yaml
    from models.progress import progress_bar
    from models.synth.dataset import render_pictures

    with progress_bar("render", count) as advance:
        render_pictures(
            out,
            range(seed, seed + count),
            size=RENDER_SIZE,
            samples=RENDER_SAMPLES,
            backgrounds=backgrounds,
            jobs=os.cpu_count() or 1,
            advance=advance,
        )
    write_data_yaml(out, GYM_LABELS, train="images", val="images")
