"""Motion in pictures: exact displacement, motion latents while they are diffused, the parts that move, and what it is worth.

Letters: N frames, K drags, F pixels a side of a field, (H, W) pixels of a picture. Colour is direction, strength is length.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from matplotlib import colormaps, colors
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from lib.clip_figures import part_picture
from lib.figures import TEXT, bare, done, plain
from puppetmaster_core.clips.displacement import Displacement
from puppetmaster_core.latents.anchoring import PartMotion
from puppetmaster_core.latents.field import PACK, unpack
from puppetmaster_core.latents.motion import Dragged
from puppetmaster_core.overlay import COLOURS

LEAST = 0.004  # picture widths; less is drawn as rest


def coloured(field: np.ndarray, longest: float | None = None) -> np.ndarray:
    """A field (F, F, 2) as a picture (F, F, 3) in [0, 1]: hue is direction, strength is length, white is rest.

    longest: the length that has full strength, picture widths; the field's own if not given.
    """
    length = np.linalg.norm(field, axis=-1)
    share = np.clip(length / max(longest or float(length.max()), LEAST), 0, 1)
    hue = np.arctan2(field[..., 1], field[..., 0]) / (2 * np.pi) % 1
    return colors.hsv_to_rgb(np.stack([hue, share, np.ones_like(hue)], -1))


def arrows(axis, field: np.ndarray, shown: np.ndarray, size: int, every: int = 5) -> None:
    """Arrows of a field (F, F, 2) from a grid of the pixels `shown` (F, F) to where they go, in a picture of `size` pixels."""
    side = len(field)
    rows, columns = np.mgrid[every // 2 : side : every, every // 2 : side : every].reshape(2, -1)
    used = shown[rows, columns] & (np.linalg.norm(field[rows, columns], axis=-1) > LEAST)
    rows, columns = rows[used], columns[used]
    x, y = (columns + 0.5) / side * size - 0.5, (rows + 0.5) / side * size - 0.5
    dx, dy = (field[rows, columns] * size).T
    tints = coloured(field[rows, columns][None])[0] * 0.85
    axis.quiver(x, y, dx, dy, color=tints, angles="xy", scale_units="xy", scale=1, width=0.006, headwidth=4)
    axis.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))


def exact_displacement(frame: np.ndarray, exact: Displacement, tints: Sequence[str]) -> Figure:
    """The last frame's displacement over frame 1 (H, W, 3): arrows, colours, parts in their tints, and what is still seen."""
    last, shown = exact.offset[-1].astype(np.float32), exact.parts >= 0
    seen = np.ones((*shown.shape, 3))
    seen[shown & exact.seen[-1]] = colors.to_rgb(COLOURS[0])
    seen[shown & ~exact.seen[-1]] = colors.to_rgb(COLOURS[1])
    figure, axes = plt.subplots(1, 4, figsize=(10, 2.8))
    axes[0].imshow(frame, alpha=0.6)
    arrows(axes[0], last, shown, len(frame))
    panels = coloured(last), part_picture(exact.parts, tints), seen
    for axis, picture in zip(axes[1:], panels, strict=True):
        axis.imshow(picture, interpolation="nearest")
    titles = ("frame 1, and where it goes", "displacement", "parts", "seen in the last frame, hidden")
    for axis, title in zip(axes, titles, strict=True):
        bare(axis, title)
    return done(figure)


