"""The stages of a motion-latent model: the painter, the parts of pictures, the denoiser. What they leave in the run folder:

    painter/, parts/   final.safetensors, their weights        motion-*   the exact motion of all clips, unpacked
    pipeline/          all, with the denoiser's EMA weights so far
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import nn

from puppetmaster_core.clips.shards import ClipStore
from puppetmaster_core.files import whole_file
from puppetmaster_core.latents.motion import MotionCodec
from puppetmaster_core.pipeline import PuppetMasterPipeline, build
from puppetmaster_core.training.crew import crew, wait_for_main
from puppetmaster_core.training.denoiser import Denoiser
from puppetmaster_core.training.motion import MotionItems, train_motion
from puppetmaster_core.training.motion_clips import MotionClips
from puppetmaster_core.training.painter import train_painter
from puppetmaster_core.training.parts import train_parts
from puppetmaster_core.training.plan import Plan
from puppetmaster_core.training.records import save_pipeline, saving
from puppetmaster_core.training.settings import TrainingError
from puppetmaster_core.training.state import finished
from puppetmaster_core.training.watch import watching

MODULES = {"painter": ("painter",), "parts": ("parts",)}  # of the codec, by the stage that trains them


def open_clips(plan: Plan, data: Sequence[str], untextured: bool = False) -> tuple[MotionClips, list[ClipStore]]:
    """The clips at the model's size, and the folders of larger ones, on which the painter trains too. Raises TrainingError."""
    preset, own, large = plan.preset, [], []
    for folder in map(Path, data):
        sizes = ClipStore(folder).column("size")
        (large if min(sizes, default=0) > preset.size else own).append(folder)
    if not own:
        raise TrainingError(f"the scale {preset.name!r} got no clips of {preset.size} pixels: render some with "
                            f"puppetmaster render --size {preset.size} --field-size {preset.size}, and name their folder")
    for store in (large := [ClipStore(folder) for folder in large]):
        if store.labels(0, ("displacement",))["displacement"].shape[1] != store.column("size")[0]:
            raise TrainingError(f"{store.folder}: larger clips need a displacement of their own size: render them with "
                                f"--field-size {store.column('size')[0]}")
    return MotionClips(own, preset.size, preset.frames, plan.folder, untextured), large


def stage_painter(plan: Plan, clips: MotionClips, large: list[ClipStore], record: dict) -> bool:
    codec, settings = _codec(plan), plan.settings("painter")
    if _is_done(plan, "painter") or plan.weights:
        return True
    _one_process("painter")
    return train_painter(codec.painter, clips, large, settings, record) and _save(plan, "painter", codec)


def stage_parts(plan: Plan, clips: MotionClips, large: list[ClipStore], record: dict) -> bool:
    codec, settings = _codec(plan), plan.settings("parts")
    if _is_done(plan, "parts"):
        return True
    return train_parts(codec.parts, clips, settings, record) and _save(plan, "parts", codec)


def stage_denoiser(plan: Plan, clips: MotionClips, large: list[ClipStore], record: dict) -> bool:
    """Also saves the pipeline, finished or not, with the EMA weights."""
    settings = plan.settings("denoiser")
    if finished(settings) and (plan.folder / "pipeline").is_dir():
        return True
    for stage in (stage for stage in MODULES if stage in plan.recipe and not plan.weights):
        if not _is_done(plan, stage):
            raise TrainingError(f"got no {_final(plan, stage)}: run the stage {stage!r} first")
    pipeline = begin(plan) if plan.weights else build(plan.preset, settings.seed)
    _load(plan, pipeline.vae)
    pipeline.to(crew().device).vae.requires_grad_(False)
    model = Denoiser(pipeline.unet, pipeline.image_encoder, pipeline.time_ids())
    items = MotionItems(clips, settings, plan.items, plan.preset.max_drags)
    sample = watching(pipeline, plan.preset)
    done = train_motion(model, pipeline.vae, items, {**record, "recipe": asdict(plan.items)}, sample)
    save_pipeline(pipeline, plan.folder)
    return done


STAGES = {"painter": stage_painter, "parts": stage_parts, "denoiser": stage_denoiser}


def begin(plan: Plan) -> PuppetMasterPipeline:
    """The model to go on from. Raises TrainingError where it is of another kind, ModelError where it cannot be loaded."""
    pipeline = PuppetMasterPipeline.from_pretrained(plan.weights)
    wanted = {name: _plain(value) for name, value in plan.preset.vae.items()}
    own = pipeline.vae.config
    if not isinstance(pipeline.vae, MotionCodec) or any(_plain(own[name]) != value for name, value in wanted.items()):
        raise TrainingError(f"{plan.weights}: got a model with other latents than the scale {plan.preset.name!r} has (motion, "
                            f"{wanted}): begin with one of this scale")
    return pipeline


def _plain(value):
    return list(value) if isinstance(value, tuple) else value


def _codec(plan: Plan) -> MotionCodec:
    codec = begin(plan).vae if plan.weights else build(plan.preset, 0).vae
    return _load(plan, codec).to(crew().device)


def _load(plan: Plan, codec: MotionCodec) -> MotionCodec:
    """With what the run's stages have made so far."""
    for stage, names in MODULES.items():
        if _is_done(plan, stage):
            weights = load_file(_final(plan, stage))
            for name in names:
                own = {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}
                codec.get_submodule(name).load_state_dict(own)
    return codec


def _final(plan: Plan, stage: str) -> Path:
    return plan.folder / stage / "final.safetensors"


def _is_done(plan: Plan, stage: str) -> bool:
    return _final(plan, stage).is_file()


def _save(plan: Plan, stage: str, codec: nn.Module) -> bool:
    if crew().is_main_process:
        weights = {f"{name}.{key}": value.detach().cpu().contiguous() for name in MODULES[stage]
                   for key, value in codec.get_submodule(name).state_dict().items()}
        with saving(_final(plan, stage)), whole_file(_final(plan, stage)) as partial:
            save_file(weights, partial)
    wait_for_main()
    return True


def _one_process(stage: str) -> None:
    if crew().num_processes > 1:
        raise TrainingError(f"the stage {stage!r} got {crew().num_processes} processes, but trains on one: run it alone with "
                            f"--stage {stage}, then the others with torchrun")
