"""What lies behind the object. Pictures are drawn over white; any other background is put behind them by their alpha.

Letters: N frames, H = W pixels.
"""

from __future__ import annotations

import colorsys

import numpy as np

BACKGROUNDS = ("white", "plain", "random")


def over(frames: np.ndarray, alpha: np.ndarray, background) -> np.ndarray:
    """Pictures (N, H, W, 3) uint8 drawn over white, with alpha (N, H, W) uint8, put over `background` instead.

    background: a colour (3,) or a picture (H, W, 3), 0 to 255. Exact to one level, as alpha is kept in 8 bits.
    """
    clear = 1 - alpha[..., None].astype(np.float32) / 255
    return np.rint(np.clip(frames + clear * (np.asarray(background, np.float32) - 255), 0, 255)).astype(np.uint8)


def make_background(kind: str, rng: np.random.Generator, size: int) -> np.ndarray:
    """A background (size, size, 3) uint8: "white" (the release's), "plain" (any one colour) or "random".

    Random ones are our answer to the paper's suggestion for real photographs (App. E): one colour, a gradient, or soft
    clouds.
    """
    if kind == "white":
        return np.full((size, size, 3), 255, np.uint8)
    first, second = _color(rng), _color(rng)
    draw = (lambda *_: np.zeros((size, size))) if kind == "plain" else _MIXES[rng.integers(len(_MIXES))]
    share = draw(rng, size)[..., None]
    return np.rint((1 - share) * first + share * second).astype(np.uint8)


def _color(rng: np.random.Generator) -> np.ndarray:
    return 255 * np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.6), rng.uniform(0.25, 1.0)))


def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """x (1, size) and y (size, 1) of the pixels' centres, in [0, 1]."""
    centres = (np.arange(size) + 0.5) / size
    return centres[None], centres[:, None]


# Each returns the second colour's share at every pixel, (size, size) in [0, 1].


def _gradient(rng, size):
    x, y = _grid(size)
    angle = rng.uniform(0, 2 * np.pi)
    return np.clip(0.5 + (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle), 0, 1)


def _clouds(rng, size):
    """Random heights on grids of 3, 6 and 12 cells, joined smoothly, the finer the weaker."""
    x, y = _grid(size)
    total = np.zeros((size, size))
    for cells, weight in ((3, 0.6), (6, 0.3), (12, 0.1)):
        heights, at = rng.random((cells + 1, cells + 1)), [np.minimum(v.ravel() * cells, cells - 1e-9) for v in (y, x)]
        (row, column), (t, s) = [a.astype(int) for a in at], [_smooth(a % 1) for a in at]
        upper = heights[row][:, column] * (1 - s) + heights[row][:, column + 1] * s
        lower = heights[row + 1][:, column] * (1 - s) + heights[row + 1][:, column + 1] * s
        total += weight * (upper * (1 - t[:, None]) + lower * t[:, None])
    return total


def _smooth(t):
    return t * t * (3 - 2 * t)


_MIXES = (lambda rng, size: np.zeros((size, size)), _gradient, _clouds)
