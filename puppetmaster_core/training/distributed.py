"""The processes that train together: one, or as many as torchrun started."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import DistributedDataParallelKwargs, DistributedType, ProjectConfiguration, broadcast

from puppetmaster_core.training.config import RunSettings, TrainingError

ON_CPU = not torch.cuda.is_available()
PATIENCE = timedelta(days=7)  # the others wait while the main process renders or encodes; torch would give up after 10 minutes


def this_process() -> PartialState:
    """This process's place among those that train together, and its device: a CUDA GPU of its own, or the CPU."""
    return PartialState(cpu=ON_CPU, timeout=PATIENCE)


def wait_for_main() -> None:
    """Wait until the main process is here, too. It waits for nobody, so a process may end right after: with a barrier, one that
    leaves early breaks those still in it."""
    if this_process().num_processes > 1:
        broadcast(torch.zeros(1, device=this_process().device))


def make_accelerator(folder: Path, settings: RunSettings) -> Accelerator:
    """accelerate's object for one run, which logs into its folder. Raises TrainingError where it is configured to do more."""
    some = DistributedDataParallelKwargs(find_unused_parameters=True)  # diffusers' networks have some that never get a gradient
    accelerator = Accelerator(mixed_precision=settings.mixed_precision, cpu=ON_CPU, kwargs_handlers=[some],
                              log_with="tensorboard",
                              project_config=ProjectConfiguration(project_dir=str(folder), logging_dir=str(folder)))
    if accelerator.distributed_type not in (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU):
        raise TrainingError(f"got {accelerator.distributed_type.value} in accelerate's configuration, expected several "
                            "processes at the most: run accelerate config again")
    return accelerator
