"""Stages "vae" and "decoder": the VAE (E, D) of §3.1, from nothing. Only needed where no pre-trained one is used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLTemporalDecoder
from torch import Tensor, nn

from puppetmaster_core.files import whole_folder
from puppetmaster_core.latents.pictures import decode, downscale, encode, encode_distribution
from puppetmaster_core.pictures import to_tensor
from puppetmaster_core.pipeline import build
from puppetmaster_core.training.batches import as_pictures, row_noise, row_rng
from puppetmaster_core.training.beginning import first_model, record_of
from puppetmaster_core.training.checkpoint import SHARD_SIZE, saving
from puppetmaster_core.training.config import Plan, RunSettings, TrainingError
from puppetmaster_core.training.distributed import this_process, wait_for_main
from puppetmaster_core.training.latents import cache_latents, latents_file
from puppetmaster_core.training.loop import fit
from puppetmaster_core.training.principal import can_start_principal, start_principal
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


def stage_vae(plan: Plan, clips: ShardClips, _=None) -> bool:
    """Train on random windows of random clips; True when done (see `fit`). Begins at principal components where it can."""
    settings, final = plan.settings("vae"), final_of(plan, "vae")
    if plan.weights:
        return _save(first_model(plan).vae, final)
    if final.is_dir():
        return True
    vae = build(plan.preset, settings.seed).vae.to(this_process().device)
    if can_start_principal(vae):
        some = np.stack([clips.frames(i)[i % plan.preset.frames] for i in range(min(len(clips), STARTERS))])
        start_principal(vae, to_tensor(some).to(vae.device))
    items = _Windows(clips, settings, plan.preset.frames)
    shape = (items.length, vae.config.latent_channels, *[plan.preset.size // downscale(vae)] * 2)

    def make(step, rows):
        video = np.stack([clips.frames(*place) for place in items.places(step, rows)])
        return {"video": torch.from_numpy(video), "noise": row_noise(settings.seed, step, rows, shape)}

    def loss(model, batch):
        value, squared, kl = model(as_pictures(batch["video"]), batch["noise"].flatten(0, 1))
        return value, {"psnr": 10 * torch.log10(4 / squared.detach()), "kl": kl.detach()}

    @torch.no_grad()
    def sample():
        video = to_tensor(np.stack([clips.frames(i, slice(1)) for i in range(min(4, len(clips)))])).to(vae.device)
        again = decode(vae, encode(vae, video.flatten(0, 1))[:, None])
        pair = torch.cat([video[:, 0], again[:, 0]]).clamp(-1, 1) / 2 + 0.5
        return {"above: pictures, below: reconstructions": torch.cat([torch.cat(list(row), 2) for row in pair.chunk(2)], 1)}

    return fit(Reconstruction(vae), make, loss, settings, record=record_of(plan, clips), sample=sample) and _save(vae, final)


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


def stage_decoder(plan: Plan, clips: ShardClips, _=None) -> bool:
    """Sharpen D alone on cached latents; they stay what a denoiser may be training on meanwhile. True when done (see `fit`)."""
    final = final_of(plan, "decoder")
    if final.is_dir() or plan.weights:
        return True
    vae, latents = trained_vae(plan, "vae"), latents_of(plan, clips, plan.settings("decoder"))
    if latents is None:
        return False
    settings = plan.settings("decoder")
    items = _Windows(clips, settings, plan.preset.frames)

    def make(step, rows):
        places = items.places(step, rows)
        z = torch.from_numpy(np.stack([latents[place] for place in places])).float()
        z = z + LATENT_NOISE * row_noise(settings.seed, step, rows, tuple(z.shape[1:]))
        return {"z": z, "video": torch.from_numpy(np.stack([clips.frames(*place) for place in places]))}

    def loss(model, batch):
        value, squared = model(batch["z"], as_pictures(batch["video"]))
        return value, {"psnr": 10 * torch.log10(4 / squared.detach())}

    return fit(Decoding(vae), make, loss, settings, record=record_of(plan, clips)) and _save(vae, final)


class _Windows:
    """Random windows of random clips."""

    def __init__(self, clips: ShardClips, settings: RunSettings, frames: int):
        self.settings, self.frames, self.length = settings, frames, min(WINDOW, frames)
        self.order = clips.mixture(settings.seed)

    def places(self, step: int, rows: range) -> list[tuple[int, slice]]:
        """A clip and which of its frames, for each row."""
        numbers = self.order.draws(step * self.settings.batch_size + rows[0], len(rows))
        starts = [int(row_rng(self.settings.seed, step, row).integers(self.frames - self.length + 1)) for row in rows]
        return [(int(i), slice(s, s + self.length)) for i, s in zip(numbers, starts, strict=True)]


# ---- what the stages leave -----------------------------------------------------------------------------------------------


def final_of(plan: Plan, stage: str) -> Path:
    """The folder of a stage's VAE; that it is there says that the stage is done."""
    return plan.folder / stage / "final"


def trained_vae(plan: Plan, stage: str) -> AutoencoderKLTemporalDecoder:
    """What a stage left. Raises TrainingError where it has not run, or ran for another preset."""
    final = final_of(plan, stage)
    if not final.is_dir():
        raise TrainingError(f"got no {final}, expected a trained VAE: run the stage {stage!r} first")
    vae = AutoencoderKLTemporalDecoder.from_pretrained(final)
    for name, expected in ({} if plan.weights else plan.preset.vae).items():
        if (got := vae.config[name]) != (list(expected) if isinstance(expected, tuple) else expected):
            raise TrainingError(f"{final}: got a VAE with {name}={got}, expected {expected}: use another folder")
    return vae.to(this_process().device)


def latents_of(plan: Plan, clips: ShardClips, settings: RunSettings) -> np.ndarray | None:
    """The clips' latents (n, N, C, h, w) by the VAE of its own stage, encoded on first use; None: out of time."""
    vae = trained_vae(plan, "vae")
    weights = b"".join(path.read_bytes() for path in sorted(final_of(plan, "vae").glob("*.safetensors")))
    path = latents_file(plan.folder, weights, clips)
    if this_process().is_main_process:
        cache_latents(vae, clips, path, settings.mixed_precision, until=plan.until)
    wait_for_main()
    return cache_latents(vae, clips, path, until=0.0)


def _save(vae: AutoencoderKLTemporalDecoder, final: Path) -> bool:
    """Whole or not at all."""
    if this_process().is_main_process and not final.is_dir():
        with saving(final):
            final.parent.mkdir(exist_ok=True)
            with whole_folder(final) as folder:
                vae.save_pretrained(folder, max_shard_size=SHARD_SIZE)
    wait_for_main()
    return True
