"""The second half of the rasteriser: what every sample looks like. For one frame; `mesh` is `Surfaces`.

numba keeps what it compiled by the file's own time, so nothing here calls compiled code of another file.
Letters: V vertices, F triangles, H = W pixels, S samples a side, G groups of corners that share a normal.
"""

from __future__ import annotations

import numba
import numpy as np

UNIT = np.arange(256).astype(np.float32) / np.float32(255)  # a byte as a share
_AT = np.linspace(0.0, 1.0, 4097)
_ENCODED = np.where(_AT <= 0.0031308, _AT * 12.92, 1.055 * _AT ** (1 / 2.4) - 0.055)  # sRGB, IEC 61966-2-1
_DECODED = np.where(_AT <= 0.04045, _AT / 12.92, ((_AT + 0.055) / 1.055) ** 2.4)
_jit = numba.njit(cache=True, nogil=True, error_model="numpy")


@_jit
def shade(table, positions, mesh, eye, towards, strength, ambient, physical, background, supersampling, face, frame, alpha):
    """Fill frame (H, W, 3) and alpha (H, W) for the nearest triangles face (S, S), table (F, 11) as of `set_up`."""
    brightness, facing = np.empty(mesh.faces.shape[0], np.float32), np.empty(mesh.faces.shape[0])
    normals = np.zeros((mesh.smooth.max() + 1, 3))
    if len(normals):
        shared_normals(positions, mesh, normals)
    for f in range(mesh.faces.shape[0]):
        nx, ny, nz = face_normal(positions, mesh.faces, f)
        a = mesh.faces[f, 0]
        ex, ey, ez = eye[0] - positions[a, 0], eye[1] - positions[a, 1], eye[2] - positions[a, 2]
        facing[f] = 1.0 if nx * ex + ny * ey + nz * ez >= 0.0 else -1.0
        if mesh.smooth[f, 0] < 0:
            brightness[f] = lit(nx, ny, nz, towards, strength, ambient, physical, facing[f])
    _resolve(table, mesh, towards, strength, ambient, physical, background, supersampling, face, brightness, facing, normals,
             frame, alpha)


@_jit
def fill_barycentric(table, face, barycentric):
    """Where on its triangle every pixel's centre lies, into barycentric (H, W, 3), for face (H, W)."""
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
                            u, v = _texture_place(uv, f, wa, wb, wc)
                            if n_levels[m] > 1:
                                r, g, b = _filtered(texels, levels, n_levels[m] - 1, m, u, v, share * _texture_area(uv, f))
                            else:
                                at = _texel(levels, m, u, v)
                                r, g, b = UNIT[texels[at, 0]], UNIT[texels[at, 1]], UNIT[texels[at, 2]]
                    red += _shown(rgb[m, 0] * r, light, physical)
                    green += _shown(rgb[m, 1] * g, light, physical)
                    blue += _shown(rgb[m, 2] * b, light, physical)
            frame[row, column, 0] = _byte(red / count)
            frame[row, column, 1] = _byte(green / count)
            frame[row, column, 2] = _byte(blue / count)
            alpha[row, column] = np.uint8(np.rint(covered / (supersampling * supersampling) * 255))


@_jit
def weights(table, f, x, y):
    """Perspective-correct barycentric coordinates (float32) of sample (x, y) on triangle f, and how much of its own area,
    as a share, the sample covers."""
    ax, ay, bx, by, cx, cy = table[f, 0], table[f, 1], table[f, 2], table[f, 3], table[f, 4], table[f, 5]
    near_a, near_b, near_c, area = table[f, 6], table[f, 7], table[f, 8], table[f, 9]
    px, py = x + 0.5, y + 0.5
    wa = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area
    wb = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area
    wa, wb, wc = wa * near_a, wb * near_b, (1.0 - wa - wb) * near_c
    z = 1.0 / (wa + wb + wc)
    return np.float32(wa * z), np.float32(wb * z), np.float32(wc * z), z * z * z * near_a * near_b * near_c / abs(area)


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


