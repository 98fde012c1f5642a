"""Clocks with hands, now and then with a pendulum."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import box, cylinder, joined, oriented, ring, slab
from procedural_library.motion import duration, sway
from procedural_library.rig import Rig
from procedural_library.surfaces import dark, metal, paint, surface, white
from procedural_library.turns import after, euler, turn


def clock(rng: np.random.Generator) -> Rig:
    """A round clock with hands, now and then with a pendulum under it."""
    rig = Rig("clock", duration(rng), heading=rng.uniform(-30, 30))
    rim, hand = rig.material(surface(rng)), rig.material(dark(rng))
    face = rig.material(white(rng) if rng.random() < 0.7 else paint(rng))
    body, r = rig.part("clock"), 0.4
    rig.add(body, oriented(cylinder((0, 0, 0), r, 0.05, 32), (0, 0, 1)), face)
    rig.add(body, ring((0, 0, 0.03), r, rng.uniform(0.02, 0.05), (0, 0, 1), 8, 32), rim)
    ticks = [slab((0, 0.85 * r, 0.052), (0.015 if i % 3 else 0.03, 0.07, 0.006)).turned((0, 0, 1), 30 * i) for i in range(12)]
    rig.add(body, joined(*ticks), hand)
    begin, turns = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.8) * rng.choice([1, 1, -1])
    for name, long, wide, z, gear in (("hour hand", 0.5, 0.035, 0.062, 1 / 12), ("minute hand", 0.78, 0.025, 0.074, 1.0)):
        node = rig.node(name, (0, 0, z))
        rig.add(rig.part(name, node), slab((0, 0.4 * long * r, z), (wide, 1.1 * long * r, 0.008)), hand)
        rig.rotate(node, turn((0, 0, 1), -(begin * (1 if gear == 1 else 1.7) + 2 * np.pi * turns * gear * rig.clock)))
    if rng.random() < 0.45:
        long = rng.uniform(0.35, 0.6)
        node = rig.node("pendulum", (0, -0.5 * r, 0.0))
        brass = rig.material(metal(rng))
        rig.add(body, joined(box((-0.2, -r - long - 0.12, -0.07), (0.2, -0.3 * r, -0.03))), rim)
        rig.add(rig.part("pendulum", node), joined(slab((0, -0.5 * r - long / 2, 0), (0.014, long, 0.01)),
                oriented(cylinder((0, 0, 0), 0.07, 0.02, 18), (0, 0, 1)).moved((0, -0.5 * r - long, 0))), brass)
        rig.rotate(node, after(euler(), turn((0, 0, 1), sway(rig.clock, rng.choice([1, 2]), rng.uniform(0, 6.28),
                                                             rng.uniform(0.15, 0.3)))))
    return rig
