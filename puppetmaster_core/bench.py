"""What a saving saves: both ways timed side by side in one run, and their floating-point operations counted.

Times are medians of interleaved repetitions on this machine, so they compare within one run only.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from puppetmaster_core.model import DragUNet
from puppetmaster_core.presets import Preset


@dataclass(frozen=True)
class Row:
    """One way of doing the work: median seconds, and floating-point operations (1 multiply-add = 2)."""

    name: str
    seconds: float
    flops: int


def side_by_side(ways: dict[str, Callable[[], object]], repeats: int = 5) -> list[Row]:
    """Time and count several ways of doing the same work, taking turns."""
    flops, seconds = {}, {name: [] for name in ways}
    for name, work in ways.items():
        work()  # warm up
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # a fused kernel counts as 0 on CPUs
            work()
        flops[name] = counter.get_total_flops()
    for _ in range(repeats):
        for name, work in ways.items():
            _synchronise()
            began = time.perf_counter()
            work()
            _synchronise()
            seconds[name].append(time.perf_counter() - began)
    return [Row(name, statistics.median(seconds[name]), flops[name]) for name in ways]


def guided_step(preset: Preset, repeats: int = 5, device: str = "cpu") -> list[Row]:
    """One guided step (the network with and without drags) at a scale, random weights: drag conditioning computed in
    every step, as the released code does, against once per video."""
    torch.manual_seed(0)
    unet = DragUNet(**preset.unet).to(device).eval()
    side = preset.size // preset.cell
    frames, channels, width = preset.frames, preset.unet["in_channels"], preset.unet["cross_attention_dim"]
    sample = torch.randn(2, frames, channels, side, side, device=device)
    embedding, time_ids = torch.randn(2, 1, width, device=device), torch.zeros(2, 3, device=device)
    drags = preset.max_drags
    points = torch.rand(2, drags, frames, 2, device=device)
    present = torch.tensor([[False] * drags, [True] * drags], device=device)
    once = unet.condition(points, present, (side, side))

    def step(conditioning):
        return unet(sample, 1.0, embedding, time_ids, conditioning)

    with torch.no_grad():
        return side_by_side({"conditioning in every step": lambda: step(unet.condition(points, present, (side, side))),
                             "conditioning once per video": lambda: step(once)}, repeats)


def table(rows: list[Row]) -> str:
    """The rows as text, each against the first."""
    lines = [f"{'':34} {'ms':>9} {'ratio':>6} {'GFLOP':>9} {'ratio':>6}"]
    lines += [f"{r.name:34} {r.seconds * 1e3:9.1f} {r.seconds / rows[0].seconds:6.2f} {r.flops / 1e9:9.2f} "
              f"{r.flops / rows[0].flops:6.2f}" for r in rows]
    return "\n".join(lines)


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
