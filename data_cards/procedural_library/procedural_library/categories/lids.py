"""Pots, jars, teapots and mugs of which the lid comes off."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import ball, cylinder, joined, lathe, tube
from procedural_library.motion import duration, profile
from procedural_library.rig import Rig
from procedural_library.surfaces import dark, metal, paint, pattern, plain, surface, wood
from procedural_library.turns import turn


def lid(rng: np.random.Generator) -> Rig:
    """A pot, a jar, a teapot or a box of which the lid is lifted, tipped or screwed off."""
    kind = str(rng.choice(["pot", "jar", "teapot", "mug"]))
    rig = Rig(kind, duration(rng), heading=rng.uniform(-60, 60))
    main = {"pot": metal, "jar": plain, "teapot": pattern, "mug": metal}[kind](rng) if rng.random() < 0.6 else paint(rng)
    skin, knob_skin = rig.material(main), rig.material(dark(rng) if rng.random() < 0.6 else wood(rng))
    r = rng.uniform(0.14, 0.22)
    h = r * {"pot": rng.uniform(0.8, 1.4), "jar": rng.uniform(1.6, 2.6), "teapot": 1.3, "mug": rng.uniform(1.6, 2.2)}[kind]
    belly = {"pot": 1.0, "jar": rng.uniform(1.0, 1.25), "teapot": 1.45, "mug": 0.95}[kind]
    body = rig.part(kind)
    outer = [(0, 0), (r * 0.85, 0), (r * (belly + 0.9) / 2, 0.1 * h), (r * belly, 0.5 * h), (r * (belly + 1.4) / 2.4, 0.85 * h),
             (r, h)]
    inner = [(r - 0.012, h), (r * belly - 0.015, 0.5 * h), (r * 0.8, 0.03), (0, 0.02)]
    rig.add(body, lathe(outer + inner, 22), skin)
    if kind == "pot":
        ears = [tube([(s * r, 0.75 * h, -0.05), (s * (r + 0.07), 0.78 * h, -0.04), (s * (r + 0.07), 0.78 * h, 0.04),
                      (s * r, 0.75 * h, 0.05)], 0.012, sides=6) for s in (-1, 1)]
        rig.add(body, joined(*ears), knob_skin)
    else:
        if kind in ("teapot", "mug"):
            bow = tube([(-r * 0.95, 0.85 * h, 0), (-r - 0.13, 0.8 * h, 0), (-r - 0.12, 0.35 * h, 0),
                        (-r * belly * 0.9, 0.22 * h, 0)], 0.018, sides=8)
            rig.add(body, bow, skin if kind == "teapot" else knob_skin)
        if kind == "teapot":
            spout = tube([(r * 1.2, 0.35 * h, 0), (r * 1.75, 0.6 * h, 0), (r * 2.0, 0.98 * h, 0)], [0.06, 0.04, 0.025])
            rig.add(body, spout, skin)
    pivot = (-r if kind == "mug" or rng.random() < 0.2 else 0.0, h, 0)
    node = rig.node("lid hinge" if pivot[0] else "lid", pivot)
    top = rig.part("lid", node)
    dome = rng.uniform(0.02, 0.09)
    rig.add(top, lathe([(0, h), (r * 1.03, h), (r * 1.03, h + 0.012), (r * 0.7, h + 0.7 * dome + 0.012), (0, h + dome + 0.015)],
                       22),
            skin if rng.random() < 0.7 else rig.material(surface(rng)))
    rig.add(top, joined(cylinder((0, h + dome, 0), 0.012, 0.03, 8), ball((0, h + dome + 0.045, 0), (0.035, 0.022, 0.035), 10, 6)),
            knob_skin)
    _open(rng, rig, kind, node, bool(pivot[0]), h / r)
    return rig


def _open(rng, rig: Rig, kind: str, node: int, hinged: bool, slim: float) -> None:
    """Tip, unscrew or lift the lid; or put it back."""
    go = profile(rng, rig.clock, forth=0.5)
    if hinged:
        rig.rotate(node, turn((0, 0, 1), np.deg2rad(rng.uniform(60, 115)) * (0.05 + 0.95 * go)))
    elif kind == "jar" and rng.random() < 0.5:  # a screw
        rig.rotate(node, turn((0, 1, 0), rng.uniform(2.0, 5.0) * go))
        rig.slide(node, np.outer(rng.uniform(0.05, 0.12) * go, (0, 1, 0)))
    else:
        aside = rng.uniform(-0.25, 0.25)
        path = np.stack([aside * go**2, rng.uniform(0.15, 0.4) * slim * 0.25 * go + 0.1 * go, 0.1 * go**2 * rng.uniform(-1, 1)],
                        1)
        rig.slide(node, path)
        rig.rotate(node, turn((0, 0, 1), -np.sign(aside) * rng.uniform(0, 0.8) * go))
