"""Figures of the chapter on inference: noise levels, guidance, and quality against time.

Letters: N frames. σ is the standard deviation of the noise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from lib.figures import TEXT, done, plain
from puppetmaster_core.overlay import COLOURS

MARKS = {"euler": "o", "dpm++": "s", "ays": "^"}


def schedules(named: Mapping[str, Sequence[float]], interval: tuple[float, float] | None = None) -> Figure:
    """The noise levels σ that named ways of sampling visit, largest first, over the share of their steps; a grey band for an
    interval. A last σ of 0 is left out: the axis is logarithmic."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.2), width_ratios=(1.3, 1))
    for i, (name, sigmas) in enumerate(named.items()):
        levels = np.array([sigma for sigma in sigmas if sigma > 0])
        axes[0].plot(np.linspace(0, 1, len(levels)), levels, "o-", ms=3, lw=1, color=COLOURS[i % len(COLOURS)], label=name)
        axes[1].plot(levels, np.full(len(levels), i), "|", ms=12, color=COLOURS[i % len(COLOURS)])
    axes[0].set_yscale("log")
    axes[1].set(xscale="log", yticks=[], ylim=(len(named) - 0.5, -0.5))
    axes[1].invert_xaxis()
    if interval:
        axes[0].axhspan(*interval, color="gray", alpha=0.18, lw=0)
        axes[1].axvspan(*interval, color="gray", alpha=0.18, lw=0)
    plain(axes[0], "noise level over the steps", "share of the steps done", "σ")
    plain(axes[1], "where steps are spent", "σ, from noise to video", "")
    axes[0].legend(fontsize=7, loc="lower left", frameon=False)
    return done(figure)


def guidance_weights(named: Mapping[str, np.ndarray]) -> Figure:
    """Guidance weights (N,) of every frame, by name."""
    figure, axis = plt.subplots(figsize=(7, 2.6))
    for (name, weights), colour in zip(named.items(), COLOURS, strict=False):
        axis.plot(np.arange(1, len(weights) + 1), weights, "o-", ms=4, color=colour, label=name)
    axis.axhline(1, color=TEXT, lw=0.8, ls=":")
    plain(axis, "guidance weight of every frame", "frame", "weight")
    axis.legend(fontsize=8, frameon=False)
    return done(figure)


def measured(path: Path) -> tuple[list[dict], str] | None:
    """The rows that `puppetmaster solvers --output` wrote and where they come from, in a line; None without such a file."""
    if not path.exists():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    rows = record["rows"]
    made = f"{rows[0]['clips']} unseen clips, {record['device']}, {record['threads']} threads, commit {record['commit'][:8]}"
    return rows, f"{record['command']}: {made}"


def quality_against_time(rows: Sequence[Mapping], named: Mapping[str, str] | None = None) -> Figure:
    """PSNR of the moving region, with its interval, and share of parts that go the right way, against seconds a video.

    rows: of `evaluation.solvers.compare_settings`. named: settings to point out, by row name. The mark is the solver, full
    where guidance is used at all noise levels.
    """
    figure, axes = plt.subplots(1, 2, figsize=(10, 0.24 * len(rows) + 2.6))
    for i, row in enumerate(rows):
        how, psnr, direction = row["settings"], row["moving"], row["right direction"]
        mark, colour = MARKS.get(how.get("solver"), "D"), COLOURS[i % len(COLOURS)]
        full = "none" if how.get("interval") or how.get("max_guidance") == 1 else "full"
        error = [[psnr["mean"] - psnr["low"]], [psnr["high"] - psnr["mean"]]]
        axes[0].errorbar(row["seconds"], psnr["mean"], yerr=error, fmt=mark, fillstyle=full, color=colour, ms=7, elinewidth=0.8,
                         label=f"{i + 1}  {row['name']}")
        axes[1].plot(row["seconds"], 100 * direction, mark, fillstyle=full, color=colour, ms=7)
        told = f" {i + 1}" + (f" ({named[row['name']]})" if named and row["name"] in named else "")
        for axis, height in zip(axes, (psnr["mean"], 100 * direction), strict=True):
            axis.annotate(told, (row["seconds"], height), xytext=(4, 3), textcoords="offset points", fontsize=7, color=TEXT)
    plain(axes[0], "is the moving part right?", "seconds a video", "PSNR of the moving region, dB")
    plain(axes[1], "does it go the right way?", "seconds a video", "parts that go the right way, %")
    axes[1].set_ylim(-5, 105)
    for axis in axes:
        axis.set_xscale("log")
        axis.minorticks_off()
        seconds = [row["seconds"] for row in rows]
        ticks = np.geomspace(min(seconds), max(seconds), 4) if max(seconds) > 1.05 * min(seconds) else [seconds[0]]
        axis.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=7, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2,
                  frameon=False)
    return done(figure)
