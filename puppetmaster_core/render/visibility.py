"""The first part of the rasteriser: which triangle is nearest at every sample; and which points lie behind one. For one frame.

`mesh` is `Surfaces`. numba keeps what it compiled by the file's own time, so nothing here calls compiled code of another file.
Letters: V vertices, F triangles, S samples a side.
"""

from __future__ import annotations

import numba
import numpy as np

IN_FRONT = 2e-4  # share of its depth by which a surface lies before a point that it hides: the point's own does not
NEAR = 1e-3  # of the camera's distance; triangles with a corner nearer than this are not drawn
CLAMP, MIRROR = 1, 2  # of assets.asset.WRAPS
_jit = numba.njit(cache=True, nogil=True, error_model="numpy")  # 1/0 is inf: a vertex may lie in the camera's plane


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
        table[f, 9] = area if front >= near and 1e-12 <= abs(area) < np.inf else 0.0
        table[f, 10] = front * (1 - 1e-6)  # rounding never brings a sample nearer than this


@_jit
def nearest(table, mesh, size, supersampling, face, depth):
    """Fill face and depth (S, S) with the nearest triangle at the samples' centres; they come as -1 and inf.

    table (F, 11) as of `set_up`. Perspective-correct: 1/depth is linear on screen. A sample passes through a hole, or
    through a share 1 − alpha of a blended surface's samples, in a fixed pattern within each pixel. A surface of one side is not
    there for who sees it from behind: its corners run clockwise, and its area is positive, as y runs down.
    """
    uv, levels, texels, colors = mesh.uv, mesh.levels, mesh.texels, mesh.colors
    material, one_sided = mesh.material, mesh.one_sided
    for f in range(table.shape[0]):
        area, front, m = table[f, 9], table[f, 10], material[f]
        if area == 0.0 or (area > 0.0 and one_sided[m]):
            continue
        ax, ay, bx, by, cx, cy = table[f, 0], table[f, 1], table[f, 2], table[f, 3], table[f, 4], table[f, 5]
        near_a, near_b, near_c = table[f, 6], table[f, 7], table[f, 8]
        sign = 1.0 if area > 0.0 else -1.0
        cutoff = mesh.cutoff[m]
        low_x, high_x, low_y, high_y = min(ax, bx, cx) - 0.5, max(ax, bx, cx) - 0.5, min(ay, by, cy) - 0.5, max(ay, by, cy) - 0.5
        if low_x > size - 1 or low_y > size - 1 or high_x < 0 or high_y < 0:
            continue
        # Clipped before they become whole numbers: a corner may lie far outside what those can hold.
        x0, x1 = int(np.ceil(max(0.0, low_x))), int(np.floor(min(size - 1.0, high_x)))
        y0, y1 = int(np.ceil(max(0.0, low_y))), int(np.floor(min(size - 1.0, high_y)))
        for y in range(y0, y1 + 1):
            py = y + 0.5
            left, right = x0, x1
            if abs(area) > 4.0:  # samples: look only between the two edges this row crosses, and a little around
                low, high = _crossings(ax, ay, bx, by, cx, cy, py)
                if low <= high:
                    left = max(x0, int(np.floor(min(max(low, 0.0), float(size)))) - 2)
                    right = min(x1, int(np.ceil(min(max(high, 0.0), float(size)))) + 2)
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
                        share = _alpha(uv, levels, texels, colors, f, m, wa * near_a * z, wb * near_b * z, wc * near_c * z)
                        if mesh.alpha[m] * share < wanted:
                            continue
                    depth[y, x] = z
                    face[y, x] = f


@_jit
def find_hidden(table, mesh, points, order, hidden):
    """Set hidden (P,) True for the points (P, 3), x and y in samples and depth, with a surface in front of them.

    order (P,): the points by their y, so that each triangle looks at those between its own ends only. Holes hide nothing, nor
    does a blended surface that is more clear than not, or one of one side from behind.
    """
    uv, levels, texels, colors = mesh.uv, mesh.levels, mesh.texels, mesh.colors
    material, one_sided = mesh.material, mesh.one_sided
    for f in range(table.shape[0]):
        area, front, m = table[f, 9], table[f, 10], material[f]
        if area == 0.0 or (area > 0.0 and one_sided[m]):
            continue
        ax, ay, bx, by, cx, cy = table[f, 0], table[f, 1], table[f, 2], table[f, 3], table[f, 4], table[f, 5]
        low, high, left, right = min(ay, by, cy), max(ay, by, cy), min(ax, bx, cx), max(ax, bx, cx)
        first, end = 0, len(order)
        while first < end:  # the first point that is not above the triangle
            middle = (first + end) // 2
            if points[order[middle], 1] < low:
                first = middle + 1
            else:
                end = middle
        for i in range(first, len(order)):
            p = order[i]
            px, py, behind = points[p, 0], points[p, 1], points[p, 2] * (1.0 - IN_FRONT)
            if py > high:
                break
            if px < left or px > right or hidden[p] or behind <= front:
                continue
            wa = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area
            wb = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area
            wc = 1.0 - wa - wb
            if wa < 0.0 or wb < 0.0 or wc < 0.0:
                continue
            wa, wb, wc = wa * table[f, 6], wb * table[f, 7], wc * table[f, 8]
            z = 1.0 / (wa + wb + wc)
            if z < behind:
                cutoff, share = mesh.cutoff[m], 1.0
                if cutoff != -2.0:
                    share = mesh.alpha[m] * _alpha(uv, levels, texels, colors, f, m, wa * z, wb * z, wc * z)
                hidden[p] = cutoff == -2.0 or share >= (cutoff if cutoff >= 0.0 else 0.5)


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
def _pattern(x, y, supersampling):
    """Thresholds spread evenly over a pixel's samples: 1/2 for one sample, 1/8, 5/8, 7/8, 3/8 for four."""
    row, column = y % supersampling, x % supersampling
    if supersampling == 2:
        return (1.0 + 4.0 * (row ^ column) + 2.0 * row) / 8.0
    return (row * supersampling + column + 0.5) / (supersampling * supersampling)


@_jit
def _alpha(uv, levels, texels, colors, f, m, wa, wb, wc):
    """What multiplies material m's alpha at barycentric coordinates of triangle f: the nearest texel's and the vertices'.

    The four arrays are `Surfaces`': all of them in one would be slow to hand over.
    """
    u = wa * uv[f, 0, 0] + wb * uv[f, 1, 0] + wc * uv[f, 2, 0]
    v = wa * uv[f, 0, 1] + wb * uv[f, 1, 1] + wc * uv[f, 2, 1]
    rows, columns = levels[m, 0, 1], levels[m, 0, 2]
    row = _inside(int(np.floor(v * rows)), rows, levels[m, 0, 4])
    column = _inside(int(np.floor(u * columns)), columns, levels[m, 0, 3])
    alpha = texels[levels[m, 0, 0] + row * columns + column, 3] / 255.0
    if len(colors) > 0:
        alpha *= wa * colors[f, 0, 3] + wb * colors[f, 1, 3] + wc * colors[f, 2, 3]
    return alpha


@_jit
def _inside(at, count, wrap):
    """The texel, of `count` along a side, that stands for number `at`."""
    if wrap == CLAMP:
        return min(max(at, 0), count - 1)
    if wrap == MIRROR:
        at %= 2 * count
        return at if at < count else 2 * count - 1 - at
    return at % count
