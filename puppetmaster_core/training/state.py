"""Checkpoints of a run: weights, optimiser and EMA after a step. One appears whole or not at all, and the two newest stay.

    step-00000500/model.safetensors    the weights as they are trained
    step-00000500/optimizer.bin        the optimiser's state
    step-00000500/ema.bin              the moving average of the weights

What a step draws at random follows from its number, so there is no more to keep.
"""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import torch
from diffusers.training_utils import EMAModel
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import nn

from puppetmaster_core.checkpoints import ModelError, tensor_shapes
from puppetmaster_core.training.records import saving
from puppetmaster_core.training.settings import RunSettings, TrainingError

MODEL, OPTIMIZER = "model.safetensors", "optimizer.bin"
EMA = ("ema.bin", "custom_checkpoint_1.pkl")  # the second: its name in older runs
KEPT = 2


def save(folder: Path, step: int, model: nn.Module, optimizer: dict, ema: dict) -> None:
    """Write the checkpoint of `step`; optimizer and ema: their states. Raises TrainingError where it cannot be written; the one
    before is kept."""
    final = folder / "checkpoints" / f"step-{step:08d}"
    if final.exists():
        return
    partial = final.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with saving(final, "the checkpoint before it is kept"):
            partial.mkdir(parents=True)
            save_model(model, str(partial / MODEL))
            torch.save(optimizer, partial / OPTIMIZER)
            torch.save(ema, partial / EMA[0])
            os.replace(partial, final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    for old in sorted(final.parent.glob("step-????????"))[:-KEPT]:
        shutil.rmtree(old)


def load(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, ema: EMAModel) -> int:
    """Load the newest checkpoint, if any; the step it was made at. Raises TrainingError where it does not fit or is damaged.

    Nothing in it can run code: weights are safetensors, the rest is read as plain tensors and numbers.
    """
    for left in (folder / "checkpoints").glob("*.partial"):  # of a killed process
        shutil.rmtree(left)
    found = sorted((folder / "checkpoints").glob("step-????????"))
    if not found:
        return 0
    newest = found[-1]
    _check_shapes(newest, model)
    try:
        load_model(model, str(newest / MODEL), device="cpu")
        optimizer.load_state_dict(_plain(newest / OPTIMIZER))
        ema.load_state_dict(_plain(next((p for p in (newest / name for name in EMA) if p.is_file()), newest / EMA[0])))
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, SafetensorError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{newest}: cannot be read ({type(error).__name__}), wanted a checkpoint of this run: delete the "
                            "folder, and the run goes on from the one before it") from error
    return int(newest.name.removeprefix("step-"))


def _plain(path: Path):
    return torch.load(path, map_location="cpu", weights_only=True)


def _check_shapes(checkpoint: Path, model: nn.Module) -> None:
    """TrainingError where the weights belong to another network."""
    try:
        there = tensor_shapes(checkpoint)
    except ModelError as error:
        raise TrainingError(str(error)) from error
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if odd := sorted(there.keys() - wanted.keys()):
        raise TrainingError(f"{checkpoint}: a checkpoint of another architecture came, with {odd[0]!r} and {len(odd) - 1} more "
                            "weights that this one lacks: use another folder, or the preset that it was made with")
    homes: dict[int, list[str]] = {}  # weights that share their memory are stored under one of their names
    for name, tensor in model.state_dict().items():
        homes.setdefault(tensor.data_ptr() if tensor.numel() else -1, []).append(name)
    if missing := sorted(name for names in homes.values() if not there.keys() & set(names) for name in names):
        raise TrainingError(f"{checkpoint}: a checkpoint of another architecture came, without {missing[0]!r} and "
                            f"{len(missing) - 1} more of its weights: use another folder, or the preset that it was made with")
    for name, shape in there.items():
        if shape != wanted[name]:
            raise TrainingError(f"{checkpoint}: a checkpoint of another architecture came, {name!r} is {shape}, wanted "
                                f"{wanted[name]}: use another folder, or the preset that it was made with")


def finished(settings: RunSettings) -> bool:
    """Whether a checkpoint of the last step is there."""
    return (Path(settings.output) / "checkpoints" / f"step-{settings.steps:08d}").is_dir()
