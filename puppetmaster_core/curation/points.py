"""A sequence of aligned point clouds (§4): the same spots of an object's surface, at many times of an animation.

Letters: T times, V vertices, F triangles, P points.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from puppetmaster_core.assets.asset import AnimatedAsset, finite
from puppetmaster_core.clips.tracks import SurfacePoints

POINTS = 1024  # P
TIMES = 33  # T, over the whole animation
FINE, FINE_STEP = 16, 1 / 30  # times in a row, seconds apart at the most, where the animation is busiest
MOST = 500_000  # vertices of poses held at once
HALVINGS = 10  # of the interval with the longest step, to see whether the step is a jump


@dataclass(frozen=True)
class PointClouds:
    """What the metrics are computed from. Lengths in the asset's own units, times in seconds."""

    points: np.ndarray  # (T, P, 3), evenly over the animation
    low: np.ndarray  # (T, 3), the box around all that is drawn
    high: np.ndarray  # (T, 3)
    farthest: float  # that any vertex gets from where it was at first
    fine: np.ndarray  # (FINE, P, 3), close together in time, where most happens
    fine_step: float  # seconds between those
    jump: float  # mean distance that the points go in no time: 0 for a motion without breaks


def point_clouds(asset: AnimatedAsset, clip: int | str = 0) -> PointClouds:
    """Sample animation `clip` of an asset: POINTS spots of the surface at TIMES times from its first moment to its last.

    The spots lie on triangles with a chance in proportion to their area (the mean over the animation), so neither the number
    of vertices nor how the surface is cut into triangles matters. Boxes and `farthest` are of all vertices that triangles use.
    Raises ValueError: an asset without triangles, an animation that is not there or lasts 0 s, places that are not finite.
    """
    duration = asset.clips[asset.clip_index(clip)].duration
    if not len(asset.faces):
        raise ValueError("got an asset without triangles, expected a surface")
    if not (np.isfinite(duration) and duration > 0):
        raise ValueError(f"animation {clip!r} lasts {duration:g} s, expected more than 0")
    used, at = np.unique(asset.faces), np.linspace(0.0, duration, TIMES)
    spots = _surface_points(poses(asset, clip, at[:: TIMES // 4]), asset.faces)

    def sample(moments: np.ndarray) -> np.ndarray:
        return np.concatenate([spots.positions(asset, vertices[None]) for vertices in poses(asset, clip, moments)])

    first, cloud, low, high, farthest = None, [], [], [], 0.0
    for pose in poses(asset, clip, at):
        cloud.append(spots.positions(asset, pose[None])[0])
        vertices = pose[used]
        first = vertices if first is None else first
        low.append(vertices.min(0))
        high.append(vertices.max(0))
        farthest = max(farthest, float(np.linalg.norm(vertices - first, axis=1).max()))
    cloud = np.stack(cloud)
    busiest = int(np.argmax(_steps(cloud)))
    step = min(FINE_STEP, duration / (FINE - 1))
    start = np.clip((at[busiest] + at[busiest + 1]) / 2 - step * (FINE - 1) / 2, 0.0, duration - step * (FINE - 1))
    jump = _jump(sample, at[busiest], at[busiest + 1], cloud[busiest], cloud[busiest + 1])
    return PointClouds(cloud, np.stack(low), np.stack(high), farthest, sample(start + step * np.arange(FINE)), step, jump)


def poses(asset: AnimatedAsset, clip: int | str, times: np.ndarray) -> Iterator[np.ndarray]:
    """Places (V, 3) of the vertices at each of times (T,). Never more than a few poses are held at once.

    Raises ValueError.
    """
    together = max(1, MOST // (int(asset.faces.max(initial=0)) + 1))
    for i in range(0, len(times), together):
        for vertices in asset.trajectories(clip, times[i : i + together]):
            yield finite(vertices)


def _surface_points(poses: Iterable[np.ndarray], faces: np.ndarray) -> SurfacePoints:
    """POINTS spots, the same ones every time: at even steps of the area added up, at Halton's places in their triangles.

    poses: vertices (V, 3) each, whose areas count alike; faces (F, 3). A surface without any area gets its triangles in turn.
    """
    area = np.zeros(len(faces))
    for vertices in poses:
        corner, second, third = (vertices[faces[:, k]] for k in range(3))
        own = np.linalg.norm(np.cross(second - corner, third - corner), axis=1)
        area += own / max(own.sum(), 1e-300)
    total = np.cumsum(area if area.sum() > 0 else np.ones(len(faces)))
    face = np.searchsorted(total, (np.arange(POINTS) + 0.5) / POINTS * total[-1])
    face = np.minimum(face, len(faces) - 1)
    root, along = np.sqrt(_halton(2)), _halton(3)
    weights = np.stack([1 - root, root * (1 - along), root * along], 1)
    return SurfacePoints(face, weights)


def _halton(base: int) -> np.ndarray:
    """The first POINTS numbers of Halton's sequence, in (0, 1). (SciPy's takes a second to import, in every worker.)"""
    out, index, share = np.zeros(POINTS), np.arange(1, POINTS + 1), 1.0
    while index.any():
        share /= base
        out += share * (index % base)
        index //= base
    return out


def _steps(cloud: np.ndarray) -> np.ndarray:
    """Mean distance (T − 1,) that the points go from each time to the next."""
    return np.linalg.norm(np.diff(cloud, axis=0), axis=2).mean(1)


def _jump(sample, early: float, late: float, before: np.ndarray, after: np.ndarray) -> float:
    """What is left of a step (T − 1) when its interval is halved again and again, always to the half with the longer step."""
    for _ in range(HALVINGS):
        middle = (early + late) / 2
        cloud = sample(np.array([middle]))[0]
        first, second = _steps(np.stack([before, cloud, after]))
        if first >= second:
            late, after = middle, cloud
        else:
            early, before = middle, cloud
    return float(_steps(np.stack([before, after]))[0])
