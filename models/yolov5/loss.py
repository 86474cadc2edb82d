"""YOLOv5's training loss, and the distillation that keeps what the start weights knew about some classes.

An anchor answers for a box where neither side differs by more than a factor of four, from the cell that holds the
box's centre and the two nearest neighbours of that cell. Box: complete IoU (Zheng et al. 2020). Objectness and
classes: binary cross-entropy, with the measured IoU as the objectness that is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.yolov5.network import STRIDES, Detect

ANCHOR_RATIO = 4.0
OBJECTNESS_BALANCE = (4.0, 1.0, 0.4)  # fine grids have many more empty cells; weights of YOLOv5 for strides 8, 16, 32


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the terms; the first three are YOLOv5's for 640 pixels, `classes` scaled by class count / 80."""

    box: float = 0.05
    objectness: float = 1.0
    classes: float = 0.3
    keep: float = 2.0
    """Of distillation, relative to the terms it is added to."""


@dataclass(frozen=True, slots=True)
class Matches:
    """Which predictions answer for which boxes at one stride."""

    image: Tensor
    anchor: Tensor
    row: Tensor
    column: Tensor
    boxes: Tensor
    """Centre x and y relative to the cell, width, height; in cells."""
    classes: Tensor


def match(targets: Tensor, anchors: Tensor, height: int, width: int) -> Matches:
    """Match `targets` `[T, 6]` (image, class, centre x, y, width, height in 0..1) to the cells of one stride."""
    grid = torch.tensor([width, height, width, height], device=targets.device, dtype=targets.dtype)
    boxes = targets[:, 2:] * grid
    ratio = boxes[None, :, 2:] / anchors[:, None, :]
    anchor, chosen = (torch.maximum(ratio, 1 / ratio).amax(2) < ANCHOR_RATIO).nonzero(as_tuple=True)
    centre = boxes[chosen, :2]
    cell = centre.floor()
    inside = centre - cell
    # The neighbour left or right, above or below: the one on whose side of its cell the centre lies.
    step = torch.where(inside < 0.5, -1.0, 1.0)
    shifts = torch.stack((torch.zeros_like(step), step * step.new_tensor([1, 0]), step * step.new_tensor([0, 1])))
    cells = cell[None] + shifts
    fits = ((cells >= 0) & (cells < grid[:2])).all(2)
    which = fits.nonzero(as_tuple=True)[1]
    cells = cells[fits]
    owner = chosen[which]
    offset = centre[which] - cells
    return Matches(
        image=targets[owner, 0].long(),
        anchor=anchor[which],
        row=cells[:, 1].long(),
        column=cells[:, 0].long(),
        boxes=torch.cat((offset, boxes[owner, 2:]), 1),
        classes=targets[owner, 1].long(),
    )


def complete_iou(a: Tensor, b: Tensor) -> Tensor:
    """Complete IoU of boxes `[N, 4]` given as centre x, y, width, height: overlap less distance and shape terms."""
    a1, a2 = a[:, :2] - a[:, 2:] / 2, a[:, :2] + a[:, 2:] / 2
    b1, b2 = b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2
    overlap = (torch.minimum(a2, b2) - torch.maximum(a1, b1)).clamp(min=0).prod(1)
    iou = overlap / (a[:, 2:].prod(1) + b[:, 2:].prod(1) - overlap + 1e-7)
    hull = torch.maximum(a2, b2) - torch.minimum(a1, b1)
    distance = (a[:, :2] - b[:, :2]).square().sum(1) / (hull.square().sum(1) + 1e-7)
    shape = 4 / math.pi**2 * (_slant(a) - _slant(b)).square()
    with torch.no_grad():
        trade = shape / (1 - iou + shape + 1e-7)
    return iou - distance - trade * shape


def _slant(boxes: Tensor) -> Tensor:
    """Angle of a box's diagonal."""
    return torch.atan(boxes[:, 2] / (boxes[:, 3] + 1e-7))


