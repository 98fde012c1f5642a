"""From a run folder to a model that can be shipped: half-precision weights in small files, and the log that made them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from puppetmaster_core.checkpoints import quiet
from puppetmaster_core.files import write_json
from puppetmaster_core.pipeline import PuppetMasterPipeline
from puppetmaster_core.presets import STAGES
from puppetmaster_core.training.checkpoint import EARLIER_LOG, LOG, SHARD_SIZE, saving

POINTS = 200  # of each curve in the log


def export(run: str | Path, target: str | Path) -> None:
    """Write the run's pipeline to `target` in fp16, with training_log.json beside it; a card that is there stays.

    The log of a run that began with a model goes on from that model's: "denoiser", then "denoiser 2". Raises TrainingError.
    """
    run, target = Path(run), Path(target)
    pipeline = PuppetMasterPipeline.from_pretrained(run / "pipeline")
    with quiet(), saving(target):
        pipeline.to(torch.float16).save_pretrained(target, variant="fp16", max_shard_size=SHARD_SIZE)
    earlier = run / EARLIER_LOG
    log = json.loads(earlier.read_text(encoding="utf-8")) if earlier.is_file() else {}
    for stage in STAGES:
        if (run / stage / "settings.json").is_file():
            times = sum(name.split()[0] == stage for name in log)
            log[f"{stage} {times + 1}" if times else stage] = curves(run / stage)
    with saving(target / LOG):
        write_json(target / LOG, log, indent=None)


def scalars(stage: Path) -> dict[str, dict[int, float]]:
    """A stage's logged numbers: name → {step: value}."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logged: dict[str, dict[int, float]] = {}
    for path in sorted((stage / "log").glob("events*")):  # one file a start; where a run went back, the later file holds
        events = EventAccumulator(str(path), size_guidance={"scalars": 0}).Reload()
        for name in events.Tags()["scalars"]:
            logged.setdefault(name, {}).update((e.step, e.value) for e in events.Scalars(name))
    return logged


def curves(stage: Path) -> dict:
    """A stage's settings, versions, commit and logged numbers: name → [[step, mean over the steps around it], …]."""
    record = json.loads((stage / "settings.json").read_text(encoding="utf-8"))
    kept = {key: record.get(key) for key in ("settings", "commit", "versions", "clips", "groups", "processes", "device")
            if key in record}
    kept["settings"] = {key: value for key, value in kept["settings"].items() if key not in ("output", "max_seconds", "wandb")}
    return {**kept, "curves": {name: _thinned(sorted(points.items())) for name, points in scalars(stage).items()}}


def _thinned(points: list[tuple[int, float]]) -> list[list[float]]:
    parts = np.array_split(np.array(points), min(POINTS, len(points)))
    return [[int(part[-1, 0]), round(float(part[:, 1].mean()), 5)] for part in parts]
