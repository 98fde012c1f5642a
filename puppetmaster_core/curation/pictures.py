"""What a judge of realism sees: four pictures of an animation from the front, at the ends of its four quarters (§4).

Letters: V vertices, H = W pixels a side.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from puppetmaster_core.assets.asset import AnimatedAsset, finite
from puppetmaster_core.render import Camera, render
from puppetmaster_core.render.camera import framing

QUARTERS = (0.25, 0.5, 0.75, 1.0)  # of the animation. The paper says "corresponding to the four quarters" and no more
FILL = 0.9  # of the picture's width that the motion may take


def front_camera(positions: np.ndarray) -> Camera:
    """A camera straight in front (+z) that keeps all of positions (N, V, 3) in the picture."""
    return framing(positions, 0.0, 0.0, FILL)


def quarters(asset: AnimatedAsset, animation: int = 0, size: int = 192) -> np.ndarray:
    """The four pictures (4, H, W, 3) uint8 of an animation, drawn by the fast renderer. Raises ValueError."""
    duration = asset.clips[asset.clip_index(animation)].duration
    positions = finite(asset.trajectories(animation, np.array(QUARTERS) * duration))
    return render(asset, positions, front_camera(positions), size).frames


def to_png(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3) uint8 as a PNG file: the same bytes for the same picture."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", compress_level=6)
    return file.getvalue()


def strip(pictures: np.ndarray) -> np.ndarray:
    """Pictures (n, H, W, 3) side by side: (H, n · W, 3)."""
    return np.concatenate(list(pictures), axis=1)


def unstrip(picture: np.ndarray) -> np.ndarray:
    """The square pictures (n, H, W, 3) in a strip (H, n · W, 3)."""
    high, wide = picture.shape[:2]
    return picture.reshape(high, wide // high, high, 3).swapaxes(0, 1)
