"""The YOLOv5 network: backbone, feature pyramid and anchor head as one list of 25 layers, or 34 with four strides.

The layer numbers are those of the official definitions (`yolov5n.yaml` and `yolov5n6.yaml` of release 6), so
checkpoints load by name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.yolov5 import SIZES
from models.yolov5.layers import C3, SPPF, Concat, Conv

STRIDES = (8, 16, 32)
ANCHORS_PX = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
"""Width and height of the three anchors at each stride, in pixels (k-means over COCO, by YOLOv5's authors)."""

STRIDES_P6 = (8, 16, 32, 64)
ANCHORS_P6_PX = (
    ((19, 27), (44, 40), (38, 94)),
    ((96, 68), (86, 152), (180, 137)),
    ((140, 301), (303, 264), (238, 542)),
    ((436, 615), (739, 380), (925, 792)),
)
"""The same for networks with four strides, at 1280 pixels."""

BOX_ROWS = 5  # x, y, width, height, objectness: what an anchor predicts besides its classes

# (inputs, block, output channels before the width multiple, repeats before the depth multiple, shortcut)
_LAYOUT: tuple[tuple[tuple[int, ...], str, int, int, bool], ...] = (
    ((-1,), "stem", 64, 1, False),
    ((-1,), "down", 128, 1, False),
    ((-1,), "c3", 128, 3, True),
    ((-1,), "down", 256, 1, False),
    ((-1,), "c3", 256, 6, True),
    ((-1,), "down", 512, 1, False),
    ((-1,), "c3", 512, 9, True),
    ((-1,), "down", 1024, 1, False),
    ((-1,), "c3", 1024, 3, True),
    ((-1,), "sppf", 1024, 1, False),
    ((-1,), "point", 512, 1, False),
    ((-1,), "up", 0, 1, False),
    ((-1, 6), "concat", 0, 1, False),
    ((-1,), "c3", 512, 3, False),
    ((-1,), "point", 256, 1, False),
    ((-1,), "up", 0, 1, False),
    ((-1, 4), "concat", 0, 1, False),
    ((-1,), "c3", 256, 3, False),
    ((-1,), "down", 256, 1, False),
    ((-1, 14), "concat", 0, 1, False),
    ((-1,), "c3", 512, 3, False),
    ((-1,), "down", 512, 1, False),
    ((-1, 10), "concat", 0, 1, False),
    ((-1,), "c3", 1024, 3, False),
)
_HEAD_INPUTS = (17, 20, 23)

_LAYOUT_P6: tuple[tuple[tuple[int, ...], str, int, int, bool], ...] = (
    *_LAYOUT[:7],
    ((-1,), "down", 768, 1, False),
    ((-1,), "c3", 768, 3, True),
    ((-1,), "down", 1024, 1, False),
    ((-1,), "c3", 1024, 3, True),
    ((-1,), "sppf", 1024, 1, False),
    ((-1,), "point", 768, 1, False),
    ((-1,), "up", 0, 1, False),
    ((-1, 8), "concat", 0, 1, False),
    ((-1,), "c3", 768, 3, False),
    ((-1,), "point", 512, 1, False),
    ((-1,), "up", 0, 1, False),
    ((-1, 6), "concat", 0, 1, False),
    ((-1,), "c3", 512, 3, False),
    ((-1,), "point", 256, 1, False),
    ((-1,), "up", 0, 1, False),
    ((-1, 4), "concat", 0, 1, False),
    ((-1,), "c3", 256, 3, False),
    ((-1,), "down", 256, 1, False),
    ((-1, 20), "concat", 0, 1, False),
    ((-1,), "c3", 512, 3, False),
    ((-1,), "down", 512, 1, False),
    ((-1, 16), "concat", 0, 1, False),
    ((-1,), "c3", 768, 3, False),
    ((-1,), "down", 768, 1, False),
    ((-1, 12), "concat", 0, 1, False),
    ((-1,), "c3", 1024, 3, False),
)
_HEAD_INPUTS_P6 = (23, 26, 29, 32)


class Detect(nn.Module):
    """The anchor head: one 1x1 convolution per stride, and the decoding of what it gives into boxes."""

    anchors: Tensor

    def __init__(self, classes: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.classes = classes
        self.outputs = classes + BOX_ROWS
        four = len(channels) == len(STRIDES_P6)
        self.strides: tuple[int, ...] = STRIDES_P6 if four else STRIDES
        anchors = torch.tensor(ANCHORS_P6_PX if four else ANCHORS_PX).float()
        self.register_buffer("anchors", anchors / torch.tensor(self.strides).view(-1, 1, 1))
        self.m = nn.ModuleList(nn.Conv2d(c, self.outputs * self.anchors.shape[1], 1) for c in channels)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Raw predictions per stride, each `[batch, anchors, height, width, 5 + classes]`."""
        raw = []
        for conv, x in zip(self.m, features, strict=True):
            y = conv(x)
            batch, _, height, width = y.shape
            raw.append(y.view(batch, -1, self.outputs, height, width).permute(0, 1, 3, 4, 2))
        return raw

    def decode(self, raw: Sequence[Tensor]) -> Tensor:
        """`[batch, N, 5 + classes]`: centre x, y, width, height in pixels, objectness, class scores."""
        rows = []
        for anchors, stride, y in zip(self.anchors, self.strides, raw, strict=True):
            batch, count, height, width, _ = y.shape
            grid_y, grid_x = torch.meshgrid(
                torch.arange(height, device=y.device), torch.arange(width, device=y.device), indexing="ij"
            )
            grid = torch.stack((grid_x, grid_y), 2).view(1, 1, height, width, 2).to(y.dtype)
            p = y.sigmoid()
            xy = (p[..., 0:2] * 2 - 0.5 + grid) * stride
            wh = (p[..., 2:4] * 2) ** 2 * (anchors * stride).view(1, count, 1, 1, 2).to(y.dtype)
            rows.append(torch.cat((xy, wh, p[..., 4:]), -1).reshape(batch, -1, self.outputs))
        return torch.cat(rows, 1)

    def set_priors(self, size: int = 640) -> None:
        """Biases so that the untrained head expects about 8 objects a picture of `size` and rare classes."""
        for conv, stride in zip(self.m, self.strides, strict=True):
            assert isinstance(conv, nn.Conv2d)
            assert conv.bias is not None
            bias = conv.bias.view(-1, self.outputs).detach()
            bias[:, 4] = math.log(8 / (size / stride) ** 2)
            bias[:, BOX_ROWS:] = math.log(0.6 / (self.classes - 0.99999))
            conv.bias = nn.Parameter(bias.view(-1))


class YoloV5(nn.Module):
    """YOLOv5 of one of the `SIZES`; in training mode it gives raw predictions, in evaluation decoded boxes."""

    def __init__(self, labels: Sequence[str], size: str = "n") -> None:
        super().__init__()
        depth, width = SIZES[size]
        self.labels = tuple(labels)
        self.variant = size
        self.source = "made by Spotter"
        """Where the weights are from, for people."""
        self.trained: str | None = None
        """The day of their training, as ISO 8601 has it, where it is known."""
        four = size.endswith("6")
        self.layout = _LAYOUT_P6 if four else _LAYOUT
        self.head_inputs: tuple[int, ...] = _HEAD_INPUTS_P6 if four else _HEAD_INPUTS
        channels: list[int] = []
        layers: list[nn.Module] = []
        for sources, block, c, repeats, shortcut in self.layout:
            c_in = channels[-1] if channels else 3
            c_out = math.ceil(c * width / 8) * 8
            if block == "stem":
                layers.append(Conv(3, c_out, 6, 2, 2))
            elif block == "down":
                layers.append(Conv(c_in, c_out, 3, 2))
            elif block == "point":
                layers.append(Conv(c_in, c_out, 1))
            elif block == "c3":
                layers.append(C3(c_in, c_out, max(round(repeats * depth), 1), shortcut))
            elif block == "sppf":
                layers.append(SPPF(c_in, c_out))
            elif block == "up":
                layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
                c_out = c_in
            else:
                layers.append(Concat())
                c_out = sum(channels[s] for s in sources)
            channels.append(c_out)
        layers.append(Detect(len(self.labels), [channels[i] for i in self.head_inputs]))
        self.model = nn.Sequential(*layers)

    @property
    def head(self) -> Detect:
        """The anchor head."""
        last = self.model[len(self.layout)]
        assert isinstance(last, Detect)
        return last

    def trunk(self, x: Tensor, layers: int, begun: Sequence[Tensor] = ()) -> list[Tensor]:
        """What each of the first `layers` layers gives; `begun` are the first of them, where that is done already."""
        kept = list(begun[:layers])
        x = kept[-1] if kept else x
        for number in range(len(kept), layers):
            sources, layer = self.layout[number][0], self.model[number]
            x = layer([x if s == -1 else kept[s] for s in sources]) if len(sources) > 1 else layer(x)
            kept.append(x)
        return kept

    def features(self, x: Tensor, begun: Sequence[Tensor] = ()) -> list[Tensor]:
        """What the head reads: one feature map per stride; `begun` is what `trunk` gave, where that is done already."""
        kept = self.trunk(x, len(self.layout), begun)
        return [kept[i] for i in self.head_inputs]

    def forward(self, x: Tensor) -> list[Tensor] | Tensor:
        """Images `[batch, 3, height, width]`, RGB in 0..1, sides multiples of 32 (64 with four strides)."""
        raw: list[Tensor] = self.head(self.features(x))
        return raw if self.training else self.head.decode(raw)

    def fuse(self) -> YoloV5:
        """Fold every batch normalisation into its convolution (evaluation only); returns itself."""
        for module in self.modules():
            if isinstance(module, Conv):
                module.fuse()
        return self
