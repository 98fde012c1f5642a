"""One look for every figure of the book: strips of frames, moving pictures, pictures with their drags.

Letters: N frames, (H, W) pixels. Colours are safe for colour-blind readers (Okabe and Ito), and legible on light and dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from puppetmaster_core.drags import Drags
from puppetmaster_core.editor import Player
from puppetmaster_core.overlay import overlay_drags
from puppetmaster_core.video import enlarge

TEXT = "gray"  # legible on light and dark pages


def strip(rows: Mapping[str, np.ndarray], count: int = 7, width: float = 10.0, *, shown: Sequence[int] | None = None,
          made: str = "") -> Figure:
    """A row of frames for each named video (N, H, W, 3) uint8: `count` evenly spaced ones, or those `shown` (from 1 on).

    made: at which scale and how, a line below.
    """
    count = len(shown) if shown else count
    figure, axes = plt.subplots(len(rows), count, figsize=(width, 1.06 * width / count * len(rows)), squeeze=False)
    above = None
    for row, (name, frames) in zip(axes, rows.items(), strict=True):
        picked = [n - 1 for n in shown] if shown else np.linspace(0, len(frames) - 1, count).round().astype(int).tolist()
        for axis, n in zip(row, picked, strict=True):
            axis.imshow(frames[n], interpolation="bicubic")
            bare(axis, f"frame {n + 1}" if picked != above else "")  # said once, where rows are alike
        above = picked
        row[0].set_ylabel(name, fontsize=9, color=TEXT)
    if made:
        figure.supxlabel(made, fontsize=8, color=TEXT)
    return done(figure)


def with_drags(picture, drags: Drags, size: int = 256) -> np.ndarray:
    """A picture (Pillow image or (H, W, 3) uint8), enlarged to about `size` pixels, with its drags drawn on it."""
    frame = np.asarray(picture.convert("RGB") if hasattr(picture, "convert") else picture)[None]
    return overlay_drags(enlarge(frame, max(1, round(size / max(frame.shape[1:3])))), drags)[0]


def moving(videos, *, overlay: bool = True, tracks: bool = False, size: int = 256, alt: str = "", made: str = "",
           **colours) -> Player:
    """A video, or several by their captions, to play, pause and scrub, with drags (and a clip's tracks) to draw over them.

    made: at which scale and how, a line below. colours: the player's track_colours and drag_colours.
    """
    return Player(videos, show_drags=overlay, show_tracks=tracks, size=size, alt=alt, note=made, **colours)


def plain(axis, title: str, across: str, up: str) -> None:
    """Titles and ticks of a plot in the book's manner: `across` and `up` name its axes."""
    axis.set_title(title, fontsize=9, color=TEXT)
    axis.set_xlabel(across, fontsize=8, color=TEXT)
    axis.set_ylabel(up, fontsize=8, color=TEXT)
    axis.tick_params(labelsize=7, colors=TEXT)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def bare(axis, title: str = "", beside: str = "") -> None:
    """A picture without ticks or frame, a title over it and a few words beside it."""
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=8, color=TEXT)
    axis.set_ylabel(beside, fontsize=9, color=TEXT)
    for side in axis.spines.values():
        side.set_visible(False)


def done(figure: Figure, *, tight: bool = True) -> Figure:
    """The figure, to be the last line of a cell: clear ground, and no waste around it unless its axes have their places."""
    figure.patch.set_alpha(0)
    if tight:
        figure.tight_layout(pad=0.4)
    plt.close(figure)  # the notebook shows what a cell returns, once
    return figure
