"""Motion as latents: the displacement of frame 1's pixels, less what drags and parts say already, packed onto the latent grid.

Letters: B batch, N frames, K drags, S = 64 pixels a side of the field, G = 8 cells a side of the grid. Lengths are picture
widths.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from puppetmaster_core.latents.affine import away_from
from puppetmaster_core.presets import MOTION_GRID

GRID = MOTION_GRID  # cells a side of what is diffused
COARSE = 32  # cells a side of the field that is packed there
PACK = COARSE // GRID
CHANNELS = 3 * PACK**2  # of what is diffused: x, y, whether it moves
FAINT = 0.05
ENERGY = 2.5  # of an ordinary clip's motion in latents, where something moves
EVEN = 0.2  # of that, below which a motion counts no more
LEAST = 0.1  # of its weight that displacement keeps where nothing moves


def coarse(offset: Tensor, moves: Tensor) -> tuple[Tensor, Tensor]:
    """The mean displacement of what moves (…, 2, COARSE, COARSE), and which share does (…, 1, COARSE, COARSE).

    offset (…, 2, S, S), moves (…, 1, S, S) in [0, 1]. Where nothing moves the mean is 0.
    """
    factor, lead = offset.shape[-1] // COARSE, offset.shape[:-3]
    share = F.avg_pool2d(moves.flatten(0, -4), factor)
    mean = F.avg_pool2d((offset * moves).flatten(0, -4), factor) / share.clamp(min=1e-3)
    return mean.unflatten(0, lead), share.unflatten(0, moves.shape[:-3])


def guess(masks: Tensor, drags: Tensor, affine: Tensor) -> Tensor:
    """d_n + A_n (p − u) of each drag, spread over its part: (B, N, 2, s, s) of masks (B, K, s, s), drags (B, K, N, 2) and A
    (B, K, N, 2, 2).

    An absent drag's mask is 0.
    """
    share = masks / (masks.sum(1, keepdim=True) + FAINT)
    moved = (drags - drags[:, :, :1])[..., None] + affine @ away_from(drags[:, :, 0], masks.shape[-1])[:, :, None]
    return (share.flatten(2)[:, :, None, None] * moved).sum(1).unflatten(-1, masks.shape[-2:])


def pack(field: Tensor) -> Tensor:
    """(…, C, COARSE, COARSE) → (…, C·PACK², GRID, GRID)."""
    return F.pixel_unshuffle(field, field.shape[-1] // GRID)


def unpack(x: Tensor, channels: int) -> Tensor:
    """The inverse of `pack`, to so many channels."""
    return F.pixel_shuffle(x, round((x.shape[-3] / channels) ** 0.5))


def to_latents(offset: Tensor, moves: Tensor, guessed: Tensor, scale: float) -> Tensor:
    """What is diffused (B, N, CHANNELS, GRID, GRID), about unit variance.

    offset (B, N, 2, S, S), moves (B, 1, 1, S, S), guessed (B, N, 2, COARSE, COARSE): see `guess`. Where nothing moves there is
    nothing to add to the guess.
    """
    mean, share = coarse(offset, moves.expand(-1, offset.shape[1], -1, -1, -1))
    rest = (mean - guessed) * (share > 0)
    return torch.cat([pack(scale * rest), pack(2 * share - 1)], 2)


def from_latents(x: Tensor, guessed: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """The field (B, N, 2, COARSE, COARSE), and what moves (B, COARSE, COARSE) in [0, 1]: the mean over frames after the first."""
    rest, moving = x.split([2 * PACK**2, PACK**2], 2)
    moving = (unpack(moving, 1)[:, 1:, 0].mean(1) + 1) / 2
    return guessed + unpack(rest, 2) / scale, moving.clamp(0, 1)


def weight_of(moves: Tensor, x: Tensor, guessed: Tensor, scale: float) -> Tensor:
    """How much each number of latents x counts in training, of their shape and about 1 on average over what moves.

    Displacement counts where something moves: elsewhere nobody sees it. And it counts the more the less a clip moves: what is
    seen is how wrong a motion is for its size.
    """
    share = F.avg_pool2d(moves[:, 0], moves.shape[-1] // COARSE)
    there = pack((share > 0).float())
    there = torch.cat([there, there], 1)  # (B, 2·PACK², GRID, GRID)
    whole = (x[:, :, : 2 * PACK**2] + pack(scale * guessed))[:, 1:]
    energy = (whole.square().mean(1) * there).sum((1, 2, 3)) / there.sum((1, 2, 3)).clamp(min=1)
    counts = (there + LEAST) / (energy / ENERGY + EVEN)[:, None, None, None]
    return torch.cat([counts, torch.ones_like(counts[:, : PACK**2])], 1)[:, None].expand_as(x)
