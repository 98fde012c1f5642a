"""The grid: every arm with every seed, each a file of its own in the results' folder, done or not, never half.

    results/ablations/D-0.json    settings, parameters, seconds, the curve of the loss, every score of every judged clip
    results/ablations/D-0.webp    videos of the first judged clips, of seed 0; beside truth.webp, truth.json has their drags
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from puppetmaster_core.ablations.arms import AblationError, Arm
from puppetmaster_core.ablations.data import TrainingClips, training_clips
from puppetmaster_core.ablations.pretraining import pretrained
from puppetmaster_core.ablations.subjects import JudgedClip, judged_clips
from puppetmaster_core.ablations.train import Task, scores, space_of, train_network, videos
from puppetmaster_core.evaluation.metrics import static_copy
from puppetmaster_core.files import whole_file, write_json
from puppetmaster_core.jobs import difference
from puppetmaster_core.latents.linear import LinearCode
from puppetmaster_core.presets import ABLATION
from puppetmaster_core.provenance import commit

COPY, TRUTH = "static-copy", "truth"  # files beside the arms'
SHOWN = 4  # judged clips whose videos are kept
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Size:
    """How large the grid's runs are: the same for all of it."""

    steps: int = ABLATION.training["denoiser"]["steps"]
    clips: int = ABLATION.training["clips"]
    judged: int = 128
    pretraining: int = 200  # steps


@dataclass
class Grid:
    """results: where files go; work: where clips and arrays are kept, which can be made again."""

    results: Path
    work: Path
    size: Size = field(default_factory=Size)

    @cached_property
    def good(self) -> tuple[LinearCode, TrainingClips]:
        return training_clips(self.work, self.size.clips)

    @cached_property
    def bad(self) -> TrainingClips:
        return training_clips(self.work, self.size.clips, bad=True)[1]

    @cached_property
    def judged(self) -> list[JudgedClip]:
        return judged_clips(self.work / f"judged-{self.size.judged}.npz", self.size.judged)

    def settings(self) -> dict:
        """All that every file of the grid has in common."""
        return {"size": asdict(self.size), "scale": json.loads(json.dumps(asdict(ABLATION)))}

    def path(self, name: str, seed: int | None = None) -> Path:
        return self.results / f"{name}{'' if seed is None else f'-{seed}'}.json"

    def check(self) -> None:
        """Raise AblationError where the folder holds results of other settings."""
        for path in sorted(self.results.glob("*.json")):
            if found := difference(read_run(path)["settings"], self.settings()):
                name, was, now = found
                raise AblationError(f"{path} was made with {name}={was}, this grid has {now}: use the same settings, or another "
                                    "folder of results")

    def run(self, arms: Sequence[Arm], seeds: Sequence[int]) -> Iterator[tuple[Path, bool]]:
        """Every arm with every seed, seed by seed: its file, and whether it was made now. What is there stays."""
        for folder in (self.results, self.work):
            folder.mkdir(parents=True, exist_ok=True)
        self.check()
        if not self.path(COPY).is_file():
            made = [static_copy(clip.frames) for clip in self.judged]
            self._write(self.path(COPY), {"scores": scores(made, self.judged)})
        if not self.path(TRUTH).is_file():
            some = self.judged[:SHOWN]
            save_strip(self.path(TRUTH).with_suffix(".webp"), [clip.frames for clip in some])
            self._write(self.path(TRUTH), {"drags": [clip.path[clip.present].round(5).tolist() for clip in some]})
        for seed in seeds:
            for arm in arms:
                path = self.path(arm.name, seed)
                done = path.is_file()
                if not done:
                    self.run_arm(arm, seed)
                yield path, not done

    def run_arm(self, arm: Arm, seed: int) -> None:
        """Train, sample and judge one arm with one seed, and write its file."""
        code, good = self.good
        torch.manual_seed(seed)
        network = arm.build()
        if arm.begin:
            weights = pretrained(self.work, good, code, self.size.pretraining, self.judged, self._record_pretraining)
            network.load_state_dict(weights, strict=False)
        clips = TrainingClips.mixed(good, self.bad, arm.bad) if arm.bad else good
        task = Task(clips, space_of(good, arm.residual))  # one scale, whatever the clips
        curve, seconds = train_network(network, task, seed=seed, steps=self.size.steps)
        made = videos(network, task, code, self.judged, seed)
        if seed == SEEDS[0]:
            save_strip(self.path(arm.name, seed).with_suffix(".webp"), made[:SHOWN])
        self._write(self.path(arm.name, seed), {
            "arm": arm.name, "seed": seed, "parameters": sum(p.numel() for p in network.parameters()), "seconds": seconds,
            "curve": curve, "scores": scores(made, self.judged)})

    def _record_pretraining(self, record: dict) -> None:
        if not self.path("pretraining").is_file():
            self._write(self.path("pretraining"), record)

    def _write(self, path: Path, record: dict) -> None:
        about = {"kind": "ablation run", "commit": commit(), "device": "cpu", "settings": self.settings()}
        write_json(path, {**about, **record}, indent=None)


def read_run(path: Path) -> dict:
    """A file of the grid. Raises AblationError."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        record["settings"]["size"], record["settings"]["scale"]
        return record
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AblationError(f"{path}: cannot be read ({type(error).__name__}), expected a run of the grid: delete it, and the "
                            "same command makes it again") from None


def save_strip(path: Path, made: list[np.ndarray]) -> None:
    """Videos (N, S, S, 3) as one picture: a clip a row, a frame a column."""
    rows = [np.concatenate(list(video), 1) for video in made]
    with whole_file(path) as partial, open(partial, "wb") as file:
        Image.fromarray(np.concatenate(rows)).save(file, "WEBP", quality=85)


def read_strip(path: Path) -> np.ndarray:
    """Videos (clips, N, S, S, 3) of `save_strip`."""
    picture, side = np.asarray(Image.open(path).convert("RGB")), ABLATION.size
    rows = picture.reshape(-1, side, ABLATION.frames, side, 3)
    return rows.transpose(0, 2, 1, 3, 4)
