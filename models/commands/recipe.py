"""`spotter model shipped`: a detector from the data that the shipped one was made of."""

from __future__ import annotations

from pathlib import Path

import click

from models.commands import FOLDER, need


@click.command()
@click.argument("data", type=FOLDER)
@click.option("--out", type=FOLDER, default=Path("runs/gym"), show_default=True, help="Where the run is kept.")
@click.option(
    "--renders",
    type=click.IntRange(0),
    help="Rendered pictures of five views mixed; 0 does without Blender, and without all other renders.",
)
@click.option("--special", type=click.IntRange(1), help="Rendered pictures of kiosks, and as many of racks.")
@click.option("--used", type=click.IntRange(1), help="Rendered pictures of kit in use, for both further runs.")
@click.option(
    "--shown", type=click.IntRange(1), help="Rendered pictures of kettlebells held up to a kiosk, for the last run."
)
@click.option("--products", type=click.IntRange(1), help="Rendered items of each label, to be pasted.")
@click.option("--epochs", type=click.IntRange(1))
@click.option("--more", type=click.IntRange(0), help="Epochs of each of two further, gentler runs; 0: without them.")
@click.option("--pictures", type=click.IntRange(1), help="Composed pictures an epoch.")
@click.option("--img", "size", type=click.IntRange(64, 2048), help="Side in pixels.")
@click.option("--batch", type=click.IntRange(1), help="Pictures a step.")
@click.option("--seed", type=click.IntRange(0))
def shipped(data: Path, out: Path, **given: int | None) -> None:
    """Make a detector for gyms from the data of the shipped one: render, train, export, score.

    DATA holds photos/data.yaml, clips/, cutouts/, backgrounds/ and weights/yolov5n.pt (docs/model.md). Without options
    it is the recipe of the model card; the result is --out/gym.onnx.
    """
    need("train", "cv2", "matplotlib", "numpy", "onnx", "onnxruntime", "supervision", "tensorboardX", "torch")
    if given["renders"] != 0:
        need("synth", "anny", "bpy")
    from models.recipe import Recipe, make
    from models.reports import print_table

    chosen = {name: value for name, value in given.items() if value is not None}
    made = make(data, out, Recipe(**chosen), lambda text: click.echo(text, err=True))
    for what, scores in made.scores.items():
        click.echo(f"{what}:")
        print_table(scores)
    click.echo(f"{made.weights}: try it with `spotter model import {made.weights} --name mine`")


COMMANDS = (shipped,)
