"""What a training run is told, checked before anything is computed: a stage's settings, the items, and the plan of all stages."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Real
from pathlib import Path

from puppetmaster_core.diffusion import P_MEAN, SIGMA_MIN
from puppetmaster_core.presets import STAGES, Preset

KINDS = {"int": (int, "a whole number"), "float": (Real, "a number"), "bool": (bool, "true or false"), "str": (str, "a text")}
LEAST = 1e-12  # above 0


class TrainingError(ValueError):
    """A run that cannot be started, or go on, as asked. The message is one line: what it got, what it expected, what to do."""


def ranged(low: float, high: float = math.inf, **default):
    """A field of a dataclass whose value lies in [low, high]."""
    return field(metadata={"range": (low, high)}, **default)


@dataclass(frozen=True)
class RunSettings:
    """What a stage needs beside its model and data."""

    output: str  # run folder
    steps: int = ranged(1)
    batch_size: int = ranged(1)  # clips of one update, over all processes and rounds
    learning_rate: float = ranged(LEAST, 1e6)
    optimizer: str = "adamw"  # "muon": matrices of weights move by orthogonal steps
    warmup_steps: int = ranged(0, default=100)
    decay_steps: int = ranged(0, default=0)  # the learning rate falls linearly to 0 over the last ones
    weight_decay: float = ranged(0, default=0.0)
    clip_norm: float = ranged(LEAST, 1e12, default=1.0)
    ema_decay: float = ranged(0, 1 - LEAST, default=0.9999)
    mixed_precision: str = "no"  # "bf16" pays on GPUs, and on CPUs that multiply bf16 in hardware
    compile: bool = False  # torch.compile the model: minutes of waiting first, then up to twice the speed
    accumulate: int = ranged(1, default=1)  # rounds an update: each holds batch_size / (processes · accumulate) clips in memory
    activation_checkpointing: bool = False  # compute activations again in the backward pass: a third more work, far less memory
    shard: bool = False  # several processes: each holds its part of weights, gradients, optimiser and EMA (FSDP), not the whole
    workers: int = ranged(1, default=2)  # threads that make batches ahead
    checkpoint_every: int = ranged(1, default=500)
    sample_every: int = ranged(1, default=500)
    log_every: int = ranged(1, default=20)
    max_seconds: float = math.inf  # stop cleanly after this long, with a checkpoint
    wandb: str = ""  # also log to this project of Weights & Biases
    seed: int = 0

    def __post_init__(self):
        check_fields(self)
        if self.warmup_steps + self.decay_steps > self.steps:
            raise TrainingError(f"got warmup_steps={self.warmup_steps} and decay_steps={self.decay_steps} for {self.steps} "
                                "steps, expected at most as many together: give fewer")
        if self.mixed_precision not in ("no", "bf16"):
            raise TrainingError(f"got mixed_precision={self.mixed_precision!r}, expected 'no' or 'bf16': choose one")
        if self.optimizer not in ("adamw", "muon"):
            raise TrainingError(f"got optimizer={self.optimizer!r}, expected 'adamw' or 'muon': choose one")
        if self.shard and self.optimizer == "muon":
            raise TrainingError("got shard and muon, which wants whole matrices: leave shard out, or set optimizer to adamw")
        if self.shard and self.compile:
            raise TrainingError("got compile and shard, but layers are compiled whole: leave one of them out")
        if self.batch_size % self.accumulate:
            raise TrainingError(f"got batch_size={self.batch_size} and accumulate={self.accumulate}, expected rounds of equally "
                                "many clips: give a divisor")

    def rate(self, step: int) -> float:
        """The learning rate's factor at a step: linear up, flat, linear down."""
        up = min(1.0, (step + 1) / max(1, self.warmup_steps))
        down = min(1.0, (self.steps - step) / self.decay_steps) if self.decay_steps else 1.0
        return up * down

    def rows(self, round_: int, process: int, processes: int) -> range:
        """Which clips of an update a process takes in one of its rounds: every split makes the same update.

        Raises TrainingError where the batch cannot be split evenly.
        """
        shares = self.accumulate * processes
        if self.batch_size % shares:
            raise TrainingError(f"got batch_size={self.batch_size} for {processes} processes with {self.accumulate} rounds each, "
                                f"expected a multiple of {shares}: give one")
        size = self.batch_size // shares
        first = (round_ * processes + process) * size
        return range(first, first + size)


