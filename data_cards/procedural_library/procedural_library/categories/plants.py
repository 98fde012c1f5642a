"""Pot plants, reeds and small trees that sway or droop, by morph targets."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import Mesh, ball, lathe, rotation, sheet, tube
from procedural_library.motion import duration, profile, sway
from procedural_library.rig import Rig
from procedural_library.surfaces import leaf, paint, plain, wood
from puppetmaster_core.assets import Material


def plant(rng: np.random.Generator) -> Rig:
    """A pot plant, reeds, or a small tree whose leaves sway or droop; the pot stands still."""
    kind = str(rng.choice(["leaves", "reeds", "tree", "cactus"], p=[0.4, 0.2, 0.28, 0.12]))
    rig = Rig(kind, duration(rng), heading=rng.uniform(0, 360))
    pot_skin, earth = rig.material(plain(rng) if rng.random() < 0.6 else paint(rng)), rig.material(Material((0.25, 0.18, 0.12)))
    r, h = rng.uniform(0.1, 0.16), rng.uniform(0.14, 0.24)
    pot = rig.part("pot")
    rig.add(pot, lathe([(0, 0), (0.7 * r, 0), (r, h), (r * 1.08, h), (r * 1.08, h - 0.03)], 18), pot_skin)
    rig.add(pot, lathe([(r, h - 0.01), (0, h - 0.01)], 18), earth)
    skin, flower = rig.material(leaf(rng)), rig.material(paint(rng))
    part, pieces = rig.part("plant"), []
    if kind == "leaves":
        for i in range(int(rng.integers(6, 13))):
            pieces.append((leaf_blade(rng, h, 2 * np.pi * i * 0.382, rng.uniform(0.3, 0.6), rng.uniform(0.03, 0.07)), skin))
    elif kind == "reeds":
        for i in range(int(rng.integers(5, 12))):
            pieces.append((leaf_blade(rng, h, 2 * np.pi * i * 0.382, rng.uniform(0.5, 0.9), 0.018, upright=0.8), skin))
            if rng.random() < 0.3:
                tip = pieces[-1][0].vertices[-2]
                pieces.append((ball(tip, 0.03, 8, 5), flower))
    elif kind == "tree":
        bark = rig.material(wood(rng))
        tall = rng.uniform(0.35, 0.6)
        pieces.append((tube([(0, h - 0.02, 0), (0.01, h + tall / 2, 0), (0, h + tall, 0)], [0.03, 0.025, 0.018], sides=8), bark))
        for _ in range(int(rng.integers(3, 8))):
            at = np.array((rng.uniform(-0.15, 0.15), h + tall * rng.uniform(0.8, 1.25), rng.uniform(-0.15, 0.15)))
            pieces.append((ball(at, rng.uniform(0.1, 0.2), 10, 7), skin))
    else:
        tall = rng.uniform(0.35, 0.6)
        pieces.append((tube([(0, h - 0.03, 0), (0, h + tall / 2, 0), (0, h + tall, 0)], [0.07, 0.085, 0.07], sides=10), skin))
        for s in (-1, 1):
            y = h + tall * rng.uniform(0.3, 0.6)
            pieces.append((tube([(0, y, 0), (s * 0.14, y, 0), (s * 0.16, y + 0.16, 0)], 0.045, sides=8), skin))
        pieces.append((ball((0, h + tall + 0.06, 0), 0.05, 8, 6), flower))
    _sway(rng, rig, part, pieces, h)
    return rig


def leaf_blade(rng, y: float, angle: float, long: float, wide: float, upright: float = 0.35) -> Mesh:
    """A leaf that arches from the pot's middle outwards."""
    t = np.linspace(0, 1, 8)[:, None]
    across = np.array([[-1.0, 0.0, 1.0]])
    rise = upright + rng.uniform(0.1, 0.35)
    out, up = long * (0.2 + (1 - rise)) * t**1.4, long * rise * (1.5 * t - 0.75 * t**2)
    width = wide * np.sin(np.pi * np.clip(0.12 + 0.86 * t, 0, 1)) ** 0.8
    points = np.stack([width * across, y + up + 0 * across - 0.3 * width * np.abs(across), out + 0 * across], -1)
    return sheet(points @ rotation((0, 1, 0), angle).T)


def _sway(rng, rig: Rig, part: int, pieces: list, root: float) -> None:
    """Bend everything in two directions with the height over `root`, and flutter each piece on its own a little."""
    top = max(mesh.vertices[:, 1].max() for mesh, _ in pieces)
    size, aside = rng.uniform(0.08, 0.22), rng.uniform(0, 6.28)
    for mesh, material in pieces:
        rise = np.clip((mesh.vertices[:, 1] - root) / (top - root), 0, None) ** 1.6
        far = np.hypot(mesh.vertices[:, 0], mesh.vertices[:, 2]) / 0.4
        phase = rng.uniform(0, 6.28)
        bend = np.stack([rise * np.cos(aside), -0.3 * rise**2, rise * np.sin(aside)], 1) * size
        flutter = np.stack([-rise * np.sin(aside), 0.8 * far * rise * np.sin(phase), rise * np.cos(aside)],
                           1) * size * 0.5 * np.cos(phase)
        droop = np.stack([0 * far, -far**1.5, 0 * far], 1) * size * 1.3
        rig.add(part, mesh, material, morphs=np.stack([bend, flutter, droop]))
    cycles, p = rng.choice([1.0, 2.0]), rng.uniform(0, 6.28)
    if rng.random() < 0.65:
        weights = [sway(rig.clock, cycles, p), sway(rig.clock, 2 * cycles, p, 0.5), 0 * rig.clock]
    else:
        go = profile(rng, rig.clock)
        weights = [0.3 * go, 0 * go, (go if rng.random() < 0.6 else 1 - go) * rng.uniform(0.8, 1.5)]
    rig.key(part, "weights", np.stack(weights, 1))
