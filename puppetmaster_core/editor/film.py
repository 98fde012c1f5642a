"""A video as one picture that holds all its frames: what the player and the drag editor show.

Letters: N frames, (H, W) size of a frame in pixels.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

LARGEST = 1024  # pixels a side of a picture for the page
LOSSLESS = 160  # pixels: films of frames up to this size stay exact, larger ones are WebP of high quality


def sprite_sheet(frames: np.ndarray) -> dict:
    """Frames (N, H, W, 3) uint8 row by row in one picture, as js/film.js reads it: strip (bytes), type, columns, count,
    width and height of a frame. Raises ValueError."""
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or not len(frames):
        raise ValueError(f"got frames {frames.dtype} {frames.shape}, expected uint8 (N frames, H, W, 3)")
    count, height, width, _ = frames.shape
    columns = int(np.ceil(np.sqrt(count * height / width)))  # about square: pictures have a largest side
    rows = -(-count // columns)
    sheet = np.zeros((rows * columns, height, width, 3), np.uint8)
    sheet[:count] = frames
    sheet = sheet.reshape(rows, columns, height, width, 3).swapaxes(1, 2).reshape(rows * height, columns * width, 3)
    file = io.BytesIO()
    lossless = max(width, height) <= LOSSLESS
    Image.fromarray(sheet).save(file, "WEBP", lossless=lossless, quality=80 if lossless else 92, method=2)
    return {"strip": file.getvalue(), "type": "image/webp", "columns": columns, "count": count, "width": width, "height": height}


def motion_colours(offset: np.ndarray) -> np.ndarray:
    """Offsets (N, H, W, 2) as frames (N, H, W, 3) uint8: the hue says which way, and what stays is white. Raises ValueError."""
    offset = np.asarray(offset, np.float32)
    if offset.ndim != 4 or offset.shape[3] != 2:
        raise ValueError(f"got motion {offset.shape}, expected offsets (N frames, H, W, 2) in picture widths")
    far = np.linalg.norm(offset, axis=3)
    way = np.arctan2(offset[..., 1], offset[..., 0]) / (2 * np.pi) % 1
    hsv = np.stack([255 * way, 255 * far / max(far.max(), 1e-6), np.full_like(far, 255)], 3).round().astype(np.uint8)
    return np.stack([np.asarray(Image.fromarray(one, "HSV").convert("RGB")) for one in hsv])


def png(picture: Image.Image) -> bytes:
    """A picture for the page, no larger than LARGEST pixels a side."""
    picture = picture.convert("RGB")
    if max(picture.size) > LARGEST:
        picture = picture.copy()
        picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
