"""What furniture and appliances share: carcasses, handles, drawers, doors. The front faces +z, the floor is y = 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from procedural_library.mesh import Mesh, ball, box, cylinder, joined, oriented, slab, tube
from procedural_library.motion import Movable
from procedural_library.rig import Rig

GAP = 0.004  # between neighbouring fronts
HINGES = {  # the axis about which a positive angle opens towards the viewer
    "left": (0.0, -1.0, 0.0), "right": (0.0, 1.0, 0.0), "bottom": (1.0, 0.0, 0.0), "top": (-1.0, 0.0, 0.0),
}
STYLES = ("bar", "bow", "knob", "edge", "grip", "none")


@dataclass(frozen=True)
class Cell:
    """A rectangle of the front."""

    left: float
    right: float
    bottom: float
    top: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.top - self.bottom

    def inset(self, by: float) -> Cell:
        """Smaller by `by` on all sides."""
        return Cell(self.left + by, self.right - by, self.bottom + by, self.top - by)


def carcass(rig: Rig, part: int, skins: dict, low, high, wall: float) -> None:
    """A box without its front, lined at the back. Skins: "body", "inside"."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    walls = joined(box((x0, y0, z0), (x0 + wall, y1, z1)), box((x1 - wall, y0, z0), (x1, y1, z1)),
                   box((x0 + wall, y0, z0), (x1 - wall, y0 + wall, z1)), box((x0 + wall, y1 - wall, z0), (x1 - wall, y1, z1)),
                   box((x0 + wall, y0 + wall, z0), (x1 - wall, y1 - wall, z0 + wall * 0.5)))
    rig.add(part, walls, skins["body"])
    rig.add(part, box((x0 + wall, y0 + wall, z0 + wall * 0.5), (x1 - wall, y1 - wall, z0 + wall)), skins["inside"])


def tray(low, high, wall: float, rim: float) -> Mesh:
    """An open-topped box: a floor and four walls up to the height `rim`."""
    (x0, y0, z0), (x1, _, z1) = low, high
    return joined(box((x0, y0, z0), (x1, y0 + wall, z1)), box((x0, y0, z0), (x0 + wall, rim, z1)),
                  box((x1 - wall, y0, z0), (x1, rim, z1)), box((x0 + wall, y0, z0), (x1 - wall, rim, z0 + wall)),
                  box((x0 + wall, y0, z1 - wall), (x1 - wall, rim, z1)))


def legs(low, high, height: float, thick: float, round_: bool = False, lean: float = 0.0) -> Mesh:
    """Four legs under the rectangle low…high (x, z), from the floor up to `height`."""
    out = []
    for x, sx in ((low[0] + thick / 2, -1), (high[0] - thick / 2, 1)):
        for z, sz in ((low[1] + thick / 2, -1), (high[1] - thick / 2, 1)):
            foot = (x + sx * lean, 0.0, z + sz * lean)
            if round_ or lean:
                out.append(tube([foot, (x, height, z)], [thick * 0.32, thick * 0.5], sides=8, per_span=1, caps="flat"))
            else:
                out.append(box((x - thick / 2, 0, z - thick / 2), (x + thick / 2, height, z + thick / 2)))
    return joined(*out)


def handle(style: str, centre, span: float, upright: bool) -> Mesh | None:
    """A handle on a front that faces +z, around `centre`; `span` is the front's length along it."""
    x, y, z = centre
    long = np.clip(0.35 * span, 0.05, 0.4) if style != "edge" else 0.75 * span
    if style == "knob":
        return joined(cylinder((0, 0, 0), 0.008, 0.02, 8).turned((1, 0, 0), 90).moved(centre),
                      ball((x, y, z + 0.03), 0.02, 10, 6))
    if style == "bow":
        mesh = tube([(-long / 2, 0, 0), (-long / 2.3, 0, 0.035), (long / 2.3, 0, 0.035), (long / 2, 0, 0)], 0.009, sides=6)
    elif style == "bar":
        mesh = joined(slab((0, 0, 0.035), (long, 0.018, 0.014)), slab((-0.4 * long, 0, 0.014), (0.014, 0.014, 0.028)),
                      slab((0.4 * long, 0, 0.014), (0.014, 0.014, 0.028)))
    elif style == "edge":
        mesh = slab((0, 0, 0.01), (long, 0.014, 0.02))
    elif style == "grip":
        mesh = slab((0, 0, 0.004), (max(0.08, long * 0.6), 0.035, 0.008))
    else:
        return None
    return (mesh.turned((0, 0, 1), 90) if upright else mesh).moved(centre)


