"""Exact point tracks: points on the surface, followed through the animation, and when each is in sight.

Letters: P points, N frames, V vertices, F triangles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from puppetmaster_core.assets import AnimatedAsset
from puppetmaster_core.render import Camera, Rendering, visible


@dataclass(frozen=True)
class SurfacePoints:
    """Points that ride on triangles."""

    face: np.ndarray  # (P,) int
    barycentric: np.ndarray  # (P, 3)

    def positions(self, asset: AnimatedAsset, vertices: np.ndarray) -> np.ndarray:
        """World positions (N, P, 3) for vertices (N, V, 3)."""
        return np.einsum("npkc,pk->npc", vertices[:, asset.faces[self.face]], self.barycentric)

    @classmethod
    def visible(cls, rendering: Rendering, parts: np.ndarray | None = None) -> SurfacePoints:
        """One point for every pixel of frame 1 that shows the object, or one of its sub-models `parts`, at the pixel's centre."""
        seen = rendering.face[0] >= 0 if parts is None else np.isin(rendering.part_ids[0], parts)
        return cls(rendering.face[0][seen], rendering.barycentric[0][seen].astype(np.float64))


def moving_parts(asset: AnimatedAsset, positions: np.ndarray) -> np.ndarray:
    """The sub-models, sorted, of which a vertex moves at all in positions (N, V, 3): all others need no following."""
    moved = (positions != positions[0]).any((0, 2))
    return np.unique(asset.submodel[moved[asset.faces].any(1)])


def track(points: np.ndarray, camera: Camera) -> np.ndarray:
    """Where world `points` (N, P, 3) are in the pictures: tracks (P, N, 2) float32, xy in [0, 1], hidden or not."""
    return camera.project(points)[..., :2].transpose(1, 0, 2).astype(np.float32)


def in_sight(points: np.ndarray, camera: Camera, asset: AnimatedAsset, positions: np.ndarray) -> np.ndarray:
    """When points (N, P, 3) are visible, (P, N) bool: inside the picture and behind nothing of the asset at (N, V, 3).

    They were picked where frame 1 shows them, so there they are visible, whatever a renderer's rounding.
    """
    seen = visible(asset, positions, camera, points)
    seen[0] = True
    return seen.T
