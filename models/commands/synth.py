"""`spotter model synth`: training pictures with exact boxes that nobody had to film."""

from __future__ import annotations

import os
from pathlib import Path

import click

from models.commands import FOLDER, need

VIEWS = ("high", "phone", "kiosk", "items", "rack", "use", "show", "floor")


@click.command()
@click.option("--out", type=FOLDER, required=True, help="Folder for images/, labels/ and data.yaml.")
@click.option("--count", type=click.IntRange(0), default=100, show_default=True, help="Rendered pictures.")
@click.option(
    "--products",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Renders of single items on nothing, of each label, in OUT/products: --cutouts for training and --pasted.",
)
@click.option("--pasted", type=click.IntRange(0), default=0, show_default=True, help="Pictures pasted from --cutouts.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The first picture's; then one up.")
@click.option("--size", type=click.IntRange(64, 2048), default=448, show_default=True, help="Side in pixels.")
@click.option("--samples", type=click.IntRange(1), default=5, show_default=True, help="Light paths a pixel.")
@click.option("--backgrounds", type=FOLDER, help="Photos to stand behind half of the renders and all that is pasted.")
@click.option("--cutouts", type=FOLDER, help="Product photos on white or with alpha, a folder for each label.")
@click.option(
    "--jobs", type=click.IntRange(1), default=os.cpu_count, show_default="one a core", help="Processes that render."
)
@click.option("--view", type=click.Choice(VIEWS), help="Only this kind of camera; the first five mixed unless given.")
def synth(
    out: Path,
    count: int,
    products: int,
    pasted: int,
    seed: int,
    size: int,
    samples: int,
    backgrounds: Path | None,
    cutouts: Path | None,
    jobs: int,
    view: str | None,
) -> None:
    """Make training pictures: people with kit rendered by Blender, and items pasted over photos.

    The same seed makes the same pictures. What is in --out already is left, so a stopped run can go on.
    """
    if pasted and (cutouts is None or backgrounds is None):
        raise click.UsageError("--pasted needs --cutouts and --backgrounds")
    for name, folder in (("--backgrounds", backgrounds), ("--cutouts", cutouts)):
        if folder is not None and not folder.is_dir():
            raise click.UsageError(f"{name} {folder}: no such folder")
    need("cpu", "cv2", "numpy", "yaml")
    from models.progress import progress_bar

    if products:
        need("synth", "bpy")
        from models.synth.products import render_products

        with progress_bar("render items", products) as advance:
            numbers = range(seed, seed + products)
            render_products(out / "products", numbers, size=size, samples=samples, jobs=jobs, advance=advance)
    if count:
        need("synth", "anny", "bpy", "torch")
        from models.synth.dataset import render_pictures

        with progress_bar("render", count) as advance:
            numbers = range(seed, seed + count)
            render_pictures(
                out, numbers, size=size, samples=samples, backgrounds=backgrounds, view=view, jobs=jobs, advance=advance
            )
    if pasted:
        assert cutouts is not None
        assert backgrounds is not None
        from models.synth.pasting import paste_pictures

        with progress_bar("paste", pasted) as advance:
            numbers = range(seed, seed + pasted)
            paste_pictures(out, numbers, size=size, cutouts=cutouts, backgrounds=backgrounds, advance=advance)
    if products:
        made = len(list((out / "products").glob("*/*.png")))
        click.echo(f"{made} items in {out / 'products'}; for training: --cutouts {out / 'products'}", err=True)
    if count or pasted:
        _write_data_yaml(out)
        made = len(list((out / "images").glob("*.jpg")))
        click.echo(f"{made} pictures in {out}; for training: --renders {out}", err=True)


def _write_data_yaml(out: Path) -> None:
    """So that `check` and `preview` read the folder as a data set."""
    from models.labelling.importing import write_data_yaml
    from models.labels import GYM_LABELS

    (out / "images").mkdir(parents=True, exist_ok=True)
    write_data_yaml(out, GYM_LABELS, train="images", val="images")


COMMANDS = (synth,)
