"""Kitchen machines: dishwashers, ovens, washing machines, microwaves, refrigerators."""

from __future__ import annotations

import numpy as np

from procedural_library.joinery import Cell, carcass, dial, door, drawer, handle, tray
from procedural_library.mesh import box, cylinder, joined, lathe, oriented, ring, slab
from procedural_library.motion import Movable, drive, duration
from procedural_library.rig import Rig
from procedural_library.surfaces import STEELS, appliance, dark, metal, paint, shaded, white


def _skins(rng, rig: Rig) -> dict[str, int]:
    body = appliance(rng)
    front = body if rng.random() < 0.6 else appliance(rng)
    return {"body": rig.material(body), "inside": rig.material(shaded(white(rng), 0.85)), "front": rig.material(front),
            "panel": rig.material(dark(rng)), "handle": rig.material(metal(rng, STEELS)), "dark": rig.material(dark(rng)),
            "accent": rig.material(paint(rng))}


def _housing(rig: Rig, skin: dict, width, height, depth, wall, bottom=0.0) -> int:
    body = rig.part("body")
    carcass(rig, body, skin, (-width / 2, bottom, 0), (width / 2, height, depth - wall), wall)
    return body


def _panel(rng, rig: Rig, skin: dict, body: int, cell: Cell, depth: float) -> list[Movable]:
    """A control panel with a display, buttons, and dials that can turn."""
    rig.add(body, box((cell.left, cell.bottom, depth - 0.03), (cell.right, cell.top, depth)), skin["front"])
    middle, size = (cell.bottom + cell.top) / 2, min(cell.width, cell.height)
    tall = cell.height > cell.width
    steps = int(rng.integers(2, 6))
    long = cell.height if tall else cell.width
    knobs = []
    for i in range(steps):
        at = (i + 0.5) / steps * long * 0.9 + 0.05 * long
        x, y = ((cell.left + cell.right) / 2, cell.top - at) if tall else (cell.left + at, middle)
        if i == 0:
            rig.add(body, slab((x, y, depth), (0.7 * size, 0.35 * size, 0.006)), skin["dark"])
        elif rng.random() < 0.4 and len(knobs) < 3:
            node = rig.node("dial axle", (x, y, depth))
            rig.add(rig.part("dial", node), dial((x, y, depth), 0.28 * size, 0.025), skin["handle"])
            knobs.append(Movable(node, "turn", (0.0, 0.0, -1.0), np.deg2rad(rng.uniform(90, 270)), 0.004))
        else:
            rig.add(body, slab((x, y, depth), (0.25 * size, 0.25 * size, 0.012)), skin["accent" if i == 2 else "dark"])
    return knobs


def dishwasher(rng: np.random.Generator) -> Rig:
    """Opens downwards; inside are racks that roll out."""
    rig = Rig("dishwasher", duration(rng))
    width, height, depth, wall = rng.uniform(0.45, 0.65), rng.uniform(0.75, 0.9), rng.uniform(0.5, 0.65), 0.025
    skin, plinth, top = _skins(rng, rig), rng.uniform(0.06, 0.12), rng.uniform(0.06, 0.12)
    body = _housing(rig, skin, width, height, depth, wall, plinth)
    rig.add(body, box((-width / 2 + 0.02, 0, 0.02), (width / 2 - 0.02, plinth, depth - 0.06)), skin["dark"])
    on_door = rng.random() < 0.4
    cell = Cell(-width / 2, width / 2, plinth, height if on_door else height - top)
    if not on_door:
        _panel(rng, rig, skin, body, Cell(-width / 2, width / 2, height - top, height), depth)
    grip = str(rng.choice(["bar", "bow", "edge"]))
    movables = [door(rig, cell, depth, 0.045, skin, grip, "bottom", reach=90)]
    for y in (plinth + 0.12, plinth + 0.42):
        node = rig.node("rack rail", (0, y, depth))
        rack = tray((-width / 2 + 0.04, y, 0.05), (width / 2 - 0.04, 0, depth - 0.09), 0.01, y + 0.1)
        plates = [slab((x, y + 0.11, depth / 2 - 0.02), (0.012, 0.2, depth * 0.4))
                  for x in np.linspace(-0.32, 0.32, int(rng.integers(2, 7))) * width]
        rig.add(rig.part("rack", node), joined(rack, *plates), skin["handle"])
    drive(rng, rig, movables, most=1)
    return rig


