"""Twelve views of an asset under a named setting: where the cameras stand, and how the scene is lit.

Letters: N frames, V vertices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from puppetmaster_core.render.camera import Camera, drag_a_move_camera
from puppetmaster_core.render.lights import DRAG_A_MOVE_LIGHTS, Lights, released_lights

VIEWS = 12  # an animation, App. C.1 and the released script


@dataclass(frozen=True)
class Setting:
    """How an asset is filmed. Both functions draw from the generator they are given, and from nothing else."""

    camera: Callable[[np.random.Generator, np.ndarray, int, int], Camera]  # (rng, positions (N, V, 3), view, views)
    lights: Callable[[np.random.Generator], Lights]  # once an asset

    def cameras(self, rng: np.random.Generator, positions: np.ndarray, views: int = VIEWS) -> list[Camera]:
        """`views` cameras for vertices at `positions` (N, V, 3), every frame of the animation."""
        return [self.camera(rng, positions, view, views) for view in range(views)]


def released_camera(rng: np.random.Generator, positions: np.ndarray, view: int = 0, views: int = VIEWS) -> Camera:
    """A view as the authors' script takes it: `views` azimuths around the object, evenly, from the front on.

    Radius 1.5 to 2.2 and elevation 0 to 45° (even in solid angle) for an object whose first frame fills the unit cube; we
    move the camera out instead of scaling the object. A part that opens may leave the picture, as it does there.
    """
    low, high = positions[0].min(0), positions[0].max(0)
    radius = rng.uniform(1.5, 2.2) * float((high - low).max())
    elevation = float(np.rad2deg(np.arcsin(rng.uniform(0.0, np.sin(np.pi / 4)))))
    return Camera(360.0 * view / views, elevation, radius, tuple(float(c) for c in (low + high) / 2))


SETTINGS = {
    "drag-a-move": Setting(lambda rng, positions, *_: drag_a_move_camera(rng, positions), lambda rng: DRAG_A_MOVE_LIGHTS),
    "release": Setting(released_camera, released_lights),
}
