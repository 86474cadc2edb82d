"""Writes a trained network as ONNX, with what a reader needs to know in its metadata."""

from __future__ import annotations

import copy
import json
import warnings
from datetime import datetime, timezone
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from models.yolov5.anchor_free import YoloV5u
from models.yolov5.network import STRIDES, STRIDES_P6, YoloV5
from spotter.errors import SettingsError

OPSET = 17  # onnxruntime 1.14 and TensorRT 8.6 read it
LICENCE = "AGPL-3.0-only"


class _Decoded(nn.Module):
    """The network with its decoding, as one module for the exporter."""

    def __init__(self, network: YoloV5) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        decoded: Tensor = self.network(images)
        return decoded


def export(network: YoloV5, path: Path, size: int = 640) -> None:
    """Write `network` to `path`: float32, any batch, input `[batch, 3, size, size]`, output `[batch, N, 5 + C]`.

    Raises `SettingsError` for a size that is no multiple of the network's stride.
    """
    stride = _stride(network)
    if size % stride:
        lower = max(stride, size // stride * stride)
        raise SettingsError(
            f"export {path.name}: YOLOv5{network.variant} takes multiples of {stride} pixels, not {size}; "
            f"give {lower} or {lower + stride}"
        )
    fused = copy.deepcopy(network).eval().fuse()
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracing exporter calls itself old, and loops over constants risky
        torch.onnx.export(
            _Decoded(fused),
            (torch.zeros(1, 3, size, size),),
            str(path),
            input_names=["images"],
            output_names=["output"],
            dynamic_axes={"images": {0: "batch"}, "output": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, _metadata(network, size))
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _stride(network: YoloV5) -> int:
    return max(STRIDES_P6 if network.variant.endswith("6") else STRIDES)


def _metadata(network: YoloV5, size: int) -> dict[str, str]:
    anchor_free = isinstance(network, YoloV5u)
    today = datetime.now(timezone.utc).date().isoformat()
    return {
        "names": json.dumps(list(network.labels)),
        "size": str(size),
        "stride": str(_stride(network)),
        "normalisation": "RGB, divided by 255; letterbox with grey 114",
        "architecture": f"YOLOv5{network.variant}{'u' if anchor_free else ''}",
        "layout": "no_objectness" if anchor_free else "classic",
        "license": LICENCE,
        "source": network.source,
        **({"trained": network.trained} if network.trained else {"exported": today}),
    }
