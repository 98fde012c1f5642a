"""Keys of morph targets: waves that run, and shapes met one after the other. Letters: T targets, K keys."""

from __future__ import annotations

import numpy as np

from procedural_library.rig import Rig


def running_wave(rig: Rig, part: int, cycles: float, phase: float) -> None:
    """Weights of two targets, the sine and the cosine of where a point is along a wave: together they make it run."""
    angle = 2 * np.pi * cycles * rig.clock + phase
    rig.key(part, "weights", np.stack([np.cos(angle), -np.sin(angle)], 1))


def stages(rig: Rig, part: int, progress: np.ndarray, count: int) -> None:
    """Weights of `count` targets that are met one after the other while `progress` (K,) goes from 0 (none) to 1 (the last)."""
    at = progress[:, None] * count
    rig.key(part, "weights", np.clip(1 - np.abs(at - np.arange(1, count + 1)), 0, 1))
