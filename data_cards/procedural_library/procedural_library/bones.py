"""Skeletons and skins: chains of bones, and tubes that bend smoothly where bones meet. Letters: V vertices."""

from __future__ import annotations

import numpy as np

from procedural_library.mesh import Mesh, tube
from procedural_library.motion import smoothstep, sway
from procedural_library.rig import Rig
from procedural_library.turns import turn


def chain(rig: Rig, name: str, points, parent: int = 0) -> list[int]:
    """A bone from each of `points` to the next one, each on the one before: one fewer than there are points."""
    bones = []
    for i, point in enumerate(points[:-1]):
        parent = rig.node(f"{name} {i + 1}" if len(points) > 2 else name, point, parent)
        bones.append(parent)
    return bones


def bind(along: np.ndarray, bones: list[int], blend: float = 0.3, base: int | None = None) -> dict[int, np.ndarray]:
    """Weights (V,) for each bone: bone i holds what lies between control points i and i + 1.

    Around a joint the two bones share over ±blend; `base`, where given, is what the first one hangs on.
    """
    edges = np.arange(1, len(bones))
    share = [smoothstep((along - e) / (2 * blend) + 0.5) for e in edges]  # how far past each joint
    if base is not None:
        share.insert(0, smoothstep(along / (2 * blend) + 0.35))
        bones = [base, *bones]
    weights: dict[int, np.ndarray] = {}
    left = np.ones_like(along)
    for bone, past in zip(bones, [*share, np.zeros_like(along)], strict=True):
        weights[bone] = weights.get(bone, 0.0) + left * (1 - past)
        left = left * past
    return weights


def stiff(mesh: Mesh, bone: int) -> dict[int, np.ndarray]:
    """All of a mesh on one bone."""
    return {bone: np.ones(len(mesh.vertices))}


def limb(rig: Rig, part: int, points, radii, bones: list[int], material: int, *, base: int | None = None, blend: float = 0.3,
         up=(0.0, 0.0, 1.0), sides: int = 10, per_span: int = 4) -> None:
    """A tube through `points`, skinned to the bones between them."""
    mesh = tube(points, radii, sides=sides, per_span=per_span, up=up)
    rig.add(part, mesh, material, bones=bind(mesh.along, bones, blend, base))


def wave(rig: Rig, bones: list[int], axis, size, cycles: float, lag: float, phase: float = 0.0) -> None:
    """A wave that runs down a chain: bone i turns about `axis` by size[i]·sin(2π·cycles·t + phase − i·lag)."""
    for i, (bone, a) in enumerate(zip(bones, np.broadcast_to(size, len(bones)), strict=True)):
        rig.rotate(bone, turn(axis, sway(rig.clock, cycles, phase - i * lag, a)))
