"""How fast a run is: clips a second, the share of time spent waiting for batches, and the share of the machine's arithmetic used.

Model FLOPs utilisation (MFU) is what forward and backward passes need, counted once, over what the device could do in that time.
Activations computed twice to save memory are not counted twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from puppetmaster_core.model.speed import counted, now

# Dense FLOP/s of tensor cores as the makers state them: in bf16, and in float32 by way of TF32.
PEAKS = {"H200": (989e12, 494e12), "H100": (989e12, 494e12), "A100": (312e12, 156e12), "A6000": (155e12, 77e12),
         "L40S": (362e12, 183e12), "L4": (121e12, 60e12), "4090": (165e12, 82e12), "3090": (71e12, 35e12)}


def peak_flops(device: torch.device, mixed_precision: str = "no") -> float:
    """FLOP/s of the device: a known GPU's as stated, of another device what a large matrix product reaches here."""
    half = mixed_precision == "bf16"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    if known := next((peaks for key, peaks in PEAKS.items() if key in name), None):
        return known[not half]
    side, best = 512 if device.type == "cpu" else 8192, 0.0
    a = torch.ones(side, side, device=device, dtype=torch.bfloat16 if half else torch.float32)
    for _ in range(4):
        began = now()
        a @ a
        best = max(best, 2 * side**3 / (now() - began))
    return best


def flops_of(model: nn.Module, loss: Callable[[], Tensor], device: torch.device) -> float:
    """Floating-point operations (1 multiply-add = 2) of a loss and its gradients, which are thrown away; NaN where there is no
    memory to count them."""
    try:
        return counted(lambda: loss().backward(), fused=device.type != "cpu")[1]
    except torch.OutOfMemoryError:
        return float("nan")
    finally:
        model.zero_grad(set_to_none=True)


class Meter:
    """Rates since the last reading.

    flops_a_clip: of one clip, forward and backward. peak: FLOP/s of all devices together.
    """

    def __init__(self, flops_a_clip: float, peak: float):
        self.flops_a_clip, self.peak = flops_a_clip, peak
        self.clips, self.waited, self._since = 0, 0.0, time.perf_counter()  # waited: seconds spent waiting for batches

    def read(self) -> dict[str, float]:
        """Clips a second, MFU where it is known, and the share of time spent waiting."""
        seconds = time.perf_counter() - self._since
        rate = self.clips / seconds
        rates = {"clips per second": rate, "MFU": rate * self.flops_a_clip / self.peak,
                 "share of time waiting for data": self.waited / seconds}
        self.clips, self.waited, self._since = 0, 0.0, self._since + seconds
        return {name: rate for name, rate in rates.items() if rate == rate}
