"""`spotter model export`."""

from __future__ import annotations

from pathlib import Path

import click

from models.commands import FILE, need


@click.command(name="export")
@click.argument("checkpoint", type=FILE)
@click.option("--out", type=FILE, required=True, help="The ONNX file to write.")
@click.option("--size", type=click.IntRange(64, 2048), default=640, show_default=True, help="Side in pixels.")
def export_command(checkpoint: Path, out: Path, size: int) -> None:
    """Write CHECKPOINT (a run's .pt, or an official one) as ONNX."""
    need("train", "numpy", "onnx", "torch")
    from models.export import export
    from models.runs import read_network

    export(read_network(checkpoint), out, size)
    click.echo(f"{out} {out.stat().st_size} bytes", err=True)


COMMANDS = (export_command,)
