"""Weights, gradients, optimiser and EMA shared out over the processes, each of which holds its part: FSDP, for SVD's size.

The model itself stays whole, on the CPU; a copy of it is shared out and trained. A checkpoint holds whole tensors again, the same
files as of any run, so a run may go on with another number of processes, or without sharing.
"""

from __future__ import annotations

import copy
import warnings

import torch
from diffusers.models.attention import BasicTransformerBlock, TemporalBasicTransformerBlock
from diffusers.models.resnet import SpatioTemporalResBlock
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

# What is gathered, computed and let go as one. The rest, what is called by other names than forward among it, is gathered for
# the whole of a pass.
UNITS = (SpatioTemporalResBlock, BasicTransformerBlock, TemporalBasicTransformerBlock)


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


def share_optimizer(optimizer: torch.optim.Optimizer, shared: nn.Module) -> torch.optim.Optimizer:
    """The same optimiser, AdamW, for the parts that this process holds, with its settings and state."""
    parameters = list(shared.parameters())
    record = optimizer.state_dict()
    record["state"] = {number: {name: _part(value, parameters[number]) for name, value in own.items()}
                       for number, own in record["state"].items()}
    new = torch.optim.AdamW(parameters)
    new.load_state_dict(record)
    return new


def share_average(ema: EMAModel, shared: nn.Module) -> EMAModel:
    """The same moving average of the parts that this process holds."""
    new = EMAModel(shared.parameters())
    parts = [_part(whole, own) for whole, own in zip(ema.shadow_params, shared.parameters(), strict=True)]
    new.load_state_dict({**ema.state_dict(), "shadow_params": parts})
    return new


def _part(whole: Tensor, like: Tensor) -> Tensor:
    """This process's part of a tensor that all have whole and that is split as `like` is; others, as counts, as they are."""
    if whole.shape != like.shape:
        return whole
    return distribute_tensor(whole.detach().to(like.device), like.device_mesh, like.placements, src_data_rank=None)


def whole(record):
    """A state as of an optimiser, nested in dictionaries and lists, with whole tensors on the CPU. All processes call it."""
    if isinstance(record, DTensor):
        return record.detach().full_tensor().cpu()
    if isinstance(record, dict):
        return {name: whole(value) for name, value in record.items()}
    return type(record)(map(whole, record)) if isinstance(record, list | tuple) else record


@torch.no_grad()
def fill(model: nn.Module, parts: list[Tensor]) -> None:
    """Set a whole model's parameters to what the processes hold of them, in its own order. All processes call it."""
    for own, part in zip(model.parameters(), parts, strict=True):
        own.copy_(whole(part) if isinstance(part, DTensor) else part)
