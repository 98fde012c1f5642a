"""What a renderer hands on, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from puppetmaster_core.assets.asset import AnimatedAsset
from puppetmaster_core.render.backgrounds import WHITE, over


@dataclass(frozen=True)
class Rendering:
    """A drawn clip, N frames of H = W = size pixels."""

    frames: np.ndarray  # (N, H, W, 3) uint8, over the background
    alpha: np.ndarray  # (N, H, W) uint8, 255 = the object covers the pixel
    part_ids: np.ndarray  # (N, H, W) int16, sub-model at the pixel's centre, -1 = background
    depth: np.ndarray  # (N, H, W) float32, metres along the view at the pixel's centre, inf = background
    face: np.ndarray  # (N, H, W) int32, triangle at the pixel's centre, -1 = background
    barycentric: np.ndarray  # (N, H, W, 3) float32, where on that triangle

    def over(self, background, was=WHITE) -> Rendering:
        """The same over another background: a colour (3,) or a picture (H, W, 3), 0 to 255."""
        return replace(self, frames=over(self.frames, self.alpha, background, was))

    def world(self, asset: AnimatedAsset, positions: np.ndarray) -> np.ndarray:
        """Where in the world every pixel's centre lies, (N, H, W, 3) float32, NaN = background; positions (N, V, 3)."""
        positions = check_positions(asset, positions)
        points = np.full((*self.face.shape, 3), np.nan, np.float32)
        for n, (face, barycentric) in enumerate(zip(self.face, self.barycentric, strict=True)):
            seen = face >= 0
            points[n, seen] = np.einsum("pkc,pk->pc", positions[n][asset.faces[face[seen]]], barycentric[seen])
        return points


def check_positions(asset: AnimatedAsset, positions: np.ndarray) -> np.ndarray:
    """Positions as contiguous float64 (N, V, 3). Raises ValueError where they are not that."""
    if positions.ndim != 3 or positions.shape[-1] != 3:
        raise ValueError(f"positions of shape {positions.shape} given, (N, V, 3) wanted: stack vertices() over frames")
    if asset.faces.size and asset.faces.max() >= positions.shape[1]:
        raise ValueError(f"positions of {positions.shape[1]} vertices given, the asset's triangles use {asset.faces.max() + 1}: "
                         "give those of the same asset")
    return np.ascontiguousarray(positions, np.float64)
