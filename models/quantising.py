"""INT8: explicit static quantisation (Q/DQ nodes) of a float ONNX detector, its head left in float.

Symmetric signed 8 bits for activations, per-channel for weights: what TensorRT's explicit quantisation reads, and
what ONNX Runtime runs too. The last convolutions and all that decodes boxes stay in float: eight bits for a coordinate
of up to 640 pixels would round boxes to two or three pixels.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from models.exporting import ExportError
from models.labels import Sample
from models.pixels import read_pixels
from spotter.detector import Detector

CALIBRATION_PICTURES = 64
"""Activations' ranges settle within a few dozen pictures; more cost minutes and change the third digit."""

TIMED_RUNS = 20


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds a picture, one at a time, through ONNX Runtime on this machine: the median of 20 runs."""

    float_ms: float
    int8_ms: float


def choose_calibration(samples: Sequence[Sample], classes: int, most: int = CALIBRATION_PICTURES) -> list[Sample]:
    """Up to `most` samples: by turns one that shows the class seen least so far, then others spread evenly."""
    left = list(range(len(samples)))
    seen = np.zeros(classes, dtype=np.int64)
    chosen: list[int] = []
    while left and len(chosen) < min(most, len(samples)):
        holding = [[i for i in left if (samples[i].rows[:, 0] == c).any()] for c in range(classes)]
        wanted = [c for c in np.argsort(seen, kind="stable") if holding[c]]
        pick = holding[wanted[0]][0] if wanted else left[len(left) // 2]
        left.remove(pick)
        chosen.append(pick)
        for c in set(samples[pick].rows[:, 0].astype(int)):
            seen[c] += 1
    return [samples[i] for i in sorted(chosen)]


def planes_of(samples: Sequence[Sample], detector: Detector) -> Iterator[NDArray[np.float32]]:
    """Each picture as the network's input `[1, 3, S, S]`."""
    for sample in samples:
        yield detector.preprocess(read_pixels(sample.path))[0][None]


def read_calibration(path: Path, size: int) -> Iterator[NDArray[np.float32]]:
    """A calibration array from a file such as `calib_set.npy`, one picture at a time as `[1, 3, S, S]`.

    `[N, 3, S, S]` or `[N, S, S, 3]`, RGB; bytes, or floats in 0..1 or 0..255. Raises `ExportError` for another file.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise ExportError(f"calibration {path}: no such file; give a .npy array or a data.yaml") from None
    except (OSError, ValueError, EOFError) as error:
        raise ExportError(f"calibration {path}: not a .npy array ({str(error).splitlines()[0]})") from None
    first = array.shape[1:] == (3, size, size)
    if array.ndim != 4 or not len(array) or not (first or array.shape[1:] == (size, size, 3)):
        raise ExportError(
            f"calibration {path}: its shape {array.shape} is neither [N, 3, {size}, {size}] nor [N, {size}, {size}, 3]"
        )
    unit = array.dtype != np.uint8 and float(array[0].max()) <= 1.0
    for one in array:
        planes = np.asarray(one if first else one.transpose(2, 0, 1), dtype=np.float32)
        scaled = planes if unit else planes / np.float32(255)
        yield np.ascontiguousarray(scaled, dtype=np.float32)[None]


def quantise(source: Path, out: Path, calibration: Iterator[NDArray[np.float32]]) -> int:
    """Write `source` (float ONNX) as INT8 to `out`; returns how many pictures calibrated it."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Hands ONNX Runtime one picture after another."""

        def __init__(self, name: str) -> None:
            self.name, self.count = name, 0

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            planes = next(calibration, None)
            if planes is None:
                return None
            self.count += 1
            return {self.name: planes}

    with tempfile.TemporaryDirectory(prefix="spotter-int8-") as folder:
        prepared, made = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        model = onnx.load(str(prepared))
        reader = Reader(model.graph.input[0].name)
        quantize_static(
            str(prepared),
            str(made),
            reader,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=last_convolutions(model),
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True},
        )
        result = onnx.load(str(made))
        properties = {p.key: p.value for p in onnx.load(str(source)).metadata_props}
        properties |= {"precision": "int8, head float", "calibration": f"{reader.count} pictures"}
        onnx.helper.set_model_props(result, properties)
        onnx.checker.check_model(result)
        out.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(result, str(out))
    return reader.count


def last_convolutions(model: onnx.ModelProto) -> list[str]:
    """Names of the convolutions that no other follows: the head's."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    before_convolution: dict[str, bool] = {}
    for node in reversed(model.graph.node):  # ONNX lists nodes in order, so what follows is known already
        after = [reader for name in node.output for reader in readers.get(name, [])]
        before_convolution[node.name] = any(n.op_type == "Conv" or before_convolution[n.name] for n in after)
    return [n.name for n in model.graph.node if n.op_type == "Conv" and not before_convolution[n.name]]


def measure_speed(float_path: Path, int8_path: Path, threads: int | None = None) -> Speed:
    """Both by turns on the same input, so that other work on the machine slows both."""
    detectors = [Detector(path, threads=threads) for path in (float_path, int8_path)]
    times: list[list[float]] = [[], []]
    for detector in detectors:
        detector.warm_up()
    for _ in range(TIMED_RUNS):
        for detector, taken in zip(detectors, times, strict=True):
            begin = time.perf_counter()
            detector.warm_up()
            taken.append((time.perf_counter() - begin) * 1000)
    return Speed(*(float(np.median(taken)) for taken in times))