def oven(rng: np.random.Generator) -> Rig:
    """A stove: a glazed door that folds down, dials, hot plates, now and then a drawer below."""
    rig = Rig("oven", duration(rng))
    width, height, depth, wall = rng.uniform(0.5, 0.8), rng.uniform(0.75, 0.95), rng.uniform(0.5, 0.65), 0.03
    skin = _skins(rng, rig)
    low = rng.uniform(0.14, 0.22) if rng.random() < 0.5 else 0.04
    body = _housing(rig, skin, width, height, depth, wall)
    movables = _panel(rng, rig, skin, body, Cell(-width / 2, width / 2, height - 0.11, height), depth)
    plates = [cylinder((x * width, height, depth * z), 0.09, 0.012, 14) for x in (-0.24, 0.24) for z in (0.3, 0.7)]
    rig.add(body, joined(*plates), skin["dark"])
    rig.add(body, box((-width / 2, low - 0.015, 0), (width / 2, low, depth - wall)), skin["inside"])
    rig.add(body, box((-width / 2 + wall, (low + height) / 2 - 0.05, 0.03),
                      (width / 2 - wall, (low + height) / 2 - 0.04, depth - 0.08)),
            skin["handle"])
    movables.append(door(rig, Cell(-width / 2, width / 2, low, height - 0.11), depth, 0.04, skin,
                         str(rng.choice(["bar", "bow"])), "bottom", framed=True, reach=90))
    if low > 0.1:
        movables.append(drawer(rig, Cell(-width / 2, width / 2, 0.01, low), depth, 0.025, skin, "edge"))
    drive(rng, rig, movables, most=2)
    return rig


def microwave(rng: np.random.Generator) -> Rig:
    """A wide box with a framed door beside a control panel; the turntable is inside."""
    rig = Rig("microwave", duration(rng))
    width, height, depth, wall = rng.uniform(0.42, 0.6), rng.uniform(0.24, 0.36), rng.uniform(0.3, 0.42), 0.018
    skin = _skins(rng, rig)
    body = _housing(rig, skin, width, height, depth, wall)
    split = width / 2 - rng.uniform(0.18, 0.28) * width
    rig.add(body, box((split, 0, 0), (split + wall, height, depth - wall)), skin["body"])
    movables = _panel(rng, rig, skin, body, Cell(split, width / 2, 0, height), depth)
    rig.add(body, cylinder((-(width / 2 - split) / 2, wall, depth * 0.45), 0.3 * min(width, depth), 0.01, 16), skin["handle"])
    hinge = str(rng.choice(["left", "bottom"], p=[0.88, 0.12]))
    movables.append(door(rig, Cell(-width / 2, split, 0, height), depth, 0.03, skin,
                         str(rng.choice(["bar", "bow", "edge", "none"])), hinge, framed=True, reach=rng.uniform(85, 115)))
    drive(rng, rig, movables, most=2)
    return rig


