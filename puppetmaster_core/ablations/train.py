"""One arm with one seed: trained, sampled on the judged clips, scored. Everything that is random comes from the seed.

Letters: B batch, N frames, K drags, L latent channels, (h, w) latent grid.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from puppetmaster_core.ablations.data import TrainingClips, look_of, shuffled
from puppetmaster_core.ablations.judge import judge_video
from puppetmaster_core.ablations.subjects import JudgedClip, told
from puppetmaster_core.diffusion import draw_noise, sample_sigmas
from puppetmaster_core.latents.linear import LinearCode
from puppetmaster_core.latents.pictures import LatentSpace
from puppetmaster_core.model import DragUNet
from puppetmaster_core.pictures import to_frames, to_tensor
from puppetmaster_core.presets import ABLATION
from puppetmaster_core.sampling import make_solver, sample
from puppetmaster_core.training.batches import row_generator, row_noise
from puppetmaster_core.training.config import Plan
from puppetmaster_core.training.denoiser import Denoiser, pick_frames, residual_scale
from puppetmaster_core.training.loop import fit

TIME_IDS = torch.zeros(1, 3)  # frame rate, motion bucket, augmentation: the same for all
POINTS = 40  # of the curve of the loss, at the most
BATCH = 32  # videos sampled at a time


@dataclass(frozen=True)
class Task:
    """What a network is trained on."""

    clips: TrainingClips
    space: LatentSpace


def space_of(clips: TrainingClips, residual: bool) -> LatentSpace:
    return LatentSpace(residual_scale(clips.z.numpy(), residual), residual)


def train_network(network: DragUNet, task: Task, **changes) -> tuple[list[list[float]], float]:
    """Train in place, to EMA weights; the curve of the loss, [step, mean since the last point] a point, and the CPU's seconds.

    changes: of the scale's settings.
    """
    never = dict.fromkeys(("checkpoint_every", "log_every", "sample_every"), 10**8)
    plan = Plan(ABLATION, Path(), changes={"workers": 1, **never, **changes})
    settings, recipe, clips, losses, began = plan.settings("denoiser"), plan.items, task.clips, [], time.process_time()
    order = shuffled(len(clips), settings.steps, settings.batch_size, settings.seed)

    def batch(step: int, rows: range) -> dict[str, Tensor]:
        rng = np.random.default_rng([settings.seed, step])
        numbers, sets = order[step][rows], rng.integers(clips.points.shape[1], size=settings.batch_size)[rows]
        shown = pick_frames(clips.z.shape[1], step, replace(recipe, short_steps=settings.steps), rng)
        z = clips.z[numbers][:, shown].float()
        generators = [row_generator(settings.seed, step, row) for row in rows]
        sigma = torch.cat([sample_sigmas(1, g, recipe.sigma_mean) for g in generators]).clamp(min=recipe.sigma_min)
        return {"z": z, "look": clips.look[numbers], "points": clips.points[numbers, sets][:, :, shown],
                "present": clips.present[numbers, sets], "masks": clips.masks[numbers, sets].float(), "sigma": sigma,
                "noise": row_noise(settings.seed, step, rows, tuple(z.shape[1:])), "numbers": torch.from_numpy(shown)}

    def loss(model: Denoiser, made: dict[str, Tensor]) -> tuple[Tensor, dict]:
        tell(model.unet, made["masks"])
        first = made["z"][:, 0]
        x = task.space.diffused(made["z"], first)
        errors = model(x, first * task.space.scale, made["look"], made["points"], made["present"], made["sigma"], made["noise"],
                       made["numbers"])
        losses.append(float(errors.detach().mean()))
        return errors.mean(), {}

    with tempfile.TemporaryDirectory() as folder:  # of logs, which nobody reads
        fit(Denoiser(network, None, TIME_IDS), batch, loss, replace(settings, output=folder))
    return curve(losses[-settings.steps:]), round(time.process_time() - began, 1)


def tell(network: DragUNet, masks: Tensor) -> None:
    """Which part each drag is on, for the one mechanism that is told."""
    if hasattr(network, "masks"):
        network.masks = masks


def curve(losses: list[float]) -> list[list[float]]:
    every = max(1, len(losses) // POINTS)
    return [[end, round(float(np.mean(losses[end - every:end])), 5)] for end in range(every, len(losses) + 1, every)]


def videos(network: DragUNet, task: Task, code: LinearCode, clips: list[JudgedClip], seed: int) -> list[np.ndarray]:
    """A video (N, 64, 64, 3) uint8 of each clip."""
    return list(sampled(network, task, code, np.stack([clip.frames[0] for clip in clips]), seed, told(clips)))


@torch.no_grad()
def sampled(network: DragUNet, task: Task, code: LinearCode, pictures: np.ndarray, seed: int,
            given: tuple[Tensor, Tensor, Tensor] | None = None) -> np.ndarray:
    """Videos (n, N, S, S, 3) uint8 of pictures (n, S, S, 3), by the scale's sampling.

    given: points (n, K, N, 2), present (n, K) and masks (n, K, h, w); None: no drags.
    """
    made, scheduler, count = [], make_solver("euler", ABLATION.noise_levels), len(pictures)
    if given is None:
        k = ABLATION.max_drags
        given = torch.zeros(count, k, ABLATION.frames, 2), torch.zeros(count, k, dtype=torch.bool), torch.zeros(count, k, 1, 1)
    network.eval()
    for rows in torch.arange(count).split(BATCH):
        points, present, masks = (one[rows] for one in given)
        first = to_tensor(pictures[rows.numpy()])
        z_first = code.encode(first)
        tell(network, masks.float())
        generators = [torch.Generator().manual_seed(1_000_003 * seed + int(row)) for row in rows]
        noise = draw_noise((ABLATION.frames, *z_first.shape[1:]), generators)
        scheduler.set_timesteps(ABLATION.steps)
        x = sample(network, scheduler, noise, z_first * task.space.scale, look_of(first)[:, None], TIME_IDS,
                   network.condition(points, present, tuple(z_first.shape[-2:])))
        z = task.space.undiffused(x, z_first)
        shown = code.decode(z)
        if task.space.residual:  # what the code loses of the picture itself is not lost again
            shown = shown + (first - code.decode(z_first))[:, None]
        made.append(to_frames(shown))
    return np.concatenate(made)


def scores(made: list[np.ndarray], clips: list[JudgedClip]) -> dict[str, list[float | None]]:
    """By name, one number a clip."""
    rows = [judge_video(video, clip) for video, clip in zip(made, clips, strict=True)]
    return {name: [round(row[name], 4) if np.isfinite(row[name]) else None for row in rows] for name in rows[0]}
