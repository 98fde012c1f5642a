"""Soft things that are pressed, swell or wobble, by morph targets."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import ball, joined, slab
from procedural_library.motion import duration, profile, sway
from procedural_library.rig import Rig
from procedural_library.surfaces import cloth, dark, paint, surface, white


def plush(rng: np.random.Generator) -> Rig:
    """A soft ball, a cushion or a jelly with a face that is pressed, swells or wobbles; it stands on a board that stays."""
    kind = str(rng.choice(["cushion", "jelly", "ball", "balloon"]))
    rig = Rig(kind, duration(rng), heading=rng.uniform(-40, 40))
    skin = rig.material(cloth(rng) if kind != "jelly" else paint(rng))
    board = rig.part("board")
    rig.add(board, slab((0, -0.02, 0), (0.9, 0.04, 0.7)), rig.material(surface(rng)))
    base = {"cushion": (0.36, 0.13, 0.28), "jelly": (0.26, 0.24, 0.26), "ball": (0.26, 0.26, 0.26),
            "balloon": (0.24, 0.3, 0.24)}[kind]
    radii = np.array(base) * rng.uniform(0.85, 1.15, 3)
    mesh = ball((0, radii[1], 0), radii, 22, 14)
    pieces = [(mesh, skin)]
    if kind in ("jelly", "ball") and rng.random() < 0.7:
        eyes = joined(*(ball((s * 0.35 * radii[0], 1.25 * radii[1], 0.88 * radii[2]), 0.035, 8, 6) for s in (-1, 1)))
        pieces.append((eyes, rig.material(dark(rng) if rng.random() < 0.7 else white(rng))))
    part = rig.part(kind)
    spot = np.array((rng.uniform(-0.4, 0.4) * radii[0], 2 * radii[1], rng.uniform(-0.3, 0.3) * radii[2]))
    for piece, material in pieces:
        v = piece.vertices
        rise = v[:, 1] / (2 * radii[1])
        squash = np.stack([0.3 * v[:, 0], -0.4 * v[:, 1], 0.3 * v[:, 2]], 1)
        lean = np.stack([rise**1.5, -0.2 * rise**2, 0 * rise], 1) * 0.22
        dent = -np.exp(-((v - spot) ** 2).sum(1) / (0.14**2))[:, None] * np.array((0, 0.75 * radii[1], 0))
        rig.add(part, piece, material, morphs=np.stack([squash, lean, dent]))
    cycles, p, go = rng.choice([1.0, 2.0]), rng.uniform(0, 6.28), profile(rng, rig.clock)
    still = 0 * rig.clock
    rig.key(part, "weights", np.stack({
        0: [go, still, still], 1: [sway(rig.clock, cycles, p, 0.5) + 0.2, still, still],
                                       2: [still, sway(rig.clock, cycles, p), still],
        3: [0.15 * go, still, go], 4: [0.4 * (1 - go), 0.8 * go, still],
    }[int(rng.integers(5))], 1))
    return rig
