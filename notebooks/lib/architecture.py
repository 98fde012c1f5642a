"""The network as a drawing made from the network: its blocks, what is in them, and how large the maps are that pass through.

Nothing here is drawn by hand. Modules are asked what they are, and one forward pass on PyTorch's meta device, where tensors
have shapes and no numbers, tells the rest. Letters: (h, w) the latent grid, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from torch import nn

from lib.figures import TEXT, done
from puppetmaster_core.bench import Problem

# What a layer does: the letter on its tile, its colour (Okabe and Ito's), and its name. A, B and C are the paper's own (Fig. 2).
KINDS = {
    "residual": ("R", "#999999", "residual block, SVD's"),
    "modulation": ("A", "#D55E00", "drag modulation (Eq. 3)"),
    "all_to_first": ("C", "#0072B2", "all-to-first attention (Eq. 4)"),
    "spatial": ("S", "#56B4E9", "spatial self-attention, SVD's"),
    "static_reference": ("S", "#56B4E9", "attention to a static reference"),
    "tokens": ("B", "#009E73", "cross-attention with drag tokens"),
    "picture": ("P", "#E69F00", "cross-attention to the picture alone, SVD's"),
    "time": ("T", "#CC79A7", "attention over time, SVD's"),
}
TILE, STEP, DOWN = 0.15, 0.19, 0.5  # inches: a tile, from one to the next, and from one level of the U to the next
WIDE, GAP = 0.72, 0.13  # inches: a box, and from one to the next
NEW = (".modulation.", ".tokens.")  # parameters that SVD does not have


@dataclass(frozen=True)
class Station:
    """A block of the U-Net."""

    name: str  # "down 1"
    level: int  # how often the grid was halved
    channels: int  # C
    grid: tuple[int, int]  # (h, w)
    layers: tuple[tuple[str, ...], ...]  # KINDS, in the order in which they act
    parameters: int
    new: int  # of the parameters, those that SVD does not have


@torch.no_grad()
def stations(one: Problem) -> list[Station]:
    """Every block in the order in which it acts; one: a network with inputs for it, on the meta device or any other."""
    net, seen = one.net, {}
    blocks = {f"down {i}": block for i, block in enumerate(net.down_blocks, 1)} | {"middle": net.mid_block}
    blocks |= {f"up {i}": block for i, block in enumerate(net.up_blocks, 1)}
    hooks = [block.resnets[0].register_forward_hook(lambda _, __, out, name=name: seen.update({name: out.shape[1:]}))
             for name, block in blocks.items()]
    try:
        one.step(one.apart())
    finally:
        for hook in hooks:
            hook.remove()
    finest = max(shape[-1] for shape in seen.values())
    return [_station(name, block, seen[name], finest, net.config.attention) for name, block in blocks.items()]


def drawn(one: Problem, found: Sequence[Station], name: str) -> Figure:
    """The blocks found of a network, under the name of its scale, with what goes in and comes out."""
    (_, frames, channels, h, w), net = one.args[0].shape, one.net
    total = sum(p.numel() for p in net.parameters())
    title = (f"{name}: {total / 1e6:,.4g} million parameters; {frames} frames of {channels} × {h} × {w} go in,\n"
             f"the noisy latents and the picture's, and {net.config.out_channels} × {h} × {w} come out")
    return architecture(found, title)


def _station(name: str, block: nn.Module, shape: Sequence[int], finest: int, arm: str) -> Station:
    transformers = list(getattr(block, "attentions", ()))
    found = [_layers(transformer, arm) for transformer in transformers]
    if len(block.resnets) > len(found) and found:  # the middle block begins with a residual block of its own
        layers = [("residual",), *((*layer, "residual") for layer in found)]
    else:
        layers = [("residual", *layer) for layer in found] or [("residual",)] * len(block.resnets)
    sizes = {part: p.numel() for part, p in block.named_parameters()}
    new = sum(size for part, size in sizes.items() if any(word in f".{part}" for word in NEW))
    level = (finest // shape[-1]).bit_length() - 1
    return Station(name, level, shape[0], tuple(shape[-2:]), tuple(layers), sum(sizes.values()), new)


def _layers(transformer, arm: str) -> tuple[str, ...]:
    """What one transformer does, in the order of its forward pass."""
    modulation = ("modulation",) if transformer.modulation is not None else ()
    return (*modulation, arm, "tokens" if transformer.tokens is not None else "picture", "time")


def architecture(found: Sequence[Station], title: str = "") -> Figure:
    """The U: a box for each block with a column of tiles for each of its layers, skip connections dashed, a legend below."""
    across = max(len(found) * (WIDE + GAP) + 0.2, 4.8)
    depths = [one.level + (one.name == "middle") for one in found]
    places = [(0.12 + i * (WIDE + GAP), -depth * DOWN) for i, depth in enumerate(depths)]
    low = min(y - _height(one) for one, (_, y) in zip(found, places, strict=True)) - 0.3
    kinds = [kind for kind in KINDS if any(kind in layer for one in found for layer in one.layers)]
    columns = max(1, int(across // 2.4))
    bottom = low - 0.22 * -(-len(kinds) // columns)
    figure = plt.figure(figsize=(across, 0.55 - bottom))
    axis = figure.add_axes((0, 0, 1, 1), xlim=(0, across), ylim=(bottom, 0.55))
    axis.set_axis_off()
    axis.patch.set_alpha(0)
    for one, place in zip(found, places, strict=True):
        _box(axis, one, place)
    _arrows(axis, found, places)
    axis.text(0.12, 0.22, title, fontsize=9, color=TEXT)
    for i, kind in enumerate(kinds):
        x, y = 0.12 + (i % columns) * across / columns, low - (i // columns) * 0.22
        _tile(axis, kind, x, y - TILE / 2)
        axis.text(x + 0.24, y, KINDS[kind][2], fontsize=7.5, color=TEXT, va="center")
    return done(figure, tight=False)


def _height(one: Station) -> float:
    return 0.82 + max(map(len, one.layers)) * STEP


def _box(axis, one: Station, place: tuple[float, float]) -> None:
    """One block, its upper left corner at a place."""
    (x, y), height = place, _height(one)
    axis.add_patch(FancyBboxPatch((x, y - height), WIDE, height, boxstyle="round,pad=0.02,rounding_size=0.06", fill=False,
                                  edgecolor=TEXT, lw=0.9))
    h, w = one.grid
    new = f"{one.new / 1e6:.2g} M new" if one.new else ""
    for line, words in enumerate((one.name, f"{one.channels} ×", f"{h} × {w}", f"{one.parameters / 1e6:.3g} M", new)):
        axis.text(x + WIDE / 2, y - 0.1 - 0.145 * line, words, ha="center", va="center", color=TEXT,
                  fontsize=8.5 if line == 0 else 7, weight="bold" if line == 0 else "normal")
    left = x + (WIDE - len(one.layers) * STEP + STEP - TILE) / 2
    for column, layer in enumerate(one.layers):
        for row, kind in enumerate(layer):
            _tile(axis, kind, left + column * STEP, y - 0.95 - row * STEP)


def _tile(axis, kind: str, x: float, y: float) -> None:
    letter, colour, _ = KINDS[kind]
    axis.add_patch(Rectangle((x, y), TILE, TILE, color=colour, lw=0))
    axis.text(x + TILE / 2, y + TILE / 2 - 0.005, letter, ha="center", va="center", fontsize=6.5, color="white", weight="bold")


def _arrows(axis, found: Sequence[Station], places: Sequence[tuple[float, float]]) -> None:
    """From each block to the next, and dashed from each block on the way down to its like on the way up."""
    style = {"arrowstyle": "->", "color": TEXT, "lw": 0.9, "shrinkA": 0, "shrinkB": 0}
    spans = [(y - _height(one), y) for one, (_, y) in zip(found, places, strict=True)]
    for i, ((low, high), (to_low, to_high)) in enumerate(pairwise(spans)):
        at = (max(low, to_low) + min(high, to_high)) / 2  # where both boxes are
        axis.annotate("", (places[i + 1][0] - 0.03, at), (places[i][0] + WIDE + 0.03, at), arrowprops=style)
    last = len(found) - 1
    for i in range(last // 2):  # down 1 to the last up block, and so on inwards
        at = places[i][1] - 0.12
        axis.annotate("", (places[last - i][0] - 0.03, at), (places[i][0] + WIDE + 0.03, at),
                      arrowprops=style | {"linestyle": "--"})
