"""Where weights lie in memory, which changes how some processors sum."""

from torch import nn

CACHE_LINE = 64  # bytes


# A loaded network then answers as the one that was saved, to the bit: weights that are mapped from a file may begin anywhere
# within a line of the CPU's cache, and are copied to where lines begin.
def align_weights(module: nn.Module) -> nn.Module:
    for weight in module.parameters():
        if weight.device.type == "cpu" and weight.data_ptr() % CACHE_LINE:
            weight.data = weight.data.clone()
    return module
