"""The training loop: accelerate underneath, EMA, resume to the same state, everything recorded in the run folder.

All randomness of step i comes from (seed, i), so a run that was killed goes on exactly as if it had not been.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import ProjectConfiguration
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from puppetmaster_core.files import whole_file
from puppetmaster_core.provenance import commit


class TrainingError(ValueError):
    """A run that cannot be started as asked. The message is one line: what came, what was wanted, what to do."""


@dataclass(frozen=True)
class RunSettings:
    """What a run needs beside its model and data."""

    output: str  # run folder
    steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int = 100
    decay_steps: int = 0  # the learning rate falls linearly to 0 over the last ones
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    ema_decay: float = 0.9999
    mixed_precision: str = "no"  # "bf16" pays on GPUs, and on CPUs that multiply bf16 matrices in hardware (AMX)
    compile: bool = False  # torch.compile the model: minutes of waiting first, then up to twice the speed
    checkpoint_every: int = 500
    sample_every: int = 500
    log_every: int = 20
    max_seconds: float = float("inf")  # stop cleanly after this long, with a checkpoint
    seed: int = 0

    def __post_init__(self):
        for name in ("steps", "batch_size", "checkpoint_every", "sample_every", "log_every"):
            if getattr(self, name) < 1:
                raise TrainingError(f"{name}={getattr(self, name)} given: it must be 1 or more")
        if self.warmup_steps + self.decay_steps > self.steps:
            raise TrainingError(f"warmup_steps={self.warmup_steps} and decay_steps={self.decay_steps} given for "
                                f"{self.steps} steps: together they must not be more")
        if not 0 <= self.ema_decay < 1:
            raise TrainingError(f"ema_decay={self.ema_decay} given: it lies in [0, 1)")

    def rate(self, step: int) -> float:
        """The learning rate's factor at a step: linear up, flat, linear down."""
        up = min(1.0, (step + 1) / max(1, self.warmup_steps))
        down = min(1.0, (self.steps - step) / self.decay_steps) if self.decay_steps else 1.0
        return up * down


def step_generator(seed: int, step: int) -> torch.Generator:
    """The generator that all randomness of one step comes from."""
    mixed = np.random.SeedSequence([seed, step]).generate_state(1)[0]  # PyTorch's generator takes 32 bits of a seed
    return torch.Generator().manual_seed(int(mixed))


def fit(model: nn.Module, loss: Callable[[nn.Module, int, torch.Generator], tuple[Tensor, dict]], settings: RunSettings,
        *, record: dict | None = None, sample: Callable[[nn.Module], dict[str, Tensor]] | None = None) -> bool:
    """Train `model` in place and leave it with its EMA weights; True when all steps are done, False when time ran out.

    loss(model, step, generator) gives the loss and numbers to log; sample(model) gives pictures (3, H, W) in [0, 1] to
    log. `record` is written to settings.json with the settings and the commit before the first step.
    Raises FloatingPointError at the first loss or gradient that is not finite, before it reaches the weights, so that the
    last checkpoint is good; TrainingError where the folder holds a run of other settings, or several processes are started.
    """
    folder = Path(settings.output)
    folder.mkdir(parents=True, exist_ok=True)
    record = {"settings": asdict(settings), **(record or {}), "commit": commit(), "versions": versions()}
    check_same_run(folder, record)
    accelerator = Accelerator(mixed_precision=settings.mixed_precision, log_with="tensorboard",
                              project_config=ProjectConfiguration(project_dir=str(folder), logging_dir=str(folder)))
    if accelerator.num_processes > 1:
        raise TrainingError(f"{accelerator.num_processes} processes started, but one process trains a model for now: start one")
    write_record(folder, record)
    accelerator.init_trackers("log")
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, settings.rate)
    ema = EMAModel(model.parameters(), decay=settings.ema_decay)
    if settings.compile:
        model.compile()
    wrapped, optimizer = accelerator.prepare(model, optimizer)
    accelerator.register_for_checkpointing(schedule, ema)
    step = _resume(accelerator, folder)
    ema.to(accelerator.device)
    wrapped.train()
    # The fused attention's backward pass in bf16 is slow on CPUs: a third of a whole step, where plain products are not.
    slow = accelerator.device.type == "cpu" and settings.mixed_precision == "bf16"
    attention = partial(sdpa_kernel, SDPBackend.MATH) if slow else nullcontext
    began, bar = time.monotonic(), tqdm(total=settings.steps, initial=step, desc=folder.name, mininterval=5)
    while step < settings.steps and time.monotonic() - began < settings.max_seconds:
        with accelerator.autocast(), attention():
            value, numbers = loss(wrapped, step, step_generator(settings.seed, step))
        _check_finite("loss", value, step, folder)
        accelerator.backward(value)
        norm = accelerator.clip_grad_norm_(model.parameters(), settings.clip_norm)
        _check_finite("gradient's norm", norm, step, folder)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        ema.step(model.parameters())
        step += 1
        bar.update()
        if step % settings.log_every == 0:
            rate = bar.format_dict["rate"] or 0.0
            numbers = {name: float(number) for name, number in numbers.items()}
            accelerator.log({"loss": value.item(), "gradient norm": float(norm), "steps per second": rate, **numbers}, step)
        if sample and (step % settings.sample_every == 0 or step == settings.steps):
            _log_samples(accelerator, model, ema, sample, step)
        if step % settings.checkpoint_every == 0:
            _checkpoint(accelerator, folder, step)
    if step % settings.checkpoint_every:
        _checkpoint(accelerator, folder, step)
    bar.close()
    accelerator.end_training()
    ema.copy_to(model.parameters())
    model.eval()
    return step >= settings.steps


