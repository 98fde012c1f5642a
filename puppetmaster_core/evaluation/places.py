"""Is the rest of the object where it should be? Exact where the clip is rendered: the true patch, looked for in the picture.

For points on the object outside of the dragged parts it is known where they are in every frame, and what the picture shows
there. That patch is looked for in the generated frame around its place; how far off it is found is the point's error.
Ours: it stands for the paper's second motion error (§5.1), for which it needs no tracker.

Letters: N frames, P points, S side of a square picture in pixels, F offsets.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

SIDE = 64  # pixels a side at which points are looked for; larger pictures are made smaller by whole pixels
PATCH = 7  # pixels a side
REACH = 6  # pixels: how far a point is looked for, in either direction
SAME = 8.0**2  # squared grey levels, as `metrics.MOVING_THRESHOLD`: patches whose mean error differs by less look the same
TELLING = 16.0**2  # a point counts where its own patch two pixels off would differ by more


def offsets_of_points(video: np.ndarray, truth: np.ndarray, tracks: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """How far from its place each point is found in each frame, pixels at SIDE, 0 to REACH·√2: (P, N).

    video, truth: (N, S, S, 3) uint8, frames that are compared one by one. tracks: (P, N, 2), where the points truly are, xy in
    [0, 1]; seen: (P, N) bool. NaN where a point is not seen, or has nothing about it by which it could be told from its
    neighbourhood. Of places that fit equally well (SAME) the nearest counts, so a blurred patch is where it should be.
    """
    video, truth = smaller(video), smaller(truth)
    found, size = np.full((len(tracks), len(truth)), np.nan), truth.shape[1]
    far = np.linalg.norm(np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1].reshape(2, -1), axis=0)  # (F,)
    near, ring = np.argsort(far, kind="stable"), (far >= 1.5) & (far <= 2.5)
    for n in range(len(truth)):
        place = np.floor(tracks[:, n] * size).astype(int)
        inside = np.flatnonzero(seen[:, n] & (place >= 0).all(1) & (place < size).all(1))
        x, y = place[inside].T
        told = _patch_errors(truth[n], truth[n], x, y)[:, ring].min(1) > TELLING
        error = _patch_errors(video[n], truth[n], x[told], y[told])[:, near]
        first = (error <= error.min(1, keepdims=True) + SAME).argmax(1)
        found[inside[told], n] = far[near][first]
    return found


def smaller(frames: np.ndarray) -> np.ndarray:
    """Frames (N, S, S, 3) as float32 of about SIDE pixels: means of squares of pixels."""
    k = max(1, frames.shape[1] // SIDE)
    side = frames.shape[1] // k
    cut = frames[:, : side * k, : side * k].astype(np.float32)
    return cut.reshape(len(frames), side, k, side, k, 3).mean((2, 4))


def _patch_errors(picture: np.ndarray, true: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean squared difference (P, F) of the true patch around each point to the picture's patches, offset by offset."""
    half, side = PATCH // 2, 2 * REACH + 1
    rim = ((half, half), (half, half), (0, 0))
    patches = sliding_window_view(np.pad(true, rim, mode="edge"), (PATCH, PATCH), (0, 1))[y, x]  # (P, 3, 7, 7)
    wide = np.pad(picture, [(half + REACH,) * 2] * 2 + [(0, 0)], mode="edge")
    others = sliding_window_view(wide, (PATCH, PATCH), (0, 1))  # (S + 2·REACH, …, 3, 7, 7)
    rows, columns = y[:, None, None] + np.arange(side)[:, None], x[:, None, None] + np.arange(side)
    gap = others[rows, columns] - patches[:, None, None]  # (P, side, side, 3, 7, 7)
    return np.square(gap).mean((3, 4, 5)).reshape(len(x), side**2)
