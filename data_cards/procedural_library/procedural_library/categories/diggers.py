"""Excavators."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import box, cylinder, joined, plate, tube, vec
from procedural_library.motion import Movable, drive, duration
from procedural_library.rig import Rig
from procedural_library.surfaces import dark, paint, shaded


def digger(rng: np.random.Generator) -> Rig:
    """An excavator or a crane: the cabin turns, boom, stick and bucket bend."""
    rig = Rig("digger", duration(rng), heading=rng.uniform(25, 75) * rng.choice([-1, 1]))
    main = paint(rng)
    skin, other, black = rig.material(main), rig.material(shaded(main, 0.8)), rig.material(dark(rng))
    base = rig.part("tracks")
    for s in (-1, 1):
        oval = [(0.38 * np.cos(a), 0.08 + 0.08 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 14)[:-1]]
        rig.add(base, plate(oval, 0.12).turned((0, 1, 0), -90).moved((s * 0.2, 0, 0)), black)
    rig.add(base, cylinder((0, 0.1, 0), 0.14, 0.08, 16), other)
    turret = rig.node("turret", (0, 0.18, 0))
    cab = rig.part("cab", turret)
    rig.add(cab, joined(box((-0.2, 0.18, -0.3), (0.2, 0.34, 0.12)), box((0.02, 0.34, -0.1), (0.19, 0.54, 0.12))), skin)
    rig.add(cab, joined(box((0.018, 0.38, -0.07), (0.195, 0.5, 0.09)), box((0.05, 0.38, 0.1), (0.17, 0.5, 0.125))), black)
    shoulder, elbow, wrist = np.array((-0.08, 0.28, 0.12)), np.array((-0.08, 0.72, 0.42)), np.array((-0.08, 0.42, 0.78))
    boom = rig.node("boom", shoulder, turret)
    stick = rig.node("stick", elbow, boom)
    scoop = rig.node("bucket", wrist, stick)
    rig.add(rig.part("boom", boom), tube([shoulder, (shoulder + elbow) / 2 + (0, 0.06, -0.03), elbow],
                                         [(0.05, 0.06), (0.05, 0.08), (0.04, 0.04)],
                                         sides=8), skin)
    rig.add(rig.part("stick", stick), tube([elbow + vec(0, 0.06, -0.06), elbow, wrist],
                                           [(0.04, 0.04), (0.04, 0.06), (0.03, 0.03)], sides=8), other)
    shell = plate([(-0.02, 0.02), (-0.1, -0.12), (-0.04, -0.24), (0.06, -0.22), (0.02, -0.19), (-0.02, -0.17), (-0.05, -0.11),
                   (0.03, 0.02)], 0.24)
    rig.add(rig.part("bucket", scoop), shell.turned((0, 1, 0), -90).moved(wrist), black)
    movables = [Movable(turret, "turn", (0, rng.choice([-1.0, 1.0]), 0), np.deg2rad(rng.uniform(30, 90)), 1.0)]
    for node, reach in ((boom, 30), (stick, 55), (scoop, 80)):
        movables.append(Movable(node, "turn", (rng.choice([-1.0, 1.0]), 0, 0), np.deg2rad(reach * rng.uniform(0.5, 1))))
    drive(rng, rig, movables)
    return rig
