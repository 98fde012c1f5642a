"""What turns on an axle: windmills, ships' wheels, Ferris wheels, water wheels."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import box, cylinder, joined, lathe, oriented, plate, ring, slab, vec
from procedural_library.motion import duration, profile
from procedural_library.rig import Rig
from procedural_library.surfaces import metal, paint, surface
from procedural_library.turns import turn


def wheel(rng: np.random.Generator) -> Rig:
    """A windmill, a ship's wheel, a Ferris wheel or a water wheel: one thing turns before another that stands."""
    kind = str(rng.choice(["windmill", "ship's wheel", "ferris wheel", "water wheel"]))
    rig = Rig(kind, duration(rng), heading=rng.uniform(-45, 45))
    skin, other, iron = rig.material(surface(rng)), rig.material(paint(rng)), rig.material(metal(rng))
    body = rig.part("stand")
    r, count = rng.uniform(0.28, 0.42), int(rng.integers(4, 9))
    if kind == "windmill":
        high = rng.uniform(0.55, 0.8)
        rig.add(body, lathe([(0, 0), (0.2, 0), (0.13, high), (0, high)], int(rng.choice([6, 8, 16])), smooth=False), skin)
        rig.add(body, lathe([(0.15, high), (0, high + 0.16)], 12, smooth=False), other)
        hub, count = (0, high - 0.04, 0.17), int(rng.integers(3, 6))
        sail = joined(slab((0, r / 2, 0), (0.02, r, 0.015)), slab((0.045, 0.58 * r, 0), (0.08, 0.75 * r, 0.006)))
        pieces = [sail.turned((0, 0, 1), 360 / count * i) for i in range(count)]
    else:
        hub = (0, r + 0.12, 0.0 if kind != "ship's wheel" else 0.06)
        rims = [ring((0, 0, z), r * 0.85, 0.022, (0, 0, 1), 6, 28) for z in ((0.0,) if kind == "ship's wheel" else (-0.08, 0.08))]
        long = 1.15 if kind == "ship's wheel" else 0.85
        spokes = [slab((0, r * long / 2, z), (0.022, r * long, 0.02)).turned((0, 0, 1), 360 / count * i)
                  for i in range(count) for z in ((0.0,) if kind == "ship's wheel" else (-0.08, 0.08))]
        pieces = rims + spokes
        if kind == "water wheel":
            pieces += [slab((0, 0.85 * r, 0), (0.02, 0.12, 0.2)).turned((0, 0, 1), 360 / count * i) for i in range(count)]
        depth = 0.12 if kind != "ship's wheel" else 0.0
        for z in {-depth, depth}:
            rig.add(body, plate([(-0.22, 0), (0.22, 0), (0.03, r + 0.15), (-0.03, r + 0.15)], 0.03).moved((0, 0, z)), skin)
        rig.add(body, slab((0, 0.015, 0), (0.5, 0.03, 0.36)), skin)
    axle = rig.node("axle", hub)
    part = rig.part("wheel", axle)
    rig.add(part, joined(*pieces).moved(hub), other)
    rig.add(part, oriented(cylinder((0, -0.1, 0), 0.04, 0.2, 12), (0, 0, 1)).moved(hub), iron)
    angle = rng.choice([-1, 1]) * rng.uniform(0.4, 3.5) * (profile(rng, rig.clock) if rng.random() < 0.5 else rig.clock)
    rig.rotate(axle, turn((0, 0, 1), angle))
    if kind == "ferris wheel":  # cabins hang level
        for i in range(count):
            a = 2 * np.pi * i / count
            place = np.array(hub) + 0.85 * r * np.array((-np.sin(a), np.cos(a), 0))
            node = rig.node("cabin", place, axle)
            rig.add(rig.part("cabin", node), box(place + vec(-0.05, -0.1, -0.06), place + vec(0.05, -0.01, 0.06)),
                    iron if i % 2 else skin)
            rig.rotate(node, turn((0, 0, 1), -angle))
    return rig
