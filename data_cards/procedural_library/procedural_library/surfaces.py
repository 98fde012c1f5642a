"""Colours and small seeded textures (64 × 64, repeating): wood, cloth, metal, fur, stripes, checks, spots."""

from __future__ import annotations

import colorsys

import numpy as np

from puppetmaster_core.assets import Material

SIZE = 64
SKINS = ((0.94, 0.78, 0.66), (0.87, 0.67, 0.53), (0.72, 0.51, 0.37), (0.50, 0.34, 0.24), (0.36, 0.24, 0.18))
FURS = ((0.55, 0.37, 0.22), (0.76, 0.58, 0.36), (0.30, 0.25, 0.22), (0.85, 0.80, 0.72), (0.50, 0.48, 0.46), (0.63, 0.34, 0.18))
METALS = ((0.72, 0.73, 0.75), (0.52, 0.53, 0.55), (0.80, 0.68, 0.42), (0.66, 0.45, 0.32), (0.30, 0.31, 0.33))
WOODS = ((0.72, 0.53, 0.34), (0.58, 0.38, 0.22), (0.42, 0.27, 0.17), (0.80, 0.66, 0.48), (0.50, 0.33, 0.25))
STEELS = (*METALS[:2], METALS[4])


def hue(rng, saturation=(0.35, 0.8), value=(0.45, 0.9), of=(0.0, 1.0)) -> tuple[float, float, float]:
    """A random colour."""
    return colorsys.hsv_to_rgb(rng.uniform(*of) % 1.0, rng.uniform(*saturation), rng.uniform(*value))


def shaded(material: Material, factor: float) -> Material:
    """The same surface, lighter or darker by `factor`."""
    return Material(tuple(np.clip(np.array(material.color) * factor, 0, 1)), material.texture)


def paint(rng) -> Material:
    """A plain lively colour."""
    return Material(hue(rng))


def dark(rng) -> Material:
    """A plain dark grey."""
    return Material((float(rng.uniform(0.06, 0.25)),) * 3)


def white(rng) -> Material:
    """A plain white, or nearly."""
    return Material((float(rng.uniform(0.85, 0.97)),) * 3)


def metal(rng, colors=METALS) -> Material:
    """Brushed or smooth metal."""
    color = tuple(np.clip(np.array(colors[rng.integers(len(colors))]) * rng.uniform(0.85, 1.15), 0, 1).tolist())
    if rng.random() < 0.5:
        return Material(color)
    lines = np.repeat(rng.uniform(0.9, 1.0, (SIZE, 1)), SIZE, 1)
    return _textured(color, lines)


def appliance(rng) -> Material:
    """White enamel, steel, or black, seldom a colour."""
    draw = rng.random()
    return white(rng) if draw < 0.4 else metal(rng, STEELS) if draw < 0.7 else dark(rng) if draw < 0.88 else paint(rng)


def wood(rng) -> Material:
    """A plank: soft dark streaks along the texture's second axis on one of five wood colours."""
    base = np.array(WOODS[rng.integers(len(WOODS))]) * rng.uniform(0.85, 1.1)
    across = np.arange(SIZE) / SIZE
    streaks = sum(rng.uniform(0.3, 1.0) * np.sin(2 * np.pi * (f * across + rng.random())) for f in (2, 3, 5))
    along = np.sin(2 * np.pi * (np.arange(SIZE) / SIZE + rng.random()))
    grain = streaks[:, None] + 0.5 * along[None, :]
    shade = 1.0 + 0.07 * grain / np.abs(grain).max()
    texture = np.clip(shade[..., None] * np.ones(3) * 235, 0, 255).astype(np.uint8)
    return Material(tuple(np.clip(base, 0, 1)), texture)


def plain(rng) -> Material:
    """Grey most of the time, as in Drag-a-Move, else a muted colour."""
    if rng.random() < 0.5:
        return Material((float(rng.uniform(0.25, 0.9)),) * 3)
    return Material(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.1, 0.6), rng.uniform(0.35, 0.9)))


def surface(rng) -> Material:
    """Of furniture: wood-like, plain, or now and then a pattern."""
    draw = rng.random()
    return wood(rng) if draw < 0.5 else plain(rng) if draw < 0.9 else pattern(rng)


def cloth(rng) -> Material:
    """Of clothes and curtains: plain or a pattern."""
    return paint(rng) if rng.random() < 0.45 else pattern(rng)


