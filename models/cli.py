"""The commands `spotter model …`: detect, evaluate, train, export."""

from __future__ import annotations

from pathlib import Path

import click

from spotter.errors import MissingExtraError
from spotter.weights import weights_path

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group()
def model() -> None:
    """Detect, evaluate, train and export."""


@model.command()
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a frame on standard output.")
@click.option("--weights", type=_FILE, help="ONNX detector; the shipped one where left out.")
@click.option("--conf", type=click.FloatRange(0, 1), default=0.25, show_default=True, help="Least score shown.")
@click.option("--iou", type=click.FloatRange(0, 1), default=0.45, show_default=True, help="Overlap suppressed from.")
def detect(files: tuple[Path, ...], as_json: bool, weights: Path | None, conf: float, iou: float) -> None:
    """Detect in pictures and videos; one line a frame."""
    _need("cpu", "cv2", "numpy", "onnxruntime", "supervision")
    from models.detecting import detect_files, line_of
    from spotter.detector import Detector

    detector = Detector(weights_path(weights), confidence=conf, iou=iou)
    for frame in detect_files(detector, files):
        click.echo(line_of(frame, as_json))


@model.command(name="eval")
@click.argument("data", type=_FILE)
@click.option("--weights", type=_FILE, help="ONNX detector; the shipped one where left out.")
@click.option("--json", "as_json", is_flag=True, help="The scores as one JSON object.")
@click.option("--split", type=click.Choice(["val", "train"]), default="val", show_default=True)
def evaluate(data: Path, weights: Path | None, as_json: bool, split: str) -> None:
    """Score a detector on the labelled pictures of DATA (a data.yaml)."""
    _need("cpu", "cv2", "numpy", "onnxruntime", "supervision", "yaml")
    from models.reports import evaluate_file, json_of, print_table

    scores = evaluate_file(data, weights_path(weights), split)
    if as_json:
        click.echo(json_of(scores))
    else:
        print_table(scores)


@model.command()
@click.argument("data", type=_FILE)
@click.option("--start", type=_FILE, required=True, help="Official YOLOv5 checkpoint (.pt), or a run's last.pt.")
@click.option("--out", type=_FOLDER, default=Path("runs/train"), show_default=True, help="Where the run is kept.")
@click.option("--renders", type=_FOLDER, multiple=True, help="Rendered pictures: a folder with images/ and labels/.")
@click.option("--cutouts", type=_FOLDER, multiple=True, help="Product photos on white, a folder for each label.")
@click.option("--backgrounds", type=_FOLDER, multiple=True, help="Pictures of gyms without labelled items.")
@click.option("--epochs", type=click.IntRange(1), default=None, help="Default: as the shipped weights.")
@click.option("--pictures", type=click.IntRange(1), default=None, help="Composed pictures in an epoch.")
@click.option("--size", type=click.IntRange(64, 2048), default=640, show_default=True, help="Side in pixels.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=None, help="One is fastest on a busy machine.")
@click.option("--teacher", type=_FILE, help="Checkpoint whose finding of people is kept; --start where left out.")
@click.option("--keep/--no-keep", default=True, help="Hold on to how well the teacher finds people.")
def train(
    data: Path,
    start: Path,
    out: Path,
    renders: tuple[Path, ...],
    cutouts: tuple[Path, ...],
    backgrounds: tuple[Path, ...],
    epochs: int | None,
    pictures: int | None,
    size: int,
    seed: int,
    threads: int | None,
    teacher: Path | None,
    keep: bool,
) -> None:
    """Fine-tune on DATA (a data.yaml); leaves best.pt, best.onnx and log.jsonl in --out."""
    _need("train", "cv2", "numpy", "onnx", "onnxruntime", "supervision", "torch")
    from models.runs import RunSettings, run

    given = {"epochs": epochs, "pictures": pictures}
    run(
        RunSettings(data, start, out, renders, cutouts, backgrounds, teacher, keep),
        size=size,
        seed=seed,
        threads=threads,
        **{name: value for name, value in given.items() if value is not None},
    )


@model.command(name="export")
@click.argument("checkpoint", type=_FILE)
@click.option("--out", type=_FILE, required=True, help="The ONNX file to write.")
@click.option("--size", type=click.IntRange(64, 2048), default=640, show_default=True, help="Side in pixels.")
def export_command(checkpoint: Path, out: Path, size: int) -> None:
    """Write CHECKPOINT (a run's .pt, or an official one) as ONNX."""
    _need("train", "numpy", "onnx", "torch")
    from models.export import export
    from models.runs import read_network

    export(read_network(checkpoint), out, size)
    click.echo(f"{out} {out.stat().st_size} bytes", err=True)


def _need(extra: str, *packages: str) -> None:
    """Raise MissingExtraError, in one line, where a package of an extra is not installed."""
    from importlib.util import find_spec

    if any(find_spec(name) is None for name in packages):
        command = click.get_current_context().command_path
        raise MissingExtraError(f"`{command}`", extra)
