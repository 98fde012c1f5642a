"""Figures of the chapter on clips: vertices, cameras, rendering passes, weights, tracks and drags.

Letters: N frames, V vertices, P points, K drags, S sub-models, (H, W) pixels. Every part has one colour in all figures: parts
that move have Okabe and Ito's colours, told apart with any colour vision, and parts that stay are grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
from matplotlib import colormaps, colors
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Line3DCollection

from lib.figures import TEXT, done, moving, plain
from puppetmaster_core.assets.asset import AnimatedAsset
from puppetmaster_core.curation.pictures import front_camera
from puppetmaster_core.drags import Drags
from puppetmaster_core.editor import Player
from puppetmaster_core.overlay import COLOURS, overlay_drags
from puppetmaster_core.render import Camera, Rendering, render
from puppetmaster_core.video import enlarge

STILL = "#B8B8B8"
GONE = "#555555"  # drags that were taken out
MOVES = 0.01  # of the object's largest side; a part of which no vertex gets farther than this stays still


def travelled(asset: AnimatedAsset, positions: np.ndarray) -> np.ndarray:
    """How far each sub-model's farthest vertex is from where it started (S, N), in largest sides of the object."""
    away = np.linalg.norm(positions - positions[:1], axis=-1) / np.ptp(positions[0], axis=0).max()  # (N, V)
    owned = [np.unique(asset.faces[asset.submodel == s]) for s in range(len(asset.submodels))]
    return np.stack([away[:, own].max(1) if len(own) else np.zeros(len(away)) for own in owned])


def part_colours(asset: AnimatedAsset, positions: np.ndarray) -> list[str]:
    """A colour for each sub-model; vertices at positions (N, V, 3)."""
    moving = iter(np.flatnonzero(travelled(asset, positions).max(1) > MOVES))
    given = {int(part): COLOURS[i % len(COLOURS)] for i, part in enumerate(moving)}
    return [given.get(s, STILL) for s in range(len(asset.submodels))]


