"""Procedural clips of a run: rendered to train on where none are given, and unseen ones that it is watched on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from puppetmaster_core.clips.clip import Clip
from puppetmaster_core.clips.rendering import RenderPlan, render_clips
from puppetmaster_core.clips.sources import WATCH_SEEDS, find_source
from puppetmaster_core.clips.studio import Filming, film
from puppetmaster_core.drags import Drags
from puppetmaster_core.overlay import overlay_drags
from puppetmaster_core.pipeline import PuppetMasterPipeline
from puppetmaster_core.presets import Preset
from puppetmaster_core.training.config import Plan, TrainingError
from puppetmaster_core.training.distributed import this_process

SHOWN = 4  # unseen clips in the sample strips


def procedural_clips(plan: Plan, count: int | None) -> list[str]:
    """Folders of `count` clips in the run's folder, half of them cabinets, half of the whole library; None: the recipe's number.

    What is there already is kept. Raises TrainingError where the scale has no such number, or the clips would be those that are
    kept for judging.
    """
    if "clips" not in plan.recipe:
        raise TrainingError(f"the scale {plan.preset.name!r} got no clips: render some at {plan.preset.size} pixels with "
                            "`puppetmaster render`, and name their folder")
    count = count or plan.recipe["clips"]
    if count > WATCH_SEEDS:
        raise TrainingError(f"got clips={count}, but seeds from {WATCH_SEEDS} on are kept for judging: ask for fewer")
    sources = {"library": count - count // 2, "cabinets": count // 2}
    return [str(render_source(plan.folder / "clips" / source, source, assets, plan.preset))
            for source, assets in sources.items() if assets]


def render_source(folder: Path, source: str, assets: int, preset: Preset) -> Path:
    """`folder` with clips of the first assets of a source, at the preset's size, rendered where they are not there yet."""
    plan = RenderPlan(find_source(source, assets), Filming(size=preset.size, frames=preset.frames))
    for _ in tqdm(render_clips(folder, plan), total=assets, desc=f"rendering {source}", mininterval=5):
        pass
    return folder


def unseen(preset: Preset) -> list[Clip]:
    """Clips with seeds that are never trained on, one of each of some of the library's categories."""
    source = find_source("library", first=WATCH_SEEDS)
    how, clips = Filming(size=preset.size, frames=preset.frames), []
    for number in np.linspace(0, len(source.names) - 1, SHOWN).astype(int):
        shots = film(source.open(int(number)), int(number), source.name(int(number)), how)
        clips += [shot.clip for shot in shots if shot.clip is not None][:1]
    return clips


def sampler(pipeline: PuppetMasterPipeline, preset: Preset):
    """The `sample` of a training run (`loop.fit`): in all processes or in none."""
    shown = unseen(preset) if this_process().is_main_process else []
    return lambda: strips(pipeline, shown)


def strips(pipeline: PuppetMasterPipeline, clips: list[Clip]) -> dict[str, torch.Tensor]:
    """For each clip a row of generated frames above the true ones, as TensorBoard takes pictures: (3, H, W) in [0, 1]."""
    rows = []
    pipeline.set_progress_bar_config(disable=True)
    for i, clip in enumerate(clips):
        drags = Drags(clip.drags)
        with torch.autocast(pipeline.device.type, enabled=False):
            made = pipeline(clip.frames[0], drags, seed=i).frames
        some = np.linspace(0, len(made) - 1, 5).astype(int)
        first = overlay_drags(clip.frames[:1], drags)
        rows += [np.concatenate([first[0], *made[some[1:]]], 1), np.concatenate(list(clip.frames[some]), 1)]
    return {"above: generated, below: true": torch.from_numpy(np.concatenate(rows)).movedim(-1, 0).float() / 255}
