"""The fast renderer: a z-buffer on the CPU, no GPU and no display; and what a renderer hands on, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from puppetmaster_core.assets.asset import AnimatedAsset
from puppetmaster_core.render.backgrounds import over
from puppetmaster_core.render.camera import Camera
from puppetmaster_core.render.lighting import all_normals
from puppetmaster_core.render.lights import DRAG_A_MOVE_LIGHTS, Lights
from puppetmaster_core.render.shading import fill_barycentric, shade
from puppetmaster_core.render.surfaces import surfaces_of
from puppetmaster_core.render.visibility import NEAR, find_hidden, nearest, set_up

GRID = 1024  # samples a side in which `visible` counts: triangles of no area in them hide nothing


@dataclass(frozen=True)
class Rendering:
    """A drawn clip, N frames of H = W = size pixels."""

    frames: np.ndarray  # (N, H, W, 3) uint8, over white
    alpha: np.ndarray  # (N, H, W) uint8, 255 = the object covers the pixel
    part_ids: np.ndarray  # (N, H, W) int16, sub-model at the pixel's centre, -1 = background
    depth: np.ndarray  # (N, H, W) float32, metres along the view at the pixel's centre, inf = background
    face: np.ndarray  # (N, H, W) int32, triangle at the pixel's centre, -1 = background
    barycentric: np.ndarray  # (N, H, W, 3) float32, where on that triangle

    def over(self, background) -> Rendering:
        """The same over another background than white: a colour (3,) or a picture (H, W, 3), 0 to 255."""
        return replace(self, frames=over(self.frames, self.alpha, background))


def check_positions(asset: AnimatedAsset, positions: np.ndarray) -> np.ndarray:
    """Positions as contiguous float64 (N, V, 3). Raises ValueError where they are not that."""
    if positions.ndim != 3 or positions.shape[-1] != 3:
        raise ValueError(f"got positions of shape {positions.shape}, expected (N, V, 3): stack vertices() over frames")
    if asset.faces.size and asset.faces.max() >= positions.shape[1]:
        raise ValueError(f"got positions of {positions.shape[1]} vertices, expected at least {asset.faces.max() + 1}: "
                         "give those of the same asset")
    return np.ascontiguousarray(positions, np.float64)


def render(asset: AnimatedAsset, positions: np.ndarray, camera: Camera, size: int, *, lights: Lights = DRAG_A_MOVE_LIGHTS,
           supersampling: int = 2) -> Rendering:
    """Draw `asset` with its vertices at `positions` (N, V, 3), one picture of `size` pixels a side a frame.

    Colours and alpha are averaged over supersampling² samples a pixel; ids, depth and barycentric coordinates are those of
    the pixel's own centre. The background is white; `Rendering.over` puts another there. Raises ValueError.
    """
    positions = check_positions(asset, positions)
    mesh = surfaces_of(asset)
    with np.errstate(all="ignore"):  # a vertex in the camera's plane, or nowhere
        screen = camera.project(positions)
    shape = (len(positions), size, size)
    frames, alpha = np.empty((*shape, 3), np.uint8), np.empty(shape, np.uint8)
    face, depth = np.full(shape, -1, np.int32), np.full(shape, np.inf, np.float32)
    barycentric = np.zeros((*shape, 3), np.float32)
    table, samples = np.empty((len(mesh.faces), 11)), size * supersampling
    sample_face, sample_depth = np.empty((samples, samples), np.int32), np.empty((samples, samples), np.float32)
    lighting = lights.directions(), lights.strengths(), float(lights.ambient), lights.physical
    for n in range(len(positions)):
        set_up(screen[n], mesh.faces, size, NEAR * camera.distance, table)
        nearest(table, mesh, size, 1, face[n], depth[n])
        fill_barycentric(table, face[n], barycentric[n])
        sample_face.fill(-1)
        sample_depth.fill(np.inf)
        set_up(screen[n], mesh.faces, samples, NEAR * camera.distance, table)
        nearest(table, mesh, samples, supersampling, sample_face, sample_depth)
        normals = all_normals(positions[n], mesh, camera.position)
        shade(table, mesh, *lighting, supersampling, sample_face, *normals, frames[n], alpha[n])
    part_ids = np.where(face >= 0, mesh.submodel[face], -1).astype(np.int16)
    return Rendering(frames, alpha, part_ids, depth, face, barycentric)


def visible(asset: AnimatedAsset, positions: np.ndarray, camera: Camera, points: np.ndarray) -> np.ndarray:
    """Which world `points` (N, P, 3) are seen in each frame, (N, P) bool, with the asset's vertices at `positions` (N, V, 3).

    Exact, whatever the pictures' size: a point is seen where it lies inside the picture and no triangle is in front of it, by
    more than rounding. Raises ValueError.
    """
    positions, mesh = check_positions(asset, positions), surfaces_of(asset)
    with np.errstate(all="ignore"):  # a vertex in the camera's plane, or nowhere
        screen, place = camera.project(positions), camera.project(points)
    inside = ((place[..., :2] >= 0) & (place[..., :2] < 1)).all(-1) & (place[..., 2] > 0)
    table, seen = np.empty((len(mesh.faces), 11)), np.zeros(inside.shape, bool)
    for n, within in enumerate(inside):
        set_up(screen[n], mesh.faces, GRID, NEAR * camera.distance, table)
        own = place[n, within] * (GRID, GRID, 1)
        hidden = np.zeros(len(own), bool)
        find_hidden(table, mesh, own, np.argsort(own[:, 1]), hidden)
        seen[n, within] = ~hidden
    return seen
