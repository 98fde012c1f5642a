"""Stage "denoiser": the denoising network ε_θ with its drags (Eq. 2, App. C.1), on latents of pictures or of motion.

Letters: B batch, N frames, K drags, C latent channels, (h, w) latent grid, D width of the CLIP embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch
from diffusers.models.resnet import SpatioTemporalResBlock
from torch import Tensor, nn
from transformers import CLIPVisionModelWithProjection

from puppetmaster_core.clips.drag_sampling import DRAG_A_MOVE, PAPER, DragRules
from puppetmaster_core.clips.mixture import Mixture
from puppetmaster_core.diffusion import diffusion_loss, drop_drags, sample_sigmas
from puppetmaster_core.drags import Drags
from puppetmaster_core.latents.pictures import LatentSpace
from puppetmaster_core.model import DragUNet
from puppetmaster_core.model.transformer import DragTransformer
from puppetmaster_core.pictures import clip_pixels
from puppetmaster_core.sampling import every_frame
from puppetmaster_core.training.batches import Batch, as_pictures, row_generator, row_noise, row_rng
from puppetmaster_core.training.config import Recipe, RunSettings
from puppetmaster_core.training.shard_clips import ShardClips

COMPILED = (DragTransformer, SpatioTemporalResBlock)  # the layers that repeat: compiled once for each shape they are given
# x (B, N, C, h, w), what the network is given beside the noise, and how much each number counts (None: all alike), of a batch
Target = Callable[[Batch], tuple[Tensor, Tensor, Tensor | None]]


class Denoiser(nn.Module):
    """The network's errors on a batch. A small image encoder from nothing learns along; without one, embeddings are given."""

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


def denoiser_loss(target: Target, image_size: int, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Eq. 2 on a batch of `Items`: its mean, and the means of items by their noise levels; image_size: the image encoder's."""
    x, given, importance = target(batch)
    seen = (batch["embedding"].float() if "embedding" in batch else clip_pixels(as_pictures(batch["first"]), image_size))
    sigma = batch["sigma"]
    errors = model(x, given, seen, batch["points"], batch["present"], sigma, batch["noise"], batch["numbers"][0], importance)
    levels = {"loss, σ < 1": sigma < 1, "loss, 1 ≤ σ < 5": (sigma >= 1) & (sigma < 5), "loss, σ ≥ 5": sigma >= 5}
    return errors.mean(), {name: errors.detach()[here].mean() for name, here in levels.items() if here.any()}


def picture_target(space: LatentSpace) -> Target:
    """Of batches of `PictureItems`."""

    def target(batch: Batch):
        z = batch["z"].float()
        return space.diffused(z, z[:, 0]), z[:, 0], None

    return target


def residual_scale(latents: np.ndarray, residual: bool) -> float:
    """1 / standard deviation of what is diffused, so that it has about unit variance. latents (n, N, C, h, w)."""
    some = np.asarray(latents[:: max(1, len(latents) // 500)], np.float32)
    return float(1 / (some[:, 1:] - some[:, :1] if residual else some).std())


# ---- items ---------------------------------------------------------------------------------------------------------------


def pick_frames(frames: int, step: int, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    """Which of a clip's frames a step trains on: all, or in the first `short_steps` the first, the last and some between."""
    if step >= recipe.short_steps or frames <= recipe.short_frames:
        return np.arange(frames)
    between = 1 + rng.choice(frames - 2, recipe.short_frames - 2, replace=False)
    return np.concatenate([[0], np.sort(between), [frames - 1]])


def random_drags(draw: Callable[[np.random.Generator, DragRules], np.ndarray], rng: np.random.Generator, max_drags: int,
                 straight: float) -> tuple[Tensor, Tensor]:
    """Drags of a training item: points (K_max, N, 2) and present (K_max,). draw: a clip's drags (K, N, 2) by some rules.

    With probability `straight` they are Drag-a-Move's, straight lines; where nothing ends elsewhere than it began, the paper's.
    """
    rules = replace(DRAG_A_MOVE if rng.random() < straight else PAPER, max_drags=max_drags)
    paths = draw(rng, rules)
    if rules.straight and not len(paths):
        paths = draw(rng, replace(PAPER, max_drags=max_drags))
    if not len(paths):  # a part so small that the field misses it
        return torch.zeros(max_drags, paths.shape[1], 2), torch.zeros(max_drags, dtype=torch.bool)
    return Drags(paths).tensors(max_drags)


@dataclass(frozen=True)
class Items:
    """What the denoiser is trained on: random clips with drags by §4's rules. Made row by row, see `batches`."""

    clips: ShardClips
    settings: RunSettings
    recipe: Recipe
    frames: int  # N of a clip
    max_drags: int
    shape: tuple[int, int, int]  # (C, h, w)

    @cached_property
    def order(self) -> Mixture:
        return self.clips.mixture(self.settings.seed)

    def batch(self, step: int, rows: Sequence[int]) -> Batch:
        """Rows of the batch of a step: points (B, K_max, N, 2), present (B, K_max), sigma (B,), noise (B, N, C, h, w), numbers
        (B, N) of the frames, the same in all rows; and what `row` gives of each."""
        seed, recipe = self.settings.seed, self.recipe
        numbers = self.order.draws(step * self.settings.batch_size + rows[0], len(rows))
        shown = pick_frames(self.frames, step, recipe, np.random.default_rng([seed, step]))
        made = [self.row(int(i), row_rng(seed, step, row), shown) for i, row in zip(numbers, rows, strict=True)]
        batch = {name: torch.from_numpy(np.stack([one[name] for one in made])) for name in made[0]}
        generators = [row_generator(seed, step, row) for row in rows]
        sigma = torch.cat([sample_sigmas(1, g, recipe.sigma_mean) for g in generators]).clamp(min=recipe.sigma_min)
        present = torch.cat([drop_drags(p[None], recipe.drag_dropout, g)
                             for p, g in zip(batch["present"], generators, strict=True)])
        return {**batch, "present": present, "sigma": sigma, "numbers": torch.from_numpy(shown).expand(len(rows), -1),
                "noise": row_noise(seed, step, rows, (len(shown), *self.shape))}

    def drags(self, draw: Callable, rng: np.random.Generator, shown: np.ndarray) -> dict[str, np.ndarray]:
        points, present = random_drags(draw, rng, self.max_drags, self.recipe.straight)
        return {"points": points.numpy()[:, shown], "present": present.numpy()}


@dataclass(frozen=True)
class PictureItems(Items):
    """With latents of pictures."""

    latents: Callable[[int], np.ndarray]  # z (N, C, h, w) of a clip, float16
    embeddings: Callable[[int], np.ndarray] | None = None  # (D,) of a clip, float16; None: its first frame is given instead

    def row(self, number: int, rng: np.random.Generator, shown: np.ndarray) -> dict[str, np.ndarray]:
        """z (N, C, h, w), and first, frame 1 (H, W, 3) uint8, or embedding (D,)."""
        seen = ({"first": self.clips.frames(number, slice(1))[0]} if self.embeddings is None
                else {"embedding": self.embeddings(number)})
        return {"z": self.latents(number)[shown], **self.drags(partial(self.clips.drags, number), rng, shown), **seen}
