"""What a run begins with: a whole model's weights, and its record."""

from __future__ import annotations

from dataclasses import asdict

from puppetmaster_core.latents.motion import MotionCodec
from puppetmaster_core.pipeline import PuppetMasterPipeline
from puppetmaster_core.training.config import Plan, TrainingError
from puppetmaster_core.training.distributed import this_process
from puppetmaster_core.training.shard_clips import ShardClips


def first_model(plan: Plan) -> PuppetMasterPipeline:
    """The model to begin with. Raises TrainingError where it is of another scale, ModelError where it cannot be loaded."""
    name, preset = plan.weights or plan.preset.name, plan.preset
    pipeline = PuppetMasterPipeline.from_pretrained(name)
    motion = isinstance(pipeline.vae, MotionCodec)
    got = {"latents": "motion" if motion else "pictures", "size": pipeline.config.size, "frames": pipeline.config.frames,
           "max_drags": pipeline.unet.config.max_drags}
    expected = {key: getattr(preset, key) for key in got}
    if motion and preset.latents == "motion":
        got |= {key: pipeline.vae.config[key] for key in preset.vae}
        expected |= {key: list(value) if isinstance(value, tuple) else value for key, value in preset.vae.items()}
    for key in (key for key in got if got[key] != expected[key]):
        raise TrainingError(f"{name}: got a model with {key}={got[key]}, the scale {preset.name!r} has {expected[key]}: begin "
                            "with one of this scale")
    return pipeline.to(this_process().device)


def record_of(plan: Plan, clips: ShardClips) -> dict:
    """What a stage writes into its settings.json beside its settings."""
    about = {"preset": asdict(plan.preset), "clips": len(clips), "data": clips.digest, "groups": clips.groups,
             "device": str(this_process().device)}
    return about | ({"weights": plan.weights} if plan.weights else {})
