"""A whole training run of a scale: clips, the VAE, its decoder sharpened, the denoiser, the pipeline saved.

Every stage leaves its result in the run folder and is passed over when that is there, so a run goes on where it stopped:

    clips/         where no clips are given             vae/final       the VAE after its own stage
    latents-n-*    of n clips                           decoder/final   the VAE with its decoder sharpened
    pipeline/      the EMA weights so far               */log           TensorBoard; */settings.json what made it
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLTemporalDecoder
from torch import nn

from puppetmaster_core.checkpoints import find_model
from puppetmaster_core.clips.features import Features, cache_features
from puppetmaster_core.files import whole_folder
from puppetmaster_core.pipeline import PuppetMasterPipeline, build
from puppetmaster_core.presets import Preset
from puppetmaster_core.training import motion_run
from puppetmaster_core.training.crew import crew, wait_for_main
from puppetmaster_core.training.data import cache_latents, latents_file
from puppetmaster_core.training.denoiser import Denoiser, Items, residual_scale, train_denoiser
from puppetmaster_core.training.plan import STAGES, Plan, merged
from puppetmaster_core.training.records import SHARD_SIZE, alone, check_same_run, keep_log, save_pipeline, saving
from puppetmaster_core.training.rendered import render_clips
from puppetmaster_core.training.settings import RunSettings, TrainingError
from puppetmaster_core.training.shard_clips import ShardClips
from puppetmaster_core.training.state import finished
from puppetmaster_core.training.vae import train_decoder, train_vae
from puppetmaster_core.training.watch import watching


def train(preset: Preset, output: str, *, stages: Sequence[str] = STAGES, clips: int | None = None, data: Sequence[str] = (),
          weights: str | None = None, config: dict | None = None, max_seconds: float | None = None, untextured: bool = False,
          **changes) -> bool:
    """Train `preset` into the folder `output`; True when all asked for is done, False when time ran out.

    data: folders of clips that `puppetmaster render` made, at the preset's size; none: `clips` procedural ones (`render_clips`),
    None for the recipe's number. weights: the model to begin with; a scale that trains from nothing goes on from a model of its
    own, whose VAE stays. config: values that replace the recipe's, stage by stage; `changes` replace values of every stage's
    RunSettings (seed, mixed_precision, …), where not None. Raises TrainingError where settings are unknown or conflict, or an
    earlier stage or clips are missing; ModelError where the weights are. untextured: also clips of `data` whose assets
    lost a texture.
    """
    until = time.monotonic() + (float("inf") if max_seconds is None else max_seconds)
    if not preset.training:
        raise TrainingError(f"the scale {preset.name!r} has no training recipe: use one that has, or fill in its preset")
    changes = {name: value for name, value in changes.items() if value is not None}
    plan = Plan(preset, Path(output), merged(preset.training, config or {}), changes, until, weights or "")
    if missing := [stage for stage in stages if stage not in plan.stages and tuple(stages) != STAGES]:
        raise TrainingError(f"the scale {preset.name!r} has no stage {missing[0]!r}: it has {', '.join(plan.stages)}")
    if weights and {"vae", "painter"} & plan.recipe.keys() and tuple(stages) in (("decoder",), ("painter",)):
        raise TrainingError(f"weights={weights} and the stage {stages[0]!r} given, but a given model keeps its own: leave one "
                            "out")
    if data and clips:
        raise TrainingError(f"clips={clips} and folders of clips given: the folders say how many there are, leave one out")
    plan.folder.mkdir(parents=True, exist_ok=True)
    with alone(plan.folder) if crew().is_main_process else nullcontext():
        if weights and "vae" in plan.recipe:
            _given(plan)  # refused before anything is rendered
        if preset.latents == "motion":
            return _train_motion(plan, clips, data, stages, untextured)
        with crew().main_process_first():
            folders = list(data) or render_clips(plan, clips)
            found = ShardClips([Path(folder) for folder in folders], preset.size, preset.frames, plan.folder, untextured)
        return all(_RUN[stage](plan, found) for stage in plan.stages if stage in stages)


def _train_motion(plan: Plan, clips: int | None, data: Sequence[str], stages: Sequence[str],
                  untextured: bool) -> bool:
    if plan.weights:
        motion_run.begin(plan)  # refused before anything is rendered
        keep_log(find_model(plan.weights), plan.folder)
    with crew().main_process_first():
        found, large = motion_run.open_clips(plan, list(data) or render_clips(plan, clips), untextured)
    record = _record(plan, found)
    return all(motion_run.STAGES[stage](plan, found, large, record) for stage in plan.stages if stage in stages)


# ---- the stages ----------------------------------------------------------------------------------------------------------


def stage_vae(plan: Plan, clips: ShardClips) -> bool:
    settings = plan.settings("vae")
    final = Path(settings.output) / "final"
    if plan.weights:
        keep_log(find_model(plan.weights), plan.folder)
        return _save(_given(plan).vae, final)
    if final.is_dir():
        return True
    vae = build(plan.preset, settings.seed).vae.to(crew().device)
    return train_vae(vae, clips, settings, _record(plan, clips)) and _save(vae, final)


def stage_decoder(plan: Plan, clips: ShardClips) -> bool:
    settings = plan.settings("decoder")
    final = Path(settings.output) / "final"
    if final.is_dir() or plan.weights:
        return True
    vae, latents = _trained(plan, "vae"), _latents(plan, clips, settings)
    if latents is None:
        return False
    settings = plan.settings("decoder")
    return train_decoder(vae, clips, latents, settings, _record(plan, clips)) and _save(vae, final)


def stage_denoiser(plan: Plan, clips: ShardClips) -> bool:
    """Also saves the pipeline, finished or not: with the EMA weights and the best decoder there is."""
    settings = plan.settings("denoiser")
    if finished(settings) and (plan.folder / "pipeline").is_dir():
        return True
    record = {**_record(plan, clips), "recipe": asdict(plan.items)}
    check_same_run(Path(settings.output), {"settings": asdict(settings), **record})  # before hours of encoding
    begun = _on_latents(plan, clips, settings) if "vae" in plan.recipe else _on_features(plan, clips)
    if begun is None:
        return False
    pipeline, model, latents, embeddings = begun
    settings = plan.settings("denoiser")
    items = Items(clips, latents, embeddings, settings, plan.items, plan.preset.max_drags)
    record["latent space"] = asdict(pipeline.latent_space)
    done = train_denoiser(model, items, pipeline.latent_space, record, watching(pipeline, plan.preset))
    save_pipeline(pipeline, plan.folder)
    return done


_RUN = {"vae": stage_vae, "decoder": stage_decoder, "denoiser": stage_denoiser}


def _given(plan: Plan) -> PuppetMasterPipeline:
    """The model to begin with. Raises TrainingError where it is of another scale, ModelError where it cannot be loaded."""
    name, preset = plan.weights or plan.preset.name, plan.preset
    pipeline = PuppetMasterPipeline.from_pretrained(name)
    size, frames, drags = pipeline.config.size, pipeline.config.frames, pipeline.unet.config.max_drags
    if (size, frames, drags) != (preset.size, preset.frames, preset.max_drags):
        raise TrainingError(f"{name}: a model of {frames} frames of {size} pixels with up to {drags} drags came, the "
                            f"scale {preset.name!r} has {preset.frames} of {preset.size} with {preset.max_drags}: begin with one "
                            "of this scale")
    return pipeline.to(crew().device)


def _on_latents(plan: Plan, clips: ShardClips, settings: RunSettings):
    """The pipeline around our own VAE, with random weights or those given; the denoiser; z of a clip; no embeddings. None: out of
    time."""
    latents = _latents(plan, clips, settings)
    if latents is None:
        return None
    preset = plan.preset
    if plan.weights:
        pipeline = _given(plan)
        if not _same(pipeline.vae, _trained(plan, "vae")):
            raise TrainingError(f"{plan.folder / 'vae' / 'final'}: another VAE than that of {plan.weights} came: use another "
                                "folder")
    else:
        vae = _trained(plan, "decoder" if (plan.folder / "decoder" / "final").is_dir() else "vae")
        scale = residual_scale(latents, preset.residual)
        pipeline = build(preset, settings.seed, vae=vae, latent_scale=scale).to(crew().device)
    return pipeline, Denoiser(pipeline.unet, pipeline.image_encoder, pipeline.time_ids()), latents.__getitem__, None


def _on_features(plan: Plan, clips: ShardClips):
    """The same of a model that is downloaded whole: its VAE and image encoder stay, and what they see of every clip is cached."""
    if len(clips.stores) != 1:
        raise TrainingError(f"the scale {plan.preset.name!r} caches features beside its clips: give one folder of clips")
    pipeline, folder = _given(plan), clips.stores[0].folder
    with crew().main_process_first(), saving(folder / "features", "features cached so far are kept"):
        features = Features(folder, cache_features(folder, pipeline.vae, pipeline.image_encoder))
    model = Denoiser(pipeline.unet, None, pipeline.time_ids())
    return pipeline, model, (lambda i: features[i][0].numpy()), (lambda i: features[i][1].numpy())


def _same(one: nn.Module, other: nn.Module) -> bool:
    return all(map(torch.equal, one.parameters(), other.parameters()))


def _trained(plan: Plan, stage: str) -> AutoencoderKLTemporalDecoder:
    final = plan.folder / stage / "final"
    if not final.is_dir():
        raise TrainingError(f"no trained VAE in {final}: run the stage {stage!r} first")
    vae = AutoencoderKLTemporalDecoder.from_pretrained(final)
    for name, wanted in ({} if plan.weights else plan.preset.vae).items():
        if (came := vae.config[name]) != (list(wanted) if isinstance(wanted, tuple) else wanted):
            raise TrainingError(f"{final}: a VAE of another preset came, with {name}={came}, wanted {wanted}: use another folder")
    return vae.to(crew().device)


def _latents(plan: Plan, clips: ShardClips, settings: RunSettings) -> np.ndarray | None:
    """The clips' latents by the VAE of its own stage, encoded on first use; another VAE makes another file."""
    vae = _trained(plan, "vae")
    weights = b"".join(path.read_bytes() for path in sorted((plan.folder / "vae" / "final").glob("*.safetensors")))
    path = latents_file(plan.folder, weights, clips)
    if crew().is_main_process:
        cache_latents(vae, clips, path, settings.mixed_precision, until=plan.until)
    wait_for_main()
    return cache_latents(vae, clips, path, until=0.0)


def _record(plan: Plan, clips: ShardClips) -> dict:
    about = {"preset": asdict(plan.preset), "clips": len(clips), "data": clips.digest, "groups": clips.groups,
             "device": str(crew().device)}
    return about | ({"weights": plan.weights} if plan.weights else {})


def _save(vae: AutoencoderKLTemporalDecoder, final: Path) -> bool:
    """Save whole or not at all: that the folder is there says that the stage is done."""
    if crew().is_main_process and not final.is_dir():
        with saving(final):
            final.parent.mkdir(exist_ok=True)
            with whole_folder(final) as folder:
                vae.save_pretrained(folder, max_shard_size=SHARD_SIZE)
    wait_for_main()
    return True
