"""Stage "denoiser" of a motion-latent model: Eq. 2 on motion latents. The parts network looks on and does not learn.

Letters: B batch, N frames, K drags, S = 64 pixels a side, C latent channels, G = 8 cells a side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from puppetmaster_core.clips.mixture import Mixture
from puppetmaster_core.diffusion import drop_drags, sample_sigmas
from puppetmaster_core.latents.field import CHANNELS, GRID, weight_of
from puppetmaster_core.latents.motion import Dragged, MotionCodec
from puppetmaster_core.pictures import clip_pixels
from puppetmaster_core.training.data import random_drags
from puppetmaster_core.training.denoiser import Denoiser, Recipe, by_noise, pick_frames
from puppetmaster_core.training.feed import Batch, as_pictures, row_generator, row_noise, row_rng
from puppetmaster_core.training.loop import fit
from puppetmaster_core.training.motion_clips import Motion, MotionClips
from puppetmaster_core.training.parts import shaded
from puppetmaster_core.training.settings import RunSettings


@dataclass(frozen=True)
class MotionItems:
    """Random clips, mirrored half of the time, with drags by §4's rules from all that moves. Made row by row, see `feed`."""

    clips: MotionClips
    settings: RunSettings
    recipe: Recipe
    max_drags: int

    @cached_property
    def order(self) -> Mixture:
        return self.clips.mixture(self.settings.seed)

    def batch(self, step: int, rows: Sequence[int]) -> Batch:
        """first (B, S, S, 3) uint8, offset (B, N, 2, S, S) float16, moves (B, 1, 1, S, S), points (B, K_max, N, 2), present,
        sigma, noise (B, N, C, G, G), numbers (B, N)."""
        seed, recipe = self.settings.seed, self.recipe
        numbers = self.order.draws(step * self.settings.batch_size + rows[0], len(rows))
        motions = [self.clips.motion(int(i)) for i in numbers]
        shown = pick_frames(len(motions[0].offset), step, recipe, np.random.default_rng([seed, step]))
        made = [self._row(motion, row_rng(seed, step, row), shown) for motion, row in zip(motions, rows, strict=True)]
        batch = {name: torch.from_numpy(np.stack([one[name] for one in made])) for name in made[0]}
        generators = [row_generator(seed, step, row) for row in rows]
        sigma = torch.cat([sample_sigmas(1, g, recipe.sigma_mean) for g in generators]).clamp(min=recipe.sigma_min)
        present = torch.cat([drop_drags(p[None], recipe.drag_dropout, g)
                             for p, g in zip(batch["present"], generators, strict=True)])
        return {**batch, "present": present, "sigma": sigma, "numbers": torch.from_numpy(shown).expand(len(rows), -1),
                "noise": row_noise(seed, step, rows, (len(shown), CHANNELS, GRID, GRID))}

    def _row(self, motion: Motion, rng: np.random.Generator, shown: np.ndarray) -> dict[str, np.ndarray]:
        motion = motion.flipped() if rng.random() < 0.5 else motion
        points, present = random_drags(motion.drags, rng, self.max_drags, self.recipe.straight)
        return {"first": shaded(motion.first, rng), "offset": motion.offset[shown].transpose(0, 3, 1, 2),
                "moves": motion.moves[None, None], "points": points.numpy()[:, shown], "present": present.numpy()}


@torch.no_grad()
def prepare(codec: MotionCodec, batch: Batch) -> tuple[Tensor, Dragged, Tensor]:
    """x, what is known beforehand, and the weight of x's numbers, of a batch of `MotionItems`."""
    moves = batch["moves"].float()
    dragged = codec.look(as_pictures(batch["first"]), batch["points"].float(), batch["present"])
    with torch.autocast(moves.device.type, enabled=False):
        x = codec.encode(batch["offset"].float(), moves, dragged)
    return x, dragged, weight_of(moves, x.shape[1])


def train_motion(model: Denoiser, codec: MotionCodec, items: MotionItems, record: dict, sample=None) -> bool:
    """Train the denoiser; True when done (see `fit`)."""
    size = model.image_encoder.config.image_size

    def loss(wrapped, batch):
        x, dragged, weight = prepare(codec, batch)
        seen = clip_pixels(as_pictures(batch["first"]), size)
        errors = wrapped(x, dragged.given, seen, batch["points"].float(), batch["present"], batch["sigma"], batch["noise"],
                         batch["numbers"][0], weight)
        return errors.mean(), by_noise(errors.detach(), batch["sigma"])

    return fit(model, items.batch, loss, items.settings, record=record, sample=sample)
