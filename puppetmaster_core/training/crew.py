"""The processes that train together: one, or as many as torchrun started."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import DistributedDataParallelKwargs, DistributedType, ProjectConfiguration, broadcast

from puppetmaster_core.training.settings import RunSettings, TrainingError

ON_CPU = not torch.cuda.is_available()
PATIENCE = timedelta(days=7)  # the others wait while the main process renders or encodes; torch would give up after 10 minutes


def crew() -> PartialState:
    """This process's place among them, and its device: a CUDA GPU of its own, or the CPU."""
    return PartialState(cpu=ON_CPU, timeout=PATIENCE)


def wait_for_main() -> None:
    """Wait until the main process is here, too. It waits for nobody, so a process may end right after: with a barrier, one that
    leaves early breaks those still in it."""
    if crew().num_processes > 1:
        broadcast(torch.zeros(1, device=crew().device))


def make_accelerator(folder: Path, settings: RunSettings) -> Accelerator:
    """accelerate's object for one run, which logs into its folder. Raises TrainingError where it is configured to do more."""
    trackers: list = ["tensorboard"]
    if settings.wandb:
        trackers.append(_wandb(settings.wandb))
    some = DistributedDataParallelKwargs(find_unused_parameters=True)  # diffusers' networks have some that never get a gradient
    accelerator = Accelerator(mixed_precision=settings.mixed_precision, cpu=ON_CPU, log_with=trackers, kwargs_handlers=[some],
                              project_config=ProjectConfiguration(project_dir=str(folder), logging_dir=str(folder)))
    if accelerator.distributed_type not in (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU):
        raise TrainingError(f"{accelerator.distributed_type.value} was configured for accelerate, wanted none of its own: to "
                            "share the model out over the processes (FSDP), say --shard")
    return accelerator


def _wandb(project: str):
    from accelerate.utils import is_wandb_available

    if not is_wandb_available():
        raise TrainingError(f"wandb={project!r} given, but Weights & Biases is not installed: pip install wandb, or leave it out")
    from accelerate.tracking import WandBTracker

    return WandBTracker(project)
