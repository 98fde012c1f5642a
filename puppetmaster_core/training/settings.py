"""What a training run is told: the settings of a stage, checked against each other before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches


class TrainingError(ValueError):
    """A run that cannot be started, or go on, as asked. The message is one line: what came, what was wanted, what to do."""


@dataclass(frozen=True)
class RunSettings:
    """What a run needs beside its model and data."""

    output: str  # run folder
    steps: int
    batch_size: int  # clips of one update, over all processes and rounds
    learning_rate: float
    warmup_steps: int = 100
    decay_steps: int = 0  # the learning rate falls linearly to 0 over the last ones
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    ema_decay: float = 0.9999
    mixed_precision: str = "no"  # "bf16" pays on GPUs, and on CPUs that multiply bf16 in hardware
    compile: bool = False  # torch.compile the model: minutes of waiting first, then up to twice the speed
    accumulate: int = 1  # rounds an update: each holds batch_size / (processes · accumulate) clips in memory
    activation_checkpointing: bool = False  # compute activations again in the backward pass: a third more work, far less memory
    shard: bool = False  # several processes: each holds its part of weights, gradients, optimiser and EMA (FSDP), not the whole
    workers: int = 2  # threads that make batches ahead
    checkpoint_every: int = 500
    sample_every: int = 500
    log_every: int = 20
    max_seconds: float = float("inf")  # stop cleanly after this long, with a checkpoint
    wandb: str = ""  # also log to this project of Weights & Biases
    seed: int = 0

    def __post_init__(self):
        check_kinds(self)
        for name in ("steps", "batch_size", "accumulate", "workers", "checkpoint_every", "sample_every", "log_every"):
            if getattr(self, name) < 1:
                raise TrainingError(f"{name}={getattr(self, name)!r} given: it must be a whole number of 1 or more")
        for name in ("warmup_steps", "decay_steps", "weight_decay"):
            if getattr(self, name) < 0:
                raise TrainingError(f"{name}={getattr(self, name)!r} given: it must be 0 or more")
        for name in ("learning_rate", "clip_norm"):
            if not 0 < getattr(self, name) < float("inf"):
                raise TrainingError(f"{name}={getattr(self, name)!r} given: it must be above 0")
        if self.warmup_steps + self.decay_steps > self.steps:
            raise TrainingError(f"warmup_steps={self.warmup_steps} and decay_steps={self.decay_steps} given for "
                                f"{self.steps} steps: together they must not be more")
        if not 0 <= self.ema_decay < 1:
            raise TrainingError(f"ema_decay={self.ema_decay} given: it lies in [0, 1)")
        if self.mixed_precision not in ("no", "bf16"):
            raise TrainingError(f"mixed_precision={self.mixed_precision!r} given: it is 'no' or 'bf16'")
        if self.shard and self.compile:
            raise TrainingError("compile and shard given: layers are compiled whole, leave one of them out")
        if self.batch_size % self.accumulate:
            raise TrainingError(f"batch_size={self.batch_size} and accumulate={self.accumulate} given: the rounds must hold "
                                "equally many clips, so give a divisor")

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
            raise TrainingError(f"batch_size={self.batch_size} given for {processes} processes with {self.accumulate} rounds "
                                f"each: take a multiple of {shares}")
        size = self.batch_size // shares
        first = (round_ * processes + process) * size
        return range(first, first + size)


# What may differ between two starts of one run: how long it goes on and how it is watched, not what it computes.
FREE = ("output", "steps", "decay_steps", "max_seconds", "compile", "accumulate", "activation_checkpointing", "shard", "workers",
        "checkpoint_every", "sample_every", "log_every", "wandb")


def check_names(given: Mapping, known, what: str) -> None:
    """Raise TrainingError for a name among `given` that is not `known`, with the nearest one that is."""
    for name in given:
        if name not in known:
            near = get_close_matches(str(name), known, 1, 0.5)
            hint = f", did you mean {near[0]!r}?" if near else ": wanted some of " + ", ".join(sorted(known))
            raise TrainingError(f"{what}: unknown setting {name!r}{hint}")


# The kinds of values by the annotation of a field: what is one, and how it is called in an error.
KINDS = {
    "int": (lambda value: is_whole(value), "a whole number"),
    "float": (lambda value: is_whole(value) or (isinstance(value, float) and value == value), "a number"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "str": (lambda value: isinstance(value, str), "a text"),
}


def is_whole(value) -> bool:
    """Whether it is an integer; True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_kinds(settings) -> None:
    """Raise TrainingError for a field of a dataclass whose value is of another kind than its annotation says."""
    for field in fields(settings):
        value = getattr(settings, field.name)
        fits, called = KINDS[field.type]
        if not fits(value):
            raise TrainingError(f"{field.name}={value!r} given: it must be {called}")


def names_of(cls: type) -> tuple[str, ...]:
    """The fields of a dataclass."""
    return tuple(field.name for field in fields(cls))
