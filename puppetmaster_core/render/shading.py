"""The third part of the rasteriser: what every sample looks like. For one frame; `mesh` is `Surfaces`.

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
CLAMP, MIRROR = 1, 2  # of assets.asset.WRAPS
_jit = numba.njit(cache=True, nogil=True, error_model="numpy")


@_jit
def fill_barycentric(table, face, barycentric):
    """Where on its triangle every pixel's centre lies, into barycentric (H, W, 3), for face (H, W)."""
    for y in range(face.shape[0]):
        for x in range(face.shape[1]):
            if face[y, x] >= 0:
                wa, wb, wc, _ = _barycentric(table, face[y, x], x, y)
                barycentric[y, x, 0], barycentric[y, x, 1], barycentric[y, x, 2] = wa, wb, wc


@_jit
def shade(table, mesh, towards, strength, ambient, physical, supersampling, face, flat, facing, normals, frame, alpha):
    """Fill frame (H, W, 3) and alpha (H, W): colour every sample of the nearest triangles face (S, S), average each pixel's.
    Behind them it is white.

    table (F, 11) as of `set_up`; flat (F, 3), facing (F,) and normals (G, 3) as of `all_normals`.
    """
    uv, material, smooth, rgb, unlit = mesh.uv, mesh.material, mesh.smooth, mesh.rgb, mesh.unlit
    texels, levels, n_levels = mesh.texels, mesh.levels, mesh.n_levels
    colors, shine, emission, emission_uv = mesh.colors, mesh.shine, mesh.emission, mesh.emission_uv
    plain, tinted = mesh.plain, len(colors) > 0
    brightness = np.empty(len(material), np.float32)  # of flat triangles
    for f in range(len(brightness)):
        if smooth[f, 0] < 0:
            brightness[f] = _lit(flat[f, 0], flat[f, 1], flat[f, 2], towards, strength, ambient, physical, facing[f])
    count, white = np.float32(supersampling * supersampling), np.float32(1)
    for row in range(frame.shape[0]):
        for column in range(frame.shape[1]):
            red = green = blue = np.float32(0)
            covered = 0
            for y in range(row * supersampling, (row + 1) * supersampling):
                for x in range(column * supersampling, (column + 1) * supersampling):
                    f = face[y, x]
                    if f < 0:
                        red, green, blue = red + white, green + white, blue + white
                        continue
                    covered += 1
                    m, light = material[f], brightness[f]
                    r, g, b = rgb[m, 0], rgb[m, 1], rgb[m, 2]
                    shines = shine[m] >= 0
                    wa, wb, wc, share = np.float32(0), np.float32(0), np.float32(0), 0.0
                    if smooth[f, 0] >= 0 or not plain[m] or tinted or shines:
                        wa, wb, wc, share = _barycentric(table, f, x, y)
                        if smooth[f, 0] >= 0:
                            i, j, k = smooth[f, 0], smooth[f, 1], smooth[f, 2]
                            nx = wa * normals[i, 0] + wb * normals[j, 0] + wc * normals[k, 0]
                            ny = wa * normals[i, 1] + wb * normals[j, 1] + wc * normals[k, 1]
                            nz = wa * normals[i, 2] + wb * normals[j, 2] + wc * normals[k, 2]
                            light = _lit(nx, ny, nz, towards, strength, ambient, physical, facing[f])
                        if not plain[m]:
                            tr, tg, tb = _textured(uv, texels, levels, n_levels[m], m, f, wa, wb, wc, share)
                            r, g, b = r * tr, g * tg, b * tb
                        if tinted:
                            r, g, b = _tinted(colors, f, wa, wb, wc, r, g, b)
                    if unlit[m]:
                        light = np.float32(1)
                    r, g, b = _shown(r, light, physical), _shown(g, light, physical), _shown(b, light, physical)
                    if shines:
                        t = shine[m]
                        tr, tg, tb = _textured(emission_uv, texels, levels, n_levels[t], t, f, wa, wb, wc, share)
                        r = _brighter(r, emission[m, 0], tr)
                        g = _brighter(g, emission[m, 1], tg)
                        b = _brighter(b, emission[m, 2], tb)
                    red, green, blue = red + r, green + g, blue + b
            frame[row, column, 0] = _byte(red / count)
            frame[row, column, 1] = _byte(green / count)
            frame[row, column, 2] = _byte(blue / count)
            alpha[row, column] = np.uint8(np.rint(covered / (supersampling * supersampling) * 255))


@_jit
def _barycentric(table, f, x, y):
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
def _lit(nx, ny, nz, towards, strength, ambient, physical, facing):
    """How brightly a normal is lit (Lights); facing: -1 where the camera sees the surface from behind its winding."""
    length = max(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-12)
    total = ambient
    for k in range(towards.shape[0]):
        dot = nx * towards[k, 0] + ny * towards[k, 1] + nz * towards[k, 2]
        cosine = max(facing * dot, 0.0) / length if physical else abs(dot) / length
        total += strength[k] * cosine
    return np.float32(total)


