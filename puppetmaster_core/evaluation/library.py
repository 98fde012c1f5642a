"""The judge of a model on unseen clips of the procedural library: pictures, directions, and what should have stayed.

Everything is held against repeating frame 1 and against the model's `ceilings`, the last of which is the row it could reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from puppetmaster_core.drags import Drags
from puppetmaster_core.evaluation.ceilings import ceilings
from puppetmaster_core.evaluation.masks import mask_overlap
from puppetmaster_core.evaluation.metrics import edge_energy_ratio, moving_region, psnr, static_copy
from puppetmaster_core.evaluation.progress import Progress
from puppetmaster_core.evaluation.rows import clip_seed
from puppetmaster_core.evaluation.subjects import ALL, Subject, unseen_subjects
from puppetmaster_core.evaluation.table1 import interval
from puppetmaster_core.evaluation.videos import keep_video, model_folder
from puppetmaster_core.provenance import commit

MODEL, COPY = "model", "static copy"
METRICS = ("whole", "moving", "still", "off place", "edge energy")


def evaluate_subject(pipeline, subject: Subject, *, seed: int = 0, videos: Path | None = None, **sampling) -> dict:
    """Scores of one clip by row: PSNR in dB, offsets in pixels at 64, edge energy in the moving region over the true one; of
    motion latents also the "mask IoU" of what moves.

    Drags are those that the clip is labelled with. Noise is drawn from `seed` and the clip's name. videos: the folder that keeps
    the model's.
    """
    clip, drags = subject.clip, subject.drags(pipeline.unet.config.max_drags)
    how = {"seed": clip_seed(seed, subject.name), **sampling}
    made = pipeline(clip.frames[0], drags, **how)
    keep_video(videos, subject.name, made)
    found = score(subject, drags, {MODEL: made.frames, COPY: static_copy(clip.frames), **ceilings(pipeline, clip)})
    masks = mask_overlap(pipeline, clip, drags, **how)
    return found if masks is None else {**found, "mask IoU": masks}


def score(subject: Subject, drags: Drags, shown: Mapping[str, np.ndarray]) -> dict:
    """The scores of videos (N, S, S, 3) uint8 of a clip, by row."""
    truth, parts = subject.clip.frames, subject.dragged_parts(drags)
    moving, away, travel = moving_region(truth), subject.off_place(shown, parts), subject.travel(shown, parts)
    scores = {row: {"whole": psnr(video, truth), "moving": psnr(video, truth, moving), "still": psnr(video, truth, ~moving),
                    "off place": away[row], "edge energy": edge_energy_ratio(video, truth, moving)}
              for row, video in shown.items()}
    return {"group": subject.group, "travel": {row: list(map(_plain, own)) for row, own in travel.items() if row != COPY},
            "scores": {row: {name: _plain(value) for name, value in own.items()} for row, own in scores.items()}}


def evaluate_library(pipeline, count: int, kinds: str = ALL, *, straight: bool = False, progress: Progress | None = None,
                     model: str = "model", videos: Path | None = None, **options) -> tuple[dict, list[dict]]:
    """Summary and per-clip scores of a pipeline on `count` unseen clips of `kinds`. Raises SourceError, and
    VideoError for `videos`.

    straight: drags as Drag-a-Move's, instead of the paper's. progress: what a killed run has done already, and where this one's
    is kept; the caller says when it is done. model: its name, to which that belongs. videos: a folder; the model's are kept in
    a folder of its name there.
    """
    progress = progress or Progress()
    progress.begin({"kind": "library", "model": model, "kinds": kinds, "commit": commit(), "videos": videos and str(videos),
                    "straight": straight, **options})
    folder, scores = model_folder(videos, model, again=progress.resumed), []
    rules = "drag-a-move" if straight else "paper"
    subjects = unseen_subjects(count, pipeline.config.size, pipeline.config.frames, kinds, rules)
    for subject in tqdm(subjects, total=count, desc="evaluating"):
        judge = partial(evaluate_subject, pipeline, subject, videos=folder, **options)
        scores.append({"clip": subject.name, **progress.once(MODEL, subject.name, judge)})
    return summary(scores), scores


def summary(scores: list[dict]) -> dict:
    """Means over clips with 95 % bootstrap intervals; the same of what the model gains on the static copy, and by group.

    "rows": their names, the ceiling last. "right direction": the share of dragged parts whose travel is above 0, of those that
    the pictures tell of; clips are drawn for its interval. "sharpness gap": how far the model's edge energy is from the true one.
    "edge energy over ceiling": the model's over the ceiling's, mean over clips.
    """
    generator = np.random.default_rng(0)
    rows = list(scores[0]["scores"])
    told = {row: {name: interval([s["scores"][row][name] for s in scores], generator) for name in METRICS} for row in rows}
    found = {"clips": len(scores), "rows": rows, **told, "over static copy": _gains(scores, generator)}
    ways = {row: right_direction([s["travel"][row] for s in scores], generator) for row in scores[0]["travel"]}
    found |= {"right direction": ways.pop(MODEL), "right direction of": ways}
    found["parts"] = found["right direction"]["parts"] if found["right direction"] else 0
    found["travel"] = interval([t for s in scores for t in s["travel"][MODEL]], generator)
    found["sharpness gap"] = gap(told[MODEL]["edge energy"])
    edges = [_over(*(s["scores"][row]["edge energy"] for row in (MODEL, rows[-1]))) for s in scores]
    found["edge energy over ceiling"] = interval(edges, generator)
    if "mask IoU" in scores[0]:
        found["mask IoU"] = interval([s["mask IoU"] for s in scores], generator)
    groups = dict.fromkeys(s["group"] for s in scores)
    found["groups"] = {group: _of_group([s for s in scores if s["group"] == group], generator) for group in groups}
    return found


def gap(ratio: dict | None) -> dict | None:
    """How far a ratio, a mean with its interval, is from 1."""
    if ratio is None:
        return None
    ends = sorted(abs(ratio[end] - 1) for end in ("low", "high"))
    around = ratio["low"] <= 1 <= ratio["high"]
    return {**ratio, "mean": abs(ratio["mean"] - 1), "low": 0.0 if around else ends[0], "high": ends[1]}


def _gains(scores: list[dict], generator: np.random.Generator) -> dict:
    both = [(s["scores"][MODEL], s["scores"][COPY]) for s in scores]
    return {name: interval([None if None in (a[name], b[name]) else a[name] - b[name] for a, b in both], generator)
            for name in ("whole", "moving")}


def _of_group(scores: list[dict], generator: np.random.Generator) -> dict:
    return {"clips": len(scores), "over static copy": _gains(scores, generator),
            "right direction": right_direction([s["travel"][MODEL] for s in scores], generator),
            "off place": interval([s["scores"][MODEL]["off place"] for s in scores], generator)}


def right_direction(travel: list[list], generator: np.random.Generator, resamples: int = 10_000) -> dict | None:
    """The share of parts that went the drag's way, of 1, with a 95 % bootstrap interval over clips; None where none tells.

    travel: of each clip's parts; None where the pictures do not tell. A part that stood still did not go the drag's way.
    """
    table = np.array([[sum(t > 0 for t in own if t is not None), sum(t is not None for t in own)] for own in travel], float)
    table = table[table[:, 1] > 0] if len(table) else table.reshape(0, 2)
    if not len(table):
        return None
    drawn = table[generator.integers(len(table), size=(resamples, len(table)))].sum(1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    right, parts = table.sum(0)
    return {"mean": float(right / parts), "low": float(low), "high": float(high), "clips": len(table), "parts": int(parts)}


def table(summary: dict) -> str:
    """The summary as text."""
    heads = ("whole frame", "moving region", "still region", "off place [px at 64]", "edge energy")
    gains, groups = summary["over static copy"], summary["groups"].items()
    return "\n".join([
        f"{summary['clips']} unseen clips, {summary['parts']} dragged parts; PSNR in dB, frames 2 to N, 95 % intervals",
        f"{'':14}" + "".join(f"{head:>22}" for head in heads),
        *(f"{row:14}" + "".join(f"{_cell(summary[row][name]):>22}" for name in METRICS) for row in summary["rows"]),
        f"over the static copy: moving region {_cell(gains['moving'])} dB, whole frame {_cell(gains['whole'])} dB",
        f"right direction: {_cell(summary['right direction'], 3)} of parts; travel {_cell(summary['travel'])} of the true one",
        *(f"right direction, {row}: {_cell(own, 3)}" for row, own in summary["right direction of"].items()),
        f"edge energy over that of {summary['rows'][-1]}: {_cell(summary['edge energy over ceiling'])}",
        *([f"mask IoU of what moves: {_cell(summary['mask IoU'])}"] if "mask IoU" in summary else []),
        *(f"{group:10} {own['clips']:4} clips: moving over the static copy {_cell(own['over static copy']['moving'])} dB, "
          f"direction {_cell(own['right direction'], 3)}, off place {_cell(own['off place'])} px" for group, own in groups),
    ])


def _cell(value: dict | None, digits: int = 2) -> str:
    """A mean with its interval."""
    return "–" if value is None else f"{value['mean']:.{digits}f} [{value['low']:.{digits}f}, {value['high']:.{digits}f}]"


def _plain(value: float) -> float | None:
    """JSON has no NaN."""
    return float(value) if np.isfinite(value) else None


def _over(a: float | None, b: float | None) -> float | None:
    return None if a is None or not b else a / b
