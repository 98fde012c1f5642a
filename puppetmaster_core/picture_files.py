"""Pictures of any mode in 8 bits: one reader for what the pipeline is given and for the textures of assets."""

from __future__ import annotations

import numpy as np
from PIL import Image

FLOATS = 2.0  # resizing overshoots 1 by less than that; more is another unit


class PictureError(ValueError):
    """A picture that cannot be used. The message is one line: what it got, what it expected, what to do."""


def eight_bits(picture: Image.Image) -> Image.Image:
    """A picture whose mode holds 8 bits a channel, from one of any mode. Raises PictureError."""
    if picture.mode.startswith("I") or picture.mode == "F":
        values, clear = np.asarray(picture), picture.info.get("transparency")
        picture = Image.fromarray(to_8_bits(values))
        if isinstance(clear, int):  # the one grey level that a PNG shows through
            picture.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return picture


def to_8_bits(values: np.ndarray) -> np.ndarray:
    """Grey levels of 16 bits, of 8 bits in a wider type, or floats in [0, 1], as uint8; slightly larger values saturate.

    Raises PictureError for floats that lie far beyond.
    """
    most, floats = np.nan_to_num(values).max(), values.dtype.kind == "f"
    if floats and most > FLOATS:
        raise PictureError(f"got floats up to {most:g}, expected grey levels from 0 to 1: divide by 255, or by what they reach")
    scale = 255.0 if floats else 1.0 if values.dtype.itemsize > 2 and most <= 255 else 1 / 257
    return (np.nan_to_num(values).astype(np.float64) * scale).round().clip(0, 255).astype(np.uint8)
