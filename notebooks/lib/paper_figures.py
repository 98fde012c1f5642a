"""Counterparts of the paper's figures: models with a part taken out or at another resolution, strips of what curation does.

Letters: N frames, (H, W) pixels, M seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from lib.figures import TEXT, bare, done, with_drags
from lib.scenes import Scene, objects
from procedural_library import make_asset
from puppetmaster_core.checkpoints import PLAIN
from puppetmaster_core.curation.forest import Forest
from puppetmaster_core.curation.metrics import METRICS, motion_metrics
from puppetmaster_core.curation.pictures import quarters
from puppetmaster_core.model import DragUNet
from puppetmaster_core.pipeline import PuppetMasterPipeline

# What the paper's ablation leaves out, here taken out of a trained network: settings of `DragUNet`.
TAKEN_OUT = {
    "nothing taken out": {},
    "no modulation (A)": {"modulation": "none"},
    "no drag tokens (B)": {"drag_tokens": False},
    "no all-to-first (C)": {"attention": "spatial"},
}


def made_by(pipe: PuppetMasterPipeline, name: str, **how) -> str:
    """At which scale and how a figure was made, in a line; how: the sampling options that the pipeline was called with."""
    sampling = pipe.sampling(**{key: value for key, value in how.items() if key != "seed"})
    solver = {None: "steps", "euler": "Euler steps", "ays": "Align-Your-Steps", "dpm++": "steps of DPM-Solver++"}[sampling.solver]
    seed = f", seed {how['seed']}" if "seed" in how else ""
    return f"{name}: {pipe.config.size} × {pipe.config.size} pixels, {pipe.config.frames} frames, {sampling.steps} {solver}{seed}"


def remade(pipe: PuppetMasterPipeline, *, unet: DragUNet | None = None, **settings) -> PuppetMasterPipeline:
    """The same weights in a pipeline with other settings, or with another U-Net."""
    own = {name: pipe.config[name] for name in PLAIN}
    other = PuppetMasterPipeline(**pipe.components | {"unet": unet or pipe.unet}, **own | settings)
    other.set_progress_bar_config(disable=True)
    return other


def without(pipe: PuppetMasterPipeline, **settings) -> PuppetMasterPipeline:
    """The same weights in a network of other settings; what it has no place for is left out, and nothing may be missing."""
    net = DragUNet.from_config(pipe.unet.config, **settings).eval()
    weights = pipe.unet.state_dict()
    net.load_state_dict({name: weights[name] for name in net.state_dict()})
    return remade(pipe, unet=net)


@dataclass(frozen=True, eq=False)
class JudgedAnimation:
    """An animation of the library, and what the forest makes of it."""

    kind: str
    kept: bool
    reason: str  # what pushed the verdict most
    pictures: np.ndarray  # (4, H, W, 3) uint8, at the ends of the four quarters
    scene: Scene | None  # with drags, where it was kept


# Fig. 3: which animations stay, and what training gets of them.
def judged(kinds: Sequence[str], forest: Forest, size: int, frames: int, seed: int = 0) -> list[JudgedAnimation]:
    """Object `seed` of each kind, through metrics and forest; those that stay are filmed, with drags."""
    found = []
    for kind in kinds:
        asset = make_asset(kind, seed)
        measured = motion_metrics(asset)
        metrics = np.array([measured[name] for name in METRICS])
        kept = bool(forest.probability(metrics)[0] >= forest.threshold)
        scene = objects([kind], size, frames, seed)[0] if kept else None
        found.append(JudgedAnimation(kind, kept, str(forest.why([metrics], 1)[0][0]), quarters(asset, 0, size), scene))
    return found


def curation_strips(found: Sequence[JudgedAnimation], width: float = 10.0, made: str = "") -> Figure:
    """A row an animation: four pictures, the verdict over them, and for those that stay the drags that training gets."""
    figure, axes = plt.subplots(len(found), 5, figsize=(width, (width / 5 + 0.25) * len(found)), squeeze=False)
    for row, one in zip(axes, found, strict=True):
        for axis, picture in zip(row, one.pictures, strict=False):
            axis.imshow(picture, interpolation="bicubic")
            bare(axis)
        row[0].set_ylabel(one.kind, fontsize=9, color=TEXT)
        row[0].set_title(f"{'✓ stays' if one.kept else '✗ goes'}: {one.reason}", fontsize=8, color=TEXT, loc="left")
        if one.scene is not None:
            row[4].imshow(with_drags(one.scene.picture, one.scene.drags), interpolation="bicubic")
            bare(row[4], "with drags")
        else:
            row[4].set_axis_off()
    if made:
        figure.supxlabel(made, fontsize=8, color=TEXT)
    return done(figure)


def spread_map(function: Callable[[np.ndarray], np.ndarray] | None, videos: Sequence[np.ndarray]) -> Figure | None:
    """What the reader's function says of videos (N, H, W, 3): bright where they disagree. None while there is no function."""
    if function is None:
        return None
    figure, axis = plt.subplots(figsize=(3, 3))
    axis.imshow(function(np.stack(videos)), cmap="cividis")
    bare(axis, "where seeds disagree")
    return done(figure)
