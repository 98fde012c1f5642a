"""Toilets: lid and seat turn up."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import box, cylinder, lathe
from procedural_library.motion import Movable, drive, duration
from procedural_library.rig import Rig
from procedural_library.surfaces import metal, plain, surface, white
from procedural_library.turns import turn


def toilet(rng: np.random.Generator) -> Rig:
    """A bowl with a cistern; lid and seat turn up."""
    rig = Rig("toilet", duration(rng))
    porcelain = white(rng) if rng.random() < 0.8 else plain(rng)
    skin, seat_skin = rig.material(porcelain), rig.material(porcelain if rng.random() < 0.5 else surface(rng))
    body, h, long = rig.part("bowl"), rng.uniform(0.36, 0.42), rng.uniform(1.15, 1.4)
    r = 0.19
    bowl = lathe([(0, 0), (r * 0.6, 0), (r * 0.5, h * 0.4), (r, h - 0.03), (r, h), (r * 0.8, h), (r * 0.55, h * 0.6),
                  (0, h * 0.5)], 24)
    rig.add(body, bowl.stretched((1, 1, long)), skin)
    back = -r * long
    wide, tall = rng.uniform(0.36, 0.44), rng.uniform(0.3, 0.42)
    rig.add(body, box((-0.12, 0, back - 0.1), (0.12, h, back + 0.14)), skin)
    if rng.random() < 0.8:
        rig.add(body, box((-wide / 2, h - 0.02, back - 0.15), (wide / 2, h + tall, back + 0.02)), skin)
        rig.add(body, box((-wide / 2 - 0.01, h + tall, back - 0.16), (wide / 2 + 0.01, h + tall + 0.03, back + 0.03)), skin)
        knob = rig.node("flush", (0, h + tall + 0.03, back - 0.06))
        rig.add(rig.part("flush", knob), cylinder((0, h + tall + 0.03, back - 0.06), 0.03, 0.015, 12), rig.material(metal(rng)))
    axle = (0, h + 0.012, back + 0.05)
    reach = np.deg2rad(rng.uniform(85, 100))
    movables = []
    for name, y, thick in (("seat", h + 0.004, 0.016), ("lid", h + 0.024, 0.018)):
        node = rig.node(f"{name} hinge", (0, y, axle[2]))
        outer = [(r * 0.62, y), (r * 1.06, y), (r * 1.06, y + thick), (r * 0.62, y + thick), (r * 0.62, y)]
        if name == "lid":
            outer = [(0, y), (r * 1.07, y), (r * 1.07, y + thick), (0, y + thick * 1.4)]
        rig.add(rig.part(name, node), lathe(outer, 24, smooth=False).stretched((1, 1, long * 0.97)), seat_skin)
        movables.append(Movable(node, "turn", (-1, 0, 0), reach * (0.97 if name == "lid" else 0.94)))
    seat, lid = movables
    if rng.random() < 0.35:  # seat and lid together
        drive(rng, rig, [Movable(lid.node, "turn", (-1, 0, 0), reach, follow=[(seat.node, "turn", (-1, 0, 0), 0.96)])])
    elif rng.random() < 0.6:
        drive(rng, rig, [lid])
    else:  # the lid leans against the cistern
        drive(rng, rig, [seat])
        rig.pose(lid.node, turn((-1, 0, 0), reach))
    return rig
