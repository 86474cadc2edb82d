"""From a checkpoint to the file that is deployed: proven against the network, then moved in place; TensorRT."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.pixels import Pixels
from spotter.detector import Detector
from spotter.errors import SpotterError

if TYPE_CHECKING:
    from models.yolov5.network import YoloV5

BOX_TOLERANCE_PX = 1.0
SCORE_TOLERANCE = 0.01
"""Between torch and ONNX Runtime, both in 32-bit: far above rounding, far below what a threshold notices."""

COMPARED_FROM = 0.05
"""Objectness, or best class score where there is none, from which rows are compared: below it nothing is shown."""

DEMO_FRAME = 30
BATCHES = (1, 4, 16)
"""Least, usual and most pictures at once that an engine is built for."""


class ExportError(SpotterError):
    """An export failed, or gives other results than the network it came from."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far an ONNX file is from its network over some pictures."""

    pictures: int
    rows: int
    box_px: float
    """Largest difference of a corner, width or height, in pixels of the network's input."""
    score: float
    """Largest difference of a score."""


def export_checked(network: YoloV5, out: Path, size: int, pictures: Sequence[Pixels]) -> Agreement:
    """Write `network` as float ONNX to `out`, after comparing it with the network on BGR `pictures`.

    Raises `ExportError`, and leaves what stood at `out` as it was, where the two differ.
    """
    from models.export import export  # here: what begins with an ONNX file needs no torch

    with tempfile.TemporaryDirectory(prefix="spotter-export-") as folder:
        made = Path(folder) / "model.onnx"
        export(network, made, size)
        agreement = compare_with_network(network, made, pictures)
        if agreement.box_px > BOX_TOLERANCE_PX or agreement.score > SCORE_TOLERANCE:
            raise ExportError(
                f"export {out}: differs from the network by {agreement.box_px:.2f} px and {agreement.score:.3f} in "
                f"score over {agreement.pictures} pictures; nothing was written; report this with your torch version"
            )
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(made, out)
    return agreement


def compare_with_network(network: YoloV5, path: Path, pictures: Sequence[Pixels]) -> Agreement:
    """Rows of the raw output side by side, one picture at a time and then all in one batch."""
    import torch

    detector = Detector(path, providers=["CPUExecutionProvider"])
    planes = np.stack([detector.preprocess(image)[0] for image in pictures])
    with torch.no_grad():
        wanted = np.concatenate([network.eval()(torch.from_numpy(one[None])).numpy() for one in planes])
    if detector.layout == "no_objectness":
        wanted = wanted.transpose(0, 2, 1)
    rows, box_px, score = 0, 0.0, 0.0
    for given in (np.concatenate([detector.infer(one[None]) for one in planes]), detector.infer(planes)):
        if detector.layout == "no_objectness":
            given = given.transpose(0, 2, 1)
        seen = np.maximum(_likely(given, detector), _likely(wanted, detector)) > COMPARED_FROM
        rows = int(seen.sum())
        difference = np.abs(given[seen] - wanted[seen])
        box_px = max(box_px, float(difference[:, :4].max(initial=0)))
        score = max(score, float(difference[:, 4:].max(initial=0)))
    return Agreement(len(pictures), rows, box_px, score)


def _likely(rows: NDArray[np.float32], detector: Detector) -> NDArray[np.float32]:
    """How likely something is in each row `[B, N, …]`: its objectness, or its best class score."""
    likely: NDArray[np.float32] = rows[..., 4] if detector.layout == "classic" else rows[..., 4:].max(-1)
    return likely


def engine_command(onnx: Path, engine: Path, size: int, int8: bool) -> list[str]:
    """The call of NVIDIA's `trtexec` that builds a TensorRT engine for one to sixteen pictures at once.

    `size` is for sides that the file leaves open. A file with a fixed batch is built for that one.
    """
    name, (batch, height, width) = _input_of(onnx)
    batches = (batch,) * len(BATCHES) if batch else BATCHES
    shapes = [f"{name}:{count}x3x{height or size}x{width or size}" for count in batches]
    command = ["trtexec", f"--onnx={onnx}", f"--saveEngine={engine}"]
    if not (batch and height and width):  # trtexec refuses shapes where none is open
        command += [f"--{which}Shapes={shape}" for which, shape in zip(("min", "opt", "max"), shapes, strict=True)]
    return [*command, "--fp16", *(["--int8"] if int8 else [])]


def _input_of(path: Path) -> tuple[str, tuple[int, int, int]]:
    """Name, batch, height and width of an ONNX file's input; 0 for what it leaves open."""
    import onnx

    try:
        graph = onnx.load(str(path), load_external_data=False).graph
    except Exception as error:  # noqa: BLE001 - protobuf's errors share no base that is part of its API
        raise ExportError(f"engine: {path} is not a readable ONNX file ({type(error).__name__})") from None
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [one for one in graph.input if one.name not in weights]
    sides = [dim.dim_value for dim in inputs[0].type.tensor_type.shape.dim] if len(inputs) == 1 else []
    if len(sides) != 4:
        raise ExportError(f"engine: {path} has not one input of [batch, 3, height, width]")
    return inputs[0].name, (sides[0], sides[2], sides[3])


def build_engine(onnx: Path, engine: Path, size: int, int8: bool) -> bool:
    """Build an engine where `trtexec` is installed; False where it isn't. Raises `ExportError` where it fails."""
    command = engine_command(onnx, engine, size, int8)
    if shutil.which(command[0]) is None:
        return False
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not engine.is_file():
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no message"]
        raise ExportError(f"engine {engine}: trtexec failed ({last[0]}); run it yourself: {' '.join(command)}")
    return True


def demo_pictures(count: int = 3) -> list[Pixels]:
    """Frames of the bundled footage: pictures to compare on where no others are given."""
    import importlib.util

    from models.video import Video

    spec = importlib.util.find_spec("spotter")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    clips = sorted(clip for folder in folders for clip in (Path(folder) / "demo").glob("*.mp4"))[:count]
    if not clips:
        raise ExportError("export: the demo's footage is not installed; give real pictures with --data DATA.yaml")
    return [frame.image for clip in clips for frame in Video(clip).frames_at(DEMO_FRAME.__eq__, stop=DEMO_FRAME)]
