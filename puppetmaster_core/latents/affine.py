"""How a part moves under its drag, told by one look at the picture: a door turns on its hinge, a drawer grows as it nears.

Letters: B pictures, K drags, N frames, S = 64 pixels a side, C channels. Lengths are picture widths; u is where a drag begins,
d_n its displacement in frame n. What a drag leaves open of a part that moves whole is a 2 × 2 matrix a frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CODE = 96  # numbers that describe a part
HIDDEN = 256
DROPOUT = 0.3  # of what is read of the features
ALONG = 7  # numbers of a drag's path, for each frame
SHAPE = 8  # numbers of where a part lies, see `_shape`


class AffineHead(nn.Module):
    """The matrices A_n of a part's motion d_n + A_n (p − u). channels: of each of the features that it reads, told: of what is
    told of pixels."""

    def __init__(self, channels: Sequence[int], told: int):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(2 * c) for c in channels)
        self.part = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(2 * (sum(channels) + told) + SHAPE, HIDDEN), nn.SiLU(),
                                  nn.Linear(HIDDEN, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, CODE))
        self.matrix = nn.Sequential(nn.Linear(CODE + ALONG, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN), nn.SiLU(),
                                    nn.Linear(HIDDEN, 4))
        nn.init.zeros_(self.matrix[-1].weight)
        nn.init.zeros_(self.matrix[-1].bias)

    def codes(self, features: Sequence[Tensor], told: Tensor, masks: Tensor, points: Tensor) -> Tensor:
        """(B, K, CODE) of the parts, of features (B, C, s, s), what is told of pixels (B, told, S, S), masks (B, K, S, S) in
        [0, 1] and points on them (B, K, 2)."""
        *seen, about = (torch.cat([read(f, points), _under(f, masks)], 2) for f in (*features, told))
        normed = [norm(x) for norm, x in zip(self.norms, seen, strict=True)]
        return self.part(torch.cat([*normed, about / 4, _shape(masks, points).to(about.dtype)], 2))

    def forward(self, codes: Tensor, drags: Tensor) -> Tensor:
        """A (B, K, N, 2, 2) of codes (B, K, CODE) and drags (B, K, N, 2)."""
        moved = drags - drags[:, :, :1]
        far = moved.square().sum(3, keepdim=True).sqrt()
        whole = torch.cat([moved.amax(2), moved.amin(2)], 2)[:, :, None].expand(-1, -1, moved.shape[2], -1)
        along = 4 * torch.cat([moved, far, whole], 3).to(codes.dtype)
        x = self.matrix(torch.cat([codes[:, :, None].expand(-1, -1, moved.shape[2], -1), along], 3))
        return (4 * far * x.float()).unflatten(3, (2, 2))


def read(features: Tensor, points: Tensor) -> Tensor:
    """Features (B, C, s, s) at points (B, K, 2), xy in [0, 1]: (B, K, C)."""
    grid = (2 * points - 1)[:, :, None].to(features.dtype)
    return F.grid_sample(features, grid, align_corners=False, padding_mode="border")[..., 0].transpose(1, 2)


def away_from(points: Tensor, size: int) -> Tensor:
    """p − u of every pixel p of a field, (B, K, 2, size²), for points u (B, K, 2)."""
    centres = (torch.arange(size, device=points.device, dtype=points.dtype) + 0.5) / size
    x, y = centres.repeat(size), centres.repeat_interleave(size)
    return torch.stack([x - points[..., :1], y - points[..., 1:]], 2)


def _under(features: Tensor, masks: Tensor) -> Tensor:
    """The mean of features (B, C, s, s) under masks (B, K, S, S): (B, K, C)."""
    weight = F.avg_pool2d(masks, masks.shape[-1] // features.shape[-1]).flatten(2).to(features.dtype)
    return weight @ features.flatten(2).transpose(1, 2) / (weight.sum(2, keepdim=True) + 0.1)


def _shape(masks: Tensor, points: Tensor) -> Tensor:
    """Where a part lies about its point, how it spreads, how large it is and where the point is: (B, K, SHAPE)."""
    away, weight = away_from(points.float(), masks.shape[-1]), masks.float().flatten(2)
    area = weight.sum(2, keepdim=True)
    x, y = away[:, :, 0], away[:, :, 1]
    mean, spread = ((torch.stack(of, 2) * weight[:, :, None]).sum(3) / (area + 0.1) for of in ((x, y), (x * x, x * y, y * y)))
    return torch.cat([4 * mean, 16 * spread, area / 512, points.float()], 2)
