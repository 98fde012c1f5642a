"""What a video's drags give the network whatever the noise level: computed once per video, used at every step.

Shapes: B batch, N frames, K drags, C channels of a feature map, (h, w) the latent grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    undragged: int = 0  # so many videos, from the first on, are known to have no drags
    blank: bool = False  # those videos have no picture either: their embedding is zero
    positions: tuple[Tensor, ...] | None = None  # one per transformer, (N, C): SVD's embedding of the frames' numbers
    reference: bool = False  # behind the videos are as many without drags, the static reference's (`DragUNet.prepare`)

    @property
    def batch(self) -> int:
        return self.points.shape[0] // (1 + self.reference)

    @property
    def frames(self) -> int:
        return self.points.shape[2]

    @staticmethod
    def cat(parts: Sequence["DragConditioning"]) -> "DragConditioning":
        """One conditioning of several, along the batch: the two halves of a guided step, or several sets of drags.

        Raises ValueError where size, frames or drags differ, or a static reference is among them.
        """
        shapes = {(part.size, part.frames, part.points.shape[1]) for part in parts}
        if any(part.reference for part in parts):
            raise ValueError("conditionings with a static reference cannot be joined: join first, then prepare")
        if len(shapes) != 1:
            raise ValueError(
                f"conditionings of different (size, frames, drags) {sorted(shapes)} cannot be joined: "
                "make them with the same condition(..., size=...) and frames"
            )
        maps = tuple(
            None if same[0] is None
            else Modulation(*(None if pair[0] is None else torch.cat(pair) for pair in zip(*same, strict=True)))
            for same in zip(*(part.maps for part in parts), strict=True)
        )
        points, present = torch.cat([part.points for part in parts]), torch.cat([part.present for part in parts])
        undragged, blank = _leading_without_drags(parts)
        return DragConditioning(maps, points, present, parts[0].size, undragged, blank, parts[0].positions)

    def expand(self, batch: int, frames: int) -> "DragConditioning":
        """The same maps for `batch` videos of `frames` frames: a view, no memory. Its own batch and frames are 1."""
        maps = tuple(m and Modulation(*(x if x is None else x.expand(batch, frames, -1, -1, -1) for x in m)) for m in self.maps)
        points = self.points.expand(batch, -1, frames, -1)
        present = self.present.expand(batch, frames, -1)
        return DragConditioning(maps, points, present, self.size, batch if self.undragged else 0, self.blank)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "DragConditioning":
        """To a device and the network's floating-point type. Points keep theirs: a place needs more digits than a feature."""
        maps = tuple(m and Modulation(*(x if x is None else x.to(device, dtype) for x in m)) for m in self.maps)
        positions = self.positions and tuple(x.to(device, dtype) for x in self.positions)
        return replace(self, maps=maps, points=self.points.to(device), present=self.present.to(device), positions=positions)


def _leading_without_drags(parts: Sequence[DragConditioning]) -> tuple[int, bool]:
    """How many videos before the first with drags, and whether all of them are without a picture as well."""
    count, blank = 0, True
    for part in parts:
        count, blank = count + part.undragged, blank and (part.blank or not part.undragged)
        if part.undragged < part.batch:
            break
    return count, blank and count > 0


def halved(size: tuple[int, int], level: int) -> tuple[int, int]:
    """The grid (h, w) after `level` of the U-Net's stride-2 convolutions, which round up."""
    h, w = size
    return -(-h // 2**level), -(-w // 2**level)
