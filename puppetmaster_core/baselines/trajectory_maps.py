"""DragNUWA's mechanism: maps of the points' displacement, read by a pyramid and added to the features at each resolution."""

from __future__ import annotations

from diffusers.models.controlnets.controlnet import zero_module
from torch import Tensor, nn

from puppetmaster_core.baselines.maps import PLAIN, blur, displacement_maps
from puppetmaster_core.model import DragUNet

SIDE, GRID = 64, 8  # cells a side of the maps and of the latents
SIGMA = 0.0625  # of the blur, in picture widths: 16 pixels at 256
WIDTH = 32  # channels of the pyramid


class Level(nn.Module):
    """One step of the pyramid: half the size, and each place over time."""

    def __init__(self, channels: int, stride: int):
        super().__init__()
        self.space = nn.Conv2d(channels, WIDTH, 3, stride=stride, padding=1)
        self.time = nn.Conv1d(WIDTH, WIDTH, 3, padding=1)

    def forward(self, maps: Tensor, frames: int) -> Tensor:
        """(B·N, C, s, s) → (B·N, WIDTH, s', s')."""
        x = nn.functional.silu(self.space(maps))
        tall = x.unflatten(0, (-1, frames)).permute(0, 3, 4, 2, 1)  # (B, s', s', WIDTH, N)
        tall = tall + self.time(tall.flatten(0, 2)).view_as(tall)
        return tall.permute(0, 4, 3, 1, 2).flatten(0, 1)


class Gate(nn.Module):
    """h + GroupNorm(h)·γ + β, both from the maps, zero at the start."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.GroupNorm(8, channels, affine=False)
        self.out = zero_module(nn.Conv2d(WIDTH, 2 * channels, 3, padding=1))

    def forward(self, features: Tensor, maps: Tensor) -> Tensor:
        gamma, beta = self.out(maps).chunk(2, 1)
        return features + self.norm(features) * gamma + beta


class TrajectoryMaps(DragUNet):
    """config: `DragUNet`'s. Its drag layers are off; gates follow the first residual block of each encoder and decoder level."""

    def __init__(self, **config):
        super().__init__(**config | PLAIN)
        steps = (SIDE // GRID).bit_length() - 1  # halvings from the maps to the latents
        self.before = nn.ModuleList(Level(2 if i == 0 else WIDTH, 2) for i in range(steps))
        levels = len(self.down_blocks)
        self.pyramid = nn.ModuleList(Level(WIDTH, 2 if i else 1) for i in range(levels))
        blocks = [(block, i) for i, block in enumerate(self.down_blocks)]
        blocks += [(block, levels - 1 - i) for i, block in enumerate(self.up_blocks)]
        self.gates = nn.ModuleList(Gate(block.resnets[0].spatial_res_block.conv2.out_channels) for block, _ in blocks)
        self.read = []
        for gate, (block, level) in zip(self.gates, blocks, strict=True):
            block.resnets[0].register_forward_hook(self._gated(gate, level))

    def _gated(self, gate: Gate, level: int):
        return lambda module, inputs, features: gate(features, self.read[level])

    def forward(self, sample, timestep, encoder_hidden_states, added_time_ids, conditioning, return_dict=True):
        frames = sample.shape[1]
        maps = blur(displacement_maps(conditioning.points, conditioning.present, SIDE), SIGMA * SIDE, normalised=False)
        x = maps.flatten(0, 1) * frames  # displacement of about a whole way
        for level in self.before:
            x = level(x, frames)
        self.read = [x := level(x, frames) for level in self.pyramid]
        return super().forward(sample, timestep, encoder_hidden_states, added_time_ids, conditioning, return_dict)
