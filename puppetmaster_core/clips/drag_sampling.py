"""Drag sampling, §4, with the released code's rules as named settings: which points are dragged, and which drags stay.

Letters: P visible points, N frames of the clip, M ≥ N frames from its start to the end of the animation, K drags, F pixels a side
of a field of exact displacement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from puppetmaster_core.clips.displacement import moves
from puppetmaster_core.drags import Drags, distinct_paths


@dataclass(frozen=True)
class DragRules:
    """How drags are drawn. Each field's first value is the paper's; the numbers of `RELEASED` are the authors' code's."""

    count: str = "one"  # drags a sub-model: "one", or "area": 1 … max(its visible pixels // area_a_drag, 1), at random
    weight: str = "clip"  # a point's chance: its displacement over the N frames, or over the "animation" to its end
    duplicate: str = "squared"  # near: squared distances ≤ threshold · N, a random one goes; "summed": distances, the later goes
    threshold: float = 20.0  # per frame; squared pixels where "squared", pixels where "summed"
    thin: bool = False  # keep a drag with probability min(1, 2 · its length / the longest)
    pixels: int = 256  # picture size that areas, lengths and the threshold are counted at
    area_a_drag: int = 5000  # visible pixels
    least_area: int = 1  # visible pixels; a smaller part gets no drag
    least_path: float = 0.0  # largest sides of the object; a part of which no point travels farther gets no drag
    least_travel: float = 0.02  # picture widths from where the point starts, likewise (ours: nobody sees a shorter drag)
    max_drags: int = 5  # K_max
    straight: bool = False  # keep only the ends of a trajectory and an even pace between them, as Drag-a-Move does

    def __post_init__(self):
        choices = {"count": ("one", "area"), "weight": ("clip", "animation"), "duplicate": ("squared", "summed")}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(f"got {name} {getattr(self, name)!r}, expected one of {', '.join(known)}")


PAPER = DragRules()
# The authors' code: duplicates at 512 px, thinning, path to the animation's end, several drags on a large part.
RELEASED = DragRules(count="area", weight="animation", duplicate="summed", thin=True, pixels=512, least_area=100,
                     least_path=0.1, least_travel=0.0)
DRAG_A_MOVE = DragRules(straight=True)
RULES = {"paper": PAPER, "released": RELEASED, "drag-a-move": DRAG_A_MOVE}


@dataclass(frozen=True)
class VisiblePoints:
    """The surface seen in frame 1, a point for every pixel that shows the object, followed through the animation."""

    world: np.ndarray  # (M, P, 3), in largest sides of the object; the clip is its first N frames
    tracks: np.ndarray  # (P, N, 2) float32, xy in [0, 1]
    part: np.ndarray  # (P,) int, the sub-model each point rides on
    size: int  # pixels a side of the picture they were seen in
    submodels: int = 2  # how many the whole asset has; 1 = it has no sub-models

    @classmethod
    def of_field(cls, offset: np.ndarray, parts: np.ndarray) -> VisiblePoints:
        """All pixels that move of a field, offset (N, F, F, 2) and parts (F, F); ways are counted as the picture shows them."""
        rows, columns = np.nonzero(moves(offset))
        start = np.stack([columns + 0.5, rows + 0.5], 1).astype(np.float32) / len(parts)
        tracks = start[:, None] + offset[:, rows, columns].transpose(1, 0, 2).astype(np.float32)
        world = np.concatenate([tracks, np.zeros_like(tracks[..., :1])], -1).transpose(1, 0, 2)
        return cls(world, tracks, parts[rows, columns].astype(int), len(parts), len(np.unique(parts[parts >= 0])))


def sample_drags(clip, rng: np.random.Generator, rules: DragRules = PAPER) -> Drags | None:
    """Drags drawn anew for a `Clip` from all that its exact displacement says moves; where it has none, those of its label.

    Returns None where nothing visible moves.
    """
    paths = draw_paths(clip.displacement, clip.field_parts, clip.drags, rng, rules)
    return Drags(paths) if len(paths) else None


def draw_paths(offset: np.ndarray, parts: np.ndarray, drags: np.ndarray, rng: np.random.Generator, rules: DragRules = PAPER
               ) -> np.ndarray:
    """Drags (K, N, 2) from a field, offset (N, F, F, 2) and parts (F, F). F = 0: `drags`, straight where the rules say so."""
    if not offset.size:
        drags = drags[: rules.max_drags]
        return straightened(drags) if rules.straight else drags
    points = VisiblePoints.of_field(offset, parts)
    return drags_of(points, draw_drags(points, rng, rules), rules)


def draw_drags(points: VisiblePoints, rng: np.random.Generator, rules: DragRules = PAPER) -> np.ndarray:
    """The indices (K,) of the points that are dragged, K ≤ max_drags; K = 0 where nothing visible moves.

    `drags_of` gives their trajectories. §4: points in proportion to their displacement, one a sub-model, else a random number;
    then of two near drags one goes.
    """
    drawn = _draw_points(points, rng, rules)
    if len(drawn) > rules.max_drags:
        drawn = rng.choice(drawn, rules.max_drags, replace=False)
    drawn = drawn[distinct(drags_of(points, drawn, rules), rng, rules)]
    return drawn[long_enough(drags_of(points, drawn, rules), rng, rules)]


def drags_of(points: VisiblePoints, drawn: np.ndarray, rules: DragRules = PAPER) -> np.ndarray:
    """The drags (K, N, 2) of the points with indices (K,): their trajectories, straight where the rules say so."""
    paths = points.tracks[drawn]
    return straightened(paths) if rules.straight else paths


def straightened(paths: np.ndarray) -> np.ndarray:
    """Paths (K, N, 2) replaced by straight lines between their ends, uniform in time."""
    steps = np.linspace(0, 1, paths.shape[1], dtype=np.float32)[:, None]
    return (1 - steps) * paths[:, :1] + steps * paths[:, -1:]


def displacement(points: np.ndarray) -> np.ndarray:
    """Total displacement (P,) of world points (N, P, 3) across the N frames, in the asset's units."""
    return np.linalg.norm(np.diff(points, axis=0), axis=-1).sum(0)