def diffusing(steps: Sequence[Tensor], dragged: Dragged, scale: float, names: Sequence[str]) -> Figure:
    """Latents (1, N, C, h, w) at several stages of sampling, by name: what is added to the guess in the last frame, whether
    it moves, and the displacement that both say; first what the drags say alone."""
    figure, axes = plt.subplots(3, len(steps) + 1, figsize=(1.5 * len(steps) + 1.5, 4.8), squeeze=False)
    guessed = dragged.guessed[0, -1].detach().permute(1, 2, 0).cpu().numpy()
    longest = float(np.linalg.norm(guessed, axis=-1).max())
    axes[0, 0].imshow(np.ones_like(guessed[..., :1]).repeat(3, -1))
    axes[1, 0].imshow(dragged.masks[0].amax(0).detach().cpu(), cmap="gray", vmin=0, vmax=1)
    axes[2, 0].imshow(coloured(guessed, longest), interpolation="nearest")
    bare(axes[0, 0], "the drags alone", "added")
    bare(axes[1, 0], "", "moves")
    bare(axes[2, 0], "", "displacement")
    for column, x, name in zip(axes.T[1:], steps, names, strict=True):
        added, moves = x[0, -1].detach().float().cpu().split([2 * PACK**2, PACK**2])
        added = (unpack(added, 2) / scale).permute(1, 2, 0).numpy()
        column[0].imshow(coloured(added, longest), interpolation="nearest")
        column[1].imshow(unpack(moves, 1)[0], cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
        column[2].imshow(coloured(guessed + added, longest), interpolation="nearest")
        bare(column[0], name)
        bare(column[1])
        bare(column[2])
    return done(figure)


def moved_parts(picture: np.ndarray, motion: PartMotion) -> Figure:
    """How the parts of a picture (H, W, 3) move: each one's mask in its colour, and arrows to where it is in the last frame."""
    masks, fields = motion.masks.cpu(), motion.fields.cpu()
    weight, owner = masks.max(0)
    tints = np.array([colors.to_rgb(COLOURS[k % len(COLOURS)]) for k in range(len(masks))])
    field = fields[:, -1].gather(0, owner.expand(1, 2, -1, -1))[0].permute(1, 2, 0).numpy()
    share = weight[..., None].numpy()
    figure, axes = plt.subplots(1, 3, figsize=(8, 2.8))
    blended = (1 - share) + share * tints[owner.numpy()]
    axes[0].imshow(blended.clip(0, 1), interpolation="nearest")  # sums of shares end a rounding above 1
    axes[1].imshow(picture, alpha=0.6)
    arrows(axes[1], field, (weight > 0.5).numpy(), len(picture))
    axes[2].imshow(coloured(field * share), interpolation="nearest")
    for axis, title in zip(axes, ("parts that move", "where they go", "displacement"), strict=True):
        bare(axis, title)
    return done(figure)


# PSNR of the moving region in dB, by the picture's size: exact motion of procedural cabinets outside the judged ones, frames 2
# to 14, measured once while this model was planned. With them: how much of it is filled from the true frames.
CEILINGS = {
    "static copy": (9.6, 10.1, 10.2),
    "exact flow, nothing painted": (14.0, 15.4, 15.7),
    "exact flow, background known to be white": (21.2, 22.0, 21.8),
    "exact flow, unseen pixels from an oracle": (23.9, 25.7, 28.4),
    "flow at an eighth, bilinear, oracle": (18.3, 19.3, 22.0),
    "flow at an eighth, best of 3 × 3, oracle": (21.6, 23.2, 26.4),
    "flow at a quarter, bilinear, oracle": (19.6, 20.7, 23.5),
    "flow at a quarter, best of 3 × 3, oracle": (23.1, 24.8, 27.6),
    "one affine a part, nearest fill": (16.5, None, None),
    "one affine a part, oracle": (22.2, None, None),
}
CEILING_SIZES = (64, 128, 256)


def ceilings(measured: dict[str, float] | None = None) -> Figure:
    """What exact motion is worth: bars of `CEILINGS`, and below them figures at 64 pixels of this book's own, by their names."""
    rows = CEILINGS | {name: (value, None, None) for name, value in (measured or {}).items()}
    figure, axis = plt.subplots(figsize=(9, 0.34 * len(rows) + 0.9))
    tints = colormaps["cividis"](np.linspace(0.15, 0.85, len(CEILING_SIZES)))
    for i, (size, tint) in enumerate(zip(CEILING_SIZES, tints, strict=True)):
        known = [(row, values[i]) for row, values in enumerate(rows.values()) if values[i] is not None]
        places, heights = zip(*known, strict=True)
        axis.barh([place + 0.26 * (i - 1) for place in places], heights, 0.24, color=tint, label=f"{size} × {size}")
        for place, height in known:
            axis.annotate(f"{height:.1f}", (height, place + 0.26 * (i - 1)), xytext=(2, 0), textcoords="offset points",
                          va="center", fontsize=6, color=TEXT)
    axis.set_yticks(range(len(rows)), list(rows))
    axis.invert_yaxis()
    plain(axis, "with the exact motion given, how right can the moving region be?", "PSNR, dB", "")
    axis.legend(fontsize=7, frameon=False, labelcolor=TEXT, loc="upper right")
    return done(figure)


def own_rows(records: dict[str, dict]) -> dict[str, float]:
    """This book's PSNR of the moving region of cabinets, in dB, by row, from results: those of motion-latent models, if any."""
    summaries = [(record["model"], record["summary"]) for record in records.values()
                 if "exact motion" in record.get("summary", {}) and record.get("kinds", "cabinets") == "cabinets"]
    rows = {"static copy": "static copy", "exact motion": "exact motion, our painter",
            "exact latents": "exact motion, our latents and painter", "model": "predicted motion, our latents and painter"}
    return dict(chain.from_iterable(
        ((f"{said} ({model}, judged clips)", summary[row]["moving"]["mean"]) for row, said in rows.items() if row in summary)
        for model, summary in summaries))

