"""A whole training run of a scale: render clips, train the VAE, sharpen its decoder, train the denoiser, save the pipeline.

Every stage leaves its result in the run folder and is passed over when that is there, so a run goes on where it stopped:

    clips/         rendered clips              vae/final       the VAE after its own stage
    latents-n.npy  of n clips                  decoder/final   the VAE with its decoder sharpened
    pipeline/      the EMA weights so far      */log           TensorBoard; */settings.json what made it
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
from puppetmaster_core.training.vae import train_decoder, train_vae

STAGES = ("vae", "decoder", "denoiser")
SHARD_SIZE = "15MB"  # of the saved weights
SHOWN = 4  # unseen clips in the sample strips


def train(preset: Preset, output: str, *, stages: tuple[str, ...] = STAGES, clips: int | None = None, **changes) -> bool:
    """Train `preset` from nothing into the folder `output`; True when all asked for is done, False when time ran out.

    clips: how many to render, None for the recipe's. `changes` replace values of the stages' RunSettings (seed,
    mixed_precision, max_seconds, …), where not None. Raises FileNotFoundError where an earlier stage is missing.
    """
    folder, recipe = Path(output), preset.training
    if not recipe:
        raise ValueError(f"the scale {preset.name!r} has no training recipe: use one that has, or fill in its preset")
    changes = {name: value for name, value in changes.items() if value is not None}
    data = ClipArrays.cabinets(folder / "clips", clips or recipe["clips"], preset.size, preset.frames)
    for stage in (name for name in STAGES if name in stages):
        settings = replace(RunSettings(output=str(folder / stage), **recipe[stage]), **changes)
        if not _RUN[stage](preset, data, settings):
            return False
    return True


def stage_vae(preset: Preset, clips: ClipArrays, settings: RunSettings) -> bool:
    final = Path(settings.output) / "final"
    if final.is_dir():
        return True
    vae = build(preset, settings.seed).vae
    done = train_vae(vae, clips, settings, {"preset": asdict(preset)})
    if done:
        vae.save_pretrained(final)
    return done


def stage_decoder(preset: Preset, clips: ClipArrays, settings: RunSettings) -> bool:
    folder, final = Path(settings.output).parent, Path(settings.output) / "final"
    if final.is_dir():
        return True
    vae = _trained(folder, "vae")
    done = train_decoder(vae, clips, _latents(folder, clips), settings, {"preset": asdict(preset)})
    if done:
        vae.save_pretrained(final)
    return done


def stage_denoiser(preset: Preset, clips: ClipArrays, settings: RunSettings) -> bool:
    """Also saves the pipeline, finished or not: with the EMA weights and the best decoder there is."""
    folder = Path(settings.output).parent
    latents = _latents(folder, clips)
    space = LatentSpace(residual_scale(latents, preset.residual), preset.residual, preset.anchor)
    vae = _trained(folder, "decoder" if (folder / "decoder" / "final").is_dir() else "vae")
    pipeline = build(preset, settings.seed, vae=vae, latent_scale=space.scale)
    model = Denoiser(pipeline.unet, pipeline.image_encoder, pipeline.time_ids())
    record = {"preset": asdict(preset), "latent space": asdict(space)}
    shown = [cabinet_clip(TEST_SEEDS + i, preset.size, preset.frames) for i in range(SHOWN)]
    done = train_denoiser(model, clips, latents, space, settings, record, short_steps=preset.training.get("short_steps", 0),
                          sample=lambda _: strips(pipeline, shown))
    pipeline.save_pretrained(folder / "pipeline", max_shard_size=SHARD_SIZE)
    (folder / "pipeline" / "training.json").write_text(json.dumps(record, indent=1) + "\n")
    return done


_RUN = {"vae": stage_vae, "decoder": stage_decoder, "denoiser": stage_denoiser}


def _trained(folder: Path, stage: str) -> AutoencoderKLTemporalDecoder:
    final = folder / stage / "final"
    if not final.is_dir():
        raise FileNotFoundError(f"no trained VAE in {final}: run the stage {stage!r} first")
    return AutoencoderKLTemporalDecoder.from_pretrained(final)


def _latents(folder: Path, clips: ClipArrays) -> np.ndarray:
    """The clips' latents by the VAE of its own stage, encoded on first use."""
    return cache_latents(_trained(folder, "vae"), clips.frames, folder / f"latents-{len(clips)}.npy")


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
