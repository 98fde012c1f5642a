"""What a saving saves: both ways timed side by side in one run, and their floating-point operations counted.

Times are medians of interleaved repetitions on this machine, so they compare within one run only.
Letters: B videos, N frames, K drags, C channels, (h, w) latent grid, H heads, L places of a frame.
"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from puppetmaster_core.model import DragConditioning, DragUNet
from puppetmaster_core.model.attention import first_frames
from puppetmaster_core.model.released import RELEASED
from puppetmaster_core.model.speed import compile_network, counted, now
from puppetmaster_core.presets import Preset


@dataclass(frozen=True)
class Timing:
    """One way of doing the work: median seconds, and floating-point operations (1 multiply-add = 2)."""

    name: str
    seconds: float
    flops: int


def side_by_side(ways: dict[str, Callable[[], object]], repeats: int = 5) -> list[Timing]:
    """Time several ways of doing the same work, taking turns, and count them."""
    flops, seconds = {}, {name: [] for name in ways}
    for name, work in ways.items():
        work()  # warm up
        flops[name] = counted(work)[1]
    for _ in range(repeats):
        for name, work in ways.items():
            began = now()
            work()
            seconds[name].append(now() - began)
    return [Timing(name, statistics.median(seconds[name]), flops[name]) for name in ways]


# ---- the slow ways ---------------------------------------------------------------------------------------------------


class ExpandedAllToFirst:
    """All-to-first attention as released: keys and values of frame 1 copied for every frame."""

    def __init__(self, context) -> None:
        self.context = context

    def __call__(self, attn, hidden_states: Tensor, encoder_hidden_states=None, attention_mask=None, **_) -> Tensor:
        frames = self.context.frames
        source = first_frames(hidden_states, frames)
        q, k, v = (project(x).unflatten(-1, (attn.heads, -1)).transpose(1, 2)
                   for project, x in ((attn.to_q, hidden_states), (attn.to_k, source), (attn.to_v, source)))
        k, v = (x.repeat_interleave(frames, dim=0) for x in (k, v))
        return attn.to_out[0](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class DiffusersCrossAttention:
    """Cross-attention as diffusers has it: keys and values for every row, all tokens for every video. Takes the mask."""

    def __init__(self, context) -> None:
        self.context = context

    def __call__(self, attn, hidden_states: Tensor, encoder_hidden_states=None, attention_mask=None, **_) -> Tensor:
        tokens, mask = encoder_hidden_states, self.context.token_mask
        if mask is not None and tokens.shape[1] > 1:
            rows = tokens.shape[0] // self.context.batch
            temporal = hidden_states.shape[1] == self.context.frames and rows != self.context.frames
            mask = (mask[:, 0].repeat_interleave(rows, dim=0) if temporal else mask.flatten(0, 1))[:, None, None]
        q, k, v = (project(x).unflatten(-1, (attn.heads, -1)).transpose(1, 2)
                   for project, x in ((attn.to_q, hidden_states), (attn.to_k, tokens), (attn.to_v, tokens)))
        mask = mask if tokens.shape[1] > 1 else None
        return attn.to_out[0](F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2))


@contextmanager
def released_attention(net: DragUNet) -> Iterator[None]:
    """The network with its attention layers as the released code and diffusers have them."""
    kept = net.attn_processors
    slow = {name: DiffusersCrossAttention(net.context) if ".attn2." in name
            else ExpandedAllToFirst(net.context) if ".temporal" not in name and net.config.attention == "all_to_first"
            else processor for name, processor in kept.items()}
    net.set_attn_processor(dict(slow))
    try:
        yield
    finally:
        net.set_attn_processor(dict(kept))


# ---- a guided step ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """One guided step of a network with random weights: its inputs, and the drags of one video."""

    net: DragUNet
    args: tuple[Tensor, ...]  # sample, timestep, embedding, time ids, of the video without and with drags
    points: Tensor  # (1, K, N, 2)
    present: Tensor  # (1, K)
    blank: bool  # whether the branch without drags has no picture either, as released

    @property
    def size(self) -> tuple[int, int]:
        return tuple(self.args[0].shape[-2:])

    def together(self) -> DragConditioning:
        """Conditioning as released: all channels of all frames of both branches, in every step."""
        none = torch.zeros_like(self.present)
        both = self.net.condition(torch.cat([self.points, self.points]), torch.cat([none, self.present]), self.size)
        return replace(both, positions=None)

    def apart(self) -> DragConditioning:
        """Conditioning as the pipeline computes it, once per video."""
        null = self.net.null_conditioning(1, self.points.shape[2], self.size, self.blank)
        return DragConditioning.cat([null, self.net.condition(self.points, self.present, self.size)])

    def step(self, conditioning: DragConditioning) -> Tensor:
        return self.net(*self.args, conditioning, return_dict=False)[0]


def problem(preset: Preset, device: str = "cpu", released: bool = False, dtype: torch.dtype = torch.float32) -> Problem:
    """A guided step at a scale; released: in the authors' convention instead of the paper's."""
    torch.manual_seed(0)
    with torch.device(device):
        net = DragUNet(**preset.unet | (RELEASED if released else {})).eval()
    net = nn.Module.to(net, device, dtype)
    side, frames, drags = preset.size // preset.cell, preset.frames, preset.max_drags
    place = {"device": device, "dtype": dtype}
    args = (torch.randn(2, frames, net.config.in_channels, side, side, **place), torch.ones((), device=device),
            torch.randn(2, 1, net.config.cross_attention_dim, **place), torch.zeros(2, 3, **place))
    if released:
        args[2][0] = 0
    points = torch.rand(1, drags, frames, 2, device=device)
    return Problem(net, args, points, torch.ones(1, drags, dtype=torch.bool, device=device), released)


def ways_of_a_step(one: Problem) -> dict[str, Callable[[], object]]:
    """A guided step as released, then with one saving more in each: none changes the result."""
    once = one.apart()
    plain = replace(once, undragged=0, positions=None)

    def slow_attention(conditioning: Callable[[], DragConditioning]) -> Tensor:
        with released_attention(one.net):
            return one.step(conditioning())

    return {
        "as released": lambda: slow_attention(one.together),
        "+ drags once per video": lambda: slow_attention(lambda: plain),
        "+ folded attention, temporal keys once": lambda: one.step(plain),
        "+ no cross-attention without drags": lambda: one.step(replace(once, positions=None)),
        "+ positions of frames once": lambda: one.step(once),
    }


@torch.no_grad()
def guided_step(preset: Preset, repeats: int = 5, device: str = "cpu", dtype: torch.dtype = torch.float32,
                compiled: bool = False) -> list[Timing]:
    """One guided step (the network with and without drags) at a scale, random weights, saving by saving.

    compiled: one row more, where there is a compiler; compiling is not timed.
    """
    one = problem(preset, device, dtype=dtype)
    ways = ways_of_a_step(one)
    fast = replace(one, net=copy.deepcopy(one.net))
    if compiled and compile_network(fast.net, "inductor") is None:
        ready = fast.net.prepare(fast.apart())
        ways["+ compiled"] = lambda: fast.step(ready)
    return side_by_side(ways, repeats)


@torch.no_grad()
def count_step(preset: Preset, released: bool = False, which: Callable[[str], bool] = bool) -> dict[str, int]:
    """Floating-point operations of each way of a guided step, on the meta device: no weights, no time.

    which(name): whether that way is wanted (all are).
    """
    ways = ways_of_a_step(problem(preset, "meta", released))
    return {name: counted(work)[1] for name, work in ways.items() if which(name)}


def bench_table(rows: list[Timing]) -> str:
    """The rows as text, each against the first."""
    lines = [f"{'':40} {'ms':>10} {'ratio':>6} {'GFLOP':>10} {'ratio':>6}"]
    lines += [f"{r.name:40} {r.seconds * 1e3:10.1f} {r.seconds / rows[0].seconds:6.2f} {r.flops / 1e9:10.2f} "
              f"{r.flops / rows[0].flops:6.2f}" for r in rows]
    return "\n".join(lines)
