"""The one record that travels from the renderer to the metric."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, fields, replace

import numpy as np

from puppetmaster_core.assets import AnimatedAsset
from puppetmaster_core.clips.displacement import Displacement
from puppetmaster_core.clips.sampling import sample_points
from puppetmaster_core.clips.tracks import Followed, in_sight
from puppetmaster_core.files import whole_file
from puppetmaster_core.render import Camera, Rendering, drag_a_move_camera, render


@dataclass(frozen=True)
class Clip:
    """A rendered animation. Letters: N frames, H = W pixels, P tracks."""

    frames: np.ndarray  # (N, H, W, 3) uint8
    alpha: np.ndarray  # (N, H, W) uint8
    part_ids: np.ndarray  # (N, H, W) int16, -1 = background
    tracks: np.ndarray  # (P, N, 2) float32, xy in [0, 1]; candidates for drags, visible in frame 1
    visibility: np.ndarray  # (P, N) bool
    track_parts: np.ndarray  # (P,) int16, the sub-model each track rides on
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
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files if name != "meta"}
            return cls(**arrays, **json.loads(stored["meta"].tobytes()))


def make_clip(asset: AnimatedAsset, rng: np.random.Generator, *, size: int, frames: int = 14, animation: int | str = 0,
              camera: Camera | None = None, candidates: int = 4) -> Clip:
    """Render one animation of `asset` from one view and follow `candidates` points on every part that moves."""
    times = asset.sample_times(animation, frames)
    positions = np.stack([asset.vertices(animation, t) for t in times])
    camera = camera or drag_a_move_camera(rng, positions)
    return label_clip(asset, positions, camera, render(asset, positions, camera, size), rng, candidates)


def label_clip(asset: AnimatedAsset, positions: np.ndarray, camera: Camera, rendering: Rendering, rng: np.random.Generator,
               candidates: int = 4, followed: Followed | None = None) -> Clip:
    """Attach tracks to a rendering: any renderer that fills a `Rendering` ends here. followed: where it is known already."""
    followed = followed or Followed.of(asset, positions, camera, rendering)
    chosen = sample_points(followed.points, followed.tracks, followed.part, rng, candidates)
    index = np.concatenate([*chosen.values(), np.empty(0, int)]).astype(int)
    return Clip(rendering.frames, rendering.alpha, rendering.part_ids, followed.tracks[index],
                in_sight(followed.points[:, index], camera, asset, positions), followed.part[index].astype(np.int16),
                camera.to_dict(), asset.category, dict(asset.provenance))
