"""`spotter model train`."""

from __future__ import annotations

from pathlib import Path

import click

from models.commands import DATA, FILE, FOLDER, SIDE, need


@click.command()
@click.argument("data", type=DATA, required=False)
@click.option("--weights", type=FILE, help="Start: official YOLOv5 checkpoint (.pt), or an earlier run's best.pt.")
@click.option("--img", type=SIDE, default=640, show_default=True, help="Side in pixels, a multiple of 32.")
@click.option("--batch", type=click.IntRange(1), default=16, show_default=True, help="Pictures a step.")
@click.option("--epochs", type=click.IntRange(1), default=100, show_default=True)
@click.option("--patience", type=click.IntRange(0), default=0, show_default=True, help="Epochs without a better score.")
@click.option("--freeze", type=click.IntRange(0, 24), default=5, show_default=True, help="First layers not trained.")
@click.option("--keep", multiple=True, metavar="LABEL", help="Not to be forgotten; person where none is given.")
@click.option("--no-keep", is_flag=True, help="Keep no class: a plain fine-tune.")
@click.option("--teacher", type=FILE, help="Whose finding of the kept classes is kept; --weights if left out.")
@click.option("--pictures", type=click.IntRange(1), help="Composed pictures an epoch; as many as DATA has if left out.")
@click.option("--renders", type=FOLDER, multiple=True, help="Rendered pictures: a folder with images/ and labels/.")
@click.option("--cutouts", type=FOLDER, multiple=True, help="Product photos on white, a folder for each label.")
@click.option("--backgrounds", type=FOLDER, multiple=True, help="Pictures of gyms without labelled items.")
@click.option("--out", type=FOLDER, default=Path("runs/train"), show_default=True, help="Where the run is kept.")
@click.option("--resume", type=FOLDER, metavar="RUN", help="Take up a stopped run with its own settings; no DATA.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", default="cpu", show_default=True, help="cpu; cuda: all graphics cards; cuda:1 one.")
@click.option("--threads", type=click.IntRange(1), help="One is fastest on a busy machine.")
def train(
    data: Path | None,
    weights: Path | None,
    img: int,
    batch: int,
    epochs: int,
    patience: int,
    freeze: int,
    keep: tuple[str, ...],
    no_keep: bool,
    teacher: Path | None,
    pictures: int | None,
    renders: tuple[Path, ...],
    cutouts: tuple[Path, ...],
    backgrounds: tuple[Path, ...],
    out: Path,
    resume: Path | None,
    seed: int,
    device: str,
    threads: int | None,
) -> None:
    """Fine-tune on DATA (a data.yaml, or its folder); leaves best.pt, best.onnx, log and pictures in --out.

    Ctrl-C stops; --resume RUN goes on after the last whole epoch.
    """
    if resume is not None:
        if given := _given_beside("resume"):
            raise click.UsageError(f"--resume goes on with the run's own settings; leave out {', '.join(given)}")
    elif data is None or weights is None:
        raise click.UsageError("give DATA (a data.yaml) and --weights, or --resume RUN")
    if keep and no_keep:
        raise click.UsageError("--keep and --no-keep contradict each other; leave one out")
    need("train", "cv2", "matplotlib", "numpy", "onnx", "onnxruntime", "supervision", "tensorboardX", "torch")
    from models import runs
    from models.reports import print_table

    if resume is not None:
        print_table(runs.resume(resume))
        return
    assert data is not None
    assert weights is not None
    kept = () if no_keep else (keep or None)
    settings = runs.RunSettings(data, weights, out, renders, cutouts, backgrounds, teacher, kept)
    scores = runs.run(
        settings,
        size=img,
        batch=batch,
        epochs=epochs,
        patience=patience,
        frozen_layers=freeze,
        pictures=pictures,
        seed=seed,
        device=device,
        threads=threads,
    )
    print_table(scores)


def _given_beside(name: str) -> list[str]:
    """What was given on the command line besides one option, as a person writes it."""
    context = click.get_current_context()
    shown = {one.name: one.opts[0] if isinstance(one, click.Option) else "DATA" for one in context.command.params}
    source = click.core.ParameterSource.COMMANDLINE
    return [text for key, text in shown.items() if key and key != name and context.get_parameter_source(key) is source]


COMMANDS = (train,)
