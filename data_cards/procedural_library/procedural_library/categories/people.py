"""Human-like figures: their proportions, clothes and skins. How they move is in gestures.py.

They face +z with their left hand at +x, arms hanging a little outwards.
"""

from __future__ import annotations

import numpy as np

from procedural_library import gestures
from procedural_library.bones import bind, limb, stiff
from procedural_library.mesh import ball, box, cylinder, joined, lathe, slab, tube, vec
from procedural_library.motion import duration
from procedural_library.rig import Rig
from procedural_library.surfaces import SKINS, cloth, dark, hue, metal, paint, plain, shaded
from puppetmaster_core.assets import Material

SIDES = (("left", 1.0), ("right", -1.0))


def human(rng: np.random.Generator) -> Rig:
    """A person, a child, or a long-legged cartoon figure, clothed."""
    rig = Rig("human", duration(rng), heading=rng.uniform(-50, 50))
    joints = skeleton(rng, rig, head=rng.choice([0.13, 0.16, 0.22], p=[0.6, 0.2, 0.2]))
    skins = _wardrobe(rng, rig)
    part = _splitter(rig, str(rng.choice(["limbs", "whole", "clothes"], p=[0.6, 0.25, 0.15])))
    build = rng.uniform(0.85, 1.2)
    _torso(rng, rig, joints, skins, part, build)
    for side, sign in SIDES:
        _arm(rig, joints, skins, part, side, build, sleeve=skins["sleeve"])
        _leg(rng, rig, joints, skins, part, side, sign, build)
    _head(rng, rig, joints, skins, part)
    gestures.perform(rng, rig, joints)
    return rig


def robot(rng: np.random.Generator) -> Rig:
    """The same skeleton in boxes and cylinders, rigid: each bone carries its own piece."""
    rig = Rig("robot", duration(rng), heading=rng.uniform(-50, 50))
    joints = skeleton(rng, rig, head=rng.uniform(0.14, 0.24))
    main, other, shine = (rig.material(m) for m in (paint(rng) if rng.random() < 0.5 else metal(rng), plain(rng), metal(rng)))
    place = {name: rig.nodes[node].place for name, node in joints.items()}
    wide = abs(place["left arm"][0])
    chest = rig.part("chest", joints["chest"])
    rig.add(chest, slab((place["chest"] + place["neck"]) / 2, (1.7 * wide, place["neck"][1] - place["chest"][1], 0.24)), main)
    rig.add(chest, slab((*((place["chest"] + place["neck"]) / 2)[:2], 0.12), (0.8 * wide, 0.1, 0.02)), other)
    hips = rig.part("hips", joints["hips"])
    rig.add(hips, slab(place["hips"], (1.4 * wide, 0.12, 0.2)), other)
    rig.add(hips, cylinder(place["hips"], 0.06, place["chest"][1] - place["hips"][1], 10), shine)
    head, top = rig.part("head", joints["head"]), place["top"]
    size = top[1] - place["head"][1]
    rig.add(head, slab((place["head"] + top) / 2, (0.95 * size, 0.9 * size, 0.85 * size)), main)
    eyes = (ball((x * size, (place["head"] + top)[1] / 2 + 0.1 * size, 0.43 * size), 0.11 * size, 8, 6) for x in (-0.22, 0.22))
    rig.add(head, joined(*eyes), rig.material(Material((0.95, 0.85, 0.3))))
    rig.add(head, cylinder(top - (0, 0.05 * size, 0), 0.015, 0.3 * size, 8), shine)
    thick = rng.uniform(0.08, 0.12)
    for side, _ in SIDES:
        for name, end, skin in (("arm", "forearm", main), ("forearm", "hand", other), ("thigh", "shin", main),
                                ("shin", "foot", other)):
            a, b = place[f"{side} {name}"], place[f"{side} {end}"]
            piece = rig.part(f"{side} {name}", joints[f"{side} {name}"])
            half = thick * (1.2 if name in ("thigh", "shin") else 1.0)
            rig.add(piece, slab((a + b) / 2, (half, np.linalg.norm(a - b) * 0.86, half)), skin)
            rig.add(piece, ball(a, half * 0.55, 8, 6), shine)
        rig.add(rig.part(f"{side} hand", joints[f"{side} hand"]), slab(place[f"{side} hand"] - (0, 0.05, 0), (0.1, 0.1, 0.07)),
                shine)
        rig.add(rig.part(f"{side} foot", joints[f"{side} foot"]), box(place[f"{side} foot"] + (-0.075, -0.07, -0.08),
                place[f"{side} foot"] + (0.075, 0.0, 0.17)), main)
    gestures.perform(rng, rig, joints)
    return rig


