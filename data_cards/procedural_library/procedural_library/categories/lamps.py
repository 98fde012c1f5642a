"""Desk lamps of two arms and a shade."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import ball, joined, lathe, tube, vec
from procedural_library.motion import Movable, drive, duration
from procedural_library.rig import Rig
from procedural_library.surfaces import dark, metal, paint, shaded, white


def lamp(rng: np.random.Generator) -> Rig:
    """A desk lamp: two arms and a shade on three joints."""
    rig = Rig("lamp", duration(rng), heading=rng.uniform(30, 100) * rng.choice([-1, 1]))
    skin = rig.material(paint(rng) if rng.random() < 0.6 else dark(rng))
    shade = rig.material(paint(rng) if rng.random() < 0.6 else metal(rng))
    iron = rig.material(metal(rng))
    base, lower, upper = rig.part("base"), rng.uniform(0.35, 0.55), rng.uniform(0.3, 0.5)
    rig.add(base, lathe([(0, 0), (0.16, 0), (0.155, 0.03), (0.03, 0.055), (0, 0.06)], 20), skin)
    a, b = np.deg2rad(rng.uniform(60, 110)), np.deg2rad(rng.uniform(-30, 35))
    foot = np.array((0, 0.05, 0))
    elbow = foot + lower * np.array((0, np.sin(a), np.cos(a)))
    wrist = elbow + upper * np.array((0, np.sin(b), np.cos(b)))
    j1 = rig.node("foot joint", foot)
    j2 = rig.node("elbow", elbow, j1)
    j3 = rig.node("wrist", wrist, j2)
    thick, twin = rng.uniform(0.01, 0.018), rng.random() < 0.4
    for name, node, p, q in (("lower arm", j1, foot, elbow), ("upper arm", j2, elbow, wrist)):
        rods = [tube([p + vec(x, 0, 0), q + vec(x, 0, 0)], thick, sides=7,
                     per_span=1) for x in ((-0.025, 0.025) if twin else (0.0,))]
        part = rig.part(name, node)
        rig.add(part, joined(*rods), skin)
        rig.add(part, ball(p, 2.3 * thick + 0.01 * twin, 8, 6), iron)
    size = rng.uniform(0.1, 0.16)
    cone = lathe([(size, -size * 1.1), (size * 0.95, -size), (size * 0.35, 0.02), (0, 0.05), (0.0, 0.04), (size * 0.33, 0.0),
                  (size * 0.9, -size)], 20)
    head = rig.part("shade", j3)
    droop = rng.uniform(-40, 15)
    rig.add(head, cone.turned((1, 0, 0), droop).moved(wrist), shade)
    rig.add(head, ball((0, -size * 0.6, 0), size * 0.35, 10, 6).turned((1, 0, 0), droop).moved(wrist),
            rig.material(shaded(white(rng), 1.03)))
    # Joints are built half way; each moves to one side or to the other.
    out = []
    for node, reach, likely in ((j1, 30, 1.0), (j2, 45, 1.0), (j3, 50, 0.8)):
        out.append(Movable(node, "turn", (rng.choice([-1.0, 1.0]), 0, 0), np.deg2rad(reach * rng.uniform(0.5, 1.0)), likely))
    if rng.random() < 0.2:
        out.append(Movable(j1, "turn", (0, 1, 0), np.deg2rad(rng.uniform(30, 90)), 3.0))
    drive(rng, rig, out)
    return rig
