"""Fans on a foot or under the ceiling."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import ball, cylinder, joined, lathe, oriented, plate, ring, slab, vec
from procedural_library.motion import duration, sway
from procedural_library.rig import Rig
from procedural_library.surfaces import metal, paint, white
from procedural_library.turns import turn


def fan(rng: np.random.Generator) -> Rig:
    """A fan on a foot: the blades turn, the head may look from side to side; or a fan under the ceiling."""
    rig = Rig("fan", duration(rng))
    skin = rig.material(paint(rng) if rng.random() < 0.4 else white(rng))
    blade_skin, iron = rig.material(paint(rng) if rng.random() < 0.6 else metal(rng)), rig.material(metal(rng))
    ceiling, count, size = rng.random() < 0.25, int(rng.integers(3, 6)), rng.uniform(0.22, 0.34)
    high = rng.uniform(0.35, 0.9)
    base = rig.part("stand")
    if ceiling:
        rig.add(base, joined(cylinder((0, high, 0), 0.1, 0.05), cylinder((0, 0.1, 0), 0.02, high, 10),
                             ball((0, 0.05, 0), (0.11, 0.08, 0.11))), skin)
        hub, axis, parent = np.array((0, 0.02, 0)), (0, 1, 0), 0
    else:
        rig.add(base, joined(lathe([(0, 0), (0.2, 0), (0.19, 0.03), (0.05, 0.06), (0, 0.06)], 18),
                             cylinder((0, 0.05, 0), 0.022, high - 0.05, 10)), skin)
        parent = rig.node("neck", (0, high, 0))
        head = rig.part("head", parent)
        hub, axis = np.array((0, high, 0.1)), (0, 0, 1)
        rig.add(head, oriented(lathe([(0, -0.14), (0.06, -0.13), (0.075, -0.02), (0.05, 0.05), (0, 0.05)], 14),
                               (0, 0, 1)).moved((0, high, 0)), skin)
        if rng.random() < 0.75:
            cage = [ring(hub + vec(0, 0, z), r * size, 0.006, (0, 0, 1), 5, 24)
                    for r, z in ((1.08, 0), (0.8, 0.05), (0.45, 0.065), (0.8, -0.05))]
            spokes = [slab((0, size * 0.55, 0.06), (0.006, size * 0.95, 0.006)).turned((0, 0, 1), a).moved(hub)
                      for a in range(0, 360, 45)]
            rig.add(head, joined(*cage, *spokes), iron)
    axle = rig.node("axle", hub, parent)
    part = rig.part("blades", axle)
    blades = []
    for i in range(count):
        wing = plate([(0.03, -0.02), (size * 0.6, -0.09), (size * 0.95, -0.07), (size * 0.97, 0.03), (size * 0.5, 0.05),
                      (0.03, 0.02)], 0.008)
        wing = wing.turned((1, 0, 0), 20).turned((0, 0, 1), 360 / count * i)
        blades.append(oriented(wing.turned((1, 0, 0), -90) if ceiling else wing, (0, 1, 0)))
    rig.add(part, joined(*blades).moved(hub), blade_skin)
    rig.add(part, ball(hub, 0.045, 10, 6), iron)
    turns = rng.uniform(0.15, 1.2) * rng.choice([-1, 1])
    still = not ceiling and rng.random() < 0.2
    if not still:
        rig.rotate(axle, turn(axis, 2 * np.pi * turns * rig.clock))
    if not ceiling and (still or rng.random() < 0.35):
        rig.rotate(parent, turn((0, 1, 0), sway(rig.clock, 0.5, rng.uniform(0, 6.28), rng.uniform(0.4, 0.9))))
    return rig
