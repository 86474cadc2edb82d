"""How a gym detector is made, from a folder of data to an ONNX file and its scores: nothing is chosen by eye.

The folder holds `photos/data.yaml`, `clips/`, `cutouts/LABEL/`, `backgrounds/` and `weights/yolov5n.pt`, as
docs/model.md says.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
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
from models.yolov5.network import YoloV5

SPECIAL = {"kiosk": 50_000, "rack": 70_000}
"""Views that are rendered by themselves as well, and their first seeds: what a mixture shows too seldom."""
LATER = {"use": 60_000, "show": 40_000}
"""Views that only the further runs have renders of, and their first seeds."""
LAST_SHARE = 1 / 3
"""What the last run's weights count for in the detector; the rest is the one's before. Why: see the model card."""
HELD_EACH = 5
"""Every fifth background is kept from training; renders over it tell how items in unseen places are found."""
HELD_RENDERS = 60
HELD_SEED = 90_000
RENDER_SIZE, RENDER_SAMPLES = 448, 5
PRODUCT_SEED, PRODUCT_SIZE, PRODUCT_SAMPLES = 80_000, 320, 8


@dataclass(frozen=True, slots=True)
class Recipe:
    """How much of each; the defaults are those of the shipped detector."""

    renders: int = 220
    """Pictures of five views mixed; 0 does without Blender: without the next two, `used` and `shown`, too."""
    special: int = 100
    """Pictures of each of the `SPECIAL` views."""
    products: int = 48
    """Items of each label by themselves, to be pasted."""
    used: int = 160
    """Pictures of kit in use, most often a swing, for both further runs."""
    shown: int = 100
    """Pictures of kettlebells held up to a kiosk, for the last run."""
    epochs: int = 110
    more: int = 60
    """Epochs of each of two further runs, gentle and all at full size, from the first one's last weights; 0: none."""
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

    A stopped run is begun again: its renders stay, its training starts anew. The moving averages of the last
    epochs are taken, not those that scored best: the validation pictures choose no epoch.
    """
    photos, start = data / "photos" / "data.yaml", data / "weights" / "yolov5n.pt"
    for part in (photos, start, data / "clips", data / "cutouts", data / "backgrounds"):
        if not part.exists():
            raise DataError(f"recipe: {part} is missing; see docs/model.md for what the folder holds")
    filming = out / "filmed"
    if not filming.is_dir():  # every run of this recipe has it
        refuse_earlier(out)
    seen, unseen = _backgrounds(data / "backgrounds", out)
    renders = []
    cutouts = [data / "cutouts"]
    if recipe.renders:
        told(f"rendering {recipe.renders} pictures")
        renders.append(out / "renders")
        _render(renders[-1], recipe.seed, recipe.renders, seen)
        for view, seed in SPECIAL.items():
            told(f"rendering {recipe.special} pictures of the view {view}")
            renders.append(out / f"renders-{view}")
            _render(renders[-1], seed, recipe.special, seen, view)
        told(f"rendering {recipe.products} items of each label")
        cutouts.append(out / "products")
        _render_products(cutouts[-1], recipe.products)
    filmed = take(data / "clips", filming, GYM_LABELS)
    settings = RunSettings(
        _with(photos, filmed.labelled, out / "data.yaml"),
        start,
        out,
        tuple(renders),
        tuple(cutouts),
        (seen, filmed.empty),
        teacher=start,
    )
    told(f"training {recipe.epochs} epochs of {recipe.pictures} pictures")
    last = _train(settings, recipe, recipe.seed, epochs=recipe.epochs, early_share=recipe.early_share)
    ends = []
    for view, count in (("use", recipe.used), ("show", recipe.shown)) if recipe.more else ():
        if renders:
            told(f"rendering {count} pictures of the view {view}")
            renders.append(out / f"renders-{view}")
            _render(renders[-1], LATER[view], count, seen, view)
        told(f"training {recipe.more} epochs more, all at {recipe.size} px")
        again = replace(settings, weights=last, out=out / f"again-{view}", renders=tuple(renders))
        ends.append(read_network(_train(again, recipe, recipe.seed + 1, epochs=recipe.more)))
    made = blend(ends[0], ends[1], LAST_SHARE) if ends else read_network(last)
    weights = out / "gym.onnx"
    export(made, weights, recipe.size)
    scores: dict[str, Scores] = {"photos": evaluate_file(photos, weights, "val").scores}
    if recipe.renders:
        told(f"rendering {HELD_RENDERS} pictures over backgrounds that training never saw")
        _render(out / "held", HELD_SEED, HELD_RENDERS, unseen)
        scores["renders over unseen backgrounds"] = evaluate_file(out / "held" / "data.yaml", weights, "val").scores
    return Made(weights, scores)


def blend(first: YoloV5, second: YoloV5, share: float) -> YoloV5:
    """`second`, with weights that are by `share` its own and else those of `first`."""
    others = first.state_dict()
    for name, value in second.state_dict().items():
        if value.is_floating_point():
            value.lerp_(others[name], 1 - share)
    return second


def _train(settings: RunSettings, recipe: Recipe, seed: int, **training: float) -> Path:
    """The checkpoint of the last epoch's moving average; what an earlier run in the folder left is forgotten."""
    for left in (LOG, RESUME):
        (settings.out / left).unlink(missing_ok=True)
    run(
        settings,
        pictures=recipe.pictures,
        size=recipe.size,
        batch=recipe.batch,
        seed=seed,
        check_every=recipe.check_every,
        **training,
    )
    return settings.out / LAST


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


def _render(out: Path, seed: int, count: int, backgrounds: Path, view: str | None = None) -> None:
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
            view=view,
            jobs=os.cpu_count() or 1,
            advance=advance,
        )
    write_data_yaml(out, GYM_LABELS, train="images", val="images")


def _render_products(out: Path, count: int) -> None:
    from models.progress import progress_bar
    from models.synth.products import render_products

    with progress_bar("render", count) as advance:
        numbers = range(PRODUCT_SEED, PRODUCT_SEED + count)
        render_products(
            out, numbers, size=PRODUCT_SIZE, samples=PRODUCT_SAMPLES, jobs=os.cpu_count() or 1, advance=advance
        )
