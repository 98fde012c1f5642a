"""Butterflies and dragonflies: stiff patterned wings on a thin body."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import Mesh, ball, joined, sheet, tube
from procedural_library.motion import duration, profile, sway
from procedural_library.rig import Rig
from procedural_library.surfaces import coat, dark, hue, pattern, shaded
from procedural_library.turns import euler


def butterfly(rng: np.random.Generator) -> Rig:
    """A butterfly, a moth or a dragonfly: two pairs of stiff patterned wings on a thin body."""
    rig = Rig("butterfly", duration(rng), heading=rng.uniform(-60, 60))
    base = pattern(rng) if rng.random() < 0.6 else coat(rng, hue(rng))
    skins = [rig.material(base), rig.material(shaded(base, rng.uniform(0.6, 1.0)))]
    black = rig.material(dark(rng))
    body = rig.part("body")
    feelers = [tube([(s * 0.02, 0.03, 0.28), (s * 0.06, 0.1, 0.38), (s * 0.12, 0.14, 0.44)], [0.008, 0.006, 0.01],
                    sides=5) for s in (-1, 1)]
    rig.add(body, joined(tube([(0, 0, -0.35), (0, 0, -0.1), (0, 0.01, 0.15), (0, 0.02, 0.22)], [0.02, 0.032, 0.045, 0.03],
                              sides=8),
                         ball((0, 0.02, 0.27), 0.045, 8, 6), *feelers), black)
    slim = rng.random() < 0.25  # a dragonfly
    cycles, p, size, lag = rng.choice([1.0, 2.0]), rng.uniform(0, 6.28), rng.uniform(0.5, 1.1), rng.uniform(0.0, 0.8)
    rest, go = rng.uniform(0.1, 0.5), profile(rng, rig.clock)
    slow = rng.random() < 0.3
    shapes = [rng.uniform(0.4, 0.6, 2), rng.uniform(0.28, 0.45, 2)]
    for pair, (z, sweep) in enumerate(((0.12, 0.5), (-0.02, -0.55))):
        long, wide = shapes[pair] * ((1.0, 0.3) if slim else (1.0, 1.0))
        for side, s in (("left", 1.0), ("right", -1.0)):
            node = rig.node(f"wing {pair + 1} {side}", (s * 0.025, 0.02, z))
            wing = _blade(long, wide, sweep * (0.4 if slim else 1.0)).moved((0.025, 0.02, z))
            rig.add(rig.part(f"{side} wing", node), wing if s > 0 else wing.mirrored(), skins[pair])
            beat = rest + (1.3 * go if slow else sway(rig.clock, cycles, p - lag * pair, size))
            rig.rotate(node, euler(0, 0, s * beat))
    return rig


def _blade(long: float, wide: float, sweep: float) -> Mesh:
    """A rounded wing in the plane y = 0, from the origin towards +x, turned by `sweep` radians towards +z."""
    share = np.linspace(0.0, 1.0, 9)
    half = wide * np.sin(np.pi * np.clip(share * 0.86 + 0.06, 0, 1)) ** 0.7 * (0.35 + 0.65 * share)
    half[-1] *= 0.4
    x = share[:, None] * long + 0 * np.linspace(-1, 1, 5)
    z = half[:, None] * np.linspace(-1, 1, 5)
    points = np.stack([x * np.cos(sweep) - z * np.sin(sweep), 0 * x, x * np.sin(sweep) + z * np.cos(sweep)], -1)
    return sheet(points)
