"""`spotter model export`."""

from __future__ import annotations

from pathlib import Path

import click

from models.commands import FILE, need


@click.command(name="export")
@click.argument("source", type=FILE)
@click.option("--out", type=FILE, required=True, help="The ONNX file to write.")
@click.option("--size", type=click.IntRange(64, 2048), default=640, show_default=True, help="Side in pixels.")
@click.option("--for", "engine", type=click.Choice(["onnx", "deepstream"]), default="onnx", show_default=True)
@click.option("--iou", type=click.FloatRange(0.05, 0.95), default=0.45, show_default=True, help="For deepstream only.")
def export_command(source: Path, out: Path, size: int, engine: str, iou: float) -> None:
    """Write SOURCE (a run's .pt, or an official one) as ONNX.

    With `--for deepstream`, SOURCE may be any YOLOv5 ONNX file, too: what is written has the tail that NVIDIA's stock
    parser reads.
    """
    if source.suffix != ".onnx":
        need("train", "numpy", "onnx", "torch")
        from models.export import export
        from models.networks import read_network

        export(read_network(source), out, size)
    elif engine == "onnx":
        raise click.UsageError(f"{source} is ONNX already; `--for deepstream` gives it DeepStream's tail")
    if engine == "deepstream":
        need("deepstream", "numpy", "onnx")
        from spotter.nvinfer_tail import add_tail

        add_tail(out if source.suffix != ".onnx" else source, out, iou)
    click.echo(f"{out} {out.stat().st_size} bytes", err=True)


COMMANDS = (export_command,)
