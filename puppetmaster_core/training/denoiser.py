"""Stage 2: the denoising network ε_θ with its drags (Eq. 2, App. C.1), on cached latents.

Letters: B batch, N frames, K drags, C latent channels, (h, w) latent grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from diffusers.models.resnet import SpatioTemporalResBlock
from torch import Tensor, nn
from transformers import CLIPVisionModelWithProjection

from puppetmaster_core.diffusion import P_MEAN, diffusion_loss, drop_drags, sample_sigmas
from puppetmaster_core.latents import LatentSpace
from puppetmaster_core.model import DragUNet
from puppetmaster_core.model.transformer import DragTransformer
from puppetmaster_core.pictures import clip_pixels, to_tensor
from puppetmaster_core.training.data import ClipArrays
from puppetmaster_core.training.loop import RunSettings, fit


@dataclass(frozen=True)
class Recipe:
    """What a training item is."""

    sigma_mean: float = P_MEAN  # of log σ, App. C.1; a small latent grid wants more noise, or motion is never in doubt
    drag_dropout: float = 0.1  # App. C.1
    straight: float = 0.5  # share of items whose drags are straight lines, as Drag-a-Move's and as people draw them
    short_steps: int = 0  # in the first ones items have fewer frames: half the work for nearly as much to learn from
    short_frames: int = 7


COMPILED = (DragTransformer, SpatioTemporalResBlock)  # the layers that repeat: compiled once for each shape they are given


class Denoiser(nn.Module):
    """The loss of one batch. The image encoder learns along: a small one from nothing has nothing to keep."""

    def __init__(self, unet: DragUNet, image_encoder: CLIPVisionModelWithProjection, time_ids: Tensor):
        super().__init__()
        self.unet, self.image_encoder = unet, image_encoder
        self.register_buffer("time_ids", time_ids, persistent=False)

    def forward(self, x: Tensor, z_first: Tensor, clip_input: Tensor, points: Tensor, present: Tensor, sigma: Tensor,
                noise: Tensor) -> Tensor:
        """Mean v-prediction error of x (B, N, C, h, w) at noise levels sigma (B,).

        z_first (B, C, h, w), clip_input (B, 3, S, S), points (B, K, N, 2), present (B, K).
        """
        embedding = self.image_encoder(clip_input).image_embeds[:, None]
        given = z_first[:, None].expand(-1, x.shape[1], -1, -1, -1)
        conditioning = self.unet.condition(points, present, tuple(x.shape[-2:]))
        time_ids = self.time_ids.expand(len(x), -1)

        def network(scaled: Tensor, c_noise: Tensor) -> Tensor:
            sample = torch.cat([scaled, given], dim=2)
            return self.unet(sample, c_noise, embedding, time_ids, conditioning, return_dict=False)[0].float()

        return diffusion_loss(network, x, sigma, noise).mean()

    def compile(self, *args, **kwargs) -> None:
        """Compile the repeated layers instead of the whole: a minute or two instead of ten, for most of the speed."""
        torch._dynamo.config.recompile_limit = 64  # one code, a version for each level's channels and size
        for layer in self.unet.modules():
            if isinstance(layer, COMPILED):
                layer.compile(*args, dynamic=False, **kwargs)


def residual_scale(latents: np.ndarray, residual: bool) -> float:
    """1 / standard deviation of what is diffused, so that it has about unit variance. latents (n, N, C, h, w)."""
    some = latents[:: max(1, len(latents) // 500)].astype(np.float32)
    return float(1 / (some[:, 1:] - some[:, :1] if residual else some).std())


def pick_frames(frames: int, step: int, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    """Which of a clip's frames a step trains on: all, or in the first `short_steps` the first, the last and some between."""
    if step >= recipe.short_steps or frames <= recipe.short_frames:
        return np.arange(frames)
    between = 1 + rng.choice(frames - 2, recipe.short_frames - 2, replace=False)
    return np.concatenate([[0], np.sort(between), [frames - 1]])


def train_denoiser(model: Denoiser, clips: ClipArrays, latents: np.ndarray, space: LatentSpace, settings: RunSettings,
                   record: dict, recipe: Recipe, sample: Callable | None = None) -> bool:
    """Train on random clips, a random drag for each part that moves; True when done (see `fit`)."""
    max_drags, image_size = model.unet.config.max_drags, model.image_encoder.config.image_size

    def loss(wrapped, step, generator):
        device = model.time_ids.device
        rng = np.random.default_rng([settings.seed, step])
        index = rng.integers(len(clips), size=settings.batch_size)
        points, present = clips.batch_of_drags(index, rng, max_drags, recipe.straight)
        shown = pick_frames(latents.shape[1], step, recipe, rng)
        points = points[:, :, shown]
        z = torch.from_numpy(latents[index][:, shown]).float().to(device)
        x = space.diffused(z, z[:, 0])
        clip_input = clip_pixels(to_tensor(clips.frames[index, 0]).to(device), image_size)
        sigma = sample_sigmas(len(x), generator, recipe.sigma_mean).to(device)
        noise = torch.randn(x.shape, generator=generator).to(device)
        present = drop_drags(present, recipe.drag_dropout, generator)
        return wrapped(x, z[:, 0], clip_input, points.to(device), present.to(device), sigma, noise), {}

    return fit(model, loss, settings, record=record, sample=sample)
