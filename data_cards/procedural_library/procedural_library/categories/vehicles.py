"""Lorries that tip, carts, and cars that open."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import Mesh, ball, box, joined, lathe, oriented, plate, slab, tube
from procedural_library.motion import Movable, drive, duration
from procedural_library.rig import Rig
from procedural_library.surfaces import dark, metal, paint, plain, white, wood
from procedural_library.turns import turn


def _tyre(radius: float, wide: float) -> Mesh:
    """A wheel on an axle along x, around the origin."""
    profile_ = [(0.55 * radius, -wide / 2), (radius, -wide / 2), (radius, wide / 2), (0.55 * radius, wide / 2)]
    return oriented(lathe(profile_, 20, smooth=False), (1, 0, 0))


def _wheels(rng, rig: Rig, places, radius: float, wide: float) -> list[int]:
    """Wheels at places (x, z), each on its own axle."""
    rubber, hub = rig.material(dark(rng)), rig.material(metal(rng))
    nodes = []
    for x, z in places:
        place = (x, radius, z)
        node = rig.node("axle", place)
        part = rig.part("wheel", node)
        rig.add(part, _tyre(radius, wide).moved(place), rubber)
        spokes = [slab((0, 0, 0), (wide * 0.7, 1.1 * radius, 0.22 * radius)).turned((1, 0, 0), a) for a in (0, 60, 120)]
        rig.add(part, joined(*spokes).moved(place), hub)
        nodes.append(node)
    return nodes


def truck(rng: np.random.Generator) -> Rig:
    """A lorry that tips its bed, a cart whose wheels turn, or a car that opens its bonnet or boot."""
    kind = str(rng.choice(["truck", "cart", "car"], p=[0.4, 0.2, 0.4]))
    rig = Rig(kind, duration(rng), heading=rng.uniform(25, 80) * rng.choice([-1, 1]))
    skin, glass = rig.material(paint(rng)), rig.material(dark(rng))
    second = rig.material(paint(rng) if rng.random() < 0.5 else plain(rng))
    w, long, r = rng.uniform(0.32, 0.42), rng.uniform(0.85, 1.15), rng.uniform(0.09, 0.13)
    body = rig.part("body")
    ends = (0.32 * long, -0.3 * long)
    wheels = _wheels(rng, rig, [(s * w / 2, z) for z in ends for s in (-1, 1)], r if kind != "cart" else 1.5 * r, 0.09)
    if kind == "truck":
        movables = _lorry(rng, rig, body, skin, second, glass, w, long, r)
    elif kind == "cart":
        movables = _cart(rng, rig, body, w, long, r)
    else:
        movables = _car(rng, rig, body, skin, glass, w, long, r)
    if rng.random() < 0.35:
        angle = rng.choice([-1, 1]) * rng.uniform(0.8, 4.0) * rig.clock
        for node in wheels:
            rig.rotate(node, turn((1, 0, 0), angle))
    else:
        drive(rng, rig, movables)
    return rig


def _lorry(rng, rig: Rig, body, skin, second, glass, w, long, r) -> list[Movable]:
    """A cab, and a bed that tips with a gate at its end."""
    rig.add(body, box((-0.4 * w, r, -long / 2), (0.4 * w, r + 0.06, long / 2)), glass)
    cab = plate([(0.22 * long, r + 0.04), (0.5 * long, r + 0.04), (0.5 * long, r + 0.22), (0.44 * long, r + 0.4),
                 (0.22 * long, r + 0.42)], w)
    rig.add(body, cab.turned((0, 1, 0), -90), skin)
    rig.add(body, plate([(0.3 * long, r + 0.23), (0.47 * long, r + 0.23), (0.43 * long, r + 0.37), (0.3 * long, r + 0.38)],
                        w + 0.006).turned((0, 1, 0), -90), glass)
    place = (0, r + 0.07, -0.48 * long)
    node = rig.node("bed hinge", place)
    bed = rig.part("bed", node)
    high, t = rng.uniform(0.12, 0.24), 0.02
    z0, z1, y = -0.5 * long, 0.18 * long, r + 0.07
    rig.add(bed, joined(box((-w / 2, y, z0), (w / 2, y + t, z1)), box((-w / 2, y, z1 - t), (w / 2, y + high * 1.3, z1)),
                        *(box((s * w / 2 - t / 2, y, z0), (s * w / 2 + t / 2, y + high, z1)) for s in (-1, 1))), second)
    gate = rig.node("gate hinge", (0, y + high, z0), node)
    rig.add(rig.part("gate", gate), box((-w / 2, y + t, z0 - t / 2), (w / 2, y + high, z0 + t / 2)), second)
    return [Movable(node, "turn", (-1, 0, 0), np.deg2rad(rng.uniform(30, 55)), 4.0),
            Movable(gate, "turn", (1, 0, 0), np.deg2rad(60), 1.0)]


def _cart(rng, rig: Rig, body, w, long, r) -> list[Movable]:
    """An open box of boards with a shaft in front."""
    y = 1.5 * r + 0.02
    boards = [box((-w / 2, y, -long / 2), (w / 2, y + 0.03, long / 2))]
    boards += [box((s * w / 2 - 0.01, y, -long / 2), (s * w / 2 + 0.01, y + 0.16, long / 2)) for s in (-1, 1)]
    boards += [box((-w / 2, y, z - 0.01), (w / 2, y + 0.16, z + 0.01)) for z in (-long / 2, long / 2)]
    rig.add(body, joined(*boards), rig.material(wood(rng)))
    shaft = rig.node("shaft", (0, y, long / 2))
    rods = [tube([(s * 0.3 * w, y, long / 2), (s * 0.25 * w, y + 0.05, long / 2 + 0.4)], 0.018, sides=6) for s in (-1, 1)]
    rig.add(rig.part("shaft", shaft), joined(*rods), rig.material(wood(rng)))
    return [Movable(shaft, "turn", (-1, 0, 0), np.deg2rad(rng.uniform(20, 70)), 2.0)]


def _car(rng, rig: Rig, body, skin, glass, w, long, r) -> list[Movable]:
    """A body with an engine bay and a boot under lids, and two doors that open."""
    y, mid, top = r * 0.9, r + rng.uniform(0.13, 0.17), r + rng.uniform(0.28, 0.36)
    half = long / 2
    front, rear = rng.uniform(0.3, 0.5) * half, -rng.uniform(0.45, 0.6) * half
    sill = [(-half, y), (half, y), (half, mid - 0.03), (front, mid - 0.02), (rear, mid - 0.02), (-half, mid - 0.02)]
    rig.add(body, plate(sill, w * 0.97).turned((0, 1, 0), -90), skin)
    cabin = [(rear, mid - 0.02), (front, mid - 0.02), (0.45 * front, top), (0.75 * rear, top)]
    rig.add(body, plate(cabin, w * 0.84).turned((0, 1, 0), -90), glass)
    rig.add(body, box((-0.43 * w, top - 0.012, 0.78 * rear), (0.43 * w, top + 0.012, 0.5 * front)), skin)
    rig.add(body, joined(*(ball((s * 0.38 * w, mid - 0.07, half), (0.04, 0.03, 0.02), 8, 6) for s in (-1, 1))),
            rig.material(white(rng)))
    movables = []
    for name, z0, z1, axis in (("bonnet", front, half, (-1, 0, 0)), ("boot", rear, -half, (1, 0, 0))):
        node = rig.node(f"{name} hinge", (0, mid, z0))
        lid = box((-0.47 * w, mid - 0.022, min(z0, z1)), (0.47 * w, mid, max(z0, z1)))
        rig.add(rig.part(name, node), lid, skin)
        movables.append(Movable(node, "turn", axis, np.deg2rad(rng.uniform(40, 70)), 1.5))
    for side, s in (("left", 1.0), ("right", -1.0)):
        z0, z1 = 0.7 * front, 0.25 * rear
        node = rig.node(f"{side} door hinge", (s * w * 0.49, y, z0))
        leaf = rig.part("door", node)
        x = s * w * 0.49
        rig.add(leaf, box((x - 0.01, y + 0.03, z1), (x + 0.012, mid - 0.01, z0)), skin)
        rig.add(leaf, slab((x + s * 0.014, mid - 0.05, z1 + 0.05), (0.012, 0.015, 0.05)), glass)
        movables.append(Movable(node, "turn", (0, -s, 0), np.deg2rad(rng.uniform(45, 75))))
    return movables
