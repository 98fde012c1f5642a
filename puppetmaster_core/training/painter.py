"""Stage "painter": to paint what motion uncovers, at 64 pixels and, where there are larger clips, at theirs.

Letters: B clips, N frames, S pixels a side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from puppetmaster_core.clips.displacement import BEHIND, in_order, moves
from puppetmaster_core.clips.drag_sampling import PAPER, DragRules, draw_paths
from puppetmaster_core.clips.shards import ClipStore
from puppetmaster_core.latents.motion import MotionCodec
from puppetmaster_core.latents.painter import MODES, Moved, Painter, shown
from puppetmaster_core.latents.parts import SIDE
from puppetmaster_core.training.batches import Batch, as_pictures, row_rng
from puppetmaster_core.training.config import RunSettings
from puppetmaster_core.training.loop import fit
from puppetmaster_core.training.motion_clips import MotionClips

FRAMES = 3  # of a clip in one item, beside frame 1
LARGE_EVERY = 3  # updates, of which one is of larger clips
SPREAD, EXACT = 0.15, 0.05  # of a colour around a painted one, all three channels together; around one that is not painted
LABELS = ("displacement", "depth", "field_parts")


class PainterLoss(nn.Module):
    """foresee: clip by clip, the motion that a model's parts make of the exact one (`foreseen`); None: exact motion only."""

    def __init__(self, painter: Painter, foresee: Callable[..., Moved] | None = None):
        super().__init__()
        self.painter, self.foresee = painter, foresee

    def forward(self, first: Tensor, frames: Tensor, offset: Tensor, weight: Tensor, order: Tensor, still: Tensor,
                drags: Tensor, present: Tensor, exact: Tensor) -> tuple[Tensor, dict]:
        """first (B, 3, S, S), frames (B, N, 3, S, S), offset (B, N, 2, S, S), weight (B, S, S), order and still (B, N, S, S);
        drags (B, K, 1 + N, 2), present (B, K), exact (B,): whether the clip is painted by its exact motion."""
        with torch.no_grad(), torch.autocast(first.device.type, enabled=False):
            moved = Moved.joined([
                Moved.of(first[b], offset[b], weight[b], order[b], still[b]) if self.foresee is None or exact[b]
                else self.foresee(first[b], offset[b], weight[b], drags[b], present[b]) for b in range(len(first))])
        colours, odds = self.painter.mixture(moved)
        true, touched = frames.flatten(0, 1), moved.touched[:, 0]
        pixels = touched.unflatten(0, frames.shape[:2]).sum((1, 2, 3)) + 1

        def mean(x: Tensor) -> Tensor:
            """Of each clip's touched pixels, x (B·N, S, S)."""
            return (x * touched).unflatten(0, frames.shape[:2]).sum((1, 2, 3)) / pixels

        with torch.no_grad():
            squared = mean((shown(moved, colours, odds) - true).square().mean(1))
        return mean(_unlikely(colours, odds, true)).mean(), {"psnr": 10 * torch.log10(4 / (squared + 1e-6)).mean()}


def _unlikely(colours: Tensor, odds: Tensor, true: Tensor) -> Tensor:
    """How unlikely each pixel of true (N, 3, S, S) is (N, S, S): a mixture of Laplace densities of scales SPREAD and EXACT.

    Nothing beside: an error of the frame that is shown would draw it to the mean of all that may be, which is a fog.
    """
    scale = torch.tensor([SPREAD] * MODES + [EXACT] * 2, device=true.device)[:, None, None]
    away = (colours - true[:, None]).abs().sum(2)
    return -(odds.log_softmax(1) - away / scale - 3 * (scale / SPREAD).log()).logsumexp(1)


def foreseen(codec: MotionCodec, first: Tensor, offset: Tensor, weight: Tensor, drags: Tensor, present: Tensor) -> Moved:
    """What the parts that `codec` sees make of a clip's exact motion: their outlines are as wrong as they will be."""
    look = codec.look(first[None], drags[None], present[None])
    every = first.shape[-1] // SIDE
    small, moves = (one[..., every // 2 :: every, every // 2 :: every] for one in (offset, weight))
    x = codec.encode(F.pad(small, (0, 0, 0, 0, 0, 0, 1, 0))[None], moves[None, None, None], look)
    offset, weight, order = codec.motion(x, look)[0].at(first)
    return Moved.of(first, offset[1:], weight, order[1:])


def item_of(frames: np.ndarray, labels: dict[str, np.ndarray], rng: np.random.Generator, count: int = FRAMES,
            rules: DragRules = PAPER) -> dict:
    """A clip's frame 1, `count` other frames, its exact motion to them and drags. frames (N, S, S, 3) uint8; labels of `LABELS`.

    Half of the time the order in depth is not told, as a predicted motion does not know it: what moves is in front.
    """
    shown = np.sort(1 + rng.choice(len(frames) - 1, min(count, len(frames) - 1), replace=False))
    offset = labels["displacement"].astype(np.float32)
    moving = moves(offset)
    order, still = in_order(labels["depth"][shown], labels["field_parts"], moving)
    if rng.random() < 0.5:
        order, still = np.zeros_like(order), np.full_like(order, BEHIND)
    drawn = draw_paths(offset, labels["field_parts"], np.zeros((0, len(offset), 2), np.float32), rng, rules)
    drags = np.zeros((rules.max_drags, 1 + len(shown), 2), np.float32)
    drags[: len(drawn)] = drawn[:, [0, *shown]]
    return {"first": frames[0], "frames": frames[shown], "offset": offset[shown].transpose(0, 3, 1, 2),
            "weight": moving.astype(np.float32), "order": order, "still": still, "drags": drags,
            "present": np.arange(rules.max_drags) < len(drawn), "exact": rng.random() < 0.5}


def train_painter(codec: MotionCodec, clips: MotionClips, large: Sequence[ClipStore], settings: RunSettings, record: dict,
                  exactly: bool = True) -> bool:
    """True when done (see `fit`). exactly: on exact motion only; else half on what `codec`, whose parts stay, foresees."""
    order = clips.mixture(settings.seed)
    places = [(store, number) for store in large for number in range(len(store))]

    def make(step: int, rows: Sequence[int]) -> Batch:
        if places and step % LARGE_EVERY == 0:
            rng = row_rng(settings.seed, step, rows[0])
            store, number = places[rng.integers(len(places))]
            made = [item_of(store.frames(number), store.labels(number, LABELS), rng, count=2)]
        else:
            numbers = order.draws(step * settings.batch_size + rows[0], len(rows))
            made = [item_of(clips.frames(int(i)), clips.labels(int(i), LABELS), row_rng(settings.seed, step, row))
                    for i, row in zip(numbers, rows, strict=True)]
        return {name: torch.from_numpy(np.stack([one[name] for one in made])) for name in made[0]}

    def loss(model, batch):
        pictures = {name: as_pictures(batch[name]) for name in ("first", "frames")}
        return model(**(batch | pictures))

    return fit(PainterLoss(codec.painter, None if exactly else partial(foreseen, codec)), make, loss, settings, record=record)
