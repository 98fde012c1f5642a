"""Videos of another look and resolution, to pre-train on without drags (§3.3, App. D): textured shapes that glide over a texture.

SVD saw real videos of 1024 × 576 pixels before it was fine-tuned on renderings of 256. Ours sees these, at twice the scale's
size, before cabinets on white. Letters: n videos, N frames, S pixels a side.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import zoom

SHAPES = 3  # at the most, in a video


def texture(rng: np.random.Generator, size: int) -> np.ndarray:
    """A colour picture (size, size, 3) in [0, 1]: smooth noise of two octaves about a colour."""
    made = rng.random(3) * 0.8 + 0.1
    for cells, strength in ((4, 0.35), (12, 0.2)):
        coarse = rng.normal(size=(cells, cells, 3))
        made = made + strength * zoom(coarse, (size / cells, size / cells, 1), order=1, mode="grid-wrap", grid_mode=True)
    return made.clip(0, 1)


def shapes_video(rng: np.random.Generator, frames: int, size: int) -> np.ndarray:
    """One video (N, S, S, 3) uint8."""
    video = np.repeat(texture(rng, size)[None], frames, 0)
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    for _ in range(rng.integers(1, SHAPES + 1)):
        look, centre, way = texture(rng, size), rng.uniform(0.2, 0.8, 2), rng.uniform(-0.3, 0.3, 2)
        half, turn, round_ = rng.uniform(0.08, 0.25, 2), rng.uniform(0, np.pi), rng.random() < 0.5
        for n, share in enumerate(np.linspace(0, 1, frames)):
            dx, dy = x - centre[0] - share * way[0], y - centre[1] - share * way[1]
            across, down = (dx * np.cos(turn) + dy * np.sin(turn)) / half[0], (dy * np.cos(turn) - dx * np.sin(turn)) / half[1]
            inside = across**2 + down**2 < 1 if round_ else np.maximum(abs(across), abs(down)) < 1
            shift = np.round(share * way * size).astype(int)
            video[n][inside] = np.roll(look, (shift[1], shift[0]), (0, 1))[inside]  # the texture moves along
    return (255 * video).round().astype(np.uint8)


def shapes_videos(count: int, frames: int, size: int, seed: int = 0) -> np.ndarray:
    """(n, N, S, S, 3) uint8."""
    return np.stack([shapes_video(np.random.default_rng([seed, i]), frames, size) for i in range(count)])
