"""Stages "painter" and "parts" of a motion-latent model; each leaves its weights in final.safetensors of its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import load_file, save_file

from puppetmaster_core.clips.shards import ClipStore
from puppetmaster_core.files import whole_file
from puppetmaster_core.latents.motion import MotionCodec
from puppetmaster_core.pipeline import build
from puppetmaster_core.training.beginning import first_model, record_of
from puppetmaster_core.training.checkpoint import save_pipeline, saving
from puppetmaster_core.training.config import Plan, TrainingError
from puppetmaster_core.training.distributed import this_process, wait_for_main
from puppetmaster_core.training.motion_clips import MotionClips
from puppetmaster_core.training.painter import train_painter
from puppetmaster_core.training.parts import train_parts

STAGES = ("painter", "parts")  # named as the codec's modules that they train


def open_motion(plan: Plan, folders: Sequence[Path], untextured: bool = False) -> tuple[MotionClips, list[ClipStore]]:
    """The clips at the model's size, and the folders of larger ones, on which the painter trains too. Raises TrainingError."""
    preset, own, large = plan.preset, [], []
    for folder in folders:
        store = ClipStore(folder)
        (large if min(store.column("size"), default=0) > preset.size else own).append(store)
    if not own:
        raise TrainingError(f"the scale {preset.name!r} got no clips of {preset.size} pixels: render some with "
                            f"puppetmaster render --size {preset.size} --field-size {preset.size}, and name their folder")
    for store in large:
        if store.labels(0, ("displacement",))["displacement"].shape[1] != store.column("size")[0]:
            raise TrainingError(f"{store.folder}: got larger clips without a displacement of their own size: render them with "
                                f"--field-size {store.column('size')[0]}")
    return MotionClips([store.folder for store in own], preset.size, preset.frames, plan.folder, untextured), large


def stage_painter(plan: Plan, clips: MotionClips, large: Sequence[ClipStore]) -> bool:
    if _final(plan, "painter").is_file():
        return True
    if this_process().num_processes > 1:
        raise TrainingError(f"the stage 'painter' got {this_process().num_processes} processes, expected one: run it alone with "
                            "--stage painter, then the others with torchrun")
    codec, settings = _codec(plan), plan.settings("painter")
    return (train_painter(codec, clips, large, settings, record_of(plan, clips), exactly=not plan.weights)
            and _save(plan, "painter", codec))


def stage_parts(plan: Plan, clips: MotionClips, large: Sequence[ClipStore]) -> bool:
    if _final(plan, "parts").is_file():
        return True
    codec, settings = _codec(plan), plan.settings("parts")
    return train_parts(codec.parts, clips, settings, record_of(plan, clips)) and _save(plan, "parts", codec)


def _codec(plan: Plan) -> MotionCodec:
    codec = first_model(plan).vae if plan.weights else build(plan.preset, 0).vae
    return load_modules(plan, codec).to(this_process().device)


def load_modules(plan: Plan, codec: MotionCodec, needed: bool = False) -> MotionCodec:
    """The codec with what the run's stages have made so far. Raises TrainingError where all are needed and one is not there."""
    for stage in STAGES:
        if _final(plan, stage).is_file():
            codec.load_state_dict(load_file(_final(plan, stage)), strict=False)
        elif needed and stage in plan.recipe:
            raise TrainingError(f"got no {_final(plan, stage)}: run the stage {stage!r} first")
    return codec


def _final(plan: Plan, stage: str) -> Path:
    return plan.folder / stage / "final.safetensors"


def _save(plan: Plan, stage: str, codec: MotionCodec) -> bool:
    if this_process().is_main_process:
        weights = {name: value.cpu().contiguous() for name, value in codec.state_dict().items() if name.startswith(f"{stage}.")}
        with saving(_final(plan, stage)), whole_file(_final(plan, stage)) as partial:
            save_file(weights, partial)
    wait_for_main()
    if plan.weights:  # a whole model already
        pipeline = first_model(plan)
        load_modules(plan, pipeline.vae)
        save_pipeline(pipeline, plan.folder)
    return True
