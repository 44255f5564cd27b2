"""The layers of the two networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..detection.network import CELL_OUTPUTS, CROP_OUTPUTS, STRIDES

SCORE, BOX, POINTS, POSE = slice(0, 1), slice(1, 4), slice(4, 14), slice(14, 17)
"""Channels of a cell's outputs, see `detection.network.CELL_OUTPUTS`."""


def convolution(
    inputs: int, outputs: int, stride: int = 1, size: int = 3, groups: int = 1
) -> nn.Sequential:
    """Convolution, normalisation, rectification."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """MobileNet's depthwise separable block."""
    return nn.Sequential(
        convolution(inputs, inputs, stride, groups=inputs), convolution(inputs, outputs, size=1)
    )


class FaceNetwork(nn.Module):
    """Finds the faces of a picture of any size in one pass.

    The features at strides of 8, 16 and 32 pixels are joined from the coarsest down (the
    multi-scale layer of the paper's section 3.1), and each cell says whether a face's centre is
    near, where exactly its box and five points lie, and how the head is turned.
    """

    def __init__(self, joined: int = 48) -> None:
        super().__init__()
        self.fine = nn.Sequential(
            convolution(1, 16, 2),
            convolution(16, 24, 2),
            convolution(24, 24),
            convolution(24, 32, 2),
            convolution(32, 48),
        )
        self.middle = nn.Sequential(
            convolution(48, 64, 2), convolution(64, 64), convolution(64, 64)
        )
        self.coarse = nn.Sequential(
            convolution(64, 64, 2), convolution(64, 64), convolution(64, 64)
        )
        self.join = nn.ModuleList(convolution(n, joined, size=1) for n in (48, 64, 64))
        self.heads = nn.ModuleList(
            nn.Sequential(separable(joined, joined), nn.Conv2d(joined, CELL_OUTPUTS, 1))
            for _ in STRIDES
        )
        for head, width in zip(self.heads, (1.0, 1.3, 1.5), strict=True):
            # A face is rare, and as wide as those of its level.
            head[-1].bias.data[0] = -4.0
            head[-1].bias.data[3] = width

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Outputs of each stride, shape (n, CELL_OUTPUTS, rows, columns).

        `pixels`, shape (n, 1, height, width), are gray, from 0 to 255.
        """
        fine = self.fine((pixels - 128) / 64)
        middle = self.middle(fine)
        coarse = self.join[2](self.coarse(middle))
        middle = self.join[1](middle) + functional.interpolate(
            coarse, scale_factor=2.0, mode="nearest"
        )
        fine = self.join[0](fine) + functional.interpolate(middle, scale_factor=2.0, mode="nearest")
        return [head(f) for head, f in zip(self.heads, (fine, middle, coarse), strict=True)]


class LandmarkNetwork(nn.Module):
    """Says of a small gray crop whether it shows a face, and where its 68 landmarks lie."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(
            convolution(1, 24, 2),
            convolution(24, 32, 2),
            convolution(32, 32),
            convolution(32, 48, 2),
            convolution(48, 48),
            convolution(48, 48),
        )
        self.coarse = nn.Sequential(
            convolution(48, 72, 2), convolution(72, 72), separable(72, 72), separable(72, 72)
        )
        self.narrow = nn.ModuleList([convolution(48, 16, size=1), convolution(72, 40, size=1)])
        self.hidden = nn.Linear(16 * 64 + 40 * 16, 64)
        self.out = nn.Linear(64, CROP_OUTPUTS)
        self.out.weight.data *= 0.2

    def forward(self, pixels: Tensor) -> Tensor:
        """Outputs (n, CROP_OUTPUTS) for crops (n, 1, CROP, CROP) of mean 0 and deviation 1."""
        fine = self.fine(pixels)
        coarse = self.coarse(fine)
        seen = [self.narrow[0](fine).flatten(1), self.narrow[1](coarse).flatten(1)]
        return self.out(self.hidden(torch.cat(seen, 1)))
