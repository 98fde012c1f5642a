"""Blossoms that open and close, by morph targets met one after the other."""

from __future__ import annotations

import numpy as np

from procedural_library.categories.plants import leaf_blade
from procedural_library.mesh import ball, rotation, sheet, tube
from procedural_library.morphs import stages
from procedural_library.motion import duration, profile
from procedural_library.rig import Rig
from procedural_library.surfaces import hue, leaf, paint
from puppetmaster_core.assets import Material


def flower(rng: np.random.Generator) -> Rig:
    """A blossom on a stem that opens or closes."""
    rig = Rig("flower", duration(rng), heading=rng.uniform(-30, 30))
    green, petal_skin = rig.material(leaf(rng)), rig.material(paint(rng))
    heart = rig.material(Material(hue(rng, (0.6, 0.9), (0.5, 0.9), (0.08, 0.16))))
    h, count, long = rng.uniform(0.3, 0.7), int(rng.integers(5, 11)), rng.uniform(0.18, 0.32)
    stem = rig.part("stem")
    rig.add(stem, tube([(0, 0, 0), (0.02, h / 2, 0), (0, h, 0)], 0.015, sides=7), green)
    for i in range(int(rng.integers(1, 4))):
        rig.add(stem, leaf_blade(rng, h * rng.uniform(0.1, 0.4), 2.4 * i, 0.25, 0.05), green)
    rig.add(stem, ball((0, h + 0.015, 0), (0.05, 0.035, 0.05), 12, 7), heart)
    t, across = np.linspace(0, 1, 7)[:, None], np.array([[-1.0, -0.4, 0.4, 1.0]])
    width = long * 0.36 * np.sin(np.pi * np.clip(0.1 + 0.85 * t, 0, 1)) ** 0.7

    def petal(angle: float, open_: float) -> np.ndarray:
        lift = np.deg2rad(88 - 95 * open_) + np.deg2rad(40) * t * (1 - 1.6 * open_)
        step = np.diff(np.concatenate([[[0.0]], t]), axis=0) * long
        out, up = np.cumsum(np.cos(lift) * step, 0), np.cumsum(np.sin(lift) * step, 0)
        curl = 0.35 * width * across**2
        points = np.stack([width * across, h + up + curl * np.cos(lift), 0.035 + out - curl * np.sin(lift)], -1)
        return points @ rotation((0, 1, 0), angle).T

    layers = int(rng.integers(1, 3))
    go = profile(rng, rig.clock, forth=0.65)
    for layer in range(layers):
        part = rig.part("petals")
        for i in range(count):
            angle = 2 * np.pi * (i + 0.5 * layer) / count
            path = [petal(angle, o * (1 - 0.35 * layer)) for o in np.linspace(0.03, rng.uniform(0.8, 0.95), 5)]
            rig.add(part, sheet(path[0]), petal_skin, morphs=np.stack([(p - path[0]).reshape(-1, 3) for p in path[1:]]))
        stages(rig, part, go, 4)
    return rig
