"""The second part of the rasteriser: normals. For one frame; `mesh` is `Surfaces`.

numba keeps what it compiled by the file's own time, so nothing here calls compiled code of another file.
Letters: V vertices, F triangles, G groups of corners that share a normal.
"""

from __future__ import annotations

import numba
import numpy as np

_jit = numba.njit(cache=True, nogil=True, error_model="numpy")


@_jit
def all_normals(positions, mesh, eye):
    """The triangles' normals (F, 3); facing (F,), -1 where one is seen from behind its winding; the corners' normals (G, 3)."""
    flat, facing = np.empty((mesh.faces.shape[0], 3)), np.empty(mesh.faces.shape[0])
    normals = np.zeros((mesh.smooth.max() + 1, 3))
    if len(normals):
        shared_normals(positions, mesh, normals)
    for f in range(mesh.faces.shape[0]):
        nx, ny, nz = face_normal(positions, mesh.faces, f)
        a = mesh.faces[f, 0]
        ex, ey, ez = eye[0] - positions[a, 0], eye[1] - positions[a, 1], eye[2] - positions[a, 2]
        facing[f] = 1.0 if nx * ex + ny * ey + nz * ez >= 0.0 else -1.0
        flat[f] = nx, ny, nz
    return flat, facing, normals


@_jit
def shared_normals(positions, mesh, normals):
    """Fill normals (G, 3), which come as 0: means of the triangles' normals by the corners' angles, as in Blender."""
    edge = np.empty((3, 3))
    for f in range(mesh.faces.shape[0]):
        if mesh.smooth[f, 0] < 0:
            continue
        nx, ny, nz = face_normal(positions, mesh.faces, f)
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        if length < 1e-30:
            continue
        for k in range(3):  # unit vectors along the edges, k to k + 1
            a, b = mesh.faces[f, k], mesh.faces[f, (k + 1) % 3]
            total = 0.0
            for i in range(3):
                edge[k, i] = positions[b, i] - positions[a, i]
                total += edge[k, i] * edge[k, i]
            for i in range(3):
                edge[k, i] /= np.sqrt(total)
        for k in range(3):
            before = (k + 2) % 3
            cosine = -(edge[k, 0] * edge[before, 0] + edge[k, 1] * edge[before, 1] + edge[k, 2] * edge[before, 2])
            angle = np.arccos(min(1.0, max(-1.0, cosine))) / length
            group = mesh.smooth[f, k]
            normals[group, 0] += nx * angle
            normals[group, 1] += ny * angle
            normals[group, 2] += nz * angle
    for group in range(normals.shape[0]):
        length = np.sqrt(normals[group, 0] ** 2 + normals[group, 1] ** 2 + normals[group, 2] ** 2)
        if length > 0.0:
            normals[group] /= length


@_jit
def face_normal(positions, faces, f):
    """A triangle's normal by its winding, (3 numbers), its length twice the area."""
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    ux, uy, uz = positions[b, 0] - positions[a, 0], positions[b, 1] - positions[a, 1], positions[b, 2] - positions[a, 2]
    vx, vy, vz = positions[c, 0] - positions[a, 0], positions[c, 1] - positions[a, 1], positions[c, 2] - positions[a, 2]
    return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
