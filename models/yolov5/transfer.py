"""Starts a detector for new labels from the official COCO weights, without unlearning what they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from models.yolov5.anchor_free import YoloV5u
from models.yolov5.checkpoint import CheckpointError
from models.yolov5.network import BOX_ROWS, STRIDES, YoloV5

SPORTS_BALL = "sports ball"
BALLS = frozenset({"med_ball", "lacrosse_ball", "aqua_ball", "exercise_ball"})
COCO_START: Mapping[str, str] = {"person": "person", **dict.fromkeys(sorted(BALLS), SPORTS_BALL)}
"""Which COCO class a gym label's head rows begin as; the others begin near zero with a low prior."""

NEW_CLASS_BIAS = -4.0  # a score of 2 %: rare, but within reach of the gradient


def transfer(start: YoloV5, labels: Sequence[str], seed: int = 0) -> YoloV5:
    """A network for `labels` with every weight of `start` except class rows that `start` has no counterpart for."""
    if isinstance(start, YoloV5u) or start.head.strides != STRIDES:
        raise CheckpointError("training starts from a classic YOLOv5 with three strides (n, s, m, l, x), not P6 or u")
    network = YoloV5(labels, start.variant)
    state = {k: v for k, v in start.state_dict().items() if not k.startswith(f"model.{len(start.model) - 1}.m.")}
    network.load_state_dict(state, strict=False)
    generator = torch.Generator().manual_seed(seed)
    sources = [_source_row(start, label) for label in labels]
    for new, old in zip(network.head.m, start.head.m, strict=True):
        assert isinstance(new, nn.Conv2d)
        assert isinstance(old, nn.Conv2d)
        _copy_rows(new, old, sources, generator)
    return network


def _source_row(start: YoloV5, label: str) -> int | None:
    """The class number in `start` that `label` begins as."""
    for name in (label, COCO_START.get(label)):
        if name in start.labels:
            return start.labels.index(name)
    return None


@torch.no_grad()
def _copy_rows(new: nn.Conv2d, old: nn.Conv2d, sources: Sequence[int | None], generator: torch.Generator) -> None:
    assert new.bias is not None
    assert old.bias is not None
    anchors = 3
    weight = old.weight.view(anchors, -1, *old.weight.shape[1:])
    bias = old.bias.view(anchors, -1)
    rows: list[Tensor] = [weight[:, :BOX_ROWS]]
    biases: list[Tensor] = [bias[:, :BOX_ROWS]]
    for source in sources:
        if source is None:
            shape = (anchors, 1, *old.weight.shape[1:])
            rows.append(torch.randn(shape, generator=generator) * 0.01)
            biases.append(torch.full((anchors, 1), NEW_CLASS_BIAS))
        else:
            rows.append(weight[:, BOX_ROWS + source : BOX_ROWS + source + 1])
            biases.append(bias[:, BOX_ROWS + source : BOX_ROWS + source + 1])
    new.weight.copy_(torch.cat(rows, 1).flatten(0, 1))
    new.bias.copy_(torch.cat(biases, 1).flatten())