def _check_finite(what: str, value: Tensor, step: int, folder: Path) -> None:
    if not torch.isfinite(value):
        raise FloatingPointError(f"the {what} is {value.item()} at step {step}: lower the learning rate and start from the last "
                                 f"checkpoint in {folder / 'checkpoints'}")


def _log_samples(accelerator, model, ema, sample, step) -> None:
    ema.store(model.parameters())
    ema.copy_to(model.parameters())
    model.eval()
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):  # other shapes: not worth compiling for
        pictures = sample(model)
    model.train()
    ema.restore(model.parameters())
    writer = accelerator.get_tracker("tensorboard").writer
    for name, picture in pictures.items():
        writer.add_image(name, picture, step)


def _checkpoint(accelerator: Accelerator, folder: Path, step: int) -> None:
    """Save the whole state; it appears whole or not at all, and the one before is kept."""
    final = folder / "checkpoints" / f"step-{step:08d}"
    if not accelerator.is_main_process or final.exists():
        return
    partial = final.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    accelerator.save_state(str(partial))
    os.replace(partial, final)
    for old in sorted(final.parent.glob("step-????????"))[:-2]:
        shutil.rmtree(old)


def _resume(accelerator: Accelerator, folder: Path) -> int:
    """Load the newest checkpoint, if any; the step it was made at."""
    found = sorted((folder / "checkpoints").glob("step-????????"))
    if not found:
        return 0
    accelerator.load_state(str(found[-1]))
    return int(found[-1].name.removeprefix("step-"))


# What may differ between two starts of one run: how long it goes on and how it is watched, not what it computes.
FREE = ("output", "steps", "decay_steps", "max_seconds", "compile", "checkpoint_every", "sample_every", "log_every")


def check_same_run(folder: Path, record: dict) -> None:
    """TrainingError where `folder` holds checkpoints of a run with other settings."""
    path = folder / "settings.json"
    if not path.is_file() or not any((folder / "checkpoints").glob("step-????????")):
        return
    old, new = json.loads(path.read_text())["settings"], record["settings"]
    for name in new.keys() - set(FREE):
        if old.get(name) != new[name]:
            raise TrainingError(f"{folder} holds a run with {name}={old.get(name)}, this one has {name}={new[name]}: use another "
                             "folder, or the same settings")


def write_record(folder: Path, record: dict) -> None:
    """settings.json: the resolved settings, the commit and the versions of this start; under "starts", those before it."""
    path = folder / "settings.json"
    earlier = json.loads(path.read_text()) if path.is_file() else {}
    starts = earlier.pop("starts", []) + ([earlier] if earlier else [])
    with whole_file(path) as partial:
        partial.write_text(json.dumps({**record, "starts": starts}, indent=1) + "\n")


def finished(settings: RunSettings) -> bool:
    """Whether a checkpoint of the last step is there."""
    return (Path(settings.output) / "checkpoints" / f"step-{settings.steps:08d}").is_dir()


def versions() -> dict[str, str]:
    """Of the libraries that decide what a run computes."""
    return {name: metadata.version(name) for name in ("torch", "diffusers", "transformers", "accelerate", "numpy")}