def washer(rng: np.random.Generator) -> Rig:
    """A round door in front of the drum."""
    rig = Rig("washing machine", duration(rng))
    width, height, depth = rng.uniform(0.55, 0.68), rng.uniform(0.8, 0.95), rng.uniform(0.5, 0.65)
    skin, r = _skins(rng, rig), rng.uniform(0.17, 0.21)
    body, y = rig.part("body"), rng.uniform(0.42, 0.5) * height
    rig.add(body, box((-width / 2, 0, 0), (width / 2, height, depth - 0.02)), skin["body"])
    movables = _panel(rng, rig, skin, body, Cell(-width / 2, width / 2, height - 0.12, height), depth)
    front = (0.0, y, depth - 0.02)
    rig.add(body, oriented(cylinder((0, 0, 0), r * 0.82, 0.006, 24), (0, 0, 1)).moved(front), skin["dark"])
    rig.add(body, ring(front, r * 0.9, 0.02, (0, 0, 1)), skin["handle"])
    side = rng.choice([-1.0, 1.0])
    node = rig.node("door hinge", (side * r * 1.05, y, depth))
    lid = rig.part("door", node)
    rig.add(lid, ring((0, y, depth + 0.01), r * 0.85, 0.032, (0, 0, 1), sides=8, steps=24),
            skin["front" if rng.random() < 0.5 else "handle"])
    glass = lathe([(0, -0.05), (r * 0.5, -0.045), (r * 0.75, 0.01), (0, 0.02)], 20)
    rig.add(lid, oriented(glass, (0, 0, 1)).moved((0, y, depth + 0.01)), skin["panel"])
    grip = handle("bar", (-side * r * 0.95, y, depth + 0.02), 0.3, upright=True)
    rig.add(lid, grip, skin["dark"])
    movables.append(Movable(node, "turn", (0.0, side, 0.0), np.deg2rad(rng.uniform(100, 150)), 1.0))
    drive(rng, rig, movables, most=2)
    return rig


def refrigerator(rng: np.random.Generator) -> Rig:
    """One to three doors, shelves with food inside, now and then a freezer drawer."""
    rig = Rig("refrigerator", duration(rng))
    width, height, depth, wall = rng.uniform(0.5, 0.95), rng.uniform(0.85, 1.9), rng.uniform(0.5, 0.75), 0.04
    skin = _skins(rng, rig)
    body = _housing(rig, skin, width, height, depth, wall, 0.03)
    w, split = width / 2, 0.03 + (height - 0.03) * rng.uniform(0.28, 0.72)
    kind = str(rng.choice(["one", "over", "side", "french"], p=[0.2, 0.45, 0.15, 0.2]))
    grip, side, thick = str(rng.choice(["bar", "bow", "edge"])), str(rng.choice(["left", "right"])), 0.05
    reach = rng.uniform(90, 125)
    whole = Cell(-w, w, 0.03, height)
    low, high = Cell(-w, w, 0.03, split), Cell(-w, w, split, height)
    _shelves(rng, rig, skin, body, whole, depth, wall)
    if kind in ("over", "french"):
        rig.add(body, slab((0, split, depth / 2 - wall), (width - 2 * wall, wall, depth - 2 * wall)), skin["inside"])
    cells = {"one": [(whole, side)], "over": [(low, side), (high, side)],
             "side": [(Cell(-w, 0, 0.03, height), "left"), (Cell(0, w, 0.03, height), "right")],
             "french": [(Cell(-w, 0, split, height), "left"), (Cell(0, w, split, height), "right")]}[kind]
    movables = [door(rig, cell, depth, thick, skin, grip, hinge, reach=reach) for cell, hinge in cells]
    if kind == "french":
        rig_drawer = drawer if rng.random() < 0.7 else None
        movables.append(rig_drawer(rig, low, depth, thick, skin, grip) if rig_drawer
                        else door(rig, low, depth, thick, skin, grip, "left", reach=reach))
    drive(rng, rig, movables)
    return rig


def _shelves(rng, rig, skin, body, cell: Cell, depth: float, wall: float) -> None:
    for y in np.linspace(cell.bottom, cell.top, int(cell.height / 0.3) + 2)[1:-1]:
        rig.add(body, slab((0, y, depth / 2 - wall), (cell.width - 2 * wall, 0.012, depth - 3 * wall)), skin["handle"])
        for _ in range(int(rng.integers(0, 4))):
            x, tall = rng.uniform(-0.35, 0.35) * cell.width, rng.uniform(0.06, 0.2)
            what = cylinder((x, y + 0.006, depth * 0.5), rng.uniform(0.03, 0.05), tall, 10) if rng.random() < 0.5 else \
                slab((x, y + 0.006 + tall / 2, depth * 0.5), (0.08, tall, 0.1))
            rig.add(body, what, rig.material(paint(rng)))


