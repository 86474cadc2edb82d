"""`spotter model detect` and `eval`: a detector on pictures, and its scores."""

from __future__ import annotations

from pathlib import Path

import click

from models.commands import DATA, FILE, FOLDER, need
from spotter.weights import weights_path


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a frame on standard output.")
@click.option("--weights", type=FILE, help="ONNX detector; the shipped one where left out.")
@click.option("--conf", type=click.FloatRange(0, 1), default=0.25, show_default=True, help="Least score shown.")
@click.option("--iou", type=click.FloatRange(0, 1), default=0.45, show_default=True, help="Overlap suppressed from.")
def detect(files: tuple[Path, ...], as_json: bool, weights: Path | None, conf: float, iou: float) -> None:
    """Detect in pictures and videos, or in all of a folder; one line a frame."""
    need("cpu", "cv2", "numpy", "onnxruntime", "supervision")
    from models.detecting import detect_files, line_of
    from spotter.detector import Detector

    detector = Detector(weights_path(weights), confidence=conf, iou=iou)
    for frame in detect_files(detector, files):
        click.echo(line_of(frame, as_json))


@click.command(name="eval")
@click.argument("data", type=DATA)
@click.option("--weights", type=FILE, help="ONNX detector; the shipped one where left out.")
@click.option("--against", type=FILE, help="A second ONNX detector: both on the same pictures, side by side.")
@click.option("--out", type=FOLDER, help="Folder for curves, confusion matrix, mosaics and the worst mistakes.")
@click.option("--json", "as_json", is_flag=True, help="The scores as one JSON object.")
@click.option("--split", type=click.Choice(["val", "train"]), default="val", show_default=True)
def evaluate(
    data: Path, weights: Path | None, against: Path | None, out: Path | None, as_json: bool, split: str
) -> None:
    """Score a detector on the labelled pictures of DATA (a data.yaml, or its folder)."""
    need("cpu", "cv2", "numpy", "onnxruntime", "supervision", "yaml")
    if out is not None:
        need("train", "matplotlib")
    from models import reports

    path = weights_path(weights)
    evaluated = reports.evaluate_file(data, path, split)
    if out is not None:
        written = reports.write_pictures(evaluated, out)
        click.echo(f"{len(written)} pictures in {out}", err=True)
    if against is not None:
        from models.comparing import compare

        other = reports.evaluate_file(data, against, split)
        rows = compare(evaluated.found, other.found, evaluated.truths, evaluated.labels)
        if as_json:
            click.echo(reports.json_of_differences(rows))
        else:
            reports.print_differences(rows, path.name, against.name)
    elif as_json:
        click.echo(reports.json_of(evaluated.scores))
    else:
        reports.print_table(evaluated.scores)


COMMANDS = (detect, evaluate)
