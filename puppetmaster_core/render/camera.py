"""Pinhole cameras on a sphere around the object (as in the authors' renderings: a 35 mm lens on a 32 mm sensor).

Letters: V points. Pictures have their origin in the top left corner, x to the right, y down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FOCAL = 35.0 / 32.0  # focal length in picture widths


@dataclass(frozen=True)
class Camera:
    """A camera at `distance` from `target`, looking at it. Angles in degrees, azimuth 0 sees the front (+z)."""

    azimuth: float
    elevation: float
    distance: float
    target: tuple[float, float, float] = (0.0, 0.0, 0.0)
    focal: float = FOCAL

    @property
    def rotation(self) -> np.ndarray:
        """World to camera, (3, 3): rows are the camera's right, down and forward directions."""
        a, e = np.deg2rad(self.azimuth), np.deg2rad(self.elevation)
        forward = -np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])
        right = np.array([np.cos(a), 0.0, -np.sin(a)])
        return np.stack([right, np.cross(forward, right), forward])

    @property
    def position(self) -> np.ndarray:
        return np.asarray(self.target) - self.distance * self.rotation[2]

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) to (..., 3): x and y in [0, 1] of a square picture, and depth along the view."""
        seen = (points - self.position) @ self.rotation.T
        depth = seen[..., 2:]
        return np.concatenate([0.5 + self.focal * seen[..., :2] / depth, depth], axis=-1)

    def to_dict(self) -> dict:
        return {"azimuth": self.azimuth, "elevation": self.elevation, "distance": self.distance,
                "target": list(self.target), "focal": self.focal}


def framing(points: np.ndarray, azimuth: float, elevation: float, fill: float) -> Camera:
    """A camera in whose picture the farthest of points (..., 3) from the centre lies at `fill` of the way to the edge."""
    points = points.reshape(-1, 3)
    target = (points.min(0) + points.max(0)) / 2
    seen = (points - target) @ Camera(azimuth, elevation, 1.0).rotation.T
    distance = max(float((np.abs(seen[:, :2]).max(1) * FOCAL / (fill / 2) - seen[:, 2]).max()), 1e-6)
    return Camera(float(azimuth), float(elevation), distance, tuple(float(c) for c in target))


def drag_a_move_camera(rng: np.random.Generator, points: np.ndarray) -> Camera:
    """A view as in Drag-a-Move's clips: mostly from above, the object about two thirds of the frame.

    `points` (..., 3): every position the object takes, so that moving parts seldom leave the picture.
    """
    return framing(points, rng.uniform(-60, 60), rng.uniform(5, 45), rng.uniform(0.72, 0.95))
