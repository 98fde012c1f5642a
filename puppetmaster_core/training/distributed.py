"""The processes that train together: one, or as many as torchrun started; and FSDP, which shares a model of SVD's size out.

FSDP: each process holds its part of weights, gradients, optimiser and EMA. The model itself stays whole, on the CPU; a copy of it
is shared out and trained. Checkpoints hold whole tensors, so a run may go on with another number of processes, or without FSDP.
"""

from __future__ import annotations

import copy
import warnings
from datetime import timedelta
from pathlib import Path

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import DistributedDataParallelKwargs, DistributedType, broadcast, is_wandb_available, recursively_apply
from diffusers.models.attention import BasicTransformerBlock, TemporalBasicTransformerBlock
from diffusers.models.resnet import SpatioTemporalResBlock
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from puppetmaster_core.training.config import RunSettings, TrainingError

ON_CPU = not torch.cuda.is_available()
PATIENCE = timedelta(days=7)  # the others wait while the main process renders or encodes; torch would give up after 10 minutes
# What FSDP gathers, computes and lets go as one. The rest, what is called by other names than forward among it, is gathered for
# the whole of a pass.
UNITS = (SpatioTemporalResBlock, BasicTransformerBlock, TemporalBasicTransformerBlock)


def this_process() -> PartialState:
    """This process's place among those that train together, and its device: a CUDA GPU of its own, or the CPU."""
    return PartialState(cpu=ON_CPU, timeout=PATIENCE)


def wait_for_main() -> None:
    """Wait until the main process is here, too. It waits for nobody, so a process may end right after: with a barrier, one that
    leaves early breaks those still in it."""
    broadcast(torch.zeros(1, device=this_process().device))


def make_accelerator(folder: Path, settings: RunSettings) -> Accelerator:
    """accelerate's object for one run, which logs into its folder. Raises TrainingError where it is configured to do more."""
    if settings.wandb and not is_wandb_available():
        raise TrainingError(f"got wandb={settings.wandb!r}, but Weights & Biases is not installed: pip install wandb, or leave "
                            "it out")
    some = DistributedDataParallelKwargs(find_unused_parameters=True)  # diffusers' networks have some that never get a gradient
    accelerator = Accelerator(mixed_precision=settings.mixed_precision, cpu=ON_CPU, kwargs_handlers=[some],
                              log_with=["tensorboard", "wandb"][: 1 + bool(settings.wandb)], project_dir=str(folder))
    if accelerator.distributed_type not in (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU):
        raise TrainingError(f"got {accelerator.distributed_type.value} in accelerate's configuration, expected none: say --shard "
                            "to share the model out over the processes (FSDP)")
    return accelerator


# ---- FSDP ----------------------------------------------------------------------------------------------------------------


def share_out(model: nn.Module, device: torch.device, processes: int) -> nn.Module:
    """A copy of a whole model on `device`, of which each process holds its part of every weight. The model goes to the CPU."""
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view")  # which nothing here changes in place
    shared = copy.deepcopy(model).to(device)
    model.to("cpu")
    mesh = init_device_mesh(device.type, (processes,))
    for module in shared.modules():
        if isinstance(module, UNITS):
            fully_shard(module, mesh=mesh)
    return fully_shard(shared, mesh=mesh)


def parts_of(whole: Tensor, like: Tensor) -> Tensor:
    """This process's part of a tensor that all have whole, where `like` is shared out; others, as counts, as they are."""
    if not isinstance(like, DTensor) or whole.shape != like.shape:
        return whole
    return distribute_tensor(whole.detach().to(like.device), like.device_mesh, like.placements, src_data_rank=None)


def unshard(record):
    """A state as of an optimiser, nested in dictionaries and lists, with whole tensors on the CPU. All processes call it."""
    return recursively_apply(lambda x: x.detach().full_tensor().cpu(), record, test_type=lambda x: isinstance(x, DTensor))


@torch.no_grad()
def fill(model: nn.Module, parts: list[Tensor]) -> None:
    """Set a whole model's parameters to what the processes hold of them, in its own order. All processes call it."""
    for own, part in zip(model.parameters(), parts, strict=True):
        own.copy_(unshard(part))
