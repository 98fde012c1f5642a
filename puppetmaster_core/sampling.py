"""Sampling (App. C.2): from noise to the latents of a video, by SVD's Euler steps or a solver of fewer.

How to sample is data: a `Sampling`, of which every model has several under names (`presets.QUALITIES`, or the model's own).
Letters: B videos, N frames, C latent channels, (h, w) latent grid, D width of the CLIP embedding.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from numbers import Integral, Real

import numpy as np
import torch
from diffusers import EDMDPMSolverMultistepScheduler, EulerDiscreteScheduler
from diffusers.schedulers import AysSchedules
from torch import Tensor

from puppetmaster_core.diffusion import SIGMA_MAX, SIGMA_MIN, frame_guidance, guide
from puppetmaster_core.drags import DragError, Drags
from puppetmaster_core.model import DragConditioning, DragUNet
from puppetmaster_core.presets import SOLVERS

RANGE = (SIGMA_MIN, SIGMA_MAX)  # of noise levels σ, SVD's
SVD = {
    "use_karras_sigmas": True, "timestep_type": "continuous", "timestep_spacing": "leading", "steps_offset": 1,
    "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012,
}
# Align-Your-Steps (Sabour et al. 2024): the noise levels of 10 steps found best for SVD; zero follows.
AYS_SIGMAS = AysSchedules["StableDiffusionVideoSigmas"][:-1]

Scheduler = EulerDiscreteScheduler | EDMDPMSolverMultistepScheduler


@dataclass(frozen=True)
class Sampling:
    """How a video is drawn from noise."""

    solver: str | None = None  # one of SOLVERS, or None: the model's own scheduler
    steps: int = 50
    min_guidance: float = 1.0  # of the first frame
    max_guidance: float = 5.0  # of the last, App. C.2
    interval: tuple[float, float] | None = None  # noise levels σ, both included, at which guidance is used; None: all

    def __post_init__(self):
        if self.solver is not None and self.solver not in SOLVERS:
            raise ValueError(f"got solver={self.solver!r}, expected one of {', '.join(SOLVERS)}")
        if isinstance(self.steps, bool) or not isinstance(self.steps, Integral) or not 1 <= self.steps <= 1000:
            raise ValueError(f"got steps={self.steps!r}, expected a whole number from 1 to 1000")
        frame_guidance(2, self.min_guidance, self.max_guidance)
        if self.interval is not None and not _is_interval(self.interval):
            raise ValueError(f"got a guidance interval of {self.interval!r}, expected two noise levels σ, the lower one first")

    @classmethod
    def choose(cls, own: Sampling, quality: str | None, qualities: Mapping[str, Mapping], **given) -> Sampling:
        """A model's own sampling, changed by what `quality` names among `qualities`, then by what is given and not None."""
        if quality is not None and quality not in list(qualities):
            raise ValueError(f"got quality={quality!r}, expected one of {', '.join(qualities)}")
        named = qualities[quality] if quality is not None else {}
        known = [field.name for field in fields(cls)]
        if not isinstance(named, Mapping) or named.keys() - known:
            raise ValueError(f"got quality {quality!r} as {named!r}, expected some of {', '.join(known)}: correct it")
        named = {**named, **{name: value for name, value in given.items() if value is not None}}
        if isinstance(named.get("interval"), list):  # as JSON has it
            named["interval"] = tuple(named["interval"])
        return replace(own, **named)

    def scheduler(self, own: Scheduler, device: torch.device | str | None = None) -> Scheduler:
        """The scheduler at its first step; own: the model's, whose range of noise levels the others keep to."""
        levels = noise_range(own)
        scheduler = own if self.solver is None else make_solver(self.solver, levels)
        if self.solver == "ays":
            scheduler.set_timesteps(sigmas=ays_sigmas(self.steps, levels), device=device)
        else:
            scheduler.set_timesteps(self.steps, device=device)
        return scheduler


def _is_interval(levels) -> bool:
    numbers = isinstance(levels, tuple) and len(levels) == 2 and all(isinstance(level, Real) for level in levels)
    return numbers and 0 <= levels[0] <= levels[1]


@dataclass(frozen=True)
class Guidance:
    """Guidance of B videos: towards their drags, away from what the network makes without."""

    weight: Tensor  # (N,), of every frame
    null: DragConditioning  # of B videos without drags
    interval: tuple[float, float] | None = None  # noise levels at which it is used
    blank: bool = False  # whether the videos without drags are without the picture too, as in the released code
    given: Tensor | None = None  # what they are given beside the noise; None: what those with drags are

    def used(self, sigma: float) -> bool:
        return self.interval is None or self.interval[0] <= sigma <= self.interval[1]


def noise_range(own: Scheduler | None) -> tuple[float, float]:
    """The lowest and the highest noise level at which a model's scheduler calls its network; SVD's where it does not say."""
    config = getattr(own, "config", {})
    levels = (config.get(name) for name in ("sigma_min", "sigma_max"))
    return tuple(known if level is None else level for level, known in zip(levels, RANGE, strict=True))


def ays_sigmas(steps: int, levels: tuple[float, float] = RANGE) -> list[float]:
    """Align-Your-Steps' noise levels for so many steps, zero last: theirs for 10 of SVD's range, else between theirs in log σ.

    levels: the lowest and the highest. Beyond theirs there are none.
    """
    known, log_sigmas = np.linspace(0, 1, len(AYS_SIGMAS)), np.log(AYS_SIGMAS)
    first, last = np.interp(-np.log(levels[::-1]), -log_sigmas, known)  # falling, so negated: np.interp wants them to rise
    if steps == len(AYS_SIGMAS) and (first, last) == (0, 1):
        return [*AYS_SIGMAS, 0.0]
    return [*np.exp(np.interp(np.linspace(first, last, steps), known, log_sigmas)).tolist(), 0.0]


