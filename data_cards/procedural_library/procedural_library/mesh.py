"""Shapes: boxes, turned bodies, tubes, plates. What everything in the library is built from.

Letters: V vertices, F triangles, K control points, R rings, S sides. Lengths in the object's own units, about 1 across.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Mesh:
    """Triangles with texture coordinates. A seam of the texture is a seam of the vertices, as glTF wants it."""

    vertices: np.ndarray  # (V, 3) float64
    faces: np.ndarray  # (F, 3) int, anticlockwise from outside
    uv: np.ndarray  # (V, 2) float64; a texture repeats once a unit
    smooth: bool = False  # shade as one round surface
    along: np.ndarray | None = None  # (V,) tubes: how many control points along each vertex lies, from 0 to K − 1

    def moved(self, by) -> Mesh:
        """Moved by the way `by` (x, y, z)."""
        return replace(self, vertices=self.vertices + np.asarray(by, float))

    def turned(self, axis, degrees: float, origin=(0.0, 0.0, 0.0)) -> Mesh:
        """Turned by `degrees` about the line through `origin` along `axis`."""
        origin = np.asarray(origin, float)
        return replace(self, vertices=(self.vertices - origin) @ rotation(axis, np.deg2rad(degrees)).T + origin)

    def stretched(self, by, origin=(0.0, 0.0, 0.0)) -> Mesh:
        """Stretched by the factors `by` (x, y, z), none negative, around `origin`."""
        origin = np.asarray(origin, float)
        return replace(self, vertices=(self.vertices - origin) * np.asarray(by, float) + origin)

    def mirrored(self) -> Mesh:
        """Its picture on the other side of the plane x = 0."""
        return replace(self, vertices=self.vertices * (-1, 1, 1), faces=self.faces[:, ::-1])


def rotation(axis, radians: float) -> np.ndarray:
    """The matrix (3, 3) that turns by `radians` about `axis` (Rodrigues)."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(radians) * cross + (1 - np.cos(radians)) * cross @ cross


def vec(x: float, y: float, z: float) -> np.ndarray:
    """A place or a way, (3,)."""
    return np.array((x, y, z), float)


def joined(*meshes: Mesh) -> Mesh:
    """Several meshes as one; smooth where all are, and without `along`."""
    first = np.cumsum([0, *(len(m.vertices) for m in meshes[:-1])])
    return Mesh(np.concatenate([m.vertices for m in meshes]),
                np.concatenate([m.faces + f for m, f in zip(meshes, first, strict=True)]),
                np.concatenate([m.uv for m in meshes]), all(m.smooth for m in meshes))


# The six sides of a box, their corners as (x, y, z) picks of low (0) and high (1), anticlockwise from outside; and the
# two axes a side's texture runs along.
_SIDES = np.array([
    [[0, 0, 0], [0, 0, 1], [0, 1, 1], [0, 1, 0]], [[1, 0, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1]],
    [[0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]], [[0, 1, 1], [1, 1, 1], [1, 1, 0], [0, 1, 0]],
    [[1, 0, 0], [0, 0, 0], [0, 1, 0], [1, 1, 0]], [[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]],
])
_SIDE_AXES = np.array([[2, 1], [2, 1], [0, 2], [0, 2], [0, 1], [0, 1]])
_TWO_TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])


def box(low, high) -> Mesh:
    """An axis-aligned box between two opposite corners."""
    low, high = np.minimum(low, high).astype(float), np.maximum(low, high).astype(float)
    corners = low + _SIDES * (high - low)  # (6, 4, 3)
    uv = np.take_along_axis(corners, np.broadcast_to(_SIDE_AXES[:, None], (6, 4, 2)), -1)
    faces = (_TWO_TRIANGLES + 4 * np.arange(6)[:, None, None]).reshape(-1, 3)
    return Mesh(corners.reshape(-1, 3), faces, uv.reshape(-1, 2))


def slab(centre, size) -> Mesh:
    """A box by its centre and size."""
    centre, half = np.asarray(centre, float), np.asarray(size, float) / 2
    return box(centre - half, centre + half)


def _sheet(rows: int, columns: int) -> np.ndarray:
    """Triangles of a grid of rows × columns vertices."""
    a = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).reshape(-1)
    quads = np.stack([a, a + 1, a + columns + 1, a + columns], -1)
    return quads[:, _TWO_TRIANGLES].reshape(-1, 3)


