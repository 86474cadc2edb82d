"""`spotter model export`."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from models.commands import DATA, FILE, SIDE, need

if TYPE_CHECKING:
    from models.pixels import Pixels

MOST_COMPARED = 16
"""Pictures of --data that are compared: a second or two of work, and some dozens of boxes."""


@click.command(name="export")
@click.argument("source", type=FILE)
@click.option("--out", type=FILE, required=True, help="The ONNX file to write.")
@click.option("--size", type=SIDE, default=640, show_default=True, help="Side in pixels.")
@click.option("--data", type=DATA, help="A data.yaml: pictures to calibrate, to compare and to score on.")
@click.option("--int8", is_flag=True, help="Eight bits (Q/DQ), the head in float; needs --data or --calibration.")
@click.option("--calibration", type=FILE, help="A .npy array of pictures, such as calib_set.npy.")
@click.option("--engine", type=FILE, help="Build this TensorRT engine too, or print how where trtexec is missing.")
@click.option("--for", "target", type=click.Choice(["onnx", "deepstream"]), default="onnx", show_default=True)
@click.option("--iou", type=click.FloatRange(0.05, 0.95), default=0.45, show_default=True, help="For deepstream only.")
def export_command(
    source: Path,
    out: Path,
    size: int,
    data: Path | None,
    int8: bool,
    calibration: Path | None,
    engine: Path | None,
    target: str,
    iou: float,
) -> None:
    """Write SOURCE (a run's .pt, or an official one) as ONNX, once it is shown to equal the network on pictures.

    With --int8 or --for deepstream, SOURCE may be any YOLOv5 ONNX file, too; with the latter what is written has the
    tail that NVIDIA's stock parser reads. What is written is what was run on the pictures.
    """
    is_onnx = source.suffix.lower() == ".onnx"
    if is_onnx and not (int8 or engine or target == "deepstream"):
        raise click.UsageError(f"{source} is ONNX already; ask for --int8, --engine or --for deepstream")
    if int8 and data is None and calibration is None:
        raise click.UsageError("--int8 needs pictures to calibrate: --data DATA.yaml or --calibration FILE.npy")
    if calibration is not None and not int8:
        raise click.UsageError("--calibration is for --int8; leave it out or ask for both")
    need("cpu", "cv2", "numpy", "onnxruntime", "supervision")
    from models.delivery import deliver

    with tempfile.TemporaryDirectory(prefix="spotter-export-") as folder:
        made = _readable(source, Path(folder)) if is_onnx else _from_network(source, Path(folder), size, data)
        if int8:
            made = _to_int8(made, Path(folder), data, calibration)
        if target == "deepstream":
            made = _with_tail(made, Path(folder), data, iou)
        deliver(made, out)
    click.echo(f"{out} {out.stat().st_size} bytes", err=True)
    if engine is not None:
        from models.exporting import build_engine, engine_command

        if not build_engine(out, engine, size, int8):
            click.echo("trtexec is not installed here; on the machine with the NVIDIA card run:", err=True)
            click.echo(shlex.join(engine_command(out, engine, size, int8)))


def _readable(source: Path, folder: Path) -> Path:
    """An ONNX file in one piece; raises `WeightsError` for one that does not open."""
    from models.registry import in_one_file
    from spotter.detector import open_session

    whole = in_one_file(source, folder)
    open_session(whole)
    return whole


def _pictures(data: Path | None) -> list[Pixels]:
    """Pictures to compare on: of the data set, spread over it, or the demo's."""
    from models.exporting import demo_pictures
    from models.labels import DataError, read_data_set
    from models.pixels import read_pixels

    if data is None:
        return demo_pictures()
    content = read_data_set(data)
    samples = content.val or content.train
    if not samples:
        raise DataError(f"data set {data}: holds no pictures to compare on")
    return [read_pixels(sample.path) for sample in samples[:: max(1, -(-len(samples) // MOST_COMPARED))]]


def _from_network(source: Path, folder: Path, size: int, data: Path | None) -> Path:
    need("train", "onnx", "torch")
    from models.exporting import export_checked
    from models.networks import read_network

    made = folder / "float.onnx"
    same = export_checked(read_network(source), made, size, _pictures(data))
    click.echo(
        f"equals the network on {same.pictures} pictures: at most {same.box_px:.3f} px and {same.score:.5f} in score "
        f"apart over {same.rows} rows",
        err=True,
    )
    return made


def _to_int8(source: Path, folder: Path, data: Path | None, calibration: Path | None) -> Path:
    need("train", "onnx")
    from models.delivery import check_int8
    from models.labels import read_data_set
    from models.quantising import choose_calibration, measure_speed, planes_of, quantise, read_calibration
    from models.reports import evaluate_file
    from spotter.detector import Detector

    detector, out = Detector(source), folder / "int8.onnx"
    content = read_data_set(data) if data is not None else None
    if calibration is not None:
        planes = read_calibration(calibration, detector.size)
    else:
        assert content is not None
        planes = planes_of(choose_calibration(content.train or content.val, len(content.labels)), detector)
    count = quantise(source, out, planes)
    like = check_int8(out, source, _pictures(data))
    speed = measure_speed(source, out)
    click.echo(
        f"int8: calibrated on {count} pictures; {like.shared} of {like.boxes} sure boxes are those of the float file; "
        f"{speed.float_ms:.0f} ms became {speed.int8_ms:.0f} ms a picture here",
        err=True,
    )
    if data is not None and content is not None and any(len(sample.rows) for sample in content.val):
        before, after = (evaluate_file(data, path).scores for path in (source, out))
        click.echo(
            f"int8: mAP50 {before.map50:.3f} became {after.map50:.3f}, "
            f"mAP50-95 {before.map50_95:.3f} became {after.map50_95:.3f}",
            err=True,
        )
    return out


def _with_tail(source: Path, folder: Path, data: Path | None, iou: float) -> Path:
    need("deepstream", "onnx")
    from models.delivery import check_tail
    from spotter.nvinfer_tail import add_tail

    made = folder / "tail.onnx"
    add_tail(source, made, iou)
    pictures = _pictures(data)
    like = check_tail(made, source, iou, pictures)
    click.echo(f"the tail gives {like.shared} of {like.boxes} boxes on {len(pictures)} pictures", err=True)
    return made


COMMANDS = (export_command,)
