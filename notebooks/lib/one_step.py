"""What a network knows at each noise level: the error of one step of it, on clips whose motion is known.

With much noise nothing of the motion is left to see, and the answer can only come from the picture and the drags: the error
there says how well drags are read. With little noise it says how well the network polishes. Ours, not the paper's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from puppetmaster_core.clips import Clip
from puppetmaster_core.clips.displacement import moves
from puppetmaster_core.diffusion import denoise
from puppetmaster_core.drags import Drags
from puppetmaster_core.latents.motion import MotionCodec
from puppetmaster_core.latents.pictures import encode
from puppetmaster_core.latents.protocol import Seen
from puppetmaster_core.pictures import to_tensor

SIGMAS = (80.0, 20.0, 5.0, 1.0)


@torch.no_grad()
def one_step_errors(pipeline, clips: Iterable[Clip], sigmas: Sequence[float] = SIGMAS, seed: int = 0) -> np.ndarray:
    """|D(x + σ·ε; σ) − x|² as a share of a still video's error, (clips, levels): 0 = right, 1 = as wrong as if nothing moved.

    D sees the drags that a clip is labelled with, without guidance. Noise is drawn from `seed` and the clip's number.
    """
    shares = []
    for number, clip in enumerate(clips):
        drags = [Drags(clip.drags[: pipeline.unet.config.max_drags])]
        first = to_tensor(clip.frames[:1]).to(pipeline.device)
        seen = pipeline.latents.look(first, *pipeline.drag_tensors(drags), [None])
        x, still = diffused(pipeline, clip, seen)
        steady = seen.given if seen.given.ndim == 5 else seen.given[:, None].expand(-1, x.shape[1], -1, -1, -1)
        conditioning = pipeline.condition(drags, seen.shape[1:])
        told = pipeline.embed(first), pipeline.time_ids().to(pipeline.device, pipeline.unet.dtype)

        def network(scaled, c_noise, steady=steady, told=told, conditioning=conditioning):
            sample = torch.cat([scaled, steady], dim=2).to(pipeline.unet.dtype)
            embedding, time_ids = told
            return pipeline.unet(sample, c_noise, embedding.to(sample), time_ids, conditioning, return_dict=False)[0].float()

        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed + number)).to(x)
        guesses = [denoise(network, x + sigma * noise, torch.tensor([sigma], device=x.device)) for sigma in sigmas]
        shares.append([((guess - x).square().sum() / (still - x).square().sum()).item() for guess in guesses])
    return np.array(shares)


def diffused(pipeline, clip: Clip, seen: Seen) -> tuple[Tensor, Tensor]:
    """x (1, N, C, h, w) of a clip's true motion, and of none. Motion latents want a displacement of 64 pixels a side."""
    if isinstance(pipeline.vae, MotionCodec):
        device = pipeline.vae.device
        offset = torch.from_numpy(clip.displacement.astype(np.float32)).to(device).permute(0, 3, 1, 2)[None]
        moving = torch.from_numpy(moves(clip.displacement).astype(np.float32)).to(device)[None, None, None]
        encoded = (pipeline.vae.encode(*one, seen.known) for one in ((offset, moving), (0 * offset, moving)))
        return tuple(encoded)
    z = encode(pipeline.vae, to_tensor(clip.frames).to(pipeline.device))[None]
    space, first = pipeline.latent_space, seen.known
    return space.diffused(z, first), space.diffused(first[:, None].expand_as(z), first)
