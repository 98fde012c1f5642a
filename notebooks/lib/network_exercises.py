"""The checks of the exercises in the network's chapters and in the one on inference, as in `exercises`: None is no answer yet.

Letters: B videos, K drags, N frames, s side of a grid, H heads, L places, D channels of a head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lib.exercises import WAITING
from puppetmaster_core.diffusion import frame_guidance
from puppetmaster_core.encoding import cells, encode_drags
from puppetmaster_core.model.attention import all_to_first, all_to_first_reference
from puppetmaster_core.model.modulation import Modulation, modulate


def cell_and_offset(place: tuple[float, float], size: int, answer: Sequence[float] | None) -> str:
    """The answer (row, column, offset down, offset right) for a place xy on a grid of `size` cells a side, App. A."""
    if answer is None:
        return WAITING
    if len(answer) != 4:
        return f"{len(answer)} numbers came, wanted four: row, column, offset down, offset right"
    (row, col), (dy, dx) = cells(torch.tensor(place, dtype=torch.float64), size)
    if (answer[0], answer[1]) == (col, row) and row != col:
        return "not yet: rows come first, and a row is found from y"
    if (answer[0], answer[1]) != (row, col):
        return "not yet: the cell is the whole part of s·y and of s·x"
    if max(abs(answer[2] - dy), abs(answer[3] - dx)) > 1e-6:
        return "not yet: the cell is right; an offset is what the whole part leaves over"
    return f"right: cell ({row:.0f}, {col:.0f}), and {dy:.2f} down and {dx:.2f} right inside of it"


def read_back(function: Callable[[Tensor, int], Tensor] | None) -> str:
    """A function from maps (N, 6, s, s) of one drag and s to its points (N, 2), xy: the inverse of App. A."""
    if function is None:
        return WAITING
    points = torch.rand(1, 7, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    for size in (3, 8, 32):
        given = function(encode_drags(points, size, max_drags=1), size)
        if tuple(given.shape) != (7, 2):
            return f"wrong shape: {tuple(given.shape)} came for 7 frames, wanted (7, 2)"
        if torch.allclose(given.double(), points[0].flip(-1), atol=1e-6):
            return "nearly: x and y are swapped, the paper's channels hold (h, w)"
        if not torch.allclose(given.double(), points[0], atol=1e-6):
            gap = (given - points[0]).abs().max()
            hint = "; add the offset to the cell" if gap < 1 / size else ""
            return f"not yet: {gap:.3f} of the picture's side off at s = {size}{hint}"
    return "right: the drag is in the maps to the last digit, at any resolution"


def modulated(function: Callable[[Tensor, Tensor, Tensor], Tensor] | None) -> str:
    """A function from features f, γ and β, all (N, C, s, s), to what Eq. 3 makes of f."""
    if function is None:
        return WAITING
    f, gamma, beta = torch.randn(3, 4, 5, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    given = function(f.clone(), gamma, beta)
    if not isinstance(given, Tensor) or given.shape != f.shape:
        return f"{getattr(given, 'shape', type(given).__name__)} came, wanted a tensor of the shape of f, {tuple(f.shape)}"
    if not torch.equal(function(f.clone(), 0 * gamma, 0 * beta), f):
        return "not yet: where γ and β are zero, f should come out as it went in"
    if not torch.allclose(given, modulate(f, Modulation(gamma[None], beta[None])), atol=1e-9):
        return "not yet: scale by one plus γ first, then shift by β"
    return "right: the same numbers as the network's"


def keys_seen(paper: int | None, released: int | None) -> str:
    """How many keys a place's softmax runs over with two drags of five: absent drags masked, or tokens of zeros."""
    if paper is None or released is None:
        return WAITING
    if paper != 3:
        return "paper: not yet. The picture's key, and one for each drag that is there"
    if released != 6:
        return "released: not yet. A zero token gives a zero key, which scores 0, not −∞"
    return "right: 1 + K in the paper, 1 + K_max in the released code"


def frames_that_change(changed: int, answer: set[int] | None, frames: int = 5) -> str:
    """Which frames (from 1) of one all-to-first layer come out differently when frame `changed` goes in differently."""
    if answer is None:
        return WAITING
    x = torch.randn(frames, 2, 6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = x.clone()
    y[changed - 1] += 1
    before, after = all_to_first(x, x, x, frames), all_to_first(y, y, y, frames)
    differs = {n + 1 for n in range(frames) if not torch.allclose(before[n], after[n])}
    if set(answer) != differs:
        return f"frame {changed}: not yet. Who reads its queries? And its keys and values?"
    return f"frame {changed}: right, {', '.join(map(str, sorted(differs)))} of {frames}"


def own_all_to_first(function: Callable[[Tensor, Tensor, Tensor], Tensor] | None) -> str:
    """A function of q, k, v, each (N, L, D), that gives Eq. 4's A (N, L, D)."""
    if function is None:
        return WAITING
    q, k, v = torch.randn(3, 4, 9, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    wanted = all_to_first_reference(*(x[:, None] for x in (q, k, v)), 4)[:, 0]
    given = function(q, k, v)
    if given.shape != wanted.shape:
        return f"wrong shape: {tuple(given.shape)} came, wanted {tuple(wanted.shape)}"
    own = torch.softmax(q @ k.transpose(-1, -2) / 8**0.5, -1) @ v
    if torch.allclose(given, own):
        return "not yet: every frame attends to itself. Take the keys and values of frame 1"
    if not torch.allclose(given, wanted, atol=1e-9):
        return "not yet: mind √D, and that the softmax runs over the keys, the last axis"
    return "right: Eq. 4"


def guidance_weight(answer: float | None, frame: int = 8, frames: int = 14, maximum: float = 5.0) -> str:
    """The guidance weight of a frame (from 1) when it grows from 1 to `maximum` over the frames."""
    if answer is None:
        return WAITING
    wanted = frame_guidance(frames, 1.0, maximum)[frame - 1].item()
    if abs(answer - frame_guidance(frames + 1, 1.0, maximum)[frame - 1].item()) < 1e-3:
        return "not yet: N frames have N − 1 steps between them"
    return f"right: {wanted:.2f}" if abs(answer - wanted) < 5e-3 else f"not yet: frame 1 has 1, frame {frames} has {maximum:g}"


def network_calls(answer: int | None, wanted: int) -> str:
    """How many videos the network denoises for one: steps, and guided ones again."""
    if answer is None:
        return WAITING
    return f"right: {wanted}" if answer == wanted else "not yet: a guided step works on two videos, others on one"
