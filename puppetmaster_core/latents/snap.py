"""Masks with the picture's edges: the guided filter of He, Sun and Tang (2010, https://doi.org/10.1007/978-3-642-15549-9_1).

Around every pixel a mask is taken to be a linear function of the picture's colours, by ridge regression: where the colours have
an edge the mask gets it, where they have none it stays smooth. Letters: K masks, S pixels a side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

RADIUS = 1 / 32  # of the windows, in picture widths
RIDGE = 1e-3  # of the regression, in squared colours of [−1, 1]
STEEP = 2.0  # how much steeper a mask's edge is made after each pass
PASSES = 2
SURE = 0.97  # what is this sure is left alone: a thin part would be smoothed away
COARSE = 128  # pixels a side at which the functions are fitted (He and Sun 2015, https://arxiv.org/abs/1505.00996)


def snap(masks: Tensor, guide: Guide) -> Tensor:
    """masks (K, s, s) in [0, 1], s ≤ S, at the size of the guide's picture and with its edges."""
    masks = found = resized(masks, guide.picture.shape[-1])
    for _ in range(PASSES):
        found = (STEEP * (guide.fitted(found) - 0.5) + 0.5).clamp(0, 1)
    return found.where(masks <= SURE, 1.0).where(masks >= 1 - SURE, 0.0)


def resized(fields: Tensor, size: int) -> Tensor:
    """(…, s, s) → (…, size, size)."""
    if fields.shape[-1] == size:
        return fields
    planes = fields.flatten(0, -3)[:, None]
    return F.interpolate(planes, size=(size, size), mode="bicubic", align_corners=False).view(*fields.shape[:-2], size, size)


@dataclass(frozen=True)
class Guide:
    """What of a picture the regressions need, whatever the mask: at s pixels a side, with windows around each pixel."""

    picture: Tensor  # (3, S, S) in [−1, 1]
    small: Tensor  # (3, s, s)
    windows: Tensor  # (s, s): a row times a column of pixels is their mean over a window, as far as it lies inside
    colours: Tensor  # (3, s, s), their means
    inverse: Tensor  # (3, 3, s, s), of their ridged covariance

    @classmethod
    def of(cls, picture: Tensor) -> Guide:
        side = min(COARSE, picture.shape[-1])
        small, at = F.adaptive_avg_pool2d(picture, side), torch.arange(side, device=picture.device)
        near = ((at[:, None] - at).abs() <= round(RADIUS * side)).to(picture.dtype)
        windows = near / near.sum(1, keepdim=True)
        colours = windows @ small @ windows.T
        spread = windows @ (small[:, None] * small) @ windows.T - colours[:, None] * colours
        spread = spread + RIDGE * torch.eye(3, device=picture.device)[..., None, None]
        cofactors = torch.stack([torch.linalg.cross(spread[i - 2], spread[i - 1], dim=0) for i in range(3)])
        inverse = cofactors / (spread[0] * cofactors[0]).sum(0)  # of a symmetric 3 × 3 matrix, at every pixel
        return cls(picture, small, windows, colours, inverse)

    def fitted(self, masks: Tensor) -> Tensor:
        """masks (K, S, S) as linear functions of the picture's colours, fitted in windows around each pixel."""
        given = F.adaptive_avg_pool2d(masks, self.small.shape[-1])
        level = self.mean(given)
        together = self.mean(given[:, None] * self.small) - level[:, None] * self.colours  # (K, 3, s, s)
        slope = (self.inverse * together[:, None]).sum(2)
        line = torch.cat([slope, (level - (slope * self.colours).sum(1))[:, None]], 1)  # (K, 4, s, s)
        line = resized(self.mean(line), self.picture.shape[-1])
        return (line[:, :3] * self.picture).sum(1) + line[:, 3]

    def mean(self, x: Tensor) -> Tensor:
        """Of (…, s, s), over the windows."""
        return self.windows @ x @ self.windows.T
