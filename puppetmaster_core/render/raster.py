"""The fast renderer: a z-buffer in numba, no GPU and no display.

Two steps: `visibility` finds, for every sample, the nearest triangle and the point on it; `shade` colours that point.
Letters: N frames, F triangles, S samples a side (picture size × supersampling).
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from puppetmaster_core.assets.asset import AnimatedAsset
from puppetmaster_core.render.camera import Camera

NEAR = 1e-3  # metres; triangles with a corner nearer than this are not drawn


@dataclass(frozen=True)
class Rendering:
    """A drawn clip, N frames of H = W = size pixels."""

    frames: np.ndarray  # (N, H, W, 3) uint8, over the background
    alpha: np.ndarray  # (N, H, W) uint8, 255 = the object covers the pixel
    part_ids: np.ndarray  # (N, H, W) int16, sub-model at the pixel's centre, -1 = background
    depth: np.ndarray  # (N, H, W) float32, metres along the view at the pixel's centre, inf = background
    face: np.ndarray  # (N, H, W) int32, triangle at the pixel's centre, -1 = background
    barycentric: np.ndarray  # (N, H, W, 3) float32, where on that triangle


@dataclass(frozen=True)
class Light:
    """A sun and an even glow: flat shading multiplies the colour by ambient + sun · |cos|."""

    direction: tuple[float, float, float] = (0.35, 0.8, 0.5)
    sun: float = 0.5
    ambient: float = 0.55


def render(asset: AnimatedAsset, positions: np.ndarray, camera: Camera, size: int, *, light: Light = Light(),
           background: tuple[float, float, float] = (1.0, 1.0, 1.0), supersampling: int = 2) -> Rendering:
    """Draw `asset` with its vertices at `positions` (N, V, 3), one picture a frame.

    Colours are averaged over supersampling² samples a pixel; ids, depth and barycentric coordinates are those of the
    pixel's own centre.
    """
    if positions.ndim != 3 or positions.shape[-1] != 3:
        raise ValueError(f"positions of shape {positions.shape} given, (N, V, 3) wanted: stack vertices() over frames")
    frames = len(positions)
    world = positions[:, asset.faces]  # (N, F, 3 corners, 3)
    screen = camera.project(world)
    rgb, textures, offsets, sizes = _surfaces(asset)
    brightness = _flat_shading(world, light)
    samples = size * supersampling
    shape = (frames, samples, samples)
    face, depth, bary = np.full(shape, -1, np.int32), np.full(shape, np.inf, np.float32), np.zeros((*shape, 3), np.float32)
    color = np.empty((*shape, 3), np.float32)
    visibility(screen, samples, 0.5, face, depth, bary)
    shade(face, bary, screen, brightness, asset.uv, asset.material, rgb, textures, offsets, sizes,
          np.asarray(background, np.float32), color)
    pooled = color.reshape(frames, size, supersampling, size, supersampling, 3).mean((2, 4))
    cover = (face >= 0).reshape(frames, size, supersampling, size, supersampling).mean((2, 4))
    if supersampling > 1:
        shape = (frames, size, size)
        face, depth, bary = np.full(shape, -1, np.int32), np.full(shape, np.inf, np.float32), np.zeros((*shape, 3), np.float32)
        visibility(screen, size, 0.5, face, depth, bary)
    part_ids = np.where(face >= 0, asset.submodel[face], -1).astype(np.int16)
    return Rendering(np.rint(np.clip(pooled, 0, 1) * 255).astype(np.uint8), np.rint(cover * 255).astype(np.uint8),
                     part_ids, depth, face, bary)


def _flat_shading(world: np.ndarray, light: Light) -> np.ndarray:
    """Brightness (N, F) of every triangle, lit on both sides."""
    normal = np.cross(world[:, :, 1] - world[:, :, 0], world[:, :, 2] - world[:, :, 0])
    direction = np.asarray(light.direction) / np.linalg.norm(light.direction)
    cosine = np.abs(normal @ direction) / np.maximum(np.linalg.norm(normal, axis=-1), 1e-12)
    return (light.ambient + light.sun * cosine).astype(np.float32)


def _surfaces(asset: AnimatedAsset):
    """Material colours (M, 3), all textures in one flat array (P, 3), and each texture's offset and size in it."""
    blank = np.full((1, 1, 3), 255, np.uint8)
    images = [m.texture if m.texture is not None else blank for m in asset.materials]
    offsets = np.cumsum([0, *(im.shape[0] * im.shape[1] for im in images[:-1])]).astype(np.int64)
    flat = np.concatenate([im.reshape(-1, 3) for im in images]).astype(np.float32) / 255
    rgb = np.array([m.color for m in asset.materials], np.float32)
    return rgb, flat, offsets, np.array([im.shape[:2] for im in images], np.int64)


