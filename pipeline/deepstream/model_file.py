"""The model as nvinfer needs it: with the tail, in a folder of its own for every kind of GPU and TensorRT."""

from __future__ import annotations

import ast
import ctypes
import hashlib
import json
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from spotter.class_names import class_names
from spotter.errors import MissingExtraError, WeightsError
from spotter.settings import Settings
from spotter.weights import weights_in_use

_TEGRA_MODEL = Path("/proc/device-tree/model")
_TEGRA_SIGNS = (Path("/etc/nv_tegra_release"), Path("/dev/nvmap"), Path("/sys/module/tegra_fuse"))  # some in containers
_TENSORRT_LIBRARIES = ("libnvinfer.so.10", "libnvinfer.so.11", "libnvinfer.so.8", "libnvinfer.so")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """An ONNX file with the tail, and what it says of itself."""

    path: Path
    labels: tuple[str, ...]
    width: int
    height: int
    quantised: bool
    """Whether it has Q/DQ nodes."""

    def engine(self, settings: Settings) -> Path:
        """Where nvinfer keeps its engine: the name that it gives one itself, so that what it builds is found again."""
        own = settings.deepstream
        return self.path.with_name(f"{self.path.name}_b{own.max_cameras}_gpu{own.gpu}_{own.precision}.engine")

    def trtexec(self, settings: Settings) -> list[str]:
        """The command that builds an INT8 engine: nvinfer itself can't, from Q/DQ nodes."""
        shape = f"images:{{}}x3x{self.height}x{self.width}"
        batch = settings.deepstream.max_cameras
        return [
            "trtexec",
            f"--onnx={self.path}",
            "--int8",
            "--fp16",
            f"--minShapes={shape.format(1)}",
            f"--optShapes={shape.format(batch)}",
            f"--maxShapes={shape.format(batch)}",
            f"--saveEngine={self.engine(settings)}",
        ]


def engine_folder(settings: Settings) -> Path:
    """Where engines of this machine are kept: one that was built on another GPU or TensorRT does not load."""
    root = settings.deepstream.engines or settings.data / "engines"
    gpu = _slug(gpu_name(settings.deepstream.gpu) or "unknown-gpu")
    return root / f"{gpu}-trt{tensorrt_version() or '0'}"


def prepare(settings: Settings) -> ModelFile:
    """Put the settings' model, with the tail, into the engine folder. Raises SpotterError with the mend.

    A file that is there already, from the same model and overlap, is left alone, and so is its engine.
    """
    try:
        from spotter.nvinfer_tail import MARK
    except ModuleNotFoundError as error:
        raise MissingExtraError("engine: deepstream", "deepstream") from error
    source = weights_in_use(settings)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:8]
    iou = f"{settings.detector.iou:g}"
    target = engine_folder(settings) / f"{source.stem}-{digest}-iou{iou}.onnx"
    if not target.is_file():
        _write(source, target, settings.detector.iou)
    model = read(target)
    stated = _properties(target).get(MARK)
    if stated != iou:
        raise WeightsError(
            f"weights {source}: made with `--iou {stated}`, but `detector.iou` is {iou}; export it with `--iou {iou}`"
        )
    if settings.deepstream.precision == "int8" and not model.quantised:
        raise WeightsError(f"weights {source}: it has no Q/DQ nodes; INT8 needs them, or set `precision: fp16`")
    if model.quantised and settings.deepstream.precision != "int8":
        raise WeightsError(f"weights {source}: it has Q/DQ nodes; set `deepstream: {{precision: int8}}`")
    return model


def _write(source: Path, target: Path, iou: float) -> None:
    from spotter.nvinfer_tail import MARK, add_tail

    part = target.with_suffix(".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if MARK in _properties(source):
            part.write_bytes(source.read_bytes())
        else:
            add_tail(source, part, iou)
        part.replace(target)
    except OSError as error:
        raise WeightsError(
            f"engine folder {target.parent}: can't be written ({error.strerror}); mount it writable, or name another "
            "with `deepstream: {engines: …}`"
        ) from None


def read(path: Path) -> ModelFile:
    """What a file with the tail says of itself. Raises WeightsError."""
    import onnx

    model = onnx.load(str(path))
    properties = {one.key: one.value for one in model.metadata_props}
    names = _names(properties.get("names", ""))
    if not names:
        raise WeightsError(f"weights {path}: its metadata has no `names`; export it with `spotter model export`")
    height, width = (one.dim_value for one in model.graph.input[0].type.tensor_type.shape.dim[2:])
    quantised = any(node.op_type == "QuantizeLinear" for node in model.graph.node)
    return ModelFile(path, names, width, height, quantised)


def gpu_name(number: int = 0) -> str | None:
    """What the GPU calls itself: a Jetson by its board, others by nvidia-smi; None where there is none."""
    if _TEGRA_MODEL.is_file():
        text = _TEGRA_MODEL.read_text(encoding="ascii", errors="replace").strip("\0\n ")
        if "NVIDIA" in text or "Jetson" in text:
            return text
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader", f"--id={number}"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


def is_jetson() -> bool:
    """Whether the GPU shares the processor's memory, as on Jetson."""
    return platform.machine() == "aarch64" and any(path.exists() for path in _TEGRA_SIGNS)


def tensorrt_version() -> str | None:
    """The installed TensorRT's version, such as 10.3.0; None where there is none."""
    for name in _TENSORRT_LIBRARIES:
        try:
            number = int(ctypes.CDLL(name).getInferLibVersion())
        except (OSError, AttributeError):
            continue
        return _version(number)
    return None


def _version(number: int) -> str:
    """TensorRT 10 counts in ten thousands, older ones in thousands."""
    major = 10_000 if number >= 100_000 else 1_000
    return f"{number // major}.{number % major // 100}.{number % 100}"


def _properties(path: Path) -> dict[str, str]:
    import onnx

    return {one.key: one.value for one in onnx.load(str(path), load_external_data=False).metadata_props}


def _names(text: str) -> tuple[str, ...]:
    """A JSON list (ours), or a Python dict or list (YOLOv5's exports)."""
    for read_text in (json.loads, ast.literal_eval):
        try:
            names = class_names(read_text(text))
        except (ValueError, SyntaxError):
            continue
        return names
    return ()


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
