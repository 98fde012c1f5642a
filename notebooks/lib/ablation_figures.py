"""The figures of chapters 09 and 10, read from the grid's results. Letters: N frames, S side in pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from lib.figures import TEXT, done, plain
from puppetmaster_core.ablations.arms import ARMS, AblationError
from puppetmaster_core.ablations.grid import COPY, TRUTH, read_run, read_strip
from puppetmaster_core.ablations.tables import interval_over_seeds, values
from puppetmaster_core.drags import Drags
from puppetmaster_core.presets import ABLATION
from puppetmaster_core.video import Video

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


def films(results: Path, arms: Sequence[str], clip: int) -> dict[str, Video]:
    """The truth, and what some arms made of one of the clips whose videos are kept, by their labels; each with its drags.

    Raises AblationError for an arm that has not run there, or a clip that is not kept.
    """
    kept = read_run(results / f"{TRUTH}.json")["drags"]
    if not 0 <= clip < len(kept):
        raise AblationError(f"got clip {clip}, expected 0 to {len(kept) - 1}: the videos of these are kept")
    paths = {"truth": results / f"{TRUTH}.webp"}
    for arm in arms:
        paths[ARMS[arm].label if arm in ARMS else arm] = path = results / f"{arm}-0.webp"
        if not path.is_file():
            ran = sorted(one.stem.removesuffix("-0") for one in results.glob("*-0.webp"))
            raise AblationError(f"got arm {arm!r}, expected one that has run with seed 0: {', '.join(ran) or 'none has'}")
    drags = Drags(np.array(kept[clip], np.float32))
    return {label: Video(read_strip(path)[clip], fps=3, drags=drags) for label, path in paths.items()}


def loss_curves(loaded: Mapping, arms: Sequence[str]) -> Figure:
    """Loss against steps, a line a seed."""
    figure, axis = plt.subplots(figsize=(6, 3))
    for colour, arm in zip(COLOURS, (arm for arm in arms if arm in loaded), strict=False):
        for number, run in enumerate(loaded[arm].values()):
            steps, losses = zip(*run["curve"], strict=True)
            axis.plot(steps, losses, color=colour, lw=1, label=None if number else ARMS[arm].label)
    axis.set_yscale("log")
    plain(axis, "loss in training, a line a seed", "step", "loss, Eq. 2")
    axis.legend(fontsize=7, frameon=False, labelcolor=TEXT)
    return done(figure)


def frame_by_frame(loaded: Mapping, arms: Sequence[str]) -> Figure:
    """PSNR of every frame, as Fig. 6 asks: is frame 1 spared while later ones fade? The static copy beside."""
    figure, axis = plt.subplots(figsize=(5, 3))
    numbers = range(1, ABLATION.frames + 1)
    for colour, arm in zip(COLOURS, (arm for arm in (*arms, COPY) if arm in loaded), strict=False):
        means = [float(np.nanmean(values(loaded[arm], f"frame {n}"))) for n in numbers]
        axis.plot(numbers, np.minimum(means, 40), "o-", color=colour, lw=1, ms=3,
                  label=ARMS[arm].label if arm in ARMS else "static copy")
    axis.set_xticks(list(numbers))
    plain(axis, "PSNR frame by frame, cut at 40 dB", "frame", "dB")
    axis.legend(fontsize=7, frameon=False, labelcolor=TEXT)
    return done(figure)


def doses(loaded: Mapping, scores: Mapping[str, str]) -> Figure:
    """Scores against the share of bad animations, with intervals; scores: names with what to call them."""
    arms = [arm for arm in ("D", *(name for name in ARMS if ARMS[name].bad)) if arm in loaded]
    figure, axes = plt.subplots(1, len(scores), figsize=(3 * len(scores), 2.6), squeeze=False)
    for axis, (score, called) in zip(axes[0], scores.items(), strict=True):
        told = [interval_over_seeds(values(loaded[arm], score)) for arm in arms]
        shares, means = [100 * ARMS[arm].bad for arm in arms], [one["mean"] for one in told]
        around = np.abs([[one["mean"] - one["low"], one["high"] - one["mean"]] for one in told]).T
        axis.errorbar(shares, means, around, fmt="o-", color=COLOURS[0], lw=1, ms=3, capsize=2)
        copy = interval_over_seeds(values(loaded[COPY], score))
        axis.axhline(copy["mean"], color=TEXT, lw=0.8, ls=":")
        plain(axis, called, "bad animations [%]", "")
    return done(figure)