def skeleton(rng, rig: Rig, head: float) -> dict[str, int]:
    """Bones by name. `head` is its share of the height, which is about 1.7."""
    h = rng.uniform(1.5, 1.9)
    leg, neck = h * rng.uniform(0.42, 0.5) * (1 - head) / 0.87, h * (1 - head) * 0.965
    wide, hip = h * rng.uniform(0.095, 0.125), h * rng.uniform(0.05, 0.065)
    joints = {"hips": rig.node("hips", (0, leg + 0.02, 0))}

    def bone(name, place, parent):
        joints[name] = rig.node(name, place, joints[parent])

    bone("spine", (0, leg + 0.25 * (neck - leg), 0), "hips")
    bone("chest", (0, leg + 0.5 * (neck - leg), 0), "spine")
    bone("neck", (0, neck, 0), "chest")
    bone("head", (0, h * (1 - head), 0.01), "neck")
    bone("top", (0, h, 0.01), "head")
    reach, lean = (neck - 0.03) - 0.93 * leg, 0.16
    shoulder = neck - 0.05 * h
    for side, sign in SIDES:
        bone(f"{side} arm", (sign * wide, shoulder, 0), "chest")
        bone(f"{side} forearm", (sign * (wide + 0.5 * lean * reach), shoulder - 0.5 * reach, 0), f"{side} arm")
        bone(f"{side} hand", (sign * (wide + 0.95 * lean * reach), shoulder - 0.95 * reach, 0), f"{side} forearm")
        bone(f"{side} thigh", (sign * hip, leg, 0), "hips")
        bone(f"{side} shin", (sign * hip * 1.05, 0.52 * leg, 0.005), f"{side} thigh")
        bone(f"{side} foot", (sign * hip * 1.05, 0.07, 0), f"{side} shin")
    return joints


def _wardrobe(rng, rig: Rig) -> dict:
    skin = Material(SKINS[rng.integers(len(SKINS))])
    if rng.random() < 0.08:
        skin = paint(rng)  # an alien
    shirt, trousers = cloth(rng), cloth(rng) if rng.random() < 0.5 else shaded(plain(rng), 0.8)
    return {"skin": rig.material(skin), "shirt": rig.material(shirt), "trousers": rig.material(trousers),
            "shoes": rig.material(dark(rng) if rng.random() < 0.6 else paint(rng)),
            "eyes": rig.material(Material((0.08, 0.07, 0.07))),
            "hair": rig.material(Material(hue(rng, (0.2, 0.6), (0.08, 0.6), (0.0, 0.14)))), "hat": rig.material(cloth(rng)),
            "sleeve": str(rng.choice(["none", "short", "long"], p=[0.15, 0.4, 0.45])),
            "legs": str(rng.choice(["long", "short", "skirt"], p=[0.6, 0.25, 0.15]))}


def _splitter(rig: Rig, mode: str):
    """Which sub-model a piece belongs to: one a limb, one for all, or one a garment."""
    known: dict[str, int] = {}

    def part(limb_name: str, garment: str) -> int:
        name = {"limbs": limb_name, "whole": "body", "clothes": garment}[mode]
        if name not in known:
            known[name] = rig.part(name)
        return known[name]

    return part


def _torso(rng, rig, joints, skins, part, build) -> None:
    place = {name: rig.nodes[node].place for name, node in joints.items()}
    wide, hips, neck = abs(place["left arm"][0]), place["hips"][1], place["neck"][1]
    rise = neck - hips
    points = [(0, hips - 0.07 * rise, 0), (0, hips + 0.1 * rise, 0), (0, hips + 0.3 * rise, 0), (0, hips + 0.62 * rise, 0),
              (0, hips + 0.87 * rise, 0), (0, neck, 0)]
    across = np.array([0.72, 0.86, 0.78 * build, 0.98, 0.9, 0.3]) * wide
    deep = np.array([0.6, 0.68, 0.6 * build, 0.74, 0.55, 0.28]) * wide
    bones = [joints["hips"], joints["hips"], joints["spine"], joints["chest"], joints["chest"]]
    limb(rig, part("torso", "shirt"), points, np.stack([across, deep], 1), bones, skins["shirt"], sides=14)
    belt = tube(points[:2], np.stack([across[:2], deep[:2]], 1) * 1.04, sides=14, up=(0, 0, 1))
    rig.add(part("torso", "trousers"), belt, skins["trousers"], bones=stiff(belt, joints["hips"]))
    if skins["legs"] == "skirt":
        low = rng.uniform(0.2, 0.6) * hips
        flare = lathe([(1.25 * wide, low), (0.8 * wide, hips + 0.1 * rise)], 16).stretched((1, 1, 0.8))
        rig.add(part("torso", "trousers"), flare, skins["trousers"], bones=stiff(flare, joints["hips"]))