class DetectionLoss:
    """The loss of a batch, over raw predictions."""

    def __init__(self, head: Detect, weights: LossWeights | None = None, kept_classes: Sequence[int] = (0,)) -> None:
        self.head = head
        self.weights = weights or LossWeights()
        self.kept_classes = tuple(kept_classes)

    def __call__(
        self, raw: Sequence[Tensor], targets: Tensor, teacher: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, dict[str, float]]:
        """Loss to minimise and its terms, from raw predictions, targets `[T, 6]` and a teacher's raw predictions.

        The teacher's last dimension is box, objectness and its scores for the kept classes: `[..., 5 + K]`. Where it
        sees one of them, the student is asked for at least its objectness, for its class scores and for its box.
        """
        zero = raw[0].new_zeros(())
        box_loss, object_loss, class_loss, keep_loss = zero, zero, zero, zero
        for i, p in enumerate(raw):
            anchors = self.head.anchors[i]
            m = match(targets, anchors, p.shape[2], p.shape[3])
            wanted = torch.zeros(p.shape[:4], dtype=p.dtype, device=p.device)
            if len(m.image):
                at = (m.image, m.anchor, m.row, m.column)
                chosen = p[at]
                iou = complete_iou(_decode(chosen[:, :4], anchors[m.anchor]), m.boxes)
                box_loss = box_loss + (1 - iou).mean()
                order = iou.detach().argsort()  # where several boxes claim a cell, the best one sets its objectness
                wanted[tuple(index[order] for index in at)] = iou.detach()[order].clamp(min=0).to(p.dtype)
                if self.head.classes > 1:
                    one_hot = functional.one_hot(m.classes, self.head.classes).to(p.dtype)
                    class_loss = class_loss + functional.binary_cross_entropy_with_logits(chosen[:, 5:], one_hot)
            if teacher is not None:
                kept, wanted = self._keep(p, teacher[i], wanted, anchors)
                keep_loss = keep_loss + kept
            found = functional.binary_cross_entropy_with_logits(p[..., 4], wanted)
            object_loss = object_loss + found * OBJECTNESS_BALANCE[i]
        terms = {
            "box": box_loss * self.weights.box,
            "objectness": object_loss * self.weights.objectness,
            "classes": class_loss * self.weights.classes,
            "keep": keep_loss * self.weights.keep,
        }
        total = torch.stack(list(terms.values())).sum()
        return total, {name: float(value.detach()) for name, value in terms.items()}

    def _keep(self, p: Tensor, teacher: Tensor, wanted: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
        """Distillation at one stride, and the objectness raised to what the teacher sees of the kept classes."""
        seen = teacher[..., 4].sigmoid()
        score = seen * teacher[..., 5:].sigmoid().amax(-1)
        where = (score > KEEP_FROM).nonzero(as_tuple=True)
        wanted = torch.maximum(wanted, torch.where(score > KEEP_FROM, seen, torch.zeros_like(seen)))
        if not len(where[0]):
            return p.new_zeros(()), wanted
        student, master, weight = p[where], teacher[where], score[where]
        columns = [5 + kept for kept in self.kept_classes]
        named = functional.binary_cross_entropy_with_logits(
            student[:, columns], master[:, 5:].sigmoid(), weight=weight[:, None], reduction="sum"
        )
        overlap = complete_iou(_decode(student[:, :4], anchors[where[1]]), _decode(master[:, :4], anchors[where[1]]))
        boxed = ((1 - overlap) * weight).sum()
        return (self.weights.classes * named + self.weights.box * boxed) / weight.sum(), wanted


KEEP_FROM = 0.1
"""Score from which the teacher is believed to see a kept class."""


def _decode(raw: Tensor, anchors: Tensor) -> Tensor:
    """Centre relative to the cell, and size, in cells."""
    p = raw.sigmoid()
    return torch.cat((p[:, :2] * 2 - 0.5, (p[:, 2:4] * 2).square() * anchors), 1)


assert len(OBJECTNESS_BALANCE) == len(STRIDES)