@_jit
def lit(nx, ny, nz, towards, strength, ambient, physical, facing):
    """How brightly a normal is lit (Lights); facing: -1 where the camera sees the surface from behind its winding."""
    length = max(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-12)
    total = ambient
    for k in range(towards.shape[0]):
        dot = nx * towards[k, 0] + ny * towards[k, 1] + nz * towards[k, 2]
        cosine = max(facing * dot, 0.0) / length if physical else abs(dot) / length
        total += strength[k] * cosine
    return np.float32(total)


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
def _texture_place(uv, f, wa, wb, wc):
    """Texture coordinates at barycentric coordinates (float32) of triangle f; uv (F, 3, 2)."""
    u = v = 0.0
    u += wa * uv[f, 0, 0]
    v += wa * uv[f, 0, 1]
    u += wb * uv[f, 1, 0]
    v += wb * uv[f, 1, 1]
    u += wc * uv[f, 2, 0]
    v += wc * uv[f, 2, 1]
    return u, v


@_jit
def _texel(levels, m, u, v):
    """The texel at (u, v) of material m's texture; it repeats."""
    rows, columns = levels[m, 0, 1], levels[m, 0, 2]
    row, column = int(np.floor(v * rows)) % rows, int(np.floor(u * columns)) % columns
    return levels[m, 0, 0] + row * columns + column


@_jit
def _filtered(texels, levels, last, m, u, v, spread):
    """Colour (3 numbers) of material m's texture at (u, v), between texels and between the two sizes nearest to `spread`.

    spread: how many times the whole texture's area fits on a sample; last: the index of the smallest size.
    """
    level = min(max(0.5 * np.log2(max(spread * levels[m, 0, 1] * levels[m, 0, 2], 1e-12)), 0.0), float(last))
    finer = int(level)
    r, g, b = _between(texels, levels, m, finer, u, v)
    share = np.float32(level - finer)
    if share > 0:
        r2, g2, b2 = _between(texels, levels, m, finer + 1, u, v)
        r, g, b = r + share * (r2 - r), g + share * (g2 - g), b + share * (b2 - b)
    return r, g, b


@_jit
def _between(texels, levels, m, level, u, v):
    """Bilinear, between the four texels around (u, v)."""
    first, rows, columns = levels[m, level, 0], levels[m, level, 1], levels[m, level, 2]
    x, y = u * columns - 0.5, v * rows - 0.5
    left, top = int(np.floor(x)), int(np.floor(y))
    s, t = np.float32(x - left), np.float32(y - top)
    one = np.float32(1)
    upper, lower = first + top % rows * columns, first + (top + 1) % rows * columns
    left, right = left % columns, (left + 1) % columns
    i, j, k, h = upper + left, upper + right, lower + left, lower + right
    wi, wj, wk, wh = (one - s) * (one - t), s * (one - t), (one - s) * t, s * t
    return (wi * UNIT[texels[i, 0]] + wj * UNIT[texels[j, 0]] + wk * UNIT[texels[k, 0]] + wh * UNIT[texels[h, 0]],
            wi * UNIT[texels[i, 1]] + wj * UNIT[texels[j, 1]] + wk * UNIT[texels[k, 1]] + wh * UNIT[texels[h, 1]],
            wi * UNIT[texels[i, 2]] + wj * UNIT[texels[j, 2]] + wk * UNIT[texels[k, 2]] + wh * UNIT[texels[h, 2]])


@_jit
def _shown(color, light, physical):
    """One channel of a surface's displayed colour under `light`, as displayed (float32)."""
    if physical:
        return np.float32(_looked_up(_ENCODED, _looked_up(_DECODED, color) * light))
    return color * light


@_jit
def _looked_up(table, x):
    """Between the two nearest entries of a function's table over [0, 1]: within 0.1 of a level of 255."""
    at = min(max(x, 0.0), 1.0) * (len(table) - 1)
    first = min(int(at), len(table) - 2)
    return table[first] + (at - first) * (table[first + 1] - table[first])


@_jit
def _byte(share):
    return np.uint8(np.rint(min(max(share, np.float32(0)), np.float32(1)) * np.float32(255)))