def _arm(rig, joints, skins, part, side, build, sleeve) -> None:
    place = [rig.nodes[joints[f"{side} {n}"]].place for n in ("arm", "forearm", "hand")]
    bones = [joints[f"{side} arm"], joints[f"{side} forearm"]]
    thick = 0.047 * build
    radii = np.array([1.15, 1.0, 0.7]) * thick
    arm = part(f"{side} arm", "shirt")
    limb(rig, part(f"{side} arm", "body"), place, radii * 0.93, bones, skins["skin"] if sleeve != "long" else skins["shirt"],
         base=joints["chest"])
    if sleeve == "short":
        cut = [place[0], place[0] + 0.62 * (place[1] - place[0])]
        limb(rig, arm, cut, [thick * 1.25, thick * 1.2], [bones[0]], skins["shirt"], base=joints["chest"], blend=0.4)
    hand = ball(place[2] - (0, 0.045, 0), (0.032 * build, 0.07, 0.045 * build), 8, 6)
    rig.add(part(f"{side} arm", "body"), hand, skins["skin"], bones=stiff(hand, joints[f"{side} hand"]))


def _leg(rng, rig, joints, skins, part, side, sign, build) -> None:
    place = [rig.nodes[joints[f"{side} {n}"]].place for n in ("thigh", "shin", "foot")]
    bones, foot = [joints[f"{side} thigh"], joints[f"{side} shin"]], joints[f"{side} foot"]
    thick = min(0.085 * build, abs(place[0][0]) * 1.02)
    radii = np.array([1.0, 0.75, 0.5]) * thick
    bare = skins["legs"] != "long"
    limb(rig, part(f"{side} leg", "body" if bare else "trousers"), place, radii, bones, skins["skin" if bare else "trousers"],
         base=joints["hips"])
    if skins["legs"] == "short":
        cut = [place[0], place[0] + 0.8 * (place[1] - place[0])]
        limb(rig, part(f"{side} leg", "trousers"), cut, [thick * 1.1, thick * 1.05], [bones[0]], skins["trousers"],
             base=joints["hips"])
    shoe = joined(ball(place[2] + (0, -0.03, 0.05), (0.05 * build, 0.045, 0.125), 10, 6))
    rig.add(part(f"{side} leg", "shoes"), shoe, skins["shoes"], bones=stiff(shoe, foot))


def _head(rng, rig, joints, skins, part) -> None:
    low, top = rig.nodes[joints["head"]].place, rig.nodes[joints["top"]].place
    size = (top[1] - low[1]) / 2
    middle, head = (low + top) / 2, joints["head"]
    skull = ball(middle, (size * 0.78, size, size * 0.86), 14, 10)
    neck = tube([low - (0, 0.8 * size, 0.01), low + vec(0, 0.3 * size, 0)], size * 0.42, sides=10)
    where = part("head", "body")
    rig.add(where, skull, skins["skin"], bones=stiff(skull, head))
    rig.add(where, neck, skins["skin"], bones=bind(neck.along, [joints["neck"]], base=joints["chest"]))
    nose = ball(middle + vec(0, -0.05 * size, 0.85 * size), (0.1 * size, 0.16 * size, 0.14 * size), 6, 5)
    ears = joined(*(ball(middle + vec(x * 0.77 * size, 0, 0), (0.1 * size, 0.2 * size, 0.14 * size), 6, 5) for x in (-1, 1)))
    for mesh in (nose, ears):
        rig.add(where, mesh, skins["skin"], bones=stiff(mesh, head))
    eyes = joined(*(ball(middle + vec(x * 0.3 * size, 0.12 * size, 0.76 * size), 0.09 * size, 8, 6) for x in (-1, 1)),
                  slab(middle + vec(0, -0.42 * size, 0.74 * size), (0.36 * size, 0.05 * size, 0.06 * size)))
    rig.add(where, eyes, skins["eyes"], bones=stiff(eyes, head))
    style, hair = str(rng.choice(["short", "long", "bald", "cap", "bun"], p=[0.4, 0.2, 0.1, 0.18, 0.12])), []
    if style != "bald":
        hair.append(ball(middle + vec(0, 0.2 * size, -0.13 * size), (0.86 * size, 0.9 * size, 0.85 * size), 12, 8))
    if style == "long":
        hair.append(tube([middle + vec(0, 0.2 * size, -0.5 * size), middle + vec(0, -1.0 * size, -0.62 * size)],
                         [(0.75 * size, 0.4 * size), (0.65 * size, 0.2 * size)], up=(0, 0, 1)))
    if style == "bun":
        hair.append(ball(middle + vec(0, 0.75 * size, -0.75 * size), 0.36 * size, 8, 6))
    for mesh in hair:
        rig.add(part("head", "hair"), mesh, skins["hair"], bones=stiff(mesh, head))
    if style == "cap":
        cap = joined(lathe([(0.9 * size, 0.25 * size), (0.88 * size, 0.6 * size), (0.6 * size, 1.05 * size), (0, 1.15 * size)],
                           14),
                     slab((0, 0.28 * size, 0.95 * size), (1.1 * size, 0.07 * size, 0.7 * size))).moved(middle)
        rig.add(part("head", "hair"), cap, skins["hat"], bones=stiff(cap, head))
