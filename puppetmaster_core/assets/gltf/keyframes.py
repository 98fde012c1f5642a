"""Keyframes: what a channel says at a time, for all channels of one kind at once (glTF 2.0, Appendix C).

Letters: C channels, K keys of all channels together, W numbers a key.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MODES = {"STEP": 0, "LINEAR": 1, "CUBICSPLINE": 2}


@dataclass(frozen=True)
class Keys:
    """One channel: times (k,) rising, values (k, W), and for CUBICSPLINE its tangents (k, W), else None."""

    node: int
    mode: str
    times: np.ndarray
    values: np.ndarray
    incoming: np.ndarray | None = None
    outgoing: np.ndarray | None = None


class Tracks:
    """Many channels of one kind laid end to end, so that one look-up serves them all."""

    def __init__(self, channels: list[Keys], *, rotation: bool = False):
        self.rotation = rotation
        self.nodes = np.array([c.node for c in channels], np.int64)
        self.mode = np.array([MODES[c.mode] for c in channels])
        self.times = np.concatenate([c.times for c in channels])
        self.values = np.concatenate([c.values for c in channels])
        self.count = np.array([len(c.times) for c in channels])
        self.first = np.concatenate([[0], np.cumsum(self.count)[:-1]])
        self.incoming = self.outgoing = None
        if (self.mode == MODES["CUBICSPLINE"]).any():
            self.incoming = np.concatenate([np.zeros_like(c.values) if c.incoming is None else c.incoming for c in channels])
            self.outgoing = np.concatenate([np.zeros_like(c.values) if c.outgoing is None else c.outgoing for c in channels])

    def at(self, t: float) -> np.ndarray:
        """Values (C, W) at time `t` seconds; before its first key and after its last a channel rests at that key."""
        passed = np.add.reduceat(self.times <= t, self.first, dtype=np.int64)
        before = self.first + np.maximum(passed - 1, 0)
        after = self.first + np.minimum(passed, self.count - 1)
        span = self.times[after] - self.times[before]
        p = np.divide(t - self.times[before], span, out=np.zeros(len(span)), where=span > 0)[:, None]
        p = np.where(self.mode[:, None] == MODES["STEP"], 0.0, p)
        a, b = self.values[before], self.values[after]
        value = slerp(a, b, p) if self.rotation else a + p * (b - a)
        cubic = self.mode == MODES["CUBICSPLINE"]
        if cubic.any():
            spline = hermite(a, b, span[:, None] * self.outgoing[before], span[:, None] * self.incoming[after], p)
            if self.rotation:
                length = np.linalg.norm(spline, axis=-1, keepdims=True)
                spline = np.where(length > 1e-12, spline / np.where(length > 1e-12, length, 1), a)
            value[cubic] = spline[cubic]
        return value


def hermite(a, b, leaving, arriving, p):
    """The cubic from `a` to `b` with these derivatives over p in [0, 1] (glTF 2.0, C.5)."""
    p2, p3 = p * p, p * p * p
    return (2 * p3 - 3 * p2 + 1) * a + (p3 - 2 * p2 + p) * leaving + (3 * p2 - 2 * p3) * b + (p3 - p2) * arriving


def slerp(a: np.ndarray, b: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Unit quaternions (C, 4) a share p (C, 1) of the way from `a` to `b`, the short way round (glTF 2.0, C.4)."""
    cosine = (a * b).sum(-1, keepdims=True)
    b = np.where(cosine < 0, -b, b)
    angle = np.arccos(np.clip(np.abs(cosine), 0.0, 1.0))
    sine = np.sin(angle)
    near = sine < 1e-6  # so close that a straight line is exact
    safe = np.where(near, 1.0, sine)
    mixed = np.where(near, 1 - p, np.sin((1 - p) * angle) / safe) * a + np.where(near, p, np.sin(p * angle) / safe) * b
    return mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)
