"""Drag sampling, §4: one drag per moving sub-model, on a visible point drawn in proportion to its displacement.

Letters: P points, N frames, K drags, M candidates a part.
"""

from __future__ import annotations

import numpy as np

from puppetmaster_core.drags import Drags

MIN_TRAVEL = 0.02  # picture widths; a part whose points all move less than this gets no drag


def displacement(points: np.ndarray) -> np.ndarray:
    """Total displacement (P,) of world points (N, P, 3) across the N frames, in the asset's units."""
    return np.linalg.norm(np.diff(points, axis=0), axis=-1).sum(0)


def sample_points(points: np.ndarray, tracks: np.ndarray, part: np.ndarray, rng: np.random.Generator,
                  candidates: int = 1) -> dict[int, np.ndarray]:
    """For every sub-model that moves, `candidates` indices of points drawn in proportion to their displacement.

    points (N, P, 3) in the world, tracks (P, N, 2) in the picture, part (P,): all points are visible in frame 1.
    """
    chosen = {}
    weight = displacement(points)
    travel = np.linalg.norm(tracks - tracks[:, :1], axis=-1).max(1)
    for submodel in np.unique(part):
        own = np.flatnonzero(part == submodel)
        if travel[own].max() < MIN_TRAVEL or weight[own].sum() <= 0:
            continue
        chosen[int(submodel)] = rng.choice(own, candidates, p=weight[own] / weight[own].sum())
    return chosen


def choose_paths(tracks: np.ndarray, track_parts: np.ndarray, rng: np.random.Generator, *, max_drags: int = 5,
                 straight: bool = False) -> np.ndarray:
    """One of the candidate tracks (P, N, 2) of each part, at random: (K, N, 2), at most `max_drags`, in random order.

    track_parts (P,): the part each rides on, negative = no track. `straight` keeps only a track's ends and spaces the
    frames evenly between them, as Drag-a-Move does.
    """
    parts = np.unique(track_parts[track_parts >= 0])
    picks = [rng.choice(np.flatnonzero(track_parts == part)) for part in rng.permutation(parts)[:max_drags]]
    paths = tracks[np.array(picks, int)]
    return straightened(paths) if straight else paths


def sample_drags(clip, rng: np.random.Generator, *, max_drags: int = 5, straight: bool = False) -> Drags | None:
    """Drags for a `Clip` from its candidate tracks: one a moving sub-model, near duplicates removed (§4: δ = 20N at 256²).

    Returns None where nothing visible moves. See `choose_paths`.
    """
    paths = choose_paths(clip.tracks, clip.track_parts, rng, max_drags=max_drags, straight=straight)
    return Drags(paths).without_near_duplicates(generator=rng) if len(paths) else None


def straightened(paths: np.ndarray) -> np.ndarray:
    """Paths (K, N, 2) replaced by straight lines between their ends, uniform in time."""
    steps = np.linspace(0, 1, paths.shape[1], dtype=np.float32)[:, None]
    return (1 - steps) * paths[:, :1] + steps * paths[:, -1:]
