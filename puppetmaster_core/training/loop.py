"""The training loop: accelerate underneath, EMA, resume to the same state, everything recorded in the run folder.

One process or several (started by torchrun), each with some rows of every update; see `feed` for why a
killed run goes on exactly as if it had not been, and `state` for what is kept.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from diffusers.training_utils import EMAModel
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from puppetmaster_core.provenance import commit
from puppetmaster_core.training import state
from puppetmaster_core.training.crew import make_accelerator, wait_for_main
from puppetmaster_core.training.feed import Batch, Feed
from puppetmaster_core.training.meter import Meter, flops_of, peak_flops, rates_line
from puppetmaster_core.training.records import alone, check_same_run, versions, write_record
from puppetmaster_core.training.settings import RunSettings
from puppetmaster_core.training.sharing import fill, share_average, share_optimizer, share_out, whole

Make = Callable[[int, range], Batch]  # the rows of an update's batch, on the CPU
Loss = Callable[[nn.Module, Batch], tuple[Tensor, dict]]  # of a batch on the device: its mean, and numbers to log
Sample = Callable[[nn.Module], dict[str, Tensor]]  # pictures (3, H, W) in [0, 1] by name


def fit(model: nn.Module, make: Make, loss: Loss, settings: RunSettings, *, record: dict | None = None,
        sample: Sample | None = None) -> bool:
    """Train `model` in place and leave it with its EMA weights; True when all steps are done, False when time ran out.

    `record` is written to settings.json with the settings and the commit before the first step.
    Raises FloatingPointError at the first loss or gradient that is not finite, before it reaches the weights, with the batch
    saved, so that the last checkpoint is good; TrainingError where the folder holds a run of other settings, is in use, or
    cannot be written.
    """
    folder = Path(settings.output)
    folder.mkdir(parents=True, exist_ok=True)
    record = {"settings": asdict(settings), **(record or {}), "commit": commit(), "versions": versions()}
    accelerator = make_accelerator(folder, settings)
    with alone(folder) if accelerator.is_main_process else nullcontext():
        check_same_run(folder, record)
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            write_record(folder, {**record, "processes": accelerator.num_processes})
        return _Run(accelerator, model, make, loss, settings, sample).train()


class _Run:
    """A run at work: the model in its wrappers, and what goes with it."""

    def __init__(self, accelerator: Accelerator, model: nn.Module, make: Make, loss: Loss, settings: RunSettings,
                 sample: Sample | None):
        self.began = time.monotonic()
        self.accelerator, self.model, self.make, self.loss, self.settings = accelerator, model, make, loss, settings
        self.sample, self.folder, self.main = sample, Path(settings.output), accelerator.is_main_process
        processes = accelerator.num_processes
        share = settings.rows(0, accelerator.process_index, processes)
        self.shared = settings.shard and processes > 1
        model.to("cpu" if self.shared else accelerator.device).train()  # what is resumed, too, need not be whole on a GPU
        optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
        self.ema = EMAModel(model.parameters(), decay=settings.ema_decay)
        self.step = state.load(self.folder, model, optimizer, self.ema)
        model.to(accelerator.device)
        peak = processes * peak_flops(accelerator.device, settings.mixed_precision)
        self.meter = Meter(self._flops(share) / len(share) if self.step < settings.steps else 0.0, peak)
        if settings.activation_checkpointing:
            checkpoint_activations(model)
        if settings.compile:
            model.compile()
        self._prepare(optimizer)
        if self.main:
            accelerator.init_trackers("log")

    def _prepare(self, optimizer: torch.optim.Optimizer) -> None:
        """Put the model and what goes with it where they train: `wrapped` is called, `trained` has the parameters."""
        accelerator = self.accelerator
        if self.shared:
            self.wrapped = self.trained = share_out(self.model, accelerator.device, accelerator.num_processes)
            self.optimizer, self.ema = share_optimizer(optimizer, self.trained), share_average(self.ema, self.trained)
        else:
            self.ema.to(accelerator.device)
            self.trained = self.model
            self.wrapped, prepared = accelerator.prepare(self.model, optimizer)
            self.optimizer = prepared.optimizer

    def train(self) -> bool:
        settings, quiet = self.settings, {} if self.main else {"disable": True}
        bar = tqdm(total=settings.steps, initial=self.step, desc=self.folder.name, mininterval=5, **quiet)
        overall = None  # from the end of the first update on, which compiles and fills caches
        with Feed(self.make, self._jobs(), settings.workers) as feed:
            while self.step < settings.steps and not self._time_is_up():
                value, norm, numbers = self._update(feed)
                overall = self._count(overall, feed.waited)
                self.step += 1
                bar.update()
                if self.step % settings.log_every == 0:
                    self._log(value, norm, numbers, feed.waited)
                if self.sample and (self.step % settings.sample_every == 0 or self.step == settings.steps):
                    self._log_samples()
                if self.step % settings.checkpoint_every == 0:
                    self._checkpoint()
        if self.step % settings.checkpoint_every:
            self._checkpoint()
        bar.close()
        if self.main and overall:
            tqdm.write(f"{self.folder.name}: {rates_line(overall.read(feed.waited))}", file=sys.stderr)
        for tracker in self.accelerator.trackers if self.main else ():
            tracker.finish()  # end_training would also part the processes, and there may be stages to come
        wait_for_main()
        if self.shared:
            fill(self.model, self.ema.shadow_params)
            self.model.to(self.accelerator.device)
        else:
            self.ema.copy_to(self.model.parameters())
        self.model.eval()
        return self.step >= settings.steps

    def _count(self, overall: Meter | None, waited: float) -> Meter:
        """One more update, in the rates since the last log and in those of the whole run."""
        self.meter.count(self.settings.batch_size)
        if overall is None:
            return Meter(self.meter.flops_a_clip, self.meter.peak, waited)
        overall.count(self.settings.batch_size)
        return overall

    def _jobs(self) -> Iterator[tuple[int, range]]:
        """What this process computes, in order: its rows of every round of every update."""
        index, processes = self.accelerator.process_index, self.accelerator.num_processes
        for step in range(self.step, self.settings.steps):
            for round_ in range(self.settings.accumulate):
                yield step, self.settings.rows(round_, index, processes)

    def _update(self, feed: Feed) -> tuple[Tensor, Tensor, dict]:
        """One step of the optimiser: this process's mean loss, the gradient's norm, and the last round's numbers."""
        rounds, total, batches = self.settings.accumulate, 0.0, []
        for round_ in range(rounds):
            batches.append(next(feed))
            last = round_ == rounds - 1 or self.shared  # whole gradients are what sharing spares
            wait = nullcontext() if last else self.accelerator.no_sync(self.wrapped)
            with wait:
                value, numbers = self._loss(self.wrapped, batches[-1])
                self._check_finite("loss", value, batches)
                self.accelerator.backward(value / rounds)
            total = total + value.detach() / rounds
        norm = whole(self.accelerator.clip_grad_norm_(self.trained.parameters(), self.settings.clip_norm))
        self._check_finite("gradient's norm", norm, batches)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * self.settings.rate(self.step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.ema.step(self.trained.parameters())
        return total, norm, numbers

    def _loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict]:
        device = self.accelerator.device
        # The fused attention's backward pass in bf16 is slow on CPUs: a third of a whole step, where plain products are not.
        slow = device.type == "cpu" and self.settings.mixed_precision == "bf16"
        attention = partial(sdpa_kernel, SDPBackend.MATH) if slow else nullcontext
        with self.accelerator.autocast(), attention():
            return self.loss(model, {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()})

    def _flops(self, rows: range) -> float:
        """Of a round of this process; not a number where there is no memory to count them."""
        batch = self.make(self.step, rows)
        try:
            return flops_of(self.model, lambda: self._loss(self.model, batch)[0], self.accelerator.device)
        except torch.OutOfMemoryError:
            self.model.zero_grad(set_to_none=True)
            return float("nan")

    def _check_finite(self, what: str, value: Tensor, batches: list[Batch]) -> None:
        finite = torch.isfinite(value.detach()).float().to(self.accelerator.device)
        if self.accelerator.num_processes > 1:
            finite = self.accelerator.reduce(finite, "mean")
        if finite == 1:
            return
        name = self.folder / f"bad-step-{self.step:08d}-{self.accelerator.process_index}.safetensors"
        joined = {key: torch.cat([batch[key] for batch in batches]).contiguous() for key in batches[0]}
        save_file(joined, name, {"what": what, "step": str(self.step), "seed": str(self.settings.seed)})
        raise FloatingPointError(f"the {what} is {value.item()} at step {self.step}, its batch is in {name}: lower the learning "
                                 f"rate and start from the last checkpoint in {self.folder / 'checkpoints'}")

    def _time_is_up(self) -> bool:
        """Whether to stop; in all processes or in none."""
        over = time.monotonic() - self.began >= self.settings.max_seconds
        if self.accelerator.num_processes == 1:
            return over
        return bool(broadcast(torch.tensor([over], device=self.accelerator.device, dtype=torch.float32))[0])

    def _log(self, value: Tensor, norm: Tensor, numbers: dict, waited: float) -> None:
        rates = self.meter.read(waited)
        value = self.accelerator.reduce(value, "mean") if self.accelerator.num_processes > 1 else value
        if self.main:
            rates = {name: rate for name, rate in rates.items() if rate == rate}
            rate = self.settings.learning_rate * self.settings.rate(self.step - 1)
            self.accelerator.log({"loss": value.item(), "gradient norm": float(norm), "learning rate": rate, **rates,
                                  **{name: float(number) for name, number in numbers.items()}}, self.step)

    def _log_samples(self) -> None:
        if self.shared:
            fill(self.model, self.ema.shadow_params)
        elif self.main:
            self.ema.store(self.model.parameters())
            self.ema.copy_to(self.model.parameters())
        if self.main:
            self.model.to(self.accelerator.device).eval()
            with torch.no_grad(), torch.compiler.set_stance("force_eager"):  # other shapes: not worth compiling for
                pictures = self.sample(self.model)
            for name, picture in pictures.items():
                self._tensorboard().add_image(name, picture, self.step)
            self.model.train()
        if self.shared:
            self.model.to("cpu")
        elif self.main:
            self.ema.restore(self.model.parameters())
        wait_for_main()

    def _checkpoint(self) -> None:
        optimizer, average = self.optimizer.state_dict(), self.ema.state_dict()
        if self.shared:
            fill(self.model, list(self.trained.parameters()))
            optimizer, average = whole(optimizer), whole(average)
        if self.main:
            self._tensorboard().flush()  # what was logged up to here is not logged again after a kill
            state.save(self.folder, self.step, self.model, optimizer, average)
        wait_for_main()

    def _tensorboard(self):
        return self.accelerator.get_tracker("tensorboard", unwrap=True)


def checkpoint_activations(model: nn.Module) -> None:
    """Let every network of diffusers' in `model` compute its activations again in the backward pass."""
    for module in model.modules():
        if getattr(module, "_supports_gradient_checkpointing", False):
            module.enable_gradient_checkpointing()
