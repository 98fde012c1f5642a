"""Exact point tracks: points on the surface, followed through the animation and looked for in every frame.

Letters: P points, N frames, V vertices, F triangles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from puppetmaster_core.assets import AnimatedAsset
from puppetmaster_core.render import Camera, Rendering

OCCLUSION_TOLERANCE = 0.02  # share of the depth by which a point may lie behind the drawn surface and still count as seen


@dataclass(frozen=True)
class SurfacePoints:
    """Points that ride on triangles."""

    face: np.ndarray  # (P,) int
    barycentric: np.ndarray  # (P, 3)

    def positions(self, asset: AnimatedAsset, vertices: np.ndarray) -> np.ndarray:
        """World positions (N, P, 3) for vertices (N, V, 3)."""
        return np.einsum("npkc,pk->npc", vertices[:, asset.faces[self.face]], self.barycentric)

    @classmethod
    def visible(cls, rendering: Rendering, frame: int = 0, parts: np.ndarray | None = None) -> SurfacePoints:
        """One point for every pixel of `frame` that shows the object, or one of its sub-models `parts`, at the pixel's centre."""
        seen = rendering.face[frame] >= 0 if parts is None else np.isin(rendering.part_ids[frame], parts)
        return cls(rendering.face[frame][seen], rendering.barycentric[frame][seen].astype(np.float64))


def moving_parts(asset: AnimatedAsset, positions: np.ndarray) -> np.ndarray:
    """The sub-models, sorted, of which a vertex moves at all in positions (N, V, 3): all others need no following."""
    moved = (positions != positions[0]).any((0, 2))
    return np.unique(asset.submodel[moved[asset.faces].any(1)])


def track(points: np.ndarray, camera: Camera, rendering: Rendering) -> tuple[np.ndarray, np.ndarray]:
    """Follow world `points` (N, P, 3): tracks (P, N, 2), xy in [0, 1], and visibility (P, N) bool.

    A point is visible where it lies inside the picture and no surface is drawn clearly in front of it.
    """
    seen = camera.project(points)  # (N, P, 3)
    size = rendering.depth.shape[1]
    cell = np.floor(seen[..., :2] * size).astype(int)
    inside = ((cell >= 0) & (cell < size)).all(-1)
    cell = cell.clip(0, size - 1)
    drawn = rendering.depth[np.arange(len(points))[:, None], cell[..., 1], cell[..., 0]]
    visible = inside & (seen[..., 2] > 0) & (seen[..., 2] <= drawn * (1 + OCCLUSION_TOLERANCE))
    return seen[..., :2].transpose(1, 0, 2).astype(np.float32), visible.T
