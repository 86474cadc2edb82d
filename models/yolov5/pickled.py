"""The names that YOLOv5's checkpoints use in their pickle: which are storages, which are stood in for, which build."""

from __future__ import annotations

import numpy as np

STORAGES: dict[str, type[np.generic]] = {
    "torch DoubleStorage": np.float64,
    "torch FloatStorage": np.float32,
    "torch HalfStorage": np.float16,
    "torch LongStorage": np.int64,
    "torch IntStorage": np.int32,
    "torch BoolStorage": np.bool_,
}

INERT = frozenset(
    {
        *(f"models.common {n}" for n in ("Bottleneck", "C3", "Concat", "Conv", "Focus", "SPP", "SPPF")),
        *(f"models.yolo {n}" for n in ("Detect", "DetectionModel", "Model")),
        # YOLOv5u, by Ultralytics' package, whose modules moved over the years.
        *(f"ultralytics.nn.modules.block {n}" for n in ("Bottleneck", "C3", "DFL", "SPPF")),
        *(f"ultralytics.nn.modules.conv {n}" for n in ("Concat", "Conv")),
        *(f"ultralytics.nn.modules {n}" for n in ("Bottleneck", "C3", "Concat", "Conv", "DFL", "Detect", "SPPF")),
        "ultralytics.nn.modules.head Detect",
        "ultralytics.nn.tasks DetectionModel",
        *(f"ultralytics.{n} IterableSimpleNamespace" for n in ("utils", "yolo.utils")),
        *(f"ultralytics.{n} v8DetectionLoss" for n in ("utils.loss",)),
        *(f"ultralytics.utils.loss {n}" for n in ("BboxLoss", "DFLoss")),
        "ultralytics.utils.tal TaskAlignedAssigner",
        "torch.nn.modules.activation SiLU",
        "torch.nn.modules.batchnorm BatchNorm2d",
        "torch.nn.modules.container ModuleList",
        "torch.nn.modules.container Sequential",
        "torch.nn.modules.conv Conv2d",
        "torch.nn.modules.linear Identity",
        "torch.nn.modules.loss BCEWithLogitsLoss",
        "torch.nn.modules.pooling MaxPool2d",
        "torch.nn.modules.upsampling Upsample",
        "torch Size",
        "torch device",
        # What training leaves beside the model when it was interrupted: scores so far and options.
        *(f"{n} _reconstruct" for n in ("numpy.core.multiarray", "numpy._core.multiarray")),
        *(f"{n} scalar" for n in ("numpy.core.multiarray", "numpy._core.multiarray")),
        "numpy ndarray",
        "numpy dtype",
        "_codecs encode",
        *(f"pathlib {n}" for n in ("Path", "PosixPath", "PurePosixPath", "PureWindowsPath", "WindowsPath")),
        "pathlib._local PosixPath",
        "argparse Namespace",
    }
)
"""Replaced by objects that keep what they are given and do nothing."""

BUILDERS = frozenset(
    {
        "__builtin__ set",
        "builtins set",
        "collections OrderedDict",
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_parameter",
    }
)

KNOWN = INERT | BUILDERS | frozenset(STORAGES)

TELLING: tuple[tuple[str, str], ...] = (
    ("SegmentationModel", "a segmentation model"),
    ("ClassificationModel", "a classification model"),
    ("PoseModel", "a pose model"),
    ("OBBModel", "a model for turned boxes"),
    ("RTDETR", "an RT-DETR model"),
    ("Ghost", "YOLOv5 with ghost layers"),
    ("TransformerBlock", "YOLOv5 with transformer layers"),
    ("BottleneckCSP", "YOLOv5 of release 3 or older"),
    ("LeakyReLU", "YOLOv5 with another activation than SiLU"),
    ("Hardswish", "YOLOv5 with another activation than SiLU"),
    ("C2f", "YOLOv8 or newer, not YOLOv5"),
    ("C3k2", "YOLO11 or newer, not YOLOv5"),
)
"""What a name says about the file, by a part of it."""


def meaning(name: str) -> str | None:
    """What a file that uses `name` holds, where that is known."""
    return next((what for part, what in TELLING if part in name), None)
