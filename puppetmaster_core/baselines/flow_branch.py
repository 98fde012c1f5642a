"""Image Conductor's mechanism: blurred displacement, unshuffled to the latent grid, through a branch that sees no noise."""

from __future__ import annotations

import torch.nn.functional as F
from diffusers.models.controlnets.controlnet import zero_module
from torch import Tensor

from puppetmaster_core.baselines.branch import Branched
from puppetmaster_core.baselines.maps import blur, displacement_maps

FINE = 8  # cells of the maps a side of a latent cell, PixelUnshuffle(8)
SIGMA = 10 / 256  # of the blur, in picture heights


class FlowBranch(Branched):
    """The branch's noisy input is zero, and its first convolution of the control begins at zero."""

    CONTROL = 2 * FINE**2
    BLIND = True

    def __init__(self, **config):
        super().__init__(**config)
        zero_module(self.branch.control)

    def control_of(self, sample: Tensor, points: Tensor, present: Tensor) -> Tensor:
        size = FINE * sample.shape[-1]
        maps = blur(displacement_maps(points, present, size), SIGMA * size, normalised=True)
        area = 2 * 3.14159 * (SIGMA * size) ** 2  # a normalised blur makes one cell's displacement as small as its area is large
        return F.pixel_unshuffle(area * sample.shape[1] * maps, FINE)
