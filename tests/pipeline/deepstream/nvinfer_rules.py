"""What NVIDIA's nvinfer does around the network, written down in Python from its documented behaviour.

Letterbox (black, truncated, centred), the stock parser of batched-NMS outputs, thresholds, suppression within a class,
and the way back to the muxer's pixels with what that drops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from spotter.letterbox import Letterbox

MOST_PARSED = 201


@dataclass(frozen=True, slots=True)
class Parsed:
    """An object as a parser gives it: network pixels."""

    class_id: int
    score: float
    left: float
    top: float
    width: float
    height: float


def black_letterbox(image: NDArray[np.uint8], size: tuple[int, int]) -> tuple[NDArray[np.float32], Letterbox]:
    """A BGR picture as nvinfer prepares it: planar RGB, 0..1, and where it lies."""
    width, height = size
    source_height, source_width = image.shape[:2]
    scale = min(width / source_width, height / source_height)
    inner_width, inner_height = int(source_width * scale), int(source_height * scale)
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    canvas = np.zeros((height, width, 3), dtype=np.uint8)
    inner = canvas[top : top + inner_height, left : left + inner_width]
    inner[:] = cv2.resize(image, (inner_width, inner_height), interpolation=cv2.INTER_LINEAR)
    planes = canvas[..., ::-1].transpose(2, 0, 1).astype(np.float32) * np.float32(0.00392156862745098)
    return planes, Letterbox(scale, float(left), float(top), (source_width, source_height))


def parse_batched_nms(
    layers: Sequence[NDArray[np.generic]], size: tuple[int, int], thresholds: Sequence[float]
) -> list[Parsed]:
    """`NvDsInferParseCustomBatchedNMSTLT` on one picture's outputs: by place, the bytes of classes read as floats."""
    assert len(layers) == 4
    width, height = size
    count = int(np.ascontiguousarray(layers[0]).view(np.int32).reshape(-1)[0])
    boxes, scores, classes = (np.ascontiguousarray(layer).view(np.float32) for layer in layers[1:])
    boxes, scores, classes = boxes.reshape(-1, 4), scores.reshape(-1), classes.reshape(-1)
    found: list[Parsed] = []
    for index in range(count):
        if len(found) >= MOST_PARSED:
            break
        if scores[index] < thresholds[0]:
            continue
        class_id = int(classes[index])
        assert 0 <= class_id < len(thresholds)
        x1, y1, x2, y2 = (
            min(max(float(edge) * side, 0.0), side - 1.0)
            for edge, side in zip(boxes[index], (width, height, width, height), strict=True)
        )
        if x2 - x1 < 0 or y2 - y1 < 0:
            continue
        found.append(Parsed(class_id, float(scores[index]), x1, y1, x2 - x1, y2 - y1))
    return found


def cluster(found: Sequence[Parsed], thresholds: Sequence[float], iou: float, topk: int) -> list[Parsed]:
    """`cluster-mode=2`: each class by itself, best first."""
    kept: list[Parsed] = []
    for class_id, threshold in enumerate(thresholds):
        mine = sorted(
            (one for one in found if one.class_id == class_id and one.score >= threshold), key=lambda one: -one.score
        )
        stay: list[Parsed] = []
        for one in mine:
            if all(_iou(one, other) <= iou for other in stay):
                stay.append(one)
        kept += stay if topk < 0 else stay[:topk]
    return kept


def to_frame(one: Parsed, placed: Letterbox, *, crop: bool) -> tuple[float, float, float, float] | None:
    """Box (left, top, width, height) in the muxer's pixels, or None where nvinfer drops it."""
    width, height = placed.source
    left, top = (one.left - placed.pad_x) / placed.scale, (one.top - placed.pad_y) / placed.scale
    wide, high = one.width / placed.scale, one.height / placed.scale
    if crop:
        right, bottom = min(left + wide, width), min(top + high, height)
        left, top = max(left, 0.0), max(top, 0.0)
        return left, top, right - left, bottom - top
    left, top = max(left, 0.0), max(top, 0.0)
    if top + high > height:  # as its source has it: not clipped but dropped
        return None
    return left, top, wide, high


def thresholds_of(config: Mapping[str, Mapping[str, str]], classes: int) -> list[float]:
    """`pre-cluster-threshold` of every class in a written configuration."""
    common = config["class-attrs-all"]["pre-cluster-threshold"]
    return [
        float(config.get(f"class-attrs-{number}", {}).get("pre-cluster-threshold", common)) for number in range(classes)
    ]


def _iou(one: Parsed, other: Parsed) -> float:
    wide = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    high = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    both = max(wide, 0.0) * max(high, 0.0)
    either = one.width * one.height + other.width * other.height - both
    return both / either if either > 0 else 0.0