def vertices_over_time(asset: AnimatedAsset, positions: np.ndarray, times: np.ndarray, colours: Sequence[str]) -> Figure:
    """The mesh at the first, middle and last time, and each part's way from its start against time."""
    figure = plt.figure(figsize=(10, 3.1))
    figure.patch.set_alpha(0)
    owner = np.zeros(positions.shape[1], int)
    owner[asset.faces] = asset.submodel[:, None]
    low, high = positions.min((0, 1)), positions.max((0, 1))
    edges = np.unique(np.sort(asset.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)[:8000]
    edge_tints = [colours[s] for s in owner[edges[:, 0]]]
    for i, n in enumerate((0, len(times) // 2, len(times) - 1)):
        axis = figure.add_subplot(1, 4, i + 1, projection="3d")
        x, y, z = positions[n].T  # glTF's y is up
        axis.add_collection3d(Line3DCollection(np.stack([x, -z, y], 1)[edges], colors=edge_tints, linewidths=0.3, alpha=0.6))
        axis.scatter(x, -z, y, c=[colours[s] for s in owner], s=3, depthshade=False)
        axis.set(title=f"t = {times[n]:.2f} s", xlim=(low[0], high[0]), ylim=(-high[2], -low[2]), zlim=(low[1], high[1]))
        axis.set_box_aspect((high - low)[[0, 2, 1]], zoom=1.35)
        axis.set_axis_off()
        axis.view_init(elev=20, azim=-60)
        axis.title.set(fontsize=9, color=TEXT)
    axis = figure.add_subplot(1, 4, 4)
    for part, way in enumerate(travelled(asset, positions)):
        axis.plot(times, way, color=colours[part], lw=2 if colours[part] != STILL else 1)
    plain(axis, "farthest vertex of each part", "seconds", "way from its start / largest side")
    return done(figure)


def camera_places(positions: np.ndarray, groups: dict[str, list[Camera]]) -> Figure:
    """Where groups of cameras stand around an object whose vertices are at positions (N, V, 3), from above and from the side."""
    figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.6))
    marks = zip(groups.items(), "o^s", COLOURS, strict=False)
    cloud = positions[0][:: max(1, positions.shape[1] // 1500)]
    for axis, (across, up), title in zip(axes, ((0, 2), (2, 1)), ("from above", "from the side"), strict=True):
        axis.scatter(cloud[:, across], cloud[:, up], s=1, color=STILL)
        axis.set_aspect("equal")
        plain(axis, title, "xyz"[across], "xyz"[up])
    axes[0].invert_yaxis()  # the front, +z, at the bottom
    for (name, cameras), mark, colour in marks:
        place = np.array([camera.position for camera in cameras])
        towards = np.array([camera.rotation[2] for camera in cameras])
        for axis, (across, up) in zip(axes, ((0, 2), (2, 1)), strict=True):
            axis.scatter(place[:, across], place[:, up], marker=mark, color=colour, s=28, label=name, zorder=3)
            axis.quiver(place[:, across], place[:, up], towards[:, across], towards[:, up], color=colour, width=0.004, scale=9)
    axes[0].legend(fontsize=8, loc="upper right", bbox_to_anchor=(-0.15, 1.0))
    return done(figure)


def contact_sheet(pictures: dict[str, np.ndarray], columns: int = 6, width: float = 10.0) -> Figure:
    """Named pictures (H, W, 3) uint8 in rows."""
    rows = -(-len(pictures) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(width, 1.12 * width / columns * rows), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, (name, picture) in zip(axes.flat, pictures.items(), strict=False):
        axis.imshow(picture, interpolation="bicubic")
        axis.set_title(name, fontsize=8, color=TEXT)
    return done(figure)


def part_picture(part_ids: np.ndarray, colours: Sequence[str]) -> np.ndarray:
    """Part ids (H, W), −1 = background, as a picture (H, W, 3) uint8 on white."""
    table = np.array([*(colors.to_rgb(colour) for colour in colours), (1.0, 1.0, 1.0)])
    return (255 * table[part_ids]).round().astype(np.uint8)  # −1 is the last row


def depth_picture(depth: np.ndarray, near: float, far: float) -> np.ndarray:
    """Depth (H, W), infinite = background, as a picture (H, W, 3) uint8: bright is near, background white."""
    seen = np.isfinite(depth)
    share = np.clip((far - np.where(seen, depth, far)) / max(far - near, 1e-9), 0, 1)
    picture = colormaps["cividis"](share)[..., :3]
    return (255 * np.where(seen[..., None], picture, 1.0)).round().astype(np.uint8)


def passes(rendering: Rendering, colours: Sequence[str], count: int = 5) -> Figure:
    """Colour, parts and depth of `count` evenly spaced frames, one row each."""
    seen = rendering.depth[np.isfinite(rendering.depth)]
    near, far = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
    picked = np.linspace(0, len(rendering.frames) - 1, count).round().astype(int)
    rows = {"colour": lambda n: rendering.frames[n], "part": lambda n: part_picture(rendering.part_ids[n], colours),
            "depth": lambda n: depth_picture(rendering.depth[n], near, far)}
    figure, axes = plt.subplots(3, count, figsize=(10, 6.2), squeeze=False)
    for row, (name, draw) in zip(axes, rows.items(), strict=True):
        for axis, n in zip(row, picked, strict=True):
            axis.imshow(draw(n), interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.set_title(f"frame {n + 1}" if name == "colour" else "", fontsize=8, color=TEXT)
        row[0].set_ylabel(name, fontsize=9, color=TEXT)
    return done(figure)


def weight_map(frame: np.ndarray, places: np.ndarray, weight: np.ndarray, drawn: np.ndarray) -> Figure:
    """The chance of each visible point over frame 1 (H, W, 3), and points drawn by it.

    places (P, 2) xy in [0, 1] of the points, weight (P,), drawn: indices of the points drawn.
    """
    size = frame.shape[0]
    chance = np.full(frame.shape[:2], np.nan)
    column, row = np.clip((places * size).astype(int), 0, size - 1).T
    chance[row, column] = weight / weight.sum()
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), width_ratios=(1, 1.2, 1))
    axes[0].imshow(frame)
    image = axes[1].imshow(chance, cmap="cividis", interpolation="nearest")
    bar = figure.colorbar(image, ax=axes[1], shrink=0.8)
    bar.ax.tick_params(labelsize=7, colors=TEXT)
    axes[2].imshow(frame, alpha=0.45)
    axes[2].scatter(*(places[drawn] * size - 0.5).T, s=9, color=COLOURS[1], edgecolor="white", linewidth=0.4)
    titles = ("frame 1", "chance of each visible point", f"{len(drawn)} points drawn by it")
    for axis, title in zip(axes, titles, strict=True):
        axis.set(xticks=[], yticks=[])
        axis.set_title(title, fontsize=9, color=TEXT)
    return done(figure)


def paths_over(frame: np.ndarray, panels: dict[str, tuple[np.ndarray, Sequence[str]]], size: int = 384) -> Figure:
    """Named sets of paths (K, N, 2), xy in [0, 1], each with its colours, as arrows over a frame (H, W, 3)."""
    large = enlarge(frame[None], max(1, round(size / frame.shape[0])))
    figure, axes = plt.subplots(1, len(panels), figsize=(3.4 * len(panels), 3.7), squeeze=False)
    for axis, (name, (paths, tints)) in zip(axes[0], panels.items(), strict=True):
        axis.imshow(overlay_drags(large, Drags(paths), colours=tints)[0] if len(paths) else large[0])
        axis.set_title(name, fontsize=9, color=TEXT)
        axis.set_axis_off()
    return done(figure)


def film_of(asset: AnimatedAsset, size: int, frames: int = 14) -> np.ndarray:
    """An asset's first animation from straight in front, everything it ever reaches in the picture: (N, size, size, 3) uint8."""
    positions = np.stack([asset.vertices(0, t) for t in asset.sample_times(0, frames)])
    return render(asset, positions, front_camera(positions), size).frames


def riding(frames: np.ndarray, tracks: np.ndarray, visibility: np.ndarray, tints: Sequence[str], drags: Drags | None = None,
           *, drag_tints: Sequence[str] = COLOURS, size: int = 320, alt: str = "a clip with its tracks and drags") -> Player:
    """A film of frames (N, H, W, 3) with tracks (P, N, 2): a full dot where a point is seen, a ring where it is hidden.

    visibility (P, N); tints: a colour for each track. Drags, where given, are drawn as arrows.
    """
    clip = SimpleNamespace(frames=frames, tracks=tracks, visibility=visibility, drags=drags)
    return moving(clip, tracks=True, size=size, alt=alt, track_colours=tints, drag_colours=drag_tints)
