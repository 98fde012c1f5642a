"""The one record that travels from the renderer to the metric; shards.py keeps it on disk."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Clip:
    """A rendered animation. Letters: N frames, H = W pixels, K drags."""

    frames: np.ndarray  # (N, H, W, 3) uint8
    alpha: np.ndarray  # (N, H, W) uint8
    part_ids: np.ndarray  # (N, H, W) int16, -1 = background
    camera: dict
    category: str
    provenance: dict = field(default_factory=dict)
    drags: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 2), np.float32))  # (K, N, 2), xy in [0, 1], drawn by rules
    drag_visibility: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), bool))  # (K, N) bool, of the points dragged
    # Of every pixel of frame 1 (`clips.displacement`), F pixels a side; F = 0 where it was not asked for.
    displacement: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0, 2), np.float16))  # (N, F, F, 2), picture widths
    depth: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), np.float16))  # (N, F, F), camera distances
    seen: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), bool))  # (N, F, F)
    field_parts: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int16))  # (F, F), −1 = background
    tools: dict = field(default_factory=dict)  # what made it, and in which version
