"""Many assets in one picture: each drawn at one or more moments, its name under it.

Letters: H, W the sheet's pixels.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from puppetmaster_core.assets import AnimatedAsset

CAPTION = 14  # pixels under each picture


def contact_sheet(assets: Iterable[tuple[str, AnimatedAsset]], *, columns: int = 10, size: int = 96,
                  moments: tuple[float, ...] = (0.0, 0.4), seed: int = 0) -> np.ndarray:
    """A sheet (H, W, 3) uint8 of (caption, asset) pairs, `columns` a row; each at `moments` of its first animation, side by side.

    moments: 0 = the first frame, 1 = the last; what goes in cycles is back where it was at 1, and often at 0.5. Views are
    Drag-a-Move's, drawn from `seed`. Raises ValueError where there is nothing to draw.
    """
    tiles = [_tile(caption, asset, size, moments, seed + i) for i, (caption, asset) in enumerate(assets)]
    if not tiles or columns < 1:
        raise ValueError(f"got {len(tiles)} assets and {columns} columns, expected at least one of each: give more")
    rows = -(-len(tiles) // columns)
    high, wide = tiles[0].shape[:2]
    sheet = np.full((rows * high, min(columns, len(tiles)) * wide, 3), 255, np.uint8)
    for i, tile in enumerate(tiles):
        y, x = i // columns * high, i % columns * wide
        sheet[y : y + high, x : x + wide] = tile
    return sheet


def _tile(caption: str, asset: AnimatedAsset, size: int, moments: tuple[float, ...], seed: int) -> np.ndarray:
    from puppetmaster_core.render import drag_a_move_camera, render  # the compiler behind it takes long to load

    duration = asset.clips[0].duration
    # The view holds every position of the whole animation, not of the drawn moments alone.
    path = np.stack([asset.vertices(0, s * duration) for s in np.linspace(0, 1, 5)])
    camera = drag_a_move_camera(np.random.default_rng(seed), path)
    drawn = render(asset, np.stack([asset.vertices(0, m * duration) for m in moments]), camera, size).frames
    label = Image.new("RGB", (size * len(moments), CAPTION), "white")
    ImageDraw.Draw(label).text((3, 0), caption, fill=(90, 90, 90), font=ImageFont.load_default(10))
    return np.concatenate([np.concatenate(list(drawn), 1), np.asarray(label)])
