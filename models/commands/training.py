"""`spotter model train`."""

from __future__ import annotations

from pathlib import Path

import click

from models.commands import FILE, FOLDER, need


@click.command()
@click.argument("data", type=FILE)
@click.option("--start", type=FILE, required=True, help="Official YOLOv5 checkpoint (.pt), or a run's last.pt.")
@click.option("--out", type=FOLDER, default=Path("runs/train"), show_default=True, help="Where the run is kept.")
@click.option("--renders", type=FOLDER, multiple=True, help="Rendered pictures: a folder with images/ and labels/.")
@click.option("--cutouts", type=FOLDER, multiple=True, help="Product photos on white, a folder for each label.")
@click.option("--backgrounds", type=FOLDER, multiple=True, help="Pictures of gyms without labelled items.")
@click.option("--epochs", type=click.IntRange(1), default=None, help="Default: as the shipped weights.")
@click.option("--pictures", type=click.IntRange(1), default=None, help="Composed pictures in an epoch.")
@click.option("--size", type=click.IntRange(64, 2048), default=640, show_default=True, help="Side in pixels.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=None, help="One is fastest on a busy machine.")
@click.option("--teacher", type=FILE, help="Checkpoint whose finding of people is kept; --start where left out.")
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
    need("train", "cv2", "numpy", "onnx", "onnxruntime", "supervision", "torch")
    from models.runs import RunSettings, run

    given = {"epochs": epochs, "pictures": pictures}
    run(
        RunSettings(data, start, out, renders, cutouts, backgrounds, teacher, keep),
        size=size,
        seed=seed,
        threads=threads,
        **{name: value for name, value in given.items() if value is not None},
    )


COMMANDS = (train,)
