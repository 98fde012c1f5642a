"""Desks and tables with drawers, on four legs or on a pedestal of drawers."""

from __future__ import annotations

import itertools

import numpy as np

from procedural_library.categories.storage import skins
from procedural_library.joinery import Cell, carcass, door, drawer, legs, style
from procedural_library.mesh import box
from procedural_library.motion import drive, duration
from procedural_library.rig import Rig


def build(rng: np.random.Generator) -> Rig:
    """A top on legs with drawers under it, or on one or two pedestals of drawers."""
    rig = Rig("table", duration(rng))
    width, height, depth = rng.uniform(0.7, 1.7), rng.uniform(0.45, 0.8), rng.uniform(0.45, 0.8)
    top, apron, wall = rng.uniform(0.02, 0.05), rng.uniform(0.1, 0.18), 0.02
    skin, body, w, grip = skins(rng, rig), rig.part("table"), width / 2, style(rng)
    under = height - top
    over = rng.uniform(0.0, 0.06)
    rig.add(body, box((-w - over, under, -over), (w + over, height, depth + over)), skin["body"])
    movables = []
    if rng.random() < 0.45:  # pedestals left or right or both, legs where there is none
        deep = rng.uniform(0.28, 0.42) * min(1.0, width)
        sides = [s for s in (-1, 1) if rng.random() < 0.65] or [1]
        for side in sides:
            x0, x1 = (-w, -w + deep) if side < 0 else (w - deep, w)
            movables += _pedestal(rng, rig, body, skin, grip, (x0, x1), under, depth, wall)
        if len(sides) == 1:
            x0, x1 = (w - 0.05, w) if sides[0] < 0 else (-w, -w + 0.05)
            for z in (0.0, depth - 0.05):
                rig.add(body, box((x0, 0, z), (x1, under, z + 0.05)), skin["body"])
        free = (-w + deep if -1 in sides else -w + 0.05, w - deep if 1 in sides else w - 0.05)
        if rng.random() < 0.6:
            movables += _row(rng, rig, body, skin, grip, free, (under - apron, under), depth, wall, 1)
    else:
        thick = rng.uniform(0.035, 0.075)
        rig.add(body, legs((-w, 0), (w, depth), under, thick, rng.random() < 0.4, rng.choice([0.0, 0.0, 0.05])), skin["body"])
        count = int(rng.integers(1, 2 + int(width / 0.45)))
        movables += _row(rng, rig, body, skin, grip, (-w + thick, w - thick), (under - apron, under), depth, wall, min(count, 4))
        if rng.random() < 0.3:
            rig.add(body, box((-w + thick, 0.15, thick), (w - thick, 0.17, depth - thick)), skin["body"])
    drive(rng, rig, movables)
    return rig


def _row(rng, rig, body, skin, grip, across, up, depth, wall, count):
    """`count` drawers side by side in an apron under the top."""
    carcass(rig, body, skin, (across[0], up[0], 0), (across[1], up[1], depth - wall), 0.012)
    edges = np.linspace(across[0] + 0.012, across[1] - 0.012, count + 1)
    for x in edges[1:-1]:
        rig.add(body, box((x - 0.006, up[0], 0), (x + 0.006, up[1], depth - wall)), skin["inside"])
    cells = [Cell(a, b, up[0] + 0.008, up[1] - 0.004) for a, b in itertools.pairwise(edges)]
    return [drawer(rig, cell, depth, wall, skin, grip) for cell in cells]


def _pedestal(rng, rig, body, skin, grip, across, under, depth, wall):
    """A column of drawers, or a door, from near the floor to the top."""
    foot = rng.choice([0.0, 0.06])
    carcass(rig, body, skin, (across[0], foot, 0), (across[1], under, depth - wall), 0.016)
    if foot:
        rig.add(body, legs((across[0], 0), (across[1], depth - wall), foot, 0.04), skin["body"])
    inner = Cell(across[0] + 0.016, across[1] - 0.016, foot + 0.016, under - 0.008)
    rows = int(rng.integers(1, 5))
    if rows == 1:
        hinge = str(rng.choice(["left", "right"]))
        return [door(rig, inner, depth, wall, skin, grip, hinge, framed=rng.random() < 0.3, reach=110)]
    edges = np.linspace(inner.bottom, inner.top, rows + 1)
    return [drawer(rig, Cell(inner.left, inner.right, a, b), depth, wall, skin, grip) for a, b in itertools.pairwise(edges)]
