"""The checks of the book's exercises: each takes a reader's answer and says in a line what is right or wrong with it.

None means not answered yet. Letters: N frames, P points.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from puppetmaster_core.clips.rules import PAPER, displacement, distinct

WAITING = "not answered yet: replace None and run the cell again"


def near_drags(gap: float | None, frames: int = 14) -> str:
    """How many pixels at 256 × 256 two drags that run side by side must be apart, so that both stay (§4: δ = 20N)."""
    if gap is None:
        return WAITING
    rng, line = np.random.default_rng(0), np.stack([np.linspace(0.2, 0.6, frames), np.full(frames, 0.5)], 1)

    def both_stay(pixels: float) -> bool:
        beside = line + np.array((0.0, pixels / PAPER.pixels))
        return bool(distinct(np.stack([line, beside]), rng, PAPER).all())

    if not both_stay(1.02 * gap):
        return f"too little: two drags {gap:g} px apart in every frame are near, and one of them goes"
    if both_stay(0.98 * gap):
        return f"too much: drags a little nearer than {gap:g} px both stay"
    return f"right: {gap:.2f} px in every frame, which is the square root of δ / N"


def point_chances(function: Callable[[np.ndarray], np.ndarray] | None) -> str:
    """A function from world points (N, P, 3) to the chance (P,) that §4 gives each of them to be dragged."""
    if function is None:
        return WAITING
    world = np.random.default_rng(1).normal(size=(14, 6, 3)).cumsum(0)
    world[:, 0] = world[0, 0]  # stands still
    world[7:, 1] = world[6::-1, 1]  # goes there and back
    wanted = displacement(world) / displacement(world).sum()
    given = np.asarray(function(world.copy()), dtype=float)
    if given.shape != wanted.shape:
        return f"wrong shape: {given.shape} came for 6 points, wanted (6,)"
    if not np.isfinite(given).all() or (given < 0).any():
        return "wrong: a chance is a number from 0 to 1"
    if abs(given.sum() - 1) > 1e-6:
        return f"not yet: the chances add up to {given.sum():.3f}, wanted 1"
    if given[1] < 1e-9:
        return "not yet: point 2 goes there and back, so it ends where it starts, but it has travelled: add up all its steps"
    if not np.allclose(given, wanted, atol=1e-6):
        return "not yet: wanted in proportion to the length of each point's way, all frames counted alike"
    return "right: the longer its way, the likelier a point is dragged; a point that stands still never is"
