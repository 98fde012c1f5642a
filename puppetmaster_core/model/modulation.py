"""Drag modulation (Eq. 3): every feature map is scaled and shifted by what convolutions read from the drag encoding.

Shapes: B batch, N frames, C channels of the feature map, (h, w) its grid.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn


class Modulation(NamedTuple):
    """gamma (or None: shift only) and beta of one feature map, each (B, N, C, h, w)."""

    gamma: Tensor | None
    beta: Tensor


def modulate(features: Tensor, modulation: Modulation) -> Tensor:
    """Drag modulation, Eq. 3: f <- f * (1 + gamma) + beta.

    features: (B·N, C, h, w); gamma and beta: (B, N, C, h, w). Returns (B·N, C, h, w).
    """
    gamma, beta = modulation
    f = features.unflatten(0, beta.shape[:2])
    f = f * (1 + gamma) + beta if gamma is not None else f + beta
    return f.flatten(0, 1)


class DragModulation(nn.Module):
    """The convolutions of Eq. 3: drag encoding (B, N, c·K_max, h, w) -> `Modulation` of a map of `channels` channels.

    hidden: widths of the convolutions. scale: with gamma, or beta alone. The last convolution starts at zero, so that
    training starts at SVD (App. C.1).
    """

    def __init__(self, encoding_channels: int, channels: int, hidden: Sequence[int], scale: bool = True) -> None:
        super().__init__()
        self.scale = scale
        self.conv_in = nn.Conv2d(encoding_channels, hidden[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for here, there in pairwise(hidden):
            self.blocks += [nn.Conv2d(here, here, 3, padding=1), nn.Conv2d(here, there, 3, padding=1)]
        self.conv_out = nn.Conv2d(hidden[-1], 2 * channels if scale else channels, 3, padding=1)
        for conv in (self.conv_in, *self.blocks):  # He's: a drag marks three cells of a map, and must not fade on its way
            nn.init.kaiming_normal_(conv.weight)
            nn.init.zeros_(conv.bias)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)

    def forward(self, encoding: Tensor) -> Modulation:
        x = nn.functional.silu(self.conv_in(encoding.flatten(0, 1)))
        for conv in self.blocks:
            x = nn.functional.silu(conv(x))
        maps = self.conv_out(x).unflatten(0, encoding.shape[:2])
        gamma, beta = maps.chunk(2, dim=2) if self.scale else (None, maps)
        return Modulation(gamma, beta)
