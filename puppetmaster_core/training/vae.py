"""Stage 1: the VAE (E, D) of §3.1, from nothing. Only needed where no pre-trained one is used."""

from __future__ import annotations

import numpy as np
import torch
from diffusers import AutoencoderKLTemporalDecoder
from torch import Tensor, nn

from puppetmaster_core.latents.pictures import decode, downscale, encode, encode_distribution
from puppetmaster_core.pictures import to_tensor
from puppetmaster_core.training.feed import as_pictures, row_noise, row_rng
from puppetmaster_core.training.loop import fit
from puppetmaster_core.training.principal import can_start_principal, start_principal
from puppetmaster_core.training.settings import RunSettings
from puppetmaster_core.training.shard_clips import ShardClips

KL_WEIGHT = 1e-4  # of the KL divergence in nats a colour value, beside the squared error
LATENT_NOISE = 0.05  # added to latents where the decoder learns alone: a denoiser's are never exact
STARTERS = 1000  # frames, each of another clip, of which the principal components are
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


def train_vae(vae: AutoencoderKLTemporalDecoder, clips: ShardClips, settings: RunSettings, record: dict) -> bool:
    """Train on random windows of random clips; True when done (see `fit`). Begins at principal components where it can."""
    frames, height, width, _ = clips.frames(0).shape
    if can_start_principal(vae):
        some = np.stack([clips.frames(i)[i % frames] for i in range(min(len(clips), STARTERS))])
        start_principal(vae, to_tensor(some).to(vae.device))
    grid, window, order = (height // downscale(vae), width // downscale(vae)), min(WINDOW, frames), clips.mixture(settings.seed)

    def make(step, rows):
        numbers = order.draws(step * settings.batch_size + rows[0], len(rows))
        starts = [int(row_rng(settings.seed, step, row).integers(frames - window + 1)) for row in rows]
        video = np.stack([clips.frames(i, slice(s, s + window)) for i, s in zip(numbers, starts, strict=True)])
        noise = row_noise(settings.seed, step, rows, (window, vae.config.latent_channels, *grid))
        return {"video": torch.from_numpy(video), "noise": noise}

    def loss(model, batch):
        value, squared, kl = model(as_pictures(batch["video"]), batch["noise"].flatten(0, 1))
        return value, {"psnr": 10 * torch.log10(4 / squared.detach()), "kl": kl.detach()}

    @torch.no_grad()
    def sample(_):
        video = to_tensor(np.stack([clips.frames(i, slice(1)) for i in range(min(4, len(clips)))])).to(vae.device)
        again = decode(vae, encode(vae, video.flatten(0, 1))[:, None])
        pair = torch.cat([video[:, 0], again[:, 0]]).clamp(-1, 1) / 2 + 0.5
        return {"above: pictures, below: reconstructions": torch.cat([torch.cat(list(row), 2) for row in pair.chunk(2)], 1)}

    return fit(Reconstruction(vae), make, loss, settings, record=record, sample=sample)


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


def train_decoder(vae: AutoencoderKLTemporalDecoder, clips: ShardClips, latents: np.ndarray, settings: RunSettings,
                  record: dict) -> bool:
    """Sharpen D alone on cached latents (n, N, C, h, w); the latents stay what a denoiser may be training on meanwhile."""
    frames, order = latents.shape[1], clips.mixture(settings.seed)
    window = min(WINDOW, frames)

    def make(step, rows):
        numbers = order.draws(step * settings.batch_size + rows[0], len(rows))
        starts = [int(row_rng(settings.seed, step, row).integers(frames - window + 1)) for row in rows]
        places = [(i, slice(s, s + window)) for i, s in zip(numbers, starts, strict=True)]
        z = torch.from_numpy(np.stack([latents[place] for place in places])).float()
        z = z + LATENT_NOISE * row_noise(settings.seed, step, rows, tuple(z.shape[1:]))
        return {"z": z, "video": torch.from_numpy(np.stack([clips.frames(*place) for place in places]))}

    def loss(model, batch):
        value, squared = model(batch["z"], as_pictures(batch["video"]))
        return value, {"psnr": 10 * torch.log10(4 / squared.detach())}

    return fit(Decoding(vae), make, loss, settings, record=record)
