"""Exact displacement, in frame 1's coordinates: where the surface that each pixel of frame 1 shows is in every frame.

Letters: N frames, V vertices, F pixels a side of the field, which need not be the picture's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from puppetmaster_core.assets import AnimatedAsset
from puppetmaster_core.clips.tracks import SurfacePoints, in_sight
from puppetmaster_core.render import Camera, render

LEAST = 0.004  # picture widths, a quarter of a pixel at 64: what moves less is still
FAR = 100.0  # camera distances: where the background is
BEHIND = -1000.0  # an order lower than any surface has


@dataclass(frozen=True)
class Displacement:
    """A field over frame 1. Where frame 1 shows the background, all is 0, and `parts` −1."""

    offset: np.ndarray  # (N, F, F, 2) float16, xy in picture widths: where the point is in frame n, less where it was in frame 1
    depth: np.ndarray  # (N, F, F) float16, of the point along the view, in camera distances
    seen: np.ndarray  # (N, F, F) bool: inside the picture and behind nothing
    parts: np.ndarray  # (F, F) int16, the sub-model that frame 1 shows

    @classmethod
    def of(cls, asset: AnimatedAsset, positions: np.ndarray, camera: Camera, size: int) -> Displacement:
        """Of an animation with its vertices at `positions` (N, V, 3), at the centres of size × size pixels."""
        rendering = render(asset, positions[:1], camera, size, supersampling=1)
        surface, shown = SurfacePoints.visible(rendering), rendering.face[0] >= 0
        points = surface.positions(asset, positions)
        place = camera.project(points)  # (N, P, 3)
        shape = (len(positions), size, size)
        offset, depth = np.zeros((*shape, 2), np.float16), np.zeros(shape, np.float16)
        seen = np.zeros(shape, bool)
        offset[:, shown] = place[..., :2] - place[:1, :, :2]
        depth[:, shown] = place[..., 2] / camera.distance
        seen[:, shown] = in_sight(points, camera, asset, positions).T
        return cls(offset, depth, seen, rendering.part_ids[0])


def moves(offset: np.ndarray) -> np.ndarray:
    """Which pixels of frame 1 ever move (F, F) bool, of offset (N, F, F, 2) in picture widths."""
    return np.square(offset.astype(np.float32)).sum(-1).max(0) > LEAST**2


def in_order(depth: np.ndarray, parts: np.ndarray, moving: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is seen where surfaces meet, as `latents.painter.Moved` is told: the order of what moves, and of what stays (N, F, F).

    depth (N, F, F) in camera distances, parts (F, F), moving (F, F) bool. What is nearer has the higher order.
    """
    near = -np.where(parts >= 0, depth.astype(np.float32), np.float32(FAR))
    return near, np.where(moving, np.float32(BEHIND), near)
