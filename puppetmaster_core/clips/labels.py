"""From a rendering to a labelled clip: drags drawn by rules, exact paths of surface points, and when these can be seen.

Letters: N frames, M ≥ N frames to the end of the animation, V vertices, P points.
"""

from __future__ import annotations

import numpy as np

from puppetmaster_core.assets import AnimatedAsset
from puppetmaster_core.clips.clip import Clip
from puppetmaster_core.clips.drag_sampling import PAPER, DragRules, VisiblePoints, drags_of, draw_drags
from puppetmaster_core.clips.tracks import SurfacePoints, in_sight, moving_parts, track
from puppetmaster_core.render import Camera, Rendering


def label(asset: AnimatedAsset, positions: np.ndarray, camera: Camera, rendering: Rendering, rng: np.random.Generator,
          rules: DragRules = PAPER, *, later: np.ndarray | None = None) -> Clip:
    """A `Clip` with drags drawn by `rules`; any renderer that fills a `Rendering` ends here.

    positions (N, V, 3) are the vertices as drawn; later (M − N, V, 3) where they go after the clip, for rules that weigh
    points by their way to the end of the animation. §4, "Sampling drags". Nothing visible that moves: no drags.
    """
    surface = SurfacePoints.visible(rendering, parts=moving_parts(asset, positions))
    points = surface.positions(asset, positions)  # (N, P, 3)
    onward = points if later is None else np.concatenate([points, surface.positions(asset, later)])
    size = float(np.ptp(positions[0], axis=0).max()) or 1.0  # the object's largest side
    seen = VisiblePoints(onward / size, track(points, camera), asset.submodel[surface.face], rendering.frames.shape[1],
                         len(asset.submodels))
    dragged = draw_drags(seen, rng, rules)
    return Clip(rendering.frames, rendering.alpha, rendering.part_ids, camera.to_dict(), asset.category, dict(asset.provenance),
                drags_of(seen, dragged, rules), in_sight(points[:, dragged], camera, asset, positions))
