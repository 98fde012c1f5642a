"""Stage "vae": the VAE (E, D) of §3.1, from nothing. Only needed where no pre-trained one is used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLTemporalDecoder
from torch import Tensor, nn

from puppetmaster_core.files import whole_folder
from puppetmaster_core.latents.pictures import decode, encode, encode_distribution
from puppetmaster_core.pictures import to_tensor
from puppetmaster_core.pipeline import build
from puppetmaster_core.training.batches import as_pictures, row_noise, row_rng
from puppetmaster_core.training.beginning import first_model, record_of
from puppetmaster_core.training.checkpoint import SHARD_SIZE, saving
from puppetmaster_core.training.config import Plan, TrainingError
from puppetmaster_core.training.distributed import this_process, wait_for_main
from puppetmaster_core.training.loop import fit
from puppetmaster_core.training.principal import can_start_principal, start_principal
from puppetmaster_core.training.shard_clips import ShardClips

KL_WEIGHT = 1e-4  # of the KL divergence in nats a colour value, beside the squared error
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
    settings, final = plan.settings("vae"), final_of(plan)
    if plan.weights:
        return _save(first_model(plan).vae, final)
    if final.is_dir():
        return True
    vae = build(plan.preset, settings.seed).vae.to(this_process().device)
    if can_start_principal(vae):
        some = np.stack([clips.frames(i)[i % plan.preset.frames] for i in range(min(len(clips), STARTERS))])
        start_principal(vae, to_tensor(some).to(vae.device))
    order, frames = clips.mixture(settings.seed), plan.preset.frames
    length = min(WINDOW, frames)
    shape = (length, vae.config.latent_channels, *[plan.preset.size // plan.preset.cell] * 2)

    def make(step, rows):
        numbers = order.draws(step * settings.batch_size + rows[0], len(rows))
        starts = [int(row_rng(settings.seed, step, row).integers(frames - length + 1)) for row in rows]
        video = np.stack([clips.frames(int(i), slice(s, s + length)) for i, s in zip(numbers, starts, strict=True)])
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


def final_of(plan: Plan) -> Path:
    """The folder of the trained VAE; that it is there says that the stage is done."""
    return plan.folder / "vae" / "final"


def trained_vae(plan: Plan) -> AutoencoderKLTemporalDecoder:
    """What the stage left. Raises TrainingError where it has not run, or ran for another preset."""
    final = final_of(plan)
    if not final.is_dir():
        raise TrainingError(f"got no {final}, expected a trained VAE: run the stage 'vae' first")
    vae = AutoencoderKLTemporalDecoder.from_pretrained(final)
    for name, expected in ({} if plan.weights else plan.preset.vae).items():
        if (got := vae.config[name]) != (list(expected) if isinstance(expected, tuple) else expected):
            raise TrainingError(f"{final}: got a VAE with {name}={got}, expected {expected}: use another folder")
    return vae.to(this_process().device)


def _save(vae: AutoencoderKLTemporalDecoder, final: Path) -> bool:
    """Whole or not at all."""
    if this_process().is_main_process and not final.is_dir():
        with saving(final):
            final.parent.mkdir(exist_ok=True)
            with whole_folder(final) as folder:
                vae.save_pretrained(folder, max_shard_size=SHARD_SIZE)
    wait_for_main()
    return True
