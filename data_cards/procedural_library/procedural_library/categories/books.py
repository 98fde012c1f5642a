"""Books that open."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import box, joined
from procedural_library.motion import Movable, drive, duration
from procedural_library.rig import Rig
from procedural_library.surfaces import paint, pattern, shaded, white


def book(rng: np.random.Generator) -> Rig:
    """A book that lies down; its cover and a sheaf of pages turn over."""
    rig = Rig("book", duration(rng), heading=rng.uniform(-40, 40))
    w, h, thick = rng.uniform(0.3, 0.45), rng.uniform(0.4, 0.6), rng.uniform(0.03, 0.1)
    cover = paint(rng) if rng.random() < 0.5 else pattern(rng)
    skin, paper = rig.material(cover), rig.material(white(rng))
    body = rig.part("book")
    rig.add(body, joined(box((0, 0, -h / 2), (w, 0.008, h / 2)), box((-0.006, 0, -h / 2), (0.002, thick, h / 2))), skin)
    split = rng.uniform(0.3, 0.8)
    rig.add(body, box((0.004, 0.008, -0.48 * h), (0.97 * w, 0.008 + split * (thick - 0.02), 0.48 * h)), paper)
    front = rig.node("cover hinge", (0, thick, 0))
    rig.add(rig.part("cover", front), box((0, thick - 0.008, -h / 2), (w, thick, h / 2)), skin)
    low = 0.008 + split * (thick - 0.02)
    sheaf = rig.node("pages hinge", (0, thick - 0.01, 0))
    rig.add(rig.part("pages", sheaf), box((0.004, low, -0.48 * h), (0.97 * w, thick - 0.009, 0.48 * h)),
            rig.material(shaded(white(rng), 0.97)))
    reach = np.deg2rad(rng.uniform(110, 165))
    both = [(sheaf, "turn", (0, 0, 1), rng.uniform(0.5, 0.9))] if rng.random() < 0.4 else []
    drive(rng, rig, [Movable(front, "turn", (0, 0, 1), reach, follow=both)])
    return rig
