"""How much of a motion is one motion of the whole object: best rigid, similarity and affine fits between point clouds.

Letters: T times, P points.
"""

from __future__ import annotations

import numpy as np


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
