"""What the denoiser of a motion-latent model trains on. The parts network looks on and does not learn.

Letters: B batch, N frames, K drags, S = 64 pixels a side, C latent channels, G = 8 cells a side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from puppetmaster_core.latents.field import weight_of
from puppetmaster_core.latents.motion import MotionCodec
from puppetmaster_core.training.batches import Batch, as_pictures
from puppetmaster_core.training.denoiser import Items, Target
from puppetmaster_core.training.parts import shaded


@dataclass(frozen=True)
class MotionItems(Items):
    """Clips mirrored half of the time, with drags from all that moves; `clips` are `MotionClips`."""

    def row(self, number: int, rng: np.random.Generator, shown: np.ndarray) -> dict[str, np.ndarray]:
        """first (S, S, 3) uint8, offset (N, 2, S, S) float16, moves (1, 1, S, S), paths: the drags in all frames."""
        motion = self.clips.motion(number)
        motion = motion.flipped() if rng.random() < 0.5 else motion
        every = self.drags(motion.drags, rng, np.arange(self.frames))
        return {"first": shaded(motion.first, rng), "offset": motion.offset[shown].transpose(0, 3, 1, 2),
                "moves": motion.moves[None, None], **every, "paths": every["points"], "points": every["points"][:, shown]}


def motion_target(codec: MotionCodec) -> Target:
    """Of batches of `MotionItems`; what counts how much says `weight_of`."""

    @torch.no_grad()
    def target(batch: Batch):
        moves = batch["moves"].float()
        dragged = codec.look(as_pictures(batch["first"]), batch["paths"], batch["present"]).at(batch["numbers"][0])
        with torch.autocast(moves.device.type, enabled=False):
            x = codec.encode(batch["offset"].float(), moves, dragged)
        return x, dragged.given, weight_of(moves, x, dragged.guessed, codec.config.scale)

    return target
