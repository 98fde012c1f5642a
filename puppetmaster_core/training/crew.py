"""The processes that train together: one, or as many as torchrun started."""

from __future__ import annotations

import torch
from accelerate import PartialState
from accelerate.utils import broadcast

ON_CPU = not torch.cuda.is_available()


def crew() -> PartialState:
    """This process's place among them, and its device: a CUDA GPU of its own, or the CPU."""
    return PartialState(cpu=ON_CPU)


def wait_for_main() -> None:
    """Wait until the main process is here, too. It waits for nobody, so a process may end right after: with a barrier, one that
    leaves early breaks those still in it."""
    if crew().num_processes > 1:
        broadcast(torch.zeros(1, device=crew().device))
