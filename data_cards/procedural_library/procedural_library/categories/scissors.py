"""Two halves that cross at a rivet: scissors, pliers, tongs."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import ball, cylinder, oriented, plate, ring, tube
from procedural_library.motion import duration, profile
from procedural_library.rig import Rig
from procedural_library.surfaces import dark, metal, paint
from procedural_library.turns import turn


def scissors(rng: np.random.Generator) -> Rig:
    """Two halves crossing at a rivet, standing in the picture plane: scissors, pliers or tongs."""
    kind = str(rng.choice(["scissors", "scissors", "pliers", "tongs"]))
    rig = Rig(kind, duration(rng), heading=rng.uniform(-40, 40))
    steel, grip = rig.material(metal(rng)), rig.material(paint(rng) if rng.random() < 0.7 else dark(rng))
    long, back = rng.uniform(0.45, 0.75), rng.uniform(0.3, 0.5)
    tilt = rng.uniform(0, 2 * np.pi)
    half_open = np.deg2rad(rng.uniform(12, 32) if kind != "pliers" else rng.uniform(8, 20))
    nodes = []
    for i, s in enumerate((1.0, -1.0)):
        node = rig.node(f"half {i + 1}", (0, 0, 0.012 * s))
        part = rig.part("blade" if kind == "scissors" else "jaw", node)
        for mesh, material in _half(kind, long, back, steel, grip, rng if i == 0 else None):
            mesh = mesh if s > 0 else mesh.turned((0, 1, 0), 180)
            rig.add(part, mesh.moved((0, 0, 0.014 * s)).turned((0, 0, 1), np.rad2deg(tilt)), material)
        nodes.append(node)
    rig.add(0, oriented(cylinder((0, -0.03, 0), 0.026, 0.06, 12), (0, 0, 1)), steel)
    go = profile(rng, rig.clock) if rng.random() < 0.7 else 0.5 - 0.5 * np.cos(2 * np.pi * rig.clock * rng.choice([1, 2]))
    go = go if rng.random() < 0.5 else 1 - go
    low, one = rng.uniform(0.02, 0.25), rng.random() < 0.35
    angle = half_open * (low + (1 - low) * go)
    for i, (node, s) in enumerate(zip(nodes, (1.0, -1.0), strict=True)):
        if one:  # one half is held still
            rig.rotate(node, turn((0, 0, 1), -half_open + 0 * go if i else 2 * angle - half_open))
        else:
            rig.rotate(node, turn((0, 0, 1), s * angle))
    return rig


def _half(kind, long, back, steel, grip, rng):
    """One half: the blade up along +y, the handle down and across to the other side."""
    if kind == "scissors":
        blade = plate([(-0.035, -0.05), (0.035, -0.05), (0.05, 0.1), (0.02, long * 0.8), (0.0, long), (-0.012, 0.1)], 0.02)
        shank = tube([(0.0, -0.02, 0), (0.03, -0.4 * back, 0), (0.06, -0.62 * back, 0)],
                     [(0.035, 0.014), (0.025, 0.014), (0.022, 0.016)])
        loop = ring((0.1, -0.62 * back - 0.1, 0), 0.095, 0.022, (0, 0, 1), 8, 18).stretched((0.85, 1.25, 1),
                                                                                            (0.1, -0.62 * back - 0.1, 0))
        return [(blade, steel), (shank, grip), (loop, grip)]
    if kind == "pliers":
        jaw = tube([(0.0, -0.04, 0), (0.06, 0.08, 0), (0.03, long * 0.42, 0)], [(0.06, 0.03), (0.07, 0.03), (0.03, 0.02)])
        arm = tube([(0.0, 0.0, 0), (0.06, -0.3 * back, 0), (0.1, -0.9 * back, 0), (0.08, -1.4 * back, 0)],
                   [0.04, 0.04, 0.04, 0.034])
        return [(jaw, steel), (arm, grip)]
    arm = tube([(-0.01, -0.08, 0), (0.12, 0.3 * long, 0), (0.08, 0.8 * long, 0), (0.01, 1.1 * long, 0)],
               [(0.03, 0.01), (0.03, 0.008), (0.03, 0.008), (0.05, 0.01)])
    return [(arm, steel), (ball((0.02, 1.05 * long, 0), (0.03, 0.07, 0.05), 8, 6), grip)]
