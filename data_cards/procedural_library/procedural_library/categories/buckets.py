"""Buckets with a bail handle, and waste bins with a lid."""

from __future__ import annotations

import numpy as np

from procedural_library.joinery import tray
from procedural_library.mesh import ball, box, joined, lathe, slab, tube
from procedural_library.motion import Movable, drive, duration
from procedural_library.rig import Rig
from procedural_library.surfaces import appliance, dark, metal, paint, shaded, wood
from procedural_library.turns import after, turn


def bucket(rng: np.random.Generator) -> Rig:
    """A pail, round or square, with a bail handle that swings."""
    rig = Rig("bucket", duration(rng))
    top, bottom, h = rng.uniform(0.14, 0.2), rng.uniform(0.09, 0.14), rng.uniform(0.2, 0.36)
    skin = metal(rng) if rng.random() < 0.4 else paint(rng) if rng.random() < 0.7 else wood(rng)
    body, wall = rig.part("bucket"), 0.008
    profile = [(0, 0), (bottom, 0), (top, h), (top + 0.01, h), (top + 0.01, h + 0.012), (top - wall, h + 0.012),
               (bottom - wall, 0.01), (0, 0.01)]
    sides = 4 if rng.random() < 0.12 else 24
    rig.add(body, lathe(profile, sides, smooth=False), rig.material(skin))
    if rng.random() < 0.4:
        y = rng.uniform(0.3, 0.8)
        r = bottom + (top - bottom) * y + 0.002
        rig.add(body, lathe([(r, y * h - 0.015), (r + 0.004, y * h + 0.015)], sides, smooth=False), rig.material(metal(rng)))
    if rng.random() < 0.4:
        level = rng.uniform(0.5, 0.85)
        r = bottom + (top - bottom) * level - wall
        rig.add(body, lathe([(r, level * h), (0, level * h)], sides), rig.material(paint(rng)))
    wire, ears = rig.material(metal(rng)), top + 0.012
    rig.add(body, joined(*(ball((x, h - 0.01, 0), 0.014, 8, 5) for x in (-ears, ears))), wire)
    node = rig.node("bail", (0, h - 0.01, 0))
    angle, rise = np.linspace(0, np.pi, 9), rng.uniform(0.9, 1.35)
    arc = np.stack([-np.cos(angle) * ears, np.sin(angle) * ears * rise + h - 0.01, 0 * angle], -1)
    part = rig.part("handle", node)
    rig.add(part, tube(arc, 0.006, sides=6, per_span=2), wire)
    if rng.random() < 0.6:
        rig.add(part, tube(arc[3:6], 0.013, sides=8), rig.material(paint(rng) if rng.random() < 0.5 else wood(rng)))
    way = rng.choice([-1.0, 1.0])
    lean = np.deg2rad(rng.uniform(75, 100))
    if rng.random() < 0.6:  # from lying on the rim to upright, or back
        drive(rng, rig, [Movable(node, "turn", (way, 0, 0), lean)])
    else:
        from_side, swing = rng.uniform(0.3, 1.0), rng.uniform(1.2, 1.9)
        movable = Movable(node, "turn", (way, 0, 0), -lean * swing)
        drive(rng, rig, [movable])
        key = rig.channels[node, "rotation"]
        rig.rotate(node, after(turn((way, 0, 0), lean * from_side), key.values.astype(float)))
    return rig


def bin_(rng: np.random.Generator) -> Rig:
    """A waste bin: a lid on a hinge, or a flap that swings."""
    rig = Rig("bin", duration(rng))
    w, d, h = rng.uniform(0.25, 0.4), rng.uniform(0.25, 0.35), rng.uniform(0.4, 0.75)
    main = appliance(rng) if rng.random() < 0.6 else paint(rng)
    skin, other = rig.material(main), rig.material(dark(rng) if rng.random() < 0.5 else shaded(main, 0.8))
    body = rig.part("body")
    round_ = rng.random() < 0.5
    if round_:
        r, low = w / 2, rng.uniform(0.75, 1.0)
        rig.add(body, lathe([(0, 0), (r * low, 0), (r, h), (r - 0.01, h), (r * low - 0.01, 0.01), (0, 0.01)], 24), skin)
        hinge = (0, h, -r)
        lid = lathe([(r * 1.03, h - 0.03), (r * 1.03, h), (r * 0.8, h + rng.uniform(0.02, 0.1)), (0, h + 0.1)], 24)
    else:
        rig.add(body, tray((-w / 2, 0, -d / 2), (w / 2, 0, d / 2), 0.012, h), skin)
        hinge = (0, h, -d / 2)
        lid = box((-w / 2 - 0.01, h, -d / 2), (w / 2 + 0.01, h + 0.035, d / 2 + 0.02))
    node = rig.node("lid hinge", hinge)
    part = rig.part("lid", node)
    rig.add(part, lid, other)
    movables = [Movable(node, "turn", (-1, 0, 0), np.deg2rad(rng.uniform(60, 110)), 1.0)]
    if rng.random() < 0.5:
        z = (w if round_ else d) / 2
        pedal = rig.node("pedal hinge", (0, 0.03, z - 0.02))
        rig.add(rig.part("pedal", pedal), slab((0, 0.03, z + 0.03), (0.09, 0.012, 0.09)), rig.material(dark(rng)))
        movables = [Movable(node, "turn", (-1, 0, 0), movables[0].reach, 1.0, follow=[(pedal, "turn", (1, 0, 0), 0.22)])]
    drive(rng, rig, movables)
    return rig
