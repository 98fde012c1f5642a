"""A network compiled, its work counted, and the clock that waits for a GPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from puppetmaster_core.files import one_line


def compile_network(net: nn.Module, backend: str = "inductor") -> str | None:
    """Compile a network in place, into one graph; None, or in one line why it stays as it was.

    A rehearsal on a small function finds out whether there is a working compiler, so that the network never fails for the lack
    of one. Each new shape is compiled once more, in the first call with it: minutes at the paper's size. After as many shapes as
    PyTorch keeps (`torch._dynamo.config.recompile_limit`, 8) the network runs uncompiled for others; with fullgraph=True it
    would fail there.
    """
    device = next(net.parameters()).device
    try:
        # An exponential, so that a kernel must be built, of a length that no other kernel in a cache has by chance.
        torch.compile(lambda x: x.exp() + 1, backend=backend, dynamic=False)(torch.ones(37, device=device))
    except Exception as error:  # whatever a backend raises: no compiler, no Triton, no place to write to, …
        return one_line(error, 200)
    net.compile(backend=backend, dynamic=False)
    return None


def counted(work: Callable[[], object], fused: bool = False) -> tuple[object, int]:
    """What `work` returns, and its floating-point operations (1 multiply-add = 2). fused: attention as the device has it."""
    plain = nullcontext() if fused else sdpa_kernel(SDPBackend.MATH)  # a fused kernel counts as 0 on CPUs
    with FlopCounterMode(display=False) as counter, plain, torch.compiler.set_stance("force_eager"):  # nor can compiled code be
        result = work()
    return result, counter.get_total_flops()


def now() -> float:
    """Seconds, once a GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
