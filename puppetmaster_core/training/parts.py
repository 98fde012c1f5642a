"""Stage "parts": which pixels move with a point, and what else one look at a picture tells, from exact displacement.

Letters: B clips, K points, S = 64 pixels a side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from puppetmaster_core.clips.drag_sampling import straightened
from puppetmaster_core.latents.affine import away_from
from puppetmaster_core.latents.parts import AUXILIARY, PartsNet
from puppetmaster_core.training.batches import Batch, as_pictures, row_rng
from puppetmaster_core.training.config import RunSettings
from puppetmaster_core.training.loop import fit
from puppetmaster_core.training.motion_clips import Motion, MotionClips

POINTS = 4  # of each clip
SHADES = 0.2  # how much light and colour vary
STRAIGHT = 0.3  # share of clips whose drags are straight lines
LEAST = 1e-3  # of a misfit, so that its root has a slope
SMALL = 2e-4  # squared widths; a motion smaller than its root counts as such a one


class PartsLoss(nn.Module):
    def __init__(self, parts: PartsNet):
        super().__init__()
        self.parts = parts

    def forward(self, pictures: Tensor, points: Tensor, masks: Tensor, about: Tensor, told: Tensor, drags: Tensor, offset: Tensor
                ) -> tuple[Tensor, dict]:
        """pictures (B, 3, S, S), points (B, K, 2), masks (B, K, S, S), about (B, ΣAUXILIARY, S, S), told (B, S, S): where `box`
        and `axis` are known, drags (B, K, N, 2) from the points, offset (B, N, 2, S, S)."""
        look, levels = self.parts(pictures)
        logits, masks = self.parts.masks(look, levels, points).float(), masks.float()
        both = (logits.sigmoid() * masks).sum((2, 3))
        dice = 1 - (2 * both + 1) / (logits.sigmoid().sum((2, 3)) + masks.sum((2, 3)) + 1)
        drawn = F.binary_cross_entropy_with_logits(logits, masks) + dice.mean()
        yes, numbers = about.float().split([3, 6], 1)
        guessed, measured = look.about.float().split([3, 6], 1)
        weight = told.float()[:, None]
        beside = F.binary_cross_entropy_with_logits(guessed, yes)
        beside = beside + ((measured - numbers).abs() * weight).sum() / (6 * weight.sum() + 1)
        with torch.no_grad():
            found = logits > 0
            overlap = ((found & (masks > 0.5)).sum((2, 3)) + 1) / ((found | (masks > 0.5)).sum((2, 3)) + 1)
        codes = self.parts.codes(look, levels, logits.detach().sigmoid(), points)
        with torch.autocast(pictures.device.type, enabled=False):
            missed = misfit(self.parts.affine(codes.float(), drags), points, masks, offset.float())
        missed = (missed.clamp(min=0) + LEAST).sqrt().mean()
        return drawn + beside + missed, {"iou": overlap.mean(), "masks": drawn.detach(), "beside": beside.detach(),
                                         "missed": missed.detach()}


def misfit(affine: Tensor, points: Tensor, masks: Tensor, offset: Tensor) -> Tensor:
    """How far parts are from moving by matrices A about their points, of how far they move, in squares (B, K).

    affine (B, K, N, 2, 2), points (B, K, 2), masks (B, K, S, S), offset (B, N, 2, S, S). Compared is where pixels go from where
    the point goes: Σ w |A (p − u) − r|², multiplied out, so that no field is made for each part.
    """
    weight = masks.flatten(2) / masks.flatten(2).sum(2, keepdim=True).clamp(min=1)  # (B, K, S²)
    own = F.grid_sample(offset.flatten(1, 2), (2 * points - 1)[:, :, None], "nearest", "border", align_corners=False)
    own = own[..., 0].unflatten(1, offset.shape[1:3]).permute(0, 3, 1, 2)  # (B, K, N, 2), the points' displacement
    away, flat = away_from(points, offset.shape[-1]), offset.flatten(3)  # (B, K, 2, S²), (B, N, 2, S²)
    weighed = away * weight[:, :, None]
    spread = (weighed @ away.transpose(2, 3))[:, :, None]  # (B, K, 1, 2, 2), Σ w (p − u)(p − u)ᵀ
    both = torch.einsum("bnip,bkjp->bknij", flat, weighed) - own[..., None] * weighed.sum(3)[:, :, None, None]  # Σ w r (p − u)ᵀ
    mean, energy = (torch.einsum("bnip,bkp->bkni", one, weight) for one in (flat, flat.square()))
    rest = (energy - 2 * own * mean + own.square()).sum(3)  # (B, K, N), Σ w |r|²
    left = (affine * (affine @ spread - 2 * both)).sum((3, 4)) + rest
    return left.mean(2) / (energy.sum(3).mean(2) + SMALL)


def about_of(motion: Motion) -> np.ndarray:
    """What AUXILIARY says of a clip, exactly: (ΣAUXILIARY, S, S) float32."""
    parts, moves, size = motion.parts, motion.moves, len(motion.parts)
    about = np.zeros((sum(AUXILIARY.values()), size, size), np.float32)
    about[0] = moves
    label = np.where(moves, parts + 2, parts >= 0)
    about[1, :, :-1], about[2, :-1] = label[:, 1:] != label[:, :-1], label[1:] != label[:-1]
    for part in np.unique(parts[moves]):
        rows, columns = np.nonzero(moves & (parts == part))
        sides = [columns - columns.min(), rows - rows.min(), columns.max() - columns, rows.max() - rows]
        about[3:7, rows, columns] = (np.stack(sides) + 0.5) / size
    angle = 2 * np.arctan2(motion.peak[..., 1], motion.peak[..., 0])
    about[7:9] = np.stack([np.cos(angle), np.sin(angle)]) * moves
    return about


def pick_points(motion: Motion, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """POINTS points that move (K, 2), xy in [0, 1], half of them as drags are drawn, and their parts' masks (K, S, S)."""
    rows, columns = np.nonzero(motion.moves)
    if not len(rows):
        return np.full((POINTS, 2), 0.5, np.float32), np.zeros((POINTS, *motion.parts.shape), bool)
    weight = np.linalg.norm(motion.peak[rows, columns], axis=-1)
    as_drags = rng.choice(len(rows), POINTS // 2, p=weight / weight.sum())
    picks = np.concatenate([as_drags, rng.integers(len(rows), size=POINTS // 2)])
    points = np.stack([columns[picks], rows[picks]], 1) + rng.random((POINTS, 2))
    return (points / len(motion.parts)).astype(np.float32), np.stack([motion.part_of(rows[i], columns[i]) for i in picks])


def shaded(first: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture (S, S, 3) uint8 in another light: each colour's curve bent, black and white where they were."""
    curves = (np.arange(256) / 255.0) ** np.exp(rng.normal(0, SHADES, (3, 1)))
    return np.stack([(255 * curve).astype(np.uint8)[first[..., c]] for c, curve in enumerate(curves)], -1)


def train_parts(parts: PartsNet, clips: MotionClips, settings: RunSettings, record: dict) -> bool:
    """Train on random points of random clips, mirrored half of the time; True when done (see `fit`)."""
    order = clips.mixture(settings.seed)

    def row(number: int, step: int, place: int) -> dict:
        rng = row_rng(settings.seed, step, place)
        motion = clips.motion(number)
        motion = motion.flipped() if rng.random() < 0.5 else motion
        points, masks = pick_points(motion, rng)
        drags = motion.paths(points)
        drags = straightened(drags) if rng.random() < STRAIGHT else drags
        first = shaded(motion.first, rng)
        if rng.random() < 0.5:
            first = first[..., rng.permutation(3)]
        return {"first": first, "points": points, "masks": masks, "about": about_of(motion), "told": motion.moves,
                "drags": drags, "offset": motion.offset.transpose(0, 3, 1, 2)}

    def make(step: int, rows: Sequence[int]) -> Batch:
        numbers = order.draws(step * settings.batch_size + rows[0], len(rows))
        made = [row(int(number), step, place) for number, place in zip(numbers, rows, strict=True)]
        return {name: torch.from_numpy(np.stack([one[name] for one in made])) for name in made[0]}

    def loss(model, batch):
        return model(as_pictures(batch["first"]), batch["points"], batch["masks"], batch["about"], batch["told"], batch["drags"],
                     batch["offset"])

    return fit(PartsLoss(parts), make, loss, settings, record=record)