def sheet(points: np.ndarray, uv: np.ndarray | None = None, smooth: bool = True) -> Mesh:
    """A surface through a grid of points (rows, columns, 3); seen from both sides. `uv` (rows, columns, 2), else 0 to 1."""
    rows, columns = points.shape[:2]
    if uv is None:
        uv = np.stack(np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, rows)), -1)
    return Mesh(points.reshape(-1, 3).astype(float), _sheet(rows, columns), uv.reshape(-1, 2).astype(float), smooth)


def lathe(profile, sides: int = 16, centre=(0.0, 0.0, 0.0), smooth: bool = True) -> Mesh:
    """A body of revolution about y: `profile` lists (radius, height) pairs from the bottom to the top, outside seen.

    A profile that starts and ends at radius 0 closes; one that turns back down inside makes a vessel with a wall.
    """
    profile = np.asarray(profile, float)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    points = np.stack([profile[:, :1] * np.sin(angle), np.repeat(profile[:, 1:], sides + 1, 1),
                       profile[:, :1] * np.cos(angle)], -1)
    run = np.concatenate([[0], np.linalg.norm(np.diff(profile, axis=0), axis=1).cumsum()])
    widest = max(1.0, np.ceil(2 * np.pi * np.abs(profile[:, 0]).max()))  # whole repeats: no seam
    uv = np.stack(np.broadcast_arrays(angle / (2 * np.pi) * widest, run[:, None]), -1)
    return replace(sheet(points, uv, smooth), vertices=points.reshape(-1, 3) + np.asarray(centre, float))


def cylinder(bottom, radius: float, height: float, sides: int = 16) -> Mesh:
    """An upright cylinder with flat ends; the corners' rings are doubled so that they stay sharp when shaded smoothly."""
    wall = lathe([(radius, 0), (radius, height)], sides, bottom)
    ends = [lathe(p, sides, bottom) for p in ([(0, 0), (radius, 0)], [(radius, height), (0, height)])]
    return joined(wall, *ends)


