"""Which corners of a smooth surface share a normal, and the normals. Letters: V vertices, F triangles."""

from __future__ import annotations

import numpy as np

CREASE = np.cos(np.deg2rad(50))  # surfaces that meet at a sharper angle keep their edge


def smooth_groups(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Numbers (V,) from 0: vertices at one place share a number where the surface is round there, across texture seams.

    At a place where two surfaces meet in an edge, such as a cylinder's rim, each has its own number.
    """
    cells = np.round(vertices * 1e5).astype(np.int64) + (1 << 20)
    _, first, place = np.unique(cells @ np.array([1 << 42, 1 << 21, 1]), return_index=True, return_inverse=True)
    normal = _gathered(vertices, faces, np.arange(len(vertices)), len(vertices))
    bent = (normal * normal[first[place]]).sum(1) < CREASE
    _, group = np.unique(2 * place + bent, return_inverse=True)
    return group


def normals(vertices: np.ndarray, faces: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Unit normals (V, 3) float32, one a group: the mean over its triangles, weighted by their areas."""
    return _gathered(vertices, faces, groups, groups.max() + 1)[groups].astype(np.float32)


def _gathered(vertices, faces, groups, count) -> np.ndarray:
    """The unit normal (count, 3) of every group's triangles; up where they cancel out."""
    corners = vertices[faces].astype(float)
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    owner = groups[faces]
    total = np.stack([np.bincount(owner.reshape(-1), np.repeat(area[:, k], 3), count) for k in range(3)], 1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 1e-14, total / np.maximum(length, 1e-14), (0.0, 1.0, 0.0))
