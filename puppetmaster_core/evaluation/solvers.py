"""Quality against time: ways of sampling, each on the same unseen clips and noise, taking turns on this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

import numpy as np
from tqdm import tqdm

from puppetmaster_core.evaluation.exact import exact_scores, right_direction
from puppetmaster_core.evaluation.intervals import interval
from puppetmaster_core.evaluation.subjects import unseen_subjects
from puppetmaster_core.evaluation.table1 import clip_seed
from puppetmaster_core.evaluation.tables import HEADS, cell

KINDS = "cabinets"
# Arguments of a pipeline's call by the name of the row; a quality is made from the best of them.
SETTINGS: dict[str, dict] = {
    **{f"Euler {steps}": {"solver": "euler", "steps": steps} for steps in (50, 25, 10, 5, 3, 2)},
    **{f"DPM-Solver++ 2M {steps}": {"solver": "dpm++", "steps": steps} for steps in (25, 15, 10)},
    "Align-Your-Steps 10": {"solver": "ays", "steps": 10},
    "Euler 50, guidance at σ 0.2 to 20": {"solver": "euler", "steps": 50, "interval": (0.2, 20.0)},
    "DPM-Solver++ 2M 10, guidance at σ 0.2 to 20": {"solver": "dpm++", "steps": 10, "interval": (0.2, 20.0)},
    "DPM-Solver++ 2M 10, guidance at σ 1 to 50": {"solver": "dpm++", "steps": 10, "interval": (1.0, 50.0)},
    "DPM-Solver++ 2M 10, no guidance": {"solver": "dpm++", "steps": 10, "max_guidance": 1.0},
}


def compare_settings(pipeline, count: int, settings: Mapping[str, Mapping] = SETTINGS, seed: int = 0) -> list[dict]:
    """A row for each way of sampling, on `count` unseen cabinets: the scores of `exact`, and the time.

    seconds: median of a whole call, decoding included. calls: of the network, a guided one counting twice. Raises ValueError
    for settings that the pipeline refuses, before any work.
    """
    calls = {name: network_videos(pipeline, how) for name, how in settings.items()}
    scores, seconds = [], {name: [] for name in settings}
    subjects = unseen_subjects(count, pipeline.config.size, pipeline.config.frames, KINDS)
    for subject in tqdm(subjects, total=count, desc="comparing"):
        drags, noise = subject.drags(pipeline.unet.config.max_drags), clip_seed(seed, subject.name)
        shown = {}
        for name, how in settings.items():
            began = time.perf_counter()
            shown[name] = pipeline(subject.clip.frames[0], drags, seed=noise, **how).frames
            seconds[name].append(time.perf_counter() - began)  # the frames are on the CPU, so nothing is left to wait for
        scores.append(exact_scores(subject, drags, shown))
    generator = np.random.default_rng(0)
    return [{"name": name, "settings": dict(how), "seconds": statistics.median(seconds[name]), "calls": calls[name],
             "clips": len(scores), **_told(name, scores, generator)} for name, how in settings.items()]


def _told(name: str, scores: list[dict], generator: np.random.Generator) -> dict:
    ways = [one["travel"][name] for one in scores]
    right = right_direction(ways, generator)
    return {**{metric: interval([one["scores"][name][metric] for one in scores], generator) for metric in HEADS},
            "travel": interval([t for own in ways for t in own], generator), "parts": right["parts"] if right else 0,
            "right direction": right and right["mean"]}


def network_videos(pipeline, how: Mapping) -> int:
    """How many videos the network denoises once for one video: steps, and guided steps again."""
    sampling = pipeline.sampling(**how)
    sigmas = sampling.scheduler(pipeline.scheduler).sigmas[:-1].tolist()
    low, high = sampling.interval or (0.0, float("inf"))
    return len(sigmas) + (sampling.max_guidance != 1) * sum(low <= sigma <= high for sigma in sigmas)


def solvers_table(rows: list[dict]) -> str:
    """The rows as text."""
    lines = [f"{rows[0]['clips']} unseen clips; PSNR of the moving region in dB, 95 % interval; direction: share of parts",
             f"{'':45} {'seconds':>8} {'calls':>6} {'moving':>24} {'direction':>10}"]
    for row in rows:
        direction = "–" if row["right direction"] is None else f"{row['right direction']:.1%}"
        lines.append(f"{row['name']:45} {row['seconds']:8.2f} {row['calls']:6} {cell(row['moving']):>24} {direction:>10}")
    return "\n".join(lines)
