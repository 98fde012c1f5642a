"""The layers that the networks around motion latents share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEADS = 4  # of self-attention


class ResBlock(nn.Module):
    """Two 3×3 convolutions beside the identity; the second begins at zero."""

    def __init__(self, channels_in: int, channels: int):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(8, channels_in), nn.Conv2d(channels_in, channels, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(8, channels), nn.Conv2d(channels, channels, 3, padding=1)
        self.skip = nn.Identity() if channels_in == channels else nn.Conv2d(channels_in, channels, 1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        return self.skip(x) + self.conv2(F.silu(self.norm2(h)))


class SelfAttention(nn.Module):
    """Every cell of a small grid looks at all others, beside the identity; positions are learned for a grid of `side` cells."""

    def __init__(self, channels: int, side: int):
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.position = nn.Parameter(0.02 * torch.randn(1, channels, side, side))
        self.qkv, self.out = nn.Conv2d(channels, 3 * channels, 1), nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        h = self.qkv(self.norm(x) + self.position).flatten(2)  # (B, 3·C, cells)
        q, k, v = (one.unflatten(1, (HEADS, -1)).transpose(2, 3) for one in h.chunk(3, 1))
        h = F.scaled_dot_product_attention(q, k, v).transpose(2, 3).flatten(1, 2)
        return x + self.out(h.view_as(x))


def rounds(channels: int, side: int, count: int) -> nn.Sequential:
    """`count` times: every cell of a grid of `side` looks at all others, then at its neighbours."""
    return nn.Sequential(*(block for _ in range(count)
                           for block in (SelfAttention(channels, side), ResBlock(channels, channels))))


def unet_pass(levels: nn.ModuleList, middle: nn.Module, ups: nn.ModuleList, x: Tensor) -> list[Tensor]:
    """Down through `levels`, halving between them, through the middle, and up again with skips; the features on the way up,
    coarsest first. ups[i] takes the coarser features, doubled, beside the level's own."""
    skips = []
    for level in levels:
        x = level(x if not skips else F.avg_pool2d(x, 2))
        skips.append(x)
    found = [middle(skips.pop())]
    for up in ups:
        doubled = F.interpolate(found[-1], scale_factor=2.0, mode="nearest")
        found.append(up(torch.cat([doubled, skips.pop()], 1)))
    return found
