"""Cabinets: doors and drawers with real insides, panel thickness and handles (App. C.1's Drag-a-Move).

Lengths in metres before the asset is scaled to the unit cube; the front faces +z, the floor is y = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from procedural_library.articulated import Builder
from procedural_library.joints import Joint
from procedural_library.surfaces import plain, shaded, wood
from puppetmaster_core.assets import Material

GAP = 0.004  # between neighbouring fronts


@dataclass(frozen=True)
class _Cell:
    """A rectangle of the front, filled by one drawer, one door or an open shelf."""

    left: float
    right: float
    bottom: float
    top: float
    kind: str


def cabinet(rng: np.random.Generator) -> Builder:
    """A cabinet with one to three parts that move (mostly one, as in Drag-a-Move) and others that stay still.

    Half of the animations open, half close.
    """
    build = Builder()
    width, height, depth = rng.uniform(0.5, 1.3), rng.uniform(0.5, 1.4), rng.uniform(0.35, 0.7)
    panel = rng.uniform(0.02, 0.045)
    body = _surface(rng)
    front = body if rng.random() < 0.5 else _surface(rng)
    skins = {
        "body": build.add_material(body),
        "inside": build.add_material(shaded(body, 0.8)),
        "front": build.add_material(front),
        "handle": build.add_material(plain(rng)),
    }
    legs = rng.uniform(0.05, 0.15) if rng.random() < 0.4 else 0.0
    _carcass(build, skins, width, height, depth, panel, legs)
    cells = _layout(rng, width, height, panel, legs)
    _shelves(build, skins, cells, depth, panel)

    fronts = [cell for cell in cells if cell.kind != "shelf"]
    n_moving = min(len(fronts), int(rng.choice([1, 2, 3], p=[0.75, 0.18, 0.07])))
    area = np.array([(cell.right - cell.left) * (cell.top - cell.bottom) for cell in fronts])
    moving = set(rng.choice(len(fronts), n_moving, replace=False, p=area / area.sum()).tolist())
    opens = rng.random() < 0.5
    style = rng.choice(["bar", "knob", "edge"])
    for i, cell in enumerate(fronts):
        travel = _travel(rng, cell.kind, depth, opens) if i in moving else _resting(rng, cell.kind, depth)
        (_drawer if cell.kind == "drawer" else _door)(build, skins, rng, cell, depth, panel, travel, style)
    build.easing = "linear" if rng.random() < 0.75 else "smooth"
    return build


def _surface(rng) -> Material:
    return wood(rng) if rng.random() < 0.5 else plain(rng)


def _travel(rng, kind: str, depth: float, opens: bool) -> tuple[float, float]:
    """Start and end of a moving joint: (nearly) closed to open, or the other way."""
    reach = depth * 0.85 if kind == "drawer" else np.deg2rad(115)
    shut, wide = rng.uniform(0.0, 0.15) * reach, rng.uniform(0.55, 1.0) * reach
    return (shut, wide) if opens else (wide, shut)


def _resting(rng, kind: str, depth: float) -> tuple[float, float]:
    """A joint that stays: shut, or one in eight left ajar."""
    ajar = rng.uniform(0.1, 0.5) if rng.random() < 0.125 else 0.0
    q = ajar * (depth * 0.85 if kind == "drawer" else np.deg2rad(115))
    return q, q


def _carcass(build, skins, width, height, depth, panel, legs) -> None:
    body = build.add_part("carcass")
    w, top = width / 2, height
    build.box(body, (-w, legs, 0), (-w + panel, top, depth), skins["body"])
    build.box(body, (w - panel, legs, 0), (w, top, depth), skins["body"])
    build.box(body, (-w, top - panel, 0), (w, top, depth), skins["body"])
    build.box(body, (-w, legs, 0), (w, legs + panel, depth), skins["body"])
    build.box(body, (-w + panel, legs + panel, 0), (w - panel, top - panel, panel), skins["inside"])
    if legs:
        for x in (-w, w - 2 * panel):
            for z in (0, depth - 2 * panel):
                build.box(body, (x, 0, z), (x + 2 * panel, legs, z + 2 * panel), skins["body"])


def _layout(rng, width, height, panel, legs) -> list[_Cell]:
    """Split the front into columns, each column into rows, each cell a drawer, a door or an open shelf."""
    cells = []
    n_columns = int(rng.integers(1, 2 if width < 0.7 else 3 if width < 1.1 else 4))
    columns = np.linspace(-width / 2 + panel, width / 2 - panel, n_columns + 1)
    for left, right in pairwise(columns):
        inner = height - legs - 2 * panel
        n_rows = int(rng.integers(1, 5 if inner > 1.0 else 4 if inner > 0.6 else 3))
        shares = rng.uniform(0.6, 1.4, n_rows)
        edges = legs + panel + inner * np.concatenate([[0], np.cumsum(shares) / shares.sum()])
        for bottom, top in pairwise(edges):
            tall = (top - bottom) > 0.9 * (right - left)
            kind = rng.choice(["drawer", "door", "shelf"], p=[0.15, 0.75, 0.1] if tall else [0.75, 0.15, 0.1])
            cells.append(_Cell(left, right, bottom, top, str(kind)))
    if all(cell.kind == "shelf" for cell in cells):
        first = cells[0]
        cells[0] = _Cell(first.left, first.right, first.bottom, first.top, "door")
    return cells


def _shelves(build, skins, cells, depth, panel) -> None:
    """Boards under and beside every cell, so that an open front shows a real compartment."""
    for cell in cells:
        half = panel / 3
        build.box(0, (cell.left, cell.bottom - half, 0), (cell.right, cell.bottom + half, depth - panel), skins["inside"])
        build.box(0, (cell.right - half, cell.bottom, 0), (cell.right + half, cell.top, depth - panel), skins["inside"])


def _drawer(build, skins, rng, cell, depth, panel, travel, style) -> None:
    part = build.add_part("drawer", Joint("prismatic", (0.0, 0.0, 1.0), start=travel[0], end=travel[1]))
    left, right, bottom, top = cell.left + GAP, cell.right - GAP, cell.bottom + GAP, cell.top - GAP
    build.box(part, (left, bottom, depth - panel), (right, top, depth), skins["front"])
    wall, rim, back = panel / 2, bottom + 0.75 * (top - bottom), 0.12 * depth
    inner_left, inner_right, floor = left + wall, right - wall, bottom + wall
    build.box(part, (inner_left, bottom, back), (inner_right, floor, depth - panel), skins["inside"])
    build.box(part, (inner_left, floor, back), (inner_left + wall, rim, depth - panel), skins["inside"])
    build.box(part, (inner_right - wall, floor, back), (inner_right, rim, depth - panel), skins["inside"])
    build.box(part, (inner_left, floor, back), (inner_right, rim, back + wall), skins["inside"])
    _handle(build, skins, part, (left + right) / 2, (bottom + top) / 2, depth, right - left, style, upright=False)


def _door(build, skins, rng, cell, depth, panel, travel, style) -> None:
    left, right, bottom, top = cell.left + GAP, cell.right - GAP, cell.bottom + GAP, cell.top - GAP
    hinge = str(rng.choice(["left", "right", "bottom"], p=[0.4, 0.4, 0.2]))
    # A positive angle about each axis opens the door towards the viewer.
    axis = {"left": (0.0, -1.0, 0.0), "right": (0.0, 1.0, 0.0), "bottom": (1.0, 0.0, 0.0)}[hinge]
    origin = (right if hinge == "right" else left, bottom, depth)
    limit = 90 / 115 if hinge == "bottom" else 1.0
    part = build.add_part("door", Joint("revolute", axis, origin, travel[0] * limit, travel[1] * limit))
    build.box(part, (left, bottom, depth - panel), (right, top, depth), skins["front"])
    if hinge == "bottom":
        _handle(build, skins, part, (left + right) / 2, top - 0.15 * (top - bottom), depth, right - left, style, upright=False)
        return
    inset = 0.12 * (right - left)
    x = right - inset if hinge == "left" else left + inset
    _handle(build, skins, part, x, (bottom + top) / 2, depth, top - bottom, style, upright=True)


def _handle(build, skins, part, x, y, z, span, style, upright) -> None:
    """A bar, a knob, or a thin edge grip in front of the panel, centred at (x, y)."""
    long, thick, out = {"bar": (0.35, 0.018, 0.04), "knob": (0.0, 0.03, 0.035), "edge": (0.7, 0.01, 0.02)}[str(style)]
    half_long, half = max(long * span / 2, thick), thick
    dx, dy = (half, half_long) if upright else (half_long, half)
    build.box(part, (x - dx, y - dy, z), (x + dx, y + dy, z + out), skins["handle"])
