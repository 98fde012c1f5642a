"""Four-legged animals: dogs, cats, horses, cows, elephants, giraffes, lizards… They face +z before they are turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from procedural_library.bones import chain, limb, stiff, wave
from procedural_library.mesh import ball, joined, tube, vec
from procedural_library.motion import duration, profile, sway
from procedural_library.rig import Rig
from procedural_library.surfaces import coat, dark, scales, shaded
from procedural_library.turns import euler
from puppetmaster_core.assets import Material


@dataclass(frozen=True)
class _Beast:
    """Proportions, in body lengths."""

    leg: float
    girth: float
    thick: float  # of the legs
    neck: float
    rise: float  # of the neck, degrees
    head: float
    snout: float
    tail: float
    droop: float  # of the tail, degrees below level
    ears: str
    extra: str = ""
    colors: tuple | None = None


_KINDS = {
    "dog": _Beast(0.55, 0.19, 0.055, 0.28, 45, 0.15, 0.17, 0.5, -30, "flop"),
    "wolf": _Beast(0.6, 0.18, 0.05, 0.3, 35, 0.14, 0.2, 0.5, 40, "point", colors=(0.5, 0.48, 0.46)),
    "cat": _Beast(0.45, 0.16, 0.045, 0.18, 45, 0.15, 0.07, 0.7, -20, "point"),
    "fox": _Beast(0.42, 0.16, 0.04, 0.22, 40, 0.13, 0.16, 0.65, 15, "point", colors=(0.80, 0.42, 0.16)),
    "horse": _Beast(0.75, 0.2, 0.055, 0.5, 50, 0.13, 0.26, 0.55, 65, "point", "mane"),
    "cow": _Beast(0.5, 0.25, 0.065, 0.25, 15, 0.15, 0.18, 0.5, 80, "side", "horns"),
    "deer": _Beast(0.8, 0.17, 0.038, 0.42, 55, 0.12, 0.15, 0.15, -10, "side", "antlers", (0.62, 0.42, 0.26)),
    "sheep": _Beast(0.4, 0.28, 0.05, 0.18, 30, 0.14, 0.12, 0.15, 50, "side", colors=(0.88, 0.85, 0.78)),
    "pig": _Beast(0.3, 0.27, 0.06, 0.1, 10, 0.19, 0.12, 0.2, -40, "flop", "snout", (0.92, 0.66, 0.62)),
    "bear": _Beast(0.45, 0.28, 0.095, 0.18, 20, 0.19, 0.12, 0.08, 30, "round"),
    "elephant": _Beast(0.6, 0.33, 0.11, 0.12, 10, 0.25, 0.0, 0.4, 75, "fan", "trunk", (0.52, 0.52, 0.54)),
    "giraffe": _Beast(1.25, 0.22, 0.055, 1.15, 65, 0.14, 0.2, 0.5, 75, "side", "mane", (0.85, 0.68, 0.38)),
    "lizard": _Beast(0.18, 0.13, 0.045, 0.15, 5, 0.12, 0.14, 1.0, 4, "none", "scales"),
    "mouse": _Beast(0.22, 0.24, 0.045, 0.08, 10, 0.19, 0.12, 0.9, 5, "round"),
}


def quadruped(rng: np.random.Generator) -> Rig:
    """An animal of one of fourteen kinds that walks, trots, gallops, wags its tail, grazes, looks or sits back."""
    kind = str(rng.choice(list(_KINDS)))
    beast = _KINDS[kind]
    rig = Rig(kind, duration(rng), heading=rng.uniform(20, 100) * rng.choice([-1, 1]))
    fur = scales(rng, (0.2, 0.45)) if beast.extra == "scales" else coat(rng, beast.colors)
    skin, other = rig.material(fur), rig.material(shaded(fur, rng.uniform(0.55, 0.95)))
    black = rig.material(dark(rng))
    leg, girth = 1.15 * beast.leg * rng.uniform(0.88, 1.15), beast.girth * rng.uniform(0.88, 1.15)
    part = _splitter(rng, rig)
    bones = _spine(rig, leg, girth)
    _body(rig, part("body"), bones, leg, girth, skin, beast)
    bones |= _legs(rig, part, bones, leg, girth, beast.thick * rng.uniform(0.85, 1.2), skin, other, beast)
    bones |= _neck_and_head(rng, rig, part, bones, leg, girth, beast, skin, other, black)
    root = np.array((0, leg + 0.35 * girth, -0.5 - 0.5 * girth))
    points = _bent(root, beast.tail * rng.uniform(0.8, 1.2), beast.droop, backwards=True)
    bones["tail"] = chain(rig, "tail", points, bones["hips"])
    thin = np.linspace(0.035 if beast.extra != "scales" else 0.09, 0.014, 4) * (1.8 if kind in ("fox", "wolf") else 1.0)
    limb(rig, part("tail"), points, thin, bones["tail"], other if kind in ("horse", "giraffe") else skin, base=bones["hips"],
         sides=8)
    _act(rng, rig, bones)
    return rig


def _splitter(rng, rig: Rig):
    """Sub-models: legs, head, tail and body, or all in one."""
    whole, known = rng.random() < 0.35, {}

    def part(name: str) -> int:
        name = "body" if whole else name
        if name not in known:
            known[name] = rig.part(name)
        return known[name]

    return part


def _bent(root, long: float, degrees: float, backwards: bool) -> np.ndarray:
    """Four points from `root`: out at `degrees` below (tails) or above (necks) level."""
    angle = np.deg2rad(degrees) * (np.array([0.6, 0.95, 1.25]) if backwards else np.array([1.05, 1.2, 1.0]))
    way = -1.0 if backwards else 1.0
    steps = np.stack([0 * angle, way * np.sin(angle), way * np.cos(angle)], 1)
    return np.concatenate([[root], root + np.cumsum(steps * long / 3, 0)])


def _spine(rig: Rig, leg: float, girth: float) -> dict:
    y = leg + 0.2 * girth
    hips = rig.node("hips", (0, y, -0.35))
    return {"hips": hips, "belly": (belly := rig.node("belly", (0, y, -0.1), hips)),
            "chest": rig.node("chest", (0, y, 0.2), belly)}


def _body(rig, part, bones, leg, girth, skin, beast) -> None:
    y = leg + 0.2 * girth
    points = [(0, y + 0.1 * girth, -0.52), (0, y, -0.35), (0, y - 0.05 * girth, -0.08), (0, y, 0.25), (0, y + 0.15 * girth, 0.48)]
    radii = np.array([0.72, 0.95, 1.0, 1.02, 0.72]) * girth
    flat = 0.7 if beast.extra == "scales" else 0.88
    limb(rig, part, points, np.stack([radii * flat, radii], 1), [bones["hips"], bones["hips"], bones["belly"], bones["chest"]],
         skin,
         up=(0, 1, 0), sides=14)


def _legs(rig, part, bones, leg, girth, thick, skin, other, beast) -> dict:
    out = {}
    splay = 0.12 if beast.extra == "scales" else 0.0
    for end, z, on in (("front", 0.34, "chest"), ("hind", -0.36, "hips")):
        for side, sign in (("left", 1.0), ("right", -1.0)):
            x = sign * girth * 0.5
            knee = 0.04 if end == "hind" else -0.02
            points = np.array([(x, leg, z), (x + sign * splay, 0.5 * leg, z + knee), (x + sign * splay, thick * 0.6, z - 0.02)])
            name = f"{end} {side} leg"
            pair = chain(rig, name, points, bones[on])
            limb(rig, part(name), points, np.array([1.75, 1.0, 0.72]) * thick, pair, skin, base=bones[on], up=(0, 0, 1))
            paw = ball(points[2] + (0, -0.05 * thick, 0.5 * thick), np.array((0.95, 0.6, 1.3)) * thick, 8, 6)
            rig.add(part(name), paw, other, bones=stiff(paw, pair[1]))
            out[name] = pair
    return out


def _neck_and_head(rng, rig, part, bones, leg, girth, beast, skin, other, black) -> dict:
    root = np.array((0, leg + 0.35 * girth, 0.42))
    points = _bent(root, max(beast.neck, 0.05) + 0.5 * girth, beast.rise * rng.uniform(0.8, 1.15), backwards=False)[[0, 2, 3]]
    neck = chain(rig, "neck", points, bones["chest"])
    size = beast.head * rng.uniform(0.85, 1.15)
    limb(rig, part("head"), points, [0.62 * girth, 0.5 * (0.45 * girth + 0.6 * size), 0.62 * size], neck, skin,
         base=bones["chest"],
         up=(0, 1, 0))
    head, at = rig.node("head", points[2], neck[1]), points[2]
    ahead = np.array((0, -0.25, 1.0)) / np.linalg.norm((0, -0.25, 1.0))
    skull = ball(at + 0.35 * size * ahead, (0.78 * size, 0.8 * size, 0.95 * size), 12, 8)
    pieces = [(skull, skin)]
    if beast.snout:
        tip = at + ahead * (0.8 * size + beast.snout)
        pieces.append((tube([at + 0.6 * size * ahead, tip], [0.6 * size, 0.34 * size], sides=10), skin))
        pieces.append((ball(tip + 0.25 * size * ahead, 0.16 * size if beast.extra != "snout" else 0.3 * size, 8, 6), black if
                       beast.extra != "snout" else other))
    eyes = [ball(at + vec(s * 0.58 * size, 0.28 * size, 0.85 * size), 0.13 * size, 8, 6) for s in (-1, 1)]
    pieces.append((joined(*eyes), black))
    pieces += [(mesh, other if beast.ears != "fan" else skin) for mesh in _ears(beast.ears, at, size)]
    pieces += [(mesh, rig.material(Material((0.86, 0.82, 0.7)))) for mesh in _horns(beast.extra, at, size)]
    for mesh, material in pieces:
        rig.add(part("head"), mesh, material, bones=stiff(mesh, head))
    if beast.extra == "mane":
        mane = tube(points + vec(0, 0.0, -0.5 * girth), [(0.03, 0.25 * girth)] * 3, sides=6, up=(0, 0, 1))
        rig.add(part("head"), mane, other, bones=stiff(mane, neck[0]))
    out = {"neck": neck, "head": head}
    if beast.extra == "trunk":
        drop = at + np.array([(0, -0.1, 0.8), (0, -0.8, 1.25), (0, -1.6, 1.3), (0, -2.2, 1.5)]) * size
        out["trunk"] = chain(rig, "trunk", drop, head)
        limb(rig, part("trunk"), drop, np.array([0.4, 0.3, 0.22, 0.16]) * size, out["trunk"], skin, base=head, up=(0, 0, 1))
    return out


def _ears(kind: str, at, size) -> list:
    out = []
    for s in (-1.0, 1.0):
        root = at + np.array((s * 0.5, 0.6, 0.1)) * size
        if kind == "point":
            out.append(tube([root, root + np.array((s * 0.12, 0.65, 0)) * size],
                            [(0.24 * size, 0.1 * size), (0.03 * size, 0.02 * size)], up=(0, 0, 1)))
        elif kind == "flop":
            out.append(tube([root, root + np.array((s * 0.3, -0.1, 0)) * size, root + np.array((s * 0.38, -0.7, 0.05)) * size],
                            [0.14 * size, 0.18 * size, 0.1 * size], up=(0, 0, 1)))
        elif kind == "side":
            out.append(tube([root, root + np.array((s * 0.7, 0.1, -0.1)) * size], [0.16 * size, 0.05 * size], up=(0, 0, 1)))
        elif kind == "round":
            out.append(ball(root + np.array((s * 0.1, 0.15, 0)) * size, (0.32 * size, 0.32 * size, 0.1 * size), 10, 6))
        elif kind == "fan":
            out.append(ball(at + np.array((s * 1.05, 0.0, -0.1)) * size, (0.6 * size, 0.75 * size, 0.09 * size), 12, 8))
    return out


def _horns(kind: str, at, size) -> list:
    paths = {"horns": [(0.4, 0.65, 0.2), (0.9, 0.8, 0.2), (1.05, 1.25, 0.25)],
             "antlers": [(0.25, 0.75, 0.1), (0.6, 1.5, -0.1), (0.5, 2.2, 0.1)]}
    if kind not in paths:
        return []
    thick = np.array([0.14, 0.1, 0.04]) * size
    out = [tube(at + np.array(paths[kind]) * (s, 1, 1) * size, thick, sides=6) for s in (-1, 1)]
    if kind == "antlers":
        out += [tube(at + np.array([(s * 0.58, 1.3, 0), (s * 0.9, 1.9, 0.3)]) * size, [0.08 * size, 0.03 * size],
                     sides=6) for s in (-1, 1)]
    return out


# ---- what they do ------------------------------------------------------------------------------------------------------

_GAITS = {  # phases of front left, front right, hind left, hind right, in turns
    "walk": (0.25, 0.75, 0.0, 0.5), "trot": (0.0, 0.5, 0.5, 0.0), "gallop": (0.0, 0.1, 0.5, 0.6),
}
_LEGS = ("front left leg", "front right leg", "hind left leg", "hind right leg")


def _act(rng, rig: Rig, bones: dict) -> None:
    act = str(rng.choice(["walk", "trot", "gallop", "wag", "graze", "look", "paw"], p=[0.25, 0.15, 0.15, 0.12, 0.13, 0.1, 0.1]))
    if act in _GAITS:
        _go(rng, rig, bones, act)
    elif act in ("graze", "look"):
        go = profile(rng, rig.clock, forth=0.5)
        down, aside = (rng.uniform(0.4, 0.8), 0) if act == "graze" else (rng.uniform(-0.3, 0.1),
                                                                         rng.choice([-1, 1]) * rng.uniform(0.4, 0.8))
        for bone in bones["neck"]:
            rig.rotate(bone, euler(down * go, aside * go))
        rig.rotate(bones["head"], euler(-0.5 * down * go, 0.4 * aside * go))
    elif act == "paw":
        upper, lower = bones[_LEGS[rng.integers(2)]]
        go = profile(rng, rig.clock)
        rig.rotate(upper, euler(-rng.uniform(0.6, 1.2) * go))
        rig.rotate(lower, euler(rng.uniform(0.5, 1.3) * go))
    if act == "wag" or rng.random() < 0.5:
        axis = (0, 1, 0) if rng.random() < 0.8 else (1, 0, 0)
        wave(rig, bones["tail"], axis, rng.uniform(0.15, 0.4), rng.choice([1.0, 2.0]), 0.6)
    if "trunk" in bones and rng.random() < 0.7:
        go = profile(rng, rig.clock) * rng.choice([-1, 1])
        for bone in bones["trunk"]:
            rig.rotate(bone, euler(-0.45 * go))


def _go(rng, rig: Rig, bones: dict, gait: str) -> None:
    cycles, start = rng.choice([1.0, 2.0]), rng.uniform(0, 1)
    swing = {"walk": rng.uniform(0.25, 0.45), "trot": rng.uniform(0.35, 0.6), "gallop": rng.uniform(0.5, 0.8)}[gait]
    for name, phase in zip(_LEGS, _GAITS[gait], strict=True):
        p = 2 * np.pi * (phase + start)
        upper, lower = bones[name]
        rig.rotate(upper, euler(-sway(rig.clock, cycles, p, swing)))
        fold = 1.6 * swing * np.maximum(0, sway(rig.clock, cycles, p + np.pi / 2))
        rig.rotate(lower, euler(fold * (1 if "hind" in name else 1.2)))
    bend = 0.12 if gait == "gallop" else 0.02
    rig.rotate(bones["belly"], euler(sway(rig.clock, cycles, 2 * np.pi * start, bend)))
    rig.rotate(bones["neck"][0], euler(sway(rig.clock, cycles if gait == "gallop" else 2 * cycles, size=0.08)))
