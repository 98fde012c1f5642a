"""Figures of the network's chapters: encodings per level, modulation maps, tokens, and attention into frame 1.

Letters: N frames, K drags, s side of a grid, (h, w) a grid, (H, W) picture size in pixels, M keys. Places are xy in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lib.figures import TEXT, bare, done, plain, with_drags
from puppetmaster_core.drags import Drags
from puppetmaster_core.encoding import CELL_OF, cells, encode_drags
from puppetmaster_core.model.tokens import embed_points
from puppetmaster_core.overlay import COLOURS

EMPTY = "#E4E4E4"  # −1: no point here
ROLES = ("u", "$v^n$", "$v^N$")
AXES = {"paper": ("h", "w"), "released": ("x", "y")}  # what the two channels of a place hold


def encoding_levels(picture, drags: Drags, sizes: Sequence[int], frame: int, convention: str = "paper", drag: int = 0) -> Figure:
    """The six channels of one drag (from 0) in one frame (1 to N), a row for each side s; first the grid over the picture."""
    figure, axes = plt.subplots(len(sizes), 7, figsize=(10, 1.55 * len(sizes)), squeeze=False)
    drawn = with_drags(picture, Drags(drags.points[drag : drag + 1]), 192)
    heat = colormaps["cividis"].with_extremes(bad=EMPTY)
    for level, (row, s) in enumerate(zip(axes, sizes, strict=True)):
        maps = encode_drags(drags, s, convention)[frame - 1, 6 * drag : 6 * drag + 6].numpy()
        row[0].imshow(drawn, extent=(0, s, s, 0))
        row[0].vlines(np.arange(s + 1), 0, s, color=TEXT, lw=0.25)
        row[0].hlines(np.arange(s + 1), 0, s, color=TEXT, lw=0.25)
        bare(row[0], beside=f"s = {s}")
        for channel, (axis, values) in enumerate(zip(row[1:], maps, strict=True)):
            found = values != -1
            axis.imshow(np.where(found, values, np.nan), cmap=heat, vmin=0, vmax=1, extent=(0, s, s, 0))
            numbers = ", ".join(f"{value:.2f}" for value in values[found])
            role = f"{ROLES[channel // 2]}, {AXES[convention][channel % 2]}: " if level == 0 else ""
            bare(axis, f"{role}{numbers}")
            for i, j in np.argwhere(found):
                axis.add_patch(Rectangle((j - s / 24, i - s / 24), 1 + s / 12, 1 + s / 12, fill=False, color=COLOURS[drag], lw=1))
            axis.set(xlim=(-s / 24, s * 25 / 24), ylim=(s * 25 / 24, -s / 24))
    return done(figure)


def encoding_frames(drags: Drags, size: int, count: int = 7) -> Figure:
    """In which cells u, v^n and v^N of every drag are written, in `count` evenly spaced frames: one row each."""
    figure, axes = plt.subplots(3, count, figsize=(10, 4.4))
    points = torch.tensor(drags.points)
    for column, n in zip(axes.T, np.linspace(0, drags.frames - 1, count).round().astype(int), strict=True):
        for axis, role, at in zip(column, ROLES, (0, n, -1), strict=True):
            bare(axis, f"frame {n + 1}" if axis is axes[0, 0] or role == "u" else "", role if n == 0 else "")
            axis.set(xlim=(0, size), ylim=(size, 0), aspect="equal", facecolor=EMPTY)
            axis.vlines(np.arange(1, size), 0, size, color="white", lw=0.6)
            axis.hlines(np.arange(1, size), 0, size, color="white", lw=0.6)
            (rows, cols), _ = cells(points[:, at], size)
            for k, (i, j) in enumerate(zip(rows, cols, strict=True)):
                axis.add_patch(Rectangle((j, i), 1, 1, color=COLOURS[k % len(COLOURS)]))
    return done(figure)


def cells_and_offsets(size: int = 4, beyond: float = 1.5) -> Figure:
    """Cell and offset of a coordinate p in cells, in both conventions, a little beyond both edges of the grid."""
    p = torch.cat([torch.arange(-beyond, size + beyond, 0.01), torch.arange(0.0, size + 1)]).sort().values
    figure, axes = plt.subplots(1, 2, figsize=(9, 2.7))
    for (name, _), colour, style in zip(CELL_OF.items(), COLOURS[1::-1], ("-", ":"), strict=True):
        points = torch.stack([p / size, torch.full_like(p, 0.5)], dim=-1)
        (_, col), (_, dx) = cells(points, size, name)
        border = torch.isin(p, torch.arange(0.0, size + 1))
        for axis, values in zip(axes, (col, dx), strict=True):
            axis.plot(p, values, style, color=colour, lw=2, label=name)
            axis.plot(p[border], values[border], "o" if name == "paper" else "s", color=colour, ms=6,
                      fillstyle="full" if name == "paper" else "none")
    for axis, title in zip(axes, ("the cell it is written to", "the offset that is written"), strict=True):
        plain(axis, title, f"p = s · coordinate, on a grid of {size} cells", "")
        axis.axvspan(0, size, color="gray", alpha=0.12, lw=0)
    axes[1].axhline(-1, color=TEXT, lw=0.8, ls="--")
    axes[1].text(size + 0.1, -0.95, "−1 means: nothing here", fontsize=7, color=TEXT, ha="right")
    axes[0].legend(fontsize=8)
    return done(figure)


def modulation_maps(names: Sequence[str], changes: Sequence[Mapping[str, np.ndarray]], drags: Drags,
                    frames: Sequence[int]) -> Figure:
    """How far drags move γ_s and β_s: a column for each transformer, a row for each of them and each frame (1 to N).

    changes: of `probes.modulation_change`; all frames of a kind and transformer share one scale of colours. Crosses: where
    each drag starts; dots: where it is in that frame.
    """
    rows = [(kind, n) for kind in ("gamma", "beta") if kind in changes[0] for n in frames]
    figure, axes = plt.subplots(len(rows), len(names), figsize=(10, 1.38 * len(rows) + 0.2), squeeze=False)
    for axis_row, (kind, n) in zip(axes, rows, strict=True):
        for axis, name, change in zip(axis_row, names, changes, strict=True):
            values = change[kind]
            axis.imshow(values[n - 1], cmap="cividis", vmin=0, vmax=max(values.max(), 1e-9), extent=(0, 1, 1, 0))
            for k, path in enumerate(drags.points):
                axis.plot(*path[0], "x", color="white", ms=5, mew=1.5)
                axis.plot(*path[n - 1], "o", color=COLOURS[k % len(COLOURS)], ms=5, mec="white")
            axis.set(xlim=(0, 1), ylim=(1, 0))
            symbol = {"gamma": "γ", "beta": "β"}[kind]
            bare(axis, name if (kind, n) == rows[0] else "", f"{symbol}, frame {n}" if name == names[0] else "")
            axis.text(0.97, 0.96, f"max {values[n - 1].max():.2f}", color="white", fontsize=6, ha="right")
    return done(figure)


def place_kernels(channels: int, at: Sequence[tuple[float, float]]) -> Figure:
    """How alike the position embeddings of every place and of the given ones are (cosine), and along a line."""
    line = (torch.arange(128) + 0.5) / 128
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1)
    codes = embed_points(grid, channels)
    figure, axes = plt.subplots(1, len(at) + 1, figsize=(10, 2.7), width_ratios=[*(1 for _ in at), 1.5])
    for axis, place, colour in zip(axes, at, COLOURS, strict=False):
        alike = torch.cosine_similarity(codes, embed_points(torch.tensor(place), channels), dim=-1)
        axis.imshow(alike, cmap="cividis", vmin=-0.5, vmax=1, extent=(0, 1, 1, 0))
        axis.plot(*place, "o", color=colour, mec="white")
        bare(axis, f"alike to ({place[0]:g}, {place[1]:g})")
        axes[-1].plot(line, alike[int(place[1] * 128)], color=colour)
    plain(axes[-1], "along the dot's row", "x", "cosine")
    return done(figure)


def token_maps(names: Sequence[str], weights: Sequence[np.ndarray], frames: np.ndarray, frame: int, drags: Drags) -> Figure:
    """How much each place of a frame (1 to N) attends to each drag's token, a column per transformer, a row per drag.

    weights: of each transformer (h, w, 1+K), the picture's key first. frames (N, H, W, 3): what was generated.
    """
    top = max(max(one[..., 1 : 1 + len(drags)].max() for one in weights), 1e-9)
    figure, axes = plt.subplots(len(drags), 1 + len(names), figsize=(10, 1.45 * len(drags) + 0.15), squeeze=False)
    for k, row in enumerate(axes):
        row[0].imshow(frames[frame - 1], extent=(0, 1, 1, 0), interpolation="bicubic")
        bare(row[0], f"frame {frame}" if k == 0 else "", f"drag {k + 1}")
        for axis, name, one in zip(row[1:], names, weights, strict=True):
            axis.imshow(one[..., 1 + k], cmap="cividis", vmin=0, vmax=top, extent=(0, 1, 1, 0))
            bare(axis, f"{name}\n" * (k == 0) + f"up to {one[..., 1 + k].max():.0%}")
        for axis in row:
            axis.plot(*drags.points[k, frame - 1], "o", color=COLOURS[k % len(COLOURS)], mec="white", ms=5)
            axis.set(xlim=(0, 1), ylim=(1, 0))
    return done(figure)


def key_shares(names: Sequence[str], groups: Mapping[str, np.ndarray], present: int) -> Figure:
    """How the weight of cross-attention is shared out among the picture's key, drags and absent drags, for each transformer.

    groups: shares (layers, 1+K) by what they are of; present: how many drags there are.
    """
    figure, axes = plt.subplots(1, len(groups), figsize=(10, 2.6), sharey=True, squeeze=False)
    for axis, (title, shares) in zip(axes[0], groups.items(), strict=True):
        left = np.zeros(len(names))
        picture, drags, absent = shares[:, 0], shares[:, 1 : 1 + present].sum(1), shares[:, 1 + present :].sum(1)
        parts = {"picture": picture, "drags": drags, "absent drags": absent}
        for (label, share), colour in zip(parts.items(), (COLOURS[1], COLOURS[0], "#999999"), strict=True):
            axis.barh(names, share, left=left, color=colour, label=label)
            left += share
        plain(axis, title, "share of the weight, mean over places, frames and heads", "")
        axis.set(xlim=(0, 1))
    axes[0, 0].invert_yaxis()
    axes[0, -1].legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return done(figure)


def attention_into_first(picture, frames: np.ndarray, names: Sequence[str], weights: Sequence[np.ndarray], place,
                         shown: Sequence[int], origin=None) -> Figure:
    """Where a place of later frames looks in frame 1: a row for each of the `shown` frames (1 to N), a column per transformer.

    weights: of each transformer (N, h, w), for the cell of `place`, adding up to one over (h, w). frames (N, H, W, 3): the
    video. place: (N, 2) or (2,). origin: a place to mark in frame 1.
    """
    places = np.broadcast_to(place, (len(frames), 2))
    figure, axes = plt.subplots(len(shown), 1 + len(names), figsize=(10, 1.55 * len(shown)), squeeze=False)
    first = np.asarray(picture)
    for row, n in zip(axes, shown, strict=True):
        row[0].imshow(frames[n - 1], extent=(0, 1, 1, 0), interpolation="bicubic")
        row[0].plot(*places[n - 1], "o", color=COLOURS[0], mec="white", ms=6)
        bare(row[0], "asks" if n == shown[0] else "", f"frame {n}")
        for axis, name, of_layer in zip(row[1:], names, weights, strict=True):
            one = of_layer[n - 1]
            axis.imshow(first, extent=(0, 1, 1, 0), interpolation="bicubic")
            axis.imshow(one, cmap="cividis", alpha=0.75, vmin=0, vmax=max(one.max(), 1e-9), extent=(0, 1, 1, 0))
            bare(axis, f"{name}\n" * (n == shown[0]) + f"up to {one.max():.0%}")
            if origin is not None:
                axis.plot(*origin, "x", color="white", ms=6, mew=1.6)
        for axis in row:
            axis.set(xlim=(0, 1), ylim=(1, 0))
    return done(figure)


def bars(title: str, unit: str, values: Mapping[str, float]) -> Figure:
    """Named quantities as bars, with their numbers: whole ones where they are large."""
    digits = 0 if max(values.values()) > 1000 else 2
    figure, axis = plt.subplots(figsize=(8, 0.38 * len(values) + 0.7))
    drawn = axis.barh(list(values), list(values.values()), color=COLOURS[1])
    axis.bar_label(drawn, fmt=f" {{:,.{digits}f}}", fontsize=8, color=TEXT)
    axis.invert_yaxis()
    plain(axis, title, unit, "")
    return done(figure)


def over_steps(names: Sequence[str], values: np.ndarray, up: str, level: float | None = None) -> Figure:
    """A quantity of each transformer over the sampling steps: values (steps, transformers); level: a line to compare with."""
    figure, axis = plt.subplots(figsize=(9, 3.0))
    for i, (name, line) in enumerate(zip(names, values.T, strict=True)):
        again, colour = divmod(i, len(COLOURS))
        axis.plot(np.arange(1, len(line) + 1), line, "--" if again else "-", color=COLOURS[colour], label=name)
    if level is not None:
        axis.axhline(level, color=TEXT, lw=0.8, ls=":")
    plain(axis, "", "step, from noise to video", up)
    axis.set_xticks(np.arange(1, len(values) + 1))
    axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return done(figure)
