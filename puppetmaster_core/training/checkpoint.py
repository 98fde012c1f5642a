"""What a run folder keeps: what made it, and checkpoints that appear whole or not at all, of which the two newest stay.

    settings.json                                  the resolved settings, the commit and the versions of each start
    checkpoints/step-00000500/model.safetensors    the weights as they are trained
    checkpoints/step-00000500/optimizer.bin        the optimiser's state
    checkpoints/step-00000500/ema.bin              the moving average of the weights

What a step draws at random follows from its number, so there is no more to keep.
"""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import nn

from puppetmaster_core import jobs
from puppetmaster_core.files import one_line, whole_file, whole_folder, write_json
from puppetmaster_core.provenance import commit, versions
from puppetmaster_core.training.config import FREE, RunSettings, TrainingError
from puppetmaster_core.training.distributed import this_process, wait_for_main

SHARD_SIZE = "15MB"  # of the saved weights
LOG, EARLIER_LOG = "training_log.json", "earlier_log.json"  # of a model that is shipped; in a run, of the model it began with
MODEL, OPTIMIZER, EMA = "model.safetensors", "optimizer.bin", "ema.bin"
KEPT = 2
PARTS = ("size", "frames", "vae", "image_encoder", "unet", "residual")  # of a preset: what its networks are, and see
LIBRARIES = ("torch", "diffusers", "transformers", "accelerate", "numpy")  # that decide what a run computes


def save_checkpoint(folder: Path, step: int, model: nn.Module, optimizer: dict, ema: dict) -> None:
    """Write the checkpoint of `step`; optimizer and ema: their states. Raises TrainingError where it cannot be written; the one
    before is kept."""
    final = folder / "checkpoints" / f"step-{step:08d}"
    if final.exists():
        return
    with saving(final, "the checkpoint before it is kept"):
        final.parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(final) as partial:
            save_model(model, str(partial / MODEL))
            torch.save(optimizer, partial / OPTIMIZER)
            torch.save(ema, partial / EMA)
    for old in sorted(final.parent.glob("step-????????"))[:-KEPT]:
        shutil.rmtree(old)


def load_checkpoint(folder: Path, model: nn.Module) -> tuple[int, dict, dict]:
    """Load the newest checkpoint's weights; its step, and the states of optimiser and EMA, which are empty where there is none.

    Nothing in it can run code: weights are safetensors, the rest is read as plain tensors and numbers. Raises TrainingError where
    it is damaged or of another network.
    """
    for left in (folder / "checkpoints").glob("*.partial"):  # of a killed process
        shutil.rmtree(left)
    found = sorted((folder / "checkpoints").glob("step-????????"))
    if not found:
        return 0, {}, {}
    newest = found[-1]
    try:
        load_model(model, str(newest / MODEL), device="cpu")
        states = [torch.load(newest / name, map_location="cpu", weights_only=True) for name in (OPTIMIZER, EMA)]
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, SafetensorError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{newest}: cannot be used ({one_line(error)}), expected a checkpoint of this network: use another "
                            "folder; or where it is damaged delete it, and the run goes on from the one before it") from error
    return int(newest.name.removeprefix("step-")), *states


def finished(settings: RunSettings) -> bool:
    """Whether a checkpoint of the last step is there."""
    return (Path(settings.output) / "checkpoints" / f"step-{settings.steps:08d}").is_dir()


# ---- the folder ----------------------------------------------------------------------------------------------------------


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Keep other runs out of `folder` while this one works there; its main process does. Raises JobError."""
    (folder / ".lock").touch()
    with jobs.alone(folder / ".lock") if this_process().is_main_process else nullcontext():
        yield


@contextmanager
def saving(path: Path, otherwise: str = "what was there before is kept") -> Iterator[None]:
    """Around the writing of `path`: what a full disk, or one that cannot be written, raises becomes one TrainingError."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:  # each library has its own for it
        free = shutil.disk_usage(next(place for place in path.absolute().parents if place.exists())).free / 2**20
        raise TrainingError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or one_line(error)}; {free:.0f} MB "
                            f"are free there); {otherwise}: make room and start the same command again") from error


def save_pipeline(pipeline, run: Path) -> None:
    """Into the run's folder, by the main process; the others wait."""
    if this_process().is_main_process:
        with saving(run / "pipeline"):
            pipeline.save_pretrained(run / "pipeline", max_shard_size=SHARD_SIZE)
    wait_for_main()


def keep_log(model: Path | str, folder: Path) -> None:
    """Copy the training log of the model that a run in `folder` begins with, where that has one on this machine."""
    if Path(model, LOG).is_file() and not (folder / EARLIER_LOG).exists():
        with saving(folder / EARLIER_LOG), whole_file(folder / EARLIER_LOG) as partial:
            shutil.copyfile(Path(model, LOG), partial)


def write_record(folder: Path, record: dict) -> None:
    """settings.json: the record, the commit and the versions of this start; under "starts", those before it."""
    path = folder / "settings.json"
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    starts = earlier.pop("starts", []) + ([earlier] if earlier else [])
    write_json(path, {**record, "commit": commit(), "versions": versions(*LIBRARIES), "starts": starts})


def check_same_run(folder: Path, record: dict) -> None:
    """TrainingError where `folder` holds checkpoints of a run with other settings, items, network, clips or first weights."""
    path = folder / "settings.json"
    if not path.is_file() or not any((folder / "checkpoints").glob("step-????????")):
        return
    was, now = (_decisive(json.loads(json.dumps(one))) for one in (json.loads(path.read_text(encoding="utf-8")), record))
    for name in (name for name in was if name in now and was[name] != now[name]):
        raise TrainingError(f"{folder} holds a run with {name}={was[name]}, this one has {name}={now[name]}: use another folder, "
                            "or the same")


def _decisive(record: dict) -> dict:
    """What decides what a run computes, of its record; as JSON has it, so without tuples."""
    settings = {name: value for name, value in record["settings"].items() if name not in FREE}
    items = {name: value for name, value in record.get("recipe", {}).items() if name != "short_steps"}
    preset = {name: value for name, value in record.get("preset", {}).items() if name in PARTS}
    clips = {"clips": record["data"]} if "data" in record else {}
    return {**settings, **items, **preset, **clips, "first weights": record.get("weights") or "none"}
