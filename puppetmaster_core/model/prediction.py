"""What the last layer computes: v as in SVD, or the clean latents, which a small network from nothing finds easier.

Where nothing moves, clean residual latents are zero at every noise level; v is the noise there, which has to pass through all
layers unharmed. Shapes: B batch, N frames, C latent channels, (h, w) the latent grid.
"""

import torch
from torch import Tensor

from puppetmaster_core.diffusion import precondition


def clean_to_v(clean: Tensor, sample: Tensor, c_noise: Tensor | float) -> Tensor:
    """The v whose denoiser D = c_skip z_σ + c_out v is `clean` (B, N, C, h, w), so that all that samples or trains sees v.

    sample: the network's input, c_in z_σ first among its channels (B, N, C_in, h, w).
    c_noise: 0.25 log σ, one number or (B,).
    """
    sigma = (4 * torch.as_tensor(c_noise, dtype=torch.float32, device=sample.device)).exp().view(-1, 1, 1, 1, 1)
    c_skip, c_out, c_in, _ = precondition(sigma)
    noisy = sample[:, :, : clean.shape[2]].float() / c_in
    return ((clean.float() - c_skip * noisy) / c_out).to(clean.dtype)
