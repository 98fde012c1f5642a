"""Drags drawn over a video: an arrow along the path of each drag, and a dot where the drag is in that frame.

Letters: K drags, N frames, P points of a path, (H, W) picture size in pixels.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from puppetmaster_core.drags import Drags

# Five colours of Okabe and Ito's palette, told apart with any colour vision. More drags than five begin again.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00")
OUTLINE = "white"
SUPERSAMPLING = 4  # drawn this much larger and averaged down, which smooths the edges


def overlay_drags(frames: np.ndarray, drags: Drags, *, colours: Sequence[str] = COLOURS) -> np.ndarray:
    """A copy of frames (N, H, W, 3) uint8 with the drags drawn on.

    Drags of another number of frames are resampled; a single frame gets the whole arrows and dots at their origins.
    Strokes are a hundredth of the shorter side, so enlarge small pictures first. colours: drag k has the k-th, and they begin
    again.
    """
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
        raise ValueError(f"got frames of {frames.dtype} {frames.shape}, expected uint8 (N frames, H, W, 3)")
    count, height, width, _ = frames.shape
    drags = drags.resample(count) if count > 1 else drags
    far_enough = (-1, 2)  # an arrow that leaves the picture need not be drawn a mile long
    size = np.array([width, height]) * SUPERSAMPLING
    paths = np.clip(drags.points, *far_enough) * size  # (K, N, 2)
    stroke = max(1.25, min(width, height) / 100) * SUPERSAMPLING

    arrows = Image.new("RGBA", tuple(size.tolist()))
    for k, path in enumerate(paths):
        _draw_arrow(ImageDraw.Draw(arrows), path, colours[k % len(colours)], stroke)
    dots = (paths[:, n] for n in range(count))
    return np.stack([_with_dots(frame, arrows, at, stroke, colours) for frame, at in zip(frames, dots, strict=True)])


def _with_dots(frame: np.ndarray, arrows: Image.Image, dots: np.ndarray, stroke: float, colours: Sequence[str]) -> np.ndarray:
    """One frame (H, W, 3) with the arrows and a dot at each of dots (K, 2)."""
    layer = arrows.copy()
    draw = ImageDraw.Draw(layer)
    for k, (x, y) in enumerate(dots):
        for colour, radius in ((OUTLINE, 2.75 * stroke), (colours[k % len(colours)], 2 * stroke)):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    picture = Image.fromarray(frame).convert("RGBA")
    picture.alpha_composite(layer.reduce(SUPERSAMPLING))
    return np.asarray(picture.convert("RGB"))


def _draw_arrow(draw: ImageDraw.ImageDraw, path: np.ndarray, colour: str, stroke: float) -> None:
    """An outlined arrow along a path (P, 2); nothing for a path too short to show where it points."""
    tip = path[-1]
    distance = np.linalg.norm(path - tip, axis=1)
    if distance.max() < stroke:
        return
    length = min(5 * stroke, distance.max())
    neck = np.flatnonzero(distance >= length)[-1]  # the head covers what follows
    forward = (tip - path[neck]) / distance[neck]
    base, side = tip - length * forward, 0.45 * length * np.array([-forward[1], forward[0]])
    shaft = [tuple(point) for point in (*path[: neck + 1], base)]
    head = [tuple(point) for point in (tip, base + side, base - side)]
    for fill, margin in ((OUTLINE, 0.75 * stroke), (colour, 0)):
        draw.line(shaft, fill=fill, width=round(stroke + 2 * margin), joint="curve")
        draw.polygon(head, fill=fill)
        if margin:
            draw.line([*head, *head[:2]], fill=fill, width=round(2 * margin), joint="curve")