def ball(centre, radii, sides: int = 12, rings: int = 8) -> Mesh:
    """An ellipsoid; `radii` one number or three."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, rings + 1)
    round_ = lathe(np.stack([np.cos(angle), np.sin(angle)], -1), sides)
    return round_.stretched(np.broadcast_to(radii, 3)).moved(centre)


def curve(points, per_span: int) -> np.ndarray:
    """A Catmull-Rom curve through points (K, ·), `per_span` steps between neighbours: ((K − 1)·per_span + 1, ·)."""
    points = np.asarray(points, float)
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.arange(per_span)[:, None] / per_span
    a, b, c, d = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    spans = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.concatenate([spans.reshape(-1, points.shape[1]), points[-1:]])


def tube(points, radii, sides: int = 10, per_span: int = 3, caps: str = "round", up=(0.0, 1.0, 0.0)) -> Mesh:
    """A bent tube through `points` (K, 3). `radii`: one number, (K,), or (K, 2) across and along `up`.

    caps: "round" closes both ends with domes, "flat" with discs, "none" leaves them open. `up` says which way the second
    radius points, as far as the tube's own direction lets it.
    """
    points, radii = np.asarray(points, float), np.asarray(radii, float)
    if radii.ndim < 2:
        radii = np.repeat(np.broadcast_to(radii, len(points))[:, None], 2, 1)
    centres, radius = curve(points, per_span), np.maximum(curve(radii, per_span), 1e-4)
    along = np.linspace(0, len(points) - 1, len(centres))
    tangent = np.gradient(centres, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    if caps != "none":
        centres, radius, along, tangent = _capped(centres, radius, along, tangent, caps)
    second = _frame(tangent, np.asarray(up, float))
    first = np.cross(second, tangent)
    angle = np.linspace(0, 2 * np.pi, sides + 1)[:, None]
    ring = (radius[:, :1, None] * np.cos(angle) * first[:, None] + radius[:, 1:, None] * np.sin(angle) * second[:, None])
    run = np.concatenate([[0], np.linalg.norm(np.diff(centres, axis=0), axis=1).cumsum()])
    uv = np.stack(np.broadcast_arrays(np.linspace(0, 1, sides + 1), run[:, None]), -1)
    surface = sheet(centres[:, None] + ring, uv)
    return replace(surface, along=np.repeat(along, sides + 1))


def _capped(centres, radius, along, tangent, caps):
    """A few rings more at both ends, down to a point: domes, or discs."""
    steps = np.array([0.0, 0.4, 0.75, 0.95]) if caps == "round" else np.array([0.0, 1.0])
    width, out = (steps, np.sqrt(1 - steps**2)) if caps == "round" else (steps, np.zeros(2))
    start = centres[0] - tangent[0] * radius[0].min() * out[:, None]
    end = centres[-1] + tangent[-1] * radius[-1].min() * out[::-1, None]
    n = len(steps)
    return (np.concatenate([start, centres, end]),
            np.concatenate([radius[0] * width[:, None], radius, radius[-1] * width[::-1, None]]),
            np.concatenate([np.full(n, along[0]), along, np.full(n, along[-1])]),
            np.concatenate([np.repeat(tangent[:1], n, 0), tangent, np.repeat(tangent[-1:], n, 0)]))


def _frame(tangent: np.ndarray, up: np.ndarray) -> np.ndarray:
    """A unit vector (R, 3) across each tangent, as near to `up` as it goes and without sudden turns."""
    out, last = np.empty_like(tangent), up
    for i, t in enumerate(tangent):
        across = last - (last @ t) * t
        if np.linalg.norm(across) < 0.2:  # along `up`: take another axis, gently
            other = np.eye(3)[np.abs(t).argmin()]
            across = other - (other @ t) * t if i == 0 else across
        out[i] = last = across / max(np.linalg.norm(across), 1e-9)
    return out


def ring(centre, radius: float, thick: float, axis=(0.0, 1.0, 0.0), sides: int = 8, steps: int = 20) -> Mesh:
    """A torus around `axis`."""
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    body = lathe(np.stack([radius + thick * np.cos(angle), thick * np.sin(angle)], -1), steps)
    return oriented(body, axis).moved(centre)


def oriented(mesh: Mesh, axis) -> Mesh:
    """A mesh built around y, turned so that y becomes `axis`."""
    axis = np.asarray(axis, float) / np.linalg.norm(axis)
    turn = np.cross((0, 1, 0), axis)
    if np.linalg.norm(turn) < 1e-9:
        return mesh if axis[1] > 0 else mesh.turned((1, 0, 0), 180)
    return mesh.turned(turn, np.rad2deg(np.arccos(np.clip(axis[1], -1, 1))))


def plate(outline, thick: float) -> Mesh:
    """A flat shape in the plane z = 0, `thick` deep (z from −thick/2 to thick/2); `outline` (K, 2) runs anticlockwise.

    Any simple polygon: ears are cut off one by one.
    """
    outline = np.asarray(outline, float)
    flat, k = _ears(outline), len(outline)
    front = np.concatenate([outline, np.full((k, 1), thick / 2)], 1)
    back = front * (1, 1, -1)
    run = np.concatenate([[0], np.linalg.norm(np.diff(outline, axis=0, append=outline[:1]), axis=1).cumsum()])
    loop = np.concatenate([np.arange(k), [0]])
    rim = sheet(np.stack([back[loop], front[loop]]), np.stack([np.stack([run, run * 0], 1), np.stack([run, run * 0 + thick], 1)]),
                smooth=False)
    faces = np.concatenate([flat, flat[:, ::-1] + k])
    return joined(Mesh(np.concatenate([front, back]), faces, np.concatenate([outline, outline])), rim)


def _ears(outline: np.ndarray) -> np.ndarray:
    left, faces = list(range(len(outline))), []

    def cross(a, b, c):
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    while len(left) > 3:
        for i in range(len(left)):
            ia, ib, ic = left[i - 1], left[i], left[(i + 1) % len(left)]
            a, b, c = outline[ia], outline[ib], outline[ic]
            others = (outline[j] for j in left if j not in (ia, ib, ic))
            if cross(a, b, c) > 0 and not any(min(cross(a, b, p), cross(b, c, p), cross(c, a, p)) > 0 for p in others):
                break
        else:
            i, (ia, ib, ic) = 0, (left[-1], left[0], left[1])  # nothing but slivers are left
        faces.append((ia, ib, ic))
        left.pop(i)
    faces.append(tuple(left))
    return np.array(faces)


def around(count: int, radius: float = 1.0, start: float = 0.0) -> np.ndarray:
    """`count` points (count, 2) around a circle, anticlockwise."""
    angle = start + 2 * np.pi * np.arange(count) / count
    return radius * np.stack([np.cos(angle), np.sin(angle)], -1)
