"""The one record that travels from the renderer to the metric."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, fields, replace

import numpy as np

from puppetmaster_core.clips.displacement import Displacement
from puppetmaster_core.files import whole_file


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

    def with_displacement(self, exact: Displacement) -> Clip:
        return replace(self, displacement=exact.offset, depth=exact.depth, seen=exact.seen, field_parts=exact.parts)

    def save(self, path: str | os.PathLike) -> None:
        """Write to one .npz without pickle; the file appears whole or not at all."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if isinstance(getattr(self, f.name), np.ndarray)}
        text = json.dumps({f.name: getattr(self, f.name) for f in fields(self) if f.name not in arrays})
        with whole_file(path) as partial, open(partial, "wb") as file:
            np.savez_compressed(file, meta=np.frombuffer(text.encode(), np.uint8), **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Clip:
        known = {f.name for f in fields(cls)}
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files if name in known}  # an older version kept more
            return cls(**arrays, **json.loads(stored["meta"].tobytes()))
