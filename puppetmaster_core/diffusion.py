"""Diffusion as SVD and the paper use it (§3.1, App. C): noise levels, preconditioning, the loss, guidance.

Letters: B batch, N frames, C channels, (h, w) latent grid. σ is the standard deviation of the added noise: z_σ = z_0 + σ·ε,
which is Eq. 1 divided by √ᾱ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Real

import torch
from torch import Tensor

P_MEAN, P_STD = 0.7, 1.6  # log σ ~ N(0.7, 1.6²), App. C.1
MAX_GUIDANCE = 5.0  # App. C.2
SIGMA_MIN, SIGMA_MAX = 0.002, 700.0  # SVD's sampling range


def sample_sigmas(count: int, generator: torch.Generator | None = None, mean: float = P_MEAN) -> Tensor:
    """Noise levels in training, App. C.1: (count,) of them with log σ ~ N(mean, P_STD²)."""
    return (mean + P_STD * torch.randn(count, generator=generator)).exp()


def draw_noise(shape: Sequence[int], generators: Sequence[torch.Generator | None]) -> Tensor:
    """Unit noise (B, *shape) on the CPU, one generator a video, so that a seed means the same on every device."""
    return torch.stack([torch.randn(*shape, generator=g, device=g.device if g else None).cpu() for g in generators])


def precondition(sigma: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """SVD's preconditioning (Karras et al. 2022, Table 1, with σ_data = 1 and v-prediction).

    Returns c_skip, c_out, c_in and c_noise of noise level σ, all of σ's shape.
    """
    c_skip = 1 / (sigma**2 + 1)
    c_out = -sigma / (sigma**2 + 1).sqrt()
    c_in = 1 / (sigma**2 + 1).sqrt()
    return c_skip, c_out, c_in, 0.25 * sigma.log()


def denoise(network: Callable[[Tensor, Tensor], Tensor], noisy: Tensor, sigma: Tensor) -> Tensor:
    """The denoiser D(z_σ; σ) = c_skip z_σ + c_out F(c_in z_σ, c_noise) (Karras et al. 2022, Eq. 7).

    network(scaled, c_noise) is F; noisy: (B, N, C, h, w); sigma: (B,). Returns the clean latents it sees, of noisy's shape.
    """
    c_skip, c_out, c_in, c_noise = precondition(sigma)
    wide = (-1,) + (1,) * (noisy.ndim - 1)
    return c_skip.view(wide) * noisy + c_out.view(wide) * network(c_in.view(wide) * noisy, c_noise)


def diffusion_loss(network: Callable[[Tensor, Tensor], Tensor], clean: Tensor, sigma: Tensor, noise: Tensor,
                   importance: Tensor | None = None) -> Tensor:
    """The loss, Eq. 2, as SVD trains it: the error of v is the error of z_0 weighted by (1 + σ²)/σ².

    clean, noise: (B, N, C, h, w); sigma: (B,). importance: how much each number counts, as clean; None: all alike, as in the
    paper. Returns the mean of each item, (B,).
    """
    wide = (-1,) + (1,) * (clean.ndim - 1)
    predicted = denoise(network, clean + sigma.view(wide) * noise, sigma)
    weight = (1 + sigma**2) / sigma**2
    squared = (predicted - clean).square()
    return weight * (squared if importance is None else importance * squared).flatten(1).mean(1)


def drop_drags(present: Tensor, probability: float, generator: torch.Generator | None = None) -> Tensor:
    """Videos without drags in training, for guidance, App. C.1: present (B, K) with all of an item gone by chance."""
    kept = torch.rand(len(present), generator=generator) >= probability
    return present & kept[:, None].to(present.device)


def frame_guidance(frames: int, minimum: float = 1.0, maximum: float = MAX_GUIDANCE) -> Tensor:
    """Guidance weights, App. C.2: (N,), growing linearly, as frame 1 is given and later frames need the drags more.

    Raises ValueError for weights that fall, or start below 1.
    """
    if not all(isinstance(weight, Real) for weight in (minimum, maximum)) or not 1 <= minimum <= maximum < math.inf:
        raise ValueError(f"got guidance from {minimum!r} to {maximum!r}, expected numbers from 1 on that do not fall: correct it")
    return torch.linspace(minimum, maximum, frames)


def guide(conditional: Tensor, unconditional: Tensor, weight: Tensor) -> Tensor:
    """Guidance, App. C.2: unconditional + weight·(conditional − unconditional), weight (N,) over (B, N, C, h, w)."""
    return unconditional + weight.view(1, -1, 1, 1, 1).to(conditional) * (conditional - unconditional)
