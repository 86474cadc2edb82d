"""`spotter model import`, `list`, `use`, `compare` and `rollback`: the detectors of an installation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from models.commands import DATA, FILE, FOLDER, SIDE, need

if TYPE_CHECKING:
    from spotter.model_store import ModelStore

_STORE = click.option("--models", "folder", type=FOLDER, help="Their folder; by --config where left out.")
_CONFIG = click.option(
    "--config", type=FILE, default=Path("gym.yaml"), show_default=True, help="Settings that name the data folder."
)


@click.command(name="import")
@click.argument("file", type=FILE)
@click.option("--name", help="What to call it; made of the file's name where left out.")
@click.option("--size", type=SIDE, help="Input side of a checkpoint; 640, or 1280 for P6.")
@click.option("--data", type=DATA, help="A data.yaml to score it on.")
@click.option("--keep-names", is_flag=True, help="Do not rename classes as the catalogue calls them.")
@click.option("--replace", is_flag=True, help="Take the place of a model of the same name.")
@_STORE
@_CONFIG
def import_command(
    file: Path,
    name: str | None,
    size: int | None,
    data: Path | None,
    keep_names: bool,
    replace: bool,
    folder: Path | None,
    config: Path,
) -> None:
    """Take in a detector: a YOLOv5 or YOLOv5u checkpoint (.pt), or an ONNX file.

    A checkpoint is read without running anything that it holds. Classes get the catalogue's names where it knows
    them by another: rules and pages ask for those.
    """
    need("cpu", "cv2", "numpy", "onnxruntime", "supervision")
    import zipfile

    if file.is_file() and zipfile.is_zipfile(file):
        need("train", "onnx", "torch")
    from models.registry import Adoption, adopt, name_of
    from spotter.catalog import load as load_catalog

    store = _store(folder, config)
    wanted = Adoption(name or name_of(file), size, data, replace, keep_names)
    card = adopt(file, store, wanted)
    click.echo(f"{card.name}: {card.architecture}, {card.size} px, {len(card.labels)} classes: {_some(card.labels)}")
    renamed = [f"{before} → {after}" for before, after in zip(card.named, card.labels, strict=True) if before != after]
    if renamed:
        click.echo(f"names: {', '.join(renamed)}")
    unknown = [label for label in card.labels if load_catalog().get(label) is None]
    if unknown:
        click.echo(f"not in the catalogue, known by their names alone: {_some(tuple(unknown))}")
    click.echo(f"in {store.folder / card.name}; next: spotter model use {card.name}")


@click.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a model.")
@_STORE
@_CONFIG
def list_command(as_json: bool, folder: Path | None, config: Path) -> None:
    """Show the detectors: which there are, which is in use, what they scored."""
    from spotter.errors import WeightsError
    from spotter.model_store import SHIPPED

    store = _store(folder, config)
    in_use = store.in_use().model
    rows: list[dict[str, Any]] = [{"name": SHIPPED, "in_use": in_use == SHIPPED, "state": "ok"}]
    for name in store.names():
        row: dict[str, Any] = {"name": name, "in_use": name == in_use}
        try:
            card, scores = store.card(name), store.scores(name)
            row |= card.model_dump(mode="json") | {"state": "ok" if store.is_intact(name) else "changed since added"}
            row["scores"] = {k: v for k, v in scores.items() if k in ("data", "overall")} if scores else None
        except WeightsError as error:
            row["state"] = str(error)
        rows.append(row)
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    _print_list(rows)


@click.command()
@click.argument("name")
@_STORE
@_CONFIG
def use(name: str, folder: Path | None, config: Path) -> None:
    """Use the detector NAME (or `shipped`) from now on; a running pipeline takes it up within seconds."""
    need("cpu", "cv2", "numpy", "onnxruntime", "supervision")
    from models.registry import weights_of
    from spotter.detector import Detector
    from spotter.model_store import SHIPPED

    store = _store(folder, config)
    if name != SHIPPED:
        store.card(name)
    Detector(weights_of(store, name)).warm_up()  # what can't run here must not be handed to a pipeline
    store.use(name)
    click.echo(f"{name} is in use")
    _warn_of_settings(config)


@click.command()
@_STORE
@_CONFIG
def rollback(folder: Path | None, config: Path) -> None:
    """Go back to the detector that was in use before."""
    store = _store(folder, config)
    before = store.in_use().model
    click.echo(f"{store.roll_back()} is in use again instead of {before}")
    _warn_of_settings(config)


@click.command()
@click.argument("first")
@click.argument("second")
@click.option("--data", type=DATA, help="A data.yaml to score both on now; left out: the scores they were added with.")
@click.option("--json", "as_json", is_flag=True, help="Both scores as one JSON object.")
@_STORE
@_CONFIG
def compare(first: str, second: str, data: Path | None, as_json: bool, folder: Path | None, config: Path) -> None:
    """Set the scores of two detectors side by side: names, `shipped`, or ONNX files."""
    need("cpu", "cv2", "numpy", "onnxruntime", "supervision", "yaml")
    from models.registry import same_pictures, score, weights_of

    store = _store(folder, config)
    if data is not None:
        both = [score(weights_of(store, name), data) for name in (first, second)]
        measured = str(data)
    else:
        kept = [store.scores(name) for name in (first, second)]
        measured = same_pictures(*kept)
        both = [scores for scores in kept if scores is not None]
    if as_json:
        click.echo(json.dumps({"data": measured, first: both[0], second: both[1]}))
        return
    _print_comparison(first, second, both, measured)


def _store(folder: Path | None, config: Path) -> ModelStore:
    """The store in `folder`, or in the data folder of the settings, or in the default one without settings."""
    from spotter.model_store import FOLDER as MODELS
    from spotter.model_store import ModelStore
    from spotter.settings import Settings, load
    from spotter.weights import store_of

    if folder is not None:
        return ModelStore(folder)
    if config.is_file():
        return store_of(load(config))
    context = click.get_current_context()
    if context.get_parameter_source("config") is not click.core.ParameterSource.DEFAULT:
        load(config)  # says that it is not there
    return ModelStore(Path(str(Settings.model_fields["data"].default)) / MODELS)


def _warn_of_settings(config: Path) -> None:
    """A file named in the settings goes before whatever is chosen here."""
    from spotter.settings import load

    if config.is_file() and (model := load(config).model) is not None:
        click.echo(f"{config} names `model: {model}`, which goes before; take that line out", err=True)


def _some(labels: tuple[str, ...]) -> str:
    return ", ".join(labels[:10]) + (", …" if len(labels) > 10 else "")


def _print_list(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "model", "architecture", "input", "classes", "mAP50", "scored on", "added", "state")
    for row in rows:
        scores = row.get("scores") or {}
        overall = scores.get("overall", {}).get("mAP50")
        table.add_row(
            "▶" if row["in_use"] else "",
            row["name"],
            row.get("architecture", ""),
            f"{row['size']} px" if "size" in row else "",
            str(len(row["labels"])) if "labels" in row else "",
            "" if overall is None else f"{overall:.3f}",
            str(scores.get("data", "")),
            str(row.get("added", ""))[:10],
            row["state"],
        )
    Console().print(table)


def _print_comparison(first: str, second: str, both: list[dict[str, Any]], measured: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("class", "truths", first, second, "difference", title=f"mAP50 on {measured}")
    labels = list(dict.fromkeys([*both[0]["classes"], *both[1]["classes"]]))
    for label in [*labels, None]:
        scores = [one["overall"] if label is None else one["classes"].get(label) for one in both]
        values = [float(s["mAP50"]) for s in scores if s is not None]
        truths = next(s["truths"] for s in scores if s is not None)
        cells = ["" if s is None else f"{s['mAP50']:.3f}" for s in scores]
        change = f"{values[1] - values[0]:+.3f}" if len(values) == 2 else ""
        if label is None:
            table.add_section()
        table.add_row(label or "all", str(truths), *cells, change)
    Console().print(table)


COMMANDS = (import_command, list_command, use, compare, rollback)
