"""The same network, faster: compiled."""

from __future__ import annotations

import torch
from torch import nn

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
