"""`spotter model split`, `check`, `preview` and `suggest`: care of a data set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from models.commands import FILE, FOLDER, DataSetPath, need
from spotter.weights import weights_path

if TYPE_CHECKING:
    from models.splitting import By

_PLACE = click.Path(path_type=Path, exists=True)
_DATA = DataSetPath(path_type=Path, exists=True)


@click.command()
@click.argument("data", type=_DATA)
@click.option("--ratio", default="70/30", show_default=True, help="Training and validation.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--by",
    type=click.Choice(["clip", "scene", "time"]),
    default="clip",
    show_default=True,
    help="What stays together: a clip, what lies between two cuts, or the start and the end of each clip.",
)
def split(data: Path, ratio: str, seed: int, by: By) -> None:
    """Divide DATA (a data set's folder or data.yaml) into training and validation.

    Never by frame: pictures that look alike go to one side. Writes train.txt, val.txt and data.yaml; moves nothing.
    Pictures of `test:` stay out of both.
    """
    need("cpu", "cv2", "numpy")
    from models.labelling.importing import write_data_yaml
    from models.labels import DataError, Sample, label_path, pictures_at, read_layout, read_rows
    from models.splitting import split_samples

    layout = read_layout(data)
    folder = data.parent
    # After an earlier split the lists may leave pictures out: begin from the folder again.
    # The dashboard lists which pictures somebody looked at: the others must not train as empty ones.
    own, looked_at = folder / "images", folder / "labelled.txt"
    if looked_at.is_file():
        pictures = pictures_at(looked_at)
    else:
        pictures = pictures_at(own) if own.is_dir() else layout.pictures("train") + layout.pictures("val")
    test = layout.test
    if not test and (own / "test").is_dir() and own not in layout.places["train"]:
        test = (own / "test",)
    kept_out = {p.resolve() for place in test if place.exists() for p in pictures_at(place)}
    pictures = tuple(p for p in pictures if p.resolve() not in kept_out)
    samples = [Sample(p, read_rows(label_path(p), len(layout.labels))) for p in pictures]
    try:
        done = split_samples(samples, len(layout.labels), share=_share(ratio), seed=seed, by=by)
    except DataError as error:
        raise DataError(f"data set {data}: {error}") from None
    for name, numbers in (("train", done.train), ("val", done.val)):
        lines = [f"{_below(samples[i].path, folder)}\n" for i in numbers]
        (folder / f"{name}.txt").write_text("".join(lines), encoding="utf-8")
    tests = [_below(place, folder) for place in test]
    keys = {"test": tests if len(tests) > 1 else tests[0]} if tests else {}
    write_data_yaml(data, layout.labels, **{**layout.others, "train": "train.txt", "val": "val.txt", **keys})
    total = len(done.train) + len(done.val)
    click.echo(
        f"{data}: {len(done.train)} for training, {len(done.val)} for validation "
        f"({len(done.train) / total:.0%} / {len(done.val) / total:.0%}), from {done.groups} groups by {by}"
    )
    if kept_out:
        click.echo(f"{len(kept_out)} pictures are left for the test")
    if done.left_out:
        click.echo(f"{len(done.left_out)} left out: they look like pictures of the other side")
    for number, label in enumerate(layout.labels):
        train, val = (
            sum(int((samples[i].rows[:, 0] == number).sum()) for i in side) for side in (done.train, done.val)
        )
        if train + val and not (train and val):
            click.echo(f"{label}: {train} boxes for training, {val} for validation; film more of it")


@click.command()
@click.argument("data", type=_DATA)
@click.option("--json", "as_json", is_flag=True, help="Everything as one JSON object.")
def check(data: Path, as_json: bool) -> None:
    """Count and check DATA (a data set's folder or data.yaml).

    Boxes by class and split and their sizes; rows, boxes and pictures with mistakes; pictures that look like
    one of another split. Exit code 1 where something must be mended.
    """
    need("cpu", "cv2", "numpy")
    from models.inspection import inspect, json_of, print_inspection

    result = inspect(data)
    if as_json:
        click.echo(json_of(result))
    else:
        print_inspection(result)
        click.echo("sound" if result.sound else "not sound: mend what is listed; for leaks, run `spotter model split`")
    if not result.sound:
        raise SystemExit(1)


@click.command()
@click.argument("data", type=_DATA)
@click.option("--out", type=FOLDER, default=Path("preview"), show_default=True)
@click.option("--most", type=click.IntRange(1), default=200, show_default=True, help="Pictures of a split to show.")
def preview(data: Path, out: Path, most: int) -> None:
    """Draw DATA: contact sheets with boxes, and the label correlogram."""
    need("cpu", "cv2", "numpy")
    import cv2
    import numpy as np

    from models.labels import DataError, read_data_set
    from models.sheets import contact_sheets, correlogram

    data_set = read_data_set(data)
    if not data_set.train and not data_set.val:
        raise DataError(f"data set {data}: holds no pictures")
    out.mkdir(parents=True, exist_ok=True)
    for name, samples in (("train", data_set.train), ("val", data_set.val)):
        step = max(1, -(-len(samples) // most))  # spread over the whole split, for neighbours look alike
        for number, sheet in enumerate(contact_sheets(samples[::step], data_set.labels), 1):
            target = out / f"{name}-{number:02d}.jpg"
            cv2.imwrite(str(target), sheet)
            click.echo(str(target))
    rows = [sample.rows for sample in (*data_set.train, *data_set.val)]
    cv2.imwrite(str(out / "correlogram.png"), correlogram(np.concatenate(rows)))
    click.echo(str(out / "correlogram.png"))


@click.command()
@click.argument("pictures", nargs=-1, required=True, type=_PLACE)
@click.option("--out", type=FOLDER, default=Path("suggested"), show_default=True)
@click.option(
    "--format", "form", default="yolo", show_default=True, help="yolo, darklabel, voc, coco, label-studio or cvat."
)
@click.option("--weights", type=FILE, help="ONNX detector; the shipped one where left out.")
@click.option("--conf", type=click.FloatRange(0, 1), default=0.3, show_default=True, help="Least score proposed.")
@click.option("--all", "labelled_too", is_flag=True, help="Pictures that have labels, too.")
def suggest(
    pictures: tuple[Path, ...], out: Path, form: str, weights: Path | None, conf: float, labelled_too: bool
) -> None:
    """Propose boxes for unlabelled PICTURES (files or folders), to be corrected in a labelling tool."""
    need("cpu", "cv2", "numpy", "onnxruntime", "supervision")
    from collections import Counter

    from models.labelling.writing import WRITERS
    from models.suggesting import propose, unlabelled
    from spotter.detector import Detector

    if form not in WRITERS:
        raise click.BadParameter(f"{form!r} is none of {', '.join(WRITERS)}", param_hint="--format")
    detector = Detector(weights_path(weights), confidence=conf)
    proposals = propose(detector, unlabelled(pictures, labelled_too))
    written = WRITERS[form](proposals, detector.labels, out)
    counts = Counter(label for one in proposals for label, _, _ in one.boxes)
    found = ", ".join(f"{label} {count}" for label, count in counts.most_common()) or "nothing"
    nothing = sum(not one.boxes for one in proposals)
    click.echo(f"{len(proposals)} pictures, {nothing} without a proposal: {found}")
    click.echo(f"{written}: correct it in your tool, then spotter model import-labels {written} --pictures …")


def _below(path: Path, folder: Path) -> str:
    """`path` from `folder`, for `path:` may have led out of it: a relative path finds it all the same."""
    return Path(os.path.relpath(path, folder)).as_posix()


def _share(ratio: str) -> float:
    """The share for training of `70/30`, `70` or `0.7`."""
    try:
        parts = [float(part) for part in ratio.split("/")]
        share = parts[0] / sum(parts) if len(parts) == 2 else parts[0] / (100 if parts[0] > 1 else 1)
    except (ValueError, ZeroDivisionError):
        share = 0.0
    if not 0 < share < 1:
        raise click.BadParameter(f"{ratio!r}: write 70/30", param_hint="--ratio")
    return share


COMMANDS = (split, check, preview, suggest)
