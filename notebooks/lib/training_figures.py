"""Training in pictures and tables: curves of a log, the noise that is drawn, and each scale's recipe beside the paper's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from puppetmaster_core.clips.mixture import WEIGHTS
from puppetmaster_core.diffusion import P_STD
from puppetmaster_core.presets import MINI, SVD, TINY, Preset
from puppetmaster_core.training.config import Plan

BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"  # Okabe and Ito's

PAPER = {  # App. C.1 and C.2; "–" where the paper is silent
    "begins with": "SVD's weights", "pictures": "256 × 256", "frames N": "14", "updates": "12,500", "clips an update": "64",
    "rounds an update": "64", "learning rate": "– (released code: 1e-05)", "log σ": "mean 0.7, deviation 1.6",
    "drags dropped": "0.1", "straight drags": "–", "EMA decay": "0.9999", "EMA half-life": "6931 updates",
    "sampling steps": "50", "guidance": "1 to 5, linear over frames", "mixture": "0.3, 0.25, 0.25, 0.05, 0.15",
}


def half_life(decay: float) -> float:
    """Updates after which an update counts half in an exponential moving average."""
    return math.log(0.5) / math.log(decay)


def recipe_of(preset: Preset) -> dict[str, str]:
    """What a preset says on the rows of `PAPER`."""
    plan = Plan(preset, Path("."))
    settings, recipe = plan.settings("denoiser"), plan.items
    begins = {"vae": "nothing: its VAE is trained first", "painter": "nothing: its painter and parts are trained first"}
    mixture = ", ".join(f"{share:g}" for share in WEIGHTS.values())
    return {
        "begins with": next((said for stage, said in begins.items() if stage in preset.training), "SVD's weights"),
        "pictures": f"{preset.size} × {preset.size}", "frames N": str(preset.frames),
        "updates": f"{settings.steps:,}", "clips an update": str(settings.batch_size),
        "rounds an update": str(settings.accumulate), "learning rate": f"{settings.learning_rate:g}",
        "log σ": f"mean {recipe.sigma_mean:g}, deviation {P_STD:g}", "drags dropped": f"{recipe.drag_dropout:g}",
        "straight drags": f"{recipe.straight:g} of the items", "EMA decay": f"{settings.ema_decay:g}",
        "EMA half-life": f"{half_life(settings.ema_decay):.0f} updates", "sampling steps": str(preset.steps),
        "guidance": f"{preset.min_guidance:g} to {preset.max_guidance:g}, linear over frames",
        "mixture": mixture if "clips" not in preset.training else mixture + "; half cabinets without --data",
    }


def recipe_rows(presets: Sequence[Preset] = (SVD, MINI, TINY)) -> list[tuple[str, ...]]:
    """(setting, the paper's, each preset's) row by row."""
    ours = [recipe_of(preset) for preset in presets]
    return [(name, value, *(one[name] for one in ours)) for name, value in PAPER.items()]


def curves(log: Mapping[str, Mapping], names: Sequence[str] = ("loss",), width: float = 9.0) -> Figure:
    """Logged numbers over steps, a panel a stage: log is {stage: {"curves": {name: [[step, value], …]}}}."""
    stages = [stage for stage in log if any(name in log[stage]["curves"] for name in names)]
    figure, axes = plt.subplots(1, len(stages), figsize=(width, 2.6), squeeze=False)
    figure.patch.set_alpha(0)
    for axis, stage in zip(axes[0], stages, strict=True):
        for name, colour in zip(names, (BLUE, ORANGE, GREEN), strict=False):
            if name in log[stage]["curves"]:
                steps, values = np.array(log[stage]["curves"][name], float).T
                axis.plot(steps, values, color=colour, label=name, linewidth=1.2)
        _plain(axis)
        axis.set_title(stage, fontsize=9, color="gray")
        axis.set_xlabel("step", fontsize=8, color="gray")
        axis.set_yscale("log" if "loss" in names else "linear")
        axis.legend(fontsize=7, frameon=False, labelcolor="gray")
    figure.tight_layout(pad=0.5)
    plt.close(figure)  # the notebook shows what a cell returns, once
    return figure


def noise_levels(means: Mapping[str, float], std: float = P_STD, width: float = 8.0) -> Figure:
    """The density of log σ for each named mean."""
    figure, axis = plt.subplots(figsize=(width, 2.4))
    figure.patch.set_alpha(0)
    x = np.linspace(-6, 8, 300)
    for (name, mean), colour in zip(means.items(), (BLUE, ORANGE, GREEN), strict=False):
        axis.plot(x, np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi)), color=colour, label=name)
    _plain(axis)
    axis.set_xlabel("log σ", fontsize=8, color="gray")
    axis.set_ylabel("density", fontsize=8, color="gray")
    axis.legend(fontsize=8, frameon=False, labelcolor="gray")
    figure.tight_layout(pad=0.5)
    plt.close(figure)
    return figure


def _plain(axis) -> None:
    axis.patch.set_alpha(0)
    axis.tick_params(labelsize=7, colors="gray")
    for side in axis.spines.values():
        side.set_color("gray")
