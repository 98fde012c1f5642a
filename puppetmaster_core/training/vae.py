"""Stage 1: the VAE (E, D) of §3.1, from nothing. Only needed where no pre-trained one is used."""

from __future__ import annotations

import numpy as np
import torch
from diffusers import AutoencoderKLTemporalDecoder
from torch import Tensor, nn

from puppetmaster_core.latents import decode, downscale, encode, encode_distribution
from puppetmaster_core.pictures import to_tensor
from puppetmaster_core.training.data import ClipArrays
from puppetmaster_core.training.loop import RunSettings, fit

KL_WEIGHT = 1e-4  # of the KL divergence in nats a colour value, beside the squared error
LATENT_NOISE = 0.05  # added to latents where the decoder learns alone: a denoiser's are never exact
WINDOW = 4  # consecutive frames of a clip in one training item: the decoder's temporal layers need neighbours, and few do


class Reconstruction(nn.Module):
    """The VAE's loss on a video: squared + a tenth of the absolute error, and the KL term."""

    def __init__(self, vae: AutoencoderKLTemporalDecoder):
        super().__init__()
        self.vae = vae

    def forward(self, video: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """video (B, T, 3, H, W) in [−1, 1], noise (B·T, C, h, w): loss, squared error, KL in nats a colour value."""
        posterior = encode_distribution(self.vae, video.flatten(0, 1))
        z = posterior.mean + posterior.std * noise
        error = decode(self.vae, z.unflatten(0, video.shape[:2])).float() - video
        squared, kl = error.square().mean(), posterior.kl().sum() / video.numel()
        return squared + 0.1 * error.abs().mean() + KL_WEIGHT * kl, squared, kl


def train_vae(vae: AutoencoderKLTemporalDecoder, clips: ClipArrays, settings: RunSettings, record: dict) -> bool:
    """Train on random windows of random clips; True when done (see `fit`)."""
    side, window = clips.frames.shape[2] // downscale(vae), min(WINDOW, clips.frames.shape[1])

    def loss(model, step, generator):
        rng = np.random.default_rng([settings.seed, step])
        index = rng.integers(len(clips), size=settings.batch_size)
        start = rng.integers(clips.frames.shape[1] - window + 1, size=settings.batch_size)
        video = np.stack([clips.frames[i, s : s + window] for i, s in zip(index, start, strict=True)])
        noise = torch.randn(settings.batch_size * window, vae.config.latent_channels, side, side, generator=generator)
        value, squared, kl = model(to_tensor(video).to(vae.device), noise.to(vae.device))
        return value, {"psnr": 10 * torch.log10(4 / squared.detach()), "kl": kl.detach()}

    @torch.no_grad()
    def sample(_):
        video = to_tensor(clips.frames[:4, :1]).to(vae.device)
        again = decode(vae, encode(vae, video.flatten(0, 1))[:, None])
        pair = torch.cat([video[:, 0], again[:, 0]]).clamp(-1, 1) / 2 + 0.5
        return {"above: pictures, below: reconstructions": torch.cat([torch.cat(list(row), 2) for row in pair.chunk(2)], 1)}

    return fit(Reconstruction(vae), loss, settings, record=record, sample=sample)


class Decoding(nn.Module):
    """The decoder's loss on latents that stay as they are: squared + a tenth of the absolute error."""

    def __init__(self, vae: AutoencoderKLTemporalDecoder):
        super().__init__()
        self.decoder = vae.decoder
        self.decode = lambda z: decode(vae, z)

    def forward(self, z: Tensor, video: Tensor) -> tuple[Tensor, Tensor]:
        """z (B, T, C, h, w), video (B, T, 3, H, W) in [−1, 1]: loss, squared error."""
        error = self.decode(z).float() - video
        squared = error.square().mean()
        return squared + 0.1 * error.abs().mean(), squared


def train_decoder(vae: AutoencoderKLTemporalDecoder, clips: ClipArrays, latents: np.ndarray, settings: RunSettings,
                  record: dict) -> bool:
    """Sharpen D alone on cached latents (n, N, C, h, w); the latents stay what a denoiser may be training on meanwhile."""
    window = min(WINDOW, latents.shape[1])

    def loss(model, step, generator):
        rng = np.random.default_rng([settings.seed, step])
        index = rng.integers(len(latents), size=settings.batch_size)
        start = rng.integers(latents.shape[1] - window + 1, size=settings.batch_size)
        pairs = [(latents[i, s : s + window], clips.frames[i, s : s + window]) for i, s in zip(index, start, strict=True)]
        z = torch.from_numpy(np.stack([z for z, _ in pairs])).float()
        z = z + LATENT_NOISE * torch.randn(z.shape, generator=generator)
        value, squared = model(z.to(vae.device), to_tensor(np.stack([v for _, v in pairs])).to(vae.device))
        return value, {"psnr": 10 * torch.log10(4 / squared.detach())}

    return fit(Decoding(vae), loss, settings, record=record)
