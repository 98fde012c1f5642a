"""Birds that flap, fold their wings or peck."""

from __future__ import annotations

import numpy as np

from procedural_library.bones import bind, chain, limb, stiff
from procedural_library.mesh import Mesh, ball, joined, sheet, tube, vec
from procedural_library.motion import duration, profile, sway
from procedural_library.rig import Rig
from procedural_library.surfaces import coat, dark, hue, shaded
from procedural_library.turns import euler
from puppetmaster_core.assets import Material


def bird(rng: np.random.Generator) -> Rig:
    """A body with a neck, a beak, a tail, legs and two wings of three bones each."""
    rig = Rig("bird", duration(rng), heading=rng.uniform(-70, 70))
    plumage = coat(rng, hue(rng, (0.1, 0.7), (0.35, 0.9)))
    skin, wing_skin = rig.material(plumage), rig.material(shaded(plumage, rng.uniform(0.6, 1.0)))
    horn, black = rig.material(Material(hue(rng, (0.6, 0.9), (0.6, 0.9), (0.04, 0.14)))), rig.material(dark(rng))
    slim, long_neck = rng.uniform(0.75, 1.15), rng.uniform(0.05, 0.35) if rng.random() < 0.7 else rng.uniform(0.35, 0.6)
    body, limbs = rig.part("body"), rng.random() < 0.65
    hips = rig.node("body", (0, 0.5, 0))
    trunk = tube([(0, 0.52, -0.3), (0, 0.5, -0.12), (0, 0.48, 0.1), (0, 0.53, 0.28)], np.array([0.06, 0.14, 0.17, 0.09]) * slim,
                 sides=12, per_span=4)
    rig.add(body, trunk, skin, bones=stiff(trunk, hips))
    fan = sheet(np.array([[[x * w, 0.53 + 0.01 * abs(x), z] for x in (-1, -0.3, 0.3, 1)]
                          for w, z in ((0.05, -0.26), (0.14, -0.62))]))
    tail = rig.node("tail", (0, 0.52, -0.28), hips)
    rig.add(body, fan, wing_skin, bones=stiff(fan, tail))
    neck = _head(rig, rig.part("head") if limbs else body, hips, long_neck, slim, skin, horn, black)
    leg_long = rng.uniform(0.1, 0.35)
    for side, s in (("left", 1), ("right", -1)):
        foot = (s * 0.07, 0.4 - leg_long, 0.05)
        leg = chain(rig, f"{side} leg", [(s * 0.07, 0.42, -0.02), foot], hips)
        limb(rig, body, [(s * 0.07, 0.42, -0.02), foot, (s * 0.07, 0.4 - leg_long, 0.14)], 0.016, [leg[0], leg[0]], horn, sides=6)
    span, chord = rng.uniform(0.55, 1.1), rng.uniform(0.2, 0.38)
    wings = {}
    for side, s in (("left", 1.0), ("right", -1.0)):
        root = np.array((s * 0.1 * slim, 0.55, 0.08))
        bones = chain(rig, f"{side} wing", [root + vec(s * span * f, 0.0, 0) for f in (0, 0.33, 0.68, 1.0)], hips)
        mesh = _wing(root, s * span, chord)
        rig.add(rig.part(f"{side} wing") if limbs else body, mesh, wing_skin, bones=bind(mesh.along, bones, 0.45))
        wings[s] = bones
    _fly(rng, rig, wings, neck, tail, hips)
    return rig


def _wing(root, span: float, chord: float) -> Mesh:
    """A feathered sheet from the shoulder out to x + span, its trailing edge towards −z."""
    share = np.linspace(0, 1, 10)[:, None]
    front = 0.12 * np.sin(np.pi * np.minimum(share * 1.15, 1)) * chord
    back = -chord * (1 - share**3) * (1 + 0.12 * (np.arange(10)[:, None] % 2) * (share > 0.4))
    across = np.linspace(0, 1, 4)[None]
    z = front + (back - front) * across
    y = 0.05 * chord * np.sin(np.pi * across) + 0 * share
    points = np.stack([root[0] + span * share + 0 * across, root[1] + y, root[2] + 0.3 * chord + z], -1)
    mesh = sheet(points)
    return Mesh(mesh.vertices, mesh.faces, mesh.uv, mesh.smooth, np.repeat(3 * share[:, 0], 4))


def _head(rig, part, hips, long_neck, slim, skin, horn, black) -> list[int]:
    root = np.array((0, 0.53, 0.24))
    points = [root, root + vec(0, 0.45 * long_neck + 0.03, 0.35 * long_neck + 0.05),
              root + vec(0, 0.95 * long_neck + 0.07, 0.5 * long_neck + 0.1)]
    neck = chain(rig, "neck", points, hips)
    limb(rig, part, points, np.array([0.105, 0.07, 0.065]) * slim, neck, skin, base=hips)
    size, at = 0.09 * slim, points[-1]
    skull = ball(at + vec(0, 0.01, 0.02), size, 12, 8)
    beak = tube([at + vec(0, 0, 0.07 * slim), at + vec(0, -0.02, 0.26 * slim)], [0.05 * slim, 0.006], sides=8)
    eyes = joined(*(ball(at + vec(s * 0.82 * size, 0.025, 0.05), 0.17 * size, 6, 5) for s in (-1, 1)))
    for mesh, material in ((skull, skin), (beak, horn), (eyes, black)):
        rig.add(part, mesh, material, bones=stiff(mesh, neck[1]))
    return neck


def _fly(rng, rig: Rig, wings: dict, neck: list[int], tail: int, hips: int) -> None:
    act = str(rng.choice(["flap", "fold", "lift", "peck"], p=[0.55, 0.18, 0.12, 0.15]))
    clock = rig.clock
    cycles, p, size = rng.choice([1.0, 2.0]), rng.uniform(0, 6.28), rng.uniform(0.4, 0.9)
    go = profile(rng, clock, forth=0.5)
    folded = 0 * clock + 1 if act == "peck" else go if act == "fold" else 0 * clock
    for s, bones in wings.items():
        for i, bone in enumerate(bones):
            beat = sway(clock, cycles, p - 0.7 * i, size * (1.0, 0.6, 0.4)[i]) if act == "flap" else 0 * clock
            if act == "lift":
                beat = (0.2 + 0.5 * size) * go * (1.0, 0.5, 0.3)[i]
            sweep = s * folded * (1.35, -0.35, 0.25)[i]
            rig.rotate(bone, euler(0.0, sweep, s * (beat - 0.45 * folded * (i == 0))))
    if act == "flap":
        rig.slide(hips, np.stack([0 * clock, -0.04 * size * sway(clock, cycles, p), 0 * clock], 1))
    if act == "peck" or rng.random() < 0.3:
        for bone in neck:
            rig.rotate(bone, euler((rng.uniform(0.3, 0.6) if act == "peck" else 0.2) * go))
    if rng.random() < 0.4:
        rig.rotate(tail, euler(sway(clock, cycles, size=0.2)))
