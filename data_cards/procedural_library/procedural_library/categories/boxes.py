"""Boxes: cartons with flaps, and trunks with a lid."""

from __future__ import annotations

import numpy as np

from procedural_library.joinery import tray
from procedural_library.mesh import box, joined, sheet, slab
from procedural_library.motion import Movable, drive, duration
from procedural_library.rig import Rig
from procedural_library.surfaces import metal, paint, plain, shaded, surface, wood


def carton(rng: np.random.Generator) -> Rig:
    """A cardboard box with two or four flaps."""
    rig = Rig("box", duration(rng))
    w, h, d = rng.uniform(0.3, 0.8), rng.uniform(0.25, 0.6), rng.uniform(0.3, 0.6)
    color = np.array((0.72, 0.56, 0.38)) * rng.uniform(0.85, 1.15)
    base = shaded(wood(rng), 1.0) if rng.random() < 0.15 else plain(rng) if rng.random() < 0.3 else None
    card = base or type(plain(rng))(tuple(float(c) for c in np.clip(color, 0, 1)))
    outer, inner = rig.material(card), rig.material(shaded(card, 0.85))
    rig.add(rig.part("box"), tray((-w / 2, 0, -d / 2), (w / 2, 0, d / 2), 0.008, h), outer)
    if rng.random() < 0.4:
        band = rig.material(paint(rng))
        rig.add(0, slab((0, h * rng.uniform(0.3, 0.6), d / 2 + 0.001), (w * rng.uniform(0.3, 0.8), h * 0.2, 0.004)), band)
    movables = []
    sides = ("front", "back", "left", "right") if rng.random() < 0.7 else ("front", "back")
    for side in sides:
        x_side = side in ("left", "right")
        long, span = (d if x_side else w), (w if x_side else d) / 2 * rng.uniform(0.85, 1.0)
        sign = 1 if side in ("front", "right") else -1
        node = rig.node(f"flap hinge {side}", (sign * w / 2 if x_side else 0, h, 0 if x_side else sign * d / 2))
        z0 = sign * d / 2
        # Built standing up; the joint folds it, 0 = shut.
        flap = (box((sign * w / 2 - 0.003, h, -long / 2), (sign * w / 2 + 0.003, h + span, long / 2)) if x_side
                else box((-long / 2, h, z0 - 0.003), (long / 2, h + span, z0 + 0.003)))
        axis = (0, 0, 1) if x_side else (1, 0, 0)
        inward = (90 if x_side else -90) * sign
        flap = flap.turned(axis, inward, (sign * w / 2 if x_side else 0, h + (0.004 if x_side else 0.01), 0 if x_side else z0))
        rig.add(rig.part("flap", node), flap, inner if rng.random() < 0.5 else outer)
        out = tuple(-np.sign(inward) * np.array(axis, float))
        movables.append(Movable(node, "turn", out, np.deg2rad(rng.uniform(110, 230)), long * span, least=0.05))
    drive(rng, rig, movables)
    return rig


def chest(rng: np.random.Generator) -> Rig:
    """A trunk or a suitcase-like box with one lid, flat or rounded."""
    rig = Rig("chest", duration(rng))
    w, h, d, wall = rng.uniform(0.5, 1.0), rng.uniform(0.25, 0.45), rng.uniform(0.35, 0.5), 0.025
    main = surface(rng)
    skin, iron = rig.material(main), rig.material(metal(rng))
    inside = rig.material(shaded(main, 0.7))
    body = rig.part("body")
    rig.add(body, tray((-w / 2, 0, -d / 2), (w / 2, 0, d / 2), wall, h), skin)
    rig.add(body, slab((0, wall + 0.005, 0), (w - 2 * wall, 0.01, d - 2 * wall)), inside)
    straps = np.linspace(-0.36, 0.36, int(rng.integers(2, 4))) * w
    rig.add(body, joined(*(slab((x, h / 2, d / 2 + 0.003), (0.05, h, 0.008)) for x in straps)), iron)
    hinge = rig.node("lid hinge", (0, h, -d / 2))
    lid = rig.part("lid", hinge)
    if rng.random() < 0.5:
        angle = np.linspace(0, np.pi, 9)
        tall = rng.uniform(0.12, 0.24)
        for scale, material in ((1.0, skin), (1.02, iron)):
            arc = np.stack([np.sin(angle) * tall * scale + h, -np.cos(angle) * d / 2 * scale], -1)
            for x0, x1 in [(-w / 2, w / 2)] if scale == 1.0 else [(x - 0.025, x + 0.025) for x in straps]:
                points = np.stack([np.stack([np.full(9, x), arc[:, 0], arc[:, 1]], -1) for x in (x0, x1)])
                rig.add(lid, sheet(points, np.stack([points[..., 2] * 1.4, points[..., 0]], -1), smooth=False), material)
        for x in (-w / 2, w / 2):
            fan = np.stack([np.stack([np.full(9, x), np.full(9, h), arc[:, 1] / 1.02], -1),
                            np.stack([np.full(9, x), (arc[:, 0] - h) / 1.02 + h, arc[:, 1] / 1.02], -1)])
            rig.add(lid, sheet(fan, smooth=False), skin)
    else:
        rig.add(lid, tray((-w / 2, -h - 0.08, -d / 2), (w / 2, 0, d / 2), wall, -h).turned((0, 0, 1), 180), skin)
        rig.add(lid, joined(*(slab((x, h + 0.045, d / 2 + 0.003), (0.05, 0.075, 0.008)) for x in straps)), iron)
    rig.add(lid, slab((0, h + 0.01, d / 2 + 0.012), (0.08, 0.1, 0.02)), iron)
    drive(rng, rig, [Movable(hinge, "turn", (-1, 0, 0), np.deg2rad(rng.uniform(80, 115)))])
    return rig
