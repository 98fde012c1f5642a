"""A whole training run of a scale: render clips, train the VAE, cache latents, train the denoiser, save the pipeline.

Every stage leaves its result in the run folder and is passed over when that is there, so a run goes on where it stopped.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLTemporalDecoder

from puppetmaster_core.clips.cabinets import TEST_SEEDS, cabinet_clip
from puppetmaster_core.clips.sampling import sample_drags
from puppetmaster_core.latents import LatentSpace
from puppetmaster_core.overlay import draw_drags
from puppetmaster_core.pipeline import PuppetMasterPipeline, build
from puppetmaster_core.presets import Preset
from puppetmaster_core.training.data import ClipArrays, cache_latents
from puppetmaster_core.training.denoiser import Denoiser, residual_scale, train_denoiser
from puppetmaster_core.training.loop import RunSettings
from puppetmaster_core.training.vae import train_vae

SHOWN = 4  # unseen clips in the sample strips


def train(preset: Preset, output: str, *, stages: tuple[str, ...] = ("vae", "denoiser"), clips: int | None = None,
          **changes) -> Path:
    """Train `preset` from nothing into the folder `output`; returns the folder of the finished pipeline.

    clips: how many to render, None for the recipe's. `changes` replace values of the stages' RunSettings (seed,
    mixed_precision, max_seconds, …), where not None.
    """
    folder, recipe = Path(output), preset.training
    if not recipe:
        raise ValueError(f"the scale {preset.name!r} has no training recipe: use one that has, or fill in its preset")
    changes = {name: value for name, value in changes.items() if value is not None}
    settings = {stage: replace(RunSettings(output=str(folder / stage), **recipe[stage]), **changes)
                for stage in ("vae", "denoiser")}
    data = ClipArrays.cabinets(folder / "clips", clips or recipe["clips"], preset.size, preset.frames)
    pipeline = build(preset, settings["vae"].seed)
    if "vae" in stages:
        stage_vae(pipeline.vae, data, settings["vae"], preset)
    if "denoiser" in stages:
        stage_denoiser(pipeline, data, settings["denoiser"], preset)
    return folder / "pipeline"


def stage_vae(vae: AutoencoderKLTemporalDecoder, clips: ClipArrays, settings: RunSettings, preset: Preset) -> None:
    train_vae(vae, clips, settings, {"preset": asdict(preset)})
    vae.save_pretrained(Path(settings.output) / "final")


def stage_denoiser(pipeline: PuppetMasterPipeline, clips: ClipArrays, settings: RunSettings, preset: Preset) -> None:
    folder = Path(settings.output).parent
    finished = folder / "vae" / "final"
    if not finished.is_dir():
        raise FileNotFoundError(f"no trained VAE in {finished}: run the stage 'vae' first")
    pipeline.vae = AutoencoderKLTemporalDecoder.from_pretrained(finished)
    latents = cache_latents(pipeline.vae, clips.frames, folder / f"latents-{len(clips)}.npy")
    space = LatentSpace(residual_scale(latents, preset.residual), preset.residual, preset.anchor)
    pipeline.register_to_config(latent_scale=space.scale)
    model = Denoiser(pipeline.unet, pipeline.image_encoder, pipeline.time_ids())
    record = {"preset": asdict(preset), "latent space": asdict(space)}
    shown = [cabinet_clip(TEST_SEEDS + i, preset.size, preset.frames) for i in range(SHOWN)]
    train_denoiser(model, clips, latents, space, settings, record, short_steps=preset.training.get("short_steps", 0),
                   sample=lambda _: strips(pipeline, shown))
    pipeline.save_pretrained(folder / "pipeline", max_shard_size="15MB")
    (folder / "pipeline" / "training.json").write_text(json.dumps(record, indent=1) + "\n")


def strips(pipeline: PuppetMasterPipeline, clips: list) -> dict[str, torch.Tensor]:
    """For each clip a row of generated frames above the true ones, as TensorBoard takes pictures: (3, H, W) in [0, 1]."""
    rows = []
    for i, clip in enumerate(clips):
        drags = sample_drags(clip, np.random.default_rng(i))
        with torch.autocast(pipeline.device.type, enabled=False):
            made = pipeline(clip.frames[0], drags, seed=i).frames
        some = np.linspace(0, len(made) - 1, 5).astype(int)
        first = draw_drags(clip.frames[:1], drags)
        rows += [np.concatenate([first[0], *made[some[1:]]], 1), np.concatenate(list(clip.frames[some]), 1)]
    return {"above: generated, below: true": torch.from_numpy(np.concatenate(rows)).movedim(-1, 0).float() / 255}
