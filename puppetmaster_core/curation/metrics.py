"""Motion metrics of an animation (§4): the paper's, as far as it names them, and our own.

The paper lists the box around the whole clip, the largest box at any one time, and the mean and maximal displacement, without
formulas, units or sampling. Ours: lengths are divided by the object's size L, the median over time of the longest side of its
box, so units do not matter; displacement is from the first frame. Letters: T times, P points.
"""

from __future__ import annotations

import numpy as np

from puppetmaster_core.assets.asset import AnimatedAsset
from puppetmaster_core.curation.points import PointClouds, point_clouds

MOVES = 0.01  # of L: what goes farther moves

# What each is. Named by §4:
PAPER = {
    "clip_width": "the clip's box in x, of the object's size", "clip_height": "the clip's box in y",
    "clip_depth": "the clip's box in z", "clip_x": "the clip's box, its centre's way in x from the first frame's",
    "clip_y": "the same in y", "clip_z": "the same in z", "largest_box": "longest side of the largest box at one time",
    "mean_displacement": "from the first frame, over points and times", "max_displacement": "of any vertex at any time",
}
OURS = {
    "rigid_residual": "farthest from the best rigid motion of the whole", "similarity_residual": "the same, resizing allowed",
    "affine_residual": "the same, stretching and shearing allowed", "rigid_share": "rigid residual over displacement",
    "similarity_share": "similarity residual over displacement", "affine_share": "affine residual over displacement",
    "moving_fraction": "points that ever move", "own_moving_fraction": "points that move against the best rigid motion",
    "smallest_box": "longest side of the smallest box at one time", "growth": "largest over smallest spread of the points",
    "speed": "the fastest mean speed of the points, sizes a second", "jerk": "third differences over first, where it is busiest",
    "jump": "mean way of the points in no time",
}
MEANING = PAPER | OURS
METRICS = tuple(MEANING)


def motion_metrics(asset: AnimatedAsset, clip: int | str = 0) -> dict[str, float]:
    """The metrics of METRICS, by name, of one animation; MEANING says in a line what each is.

    1,024 points of the surface at 33 even times over the whole animation, and 16 more times at most 1/30 s apart where
    most happens, for jerk. Motion faster than both see is counted as what is left of it. Raises what `point_clouds` does.
    """
    clouds = point_clouds(asset, clip)
    sides = (clouds.high - clouds.low).max(1)
    size = float(np.median(sides)) or float(sides.max()) or 1.0
    found = {**_boxes(clouds, sides, size), **_displacements(clouds, size), **_fits(clouds.points, size), **_pace(clouds, size)}
    return {name: float(found[name]) for name in METRICS}


def _boxes(clouds: PointClouds, sides: np.ndarray, size: float) -> dict[str, float]:
    """The boxes of §4, "(1)" and "(2)"."""
    low, high = clouds.low.min(0), clouds.high.max(0)
    way = (low + high - clouds.low[0] - clouds.high[0]) / 2 / size
    width, height, depth = (high - low) / size
    return {"clip_width": width, "clip_height": height, "clip_depth": depth, "clip_x": way[0], "clip_y": way[1],
            "clip_z": way[2], "largest_box": sides.max() / size, "smallest_box": sides.min() / size}


def _displacements(clouds: PointClouds, size: float) -> dict[str, float]:
    """The displacements of §4, "(3)"."""
    way = np.linalg.norm(clouds.points - clouds.points[:1], axis=2) / size
    around = np.sqrt(clouds.points.var(1).sum(1)) / size
    return {"mean_displacement": way[1:].mean(), "max_displacement": clouds.farthest / size,
            "moving_fraction": (way.max(0) > MOVES).mean(), "growth": (around.max() + 1e-3) / (around.min() + 1e-3)}


def _fits(points: np.ndarray, size: float) -> dict[str, float]:
    """What is left when the whole object's best motion is taken away, and its share of all motion."""
    first = points[0]
    moved = residual(first, points)
    fits = {"rigid": rigid_fit, "similarity": lambda a, b: rigid_fit(a, b, scale=True), "affine": affine_fit}
    out = {}
    for name, fit in fits.items():
        fitted = fit(first, points)
        left = residual(fitted, points)
        out[f"{name}_residual"] = left.max() / size
        out[f"{name}_share"] = np.sqrt((left**2).mean()) / (np.sqrt((moved**2).mean()) + 1e-4 * size)
        if name == "rigid":
            own = np.linalg.norm(fitted - points, axis=2).max(0)
            out["own_moving_fraction"] = (own > MOVES * size).mean()
    return out


def _pace(clouds: PointClouds, size: float) -> dict[str, float]:
    first, third = (np.linalg.norm(np.diff(clouds.fine, order, axis=0), axis=2) for order in (1, 3))
    jerk = np.sqrt((third**2).mean()) / (np.sqrt((first**2).mean()) + 1e-4 * size)
    return {"speed": first.mean(1).max() / clouds.fine_step / size, "jerk": jerk, "jump": clouds.jump / size}


# ---- how much of a motion is one motion of the whole object ---------------------------------------------------------------


def rigid_fit(first: np.ndarray, cloud: np.ndarray, scale: bool = False) -> np.ndarray:
    """`first` (P, 3) turned and moved, and with `scale` resized, to lie nearest to each of cloud (T, P, 3): (T, P, 3).

    Least squares by singular values (Kabsch 1976; with scale Umeyama 1991). Mirrors are not allowed.
    """
    a, b = first - first.mean(0), cloud - cloud.mean(1, keepdims=True)
    u, s, vt = np.linalg.svd(np.einsum("tpi,pj->tij", b, a))
    sign = np.ones_like(s)
    sign[:, 2] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = (u * sign[:, None]) @ vt
    size = (s * sign).sum(1) / max((a**2).sum(), 1e-300) if scale else np.ones(len(cloud))
    return size[:, None, None] * (a @ rotation.transpose(0, 2, 1)) + cloud.mean(1, keepdims=True)


def affine_fit(first: np.ndarray, cloud: np.ndarray) -> np.ndarray:
    """`first` (P, 3) under the affine map that brings it nearest to each of cloud (T, P, 3): (T, P, 3)."""
    a = np.concatenate([first - first.mean(0), np.ones((len(first), 1))], 1)
    size = max(float(np.abs(a[:, :3]).max()), 1e-300)
    a[:, :3] /= size
    return a @ (np.linalg.pinv(a, rcond=1e-9) @ cloud)


def residual(fitted: np.ndarray, cloud: np.ndarray) -> np.ndarray:
    """Root mean square distance (T,) between a fit and the cloud it was fitted to, (T, P, 3) both."""
    return np.sqrt(((fitted - cloud) ** 2).sum(2).mean(1))