def pattern(rng) -> Material:
    """Stripes, checks, dots, or a woven look, in two colours."""
    x, y = np.meshgrid(np.arange(SIZE) / SIZE, np.arange(SIZE) / SIZE)
    n = int(rng.integers(2, 7))
    kind = rng.choice(["stripes", "bands", "checks", "dots", "weave"])
    mask = {
        "stripes": (x * n) % 1 < 0.5,
        "bands": (y * n) % 1 < 0.5,
        "checks": ((x * n) % 1 < 0.5) ^ ((y * n) % 1 < 0.5),
        "dots": ((x * n) % 1 - 0.5) ** 2 + ((y * n) % 1 - 0.5) ** 2 < 0.08,
        "weave": ((x * 4 * n).astype(int) + (y * 4 * n).astype(int)) % 2 == 0,
    }[str(kind)]
    first = np.array(hue(rng, (0.2, 0.8), (0.5, 0.95)))
    second = np.clip(first * rng.uniform(0.5, 0.8), 0, 1) if rng.random() < 0.5 else np.array(hue(rng, (0.1, 0.7), (0.4, 1.0)))
    return _mixed(first, second, mask.astype(float))


def coat(rng, base: tuple | None = None) -> Material:
    """Of an animal: fur, patches, stripes or spots."""
    base = np.array(base or FURS[rng.integers(len(FURS))]) * rng.uniform(0.85, 1.15)
    other = base * rng.uniform(0.35, 0.6) if rng.random() < 0.6 else np.array((0.92, 0.9, 0.86))
    kind = rng.choice(["fur", "patches", "stripes", "spots"], p=[0.5, 0.2, 0.15, 0.15])
    noise = blotches(rng, 4)
    if kind == "fur":
        return _mixed(base, base * 0.85, blotches(rng, 9) * 0.5 + 0.5)
    if kind == "patches":
        return _mixed(base, other, (noise > 0.25).astype(float))
    if kind == "stripes":
        y = np.arange(SIZE)[:, None] / SIZE
        return _mixed(base, other, (np.sin(2 * np.pi * 4 * y + 2.0 * noise) > 0.3).astype(float))
    return _mixed(base, other, (blotches(rng, 8) > 0.45).astype(float))


def scales(rng, of=(0.0, 1.0)) -> Material:
    """Of fish and snakes: small shingles or bands on a lively colour."""
    base = np.array(hue(rng, (0.3, 0.85), (0.45, 0.95), of))
    x, y = np.meshgrid(np.arange(SIZE) / SIZE * 8, np.arange(SIZE) / SIZE * 8)
    shingle = ((x + 0.5 * (np.floor(y) % 2)) % 1 - 0.5) ** 2 + (y % 1) ** 2
    shade = 0.45 * (shingle < 0.35)
    if rng.random() < 0.5:
        shade = shade + 0.5 * ((y * rng.choice([0.25, 0.5, 0.75])) % 1 < 0.4)
    return _mixed(base, base * 0.35 if rng.random() < 0.6 else np.array(hue(rng)), np.clip(shade, 0, 1))


def leaf(rng) -> Material:
    """A plain green."""
    return Material(hue(rng, (0.4, 0.8), (0.3, 0.7), (0.2, 0.4)))


def screen(rng) -> Material:
    """A lit screen: a gradient with windows on it."""
    image = np.linspace(hue(rng), hue(rng), SIZE)[:, None] * np.ones((SIZE, SIZE, 3))
    for _ in range(int(rng.integers(2, 6))):
        top, left = rng.integers(0, SIZE - 16, 2)
        image[top : top + rng.integers(5, 20), left : left + rng.integers(8, 30)] = hue(rng, (0.0, 0.6), (0.3, 1.0))
    return Material((1.0, 1.0, 1.0), (np.clip(image, 0, 1) * 255).astype(np.uint8))


def blotches(rng, cells: int) -> np.ndarray:
    """Smooth repeating noise (SIZE, SIZE), about −1 to 1: random waves of up to `cells` periods."""
    x = 2 * np.pi * np.arange(SIZE) / SIZE
    total = np.zeros((SIZE, SIZE))
    for _ in range(6):
        a, b = rng.integers(-cells, cells + 1, 2)
        total += np.sin(a * x[:, None] + b * x[None] + rng.uniform(0, 6.28))
    return total / 3.0


def _textured(color, shade: np.ndarray) -> Material:
    return Material(tuple(float(c) for c in color), (np.clip(shade, 0, 1)[..., None] * np.full(3, 255)).astype(np.uint8))


def _mixed(first, second, share: np.ndarray) -> Material:
    """Two colours mixed by `share` (SIZE, SIZE) in one texture on white."""
    image = np.clip(first, 0, 1) * (1 - share[..., None]) + np.clip(second, 0, 1) * share[..., None]
    return Material((1.0, 1.0, 1.0), np.rint(image * 255).astype(np.uint8))
