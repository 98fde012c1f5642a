"""Snakes and worms."""

from __future__ import annotations

import numpy as np

from procedural_library.bones import bind, chain, stiff, wave
from procedural_library.mesh import ball, joined, tube
from procedural_library.motion import duration, profile, sway
from procedural_library.rig import Rig
from procedural_library.surfaces import dark, hue, scales
from procedural_library.turns import euler
from puppetmaster_core.assets import Material


def snake(rng: np.random.Generator) -> Rig:
    """A snake or a worm that winds, or rears its head."""
    rig = Rig("snake", duration(rng), heading=rng.uniform(0, 360))
    hide = scales(rng) if rng.random() < 0.8 else Material(hue(rng, (0.2, 0.5), (0.5, 0.8), (0.0, 0.1)))
    skin, count = rig.material(hide), 10
    z = np.linspace(0.6, -0.6, count + 1)
    bend, waves = rng.uniform(0.06, 0.14), rng.uniform(1.0, 1.8)
    points = np.stack([bend * np.sin(2 * np.pi * waves * (z + 0.6)), 0 * z + 0.05, z], 1)
    # The tail is the root, so that the head end can rear; bones run forwards.
    bones = chain(rig, "spine", points[::-1])
    radius = np.interp(np.linspace(0, 1, count + 1), [0, 0.35, 0.85, 0.93, 1.0],
                       [0.008, 0.045, 0.05, 0.035, 0.05]) * rng.uniform(0.8, 1.3)
    body = rig.part("body")
    trunk = tube(points[::-1], radius, sides=10, per_span=4)
    rig.add(body, trunk, skin, bones=bind(trunk.along, bones, 0.5))
    head = ball(points[0] + (0, 0.01, 0.03), (0.055, 0.042, 0.085), 12, 8)
    rig.add(rig.part("head"), head, skin, bones=stiff(head, bones[-1]))
    eyes = joined(*(ball(points[0] + (s * 0.04, 0.035, 0.065), 0.011, 6, 5) for s in (-1, 1)))
    rig.add(1, eyes, rig.material(dark(rng)), bones=stiff(eyes, bones[-1]))
    if rng.random() < 0.55:
        wave(rig, bones, (0, 1, 0), rng.uniform(0.12, 0.3), rng.choice([1.0, 2.0]), rng.uniform(0.7, 1.3), rng.uniform(0, 6.28))
    else:
        go = profile(rng, rig.clock, forth=0.6)
        for i, up in ((5, -0.5), (6, -0.45), (7, -0.3), (8, 0.35), (9, 0.55)):
            rig.rotate(bones[i], euler(up * go * rng.uniform(0.8, 1.2), 0.15 * sway(rig.clock, 1.0, -i)))
    return rig
