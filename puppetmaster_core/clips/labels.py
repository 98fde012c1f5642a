"""From a rendering to a labelled clip: exact tracks of surface points, their visibility, and drags drawn by rules.

Letters: N frames, M ≥ N frames to the end of the animation, V vertices, P points.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from puppetmaster_core.assets import AnimatedAsset
from puppetmaster_core.clips.clip import Clip, label_clip
from puppetmaster_core.clips.rules import PAPER, DragRules, VisiblePoints, drags_of, draw_drags
from puppetmaster_core.clips.tracks import Followed, in_sight
from puppetmaster_core.render import Camera, Rendering


def label(asset: AnimatedAsset, positions: np.ndarray, camera: Camera, rendering: Rendering, rng: np.random.Generator,
          rules: DragRules = PAPER, *, candidates: int = 4, later: np.ndarray | None = None) -> Clip:
    """A `Clip` with drags drawn by `rules`, and `candidates` tracks a moving part to draw others from while training.

    positions (N, V, 3) are the vertices as drawn; later (M − N, V, 3) where they go after the clip, for rules that weigh
    points by their way to the end of the animation. §4, "Sampling drags". Nothing visible that moves: no drags, no tracks.
    """
    followed = Followed.of(asset, positions, camera, rendering)
    clip = label_clip(asset, positions, camera, rendering, rng, candidates, followed)
    points = followed.points
    onward = points if later is None else np.concatenate([points, followed.surface.positions(asset, later)])
    seen = VisiblePoints(onward / _largest_side(positions[0]), followed.tracks, followed.part, rendering.frames.shape[1],
                         len(asset.submodels))
    dragged = draw_drags(seen, rng, rules)
    return replace(clip, drags=drags_of(seen, dragged, rules),
                   drag_visibility=in_sight(points[:, dragged], camera, asset, positions))


def _largest_side(vertices: np.ndarray) -> float:
    """Of the box around vertices (V, 3); 1 where they are one point."""
    return float(np.ptp(vertices, axis=0).max()) or 1.0
