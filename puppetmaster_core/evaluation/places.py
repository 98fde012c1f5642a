"""Is the rest of the object where it should be? Exact where the clip is rendered: the true patch, looked for in the picture.

For points on the object outside of the dragged parts it is known where they are in every frame, and what the picture shows
there. That patch is looked for in the generated frame around its place; how far off it is found is the point's error.
Ours: it stands for the paper's second motion error (§5.1), for which it needs no tracker.

Letters: N frames, P points, S side of a square picture in pixels, F offsets.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter

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
    steps = np.array([(dy, dx) for dy in range(-REACH, REACH + 1) for dx in range(-REACH, REACH + 1)])
    far = np.linalg.norm(steps, axis=1)
    near, ring = np.argsort(far, kind="stable"), (far >= 1.5) & (far <= 2.5)
    for n in range(len(truth)):
        place = np.floor(tracks[:, n] * size).astype(int)
        inside = np.flatnonzero(seen[:, n] & (place >= 0).all(1) & (place < size).all(1))
        x, y = place[inside].T
        itself = _patch_errors(truth[n], truth[n], x, y, steps[ring])  # (F, P)
        told = itself.min(0) > TELLING
        error = _patch_errors(video[n], truth[n], x[told], y[told], steps[near])
        first = (error <= error.min(0) + SAME).argmax(0)
        found[inside[told], n] = far[near][first]
    return found


def smaller(frames: np.ndarray) -> np.ndarray:
    """Frames (N, S, S, 3) as float32 of about SIDE pixels: means of squares of pixels."""
    k = max(1, frames.shape[1] // SIDE)
    side = frames.shape[1] // k
    cut = frames[:, : side * k, : side * k].astype(np.float32)
    return cut.reshape(len(frames), side, k, side, k, 3).mean((2, 4))


def _patch_errors(picture: np.ndarray, true: np.ndarray, x: np.ndarray, y: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Mean squared difference (F, P) of the true patch around each point to the picture's patch `steps` (F, 2) (y, x) away."""
    padded = np.pad(picture, ((REACH, REACH), (REACH, REACH), (0, 0)), mode="edge")
    height, width = true.shape[:2]
    errors = np.empty((len(steps), len(x)))
    for i, (dy, dx) in enumerate(steps):
        moved = padded[REACH + dy : REACH + dy + height, REACH + dx : REACH + dx + width]
        errors[i] = uniform_filter(np.square(moved - true).mean(2), PATCH, mode="nearest")[y, x]
    return errors
