"""Safes: thick walls, and a door with a dial or a wheel on it."""

from __future__ import annotations

import numpy as np

from procedural_library.joinery import Cell, carcass, dial, door
from procedural_library.mesh import cylinder, joined, oriented, ring, slab
from procedural_library.motion import Movable, drive, duration
from procedural_library.rig import Rig
from procedural_library.surfaces import STEELS, dark, metal, plain, shaded


def safe(rng: np.random.Generator) -> Rig:
    """A thick-walled box; its door carries a dial or a wheel."""
    rig = Rig("safe", duration(rng))
    width, height, depth = rng.uniform(0.4, 0.7), rng.uniform(0.4, 0.9), rng.uniform(0.35, 0.6)
    wall = rng.uniform(0.04, 0.08)
    body_skin = dark(rng) if rng.random() < 0.4 else metal(rng, STEELS) if rng.random() < 0.5 else plain(rng)
    skin = {"body": rig.material(body_skin), "inside": rig.material(shaded(body_skin, 0.6)),
            "front": rig.material(shaded(body_skin, rng.uniform(0.8, 1.15))), "handle": rig.material(metal(rng))}
    body = rig.part("body")
    carcass(rig, body, skin, (-width / 2, 0, 0), (width / 2, height, depth - 0.02), wall)
    for y in np.linspace(0, height, int(rng.integers(2, 4)))[1:-1]:
        rig.add(body, slab((0, y, depth / 2 - 0.03), (width - 2 * wall, 0.015, depth - 0.15)), skin["handle"])
    hinge = str(rng.choice(["left", "right"]))
    edge = 0.0 if rng.random() < 0.5 else 0.6 * wall
    movable = door(rig, Cell(-width / 2, width / 2, 0, height).inset(edge), depth, 0.06, skin, "none", hinge,
                   reach=rng.uniform(90, 130))
    x, y = (0.12 if hinge == "left" else -0.12) * width, rng.uniform(0.45, 0.6) * height
    knob = rig.node("dial axle", (x, y, depth), parent=movable.node)
    part = rig.part("dial", knob)
    if rng.random() < 0.5:
        rig.add(part, dial((x, y, depth), 0.055, 0.03), skin["handle"])
    else:
        rig.add(part, joined(ring((x, y, depth + 0.045), 0.075, 0.009, (0, 0, 1), 6, 18),
                             oriented(cylinder((0, 0, 0), 0.012, 0.045, 8), (0, 0, 1)).moved((x, y, depth)),
                             *(slab((0, 0, 0), (0.15, 0.012, 0.01)).turned((0, 0, 1), a).moved((x, y, depth + 0.045))
                               for a in (0, 60, 120))), skin["handle"])
    turns = Movable(knob, "turn", (0, 0, 1), np.deg2rad(rng.uniform(90, 300)), 0.05)
    drive(rng, rig, [movable, turns], most=2)
    return rig
