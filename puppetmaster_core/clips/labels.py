"""From a rendering to a labelled clip: exact tracks of surface points, their visibility, and drags drawn by rules.

Letters: N frames, M ≥ N frames to the end of the animation, V vertices, P points.
"""

from __future__ import annotations

import numpy as np

from puppetmaster_core.assets import AnimatedAsset
from puppetmaster_core.clips.clip import Clip
from puppetmaster_core.clips.rules import PAPER, DragRules, VisiblePoints, draw_drags
from puppetmaster_core.clips.sampling import sample_points, straightened
from puppetmaster_core.clips.tracks import SurfacePoints, moving_parts, track
from puppetmaster_core.render import Camera, Rendering


def label(asset: AnimatedAsset, positions: np.ndarray, camera: Camera, rendering: Rendering, rng: np.random.Generator,
          rules: DragRules = PAPER, *, candidates: int = 4, later: np.ndarray | None = None) -> Clip:
    """A `Clip` with drags drawn by `rules`, and `candidates` tracks a moving part to draw others from while training.

    positions (N, V, 3) are the vertices as drawn; later (M − N, V, 3) where they go after the clip, for rules that weigh
    points by their way to the end of the animation. §4, "Sampling drags". Nothing visible that moves: no drags, no tracks.
    """
    surface = SurfacePoints.visible(rendering, parts=moving_parts(asset, positions))
    part = asset.submodel[surface.face]
    points = surface.positions(asset, positions)
    tracks, visibility = track(points, camera, rendering)
    chosen = sample_points(points, tracks, part, rng, candidates)
    index = np.concatenate([*chosen.values(), np.empty(0, int)]).astype(int)
    onward = points if later is None else np.concatenate([points, surface.positions(asset, later)])
    seen = VisiblePoints(onward / _largest_side(positions[0]), tracks, part, rendering.frames.shape[1], len(asset.submodels))
    dragged = draw_drags(seen, rng, rules)
    paths = tracks[dragged]
    return Clip(rendering.frames, rendering.alpha, rendering.part_ids, tracks[index], visibility[index],
                part[index].astype(np.int16), camera.to_dict(), asset.category, dict(asset.provenance),
                drags=straightened(paths) if rules.straight else paths, drag_visibility=visibility[dragged])


def _largest_side(vertices: np.ndarray) -> float:
    """Of the box around vertices (V, 3); 1 where they are one point."""
    return float(np.ptp(vertices, axis=0).max()) or 1.0
