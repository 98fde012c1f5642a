"""Fish, sharks, whales and eels: a wave runs down the body."""

from __future__ import annotations

import numpy as np

from procedural_library.bones import bind, chain, stiff, wave
from procedural_library.mesh import Mesh, ball, joined, sheet, tube
from procedural_library.motion import duration, profile, sway
from procedural_library.rig import Rig
from procedural_library.surfaces import coat, dark, paint, scales, shaded
from procedural_library.turns import euler, turn

_FISH = {  # height and width of the body in lengths, where it is highest, tail fin, waves
    "fish": (0.22, 0.1, 0.4, 0.24, 1.0), "flat fish": (0.34, 0.07, 0.45, 0.3, 0.8), "shark": (0.13, 0.11, 0.38, 0.3, 1.1),
    "whale": (0.17, 0.19, 0.3, 0.3, 0.9), "eel": (0.07, 0.055, 0.3, 0.08, 2.4),
}


def fish(rng: np.random.Generator) -> Rig:
    """A swimmer that faces +z before it is turned; whales beat up and down, the others sideways."""
    kind = str(rng.choice(list(_FISH), p=[0.35, 0.2, 0.17, 0.15, 0.13]))
    high, wide, front, tail, bend = _FISH[kind]
    high, wide = high * rng.uniform(0.8, 1.25), wide * rng.uniform(0.8, 1.25)
    rig = Rig(kind, duration(rng), heading=rng.uniform(35, 110) * rng.choice([-1, 1]))
    hide = coat(rng, (0.45, 0.5, 0.56)) if kind in ("shark", "whale") else scales(rng)
    skin = rig.material(hide)
    fin = rig.material(shaded(hide, rng.uniform(0.55, 0.9)) if rng.random() < 0.6 else paint(rng))
    z = np.linspace(0.5, -0.5, 7)
    bones = chain(rig, "spine", [(0, 0, a) for a in z])
    share = np.linspace(0, 1, 7)
    swell = np.where(share < front, np.sin(np.pi / 2 * (0.25 + 0.75 * share / front)),
                     np.cos(np.pi / 2 * ((share - front) / (1 - front))) ** 0.8)
    swell = np.maximum(swell, 0.13 if kind != "eel" else 0.35)
    split = rng.random() < 0.6
    body = rig.part("body")
    trunk = tube([(0, 0, a) for a in z], np.stack([swell * wide, swell * high], 1), sides=14, per_span=4)
    rig.add(body, trunk, skin, bones=bind(trunk.along, bones, 0.5))
    lying = kind == "whale"
    blade = _caudal(tail * rng.uniform(0.8, 1.2), -0.5, lying, notch=rng.uniform(0.2, 0.7))
    rig.add(rig.part("tail fin") if split else body, blade, fin, bones=stiff(blade, bones[-1]))
    crest = _crest(rng, kind, high * swell, z)
    rig.add(body, crest, fin, bones=bind(np.clip((0.5 - crest.vertices[:, 2]) * 6, 0, 6), bones, 0.5))
    sides = []
    for side, s in (("left", 1.0), ("right", -1.0)):
        root = np.array((s * wide * 0.8, -0.25 * high, 0.2))
        node = rig.node(f"{side} fin", root, bones[1])
        flap = _flipper(root, s, 0.18 * (1.5 if kind in ("shark", "whale") else 1.0) * rng.uniform(0.7, 1.2))
        rig.add(rig.part(f"{side} fin") if split else body, flap, fin, bones=stiff(flap, node))
        sides.append((node, s))
    eyes = joined(*(ball((s * wide * 0.72, 0.2 * high, 0.43), (0.012, 0.022, 0.022), 8, 6) for s in (-1, 1)))
    rig.add(body, eyes, rig.material(dark(rng)), bones=stiff(eyes, bones[0]))
    _swim(rng, rig, bones, sides, bend, lying)
    return rig


def _swim(rng, rig, bones, sides, bend, lying) -> None:
    cycles, phase = rng.choice([1.0, 2.0]), rng.uniform(0, 6.28)
    size = rng.uniform(0.12, 0.24) * np.linspace(0.25, 1.35, len(bones))
    if rng.random() < 0.2:  # one slow turn instead of a beat
        go = rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.0) * profile(rng, rig.clock)
        for bone, a in zip(bones[2:], size[2:], strict=True):
            rig.rotate(bone, turn((1, 0, 0) if lying else (0, 1, 0), a * 1.6 * go))
    else:
        wave(rig, bones, (1, 0, 0) if lying else (0, 1, 0), size, cycles, 0.75 * bend, phase)
    if rng.random() < 0.7:
        for node, s in sides:
            rig.rotate(node, euler(0.0, 0.0, s * (sway(rig.clock, cycles, phase, 0.3) - 0.2)))


def _caudal(size: float, z: float, lying: bool, notch: float) -> Mesh:
    """A tail fin of two lobes behind z."""
    t = np.linspace(-1, 1, 9)
    back = z - size * (0.35 + 0.45 * np.abs(t) ** (0.6 + notch) + 0.1)
    rows = [np.stack([0 * t, 0.02 * t, 0 * t + z + 0.05], 1), np.stack([0 * t, 0.75 * size * t, back], 1)]
    middle = (rows[0] + rows[1]) / 2 * (1, 0.75, 1)
    points = np.stack([rows[0], middle, rows[1]])
    return sheet(points[..., [1, 0, 2]] if lying else points)


def _crest(rng, kind, half, z) -> Mesh:
    """The back fin: a triangle on sharks and whales, a long sail on the others."""
    where = np.linspace(0.15, -0.1, 5) if kind in ("shark", "whale") else np.linspace(0.22, -0.38, 7)
    base = np.interp(-where, -z, half) * 0.9
    share = np.linspace(0, 1, len(where))
    tall = rng.uniform(0.08, 0.18) * (share**0.7 * (1 - share**4) if len(where) == 5 else np.sin(np.pi * (0.15 + 0.8 * share)))
    if kind == "eel":
        tall = tall * 0.35
    lean = 0.1 if len(where) == 5 else 0.04
    return sheet(np.stack([np.stack([0 * base, base, where], 1), np.stack([0 * base, base + tall, where - lean], 1)]))


def _flipper(root, s, size) -> Mesh:
    t = np.linspace(0, 1, 5)[:, None]
    chord = size * 0.4 * (1 - 0.75 * t**2) * np.array([[-1.0, 0.0, 1.0]])
    points = np.stack([root[0] + s * size * 0.9 * t + 0 * chord, root[1] - 0.25 * size * t + 0 * chord,
                       root[2] - 0.7 * size * t + chord], -1)
    return sheet(points)
