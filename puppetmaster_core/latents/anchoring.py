"""From a loose field to parts that move whole: each drag's part by one affine motion where that fits, and through the drag.

Letters: N frames, K drags, S = 64 pixels a side, W ≥ S of the picture. Lengths are picture widths. Ours, not the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from puppetmaster_core.latents.affine import away_from
from puppetmaster_core.latents.snap import Guide, resized, snap

STIFF, SOFT = 0.12, 0.35  # misfit, of the part's own motion, up to which it is moved whole, and from which on it keeps its field
RIDGE = 1e-4  # of the affine fit, in squared widths: small parts move straight
FIRM = 4.0  # how much steeper a mask's edge is made: a pixel that half moves would be a ghost at both places
REACH = 0.15  # widths around a drag's point, in which a soft part is drawn to it


@dataclass(frozen=True)
class PartMotion:
    """How each of K parts, and last what else moves, moves."""

    masks: Tensor  # (K + 1, S, S) in [0, 1]: they overlap nowhere, up to their edges
    fields: Tensor  # (K + 1, N, 2, S, S), defined everywhere

    def at(self, picture: Tensor, guide: Guide | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Offset (N, 2, W, W), weight (W, W) and order (N, W, W), as `Moved.of` takes them, for picture (3, W, W).

        guide: of the picture, where it has been made already.
        """
        used = self.masks.flatten(1).amax(1) > 0.1
        masks, fields, size = self.masks[used], self.fields[used], picture.shape[-1]
        frames = self.fields.shape[1]
        if not len(masks):
            nothing = picture.new_zeros(size, size)
            return nothing.expand(frames, 2, -1, -1), nothing, nothing.expand(frames, -1, -1)
        if size > masks.shape[-1]:
            masks, fields = snap(masks, guide or Guide.of(picture)), resized(fields, size)
        weight, owner = masks.max(0)
        weight = torch.where(masks.sum(0) > 0.5, masks.sum(0).clamp(max=1), weight)
        weight = (FIRM * (weight - 0.5) + 0.5).clamp(0, 1)
        offset = fields.gather(0, owner.expand(1, frames, 2, -1, -1))[0]
        far = (fields.square().sum(2).sqrt() * masks[:, None]).flatten(2).sum(2) / masks.flatten(1).sum(1)[:, None]  # (K', N)
        order = far.argsort(0).argsort(0).float()  # what moves farther is nearer, as a camera sees it
        return offset, weight, order.T[:, owner.flatten()].view(frames, size, size)


def anchored(offset: Tensor, moving: Tensor, masks: Tensor, drags: Tensor) -> PartMotion:
    """Parts of a field.

    offset (N, 2, S, S), where moving (S, S) in [0, 1] says that anything moves; masks (K, S, S) in [0, 1] of the parts that drags
    (K, N, 2), xy in [0, 1], lie on.
    """
    claimed = torch.cat([masks, (0.3 * torch.ones_like(moving))[None]])
    owner = F.one_hot(claimed.argmax(0), len(claimed)).permute(2, 0, 1)
    own = owner * moving
    fields = [spread(offset, moving)]
    for mask, drag in zip(own[:-1], drags, strict=True):
        fields.insert(-1, _of_part(fields[-1], mask, drag))
    return PartMotion(own, torch.stack(fields))


def _of_part(offset: Tensor, mask: Tensor, drag: Tensor) -> Tensor:
    """The field (N, 2, S, S) of one part: d_n + A_n (p − u) by weighted least squares, or the loose field drawn to the drag."""
    away = away_from(drag[None, :1], offset.shape[-1])[0, 0]  # (2, S²), p − u
    moved = (drag - drag[0])[:, :, None]  # (N, 2, 1), d_n
    weight = mask.flatten()
    rest = offset.flatten(2) - moved  # (N, 2, S²)
    weighed = away * weight
    square = weighed @ away.T + RIDGE * (weight.sum() + 1) * torch.eye(2, device=away.device)
    affine = torch.linalg.solve(square, weighed @ rest.flatten(0, 1).T).T.unflatten(0, (-1, 2))  # (N, 2, 2)
    motion, whole = offset.flatten(2), moved + affine @ away
    missed, energy = ((one.square().sum((0, 1)) * weight).sum() for one in (motion - whole, motion))
    share = (((missed / (energy + 1e-8)).sqrt() - STIFF) / (SOFT - STIFF)).clamp(0, 1)
    at = F.grid_sample(offset, (2 * drag[:1] - 1).view(1, 1, 1, 2).expand(len(offset), -1, -1, -1), align_corners=False,
                       padding_mode="border")[..., 0]  # (N, 2, 1)
    near = (-away.square().sum(0) / (2 * REACH**2)).exp()
    loose = motion + (moved - at) * near
    return ((1 - share) * whole + share * loose).view_as(offset)


def spread(offset: Tensor, weight: Tensor) -> Tensor:
    """A field (N, 2, S, S) known as far as weight (S, S) says, carried on from there to everywhere: pyramid averages."""
    known = weight.expand(len(offset), 1, -1, -1)
    total, count, side = offset * known, known, offset.shape[-1]
    levels = []
    while side >= 1:
        levels.append((total, count))
        if side % 2:
            break
        total, count, side = F.avg_pool2d(total, 2), F.avg_pool2d(count, 2), side // 2
    found = levels[-1][0] / (levels[-1][1] + 1e-6)
    for total, count in levels[-2::-1]:
        found = F.interpolate(found, scale_factor=2.0, mode="bilinear", align_corners=False)
        found = (total + 0.02 * found) / (count + 0.02)
    return found
