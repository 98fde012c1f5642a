"""What a network knows at each noise level: the error of one step of it, on clips whose motion is known.

With much noise nothing of the motion is left to see, and the answer can only come from the picture and the drags: the error
there says how well drags are read. With little noise it says how well the network polishes. Ours, not the paper's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from puppetmaster_core.clips import Clip, sample_drags
from puppetmaster_core.diffusion import denoise
from puppetmaster_core.latents.pictures import encode
from puppetmaster_core.pictures import to_tensor

SIGMAS = (80.0, 20.0, 5.0, 1.0)


@torch.no_grad()
def one_step_errors(pipeline, clips: Iterable[Clip], sigmas: Sequence[float] = SIGMAS, seed: int = 0) -> np.ndarray:
    """|D(x + σ·ε; σ) − x|² as a share of a still video's error, (clips, levels): 0 = right, 1 = as wrong as if nothing moved.

    D sees the drags, without guidance: true tracks of one visible point a moving part. Drags and noise are drawn from `seed`
    and the clip's number.
    """
    shares = []
    for number, clip in enumerate(clips):
        drags = sample_drags(clip, np.random.default_rng([seed, number]), max_drags=pipeline.unet.config.max_drags)
        pictures = to_tensor(clip.frames).to(pipeline.device)
        z = encode(pipeline.vae, pictures)[None]
        z_first, given, embedding = pipeline.look(pictures[:1], [None])
        conditioning = pipeline.condition([drags], tuple(z.shape[-2:]))
        space, steady = pipeline.latent_space, given[:, None].expand_as(z)
        seen = embedding.to(pipeline.unet.dtype), pipeline.time_ids().to(pipeline.device, pipeline.unet.dtype)

        def network(scaled, c_noise, steady=steady, seen=seen, conditioning=conditioning):
            sample = torch.cat([scaled, steady], dim=2).to(pipeline.unet.dtype)
            return pipeline.unet(sample, c_noise, *seen, conditioning, return_dict=False)[0].float()

        x, still = space.diffused(z, z_first), space.diffused(z_first[:, None].expand_as(z), z_first)
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed + number)).to(x)
        guesses = [denoise(network, x + sigma * noise, torch.tensor([sigma], device=x.device)) for sigma in sigmas]
        shares.append([((guess - x).square().sum() / (still - x).square().sum()).item() for guess in guesses])
    return np.array(shares)