def _weights(points: VisiblePoints, rules: DragRules) -> np.ndarray:
    """What each point's chance is in proportion to (P,): the length of its way, in largest sides of the object.

    The way of a straight drag is that from its start to its end: what comes back to where it was has none.
    """
    frames = points.tracks.shape[1]
    if rules.straight:
        return np.linalg.norm(points.world[frames - 1] - points.world[0], axis=-1)
    return displacement(points.world[:frames] if rules.weight == "clip" else points.world)


def _draw_points(points: VisiblePoints, rng: np.random.Generator, rules: DragRules) -> np.ndarray:
    weight = _weights(points, rules)
    ways = points.tracks[:, -1:] if rules.straight else points.tracks
    travel = np.linalg.norm(ways - points.tracks[:, :1], axis=-1).max(1)
    drawn = []
    for part in np.unique(points.part):
        own = np.flatnonzero(points.part == part)
        area = len(own) * (rules.pixels / points.size) ** 2
        still = weight[own].max() <= rules.least_path or travel[own].max() < rules.least_travel
        if still or area < rules.least_area:
            continue
        wanted = min(_how_many(area, points.submodels, rng, rules), np.count_nonzero(weight[own]))
        drawn.append(rng.choice(own, wanted, replace=False, p=weight[own] / weight[own].sum()))
    return np.concatenate([*drawn, np.empty(0, int)]).astype(int)


def _how_many(area: float, submodels: int, rng: np.random.Generator, rules: DragRules) -> int:
    """Drags of one sub-model that shows `area` pixels."""
    if rules.count == "area":
        return int(rng.integers(1, max(int(area // rules.area_a_drag), 1) + 1))
    return 1 if submodels > 1 else int(rng.integers(1, rules.max_drags + 1))


def distinct(paths: np.ndarray, rng: np.random.Generator, rules: DragRules = PAPER) -> np.ndarray:
    """Which of the paths (K, N, 2), xy in [0, 1], stay (K,) bool, so that no two of them are near."""
    return distinct_paths(paths, rules.threshold, rules.pixels, rng if rules.duplicate == "squared" else None)


def long_enough(paths: np.ndarray, rng: np.random.Generator, rules: DragRules = RELEASED) -> np.ndarray:
    """Which of the paths (K, N, 2) stay (K,) bool: each with probability min(1, 2 · length / longest); all, unless `thin`."""
    if not rules.thin or not len(paths):
        return np.ones(len(paths), bool)
    length = np.linalg.norm(np.diff(paths, axis=1), axis=-1).sum(1)
    return rng.random(len(paths)) * length.max() <= 2 * length
