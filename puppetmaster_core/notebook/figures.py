"""One look for every figure of the book: strips of frames, moving pictures, pictures with their drags.

Letters: N frames, (H, W) pixels. Colours are safe for colour-blind readers (Okabe and Ito), and legible on light and dark.
"""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from puppetmaster_core.drags import Drags
from puppetmaster_core.notebook.player import Player
from puppetmaster_core.overlay import draw_drags
from puppetmaster_core.video import enlarge


def strip(rows: dict[str, np.ndarray], count: int = 7, width: float = 10.0) -> Figure:
    """A row of `count` evenly spaced frames for each named video (N, H, W, 3) uint8."""
    figure, axes = plt.subplots(len(rows), count, figsize=(width, 1.06 * width / count * len(rows)), squeeze=False)
    figure.patch.set_alpha(0)
    for row, (name, frames) in zip(axes, rows.items(), strict=True):
        for axis, n in zip(row, np.linspace(0, len(frames) - 1, count).round().astype(int), strict=True):
            axis.imshow(frames[n], interpolation="bicubic")
            axis.set(xticks=[], yticks=[])
            axis.set_title(f"frame {n + 1}", fontsize=8, color="gray")
            for side in axis.spines.values():
                side.set_visible(False)
        row[0].set_ylabel(name, fontsize=9, color="gray")
    figure.tight_layout(pad=0.3)
    plt.close(figure)  # the notebook shows what a cell returns, once
    return figure


def with_drags(picture, drags: Drags, size: int = 256) -> np.ndarray:
    """A picture (Pillow image or (H, W, 3) uint8), enlarged to about `size` pixels, with its drags drawn on it."""
    frame = np.asarray(picture.convert("RGB") if hasattr(picture, "convert") else picture)[None]
    return draw_drags(enlarge(frame, max(1, round(size / max(frame.shape[1:3])))), drags)[0]


def moving(videos, *, overlay: bool = True, size: int = 256, alt: str = "") -> Player:
    """A video, or several by their captions, to play, pause and scrub, with drags (and a clip's tracks) to draw over them."""
    return Player(videos, show_drags=overlay, size=size, alt=alt)
