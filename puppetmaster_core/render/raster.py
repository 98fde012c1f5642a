"""The fast renderer: a z-buffer on the CPU, no GPU and no display."""

from __future__ import annotations

import numpy as np

from puppetmaster_core.assets.asset import AnimatedAsset
from puppetmaster_core.render.camera import Camera
from puppetmaster_core.render.kernels import NEAR
from puppetmaster_core.render.lights import DRAG_A_MOVE_LIGHTS, Lights
from puppetmaster_core.render.rendering import Rendering, check_positions
from puppetmaster_core.render.shading import draw
from puppetmaster_core.render.surfaces import surfaces_of


def render(asset: AnimatedAsset, positions: np.ndarray, camera: Camera, size: int, *, lights: Lights = DRAG_A_MOVE_LIGHTS,
           background: tuple[float, float, float] = (1.0, 1.0, 1.0), supersampling: int = 2) -> Rendering:
    """Draw `asset` with its vertices at `positions` (N, V, 3), one picture of `size` pixels a side a frame.

    Colours and alpha are averaged over supersampling² samples a pixel; ids, depth and barycentric coordinates are those of
    the pixel's own centre. `background` is a colour in [0, 1]; `Rendering.over` puts pictures there. Raises ValueError.
    """
    positions = check_positions(asset, positions)
    mesh = surfaces_of(asset)
    screen = camera.project(positions)
    shape = (len(positions), size, size)
    frames, alpha = np.empty((*shape, 3), np.uint8), np.empty(shape, np.uint8)
    face, depth = np.full(shape, -1, np.int32), np.full(shape, np.inf, np.float32)
    barycentric = np.zeros((*shape, 3), np.float32)
    draw(screen, positions, mesh, camera.position, NEAR * camera.distance, lights.directions(), lights.strengths(),
         float(lights.ambient), lights.physical, np.asarray(background, np.float32), size, supersampling,
         frames, alpha, face, depth, barycentric)
    part_ids = np.where(face >= 0, mesh.submodel[face], -1).astype(np.int16)
    return Rendering(frames, alpha, part_ids, depth, face, barycentric)
