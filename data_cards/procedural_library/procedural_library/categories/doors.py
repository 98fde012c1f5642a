"""Doors in their frames: one leaf or two."""

from __future__ import annotations

import itertools

import numpy as np

from procedural_library.joinery import Cell, door, frame
from procedural_library.mesh import ball, box, joined, slab
from procedural_library.motion import drive, duration
from procedural_library.rig import Rig
from procedural_library.surfaces import metal, plain, shaded, surface


def doorway(rng: np.random.Generator) -> Rig:
    """A door in its frame, alone in the room or with a piece of wall; one leaf or two, one more that slides."""
    rig = Rig("door", duration(rng))
    w, h, thick = rng.uniform(0.75, 1.0), rng.uniform(1.9, 2.2), 0.05
    double = rng.random() < 0.25
    w *= 1.7 if double else 1.0
    jamb, leaf = surface(rng), surface(rng)
    skin = {"front": rig.material(leaf), "panel": rig.material(shaded(leaf, rng.uniform(0.75, 1.1))),
            "handle": rig.material(metal(rng))}
    body, rail = rig.part("frame"), rng.uniform(0.06, 0.1)
    hole = Cell(-w / 2, w / 2, 0, h)
    surround = Cell(-w / 2 - rail, w / 2 + rail, -rail, h + rail)
    rig.add(body, frame(surround, rail, -0.06, thick + 0.02), rig.material(jamb))
    if rng.random() < 0.4:
        side = rng.uniform(0.15, 0.5)
        rig.add(body, frame(Cell(surround.left - side, surround.right + side, -rail - 0.02, h + rail + side), side, -0.05, thick),
                rig.material(plain(rng)))
    cells = [(Cell(-w / 2, 0, 0, h), "left"), (Cell(0, w / 2, 0, h), "right")] if double else [(hole,
                                                                                                str(rng.choice(["left",
                                                                                                                "right"])))]
    panels = int(rng.integers(0, 4))
    movables = []
    for cell, hinge in cells:
        m = door(rig, cell, thick, 0.045, skin, "none", hinge, reach=rng.uniform(80, 125), name="leaf")
        part, inner = len(rig.parts) - 1, cell.inset(0.12)
        edges = np.linspace(inner.bottom, inner.top, panels + 1)
        for a, b in itertools.pairwise(edges):
            rig.add(part, box((inner.left, a + 0.04, thick), (inner.right, b - 0.04, thick + 0.012)), skin["panel"])
        x = cell.right - 0.07 if hinge == "left" else cell.left + 0.07
        lever = rig.node("handle axle", (x, 0.48 * h, thick), parent=m.node)
        grip = rig.part("handle", lever)
        if rng.random() < 0.5:
            way = -1 if hinge == "left" else 1
            rig.add(grip, joined(slab((x, 0.48 * h, thick + 0.025), (0.025, 0.025, 0.05)),
                                 slab((x + way * 0.06, 0.48 * h, thick + 0.05), (0.14, 0.025, 0.02))), skin["handle"])
        else:
            rig.add(grip, ball((x, 0.48 * h, thick + 0.045), 0.033), skin["handle"])
        movables.append(m)
    drive(rng, rig, movables, most=2)
    return rig
