"""YOLOv5u: the same network with a head that has no anchors and no objectness (Ultralytics, 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.yolov5.layers import Conv
from models.yolov5.network import YoloV5

BINS = 16
"""A side's distance is a distribution over so many steps of the stride (Li et al., "Generalized Focal Loss", 2020)."""


class AnchorFree(nn.Module):
    """Two branches for each stride: four distances as distributions, and class scores."""

    bins: Tensor

    def __init__(self, classes: int, channels: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__()
        self.classes = classes
        self.strides = tuple(strides)
        box = max(16, channels[0] // 4, 4 * BINS)
        scores = max(channels[0], min(classes, 100))
        self.cv2 = nn.ModuleList(_branch(c, box, 4 * BINS) for c in channels)
        self.cv3 = nn.ModuleList(_branch(c, scores, classes) for c in channels)
        self.register_buffer("bins", torch.arange(BINS, dtype=torch.float32), persistent=False)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """`[batch, 4 + classes, N]`: centre x, y, width, height in pixels, class scores."""
        parts = []
        for box, scores, stride, x in zip(self.cv2, self.cv3, self.strides, features, strict=True):
            batch, _, height, width = x.shape
            sides = box(x).view(batch, 4, BINS, height * width).softmax(2)
            distance = (sides * self.bins.view(1, 1, BINS, 1)).sum(2)
            grid_y, grid_x = torch.meshgrid(
                torch.arange(height, device=x.device), torch.arange(width, device=x.device), indexing="ij"
            )
            centre = torch.stack((grid_x, grid_y)).view(1, 2, -1).to(x.dtype) + 0.5
            low, high = centre - distance[:, :2], centre + distance[:, 2:]
            boxes = torch.cat(((low + high) / 2, high - low), 1) * stride
            parts.append(torch.cat((boxes, scores(x).view(batch, self.classes, -1).sigmoid()), 1))
        return torch.cat(parts, 2)


class YoloV5u(YoloV5):
    """YOLOv5u of one of the sizes, for inference and export; it is not trained here."""

    def __init__(self, labels: Sequence[str], size: str = "n") -> None:
        super().__init__(labels, size)
        channels = [conv.in_channels for conv in self.head.m if isinstance(conv, nn.Conv2d)]
        self.model[len(self.layout)] = AnchorFree(len(self.labels), channels, self.head.strides)

    def forward(self, x: Tensor) -> list[Tensor] | Tensor:
        """Images as `YoloV5` takes them; always decoded: `[batch, 4 + classes, N]`."""
        decoded: Tensor = self.model[len(self.layout)](self.features(x))
        return decoded


def _branch(c_in: int, hidden: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(Conv(c_in, hidden, 3), Conv(hidden, hidden, 3), nn.Conv2d(hidden, c_out, 1))
