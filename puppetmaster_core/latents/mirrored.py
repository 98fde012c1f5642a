"""A picture looked at twice, as it is and in the mirror: where one look errs the other seldom does, and what is told is the mean.

Letters: B pictures, K points, N frames, S = 64 pixels a side. The second half of a batch of 2B is the mirror images.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from puppetmaster_core.latents.parts import Look, PartsNet


@dataclass(frozen=True)
class TwoLooks:
    """What was seen of B pictures and of their mirror images."""

    both: Look  # of 2B
    levels: tuple[Tensor, ...]

    @classmethod
    def at(cls, net: PartsNet, pictures: Tensor) -> TwoLooks:
        """pictures (B, 3, S, S) in [−1, 1]."""
        return cls(*net(torch.cat([pictures, pictures.flip(-1)])))

    @property
    def own(self) -> Look:
        """Of the pictures as they are."""
        return Look(*(one.chunk(2)[0] for one in (self.both.deep, self.both.fine, self.both.about)))

    def masks(self, net: PartsNet, points: Tensor) -> Tensor:
        """(B, K, S, S) in [0, 1], see `PartsNet.masks`."""
        own, other = net.masks(self.both, self.levels, with_mirrored(points)).float().chunk(2)
        return ((own + other.flip(-1)) / 2).sigmoid()

    def codes(self, net: PartsNet, masks: Tensor, points: Tensor) -> Tensor:
        """(2B, K, CODE), see `PartsNet.codes`."""
        return net.codes(self.both, self.levels, torch.cat([masks, masks.flip(-1)]), with_mirrored(points))


def with_mirrored(places: Tensor) -> Tensor:
    """Places (B, …, 2), xy in [0, 1], and in the mirror (2B, …, 2)."""
    return torch.cat([places, places * places.new_tensor([-1, 1]) + places.new_tensor([1, 0])])


def matrices(net: PartsNet, codes: Tensor, drags: Tensor) -> Tensor:
    """A (B, K, N, 2, 2) of codes (2B, K, CODE) and drags (B, K, N, 2), see `AffineHead`; in the mirror x and y mix otherwise."""
    own, other = net.affine(codes, with_mirrored(drags)).chunk(2)
    return (own + other * other.new_tensor([[1, -1], [-1, 1]])) / 2
