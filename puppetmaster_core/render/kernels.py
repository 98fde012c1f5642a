"""The rasteriser's inner loops, in numba. All for one frame; `mesh` is `Surfaces`.

`set_up` places the triangles on the screen, `nearest` finds the nearest one at every sample, `weights` says where on it the
sample lies; `shading` colours it. Letters: V vertices, F triangles, S samples a side, G groups of corners with one normal.
"""

from __future__ import annotations

import numba
import numpy as np

NEAR = 1e-3  # of the camera's distance; triangles with a corner nearer than this are not drawn
UNIT = np.arange(256).astype(np.float32) / np.float32(255)  # a byte as a share
_jit = numba.njit(cache=True, nogil=True, error_model="numpy")  # 1/0 is inf: a vertex may lie in the camera's plane
_AT = np.linspace(0.0, 1.0, 4097)
_ENCODED = np.where(_AT <= 0.0031308, _AT * 12.92, 1.055 * _AT ** (1 / 2.4) - 0.055)  # sRGB, IEC 61966-2-1
_DECODED = np.where(_AT <= 0.04045, _AT / 12.92, ((_AT + 0.055) / 1.055) ** 2.4)


@_jit
def set_up(screen, faces, size, near, table):
    """Fill table (F, 11) with each triangle's corners in samples, 1/depth of each, twice its area (signed), its least depth.

    screen (V, 3): x, y in [0, 1] and depth in metres. Triangles that are not drawn get an area of 0.
    """
    for f in range(faces.shape[0]):
        front = np.inf
        for k in range(3):
            v = faces[f, k]
            table[f, 2 * k], table[f, 2 * k + 1] = screen[v, 0] * size, screen[v, 1] * size
            table[f, 6 + k] = 1.0 / screen[v, 2]
            front = min(front, screen[v, 2])
        ax, ay, bx, by, cx, cy = table[f, 0], table[f, 1], table[f, 2], table[f, 3], table[f, 4], table[f, 5]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        table[f, 9] = area if front >= near and abs(area) >= 1e-12 else 0.0
        table[f, 10] = front * (1 - 1e-6)  # rounding never brings a sample nearer than this


@_jit
def nearest(table, mesh, size, supersampling, face, depth):
    """Fill face and depth (S, S) with the nearest triangle at the samples' centres; they come as -1 and inf.

    table (F, 11) as of `set_up`. Perspective-correct: 1/depth is linear on screen. A sample passes through a hole, or
    through a share 1 − alpha of a blended surface's samples, in a fixed pattern within each pixel.
    """
    for f in range(table.shape[0]):
        area, front = table[f, 9], table[f, 10]
        if area == 0.0:
            continue
        ax, ay, bx, by, cx, cy = table[f, 0], table[f, 1], table[f, 2], table[f, 3], table[f, 4], table[f, 5]
        near_a, near_b, near_c = table[f, 6], table[f, 7], table[f, 8]
        sign = 1.0 if area > 0.0 else -1.0
        cutoff = mesh.cutoff[mesh.material[f]]
        x0, x1 = max(0, int(np.ceil(min(ax, bx, cx) - 0.5))), min(size - 1, int(np.floor(max(ax, bx, cx) - 0.5)))
        y0, y1 = max(0, int(np.ceil(min(ay, by, cy) - 0.5))), min(size - 1, int(np.floor(max(ay, by, cy) - 0.5)))
        for y in range(y0, y1 + 1):
            py = y + 0.5
            left, right = x0, x1
            if abs(area) > 4.0:  # samples: look only between the two edges this row crosses, and a little around
                low, high = _crossings(ax, ay, bx, by, cx, cy, py)
                if low <= high:
                    left, right = max(x0, int(np.floor(low)) - 2), min(x1, int(np.ceil(high)) + 2)
            for x in range(left, right + 1):
                if depth[y, x] <= front:
                    continue
                px = x + 0.5
                twice_a = (bx - px) * (cy - py) - (by - py) * (cx - px)
                twice_b = (cx - px) * (ay - py) - (cy - py) * (ax - px)
                if twice_a * sign < 0.0 or twice_b * sign < 0.0:
                    continue
                wa, wb = twice_a / area, twice_b / area
                wc = 1.0 - wa - wb
                if wc < 0.0:
                    continue
                z = 1.0 / (wa * near_a + wb * near_b + wc * near_c)
                if z < depth[y, x]:
                    if cutoff > -2.0:
                        wanted = cutoff if cutoff >= 0.0 else _pattern(x, y, supersampling)
                        if _alpha(mesh, f, wa * near_a * z, wb * near_b * z, wc * near_c * z) < wanted:
                            continue
                    depth[y, x] = z
                    face[y, x] = f


