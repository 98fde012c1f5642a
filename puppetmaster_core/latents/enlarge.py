"""Masks at the picture's own size: each pixel is a mixture of the nearest coarse cells, told by the picture (RAFT's convex way).

Letters: K masks, s pixels a side of the coarse ones, S = 2^k·s of the picture. Teed and Deng 2020, https://arxiv.org/abs/2003.12039.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Enlarge(nn.Module):
    """One octave's network, the same for all."""

    def __init__(self, channels: int = 16):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(20, 2 * channels, 3, padding=1), nn.SiLU(),
                                    nn.Conv2d(2 * channels, 2 * channels, 3, padding=1), nn.SiLU(),
                                    nn.Conv2d(2 * channels, 36, 3, padding=1))
        self.register_buffer("bilinear", _bilinear(), persistent=False)

    def forward(self, masks: Tensor, picture: Tensor) -> Tensor:
        """masks (K, s, s) in [0, 1] at the size of picture (3, S, S)."""
        octaves = [picture]
        while octaves[-1].shape[-1] > masks.shape[-1]:
            octaves.append(F.avg_pool2d(octaves[-1][None], 2)[0])
        for octave in octaves[-2::-1]:
            masks = self.octave(masks, octave)
        return masks

    def octave(self, masks: Tensor, picture: Tensor) -> Tensor:
        """masks (K, s, s) at twice the size, that of picture (3, 2s, 2s)."""
        count, side = len(masks), masks.shape[-1]
        around = F.unfold(F.pad(masks[:, None], (1, 1, 1, 1), mode="replicate"), 3).view(count, 9, side, side)
        smooth = F.interpolate(masks[:, None], scale_factor=2.0, mode="bicubic", align_corners=False)
        seen = torch.cat([picture.expand(count, -1, -1, -1), smooth, smooth * (1 - smooth)], 1)
        logits = self.layers(F.pixel_unshuffle(seen, 2)).float() + self.bilinear.reshape(1, 36, 1, 1)
        share = logits.view(count, 9, 4, side, side).softmax(1)
        return F.pixel_shuffle((share * around[:, :, None]).sum(1), 2)[:, 0]


def _bilinear() -> Tensor:
    """Logits (9, 4) of bilinear interpolation, to begin at: of each neighbour, for each of the four pixels of a cell."""
    one = torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.75, 0.25]])
    both = torch.einsum("ai,bj->ijab", one, one).reshape(9, 4)
    return (both + 0.01).log().contiguous()
