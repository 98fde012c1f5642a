"""Flags, pennants and washing in the wind: a wave of two morph targets."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import ball, cylinder, joined, sheet, tube
from procedural_library.morphs import running_wave
from procedural_library.motion import duration
from procedural_library.rig import Rig
from procedural_library.surfaces import cloth, metal, wood


def flag(rng: np.random.Generator) -> Rig:
    """A flag or a pennant on a pole, or washing on a line, in the wind."""
    kind = str(rng.choice(["flag", "pennant", "washing"], p=[0.5, 0.2, 0.3]))
    rig = Rig(kind, duration(rng), heading=rng.uniform(-50, 50))
    pole = rig.material(metal(rng) if rng.random() < 0.5 else wood(rng))
    w, h = rng.uniform(0.5, 0.9), rng.uniform(0.3, 0.6)
    x, y = np.meshgrid(np.linspace(0, 1, 17), np.linspace(0, 1, 7))
    waves, size = rng.uniform(0.6, 1.6), rng.uniform(0.05, 0.12)
    if kind == "washing":
        top = h + 0.5
        rig.add(rig.part("line"), joined(cylinder((-0.75, 0, 0), 0.02, top + 0.05, 8),
                                         cylinder((0.75, 0, 0), 0.02, top + 0.05, 8),
                                         tube([(-0.75, top, 0), (0, top - 0.02, 0), (0.75, top, 0)], 0.006, sides=5)), pole)
        count = int(rng.integers(1, 4))
        for i in range(count):
            mid, wide, long = (i + 0.5) / count * 1.4 - 0.7, 1.1 / count * rng.uniform(0.6, 1.0), h * rng.uniform(0.7, 1.2)
            points = np.stack([mid + (x - 0.5) * wide, top - 0.01 - y * long, 0 * x], -1)
            _cloth(rng, rig, points, y**1.2 * size * 1.5, 2 * np.pi * (0.5 * waves * x + 0.3 * y), "cloth")
        return rig
    rise = rng.uniform(0.9, 1.4)
    stand = rig.part("pole")
    rig.add(stand, joined(cylinder((0, 0, 0), 0.02, rise, 10), cylinder((0, 0, 0), 0.12, 0.03, 16)), pole)
    rig.add(stand, ball((0, rise, 0), 0.035, 10, 7), pole)
    narrow = 1 - (x * rng.uniform(0.6, 1.0) if kind == "pennant" else 0)
    points = np.stack([0.02 + x * w, rise - 0.04 - h / 2 + (0.5 - y) * h * narrow, 0 * x], -1)
    _cloth(rng, rig, points, x * size * 1.4, 2 * np.pi * waves * x, "flag")
    return rig


def _cloth(rng, rig: Rig, points, size, where, name: str) -> None:
    """A hanging or flying cloth with a wave of `size` at phase `where` (rows, columns) running through it, out of its plane."""
    part = rig.part(name)
    out = np.stack([0.25 * np.stack([-size, 0 * size], -1)[..., 0], 0 * size, size], -1)
    targets = np.stack([(out * np.sin(where)[..., None]).reshape(-1, 3), (out * np.cos(where)[..., None]).reshape(-1, 3)])
    rig.add(part, sheet(points), rig.material(cloth(rng)), morphs=targets)
    running_wave(rig, part, rng.choice([1.0, 2.0]), rng.uniform(0, 6.28))
