"""Forward splatting: a picture's own pixels, carried to where the motion takes them.

Letters: N frames, S pixels a side, P pixels that move, C channels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

FAINT = 0.02  # a pixel that belongs to what moves by less than this is not carried
TOLERANCE = 0.02  # by how much order may differ within one surface
FULL = 1.2  # coverage by which a pixel is full: rounding makes no stripes
FINEST = 24  # samples of a pixel at the most, where the motion stretches: a door that opens shows ten times what it showed


def splat(values: Tensor, offset: Tensor, weight: Tensor, order: Tensor, still_order: Tensor | None = None
          ) -> tuple[Tensor, Tensor]:
    """Values (N, C, S, S) where they arrive, and how far each pixel is covered (N, 1, S, S) in [0, 1].

    values (C, S, S) of frame 1 travel by offset (N, 2, S, S), in pixels, as far as they belong to what moves, weight (S, S) in
    [0, 1], each over its four nearest pixels. order (N, S, S): where two surfaces arrive, the one of higher order is seen; it may
    also pass behind what stays, still_order (N, S, S).
    """
    frames, _, size, _ = offset.shape
    down, across = _box(weight > FAINT)
    values, offset, weight, order = (one[..., down, across] for one in (values, offset, weight, order))
    spread, fine = expansion(offset, weight)
    values, offset, weight, order, spread = _refined(values, offset, weight, order, spread, fine)
    rows, columns = torch.nonzero(weight > FAINT, as_tuple=True)
    own, spread = weight[rows, columns], spread[:, rows, columns] / (fine[0] * fine[1])  # (P,), (N, P)
    places = enumerate(((columns, across), (rows, down)))
    x, y = ((own + 0.5) / fine[i] - 0.5 + box.start + offset[:, i, rows, columns] for i, (own, box) in places)  # (N, P)
    height = order[:, rows, columns]
    corners = []
    for right in (0, 1):
        for down in (0, 1):
            cx, cy = x.floor() + right, y.floor() + down
            share = (1 - (x - cx).abs()) * (1 - (y - cy).abs())
            inside = (cx >= 0) & (cx < size) & (cy >= 0) & (cy < size) & (share > 0)
            frame = torch.arange(frames, device=x.device)[:, None] * size**2
            corners.append(((frame + cy.clamp(0, size - 1) * size + cx.clamp(0, size - 1)).long(), share, inside))
    top = torch.full((frames * size**2,), -torch.inf, device=values.device, dtype=height.dtype)
    if still_order is not None:
        top = still_order.reshape(-1).clone()
    for target, share, inside in corners:
        near = inside & (share > 0.2) & (own > 0.5)
        top.scatter_reduce_(0, target[near], height[near], "amax")
    total = torch.zeros(frames * size**2, device=values.device)
    summed = torch.zeros(frames * size**2, len(values), device=values.device)
    carried = values[:, rows, columns].T  # (P, C)
    for target, share, inside in corners:
        kept = inside & (height > top[target] - TOLERANCE)
        amount = (share * spread * own)[kept]
        total.index_add_(0, target[kept], amount)
        summed.index_add_(0, target[kept], amount[:, None] * carried.expand(frames, -1, -1)[kept])
    averaged = summed / total.clamp(min=1e-6)[:, None]
    shape = (frames, size, size)
    return averaged.T.reshape(-1, *shape).transpose(0, 1), (FULL * total).clamp(max=1).view(frames, 1, size, size)


def _box(there: Tensor) -> tuple[slice, slice]:
    """Rows and columns around all that is there (S, S), and one more on every side."""
    found = []
    for axis in (1, 0):
        at = there.any(axis).nonzero()[:, 0].tolist() or [0]
        found.append(slice(max(0, at[0] - 1), at[-1] + 2))
    return tuple(found)


def area(offset: Tensor, weight: Tensor) -> Tensor:
    """Into how many pixels' area each pixel is spread (N, S, S), told by its neighbours that move along; below 0 where its back
    is seen."""
    return _area(*_slopes(offset, weight))


def expansion(offset: Tensor, weight: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """`area` from 1 on, whichever side is seen; and into how many samples across and down pixels are to be cut, so that these
    arrive less than a pixel apart."""
    across, down = _slopes(offset, weight)
    wide = (1 + across[:, 0]).abs().maximum(across[:, 1].abs()).max().item()
    high = (1 + down[:, 1]).abs().maximum(down[:, 0].abs()).max().item()
    wide, high = (max(1, math.ceil(one - 0.1)) for one in (wide, high))
    cut = min(1.0, (FINEST / (wide * high)) ** 0.5)
    return _area(across, down).abs().clamp(1, FINEST), (max(1, int(cut * wide)), max(1, int(cut * high)))


def _refined(values: Tensor, offset: Tensor, weight: Tensor, order: Tensor, spread: Tensor,
             fine: tuple[int, int]) -> tuple[Tensor, ...]:
    """All of them with so many samples a pixel across and down; values, offset and order are smooth within what moves."""
    if fine == (1, 1):
        return values, offset, weight, order, spread
    firm, times = (weight > FAINT).float()[None, None], fine[::-1]
    share = F.interpolate(firm, scale_factor=times, mode="bilinear", align_corners=False).clamp(min=1e-3)
    values, offset, order = (F.interpolate(one * firm, scale_factor=times, mode="bilinear", align_corners=False) / share
                             for one in (values[None], offset, order[:, None]))
    weight, spread = (F.interpolate(one[None], scale_factor=times)[0] for one in (weight[None], spread))
    return values[0], offset, weight[0], order[:, 0], spread


def _area(across: Tensor, down: Tensor) -> Tensor:
    return (1 + across[:, 0]) * (1 + down[:, 1]) - across[:, 1] * down[:, 0]


def _slopes(offset: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """How offset (N, 2, S, S) changes a pixel across, and a pixel down, among what moves."""
    firm = (weight > 0.5).float()
    return _slope(offset, firm, -1), _slope(offset, firm, -2)


def _slope(offset: Tensor, firm: Tensor, axis: int) -> Tensor:
    """The mean difference of offset (N, 2, S, S) to the two neighbours along an axis, of those that are firm (S, S)."""
    size = offset.shape[axis]
    pair = firm.narrow(axis, 1, size - 1) * firm.narrow(axis, 0, size - 1)
    change = offset.diff(dim=axis) * pair
    shape = list(offset.shape)
    shape[axis] = 1
    none, nothing = offset.new_zeros(shape), pair.new_zeros(shape[-2:])
    total = torch.cat([none, change], axis) + torch.cat([change, none], axis)
    count = torch.cat([nothing, pair], axis) + torch.cat([pair, nothing], axis)
    return total / count.clamp(min=1)
