"""From a rendering to a labelled clip: drags drawn by rules, exact paths of surface points, and when these can be seen.

Letters: N frames, M ≥ N frames to the end of the animation, V vertices, P points.
"""

from __future__ import annotations

import numpy as np

from puppetmaster_core.assets import AnimatedAsset
from puppetmaster_core.clips.clip import Clip
from puppetmaster_core.clips.rules import PAPER, DragRules, VisiblePoints, drags_of, draw_drags
from puppetmaster_core.clips.tracks import Followed, in_sight
from puppetmaster_core.render import Camera, Rendering


def label(asset: AnimatedAsset, positions: np.ndarray, camera: Camera, rendering: Rendering, rng: np.random.Generator,
          rules: DragRules = PAPER, *, later: np.ndarray | None = None) -> Clip:
    """A `Clip` with drags drawn by `rules`; any renderer that fills a `Rendering` ends here.

    positions (N, V, 3) are the vertices as drawn; later (M − N, V, 3) where they go after the clip, for rules that weigh
    points by their way to the end of the animation. §4, "Sampling drags". Nothing visible that moves: no drags.
    """
    followed = Followed.of(asset, positions, camera, rendering)
    points = followed.points
    onward = points if later is None else np.concatenate([points, followed.surface.positions(asset, later)])
    seen = VisiblePoints(onward / _largest_side(positions[0]), followed.tracks, followed.part, rendering.frames.shape[1],
                         len(asset.submodels))
    dragged = draw_drags(seen, rng, rules)
    return Clip(rendering.frames, rendering.alpha, rendering.part_ids, camera.to_dict(), asset.category, dict(asset.provenance),
                drags_of(seen, dragged, rules), in_sight(points[:, dragged], camera, asset, positions))


def _largest_side(vertices: np.ndarray) -> float:
    """Of the box around vertices (V, 3); 1 where they are one point."""
    return float(np.ptp(vertices, axis=0).max()) or 1.0
