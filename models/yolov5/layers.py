"""The building blocks of YOLOv5: convolution with batch normalisation, C3, SPPF.

Attribute names (`conv`, `bn`, `cv1`, `m`) are those of the official checkpoints, so that their tensors load by name.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

BATCH_NORM_EPS = 1e-3  # the official checkpoints were trained with these two, not with torch's defaults
BATCH_NORM_MOMENTUM = 0.03


class Conv(nn.Module):
    """Convolution, batch normalisation, SiLU; `fuse` folds the normalisation into the convolution."""

    def __init__(self, c_in: int, c_out: int, kernel: int = 1, stride: int = 1, padding: int | None = None) -> None:
        super().__init__()
        pad = kernel // 2 if padding is None else padding
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, pad, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(c_out, eps=BATCH_NORM_EPS, momentum=BATCH_NORM_MOMENTUM)
        self.act = nn.SiLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, c_in, H, W]` to `[B, c_out, H / stride, W / stride]`."""
        out: Tensor = self.act(self.bn(self.conv(x)))
        return out

    def fuse(self) -> None:
        """Fold the batch normalisation's scale and shift into the convolution (evaluation only)."""
        if not isinstance(self.bn, nn.BatchNorm2d):
            return
        self.conv = nn.utils.fusion.fuse_conv_bn_eval(self.conv.eval(), self.bn.eval())
        self.bn = nn.Identity()


class Bottleneck(nn.Module):
    """1x1 then 3x3 convolution, added to the input where `shortcut`."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.cv1 = Conv(channels, channels, 1)
        self.cv2 = Conv(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Channels and size stay."""
        y: Tensor = self.cv2(self.cv1(x))
        return x + y if self.shortcut else y


class C3(nn.Module):
    """Cross-stage partial block: half of the channels pass `repeats` bottlenecks, half go round them."""

    def __init__(self, c_in: int, c_out: int, repeats: int = 1, shortcut: bool = True) -> None:
        super().__init__()
        hidden = c_out // 2
        self.cv1 = Conv(c_in, hidden, 1)
        self.cv2 = Conv(c_in, hidden, 1)
        self.cv3 = Conv(2 * hidden, c_out, 1)
        self.m = nn.Sequential(*(Bottleneck(hidden, shortcut) for _ in range(repeats)))

    def forward(self, x: Tensor) -> Tensor:
        """Size stays."""
        out: Tensor = self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(x)), 1))
        return out


class SPPF(nn.Module):
    """Spatial pyramid pooling: three 5x5 maxima in a row see what pools of 5, 9 and 13 would."""

    def __init__(self, c_in: int, c_out: int, kernel: int = 5) -> None:
        super().__init__()
        hidden = c_in // 2
        self.cv1 = Conv(c_in, hidden, 1)
        self.cv2 = Conv(hidden * 4, c_out, 1)
        self.m = nn.MaxPool2d(kernel, stride=1, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Size stays."""
        x = self.cv1(x)
        y1 = self.m(x)
        y2 = self.m(y1)
        out: Tensor = self.cv2(torch.cat((x, y1, y2, self.m(y2)), 1))
        return out


class Concat(nn.Module):
    """Joins feature maps along their channels."""

    def forward(self, xs: list[Tensor]) -> Tensor:
        """All maps of one size."""
        return torch.cat(xs, 1)
