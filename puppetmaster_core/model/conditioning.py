"""What a video's drags give the network whatever the noise level: computed once per video, used at every step.

Shapes: B batch, N frames, K drags, C channels of a feature map, (h, w) the latent grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .modulation import Modulation


@dataclass(frozen=True)
class DragConditioning:
    """The drags of B videos, as the network takes them: made by `DragUNet.condition`."""

    maps: tuple[Modulation | None, ...]  # one per transformer, each gamma and beta (B, N, C, h_s, w_s) at its own size
    points: Tensor  # (B, K, N, 2), xy in [0, 1]
    present: Tensor  # (B, N, K) bool
    size: tuple[int, int]  # (h, w) of the latents

    @property
    def batch(self) -> int:
        return self.points.shape[0]

    @property
    def frames(self) -> int:
        return self.points.shape[2]

    # One conditioning of several, along the batch: the two halves of a guided step, or several sets of drags.
    @staticmethod
    def cat(parts: Sequence["DragConditioning"]) -> "DragConditioning":
        if not parts:
            raise ValueError("no conditionings given, wanted one or more to join")
        shapes = {(part.size, part.frames, part.points.shape[1]) for part in parts}
        if len(shapes) != 1:
            raise ValueError(
                f"conditionings of different (size, frames, drags) {sorted(shapes)} cannot be joined: "
                "make them with the same condition(..., size=...) and frames"
            )
        maps = tuple(
            None if same[0] is None else Modulation(*(_cat(pair) for pair in zip(*same, strict=True)))
            for same in zip(*(part.maps for part in parts), strict=True)
        )
        return DragConditioning(maps, torch.cat([p.points for p in parts]), torch.cat([p.present for p in parts]), parts[0].size)

    # The same conditioning for `batch` videos of `frames` frames: a view, no memory. Its own batch and frames are 1.
    def expand(self, batch: int, frames: int) -> "DragConditioning":
        maps = tuple(m and Modulation(*(x if x is None else x.expand(batch, frames, -1, -1, -1) for x in m)) for m in self.maps)
        points = self.points.expand(batch, -1, frames, -1)
        return DragConditioning(maps, points, self.present.expand(batch, frames, -1), self.size)

    # To a device and the network's floating-point type. Points keep theirs: a place needs more digits than a feature.
    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "DragConditioning":
        maps = tuple(m and Modulation(*(x if x is None else x.to(device, dtype) for x in m)) for m in self.maps)
        return DragConditioning(maps, self.points.to(device), self.present.to(device), self.size)


# Join along the batch what every part has, or None where none has it.
def _cat(parts: Sequence[Tensor | None]) -> Tensor | None:
    return None if parts[0] is None else torch.cat(list(parts))
