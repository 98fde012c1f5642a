"""A whole training run of a scale: clips, what makes its latents, the denoiser, the pipeline saved.

Every stage leaves its result in the run folder and is passed over when that is there, so a run goes on where it stopped:

    clips/         where no clips are given             vae/final            the VAE
    pipeline/      the EMA weights so far               painter/, parts/     final.safetensors of motion latents
    */log          TensorBoard; */settings.json what made it
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch

from puppetmaster_core.checkpoints import find_model
from puppetmaster_core.latents.field import CHANNELS, GRID
from puppetmaster_core.pipeline import build
from puppetmaster_core.presets import STAGES, Preset
from puppetmaster_core.training.beginning import first_model, record_of
from puppetmaster_core.training.checkpoint import check_same_run, finished, keep_log, lock_run, save_pipeline
from puppetmaster_core.training.config import Plan, TrainingError
from puppetmaster_core.training.denoiser import Denoiser, PictureItems, denoiser_loss, picture_target, residual_scale
from puppetmaster_core.training.distributed import this_process
from puppetmaster_core.training.loop import fit
from puppetmaster_core.training.motion import MotionItems, motion_target
from puppetmaster_core.training.motion_stages import load_modules, open_motion, stage_painter, stage_parts
from puppetmaster_core.training.samples import procedural_clips, sampler
from puppetmaster_core.training.shard_clips import ShardClips
from puppetmaster_core.training.vae import final_of, stage_vae, trained_vae


def train(preset: Preset, output: str, *, stages: Sequence[str] = STAGES, clips: int | None = None, data: Sequence[str] = (),
          weights: str | None = None, config: dict | None = None, max_seconds: float | None = None, untextured: bool = False,
          **changes) -> bool:
    """Train `preset` into the folder `output`; True when all asked for is done, False when time ran out.

    data: folders of clips that `puppetmaster render` made, at the preset's size; none: `procedural_clips`, `clips` of them,
    None for the recipe's number. weights: the model to begin with; a scale that trains from nothing goes on from a model of its
    own (a VAE stays). config: values that replace the recipe's, stage by stage; `changes` replace values of every stage's
    RunSettings (seed, mixed_precision, …), where not None. Raises TrainingError where settings are unknown or conflict, or an
    earlier stage or clips are missing; ModelError where the weights are. untextured: also clips of `data` whose assets
    lost a texture.
    """
    if not preset.training:
        raise TrainingError(f"the scale {preset.name!r} has no training recipe: use one that has, or fill in its preset")
    until = time.monotonic() + (float("inf") if max_seconds is None else max_seconds)
    changes = {name: value for name, value in changes.items() if value is not None}
    plan = Plan(preset, Path(output), config or {}, changes, until, weights or "")
    if missing := [stage for stage in stages if stage not in plan.stages and tuple(stages) != STAGES]:
        raise TrainingError(f"the scale {preset.name!r} has no stage {missing[0]!r}: it has {', '.join(plan.stages)}")
    if data and clips:
        raise TrainingError(f"got clips={clips} and folders of clips, which say how many there are: leave one out")
    plan.folder.mkdir(parents=True, exist_ok=True)
    with lock_run(plan.folder):
        if weights and {"vae", "painter"} & plan.recipe.keys():
            first_model(plan)  # refused before anything is rendered
            keep_log(find_model(weights), plan.folder)
        with this_process().main_process_first():
            folders = list(map(Path, data or procedural_clips(plan, clips)))
            if preset.latents == "motion":
                found, large = open_motion(plan, folders, untextured)
            else:
                found, large = ShardClips(folders, preset.size, preset.frames, plan.folder, untextured), []
        return all(RUN[stage](plan, found, large) for stage in plan.stages if stage in stages)


def stage_denoiser(plan: Plan, clips: ShardClips, large: Sequence = ()) -> bool:
    """Train the denoiser; True when done (see `fit`). Also saves the pipeline, finished or not, with the EMA weights so far."""
    settings = plan.settings("denoiser")
    if finished(settings) and (plan.folder / "pipeline").is_dir():
        return True
    record = {**record_of(plan, clips), "recipe": asdict(plan.items)}
    check_same_run(Path(settings.output), {"settings": asdict(settings), **record})  # before hours of encoding
    begun = (_on_motion if plan.preset.latents == "motion" else _on_pictures)(plan, clips)
    if begun is None:
        return False
    pipeline, target, items = begun
    encoder = None if getattr(items, "embeddings", None) else pipeline.image_encoder
    record["latent space"] = asdict(pipeline.latent_space)
    loss = partial(denoiser_loss, target, pipeline.image_encoder.config.image_size)
    done = fit(Denoiser(pipeline.unet, encoder, pipeline.time_ids()), items.batch, loss, items.settings, record=record,
               sample=sampler(pipeline, plan.preset))
    save_pipeline(pipeline, plan.folder)
    return done


RUN = {"vae": stage_vae, "painter": stage_painter, "parts": stage_parts, "denoiser": stage_denoiser}


# Each gives the pipeline to train, what its batches aim at, and the items; None: out of time.


def _on_pictures(plan: Plan, clips: ShardClips):
    """Around a VAE that stays: our own, or that of a model that is downloaded whole, whose image encoder stays too. What they see
    of every clip is cached."""
    preset, settings, own = plan.preset, plan.settings("denoiser"), "vae" in plan.recipe
    pipeline = first_model(plan) if plan.weights or not own else None
    vae = trained_vae(plan) if own else pipeline.vae
    if pipeline is not None and not all(
            one.equal(other) for one, other in zip(pipeline.vae.parameters(), vae.parameters(), strict=True)):
        raise TrainingError(f"{final_of(plan)}: got another VAE than that of {plan.weights}: use another folder")
    encoder, process = None if own else pipeline.image_encoder, this_process()
    half = torch.autocast(process.device.type, torch.bfloat16, enabled=own and settings.mixed_precision == "bf16")
    with process.main_process_first(), half:
        features = clips.features(vae, encoder, plan.until)
    if features is None:
        return None
    if pipeline is None:
        some = np.stack([features(i)[0].numpy() for i in range(0, len(clips), max(1, len(clips) // 500))])
        pipeline = build(preset, settings.seed, vae=vae, latent_scale=residual_scale(some, preset.residual)).to(process.device)
    shape = (pipeline.unet.config.out_channels, *[preset.size // preset.cell] * 2)
    items = PictureItems(clips, settings, plan.items, preset.frames, preset.max_drags, shape, lambda i: features(i)[0].numpy(),
                         None if own else lambda i: features(i)[1].numpy())
    return pipeline, picture_target(pipeline.latent_space), items


def _on_motion(plan: Plan, clips: ShardClips):
    """Around the codec that the stages before it made; it stays."""
    settings = plan.settings("denoiser")
    pipeline = first_model(plan) if plan.weights else build(plan.preset, settings.seed)
    load_modules(plan, pipeline.vae, needed=not plan.weights)
    pipeline.to(this_process().device).vae.requires_grad_(False)
    items = MotionItems(clips, settings, plan.items, plan.preset.frames, plan.preset.max_drags, (CHANNELS, GRID, GRID))
    return pipeline, motion_target(pipeline.vae), items
