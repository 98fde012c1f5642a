"""The checks of the book's exercises: each takes a reader's answer and says in a line what is right or wrong with it.

None means not answered yet. Letters: B videos, K drags, N frames, P points, V vertices, s side of a grid, H heads, L places,
D channels of a head.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from procedural_library import make_asset
from puppetmaster_core.clips.drag_sampling import PAPER, displacement, distinct
from puppetmaster_core.curation.metrics import METRICS
from puppetmaster_core.diffusion import frame_guidance
from puppetmaster_core.encoding import cells, encode_drags
from puppetmaster_core.model.attention import all_to_first, all_to_first_reference
from puppetmaster_core.model.modulation import Modulation, modulate

WAITING = "not answered yet: replace None and run the cell again"
BAD_KINDS = ("static", "translation", "spin", "scaling")


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


def try_rule(rule: Callable[[Mapping[str, float]], bool] | None, rows: Sequence[Mapping], bad: Sequence[str]) -> str:
    """A rule from metrics to keep or not, tried on a run's rows. bad: the kinds it has to drop.

    Wanted: nine of ten good animations kept, every bad one dropped.
    """
    if rule is None:
        return WAITING
    kinds = [str(row["asset"]).rpartition("-")[0] for row in rows]
    kept = [bool(rule({name: row[name] for name in METRICS})) for row in rows]
    good = [k for k, kind in zip(kept, kinds, strict=True) if kind not in bad]
    slipped = sorted({kind for k, kind in zip(kept, kinds, strict=True) if k and kind in bad})
    if slipped:
        return f"not yet: {', '.join(slipped)} is kept"
    if np.mean(good) < 0.9:
        return f"not yet: every bad one is dropped, but only {np.mean(good):.0%} of the good are kept"
    return f"right: every bad one is dropped, {np.mean(good):.0%} of the good are kept"


def near_drags(gap: float | None, frames: int = 14) -> str:
    """How many pixels at 256 × 256 two drags that run side by side must be apart, so that both stay (§4: δ = 20N)."""
    if gap is None:
        return WAITING
    rng, line = np.random.default_rng(0), np.stack([np.linspace(0.2, 0.6, frames), np.full(frames, 0.5)], 1)

    def both_stay(pixels: float) -> bool:
        beside = line + np.array((0.0, pixels / PAPER.pixels))
        return bool(distinct(np.stack([line, beside]), rng, PAPER).all())

    if not both_stay(1.02 * gap):
        return f"too little: two drags {gap:g} px apart in every frame are near, and one of them goes"
    if both_stay(0.98 * gap):
        return f"too much: drags a little nearer than {gap:g} px both stay"
    return f"right: {gap:.2f} px in every frame, which is the square root of δ / N"


def point_chances(function: Callable[[np.ndarray], np.ndarray] | None) -> str:
    """A function from world points (N, P, 3) to the chance (P,) that §4 gives each of them to be dragged."""
    if function is None:
        return WAITING
    world = np.random.default_rng(1).normal(size=(14, 6, 3)).cumsum(0)
    world[:, 0] = world[0, 0]  # stands still
    world[7:, 1] = world[6::-1, 1]  # goes there and back
    wanted = displacement(world) / displacement(world).sum()
    given = np.asarray(function(world.copy()), dtype=float)
    if given.shape != wanted.shape:
        return f"wrong shape: {given.shape} came for 6 points, wanted (6,)"
    if not np.isfinite(given).all() or (given < 0).any():
        return "wrong: a chance is a number from 0 to 1"
    if abs(given.sum() - 1) > 1e-6:
        return f"not yet: the chances add up to {given.sum():.3f}, wanted 1"
    if given[1] < 1e-9:
        return "not yet: point 2 goes there and back, so it ends where it starts, but it has travelled: add up all its steps"
    if not np.allclose(given, wanted, atol=1e-6):
        return "not yet: wanted in proportion to the length of each point's way, all frames counted alike"
    return "right: the longer its way, the likelier a point is dragged; a point that stands still never is"


def check_decay(decay: float | None, half_life: float) -> str:
    """A decay for a half-life in updates, and in a line what is right or wrong with it."""
    if decay is None:
        return WAITING
    if not 0 < decay < 1:
        return f"wrong: a decay lies between 0 and 1, {decay:g} came"
    reached = math.log(0.5) / math.log(decay)
    if abs(reached - half_life) > 0.02 * half_life:
        return f"not yet: a decay of {decay:g} has a half-life of {reached:.0f} updates, wanted {half_life:g}"
    return f"right: {decay:.6f} to the power of {half_life:g} is one half"


def spread_over_seeds(function: Callable[[np.ndarray], np.ndarray] | None) -> str:
    """A function from M videos (M, N, H, W, 3) to how much they disagree at each pixel of the last frame (H, W)."""
    if function is None:
        return WAITING
    videos = np.random.default_rng(0).integers(0, 256, (4, 3, 5, 6, 3)).astype(np.uint8)
    videos[:, -1, 0] = videos[:1, -1, 0]  # in the top row all seeds agree
    given, wanted = np.asarray(function(videos.copy()), float), videos[:, -1].astype(float).std(axis=0).mean(axis=-1)
    if given.shape != wanted.shape:
        return f"wrong shape: {given.shape} came for frames of 5 × 6 pixels, wanted (5, 6)"
    if np.abs(given[0]).max() > 1e-6:
        return "not yet: in the top row all seeds agree, so there the answer is 0. Compare videos with each other, not frames"
    if np.allclose(given, wanted, rtol=1e-3):
        return "right: the standard deviation over seeds, mean over colours"
    ratio = given[1:] / wanted[1:]
    if (ratio > 0).all() and np.corrcoef(given[1:].ravel(), wanted[1:].ravel())[0, 1] > 0.9:
        return "right: not the standard deviation, but it grows with it"
    return "not yet: wanted how far the videos' last frames are from each other, such as their standard deviation"


def bad_kinds(answer: Callable[[np.ndarray], str] | None, seeds: int = 5) -> str:
    """How many of 4 · `seeds` animations `answer` names rightly, given their vertices over time (N, V, 3)."""
    if answer is None:
        return WAITING
    wrong = []
    for seed in range(100, 100 + seeds):
        for kind in BAD_KINDS:
            asset = make_asset(kind, seed)
            said = answer(asset.trajectories(0, asset.sample_times(0, 9)))
            if said not in BAD_KINDS:
                return f"{said!r} came, wanted one of {', '.join(BAD_KINDS)}."
            if said != kind:
                wrong.append(f"{kind} {seed} is not {said}")
    total = seeds * len(BAD_KINDS)
    return f"All {total} are right." if not wrong else f"{total - len(wrong)} of {total} are right; {wrong[0]}."
