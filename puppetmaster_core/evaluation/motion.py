"""Where points went: motion error in the paper's two variants (§5.1), drag end-point error, wrong directions.

Letters: P points, K drags, N frames, S side of a square picture in pixels. Tracks are (P, N, 2), xy in pixels, x first, with
(0, 0) the corner of the picture and (0.5, 0.5) the centre of its first pixel, as everywhere here. All results are in pixels of
a picture 256 wide, the paper's, whatever the videos' size.

The paper says "the L2 distance between the tracks estimated from the generated and ground-truth videos" and no more. Here: the
mean over points and over all N frames (frame 1 included, where it is 0), then the mean over clips. Read so, its figures are
plausible against those of a static video, which is a guess all the same. Points that a tracker calls hidden count like others:
leaving them out would reward a video in which they vanish.
"""

from __future__ import annotations

import numpy as np

PAPER_SIZE = 256  # pixels; the unit of every length reported
DEAD_ZONE = 2.0  # pixels at 256 along the drag; a shorter way is too short to tell its direction
GRID_STEP = 8  # pixels at 256 between foreground points


def motion_error(tracks: np.ndarray, true_tracks: np.ndarray, size: int) -> float:
    """Motion error, §5.1: "the L2 distance between the tracks".

    Mean distance of two sets of tracks (P, N, 2), in pixels at 256, 0 to ∞, lower is better; NaN without points.

    With the tracks of the drags' origins it is the paper's first variant, with those of `foreground_points` its second.
    """
    if not len(tracks):
        return float("nan")
    return float(np.linalg.norm(np.subtract(tracks, true_tracks, dtype=np.float64), axis=2).mean() * PAPER_SIZE / size)


def foreground_points(mask: np.ndarray) -> np.ndarray:
    """Points (P, 2) in pixels on a grid over the foreground of frame 1: pixel centres, GRID_STEP pixels at 256 apart.

    mask: bool (S, S). The paper says "all object foreground points"; a grid has the same mean and costs less.
    """
    stride = max(1, round(GRID_STEP * mask.shape[1] / PAPER_SIZE))
    on_grid = np.zeros_like(mask)
    on_grid[stride // 2 :: stride, stride // 2 :: stride] = True
    return np.argwhere(mask & on_grid)[:, ::-1] + 0.5


def end_point_error(tracks: np.ndarray, paths: np.ndarray, size: int) -> float:
    """How far from its end a drag leaves its point: mean over drags, pixels at 256, 0 to ∞, lower is better.

    tracks: where the drags' origins went, (K, N, 2) pixels. paths: the drags, (K, N, 2) pixels. Only the last frame counts,
    the only one in which Drag-a-Move's straight drags tell the truth.
    """
    return motion_error(tracks[:, -1:], paths[:, -1:], size)


def ways(tracks: np.ndarray, paths: np.ndarray, size: int) -> np.ndarray:
    """How far each dragged point went along its drag (K,), in pixels at 256; negative: against it.

    tracks, paths: as in `end_point_error`. The direction is from the drag's start to its end; NaN where these are one.
    """
    asked, went = (np.subtract(path[:, -1], path[:, 0], dtype=np.float64) for path in (paths, tracks))
    length = np.linalg.norm(asked, axis=1)
    with np.errstate(invalid="ignore"):
        return (went * asked).sum(1) / np.where(length > 0, length, np.nan) * PAPER_SIZE / size


def direction_counts(way: np.ndarray, dead_zone: float = DEAD_ZONE) -> dict[str, int]:
    """Table 2, "% wrong direction": the paper counts by hand and writes ≥ where some are hard to tell.

    Drags of a clip whose points went right, wrong, or too little to tell.

    way: what `ways` gives. dead_zone: in pixels at 256; a way within it, or NaN, is unclear.
    """
    way = np.asarray(way, dtype=np.float64)
    right, wrong = int((way > dead_zone).sum()), int((way < -dead_zone).sum())
    return {"right": right, "wrong": wrong, "unclear": len(way) - right - wrong}
