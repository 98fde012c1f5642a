"""A ControlNet around the backbone: a copy of its encoder that sees the control, and zero convolutions from it to the skips."""

from __future__ import annotations

import copy

from diffusers.models.controlnets.controlnet import zero_module
from torch import Tensor, nn

from puppetmaster_core.baselines.maps import PLAIN
from puppetmaster_core.model import DragUNet


class Branch(nn.Module):
    """The encoder's copy. blind: whether the noisy latents are hidden from it."""

    def __init__(self, network: DragUNet, control_channels: int, blind: bool):
        super().__init__()
        self.hidden = network.config.out_channels if blind else 0
        self.conv_in = copy.deepcopy(network.conv_in)
        self.blocks = copy.deepcopy(nn.ModuleList([*network.down_blocks, network.mid_block]))
        for module in self.blocks.modules():  # one context: the copies, too, know how many frames there are
            for part in (module, getattr(module, "processor", None)):
                if hasattr(part, "context"):
                    part.context = network.context
        self.control = nn.Conv2d(control_channels, self.conv_in.out_channels, 3, padding=1)
        self.out = nn.ModuleList(zero_module(nn.Conv2d(own, own, 1)) for own in _skip_channels(network))

    def forward(self, sample: Tensor, control: Tensor, rest: dict) -> list[Tensor]:
        """What is added to every skip of the blocks, and last to the middle. sample (B·N, C, h, w), control (B·N, C', h, w);
        rest: the blocks' other arguments."""
        sample = sample.clone()
        sample[:, : self.hidden] = 0
        x, skips = self.conv_in(sample) + self.control(control), []
        for block in self.blocks[:-1]:
            x, own = block(hidden_states=x, **rest)
            skips += own
        skips.append(self.blocks[-1](hidden_states=x, **rest))
        return [conv(skip) for conv, skip in zip(self.out, skips, strict=True)]


class Branched(DragUNet):
    """The backbone with a branch, which is told what `control_of` says. config: `DragUNet`'s.

    diffusers' network takes no residuals, so hooks add them as each block hands out its own; conv_in's skip gets none.
    """

    CONTROL: int  # channels
    BLIND = False

    def __init__(self, **config):
        super().__init__(**config | PLAIN)
        self.branch = Branch(self, self.CONTROL, self.BLIND)
        self.told, self.added = None, []
        self.down_blocks[0].register_forward_pre_hook(self._begin, with_kwargs=True)
        for block in self.down_blocks:
            block.register_forward_hook(self._add)
        self.mid_block.register_forward_hook(lambda block, inputs, x: x + self.added.pop(0))

    def control_of(self, sample: Tensor, points: Tensor, present: Tensor) -> Tensor:
        """(B, N, CONTROL, h, w) of sample (B, N, C, h, w), points (B, K, N, 2), present (B, N, K)."""
        raise NotImplementedError

    def forward(self, sample, timestep, encoder_hidden_states, added_time_ids, conditioning, return_dict=True):
        control = self.control_of(sample, conditioning.points, conditioning.present)
        self.told = sample.flatten(0, 1), control.flatten(0, 1)
        return super().forward(sample, timestep, encoder_hidden_states, added_time_ids, conditioning, return_dict)

    def _begin(self, block, inputs, arguments: dict) -> None:
        rest = {name: value for name, value in arguments.items() if name != "hidden_states"}
        self.added = self.branch(*self.told, rest)

    def _add(self, block, inputs, result):
        x, skips = result
        skips = tuple(skip + self.added.pop(0) for skip in skips)
        return skips[-1] if x is result[1][-1] else x, skips


def _skip_channels(network: DragUNet) -> list[int]:
    """Of every residual block and downsampler of the encoder, then of the middle."""
    found = []
    for block in network.down_blocks:
        own = [resnet.spatial_res_block.conv2.out_channels for resnet in block.resnets]
        found += own + own[-1:] * bool(block.downsamplers)
    return [*found, found[-1]]
