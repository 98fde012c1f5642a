"""Pictures of drags that the compared methods draw: displacement at points, blurred, and heat around them.

Letters: B batch, N frames, K drags, (h, w) grid.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from puppetmaster_core.encoding import cells

PLAIN = {"modulation": "none", "drag_tokens": False}  # the backbone without the paper's own drag layers


def displacement_maps(points: Tensor, present: Tensor, size: int) -> Tensor:
    """Frame-to-frame displacement (B, N, 2, size, size) in picture widths, one cell a drag, where the drag is now; frame 1: none.

    points (B, K, N, 2), present (B, N, K).
    """
    moved = F.pad(points[:, :, 1:] - points[:, :, :-1], (0, 0, 1, 0)) * present.transpose(1, 2)[..., None]
    (row, column), _ = cells(points, size)
    maps = points.new_zeros(*moved.shape[:1], moved.shape[2], 2, size * size)
    place = (row * size + column).long().transpose(1, 2)[:, :, None].expand(-1, -1, 2, -1)  # (B, N, 2, K)
    return maps.scatter_add(3, place, moved.permute(0, 2, 3, 1)).unflatten(3, (size, size))


def blur(maps: Tensor, sigma: float, normalised: bool) -> Tensor:
    """Gaussian blur of maps (…, size, size), sigma in cells; unnormalised: the kernel's middle is 1."""
    reach = max(1, round(3 * sigma))
    line = torch.exp(-torch.arange(-reach, reach + 1, device=maps.device, dtype=maps.dtype) ** 2 / (2 * sigma**2))
    line = line / line.sum() if normalised else line
    flat = maps.flatten(0, -3)[:, None]
    flat = F.conv2d(F.conv2d(flat, line[None, None, None], padding=(0, reach)), line[None, None, :, None], padding=(reach, 0))
    return flat[:, 0].view_as(maps)


def distances(points: Tensor, size: int) -> Tensor:
    """How far each cell's middle is from each point (…, 2), in picture widths: (…, size, size)."""
    middle = (torch.arange(size, device=points.device, dtype=points.dtype) + 0.5) / size
    dx, dy = middle - points[..., None, None, 0], middle[:, None] - points[..., None, None, 1]
    return (dx**2 + dy**2).sqrt()