# What may differ between two starts of one run: how long it goes on and how it is watched, not what it computes.
FREE = ("output", "steps", "decay_steps", "max_seconds", "compile", "accumulate", "activation_checkpointing", "shard", "workers",
        "checkpoint_every", "sample_every", "log_every", "wandb")


@dataclass(frozen=True)
class Recipe:
    """What a training item of the denoiser is, App. C.1."""

    sigma_mean: float = ranged(-20, 20, default=P_MEAN)  # of log σ; a small grid wants more noise, or motion is never in doubt
    sigma_min: float = ranged(0, 1e3, default=SIGMA_MIN)  # less noise than sampling ever meets teaches rounding only
    drag_dropout: float = ranged(0, 1, default=0.1)  # App. C.1
    straight: float = ranged(0, 1, default=0.5)  # share of items whose drags are straight lines, as Drag-a-Move's
    short_steps: int = ranged(0, default=0)  # in the first ones items have fewer frames: a third of the work
    short_frames: int = ranged(2, default=5)

    def __post_init__(self):
        check_fields(self)


@dataclass(frozen=True)
class Plan:
    """A run of a scale's stages: its recipe with the run's own values. Raises TrainingError before anything is computed."""

    preset: Preset
    folder: Path
    config: Mapping = field(default_factory=dict)  # values in place of the preset's `training`, table by table
    changes: Mapping = field(default_factory=dict)  # values in place of those of every stage
    until: float = math.inf  # of time.monotonic, when to stop
    weights: str = ""  # a whole model to begin with
    recipe: Mapping = field(init=False)  # the preset's `training` with `config`

    def __post_init__(self):
        tables = ("recipe", *STAGES)
        for name, value in self.config.items():
            if name not in ("clips", *tables):
                raise TrainingError(f"config: got {name!r}, expected clips, or a table named {', '.join(tables)}: correct it")
            if name in tables and not isinstance(value, Mapping):
                raise TrainingError(f"config: got {name}={value!r}, expected a table of settings: write [{name}]")
        merged = {name: {**value, **self.config.get(name, {})} if isinstance(value, Mapping) else self.config.get(name, value)
                  for name, value in {**self.config, **self.preset.training}.items()}
        object.__setattr__(self, "recipe", merged)
        clips = merged.get("clips", 1)
        if not isinstance(clips, int) or isinstance(clips, bool) or clips < 1:
            raise TrainingError(f"got clips={clips!r}, expected a whole number from 1: correct it")
        for stage in self.stages:
            self.settings(stage)
        self.items  # noqa: B018, a recipe that cannot be is refused here

    @property
    def stages(self) -> tuple[str, ...]:
        """Those that the recipe has: one without a VAE begins with a model's."""
        return tuple(stage for stage in STAGES if stage in self.recipe)

    @property
    def items(self) -> Recipe:
        """What the denoiser's training items are."""
        return _made(Recipe, "recipe", self.recipe.get("recipe", {}))

    def settings(self, stage: str) -> RunSettings:
        """The stage's settings; with another number of steps the warm-up and the decay keep their shares."""
        settings = _made(RunSettings, f"stage {stage!r}", self.recipe[stage], output=str(self.folder / stage))
        share = self.changes.get("steps", settings.steps) / settings.steps
        scaled = {"warmup_steps": int(share * settings.warmup_steps), "decay_steps": int(share * settings.decay_steps)}
        left = max(0.0, self.until - time.monotonic())
        whole = {} if stage == "denoiser" else {"shard": False}  # a VAE fits anywhere
        changes = {**(scaled if share != 1 else {}), **self.changes, **whole, "max_seconds": left}
        return _made(RunSettings, f"stage {stage!r}", {**vars(settings), **changes})


def _made(cls: type, what: str, given: Mapping, **own):
    """A dataclass of some values; TrainingError for names that it does not have, or has not been given."""
    try:
        return cls(**own, **given)
    except TypeError as error:
        raise TrainingError(f"{what}: {str(error).partition('() ')[2]}, expected {', '.join(one.name for one in fields(cls))}: "
                            "correct it") from None


def check_fields(config) -> None:
    """Raise TrainingError for a field of a dataclass whose value is of another kind than annotated, or out of its range."""
    for one in fields(config):
        value, (kind, called) = getattr(config, one.name), KINDS[one.type]
        low, high = one.metadata.get("range", (-math.inf, math.inf))
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool) or (
                kind in (int, Real) and not low <= value <= high):
            expected = called + (f" from {low:g}" if low > -math.inf else "") + (f" to {high:g}" if high < math.inf else "")
            raise TrainingError(f"got {one.name}={value!r}, expected {expected}: correct it")
