"""What a run is made of: a scale's recipe with a run's own values, resolved and checked before anything is computed."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from puppetmaster_core.presets import Preset
from puppetmaster_core.training.denoiser import Recipe
from puppetmaster_core.training.settings import RunSettings, TrainingError, check_names, is_whole, names_of

STAGES = ("vae", "decoder", "painter", "parts", "denoiser")  # a scale has those of its latents
NEEDED = ("steps", "batch_size", "learning_rate")  # of a stage
SETTINGS = tuple(name for name in names_of(RunSettings) if name not in ("output", "max_seconds"))  # the run's own business


@dataclass(frozen=True)
class Plan:
    """A run, before it begins. Raises TrainingError for settings that are unknown, of the wrong kind or in conflict."""

    preset: Preset
    folder: Path
    recipe: dict  # the preset's, with what the run changes
    changes: dict  # of all stages' RunSettings
    until: float  # of time.monotonic, when to stop
    weights: str = ""  # a whole model to begin with

    def __post_init__(self):
        check_names(self.recipe, {"clips", "recipe", *STAGES}, "recipe")
        check_names(self.changes, names_of(RunSettings), "settings")
        check_names(self.recipe.get("recipe", {}), names_of(Recipe), "recipe of the denoiser")
        clips = self.recipe.get("clips", 1)
        if not is_whole(clips) or clips < 1:
            raise TrainingError(f"clips={clips!r} given: it must be a whole number of 1 or more")
        for stage in self.stages:
            check_names(self.recipe[stage], SETTINGS, f"stage {stage!r}")
            if missing := [name for name in NEEDED if name not in self.recipe[stage]]:
                raise TrainingError(f"stage {stage!r} came without {', '.join(missing)}, and the scale {self.preset.name!r} has "
                                    "no such stage of its own: give them, or leave the table out")
            self.settings(stage)
        self.items  # noqa: B018, a recipe that cannot be is refused here

    @property
    def stages(self) -> tuple[str, ...]:
        """Those that the recipe has: one without a VAE begins with a model's."""
        return tuple(stage for stage in STAGES if stage in self.recipe)

    @property
    def items(self) -> Recipe:
        """What the denoiser's training items are."""
        return Recipe(**self.recipe.get("recipe", {}))

    def settings(self, stage: str) -> RunSettings:
        """The stage's settings; with another number of steps the warm-up and the decay keep their shares."""
        settings = RunSettings(output=str(self.folder / stage), **self.recipe[stage])
        share = self.changes.get("steps", settings.steps) / settings.steps
        scaled = {"warmup_steps": int(share * settings.warmup_steps), "decay_steps": int(share * settings.decay_steps)}
        left = max(0.0, self.until - time.monotonic())
        whole = {} if stage == "denoiser" else {"shard": False}  # a VAE fits anywhere
        return replace(settings, **{**(scaled if share != 1 else {}), **self.changes, **whole}, max_seconds=left)


def merged(recipe: dict, config: dict) -> dict:
    """The recipe with a run's values in place of its own. Raises TrainingError where a table is wanted and none came."""
    found = dict(recipe)
    for name, value in config.items():
        if name in (*STAGES, "recipe"):
            if not isinstance(value, dict):
                raise TrainingError(f"config: {name}={value!r} given, wanted a table of settings")
            value = {**found.get(name, {}), **value}
        found[name] = value
    return found
