"""Quality against time: ways of sampling, each on the same unseen clips and noise, taking turns on this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

import torch
from tqdm import tqdm

from puppetmaster_core.evaluation.cabinets import evaluate_clip, summary, unseen_clips

# Arguments of a pipeline's call by the name of the row; a quality is made from the best of them.
SETTINGS: dict[str, dict] = {
    "Euler 50": {"solver": "euler", "steps": 50},
    "Euler 25": {"solver": "euler", "steps": 25},
    "Euler 10": {"solver": "euler", "steps": 10},
    "Euler 5": {"solver": "euler", "steps": 5},
    "Euler 3": {"solver": "euler", "steps": 3},
    "Euler 2": {"solver": "euler", "steps": 2},
    "DPM-Solver++ 2M 25": {"solver": "dpm++", "steps": 25},
    "DPM-Solver++ 2M 15": {"solver": "dpm++", "steps": 15},
    "DPM-Solver++ 2M 10": {"solver": "dpm++", "steps": 10},
    "Align-Your-Steps 10": {"solver": "ays", "steps": 10},
    "Euler 50, guidance at σ 0.2 to 20": {"solver": "euler", "steps": 50, "interval": (0.2, 20.0)},
    "DPM-Solver++ 2M 10, guidance at σ 0.2 to 20": {"solver": "dpm++", "steps": 10, "interval": (0.2, 20.0)},
    "DPM-Solver++ 2M 10, guidance at σ 1 to 50": {"solver": "dpm++", "steps": 10, "interval": (1.0, 50.0)},
    "DPM-Solver++ 2M 10, no guidance": {"solver": "dpm++", "steps": 10, "max_guidance": 1.0},
}


class Timed:
    """A pipeline whose calls are timed, in seconds; all else is the pipeline's."""

    def __init__(self, pipeline):
        self.pipeline, self.seconds = pipeline, []

    def __getattr__(self, name):
        return getattr(self.pipeline, name)

    def __call__(self, *args, **kwargs):
        self._wait()
        began = time.perf_counter()
        video = self.pipeline(*args, **kwargs)
        self._wait()
        self.seconds.append(time.perf_counter() - began)
        return video

    def _wait(self) -> None:
        if self.pipeline.device.type == "cuda":
            torch.cuda.synchronize()


def compare_settings(pipeline, count: int, settings: Mapping[str, Mapping] = SETTINGS, seed: int = 0) -> list[dict]:
    """A row for each way of sampling, on `count` unseen clips: `evaluation.cabinets.summary` of the model and the time.

    seconds: median of a whole call, decoding included. calls: of the network, a guided one counting twice. Raises ValueError
    for settings that the pipeline refuses, before any work.
    """
    calls = {name: network_videos(pipeline, how) for name, how in settings.items()}
    scores, timed = {name: [] for name in settings}, {name: Timed(pipeline) for name in settings}
    for clip in tqdm(unseen_clips(count, pipeline.config.size, pipeline.config.frames), total=count, desc="comparing"):
        for name, how in settings.items():
            scores[name].append(evaluate_clip(timed[name], clip, seed=seed, **how))
    rows = []
    for name, how in settings.items():
        told = summary(scores[name])
        rows.append({
            "name": name, "settings": dict(how), "seconds": statistics.median(timed[name].seconds), "calls": calls[name],
            **told["model"], **{key: told[key] for key in ("clips", "parts", "travel", "right direction")},
        })
    return rows


def network_videos(pipeline, how: Mapping) -> int:
    """How many videos the network denoises once for one video: steps, and guided steps again."""
    sampling = pipeline.sampling(**how)
    sigmas = sampling.scheduler(pipeline.scheduler).sigmas[:-1].tolist()
    low, high = sampling.interval or (0.0, float("inf"))
    return len(sigmas) + (sampling.max_guidance != 1) * sum(low <= sigma <= high for sigma in sigmas)


def table(rows: list[dict]) -> str:
    """The rows as text."""
    lines = [f"{rows[0]['clips']} unseen clips; PSNR of the moving region in dB, 95 % interval; direction: share of parts",
             f"{'':45} {'seconds':>8} {'calls':>6} {'moving':>24} {'direction':>10}"]
    for row in rows:
        psnr = row["moving"]
        lines.append(f"{row['name']:45} {row['seconds']:8.2f} {row['calls']:6} "
                     f"{psnr['mean']:8.2f} [{psnr['low']:6.2f}, {psnr['high']:6.2f}] {row['right direction']:10.1%}")
    return "\n".join(lines)
