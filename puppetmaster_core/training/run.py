"""A whole training run of a scale: render clips, train the VAE, sharpen its decoder, train the denoiser, save the pipeline.

Every stage leaves its result in the run folder and is passed over when that is there, so a run goes on where it stopped:

    clips/         rendered clips              vae/final       the VAE after its own stage
    latents-n-*    of n clips                  decoder/final   the VAE with its decoder sharpened
    pipeline/      the EMA weights so far      */log           TensorBoard; */settings.json what made it
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLTemporalDecoder

from puppetmaster_core.clips.cabinets import WATCH_SEEDS, cabinet_clip
from puppetmaster_core.clips.sampling import sample_drags
from puppetmaster_core.files import whole_folder
from puppetmaster_core.latents import LatentSpace
from puppetmaster_core.overlay import draw_drags
from puppetmaster_core.pipeline import PuppetMasterPipeline, build
from puppetmaster_core.presets import Preset
from puppetmaster_core.training.data import ClipArrays, cache_latents
from puppetmaster_core.training.denoiser import Denoiser, Recipe, residual_scale, train_denoiser
from puppetmaster_core.training.loop import RunSettings, TrainingError, finished
from puppetmaster_core.training.vae import train_decoder, train_vae

STAGES = ("vae", "decoder", "denoiser")
SHARD_SIZE = "15MB"  # of the saved weights
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SHOWN = 4  # unseen clips in the sample strips


def train(preset: Preset, output: str, *, stages: tuple[str, ...] = STAGES, clips: int | None = None, **changes) -> bool:
    """Train `preset` from nothing into the folder `output`; True when all asked for is done, False when time ran out.

    clips: how many to render, None for the recipe's. `changes` replace values of the stages' RunSettings (seed,
    mixed_precision, max_seconds, …), where not None. Raises TrainingError where an earlier stage is missing.
    """
    folder, recipe = Path(output), preset.training
    if not recipe:
        raise TrainingError(f"the scale {preset.name!r} has no training recipe: use one that has, or fill in its preset")
    changes = {name: value for name, value in changes.items() if value is not None}
    data = ClipArrays.cabinets(folder / "clips", clips or recipe["clips"], preset.size, preset.frames)
    for stage in (name for name in STAGES if name in stages):
        if not _RUN[stage](preset, data, _settings(folder / stage, recipe[stage], changes)):
            return False
    return True


def _settings(folder: Path, recipe: dict, changes: dict) -> RunSettings:
    """The stage's settings; with another number of steps the warm-up and the decay keep their shares."""
    settings = RunSettings(output=str(folder), **recipe)
    share = changes.get("steps", settings.steps) / settings.steps
    scaled = {"warmup_steps": int(share * settings.warmup_steps), "decay_steps": int(share * settings.decay_steps)}
    return replace(settings, **(scaled if share != 1 else {}), **changes)


def stage_vae(preset: Preset, clips: ClipArrays, settings: RunSettings) -> bool:
    final = Path(settings.output) / "final"
    if final.is_dir():
        return True
    vae = build(preset, settings.seed).vae.to(DEVICE)
    return train_vae(vae, clips, settings, _record(preset, clips)) and _save(vae, final)


def stage_decoder(preset: Preset, clips: ClipArrays, settings: RunSettings) -> bool:
    folder, final = Path(settings.output).parent, Path(settings.output) / "final"
    if final.is_dir():
        return True
    vae = _trained(folder, "vae")
    return train_decoder(vae, clips, _latents(folder, clips, settings), settings, _record(preset, clips)) and _save(vae, final)


def stage_denoiser(preset: Preset, clips: ClipArrays, settings: RunSettings) -> bool:
    """Also saves the pipeline, finished or not: with the EMA weights and the best decoder there is."""
    folder = Path(settings.output).parent
    if finished(settings) and (folder / "pipeline").is_dir():
        return True
    latents = _latents(folder, clips, settings)
    space = LatentSpace(residual_scale(latents, preset.residual), preset.residual, preset.anchor)
    vae = _trained(folder, "decoder" if (folder / "decoder" / "final").is_dir() else "vae")
    pipeline = build(preset, settings.seed, vae=vae, latent_scale=space.scale).to(DEVICE)
    recipe = Recipe(**preset.training.get("recipe", {}))
    model = Denoiser(pipeline.unet, pipeline.image_encoder, pipeline.time_ids())
    record = {**_record(preset, clips), "recipe": asdict(recipe), "latent space": asdict(space)}
    shown = [cabinet_clip(WATCH_SEEDS + i, preset.size, preset.frames) for i in range(SHOWN)]
    done = train_denoiser(model, clips, latents, space, settings, record, recipe, lambda _: strips(pipeline, shown))
    pipeline.save_pretrained(folder / "pipeline", max_shard_size=SHARD_SIZE)
    return done


_RUN = {"vae": stage_vae, "decoder": stage_decoder, "denoiser": stage_denoiser}


def _trained(folder: Path, stage: str) -> AutoencoderKLTemporalDecoder:
    final = folder / stage / "final"
    if not final.is_dir():
        raise TrainingError(f"no trained VAE in {final}: run the stage {stage!r} first")
    return AutoencoderKLTemporalDecoder.from_pretrained(final).to(DEVICE)


def _latents(folder: Path, clips: ClipArrays, settings: RunSettings) -> np.ndarray:
    """The clips' latents by the VAE of its own stage, encoded on first use; another VAE makes another file."""
    weights = b"".join(path.read_bytes() for path in sorted((folder / "vae" / "final").glob("*.safetensors")))
    name = f"latents-{len(clips)}-{hashlib.sha256(weights).hexdigest()[:8]}.npy"
    return cache_latents(_trained(folder, "vae"), clips.frames, folder / name, settings.mixed_precision)


def _record(preset: Preset, clips: ClipArrays) -> dict:
    return {"preset": asdict(preset), "clips": len(clips), "device": DEVICE}


def _save(vae: AutoencoderKLTemporalDecoder, final: Path) -> bool:
    """Save whole or not at all: that the folder is there says that the stage is done."""
    with whole_folder(final) as folder:
        vae.save_pretrained(folder)
    return True


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
