"""Scores a detector on labelled pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from models.labels import Sample
from models.metrics import Found, Scores, Truth, score
from models.pixels import Pixels, read_pixels
from spotter.detector import Detector, select
from spotter.letterbox import letterbox

if TYPE_CHECKING:
    from models.yolov5.network import YoloV5

CONFIDENCE = 0.01  # average precision wants the whole curve; below this lies only noise
IOU = 0.6  # of non-maximum suppression: the threshold the reference numbers were made with


def truth_of(sample: Sample, width: int, height: int) -> Truth:
    """A sample's rows as boxes in pixels."""
    centre, half = sample.rows[:, 1:3], sample.rows[:, 3:] / 2
    boxes = np.concatenate((centre - half, centre + half), 1) * np.array([width, height, width, height])
    return Truth(boxes.astype(np.float32), sample.rows[:, 0].astype(np.int64))


def finder(detector: Detector, labels: Sequence[str]) -> Callable[[Pixels], Found]:
    """What a detector finds in a BGR picture; its classes are matched to `labels` by name, others left out."""
    order = np.array([labels.index(n) if n in labels else -1 for n in detector.labels], dtype=np.int64)

    def find(image: Pixels) -> Found:
        d = detector.detect([image])[0]
        assert d.class_id is not None
        assert d.confidence is not None
        classes = order[d.class_id]
        known = classes >= 0
        return Found(d.xyxy[known], d.confidence[known], classes[known])

    return find


def network_finder(network: YoloV5, size: int = 640) -> Callable[[Pixels], Found]:
    """What a torch network finds in a BGR picture, by the same steps as the ONNX detector."""
    import torch

    network.eval()
    device = next(network.parameters()).device

    def find(image: Pixels) -> Found:
        boxed, placed = letterbox(image, size)
        planes = np.ascontiguousarray(boxed[:, :, ::-1].transpose(2, 0, 1), dtype=np.float32) / 255
        with torch.no_grad():
            raw = network(torch.from_numpy(planes)[None].to(device))[0].float().cpu().numpy()
        boxes, scores, classes = select(raw, "classic", confidence=CONFIDENCE, iou=IOU, max_detections=300)
        return Found(placed.to_source(boxes), scores, classes)

    return find


def look(
    find: Callable[[Pixels], Found], samples: Sequence[Sample], progress: Callable[[], None] | None = None
) -> tuple[list[Found], list[Truth]]:
    """What is found in the samples' pictures, and what is there."""
    found, truths = [], []
    for sample in samples:
        image = read_pixels(sample.path)
        found.append(find(image))
        truths.append(truth_of(sample, image.shape[1], image.shape[0]))
        if progress is not None:
            progress()
    return found, truths


def evaluate_network(network: YoloV5, samples: Sequence[Sample], size: int = 640) -> Scores:
    """Scores of a torch network during training."""
    return score(*look(network_finder(network, size), samples), network.labels)
