"""Levers, switches and taps."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import ball, box, cylinder, joined, slab, tube
from procedural_library.motion import Movable, drive, duration
from procedural_library.rig import Rig
from procedural_library.surfaces import metal, paint, surface


def lever(rng: np.random.Generator) -> Rig:
    """One to four levers or rocker switches on a housing, or a tap with turning handles."""
    kind = str(rng.choice(["levers", "switches", "tap"], p=[0.45, 0.25, 0.3]))
    rig = Rig(kind, duration(rng), heading=rng.uniform(-40, 40))
    skin, iron, grip = (rig.material(m) for m in (surface(rng), metal(rng), paint(rng)))
    body, movables = rig.part("housing"), []
    if kind == "tap":
        return _tap(rng, rig, body, iron, grip)
    count = int(rng.integers(1, 5))
    width, deep, high = 0.14 * count + 0.06, rng.uniform(0.22, 0.34), rng.uniform(0.06, 0.2)
    rig.add(body, box((-width / 2, 0, -deep / 2), (width / 2, high, deep / 2)), skin)
    for x in (np.arange(count) - (count - 1) / 2) * 0.14:
        node = rig.node("lever axle", (x, high, 0))
        part = rig.part("lever" if kind == "levers" else "switch", node)
        rig.add(body, slab((x, high, 0), (0.05, 0.006, 0.7 * deep)), iron)
        reach = np.deg2rad(rng.uniform(50, 100))
        if kind == "levers":
            tall = rng.uniform(0.2, 0.42)
            stick = joined(cylinder((x, high - 0.02, 0), 0.014, tall, 8))
            rig.add(part, stick.turned((1, 0, 0), -np.rad2deg(reach / 2), (x, high, 0)), iron)
            rig.add(part, ball((x, high + tall, 0), 0.04, 10, 7).turned((1, 0, 0), -np.rad2deg(reach / 2), (x, high, 0)), grip)
        else:
            reach *= 0.5
            rig.add(part, slab((x, high + 0.01, 0), (0.06, 0.04, 0.5 * deep)).turned((1, 0, 0), -np.rad2deg(reach / 2),
                                                                                     (x, high, 0)), grip)
        movables.append(Movable(node, "turn", (1, 0, 0), reach))
    drive(rng, rig, movables)
    return rig


def _tap(rng, rig: Rig, body: int, iron: int, grip: int) -> Rig:
    tall, reach = rng.uniform(0.25, 0.45), rng.uniform(0.2, 0.3)
    rig.add(body, joined(cylinder((0, 0, 0), 0.08, 0.03), cylinder((0, 0.02, 0), 0.035, 0.12),
                         slab((0, 0.06, 0), (0.36, 0.05, 0.06))), iron)
    spout_node = rig.node("spout", (0, 0.14, 0))
    spout = tube([(0, 0.12, 0), (0, tall, 0), (0, tall + 0.06, 0.4 * reach), (0, tall, reach), (0, tall - 0.08, reach)], 0.024,
                 sides=10)
    rig.add(rig.part("spout", spout_node), spout, iron)
    movables = [Movable(spout_node, "turn", (0, rng.choice([-1.0, 1.0]), 0), np.deg2rad(rng.uniform(40, 90)), 1.0)]
    for s in (-1.0, 1.0):
        place = (s * 0.14, 0.085, 0)
        node = rig.node("valve", place)
        part = rig.part("handle", node)
        rig.add(part, cylinder(place, 0.02, 0.06, 10), iron)
        rig.add(part, joined(*(slab((s * 0.14, 0.155, 0), (0.13, 0.02, 0.025)).turned((0, 1, 0), a, place) for a in (0, 90))),
                grip)
        movables.append(Movable(node, "turn", (0, s, 0), np.deg2rad(rng.uniform(60, 200)), 1.5))
    drive(rng, rig, movables)
    return rig