def make_solver(name: str, levels: tuple[float, float] = RANGE) -> Scheduler:
    """The scheduler called "euler", which is SVD's; "ays", the same for the noise levels of `ays_sigmas`; or "dpm++", of second
    order: 10 of its steps do what 50 of Euler's do.

    "dpm++" steps evenly in log σ, which suits it far better over SVD's range of σ than Karras's schedule. Both scale the
    network's input and output as `diffusion.precondition` does. levels: the lowest and the highest noise level σ.
    """
    edm = {"sigma_min": levels[0], "sigma_max": levels[1], "prediction_type": "v_prediction"}
    if name in ("euler", "ays"):
        return EulerDiscreteScheduler(**edm, **SVD)
    if name == "dpm++":
        return EDMDPMSolverMultistepScheduler(**edm, sigma_data=1.0, sigma_schedule="exponential")
    raise ValueError(f"got solver={name!r}, expected one of {', '.join(SOLVERS)}")


def rehearse(scheduler: Scheduler) -> None:
    """Two steps on nothing, with a copy: whatever is wrong with a scheduler's settings is raised here, before any work."""
    solver = copy.deepcopy(scheduler)
    solver.set_timesteps(2)
    x = torch.ones(1) * solver.init_noise_sigma
    for timestep in solver.timesteps:
        x = solver.step(solver.scale_model_input(x, timestep), timestep, x, return_dict=False)[0]


def one_each(drags, seed, generator) -> tuple[list[Drags | None], list[torch.Generator | None]]:
    """Drags and a generator for each of B videos."""
    if seed is not None and generator is not None:
        raise ValueError("got seed and generator, expected one of them")
    sets = list(drags) if isinstance(drags, Sequence) else [drags]
    seeds = list(seed) if isinstance(seed, Sequence) else [seed]
    count = max(len(sets), len(seeds))
    if not (sets and seeds) or {len(sets), len(seeds)} - {1, count}:
        raise ValueError(f"got {len(sets)} sets of drags and {len(seeds)} seeds, expected as many of both, or one of either")
    for wrong in (d for d in sets if not isinstance(d, Drags | None)):
        raise DragError(f"got a {type(wrong).__name__} as drags, expected Drags: Drags.from_json reads them")
    sets, seeds = (own * (count // len(own)) for own in (sets, seeds))
    return sets, [generator if s is None else _generator(s) for s in seeds]


def _generator(seed) -> torch.Generator:
    try:
        return torch.Generator().manual_seed(operator.index(seed))
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"got seed={seed!r}, expected a whole number of at most 64 bits") from None


def sample(
    unet: DragUNet,
    scheduler: Scheduler,
    noise: Tensor,
    given: Tensor,
    embedding: Tensor,
    time_ids: Tensor,
    conditioning: DragConditioning,
    guidance: Guidance | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
    on_step: Callable[[int, Tensor, Tensor], Tensor] | None = None,
) -> Tensor:
    """Sampling with guidance, App. C.2: the network without drags and with drags, weighted frame by frame.

    Returns denoised x (B, N, C, h, w), float32, from unit noise of that shape, over the scheduler's timesteps.
    given: the picture's latents (B, C, h, w), or others a frame (B, N, C, h, w). embedding: (B, 1, D). time_ids: (1, 3).
    conditioning: that of the B videos.
    Where guidance is used, the network is called with 2·B videos, those without drags first.
    on_step(i, timestep, x) returns the x to go on with.
    """
    given, without = (every_frame(one, noise.shape[1]).to(unet.dtype) for one in
                      (given, given if guidance is None or guidance.given is None else guidance.given))
    embedding, time_ids = embedding.to(unet.dtype), time_ids.to(embedding.device, unet.dtype)

    @cache
    def prepared(guided: bool) -> tuple[Tensor, Tensor, Tensor, DragConditioning]:
        """All that no noise level changes, for steps with guidance and without."""
        keep = not (guided and guidance.blank)
        pictures = torch.cat([without * keep, given]) if guided else given
        looks = torch.cat([embedding * keep, embedding]) if guided else embedding
        drags = DragConditioning.cat([guidance.null, conditioning]) if guided else conditioning
        return pictures, looks, time_ids.expand(len(looks), -1), drags if drags is None else unet.prepare(drags)

    x = noise * scheduler.init_noise_sigma
    sigmas = scheduler.sigmas.tolist()
    for i, timestep in enumerate(progress(scheduler.timesteps)):
        guided = guidance is not None and guidance.used(sigmas[i])
        pictures, looks, ids, drags = prepared(guided)
        scaled = scheduler.scale_model_input(x, timestep).to(unet.dtype)
        inputs = torch.cat([torch.cat([scaled] * (1 + guided)), pictures], dim=2)
        v = unet(inputs, timestep, looks, ids, drags, return_dict=False)[0].float()
        if guided:
            undragged, dragged = v.chunk(2)
            v = guide(dragged, undragged, guidance.weight)
        x = scheduler.step(v, timestep, x, return_dict=False)[0]
        if on_step is not None:
            x = on_step(i, timestep, x)
    return x


def every_frame(given: Tensor, frames: int) -> Tensor:
    """What a network is given beside the noise, (B, N, C, h, w): latents (B, C, h, w) of the picture for all, or as it is."""
    return given if given.ndim == 5 else given[:, None].expand(-1, frames, -1, -1, -1)