def drawer(rig: Rig, cell: Cell, depth: float, thick: float, skins: dict, style: str, parent: int = 0) -> Movable:
    """A drawer behind `cell` in a body whose front is at z = depth. Skins: "front", "inside", "handle"."""
    cell = cell.inset(GAP)
    node = rig.node("drawer slide", ((cell.left + cell.right) / 2, cell.bottom, depth), parent)
    part = rig.part("drawer", node)
    rig.add(part, box((cell.left, cell.bottom, depth - thick), (cell.right, cell.top, depth)), skins["front"])
    wall, back = min(thick, 0.02), 0.1 * depth
    rim = cell.bottom + 0.75 * cell.height
    rig.add(part, tray((cell.left + wall, cell.bottom + wall, back), (cell.right - wall, 0, depth - thick), wall, rim),
            skins["inside"])
    grip = handle(style, ((cell.left + cell.right) / 2, (cell.bottom + cell.top) / 2, depth), cell.width, upright=False)
    if grip:
        rig.add(part, grip, skins["handle"])
    return Movable(node, "slide", (0.0, 0.0, 1.0), 0.82 * depth, cell.width * cell.height)


def door(rig: Rig, cell: Cell, depth: float, thick: float, skins: dict, style: str, hinge: str, *, framed: bool = False,
         reach: float = 115.0, parent: int = 0, name: str = "door") -> Movable:
    """A door before `cell`, hinged on one side; opens up to `reach` degrees. `framed`: a frame around an inset panel."""
    cell = cell.inset(GAP)
    place = (cell.right if hinge == "right" else cell.left, cell.top if hinge == "top" else cell.bottom, depth)
    node = rig.node(f"{name} hinge", place, parent)
    part = rig.part(name, node)
    if framed:
        rail = min(0.2 * min(cell.width, cell.height), 0.07)
        rig.add(part, frame(cell, rail, depth - thick, depth), skins["front"])
        inner = cell.inset(rail)
        panel = box((inner.left, inner.bottom, depth - 0.8 * thick), (inner.right, inner.top, depth - 0.5 * thick))
        rig.add(part, panel, skins.get("panel", skins["front"]))
    else:
        rig.add(part, box((cell.left, cell.bottom, depth - thick), (cell.right, cell.top, depth)), skins["front"])
    grip = _door_handle(cell, depth, hinge, style)
    if grip:
        rig.add(part, grip, skins["handle"])
    return Movable(node, "turn", HINGES[hinge], np.deg2rad(reach), cell.width * cell.height)


def _door_handle(cell: Cell, depth: float, hinge: str, style: str) -> Mesh | None:
    x, y = (cell.left + cell.right) / 2, (cell.bottom + cell.top) / 2
    if hinge in ("left", "right"):
        inset = min(0.12 * cell.width, 0.06)
        return handle(style, (cell.right - inset if hinge == "left" else cell.left + inset, y, depth), cell.height, upright=True)
    inset = min(0.15 * cell.height, 0.07)
    return handle(style, (x, cell.top - inset if hinge == "bottom" else cell.bottom + inset, depth), cell.width, upright=False)


def frame(cell: Cell, rail: float, z0: float, z1: float) -> Mesh:
    """Four rails around a rectangle."""
    inner = cell.inset(rail)
    return joined(box((cell.left, cell.bottom, z0), (inner.left, cell.top, z1)),
                  box((inner.right, cell.bottom, z0), (cell.right, cell.top, z1)),
                  box((inner.left, cell.bottom, z0), (inner.right, inner.bottom, z1)),
                  box((inner.left, inner.top, z0), (inner.right, cell.top, z1)))


def dial(centre, radius: float, deep: float) -> Mesh:
    """A round knob with a mark on a front that faces +z."""
    body = oriented(cylinder((0, 0, 0), radius, deep, 14), (0, 0, 1)).moved(centre)
    x, y, z = centre
    return joined(body, slab((x, y + radius * 0.5, z + deep), (radius * 0.2, radius * 0.9, deep * 0.4)))


def style(rng: np.random.Generator) -> str:
    """One of STYLES: how all handles of an object look."""
    return str(rng.choice(STYLES, p=[0.25, 0.2, 0.2, 0.15, 0.12, 0.08]))
