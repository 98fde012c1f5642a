"""Laptops: a base with keys, and a screen on a hinge."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import box, joined, sheet, slab
from procedural_library.motion import Movable, drive, duration
from procedural_library.rig import Rig
from procedural_library.surfaces import dark, metal, paint, screen, shaded


def laptop(rng: np.random.Generator) -> Rig:
    """Base with keys, and a screen on a hinge."""
    rig = Rig("laptop", duration(rng))
    w, d = rng.uniform(0.3, 0.4), rng.uniform(0.2, 0.27)
    thick, lid_thick = rng.uniform(0.012, 0.025), rng.uniform(0.006, 0.012)
    shell = metal(rng) if rng.random() < 0.6 else dark(rng) if rng.random() < 0.6 else paint(rng)
    skin, key_skin, bezel = rig.material(shell), rig.material(dark(rng)), rig.material(dark(rng))
    body = rig.part("base")
    rig.add(body, box((-w / 2, 0, -d / 2), (w / 2, thick, d / 2)), skin)
    rows, columns = int(rng.integers(4, 6)), int(rng.integers(10, 14))
    xs, zs = np.linspace(-0.44 * w, 0.44 * w, columns), np.linspace(-0.38 * d, 0.08 * d, rows)
    keys = [slab((x, thick, z), (0.75 * (xs[1] - xs[0]), 0.004, 0.75 * (zs[1] - zs[0]))) for x in xs for z in zs]
    rig.add(body, joined(*keys), key_skin)
    rig.add(body, slab((0, thick, 0.3 * d), (0.28 * w, 0.002, 0.25 * d)), rig.material(shaded(shell, 0.8)))
    node = rig.node("hinge", (0, thick, -d / 2))
    lid = rig.part("screen", node)
    rig.add(lid, box((-w / 2, thick + 0.001, -d / 2), (w / 2, thick + lid_thick, d / 2)), skin)
    rig.add(lid, slab((0, thick, 0), (0.97 * w, 0.002, 0.96 * d)), bezel)
    edge = rng.uniform(0.03, 0.07)
    z0, z1, x = -d / 2 * (1 - 1.5 * edge), d / 2 * (1 - 1.5 * edge), w / 2 * (1 - edge)
    picture = np.array([[[-x, thick - 0.002, z0], [x, thick - 0.002, z0]], [[-x, thick - 0.002, z1], [x, thick - 0.002, z1]]])
    rig.add(lid, sheet(picture, np.array([[[0, 1], [1, 1]], [[0, 0], [1, 0]]]), smooth=False), rig.material(screen(rng)))
    drive(rng, rig, [Movable(node, "turn", (-1, 0, 0), np.deg2rad(rng.uniform(105, 140)), least=0.08)])
    return rig
