"""The training loop: accelerate underneath, EMA, resume to the same state, everything recorded in the run folder.

All randomness of step i comes from (seed, i), so a run that was killed goes on exactly as if it had not been.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import ProjectConfiguration
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm


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
        if self.steps < 1 or self.batch_size < 1:
            raise ValueError(f"steps={self.steps}, batch_size={self.batch_size} given: both must be 1 or more")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay={self.ema_decay} given: it lies in [0, 1)")

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
    Raises FloatingPointError at the first loss that is not finite; the last checkpoint stays.
    """
    folder = Path(settings.output)
    folder.mkdir(parents=True, exist_ok=True)
    write_record(folder, settings, record or {})
    accelerator = Accelerator(mixed_precision=settings.mixed_precision, log_with="tensorboard",
                              project_config=ProjectConfiguration(project_dir=str(folder), logging_dir=str(folder)))
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
    # The fused attention's backward pass in bf16 is slow on CPUs: a third of a whole step, where plain products are not.
    slow = accelerator.device.type == "cpu" and settings.mixed_precision == "bf16"
    attention = partial(sdpa_kernel, SDPBackend.MATH) if slow else nullcontext
    began, bar = time.monotonic(), tqdm(total=settings.steps, initial=step, desc=folder.name, mininterval=5)
    while step < settings.steps and time.monotonic() - began < settings.max_seconds:
        with accelerator.autocast(), attention():
            value, numbers = loss(wrapped, step, step_generator(settings.seed, step))
        if not torch.isfinite(value):
            raise FloatingPointError(f"the loss is {value.item()} at step {step}: lower the learning rate, or resume from "
                                     f"the last checkpoint in {folder / 'checkpoints'} with another seed")
        accelerator.backward(value)
        norm = accelerator.clip_grad_norm_(model.parameters(), settings.clip_norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        ema.step(model.parameters())
        step += 1
        bar.update()
        if step % settings.log_every == 0:
            rate = bar.format_dict["rate"] or 0.0
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


def _log_samples(accelerator, model, ema, sample, step) -> None:
    ema.store(model.parameters())
    ema.copy_to(model.parameters())
    model.eval()
    with torch.no_grad():
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


def write_record(folder: Path, settings: RunSettings, record: dict) -> None:
    """settings.json: the resolved settings, the commit and the versions that made the run."""
    import accelerate
    import diffusers

    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "accelerate": accelerate.__version__}
    text = json.dumps({"settings": asdict(settings), **record, "commit": commit(), "versions": versions}, indent=1, default=str)
    partial = folder / "settings.json.partial"
    partial.write_text(text + "\n")
    os.replace(partial, folder / "settings.json")


def commit() -> str | None:
    """The checkout's commit, "+" when it has changes on top, None outside a checkout."""
    here = Path(__file__).parent
    run = lambda *words: subprocess.run(["git", "-C", str(here), *words], capture_output=True, text=True)  # noqa: E731
    head = run("rev-parse", "HEAD")
    if head.returncode:
        return None
    return head.stdout.strip() + ("+" if run("status", "--porcelain").stdout.strip() else "")
