"""Does the right part move? What a motion-latent model moves, against what truly does."""

from __future__ import annotations

import numpy as np
import torch

from puppetmaster_core.clips import Clip
from puppetmaster_core.clips.displacement import moves
from puppetmaster_core.drags import Drags
from puppetmaster_core.latents.motion import MotionCodec
from puppetmaster_core.pictures import to_tensor


@torch.no_grad()
def mask_overlap(pipeline, clip: Clip, drags: Drags, **how) -> float | None:
    """Intersection over union of the pixels of frame 1 that the model moves and those that move; None for picture latents, and
    for a clip without a displacement of its pictures' size. how: as for the call whose video is judged, its seed included.
    """
    codec = pipeline.vae
    if not isinstance(codec, MotionCodec) or clip.displacement.shape[1:3] != clip.frames.shape[1:3]:
        return None
    (motion,) = pipeline(clip.frames[0], drags, output_type="motion", **how)
    _, weight, _ = motion.at(to_tensor(clip.frames[0]).to(codec.device))
    return overlap(weight.cpu().numpy() > 0.5, moves(clip.displacement))


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """|A ∩ B| / |A ∪ B| of two masks (S, S) bool; 1 where both are empty."""
    union = np.count_nonzero(one | other)
    return float(np.count_nonzero(one & other) / union) if union else 1.0
