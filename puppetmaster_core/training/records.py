"""A run folder's own records: what made it (settings.json), and the lock that keeps a second process out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path

from safetensors import SafetensorError

from puppetmaster_core.files import locked, whole_file, write_json
from puppetmaster_core.training.crew import crew, wait_for_main
from puppetmaster_core.training.settings import FREE, RunSettings, TrainingError

SHARD_SIZE = "15MB"  # of the saved weights
LOG, EARLIER_LOG = "training_log.json", "earlier_log.json"  # of a model that is shipped; in a run, of the model it began with


def keep_log(model: Path | str, folder: Path) -> None:
    """Copy the training log of the model that a run in `folder` begins with, where that has one on this machine."""
    if Path(model, LOG).is_file() and not (folder / EARLIER_LOG).exists():
        with saving(folder / EARLIER_LOG), whole_file(folder / EARLIER_LOG) as partial:
            shutil.copyfile(Path(model, LOG), partial)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes out of `folder` while this one works. Raises TrainingError."""
    lock = folder / ".lock"
    lock.touch()
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(lock))
        except BlockingIOError:
            raise TrainingError(f"{folder}: another process is training here: wait for it, or choose another folder") from None
        yield


@contextmanager
def saving(path: Path, otherwise: str = "what was there before is kept") -> Iterator[None]:
    """Around the writing of `path`: what a full disk, or one that cannot be written, raises becomes one TrainingError."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:  # each library has its own for it
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
        free = shutil.disk_usage(next(place for place in path.absolute().parents if place.exists())).free / 2**20
        raise TrainingError(f"{path}: cannot be written ({reason}; {free:.0f} MB are free there); {otherwise}: make room and "
                            "start the same command again") from error


PARTS = ("size", "frames", "vae", "image_encoder", "unet", "residual")  # of a preset: what its networks are, and see


def save_pipeline(pipeline, run: Path) -> None:
    """Into the run's folder, by the main process; the others wait."""
    if crew().is_main_process:
        with saving(run / "pipeline"):
            pipeline.save_pretrained(run / "pipeline", max_shard_size=SHARD_SIZE)
    wait_for_main()


def check_same_run(folder: Path, record: dict) -> None:
    """TrainingError where `folder` holds checkpoints of a run with other settings, network, data or weights to begin with.

    Settings it lacks are the defaults.
    """
    path = folder / "settings.json"
    if not path.is_file() or not any((folder / "checkpoints").glob("step-????????")):
        return
    earlier = json.loads(path.read_text(encoding="utf-8"))
    old, new = earlier["settings"], record["settings"]
    for name in new.keys() - set(FREE):
        was = old.get(name, getattr(RunSettings, name, None))
        if was != new[name]:
            raise TrainingError(f"{folder} holds a run with {name}={was}, this one has {name}={new[name]}: use another "
                                "folder, or the same settings")
    for what, free in (("recipe", {"short_steps"}), ("preset", set(record.get("preset", {})) - set(PARTS))):
        was, now = (json.loads(json.dumps(one.get(what) or {})) for one in (earlier, record))  # as JSON has it: no tuples
        for name in sorted((was.keys() & now.keys()) - free):
            if was[name] != now[name]:
                raise TrainingError(f"{folder} holds a run whose {what} has {name}={was[name]}, this one's has {now[name]}: use "
                                    "another folder, or the same")
    if earlier.get("data", record.get("data")) != record.get("data"):
        raise TrainingError(f"{folder} holds a run on other clips ({earlier['data']}, now {record.get('data')}): use another "
                            "folder, or the same clips")
    if earlier.get("weights") != record.get("weights"):
        was, now = (one.get("weights") or "none" for one in (earlier, record))
        raise TrainingError(f"{folder} holds a run whose weights began as {was}, this one's as {now}: use another folder, or the "
                            "same weights")


def write_record(folder: Path, record: dict) -> None:
    """settings.json: the resolved settings, the commit and the versions of this start; under "starts", those before it."""
    path = folder / "settings.json"
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    starts = earlier.pop("starts", []) + ([earlier] if earlier else [])
    write_json(path, {**record, "starts": starts})


def versions() -> dict[str, str]:
    """Of the libraries that decide what a run computes."""
    return {name: metadata.version(name) for name in ("torch", "diffusers", "transformers", "accelerate", "numpy")}
