"""`spotter model detect` and `eval`: a detector on pictures, and its scores."""

from __future__ import annotations

from pathlib import Path

import click

from models.commands import FILE, need
from spotter.weights import weights_path


@click.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a frame on standard output.")
@click.option("--weights", type=FILE, help="ONNX detector; the shipped one where left out.")
@click.option("--conf", type=click.FloatRange(0, 1), default=0.25, show_default=True, help="Least score shown.")
@click.option("--iou", type=click.FloatRange(0, 1), default=0.45, show_default=True, help="Overlap suppressed from.")
def detect(files: tuple[Path, ...], as_json: bool, weights: Path | None, conf: float, iou: float) -> None:
    """Detect in pictures and videos; one line a frame."""
    need("cpu", "cv2", "numpy", "onnxruntime", "supervision")
    from models.detecting import detect_files, line_of
    from spotter.detector import Detector

    detector = Detector(weights_path(weights), confidence=conf, iou=iou)
    for frame in detect_files(detector, files):
        click.echo(line_of(frame, as_json))


@click.command(name="eval")
@click.argument("data", type=FILE)
@click.option("--weights", type=FILE, help="ONNX detector; the shipped one where left out.")
@click.option("--json", "as_json", is_flag=True, help="The scores as one JSON object.")
@click.option("--split", type=click.Choice(["val", "train"]), default="val", show_default=True)
def evaluate(data: Path, weights: Path | None, as_json: bool, split: str) -> None:
    """Score a detector on the labelled pictures of DATA (a data.yaml)."""
    need("cpu", "cv2", "numpy", "onnxruntime", "supervision", "yaml")
    from models.reports import evaluate_file, json_of, print_table

    scores = evaluate_file(data, weights_path(weights), split)
    if as_json:
        click.echo(json_of(scores))
    else:
        print_table(scores)


COMMANDS = (detect, evaluate)
