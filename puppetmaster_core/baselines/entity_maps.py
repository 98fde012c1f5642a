"""DragAnything's mechanism: what a part looks like, carried along the drag, beside a heat map of where it is.

It needs a mask of the dragged part, which no other mechanism is given: see `EntityMaps.masks`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from puppetmaster_core.baselines.branch import Branched
from puppetmaster_core.baselines.maps import distances

LEAST, MOST = 0.03, 0.15  # radius of the disc, in picture widths
HEAT = 0.4  # σ of the heat, in radii
WIDTH = 32  # channels of each encoder
FINE = 2  # cells of the maps a side of a latent cell, before the encoders' stride


def encoder(channels: int) -> nn.Sequential:
    """A small one with stride 2."""
    return nn.Sequential(nn.Conv2d(channels, WIDTH, 3, padding=1), nn.SiLU(), nn.Conv2d(WIDTH, WIDTH, 3, stride=FINE, padding=1),
                         nn.SiLU())


class EntityMaps(Branched):
    """masks (B, K_max, h, w) of the dragged parts in frame 1, set before each call.

    An entity's embedding is the mean of the picture's own latents over its mask: here they stand for diffusion features.
    """

    CONTROL = 2 * WIDTH

    def __init__(self, **config):
        super().__init__(**config)
        self.masks: Tensor | None = None
        self.entities, self.heat = encoder(self.config.out_channels), encoder(1)

    def control_of(self, sample: Tensor, points: Tensor, present: Tensor) -> Tensor:
        masks, pictures = self.masks, sample[:, 0, self.config.out_channels :]  # (B, K, h, w), (B, C, h, w)
        area = masks.sum((2, 3)).clamp(min=1e-3)  # (B, K) cells
        entity = torch.einsum("bkyx,bcyx->bkc", masks, pictures) / area[..., None]
        size = FINE * sample.shape[-1]
        radius = (area / torch.pi).sqrt() / sample.shape[-1]  # of a disc of that area; the inscribed circle needs finer masks
        radius = radius.clamp(LEAST, MOST)[:, :, None, None, None]
        away = distances(points, size)  # (B, K, N, size, size)
        there = present.transpose(1, 2)[..., None, None]
        disc = (away <= radius.clamp(min=0.75 / size)) * there
        heat = ((-(away**2) / (2 * (HEAT * radius) ** 2)).exp() * there).amax(1)[:, :, None]  # (B, N, 1, size, size)
        painted = torch.einsum("bknyx,bkc->bncyx", disc / disc.sum(1, keepdim=True).clamp(min=1), entity)
        maps = self.entities(painted.flatten(0, 1)), self.heat(heat.flatten(0, 1))
        return torch.cat(maps, 1).unflatten(0, sample.shape[:2])
