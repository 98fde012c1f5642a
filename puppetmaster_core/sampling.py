"""Sampling (App. C.2): from noise to the latents of a video, by SVD's Euler steps or a solver of fewer.

Letters: B videos, N frames, C latent channels, (h, w) latent grid, D width of the CLIP embedding.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence

import torch
from diffusers import EDMDPMSolverMultistepScheduler, EulerDiscreteScheduler
from torch import Tensor

from puppetmaster_core.diffusion import SIGMA_MAX, SIGMA_MIN, guide
from puppetmaster_core.drags import DragError, Drags
from puppetmaster_core.model import DragConditioning, DragUNet

EDM = {"sigma_min": SIGMA_MIN, "sigma_max": SIGMA_MAX, "prediction_type": "v_prediction"}
SVD = {
    "use_karras_sigmas": True, "timestep_type": "continuous", "timestep_spacing": "leading", "steps_offset": 1,
    "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012,
}
SOLVERS = ("euler", "dpm++")

Scheduler = EulerDiscreteScheduler | EDMDPMSolverMultistepScheduler


def make_solver(name: str) -> Scheduler:
    """The scheduler called "euler", which is SVD's, or "dpm++", of second order: 10 of its steps do what 50 of Euler's do.

    "dpm++" steps evenly in log σ, which suits it far better over SVD's range of σ than Karras's schedule. Both scale the
    network's input and output as `diffusion.precondition` does.
    """
    if name == "euler":
        return EulerDiscreteScheduler(**EDM, **SVD)
    if name == "dpm++":
        return EDMDPMSolverMultistepScheduler(**EDM, sigma_data=1.0, sigma_schedule="exponential")
    raise ValueError(f"solver={name!r} came, wanted one of {', '.join(SOLVERS)}")


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
        raise ValueError("seed and generator came, wanted one of them")
    sets = list(drags) if isinstance(drags, Sequence) else [drags]
    seeds = list(seed) if isinstance(seed, Sequence) else [seed]
    counts = {len(sets), len(seeds)} - {1}
    if len(counts) > 1 or 0 in counts:
        raise ValueError(f"{len(sets)} sets of drags and {len(seeds)} seeds came, wanted as many of both, or one of either")
    for wrong in (d for d in sets if not isinstance(d, Drags | None)):
        raise DragError(f"a {type(wrong).__name__} came as drags, wanted Drags: Drags.from_json reads them")
    count = counts.pop() if counts else 1
    seeds = seeds if len(seeds) == count else seeds * count
    generators = [generator if s is None else torch.Generator().manual_seed(int(s)) for s in seeds]
    return sets if len(sets) == count else sets * count, generators


def draw_noise(shape: Sequence[int], generators: Sequence[torch.Generator | None]) -> Tensor:
    """Unit noise (B, *shape) on the CPU, one generator a video, so that a seed means the same on every device."""
    return torch.stack([torch.randn(*shape, generator=g, device=g.device if g else None).cpu() for g in generators])


# Sampling with guidance, App. C.2: the network without drags and with drags, weighted frame by frame.
def sample(
    unet: DragUNet,
    scheduler: Scheduler,
    noise: Tensor,
    given: Tensor,
    embedding: Tensor,
    time_ids: Tensor,
    conditioning: DragConditioning,
    weight: Tensor | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
    on_step: Callable[[int, Tensor, Tensor], Tensor] | None = None,
) -> Tensor:
    """Denoised x (B, N, C, h, w), float32, from unit noise of that shape, over the scheduler's timesteps.

    given: the picture's latents (B, C, h, w). embedding: (B, 1, D). time_ids: (1, 3). conditioning: that of the B videos,
    or with weight (N,) of 2·B: the videos without drags, then with. on_step(i, timestep, x) returns the x to go on with.
    """
    guided, frames = weight is not None, noise.shape[1]
    given = given[:, None].expand(-1, frames, -1, -1, -1).to(unet.dtype)
    embedding = torch.cat([embedding] * (1 + guided)).to(unet.dtype)
    time_ids = time_ids.to(embedding).expand(len(embedding), -1)
    x = noise * scheduler.init_noise_sigma
    for i, timestep in enumerate(progress(scheduler.timesteps)):
        scaled = scheduler.scale_model_input(x, timestep).to(unet.dtype)
        inputs = torch.cat([torch.cat([scaled, given], dim=2)] * (1 + guided))
        v = unet(inputs, timestep, embedding, time_ids, conditioning, return_dict=False)[0].float()
        if guided:
            without, with_drags = v.chunk(2)
            v = guide(with_drags, without, weight)
        x = scheduler.step(v, timestep, x, return_dict=False)[0]
        if on_step is not None:
            x = on_step(i, timestep, x)
    return x
