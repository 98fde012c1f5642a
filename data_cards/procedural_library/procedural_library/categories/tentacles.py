"""Octopuses and jellyfish."""

from __future__ import annotations

import numpy as np

from procedural_library.bones import chain, limb, stiff, wave
from procedural_library.mesh import ball, joined, lathe
from procedural_library.motion import duration, sway
from procedural_library.rig import Rig
from procedural_library.surfaces import coat, dark, hue, paint, shaded, white


def octopus(rng: np.random.Generator) -> Rig:
    """An octopus or a jellyfish: tentacles of four bones around a head or a bell."""
    jelly = rng.random() < 0.4
    rig = Rig("jellyfish" if jelly else "octopus", duration(rng))
    hide = paint(rng) if jelly or rng.random() < 0.5 else coat(rng, hue(rng))
    skin, other = rig.material(hide), rig.material(shaded(hide, 0.75))
    middle = rig.node("head", (0, 0.55, 0))
    body = rig.part("head")
    if jelly:
        bell = lathe([(0.0, 0.5), (0.26, 0.5), (0.34, 0.47), (0.36, 0.55), (0.28, 0.74), (0.14, 0.84), (0, 0.86)], 18)
    else:
        bell = ball((0, 0.72, -0.04), (0.24, 0.32, 0.27), 14, 10)
    rig.add(body, bell, skin, bones=stiff(bell, middle))
    if not jelly:
        for radius, z, material in ((0.065, 0.19, rig.material(white(rng))), (0.035, 0.245, rig.material(dark(rng)))):
            eyes = joined(*(ball((s * 0.12, 0.66, z), radius, 8, 6) for s in (-1, 1)))
            rig.add(body, eyes, material, bones=stiff(eyes, middle))
    count, cycles, phase = int(rng.integers(5, 9)), rng.choice([1.0, 2.0]), rng.uniform(0, 6.28)
    size, lag, spread = rng.uniform(0.15, 0.4), rng.uniform(0.4, 0.9), rng.uniform(0.3, 0.7) if not jelly else 0.1
    still = rng.random(count) < (0.3 if rng.random() < 0.4 else 0.0)
    for i in range(count):
        angle = 2 * np.pi * (i + 0.5) / count
        out = np.array((np.sin(angle), 0, np.cos(angle)))
        root = out * (0.24 if jelly else 0.15) + (0, 0.5, 0)
        points = [root, root + out * 0.25 * spread + (0, -0.14, 0), root + out * 0.6 * spread + (0, -0.32, 0),
                  root + out * 0.95 * spread + (0, -0.42 - 0.1 * jelly, 0),
                  root + out * 1.3 * spread + (0, -0.46 - 0.25 * jelly, 0)]
        bones = chain(rig, f"tentacle {i + 1}", points, middle)
        thick = np.array([0.08, 0.065, 0.05, 0.035, 0.015]) * (0.5 if jelly else 1.0)
        limb(rig, rig.part("tentacle"), points, thick, bones, other, base=middle, sides=8, per_span=3)
        if not still[i]:
            axis = np.cross(out, (0, 1, 0)) if jelly or rng.random() < 0.7 else (0, 1, 0)
            wave(rig, bones, axis, size * np.linspace(0.6, 1.2, 4), cycles, lag, phase + (0 if jelly else rng.uniform(0, 6.28)))
    if jelly:
        pulse = 1 + sway(rig.clock, cycles, phase, 0.08)
        rig.key(middle, "scale", np.stack([pulse, 2 - pulse, pulse], 1))
    return rig
