"""`spotter model export`."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path

import click

from models.commands import FILE, need


@click.command(name="export")
@click.argument("source", type=FILE)
@click.option("--out", type=FILE, required=True, help="The ONNX file to write.")
@click.option("--size", type=click.IntRange(64, 2048), default=640, show_default=True, help="Side in pixels.")
@click.option("--data", type=FILE, help="A data.yaml: pictures to calibrate, to compare and to score on.")
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
    tail that NVIDIA's stock parser reads.
    """
    if source.suffix == ".onnx" and not (int8 or engine or target == "deepstream"):
        raise click.UsageError(f"{source} is ONNX already; ask for --int8, --engine or --for deepstream")
    if int8 and data is None and calibration is None:
        raise click.UsageError("--int8 needs pictures to calibrate: --data DATA.yaml or --calibration FILE.npy")
    if calibration is not None and not int8:
        raise click.UsageError("--calibration is for --int8; leave it out or ask for both")
    with tempfile.TemporaryDirectory(prefix="spotter-export-") as folder:
        plain = source
        if source.suffix != ".onnx":
            plain = Path(folder) / "float.onnx"
            _from_network(source, plain, size, data)
        if int8:
            small = Path(folder) / "int8.onnx"
            _to_int8(plain, small, data, calibration)
            plain = small
        _deliver(plain, out, target, iou)
    click.echo(f"{out} {out.stat().st_size} bytes", err=True)
    if engine is not None:
        from models.exporting import build_engine, engine_command

        if not build_engine(out, engine, size, int8):
            click.echo("trtexec is not installed here; on the machine with the NVIDIA card run:", err=True)
            click.echo(shlex.join(engine_command(out, engine, size, int8)))


def _from_network(source: Path, out: Path, size: int, data: Path | None) -> None:
    need("train", "cv2", "numpy", "onnx", "onnxruntime", "supervision", "torch")
    from models.exporting import demo_pictures, export_checked
    from models.labels import read_data_set
    from models.networks import read_network
    from models.pixels import read_pixels

    network = read_network(source)
    samples = read_data_set(data) if data is not None else None
    few = [read_pixels(s.path) for s in (samples.val or samples.train)[:8]] if samples else demo_pictures()
    same = export_checked(network, out, size, few)
    click.echo(
        f"equals the network on {same.pictures} pictures: at most {same.box_px:.3f} px and {same.score:.5f} in score "
        f"apart over {same.rows} rows",
        err=True,
    )


def _to_int8(source: Path, out: Path, data: Path | None, calibration: Path | None) -> None:
    need("train", "cv2", "numpy", "onnx", "onnxruntime", "supervision")
    from models.labels import read_data_set
    from models.quantising import choose_calibration, measure_speed, planes_of, quantise, read_calibration
    from models.reports import evaluate_file
    from spotter.detector import Detector

    detector = Detector(source)
    if calibration is not None:
        planes = read_calibration(calibration, detector.size)
    else:
        assert data is not None
        content = read_data_set(data)
        planes = planes_of(choose_calibration(content.train or content.val, len(content.labels)), detector)
    count = quantise(source, out, planes)
    speed = measure_speed(source, out)
    click.echo(
        f"int8: calibrated on {count} pictures; {speed.float_ms:.0f} ms became {speed.int8_ms:.0f} ms a picture here",
        err=True,
    )
    if data is not None:
        before, after = (evaluate_file(data, path).scores for path in (source, out))
        click.echo(
            f"int8: mAP50 {before.map50:.3f} became {after.map50:.3f}, "
            f"mAP50-95 {before.map50_95:.3f} became {after.map50_95:.3f}",
            err=True,
        )


def _deliver(made: Path, out: Path, target: str, iou: float) -> None:
    """Copy what was made to `out`, with DeepStream's tail where that is asked for."""
    if target == "deepstream":
        need("deepstream", "numpy", "onnx")
        from spotter.nvinfer_tail import add_tail

        add_tail(made, out, iou)
    elif made.resolve() != out.resolve():
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(made.read_bytes())


COMMANDS = (export_command,)