@_jit
def _crossings(ax, ay, bx, by, cx, cy, py):
    """The least and the greatest x at which a triangle's edges cross the row; the least is greater where none does."""
    low, high = 1e30, -1e30
    if (ay <= py) != (by <= py):
        x = ax + (py - ay) * (bx - ax) / (by - ay)
        low, high = min(low, x), max(high, x)
    if (by <= py) != (cy <= py):
        x = bx + (py - by) * (cx - bx) / (cy - by)
        low, high = min(low, x), max(high, x)
    if (cy <= py) != (ay <= py):
        x = cx + (py - cy) * (ax - cx) / (ay - cy)
        low, high = min(low, x), max(high, x)
    return low, high


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
def _pattern(x, y, supersampling):
    """Thresholds spread evenly over a pixel's samples: 1/2 for one sample, 1/8, 5/8, 7/8, 3/8 for four."""
    row, column = y % supersampling, x % supersampling
    if supersampling == 2:
        return (1.0 + 4.0 * (row ^ column) + 2.0 * row) / 8.0
    return (row * supersampling + column + 0.5) / (supersampling * supersampling)


@_jit
def texture_place(uv, f, wa, wb, wc):
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
def _alpha(mesh, f, wa, wb, wc):
    m = mesh.material[f]
    u, v = texture_place(mesh.uv, f, np.float32(wa), np.float32(wb), np.float32(wc))
    return mesh.alpha[m] * UNIT[mesh.texels[texel(mesh.levels, m, u, v), 3]]


@_jit
def texel(levels, m, u, v):
    """The texel at (u, v) of material m's texture; it repeats."""
    rows, columns = levels[m, 0, 1], levels[m, 0, 2]
    row, column = int(np.floor(v * rows)) % rows, int(np.floor(u * columns)) % columns
    return levels[m, 0, 0] + row * columns + column


@_jit
def filtered(texels, levels, last, m, u, v, spread):
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
def face_normal(positions, faces, f):
    """A triangle's normal by its winding, (3 numbers), its length twice the area."""
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    ux, uy, uz = positions[b, 0] - positions[a, 0], positions[b, 1] - positions[a, 1], positions[b, 2] - positions[a, 2]
    vx, vy, vz = positions[c, 0] - positions[a, 0], positions[c, 1] - positions[a, 1], positions[c, 2] - positions[a, 2]
    return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx


@_jit
def shared_normals(positions, mesh, normals):
    """Fill normals (G, 3), of unit length (or 0): means of triangles' normals by the corners' angles, as in Blender."""
    normals[:] = 0.0
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
def encode_srgb(linear):
    """Linear light as displayed, 0 to 1."""
    return _looked_up(_ENCODED, linear)


@_jit
def decode_srgb(shown):
    """A displayed share as linear light, 0 to 1."""
    return _looked_up(_DECODED, shown)


@_jit
def _looked_up(table, x):
    """Between the two nearest entries of a function's table over [0, 1]: within 0.1 of a level of 255."""
    at = min(max(x, 0.0), 1.0) * (len(table) - 1)
    first = min(int(at), len(table) - 2)
    return table[first] + (at - first) * (table[first + 1] - table[first])
