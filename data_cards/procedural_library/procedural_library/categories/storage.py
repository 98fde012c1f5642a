"""Cabinets, chests of drawers, wardrobes, sideboards: doors of four hinges, sliding doors, drawers, open shelves."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from procedural_library.joinery import GAP, Cell, carcass, door, drawer, handle, legs, style
from procedural_library.mesh import box, slab
from procedural_library.motion import Movable, drive, duration
from procedural_library.rig import Rig
from procedural_library.surfaces import metal, plain, shaded, surface

_SIZES = {  # width, height, depth: least and most, metres
    "cabinet": ((0.5, 1.2), (0.5, 1.3), (0.35, 0.6)),
    "chest": ((0.5, 1.1), (0.6, 1.2), (0.4, 0.6)),
    "wardrobe": ((0.8, 1.6), (1.5, 2.1), (0.45, 0.65)),
    "sideboard": ((1.1, 1.8), (0.5, 0.9), (0.35, 0.5)),
    "nightstand": ((0.35, 0.55), (0.4, 0.65), (0.35, 0.45)),
}


def skins(rng, rig: Rig) -> dict[str, int]:
    """Body, inside, front and handle; the front is half the time the body's own."""
    body = surface(rng)
    front = body if rng.random() < 0.5 else surface(rng)
    return {"body": rig.material(body), "inside": rig.material(shaded(body, 0.8)), "front": rig.material(front),
            "panel": rig.material(shaded(front, 0.88)), "handle": rig.material(metal(rng) if rng.random() < 0.6 else plain(rng))}


def build(rng: np.random.Generator) -> Rig:
    """A body, its front laid out in columns and rows, and what fills each cell."""
    kind = str(rng.choice(list(_SIZES)))
    rig = Rig(kind, duration(rng))
    width, height, depth = (rng.uniform(*limits) for limits in _SIZES[kind])
    skin, wall = skins(rng, rig), rng.uniform(0.018, 0.04)
    lift = rng.uniform(0.06, 0.18) if rng.random() < 0.45 else 0.0
    body = rig.part("body")
    _body(rng, rig, body, skin, width, height, depth, wall, lift)
    grip, framed = style(rng), rng.random() < 0.35
    movables = []
    for cell, what in _layout(rng, kind, width, height, wall, lift):
        rig.add(body, slab(((cell.left + cell.right) / 2, cell.bottom, depth / 2 - wall),
                           (cell.width, wall * 0.7, depth - 2 * wall)),
                skin["inside"])
        rig.add(body, slab((cell.right, (cell.bottom + cell.top) / 2, depth / 2 - wall),
                           (wall * 0.7, cell.height, depth - 2 * wall)),
                skin["inside"])
        if what == "drawer":
            movables.append(drawer(rig, cell, depth, wall, skin, grip))
        elif what == "door":
            hinge = str(rng.choice(["left", "right", "bottom", "top"], p=[0.42, 0.42, 0.1, 0.06]))
            reach = 90 if hinge == "bottom" else rng.uniform(90, 130)
            movables.append(door(rig, cell, depth, wall, skin, grip, hinge, framed=framed, reach=reach))
        elif what == "pair":
            middle = (cell.left + cell.right) / 2
            halves = Cell(cell.left, middle, cell.bottom, cell.top), Cell(middle, cell.right, cell.bottom, cell.top)
            for half, hinge in zip(halves, ("left", "right"), strict=True):
                movables.append(door(rig, half, depth, wall, skin, grip, hinge, framed=framed, reach=rng.uniform(90, 120)))
        elif what == "sliding":
            movables += _sliding(rig, cell, depth, wall, skin, grip)
    drive(rng, rig, movables)
    return rig


def _body(rng, rig, body, skin, width, height, depth, wall, lift) -> None:
    w = width / 2
    carcass(rig, body, skin, (-w, lift, 0), (w, height, depth - wall), wall)
    if lift and rng.random() < 0.7:
        rig.add(body, legs((-w, 0), (w, depth - wall), lift, rng.uniform(0.03, 0.06), rng.random() < 0.5,
                           rng.choice([0.0, 0.03])), skin["body"])
    elif lift:
        rig.add(body, box((-w + 0.02, 0, 0.02), (w - 0.02, lift, depth - 0.06)), skin["inside"])
    if rng.random() < 0.4:  # a worktop
        over = rng.uniform(0.0, 0.03)
        top = rig.material(surface(rng))
        rig.add(body, box((-w - over, height, -over), (w + over, height + rng.uniform(0.02, 0.04), depth + over)), top)


def _layout(rng, kind, width, height, wall, lift) -> list[tuple[Cell, str]]:
    """Columns, rows in them, and what fills each cell."""
    most = {"wardrobe": 0.55, "sideboard": 0.5}.get(kind, 0.6)
    columns = np.linspace(-width / 2 + wall, width / 2 - wall, int(np.clip(round(width / most), 1, 4)) + 1)
    cells = []
    for left, right in pairwise(columns):
        inner = height - lift - 2 * wall
        least = {"chest": 0.16, "wardrobe": 0.6, "nightstand": 0.15}.get(kind, 0.22)
        rows = int(rng.integers(1, max(2, min(6, int(inner / least) + 1))))
        if kind == "chest":
            rows = int(np.clip(inner / rng.uniform(0.17, 0.28), 2, 6))
        shares = rng.uniform(0.7, 1.3, rows)
        for bottom, top in pairwise(lift + wall + inner * np.concatenate([[0], np.cumsum(shares) / shares.sum()])):
            cells.append((Cell(left, right, bottom, top), _filling(rng, kind, right - left, top - bottom)))
    if all(what == "shelf" for _, what in cells):
        cells[0] = (cells[0][0], "door")
    return cells


def _filling(rng, kind: str, width: float, height: float) -> str:
    if kind == "chest" and height < 0.45:
        return "drawer"
    if height < 0.55 * width:
        return str(rng.choice(["drawer", "door", "shelf"], p=[0.75, 0.12, 0.13]))
    odds = [0.12, 0.5, 0.18, 0.08, 0.12] if width > 0.4 else [0.2, 0.68, 0.0, 0.0, 0.12]
    return str(rng.choice(["drawer", "door", "pair", "sliding", "shelf"], p=odds))


def _sliding(rig: Rig, cell: Cell, depth: float, wall: float, skin: dict, grip: str) -> list[Movable]:
    """Two doors, one behind the other, each half the cell wide; the front one slides over the other."""
    cell, out = cell.inset(GAP), []
    middle = (cell.left + cell.right) / 2
    for left, right, z, way in ((cell.left, middle + 0.02, depth, 1.0), (middle - 0.02, cell.right, depth - wall, -1.0)):
        node = rig.node("door rail", (left, cell.bottom, z))
        part = rig.part("sliding door", node)
        rig.add(part, box((left, cell.bottom, z - 0.8 * wall), (right, cell.top, z)), skin["front"])
        grip_mesh = handle("grip" if z < depth else grip, (left + 0.1 * cell.width if way > 0 else right - 0.1 * cell.width,
                           (cell.bottom + cell.top) / 2, z), cell.height, upright=True)
        if grip_mesh is not None and z == depth:
            rig.add(part, grip_mesh, skin["handle"])
        out.append(Movable(node, "slide", (way, 0.0, 0.0), 0.9 * (cell.width / 2), cell.width * cell.height / 2))
    return out
