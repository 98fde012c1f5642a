"""Table 2's static reference video: a second branch for all-to-first's rival to look up the picture in (§5.3).

Shapes: B batch, N frames, C channels, (h, w) the latent grid.
"""

import math

import torch
from torch import Tensor

CLEAN = 0.25 * math.log(0.002)  # c_noise of SVD's smallest noise level


def beside_static_reference(
    sample: Tensor, timestep: Tensor | float, embedding: Tensor, time_ids: Tensor, channels: int, scale: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The static reference video, §5.3: the picture as N clean frames, B more videos behind the B noised ones.

    sample: (B, N, 2·channels, h, w), noisy and image latents. timestep: one number or (B,). embedding: (B, 1, D).
    time_ids: (B, 3). scale: from image latents to latents of a video. Returns the same four, of 2·B videos.
    """
    picture = sample[:, :, channels:]
    static = torch.cat([picture * scale, picture], dim=2)
    timestep = torch.as_tensor(timestep, device=sample.device).float().expand(sample.shape[0])
    return (
        torch.cat([sample, static]),
        torch.cat([timestep, torch.full_like(timestep, CLEAN)]),
        torch.cat([embedding, embedding]),
        torch.cat([time_ids, time_ids]),
    )
