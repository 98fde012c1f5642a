"""DragAPart's mechanism: an image model. Drags shift the features, and each frame is made by itself, with drags that grow."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from puppetmaster_core.model import DragConditioning, DragUNet
from puppetmaster_core.model.modulation import Modulation

SHIFT_ONLY = {"modulation": "shift", "end_location": False, "drag_tokens": False, "attention": "static_reference"}


class SingleFrames(DragUNet):
    """N videos of one frame for each of N frames; keys and values come from a clean reference branch. config: `DragUNet`'s.

    To the network the frame is the first of one, so nothing tells it which frame it makes but how far the drag has come.
    """

    def __init__(self, **config):
        super().__init__(**config | SHIFT_ONLY)

    def condition(self, points: Tensor, present: Tensor, size: tuple[int, int],
                  numbers: Tensor | None = None) -> DragConditioning:
        """Of B·N videos of one frame. points (B, K, N, 2), present (B, K)."""
        now = points.transpose(1, 2)  # (B, N, K, 2)
        grown = torch.stack([now[:, :1].expand_as(now), now], 3).flatten(0, 1)  # (B·N, K, 2, 2): its start, and where it is
        both = super().condition(grown, present.repeat_interleave(points.shape[2], 0), size, torch.zeros(2))
        maps = tuple(Modulation(None, one.beta[:, 1:]) for one in both.maps)
        return replace(both, maps=maps, points=both.points[:, :, 1:], present=both.present[:, 1:],
                       positions=tuple(one[1:] for one in both.positions))

    def forward(self, sample, timestep, encoder_hidden_states, added_time_ids, conditioning, return_dict=True):
        frames = sample.shape[1]
        every = [x.repeat_interleave(frames, 0) for x in (encoder_hidden_states, added_time_ids)]
        if isinstance(timestep, Tensor) and timestep.ndim:
            timestep = timestep.repeat_interleave(frames, 0)
        made = super().forward(sample.flatten(0, 1)[:, None], timestep, *every, conditioning, return_dict)
        if return_dict:
            made.sample = made.sample[:, 0].unflatten(0, (-1, frames))
            return made
        return (made[0][:, 0].unflatten(0, (-1, frames)),)
