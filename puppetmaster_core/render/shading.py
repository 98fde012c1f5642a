"""From nearest triangles to pictures: the loop over frames and samples, in numba.

Letters: N frames, V vertices, F triangles, H = W = size pixels, S = size × supersampling samples a side.
"""

from __future__ import annotations

import numpy as np

from puppetmaster_core.render.kernels import (
    UNIT,
    _jit,
    decode_srgb,
    encode_srgb,
    face_normal,
    filtered,
    lit,
    nearest,
    set_up,
    shared_normals,
    texel,
    texture_place,
    weights,
)


@_jit
def draw(screen, positions, mesh, eye, near, towards, strength, ambient, physical, background, size, supersampling,
         frames, alpha, face, depth, barycentric):
    """Fill frames (N, H, W, 3), alpha (N, H, W), and face, depth, barycentric of the pixels' centres (come as -1, inf, 0)."""
    samples = size * supersampling
    sample_face, sample_depth = np.empty((samples, samples), np.int32), np.empty((samples, samples), np.float32)
    brightness, facing = np.empty(mesh.faces.shape[0], np.float32), np.empty(mesh.faces.shape[0])
    normals = np.empty((mesh.smooth.max() + 1, 3))
    table = np.empty((mesh.faces.shape[0], 11))
    for n in range(screen.shape[0]):
        set_up(screen[n], mesh.faces, size, near, table)
        nearest(table, mesh, size, 1, face[n], depth[n])
        _fill_barycentric(table, face[n], barycentric[n])
        if supersampling == 1:
            sample_face[:], sample_depth[:] = face[n], depth[n]
        else:
            sample_face[:], sample_depth[:] = -1, np.inf
            set_up(screen[n], mesh.faces, samples, near, table)
            nearest(table, mesh, samples, supersampling, sample_face, sample_depth)
        if len(normals):
            shared_normals(positions[n], mesh, normals)
        for f in range(mesh.faces.shape[0]):
            nx, ny, nz = face_normal(positions[n], mesh.faces, f)
            a = mesh.faces[f, 0]
            ex, ey, ez = eye[0] - positions[n, a, 0], eye[1] - positions[n, a, 1], eye[2] - positions[n, a, 2]
            facing[f] = 1.0 if nx * ex + ny * ey + nz * ez >= 0.0 else -1.0
            if mesh.smooth[f, 0] < 0:
                brightness[f] = lit(nx, ny, nz, towards, strength, ambient, physical, facing[f])
        _resolve(table, mesh, towards, strength, ambient, physical, background, supersampling, sample_face, brightness,
                 facing, normals, frames[n], alpha[n])


@_jit
def _fill_barycentric(table, face, barycentric):
    for y in range(face.shape[0]):
        for x in range(face.shape[1]):
            if face[y, x] >= 0:
                wa, wb, wc, _ = weights(table, face[y, x], x, y)
                barycentric[y, x, 0], barycentric[y, x, 1], barycentric[y, x, 2] = wa, wb, wc


@_jit
def _resolve(table, mesh, towards, strength, ambient, physical, background, supersampling, face, brightness, facing, normals,
             frame, alpha):
    """Colour every sample and average each pixel's: frame (H, W, 3) and alpha (H, W), of face (S, S)."""
    uv, material, smooth, rgb = mesh.uv, mesh.material, mesh.smooth, mesh.rgb
    texels, levels, n_levels = mesh.texels, mesh.levels, mesh.n_levels
    one = np.float32(1)
    plain = _untextured(mesh)
    count = np.float32(supersampling * supersampling)
    for row in range(frame.shape[0]):
        for column in range(frame.shape[1]):
            red = green = blue = np.float32(0)
            covered = 0
            for y in range(row * supersampling, (row + 1) * supersampling):
                for x in range(column * supersampling, (column + 1) * supersampling):
                    f = face[y, x]
                    if f < 0:
                        red, green, blue = red + background[0], green + background[1], blue + background[2]
                        continue
                    covered += 1
                    m, light = material[f], brightness[f]
                    r = g = b = one
                    if smooth[f, 0] >= 0 or not plain[m]:
                        wa, wb, wc, share = weights(table, f, x, y)
                        if smooth[f, 0] >= 0:
                            i, j, k = smooth[f, 0], smooth[f, 1], smooth[f, 2]
                            nx = wa * normals[i, 0] + wb * normals[j, 0] + wc * normals[k, 0]
                            ny = wa * normals[i, 1] + wb * normals[j, 1] + wc * normals[k, 1]
                            nz = wa * normals[i, 2] + wb * normals[j, 2] + wc * normals[k, 2]
                            light = lit(nx, ny, nz, towards, strength, ambient, physical, facing[f])
                        if not plain[m]:
                            u, v = texture_place(uv, f, wa, wb, wc)
                            if n_levels[m] > 1:
                                r, g, b = filtered(texels, levels, n_levels[m] - 1, m, u, v, share * _texture_area(uv, f))
                            else:
                                at = texel(levels, m, u, v)
                                r, g, b = UNIT[texels[at, 0]], UNIT[texels[at, 1]], UNIT[texels[at, 2]]
                    red += _shown(rgb[m, 0] * r, light, physical)
                    green += _shown(rgb[m, 1] * g, light, physical)
                    blue += _shown(rgb[m, 2] * b, light, physical)
            frame[row, column, 0] = _byte(red / count)
            frame[row, column, 1] = _byte(green / count)
            frame[row, column, 2] = _byte(blue / count)
            alpha[row, column] = np.uint8(np.rint(covered / (supersampling * supersampling) * 255))


@_jit
def _untextured(mesh):
    """Which materials have no texture, or one of a single white texel: (M,) bool."""
    plain = np.zeros(len(mesh.rgb), np.bool_)
    for m in range(len(plain)):
        first = mesh.levels[m, 0, 0]
        white = mesh.texels[first, 0] == 255 and mesh.texels[first, 1] == 255 and mesh.texels[first, 2] == 255
        plain[m] = white and mesh.levels[m, 0, 1] * mesh.levels[m, 0, 2] == 1
    return plain


@_jit
def _texture_area(uv, f):
    """Twice the share of the texture's area that triangle f takes."""
    ax, ay, bx, by = uv[f, 1, 0] - uv[f, 0, 0], uv[f, 1, 1] - uv[f, 0, 1], uv[f, 2, 0] - uv[f, 0, 0], uv[f, 2, 1] - uv[f, 0, 1]
    return abs(ax * by - ay * bx)


@_jit
def _shown(color, light, physical):
    """One channel of a surface's displayed colour under `light`, as displayed (float32)."""
    if physical:
        return np.float32(encode_srgb(decode_srgb(color) * light))
    return color * light


@_jit
def _byte(share):
    return np.uint8(np.rint(min(max(share, np.float32(0)), np.float32(1)) * np.float32(255)))
