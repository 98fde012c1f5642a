"""A linear code of pictures, ours in place of the paper's VAE where arms are compared: principal components of patches.

It is made once, not trained, and hides nothing: what a decoded frame lacks, the code lacks, alike for every arm.

Letters: … any batch axes, L latent channels, P pixels a side of a patch, D = 3·P² values of a patch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class LinearCode:
    """z = (patch − mean) · axesᵀ, and back."""

    axes: Tensor  # (L, D), orthonormal rows
    mean: Tensor  # (D,)

    @classmethod
    def of(cls, pictures: Tensor, channels: int, patch: int = 8) -> LinearCode:
        """The leading components of the patches of pictures (B, 3, H, W) in [−1, 1]."""
        patches = F.pixel_unshuffle(pictures, patch).movedim(1, -1).flatten(0, -2)
        _, vectors = torch.linalg.eigh(patches.T.double().cov())  # rising
        axes = vectors.T.flip(0)[:channels].float()
        signs = axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()  # a component has no sign of its own
        return cls(axes * signs, patches.mean(0))

    @property
    def patch(self) -> int:
        return round((self.axes.shape[1] / 3) ** 0.5)

    def encode(self, pictures: Tensor) -> Tensor:
        """z (…, L, H/P, W/P) of pictures (…, 3, H, W)."""
        patches = F.pixel_unshuffle(pictures, self.patch).movedim(-3, -1) - self.mean
        return (patches @ self.axes.T).movedim(-1, -3)

    def decode(self, z: Tensor) -> Tensor:
        """Pictures (…, 3, H, W) of z (…, L, h, w)."""
        patches = z.movedim(-3, -1) @ self.axes + self.mean
        return F.pixel_shuffle(patches.movedim(-1, -3), self.patch)
