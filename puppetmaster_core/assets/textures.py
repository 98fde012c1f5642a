"""Plain and wood-like surfaces, seeded."""

from __future__ import annotations

import colorsys

import numpy as np

from puppetmaster_core.assets.asset import Material

_WOODS = ((0.72, 0.53, 0.34), (0.58, 0.38, 0.22), (0.42, 0.27, 0.17), (0.80, 0.66, 0.48), (0.50, 0.33, 0.25))


def wood(rng: np.random.Generator, size: int = 64) -> Material:
    """A plank: soft dark streaks along the texture's second axis on one of five wood colours."""
    base = np.array(_WOODS[rng.integers(len(_WOODS))]) * rng.uniform(0.85, 1.1)
    across = np.arange(size) / size
    streaks = sum(rng.uniform(0.3, 1.0) * np.sin(2 * np.pi * (f * across + rng.random())) for f in (2, 3, 5))
    along = np.sin(2 * np.pi * (np.arange(size) / size + rng.random()))
    grain = streaks[:, None] + 0.5 * along[None, :]
    shade = 1.0 + 0.07 * grain / np.abs(grain).max()
    texture = np.clip(shade[..., None] * np.ones(3) * 235, 0, 255).astype(np.uint8)
    return Material(tuple(np.clip(base, 0, 1)), texture)


def plain(rng: np.random.Generator) -> Material:
    """Grey most of the time, as in Drag-a-Move, else a muted colour."""
    if rng.random() < 0.5:
        return Material((float(rng.uniform(0.25, 0.9)),) * 3)
    return Material(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.1, 0.6), rng.uniform(0.35, 0.9)))


def surface(rng: np.random.Generator) -> Material:
    """Wood-like or plain, half and half."""
    return wood(rng) if rng.random() < 0.5 else plain(rng)


def shaded(material: Material, factor: float) -> Material:
    """The same surface, lighter or darker by `factor`."""
    return Material(tuple(np.clip(np.array(material.color) * factor, 0, 1)), material.texture)