@numba.njit(cache=True, nogil=True)
def visibility(screen, size, centre, face, depth, bary):
    """Fill face (N, S, S), depth and bary (N, S, S, 3) with the nearest triangle at every sample.

    screen (N, F, 3, 3): corners' x, y in [0, 1] and depth in metres. Perspective-correct: 1/depth is linear on screen.
    """
    for n in range(screen.shape[0]):
        for f in range(screen.shape[1]):
            za, zb, zc = screen[n, f, 0, 2], screen[n, f, 1, 2], screen[n, f, 2, 2]
            if min(za, zb, zc) < NEAR:
                continue
            ax, ay = screen[n, f, 0, 0] * size, screen[n, f, 0, 1] * size
            bx, by = screen[n, f, 1, 0] * size, screen[n, f, 1, 1] * size
            cx, cy = screen[n, f, 2, 0] * size, screen[n, f, 2, 1] * size
            area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
            if abs(area) < 1e-12:
                continue
            x0, x1 = max(0, int(np.ceil(min(ax, bx, cx) - centre))), min(size - 1, int(np.floor(max(ax, bx, cx) - centre)))
            y0, y1 = max(0, int(np.ceil(min(ay, by, cy) - centre))), min(size - 1, int(np.floor(max(ay, by, cy) - centre)))
            for y in range(y0, y1 + 1):
                py = y + centre
                for x in range(x0, x1 + 1):
                    px = x + centre
                    wa = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area
                    wb = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area
                    wc = 1.0 - wa - wb
                    if wa < 0.0 or wb < 0.0 or wc < 0.0:
                        continue
                    inverse = wa / za + wb / zb + wc / zc
                    z = 1.0 / inverse
                    if z < depth[n, y, x]:
                        depth[n, y, x] = z
                        face[n, y, x] = f
                        bary[n, y, x, 0] = wa / za * z
                        bary[n, y, x, 1] = wb / zb * z
                        bary[n, y, x, 2] = wc / zc * z


@numba.njit(cache=True, nogil=True)
def shade(face, bary, screen, brightness, uv, material, rgb, textures, offsets, sizes, background, color):
    """Colour every sample (N, S, S, 3): material colour × texture (nearest texel, repeating) × brightness."""
    for n in range(face.shape[0]):
        for y in range(face.shape[1]):
            for x in range(face.shape[2]):
                f = face[n, y, x]
                if f < 0:
                    for c in range(3):
                        color[n, y, x, c] = background[c]
                    continue
                m = material[f]
                u = v = 0.0
                for k in range(3):
                    u += bary[n, y, x, k] * uv[f, k, 0]
                    v += bary[n, y, x, k] * uv[f, k, 1]
                rows, columns = sizes[m, 0], sizes[m, 1]
                row, column = int(np.floor(v * rows)) % rows, int(np.floor(u * columns)) % columns
                texel = offsets[m] + row * columns + column
                for c in range(3):
                    color[n, y, x, c] = rgb[m, c] * textures[texel, c] * brightness[n, f]
