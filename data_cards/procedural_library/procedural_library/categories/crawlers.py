"""Spiders, beetles, ants and crabs: rigid legs of two joints each in a gait, claws and jaws that open."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import ball, joined, tube
from procedural_library.motion import duration, profile, sway
from procedural_library.rig import Rig
from procedural_library.surfaces import coat, dark, hue, paint, shaded
from procedural_library.turns import euler


def crawler(rng: np.random.Generator) -> Rig:
    """Six or eight legs around a body of one to three balls."""
    kind = str(rng.choice(["spider", "beetle", "ant", "crab"]))
    rig = Rig(kind, duration(rng), heading=rng.uniform(-80, 80))
    shell = paint(rng) if rng.random() < 0.5 else coat(rng, hue(rng, (0.2, 0.7), (0.2, 0.7)))
    skin, other, black = rig.material(shell), rig.material(shaded(shell, 0.7)), rig.material(dark(rng))
    body = rig.part("body")
    for centre, radii in {
        "spider": [((0, 0.25, -0.2), (0.2, 0.17, 0.24)), ((0, 0.23, 0.1), (0.13, 0.1, 0.15))],
        "beetle": [((0, 0.2, -0.05), (0.22, 0.15, 0.32)), ((0, 0.18, 0.3), (0.13, 0.1, 0.11))],
        "ant": [((0, 0.24, -0.3), (0.14, 0.13, 0.2)), ((0, 0.22, 0.0), (0.08, 0.08, 0.14)), ((0, 0.25, 0.25), (0.12, 0.1, 0.13))],
        "crab": [((0, 0.22, 0.0), (0.33, 0.12, 0.22))],
    }[kind]:
        rig.add(body, ball(centre, radii, 14, 9), skin)
    front = {"spider": 0.22, "beetle": 0.39, "ant": 0.36, "crab": 0.2}[kind]
    rig.add(body, joined(*(ball((s * 0.06, 0.27, front), 0.03, 8, 6) for s in (-1, 1))), black)
    if kind in ("beetle", "ant"):
        feelers = [tube([(s * 0.05, 0.27, front), (s * 0.14, 0.4, front + 0.12), (s * 0.2, 0.38, front + 0.26)],
                        [0.012, 0.01, 0.006], sides=5)
                   for s in (-1, 1)]
        rig.add(body, joined(*feelers), other)
    pairs = 3 if kind in ("beetle", "ant") else 4
    moving = rng.random() < 0.8
    cycles, phase, swing = rng.choice([1.0, 2.0]), rng.uniform(0, 6.28), rng.uniform(0.2, 0.42)
    for i, z in enumerate(np.linspace(0.2, -0.15, pairs) if kind != "crab" else np.linspace(0.05, -0.15, pairs)):
        for side, s in (("left", 1.0), ("right", -1.0)):
            beat = phase + np.pi * ((i + (s > 0)) % 2)
            _leg(rig, f"{side} leg", s, z, (i - (pairs - 1) / 2) * -0.4, kind, other, (cycles, beat, swing) if moving else None)
    if kind in ("crab", "beetle") or rng.random() < 0.3:
        _claws(rng, rig, front, 0.26 if kind == "crab" else 0.1, 1.0 if kind == "crab" else 0.55, skin,
               open_=not moving or rng.random() < 0.5)
    elif not moving:
        go = profile(rng, rig.clock)
        rig.slide(0, np.stack([0 * go, -0.1 * go, 0 * go], 1))
    return rig


def _leg(rig, name, s, z, fan, kind, material, gait) -> None:
    """A leg up and out to its knee and down to the floor; `fan` turns it forwards."""
    reach = {"spider": 0.62, "beetle": 0.42, "ant": 0.46, "crab": 0.5}[kind]
    out = np.array((s * np.cos(fan), 0, np.sin(fan)))
    root = np.array((s * (0.25 if kind == "crab" else 0.09), 0.22, z))
    knee, foot = root + out * 0.5 * reach + (0, 0.22 * reach / 0.5, 0), root + out * reach
    foot[1] = 0.0
    thick = 0.024 if kind != "crab" else 0.034
    hip = rig.node(f"{name} hip", root)
    lower = rig.node(f"{name} knee", knee, hip)
    rig.add(rig.part(name, hip), tube([root, knee], [thick * 1.2, thick], sides=6, per_span=1), material)
    rig.add(rig.part(name, lower), tube([knee, foot], [thick, thick * 0.45], sides=6, per_span=1), material)
    if gait:
        cycles, beat, swing = gait
        lift = np.maximum(0, sway(rig.clock, cycles, beat + np.pi / 2, 0.5 * swing))
        rig.rotate(hip, euler(0.0, -s * sway(rig.clock, cycles, beat, swing), s * lift))
        rig.rotate(lower, euler(0.0, 0.0, -s * 0.6 * lift))


def _claws(rng, rig, front, apart, size, material, open_) -> None:
    """Two arms with a finger each that opens."""
    go = profile(rng, rig.clock) if rng.random() < 0.5 else 0.5 - 0.5 * np.cos(2 * np.pi * rig.clock)
    for side, s in (("left", 1.0), ("right", -1.0)):
        root = np.array((s * apart, 0.2, front - 0.06))
        wrist = root + np.array((s * 0.14, 0.06, 0.16)) * size
        arm = rig.node(f"{side} claw arm", root)
        part = rig.part(f"{side} claw", arm)
        tip = wrist + np.array((-s * 0.05, 0.0, 0.26)) * size
        rig.add(part, joined(tube([root, wrist], 0.035 * size, sides=8),
                             tube([wrist, wrist + np.array((0, 0, 0.1)) * size, tip], np.array([0.05, 0.085, 0.015]) * size,
                                  sides=8)), material)
        finger = rig.node(f"{side} finger", wrist, arm)
        thumb = tube([wrist, wrist + np.array((-s * 0.11, 0, 0.12)) * size, tip + np.array((-s * 0.04, 0, -0.02)) * size],
                     np.array([0.03, 0.05, 0.01]) * size, sides=8)
        rig.add(rig.part(f"{side} finger", finger), thumb, material)
        if open_:
            rig.rotate(finger, euler(0, -s * rng.uniform(0.4, 0.8) * go))
            if rng.random() < 0.5:
                rig.rotate(arm, euler(-0.5 * go, 0, 0))
