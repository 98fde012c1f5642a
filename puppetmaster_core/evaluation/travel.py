"""Which way did the part go? Exact where the clip is rendered: the joint position that explains the picture best.

A tracker guesses; here the object is known. Its last frame is drawn with the dragged part's joint at many positions along
(and against) its true travel, and the one most like the generated frame is the part's travel: 1 = where it should be,
0 = did not move, negative = moved against the drag. Ours, not the paper's: it stands for the paper's counting by hand of
wrong directions (Table 2, %WD).
"""

from __future__ import annotations

import numpy as np

from puppetmaster_core.assets import ArticulatedAsset
from puppetmaster_core.render import Camera, render

POSITIONS = np.linspace(-1.0, 1.25, 19)  # steps of an eighth of the true travel


def joint_travel(frame: np.ndarray, asset: ArticulatedAsset, camera: Camera, part: int) -> float:
    """Travel of sub-model `part` in a generated last frame (H, W, 3) uint8, in units of its true travel.

    The other parts are drawn where they truly are. Only pixels that tell the positions apart count.
    """
    progress = np.ones((len(POSITIONS), len(asset.joints)))
    progress[:, part] = POSITIONS
    positions = np.stack([asset.pose(row) for row in progress])
    drawn = render(asset, positions, camera, frame.shape[0]).frames.astype(np.float32)
    telling = np.ptp(drawn, axis=0).max(-1) > 8
    if not telling.any():
        return float("nan")
    error = np.square(drawn[:, telling] - frame[telling].astype(np.float32)).mean((1, 2))
    return float(POSITIONS[error.argmin()])
