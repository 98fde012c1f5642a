"""What a denoiser makes of unseen clips while it trains, as pictures for the log."""

from __future__ import annotations

import numpy as np
import torch

from puppetmaster_core.clips.clip import Clip
from puppetmaster_core.clips.sources import WATCH_SEEDS, find_source
from puppetmaster_core.clips.studio import Filming, film
from puppetmaster_core.drags import Drags
from puppetmaster_core.overlay import draw_drags
from puppetmaster_core.pipeline import PuppetMasterPipeline
from puppetmaster_core.presets import Preset
from puppetmaster_core.training.crew import crew

SHOWN = 4  # unseen clips in the sample strips


def unseen(preset: Preset) -> list[Clip]:
    """Clips with seeds that are never trained on, one of each of some of the library's categories."""
    source = find_source("library", first=WATCH_SEEDS)
    how, clips = Filming(size=preset.size, frames=preset.frames), []
    for number in np.linspace(0, len(source.names) - 1, SHOWN).astype(int):
        shots = film(source.open(int(number)), int(number), source.name(int(number)), how)
        clips += [shot.clip for shot in shots if shot.clip is not None][:1]
    return clips


def watching(pipeline: PuppetMasterPipeline, preset: Preset):
    """The `sample` of a training run (`loop.fit`): in all processes or in none."""
    shown = unseen(preset) if crew().is_main_process else []
    return (lambda _: strips(pipeline, shown)) if SHOWN else None


def strips(pipeline: PuppetMasterPipeline, clips: list[Clip]) -> dict[str, torch.Tensor]:
    """For each clip a row of generated frames above the true ones, as TensorBoard takes pictures: (3, H, W) in [0, 1]."""
    rows = []
    pipeline.set_progress_bar_config(disable=True)
    for i, clip in enumerate(clips):
        drags = Drags(clip.drags)
        with torch.autocast(pipeline.device.type, enabled=False):
            made = pipeline(clip.frames[0], drags, seed=i).frames
        some = np.linspace(0, len(made) - 1, 5).astype(int)
        first = draw_drags(clip.frames[:1], drags)
        rows += [np.concatenate([first[0], *made[some[1:]]], 1), np.concatenate(list(clip.frames[some]), 1)]
    return {"above: generated, below: true": torch.from_numpy(np.concatenate(rows)).movedim(-1, 0).float() / 255}
