"""How fast a run is: clips a second, the share of time spent waiting for batches, and the share of the machine's arithmetic used.

Model FLOPs utilisation (MFU) is what forward and backward passes need, counted once, over what the device could do in that time.
Activations computed twice to save memory are not counted twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

# Dense FLOP/s of tensor cores as the makers state them: in bf16, and in float32 by way of TF32.
PEAKS = {"H200": (989e12, 494e12), "H100": (989e12, 494e12), "A100": (312e12, 156e12), "A6000": (155e12, 77e12),
         "L40S": (362e12, 183e12), "L4": (121e12, 60e12), "4090": (165e12, 82e12), "3090": (71e12, 35e12)}


def peak_flops(device: torch.device, mixed_precision: str = "no") -> float:
    """FLOP/s of the device: a known GPU's as stated, of another device what a large matrix product reaches here."""
    half = mixed_precision == "bf16"
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        for key, (bf16, tf32) in PEAKS.items():
            if key in name:
                return bf16 if half else tf32
    side, best = 512 if device.type == "cpu" else 8192, 0.0
    a = torch.ones(side, side, device=device, dtype=torch.bfloat16 if half else torch.float32)
    for _ in range(4):
        began = _now(device)
        a @ a
        best = max(best, 2 * side**3 / (_now(device) - began))
    return best


def flops_of(model: nn.Module, loss: Callable[[], Tensor], device: torch.device) -> int:
    """Floating-point operations (1 multiply-add = 2) of a loss and its gradients, which are thrown away."""
    plain = sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()  # a fused kernel counts as 0 on CPUs
    with FlopCounterMode(display=False) as counter, plain, torch.compiler.set_stance("force_eager"):
        loss().backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops()


class Meter:
    """Rates since the last reading."""

    def __init__(self, flops_a_clip: float, peak: float, waited: float = 0.0):
        """flops_a_clip: of one clip, forward and backward. peak: FLOP/s of all devices together. waited: seconds so far."""
        self.flops_a_clip, self.peak = flops_a_clip, peak
        self._clips, self._waited, self._since = 0, waited, time.perf_counter()

    def count(self, clips: int) -> None:
        self._clips += clips

    def read(self, waited: float) -> dict[str, float]:
        """Clips a second, MFU and the share of time spent waiting, since the last reading; waited: seconds in all."""
        now = time.perf_counter()
        seconds = max(now - self._since, 1e-9)
        rate, share = self._clips / seconds, (waited - self._waited) / seconds
        self._clips, self._waited, self._since = 0, waited, now
        return {"clips per second": rate, "MFU": rate * self.flops_a_clip / self.peak, "share of time waiting for data": share}


def rates_line(rates: dict[str, float]) -> str:
    """What `Meter.read` gives, in words."""
    mfu = f"MFU {rates['MFU']:.1%}" if rates["MFU"] == rates["MFU"] else "MFU not known"
    waiting = rates["share of time waiting for data"]
    return f"{rates['clips per second']:.3g} clips/s, {mfu}, {waiting:.1%} of the time waiting for data"


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
