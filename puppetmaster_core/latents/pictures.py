"""Between pictures and what the diffusion works on.

Letters: B batch, N frames, C channels, (h, w) latent grid. Pictures are (…, 3, H, W) in [−1, 1]; z are the VAE's latents
as they leave the encoder, x what is diffused.

Two additions to the paper, for models trained from nothing, both off for SVD:
residual latents diffuse z^n − z^1, so that the network starts at a still video instead of learning to copy frame 1;
anchored decoding takes the given picture itself wherever a frame still shows it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from diffusers import AutoencoderKLTemporalDecoder
from torch import Tensor

from puppetmaster_core.presets import patch_size


@dataclass(frozen=True)
class LatentSpace:
    """How z becomes x and back."""

    scale: float = 0.18215  # x = scale · z, or scale · (z^n − z^1): about unit variance
    residual: bool = False
    anchor: float = 0.0  # anchored decoding's tolerance in [0, 2] of pixel range, 0 = off

    def diffused(self, z: Tensor, z_first: Tensor) -> Tensor:
        """x (B, N, C, h, w) of latents z of the same shape; z_first (B, C, h, w) are those of the given picture."""
        return (z - z_first[:, None] if self.residual else z) * self.scale

    def undiffused(self, x: Tensor, z_first: Tensor) -> Tensor:
        """The inverse of `diffused`."""
        z = x / self.scale
        return z + z_first[:, None] if self.residual else z


def encode_distribution(vae: AutoencoderKLTemporalDecoder, pictures: Tensor):
    """The VAE's posterior of pictures (B, 3, H, W)."""
    return vae.encode(F.pixel_unshuffle(pictures, patch_size(vae.config))).latent_dist


def encode(vae: AutoencoderKLTemporalDecoder, pictures: Tensor) -> Tensor:
    """Latents z (B, C, h, w) of pictures (B, 3, H, W): the posterior's mode."""
    return encode_distribution(vae, pictures).mode()


def decode(vae: AutoencoderKLTemporalDecoder, z: Tensor) -> Tensor:
    """Pictures (B, N, 3, H, W) of latents z (B, N, C, h, w)."""
    flat = vae.decode(z.flatten(0, 1), num_frames=z.shape[1]).sample
    return F.pixel_shuffle(flat, patch_size(vae.config)).unflatten(0, z.shape[:2])


NEIGHBOURHOOD = 5  # pixels a side, over which a change is averaged: a stray pixel is not motion


def still_weight(decoded: Tensor, still: Tensor, tolerance: float) -> Tensor:
    """How far each pixel of a decoded video still shows frame 1: (B, N, 1, H, W) in [0, 1].

    decoded, still (B, N, 3, H, W): D of the video and of frame 1. 1 up to a quarter of `tolerance`, 0 from `tolerance` on and
    smooth between, of the largest difference over the colour channels, averaged over NEIGHBOURHOOD² pixels.
    """
    change = (decoded - still).abs().amax(2)
    padded = F.pad(change, (NEIGHBOURHOOD // 2,) * 4, mode="replicate")
    share = ((F.avg_pool2d(padded, NEIGHBOURHOOD, stride=1) / tolerance - 0.25) / 0.75).clamp(0, 1)
    return (1 - share**2 * (3 - 2 * share))[:, :, None]


def decode_anchored(vae: AutoencoderKLTemporalDecoder, z: Tensor, first: Tensor, z_first: Tensor, tolerance: float) -> Tensor:
    """Pictures (B, N, 3, H, W): D(z^n) where it differs from D(z_first), the given picture where it does not (`still_weight`).

    first (B, 3, H, W) is the given picture.
    """
    decoded = decode(vae, z)
    still = decode(vae, z_first[:, None].expand(-1, *z.shape[1:]))  # temporal layers see a still video of N frames
    keep = still_weight(decoded, still, tolerance)
    return keep * first[:, None] + (1 - keep) * decoded