@_jit
def _textured(uv, texels, levels, count, t, f, wa, wb, wc, share):
    """Colour (3 float32) of texture t at barycentric coordinates (float32) of triangle f; uv (F, 3, 2).

    count: of the texture's sizes; share: how much of the triangle's area the sample covers.
    """
    u = 0.0 + wa * uv[f, 0, 0] + wb * uv[f, 1, 0] + wc * uv[f, 2, 0]  # 0.0: summed in float64
    v = 0.0 + wa * uv[f, 0, 1] + wb * uv[f, 1, 1] + wc * uv[f, 2, 1]
    if count > 1:
        ax, ay = uv[f, 1, 0] - uv[f, 0, 0], uv[f, 1, 1] - uv[f, 0, 1]
        bx, by = uv[f, 2, 0] - uv[f, 0, 0], uv[f, 2, 1] - uv[f, 0, 1]
        return _filtered(texels, levels, count - 1, t, u, v, share * abs(ax * by - ay * bx))
    rows, columns = levels[t, 0, 1], levels[t, 0, 2]
    row = _inside(int(np.floor(v * rows)), rows, levels[t, 0, 4])
    at = levels[t, 0, 0] + row * columns + _inside(int(np.floor(u * columns)), columns, levels[t, 0, 3])
    return UNIT[texels[at, 0]], UNIT[texels[at, 1]], UNIT[texels[at, 2]]


@_jit
def _inside(at, count, wrap):
    """The texel, of `count` along a side, that stands for number `at`."""
    if wrap == CLAMP:
        return min(max(at, 0), count - 1)
    if wrap == MIRROR:
        at %= 2 * count
        return at if at < count else 2 * count - 1 - at
    return at % count


@_jit
def _filtered(texels, levels, last, t, u, v, spread):
    """Colour (3 numbers) of texture t at (u, v), between texels and between the two sizes nearest to `spread`.

    spread: how many times the whole texture's area fits on a sample; last: the index of the smallest size.
    """
    level = min(max(0.5 * np.log2(max(spread * levels[t, 0, 1] * levels[t, 0, 2], 1e-12)), 0.0), float(last))
    finer = int(level)
    r, g, b = _between(texels, levels, t, finer, u, v)
    share = np.float32(level - finer)
    if share > 0:
        r2, g2, b2 = _between(texels, levels, t, finer + 1, u, v)
        r, g, b = r + share * (r2 - r), g + share * (g2 - g), b + share * (b2 - b)
    return r, g, b


@_jit
def _between(texels, levels, t, level, u, v):
    """Bilinear, between the four texels around (u, v)."""
    first, rows, columns = levels[t, level, 0], levels[t, level, 1], levels[t, level, 2]
    x, y = u * columns - 0.5, v * rows - 0.5
    left, top = int(np.floor(x)), int(np.floor(y))
    right_share, low_share = np.float32(x - left), np.float32(y - top)
    one = np.float32(1)
    across, down = levels[t, 0, 3], levels[t, 0, 4]
    upper, lower = first + _inside(top, rows, down) * columns, first + _inside(top + 1, rows, down) * columns
    left, right = _inside(left, columns, across), _inside(left + 1, columns, across)
    i, j, k, h = upper + left, upper + right, lower + left, lower + right
    wi, wj = (one - right_share) * (one - low_share), right_share * (one - low_share)
    wk, wh = (one - right_share) * low_share, right_share * low_share
    return (wi * UNIT[texels[i, 0]] + wj * UNIT[texels[j, 0]] + wk * UNIT[texels[k, 0]] + wh * UNIT[texels[h, 0]],
            wi * UNIT[texels[i, 1]] + wj * UNIT[texels[j, 1]] + wk * UNIT[texels[k, 1]] + wh * UNIT[texels[h, 1]],
            wi * UNIT[texels[i, 2]] + wj * UNIT[texels[j, 2]] + wk * UNIT[texels[k, 2]] + wh * UNIT[texels[h, 2]])


@_jit
def _tinted(colors, f, wa, wb, wc, r, g, b):
    """A displayed colour times the vertices' linear ones, mixed at barycentric coordinates of triangle f: as displayed."""
    tr = wa * colors[f, 0, 0] + wb * colors[f, 1, 0] + wc * colors[f, 2, 0]
    tg = wa * colors[f, 0, 1] + wb * colors[f, 1, 1] + wc * colors[f, 2, 1]
    tb = wa * colors[f, 0, 2] + wb * colors[f, 1, 2] + wc * colors[f, 2, 2]
    return (np.float32(_looked_up(_ENCODED, _looked_up(_DECODED, r) * tr)),
            np.float32(_looked_up(_ENCODED, _looked_up(_DECODED, g) * tg)),
            np.float32(_looked_up(_ENCODED, _looked_up(_DECODED, b) * tb)))


@_jit
def _brighter(shown, emission, texel):
    """One channel with what the surface sends out added, linear × a displayed texel: as displayed."""
    return np.float32(_looked_up(_ENCODED, _looked_up(_DECODED, shown) + emission * _looked_up(_DECODED, texel)))


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
