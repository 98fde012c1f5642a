"""Small moving objects for the renderers' tests: a smooth textured ball, a plate with holes, a pane one can look through."""

from dataclasses import dataclass

import numpy as np

from puppetmaster_core.assets.asset import AnimatedAsset, AnimationClip, Material
from puppetmaster_core.clips.sources import find_source
from puppetmaster_core.clips.studio import Filming, filmed
from puppetmaster_core.render import Camera, Lights

GREY = Material((0.5, 0.5, 0.5))
FRONT = Camera(azimuth=0, elevation=0, distance=4.0, focal=2.0)  # x = 1/2 + X/2 in the plane z = 0
GLOW = Lights(suns=(), ambient=1.0)  # colours as they are


def shown(linear):
    """Linear light as displayed, 0 to 255 (IEC 61966-2-1)."""
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def cabinet(seed, size=64, frames=14):
    """The clip of a procedural cabinet."""
    return next(filmed(find_source("cabinets", 1, seed), Filming(size=size, frames=frames)))


@dataclass
class Baked(AnimatedAsset):
    """Vertices (N, V, 3) at evenly spaced times from 0 to 1 s."""

    path: np.ndarray = None

    def vertices(self, clip, t):
        return self.path[round(t * (len(self.path) - 1))]


def baked(path, faces, *, uv=None, material=None, submodel=None, materials=(GREY,), smooth=None):
    """An asset of one animation from vertices (N, V, 3) and triangles (F, 3); one grey material, no texture by default."""
    count = len(faces)
    submodel = np.zeros(count, np.int32) if submodel is None else np.asarray(submodel, np.int32)
    return Baked(
        faces=np.asarray(faces, np.int32), uv=np.zeros((count, 3, 2), np.float32) if uv is None else np.asarray(uv, np.float32),
        material=np.zeros(count, np.int32) if material is None else np.asarray(material, np.int32), submodel=submodel,
        materials=list(materials), submodels=[f"part {i}" for i in range(submodel.max() + 1)], clips=[AnimationClip("move", 1.0)],
        smooth=smooth, path=np.asarray(path, np.float64))


def ball(radius=0.5, rings=12, around=24):
    """Vertices (V, 3), triangles (F, 3) with normals outward, uv (F, 3, 2) of a sphere; its seam has one vertex, two uv."""
    rows, columns = np.meshgrid(np.arange(rings + 1), np.arange(around), indexing="ij")
    polar, azimuth = np.pi * rows / rings, 2 * np.pi * columns / around
    unit = np.stack([np.sin(polar) * np.sin(azimuth), np.cos(polar), np.sin(polar) * np.cos(azimuth)], -1).reshape(-1, 3)
    faces, uv = [], []
    for r in range(rings):
        for c in range(around):
            quad = [(r, c), (r + 1, c), (r + 1, c + 1), (r, c + 1)]
            for corners in ([quad[0], quad[1], quad[2]], [quad[0], quad[2], quad[3]]):
                if (r == 0 and corners[1:] == quad[2:]) or (r == rings - 1 and corners == quad[:3]):
                    continue  # at the poles a quad is one triangle
                faces.append([i * around + j % around for i, j in corners])
                uv.append([(j / around, i / rings) for i, j in corners])
    return radius * unit, np.array(faces), np.array(uv)


def quad(low, high, z):
    """A square from low to high (x, y) at z, seen anticlockwise from +z: vertices (4, 3), triangles (2, 3), uv (2, 3, 2)."""
    (x0, y0), (x1, y1) = low, high
    vertices = np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]], np.float64)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    return vertices, faces, np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float64)[faces]


def checks(size=16, cells=4, colors=((250, 240, 230), (60, 90, 160))):
    """A chequered texture (size, size, 3) uint8."""
    rows, columns = np.indices((size, size)) * cells // size
    return np.array(colors, np.uint8)[(rows + columns) % 2]


def still_life():
    """Three parts in two frames: a smooth ball that rises, behind a plate with round holes that slides, above a flat box."""
    round_, ball_faces, ball_uv = ball(0.3)
    plate, plate_faces, plate_uv = quad((-0.6, -0.5), (0.0, 0.4), 0.35)
    holes = np.full((32, 32, 4), 255, np.uint8)
    rows, columns = np.indices((32, 32))
    holes[..., 3] = np.where(np.hypot(rows % 16 - 8, columns % 16 - 8) < 5, 0, 255)
    floor = np.array([[x, y, z] for x in (-0.6, 0.6) for y in (-0.5, -0.4) for z in (-0.5, 0.5)])
    sides = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    floor_faces = np.concatenate([sides[:, [0, 1, 2]], sides[:, [0, 2, 3]]])
    first, second = len(round_), len(round_) + len(plate)
    up, right = np.array([0, 0.2, 0]), np.array([0.4, 0, 0])
    path = np.stack([np.concatenate([round_ + t * up, plate + t * right, floor]) for t in (0, 1)])
    counts = (len(ball_faces), len(plate_faces), len(floor_faces))
    kinds = np.repeat([0, 1, 2], counts)
    smooth = np.full((sum(counts), 3), -1, np.int32)
    smooth[: counts[0]] = ball_faces
    uv = np.concatenate([ball_uv, plate_uv, np.zeros((counts[2], 3, 2))])
    materials = [Material((0.9, 0.9, 0.8), checks(), filtering="linear"), Material((0.9, 0.5, 0.3), holes, alpha_mode="mask"),
                 Material((0.4, 0.6, 0.4))]
    return baked(path, np.concatenate([ball_faces, plate_faces + first, floor_faces + second]), uv=uv, material=kinds,
                 submodel=kinds, materials=materials, smooth=smooth)
