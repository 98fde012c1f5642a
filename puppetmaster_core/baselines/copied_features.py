"""Mechanisms without parameters: the picture's own features, copied along the drags into what the network is given.

Letters: B batch, N frames, K drags, C channels of the picture's latents, (h, w) latent grid.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from puppetmaster_core.baselines.maps import PLAIN, distances
from puppetmaster_core.encoding import cells
from puppetmaster_core.model import DragUNet

SIGMA = 0.5  # cells, of a soft copy
TOP = 2  # drags that a cell takes from


class CopiedFeatures(DragUNet):
    """Wan-Move's: in each frame, the cell where a drag is gets the features of the cell where it began. config: `DragUNet`'s."""

    def __init__(self, **config):
        super().__init__(**config | PLAIN)

    def forward(self, sample, timestep, encoder_hidden_states, added_time_ids, conditioning, return_dict=True):
        given = sample[:, :, self.config.out_channels :]
        given = copied(given, conditioning.points, conditioning.present)
        sample = torch.cat([sample[:, :, : self.config.out_channels], given], 2)
        return super().forward(sample, timestep, encoder_hidden_states, added_time_ids, conditioning, return_dict)


class SoftCopies(DragUNet):
    """ATI's: copies with Gaussian weights, of the nearest drags, and the weight in a channel of its own. config: `DragUNet`'s."""

    def __init__(self, **config):
        super().__init__(**config | PLAIN | {"in_channels": config["in_channels"] + 1})

    def forward(self, sample, timestep, encoder_hidden_states, added_time_ids, conditioning, return_dict=True):
        given, weight = softly_copied(sample[:, :, self.config.out_channels :], conditioning.points, conditioning.present)
        sample = torch.cat([sample[:, :, : self.config.out_channels], given, weight], 2)
        return super().forward(sample, timestep, encoder_hidden_states, added_time_ids, conditioning, return_dict)


def copied(given: Tensor, points: Tensor, present: Tensor) -> Tensor:
    """given (B, N, C, h, w) with a copy for each drag; points (B, K, N, 2), present (B, N, K). Where two meet, the later's."""
    h, w = given.shape[-2:]
    (row, column), _ = cells(points, (h, w))
    place = (row * w + column).long()  # (B, K, N)
    flat = given.flatten(3).clone()
    for k in range(points.shape[1]):
        here = present[:, :, k, None, None]  # (B, N, 1, 1)
        start = place[:, k, :1, None, None].expand(-1, flat.shape[1], flat.shape[2], 1)
        now = place[:, k, :, None, None].expand(-1, -1, flat.shape[2], 1)
        flat = flat.scatter(3, now, torch.where(here, flat[:, :1].expand_as(flat).gather(3, start), flat.gather(3, now)))
    return flat.view_as(given)


def softly_copied(given: Tensor, points: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """The same with weights, and the weight of each cell (B, N, 1, h, w)."""
    size = given.shape[-1]
    near = (-((distances(points, size) * size) ** 2) / (2 * SIGMA**2)).exp() * present.transpose(1, 2)[..., None, None]
    near, which = near.topk(min(TOP, near.shape[1]), 1)  # (B, TOP, N, h, w)
    grid = (points[:, :, :1] * 2 - 1)  # (B, K, 1, 2)
    features = F.grid_sample(given[:, 0], grid, padding_mode="border", align_corners=False)[..., 0]  # (B, C, K)
    picked = features.gather(2, which.flatten(1)[:, None].expand(-1, features.shape[1], -1)).unflatten(2, which.shape[1:])
    total = near.sum(1)  # (B, N, h, w)
    mixed = (picked * near[:, None]).sum(2) / total.clamp(min=1e-6)[:, None]  # (B, C, N, h, w)
    weight = total.clamp(max=1)[:, :, None]
    return (1 - weight) * given + weight * mixed.transpose(1, 2), weight
