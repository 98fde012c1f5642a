"""How good a model's video could be at the best: what its latents and their decoder make of the true clip; and, of motion
latents, whether what moves is what truly moves.

Letters: N frames, S pixels a side.
"""

from __future__ import annotations

import numpy as np
import torch

from puppetmaster_core.clips import Clip
from puppetmaster_core.clips.displacement import in_order, moves
from puppetmaster_core.drags import Drags
from puppetmaster_core.latents.motion import MotionCodec
from puppetmaster_core.latents.painter import Moved
from puppetmaster_core.latents.pictures import decode, decode_anchored, encode
from puppetmaster_core.pictures import to_frames, to_tensor

VAE, ANCHORED, LATENTS, EXACT = "VAE", "VAE, anchored", "exact latents", "exact motion"  # rows


def ceilings(pipeline, clip: Clip, drags: Drags) -> dict[str, np.ndarray]:
    """Videos (N, S, S, 3) uint8 by the name of their row; the last is what the model's is held against.

    Picture latents: the VAE's reconstruction, plain and as the pipeline decodes it. Motion latents: what the model would show if
    it diffused the exact latents, and the painter on the clip's exact displacement; neither for a clip without a displacement of
    its pictures' size.
    """
    if isinstance(pipeline.vae, MotionCodec):
        if clip.displacement.shape[1:3] != clip.frames.shape[1:3]:
            return {}
        return {LATENTS: diffuse_exactly(pipeline, clip, drags), EXACT: paint_exactly(pipeline.vae, clip)}
    return {VAE: reconstruct(pipeline, clip.frames), ANCHORED: reconstruct(pipeline, clip.frames, anchored=True)}


@torch.no_grad()
def reconstruct(pipeline, frames: np.ndarray, anchored: bool = False) -> np.ndarray:
    """D(E(·)) of a clip (N, S, S, 3) uint8: the VAE's own, or as the pipeline decodes, with what is lost of frame 1 put back."""
    pictures = to_tensor(frames).to(pipeline.vae.device)
    z = encode(pipeline.vae, pictures)[None]
    if not anchored or not pipeline.config.anchor:
        return to_frames(decode(pipeline.vae, z)[0])
    return to_frames(decode_anchored(pipeline.vae, z, pictures[:1], z[:, 0], pipeline.config.anchor)[0])


@torch.no_grad()
def diffuse_exactly(pipeline, clip: Clip, drags: Drags) -> np.ndarray:
    """D(E(·)) of a clip's exact motion, (N, S, S, 3) uint8: masks, whole parts and painter are the model's own."""
    codec = pipeline.vae
    picture = to_tensor(clip.frames[:1]).to(codec.device)
    dragged = codec.look(picture, *(one.to(codec.device) for one in pipeline.drag_tensors([drags])))
    offset = torch.from_numpy(clip.displacement.astype(np.float32).transpose(0, 3, 1, 2))[None]
    moving = torch.from_numpy(moves(clip.displacement).astype(np.float32))[None, None, None]
    x = codec.encode(offset.to(codec.device), moving.to(codec.device), dragged)
    return to_frames(codec.paint(picture[0], codec.motion(x, dragged)[0]))


@torch.no_grad()
def paint_exactly(codec: MotionCodec, clip: Clip) -> np.ndarray:
    """The painter's frames (N, S, S, 3) uint8 of a clip's exact motion, the order in depth told; the first is the picture."""
    moving = moves(clip.displacement)
    order, still = in_order(clip.depth, clip.field_parts, moving)
    offset = clip.displacement.astype(np.float32).transpose(0, 3, 1, 2)
    given = (torch.from_numpy(one).to(codec.device) for one in (offset[1:], moving.astype(np.float32), order[1:], still[1:]))
    painted = codec.painter(Moved.of(to_tensor(clip.frames[0]).to(codec.device), *given))
    return np.concatenate([clip.frames[:1], to_frames(painted)])


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
