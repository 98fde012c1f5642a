"""Stage "painter": to paint what exact motion uncovers, at 64 pixels and, where there are larger clips, at theirs.

Letters: B clips, N frames, S pixels a side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from puppetmaster_core.clips.displacement import BEHIND, in_order, moves
from puppetmaster_core.clips.shards import ClipStore
from puppetmaster_core.latents.painter import Moved, Painter
from puppetmaster_core.training.batches import Batch, as_pictures, row_rng
from puppetmaster_core.training.config import RunSettings
from puppetmaster_core.training.loop import fit
from puppetmaster_core.training.motion_clips import MotionClips

FRAMES = 3  # of a clip in one item, beside frame 1
LARGE_EVERY = 3  # updates, of which one is of larger clips
LABELS = ("displacement", "depth", "field_parts")


class PainterLoss(nn.Module):
    def __init__(self, painter: Painter):
        super().__init__()
        self.painter = painter

    def forward(self, first: Tensor, frames: Tensor, offset: Tensor, weight: Tensor, order: Tensor, still: Tensor
                ) -> tuple[Tensor, dict]:
        """first (B, 3, S, S), frames (B, N, 3, S, S), offset (B, N, 2, S, S), weight (B, S, S), order and still (B, N, S, S)."""
        errors, squared = [], []
        for b in range(len(first)):
            with torch.no_grad(), torch.autocast(first.device.type, enabled=False):
                moved = Moved.of(first[b], offset[b], weight[b], order[b], still[b])
            made, touched = self.painter(moved), moved.touched
            error = made - frames[b]
            pixels = touched.sum() * 3 + 1
            slopes = sum(_slopes(made, frames[b], touched, axis) for axis in (2, 3))
            errors.append((((error.abs() + 2 * error.square()) * touched).sum() + slopes) / pixels)
            squared.append((error.detach().square() * touched).sum() / pixels)
        return torch.stack(errors).mean(), {"psnr": 10 * torch.log10(4 / (torch.stack(squared) + 1e-6)).mean()}


def _slopes(made: Tensor, true: Tensor, touched: Tensor, axis: int) -> Tensor:
    """How wrong differences of neighbours are, half of it for how large they are: of two errors, the sharp one is less."""
    now, then = made.diff(dim=axis), true.diff(dim=axis)
    wrong = 0.5 * (now - then).abs() + 0.5 * (now.abs() - then.abs()).abs()
    return (wrong * touched.narrow(axis, 1, touched.shape[axis] - 1)).sum()


def exact_item(frames: np.ndarray, labels: dict[str, np.ndarray], rng: np.random.Generator, count: int = FRAMES) -> dict:
    """A clip's frame 1, `count` other frames, and its exact motion to them. frames (N, S, S, 3) uint8; labels of `LABELS`.

    Half of the time the order in depth is not told, as a predicted motion does not know it: what moves is in front.
    """
    shown = np.sort(1 + rng.choice(len(frames) - 1, min(count, len(frames) - 1), replace=False))
    offset = labels["displacement"].astype(np.float32)
    moving = moves(offset)
    order, still = in_order(labels["depth"][shown], labels["field_parts"], moving)
    if rng.random() < 0.5:
        order, still = np.zeros_like(order), np.full_like(order, BEHIND)
    return {"first": frames[0], "frames": frames[shown], "offset": offset[shown].transpose(0, 3, 1, 2),
            "weight": moving.astype(np.float32), "order": order, "still": still}


def train_painter(painter: Painter, clips: MotionClips, large: Sequence[ClipStore], settings: RunSettings, record: dict) -> bool:
    """True when done (see `fit`)."""
    order = clips.mixture(settings.seed)
    places = [(store, number) for store in large for number in range(len(store))]

    def make(step: int, rows: Sequence[int]) -> Batch:
        if places and step % LARGE_EVERY == 0:
            rng = row_rng(settings.seed, step, rows[0])
            store, number = places[rng.integers(len(places))]
            made = [exact_item(store.frames(number), store.labels(number, LABELS), rng, count=2)]
        else:
            numbers = order.draws(step * settings.batch_size + rows[0], len(rows))
            made = [exact_item(clips.frames(int(i)), clips.labels(int(i), LABELS), row_rng(settings.seed, step, row))
                    for i, row in zip(numbers, rows, strict=True)]
        return {name: torch.from_numpy(np.stack([one[name] for one in made])) for name in made[0]}

    def loss(model, batch):
        pictures = {name: as_pictures(batch[name]) for name in ("first", "frames")}
        return model(**(batch | pictures))

    return fit(PainterLoss(painter), make, loss, settings, record=record)
