"""Where weights lie in memory, which changes how some processors sum."""

from torch import nn

CACHE_LINE = 64  # bytes


def align_weights(module: nn.Module) -> nn.Module:
    """The module, its weights each at the start of a line of the CPU's cache: in place, copied where they are not.

    Weights mapped from a file may begin anywhere; so aligned, a loaded network answers as the saved one did, to the bit.
    """
    for weight in module.parameters():
        if weight.device.type == "cpu" and weight.data_ptr() % CACHE_LINE:
            weight.data = weight.data.clone()
    return module
