"""Stage 2: the denoising network ε_θ with its drags (Eq. 2, App. C.1), on cached latents.

Letters: B batch, N frames, K drags, C latent channels, (h, w) latent grid, D width of the CLIP embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from diffusers.models.resnet import SpatioTemporalResBlock
from torch import Tensor, nn
from transformers import CLIPVisionModelWithProjection

from puppetmaster_core.clips.mixture import Mixture
from puppetmaster_core.diffusion import P_MEAN, SIGMA_MIN, diffusion_loss, drop_drags, sample_sigmas
from puppetmaster_core.latents.pictures import LatentSpace
from puppetmaster_core.model import DragUNet
from puppetmaster_core.model.transformer import DragTransformer
from puppetmaster_core.pictures import clip_pixels
from puppetmaster_core.sampling import every_frame
from puppetmaster_core.training.data import random_drags
from puppetmaster_core.training.feed import Batch, as_pictures, row_generator, row_noise, row_rng
from puppetmaster_core.training.loop import fit
from puppetmaster_core.training.settings import RunSettings, TrainingError, check_kinds
from puppetmaster_core.training.shard_clips import ShardClips


@dataclass(frozen=True)
class Recipe:
    """What a training item is."""

    sigma_mean: float = P_MEAN  # of log σ, App. C.1; a small latent grid wants more noise, or motion is never in doubt
    sigma_min: float = SIGMA_MIN  # no item has less noise than sampling ever meets: below it, rounding is all there is to learn
    drag_dropout: float = 0.1  # App. C.1
    straight: float = 0.5  # share of items whose drags are straight lines, as Drag-a-Move's and as people draw them
    short_steps: int = 0  # in the first ones items have fewer frames: a third of the work for nearly as much to learn from
    short_frames: int = 5

    def __post_init__(self):
        check_kinds(self)
        for name, low, high in (("sigma_mean", -20, 20), ("sigma_min", 0, 1e3), ("drag_dropout", 0, 1), ("straight", 0, 1),
                                ("short_steps", 0, float("inf")), ("short_frames", 2, float("inf"))):
            if not low <= getattr(self, name) <= high:
                raise TrainingError(f"{name}={getattr(self, name)!r} given: it must lie between {low:g} and {high:g}")


COMPILED = (DragTransformer, SpatioTemporalResBlock)  # the layers that repeat: compiled once for each shape they are given


class Denoiser(nn.Module):
    """The loss of one batch. A small image encoder from nothing learns along; without one, embeddings are given."""

    def __init__(self, unet: DragUNet, image_encoder: CLIPVisionModelWithProjection | None, time_ids: Tensor):
        super().__init__()
        self.unet, self.image_encoder = unet, image_encoder
        self.register_buffer("time_ids", time_ids, persistent=False)

    def forward(self, x: Tensor, given: Tensor, seen: Tensor, points: Tensor, present: Tensor, sigma: Tensor, noise: Tensor,
                numbers: Tensor | None = None, importance: Tensor | None = None) -> Tensor:
        """v-prediction error (B,) of x (B, N, C, h, w) at noise levels sigma (B,).

        given: the picture's latents (B, C', h, w), or others a frame (B, N, C', h, w); seen: pictures (B, 3, S, S) for the image
        encoder, or embeddings (B, D); points (B, K, N, 2), present (B, K); numbers (N,): which frames of the clips these are,
        None: 0 to N − 1; importance: as for `diffusion_loss`.
        """
        embedding = self.image_encoder(seen).image_embeds if self.image_encoder is not None else seen
        given = every_frame(given, x.shape[1])
        conditioning = self.unet.condition(points, present, tuple(x.shape[-2:]), numbers)
        time_ids = self.time_ids.expand(len(x), -1)

        def network(scaled: Tensor, c_noise: Tensor) -> Tensor:
            sample = torch.cat([scaled, given], dim=2)
            return self.unet(sample, c_noise, embedding[:, None], time_ids, conditioning, return_dict=False)[0].float()

        return diffusion_loss(network, x, sigma, noise, importance)

    def compile(self, *args, **kwargs) -> None:
        """Compile the repeated layers instead of the whole: a minute or two instead of ten, for most of the speed."""
        torch._dynamo.config.recompile_limit = 64  # one code, a version for each level's channels and size
        for layer in self.unet.modules():
            if isinstance(layer, COMPILED):
                layer.compile(*args, dynamic=False, **kwargs)


def residual_scale(latents: np.ndarray, residual: bool) -> float:
    """1 / standard deviation of what is diffused, so that it has about unit variance. latents (n, N, C, h, w)."""
    some = np.asarray(latents[:: max(1, len(latents) // 500)], np.float32)
    return float(1 / (some[:, 1:] - some[:, :1] if residual else some).std())


def pick_frames(frames: int, step: int, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    """Which of a clip's frames a step trains on: all, or in the first `short_steps` the first, the last and some between."""
    if step >= recipe.short_steps or frames <= recipe.short_frames:
        return np.arange(frames)
    between = 1 + rng.choice(frames - 2, recipe.short_frames - 2, replace=False)
    return np.concatenate([[0], np.sort(between), [frames - 1]])


@dataclass(frozen=True)
class Items:
    """What the denoiser is trained on: random clips with drags by §4's rules. Made row by row, see `feed`."""

    clips: ShardClips
    latents: Callable[[int], np.ndarray]  # z (N, C, h, w) of a clip, float16
    embeddings: Callable[[int], np.ndarray] | None  # (D,) of a clip, float16; None: its first frame is given instead
    settings: RunSettings
    recipe: Recipe
    max_drags: int

    @cached_property
    def order(self) -> Mixture:
        return self.clips.mixture(self.settings.seed)

    def batch(self, step: int, rows: Sequence[int]) -> Batch:
        """Rows of the batch of a step: z (B, N, C, h, w), points (B, K_max, N, 2), present (B, K_max), sigma (B,), noise as z;
        first: frame 1 (B, H, W, 3) uint8, or embedding (B, D); numbers (B, N) of the frames, the same in all rows."""
        seed, recipe = self.settings.seed, self.recipe
        numbers = self.order.draws(step * self.settings.batch_size + rows[0], len(rows))
        z = torch.from_numpy(np.stack([self.latents(i) for i in numbers]))
        shown = pick_frames(z.shape[1], step, recipe, np.random.default_rng([seed, step]))
        z = z[:, shown]
        drags = [random_drags(partial(self.clips.drags, i), row_rng(seed, step, row), self.max_drags, recipe.straight)
                 for i, row in zip(numbers, rows, strict=True)]
        generators = [row_generator(seed, step, row) for row in rows]
        sigma = torch.cat([sample_sigmas(1, g, recipe.sigma_mean) for g in generators]).clamp(min=recipe.sigma_min)
        present = torch.cat([drop_drags(p[None], recipe.drag_dropout, g) for (_, p), g in zip(drags, generators, strict=True)])
        seen = ({"first": torch.from_numpy(np.stack([self.clips.frames(i, slice(1))[0] for i in numbers]))}
                if self.embeddings is None else {"embedding": torch.from_numpy(np.stack([self.embeddings(i) for i in numbers]))})
        return {"z": z, "points": torch.stack([p for p, _ in drags])[:, :, shown], "present": present, "sigma": sigma,
                "noise": row_noise(seed, step, rows, tuple(z.shape[1:])),
                "numbers": torch.from_numpy(shown).expand(len(z), -1), **seen}


def train_denoiser(model: Denoiser, items: Items, space: LatentSpace, record: dict, sample: Callable | None = None) -> bool:
    """Train on items; True when done (see `fit`)."""
    size = model.image_encoder.config.image_size if model.image_encoder is not None else 0

    def loss(wrapped, batch):
        z = batch["z"].float()
        x, sigma = space.diffused(z, z[:, 0]), batch["sigma"]
        first = batch.get("first")
        seen = batch["embedding"].float() if first is None else clip_pixels(as_pictures(first), size)
        errors = wrapped(x, z[:, 0], seen, batch["points"], batch["present"], sigma, batch["noise"], batch["numbers"][0])
        return errors.mean(), by_noise(errors.detach(), sigma)

    return fit(model, items.batch, loss, items.settings, record=record, sample=sample)


def by_noise(errors: Tensor, sigma: Tensor) -> dict[str, Tensor]:
    """Mean error of the items with σ < 1, with 1 ≤ σ < 5 and with more; levels that no item has are left out."""
    levels = {"loss, σ < 1": sigma < 1, "loss, 1 ≤ σ < 5": (sigma >= 1) & (sigma < 5), "loss, σ ≥ 5": sigma >= 5}
    return {name: errors[here].mean() for name, here in levels.items() if here.any()}
