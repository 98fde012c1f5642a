"""Masks with the picture's edges: the guided filter of He, Sun and Tang (2010, https://doi.org/10.1007/978-3-642-15549-9_1).

Around every pixel a mask is taken to be a linear function of the picture's colours, by ridge regression: where the colours have
an edge the mask gets it, where they have none it stays smooth. Letters: K masks, S pixels a side.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

RADIUS = 1 / 32  # of the windows, in picture widths
RIDGE = 1e-3  # of the regression, in squared colours of [−1, 1]
STEEP = 2.0  # how much steeper a mask's edge is made after each pass
PASSES = 2
SURE = 0.9  # what is this sure is left alone: a thin part would be smoothed away
COARSE = 128  # pixels a side at which the functions are fitted (He and Sun 2015, https://arxiv.org/abs/1505.00996)


def snap(masks: Tensor, picture: Tensor) -> Tensor:
    """masks (K, s, s) in [0, 1], s ≤ S, at the size of picture (3, S, S) in [−1, 1] and with its edges."""
    masks = found = resized(masks, picture.shape[-1])
    for _ in range(PASSES):
        found = (STEEP * (_guided(found, picture) - 0.5) + 0.5).clamp(0, 1)
    return found.where(masks <= SURE, 1.0).where(masks >= 1 - SURE, 0.0)


def resized(fields: Tensor, size: int) -> Tensor:
    """(…, s, s) → (…, size, size)."""
    if fields.shape[-1] == size:
        return fields
    planes = fields.flatten(0, -3)[:, None]
    return F.interpolate(planes, size=(size, size), mode="bicubic", align_corners=False).view(*fields.shape[:-2], size, size)


def _guided(masks: Tensor, picture: Tensor) -> Tensor:
    """(K, S, S) as linear functions of the picture's colours, fitted in windows around each pixel."""
    small = min(COARSE, picture.shape[-1])
    guide, given = F.adaptive_avg_pool2d(picture, small), F.adaptive_avg_pool2d(masks, small)
    radius = round(RADIUS * small)
    count = _sums(torch.ones_like(guide[:1]), radius)

    def mean(x: Tensor) -> Tensor:  # over the window, inside the picture
        return _sums(x, radius) / count

    colours, level = mean(guide), mean(given)  # (3, s, s), (K, s, s)
    spread = mean((guide[:, None] * guide).flatten(0, 1)).unflatten(0, (3, 3)) - colours[:, None] * colours
    spread = spread + RIDGE * torch.eye(3, device=guide.device)[..., None, None]  # (3, 3, s, s)
    together = mean((given[:, None] * guide).flatten(0, 1)).unflatten(0, (-1, 3)) - level[:, None] * colours  # (K, 3, s, s)
    cofactors = torch.stack([torch.linalg.cross(spread[i - 2], spread[i - 1], dim=0) for i in range(3)])
    inverse = cofactors / (spread[0] * cofactors[0]).sum(0)  # of a symmetric 3 × 3 matrix, at every pixel
    slope = torch.einsum("ijyx,kjyx->kiyx", inverse, together)
    line = torch.cat([slope, (level - (slope * colours).sum(1))[:, None]], 1)  # (K, 4, s, s)
    line = resized(mean(line.flatten(0, 1)).view_as(line), picture.shape[-1])
    return (line[:, :3] * picture).sum(1) + line[:, 3]


def _sums(x: Tensor, radius: int) -> Tensor:
    """Sums of (C, s, s) over the windows of 2·radius + 1 pixels a side, as far as they lie inside."""
    side = 2 * radius + 1
    across = F.avg_pool2d(F.pad(x, (radius, radius, 0, 0)), (1, side), 1)
    return F.avg_pool2d(F.pad(across, (0, 0, radius, radius)), (side, 1), 1) * side**2
