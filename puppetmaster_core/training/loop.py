"""The training loop: accelerate underneath, EMA, resume to the same state, everything recorded in the run folder.

One process or several (started by torchrun), each with some rows of every update; see `batches` for why a
killed run goes on exactly as if it had not been, and `checkpoint` for what is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from diffusers.training_utils import EMAModel
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from puppetmaster_core.training import checkpoint
from puppetmaster_core.training.batches import Batch, prefetch
from puppetmaster_core.training.config import RunSettings
from puppetmaster_core.training.distributed import fill, make_accelerator, parts_of, share_out, unshard, wait_for_main
from puppetmaster_core.training.meter import Meter, flops_of, peak_flops
from puppetmaster_core.training.muon import Muon

Make = Callable[[int, range], Batch]  # the rows of an update's batch, on the CPU
Loss = Callable[[nn.Module, Batch], tuple[Tensor, dict]]  # of a batch on the device: its mean, and numbers to log
Sample = Callable[[], dict[str, Tensor]]  # pictures (3, H, W) in [0, 1] by name
OPTIMIZERS = {"adamw": torch.optim.AdamW, "muon": Muon}


def fit(model: nn.Module, make: Make, loss: Loss, settings: RunSettings, *, record: dict | None = None,
        sample: Sample | None = None) -> bool:
    """Train `model` in place and leave it with its EMA weights; True when all steps are done, False when time ran out.

    `record` is written to settings.json with the settings and the commit before the first step.
    Raises FloatingPointError at the first loss or gradient that is not finite, before it reaches the weights, with the batch
    saved, so that the last checkpoint is good; TrainingError where the folder holds a run of other settings or cannot be
    written; JobError where it is in use.
    """
    folder, record = Path(settings.output), {"settings": asdict(settings), **(record or {})}
    folder.mkdir(parents=True, exist_ok=True)
    accelerator = make_accelerator(folder, settings)
    with checkpoint.lock_run(folder):
        checkpoint.check_same_run(folder, record)
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            checkpoint.write_record(folder, {**record, "processes": accelerator.num_processes})
        run = _Run(accelerator, model, make, loss, settings)
        with closing(run.batches), run.bar:
            while run.step < settings.steps and not run.time_is_up():
                total, used = 0.0, []
                for round_ in range(settings.accumulate):
                    used.append(run.next_batch())
                    with run.gradients(round_):
                        with run.precision():
                            value, numbers = loss(run.wrapped, run.on_device(used[-1]))
                        run.check_finite("loss", value, used)
                        accelerator.backward(value / settings.accumulate)
                    total = total + value.detach() / settings.accumulate
                norm = run.update(used)
                run.report(total, norm, numbers, sample)
        run.finish()
        return run.step >= settings.steps


class _Run:
    """A stage at work: the model in its wrappers (`wrapped` is called, `trained` has the parameters), and what goes with it."""

    def __init__(self, accelerator: Accelerator, model: nn.Module, make: Make, loss: Loss, settings: RunSettings):
        self.began, self.accelerator, self.model, self.settings = time.monotonic(), accelerator, model, settings
        self.folder, self.main = Path(settings.output), accelerator.is_main_process
        processes, device = accelerator.num_processes, accelerator.device
        self.shared = settings.shard and processes > 1
        self.step, *states = checkpoint.load_checkpoint(self.folder, model)
        model.to(device).train()
        rows, flops = settings.rows(0, accelerator.process_index, processes), 0.0
        if self.step < settings.steps:
            batch = self.on_device(make(self.step, rows))
            with self.precision():
                flops = flops_of(model, lambda: loss(model, batch)[0], device) / len(rows)
        self.meter = Meter(flops, processes * peak_flops(device, settings.mixed_precision))
        if settings.activation_checkpointing:
            checkpoint_activations(model)
        if settings.compile:
            model.compile()
        self._wrap(*states)
        self.batches = prefetch(make, self._jobs(), settings.workers)
        self.bar = tqdm(total=settings.steps, initial=self.step, desc=self.folder.name, mininterval=5, disable=not self.main)
        if self.main:
            accelerator.init_trackers("log")

    def _wrap(self, optimizer: dict, ema: dict) -> None:
        """Put the model where it trains, with optimiser and EMA in the given states, which are empty at the beginning."""
        accelerator, settings = self.accelerator, self.settings
        self.trained = share_out(self.model, accelerator.device, accelerator.num_processes) if self.shared else self.model
        parameters = list(self.trained.parameters())
        self.optimizer = OPTIMIZERS[settings.optimizer](parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
        self.ema = EMAModel(parameters, decay=settings.ema_decay)
        if optimizer:
            moments = {number: {name: parts_of(value, parameters[number]) for name, value in own.items()}
                       for number, own in optimizer["state"].items()}
            self.optimizer.load_state_dict({**optimizer, "state": moments})
            self.ema.load_state_dict({**ema, "shadow_params": list(map(parts_of, ema["shadow_params"], parameters))})
        self.ema.to(accelerator.device)
        self.wrapped = self.trained if self.shared else accelerator.prepare(self.model)

    def _jobs(self) -> Iterator[tuple[int, range]]:
        """What this process computes, in order: its rows of every round of every update."""
        index, processes = self.accelerator.process_index, self.accelerator.num_processes
        for step in range(self.step, self.settings.steps):
            for round_ in range(self.settings.accumulate):
                yield step, self.settings.rows(round_, index, processes)

    # ---- an update -------------------------------------------------------------------------------------------------------

    def next_batch(self) -> Batch:
        began = time.perf_counter()
        batch = next(self.batches)
        self.meter.waited += time.perf_counter() - began
        return batch

    def on_device(self, batch: Batch) -> Batch:
        return {name: tensor.to(self.accelerator.device, non_blocking=True) for name, tensor in batch.items()}

    @contextmanager
    def precision(self) -> Iterator[None]:
        # The fused attention's backward pass in bf16 is slow on CPUs: a third of a whole step, where plain products are not.
        slow = self.accelerator.device.type == "cpu" and self.settings.mixed_precision == "bf16"
        with self.accelerator.autocast(), sdpa_kernel(SDPBackend.MATH) if slow else nullcontext():
            yield

    def gradients(self, round_: int):
        """Around a round: processes exchange gradients in an update's last; with FSDP in each, as it spares whole ones."""
        last = round_ == self.settings.accumulate - 1 or self.shared
        return nullcontext() if last else self.accelerator.no_sync(self.wrapped)

    def update(self, used: list[Batch]) -> Tensor:
        """One step of the optimiser and the EMA; the gradient's norm."""
        norm = unshard(self.accelerator.clip_grad_norm_(self.trained.parameters(), self.settings.clip_norm))
        self.check_finite("gradient's norm", norm, used)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * self.settings.rate(self.step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.ema.step(self.trained.parameters())
        self.step += 1
        self.meter.clips += self.settings.batch_size
        self.bar.update()
        return norm

    def check_finite(self, what: str, value: Tensor, used: list[Batch]) -> None:
        """Raise FloatingPointError in all processes where the value of one is not finite; each keeps what it used."""
        finite = torch.isfinite(value.detach()).float().to(self.accelerator.device)
        if self.accelerator.reduce(finite, "mean") == 1:
            return
        name = self.folder / f"bad-step-{self.step:08d}-{self.accelerator.process_index}.safetensors"
        save_file({key: torch.cat([batch[key] for batch in used]).contiguous() for key in used[0]}, name)
        raise FloatingPointError(f"the {what} is {value.item()} at step {self.step}, its batch is in {name}: lower the learning "
                                 f"rate and start from the last checkpoint in {self.folder / 'checkpoints'}")

    def time_is_up(self) -> bool:
        """Whether to stop; in all processes or in none."""
        over = time.monotonic() - self.began >= self.settings.max_seconds
        return bool(broadcast(torch.tensor([over], device=self.accelerator.device, dtype=torch.float32))[0])

    # ---- what is kept ----------------------------------------------------------------------------------------------------

    def report(self, value: Tensor, norm: Tensor, numbers: dict, sample: Sample | None) -> None:
        """Log, sample and save a checkpoint, each where its turn has come."""
        settings, last = self.settings, self.step == self.settings.steps
        if self.step % settings.log_every == 0:
            rate = settings.learning_rate * settings.rate(self.step - 1)
            rates = self.meter.read()
            logged = {"loss": self.accelerator.reduce(value, "mean").item(), "gradient norm": float(norm), "learning rate": rate,
                      **rates, **{name: float(number) for name, number in numbers.items()}}
            self.bar.set_postfix({name: f"{one:.3g}" for name, one in rates.items()}, refresh=False)
            self.accelerator.log(logged, self.step)  # the main process does
        if sample and (self.step % settings.sample_every == 0 or last):
            self._log_samples(sample)
        if self.step % settings.checkpoint_every == 0:
            self._checkpoint()

    def _log_samples(self, sample: Sample) -> None:
        if not self.shared:
            self.ema.store(self.model.parameters())
        self._average()
        if self.main:
            self.model.to(self.accelerator.device).eval()
            with torch.no_grad(), torch.compiler.set_stance("force_eager"):  # other shapes: not worth compiling for
                pictures = sample()
            for name, picture in pictures.items():
                self._tensorboard().add_image(name, picture, self.step)
            self.model.train()
        if self.shared:
            self.model.to("cpu")
        else:
            self.ema.restore(self.model.parameters())
        wait_for_main()

    def _average(self) -> None:
        """Give the model its EMA weights."""
        if self.shared:
            fill(self.model, self.ema.shadow_params)
        else:
            self.ema.copy_to(self.model.parameters())

    def _checkpoint(self) -> None:
        optimizer, average = self.optimizer.state_dict(), self.ema.state_dict()
        if self.shared:
            fill(self.model, list(self.trained.parameters()))
            optimizer, average = unshard(optimizer), unshard(average)
        if self.main:
            self._tensorboard().flush()  # what was logged up to here is not logged again after a kill
            checkpoint.save_checkpoint(self.folder, self.step, self.model, optimizer, average)
        wait_for_main()

    def _tensorboard(self):
        return self.accelerator.get_tracker("tensorboard", unwrap=True)

    def finish(self) -> None:
        """Save, close the log, and leave the model with its EMA weights on its device."""
        if self.step % self.settings.checkpoint_every:
            self._checkpoint()
        for tracker in self.accelerator.trackers if self.main else ():
            tracker.finish()  # end_training would also part the processes, and there may be stages to come
        wait_for_main()
        self._average()
        self.model.to(self.accelerator.device).eval()


def checkpoint_activations(model: nn.Module) -> None:
    """Let every network of diffusers' in `model` compute its activations again in the backward pass."""
    for module in model.modules():
        if getattr(module, "_supports_gradient_checkpointing", False):
            module.enable_gradient_checkpointing()
