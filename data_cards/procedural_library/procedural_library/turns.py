"""Rotations as quaternions (x, y, z, w), glTF's order. Letters: K keys."""

from __future__ import annotations

import numpy as np

STILL = (0.0, 0.0, 0.0, 1.0)


def turn(axis, radians) -> np.ndarray:
    """Quaternions (..., 4) that turn by `radians` (...) about `axis` (3,)."""
    half = np.asarray(radians, float)[..., None] / 2
    axis = np.asarray(axis, float) / np.linalg.norm(axis)
    return np.concatenate([np.sin(half) * axis, np.cos(half)], -1)


def after(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The turn `first` and then `second`: the quaternion product second · first, (..., 4)."""
    a, b = np.broadcast_arrays(second, first)
    vector = a[..., 3:] * b[..., :3] + b[..., 3:] * a[..., :3] + np.cross(a[..., :3], b[..., :3])
    return np.concatenate([vector, a[..., 3:] * b[..., 3:] - (a[..., :3] * b[..., :3]).sum(-1, keepdims=True)], -1)


def euler(x=0.0, y=0.0, z=0.0) -> np.ndarray:
    """Turns about x first, then z, then y, radians (...): a limb that swings, then lifts sideways, then heads elsewhere."""
    x, y, z = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float), np.asarray(z, float))
    return after(turn((0, 1, 0), y), after(turn((0, 0, 1), z), turn((1, 0, 0), x)))


def matrices(quaternion: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) of unit quaternions (..., 4)."""
    x, y, z, w = np.moveaxis(quaternion, -1, 0)
    rows = [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
            2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
            2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]
    return np.stack(rows, -1).reshape(*quaternion.shape[:-1], 3, 3)


def slerp(a: np.ndarray, b: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Between unit quaternions a and b (..., 4) the shorter way, u (...) from 0 to 1 (glTF 2.0, appendix C.4)."""
    cosine = (a * b).sum(-1)
    b = np.where(cosine[..., None] < 0, -b, b)
    angle = np.arccos(np.clip(np.abs(cosine), 0, 1))[..., None]
    near, u = np.sin(angle) < 1e-6, u[..., None]
    sine = np.where(near, 1.0, np.sin(angle))
    out = np.where(near, (1 - u) * a + u * b, (np.sin((1 - u) * angle) * a + np.sin(u * angle) * b) / sine)
    return out / np.linalg.norm(out, axis=-1, keepdims=True)
