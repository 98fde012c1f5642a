"""Curtains that open and close, by morph targets."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import box, joined, sheet, tube
from procedural_library.morphs import stages
from procedural_library.motion import duration, profile
from procedural_library.rig import Rig
from procedural_library.surfaces import cloth, hue, surface
from puppetmaster_core.assets import Material


def curtain(rng: np.random.Generator) -> Rig:
    """Two curtains on a rail before a window, or a roller blind; one or both open."""
    rig = Rig("curtain", duration(rng), heading=rng.uniform(-35, 35))
    w, h = rng.uniform(0.8, 1.3), rng.uniform(0.8, 1.3)
    body, rail = rig.part("window"), rig.material(surface(rng))
    panes = [box((-w / 2 + i * w / 2 + 0.03, 0.05, -0.07), (-w / 2 + (i + 1) * w / 2 - 0.03, h - 0.05, -0.06)) for i in (0, 1)]
    rig.add(body, box((-w / 2, 0, -0.1), (w / 2, h, -0.065)), rail)
    rig.add(body, joined(*panes), rig.material(Material(hue(rng, (0.2, 0.4), (0.75, 0.95), (0.52, 0.62)))))
    rig.add(body, tube([(-0.6 * w, h + 0.03, 0), (0.6 * w, h + 0.03, 0)], 0.015, sides=8), rail)
    skin, folds = rig.material(cloth(rng)), int(rng.integers(4, 8))
    x, y = np.meshgrid(np.linspace(0, 1, 6 * folds + 1), np.linspace(0, 1, 5))
    shared = profile(rng, rig.clock)
    opens, both = rng.random() < 0.5, rng.random() < 0.6
    for i, s in enumerate((-1.0, 1.0)):
        def shape(width, s=s):
            deep = 0.02 + 0.05 * (1 - width)
            return np.stack([s * (0.55 * w - x * width * 0.54 * w), h + 0.02 - y * (h + 0.02) * 1.04,
                             0.03 + deep * np.sin(2 * np.pi * folds * x) * (0.6 + 0.4 * y)], -1)

        start, targets = shape(1.0), [shape(a) for a in (0.6, 0.28)]
        part = rig.part("curtain")
        mesh = sheet(start)
        rig.add(part, mesh, skin, morphs=np.stack([(t - start).reshape(-1, 3) for t in targets]))
        if both or i == 0:
            share = rng.uniform(0.0, 0.15) + rng.uniform(0.6, 0.85) * shared
            stages(rig, part, share if opens else 1 - share, 2)
        else:
            stages(rig, part, np.full(2, rng.choice([0.0, 0.9])), 2)
    return rig
